#!/usr/bin/env python3
"""Makes REPORT.md and its pictures from results.json, in the same folder."""

import json
import statistics
import sys
from pathlib import Path

LEAST = 0.97
LIBSK = ["libsk static", "libsk shared"]

# Each group's heading, and how its table is read.
GROUPS = {
    "pingpong": ("TCP ping-pong", "A message goes there and the same number of bytes comes back, one at a time, between two "
                 "processes on the same processor or across two; a cell is round trips per second."),
    "stream": ("TCP stream", "Messages of one size go one way as fast as they can, each handed to the system before the next, "
               "on the same processor or across two; a cell is messages per second."),
    "gathered": ("TCP stream, gathered", "The same with permission to gather: 64 messages of 64 bytes, held back up to the last "
                 "(`SK_MORE`, `MSG_MORE`, a buffer), or handed over as 64 pieces in one call (`sk_sendv`), on the same processor; a cell is "
                 "messages per second, to be held against the first column of the stream."),
    "connect": ("Connections", "One thread connects, accepts and closes both ends, again and again; a cell is connections per "
                "second."),
    "udp": ("UDP, one way", "One thread sends 64 datagrams and then receives them, one at a time or as a batch "
            "(`sk_send_batch`), or 4 runs of 48 which the system cuts and joins (`segment`); a cell is datagrams per second."),
    "echo": ("Echo server", "A server in one thread on one processor answers 64-byte requests, one under way on each connection, from "
             "the same load generator on another processor; a cell is requests per second."),
    "file": ("A file over TCP", "64 MiB from the page cache go to a receiver that is the same for all, on the same processor, each "
             "sender in its best way; a cell is MiB per second."),
}

# Why another one is ahead, by group and contender, as far as it was looked into (strace).
REASONS = {
    ("gathered", "libevent"): "it gathers in memory of its own and makes fewer system calls; `sk_sendv` does that for libsk, see "
                              "the column of 64 pieces",
    **dict.fromkeys([("file", name) for name in ["GLib", "SDL2_net", "NNG"]],
                    "it reads the file into a buffer and sends that: on loopback a copy from the cache costs less than sendfile(2), "
                    "which hands over single pages"),
    ("stream", "NNG"): "it makes one system call for each message too, but its receiver hands over between threads and seldom "
                       "sleeps, so that the sender seldom has to wake it; `sk_sendv` has fewer of both",
    ("message", "APR"): "it calls write(2) and read(2), so that SIGPIPE comes, and a closed socket of its is a dangling pointer",
    ("connection", "SDL2_net"): "its connect blocks without a limit and nothing wakes it, its sockets survive exec, and a closed one is a "
                                "dangling pointer",
}


class Results:
    def __init__(self, path):
        self.all = json.loads(path.read_text())
        self.workloads = self.all["workloads"]
        self.names = [c["name"] for c in self.all["contenders"]]
        self.here = [c["name"] for c in self.all["contenders"] if c["version"] is not None]

    def of(self, group):
        return [w for w in self.workloads if w["group"] == group]


def ratios(workload, name, to="raw"):
    """Of each round to the same round of another, sorted."""
    rounds = workload["rounds"]
    if name not in rounds or to not in rounds:
        return None
    return sorted(a / b for a, b in zip(rounds[name], rounds[to]))


def middle(values):
    """Median and the middle half."""
    low, _, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    return statistics.median(values), low, high


def table(rows):
    """Markdown; the first column to the left, the others to the right."""
    lines = ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    lines.insert(1, "| --- |" + " ---: |" * (len(rows[0]) - 1))
    return "\n".join(lines) + "\n"


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"


def group_table(results, group):
    workloads = results.of(group)
    rows, footnotes = [["", *[w["name"] for w in workloads]]], []
    for name in results.names:
        row = [name]
        for w in workloads:
            every = w["rounds"].get(name)
            if name not in results.here:
                row.append("not installed")
            elif every is None:
                why = w["cannot"][name]
                note = f"{name}: {why}."
                if note not in footnotes:
                    footnotes.append(note)
                row.append("can't")
            else:
                scale = 2**20 if w["unit"] == "bytes/s" else 1
                at, low, high = middle(ratios(w, name))
                text = f"{number(statistics.median(every) / scale)}"
                row.append(text if name == "raw" else f"{text} **{at:.2f}** ({low:.2f} to {high:.2f})")
        rows.append(row)
    return table(rows) + ("\n" + " ".join(footnotes) + "\n" if footnotes else "")


