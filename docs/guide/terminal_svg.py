#!/usr/bin/env python3
"""Draws captures of terminals, side by side, as an SVG that looks like them.

    tmux capture-pane -e -p -t PANE > capture
    python3 docs/guide/terminal_svg.py OUT.svg "TITLE=capture" ["TITLE=capture" ...]

A capture is text, with or without the escape sequences for colours. Characters that are two
cells wide (Korean, for one) keep their place. White background, so that it reads everywhere."""

import pathlib
import re
import sys
import unicodedata
from xml.sax.saxutils import escape

CELL, LINE, MARGIN, BAR = 7.8, 17, 12, 26
FONT = "font-family=\"'DejaVu Sans Mono','Noto Sans Mono CJK KR','D2Coding',Menlo,Consolas,monospace\""
# The eight colours, dark enough for white paper.
COLOURS = ["#111111", "#b00020", "#1b6e2d", "#7a5900", "#1a4fa0", "#7b2d8b", "#00696d", "#666666"]
STYLE = re.compile(r"\x1b\[([0-9;]*)m")
OTHER = re.compile(r"\x1b(\[[0-9;?]*[A-Za-ln-z]|\([A-Z0-9]|[=>])")


class Look:
    """What the escape sequences have asked for so far."""

    def __init__(self):
        self.bold = self.reverse = False
        self.colour = self.background = None

    def take(self, numbers):
        codes = [int(n or 0) for n in numbers.split(";")]
        while codes:
            code = codes.pop(0)
            if code == 0:
                self.__init__()
            elif code in (1, 22):
                self.bold = code == 1
            elif code in (7, 27):
                self.reverse = code == 7
            elif 30 <= code <= 37 or 90 <= code <= 97:
                self.colour = COLOURS[code % 10]
            elif 40 <= code <= 47 or 100 <= code <= 107:
                self.background = COLOURS[code % 10]
            elif code == 39:
                self.colour = None
            elif code == 49:
                self.background = None
            elif code in (38, 48):  # of 256 colours, or red, green and blue
                if codes and codes[0] == 5:
                    colour = indexed(codes[1]) if len(codes) > 1 else None
                    del codes[:2]
                else:
                    colour = "#%02x%02x%02x" % tuple(codes[1:4]) if len(codes) >= 4 else None
                    del codes[:4]
                if code == 38:
                    self.colour = colour
                else:
                    self.background = colour

    def ink_and_paper(self):
        ink, paper = self.colour or "#111111", self.background
        return (paper or "#ffffff", ink) if self.reverse else (ink, paper)


def indexed(n):
    if n < 16:
        return COLOURS[n % 8]
    if n >= 232:
        return "#%02x%02x%02x" % ((8 + 10 * (n - 232),) * 3)
    levels = [0, 95, 135, 175, 215, 255]
    return "#%02x%02x%02x" % (levels[(n - 16) // 36], levels[(n - 16) // 6 % 6], levels[(n - 16) % 6])


def cells(character):
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def width(line):
    return sum(cells(c) for c in STYLE.sub("", line))


def runs(line, look):
    """Pieces of one look and one width, each with the cell where it begins."""
    at = 0
    for n, piece in enumerate(STYLE.split(line)):
        if n % 2 == 1:
            look.take(piece)
            continue
        start, text, wide = at, "", None
        for c in piece:
            if text and cells(c) == 2 or wide == 2:
                yield start, text, look
                start, text = at, ""
            text += c
            wide = cells(c)
            at += wide
        if text:
            yield start, text, look


def window(x, title, lines, columns, rows):
    w, h = columns * CELL + 2 * MARGIN, BAR + rows * LINE + MARGIN
    yield f'<rect x="{x}" y="8" width="{w:g}" height="{h}" rx="7" fill="#ffffff" stroke="#444" stroke-width="1.5"/>'
    yield f'<path d="M{x} 34 h{w:g}" stroke="#444" stroke-width="1"/>'
    for n in range(3):
        yield f'<circle cx="{x + 16 + 16 * n}" cy="21" r="4.5" fill="none" stroke="#444" stroke-width="1.2"/>'
    yield (
        f'<text x="{x + w / 2:g}" y="25.5" font-size="12.5" text-anchor="middle" fill="#333" {FONT}>{escape(title)}</text>'
    )
    look = Look()
    for row, line in enumerate(lines):
        y = 8 + BAR + (row + 1) * LINE - 2
        for start, text, style in runs(line, look):
            ink, paper = style.ink_and_paper()
            left, length = x + MARGIN + start * CELL, width(text) * CELL
            if paper:
                yield f'<rect x="{left:g}" y="{y - 13}" width="{length:g}" height="{LINE}" fill="{paper}"/>'
            if text.strip():
                weight = ' font-weight="bold"' if style.bold else ""
                # The length is given, so that another font does not move what follows.
                fit = f' textLength="{length:g}" lengthAdjust="spacingAndGlyphs"' if len(text) > 1 else ""
                yield (
                    f'<text x="{left:g}" y="{y}" font-size="13" xml:space="preserve" fill="{ink}"{weight}{fit} '
                    f"{FONT}>{escape(text)}</text>"
                )


def picture(captures):
    """captures: pairs of title and text."""
    screens = [(title, OTHER.sub("", text).rstrip("\n").split("\n")) for title, text in captures]
    rows = max(len(lines) for _, lines in screens)
    parts, x = [], 8
    for title, lines in screens:
        columns = max([width(line.rstrip()) for line in lines] + [len(title) + 16])
        parts += window(x, title, lines, columns, rows)
        x += columns * CELL + 2 * MARGIN + 12
    size = f"{x - 4:g}", f"{rows * LINE + BAR + MARGIN + 16:g}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" width="{size[0]}" height="{size[1]}">\n'
        f'<rect width="{size[0]}" height="{size[1]}" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def main():
    if len(sys.argv) < 3 or not all("=" in argument for argument in sys.argv[2:]):
        sys.exit(__doc__)
    pairs = [argument.split("=", 1) for argument in sys.argv[2:]]
    captures = [(title, pathlib.Path(path).read_text(encoding="utf-8")) for title, path in pairs]
    pathlib.Path(sys.argv[1]).write_text(picture(captures), encoding="utf-8")


if __name__ == "__main__":
    main()
