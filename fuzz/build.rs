//! Compiles the C part of the target `http_request` with what libFuzzer and the sanitizers want of
//! it; clang alone can.

fn main() {
    println!("cargo::rerun-if-changed=http_request.c");
    println!("cargo::rerun-if-changed=../c-examples/http_request.h");
    let mut build = cc::Build::new();
    build.compiler("clang").file("http_request.c").opt_level(1).debug(true);
    if std::env::var_os("CARGO_CFG_FUZZING").is_some() {
        build.flag("-fsanitize=address,undefined,fuzzer-no-link");
        // Nothing but what the runtime of Rust's own address sanitizer brings.
        build.flag("-fsanitize-trap=undefined");
    }
    build.compile("http_request");
}
