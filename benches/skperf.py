#!/usr/bin/env python3
"""skperf against iperf3 on loopback TCP: both tell the same rate, up to ten percent.

They take turns, A B A B, so that what else the machine does meets both; the median of the ratios
of neighbours is judged. Where the machine was busy it is tried once more before that fails.
"""

import json
import re
import shutil
import socket
import statistics
import subprocess
import sys

from common import arguments, compiled, output, table, verdict

ROUNDS = 7
SECONDS = 2
MOST_APART = 0.10


class Server:
    """A server in the background for one client; its port is in what it prints first."""

    def __init__(self, *words, pattern):
        self.process = subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            if found := re.search(pattern, line):
                self.port = found[1]
                return
        sys.exit(f"{words}: no port")

    def __enter__(self):
        return self.port

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def with_skperf(program, reverse):
    with Server(program, "-s", "-1", pattern=r"bind: .*:(\d+)") as port:
        said = output(program, "-c", "127.0.0.1", "-p", port, "-t", SECONDS, *(["-R"] if reverse else []))
    return float(re.search(r"received: .*, ([\d.]+) Mbit/s", said)[1])


def with_iperf3(reverse):
    port = free_port()
    words = ["iperf3", "-s", "-1", "-B", "127.0.0.1", "-p", port, "--forceflush"]
    with Server(*words, pattern=r"listening on (\d+)") as port:
        # skperf always has TCP_NODELAY.
        words = ["iperf3", "-c", "127.0.0.1", "-p", port, "-t", SECONDS, "--no-delay", "--json"]
        said = output(*words, *(["-R"] if reverse else []))
    return json.loads(said)["end"]["sum_received"]["bits_per_second"] / 1e6


def measure(program, reverse):
    pairs = [(with_skperf(program, reverse), with_iperf3(reverse)) for _ in range(ROUNDS)]
    ratio = statistics.median(ours / theirs for ours, theirs in pairs)
    return [statistics.median(column) for column in zip(*pairs)] + [ratio]


def main():
    told = arguments(__doc__)
    if shutil.which("iperf3") is None:
        print("skipped: iperf3 is not installed")
        return
    program = compiled(told, "../c-examples/skperf.c", "static", ["-O2"])
    print(f"TCP over loopback, Mbit/s: the median of {ROUNDS} runs of {SECONDS} s each, in turns\n")
    rows, missed = [["who sends", "skperf", "iperf3", "ratio", "limits"]], []
    for reverse, name in [(False, "client"), (True, "server")]:
        ours, theirs, ratio = measure(program, reverse)
        if abs(ratio - 1) > MOST_APART:
            ours, theirs, ratio = measure(program, reverse)
        limits = f"{1 - MOST_APART:.2f} to {1 + MOST_APART:.2f}"
        rows.append([name, f"{ours:.0f}", f"{theirs:.0f}", f"{ratio:.3f}", limits])
        if abs(ratio - 1) > MOST_APART:
            missed.append(f"the {name} sends: {ratio:.3f} of iperf3's rate")
    table(rows)
    verdict("skperf", missed)


main()
