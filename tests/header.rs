//! The header: current, complete, and good for every C and C++ there is a compiler for; and
//! the libraries export what it declares and nothing else.

#[path = "../build/header.rs"]
mod header;
mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use support::{LIMIT, has, root, run, shipped};

fn read_header() -> String {
    let path = root().join("include/sk.h");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn listed() -> Vec<String> {
    include_str!("functions.txt").lines().map(String::from).collect()
}

#[test]
fn header_is_current() {
    let fresh = header::generate(root()).expect("a header");
    let committed = read_header();
    if fresh == committed {
        return;
    }
    let same =
        fresh.lines().zip(committed.lines()).take_while(|(fresh, committed)| fresh == committed).count();
    panic!(
        "include/sk.h is not what src/ says, from line {} on:\n- {}\n+ {}\n\
         `cargo build` in a checkout, without CI in the environment, writes it anew.",
        same + 1,
        committed.lines().nth(same).unwrap_or("(the end)"),
        fresh.lines().nth(same).unwrap_or("(the end)"),
    );
}

#[test]
fn header_has_the_version_of_the_library() {
    assert!(
        read_header().contains(&format!("#define SK_VERSION_STRING \"{}\"\n", env!("CARGO_PKG_VERSION")))
    );
}

fn without_comments(header: &str) -> String {
    let mut code = String::new();
    for part in header.split("/*") {
        code += part.split_once("*/").map_or(part, |(_comment, code)| code);
    }
    code
}

/// Names that the header declares as functions. An `sk_` name before a parenthesis, outside
/// of comments, is nothing else.
fn declared(header: &str) -> Vec<String> {
    let code = without_comments(header);
    let mut names: Vec<String> = code
        .match_indices('(')
        .map(|(at, _)| {
            let name = code[..at].rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next();
            name.unwrap_or_default().to_string()
        })
        .filter(|name| name.starts_with("sk_"))
        .collect();
    names.sort();
    names
}

#[test]
fn header_declares_the_listed_functions() {
    assert_eq!(declared(&read_header()), listed());
}

/// What the header puts into every program that includes it: macros, types, tags, enumerators and
/// functions, but not members and parameters.
fn names(header: &str) -> Vec<String> {
    let code = without_comments(header);
    let mut names: Vec<String> = Vec::new();
    // For each bracket that is open, whether names within it are a program's too.
    let mut open: Vec<bool> = Vec::new();
    for line in code.lines().map(|line| line.split("//").next().unwrap_or_default()) {
        if line.starts_with('#') {
            let macro_name = line.strip_prefix("#define ").and_then(|rest| rest.split_whitespace().next());
            names.extend(macro_name.map(String::from));
            continue;
        }
        // The brace stays open up to another one of which C++ alone knows.
        if line.starts_with("extern \"C\"") {
            open.push(true);
            continue;
        }
        let mut word = String::new();
        for c in line.chars().chain([' ']) {
            if c.is_ascii_alphanumeric() || c == '_' {
                word.push(c);
                continue;
            }
            if !word.is_empty() && !open.contains(&false) {
                names.push(word.clone());
            }
            word.clear();
            match c {
                '{' => open.push(line.contains("enum ")),
                '(' | '[' => open.push(false),
                '}' | ')' | ']' => drop(open.pop()),
                _ => {}
            }
        }
    }
    assert!(open.is_empty(), "brackets");
    let known = ["typedef", "struct", "enum", "const", "char", "int", "void", "size_t", "int64_t"];
    names.retain(|name| !known.contains(&&**name) && name.parse::<i64>().is_err());
    names
}

#[test]
fn every_name_is_marked_as_ours() {
    let names = names(&read_header());
    for one in ["SK_H", "SK_FOREVER", "SK_EOTHER", "sk_error", "sk_handle", "sk_cred", "sk_peer_cred"] {
        assert!(names.iter().any(|name| name == one), "{one} was not found");
    }
    let foreign: Vec<_> =
        names.iter().filter(|name| !name.starts_with("sk_") && !name.starts_with("SK_")).collect();
    assert!(foreign.is_empty(), "{foreign:?}");
}

/// A function's comment and its declaration.
fn documented(header: &str) -> Vec<(String, String)> {
    let comments = header.split("/**").skip(1).filter_map(|part| part.split_once("*/"));
    comments
        .filter_map(|(comment, code)| Some((comment, code.trim_start().split_once(';')?.0)))
        .filter(|(_, code)| code.contains('(') && !code.starts_with('#') && !code.contains('{'))
        .map(|(comment, code)| (comment.to_string(), code.to_string()))
        .collect()
}

/// The names of the parameters in a declaration.
fn parameters(declaration: &str) -> Vec<String> {
    let list = declaration.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')')).expect("a list").0;
    let last_word = |parameter: &str| {
        let name = parameter.split('[').next()?.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next()?;
        (name != "void").then(|| name.to_string())
    };
    list.split(',').filter_map(last_word).collect()
}

