#!/usr/bin/env python3
"""An echo server for many connections on sk_poller and on epoll, driven by one load generator:
requests in a second, by turns, and user-space instructions of the server for each request."""

import os
import re
import resource
import statistics
import subprocess

from common import arguments, compiled, output, table, verdict

CONNECTIONS = 1000
SIZE = 64
ROUNDS = 9
ROUND_MS = 700
LEAST_RATIO = 0.97

COUNTED_CONNECTIONS = 200
COUNTED = 20_000
MOST_INSTRUCTIONS = 90


def serve(server, connections, prefix=()):
    """A server and its port. What it says at its end is for the caller."""
    command = [*prefix, str(server), str(connections)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return process, process.stdout.readline().strip()


def end(process):
    try:
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    if process.returncode != 0:
        raise SystemExit(f"the server failed:\n{said}")
    return said


def rate(server, load):
    """Requests in a second, the server on one processor and the load on another."""
    processors = sorted(os.sched_getaffinity(0))
    pin = lambda processor: ("taskset", "-c", str(processor))
    process, port = serve(server, CONNECTIONS, pin(processors[0]))
    said = output(*pin(processors[-1]), load, port, CONNECTIONS, SIZE, "ms", ROUND_MS)
    end(process)
    return float(said)


def instructions(server, load):
    """Of one request in the server: over COUNTED and twice as many, so that all else cancels out."""

    def total(count):
        process, port = serve(
            server, COUNTED_CONNECTIONS, ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null")
        )
        output(load, port, COUNTED_CONNECTIONS, SIZE, "count", count)
        return int(re.search(r"Collected : (\d+)", end(process))[1])

    return (total(2 * COUNTED) - total(COUNTED)) / COUNTED


def main():
    told = arguments(__doc__)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    raw, shared, static = (compiled(told, "contenders/many.c", linking, ["-O2"]) for linking in ["raw", "shared", "static"])
    load = compiled(told, "load.c", "raw", ["-O2"])
    missed = []

    print(f"Instructions of the server for each request (callgrind), {COUNTED_CONNECTIONS} connections, {SIZE} B\n")
    rows = [["library", "raw epoll", "sk_poller", "more", "limit"]]
    base = instructions(raw, load)
    for name, program in [("static", static), ("shared", shared)]:
        ours = instructions(program, load)
        rows.append([name, f"{base:.1f}", f"{ours:.1f}", f"{ours - base:.1f}", MOST_INSTRUCTIONS])
        if ours - base > MOST_INSTRUCTIONS:
            missed.append(f"{ours - base:.1f} instructions more ({name})")
    table(rows)

    print(f"Requests in a second, {CONNECTIONS} connections, {SIZE} B, {ROUNDS} paired rounds\n")
    rows = [["raw epoll", "sk_poller", "ratio", "limit"]]
    for attempt in range(2):
        pairs = [(rate(raw, load), rate(shared, load)) for _ in range(ROUNDS + 1)][1:]
        ratio = statistics.median(ours / theirs for theirs, ours in pairs)
        medians = [round(statistics.median(column)) for column in zip(*pairs)]
        rows.append([*medians, f"{ratio:.3f}", LEAST_RATIO])
        if ratio >= LEAST_RATIO:
            break
    else:
        missed.append(f"{ratio:.3f} of the requests in a second")
    table(rows)
    verdict("bench-poller", missed)


main()
