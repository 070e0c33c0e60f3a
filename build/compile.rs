//! The C compiler of a build: finding it, and checking that the header and every example
//! compile alone with the flags of the house.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::run;

/// For one compilation.
const LIMIT: Duration = Duration::from_secs(120);

/// How this project compiles C, and how the same source must compile as C++.
pub const C99: &[&str] = &["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror"];
pub const CXX17: &[&str] =
    &["-x", "c++", "-std=c++17", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror"];

/// The compiler for the target, ready for arguments; None where there is none that
/// understands the flags above.
pub fn compiler(cxx: bool) -> Option<Command> {
    let tool = cc::Build::new()
        .cpp(cxx)
        .cargo_metadata(false)
        .inherit_rustflags(false)
        .debug(false)
        .opt_level(2)
        .try_get_compiler()
        .ok()?;
    if !tool.is_like_gnu() && !tool.is_like_clang() {
        return None;
    }
    let found = run::succeed(tool.to_command().arg("--version"), LIMIT);
    found.is_ok().then(|| tool.to_command())
}

/// The C sources of the examples, by name.
pub fn examples(root: &Path) -> Result<Vec<PathBuf>, String> {
    let folder = root.join("c-examples");
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut sources: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension() == Some(OsStr::new("c")))
        .collect();
    sources.sort();
    Ok(sources)
}

/// Runs a compiler; its own words where it fails.
pub fn run(compiler: &mut Command) -> Result<(), String> {
    run::succeed(compiler, LIMIT).map(|_| ())
}

/// The header, included twice and by nobody else, and each example, as C and as C++.
/// Where there is no compiler there is nothing to check.
#[allow(dead_code)] // with the feature `c-examples` alone
pub fn check(root: &Path) -> Result<(), String> {
    let include = root.join("include");
    if !include.join("sk.h").exists() {
        return Ok(());
    }
    let alone = PathBuf::from(env::var_os("OUT_DIR").ok_or("no OUT_DIR")?).join("header_alone.c");
    fs::write(&alone, "#include <sk.h>\n#include <sk.h>\nint main(void) { return SK_OK; }\n")
        .map_err(|error| error.to_string())?;
    let mut sources = examples(root)?;
    sources.insert(0, alone);
    for (cxx, flags) in [(false, C99), (true, CXX17)] {
        for source in &sources {
            let Some(mut compiler) = compiler(cxx) else {
                break;
            };
            run(compiler.args(flags).arg("-fsyntax-only").arg("-I").arg(&include).arg(source))?;
        }
    }
    Ok(())
}
