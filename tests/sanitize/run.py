#!/usr/bin/env python3
"""Runs every C test program and the self-test of every example under AddressSanitizer with
UndefinedBehaviorSanitizer and LeakSanitizer, under ThreadSanitizer, and under valgrind's memcheck and
helgrind; then loom's models of the slot's word. `make sanitize`; SHORT=1 runs less of it.

For the sanitizers the library and Rust's core library are compiled with the same instrumentation as
the C side, and with debug assertions and overflow checks. That takes rustc's -Z flags, which the
installed compiler obeys with RUSTC_BOOTSTRAP=1, and rust-src. The runtime of a sanitizer is the one
that came with rustc: an older one does not know all calls that its compiler makes.

First each tool must find the mistakes planted for it (planted.c). What can't run under a tool is
left out by plan.json, each with its reason.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from programs import C99, ROOT, Count, call, install, reason_to_leave_out, run

HERE = pathlib.Path(__file__).resolve().parent
PACKAGES = [("clang", ["clang"]), ("valgrind", ["valgrind"])]
# A case says where it hangs at its own limit, CHECK_SLOWER times the usual one.
LIMIT = 300
# Cases of a program at most, in the short form.
SHORT = 5
# A finding, whatever the program itself makes of it.
FOUND = 99
# Where one thread publishes the table to the others; the weaker one is planted.
ORDERS = [("self.now.load(Ordering::Acquire)", "self.now.load(Ordering::Relaxed)"),
          ("by).cast_mut(), Ordering::AcqRel, Ordering::Acquire)", "by).cast_mut(), Ordering::Relaxed, Ordering::Relaxed)")]


class Tool:
    """One way to run the programs."""
    threads_only = False
    flags = []
    planted = []
    silent = []

    def __init__(self, out):
        self.out = out / self.name
        self.out.mkdir(parents=True, exist_ok=True)

    def compile(self, source, program, libraries):
        command = ["clang", *C99, "-O1", "-g", "-fno-omit-frame-pointer", "-DCHECK_SLOWER=5", *self.flags,
                   f"-I{ROOT / 'include'}", source, "-o", program, *libraries]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
        return done.stdout if done.returncode != 0 else None

    def run(self, program, argument):
        """Exit status, or "finding" if any process that the program consists of wrote a report."""
        reports = self.out / "reports" / f"{program.name}-{argument}"
        shutil.rmtree(reports, ignore_errors=True)
        reports.mkdir(parents=True)
        prefix, environment = self.around(reports / "report")
        status, said = run([*prefix, program, argument], LIMIT, env=dict(os.environ, **environment))
        found = [text for text in (report.read_text(errors="replace") for report in sorted(reports.iterdir())) if text]
        return ("finding", "\n".join([said, *found])) if found or status == FOUND else (status, said)


class Sanitizer(Tool):
    """Both sides are compiled for it."""

    def library(self, source=ROOT, name="build"):
        """The library and what it needs. Each source has a folder of its own: cargo takes the newer of two
        for both."""
        folder = self.out / name
        flags = [f"-Zsanitizer={self.rust}", "--cfg=sk_libc_calls", "-Cforce-frame-pointers"]
        environment = dict(os.environ, SK_NESTED_BUILD="1", RUSTC_BOOTSTRAP="1", CARGO_TARGET_DIR=str(folder),
                           CARGO_TERM_COLOR="never", CARGO_ENCODED_RUSTFLAGS="\x1f".join(flags))
        triple = host()
        call(["cargo", "rustc", "--lib", "--no-default-features", "--features=full", "--locked", f"--target={triple}",
              "-Zbuild-std=core", "--crate-type=staticlib", "--config=profile.dev.opt-level=1"], cwd=source, env=environment)
        runtime = pathlib.Path(call(["rustc", "--print=target-libdir"], cwd=ROOT).strip())
        [runtime] = runtime.glob(f"librustc-*_rt.{self.name}.a")
        return ["-DCHECK_SANITIZED", folder / triple / "debug" / "libsk.a", "-Wl,--whole-archive", runtime, "-Wl,--no-whole-archive",
                "-rdynamic", "-lpthread", "-ldl", "-lrt", "-lm"]

    def around(self, report):
        return [], {f"{self.name.upper()}_OPTIONS": f"{self.options}:exitcode={FOUND}:log_path={report}"}


class Asan(Sanitizer):
    name = "asan"
    rust = "address"
    flags = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-sanitize-link-runtime"]
    options = "detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1"
    planted = ["read_behind_the_end", "forgotten_memory", "too_large_a_number", "library_writes_behind_the_end",
               "library_receives_behind_the_end"]


class Tsan(Sanitizer):
    name = "tsan"
    rust = "thread"
    threads_only = True
    flags = ["-fsanitize=thread", "-fno-sanitize-link-runtime"]
    # A child of a process with threads goes on.
    options = "die_after_fork=0:io_sync=0"
    planted = ["race", "library_races_with_the_program"]
    silent = ["table_of_another_thread"]

    def weak_library(self):
        """The library with atomics that are too weak where a thread publishes the table."""
        copy = self.out / "weak"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        for entry in ROOT.iterdir():
            if entry.name not in ("src", "target", ".git"):
                (copy / entry.name).symlink_to(entry)
        shutil.copytree(ROOT / "src", copy / "src")
        file = copy / "src/sys/memory.rs"
        text = file.read_text()
        for strong, weak in ORDERS:
            assert text.count(strong) == 1, f"memory.rs no longer has one {strong}"
            text = text.replace(strong, weak)
        file.write_text(text)
        return self.library(copy, "weak-build")


class Valgrind(Tool):
    """The library as it is shipped."""
    flags = ["-pthread", "-gdwarf-4"] # valgrind 3.19 can't read all of DWARF 5

    def __init__(self, out, shipped):
        super().__init__(out)
        self.shipped = shipped

    def library(self):
        name = self.shipped / "libsk.so.0"
        if not name.exists():
            name.symlink_to("libsk.so")
        return [self.shipped / "libsk.so", f"-Wl,-rpath,{self.shipped}"]

    def around(self, report):
        return ["valgrind", f"--tool={self.name}", "--quiet", "--vgdb=no", "--fair-sched=yes", "--max-threads=2000", "--trace-children=yes",
                "--trace-children-skip=/bin/*,/sbin/*,/usr/*",
                f"--error-exitcode={FOUND}", f"--log-file={report}.%p", f"--suppressions={HERE / 'valgrind.supp'}",
                *self.options], {}


class Memcheck(Valgrind):
    name = "memcheck"
    # Possibly lost is what belongs to threads that are there at the end.
    options = ["--leak-check=full", "--show-leak-kinds=definite,indirect", "--errors-for-leak-kinds=definite,indirect"]
    planted = ["read_behind_the_end", "forgotten_memory", "unset_memory_decides", "library_writes_behind_the_end",
               "library_receives_behind_the_end", "library_sends_unset_memory"]


class Helgrind(Valgrind):
    name = "helgrind"
    threads_only = True
    options = []
    planted = ["race"]


def host():
    said = call(["rustc", "-vV"], cwd=ROOT)
    return next(line.split()[1] for line in said.splitlines() if line.startswith("host:"))


def rust_source():
    """The source of Rust's core library, from rustup where it is missing."""
    root = pathlib.Path(call(["rustc", "--print=sysroot"], cwd=ROOT).strip())
    if not (root / "lib/rustlib/src/rust/library/Cargo.lock").exists():
        # rustup's name for the compiler that is used here is that of its folder.
        call(["rustup", "component", "add", "rust-src", "--toolchain", root.name], cwd=ROOT)


