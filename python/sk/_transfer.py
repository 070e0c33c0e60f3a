"""Transfer: the calls that move the bytes of one buffer."""

from __future__ import annotations

import ctypes
import operator
import socket
from typing import Any, Callable

from . import _api, _wait
from ._address import Address, c_int, source, to_c
from ._errors import check, fail
from ._library import library
from ._wait import Limit, again, get_ident, go_on, result_of

#: Flags of socket.recv and socket.send, as the library has them.
FLAGS = {
    socket.MSG_PEEK: _api.SK_PEEK,
    socket.MSG_WAITALL: _api.SK_WAITALL,
    socket.MSG_DONTWAIT: _api.SK_DONTWAIT,
    socket.MSG_MORE: _api.SK_MORE,
    socket.MSG_TRUNC: _api.SK_TRUNC,
    socket.MSG_OOB: _api.SK_OOB,
}


def translate(flags: int) -> int:
    """Flags of the standard library as those of the C interface."""
    ours = 0
    for system, flag in FLAGS.items():
        if flags & system:
            ours |= flag
            flags &= ~system
    flags &= ~socket.MSG_NOSIGNAL
    if flags:
        raise ValueError(f"unknown flags: {flags:#x}")
    return ours


def address_of(view: memoryview) -> int | None:
    """Where the bytes of a view are, which stay there until it is released."""
    # Nothing of ctypes may outlive this: it would hold the buffer as long as an exception lives.
    return ctypes.addressof(ctypes.c_char.from_buffer(view)) if len(view) else None


def with_bytes(data: Any, use: Callable[[Any, int], int]) -> int:
    """What `use` makes of the place and the number of bytes to send, which stay in place meanwhile."""
    if isinstance(data, bytes):
        return use(data, len(data))
    with memoryview(data) as whole, whole.cast("B") as view:
        return use(bytes(view) if view.readonly else address_of(view), len(view))


def beyond(at: Any, count: int) -> Any:
    """The place so many bytes after another."""
    return (ctypes.cast(at, ctypes.c_void_p).value or 0) + count if count else at


def room_in(view: memoryview, size: int, name: str) -> int:
    """How many bytes to receive into a view: `size`, or as many as fit where that is 0."""
    size = operator.index(size)
    if size < 0:
        raise ValueError(f"negative buffersize in {name}")
    if size > len(view):
        raise ValueError("nbytes is greater than the length of the buffer")
    return size or len(view)


def room_for(size: int, name: str) -> Any:
    if size < 0:
        raise ValueError(f"negative buffersize in {name}")
    return ctypes.create_string_buffer(size)


