#!/usr/bin/env python3
"""How big the shared library is, and how much libsk adds to a small C program."""

import shutil
import socket
import subprocess

from common import arguments, compiled, output, table, verdict

# 61 functions, at less than 2 KiB each with everything that belongs to them.
LIBRARY_LIMIT = 112 * 1024
PROGRAM_LIMIT = 12 * 1024
SMALL = ["-Os", "-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections", "-s"]
SYMBOLS = 25


def echoes(program):
    """A program is only weighed if it does its work."""
    with subprocess.Popen([program], stdout=subprocess.PIPE, text=True) as server:
        try:
            port = int(server.stdout.readline())
            with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
                client.sendall(b"hello")
                client.shutdown(socket.SHUT_WR)
                with client.makefile("rb") as answer:
                    return answer.read() == b"hello" and server.wait(10) == 0
        finally:
            server.kill()


def symbols(library):
    """The biggest functions and tables of the library before it was stripped."""
    lines = output("nm", "-C", "-S", "--size-sort", "-r", "--defined-only", library).splitlines()
    rows = [["bytes", "symbol"]]
    for line in lines[:SYMBOLS]:
        _address, size, _kind, name = line.split(maxsplit=3)
        rows.append([int(size, 16), name])
    return rows


def main():
    told = arguments(__doc__)
    missed = []

    stripped = told.out / "libsk-stripped.so"
    shutil.copy(told.library / "libsk.so", stripped)
    output("strip", stripped)
    size = stripped.stat().st_size
    if size > LIBRARY_LIMIT:
        missed.append(f"the shared library has {size - LIBRARY_LIMIT} bytes too many")
    print("The shared library, stripped\n")
    table([["bytes", "limit"], [size, LIBRARY_LIMIT]])

    print("An echo server in C (gcc -Os, --gc-sections, stripped) with libsk.a and on raw calls\n")
    rows = [["C library", "raw", "libsk", "more", "limit"]]
    for libc, flags in [("shared", []), ("static", ["-static"])]:
        programs = [compiled(told, "size_echo.c", linking, SMALL + flags) for linking in ["raw", "static"]]
        missed += [f"{program.name} does not echo" for program in programs if not echoes(program)]
        raw, libsk = (program.stat().st_size for program in programs)
        rows.append([libc, raw, libsk, libsk - raw, PROGRAM_LIMIT])
        if libsk - raw > PROGRAM_LIMIT:
            missed.append(f"libsk.a adds {libsk - raw - PROGRAM_LIMIT} bytes too many (C library {libc})")
    table(rows)

    print("What is big in the shared library\n")
    table(symbols(told.library / "libsk.so"))
    if told.show:
        for line in [line for line in missed if told.show in line]:
            print(f"not judged: {line}")
            missed.remove(line)
    verdict("size", missed)


main()
