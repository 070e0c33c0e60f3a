"""Who takes part, how each is compiled, and what each can't do."""

import os
import shlex
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
FLAGS = "-std=c99 -O2 -Wall -Wextra -pthread -D_GNU_SOURCE".split()
SMALL = "-Os -ffunction-sections -fdata-sections -Wl,--gc-sections -s".split()
# How a program says that its contender has no such call.
CANNOT = 77


class Contender:
    def __init__(self, name, source, packages="", header=None, config=None, link="", archive=None):
        self.name, self.source, self.packages = name, source, packages
        self.header, self.config, self.link, self.archive = header, config, link, archive
        self.style = self.version = None

    def flags(self, what):
        if self.config is None:
            return []
        said = subprocess.run(["pkg-config", what, self.config], capture_output=True, text=True)
        return said.stdout.split()

    def installed(self):
        """Whether its header is there. Raw calls and libsk always are."""
        if self.header is None:
            return True
        command = [*compiler(), *self.flags("--cflags"), "-E", "-x", "c", "-"]
        return subprocess.run(command, input=f"#include <{self.header}>\n", text=True, capture_output=True).returncode == 0


def contenders(library, native):
    """In the order of the tables. `library` is the folder of libsk.a and libsk.so."""
    shared_name = library / "libsk.so.0"
    if not shared_name.exists():
        shared_name.symlink_to("libsk.so")
    archive = f"{library}/libsk.a {native}"
    return [
        Contender("raw", "raw.c"),
        Contender("raw again", "raw.c"),
        Contender("libsk static", "libsk.c", link=archive),
        Contender("libsk shared", "libsk.c", link=f"{library}/libsk.so -Wl,-rpath,{library}"),
        Contender("libuv", "libuv.c", "libuv1-dev", "uv.h", "libuv", "-luv", "-l:libuv_a.a -lpthread -ldl -lrt"),
        Contender("libevent", "libevent.c", "libevent-dev", "event2/event.h", "libevent_core", "-levent_core",
                  "-l:libevent_core.a"),
        Contender("APR", "apr.c", "libapr1-dev", "apr_network_io.h", "apr-1", "-lapr-1",
                  "-l:libapr-1.a -luuid -lcrypt -lpthread -ldl"),
        Contender("NSPR", "nspr.c", "libnspr4-dev", "nspr.h", "nspr", "-lnspr4", "-l:libnspr4.a -lpthread -ldl -lrt"),
        Contender("GLib", "glib.c", "libglib2.0-dev", "gio/gio.h", "gio-2.0", "-lgio-2.0 -lgobject-2.0 -lglib-2.0",
                  "-l:libgio-2.0.a -l:libgobject-2.0.a -l:libgmodule-2.0.a -l:libglib-2.0.a -lffi -lpcre2-8 -lz -lmount "
                  "-lselinux -lresolv -lm -ldl"),
        Contender("SDL2_net", "sdl2_net.c", "libsdl2-net-dev", "SDL_net.h", "SDL2_net", "-lSDL2_net -lSDL2",
                  "-l:libSDL2_net.a -lSDL2"),
        Contender("NNG", "nng.c", "libnng-dev", "nng/nng.h", None, "-lnng",
                  "-l:libnng.a -lmbedtls -lmbedx509 -lmbedcrypto -lpthread -latomic"),
    ]


def compiler():
    return shlex.split(os.environ.get("CC", "cc"))


def compiled(contender, driver, out, flags=(), link=None):
    """The path of `driver` linked with a contender; None and what the compiler said where it fails."""
    program = out / "-".join([driver, contender.name.replace(" ", "-"), *(["small"] if flags else [])])
    if link is not None:
        program = program.with_name(program.name + "-archive")
    command = [*compiler(), *FLAGS, *flags, *contender.flags("--cflags"), f"-I{HERE.parent.parent / 'include'}"]
    command += [str(HERE / f"{driver}.c"), str(HERE / contender.source), "-o", str(program)]
    command += shlex.split(contender.link if link is None else link)
    finished = subprocess.run(command, capture_output=True, text=True)
    return (program if finished.returncode == 0 else None), finished.stderr
