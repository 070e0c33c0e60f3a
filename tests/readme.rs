//! What README.md shows is true: its C programs compile, run and print what it says, its link
//! lines link, and the files and commands that it names exist.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::{LIMIT, Language, Linking, compile, has, root, run, run_to_end, shipped};

struct Block {
    /// What stands behind the three backticks.
    label: String,
    text: String,
}

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).expect("README.md")
}

fn blocks() -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in readme().lines() {
        open = match (line.strip_prefix("```"), open) {
            (Some(label), None) => Some(Block { label: label.into(), text: String::new() }),
            (Some(_), Some(block)) => {
                blocks.push(block);
                None
            }
            (None, Some(mut block)) => {
                block.text += line;
                block.text += "\n";
                Some(block)
            }
            (None, None) => None,
        };
    }
    assert!(open.is_none(), "README.md ends within a block");
    blocks
}

fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readme");
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

#[test]
fn programs_compile_and_print_what_is_said() {
    let blocks = blocks();
    let mut run = 0;
    for (number, block) in blocks.iter().enumerate().filter(|(_, block)| block.label.starts_with("c")) {
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

/// As a user does: installed by make, though not into /usr/local.
#[test]
fn link_lines_link() {
    for tool in ["make", "pkg-config"] {
        if !has(tool) {
            println!("skipped: {tool} is not installed");
            return;
        }
    }
    let blocks = blocks();
    let program = blocks.iter().find(|block| block.label == "c run").expect("a program");
    let lines = blocks.iter().find(|block| block.label == "sh link").expect("link lines");
    let folder = folder();
    let prefix = folder.join("prefix");
    let target = shipped().archive.ancestors().nth(3).expect("the target directory");

    let mut make = Command::new("make");
    for name in ["MAKEFLAGS", "MFLAGS", "MAKELEVEL"] {
        make.env_remove(name);
    }
    make.current_dir(root()).env("CARGO_TARGET_DIR", target).arg("install");
    run::succeed(make.arg(format!("PREFIX={}", prefix.display())), LIMIT)
        .unwrap_or_else(|error| panic!("{error}"));

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
    let readme = readme();
    let makefile = fs::read_to_string(root().join("Makefile")).expect("Makefile");
    let mut named = 0;
    // Between backticks, and between the parentheses of a link.
    let quoted = readme.split('`').skip(1).step_by(2);
    let linked = readme.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    for name in quoted.chain(linked).filter(|name| !name.contains('\n')) {
        if let Some(target) = name.strip_prefix("make ") {
            assert!(makefile.contains(&format!("\n{target}:")), "make has no {target}");
            named += 1;
        } else if name.contains('/') && !name.starts_with('/') {
            assert!(root().join(name).exists(), "there is no {name}");
            named += 1;
        }
    }
    assert!(named > 10, "only {named} names were found");
}
