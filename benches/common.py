"""For the measurements: the library as it is shipped, programs linked with it, tables."""

import argparse
import os
import pathlib
import shlex
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
FLAGS = "-std=c99 -Wall -Wextra -Wconversion -pedantic -Werror -pthread".split()


def arguments(description):
    """What the Makefile tells: where the library is, and where programs may go."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--library", type=pathlib.Path, required=True, help="folder of libsk.so and libsk.a")
    parser.add_argument("--native", required=True, help="what a program with libsk.a is linked with besides")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder for programs")
    parser.add_argument("--show", default="", help="what is shown and not judged, as the verdict names it")
    told = parser.parse_args()
    told.library = told.library.resolve()
    told.out = told.out.resolve()
    told.out.mkdir(parents=True, exist_ok=True)
    return told


def compiled(told, source, linking, flags):
    """The path of a program: `linking` is raw (without libsk), static or shared. What lies in contenders/
    is linked with raw.c or libsk.c of there."""
    program = told.out / "-".join([pathlib.Path(source).stem, linking, *flags]).replace(",", "")
    command = shlex.split(os.environ.get("CC", "cc")) + FLAGS + flags
    command += ["-I", str(HERE.parent / "include"), str(HERE / source), "-o", str(program)]
    if source.startswith("contenders/"):
        command += ["-D_GNU_SOURCE", str(HERE / "contenders" / ("raw.c" if linking == "raw" else "libsk.c"))]
    if linking == "raw":
        command.append("-DRAW")
    elif linking == "static":
        command += [str(told.library / "libsk.a"), *shlex.split(told.native)]
    else:
        name = told.library / "libsk.so.0"
        if not name.exists():
            name.symlink_to("libsk.so")
        command += [str(told.library / "libsk.so"), f"-Wl,-rpath,{told.library}"]
    finished = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    if finished.returncode != 0:
        sys.exit(f"{shlex.join(command)}\n{finished.stderr}")
    return program


def output(*command, limit=120):
    """What a program prints, stderr included. It must succeed within the limit, in seconds."""
    words = [str(word) for word in command]
    finished = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=limit)
    if finished.returncode != 0:
        sys.exit(f"{shlex.join(words)} failed ({finished.returncode}):\n{finished.stdout}")
    return finished.stdout


def table(rows):
    """Prints rows of equal length; the first is the heading. Texts left, numbers right."""
    rows = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*rows)]
    texts = [not any(row[i][:1].isdigit() for row in rows[1:]) for i in range(len(widths))]
    for row in rows:
        cells = [c.ljust(w) if text else c.rjust(w) for c, w, text in zip(row, widths, texts)]
        print("  " + "   ".join(cells).rstrip())
    print(flush=True)


def verdict(name, missed):
    """The last line, and the exit status."""
    if missed:
        sys.exit(f"{name}: FAILED: " + "; ".join(missed))
    print(f"{name}: passed")
