//! Builds the library without std, as it is shipped, in a Cargo call of its own.
//! For `build/examples.rs` and the tests, which link C programs with it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::run;

/// For a build from nothing, on a slow machine that does other things too.
const LIMIT: Duration = Duration::from_secs(3600);

pub struct Library {
    /// The archive.
    pub archive: PathBuf,
    /// The shared library, where it was asked for.
    #[allow(dead_code)] // the examples are linked with the archive
    pub shared: Option<PathBuf>,
    /// What a program that links the archive needs besides: `-lc` and the like.
    pub native: Vec<String>,
}

/// Builds into `target`, which must not be the directory of the running Cargo: it holds the
/// lock on that one, and the call would wait for ever. `profile` is "release" for what is shipped;
/// `kind` the crate type, where not both are needed; `triple` the target, where it is not this
/// machine. Without an rlib, so that link-time optimisation can make the Rust runtime's names
/// private: another Rust archive in the program brings the same ones.
pub fn build(
    root: &Path,
    target: &Path,
    profile: &str,
    kind: Option<&str>,
    triple: Option<&str>,
) -> Result<Library, String> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    forget_outer_build(&mut cargo);
    cargo
        .current_dir(root)
        .env("SK_NESTED_BUILD", "1")
        .env("CARGO_TERM_COLOR", "never")
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_BUILD_BUILD_DIR", target)
        .args(["rustc", "--lib", "--profile", profile, "--no-default-features", "--locked", "--offline"])
        .arg("--features=full")
        .arg("--message-format=json-render-diagnostics")
        .arg(format!("--crate-type={}", kind.unwrap_or("cdylib,staticlib")))
        .args(triple.map(|triple| format!("--target={triple}")))
        .args(["--", "--print=native-static-libs"]);
    let run::Finished { stdout, stderr, .. } = run::succeed(&mut cargo, LIMIT)?;
    read(&stdout, &stderr)
        .ok_or_else(|| format!("{} did not say what it built:\n{stdout}{stderr}", run::words(&cargo)))
}

/// Cargo sets these for the build script or test that we run in, or the user for that outer
/// build. The shipped library must not depend on either, and some would start a wrapper
/// (clippy's, for one) where the compiler is meant. `CARGO_HOME`, the registries' settings
/// and the jobserver stay.
pub fn forget_outer_build(cargo: &mut Command) {
    const PREFIXES: &[&str] =
        &["CARGO_FEATURE_", "CARGO_CFG_", "CARGO_PKG_", "CARGO_PROFILE_", "CARGO_MANIFEST_", "DEP_"];
    const NAMES: &[&str] = &[
        "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
        "CARGO_BUILD_RUSTC_WRAPPER",
        "CARGO_BUILD_TARGET",
        "CARGO_BUILD_TARGET_DIR",
        "DEBUG",
        "HOST",
        "NUM_JOBS",
        "OPT_LEVEL",
        "OUT_DIR",
        "PROFILE",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_WRAPPER",
        "TARGET",
    ];
    for (name, _) in env::vars_os() {
        let Some(text) = name.to_str() else { continue };
        if text.ends_with("RUSTFLAGS")
            || NAMES.contains(&text)
            || PREFIXES.iter().any(|p| text.starts_with(p))
        {
            cargo.env_remove(name);
        }
    }
}

/// Takes the paths out of Cargo's messages, one JSON object a line, and the flags out of what
/// it told the user.
fn read(messages: &str, told: &str) -> Option<Library> {
    let flags = told.lines().find_map(|line| line.split_once("native-static-libs: "))?.1;
    let artifacts = messages.lines().filter(|line| line.contains(r#""reason":"compiler-artifact""#));
    let files: Vec<PathBuf> = artifacts.filter_map(filenames).flatten().collect();
    let named = |name: &str| files.iter().find(|file| file.ends_with(name)).cloned();
    Some(Library {
        archive: named("libsk.a")?,
        shared: named("libsk.so").or_else(|| named("libsk.dylib")),
        native: flags.split_whitespace().map(String::from).collect(),
    })
}

fn filenames(message: &str) -> Option<Vec<PathBuf>> {
    let list = message.split_once(r#""filenames":[""#)?.1.split_once(r#""]"#)?.0;
    let path = |text: &str| PathBuf::from(text.replace(r"\\", r"\"));
    Some(list.split(r#"",""#).map(path).collect())
}
