#!/bin/sh
# features.sh FOLDER: the library with each part of it left out, as docs/embedded.md names them: it
# builds, clippy finds nothing, and only the functions of that part are gone.
set -eu

parts='names pollers unix batches'
folder=$1
list="$folder/functions"
mkdir -p "$folder"
cd "$(dirname "$0")/../.."
passed=0
failed=0
for left_out in $parts everything; do
    features=
    for part in $parts; do
        [ "$left_out" = everything ] || [ "$part" = "$left_out" ] || features="$features,$part"
    done
    case $left_out in
        names) gone='' ;;
        pollers) gone='^sk_poller' ;;
        unix) gone='^sk_(send_handle|recv_handle|peer_cred|socketpair)$' ;;
        batches) gone='^sk_(send|recv)_batch$' ;;
        everything) gone='^sk_(poller.*|send_handle|recv_handle|peer_cred|socketpair|(send|recv)_batch)$' ;;
    esac
    good=1
    SK_NESTED_BUILD=1 "${CARGO:-cargo}" clippy --quiet --lib --locked --target-dir "$folder" \
        --no-default-features --features "$features" -- -D warnings || good=0
    SK_NESTED_BUILD=1 "${CARGO:-cargo}" rustc --quiet --lib --release --locked --target-dir "$folder" \
        --no-default-features --features "$features" --crate-type=cdylib ||
        { failed=$((failed + 1)); continue; }
    library="$folder/release/libsk.so"
    nm -D --defined-only "$library" | awk '{ print $3 }' | grep '^sk_' | sort > "$list"
    sort tests/functions.txt | { [ -z "$gone" ] && cat || grep -Ev "$gone"; } | diff - "$list" || good=0
    # The resolver is a function of the C library that is asked for, or not.
    case $left_out in
        names | everything) ! nm -D "$library" | grep getaddrinfo || good=0 ;;
    esac
    echo "without $left_out: $(size "$library" | awk 'NR == 2 { print $1 }') bytes of text"
    [ $good = 1 ] && passed=$((passed + 1)) || failed=$((failed + 1))
done
[ $failed = 0 ] && result=ok || result=FAILED
echo "test result: $result. $passed passed; $failed failed; 0 ignored"
[ $failed = 0 ] && echo 'features: passed' || { echo 'features: FAILED'; exit 1; }
