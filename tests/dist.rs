//! The source tarball: made twice it has the same bytes, and all that a build needs is inside.
//! The Debian packages made from it: without an error by lintian, and each file where it belongs.
//! Both are made of what is committed.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use support::{forget_outer_build, has, root, run, run_to_end};

/// For builds from nothing, on a slow machine that does other things too.
const LIMIT: Duration = Duration::from_secs(3600);

const PROGRAM: &str = r#"
#include <sk.hpp>
#include <cstdio>
int main() {
    sk::socket s = sk::serve("udp://127.0.0.1:0");
    s.close();
    std::puts(sk_version());
    return 0;
}
"#;

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// A program as a user calls it, who builds nothing else at the time.
fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    forget_outer_build(&mut command);
    for name in ["CARGO_TARGET_DIR", "CARGO_BUILD_BUILD_DIR", "DESTDIR", "MAKEFLAGS", "MFLAGS", "MAKELEVEL"] {
        command.env_remove(name);
    }
    command
}

/// The same without a network, and with nothing in Cargo's cache.
fn offline(program: &str, folder: &Path) -> Command {
    let mut command = command(program);
    command.env("CARGO_HOME", folder.join("empty")).env("CARGO_NET_OFFLINE", "true");
    command
}

fn succeed(command: &mut Command) -> String {
    run::succeed(command, LIMIT).unwrap_or_else(|error| panic!("{error}")).stdout
}

/// Whether this is a checkout, of which alone a tarball can be made.
fn is_checkout() -> bool {
    root().join(".git").exists() && has("git")
}

#[test]
fn the_tarball_builds_and_installs_offline() {
    if !is_checkout() {
        println!("skipped: not a checkout, or git is not installed");
        return;
    }
    let folder = folder("dist");
    let name = concat!("libsk-", env!("CARGO_PKG_VERSION"));
    let tarballs = ["first", "second"].map(|target| {
        let target = folder.join(target);
        succeed(command("make").current_dir(root()).env("CARGO_TARGET_DIR", &target).arg("dist"));
        target.join("dist").join(format!("{name}.tar.gz"))
    });
    let [first, second] = tarballs.each_ref().map(|path| fs::read(path).expect("a tarball"));
    assert!(first == second, "another tarball each time");

    succeed(Command::new("tar").arg("-xzf").arg(&tarballs[0]).arg("-C").arg(&folder));
    let tree = folder.join(name);
    succeed(offline("cargo", &folder).current_dir(&tree).args([
        "build",
        "--release",
        "--offline",
        "--locked",
    ]));
    let installed = folder.join("installed");
    let mut make = offline("make", &folder);
    make.current_dir(&tree).args(["install", "PREFIX=/usr"]);
    succeed(make.arg(format!("DESTDIR={}", installed.display())));
    for file in
        ["include/sk.h", "lib/libsk.a", "lib/libsk.so.0", "lib/pkgconfig/sk.pc", "share/man/man7/sk.7"]
    {
        assert!(installed.join("usr").join(file).exists(), "no {file}");
    }
}

