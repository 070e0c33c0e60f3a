//! `libsk.a` in company: with another Rust archive in one program, and as it comes out of a
//! build that was not optimised. A library without std brings a panic handler and a
//! personality routine, which must neither be missing nor get in the way of others.

mod support;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::{LIMIT, Language, compiler, examples, run, run_to_end, shipped, unoptimised};

/// It needs std, its threads, and unwinding with everything that belongs to it.
const OTHER: &str = r#"
use std::collections::HashMap;

struct Counted<'a>(&'a std::cell::Cell<u32>);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

/// The sum of 1 to n, in a roundabout way.
#[unsafe(no_mangle)]
pub extern "C" fn other_sum(n: u32) -> u32 {
    let thread = std::thread::spawn(move || (1..=n).map(|i| (i, i)).collect::<HashMap<u32, u32>>());
    thread.join().map_or(0, |map| map.values().sum())
}

/// How many values an unwinding panic dropped on its way: 1.
#[unsafe(no_mangle)]
pub extern "C" fn other_unwinds(n: u32) -> u32 {
    let dropped = std::cell::Cell::new(0);
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _counted = Counted(&dropped);
        assert_eq!(n, 0, "on purpose");
    }));
    if caught.is_err() { dropped.get() } else { 0 }
}
"#;

const PROGRAM: &str = r#"
#include <sk.h>
#include <stdint.h>
#include <stdio.h>

extern uint32_t other_sum(uint32_t n);
extern uint32_t other_unwinds(uint32_t n);

int main(void) {
    sk_handle s = sk_socket(SK_INET, SK_DGRAM, SK_PROTO_UDP);
    if (s < 0 || sk_bind(s, "127.0.0.1", 0) != SK_OK || sk_close(s) != SK_OK)
        return 1;
    if (other_sum(4) != 10)
        return 2;
    if (other_unwinds(1) != 1)
        return 3;
    puts("both work");
    return 0;
}
"#;

/// A folder of its own for each test.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("archives").join(name);
    fs::create_dir_all(&folder).expect("a folder for programs");
    folder
}

/// The other archive, and what a program needs besides.
fn build_other(folder: &Path) -> (PathBuf, Vec<String>) {
    let source = folder.join("other.rs");
    let archive = folder.join("libother.a");
    fs::write(&source, OTHER).expect("a source");
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--edition=2024", "--crate-type=staticlib", "-O", "--print=native-static-libs"]);
    let told = run::succeed(rustc.arg(&source).arg("-o").arg(&archive), LIMIT)
        .unwrap_or_else(|error| panic!("{error}"))
        .stderr;
    let native = told.lines().find_map(|line| line.split_once("native-static-libs: "));
    let native = native.unwrap_or_else(|| panic!("no native-static-libs in:\n{told}")).1;
    (archive, native.split_whitespace().map(String::from).collect())
}

#[test]
fn works_beside_another_rust_archive() {
    let library = shipped();
    let folder = folder("company");
    let (other, native) = build_other(&folder);
    let source = folder.join("both.c");
    fs::write(&source, PROGRAM).expect("a source");

    // The linker takes from an archive what is still missing, so the order matters.
    for (order, archives) in
        [("sk_first", [&library.archive, &other]), ("sk_last", [&other, &library.archive])]
    {
        for collect in ["-Wl,--no-gc-sections", "-Wl,--gc-sections"] {
            let program = folder.join(format!("{order}{collect}"));
            let mut compiler = compiler(Language::C);
            compiler.arg(&source).args(archives).args(&native).args(&library.native);
            run::succeed(compiler.arg(collect).arg("-o").arg(&program), LIMIT)
                .unwrap_or_else(|error| panic!("{error}"));
            let finished = run_to_end(&mut Command::new(&program));
            assert!(finished.status.success(), "{}: {finished:?}", program.display());
            assert_eq!(finished.stdout, "both work\n", "{}", program.display());
        }
    }
}

#[test]
fn c_programs_link_the_unoptimised_libraries() {
    let folder = folder("examples");
    let library = unoptimised();
    for source in examples() {
        let name = source.file_stem().expect("a name").to_string_lossy().into_owned();
        let program = folder.join(&name);
        let mut compiler = compiler(Language::C);
        compiler.arg(&source).arg(&library.archive).args(&library.native);
        run::succeed(compiler.arg("-o").arg(&program), LIMIT).unwrap_or_else(|error| panic!("{error}"));
        let finished = run_to_end(Command::new(&program).arg("--self-test"));
        assert!(finished.status.success(), "{}: {finished:?}", program.display());

        // It is linked only: the loader would look for libsk.so.0.
        let shared = library.shared.as_ref().expect("a shared library");
        let mut compiler = support::compiler(Language::C);
        compiler.arg(&source).arg(shared).args(["-Wl,--no-undefined", "-o"]);
        run::succeed(compiler.arg(folder.join(name + "-shared")), LIMIT)
            .unwrap_or_else(|error| panic!("{error}"));
    }
}
