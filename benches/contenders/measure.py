#!/usr/bin/env python3
"""Measures libsk beside the others, and writes every single result to results.json.

Contenders take turns, A B C A B C, each round beginning with another one; the first round only
warms up. The raw calls take part twice: how far "raw again" is from "raw" is how far apart two
results can be without a reason. report.py makes the tables and pictures."""

import argparse
import json
import os
import platform
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from contenders import CANNOT, HERE, SMALL, compiled, compiler, contenders

FILE_LEN = 64 << 20
PROGRAMS = ["tcp", "udp", "many"]
LIMIT = 120  # seconds, for one run
# Where one round differs from the next by much, more of them are taken, until the median is good for one
# percent; but no more than so many times the rounds, and none after so many seconds.
GOOD_FOR, MOST_TIMES, MOST_SECONDS = 0.01, 4, 75

# group, name, unit, program, arguments before the time, both ends on one processor
WORKLOADS = [
    *[("pingpong", f"{size} B, {where}", "round trips/s", "tcp", ["pingpong", size], where == "same")
      for where in ["same", "across"] for size in [1, 64, 1024, 65536]],
    *[("stream", f"{size} B, {where}", "messages/s", "tcp", ["stream", size], where == "same")
      for where in ["same", "across"] for size in [64, 1024, 16384, 262144]],
    ("gathered", "64 B, held back", "messages/s", "tcp", ["more", 64], True),
    ("gathered", "64 B, 64 pieces", "messages/s", "tcp", ["parts", 64], True),
    ("connect", "connect, accept, close", "connections/s", "tcp", ["pairs", 0], True),
    *[("udp", f"{way}, {size} B", "datagrams/s", "udp", [way, size], True)
      for way in ["single", "batch", "segment"] for size in [64, 1200]],
    *[("echo", f"{count:,} connections", "requests/s", "many", [count], False) for count in [64, 1000, 10_000]],
    ("file", "64 MiB", "bytes/s", "tcp", ["file", FILE_LEN], True),
]


class Cannot(Exception):
    pass


def run(command, processors=None, limit=LIMIT, env=None):
    """What a program prints. It runs on these processors, and ends within the limit, or all does."""
    command = [str(word) for word in command]
    pin = (lambda: os.sched_setaffinity(0, processors)) if processors else None
    try:
        finished = subprocess.run(command, capture_output=True, text=True, timeout=limit, preexec_fn=pin, env=env)
    except subprocess.TimeoutExpired:
        sys.exit(f"{' '.join(command)} was not done in {limit} s")
    if finished.returncode == CANNOT:
        raise Cannot(finished.stdout.removeprefix("cannot: ").strip())
    if finished.returncode != 0:
        sys.exit(f"{' '.join(command)} failed ({finished.returncode}):\n{finished.stdout}{finished.stderr}")
    return finished.stdout + finished.stderr