#[test]
fn the_debian_packages_have_everything_in_its_place() {
    let missing = ["dpkg-buildpackage", "lintian", "pkg-config"].into_iter().find(|tool| !has(tool));
    // dh has no --version to ask for.
    if !is_checkout() || missing.is_some() || !Path::new("/usr/bin/dh").exists() {
        println!("skipped: not a checkout, or debhelper, dpkg-dev, lintian or pkg-config is not installed");
        return;
    }
    let folder = folder("deb");
    succeed(command("make").current_dir(root()).env("CARGO_TARGET_DIR", &folder).arg("deb"));
    let made = folder.join("deb");
    let ending = |path: &Path, end: &str| path.to_string_lossy().ends_with(end);
    let all: Vec<PathBuf> =
        fs::read_dir(&made).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    let changes = all.iter().find(|path| ending(path, ".changes")).expect("a list of changes");
    succeed(Command::new("lintian").args(["--fail-on", "error"]).arg(changes));

    let triplet = succeed(Command::new("dpkg-architecture").arg("-qDEB_HOST_MULTIARCH"));
    let library = format!("usr/lib/{}", triplet.trim());
    let version = env!("CARGO_PKG_VERSION");
    let package = |name: &str| {
        let start = format!("{name}_{version}-");
        let named = |path: &&PathBuf| {
            ending(path, ".deb")
                && path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(&start))
        };
        all.iter().find(named).unwrap_or_else(|| panic!("no package {name} in {all:?}"))
    };
    let runtime = contents(package("libsk0"));
    assert_eq!(runtime, [format!("{library}/libsk.so.0"), format!("{library}/libsk.so.{version}")]);
    let mut expected: Vec<String> =
        include_str!("functions.txt").lines().map(|name| format!("usr/share/man/man3/{name}.3.gz")).collect();
    expected
        .extend(["usr/include/sk.h", "usr/include/sk.hpp", "usr/share/man/man7/sk.7.gz"].map(String::from));
    let files = [
        "libsk.a",
        "libsk.so",
        "pkgconfig/sk.pc",
        "cmake/sk/skConfig.cmake",
        "cmake/sk/skConfigVersion.cmake",
    ];
    expected.extend(files.map(|file| format!("{library}/{file}")));
    expected.sort();
    assert_eq!(contents(package("libsk-dev")), expected);

    // As installed: pkg-config looks where it does, below another root.
    let system = folder.join("system");
    for name in ["libsk0", "libsk-dev"] {
        succeed(Command::new("dpkg-deb").arg("-x").arg(package(name)).arg(&system));
    }
    let mut pkg_config = Command::new("pkg-config");
    pkg_config.env("PKG_CONFIG_SYSROOT_DIR", &system);
    pkg_config.env("PKG_CONFIG_LIBDIR", system.join(&library).join("pkgconfig"));
    let flags = succeed(pkg_config.args(["--cflags", "--libs", "sk"]));
    let source = folder.join("hello.cpp");
    fs::write(&source, PROGRAM).expect("a source");
    let hello = folder.join("hello");
    succeed(Command::new("c++").arg(&source).args(flags.split_whitespace()).arg("-o").arg(&hello));
    let finished = run_to_end(Command::new(&hello).env("LD_LIBRARY_PATH", system.join(&library)));
    assert_eq!(finished.stdout.trim(), version, "{finished:?}");

    licences(&made.join(format!("libsk-{version}/vendor")));
}

/// What a package installs, but for its documents.
fn contents(package: &Path) -> Vec<String> {
    let listing = succeed(Command::new("dpkg-deb").arg("--contents").arg(package));
    let mut files: Vec<String> = listing
        .lines()
        .filter_map(|line| Some(line.split_once(" ./")?.1.split(" -> ").next()?.to_string()))
        .filter(|file| !file.is_empty() && !file.ends_with('/') && !file.starts_with("usr/share/doc/"))
        .collect();
    files.sort();
    files
}

/// The copyright file says of all crates that they may be had under MIT's licence, but for those
/// that it names.
fn licences(vendor: &Path) {
    let copyright = include_str!("../packaging/debian/copyright");
    for entry in fs::read_dir(vendor).expect("the crates") {
        let path = entry.expect("a crate").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let manifest = fs::read_to_string(path.join("Cargo.toml")).expect("a manifest");
        let licence = manifest.lines().find_map(|line| line.strip_prefix("license = ")).unwrap_or("none");
        let mit = licence.trim_matches('"').replace('/', " OR ").split(" OR ").any(|choice| choice == "MIT");
        assert!(
            mit || copyright.contains(&format!("Files: vendor/{name}/*")),
            "packaging/debian/copyright does not name {name}: {licence}"
        );
    }
}
