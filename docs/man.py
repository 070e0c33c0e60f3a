#!/usr/bin/env python3
"""Makes the man pages from include/sk.h, whose comments are their only source:
a page of section 3 for each function, and sk(7) with the rules, constants and types.

    python3 docs/man.py include/sk.h FOLDER
"""

import os
import pathlib
import re
import sys
import time

class Comment:
    """A comment of the header: paragraphs, each a list of lines."""

    def __init__(self, text):
        lines = [re.sub(r"^\s*\*? ?", "", line).rstrip() for line in text.strip().splitlines()]
        self.paragraphs = [[]]
        for line in lines:
            if line:
                self.paragraphs[-1].append(line)
            elif self.paragraphs[-1]:
                self.paragraphs.append([])
        self.paragraphs = [lines for lines in self.paragraphs if lines]

    def text(self):
        return " ".join(" ".join(lines) for lines in self.paragraphs)


class Function:
    def __init__(self, comment, declaration):
        self.result, self.name, arguments = re.fullmatch(
            r"((?:const )?\w+ \*?)\s*(sk_\w+)\((.*)\)", " ".join(declaration.split())
        ).groups()
        self.arguments = [] if arguments == "void" else [text.strip() for text in arguments.split(",")]
        self.description, self.parameters, self.returns, self.notes = [], [], [], ""
        for lines in Comment(comment).paragraphs:
            if lines[0].startswith("Returns"):
                self.returns = lines
            elif lines[0].startswith("Threads:"):
                self.notes = " ".join(lines)
            elif re.match(r"[a-z_]+(, [a-z_]+)*: ", lines[0]) and not self.parameters:
                self.parameters = entries(lines, r"([a-z_]+(?:, [a-z_]+)*): (.*)")
            else:
                self.description.append(" ".join(lines))

    def part(self, begin, *ends):
        """What the notes say from one of their words on up to the next."""
        found = re.search(rf"{begin} (.*?)\.?\s*(?:$|{'|'.join(ends)})" if ends else rf"{begin} (.*?)\.?\s*$", self.notes)
        return found.group(1).strip().rstrip(".") if found else ""


def entries(lines, pattern):
    """Lines that begin an entry, each with those that go on with it."""
    found = []
    for line in lines:
        match = re.match(pattern, line)
        if match:
            found.append([match.group(1), match.group(2)])
        else:
            found[-1][1] += " " + line
    return found


def escaped(text):
    text = text.replace("\\", "\\e").replace("\N{HORIZONTAL ELLIPSIS}", "...")
    return re.sub(r"^([.'])", r"\\&\1", text)


def marked(code):
    """The macro for a name between backticks."""
    if re.fullmatch(r"sk_\w+(\(\))?", code) and code.removesuffix("()") in FUNCTIONS:
        return f"Xr {code.removesuffix('()')} 3"
    if re.fullmatch(r"SK_\w+", code):
        return f"Dv {code}"
    if re.fullmatch(r"(enum |struct )?sk_\w+", code):
        return f'Vt "{code}"'
    return f'Ql "{escaped(code)}"'


FUNCTIONS = set()


def prose(text):
    """Running text as mdoc: a macro needs a line of its own."""
    lines, plain = [], []

    def flush():
        if plain:
            lines.append(escaped(" ".join(plain)))
            plain.clear()

    for word in re.findall(r"[^\s`]*`[^`]*`[^\s`]*|\S+", text):
        found = re.fullmatch(r"([(]*)`([^`]*)`([^`]*)", word)
        if not found or not re.fullmatch(r"[).,;:]*", found.group(3)):
            # Something is glued to the name, as the s of a plural is.
            plain.append(word.replace("`", ""))
        else:
            flush()
            before, code, after = found.groups()
            lines.append(" ".join(["." + marked(code).split()[0], *before, *marked(code).split(None, 1)[1:], *after]))
        if plain and word.endswith((".", ":")):
            flush()
    flush()
    return lines


