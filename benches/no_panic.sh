#!/bin/sh
# no_panic.sh FOLDER: links the library, as it is shipped, with a panic handler that calls a
# function which nobody defines. It links where the linker finds no way from an exported
# function to a panic. A copy with a panic put in must not link, or the check proves nothing.
set -eu

mkdir -p "$1"
folder=$(cd "$1" && pwd)
missing=sk_a_panic_is_reachable

# build MANIFEST LINKER-FLAG
build() {
    env -u CARGO_ENCODED_RUSTFLAGS SK_NESTED_BUILD=1 CARGO_TARGET_DIR="$folder" CARGO_TERM_COLOR=never \
        RUSTFLAGS="--cfg sk_no_panic -Clink-arg=-Wl,$2" \
        "${CARGO:-cargo}" rustc --manifest-path "$1" --lib --release --no-default-features --features=full --locked \
        --crate-type cdylib -- --emit=link,obj > "$folder/said" 2>&1
}

# Who of those that are left in a library, linked in spite of it all, mentions a panic of core.
callers() {
    nm -C --defined-only "$folder/release/libsk.so" | cut -d ' ' -f 3- > "$folder/left"
    objdump -drC --no-show-raw-insn "$folder"/release/deps/sk.o | awk '
        NR == FNR { left[$0] = 1; next }
        /^[0-9a-f]+ <.*>:$/ { sub(/^[0-9a-f]+ </, ""); sub(/>:$/, ""); caller = $0 }
        /R_.*[ \t]core::.*(panic|_fail)/ && caller in left {
            sub(/.*[ \t]core::/, "core::"); sub(/[-+]0x[0-9a-f]*$/, ""); print "  " caller " -> " $0
        }' "$folder/left" - | sort -u
}

echo 'Linking the library with a panic handler that nobody defines ...'
if ! build Cargo.toml -z,defs; then
    if grep -q "$missing" "$folder/said"; then
        echo 'The linker:'
        grep "$missing" "$folder/said" | grep -v '"cc"' | cut -c 1-150
        rm -f "$folder"/release/deps/sk.o
        build Cargo.toml --unresolved-symbols=ignore-all || cat "$folder/said"
        echo 'Who calls a panic:'
        callers
    else
        cat "$folder/said"
    fi
    echo 'no-panic: FAILED'
    exit 1
fi

echo 'The same with a panic put in, which must not link ...'
copy=$folder/with-panic
rm -rf "$copy"
mkdir -p "$copy"
cp -R Cargo.toml Cargo.lock build.rs build src tests benches "$copy"
cat >> "$copy/src/lib.rs" << 'END'

/// Panics beyond the end.
#[unsafe(no_mangle)]
pub extern "C" fn sk_panics(table: &[u8; 4], index: usize) -> u8 {
    table[index]
}
END
if build "$copy/Cargo.toml" -z,defs || ! grep -q "$missing" "$folder/said"; then
    cat "$folder/said"
    echo 'no-panic: FAILED: the check did not see a panic that is there'
    exit 1
fi
echo 'no-panic: passed: no exported function reaches a panic; one that does was found'
