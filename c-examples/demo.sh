#!/bin/sh
# demo.sh FOLDER: echo_server and echo_client from that folder talk to each other. Every line
# says who speaks; the end comes by itself.
set -eu

folder=$(mktemp -d)
server=
finish() {
    test -z "$server" || kill "$server" 2> /dev/null || true
    rm -rf "$folder"
}
trap finish EXIT

say() {
    while IFS= read -r line; do printf '%s | %s\n' "$1" "$line"; done
}

echo 'A server makes a socket, binds it to an address (port 0: any free port) and listens.'
mkfifo "$folder/said"
"$1/echo_server" --once 1 > "$folder/said" &
server=$!
exec 3< "$folder/said"
while IFS= read -r line <&3; do
    echo "server | $line"
    case $line in
        bind:*) port=${line##*:} ;;
        listen:*) break ;;
    esac
done

echo
echo 'A client makes a socket, connects to that port, writes and reads in turn, and closes.'
"$1/echo_client" 127.0.0.1 "$port" 'Hello, server!' 'How are you?' 'Goodbye.' > "$folder/client"
say client < "$folder/client"

echo
echo 'The server accepted it, which made a new socket for this one client. It answered and ended.'
say server <&3
wait "$server"
server=