class Server:
    """An echo server, on its port. What it says at its end is for the caller."""

    def __init__(self, command, processors=None):
        pin = (lambda: os.sched_setaffinity(0, processors)) if processors else None
        self.process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, preexec_fn=pin)
        self.port = self.process.stdout.readline().strip()
        if self.port.startswith("cannot: "):
            self.process.communicate()
            raise Cannot(self.port.removeprefix("cannot: "))
        if not self.port:
            self.end()
            sys.exit(f"{command} told no port")

    def end(self):
        try:
            _, said = self.process.communicate(timeout=LIMIT)
        finally:
            self.process.kill()
        if self.process.returncode != 0:
            sys.exit(f"a server failed ({self.process.returncode}):\n{said}")
        return said

    def resident(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024


class Bench:
    def __init__(self, told):
        self.told = told
        self.out = told.programs
        self.processors = sorted(os.sched_getaffinity(0))
        self.file = self.out / "file"
        if not told.verify:
            self.file.write_bytes(os.urandom(1 << 20) * (FILE_LEN >> 20))
        self.load = self.out / "load"
        run([*compiler(), "-std=c99", "-O2", "-DRAW", HERE.parent / "load.c", "-o", self.load])
        self.count_malloc = self.out / "count_malloc.so"
        run([*compiler(), "-O2", "-fPIC", "-shared", HERE / "count_malloc.c", "-o", self.count_malloc])
        self.all = contenders(told.library, told.native)
        self.here = [c for c in self.all if c.installed() and not (told.verify and c.name == "raw again")]
        self.program = {}
        for c in self.here:
            for driver in PROGRAMS:
                self.program[c.name, driver], said = compiled(c, driver, self.out)
                if self.program[c.name, driver] is None:
                    sys.exit(f"{driver} for {c.name} does not compile:\n{said}")
            c.style, c.version = run([self.program[c.name, "tcp"], "info"]).split("\n")[:2]

    def once(self, c, workload):
        """One round of one contender, in units a second."""
        _, _, _, driver, words, same = workload
        program = self.program[c.name, driver]
        if driver == "many":
            server = Server([program, *words], {self.processors[0]})
            rate = run([self.load, server.port, words[0], 64, "ms", self.told.ms], {self.processors[-1]})
            server.end()
            return float(rate)
        on = {self.processors[-1]} if same else {self.processors[0], self.processors[-1]}
        # A short round would see a few files only.
        ms = self.told.ms * (3 if words[0] == "file" else 1)
        return float(run([program, *words, "ms", ms, *([self.file] if words[0] == "file" else [])], on))

    def rounds(self, workload):
        """Every round of every contender, and why some can't."""
        group, name, unit, *_ = workload
        values, cannot, begin = {c.name: [] for c in self.here}, {}, time.monotonic()
        # To set up ten thousand connections takes longer than all else of a short round.
        warm, count = (0, 1) if self.told.quick and name == "10,000 connections" else (1, self.told.rounds)
        for i in range(warm + count * (1 if self.told.quick else MOST_TIMES)):
            if i >= warm + count and (time.monotonic() - begin > MOST_SECONDS or is_steady(values, warm)):
                break
            # Each begins once, so that none always comes after the same.
            for c in self.here[i % len(self.here):] + self.here[: i % len(self.here)]:
                if c.name not in cannot:
                    try:
                        values[c.name].append(self.once(c, workload))
                    except Cannot as why:
                        cannot[c.name] = str(why)
                        del values[c.name]
        kept = {c: every[warm:] for c, every in values.items()}
        return {"group": group, "name": name, "unit": unit, "rounds": kept, "cannot": cannot}

    # --- What is counted, not timed: the same each time ------------------------------------------

    def counted(self, prefix, pattern):
        """Of an operation: what is counted over N of them and over twice as many."""
        less = 4 if self.told.quick else 1
        number = lambda said: int(re.search(pattern, said)[1])
        # GLib's own allocator would hide its allocations.
        env = {**os.environ, "G_SLICE": "always-malloc"}

        def plain(driver, *words):
            def total(c, count):
                return number(run([*prefix, self.program[c.name, driver], *words, "count", count], env=env))
            return total

        def served(c, count):
            server = Server([*prefix, self.program[c.name, "many"], 64])
            run([self.load, server.port, 64, 64, "count", count])
            return number(server.end())

        operations = {
            "message": (plain("tcp", "turns", 64), 400 // less, 2),
            "connection": (plain("tcp", "pairs", 0), 200 // less, 1),
            "datagram": (plain("udp", "single", 64), 16 // less, 64),
            "request": (served, 4000 // less, 1),
        }
        results = {}
        for c in self.here:
            if c.name == "raw again":
                continue
            results[c.name] = {}
            for name, (total, count, operations_each) in operations.items():
                try:
                    difference = total(c, 2 * count) - total(c, count)
                    results[c.name][name] = round(difference / count / operations_each, 2)
                except Cannot as why:
                    results[c.name][name] = None
        return results

    def memory(self):
        """Bytes of an idle connection in the server's process, each having been served once."""
        count = 1000 if self.told.quick else 10_000
        results = {"connections": count, "bytes": {}, "cannot": {}}
        for c in self.here:
            if c.name == "raw again":
                continue
            try:
                server = Server([self.program[c.name, "many"], count])
            except Cannot as why:
                results["cannot"][c.name] = str(why)
                continue
            before = server.resident()
            load = subprocess.Popen([str(word) for word in (self.load, server.port, count, 64, "hold", 0)],
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            assert load.stdout.readline() == "held\n"
            results["bytes"][c.name] = round((server.resident() - before) / count)
            load.communicate("\n")
            server.end()
        return results

    def sizes(self):
        """A small client, stripped: with shared libraries and what they weigh, and with the archive."""
        results = {}
        for c in self.here:
            if c.name in ["raw again", "libsk static"]:
                continue
            program, said = compiled(c, "client", self.out, SMALL)
            if program is None:
                sys.exit(said)
            found = re.findall(r"(\S+) => (/\S+)|^\s*(/\S+)", run(["ldd", program]), re.M)
            base = re.compile(r"/(libc|ld-linux[^/]*|libm|libpthread)\.so")
            libraries = [path or alone for _, path, alone in found if not base.search(path or alone)]
            results[c.name] = {"program": program.stat().st_size, "libraries": len(libraries),
                               "libraries_bytes": sum(stripped_size(path, self.out) for path in libraries)}
            archive = self.all[2].link if c.name == "libsk shared" else c.archive
            if archive:
                program, _ = compiled(c, "client", self.out, SMALL, archive)
                results[c.name]["archive"] = program and program.stat().st_size
        return results


    def verify(self):
        """Everything once, every byte looked at. What a contender can't do, it must say."""
        for c in self.here:
            checks = {"tcp": lambda: run([self.program[c.name, "tcp"], "verify", self.file], limit=20)}
            for way in ["single", "batch", "segment"]:
                checks[f"udp {way}"] = lambda way=way: run([self.program[c.name, "udp"], "verify", way], limit=20)

            def echo():
                server = Server([self.program[c.name, "many"], 10])
                run([self.load, server.port, 10, 64, "count", 100], limit=20)
                server.end()

            checks["echo"] = echo
            for name, verified in checks.items():
                try:
                    verified()
                except Cannot as why:
                    print(f"{c.name}, {name}: can't: {why}")
                else:
                    print(f"{c.name}, {name}: every byte")


def is_steady(values, warm):
    """Whether raw against itself tells the median well enough: its middle half, by the root of their number.
    The others are not asked, so that none gets rounds until it looks well."""
    ratios = [a / b for a, b in zip(values["raw again"][warm:], values["raw"][warm:])]
    low, _, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return (high - low) / len(ratios) ** 0.5 <= GOOD_FOR


def stripped_size(path, out):
    copy = out / "stripped.so"
    shutil.copy(path, copy)
    run(["strip", "--strip-unneeded", copy])
    return copy.stat().st_size


def show(workloads):
    for w in workloads:
        raw = w["rounds"]["raw"]
        for name, rounds in w["rounds"].items():
            ratios = [a / b for a, b in zip(rounds, raw)]
            print(f"  {w['name']:24} {name:14} {statistics.median(rounds):14,.0f} {statistics.median(ratios):6.3f}")


def machine():
    """What matters for the figures, and nothing that names the machine or who uses it."""
    text = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*:\s*(.+)", text)
    memory = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[1])
    return {
        "processor": model[1] if model else platform.machine(),
        "processors": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory / 2**20, 1),
        "kernel": f"{platform.system()} {platform.release()}",
        "compiler": run([*compiler(), "--version"]).split("\n")[0],
        "valgrind": run(["valgrind", "--version"]).strip(),
        "date": time.strftime("%Y-%m-%d"),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", type=lambda text: Path(text).resolve(), required=True, help="folder of libsk.so and libsk.a")
    parser.add_argument("--native", required=True, help="what a program with libsk.a is linked with besides")
    parser.add_argument("--out", type=Path, required=True, help="where results.json goes")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--ms", type=int, default=200, help="of a round")
    parser.add_argument("--quick", action="store_true", help="few short rounds: shows that all of it works")
    parser.add_argument("--verify", action="store_true", help="only look whether all do their work")
    parser.add_argument("--only", default="", help="workloads of this group alone; writes nothing")
    told = parser.parse_args()
    if told.quick:
        told.rounds, told.ms = 3, 30
    for tool in [] if told.verify else ["valgrind", "strip", "ldd"]:
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is not installed")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    told.out.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sk-bench-") as folder:
        told.programs = Path(folder)
        bench = Bench(told)
        for c in bench.all:
            if not c.installed():
                print(f"skipped: {c.name} is not installed (Debian: {c.packages})", flush=True)
        if told.verify:
            bench.verify()
            return
        results = {"machine": machine(), "rounds": told.rounds, "ms": told.ms, "quick": told.quick}
        results["contenders"] = [
            {"name": c.name, "version": c.version, "style": c.style, "package": c.packages} for c in bench.all]

        def step(name, work):
            began = time.monotonic()
            answer = work()
            print(f"  {name:40} {time.monotonic() - began:6.1f} s", flush=True)
            return answer

        some = [w for w in WORKLOADS if told.only in ["", w[0]]]
        results["workloads"] = [step(f"{w[0]}: {w[1]}", lambda: bench.rounds(w)) for w in some]
        if told.only:
            show(results["workloads"])
            return
        results["instructions"] = step("instructions", lambda: bench.counted(
            ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"], r"Collected : (\d+)"))
        results["allocations"] = step("allocations", lambda: bench.counted(
            ["env", f"LD_PRELOAD={bench.count_malloc}"], r"allocations: (\d+)"))
        results["memory"] = step("memory of a connection", bench.memory)
        results["sizes"] = step("sizes", bench.sizes)
    results["seconds"] = round(time.monotonic() - begin)
    (told.out / "results.json").write_text(json.dumps(results, indent=1) + "\n")


try:
    main()
except SystemExit as ended:
    sys.exit(f"{ended.code}\nbench: FAILED" if isinstance(ended.code, str) else ended.code)
