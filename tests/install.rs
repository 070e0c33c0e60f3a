//! The library as a packager installs it and as a programmer finds it: through pkg-config,
//! through CMake and through Meson, shared and static, from C and from C++.

mod support;

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use support::{LIMIT, forget_outer_build, has, install, root, run, run_to_end, shipped};

const C: &str = r#"
#include <sk.h>
#include <stdio.h>
int main(void) {
    sk_handle s = sk_socket(SK_INET, SK_DGRAM, SK_PROTO_UDP);
    if (s < 0 || sk_bind(s, "127.0.0.1", 0) != SK_OK || sk_close(s) != SK_OK)
        return 1;
    printf("libsk %s\n", sk_version());
    return 0;
}
"#;

const CXX: &str = r#"
#include <sk.hpp>
#include <cstdio>
int main() {
    sk::socket s = sk::serve("udp://127.0.0.1:0");
    s.close();
    std::printf("libsk %s\n", sk_version());
    return 0;
}
"#;

const CMAKE: &str = r#"
cmake_minimum_required(VERSION 3.13)
project(hello C CXX)
find_package(sk 0.1 REQUIRED)
foreach(language c cpp)
  foreach(library sk static)
    add_executable(hello_${language}_${library} hello.${language})
    target_link_libraries(hello_${language}_${library} PRIVATE sk::${library})
  endforeach()
endforeach()
"#;

const MESON: &str = r#"
project('hello', 'c', 'cpp')
foreach language : ['c', 'cpp']
  executable('hello_' + language + '_sk', 'hello.' + language, dependencies: dependency('sk'))
  executable('hello_' + language + '_static', 'hello.' + language,
    dependencies: dependency('sk', static: true))
endforeach
"#;

/// A fresh folder with the sources, and the library installed beside it.
fn project(name: &str) -> (PathBuf, PathBuf) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("install").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    for (file, text) in
        [("hello.c", C), ("hello.cpp", CXX), ("CMakeLists.txt", CMAKE), ("meson.build", MESON)]
    {
        fs::write(folder.join(file), text).expect("a source");
    }
    let prefix = folder.join("prefix");
    install(&prefix);
    (folder, prefix)
}

fn succeed(command: &mut Command) {
    run::succeed(command, LIMIT).unwrap_or_else(|error| panic!("{error}"));
}

/// Runs the four programs: those with the shared library need to be told where it is.
fn run_all(build: &Path, prefix: &Path) {
    for language in ["c", "cpp"] {
        for library in ["sk", "static"] {
            let mut hello = Command::new(build.join(format!("hello_{language}_{library}")));
            if library == "sk" {
                hello.env("LD_LIBRARY_PATH", prefix.join("lib"));
            }
            let finished = run_to_end(&mut hello);
            let version = concat!("libsk ", env!("CARGO_PKG_VERSION"), "\n");
            assert_eq!(finished.stdout, version, "{language} {library}: {finished:?}");
        }
    }
}

#[test]
fn cmake_finds_it() {
    if !has("cmake") {
        println!("skipped: cmake is not installed");
        return;
    }
    let (folder, prefix) = project("cmake");
    let build = folder.join("build");
    let mut configure = Command::new("cmake");
    configure.arg("-S").arg(&folder).arg("-B").arg(&build);
    succeed(configure.arg(format!("-DCMAKE_PREFIX_PATH={}", prefix.display())));
    succeed(Command::new("cmake").arg("--build").arg(&build));
    run_all(&build, &prefix);

    // Another minor version may break programs before 1.0, so it must not be taken for this one.
    let wrong = folder.join("wrong");
    fs::create_dir_all(&wrong).expect("a folder");
    fs::write(wrong.join("CMakeLists.txt"), CMAKE.replace("sk 0.1", "sk 0.2")).expect("a file");
    let mut configure = Command::new("cmake");
    configure.arg("-S").arg(&wrong).arg("-B").arg(folder.join("wrong-build"));
    let refused = run_to_end(configure.arg(format!("-DCMAKE_PREFIX_PATH={}", prefix.display())));
    assert!(!refused.status.success() && refused.stderr.contains("version: 0.1"), "{refused:?}");
}

#[test]
fn meson_finds_it() {
    if !has("meson") || !has("ninja") {
        println!("skipped: meson and ninja are not installed");
        return;
    }
    let (folder, prefix) = project("meson");
    let build = folder.join("build");
    let mut setup = Command::new("meson");
    setup.env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig"));
    succeed(setup.arg("setup").arg(&build).arg(&folder));
    succeed(Command::new("ninja").arg("-C").arg(&build));
    run_all(&build, &prefix);
}

