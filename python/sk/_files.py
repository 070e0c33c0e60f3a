"""Files: a file that is sent, a socket as a file."""

from __future__ import annotations

import contextlib
import ctypes
import io
import operator
import os
import socket
import stat
from typing import Any

from . import _api, _wait
from ._address import fitting
from ._errors import check
from ._library import library
from ._transfer import Transfer
from ._wait import get_ident, meanwhile, result_of


class Files(Transfer):
    """What has to do with files."""

    _references: int

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Sends a file, without copies where the system can; its position tells how far it came, also after an
        error, as with socket.socket. A non-blocking socket sends what it takes now.
        """
        if isinstance(file, io.TextIOBase) or "b" not in getattr(file, "mode", "b"):
            raise ValueError("file should be opened in binary mode")
        if self.type != socket.SOCK_STREAM:
            raise ValueError("only SOCK_STREAM type sockets are supported")
        if count is not None and operator.index(count) <= 0:
            raise ValueError(f"count must be a positive integer (got {count!r})")
        fitting(offset + (count or 0), -(1 << 63), (1 << 63) - 1, "offset and count")
        try:
            fd = file.fileno()
            is_regular = stat.S_ISREG(os.fstat(fd).st_mode)
        except (AttributeError, OSError):
            is_regular = False
        sent = ctypes.c_size_t()
        try:
            if is_regular:
                with contextlib.suppress(AttributeError):
                    file.flush()
                code = self._send_file(fd, offset, count, sent)
            else:
                code = self._send_read(file, offset, count, sent)
        finally:
            if sent.value:
                with contextlib.suppress(AttributeError, io.UnsupportedOperation):
                    file.seek(offset + sent.value)
        if code != _api.SK_EAGAIN or not sent.value:
            check(code)
        return sent.value

    def _send_file(self, fd: int, offset: int, count: int | None, sent: ctypes.c_size_t) -> int:
        handle = self._handle
        limit = self._limit(handle, _api.SK_WRITABLE)
        most = 0
        if get_ident() == _wait.main_thread and limit.milliseconds:
            # An empty one tells whether there is something to wait for.
            result = int(library.sk_send(handle, None, 0, _api.SK_DONTWAIT))
            if result < 0 and result != _api.SK_EAGAIN:
                return result
            # So much goes without waiting where the socket is ready.
            most = max(self.get(_api.SK_OPT_SEND_BUFFER) // 4, 1)
        while count is None or sent.value < count:
            rest = -1 if count is None else count - sent.value
            if most:
                rest = most if rest < 0 else min(rest, most)
                result = limit.wait(handle, _api.SK_WRITABLE)
                if result < 0:
                    return result
            result = int(library.sk_send_file(handle, fd, offset + sent.value, rest))
            if result <= 0:
                return meanwhile(result) if most or sent.value else result
            sent.value += result
            if limit.milliseconds == 0:
                return _api.SK_OK
            if limit.is_over() and offset + sent.value < os.fstat(fd).st_size:
                return result_of(_api.SK_ETIMEDOUT)
        return _api.SK_OK

    def _send_read(self, file: Any, offset: int, count: int | None, sent: ctypes.c_size_t) -> int:
        """For what only Python can read, and what has no place to read from."""
        limit = self._limit(self._handle, _api.SK_WRITABLE)
        if offset:
            file.seek(offset)
        while count is None or sent.value < count:
            data = file.read(65_536 if count is None else min(65_536, count - sent.value))
            part = ctypes.c_size_t()
            try:
                code = self._send_all(bytes(data), len(data), 0, part, limit) if data else _api.SK_OK
            finally:
                sent.value += part.value
            if code < 0 or not data:
                return code
        return _api.SK_OK

    def makefile(
        self,
        mode: str = "r",
        buffering: int | None = None,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> Any:
        """A file object of the socket, as with socket.socket."""
        if not set(mode) <= set("rwb"):
            raise ValueError(f"invalid mode {mode!r} (only r, w, b allowed)")
        writing, reading = "w" in mode, "r" in mode or "w" not in mode
        raw = socket.SocketIO(self, ("r" if reading else "") + ("w" if writing else ""))  # type: ignore[arg-type]
        self._references += 1
        buffering = io.DEFAULT_BUFFER_SIZE if buffering is None or buffering < 0 else buffering
        if buffering == 0:
            if "b" not in mode:
                raise ValueError("unbuffered streams must be binary")
            return raw
        if reading and writing:
            buffer: Any = io.BufferedRWPair(raw, raw, buffering)
        elif reading:
            buffer = io.BufferedReader(raw, buffering)
        else:
            buffer = io.BufferedWriter(raw, buffering)
        if "b" in mode:
            return buffer
        text: Any = io.TextIOWrapper(buffer, encoding, errors, newline)
        text.mode = mode
        return text
