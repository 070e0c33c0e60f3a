#!/usr/bin/env python3
"""Datagrams one way over loopback UDP in batches: sk_send_batch and sk_recv_batch beside
sendmmsg(2) and recvmmsg(2), singly and cut by the system (UDP_SEGMENT, UDP_GRO).

What is judged is how many go in a second of processor time, sent and received in turns by one
process: raw and libsk take turns, and the median of the ratios counts. Between two processes
on two processors the rates are shown, with the middle half of the ratios: there the
moments at which the two meet, and other work on the machine, weigh more than any library."""

import os
import re
import statistics

from common import arguments, compiled, output, table, verdict

ROUNDS = 15
BATCHES = {"batch": 1500, "segment": 400}
ATTEMPTS = 3
STREAM_ROUNDS = 9
STREAM_MS = 300
WAYS = [("batch", 64, 1.0), ("batch", 1200, 1.0), ("segment", 64, 0.95), ("segment", 1200, 0.95)]

COUNT = 200


def rate(program, way, size):
    received, lost = output(program, way, size, STREAM_MS).split()
    return float(received), int(lost)


def instructions(program, way, size):
    """In user space, of a batch sent and received: over COUNT and twice as many."""

    def total(count):
        said = output("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, way, size, "count", count)
        return int(re.search(r"Collected : (\d+)", said)[1])

    return (total(2 * COUNT) - total(COUNT)) / COUNT


def main():
    told = arguments(__doc__)
    raw, libsk = (compiled(told, "udp.c", linking, ["-O2"]) for linking in ["raw", "shared"])
    missed = []
    everywhere = os.sched_getaffinity(0)

    print("User-space instructions for each datagram, sent and received (callgrind)\n")
    rows = [["way", "bytes", "raw", "libsk", "more"]]
    for way, size, _ in WAYS:
        of_batch = 64 if way == "batch" else 4 * 48
        a, b = (instructions(program, way, size) / of_batch for program in (raw, libsk))
        rows.append([way, size, f"{a:.1f}", f"{b:.1f}", f"{b - a:.1f}"])
    table(rows)

    print(f"Datagrams in a second of processor time, {ROUNDS} paired rounds\n")
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    rows = [["way", "bytes", "raw", "libsk", "ratio", "limit"]]
    for way, size, limit in WAYS:
        for _ in range(ATTEMPTS):
            measure = lambda program: 1e9 / float(output(program, way, size, "count", BATCHES[way]))
            rounds = [[measure(program) for program in (raw, libsk)] for _ in range(ROUNDS + 1)][1:]
            ratio = statistics.median(b / a for a, b in rounds)
            medians = [round(statistics.median(column)) for column in zip(*rounds)]
            rows.append([way, size, *medians, f"{ratio:.2f}", f"{limit:.2f}"])
            if round(ratio, 2) >= limit:
                break
        else:
            missed.append(f"{way} of {size} bytes: {ratio:.3f} of the datagrams")
    table(rows)

    print(f"Datagrams in a second between two processes, {STREAM_ROUNDS} paired rounds of {STREAM_MS} ms (not judged)\n")
    os.sched_setaffinity(0, everywhere)
    rows = [["way", "bytes", "raw", "libsk", "ratio", "middle half", "lost"]]
    for way, size, _ in WAYS:
        rounds = [[rate(program, way, size) for program in (raw, libsk)] for _ in range(STREAM_ROUNDS + 1)][1:]
        ratios = [b[0] / a[0] for a, b in rounds]
        low, _, high = statistics.quantiles(ratios, n=4)
        medians = [round(statistics.median(pair[i][0] for pair in rounds)) for i in range(2)]
        lost = sum(b[1] for _, b in rounds)
        rows.append([way, size, *medians, f"{statistics.median(ratios):.2f}", f"{low:.2f} to {high:.2f}", lost])
    table(rows)
    verdict("bench-udp", missed)


main()
