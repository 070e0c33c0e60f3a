//! `sk.hpp`: under every C++ standard from C++11 on, with every compiler there is, with
//! sanitizers, and included in two places of one program.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::{CXX17, LIMIT, has, root, run, run_to_end, shipped};

const COMPILERS: &[&str] = &["g++", "clang++"];
const STANDARDS: &[&str] = &["-std=c++11", "-std=c++14", "-std=c++17", "-std=c++20"];

fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cpp");
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// The compiler with the flags of the house, but for the standard.
fn compiler(name: &str, standard: &str) -> Command {
    let mut compiler = Command::new(name);
    compiler.arg(standard).args(CXX17.iter().filter(|flag| !flag.starts_with("-std=")));
    compiler.arg("-I").arg(root().join("include"));
    compiler
}

fn build_and_run(compiler: &mut Command, program: &Path) {
    let library = shipped();
    compiler.arg(root().join("tests/cpp/faces.cpp"));
    compiler.args(["-x", "none"]).arg(&library.archive).args(&library.native).arg("-o").arg(program);
    run::succeed(compiler, LIMIT).unwrap_or_else(|error| panic!("{error}"));
    let finished = run_to_end(&mut Command::new(program));
    assert!(finished.status.success(), "{}: {finished:?}", program.display());
    assert_eq!(finished.stdout, "all good\n");
}

#[test]
fn it_works_in_every_standard() {
    let mut tried = 0;
    for name in COMPILERS {
        if !has(name) {
            println!("skipped: {name} is not installed");
            continue;
        }
        for standard in STANDARDS {
            build_and_run(&mut compiler(name, standard), &folder().join(format!("{name}{standard}")));
            tried += 1;
        }
    }
    assert!(tried > 0, "no C++ compiler is installed");
}

#[test]
fn sanitizers_find_nothing() {
    let mut compiler = compiler("g++", "-std=c++17");
    compiler.args(["-g", "-fsanitize=address,undefined,float-cast-overflow", "-fno-sanitize-recover=all"]);
    build_and_run(&mut compiler, &folder().join("sanitized"));
}

/// Everything in it is inline: the linker sees no name twice.
#[test]
fn two_sources_of_one_program_may_include_it() {
    let folder = folder();
    let one = folder.join("one.cpp");
    let two = folder.join("two.cpp");
    fs::write(&one, "#include <sk.hpp>\nsk::address other();\nint main() { return other().port() != 7; }\n")
        .expect("a source");
    fs::write(
        &two,
        "#include <sk.hpp>\n#include <sk.hpp>\nsk::address other() { return sk::address(\"[::1]:7\"); }\n",
    )
    .expect("a source");
    let library = shipped();
    let program = folder.join("both");
    let mut compiler = compiler("g++", "-std=c++11");
    compiler.arg(one).arg(two).args(["-x", "none"]).arg(&library.archive).args(&library.native);
    run::succeed(compiler.arg("-o").arg(&program), LIMIT).unwrap_or_else(|error| panic!("{error}"));
    assert!(run_to_end(&mut Command::new(program)).status.success());
}

/// Each exported function that does something with a socket or a poller has its face.
#[test]
fn every_function_is_there() {
    let text = fs::read_to_string(root().join("include/sk.hpp")).expect("sk.hpp");
    // What a program calls as it is.
    let plain = ["sk_addr_from_sockaddr", "sk_addr_to_sockaddr", "sk_error_name", "sk_init"];
    let more = ["sk_memory_needed", "sk_open_count", "sk_poll", "sk_version"];
    for name in include_str!("functions.txt").lines() {
        let is_plain = plain.contains(&name) || more.contains(&name);
        assert_eq!(text.contains(&format!("{name}(")), !is_plain, "{name}");
    }
}
