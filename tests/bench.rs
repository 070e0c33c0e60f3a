//! The contenders of `make bench` that are installed: each still compiles, and every byte that it
//! sends arrives. The times themselves are for `make bench`.

mod support;

use std::process::Command;
use std::time::Duration;

use support::{has, root, run, shipped};

/// Dozens of small programs are compiled.
const LIMIT: Duration = Duration::from_secs(300);

#[test]
fn every_contender_does_its_work() {
    if !has("python3") {
        println!("skipped: python3 is not installed");
        return;
    }
    let library = shipped();
    let folder = library.archive.parent().expect("a folder");
    let mut measure = Command::new("python3");
    measure.arg("-B").arg(root().join("benches/contenders/measure.py")).arg("--verify");
    measure.arg("--library").arg(folder).arg(format!("--native={}", library.native.join(" ")));
    measure.arg("--out").arg(env!("CARGO_TARGET_TMPDIR"));
    let finished = run::succeed(&mut measure, LIMIT).unwrap_or_else(|error| panic!("{error}"));
    println!("{}", finished.stdout);
    for name in ["raw", "libsk static", "libsk shared"] {
        for what in ["tcp", "udp single", "udp batch", "udp segment", "echo"] {
            let line = format!("{name}, {what}: every byte\n");
            assert!(finished.stdout.contains(&line), "no {line:?} in:\n{}", finished.stdout);
        }
    }
}