def tagged(pairs, width="Ds"):
    """A list of terms, each with what is said of it."""
    page = [f".Bl -tag -width {width}"]
    for term, text in pairs:
        page += [f".It {term}", *prose(text)]
    return page + [".El"]


def date():
    # What a packager asks for, or the day of the build.
    when = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time())))
    return time.strftime("%B ", when) + f"{when.tm_mday}, {when.tm_year}"


def head(name, section, purpose):
    return [f".Dd {date()}", f".Dt {name.upper()} {section}", ".Os", ".Sh NAME", f".Nm {name}", f".Nd {purpose}"]


def lowered(sentence):
    first = sentence.split()[0]
    keep = first.isupper() or first.startswith("`")
    return sentence if keep else sentence[0].lower() + sentence[1:]


def lead(text):
    """What stands before the errors, as a sentence of its own."""
    for end, words in [
        (r"[,;] or:", ", or one of the errors below."),
        (r", and:", ", and the errors below."),
        (r":", ", one of the errors below."),
        (r";", ", or one of the errors below."),
    ]:
        if re.search(end + "$", text):
            return re.sub(end + "$", words, text)
    return text


def returned(function):
    """RETURN VALUES, and ERRORS where each has a line of its own."""
    lines = function.returns
    begin = next((at for at, line in enumerate(lines) if at and re.match(r"`SK_E", line)), None)
    if begin is None or not lines[begin - 1].rstrip().endswith((":", ";")):
        return [".Sh RETURN VALUES", *prose(" ".join(lines))]
    # "`SK_EA`, `SK_EB` when; `SK_EC` when, `SK_ED` when": each begins a line, or follows a semicolon
    # or the words about another.
    items = re.split(r";\s+(?=`SK_E)|(?<!`),\s+(?=`SK_E\w+` [a-z])", " ".join(lines[begin:]))
    # Whole sentences behind the last are about all of them.
    items[-1], *rest = re.split(r"(?<=\.)\s+(?=[A-Z])", items[-1], maxsplit=1)
    pairs = [re.match(r"((?:`SK_E\w+`(?:, )?)+) ?(.*)", item).groups() for item in items]
    page = [".Sh RETURN VALUES", *prose(lead(" ".join(lines[:begin])))]
    page += [".Sh ERRORS", ".Bl -tag -width Er"]
    for codes, text in pairs:
        names = re.findall(r"SK_E\w+", codes)
        page.append(".It " + " , ".join(f"Dv {name}" for name in names))
        page += prose(text if text else "as sk_strerror says")
    page.append(".El")
    for text in rest:
        page += [".Pp", *prose(text)]
    return page


def page_of(function):
    sentence = re.split(r"(?<=[.:]) ", function.description[0])[0].rstrip(".:")
    page = head(function.name, 3, escaped(lowered(sentence).replace("`", "")))
    page += [".Sh SYNOPSIS", ".In sk.h", f'.Ft "{function.result.strip()}"', f".Fo {function.name}"]
    page += [f'.Fa "{argument}"' for argument in function.arguments] + [".Fc", ".Sh DESCRIPTION"]
    for at, text in enumerate(function.description):
        page += [".Pp"] * (at > 0) + prose(text)
    if function.parameters:
        page += [".Pp", "The parameters are:"]
        page += tagged((" , ".join(f"Fa {name}" for name in names.split(", ")), text) for names, text in function.parameters)
    page += returned(function)
    ends = ["Signals:", "Since ", "See "]
    page += [".Sh THREADS AND SIGNALS", *prose("Threads: " + function.part("Threads:", *ends) + "."), ".Pp"]
    page += prose("Signals: " + function.part("Signals:", *ends[1:]) + ".")
    see, others = [], []
    for source in re.split(r", | and ", function.part("See")):
        match = re.fullmatch(r"(?:.* in )?(\w+)\((\d\w*)\)", source.strip())
        if match and match.group(1).startswith("sk"):
            continue
        if match:
            see.append((match.group(2), match.group(1)))
        elif source.strip():
            others.append(source.strip())
    see.append(("7", "sk"))
    see = sorted(set(see))
    page += [".Sh SEE ALSO"]
    page += [f".Xr {name} {section}" + (" ," if at + 1 < len(see) else "") for at, (section, name) in enumerate(see)]
    if others:
        page += [".Pp", *prose("Also: " + "; ".join(others) + ".")]
    page += [".Sh HISTORY", *prose(f"{function.name}() appeared in libsk {function.part('Since', 'See ')}.")]
    # A page does not refer to itself.
    return [line.replace(f"Xr {function.name} 3", f"Nm {function.name}") for line in page]


