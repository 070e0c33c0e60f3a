//! The source tarball: made twice it has the same bytes, and all that a build needs is inside.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use support::{forget_outer_build, has, root, run};

/// For builds from nothing, on a slow machine that does other things too.
const LIMIT: Duration = Duration::from_secs(3600);

fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dist");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Make or Cargo as a user calls them, and with nothing in Cargo's cache.
fn command(program: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    forget_outer_build(&mut command);
    for name in ["CARGO_TARGET_DIR", "CARGO_BUILD_BUILD_DIR", "DESTDIR", "MAKEFLAGS", "MFLAGS", "MAKELEVEL"] {
        command.env_remove(name);
    }
    command.env("CARGO_HOME", folder.join("empty")).env("CARGO_NET_OFFLINE", "true");
    command
}

fn succeed(command: &mut Command) {
    run::succeed(command, LIMIT).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn the_tarball_builds_and_installs_offline() {
    if !root().join(".git").exists() || !has("git") {
        println!("skipped: only a checkout with git makes a tarball");
        return;
    }
    let folder = folder();
    let name = concat!("libsk-", env!("CARGO_PKG_VERSION"));
    let tarballs = ["first", "second"].map(|target| {
        let target = folder.join(target);
        succeed(Command::new("make").current_dir(root()).env("CARGO_TARGET_DIR", &target).arg("dist"));
        target.join("dist").join(format!("{name}.tar.gz"))
    });
    let [first, second] = tarballs.each_ref().map(|path| fs::read(path).expect("a tarball"));
    assert!(first == second, "another tarball each time");

    succeed(Command::new("tar").arg("-xzf").arg(&tarballs[0]).arg("-C").arg(&folder));
    let tree = folder.join(name);
    succeed(command("cargo", &folder).current_dir(&tree).args([
        "build",
        "--release",
        "--offline",
        "--locked",
    ]));
    let installed = folder.join("installed");
    let mut make = command("make", &folder);
    make.current_dir(&tree).args(["install", "PREFIX=/usr"]);
    succeed(make.arg(format!("DESTDIR={}", installed.display())));
    for file in
        ["include/sk.h", "lib/libsk.a", "lib/libsk.so.0", "lib/pkgconfig/sk.pc", "share/man/man7/sk.7"]
    {
        assert!(installed.join("usr").join(file).exists(), "no {file}");
    }
}
