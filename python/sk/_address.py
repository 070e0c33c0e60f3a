"""Addresses: as struct sk_addr for the library, as tuples and paths for Python."""

from __future__ import annotations

import ctypes
import math
import operator
import os
import socket
from typing import Any

from . import _api
from ._errors import check
from ._library import library

#: What a socket of the standard library takes and gives: ("host", port), for IPv6
#: ("host", port, flow, scope), for Unix a path (bytes where it is an abstract name).
Address = Any

FAMILIES = {
    socket.AF_INET: _api.SK_INET,
    socket.AF_INET6: _api.SK_INET6,
    socket.AF_UNIX: _api.SK_UNIX,
}
NUMBERS = {number: family for family, number in FAMILIES.items()}


def fitting(value: Any, low: int, high: int, what: str) -> int:
    """A number that C has room for; ctypes would drop what is too much."""
    number = operator.index(value)
    if not low <= number <= high:
        raise OverflowError(f"{what} must be {low} to {high}")
    return number


def port_number(port: Any) -> int:
    return fitting(port, 0, 0xFFFF, "port")


def c_int(value: Any, what: str) -> int:
    return fitting(value, -(1 << 31), (1 << 31) - 1, what)


def encoded(text: str) -> bytes:
    """A text for C, which would end it at a NUL."""
    if "\0" in text:
        raise ValueError("embedded null character")
    return text.encode()


def encoded_host(host: str | bytes | bytearray) -> bytes:
    """A host for C, with the exceptions of socket.socket."""
    if isinstance(host, str):
        # The codec refuses what the resolver is to answer, an empty label for one.
        name = host.encode("ascii" if host.isascii() else "idna")
    elif isinstance(host, (bytes, bytearray)):
        name = bytes(host)
    else:
        raise TypeError(f"str, bytes or bytearray expected, not {type(host).__name__}")
    if b"\0" in name:
        raise TypeError("host name must not contain null character")
    return name


def unix_name(path: Any) -> bytes:
    """A path, or a NUL and an abstract name."""
    name = os.fsencode(path) if isinstance(path, str) else bytes(memoryview(path))
    if b"\0" in name[:1]:
        return name
    if b"\0" in name:
        raise ValueError("embedded null character")
    return name


def parts(family: int, address: Address) -> tuple[bytes, int]:
    """Host and port of an IP address."""
    if not isinstance(address, tuple):
        raise TypeError(f"an address must be a tuple, not {type(address).__name__}")
    if not 2 <= len(address) <= (4 if family == socket.AF_INET6 else 2):
        raise TypeError("an address must be (host, port), of IPv6 also (host, port, flowinfo, scope_id)")
    return encoded_host(address[0]), port_number(address[1])


def to_c(family: int, address: Address) -> _api.Addr:
    """The address as the library takes it; a name is looked up."""
    addr = _api.Addr()
    if family == socket.AF_UNIX:
        name = unix_name(address)
        if len(name) > _api.SK_UNIX_PATH_MAX:
            raise OSError("AF_UNIX path too long")
        addr.family = _api.SK_UNIX
        addr.path_len = len(name)
        ctypes.memmove(addr.path, name, len(name))
        return addr
    host, port = parts(family, address)
    flow_info = fitting(address[2], 0, 0xFFFFF, "flowinfo") if len(address) > 2 else 0
    scope_id = fitting(address[3], 0, 0xFFFFFFFF, "scope_id") if len(address) > 3 else 0
    if not host:
        addr.family = FAMILIES[socket.AddressFamily(family)]
    else:
        host = b"255.255.255.255" if host == b"<broadcast>" else host
        wanted = _api.SK_UNSPEC if family == socket.AF_INET6 else _api.SK_INET
        check(library.sk_resolve(host, port, wanted, _api.SK_FOREVER, ctypes.byref(addr), 1))
    addr.port = port
    addr.flow_info = flow_info
    if scope_id:
        addr.scope_id = scope_id
    return addr


def from_c(family: int, addr: _api.Addr) -> Address:
    """The address as a socket of this family of the standard library shows it."""
    if addr.family == _api.SK_UNIX:
        name = bytes(addr.path[: addr.path_len])
        return name if name.startswith(b"\0") else os.fsdecode(name)
    if addr.family == _api.SK_UNSPEC:
        return None
    ip = bytes(addr.ip)
    if addr.family == _api.SK_INET:
        host = socket.inet_ntop(socket.AF_INET, ip[:4])
        # An IPv4 peer of a dual-stack socket.
        return (f"::ffff:{host}", addr.port, 0, 0) if family == socket.AF_INET6 else (host, addr.port)
    return (socket.inet_ntop(socket.AF_INET6, ip), addr.port, addr.flow_info, addr.scope_id)


def source(family: int, addr: _api.Addr) -> Address:
    """Who sent: None where nobody can answer, as on a stream, or to a Unix socket without a name."""
    return None if addr.family == _api.SK_UNIX and addr.path_len == 0 else from_c(family, addr)


def resolve(host: str | bytes, port: int, family: int = 0, timeout: float | None = None) -> list[Address]:
    """The addresses of a host, in the system's order of preference, within `timeout` seconds."""
    found = (_api.Addr * 64)()
    wanted = FAMILIES[socket.AddressFamily(family)] if family else _api.SK_UNSPEC
    name = encoded_host(host)
    count = check(library.sk_resolve(name, port_number(port), wanted, milliseconds(timeout), found, len(found)))
    return [from_c(NUMBERS[addr.family], addr) for addr in found[:count]]


def milliseconds(seconds: float | None) -> int:
    """A limit as the library takes it; rounded up, so that a short one does not become none."""
    if seconds is None:
        return _api.SK_FOREVER
    if seconds < 0:
        raise ValueError("Timeout value out of range")
    return min(math.ceil(seconds * 1000), (1 << 63) - 1)
