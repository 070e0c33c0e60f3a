//! What happens around the compilation of the library: the header is kept current, the C
//! side is checked, and the shared library gets its name.
//!
//! Only a checkout of the repository is ever written to. Without the features `header` and
//! `c-examples` nothing but the link arguments is left.

use std::env;

#[cfg(any(feature = "header", feature = "c-examples"))]
#[path = "build/compile.rs"]
mod compile;
#[cfg(feature = "c-examples")]
#[path = "build/examples.rs"]
mod examples;
#[cfg(feature = "header")]
#[path = "build/header.rs"]
mod header;
#[cfg(feature = "c-examples")]
#[path = "build/library.rs"]
mod library;
#[cfg(any(feature = "header", feature = "c-examples"))]
#[path = "build/run.rs"]
mod run;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-env-changed=SK_NESTED_BUILD");
    link_args();
    // The examples need the library, whose build runs this script again: stop there.
    if env::var_os("SK_NESTED_BUILD").is_some() {
        return;
    }
    if let Err(message) = c_side() {
        eprintln!("{message}");
        std::process::exit(1);
    }
}

#[cfg(not(any(feature = "header", feature = "c-examples")))]
fn c_side() -> Result<(), String> {
    Ok(())
}

#[cfg(any(feature = "header", feature = "c-examples"))]
fn c_side() -> Result<(), String> {
    let root = std::path::PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("not run by cargo")?);
    let checkout = is_checkout(&root);
    #[cfg(feature = "header")]
    if checkout {
        refresh_header(&root);
    }
    if checkout || cfg!(feature = "c-examples") {
        watch(&root);
    }
    #[cfg(feature = "header")]
    if checkout {
        compile::check(&root)?;
    }
    #[cfg(feature = "c-examples")]
    examples::build_and_test(&root)?;
    Ok(())
}

/// Names what this script reads, so that Cargo runs it again for these alone.
#[cfg(any(feature = "header", feature = "c-examples"))]
fn watch(root: &std::path::Path) {
    for input in ["Cargo.toml", "Cargo.lock", "cbindgen.toml", "src", "include/sk.h", "c-examples"] {
        // Cargo takes a missing file for a changed one, every time.
        if root.join(input).exists() {
            println!("cargo::rerun-if-changed={input}");
        }
    }
    for name in ["CI", "CC", "CXX", "CFLAGS", "CXXFLAGS"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
}

/// A checkout that somebody works in, and not one that Cargo made for a dependency.
#[cfg(any(feature = "header", feature = "c-examples"))]
fn is_checkout(root: &std::path::Path) -> bool {
    let of_cargo = env::var_os("CARGO_HOME").is_some_and(|home| root.starts_with(home));
    root.join(".git").exists() && !of_cargo
}

/// In CI the header must be current already; tests/header.rs says where it is not.
#[cfg(feature = "header")]
fn refresh_header(root: &std::path::Path) {
    if env::var_os("CI").is_some() {
        return;
    }
    // No reason to stop: a source that can't be parsed is better reported by rustc.
    if let Err(message) = header::refresh(root) {
        println!("cargo::warning=include/sk.h was not refreshed: {}", message.replace('\n', " "));
    }
}

/// The shared library's name for the dynamic linker, and its protection: `dlclose` leaves
/// it in place, and what the linker filled in becomes read-only before the first call.
fn link_args() {
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        for argument in ["-soname,libsk.so.0", "-z,nodelete", "-z,relro", "-z,now"] {
            println!("cargo::rustc-cdylib-link-arg=-Wl,{argument}");
        }
    }
}
