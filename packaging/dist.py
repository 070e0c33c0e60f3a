#!/usr/bin/env python3
"""Makes the source tarball: what is committed, and the crates that the library's build needs, so
that it builds without a network. One commit makes the same bytes each time.

    python3 packaging/dist.py FOLDER
"""

import gzip
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile

CARGO = os.environ.get("CARGO", "cargo")
# The crates differ a little from one kind of processor to the other.
PROCESSORS = ["aarch64", "i686", "powerpc64le", "riscv64gc", "s390x", "x86_64"]
TARGETS = [f"--target={name}-unknown-linux-gnu" for name in PROCESSORS] + ["--target=armv7-unknown-linux-gnueabihf"]

CONFIG = """\
[source.crates-io]
replace-with = "vendored"

[source.vendored]
directory = "vendor"
"""


def output(*command, folder="."):
    return subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE).stdout


def vendor(tree):
    """Puts the crates into vendor/, and tells Cargo to take them from there."""
    output(CARGO, "vendor", "--quiet", "--locked", "vendor", folder=tree)
    (tree / ".cargo").mkdir()
    (tree / ".cargo/config.toml").write_text(CONFIG, encoding="utf-8")
    listing = output(CARGO, "tree", "--locked", "--all-features", "--edges=normal,build", "--prefix=none", *TARGETS, folder=tree)
    needed = set(re.findall(r"^(\S+) v(\S+)", listing.decode(), flags=re.M))
    for crate in sorted((tree / "vendor").iterdir()):
        if name_and_version(crate) not in needed:
            empty(crate)


def name_and_version(crate):
    package = (crate / "Cargo.toml").read_text(encoding="utf-8").split("\n[package]\n")[1]
    return tuple(re.search(rf'^{key} = "(.*)"', package, flags=re.M).group(1) for key in ("name", "version"))


def empty(crate):
    """Leaves of a crate what Cargo reads of one that Cargo.lock names and nothing uses: tests and
    other systems than Linux have those."""
    manifest = (crate / "Cargo.toml").read_bytes()
    package = json.loads((crate / ".cargo-checksum.json").read_text(encoding="utf-8"))["package"]
    shutil.rmtree(crate)
    (crate / "src").mkdir(parents=True)
    (crate / "Cargo.toml").write_bytes(manifest)
    (crate / "src/lib.rs").write_bytes(b"")
    (crate / ".cargo-checksum.json").write_text(json.dumps({"files": {}, "package": package}), encoding="utf-8")


def pack(tree, tarball, when):
    def plain(entry):
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        entry.mtime = when
        entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
        return entry

    # A name or a time in the head of the compressed file would make it another one each time.
    with open(tarball, "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        # It goes through the folders in the order of the names.
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
            archive.add(tree, tree.name, filter=plain)


def main():
    commit = output("git", "rev-parse", "--verify", "HEAD").decode().strip()
    when = int(output("git", "show", "--no-patch", "--format=%ct", commit))
    manifest = output("git", "show", f"{commit}:Cargo.toml").decode()
    version = re.search(r'^version = "(.*)"', manifest, flags=re.M).group(1)

    folder = pathlib.Path(sys.argv[1]).absolute()
    tree = folder / f"libsk-{version}"
    shutil.rmtree(tree, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    source = output("git", "archive", f"--prefix={tree.name}/", commit)
    with tarfile.open(fileobj=io.BytesIO(source)) as archive:
        archive.extractall(folder)
    vendor(tree)
    tarball = folder / f"{tree.name}.tar.gz"
    pack(tree, tarball, when)
    shutil.rmtree(tree)
    print(f"{tarball}: {tarball.stat().st_size / 1e6:.1f} MB, commit {commit}")


main()
