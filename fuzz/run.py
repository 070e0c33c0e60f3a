#!/usr/bin/env python3
"""Runs the fuzz targets, each for so many seconds, from what is committed in fuzz/corpus.

Needs clang. cargo-fuzz is installed into the target directory where it is missing. What a target
finds beyond its corpus stays in the target directory; --keep puts the smallest set that reaches as
much into fuzz/corpus.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VERSION = "0.13.2"
TARGETS = ["address", "endpoint", "options", "http_request", "calls"]
# Files, and bytes in all, that a committed corpus may have.
MOST_FILES, MOST_BYTES = 199, 200_000


def environment(tools: Path) -> dict[str, str]:
    # The compiler that builds the library takes the options of a sanitizer only with this.
    return os.environ | {"RUSTC_BOOTSTRAP": "1", "PATH": f"{tools / 'bin'}{os.pathsep}{os.environ['PATH']}"}


def build(out: Path) -> Path:
    """Where the programs are."""
    tools = out.parent / "tools"
    env = environment(tools)
    cargo = os.environ.get("CARGO", "cargo")
    if shutil.which("cargo-fuzz", path=env["PATH"]) is None:
        install = [cargo, "install", "cargo-fuzz", "--locked", "--version", VERSION, "--root", tools]
        subprocess.run(install, check=True)
    triple = re.search(r"^host: (.*)$", subprocess.run(
        ["rustc", "-vV"], check=True, capture_output=True, text=True).stdout, re.M).group(1)
    subprocess.run([cargo, "fuzz", "build", "--fuzz-dir", ROOT / "fuzz", "--target", triple, "--target-dir", out],
                   check=True, cwd=ROOT, env=env)
    return out / triple / "release"


def fuzz(program: Path, seconds: int, place: Path) -> bool:
    name = program.name
    grown = place / name
    grown.mkdir(parents=True, exist_ok=True)
    log = place / f"{name}.log"
    command = [program, grown, ROOT / "fuzz/corpus" / name, f"-max_total_time={seconds}", "-timeout=30",
               "-rss_limit_mb=4096", f"-artifact_prefix={place / name}-", "-print_final_stats=1"]
    with log.open("w") as out:
        status = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, cwd=place).returncode
    text = log.read_text(errors="replace")
    figures = {key: re.search(rf"stat::{key}: +(\d+)", text)
               for key in ("number_of_executed_units", "average_exec_per_sec")}
    runs, rate = (int(figure.group(1)) if figure else 0 for figure in figures.values())
    good = status == 0 and runs > 0
    print(f"test {name} ... {'ok' if good else 'FAILED'} ({runs:,} executions, {rate:,} a second)", flush=True)
    if not good:
        print("\n".join(line[:400] for line in text.splitlines()[-60:]))
        print(f"The whole: {log}; what did it: {place / name}-*")
    return good


def keep(program: Path, place: Path) -> None:
    """Makes the committed corpus anew, of itself and what was found."""
    committed, merged = ROOT / "fuzz/corpus" / program.name, place / f"{program.name}-merged"
    shutil.rmtree(merged, ignore_errors=True)
    merged.mkdir()
    subprocess.run([program, "-merge=1", "-max_len=2000", merged, committed, place / program.name],
                   check=True, cwd=place, stderr=subprocess.DEVNULL)
    shutil.rmtree(committed, ignore_errors=True)
    committed.mkdir(parents=True)
    size = 0
    # The small ones first: more of them fit.
    for file in sorted(merged.iterdir(), key=lambda file: (file.stat().st_size, file.name))[:MOST_FILES]:
        size += file.stat().st_size
        if size > MOST_BYTES:
            break
        # A short name is as unique as it must be.
        shutil.copyfile(file, committed / file.name[:16])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="where to build")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--keep", action="store_true", help="put what was found into fuzz/corpus")
    parser.add_argument("targets", nargs="*", help=f"of {', '.join(TARGETS)}; none: all")
    args = parser.parse_args()
    targets = args.targets or TARGETS
    if unknown := set(targets) - set(TARGETS):
        parser.error(f"no target: {', '.join(sorted(unknown))}")
    out = args.out.resolve()
    place = out / "found"
    place.mkdir(parents=True, exist_ok=True)
    programs = build(out)
    # As many at a time as there are processors.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda target: fuzz(programs / target, args.seconds, place), targets))
    if args.keep:
        for target in targets:
            keep(programs / target, place)
    passed, failed = sum(results), len(results) - sum(results)
    print(f"\ntest result: {'FAILED' if failed else 'ok'}. {passed} passed; {failed} failed; 0 ignored")
    print(f"fuzz: {'FAILED' if failed else 'passed'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