#[test]
fn pkg_config_says_what_rustc_says() {
    if !has("pkg-config") {
        println!("skipped: pkg-config is not installed");
        return;
    }
    let (_, prefix) = project("pkg-config");
    let ask = |arguments: &[&str]| {
        let mut pkg_config = Command::new("pkg-config");
        pkg_config.env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig")).args(arguments).arg("sk");
        run::succeed(&mut pkg_config, LIMIT).unwrap_or_else(|error| panic!("{error}")).stdout
    };
    assert_eq!(ask(&["--modversion"]).trim(), env!("CARGO_PKG_VERSION"));
    let alone = ask(&["--libs"]);
    let with_private = ask(&["--libs", "--static"]);
    assert!(alone.contains("-lsk"), "{alone}");
    for flag in &shipped().native {
        assert!(with_private.contains(&**flag), "no {flag} in {with_private}");
    }
}

/// As `make install` does, but for the man pages and what CMake is told.
#[test]
fn cargo_c_installs_it() {
    let cargo = || Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    if !run_to_end(cargo().args(["cinstall", "--version"])).status.success() {
        println!("skipped: cargo-c is not installed");
        return;
    }
    let (folder, prefix) = project("cargo-c");
    let other = folder.join("other");
    let mut cinstall = cargo();
    forget_outer_build(&mut cinstall);
    cinstall.current_dir(root()).env("CARGO_TARGET_DIR", folder.join("target"));
    cinstall.args([
        "cinstall",
        "--locked",
        "--offline",
        "--release",
        "--no-default-features",
        "--features=full",
        "--libdir=lib",
    ]);
    cinstall.arg(format!("--prefix={}", other.display()));
    run::succeed(&mut cinstall, Duration::from_secs(3600)).unwrap_or_else(|error| panic!("{error}"));

    let expected = files(&prefix);
    let more = |file: &String| !file.starts_with("share/man/") && !file.starts_with("lib/cmake/");
    assert_eq!(files(&other), expected.into_iter().filter(more).collect::<Vec<_>>());
    let header = |prefix: &Path| fs::read(prefix.join("include/sk.h")).expect("a header");
    assert!(header(&other) == header(&prefix), "another header");
    let mut readelf = Command::new("readelf");
    let said = run_to_end(readelf.arg("-d").arg(other.join("lib/libsk.so.0"))).stdout;
    assert!(said.contains("[libsk.so.0]") && said.contains("NODELETE"), "{said}");
}

/// A copy of the tree, with the libraries in it that `make` builds there.
fn built_tree(name: &str) -> PathBuf {
    let tree = Path::new(env!("CARGO_TARGET_TMPDIR")).join("install").join(name);
    let _ = fs::remove_dir_all(&tree);
    let ship = tree.join("target/ship");
    fs::create_dir_all(ship.join("release")).expect("a folder");
    let mut cp = Command::new("cp");
    cp.current_dir(root()).args(["-R", "Makefile", "Cargo.toml", "Cargo.lock", "build.rs", "build", "src"]);
    succeed(cp.args(["include", "packaging", "docs"]).arg(&tree));
    let library = shipped();
    for file in [&library.archive, library.shared.as_ref().expect("a shared library")] {
        fs::copy(file, ship.join("release").join(file.file_name().expect("a name"))).expect("a copy");
    }
    fs::write(ship.join("native-static-libs"), library.native.join(" ")).expect("a file");
    tree
}

/// As `sudo make install` does, where root has nothing of the user's, and no Cargo.
fn install_as_root(tree: &Path, prefix: &str) -> run::Finished {
    let mut make = Command::new("make");
    make.env_clear().env("HOME", "/root");
    make.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    make.current_dir(tree).args(["CARGO=no-cargo-here", "install", &format!("PREFIX={prefix}")]);
    run_to_end(&mut make)
}

#[test]
fn what_is_built_is_installed_without_cargo() {
    let tree = built_tree("without-cargo");
    let prefix = tree.join("prefix");
    let installed = install_as_root(&tree, &prefix.display().to_string());
    assert!(installed.status.success(), "{installed:?}");
    let (_, other) = project("with-cargo");
    assert_eq!(files(&prefix), files(&other));

    // What is older than its source does not belong to the header that would come with it.
    let again = tree.join("again");
    fs::write(tree.join("src/lib.rs"), "").expect("a source");
    let refused = install_as_root(&tree, &again.display().to_string());
    assert!(!refused.status.success() && refused.stderr.contains("run make first"), "{refused:?}");
    assert!(!again.exists());

    // Neither is anything installed where nothing is built.
    fs::remove_dir_all(tree.join("target")).expect("what was built");
    let refused = install_as_root(&tree, &again.display().to_string());
    assert!(!refused.status.success() && refused.stderr.contains("run make first"), "{refused:?}");
    assert!(!again.exists());
}