class Transfer:
    """What moves bytes through a handle."""

    family: int
    type: int
    _handle: int
    #: As the library has them, where they are known. Replaced, never emptied: another thread may be filling it.
    _limits: dict[int, int]

    def get(self, option: int) -> int:
        """Reads an SK_OPT_… option."""
        value = ctypes.c_int64()
        check(library.sk_get_option(self._handle, c_int(option, "option"), ctypes.byref(value)))
        return value.value

    def _move(self, call: Any, events: int, at: Any, count: int, flags: int, *rest: Any) -> int:
        """One call that may have to wait, and did something."""
        handle = self._handle
        if get_ident() != _wait.main_thread:
            result = int(call(handle, at, count, flags, *rest))
        elif flags & _api.SK_WAITALL and events == _api.SK_READABLE:
            result = self._recv_whole(call, at, count, flags, *rest)
        else:
            now = flags | _api.SK_DONTWAIT
            result = call(handle, at, count, now, *rest)
            if result == _api.SK_EAGAIN and not flags & _api.SK_DONTWAIT:
                limit = self._limit(handle, events)
                # As `again` does, in less time.
                if limit.milliseconds != 0 and library.sk_wait(handle, events, limit.slice()) > 0:
                    result = call(handle, at, count, now, *rest)
                if result < 0:
                    result = again(handle, events, limit, result, lambda: int(call(handle, at, count, now, *rest)))
        if result < 0:
            fail(result)
        return result

    def _limit(self, handle: int, events: int) -> Limit:
        """The one of a call that begins now."""
        limits = self._limits
        milliseconds = limits.get(events)
        if milliseconds is None:
            option = _api.SK_OPT_RECV_TIMEOUT if events == _api.SK_READABLE else _api.SK_OPT_SEND_TIMEOUT
            value = ctypes.c_int64(_api.SK_FOREVER)
            library.sk_get_option(handle, option, ctypes.byref(value))
            milliseconds = limits[events] = value.value
        return Limit(milliseconds) if milliseconds >= 0 else _wait.NONE

    def _rest(
        self,
        handle: int,
        events: int,
        flags: int,
        step: Callable[[int], int],
        moved: ctypes.c_size_t,
        count: int,
        limit: Limit | None = None,
    ) -> int:
        """Goes on where a first try, without waiting, moved less than all."""
        if flags & _api.SK_DONTWAIT:
            limit = Limit(0)
        return go_on(handle, events, limit or self._limit(handle, events), step, moved, count)

    def send(self, data: Any, flags: int = 0) -> int:
        ours = translate(flags) if flags else 0
        return with_bytes(data, lambda at, length: self._move(library.sk_send, _api.SK_WRITABLE, at, length, ours))

    def sendall(self, data: Any, flags: int = 0) -> None:
        if self.type != socket.SOCK_STREAM:
            self.send(data, flags)
            return
        ours = translate(flags) if flags else 0
        if isinstance(data, bytes) and get_ident() == _wait.main_thread:
            check(self._send_all(data, len(data), ours))
        elif ours or get_ident() == _wait.main_thread:
            with_bytes(data, lambda at, length: check(self._send_all(at, length, ours)))
        else:
            with_bytes(data, lambda at, length: check(library.sk_send_all(self._handle, at, length, None)))

    def _send_all(
        self, at: Any, length: int, flags: int, sent: ctypes.c_size_t | None = None, limit: Limit | None = None
    ) -> int:
        """As sk_send_all, with flags, and with a limit that may have begun before."""
        handle, now = self._handle, flags | _api.SK_DONTWAIT
        result = int(library.sk_send(handle, at, length, now))
        if result < 0 and result != _api.SK_EAGAIN:
            return result
        if sent is None:
            if result == length:
                return _api.SK_OK
            sent = ctypes.c_size_t()
        sent.value = max(result, 0)

        def step(done: int) -> int:
            return int(library.sk_send(handle, beyond(at, done), length - done, now))

        return self._rest(handle, _api.SK_WRITABLE, flags, step, sent, length, limit)

    def recv(self, size: int, flags: int = 0) -> bytes:
        size = operator.index(size)
        room = room_for(size, "recv")
        got = self._move(library.sk_recv, _api.SK_READABLE, room, size, translate(flags) if flags else 0)
        return bytes(room[: min(got, size)])

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        ours = translate(flags) if flags else 0
        with memoryview(buffer) as whole, whole.cast("B") as view:
            size = room_in(view, nbytes, "recv_into")
            if size == 0:
                return 0
            return self._move(library.sk_recv, _api.SK_READABLE, address_of(view), size, ours)

    def recvall(self, size: int) -> bytes:
        """Exactly `size` bytes; UnexpectedEnd where the peer ends the stream before.

        Where it fails, the `partial` of the exception is what came until then.
        """
        size = operator.index(size)
        room, received = room_for(size, "recvall"), ctypes.c_size_t()
        try:
            if get_ident() != _wait.main_thread or self.type != socket.SOCK_STREAM:
                check(library.sk_recv_all(self._handle, room, size, ctypes.byref(received)))
            else:
                check(self._recv_all(room, size, 0, received))
        except BaseException as error:
            setattr(error, "partial", room[: received.value])
            raise
        return bytes(room.raw)

    def _recv_all(self, at: Any, size: int, flags: int, received: ctypes.c_size_t) -> int:
        """As sk_recv_all, with flags."""
        handle, now = self._handle, flags | _api.SK_DONTWAIT

        def step(done: int) -> int:
            return int(library.sk_recv(handle, beyond(at, done), size - done, now))

        result = step(0)
        if result < 0 and result != _api.SK_EAGAIN:
            return result
        received.value = max(result, 0)
        if result == 0 < size:
            return result_of(_api.SK_EEOF)
        return self._rest(handle, _api.SK_READABLE, flags, step, received, size)

    def _recv_whole(self, call: Any, at: Any, size: int, flags: int, *rest: Any) -> int:
        """With SK_WAITALL, which the library does not regard where it must not wait."""
        if self.type != socket.SOCK_STREAM:
            return self._move(call, _api.SK_READABLE, at, size, flags & ~_api.SK_WAITALL, *rest)
        is_split = not flags & (_api.SK_PEEK | _api.SK_DONTWAIT) and call in (library.sk_recv, library.sk_recv_from)
        if not is_split:
            return int(call(self._handle, at, size, flags, *rest))
        received = ctypes.c_size_t()
        code = self._recv_all(at, size, flags & ~_api.SK_WAITALL, received)
        return received.value or (0 if code == _api.SK_EEOF else code)

    def sendto(self, data: Any, *rest: Any) -> int:
        """sendto(data, address) or sendto(data, flags, address)."""
        if not 1 <= len(rest) <= 2:
            raise TypeError(f"sendto() takes 2 or 3 arguments ({1 + len(rest)} given)")
        flags, address = rest if len(rest) == 2 else (0, rest[0])
        ours = translate(flags)
        to = ctypes.byref(to_c(self.family, address)) if address is not None else None
        send = library.sk_send_to
        return with_bytes(data, lambda at, length: self._move(send, _api.SK_WRITABLE, at, length, ours, to))

    def recvfrom(self, size: int, flags: int = 0) -> tuple[bytes, Address]:
        size = operator.index(size)
        room = room_for(size, "recvfrom")
        addr, ours = _api.Addr(), translate(flags)
        got = self._move(library.sk_recv_from, _api.SK_READABLE, room, size, ours, ctypes.byref(addr))
        return bytes(room[: min(got, size)]), source(self.family, addr)

    def recvfrom_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Address]:
        addr, ours = _api.Addr(), translate(flags)
        with memoryview(buffer) as whole, whole.cast("B") as view:
            size = room_in(view, nbytes, "recvfrom_into")
            at = address_of(view)
            got = self._move(library.sk_recv_from, _api.SK_READABLE, at, size, ours, ctypes.byref(addr))
        return got, source(self.family, addr)
