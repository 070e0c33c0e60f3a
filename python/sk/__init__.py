"""Safe sockets: libsk's, with the methods and exceptions of the standard library's socket.

    import sk

    with sk.dial("tcp://example.org:80", timeout=5) as s:
        s.settimeout(5)
        s.sendall(b"HEAD / HTTP/1.0\\r\\n\\r\\n")
        print(s.recv(4096))

A closed socket is never another one; `close` wakes every thread that waits in a call on the
socket; each time limit covers its whole call; no signal ends a program because its peer went
away. Programs of the standard library run on it too: see `in_place_of_socket`.
"""

from __future__ import annotations

import contextlib
import socket as _standard
from typing import Iterator

from . import _api
from ._address import resolve
from ._api import *  # noqa: F403 - the constants of the C interface
from ._batch import Datagrams
from ._errors import ClosedError, UnexpectedEnd
from ._library import library as _library
from ._poller import Poller, Ready
from ._socket import Socket, dial, serve, socketpair

__version__ = _api.SK_VERSION_STRING

__all__ = [
    "ClosedError",
    "Datagrams",
    "Poller",
    "Ready",
    "Socket",
    "UnexpectedEnd",
    "dial",
    "in_place_of_socket",
    "open_count",
    "resolve",
    "serve",
    "socketpair",
]
__all__ += [name for name in dir(_api) if name.startswith("SK_")]


def open_count() -> int:
    """How many handles are live, for leak checks."""
    return int(_library.sk_open_count())


@contextlib.contextmanager
def in_place_of_socket() -> Iterator[None]:
    """While it is entered, socket.socket is sk.Socket: for http.client, http.server, socketserver
    and others that make their sockets through that name. For the whole process: enter it once,
    around the program.
    """
    with contextlib.suppress(ImportError):
        # Its sockets are a subclass of what it finds, and take over the descriptor that one of libsk's gives up.
        import ssl as _  # noqa: F401
    original = _standard.socket
    _standard.socket = Socket  # type: ignore[assignment,misc]
    try:
        yield
    finally:
        _standard.socket = original  # type: ignore[misc]
