#!/usr/bin/env python3
"""Compares the library's binary interface with the one on record for its SONAME.

    python3 packaging/abi.py LIBRARY            fails where programs that are built already would break
    python3 packaging/abi.py LIBRARY --record   puts what is new on record

The record is a text with a line for each exported function, constant, struct and member. A line
may be added; one that is gone or different needs another SONAME.
"""

import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
HEADER = HERE.parent / "include" / "sk.h"


def run(*command):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout


def soname(library):
    return re.search(r"SONAME.*\[(.*?)\]", run("readelf", "-dW", library)).group(1)


def exported(library):
    return {line.split()[-1] for line in run("nm", "-D", "--defined-only", library).splitlines()}


def interface(library):
    """What a program that is built already relies on, a line each."""
    code = re.sub(r"/\*.*?\*/", "", HEADER.read_text(encoding="utf-8"), flags=re.S)
    lines = []
    prototypes = re.findall(r"^((?:const )?\w+ \*?(sk_\w+)\([^()]*\));", code, flags=re.M)
    symbols = exported(library)
    for prototype, name in prototypes:
        if name in symbols:
            lines.append(f"function {' '.join(prototype.split())}")
    for name, value in re.findall(r"#define (SK_(?!VERSION)\w+) (\S+)\s*$", code, flags=re.M):
        lines.append(f"constant {name} {value.strip('()')}")
    for name, value in re.findall(r"^\s*(SK_\w+) = (-?\d+)", code, flags=re.M):
        lines.append(f"constant {name} {value}")
    return sorted(lines + layouts(code))


def layouts(code):
    """Sizes and offsets, as the C compiler of this machine has them: 64-bit pointers."""
    program = ["#include <sk.h>", "#include <stdio.h>", "int main(void) {"]
    for name, body in re.findall(r"typedef struct (sk_\w+) \{(.*?)\} \1;", code, flags=re.S):
        program.append(f'printf("struct {name} size %zu\\n", sizeof({name}));')
        for member in body.split(";"):
            found = re.fullmatch(r"\s*(.*?[\s*])(\w+)(\[\w+\])?\s*", member, flags=re.S)
            if found:
                words, field, array = found.groups()
                kind = " ".join(f"{words}{array or ''}".split())
                program.append(f'printf("member {name}.{field} at %zu: {kind}\\n", offsetof({name}, {field}));')
    program += ["return 0;", "}"]
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "layouts.c"
        source.write_text("\n".join(program), encoding="utf-8")
        compiler = shlex.split(os.environ.get("CC", "cc"))
        run(*compiler, "-std=c99", "-I", HEADER.parent, source, "-o", source.with_suffix(""))
        return run(source.with_suffix("")).splitlines()


def main():
    library = pathlib.Path(sys.argv[1])
    record = HERE / f"abi-{soname(library)}.txt"
    now = interface(library)
    if "--record" in sys.argv[2:]:
        record.write_text("\n".join(now) + "\n", encoding="utf-8")
        return print(f"{record.name}: {len(now)} lines")
    before = record.read_text(encoding="utf-8").splitlines() if record.exists() else []
    broken = [line for line in before if line not in now]
    added = [line for line in now if line not in before]
    for line in broken:
        print(f"gone or changed: {line}")
    for line in added:
        print(f"new: {line}")
    if broken:
        sys.exit("abi: FAILED: programs that are built already would break: another SONAME is needed")
    if added:
        sys.exit("abi: FAILED: what is new is not on record: make abi ABI_FLAGS=--record")
    print(f"abi: passed: {len(now)} lines as on record")


main()
