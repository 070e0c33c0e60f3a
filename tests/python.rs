//! The Python package: its own tests against the shipped shared library, its types, and the
//! wheel, installed into a fresh virtual environment.

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use support::{root, run, shipped};

/// pip may have to fetch what it builds with.
const LIMIT: Duration = Duration::from_secs(300);

fn succeed(command: &mut Command) -> run::Finished {
    run::succeed(command, LIMIT).unwrap_or_else(|error| panic!("{error}"))
}

fn python() -> Command {
    let mut python = Command::new("python3");
    // No __pycache__ beside the sources.
    python.current_dir(root().join("python")).env("PYTHONDONTWRITEBYTECODE", "1");
    python
}

#[test]
fn its_own_tests_pass() {
    let shared = shipped().shared.as_ref().expect("a shared library");
    let mut tests = python();
    tests.env("SK_LIBRARY", shared).args(["-m", "unittest", "discover", "-v", "-s", "tests"]);
    let finished = succeed(&mut tests);
    print!("{}", finished.stderr);
}

#[test]
fn its_types_are_strict() {
    if !python().args(["-m", "mypy", "--version"]).output().is_ok_and(|output| output.status.success()) {
        println!("skipped: mypy is not installed");
        return;
    }
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mypy");
    succeed(python().args(["-m", "mypy", "--cache-dir"]).arg(cache).arg("sk"));
}

#[test]
fn the_wheel_works_in_a_fresh_environment() {
    let target = shipped().archive.ancestors().nth(3).expect("the target directory");
    let mut make = Command::new("make");
    for name in ["MAKEFLAGS", "MFLAGS", "MAKELEVEL"] {
        make.env_remove(name);
    }
    let finished = run::run(make.current_dir(root()).env("CARGO_TARGET_DIR", target).arg("wheel"), LIMIT)
        .unwrap_or_else(|error| panic!("{error}"));
    if finished.stdout.contains("No module named venv") || finished.stderr.contains("ensurepip") {
        println!("skipped: Python has no venv");
        return;
    }
    assert!(finished.status.success(), "{finished:?}");
    let wheels: Vec<_> = fs::read_dir(target.join("wheel"))
        .expect("the folder of the wheel")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .collect();
    let [wheel] = wheels.as_slice() else { panic!("one wheel, not {wheels:?}") };
    let name = wheel.file_name().expect("a name").to_string_lossy();
    assert!(name.contains("-py3-none-manylinux_"), "{name}");

    let environment = Path::new(env!("CARGO_TARGET_TMPDIR")).join("venv");
    succeed(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment));
    let inside = environment.join("bin/python");
    succeed(Command::new(&inside).args(["-m", "pip", "install", "--quiet", "--no-index"]).arg(wheel));
    let program = "import sk; a, b = sk.socketpair(); a.send(b'in the wheel'); print(b.recv(16).decode()); \
                   print(sk.__file__)";
    let finished =
        succeed(Command::new(&inside).current_dir("/").env_remove("SK_LIBRARY").args(["-c", program]));
    assert!(finished.stdout.starts_with("in the wheel\n"), "{finished:?}");
    assert!(finished.stdout.contains("site-packages"), "{finished:?}");
}