def overview(header, functions):
    page = head("sk", 7, "safe sockets")
    page += [".Sh SYNOPSIS", ".In sk.h", ".Pp", ".Dl cc program.c $(pkg-config --cflags --libs sk)", ".Sh DESCRIPTION"]
    rules = Comment(re.match(r"/\*(.*?)\*/", header, flags=re.S).group(1)).paragraphs
    for lines in rules:
        if "#include" not in lines[0]:
            page += [*prose(" ".join(lines)), ".Pp"]
    page.pop()
    page += [".Sh FUNCTIONS", ".Bl -tag -width Ds -compact"]
    for function in functions:
        sentence = re.split(r"(?<=[.:]) ", function.description[0])[0].rstrip(".:")
        page += [f".It Xr {function.name} 3", *prose(sentence)]
    page += [".El", ".Sh CONSTANTS"]
    for kind, name, body in re.findall(r"\n(enum) (sk_\w+)[^{]*\{(.*?)\n\}", header, flags=re.S):
        comment = header[: header.index(f"\n{kind} {name}")].rsplit("/**", 1)[1].rsplit("*/", 1)[0]
        page += [f".Ss enum {name}", *prose(Comment(comment).text())]
        values = re.findall(r"/\*\*(.*?)\*/\s*(SK_\w+)", body, flags=re.S)
        page += tagged((f"Dv {value}", Comment(text).text()) for text, value in values)
    page += [".Ss Bits, limits and versions"]
    macros = re.findall(r"/\*\*((?:(?!\*/).)*)\*/\s*#define (SK_\w+) ", header, flags=re.S)
    page += tagged((f"Dv {name}", Comment(text).text()) for text, name in macros)
    page += [".Sh TYPES"]
    for text, name, body in re.findall(r"/\*\*((?:(?!\*/).)*)\*/\s*typedef struct (sk_\w+) \{(.*?)\n\}", header, flags=re.S):
        page += [f".Ss struct {name}", *prose(Comment(text).text())]
        fields = re.findall(r"/\*\*(.*?)\*/\s*([^;]+);", body, flags=re.S)
        page += tagged((f'Va "{" ".join(field.split())}"', Comment(text).text()) for text, field in fields)
    return page + [".Sh SEE ALSO", ".Xr epoll 7 ,", ".Xr ip 7 ,", ".Xr ipv6 7 ,", ".Xr socket 7 ,", ".Xr tcp 7 ,", ".Xr udp 7 ,", ".Xr unix 7"]


def main():
    header = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")
    folder = pathlib.Path(sys.argv[2])
    pattern = r"/\*\*((?:(?!\*/).)*)\*/\s*((?:const )?\w+ \*?sk_\w+\([^()]*\));"
    functions = [Function(*found) for found in re.findall(pattern, header, flags=re.S)]
    FUNCTIONS.update(function.name for function in functions)
    for section in ("man3", "man7"):
        (folder / section).mkdir(parents=True, exist_ok=True)
    for function in functions:
        write(folder / "man3" / f"{function.name}.3", page_of(function))
    write(folder / "man7" / "sk.7", overview(header, functions))
    print(f"{len(functions) + 1} man pages in {folder}")


def write(path, lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


main()
