"""Socket: the interface of the standard library's socket.socket on libsk's functions."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import io
import operator
import os
import socket
import stat
import time
import warnings
from types import TracebackType
from typing import Any, Callable, Iterable, NoReturn

from . import _api, _wait
from ._address import FAMILIES, NUMBERS, Address, c_int, encoded, fitting, from_c, milliseconds, source, to_c
from ._address import parts as parts_of
from ._batch import Datagrams
from ._errors import check, fail
from ._library import library
from ._wait import Limit, again, get_ident, go_on, meanwhile, result_of

TYPES = {
    socket.SOCK_STREAM: _api.SK_STREAM,
    socket.SOCK_DGRAM: _api.SK_DGRAM,
    socket.SOCK_SEQPACKET: _api.SK_SEQPACKET,
}
NUMBERS_OF_TYPES = {number: kind for kind, number in TYPES.items()}

#: Flags of socket.recv and socket.send, as the library has them.
FLAGS = {
    socket.MSG_PEEK: _api.SK_PEEK,
    socket.MSG_WAITALL: _api.SK_WAITALL,
    socket.MSG_DONTWAIT: _api.SK_DONTWAIT,
    socket.MSG_MORE: _api.SK_MORE,
    socket.MSG_TRUNC: _api.SK_TRUNC,
    socket.MSG_OOB: _api.SK_OOB,
}

#: Options of setsockopt, as the library has them.
OPTIONS = {
    (socket.SOL_SOCKET, socket.SO_REUSEADDR): _api.SK_OPT_REUSE_ADDR,
    (socket.SOL_SOCKET, socket.SO_REUSEPORT): _api.SK_OPT_REUSE_PORT,
    (socket.SOL_SOCKET, socket.SO_BROADCAST): _api.SK_OPT_BROADCAST,
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE): _api.SK_OPT_KEEPALIVE,
    (socket.SOL_SOCKET, socket.SO_RCVBUF): _api.SK_OPT_RECV_BUFFER,
    (socket.SOL_SOCKET, socket.SO_SNDBUF): _api.SK_OPT_SEND_BUFFER,
    (socket.IPPROTO_TCP, socket.TCP_NODELAY): _api.SK_OPT_NODELAY,
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE): _api.SK_OPT_KEEPALIVE_IDLE,
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL): _api.SK_OPT_KEEPALIVE_INTERVAL,
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT): _api.SK_OPT_KEEPALIVE_COUNT,
    (socket.IPPROTO_TCP, socket.TCP_CORK): _api.SK_OPT_CORK,
    (socket.IPPROTO_TCP, socket.TCP_QUICKACK): _api.SK_OPT_QUICKACK,
    (socket.IPPROTO_TCP, socket.TCP_FASTOPEN): _api.SK_OPT_FASTOPEN,
    (socket.IPPROTO_IP, socket.IP_TTL): _api.SK_OPT_TTL,
    (socket.IPPROTO_IP, socket.IP_TOS): _api.SK_OPT_TOS,
    (socket.IPPROTO_IP, socket.IP_MULTICAST_TTL): _api.SK_OPT_MULTICAST_TTL,
    (socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP): _api.SK_OPT_MULTICAST_LOOP,
    (socket.IPPROTO_IPV6, socket.IPV6_V6ONLY): _api.SK_OPT_V6ONLY,
    (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS): _api.SK_OPT_TTL,
    (socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS): _api.SK_OPT_MULTICAST_TTL,
    (socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP): _api.SK_OPT_MULTICAST_LOOP,
}

#: For those the system takes any number but 0 as 1.
SWITCHES = {
    _api.SK_OPT_REUSE_ADDR,
    _api.SK_OPT_REUSE_PORT,
    _api.SK_OPT_BROADCAST,
    _api.SK_OPT_KEEPALIVE,
    _api.SK_OPT_NODELAY,
    _api.SK_OPT_CORK,
    _api.SK_OPT_QUICKACK,
    _api.SK_OPT_MULTICAST_LOOP,
    _api.SK_OPT_V6ONLY,
}

HOW = {socket.SHUT_RD: _api.SK_SHUT_READ, socket.SHUT_WR: _api.SK_SHUT_WRITE, socket.SHUT_RDWR: _api.SK_SHUT_BOTH}


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


class Socket:
    """A socket with the methods and exceptions of socket.socket, on a handle of libsk.

    Any method may be called from any thread. `close` wakes every thread that waits in a call on
    the socket: that call raises ClosedError. A time limit covers the whole call.
    """

    def __init__(
        self,
        family: int = socket.AF_INET,
        type: int = socket.SOCK_STREAM,
        proto: int = 0,
        fileno: int | None = None,
        *,
        handle: int | None = None,
    ) -> None:
        self._handle = 0
        self._references = 0
        self._closing = False
        self._timeout: float | None = None
        # As the library has them, where they are known. Replaced, never emptied: another thread may be filling it.
        self._limits: dict[int, int] = {}
        is_nonblocking = False
        if handle is not None:
            self._handle = handle
            self._read_kind()
        elif fileno is not None:
            fd = c_int(fileno, "fileno")
            if fd < 0:
                raise ValueError("negative file descriptor")
            self._handle = check(library.sk_from_fd(fd))
            self._read_kind()
        else:
            # The standard library passes -1 for "the default".
            family = socket.AF_INET if family == -1 else family
            type = socket.SOCK_STREAM if type == -1 else type
            proto = max(proto, 0)
            is_nonblocking = bool(type & socket.SOCK_NONBLOCK)
            type &= ~(socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
            if family not in FAMILIES or type not in TYPES:
                raise OSError(f"libsk has no sockets of family {family} and type {type}")
            self.family: int = socket.AddressFamily(family)
            self.type: int = socket.SocketKind(type)
            self.proto = proto
            self._handle = check(library.sk_socket(FAMILIES[self.family], TYPES[self.type], c_int(proto, "proto")))
        default = 0.0 if is_nonblocking else socket.getdefaulttimeout()
        if default is not None:
            self.settimeout(default)

    def _read_kind(self) -> None:
        self.family = NUMBERS[self.get(_api.SK_OPT_FAMILY)]
        self.type = NUMBERS_OF_TYPES[self.get(_api.SK_OPT_TYPE)]
        self.proto = self.get(_api.SK_OPT_PROTOCOL)

    # --- Life ---------------------------------------------------------------------------------

    def __enter__(self) -> Socket:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_handle", 0):
            try:
                warnings.warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)
            finally:
                self._really_close()

    def __getstate__(self) -> NoReturn:
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")

    def __repr__(self) -> str:
        family, kind = getattr(self, "family", None), getattr(self, "type", None)
        return f"<sk.Socket handle={self._handle} family={family!r} type={kind!r}>"

    @property
    def handle(self) -> int:
        """The handle of the C interface, still owned here."""
        return self._handle

    def _really_close(self) -> None:
        handle, self._handle = self._handle, 0
        library.sk_close(handle)

    def close(self) -> None:
        """Closes, at once or with the last file made by `makefile`; wakes whoever waits."""
        self._closing = True
        if self._references <= 0 and self._handle:
            self._really_close()

    def _decref_socketios(self) -> None:
        """Called by socket.SocketIO when it is closed."""
        self._references -= 1
        if self._closing:
            self.close()

    def detach(self) -> int:
        """Gives the descriptor up, in blocking mode; -1 once closed."""
        if not self._handle:
            return -1
        fd = check(library.sk_into_fd(self._handle))
        self._handle = 0
        self._closing = True
        return fd

    def finish(self, timeout: float | None = None) -> None:
        """Ends our side, waits until the peer ends its own, and closes. See sk_finish."""
        handle, limit = self._handle, milliseconds(timeout)
        result = self._finish(handle, limit)
        if result not in (_api.SK_EBADHANDLE, _api.SK_EOPNOTSUPP, _api.SK_EINVAL):
            self._handle = 0
            self._closing = True
        check(result)

    def _finish(self, handle: int, milliseconds: int) -> int:
        limit = Limit(milliseconds)
        is_patient = get_ident() == _wait.main_thread and milliseconds != 0 and self.type == socket.SOCK_STREAM
        if not is_patient or library.sk_shutdown(handle, _api.SK_SHUT_WRITE) < 0:
            return int(library.sk_finish(handle, milliseconds))
        room = ctypes.create_string_buffer(65_536)

        def drop() -> int:
            return int(library.sk_recv(handle, room, len(room), _api.SK_DONTWAIT))

        result = 1
        while result > 0:
            result = again(handle, _api.SK_READABLE, limit, drop(), drop)
            if result > 0 and limit.is_over():
                result = result_of(_api.SK_ETIMEDOUT)
        if result == 0:
            return meanwhile(int(library.sk_finish(handle, 0)))
        number = ctypes.get_errno()
        library.sk_close(handle)
        ctypes.set_errno(number)
        return result

    def abort(self) -> None:
        """Closes at once; over TCP the peer gets a reset."""
        handle, self._handle = self._handle, 0
        self._closing = True
        check(library.sk_abort(handle))

    def fileno(self) -> int:
        """The descriptor, for select and the like; -1 once closed. It is still libsk's."""
        return check(library.sk_fd(self._handle)) if self._handle else -1

    def dup(self) -> Socket:
        """The same socket with a life of its own, and limits that begin as the timeout here."""
        timeout = self._timeout
        copy = Socket(handle=check(library.sk_dup(self._handle)))
        copy.settimeout(timeout)
        return copy

    # --- Both ends ----------------------------------------------------------------------------

    def bind(self, address: Address) -> None:
        check(library.sk_bind_addr(self._handle, ctypes.byref(to_c(self.family, address))))

    def listen(self, backlog: int = 0) -> None:
        check(library.sk_listen(self._handle, c_int(backlog, "backlog")))

    def accept(self) -> tuple[Socket, Address]:
        peer = _api.Addr()
        handle = check(self._accept(peer))
        return Socket(handle=handle), from_c(self.family, peer)

    def _accept(self, peer: _api.Addr) -> int:
        handle, listens = self._handle, ctypes.c_int64()
        limit = self._limit(handle, _api.SK_READABLE)
        library.sk_get_option(handle, _api.SK_OPT_LISTENING, ctypes.byref(listens))
        if get_ident() != _wait.main_thread or limit.milliseconds == 0 or not listens.value:
            return int(library.sk_accept(handle, ctypes.byref(peer)))
        while True:
            result = limit.wait(handle, _api.SK_READABLE)
            if result >= 0:
                result = meanwhile(accept_now(handle, peer))
            # Another thread or process may have been faster.
            if result != _api.SK_EAGAIN:
                return result

    def connect(self, address: Address) -> None:
        check(self._connect(address))

    def connect_ex(self, address: Address) -> int:
        """As connect, with the errno instead of an exception, which only a host that is not found is."""
        result = self._connect(address)
        if result >= 0:
            return 0
        if result in (_api.SK_EHOSTNOTFOUND, _api.SK_ERESOLVE):
            fail(result)
        if result == _api.SK_ETIMEDOUT and self._timeout is not None:
            return errno.EAGAIN
        return ctypes.get_errno()

    def _connect(self, address: Address) -> int:
        handle, limit = self._handle, ctypes.c_int64()
        result = int(library.sk_get_option(handle, _api.SK_OPT_CONNECT_TIMEOUT, ctypes.byref(limit)))
        if result < 0:
            return result
        if self.family == socket.AF_UNIX or len(address) != 2:
            return self._connect_addr(handle, to_c(self.family, address), limit.value)
        host, port = parts_of(self.family, address)
        family, found = FAMILIES[socket.AddressFamily(self.family)], (_api.Addr * 64)()
        host = EMPTY[family] if not host else b"255.255.255.255" if host == b"<broadcast>" else host
        wanted = _api.SK_UNSPEC if self.family == socket.AF_INET6 else family
        count = library.sk_resolve(host, port, wanted, 0, found, len(found))
        if count == _api.SK_EAGAIN:
            # A name. Under a limit the library looks it up such that a close is noticed; without one nothing is.
            if limit.value > 0 or limit.value < 0 and get_ident() != _wait.main_thread:
                return int(library.sk_connect(handle, host, port))
            count = library.sk_resolve(host, port, wanted, _api.SK_FOREVER, found, len(found))
        result, number = count, ctypes.get_errno()
        for at in range(min(count, 1) if limit.value == 0 else count):
            latest = meanwhile(self._connect_addr(handle, found[at], limit.value))
            if at == 0 or rank(latest) > rank(result):
                result, number = latest, ctypes.get_errno()
            if rank(latest) == FINAL:
                break
        ctypes.set_errno(number)
        return result

    def _connect_addr(self, handle: int, addr: _api.Addr, milliseconds: int) -> int:
        to, limit = ctypes.byref(addr), Limit(milliseconds)
        if milliseconds == 0 or get_ident() != _wait.main_thread:
            return int(library.sk_connect_addr(handle, to))
        result = connect_within(handle, to, 0, milliseconds)
        while result in (_api.SK_EINPROGRESS, _api.SK_EALREADY, _api.SK_EAGAIN):
            if result == _api.SK_EAGAIN:
                # The queue of a Unix peer is full, and nothing tells when it is not.
                time.sleep(0.02)
                waited = result_of(_api.SK_ETIMEDOUT) if limit.is_over() else _api.SK_OK
            else:
                waited = limit.wait(handle, _api.SK_WRITABLE)
            if waited == _api.SK_ETIMEDOUT and result != _api.SK_EAGAIN:
                # It gives the attempt up.
                return meanwhile(connect_within(handle, to, 1, milliseconds))
            result = waited or meanwhile(connect_within(handle, to, 0, milliseconds))
        return result

    def getsockname(self) -> Address:
        addr = _api.Addr()
        check(library.sk_local_addr(self._handle, ctypes.byref(addr)))
        return from_c(self.family, addr)

    def getpeername(self) -> Address:
        addr = _api.Addr()
        check(library.sk_peer_addr(self._handle, ctypes.byref(addr)))
        return from_c(self.family, addr)

    def shutdown(self, how: int) -> None:
        # 0 is none of the library's.
        check(library.sk_shutdown(self._handle, HOW.get(c_int(how, "how"), 0)))

    # --- Moving bytes -------------------------------------------------------------------------

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

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Sends a file, without copies where the system can; its position tells how far it came, also after an
        error, as with socket.socket. A non-blocking socket sends what it takes now.
        """
        if isinstance(file, io.TextIOBase) or "b" not in getattr(file, "mode", "b"):
            raise ValueError("file should be opened in binary mode")
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

    # --- Limits and options -------------------------------------------------------------------

    def settimeout(self, seconds: float | None) -> None:
        """The limit of each call, in seconds; None: none, 0: never wait."""
        check(library.sk_set_timeout(self._handle, milliseconds(seconds)))
        self._limits = {}
        self._timeout = None if seconds is None else float(seconds)

    def gettimeout(self) -> float | None:
        return self._timeout

    @property
    def timeout(self) -> float | None:
        return self._timeout

    def setblocking(self, blocking: bool) -> None:
        self.settimeout(None if blocking else 0.0)

    def getblocking(self) -> bool:
        return self._timeout != 0

    def set(self, option: int, value: int | str) -> None:
        """Sets an SK_OPT_… option."""
        option = c_int(option, "option")
        if isinstance(value, str):
            check(library.sk_set_option_text(self._handle, option, encoded(value)))
        else:
            number = fitting(value, -(1 << 63), (1 << 63) - 1, "value")
            check(library.sk_set_option(self._handle, option, number))
            self._limits = {}

    def get(self, option: int) -> int:
        """Reads an SK_OPT_… option."""
        value = ctypes.c_int64()
        check(library.sk_get_option(self._handle, c_int(option, "option"), ctypes.byref(value)))
        return value.value

    def setsockopt(self, level: int, option: int, value: int | bytes | None, size: int | None = None) -> None:
        """The options of the standard library that libsk has; others reach the system as they are."""
        if isinstance(value, int) and size is None and (level, option) in OPTIONS:
            ours = OPTIONS[level, option]
            try:
                self.set(ours, int(bool(value)) if ours in SWITCHES else value)
                return
            except OSError as error:
                # One that means nothing to this kind of socket: the system takes some of those.
                if error.errno != errno.ENOPROTOOPT:
                    raise
        with borrowed(self.fileno()) as plain:
            plain.setsockopt(level, option, value, *(() if size is None else (size,)))

    def getsockopt(self, level: int, option: int, size: int = 0) -> Any:
        if not size and (level, option) == (socket.SOL_SOCKET, socket.SO_ERROR):
            with borrowed(self.fileno()) as plain:
                return plain.getsockopt(level, option)
        if not size and (level, option) in OPTIONS:
            try:
                return self.get(OPTIONS[level, option])
            except OSError as error:
                if error.errno != errno.ENOPROTOOPT:
                    raise
        with borrowed(self.fileno()) as plain:
            return plain.getsockopt(level, option, size) if size else plain.getsockopt(level, option)

    def get_inheritable(self) -> bool:
        return os.get_inheritable(self.fileno())

    def set_inheritable(self, inheritable: bool) -> None:
        os.set_inheritable(self.fileno(), inheritable)


#: What "" as a host means to connect to: this machine.
EMPTY = {_api.SK_INET: b"0.0.0.0", _api.SK_INET6: b"::"}

FINAL = 5
RANKS = {
    _api.SK_ECONNREFUSED: 4,
    _api.SK_ECONNRESET: 4,
    _api.SK_ETIMEDOUT: 3,
    _api.SK_EHOSTUNREACH: 1,
    _api.SK_ENETUNREACH: 0,
    _api.SK_ECLOSED: FINAL,
    _api.SK_EISCONN: FINAL,
}


def rank(result: int) -> int:
    """How far an attempt came to connect to one of several addresses, as in sk_dial."""
    return FINAL if result >= 0 else RANKS.get(result, 2)


def connect_within(handle: int, to: Any, milliseconds: int, usual: int) -> int:
    """sk_connect_addr under another limit than the usual one of the socket."""
    library.sk_set_option(handle, _api.SK_OPT_CONNECT_TIMEOUT, milliseconds)
    try:
        result = int(library.sk_connect_addr(handle, to))
        number = ctypes.get_errno()
    finally:
        library.sk_set_option(handle, _api.SK_OPT_CONNECT_TIMEOUT, usual)
    ctypes.set_errno(number)
    return result


def accept_now(handle: int, peer: _api.Addr) -> int:
    """Accepts without waiting, by a copy: the limit of a listener is that of all threads."""
    copy = int(library.sk_dup(handle))
    result = copy
    if copy > 0:
        try:
            library.sk_set_timeout(copy, 0)
            result = int(library.sk_accept(copy, ctypes.byref(peer)))
        finally:
            library.sk_close(copy)
    # The copy may have had the last descriptor.
    return int(library.sk_accept(handle, ctypes.byref(peer))) if result == _api.SK_EMFILE else result


#: The standard library's own, whatever stands in its place now.
PLAIN = socket.socket


class borrowed:
    """A socket of the standard library on a descriptor that it does not close."""

    def __init__(self, fd: int) -> None:
        self._socket = PLAIN(fileno=fd)

    def __enter__(self) -> Any:
        return self._socket

    def __exit__(self, *_: object) -> None:
        self._socket.detach()


def socketpair(type: int = socket.SOCK_STREAM) -> tuple[Socket, Socket]:
    """Two Unix sockets, connected to each other."""
    both = (ctypes.c_int64 * 2)()
    check(library.sk_socketpair(TYPES[socket.SocketKind(type)], both))
    return Socket(handle=both[0]), Socket(handle=both[1])


def dial(endpoint: str, timeout: float | None = None) -> Socket:
    """Connected to "tcp://example.org:80", "udp://…", "unix:///run/a.sock", …: see sk_dial."""
    return Socket(handle=check(library.sk_dial(encoded(endpoint), milliseconds(timeout))))


def serve(endpoint: str, backlog: int = 0) -> Socket:
    """Serving "tcp://:8080", …: see sk_serve."""
    return Socket(handle=check(library.sk_serve(encoded(endpoint), c_int(backlog, "backlog"))))