def planted(tool, libraries, short, count):
    """Every mistake meant for the tool is found, and what is right is not."""

    def expect(program, case, finding):
        status, said = tool.run(program, case)
        if (status == "finding") == finding and (finding or status == 0):
            count.passed += 1
        else:
            count.fail(f"planted::{case}", f"{status}, wanted {'a finding' if finding else 'none'}", said)

    def build(name, libraries):
        program = tool.out / "programs" / name
        error = tool.compile(HERE / "planted.c", program, libraries)
        if error:
            count.fail(name, "does not compile", error)
        return None if error else program

    program = build("planted", libraries)
    for case in tool.planted + tool.silent:
        if program:
            expect(program, case, case in tool.planted)
    if tool.silent and not short: # it takes a core library more
        program = build("planted-weak", tool.weak_library())
        for case in tool.silent:
            if program:
                expect(program, case, True)


def run_all(tool, sources, plan, short, pool, count, seconds):
    libraries = tool.library()
    print(f"{tool.name}: library built after {seconds():.0f} s", flush=True)
    (tool.out / "programs").mkdir(exist_ok=True)
    planted(tool, libraries, short, count)

    def compile(source):
        program = tool.out / "programs" / source.stem
        return source, program, tool.compile(source, program, libraries)

    cases = []
    for source, program, error in pool.map(compile, sources):
        if error:
            count.fail(source.stem, "does not compile", error)
            continue
        arguments = ["--self-test"]
        if source.parent.name == "c":
            status, said = run([program, "--list"], LIMIT)
            arguments = said.splitlines()
            if status != 0 or not arguments:
                count.fail(source.stem, f"--list has status {status}", said)
                continue
        if short: # a few from all over the program
            arguments = arguments[::-(-len(arguments) // SHORT)]
        for argument in arguments:
            reason = reason_to_leave_out(plan["left out"], {tool.name}, source.stem, argument)
            if not reason and short:
                reason = reason_to_leave_out(plan["not in short"], {tool.name}, source.stem, argument)
            if reason:
                count.skipped += 1
            else:
                cases.append((f"{source.stem}::{argument}", program, argument))
    count.run(pool, cases, lambda case: tool.run(case[1], case[2]), lambda status: status != "finding")
    print(f"{tool.name}: done after {seconds():.0f} s", flush=True)


def models(count):
    """loom's models; libtest's own line is not shown, since their number is in the last one."""
    done = subprocess.run(["cargo", "test", "--locked", "--test", "handle_model"], cwd=ROOT, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    results = [line.split() for line in done.stdout.splitlines() if line.startswith("test ") and " ... " in line]
    for words in results:
        if words[-1] == "ok":
            count.passed += 1
        else:
            count.fail(words[1], words[-1], done.stdout)
    if done.returncode != 0 and not count.failed:
        count.fail("handle_model", f"status {done.returncode}", done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "target" / "sanitize")
    parser.add_argument("--library", type=pathlib.Path, default=ROOT / "target/ship/release", help="the folder of the shipped library")
    parser.add_argument("--short", action="store_true", help="the sanitizers alone, and a few cases of each program")
    parser.add_argument("--only", action="append", help="a tool's name, or loom")
    parser.add_argument("--program", action="append", help="a program's name")
    options = parser.parse_args()
    out = options.out.resolve()
    plan = json.loads((HERE / "plan.json").read_text())
    sources = sorted((ROOT / "tests/c").glob("*.c")) + sorted((ROOT / "c-examples").glob("*.c"))
    if options.program:
        sources = [source for source in sources if source.stem in options.program]

    begin = time.monotonic()
    install(PACKAGES)
    rust_source()
    tools = [Asan(out), Tsan(out)]
    if not options.short:
        tools += [Memcheck(out, options.library.resolve()), Helgrind(out, options.library.resolve())]
    counts = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() + 2) as pool:
        for tool in tools:
            if options.only and tool.name not in options.only:
                continue
            count = Count(tool.name)
            counts.append(count)
            for_it = [source for source in sources if not tool.threads_only or source.stem in plan["threaded"]]
            run_all(tool, for_it, plan, options.short, pool, count, lambda: time.monotonic() - begin)
    if "loom" in options.only if options.only else not options.short:
        counts.append(Count("loom"))
        models(counts[-1])

    for count in counts:
        print(*count.broken, sep="\n", end="\n" if count.broken else "")
    for count in counts:
        print(f"{count.place}: {count.passed} passed, {count.failed} failed, {count.skipped} left out")
    passed, failed, left_out = (sum(getattr(count, of) for count in counts) for of in ("passed", "failed", "skipped"))
    good = failed == 0 and all(count.passed for count in counts)
    print(f"test result: {'ok' if good else 'FAILED'}. {passed} passed; {failed} failed; {left_out} ignored")
    print(f"sanitize: {'passed' if good else 'FAILED'} after {time.monotonic() - begin:.0f} s")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
