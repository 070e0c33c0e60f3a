"""The pictures of the report: black and white, told apart by shape and name, not by colour."""

import statistics

import matplotlib

matplotlib.use("svg")
# The same file from the same results.
matplotlib.rcParams.update({"svg.hashsalt": "libsk", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9,
                            "axes.spines.top": False, "axes.spines.right": False})

import matplotlib.pyplot as plt  # noqa: E402

MARKS = {"raw": ("_", "black"), "raw again": ("|", "black"), "libsk static": ("o", "black"), "libsk shared": ("o", "white"),
         "libuv": ("^", "white"), "libevent": ("v", "white"), "APR": ("s", "white"), "NSPR": ("D", "white"),
         "GLib": ("P", "white"), "SDL2_net": ("X", "white"), "NNG": ("*", "white")}


def save(figure, path):
    figure.savefig(path, metadata={"Date": None, "Creator": None}, bbox_inches="tight")
    plt.close(figure)
    return path.name


def ratio_dots(results, ratios, path):
    """A row a workload, a mark a contender."""
    rows = results.workloads
    figure, axes = plt.subplots(figsize=(9, 0.3 * len(rows) + 1.2))
    for name, (mark, face) in MARKS.items():
        points = [(statistics.median(ratios(w, name)), len(rows) - i) for i, w in enumerate(rows) if name != "raw" and ratios(w, name)]
        if points:
            axes.scatter(*zip(*points), marker=mark, s=42, facecolors=face if mark != "|" else None, edgecolors="black" if mark != "|" else None,
                         c="black" if mark == "|" else None, linewidths=0.9, label=name, zorder=4 if name.startswith("libsk") else 3)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.axvline(0.97, color="black", linewidth=0.6, linestyle=":")
    axes.set_xscale("log", base=2)
    ticks = [1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 4]
    axes.set_xticks(ticks, [f"{t:.2g}" for t in ticks])
    axes.set_yticks(range(len(rows), 0, -1), [f"{w['group']}: {w['name']}" for w in rows])
    axes.grid(axis="y", color="0.85", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.set_xlabel("ratio to the raw calls (right is faster; dotted: 0.97)")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return save(figure, path)


def instruction_bars(results, path):
    """Panels side by side, one an operation, on a logarithmic scale."""
    counts = results.all["instructions"]
    operations = list(next(iter(counts.values())))
    names = [name for name in results.names if name in counts]
    figure, panels = plt.subplots(1, len(operations), figsize=(11, 3.4), sharey=True)
    for panel, operation in zip(panels, operations):
        for i, name in enumerate(names):
            count, at = counts[name][operation], len(names) - i
            if count is None:
                panel.text(0.02, at, "can't", va="center", fontsize=7, transform=panel.get_yaxis_transform())
                continue
            panel.barh(at, count, height=0.7, edgecolor="black", linewidth=0.7,
                       facecolor="0.3" if name.startswith("libsk") else "white", hatch="///" if name == "raw" else None)
            panel.text(count * 1.12, at, f"{count:,.0f}", va="center", fontsize=7)
        panel.set_xscale("log")
        panel.set_xlim(right=panel.get_xlim()[1] * 5)
        panel.set_title(f"a {operation}", fontsize=9)
        panel.set_yticks(range(len(names), 0, -1), names)
    figure.supxlabel("instructions in user space (left is better)", fontsize=9)
    return save(figure, path)


def echo_lines(results, path):
    """Requests a second over the number of connections; each line is named at its end."""
    workloads = results.of("echo")
    figure, axes = plt.subplots(figsize=(7, 4))
    counts = [int(w["name"].split()[0].replace(",", "")) for w in workloads]
    labels = []
    for name, (mark, face) in MARKS.items():
        points = [(n, statistics.median(w["rounds"][name])) for n, w in zip(counts, workloads) if name in w["rounds"]]
        if points and name not in ["raw again", "libsk static"]:
            axes.plot(*zip(*points), color="black", linewidth=1.6 if name == "libsk shared" else 0.7, marker=mark, markersize=6,
                      markerfacecolor="black" if name == "libsk shared" else face, linestyle="--" if name == "raw" else "-")
            labels.append((points[-1][1], points[-1][0], name))
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xticks(counts, [f"{n:,}" for n in counts])
    axes.minorticks_off()
    # Names that would lie on one another move up.
    step, last = axes.get_ylim()[1] / 22, {}
    for y, x, name in sorted(labels):
        at = max(y, last.get(x, -step) + step)
        last[x] = at
        axes.annotate(name.replace("libsk shared", "libsk"), (x, y), (x * 1.15, at), va="center", fontsize=8,
                      arrowprops={"arrowstyle": "-", "linewidth": 0.3})
    axes.set_xlabel("connections")
    axes.set_ylabel("requests per second")
    return save(figure, path)


def draw(results, ratios, folder):
    """The names of the pictures."""
    return [ratio_dots(results, ratios, folder / "ratios.svg"), instruction_bars(results, folder / "instructions.svg"),
            echo_lines(results, folder / "echo.svg")]
