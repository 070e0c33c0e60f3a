//! Generates `include/sk.h` from the Rust source. For `build.rs`, which keeps the file
//! current, and for `tests/header.rs`, which says where it is not.

use std::fs::{self, File};
use std::path::Path;
use std::time::SystemTime;

/// Where the header's parts come from, in its order: what everything uses first, then the
/// sections of the interface.
const SOURCES: &[&str] = &[
    "capi/types.rs",
    "error.rs",
    "socket/kind.rs",
    "socket/flags.rs",
    "socket/options.rs",
    "sys/address.rs",
    "sys/vector.rs",
    "sys/batch.rs",
    "poll/many.rs",
    "poll/poller.rs",
    "sys/unix.rs",
    "capi/errors.rs",
    "capi/process.rs",
    "capi/sockets.rs",
    "capi/transfer.rs",
    "capi/options.rs",
    "capi/addresses.rs",
    "capi/endpoints.rs",
    "capi/groups.rs",
    "capi/waiting.rs",
    "capi/descriptors.rs",
];

/// The text that `include/sk.h` should have.
pub fn generate(root: &Path) -> Result<String, String> {
    let mut config = cbindgen::Config::from_file(root.join("cbindgen.toml"))?;
    config.after_includes = Some(version_macros());
    let mut builder = cbindgen::Builder::new().with_config(config);
    for source in SOURCES {
        builder = builder.with_src(root.join("src").join(source));
    }
    let mut text = Vec::new();
    builder.generate().map_err(|error| error.to_string())?.write(&mut text);
    Ok(tidy(&String::from_utf8(text).map_err(|error| error.to_string())?))
}

/// What cbindgen has no setting for: a comment of one line takes one line, and a negative
/// number in a macro stands in parentheses.
fn tidy(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut tidied = String::new();
    let mut rest = lines.as_slice();
    while let [line, more @ ..] = rest {
        rest = more;
        if let ([only, end, after @ ..], Some(indent)) = (more, line.strip_suffix("/**")) {
            if let (Some(words), "*/") = (only.trim_start().strip_prefix("* "), end.trim()) {
                tidied += &format!("{indent}/** {words} */\n");
                rest = after;
                continue;
            }
        }
        match line.split_once(" -") {
            Some((define, number)) if define.starts_with("#define ") => {
                tidied += &format!("{define} (-{number})\n")
            }
            _ => tidied += &format!("{line}\n"),
        }
    }
    tidied
}

/// Writes the header where its text changed.
#[allow(dead_code)] // the test only generates
pub fn refresh(root: &Path) -> Result<(), String> {
    let header = root.join("include/sk.h");
    let text = generate(root)?;
    if fs::read_to_string(&header).is_ok_and(|old| old == text) {
        return Ok(());
    }
    write(root, &header, &text).map_err(|error| error.to_string())
}

/// In one step, so that nobody ever reads half a header.
fn write(root: &Path, header: &Path, text: &str) -> std::io::Result<()> {
    let new = header.with_extension(format!("h.{}", std::process::id()));
    fs::create_dir_all(root.join("include"))?;
    fs::write(&new, text)?;
    // As old as what it was made from: were it newer than the start of this build, Cargo
    // would build again.
    File::options().append(true).open(&new)?.set_modified(newest(&root.join("src"))?)?;
    fs::rename(new, header)
}

fn version_macros() -> String {
    let [major, minor, patch] =
        [env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"), env!("CARGO_PKG_VERSION_PATCH")];
    format!(
        "\n/* The version of this header; sk_version() is that of the library. */\n\
         #define SK_VERSION_MAJOR {major}\n#define SK_VERSION_MINOR {minor}\n\
         #define SK_VERSION_PATCH {patch}\n#define SK_VERSION_STRING \"{}\"",
        env!("CARGO_PKG_VERSION")
    )
}

fn newest(folder: &Path) -> std::io::Result<SystemTime> {
    let mut newest = SystemTime::UNIX_EPOCH;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        newest = newest.max(if kind.is_dir() {
            self::newest(&entry.path())?
        } else {
            entry.metadata()?.modified()?
        });
    }
    Ok(newest)
}