# --- The summary: computed ---------------------------------------------------------------------------

def below(results):
    """Where libsk misses its mark, with the same of raw against itself."""
    found = []
    for w in results.workloads:
        for name in LIBSK:
            at, low, high = middle(ratios(w, name))
            if at < LEAST:
                again, again_low, again_high = middle(ratios(w, "raw again"))
                found.append(f"{GROUPS[w['group']][0]}, {w['name']}: {name} {at:.3f} ({low:.2f} to {high:.2f}); raw "
                             f"against itself {again:.3f} ({again_low:.2f} to {again_high:.2f})")
    return found


def ahead(results):
    """Who is ahead of the better libsk by more than what raw differs from itself, and surely: with the
    whole middle half."""
    found = []
    for w in results.workloads:
        ours = max(LIBSK, key=lambda name: statistics.median(w["rounds"][name]))
        noise = abs(statistics.median(ratios(w, "raw again")) - 1)
        for name in results.here:
            if name.startswith(("raw", "libsk")) or name not in w["rounds"]:
                continue
            at, low, _ = middle(ratios(w, name, ours))
            if at > 1 + noise and low > 1:
                raw_at = statistics.median(ratios(w, name))
                why = REASONS.get((w["group"], name), "why is not known") if raw_at > 1 else \
                    "both are below raw"
                found.append(f"{GROUPS[w['group']][0]}, {w['name']}: {name}, {at:.2f} of libsk and {raw_at:.2f} of raw; {why}")
    return found


def fewest(results):
    """Who takes the fewest instructions of all but raw, by operation."""
    lines = []
    for operation in next(iter(results.all["instructions"].values())):
        counts = {name: each[operation] for name, each in results.all["instructions"].items()
                  if each[operation] is not None}
        raw = counts.pop("raw")
        first, *others = sorted(counts, key=counts.get)
        other = next(name for name in others if not name.startswith("libsk")) if first.startswith("libsk") else \
            min(LIBSK, key=counts.get)
        why = "" if first.startswith("libsk") else "; " + REASONS.get((operation, first), "why is not known")
        lines.append(f"a {operation}: **{first}** with {number(counts[first])} (raw {number(raw)}, {other} {number(counts[other])}){why}")
    return lines


def bullets(lines, otherwise):
    return "".join(f"- {line}.\n" for line in lines) if lines else f"- {otherwise}.\n"


def summary(results):
    every = [statistics.median(ratios(w, name)) for w in results.workloads for name in LIBSK]
    noise = [abs(statistics.median(ratios(w, "raw again")) - 1) for w in results.workloads]
    return (
        f"libsk reaches {LEAST} of the raw calls in {sum(r >= LEAST for r in every)} of {len(every)} measurements "
        f"({len(results.workloads)} workloads, static and shared); the median over all of them is {statistics.median(every):.3f}. "
        f"The raw calls differ from themselves by up to {max(noise):.1%} (median {statistics.median(noise):.1%}).\n\n"
        f"Where libsk is below {LEAST}:\n\n{bullets(below(results), 'nowhere')}\n"
        f"Where another one is ahead of libsk, by more than raw differs from itself:\n\n{bullets(ahead(results), 'nowhere')}\n"
        f"Who takes the fewest instructions in user space, of all but the raw calls, for:\n\n{bullets(fewest(results), '')}\n"
        + gathered(results)
    )


def gathered(results):
    """What libsk has for those who may gather, against its own single calls."""
    def median(group, name):
        w = next(w for w in results.of(group) if w["name"] == name)
        return statistics.median(w["rounds"]["libsk shared"])

    one = median("stream", "64 B, same")
    datagram = median("udp", "single, 64 B")
    return (
        "What gathering brings on libsk itself, 64-byte messages, against one call for each: "
        f"`SK_MORE` {median('gathered', '64 B, held back') / one:.1f} times as many, "
        f"`sk_sendv` {median('gathered', '64 B, 64 pieces') / one:.1f}, "
        f"`sk_send_batch` {median('udp', 'batch, 64 B') / datagram:.1f}, "
        f"segmentation {median('udp', 'segment, 64 B') / datagram:.1f}.\n"
    )


# --- What is counted ---------------------------------------------------------------------------------

def counted_table(results, what):
    each = results.all[what]
    rows = [["", *next(iter(each.values()))]]
    for name in results.names:
        if name in each:
            rows.append([name, *["can't" if n is None else number(n) for n in each[name].values()]])
        elif name not in results.here:
            rows.append([name, *["not installed"] * (len(rows[0]) - 1)])
    return table(rows)


