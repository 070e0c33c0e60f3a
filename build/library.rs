//! Builds the library as it is shipped (release, without std) in a Cargo call of its own.
//! For `build/examples.rs` and the tests, which link C programs with it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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
/// lock on that one, and the call would wait for ever. `kinds` are the crate types.
pub fn build(
    root: &Path,
    target: &Path,
    kinds: &str,
    triple: Option<&str>,
) -> Result<Library, String> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    forget_outer_build(&mut cargo);
    cargo
        .current_dir(root)
        .env("SK_NESTED_BUILD", "1")
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_BUILD_BUILD_DIR", target)
        .args([
            "rustc",
            "--lib",
            "--release",
            "--no-default-features",
            "--locked",
            "--offline",
        ])
        .args(["--message-format=json", "--crate-type", kinds])
        .args(triple.map(|triple| format!("--target={triple}")))
        .args(["--", "--print=native-static-libs"])
        .stdin(Stdio::null());
    let output = cargo
        .output()
        .map_err(|error| format!("{cargo:?}: {error}"))?;
    let messages = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(format!(
            "{cargo:?} failed:\n{}\n{messages}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    read(&messages).ok_or_else(|| format!("{cargo:?} did not say what it built:\n{messages}"))
}

/// Cargo sets these for the build script or test that we run in, or the user for that outer
/// build. The shipped library must not depend on either, and some would start a wrapper
/// (clippy's, for one) where the compiler is meant. `CARGO_HOME`, the registries' settings
/// and the jobserver stay.
fn forget_outer_build(cargo: &mut Command) {
    const PREFIXES: &[&str] = &[
        "CARGO_FEATURE_",
        "CARGO_CFG_",
        "CARGO_PKG_",
        "CARGO_PROFILE_",
        "CARGO_MANIFEST_",
        "DEP_",
    ];
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

/// Takes the paths and flags out of Cargo's messages, one JSON object a line.
fn read(messages: &str) -> Option<Library> {
    let mut library = Library {
        archive: PathBuf::new(),
        shared: None,
        native: Vec::new(),
    };
    for line in messages.lines() {
        if let Some((_, flags)) = line.split_once("native-static-libs: ") {
            let end = flags.find(['"', '\\'])?;
            library.native = flags[..end].split_whitespace().map(String::from).collect();
        }
        if !line.contains(r#""reason":"compiler-artifact""#) {
            continue;
        }
        let Some((_, files)) = line.split_once(r#""filenames":["#) else {
            continue;
        };
        for file in files.split(']').next()?.split(',') {
            let file = PathBuf::from(file.trim_matches('"').replace(r"\\", r"\"));
            match file.file_name()?.to_str()? {
                "libsk.a" => library.archive = file,
                "libsk.so" | "libsk.dylib" => library.shared = Some(file),
                _ => {}
            }
        }
    }
    (!library.archive.as_os_str().is_empty()).then_some(library)
}
