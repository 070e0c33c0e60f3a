"""Addresses: as struct sk_addr for the library, as tuples and paths for Python."""

from __future__ import annotations

import ctypes
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


def to_c(family: int, address: Address) -> _api.Addr:
    """The address as the library takes it; a name is looked up."""
    addr = _api.Addr()
    if family == socket.AF_UNIX:
        name = address.encode() if isinstance(address, str) else bytes(address)
        if len(name) > _api.SK_UNIX_PATH_MAX:
            raise OSError("AF_UNIX path too long")
        addr.family = _api.SK_UNIX
        addr.path_len = len(name)
        ctypes.memmove(addr.path, name, len(name))
        return addr
    host, port = address[0], address[1]
    if not 0 <= port <= 0xFFFF:
        raise OverflowError("port must be 0-65535.")
    if host == "":
        addr.family = FAMILIES[socket.AddressFamily(family)]
    elif host == "<broadcast>":
        host = "255.255.255.255"
    if host != "":
        wanted = _api.SK_UNSPEC if family == socket.AF_INET6 else _api.SK_INET
        check(library.sk_resolve(host.encode("idna"), port, wanted, _api.SK_FOREVER, ctypes.byref(addr), 1))
    addr.port = port
    if len(address) > 2:
        addr.flow_info = address[2]
    if len(address) > 3 and address[3]:
        addr.scope_id = address[3]
    return addr


def from_c(family: int, addr: _api.Addr) -> Address:
    """The address as a socket of this family of the standard library shows it."""
    if addr.family == _api.SK_UNIX:
        name = bytes(addr.path[: addr.path_len])
        return name if name.startswith(b"\0") else name.decode(errors="surrogateescape")
    if addr.family == _api.SK_UNSPEC:
        return None
    ip = bytes(addr.ip)
    if addr.family == _api.SK_INET:
        host = socket.inet_ntop(socket.AF_INET, ip[:4])
        # An IPv4 peer of a dual-stack socket.
        return (f"::ffff:{host}", addr.port, 0, 0) if family == socket.AF_INET6 else (host, addr.port)
    return (socket.inet_ntop(socket.AF_INET6, ip), addr.port, addr.flow_info, addr.scope_id)


def resolve(host: str, port: int, family: int = 0, timeout: float | None = None) -> list[Address]:
    """The addresses of a host, in the system's order of preference, within `timeout` seconds."""
    found = (_api.Addr * 64)()
    wanted = FAMILIES[socket.AddressFamily(family)] if family else _api.SK_UNSPEC
    count = check(library.sk_resolve(host.encode("idna"), port, wanted, milliseconds(timeout), found, len(found)))
    return [from_c(NUMBERS[addr.family], addr) for addr in found[:count]]


def milliseconds(seconds: float | None) -> int:
    """A limit as the library takes it; rounded up, so that a short one does not become none."""
    if seconds is None:
        return _api.SK_FOREVER
    if seconds < 0:
        raise ValueError("Timeout value out of range")
    return min(-int(-seconds * 1000 // 1), (1 << 63) - 1)
