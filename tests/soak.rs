//! A short run of the soak test, so that it stays alive; `make soak` is the long one.

mod support;

use std::path::Path;
use std::process::Command;

use support::{root, run, run_to_end, shipped};

#[test]
fn everything_at_once_for_some_seconds() {
    let sources = ["soak", "pairs", "jobs"].map(|name| root().join(format!("tests/soak/{name}.c")));
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("soak");
    let library = shipped();
    let mut compiler = Command::new("cc");
    compiler.args(["-std=c11", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror", "-O1", "-g"]);
    compiler.arg("-I").arg(root().join("include")).args(&sources).arg(&library.archive);
    compiler.args(&library.native).arg("-pthread").arg("-o").arg(&program);
    run::succeed(&mut compiler, support::LIMIT).unwrap_or_else(|error| panic!("{error}"));
    // Long enough for a phase in which descriptors are short, and for a look at what is left after it.
    let finished = run_to_end(Command::new(&program).args(["--seconds", "10"]));
    assert!(finished.status.success(), "{}{}", finished.stdout, finished.stderr);
    assert!(
        finished.stdout.contains("EMFILE") && finished.stdout.ends_with("soak: passed\n"),
        "{}",
        finished.stdout
    );
}
