"""Negative results as exceptions: the subclass of OSError that goes with the errno."""

from __future__ import annotations

import ctypes
import socket
from typing import NoReturn

from . import _api
from ._library import library


class ClosedError(OSError):
    """The socket was closed by another thread during the call."""


class UnexpectedEnd(EOFError):
    """The peer ended the stream before the count asked for."""

    #: What came until then.
    partial: bytes = b""


def fail(code: int) -> NoReturn:
    """Raises what a negative result means."""
    errno = ctypes.get_errno()
    text = library.sk_strerror(code).decode()
    if code == _api.SK_ETIMEDOUT:
        # An alias of TimeoutError since Python 3.10, its own class before.
        raise socket.timeout(text)
    if code == _api.SK_ECLOSED:
        raise ClosedError(errno, text)
    if code == _api.SK_EEOF:
        raise UnexpectedEnd(text)
    if code == _api.SK_EHOSTNOTFOUND:
        raise socket.gaierror(socket.EAI_NONAME, text)
    if code == _api.SK_ERESOLVE:
        raise socket.gaierror(socket.EAI_AGAIN, text)
    raise OSError(errno, text)


def check(result: int) -> int:
    """The result, if it is no failure."""
    if result < 0:
        fail(result)
    return result
