//! What the guide shows is true: its excerpts stand in the programs, its own programs compile
//! and run, what it says a program prints is what that prints, and its links lead somewhere.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::markdown::{Block, blocks, links, read};
use support::{Language, Linking, compile, root, run_to_end};

const LANGUAGES: &[&str] = &["docs/guide", "docs/guide/ko"];

/// The pages of one language, by name.
fn pages(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let mut pages: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    pages.sort();
    pages
}

fn every_page() -> Vec<PathBuf> {
    LANGUAGES.iter().flat_map(|folder| pages(folder)).collect()
}

fn place(page: &Path, block: &Block) -> String {
    let page = page.strip_prefix(root()).unwrap_or(page);
    format!("{}:{}", page.display(), block.line)
}

/// A program of ours with arguments, which has to end by itself.
fn run_example(command: &str) -> String {
    let mut words = command.split_whitespace();
    let name = words.next().expect("a program");
    let source = root().join("c-examples").join(name).with_extension("c");
    let mut program = Command::new(compile(&source, Language::C, Linking::Shared));
    let finished = run_to_end(program.args(words));
    assert!(finished.status.success(), "{command}: {finished:?}");
    finished.stdout
}

/// Every number counts as equal: ports, times and rates differ from run to run.
fn without_numbers(line: &str) -> String {
    let mut plain = String::new();
    let mut in_number = false;
    for c in line.trim_end().chars() {
        if !c.is_ascii_digit() {
            plain.push(c);
        } else if !in_number {
            plain.push('0');
        }
        in_number = c.is_ascii_digit();
    }
    // A table or a sentence is padded to the width of its numbers.
    plain.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Whether `said` is what `shown` says, in which a line "…" stands for any lines.
fn matches(shown: &[&str], said: &[&str]) -> bool {
    match (shown, said) {
        ([], []) => true,
        (["…", more @ ..], _) => (0..=said.len()).any(|skipped| matches(more, &said[skipped..])),
        ([line, more @ ..], [first, rest @ ..]) => {
            without_numbers(line) == without_numbers(first) && matches(more, rest)
        }
        _ => false,
    }
}

#[test]
fn outputs_are_compared_up_to_numbers() {
    assert!(matches(&["port 1234 of 9", "…", "end"], &["port 5 of 10", "a", "b", "end"]));
    assert!(matches(&["…"], &[]));
    assert!(!matches(&["port 1"], &["port one"]));
    assert!(!matches(&["a", "…"], &["b", "a"]));
}

#[test]
fn blocks_are_what_their_labels_say() {
    let mut checked = 0;
    for page in every_page() {
        let blocks = blocks(&page);
        for (at, block) in blocks.iter().enumerate() {
            let place = place(&page, block);
            match block.label.split_once(' ') {
                Some(("c", "run")) => runs(&page, block, blocks.get(at + 1)),
                Some(("c", file)) => is_excerpt(&place, &block.text, file),
                Some(("text", command)) if command.starts_with("$ ") => {
                    let said = run_example(&command[2..]);
                    let (shown, lines): (Vec<_>, Vec<_>) =
                        (block.text.lines().collect(), said.lines().collect());
                    assert!(matches(&shown, &lines), "{place}: {command} prints\n{said}");
                }
                None if block.label == "sh" => continue,
                // What the program before it prints; seen there.
                None if block.label == "text" && at > 0 && blocks[at - 1].label == "c run" => continue,
                _ => panic!("{place}: nothing checks a block with the label {:?}", block.label),
            }
            checked += 1;
        }
    }
    assert!(checked > 0, "the guide has no code");
}

fn runs(page: &Path, block: &Block, next: Option<&Block>) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guide");
    fs::create_dir_all(&folder).expect("a folder");
    let name = place(page, block).replace(['/', '.', ':'], "_");
    let source = folder.join(name).with_extension("c");
    fs::write(&source, &block.text).expect("a source");
    let finished = run_to_end(&mut Command::new(compile(&source, Language::C, Linking::Static)));
    assert!(finished.status.success() && finished.stderr.is_empty(), "{finished:?}");
    if let Some(said) = next.filter(|next| next.label == "text") {
        assert_eq!(finished.stdout, said.text, "{}", place(page, said));
    }
}

/// The lines stand in the file, one after the other, up to their indentation.
fn is_excerpt(place: &str, text: &str, file: &str) {
    let source = read(&root().join(file));
    let lines = |text: &str| text.lines().map(|line| line.trim().to_string()).collect::<Vec<_>>();
    let (source, wanted) = (lines(&source), lines(text.trim_end()));
    let found = source.windows(wanted.len().max(1)).any(|window| window == wanted);
    assert!(found, "{place}: these lines do not stand in {file}:\n{text}");
}

#[test]
fn links_and_pictures_lead_somewhere() {
    let mut followed = 0;
    for page in every_page() {
        for link in links(&read(&page)).filter(|link| !link.contains("://") && !link.starts_with('#')) {
            let target = link.split('#').next().expect("a first part");
            assert!(page.parent().expect("a folder").join(target).exists(), "{}: {link}", page.display());
            followed += 1;
        }
    }
    assert!(followed > 0);
}

#[test]
fn every_language_has_every_chapter() {
    let names = |folder: &str| -> BTreeSet<_> {
        pages(folder).iter().filter_map(|page| page.file_name().map(|name| name.to_owned())).collect()
    };
    let chapters = names(LANGUAGES[0]);
    for folder in LANGUAGES {
        assert_eq!(names(folder), chapters, "{folder}");
        let index = read(&root().join(folder).join("README.md"));
        for chapter in chapters.iter().filter(|name| *name != "README.md") {
            let name = chapter.to_string_lossy();
            assert!(index.contains(&format!("({name})")), "{folder}/README.md does not lead to {name}");
        }
    }
}

/// Each program is explained somewhere.
#[test]
fn every_program_has_a_chapter() {
    for folder in LANGUAGES {
        let text: String = pages(folder).iter().map(|page| read(page)).collect();
        for source in support::examples() {
            let name = source.file_name().expect("a name").to_string_lossy().into_owned();
            assert!(text.contains(&name), "{folder} does not speak of {name}");
        }
    }
}
