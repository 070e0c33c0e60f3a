"""One time limit over a call that takes several of the library's."""

from __future__ import annotations

import ctypes
import errno
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


def result_of(code: int) -> int:
    """The code as the result of a call, with its errno."""
    ctypes.set_errno(ERRNOS[code])
    return code


def meanwhile(result: int) -> int:
    """The result of a call on a handle that was live when the whole began."""
    return result_of(_api.SK_ECLOSED) if result == _api.SK_EBADHANDLE else result


class Limit:
    """Begins to run when it is made."""

    def __init__(self, milliseconds: int) -> None:
        self.milliseconds = milliseconds
        self._end = time.monotonic() + milliseconds / 1000

    def left(self) -> int:
        """Milliseconds, rounded up; SK_FOREVER: no limit."""
        if self.milliseconds < 0:
            return _api.SK_FOREVER
        return max(0, -int((time.monotonic() - self._end) * 1000 // 1))

    def is_over(self) -> bool:
        """Whether a call that waited has to end; never where it must not wait at all."""
        return self.milliseconds > 0 and self.left() == 0

    def wait(self, handle: int, events: int) -> int:
        """Until the handle is ready: SK_OK, or the code that ended it."""
        if self.milliseconds == 0:
            return result_of(_api.SK_EAGAIN)
        ready = int(library.sk_wait(handle, events, self.left()))
        return meanwhile(ready) if ready else result_of(_api.SK_ETIMEDOUT)


def again(handle: int, events: int, limit: Limit, call: Callable[[], int]) -> int:
    """The call's result, once it has one: before, it would have had to wait."""
    fruitless = 0
    while True:
        result = limit.wait(handle, events)
        if result >= 0:
            result = meanwhile(call())
        if result != _api.SK_EAGAIN or limit.milliseconds == 0:
            return result
        # A Unix datagram socket is ready though its peer's queue is full.
        fruitless += 1
        if fruitless > 8:
            time.sleep(0.001)


def go_on(
    handle: int, events: int, limit: Limit, step: Callable[[int], int], moved: ctypes.c_size_t, count: int
) -> int:
    """Steps on from where a first call came to, until all is moved: SK_OK, or the code that ended it."""
    while moved.value < count:
        result = meanwhile(step(moved.value))
        if result == _api.SK_EAGAIN:
            result = again(handle, events, limit, lambda: step(moved.value))
        if result <= 0:
            return result if result else result_of(_api.SK_EEOF)
        moved.value += result
        if moved.value < count and limit.is_over():
            return result_of(_api.SK_ETIMEDOUT)
    return _api.SK_OK