/// Purpose, every parameter, results and errors, threads, signals, since when, and the source.
#[test]
fn header_says_everything_of_every_function() {
    let header = read_header();
    let functions = documented(&header);
    let mut names: Vec<String> =
        functions.iter().flat_map(|(_, code)| declared(&format!("{code};"))).collect();
    names.sort();
    assert_eq!(names, listed(), "functions with a comment");
    for (comment, code) in functions {
        let words: Vec<&str> = comment.split_whitespace().filter(|word| *word != "*").collect();
        let text = words.join(" ");
        for part in ["Returns", "Threads:", "Signals:", "Since 0."] {
            assert!(text.contains(part), "no {part:?} in what is said of\n{code}");
        }
        // "data, len: what to send": at the beginning of a line, before a colon.
        let said: Vec<&str> = comment
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix("* ")?.split_once(':'))
            .flat_map(|(names, _)| names.split(", "))
            .collect();
        for parameter in parameters(&code) {
            assert!(said.contains(&&*parameter), "nothing is said of {parameter} in\n{code}");
        }
    }
}

/// The global names that a library defines.
fn defined(library: &Path, flags: &[&str]) -> Vec<String> {
    let mut nm = Command::new("nm");
    let output =
        run::succeed(nm.args(flags).arg("--defined-only").arg(library), LIMIT).expect("nm, of the binutils");
    // "address kind name"; an archive's members have headings with fewer words.
    let words = output.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut names: Vec<String> =
        words.filter(|words| words.len() == 3).map(|words| words[2].to_string()).collect();
    names.sort();
    names
}

#[test]
fn shared_library_exports_the_listed_functions_and_nothing_else() {
    let shared = shipped().shared.as_ref().expect("a shared library");
    assert_eq!(defined(shared, &["-D"]), listed());
}

#[test]
fn archive_exports_the_listed_functions() {
    let mut names = defined(&shipped().archive, &["-g"]);
    names.retain(|name| name.starts_with("sk_"));
    assert_eq!(names, listed());
}

#[test]
fn shared_library_says_what_it_is() {
    if !has("readelf") {
        println!("skipped: readelf is not installed");
        return;
    }
    let shared = shipped().shared.as_ref().expect("a shared library");
    let dynamic =
        run::succeed(Command::new("readelf").arg("-dlW").arg(shared), LIMIT).expect("readelf").stdout;
    for mark in ["Library soname: [libsk.so.0]", "NODELETE", "BIND_NOW", "GNU_RELRO"] {
        assert!(dynamic.contains(mark), "no {mark} in:\n{dynamic}");
    }
    // Address, size and the like, then what the memory may be used for: never for code.
    let stack = dynamic.lines().find(|line| line.trim_start().starts_with("GNU_STACK")).expect("GNU_STACK");
    assert!(stack.contains(" RW ") && !stack.contains(" RWE "), "{stack}");
}

/// A compiler, what it is called for C++ (if it is for that too), and how it is told only to
/// check. tcc can't, and it replaces the file that it writes: never name a device here.
const COMPILERS: &[(&str, Option<&str>, &str)] = &[
    ("gcc", Some("g++"), "-fsyntax-only"),
    ("clang", Some("clang++"), "-fsyntax-only"),
    ("tcc", None, "-c"),
];

#[test]
fn header_compiles_alone_and_included_twice_in_every_standard() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let once = folder.join("header_once.c");
    let twice = folder.join("header_twice.c");
    fs::write(&once, "#include <sk.h>\n").expect("a source");
    fs::write(&twice, "#include <sk.h>\n#include <sk.h>\nint main(void) { return SK_OK; }\n")
        .expect("a source");

    let mut used = 0;
    for (c, cxx, only_check) in COMPILERS {
        for (compiler, standards) in [
            (Some(*c), &["-std=c99", "-std=c11", "-std=c17"]),
            (*cxx, &["-std=c++11", "-std=c++17", "-std=c++20"]),
        ] {
            let Some(compiler) = compiler else { continue };
            if !has(compiler) {
                println!("skipped: {compiler} is not installed");
                continue;
            }
            for standard in standards {
                for source in [&once, &twice] {
                    let mut command = Command::new(compiler);
                    if standard.starts_with("-std=c++") {
                        command.args(["-x", "c++"]);
                    }
                    command.args([standard, "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror"]);
                    command
                        .current_dir(folder)
                        .arg(only_check)
                        .arg("-I")
                        .arg(root().join("include"))
                        .arg(source);
                    run::succeed(&mut command, LIMIT).unwrap_or_else(|error| panic!("{error}"));
                }
                println!("{compiler} {standard}");
                used += 1;
            }
        }
    }
    assert!(used > 0, "no C compiler is installed");
}
