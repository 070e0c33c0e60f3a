"""Messages: lists of buffers, and many datagrams at once."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import operator
import socket
from typing import Any, Iterable

from . import _api, _wait
from ._address import Address
from ._batch import Datagrams
from ._errors import check
from ._library import library
from ._transfer import Transfer, address_of, translate
from ._wait import get_ident


def pieces_of(buffers: Iterable[Any], stack: contextlib.ExitStack, to_send: bool) -> tuple[Any, list[Any]]:
    """The list of buffers as C has it, and what it points into, which stays in place as long as the stack."""
    parts: list[Any] = []
    for buffer in buffers:
        if to_send and isinstance(buffer, bytes):
            parts.append(buffer)
            continue
        view = stack.enter_context(stack.enter_context(memoryview(buffer)).cast("B"))
        parts.append(bytes(view) if to_send and view.readonly else view)
    pieces = (_api.Buf * len(parts))()
    for piece, part in zip(pieces, parts):
        is_copy = isinstance(part, bytes)
        piece.data = ctypes.cast(part, ctypes.c_void_p).value if is_copy else address_of(part)
        piece.len = len(part)
    return pieces, parts


def refuse_ancillary(wanted: Any) -> None:
    if wanted:
        raise OSError(errno.EOPNOTSUPP, "libsk moves no ancillary data")


class Messages(Transfer):
    """What moves more than one buffer."""

    def sendmsg(
        self, buffers: Iterable[Any], ancdata: Iterable[Any] = (), flags: int = 0, address: Address = None
    ) -> int:
        """Sends the buffers as if they were one; no ancillary data."""
        refuse_ancillary(list(ancdata))
        if address is not None:
            return self.sendto(b"".join(buffers), flags, address)
        ours = translate(flags)
        with contextlib.ExitStack() as stack:
            pieces, _keep = pieces_of(buffers, stack, to_send=True)
            return self._move(library.sk_sendv, _api.SK_WRITABLE, pieces, len(pieces), ours)

    def recvmsg(self, size: int, ancbufsize: int = 0, flags: int = 0) -> tuple[bytes, list[Any], int, Address]:
        """As recvfrom, and tells in the third place whether the datagram was cut (MSG_TRUNC); no ancillary data."""
        size = operator.index(size)
        if size < 0:
            raise ValueError("negative buffer size in recvmsg")
        room = bytearray(size)
        got, ancillary, cut, address = self.recvmsg_into([room], ancbufsize, flags)
        return bytes(room[: min(got, size)]), ancillary, cut, address

    def recvmsg_into(
        self, buffers: Iterable[Any], ancbufsize: int = 0, flags: int = 0
    ) -> tuple[int, list[Any], int, Address]:
        """As recvmsg, into one buffer after the other."""
        if ancbufsize < 0:
            raise ValueError("invalid ancillary data buffer length")
        refuse_ancillary(ancbufsize)
        ours = translate(flags)
        with contextlib.ExitStack() as stack:
            pieces, views = pieces_of(buffers, stack, to_send=False)
            if self.type == socket.SOCK_STREAM:
                return self._move(library.sk_recvv, _api.SK_READABLE, pieces, len(pieces), ours), [], 0, None
            # A list takes no sender.
            batch = Datagrams(1, sum(map(len, views)), self.family)
            if not self.recv_batch(batch, flags):
                return 0, [], 0, None
            start, data = 0, batch[0]
            for view in views:
                part = data[start : start + len(view)]
                view[: len(part)] = part
                start += len(part)
            got = batch.messages[0].len if flags & socket.MSG_TRUNC else len(data)
            return got, [], socket.MSG_TRUNC if batch.was_cut(0) else 0, batch.address(0)

    def send_batch(self, batch: Datagrams, count: int | None = None, flags: int = 0) -> int:
        """Sends the first `count` datagrams of the batch, in as few system calls as there can be. How many went."""
        count = len(batch) if count is None else min(count, len(batch))
        if count < 0:
            raise ValueError("negative count in send_batch")
        ours, handle = translate(flags), self._handle
        if get_ident() != _wait.main_thread:
            return check(library.sk_send_batch(handle, batch.messages, count, ours))

        def step(done: int) -> int:
            rest = ctypes.byref(batch.messages[done]) if done else batch.messages
            return int(library.sk_send_batch(handle, rest, count - done, ours | _api.SK_DONTWAIT))

        result = step(0)
        if result == count or result < 0 and result != _api.SK_EAGAIN:
            return check(result)
        sent = ctypes.c_size_t(max(result, 0))
        code = self._rest(handle, _api.SK_WRITABLE, ours, step, sent, count)
        return sent.value or check(code)

    def recv_batch(self, batch: Datagrams, flags: int = 0) -> int:
        """Waits for the first datagram and takes what is there. How many came."""
        return self._move(library.sk_recv_batch, _api.SK_READABLE, batch.messages, len(batch), translate(flags))
