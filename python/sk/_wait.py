"""Waiting under one limit, and in the main thread such that Python's signal handlers run.

The library goes on after a signal, and Python runs its handlers in the main thread, between two
calls. So there a call tries without waiting, and then waits in slices.
"""

from __future__ import annotations

import ctypes
import errno
import os
import threading
import time
from typing import Callable

from . import _api
from ._library import library

ERRNOS = {
    _api.SK_EAGAIN: errno.EAGAIN,
    _api.SK_ECLOSED: errno.ECANCELED,
    _api.SK_EEOF: errno.ENODATA,
    _api.SK_ETIMEDOUT: errno.ETIMEDOUT,
}

#: Milliseconds: how long a signal handler may have to wait for its turn.
SLICE = 100

get_ident = threading.get_ident
main_thread = threading.main_thread().ident


def _after_fork() -> None:
    global main_thread
    main_thread = get_ident()


os.register_at_fork(after_in_child=_after_fork)


def result_of(code: int) -> int:
    """The code as the result of a call, with its errno."""
    ctypes.set_errno(ERRNOS[code])
    return code


def meanwhile(result: int) -> int:
    """The result of a call on a handle that was live when the whole began."""
    return result_of(_api.SK_ECLOSED) if result == _api.SK_EBADHANDLE else result


class Limit:
    """Begins to run when it is made."""

    __slots__ = ("milliseconds", "_end")

    def __init__(self, milliseconds: int) -> None:
        self.milliseconds = milliseconds
        self._end = time.monotonic() + milliseconds / 1000 if milliseconds > 0 else 0.0

    def left(self) -> int:
        """Milliseconds, rounded up; SK_FOREVER: no limit."""
        if self.milliseconds <= 0:
            return self.milliseconds
        return max(0, -int((time.monotonic() - self._end) * 1000 // 1))

    def is_over(self) -> bool:
        """Whether a call that waited has to end; never where it must not wait at all."""
        return self.milliseconds > 0 and self.left() == 0

    def slice(self) -> int:
        """How many milliseconds to wait now."""
        left = self.left() if self.milliseconds > 0 else self.milliseconds
        return SLICE if (left < 0 or left > SLICE) and get_ident() == main_thread else left

    def wait(self, handle: int, events: int) -> int:
        """Until the handle is ready: SK_OK, or the code that ended it."""
        if self.milliseconds == 0:
            return result_of(_api.SK_EAGAIN)
        ready = library.sk_wait(handle, events, self.slice())
        while ready == 0:
            if self.left() == 0:
                return result_of(_api.SK_ETIMEDOUT)
            ready = library.sk_wait(handle, events, self.slice())
        return _api.SK_OK if ready > 0 else meanwhile(ready)


NONE = Limit(_api.SK_FOREVER)


def again(handle: int, events: int, limit: Limit, result: int, call: Callable[[], int]) -> int:
    """The result of a call after a first one; it waits as long as that is SK_EAGAIN."""
    fruitless = 0
    while result == _api.SK_EAGAIN and limit.milliseconds != 0:
        # A Unix datagram socket is ready though the queue at the address is full.
        if fruitless and limit.is_over():
            return result_of(_api.SK_ETIMEDOUT)
        fruitless += 1
        if fruitless > 8:
            time.sleep(0.001)
        result = limit.wait(handle, events) or call()
    return meanwhile(result)


def go_on(
    handle: int, events: int, limit: Limit, step: Callable[[int], int], moved: ctypes.c_size_t, count: int
) -> int:
    """Steps on from where a first call came to, until all is moved: SK_OK, or the code that ended it."""
    while moved.value < count:
        result = step(moved.value)
        if result < 0:
            result = again(handle, events, limit, result, lambda: step(moved.value))
        if result <= 0:
            return result if result else result_of(_api.SK_EEOF)
        moved.value += result
        if moved.value < count and limit.is_over():
            return result_of(_api.SK_ETIMEDOUT)
    return _api.SK_OK
