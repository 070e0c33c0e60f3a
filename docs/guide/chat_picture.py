#!/usr/bin/env python3
"""Draws img/07-chat-terminal.svg from a real chat in real terminals (tmux):
python3 docs/guide/chat_picture.py target/c-examples"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import terminal_svg

HERE = pathlib.Path(__file__).parent
LIMIT = 10  # seconds, for each thing that is waited for


def tmux(server, *words):
    command = ["tmux", "-u", "-L", server, "-f", os.devnull, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def capture(server, pane):
    return tmux(server, "capture-pane", "-e", "-p", "-t", pane).rstrip("\n")


def wait_for(server, pane, words):
    deadline = time.monotonic() + LIMIT
    while words not in (seen := capture(server, pane)):
        if time.monotonic() > deadline:
            sys.exit(f"{pane} does not show {words!r} but:\n{seen}")
        time.sleep(0.02)
    return seen


def main():
    programs = pathlib.Path(sys.argv[1]).resolve()
    server = f"sk-chat-{os.getpid()}"

    def terminal(name, command):
        tmux(server, "new-session", "-d", "-s", name, "-x", "46", "-y", "14", f"PS1='$ ' exec sh -i")
        wait_for(server, name, "$")
        tmux(server, "send-keys", "-t", name, "-l", command)
        tmux(server, "send-keys", "-t", name, "Enter")

    def say(name, words):
        tmux(server, "send-keys", "-t", name, "-l", words)
        tmux(server, "send-keys", "-t", name, "Enter")

    with tempfile.TemporaryDirectory() as folder:
        for name in ("chat_server", "chat_client"):
            os.symlink(programs / name, f"{folder}/{name}")
        os.environ["PATH"] = f"{folder}:{os.environ['PATH']}"
        try:
            terminal("server", "chat_server --port 7000")
            wait_for(server, "server", "welcome at")
            terminal("ann", "chat_client localhost 7000 ann")
            wait_for(server, "ann", "people here: 1")
            terminal("minsu", "chat_client localhost 7000 민수")
            wait_for(server, "ann", "민수 joined")
            terminal("carl", "nc localhost 7000")
            wait_for(server, "carl", "your name?")
            say("carl", "carl")
            wait_for(server, "minsu", "carl joined")
            wait_for(server, "ann", "carl joined")
            for name, other, words in [
                ("ann", "minsu", "hello, everybody"),
                ("minsu", "carl", "안녕하세요!"),
                ("minsu", "ann", "I am in Seoul. And you?"),
                ("carl", "minsu", "I came with nc, it works too"),
            ]:
                say(name, words)
                wait_for(server, other, f": {words}")
            tmux(server, "send-keys", "-t", "carl", "C-c")
            wait_for(server, "minsu", "carl left")
            wait_for(server, "ann", "carl left")
            wait_for(server, "server", "carl left")
            shown = [(name, capture(server, name)) for name in ("ann", "minsu", "server")]
        finally:
            subprocess.run(["tmux", "-L", server, "kill-server"], capture_output=True)
    picture = terminal_svg.picture([(name, re.sub(r"^\s*\n", "", text)) for name, text in shown])
    for folder in (HERE / "img", HERE / "ko" / "img"):
        (folder / "07-chat-terminal.svg").write_text(picture, encoding="utf-8")


main()
