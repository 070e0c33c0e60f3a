"""Socket: the interface of the standard library's socket.socket on libsk's functions."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import time
import warnings
from types import TracebackType
from typing import Any, NoReturn

from . import _api, _wait
from ._address import FAMILIES, NUMBERS, Address, c_int, encoded, fitting, from_c, milliseconds, to_c
from ._address import parts as parts_of
from ._errors import check, fail
from ._files import Files
from ._library import library
from ._messages import Messages
from ._wait import Limit, again, get_ident, meanwhile, result_of

TYPES = {
    socket.SOCK_STREAM: _api.SK_STREAM,
    socket.SOCK_DGRAM: _api.SK_DGRAM,
    socket.SOCK_SEQPACKET: _api.SK_SEQPACKET,
}
NUMBERS_OF_TYPES = {number: kind for kind, number in TYPES.items()}

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


def parts_of_type(type: int) -> tuple[int, bool]:
    """A type without its flags, and whether a socket of it does not wait."""
    kind = type & ~(socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    if kind not in TYPES:
        raise OSError(errno.ESOCKTNOSUPPORT, f"libsk has no sockets of type {kind}")
    return kind, bool(type & socket.SOCK_NONBLOCK)


class Socket(Messages, Files):
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
        self._limits = {}
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
            type, is_nonblocking = parts_of_type(type)
            if family not in FAMILIES:
                raise OSError(errno.EAFNOSUPPORT, f"libsk has no sockets of family {family}")
            self.family = socket.AddressFamily(family)
            self.type = socket.SocketKind(type)
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
    kind, is_nonblocking = parts_of_type(type)
    both = (ctypes.c_int64 * 2)()
    check(library.sk_socketpair(TYPES[socket.SocketKind(kind)], both))
    sockets = Socket(handle=both[0]), Socket(handle=both[1])
    if is_nonblocking:
        for each in sockets:
            each.setblocking(False)
    return sockets


def dial(endpoint: str, timeout: float | None = None) -> Socket:
    """Connected to "tcp://example.org:80", "udp://…", "unix:///run/a.sock", …: see sk_dial."""
    return Socket(handle=check(library.sk_dial(encoded(endpoint), milliseconds(timeout))))


def serve(endpoint: str, backlog: int = 0) -> Socket:
    """Serving "tcp://:8080", …: see sk_serve."""
    return Socket(handle=check(library.sk_serve(encoded(endpoint), c_int(backlog, "backlog"))))

