//! The man pages: one for each function and one over all, without a complaint by mandoc. The
//! reference in HTML: the same functions, and the guide, without a complaint by Doxygen.

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use support::{LIMIT, has, root, run};

#[test]
fn every_function_has_a_clean_page() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("man");
    let mut python = Command::new("python3");
    python.current_dir(root()).args(["docs/man.py", "include/sk.h"]).arg(&folder);
    run::succeed(&mut python, LIMIT).unwrap_or_else(|error| panic!("{error}"));

    let mut pages = vec![folder.join("man7/sk.7")];
    pages.extend(
        include_str!("functions.txt").lines().map(|name| folder.join("man3").join(name).with_extension("3")),
    );
    for page in &pages {
        let text = fs::read_to_string(page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
        assert!(text.contains(".Sh DESCRIPTION") && text.contains(".Sh SEE ALSO"), "{}", page.display());
        // What the header puts between backticks has a markup of its own here.
        assert!(!text.contains('`'), "{} has a backtick", page.display());
        assert!(!text.contains(":,") && !text.contains("or:"), "{} has half a sentence", page.display());
    }
    // It has no --version to ask for.
    if Command::new("mandoc").arg("/dev/null").output().is_err() {
        println!("skipped: mandoc is not installed");
        return;
    }
    let mut lint = Command::new("mandoc");
    let finished = run::run(lint.args(["-T", "lint", "-W", "warning"]).args(&pages), LIMIT)
        .unwrap_or_else(|error| panic!("{error}"));
    assert!(finished.status.success() && finished.stdout.is_empty(), "{}", finished.stdout);
}

#[test]
fn the_html_reference_describes_every_function() {
    if !has("doxygen") {
        println!("skipped: doxygen is not installed");
        return;
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("docs");
    let mut make = Command::new("make");
    // Doxygen takes its warnings for errors.
    run::succeed(make.current_dir(root()).env("CARGO_TARGET_DIR", &target).arg("docs"), LIMIT)
        .unwrap_or_else(|error| panic!("{error}"));

    let page = |name: &str| {
        let path = target.join("docs").join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let reference = page("sk_8h.html");
    for name in include_str!("functions.txt").lines() {
        // The row of its declaration in the table, by which its description below it is known.
        let (before, _) =
            reference.split_once(&format!(">{name}</a> (")).unwrap_or_else(|| panic!("no {name}"));
        let (_, row) = before.rsplit_once("memitem:").expect("a row");
        let id = row.split('"').next().expect("an identifier");
        assert!(reference.contains(&format!("memdesc:{id}")), "{name} is not described");
    }
    assert!(page("index.html").contains("A complete program") && page("pages.html").contains("Datagrams"));
}
