//! The feature `c-examples`: every program in `c-examples/` is linked with the static
//! library and its self-test is run, as a part of the build.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{compile, library, run};

/// For one self-test, which needs a second or two.
const LIMIT: Duration = Duration::from_secs(60);

pub fn build_and_test(root: &Path) -> Result<(), String> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("no OUT_DIR")?);
    let target = env::var("TARGET").map_err(|_| "no TARGET")?;
    // A program for another machine is only built.
    let runs_here = env::var("HOST").is_ok_and(|host| host == target);

    let library = library::build(root, &out.join("nested"), "release", Some("staticlib"), Some(&target))?;
    let programs = out.join("c-examples");
    fs::create_dir_all(&programs).map_err(|error| format!("{}: {error}", programs.display()))?;
    for source in compile::examples(root)? {
        let name = source.file_stem().ok_or("an example without a name")?;
        let program = programs.join(name);
        let mut compiler = compile::compiler(false).ok_or("the C examples need a C compiler")?;
        compiler.args(compile::C99).arg("-I").arg(root.join("include")).arg(&source).arg(&library.archive);
        compile::run(compiler.args(&library.native).arg("-o").arg(&program))?;
        if runs_here {
            run::succeed(Command::new(&program).arg("--self-test"), LIMIT)?;
        }
    }
    Ok(())
}
