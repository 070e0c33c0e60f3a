//! What README.md shows is true: its C programs compile, run and print what it says, its link
//! lines link, and the files and commands that it names exist.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::markdown::{Block, blocks, names, read};
use support::{LIMIT, Language, Linking, compile, has, install, root, run, run_to_end};

/// The same in every language, but for the words.
const PAGES: &[&str] = &["README.md", "README.ko.md"];

fn readme() -> PathBuf {
    root().join("README.md")
}

fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readme");
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

#[test]
fn programs_compile_and_print_what_is_said() {
    let blocks = blocks(&readme());
    let mut run = 0;
    let is_c = |block: &Block| block.label == "c" || block.label.starts_with("c ");
    for (number, block) in blocks.iter().enumerate().filter(|(_, block)| is_c(block)) {
        let source = folder().join(format!("readme_{number}.c"));
        fs::write(&source, &block.text).expect("a source");
        for linking in [Linking::Shared, Linking::Static] {
            let program = compile(&source, Language::C, linking);
            if block.label != "c run" {
                continue;
            }
            let finished = run_to_end(&mut Command::new(program));
            assert!(finished.status.success() && finished.stderr.is_empty(), "{finished:?}");
            let said = blocks.get(number + 1).filter(|next| next.label == "text");
            assert_eq!(finished.stdout, said.expect("what it prints, as the next block").text);
            run += 1;
        }
    }
    assert!(run > 0, "README.md has no program that runs");
}

/// They are parts of a function; what they include is named nowhere, as in any excerpt.
#[test]
fn cpp_excerpts_compile() {
    for block in blocks(&readme()).iter().filter(|block| block.label == "cpp") {
        let source = folder().join(format!("readme_{}.cpp", block.line));
        let text = format!(
            "#include <sk.hpp>\n#include <cstdio>\nint main() {{\n{}    (void)got;\n}}\n",
            block.text
        );
        fs::write(&source, text).expect("a source");
        compile(&source, Language::Cxx, Linking::Shared);
    }
}

/// As a user does: installed by make, though not into /usr/local.
#[test]
fn link_lines_link() {
    for tool in ["make", "pkg-config"] {
        if !has(tool) {
            println!("skipped: {tool} is not installed");
            return;
        }
    }
    let blocks = blocks(&readme());
    let program = blocks.iter().find(|block| block.label == "c run").expect("a program");
    let lines = blocks.iter().find(|block| block.label == "sh link").expect("link lines");
    let folder = folder();
    let prefix = folder.join("prefix");
    install(&prefix);

    fs::write(folder.join("hello.c"), &program.text).expect("a source");
    let mut built = 0;
    for line in lines.text.lines() {
        let mut shell = Command::new("sh");
        shell.current_dir(&folder).env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig"));
        shell.args(["-c", &line.replace("/usr/local", &prefix.display().to_string())]);
        run::succeed(&mut shell, LIMIT).unwrap_or_else(|error| panic!("{line}\n{error}"));

        let mut hello = Command::new(folder.join("hello"));
        // A program with the archive has everything in it.
        if !line.contains("libsk.a") {
            hello.env("LD_LIBRARY_PATH", prefix.join("lib"));
        }
        let finished = run_to_end(&mut hello);
        assert!(finished.status.success(), "{line}\n{finished:?}");
        fs::remove_file(folder.join("hello")).expect("the program");
        built += 1;
    }
    assert!(built > 0);
}

#[test]
fn files_and_commands_that_are_named_exist() {
    let makefile = read(&root().join("Makefile"));
    for page in PAGES {
        let text = read(&root().join(page));
        let mut named = 0;
        for name in names(&text) {
            if let Some(words) = name.strip_prefix("make ") {
                // Behind it may stand what it is told.
                let target = words.split(' ').next().unwrap_or_default();
                assert!(makefile.contains(&format!("\n{target}:")), "{page}: make has no {target}");
                named += 1;
            } else if name.contains('/') && !name.starts_with('/') {
                assert!(root().join(name).exists(), "{page}: there is no {name}");
                named += 1;
            }
        }
        assert!(named > 10, "{page}: only {named} names were found");
    }
}

/// The programs and commands are those that were tried above.
#[test]
fn translations_show_the_same_code() {
    let original = blocks(&readme());
    for page in PAGES.iter().skip(1) {
        let translated = blocks(&root().join(page));
        assert_eq!(translated.len(), original.len(), "{page}");
        for (theirs, ours) in translated.iter().zip(&original) {
            assert_eq!(theirs.label, ours.label, "{page}, line {}", theirs.line);
            assert_eq!(code(&theirs.text), code(&ours.text), "{page}, line {}", theirs.line);
        }
    }
}

/// Without comments, which are translated too.
fn code(text: &str) -> String {
    let mut code = String::new();
    for part in text.split("/*") {
        code += part.split_once("*/").map_or(part, |(_comment, code)| code);
    }
    code.lines()
        .map(|line| line.split("  #").next().unwrap_or_default().trim_end().to_string() + "\n")
        .collect()
}