def memory_table(results):
    memory = results.all["memory"]
    rows = [["", "bytes"]]
    rows += [[name, f"{memory['bytes'][name]:,}"] for name in results.names if name in memory["bytes"]]
    return table(rows + [[name, f"can't: {why}"] for name, why in memory["cannot"].items()])


def size_table(results):
    rows = [["", "program, shared", "libraries it loads", "their bytes", "program, with the archive"]]
    for name, size in results.all["sizes"].items():
        archive = size.get("archive", 0)
        rows.append([name.replace("libsk shared", "libsk"), f"{size['program']:,}", size["libraries"], f"{size['libraries_bytes']:,}",
                     f"{archive:,}" if archive else "does not link" if archive is None else ""])
    return table(rows)


def report(results, pictures):
    machine = results.all["machine"]
    picture = lambda name, text: f"![{text}]({name})\n\n" if name in pictures else ""
    parts = [
        "# libsk beside the others\n\n",
        f"Made by `make {'bench-quick' if results.all['quick'] else 'bench'}` from [results.json](results.json), "
        f"which holds every single result. {results.all['rounds']} rounds of {results.all['ms']} ms or more, "
        "after one to warm up, contenders in turns; more rounds where the raw calls differ from themselves by much. A cell is the median, and in bold the median of the ratios to the raw calls of the same round, "
        "with the middle half of these ratios.\n\n",
        "## In short\n\n", summary(results), "\n", picture("ratios.svg", "Every workload of every contender as a ratio to the raw calls"),
        "## Machine and versions\n\n",
        f"{machine['processor']}, {machine['processors']} processors, {machine['memory_gib']} GiB; {machine['kernel']}; "
        f"{machine['compiler']}, `-O2`; {machine['valgrind']}; {machine['date']}; loopback.\n\n"
        "All are asked for the same: TCP_NODELAY, buffers as the system makes them, blocking calls where the library has "
        "them. Each contender is one file in [benches/contenders](../../benches/contenders).\n\n",
        table([["", "version", "how it waits"]] + [[c["name"], c["version"] or f"not installed ({c['package']})", c["style"] or ""]
                                                    for c in results.all["contenders"]]), "\n",
    ]
    for group, (heading, help_line) in GROUPS.items():
        parts += [f"## {heading}\n\n{help_line}\n\n", group_table(results, group), "\n"]
        if group == "echo":
            parts.append(picture("echo.svg", "Requests per second by number of connections"))
    parts += [
        "## Instructions in user space\n\nHow many instructions callgrind counts outside the kernel, the loop of the program included: for a "
        "64-byte message sent and received, a connection made and closed at both ends, a datagram sent and received, and "
        "a request answered by the echo server; the counts of N and 2N operations are subtracted, so that set-up cancels out.\n\n",
        counted_table(results, "instructions"), "\n", picture("instructions.svg", "Instructions for each operation"),
        "## Allocations\n\nCalls of malloc and its kin for the same operations, counted in the same way; APR has pools, "
        "which take from malloc in pieces of 8 KiB.\n\n", counted_table(results, "allocations"), "\n",
        f"## Memory of a connection\n\nResident memory of the echo server's process with {results.all['memory']['connections']:,} "
        "idle connections, each served once, less that without, divided by their number; what the kernel holds is the same for all, and not in it.\n\n",
        memory_table(results), "\n",
        "## Size\n\nA small client (`-Os`, sections collected, stripped) in bytes: linked with the shared library, with what it then loads besides "
        "the C library (stripped), and linked with the library's own archive.\n\n",
        size_table(results),
    ]
    return "".join(parts)


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: report.py FOLDER")
    folder = Path(sys.argv[1])
    results = Results(folder / "results.json")
    try:
        import pictures
    except ImportError as why:
        print(f"no pictures: {why}")
        drawn = []
    else:
        drawn = pictures.draw(results, ratios, folder)
    (folder / "REPORT.md").write_text(report(results, drawn))
    timed = sum(len(w["rounds"]) for w in results.workloads)
    cannot = sum(len(w["cannot"]) for w in results.workloads)
    print(f"{folder / 'REPORT.md'}: {results.all['seconds']} s of measurements")
    print(f"bench: passed: {timed} measurements, {cannot} that a contender can't do")


main()
