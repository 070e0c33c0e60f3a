"""Poller: waits for many sockets."""

from __future__ import annotations

from types import TracebackType
from typing import Any, NamedTuple, NoReturn

from . import _api
from ._address import fitting, milliseconds
from ._errors import check, fail
from ._library import library
from ._socket import Socket
from ._wait import Limit, meanwhile


class Ready(NamedTuple):
    """Who is ready for what; `socket` is None where `wake` was called."""

    socket: Socket | None
    events: int
    data: Any


#: From how many sockets on closed ones are looked for.
PRUNE = 64


def events_of(events: int) -> int:
    return fitting(events, 0, 0xFFFFFFFF, "events")


class Poller:
    """Knows many sockets and tells which are ready. Any method may be called from any thread."""

    def __init__(self, capacity: int = 256) -> None:
        self._handle = check(library.sk_poller())
        self._capacity = capacity
        self._members: dict[int, tuple[Socket, Any]] = {}
        self._prune_at = PRUNE

    def __enter__(self) -> Poller:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_handle", 0):
            self.close()

    def __getstate__(self) -> NoReturn:
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")

    def add(self, socket: Socket, events: int = _api.SK_READABLE, data: Any = None) -> None:
        """Waits for the socket too. One that is closed leaves by itself."""
        self._prune()
        self._put(library.sk_poller_add, socket, events, data)

    def modify(self, socket: Socket, events: int, data: Any = None) -> None:
        """Changes what the socket is waited for."""
        self._put(library.sk_poller_modify, socket, events, data)

    def _put(self, call: Any, socket: Socket, events: int, data: Any) -> None:
        handle, wanted = socket.handle, events_of(events)
        # Before the call: a wait in another thread may report the socket before this one goes on.
        before = self._members.get(handle)
        self._members[handle] = (socket, data)
        result = call(self._handle, handle, wanted, 0)
        if result < 0:
            if before:
                self._members[handle] = before
            else:
                self._members.pop(handle, None)
            fail(result)

    def _prune(self) -> None:
        """Forgets closed sockets, now and then, so that it costs little for each."""
        if len(self._members) >= self._prune_at:
            for handle, (socket, _) in list(self._members.items()):
                if socket.handle != handle:
                    self._members.pop(handle, None)
            self._prune_at = max(PRUNE, 2 * len(self._members))

    def remove(self, socket: Socket) -> None:
        """Waits for the socket no longer."""
        check(library.sk_poller_remove(self._handle, socket.handle))
        self._members.pop(socket.handle, None)

    def wait(self, timeout: float | None = None) -> list[Ready]:
        """Who is ready, after at most `timeout` seconds; empty: time is up."""
        events = (_api.Event * self._capacity)()
        handle, limit = self._handle, Limit(milliseconds(timeout))
        count = library.sk_poller_wait(handle, events, self._capacity, limit.slice())
        while count == 0 and limit.left() != 0:
            count = meanwhile(library.sk_poller_wait(handle, events, self._capacity, limit.slice()))
        check(count)
        ready = []
        for event in events[:count]:
            socket, data = self._members.get(event.handle, (None, None))
            if socket is not None or event.handle == 0:
                ready.append(Ready(socket, event.events, data))
        return ready

    def forget(self, socket: Socket) -> None:
        """Drops what is kept of a socket that is going to be closed."""
        self._members.pop(socket.handle, None)

    def wake(self) -> None:
        """Lets one `wait` return, with a Ready whose socket is None."""
        check(library.sk_poller_wake(self._handle))

    def close(self) -> None:
        """Ends the poller; its sockets live on. Wakes whoever waits."""
        handle, self._handle = self._handle, 0
        self._members.clear()
        library.sk_close(handle)
