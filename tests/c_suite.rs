//! The C test suite: every program in `tests/c/`, linked with the shipped shared library and some
//! also with the archive. Each case runs in a process of its own, so that one can crash, hang,
//! fork or use up all descriptors without harm to the others.
//!
//! `cargo test --test c_suite tcp::` runs the cases of one file.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use support::{Language, Linking, compile, run};

/// Every case has a shorter limit of its own, at which it says where it hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// What could differ in the archive: the start of the library, its fork handlers, its symbols.
const LINKED_WITH_BOTH: &[&str] =
    &["close_wakes", "errors", "fork", "poller", "poller_close", "process", "resources", "tcp"];

/// How a case says that it can't run here; the reason is what it printed.
const SKIPPED: i32 = 77;

fn main() {
    let arguments = Arguments::from_args();
    let trials = sources().iter().flat_map(|source| trials(source)).collect();
    libtest_mimic::run(&arguments, trials).exit();
}

fn sources() -> Vec<PathBuf> {
    let entries = fs::read_dir(support::root().join("tests/c")).expect("the folder tests/c");
    let mut sources: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry of tests/c").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "c"))
        .collect();
    sources.sort();
    assert!(!sources.is_empty());
    sources
}

fn trials(source: &Path) -> Vec<Trial> {
    let stem = source.file_stem().expect("a name").to_string_lossy();
    let mut linkings = vec![(Linking::Shared, "shared")];
    if LINKED_WITH_BOTH.contains(&&*stem) {
        linkings.push((Linking::Static, "static"));
    }
    let mut trials = Vec::new();
    for (linking, label) in linkings {
        let program = compile(source, Language::C, linking);
        for case in cases(&program) {
            let name = format!("{stem}::{case} [{label}]");
            let program = program.clone();
            trials.push(Trial::ignorable_test(name, move || run_case(&program, &case)));
        }
    }
    trials
}

fn cases(program: &Path) -> Vec<String> {
    let list =
        run::succeed(Command::new(program).arg("--list"), LIMIT).unwrap_or_else(|error| panic!("{error}"));
    list.stdout.lines().map(str::to_string).collect()
}

fn run_case(program: &Path, case: &str) -> Result<Completion, Failed> {
    let finished = run::run(Command::new(program).arg(case), LIMIT)?;
    match finished.status.code() {
        Some(0) => Ok(Completion::Completed),
        Some(SKIPPED) => Ok(Completion::ignored_with(finished.stdout.trim())),
        _ => Err(Failed::from(format!("{}\n{}{}", finished.status, finished.stdout, finished.stderr))),
    }
}
