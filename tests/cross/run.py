#!/usr/bin/env python3
"""Builds the library for other processors and runs the C test programs there: under qemu-user, or
directly where this machine can. `make cross`; FULL=1 runs every program and every linking.
As a further one, "wakers", this machine's processor, where calls wait as they do on the systems that the
library is only type-checked for (`make check-systems`): a close does not count on shutdown to wake them.

Needed: rustup, which has the core library for each processor, or else Debian's compiler, which
builds it; and the packages in PACKAGES.
The last lines say for each processor how many cases passed, failed and were skipped, and for all
of them in libtest's form.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from programs import C99, ROOT, Count, call, install, reason_to_leave_out, run

# A case that hangs says where at its own limit, 20 s or what it asks for; qemu is slower.
LIMIT = 120
# What /proc/self/task/*/syscall says of a thread in a lock. It is the host's number, not the guest's.
HOST_FUTEX = {"x86_64": 202, "aarch64": 98}


class Processor:
    def __init__(self, name, target, compiler, qemu=None, root=None, rust_flags="", quick="quick"):
        self.name = name
        self.target = target
        self.compiler = compiler
        self.qemu = qemu
        self.root = root
        self.rust_flags = rust_flags
        self.quick = quick  # the programs that are run without FULL, a list in the plan
        self.static = target.endswith("musl")

    def runner(self):
        """What stands in front of a program to run it."""
        return [self.qemu, "-L", self.root] if self.qemu else []

    def flags(self):
        if self.static:
            return ["-static"]
        # With 32 bits, readdir fails where a number of the file system's is longer.
        large = ["-D_FILE_OFFSET_BITS=64"]
        emulated = ["-DCHECK_EMULATED=1", f"-DCHECK_FUTEX={HOST_FUTEX[platform.machine()]}"]
        return large + emulated if self.qemu else large


PROCESSORS = [
    Processor("aarch64", "aarch64-unknown-linux-gnu", "aarch64-linux-gnu-gcc", "qemu-aarch64", "/usr/aarch64-linux-gnu"),
    Processor("armv7", "armv7-unknown-linux-gnueabihf", "arm-linux-gnueabihf-gcc", "qemu-arm", "/usr/arm-linux-gnueabihf"),
    Processor("s390x", "s390x-unknown-linux-gnu", "s390x-linux-gnu-gcc", "qemu-s390x", "/usr/s390x-linux-gnu"),
    Processor("i686", "i686-unknown-linux-gnu", "i686-linux-gnu-gcc", root="/usr/i686-linux-gnu"),
    Processor("musl", "x86_64-unknown-linux-musl", "musl-gcc"),
    Processor("wakers", f"{platform.machine()}-unknown-linux-gnu", "gcc", rust_flags="--cfg sk_wakers", quick="wakers"),
]

# Command and Debian package; Debian's i686 compiler and gcc-multilib exclude each other.
PACKAGES = [
    ("qemu-arm", ["qemu-user"]),
    ("aarch64-linux-gnu-gcc", ["gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"]),
    ("arm-linux-gnueabihf-gcc", ["gcc-arm-linux-gnueabihf", "libc6-dev-armhf-cross"]),
    ("s390x-linux-gnu-gcc", ["gcc-s390x-linux-gnu", "libc6-dev-s390x-cross"]),
    ("i686-linux-gnu-gcc", ["gcc-i686-linux-gnu", "libc6-dev-i386-cross"]),
    ("musl-gcc", ["musl-tools"]),
]


def core_library(processor, out):
    """Sees to it that there is a core library of Rust for the processor. What cargo is told for that."""
    if shutil.which("rustc"):
        # Its folder, wherever rustup keeps the compiler.
        folder = call(["rustc", "--print=target-libdir", f"--target={processor.target}"], cwd=ROOT).strip()
        add = ["rustup", "target", "add", processor.target]
        if os.path.isdir(folder) or shutil.which("rustup") and subprocess.run(add, cwd=ROOT).returncode == 0:
            return {}
    return debian_compiler(out / "debian")


def debian_compiler(folder):
    """Debian's compiler, unpacked and not installed, which builds the core library from its source."""
    rustc = folder / "usr/bin/rustc"
    if not rustc.exists():
        packages = ["rustc-web", "rust-web-src"]
        for package in packages:  # grows by what they need
            said = call(["apt-cache", "depends", package])
            needed = [line.split()[1] for line in said.splitlines() if line.startswith("  Depends: ")]
            packages += [one for one in needed if one.startswith(("libstd-rust-web", "libllvm")) and one not in packages]
        folder.mkdir(parents=True, exist_ok=True)
        call(["apt-get", "download", *packages], cwd=folder)
        for package in folder.glob("*.deb"):
            call(["dpkg", "-x", package, folder])
    libraries = str(folder / f"usr/lib/{platform.machine()}-linux-gnu")
    # The core library from source is for the nightly compilers, unless they are told so.
    return {"RUSTC": str(rustc), "LD_LIBRARY_PATH": libraries, "RUSTC_BOOTSTRAP": "1", "CARGO_UNSTABLE_BUILD_STD": "core"}


