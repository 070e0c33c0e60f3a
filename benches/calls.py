#!/usr/bin/env python3
"""What a call costs on libsk, over the same call of the C library: instructions, and time.

Instructions are exact: callgrind counts those in user space, over COUNT calls and over twice
as many, so that all but the calls cancels out. Times are not: raw and libsk take turns, and
the median of the ratios is judged, a second time before it fails.
"""

import os
import re
import statistics

from common import arguments, compiled, output, table, verdict

COUNT = 1000
MOST_INSTRUCTIONS = 32
CALLS = ["send", "recv", "send_to", "recv_from"]
# Shown, and no promise.
MORE_CALLS = ["send_to6", "recv_from6", "send_to46", "recv_from46"]

ROUNDS = 11
ROUND_MS = 250
MOST_TIME = 1.03
EXCHANGES = [("pingpong", 64), ("stream", 64), ("stream", 16384)]


def instructions(program, word, call):
    def total(count):
        said = output("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, word, call, count)
        return int(re.search(r"Collected : (\d+)", said)[1])

    return (total(2 * COUNT) - total(COUNT)) / COUNT


def count_instructions(told):
    print("User-space instructions of a call, its loop included (callgrind)\n")
    rows, missed = [["call", "library", "raw", "libsk", "more", "limit"]], []
    for linking in ["static", "shared"]:
        program = compiled(told, "calls.c", linking, ["-O2"])
        for call in CALLS + MORE_CALLS:
            raw, libsk = (instructions(program, word, call) for word in ["raw", "sk"])
            limit = MOST_INSTRUCTIONS if call in CALLS else "none"
            rows.append([f"sk_{call}", linking, f"{raw:.1f}", f"{libsk:.1f}", f"{libsk - raw:.1f}", limit])
            if call in CALLS and libsk - raw > MOST_INSTRUCTIONS:
                missed.append(f"sk_{call} ({linking}) takes {libsk - raw:.1f} instructions more")
    table(rows)
    return missed


def ratios(raw, libsk, pair, how, size):
    """The times of both, and their median ratio. The first round only warms up."""
    words = [how, size, "ms", ROUND_MS, *(["threads"] if pair == "threads" else [])]
    times = [[1e9 / float(output(program, *words)) for program in (raw, libsk)] for _ in range(ROUNDS + 1)]
    times = times[1:]
    return [statistics.median(column) for column in zip(*times)], statistics.median(b / a for a, b in times)


def time_exchanges(told):
    raw, libsk = (compiled(told, "contenders/tcp.c", linking, ["-O2"]) for linking in ["raw", "shared"])
    # On one processor: no waking of another one, whose time would drown what is measured.
    processors = sorted(os.sched_getaffinity(0))
    print(f"Time of a message over loopback TCP, both ends on one processor, {ROUNDS} paired rounds\n")
    rows, missed = [["exchange", "bytes", "between", "raw ns", "libsk ns", "ratio", "limit"]], []
    for pair in ["threads", "processes"]:
        for how, size in EXCHANGES:
            for attempt in range(2):
                os.sched_setaffinity(0, {processors[-1 - attempt % len(processors)]})
                times, ratio = ratios(raw, libsk, pair, how, size)
                row = [how, size, pair, *(f"{time:.0f}" for time in times), f"{ratio:.3f}", MOST_TIME]
                rows.append(row)
                if ratio <= MOST_TIME:
                    break
            else:
                missed.append(f"{how} of {size} bytes between {pair} takes {ratio:.3f} times as long")
    table(rows)
    return missed


def main():
    told = arguments(__doc__)
    verdict("bench-calls", count_instructions(told) + time_exchanges(told))


main()
