#!/usr/bin/env python3
"""What the library takes on a small system: text, data and bss, and stack for each call, on ARMv7
with Thumb-2 and on x86-64, built with the profile `embedded`. Prints the tables of docs/embedded.md.

Needed: rustup (or the core libraries of both targets), arm-linux-gnueabihf-gcc, binutils.

Sizes: what the linker keeps of libsk.a for the functions of a set, in one relocatable file.
Stack: from the machine code, the frames of the functions on the deepest way down, without the C
library's own. What is called through a pointer is taken to be a closure of a function on the way; one
whose maker the compiler dissolved into its caller is missed.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGETS = [
    ("thumb2", "thumbv7neon-unknown-linux-gnueabihf", "arm-linux-gnueabihf-"),
    ("x86-64", "x86_64-unknown-linux-gnu", ""),
]
# TCP, UDP, options, addresses: without names, many at once, Unix sockets, descriptors.
CORE = """sk_socket sk_bind sk_bind_addr sk_listen sk_accept sk_connect sk_connect_addr sk_send sk_recv
sk_send_to sk_recv_from sk_shutdown sk_close sk_local_addr sk_peer_addr sk_wait sk_set_option
sk_get_option sk_set_timeout sk_addr_parse sk_addr_format sk_addr_equal sk_init sk_memory_needed""".split()
CORE_TEXT, ALL_TEXT, STACK = 16 * 1024, 64 * 1024, 512
# They may take more: names, and batches and sk_poll keep lists of 64 on the stack.
MAY_TAKE_MORE = {"sk_resolve", "sk_dial", "sk_serve", "sk_connect", "sk_bind", "sk_poll"}


def call(command, **more):
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
    if done.returncode != 0:
        sys.exit(f"{command}\n{done.stdout}")
    return done.stdout


def build(target, prefix, features, out):
    environment = dict(os.environ, SK_NESTED_BUILD="1", CARGO_TERM_COLOR="never")
    environment[f"CARGO_TARGET_{target.upper().replace('-', '_')}_LINKER"] = f"{prefix}gcc"
    call(["cargo", "rustc", "--lib", "--profile", "embedded", "--no-default-features", "--features", features,
          "--locked", "--target", target, "--target-dir", out, "--crate-type=cdylib,staticlib"], cwd=ROOT, env=environment)
    return out / target / "embedded"


def sizes(prefix, folder, functions, out):
    """Text with constants, data, bss, and what only unwinding would read, of some functions."""
    kept = out / "kept.o"
    call([f"{prefix}ld", "-r", "--gc-sections", *[f"-u{name}" for name in functions], "-e", functions[0],
          "-o", kept, folder / "libsk.a"])
    sums = {"code": 0, "constants": 0, "data": 0, "bss": 0, "unwind": 0}
    for line in call([f"{prefix}size", "-A", kept]).splitlines():
        match = re.match(r"(\.\S+)\s+(\d+)", line)
        if not match:
            continue
        name, size = match.group(1), int(match.group(2))
        for beginning, kind in [(".text", "code"), (".rodata", "constants"), (".data", "data"), (".init_array", "data"),
                                (".bss", "bss"), (".eh_frame", "unwind"), (".ARM.ex", "unwind"), (".gcc_except", "unwind")]:
            if name.startswith(beginning):
                sums[kind] += size
                break
    return sums


class Function:
    def __init__(self):
        self.frame, self.pushed, self.callees, self.pointer = 0, set(), set(), False


def frame_bytes(instruction, is_arm):
    """What an instruction takes from the stack. Where several branches take some, their sum: an upper bound."""
    if is_arm:
        registers = re.match(r"(push|stmdb\s+sp!|stmfd\s+sp!|vpush)\S*\s.*\{(.*)\}", instruction)
        if registers:
            one, count = (8 if "vpush" in registers.group(1) else 4), 0
            for part in registers.group(2).split(","):
                bounds = [int(number) for number in re.findall(r"[a-z](\d+)", part)]
                count += bounds[1] - bounds[0] + 1 if "-" in part and len(bounds) == 2 else 1
            return one * count
        match = re.match(r"subw?(?:\.w)?\s+sp,(?: sp,)? #(\d+)", instruction) or re.match(
            r"str\S*\s.*\[sp, #-(\d+)\]!", instruction)
        return int(match.group(1)) if match else 0
    match = re.match(r"sub\s+\$0x([0-9a-f]+),%rsp", instruction)
    return int(match.group(1), 16) if match else 0


def functions_of(prefix, library):
    functions, now = {}, None
    is_arm = prefix.startswith("arm")
    for line in call([f"{prefix}objdump", "-d", "--no-show-raw-insn", library]).splitlines():
        head = re.match(r"[0-9a-f]+ <(.*)>:$", line)
        if head:
            # Thumb's local symbols, and the C library's doors.
            now = None if "@plt" in head.group(1) else functions.setdefault(head.group(1), Function())
            continue
        body = re.match(r"\s+[0-9a-f]+:\s+(.*)", line)
        if now is None or not body:
            continue
        instruction = re.sub(r"\s*[;@]\s.*", "", body.group(1))
        now.frame += frame_bytes(instruction, is_arm)
        # Several branches push the same register, or a constant, only to pop it into a register.
        pushed = re.match(r"push\s+(%\w+|\$)", instruction)
        if pushed and not is_arm and pushed.group(1) not in now.pushed:
            now.pushed.add(pushed.group(1))
            now.frame += 8
        target = re.match(r"(?:call|jmp|j\w+|bl?x?|b\w*)(?:\.[nw])?\s+(?:[0-9a-f]+ )?<([^>+]+)>", body.group(1))
        if target and "@plt" not in target.group(1):
            now.callees.add(target.group(1))
        elif re.match(r"(call|jmp)\s+\*(?!.*\(%rip\))|blx\s+r|bx\s+r", instruction):
            now.pointer = True
    return functions


def stacks(prefix, library):
    functions = functions_of(prefix, library)
    ret = 0 if prefix.startswith("arm") else 8
    # A closure is called through a pointer, below the function that made it: by its name.
    closures = {}
    for name in functions:
        maker = re.match(r"(_ZN.*?)\d+_\$u7b\$\$u7b\$closure", name)
        if maker:
            closures.setdefault(maker.group(1), []).append(name)
    known = {}

    def depth(name, way):
        """The deepest way down, and whether it is the same wherever the call comes from."""
        if name in known:
            return known[name], True
        if name not in functions:
            return (0, []), True
        one, below = functions[name], way | {name}
        callees, deepest = set(one.callees), (0, [])
        if one.pointer:
            for maker in below:
                callees.update(closures.get(re.sub(r"17h[0-9a-f]{16}E$", "", maker), []))
                callees.update(closure for path, found in closures.items() for closure in found
                               if re.search(rf"\d{maker}$", path))
        callees.discard(name)
        # What is on the way already is not gone down again, so that it is not the same elsewhere.
        fixed = not one.pointer and not callees & below
        for callee in sorted(callees - below):
            found, same = depth(callee, below)
            fixed &= same
            deepest = max(deepest, found, key=lambda one: one[0])
        result = one.frame + ret + deepest[0], [f"{name} {one.frame + ret}"] + deepest[1]
        if fixed:
            known[name] = result
        return result, fixed

    return {name: depth(name, frozenset())[0] for name in sorted(functions) if re.match(r"sk_[a-z_]+$", name)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "target" / "embedded")
    parser.add_argument("--way", help="show the deepest way down of this function")
    options = parser.parse_args()
    out = options.out.resolve()
    everything = (ROOT / "tests/functions.txt").read_text().split()
    deep = {}
    print("| Processor | Set | Code | Constants | Data | bss | Unwind tables |\n|---|---|---:|---:|---:|---:|---:|")
    missed = []
    for label, target, prefix in TARGETS:
        if not os.path.isdir(call(["rustc", "--print=target-libdir", "--target", target], cwd=ROOT).strip()):
            call(["rustup", "target", "add", target], cwd=ROOT)
        folder = build(target, prefix, "full", out)
        rows = [("everything", sizes(prefix, folder, everything, out), ALL_TEXT)]
        deep[label] = stacks(prefix, folder / "libsk.so")
        folder = build(target, prefix, "", out)
        rows.insert(0, ("core", sizes(prefix, folder, CORE, out), CORE_TEXT))
        for name, size, limit in rows:
            print(f"| {label} | {name} | {size['code']} | {size['constants']} | {size['data']} | {size['bss']} | {size['unwind']} |")
            if label == "thumb2" and size["code"] + size["constants"] > limit:
                missed.append(f"{label}, {name}: {size['code'] + size['constants']} bytes of text, wanted {limit}")
    print("\n| Function | Stack on thumb2 | on x86-64 |\n|---|---:|---:|")
    for name in everything:
        values = [deep[label].get(name, (0, []))[0] for label, _, _ in TARGETS]
        print(f"| `{name}` | {values[0]} | {values[1]} |")
        if max(values) > STACK and name not in MAY_TAKE_MORE:
            missed.append(f"{name}: {max(values)} bytes of stack, wanted {STACK}")
        if name == options.way:
            for label in deep:
                print(label, *deep[label][name][1], sep="\n    ")
    print()
    for line in missed:
        print(f"missed: {line}")


if __name__ == "__main__":
    main()