/// The prefix stands in what pkg-config and CMake read.
#[test]
fn a_prefix_is_written_down_as_it_is_or_refused() {
    let tree = built_tree("prefixes");
    let prefix = tree.join("a,b+c@d=e~f%g|h(한)").display().to_string();
    let installed = install_as_root(&tree, &prefix);
    assert!(installed.status.success(), "{installed:?}");
    let read = |file: &str| fs::read_to_string(Path::new(&prefix).join(file)).expect("a file");
    assert!(read("lib/pkgconfig/sk.pc").contains(&format!("prefix={prefix}\n")));
    assert!(read("lib/pkgconfig/sk.pc").contains(&format!("includedir={prefix}/include\n")));
    assert!(read("lib/cmake/sk/skConfig.cmake").contains(&format!("\"{prefix}/lib/libsk.a\"")));

    for bad in ["a b", "a&b", "a\tb", "a'b", "a\"b", "a\\b", "a`b", "a#b", "a;b", "a$$b"] {
        let prefix = tree.join("bad").join(bad);
        let refused = install_as_root(&tree, &prefix.display().to_string());
        assert!(!refused.status.success() && refused.stderr.contains("PREFIX"), "{bad}: {refused:?}");
        assert!(!tree.join("bad").exists(), "{bad}");
    }
}

/// Those files stay readable that are written and not copied, and nothing of root's stays in the tree.
#[test]
fn a_umask_of_roots_hides_nothing() {
    let tree = built_tree("umask");
    let prefix = tree.join("prefix");
    let mut make = Command::new("sh");
    make.current_dir(&tree).args(["-c", r#"umask 077 && exec make install "PREFIX=$1""#, "sh"]).arg(&prefix);
    make.env_remove("MAKEFLAGS").env_remove("CARGO_TARGET_DIR");
    succeed(&mut make);
    for file in files(&prefix) {
        let mode = fs::metadata(prefix.join(&file)).expect("a file").permissions().mode();
        assert_eq!(mode & 0o444, 0o444, "{file}");
    }
    let target = fs::read_dir(tree.join("target")).expect("a folder");
    assert_eq!(target.map(|entry| entry.expect("an entry").file_name()).collect::<Vec<_>>(), ["ship"]);
}

#[test]
fn a_path_that_is_not_whole_is_refused() {
    let tree = built_tree("relative");
    let whole = tree.join("whole").display().to_string();
    for bad in ["PREFIX=part", "LIBDIR=lib64", "INCLUDEDIR=", "MANDIR=~/man"] {
        let mut make = Command::new("make");
        make.env_remove("MAKEFLAGS").env_remove("CARGO_TARGET_DIR");
        make.current_dir(&tree).args(["install", &format!("PREFIX={whole}"), bad]);
        let refused = run_to_end(&mut make);
        assert!(!refused.status.success() && refused.stderr.contains("whole paths"), "{bad}: {refused:?}");
        assert!(!tree.join("whole").exists() && !tree.join("part").exists(), "{bad}");
    }
}

/// What is installed, in full; and nothing of it is left after `make uninstall`.
#[test]
fn uninstall_removes_what_install_put_there() {
    let (_, prefix) = project("uninstall");
    let version = env!("CARGO_PKG_VERSION");
    let shared = format!("lib/libsk.so.{version}");
    let mut expected: Vec<String> = [
        "include/sk.h",
        "include/sk.hpp",
        "lib/libsk.a",
        "lib/libsk.so",
        "lib/libsk.so.0",
        &shared,
        "lib/pkgconfig/sk.pc",
        "lib/cmake/sk/skConfig.cmake",
        "lib/cmake/sk/skConfigVersion.cmake",
        "share/man/man7/sk.7",
    ]
    .map(String::from)
    .into();
    expected.extend(include_str!("functions.txt").lines().map(|name| format!("share/man/man3/{name}.3")));
    expected.sort();
    assert_eq!(files(&prefix), expected);
    assert_eq!(fs::read_link(prefix.join("lib/libsk.so")).expect("a link"), Path::new("libsk.so.0"));
    assert_eq!(
        fs::read_link(prefix.join("lib/libsk.so.0")).expect("a link"),
        Path::new(&format!("libsk.so.{version}"))
    );

    let mut make = Command::new("make");
    make.current_dir(root()).arg("uninstall").arg(format!("PREFIX={}", prefix.display()));
    succeed(&mut make);
    assert_eq!(files(&prefix), Vec::<String>::new());
}

/// Every file below a folder, by its path from there.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder).expect("below it").display().to_string());
            }
        }
    }
    found.sort();
    found
}
