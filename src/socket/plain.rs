//! A call that is one system call: with nothing to wait for, no limit, and a socket that nobody
//! shares. It goes on as any other where that turns out not to be so, through `Pinned::retry`. The
//! closures for that are `move` where the others would else have to put into memory what these take.

use core::sync::atomic::Ordering::Relaxed;

use super::close::clear_up;
use super::kind::Kind;
use super::pinned::{Pinned, Socket};
use crate::error::{Code, Count, Result};
use crate::handle::slot::mark;
use crate::handle::word::Left;
use crate::handle::{Handle, Slot, TABLE};
use crate::sys::Fd;
use crate::sys::socket::Answer;

/// A pinned socket whose next call is one plain system call, which may block: it has no limit
/// and nobody shares it. Only what such a call needs, so that it stays in registers; it must be
/// let go with `done` or made a `Socket`.
#[derive(Clone, Copy)]
#[must_use]
pub struct Plain {
    slot: &'static Slot,
    pub fd: Fd,
}

impl Plain {
    /// `None`: it may be anything else, from a socket with a limit to a number that is no handle.
    #[inline(always)]
    pub fn pin(raw: i64) -> Option<Plain> {
        let handle = Handle::from_raw(raw);
        let table = TABLE.get();
        match table.slot(handle) {
            Some(slot) if slot.word.pin_plain(handle.tag()) => {
                Some(Plain { slot, fd: table.fd_of(handle.index()) })
            }
            _ => None,
        }
    }

    /// What `pin` gave for this handle, once more: to pass it on would cost those who don't.
    #[inline(always)]
    pub fn pinned(raw: i64) -> Option<Plain> {
        let handle = Handle::from_raw(raw);
        let table = TABLE.get();
        Some(Plain { slot: table.slot(handle)?, fd: table.fd_of(handle.index()) })
    }

    #[inline(always)]
    pub fn has(self, marks: u32) -> bool {
        self.slot.has(marks)
    }

    #[inline(always)]
    pub fn kind(self) -> Kind {
        Kind::from_traits(self.slot.traits.load(Relaxed))
    }

    #[inline(always)]
    pub fn is_inet6_datagram(self) -> bool {
        self.kind().is_inet6() && self.kind().is_datagram()
    }

    /// Ends the call with its result.
    #[inline(always)]
    pub fn done(self, raw: i64, count: isize) -> Count {
        if self.slot.word.unpin_plain() {
            return Count::of(count as usize);
        }
        last(raw, self.slot, count as usize)
    }

    /// The same pin, for the rest of a call that did not end as it began.
    pub fn into_socket(self, raw: i64) -> Socket {
        Socket(Pinned { slot: self.slot, handle: Handle::from_raw(raw) })
    }
}

#[cold]
#[inline(never)]
fn last(raw: i64, slot: &'static Slot, count: usize) -> Count {
    if let Left::Last(tag) = slot.word.after_unpin() {
        clear_up(TABLE.get(), slot, Handle::from_raw(raw).index(), tag);
    }
    // Where the compiler knows what comes back, it keeps the count over every call, for this one.
    Count::of(core::hint::black_box(count))
}

/// A call that is not a plain one.
#[cold]
#[inline(never)]
pub fn otherwise(raw: i64, call: impl FnOnce(&Socket) -> Result<usize>) -> Count {
    match Socket::new(raw) {
        Ok(socket) => finish(call(&socket), socket),
        Err(error) => Err(error).into(),
    }
}

/// The same, once for all the calls where some instructions more make no difference.
#[cold]
#[inline(never)]
pub fn long_way(raw: i64, call: &mut dyn FnMut(&Socket) -> Result<usize>) -> Count {
    otherwise(raw, call)
}

/// The end of a plain call that moved nothing. `again` is the call once more, where a signal
/// came or the descriptor turned out to be non-blocking.
#[cold]
#[inline(never)]
pub fn rest(raw: i64, again: impl FnOnce(&Socket) -> Result<usize>, plain: Plain, answer: Answer) -> Count {
    let socket = plain.into_socket(raw);
    let result = match answer {
        Answer::INTERRUPTED | Answer::AGAIN => again(&socket),
        answer => settle(&socket, answer),
    };
    finish(result, socket)
}

/// The end of a plain call that moved nothing and may have been told not to wait.
#[cold]
#[inline(never)]
pub fn unmoved(
    raw: i64,
    plain: Plain,
    answer: Answer,
    dont_wait: bool,
    again: &mut dyn FnMut(&Socket) -> Result<usize>,
) -> Count {
    if dont_wait && answer == Answer::AGAIN && !plain.has(mark::SHUT) {
        let socket = plain.into_socket(raw);
        return finish(settle(&socket, answer), socket);
    }
    rest(raw, again, plain, answer)
}

/// Notes how far a call came that is to go on, and that it is. The end of a stream is told again.
#[cold]
pub fn part(answer: Answer, moved: &mut usize) -> Answer {
    match answer {
        Answer(count @ 0..) => {
            *moved = count as usize;
            Answer::AGAIN
        }
        error => error,
    }
}

/// What the kernel said is the result, unless the handle was closed meanwhile.
#[inline(never)]
fn settle(socket: &Socket, answer: Answer) -> Result<usize> {
    if socket.is_closed() { Err(Code::SK_ECLOSED.into()) } else { Ok(answer.result()?) }
}

/// Lets go before the result is told, as in every other call.
#[inline(never)]
fn finish(result: Result<usize>, socket: Socket) -> Count {
    drop(socket);
    result.into()
}