def build(processor, out, told):
    """The folder with libsk.a and libsk.so, and what the archive needs besides."""
    kinds = "staticlib" if processor.static else "cdylib,staticlib"
    environment = dict(os.environ, SK_NESTED_BUILD="1", CARGO_TARGET_DIR=str(out / "build"), CARGO_TERM_COLOR="never", **told)
    if processor.rust_flags:
        environment["RUSTFLAGS"] = processor.rust_flags
        environment.pop("CARGO_ENCODED_RUSTFLAGS", None)
    linker = f"CARGO_TARGET_{processor.target.upper().replace('-', '_')}_LINKER"
    environment[linker] = processor.compiler
    said = call(
        ["cargo", "rustc", "--lib", "--release", "--no-default-features", "--features=full", "--locked", f"--target={processor.target}",
         f"--crate-type={kinds}", "--", "--print=native-static-libs"],
        cwd=ROOT, env=environment,
    )
    native = [line.split("native-static-libs:")[1].split() for line in said.splitlines() if "native-static-libs:" in line]
    if native:
        (out / f"{processor.name}.native").write_text(" ".join(native[0]))
    folder = out / "build" / processor.target / "release"
    name = folder / "libsk.so.0"
    if not processor.static and not name.exists():
        name.symlink_to("libsk.so")
    return folder, (out / f"{processor.name}.native").read_text().split()


def compile(processor, source, library, native, linking, out):
    program = out / "programs" / f"{source.stem}-{processor.name}-{linking}"
    program.parent.mkdir(parents=True, exist_ok=True)
    command = [processor.compiler, *C99, "-O2", "-g", *processor.flags(), f"-I{ROOT / 'include'}", source, "-o", program]
    if linking == "archive":
        command += [library / "libsk.a", *native, "-lpthread"]
    else:
        command += [library / "libsk.so", f"-Wl,-rpath,{library}", "-lpthread"]
    if processor.root and not processor.qemu:
        # This machine's own loader has no libraries of that processor.
        command += [f"-Wl,-rpath,{processor.root}/lib", f"-Wl,--dynamic-linker={processor.root}/lib/ld-linux.so.2"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
    return program, (done.stdout if done.returncode != 0 else None)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "target" / "cross")
    parser.add_argument("--full", action="store_true", help="every program, linked both ways")
    parser.add_argument("--only", action="append", help="a processor's name")
    parser.add_argument("--program", action="append", help="a test program's name")
    options = parser.parse_args()
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    plan = json.loads((ROOT / "tests/cross/plan.json").read_text())
    programs = sorted((ROOT / "tests/c").glob("*.c"))

    begin = time.monotonic()
    install(PACKAGES)
    counts = []
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        processors = [one for one in PROCESSORS if not options.only or one.name in options.only]
        for processor in processors:
            library, native = build(processor, out, core_library(processor, out))
            print(f"{processor.name}: built after {time.monotonic() - begin:.0f} s", flush=True)
            wanted = options.program or (None if options.full else plan[processor.quick])
            here = {processor.name} | ({"qemu"} if processor.qemu else set())
            sources = []
            for source in programs:
                if wanted and source.stem not in wanted:
                    continue
                reason = reason_to_leave_out(plan["left out"], here, source.stem, None)
                if reason:
                    print(f"{processor.name}: {source.stem} left out: {reason}")
                else:
                    sources.append(source)
            linkings = ["archive"] if processor.static else ["shared"]
            jobs = [(source, linking) for source in sources for linking in linkings]
            if not processor.static:
                jobs += [(source, "archive") for source in sources
                         if options.full and source.stem in plan["both"] or source.stem == "tcp"]
            count = Count(processor.name)
            counts.append(count)
            cases = []
            compiled = pool.map(lambda job: (job, compile(processor, job[0], library, native, job[1], out)), jobs)
            for (source, linking), (program, error) in compiled:
                if error:
                    count.fail(f"{source.stem} [{linking}]", "does not compile", error)
                    continue
                status, said = run(processor.runner() + [str(program), "--list"], LIMIT)
                if status != 0:
                    count.fail(f"{source.stem} [{linking}]", f"status {status}", said)
                    continue
                for case in said.splitlines():
                    if reason_to_leave_out(plan["left out"], here, source.stem, case):
                        count.skipped += 1
                    else:
                        cases.append((f"{source.stem}::{case} [{linking}]", program, case))
            count.run(pool, cases, lambda entry: run(processor.runner() + [str(entry[1]), entry[2]], LIMIT))
            print(f"{processor.name}: done after {time.monotonic() - begin:.0f} s", flush=True)

    for count in counts:
        print(*count.broken, sep="\n", end="\n" if count.broken else "")
    for count in counts:
        print(f"{count.place}: {count.passed} passed, {count.failed} failed, {count.skipped} skipped")
    passed, failed, skipped = (sum(getattr(count, what) for count in counts) for what in ("passed", "failed", "skipped"))
    good = failed == 0 and all(count.passed for count in counts)
    print(f"test result: {'ok' if good else 'FAILED'}. {passed} passed; {failed} failed; {skipped} ignored")
    print(f"cross: {'passed' if good else 'FAILED'}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
