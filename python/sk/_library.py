"""Finds and loads the shared library."""

from __future__ import annotations

import ctypes
import os
import pathlib

from . import _api

NAME = "libsk.so.0"


def load() -> ctypes.CDLL:
    """The one that SK_LIBRARY names, the one in this package (in a wheel), or the system's."""
    beside = pathlib.Path(__file__).with_name(NAME)
    path = os.environ.get("SK_LIBRARY") or (str(beside) if beside.exists() else NAME)
    try:
        library = ctypes.CDLL(path, use_errno=True)
    except OSError as error:
        raise ImportError(f"libsk's shared library was not found: {error}") from None
    return _api.declare(library)


library = load()
