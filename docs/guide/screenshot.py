#!/usr/bin/env python3
"""What a program draws in a terminal, as a picture for the guide.

    python3 docs/guide/screenshot.py OUT.svg SECONDS KEYS PROGRAM ARGUMENTS...

runs the program on a terminal of its own, types KEYS, and after SECONDS takes what is on the screen
just before the program begins the next picture. Then it interrupts the program. It knows what the
examples use of a terminal: cursor home, clearing, and colours.
"""

import os
import pty
import re
import select
import signal
import sys
import time
from xml.sax.saxutils import escape

BASE = ["#000000", "#cd3131", "#0dbc79", "#b58900", "#2472c8", "#bc3fbc", "#11a8cd", "#e5e5e5"]
LIGHT, DARK = "#e5e5e5", "#101010"
CELL_X, CELL_Y, EDGE = 9, 18, 12
SEQUENCE = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])")


def colour(number):
    """One of a terminal's 256."""
    if number < 16:
        return BASE[number % 8]
    if number >= 232:
        return "#" + f"{8 + 10 * (number - 232):02x}" * 3
    steps = [0, 95, 135, 175, 215, 255]
    number -= 16
    return "#%02x%02x%02x" % (steps[number // 36], steps[number // 6 % 6], steps[number % 6])


class Screen:
    def __init__(self):
        self.cells = {}
        self.x = self.y = 0
        self.plain()

    def plain(self):
        self.front, self.back, self.bold = LIGHT, None, False

    def sgr(self, numbers):
        numbers = [int(n or 0) for n in numbers.split(";")]
        while numbers:
            n = numbers.pop(0)
            if n == 0:
                self.plain()
            elif n == 1:
                self.bold = True
            elif n in (38, 48) and numbers[:1] == [5]:
                value = colour(numbers[1])
                numbers = numbers[2:]
                self.front, self.back = (value, self.back) if n == 38 else (self.front, value)
            elif 30 <= n <= 37:
                self.front = BASE[n - 30]
            elif 40 <= n <= 47:
                self.back = BASE[n - 40]

    def write(self, text):
        at = 0
        while at < len(text):
            found = SEQUENCE.match(text, at)
            if found:
                at = found.end()
                if found[2] == "H":
                    self.x = self.y = 0
                elif found[2] == "J":
                    self.cells.clear()
                elif found[2] == "K":
                    self.cells = {(x, y): c for (x, y), c in self.cells.items() if y != self.y or x < self.x}
                elif found[2] == "m":
                    self.sgr(found[1])
                continue
            character = text[at]
            at += 1
            if character == "\r":
                self.x = 0
            elif character == "\n":
                self.y += 1
            elif character >= " ":
                self.cells[self.x, self.y] = (character, self.front, self.back, self.bold)
                self.x += 1

    def svg(self):
        used = [place for place, cell in self.cells.items() if cell[0] != " " or cell[2]]
        columns, rows = (max(place[axis] for place in used) + 1 for axis in (0, 1))
        width, height = columns * CELL_X + 2 * EDGE, rows * CELL_Y + 2 * EDGE
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
            f'<rect width="{width}" height="{height}" fill="{DARK}"/>',
            "<g font-family=\"'DejaVu Sans Mono',Menlo,Consolas,monospace\" font-size=\"15\" shape-rendering=\"crispEdges\">",
        ]
        for y in range(rows):
            for half in (0, 1):
                parts += self.fills(y, half, columns)
            x = 0
            while x < columns:
                cell = self.cells.get((x, y), (" ", LIGHT, None, False))
                run = cell[0]
                while cell[0] not in " ▀" and self.cells.get((x + len(run), y), " ")[0] not in " ▀":
                    following = self.cells[x + len(run), y]
                    if following[1:] != cell[1:]:
                        break
                    run += following[0]
                if cell[0] not in " ▀":
                    weight = ' font-weight="bold"' if cell[3] else ""
                    place = f'x="{EDGE + x * CELL_X}" y="{EDGE + y * CELL_Y + 14}"'
                    stretch = f'textLength="{len(run) * CELL_X}" lengthAdjust="spacingAndGlyphs"'
                    parts.append(f'<text {place} {stretch} fill="{cell[1]}"{weight}>{escape(run)}</text>')
                x += len(run)
        return "\n".join([*parts, "</g>", "</svg>", ""])

    def fills(self, y, half, columns):
        """The backgrounds of a row's upper or lower half; neighbours of one colour together."""

        def of(x):
            character, front, back, _ = self.cells.get((x, y), (" ", None, None, False))
            return front if character == "▀" and half == 0 else back

        x = 0
        while x < columns:
            begin, fill = x, of(x)
            while x < columns and of(x) == fill:
                x += 1
            if fill:
                place = f'x="{EDGE + begin * CELL_X}" y="{EDGE + y * CELL_Y + half * CELL_Y // 2}"'
                yield f'<rect {place} width="{(x - begin) * CELL_X}" height="{CELL_Y // 2}" fill="{fill}"/>'


def main():
    out, seconds, keys, *command = sys.argv[1:]
    child, terminal = pty.fork()
    if child == 0:
        os.execv(command[0], command)
    screen, end = Screen(), time.monotonic() + float(seconds)
    if keys:
        os.write(terminal, keys.encode())
    rest = b""
    while select.select([terminal], [], [], 10)[0]:
        rest += os.read(terminal, 65536)
        # Whole pictures only: up to the last beginning of one.
        whole, home, begun = rest.rpartition(b"\x1b[H")
        if not home:
            continue
        screen.write(whole.decode(errors="replace"))
        rest = home + begun
        if time.monotonic() >= end:
            break
    with open(out, "w", encoding="utf-8") as file:
        file.write(screen.svg())
    os.kill(child, signal.SIGINT)
    while select.select([terminal], [], [], 5)[0]:
        try:
            os.read(terminal, 65536)
        except OSError:
            break
    os.waitpid(child, 0)


main()
