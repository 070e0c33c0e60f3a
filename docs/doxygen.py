#!/usr/bin/env python3
"""Doxygen's filter: says in Doxygen's words what the headers and the guide say in their own.

    python3 docs/doxygen.py FILE
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
HEADER = (ROOT / "include/sk.h").read_text(encoding="utf-8")
NAMES = set(re.findall(r"\b(?:sk|SK)_\w+", HEADER)) - {"SK_H"}


def linked(text):
    """A name between backticks becomes a link, and Doxygen says where it leads nowhere."""

    def link(found):
        name = found[1].removesuffix("()")
        if name in NAMES:
            return f'@ref {name} "{name}"'
        # For Doxygen a quotation mark ends a code span that begins with one backtick.
        return f"``{found[1]}``" if "'" in found[1] else found[0]

    return re.sub(r"`([^`]+)`", link, text)


def comment(found):
    """A comment of a header as one of Doxygen's."""
    text = re.sub(r"([@\\%])", r"\\\1", found["text"])
    first = found.start() == 0
    paragraphs = re.sub(r"^ *\* ?", "", text, flags=re.M).strip().split("\n\n")
    for at, paragraph in enumerate(paragraphs):
        if paragraph.startswith("Returns "):
            paragraph = re.sub(r"^`SK_E", r"- `SK_E", paragraph.replace("Returns", "@return", 1), flags=re.M)
        elif paragraph.startswith("Threads: "):
            paragraph = "@par Threads, signals, versions\n" + paragraph
        elif not first:
            # "host, port: where to": each such line begins a parameter.
            paragraph = re.sub(r"^([a-z_]+(?:, [a-z_]+)*): ", parameter, paragraph, flags=re.M)
        paragraphs[at] = linked(paragraph)
    return found["indent"] + ("/** @file\n" if first else "/** ") + "\n\n".join(paragraphs) + " */"


def parameter(found):
    return f"@param {found[1].replace(', ', ',')} "


def header(text, all_comments):
    """In sk.hpp all comments are for who uses it, but for the rulers between the parts."""
    begin = r"/\*(?! ---)\**" if all_comments else r"(?:/\*\*|\A/\*)"
    return re.sub(rf"^(?P<indent> *){begin}(?P<text>.*?)\*/", comment, text, flags=re.M | re.S)


def page(text):
    """A page in Markdown: links to the names in its text, and none to files that are no pages here."""
    text = re.sub(r"\[([^]]*)\]\((?:[^)]*\.ko\.md|ko/[^)]*|LICENSE-\w+)\)", r"\1", text)
    # Code, and links that are there already, stay as they are.
    parts = re.split(r"(^```.*?^```$|\[[^]]*\]\([^)]*\))", text, flags=re.M | re.S)
    parts[::2] = map(linked, parts[::2])
    return "".join(parts)


def main():
    path = pathlib.Path(sys.argv[1])
    text = path.read_text(encoding="utf-8")
    sys.stdout.reconfigure(encoding="utf-8")
    print(page(text) if path.suffix == ".md" else header(text, path.suffix == ".hpp"), end="")


main()
