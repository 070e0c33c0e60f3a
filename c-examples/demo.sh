#!/bin/sh
# demo.sh FOLDER: a short tour of the programs in that folder. Every line says who speaks; the end
# comes by itself.
set -eu

programs=$1
folder=$(mktemp -d)
server=
finish() {
    test -z "$server" || kill "$server" 2> /dev/null || true
    rm -rf "$folder"
}
trap finish EXIT
mkfifo "$folder/said" "$folder/ann" "$folder/bob"

# Everything that is said, by whom.
say() {
    while IFS= read -r line; do printf '%-6s | %s\n' "$1" "$line"; done
}

# serve NAME ARGUMENT...: starts a server, whose words are read from 3.
serve() {
    program=$1
    shift
    "$programs/$program" "$@" > "$folder/said" &
    server=$!
    exec 3< "$folder/said"
}

# until_said WORD: shows what the server says up to a line that begins so; the port, where it tells one.
until_said() {
    while IFS= read -r line <&3; do
        printf 'server | %s\n' "$line"
        case $line in
            bind:*:*) port=$(printf '%s' "$line" | sed 's/.*:\([0-9][0-9]*\).*/\1/') ;;
        esac
        case $line in
            $1*) return ;;
        esac
    done
}

# The rest of what the server says, until it ends. An argument is a signal that asks it to.
end_server() {
    test $# = 0 || kill -s "$1" "$server"
    say server <&3
    wait "$server"
    server=
}

echo '== 1. A stream: echo_server and echo_client'
echo 'A server makes a socket, binds it to an address (port 0: any free port) and listens.'
serve echo_server --once 1
until_said listen:
echo
echo 'A client makes a socket, connects to that port, writes and reads in turn, and closes.'
"$programs/echo_client" 127.0.0.1 "$port" 'Hello, server!' 'How are you?' 'Goodbye.' > "$folder/client"
say client < "$folder/client"
echo
echo 'The server accepted it, which made a new socket for this one client. It answered and ended.'
end_server

echo
echo '== 2. Both directions: chat_server and two people'
serve chat_server
until_said bind:
"$programs/chat_client" 127.0.0.1 "$port" ann < "$folder/ann" > "$folder/ann.heard" &
exec 4> "$folder/ann"
until_said join:
"$programs/chat_client" 127.0.0.1 "$port" bob < "$folder/bob" > "$folder/bob.heard" 4>&- &
exec 5> "$folder/bob"
until_said join:
echo 'Hello, Bob! One thread serves us all.' >&4
exec 4>&-
until_said leave:
exec 5>&-
until_said leave:
end_server INT
say bob < "$folder/bob.heard"

echo
echo '== 3. A file that arrives whole: file_send and file_recv'
dd if=/dev/zero of="$folder/holiday.film" bs=1000000 count=50 2> /dev/null
mkdir "$folder/received"
serve file_recv --folder "$folder/received" --once 1
until_said bind:
"$programs/file_send" 127.0.0.1 "$port" "$folder/holiday.film" > "$folder/client"
tr '\r' '\n' < "$folder/client" | tail -n 2 | say sender
end_server
cmp "$folder/holiday.film" "$folder/received/holiday.film"

echo
echo '== 4. HTTP, spoken by http_server and http_client'
echo '<p>Hello over HTTP.</p>' > "$folder/received/index.html"
serve http_server "$folder/received"
until_said serve:
"$programs/http_client" -i "http://127.0.0.1:$port/" > "$folder/client" 2> /dev/null
say client < "$folder/client"
end_server INT

echo
echo '== 5. The same exchange over HTTP and over a plain socket: http_vs_socket'
"$programs/http_vs_socket" --exchanges 1000

echo
echo '== 6. Real time over a network that loses: video_stream'
"$programs/video_stream" --self-test > "$folder/client"
say film < "$folder/client"

echo
echo '== 7. A thread for everybody: echo_many'
"$programs/echo_many" --self-test > "$folder/client"
say server < "$folder/client"

echo
echo 'The guide tells it all from the beginning: docs/guide/README.md'
