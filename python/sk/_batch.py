"""Many datagrams in one call, on one buffer, without copies."""

from __future__ import annotations

import ctypes
import socket
from typing import Any

from . import _api
from ._address import Address, fitting, source, to_c


class Datagrams:
    """Room for `count` datagrams of up to `size` bytes, for `Socket.send_batch` and `recv_batch`.

    `batch[i]` is a view of the bytes of datagram i: what was received, or what is to be sent. Nothing
    is allocated per datagram, so one batch serves for as long as the program runs.
    """

    def __init__(self, count: int, size: int, family: int = socket.AF_INET) -> None:
        self.size = size
        self.family = family
        self.buffer = bytearray(count * size)
        self._view = memoryview(self.buffer)
        self._memory = (ctypes.c_char * len(self.buffer)).from_buffer(self.buffer)
        self.messages = (_api.Dgram * count)()
        start = ctypes.addressof(self._memory)
        for at, message in enumerate(self.messages):
            message.data = start + at * size
            message.room = size

    def __len__(self) -> int:
        return len(self.messages)

    def __getitem__(self, at: int) -> memoryview:
        message = self.messages[at]
        start = range(len(self.messages))[at] * self.size
        return self._view[start : start + min(message.len, self.size)]

    def put(self, at: int, data: Any, address: Address = None, segment: int = 0) -> None:
        """Makes `data` datagram `at`, for `address`, or for the peer of a connected socket.

        With `segment` the system cuts it into datagrams of so many bytes each (UDP segmentation offload), which
        is the fastest way to send many.
        """
        view = memoryview(data).cast("B")
        if len(view) > self.size:
            raise ValueError(f"{len(view)} bytes do not fit into {self.size}")
        start = range(len(self.messages))[at] * self.size
        pieces = fitting(segment, 0, 0xFFFFFFFF, "segment")
        to = to_c(self.family, address) if address is not None else _api.Addr()
        self._view[start : start + len(view)] = view
        message = self.messages[at]
        message.len, message.segment, message.addr = len(view), pieces, to

    def address(self, at: int) -> Address:
        """Where received datagram `at` came from."""
        return source(self.family, self.messages[at].addr)

    def segment(self, at: int) -> int:
        """In pieces of how many bytes received datagram `at` came (SK_OPT_UDP_GRO); 0: it is one datagram."""
        return int(self.messages[at].segment)

    def was_cut(self, at: int) -> bool:
        """Whether received datagram `at` was longer than `size`."""
        return bool(self.messages[at].flags & _api.SK_TRUNC)
