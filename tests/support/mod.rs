//! For tests that use the library as its users do: the shipped build of it, C programs linked
//! with that, and processes that can't hang or outlive their test.
#![allow(dead_code, unused_imports)] // each test uses a part

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

#[path = "../../build/library.rs"]
mod library;
pub mod markdown;
#[path = "../../build/run.rs"]
pub mod run;
pub mod running;

pub use library::{Library, forget_outer_build};

/// Far more than any of the programs needs: only a hang takes that long.
pub const LIMIT: Duration = Duration::from_secs(60);

/// How the project compiles C, and how the same source must compile as C++.
pub const C99: &[&str] = &["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror"];
pub const CXX17: &[&str] =
    &["-x", "c++", "-std=c++17", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    C,
    Cxx,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linking {
    Static,
    Shared,
}

pub const VARIANTS: [(Language, Linking); 4] = [
    (Language::C, Linking::Static),
    (Language::C, Linking::Shared),
    (Language::Cxx, Linking::Static),
    (Language::Cxx, Linking::Shared),
];

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The library as it is shipped: release, without std. Built once into `ship`, beside the
/// directories of the running Cargo. Beside the shared library lies `libsk.so.0`.
pub fn shipped() -> &'static Library {
    static SHIPPED: OnceLock<Library> = OnceLock::new();
    SHIPPED.get_or_init(|| {
        let target =
            Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a directory in the target directory");
        let library = library::build(root(), &target.join("ship"), "release", None, None)
            .unwrap_or_else(|error| panic!("{error}"));
        let shared = library.shared.as_ref().expect("a shared library");
        // Another test may have made it, and may be using it.
        match std::os::unix::fs::symlink("libsk.so", shared.with_file_name("libsk.so.0")) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => panic!("libsk.so.0: {error}"),
            _ => library,
        }
    })
}

/// The library without std as `cargo build` makes it, not optimised.
pub fn unoptimised() -> &'static Library {
    static UNOPTIMISED: OnceLock<Library> = OnceLock::new();
    UNOPTIMISED.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("unoptimised");
        library::build(root(), &target, "dev", None, None).unwrap_or_else(|error| panic!("{error}"))
    })
}

/// The sources of the C examples, by name.
pub fn examples() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("c-examples")).expect("the folder c-examples");
    let mut sources: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry of c-examples").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "c"))
        .collect();
    sources.sort();
    assert!(!sources.is_empty());
    sources
}

/// Compiles a program against `include/sk.h` and the shipped library, once, with the flags of
/// the house, and gives its path.
pub fn compile(source: &Path, language: Language, linking: Linking) -> PathBuf {
    static COMPILED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    let name = source.file_stem().expect("a source with a name").to_string_lossy();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("programs");
    let program = folder.join(format!("{name}-{language:?}-{linking:?}"));

    let mut compiled = COMPILED.lock().expect("no other compilation failed");
    if !compiled.contains(&program) {
        fs::create_dir_all(&folder).expect("a folder for programs");
        link(source, language, linking, &program);
        compiled.insert(program.clone());
    }
    program
}

/// The compiler, with the flags of the house and the header's folder.
pub fn compiler(language: Language) -> Command {
    let (variable, default, flags) = match language {
        Language::C => ("CC", "cc", C99),
        Language::Cxx => ("CXX", "c++", CXX17),
    };
    let mut compiler = Command::new(env::var(variable).unwrap_or_else(|_| default.into()));
    compiler.args(flags).arg("-I").arg(root().join("include"));
    compiler
}

fn link(source: &Path, language: Language, linking: Linking, program: &Path) {
    let library = shipped();
    // Under a name of its own at first: another test process may be running the program.
    let new = program.with_extension(std::process::id().to_string());
    let mut compiler = compiler(language);
    compiler.args(["-O2", "-g"]).arg(source).args(["-x", "none", "-o"]).arg(&new);
    match linking {
        Linking::Static => compiler.arg(&library.archive).args(&library.native),
        Linking::Shared => {
            let shared = library.shared.as_ref().expect("a shared library");
            let folder = shared.parent().expect("a folder").display();
            compiler.arg(shared).arg(format!("-Wl,-rpath,{folder}"))
        }
    };
    run::succeed(&mut compiler, LIMIT).unwrap_or_else(|error| panic!("{error}"));
    fs::rename(&new, program).expect("a name for the program");
}

/// Installs the library as `make install` does, under a prefix of the test's own.
pub fn install(prefix: &Path) {
    // Two at once would write the same files on their way.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock();
    let target = shipped().archive.ancestors().nth(3).expect("the target directory");
    let mut make = Command::new("make");
    for name in ["MAKEFLAGS", "MFLAGS", "MAKELEVEL"] {
        make.env_remove(name);
    }
    make.current_dir(root()).env("CARGO_TARGET_DIR", target).arg("install");
    run::succeed(make.arg(format!("PREFIX={}", prefix.display())), LIMIT)
        .unwrap_or_else(|error| panic!("{error}"));
}

/// Runs a program to its end, which must come before the limit.
pub fn run_to_end(command: &mut Command) -> run::Finished {
    run::run(command, LIMIT).unwrap_or_else(|error| panic!("{error}"))
}

/// Whether a tool is installed.
pub fn has(tool: &str) -> bool {
    let version = Command::new(tool).arg("--version").stdin(Stdio::null()).output();
    version.is_ok_and(|output| output.status.success())
}
