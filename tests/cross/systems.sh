#!/bin/sh
# systems.sh FOLDER: the library type-checks for FreeBSD and macOS, without a warning, as it is shipped
# and as a Rust program has it. Nothing is linked or run. Needed: rustup, or the core library for them.
set -eu

folder=$1
cd "$(dirname "$0")/../.."
passed=0
failed=0
ignored=0

# Whether the compiler has a core library for the target; rustup fetches it.
has_core() {
    [ -d "$(rustc --print=target-libdir --target="$1")" ] ||
        { command -v rustup > /dev/null && rustup target add "$1"; }
}

check() {
    env -u CARGO_ENCODED_RUSTFLAGS SK_NESTED_BUILD=1 RUSTFLAGS='-D warnings' \
        "${CARGO:-cargo}" check --quiet --lib --release --locked --target-dir "$folder" \
        --target "$1" --no-default-features --features "$2"
}

for target in x86_64-unknown-freebsd aarch64-apple-darwin; do
    if ! has_core "$target"; then
        echo "$target: ignored: there is no core library for it, and no rustup that has one"
        ignored=$((ignored + 1))
    elif check "$target" full && check "$target" full,std; then
        echo "$target: type-checks"
        passed=$((passed + 1))
    else
        echo "$target: FAILED"
        failed=$((failed + 1))
    fi
done
[ $failed = 0 ] && result=ok || result=FAILED
echo "check-systems: $([ $failed = 0 ] && echo passed || echo FAILED)"
echo "test result: $result. $passed passed; $failed failed; $ignored ignored"
[ $failed = 0 ]
