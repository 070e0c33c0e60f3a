//! A handle in use: while one of these is alive, the descriptor can't become somebody else's.

use core::ops::Deref;
use core::sync::atomic::Ordering::Relaxed;

use super::close::clear_up;
use super::kind::Kind;
use crate::error::{Code, Count, Result};
use crate::handle::slot::mark;
use crate::handle::word::Left;
use crate::handle::{Handle, Slot, TABLE, Table};
use crate::sys::{Fd, SHUTDOWN_WAKES};

/// A live handle of any kind, pinned. Small, because it is handed around a lot.
pub struct Pinned {
    pub slot: &'static Slot,
    pub handle: Handle,
}

impl Pinned {
    pub fn new(raw: i64) -> Result<Pinned> {
        let handle = Handle::from_raw(raw);
        let (_, slot) = find(handle)?;
        if !slot.word.pin(handle.tag()) {
            return Err(Code::SK_EBADHANDLE.into());
        }
        let pinned = Pinned { slot, handle };
        // A poller of the parent process can only be closed, which takes no `Pinned`.
        if slot.has(mark::FOREIGN) { Err(Code::SK_EBADHANDLE.into()) } else { Ok(pinned) }
    }

    #[inline(always)]
    pub fn fd(&self) -> Fd {
        TABLE.get().fd_of(self.handle.index())
    }

    /// Others may have the socket too, so that `shutdown` must not be used to wake its calls.
    /// A call that asks before that becomes so is remembered in the word.
    pub fn is_shared(&self) -> bool {
        self.slot.word.read().state().is_shared()
    }

    /// A close wakes its calls by a descriptor of their own, and not, or not only, by `shutdown`.
    pub fn needs_waker(&self) -> bool {
        !SHUTDOWN_WAKES || self.is_shared()
    }

    pub fn kind(&self) -> Kind {
        Kind::from_traits(self.slot.traits.load(Relaxed))
    }

    /// Whether the handle was closed since it was pinned.
    pub fn is_closed(&self) -> bool {
        self.slot.word.is_closed(self.handle.tag())
    }
}

impl Drop for Pinned {
    #[inline(never)] // one copy of it serves every kind of call
    fn drop(&mut self) {
        if let Left::Last(tag) = self.slot.word.unpin() {
            clear_up(TABLE.get(), self.slot, self.handle.index(), tag);
        }
    }
}

/// Takes a pin away that was kept without its `Pinned`.
pub fn release(index: u32) {
    let table = TABLE.get();
    if let Some(slot) = table.at(index) {
        if let Left::Last(tag) = slot.word.unpin() {
            clear_up(table, slot, index, tag);
        }
    }
}

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

/// The slot that a handle names.
#[inline(always)]
pub fn find(handle: Handle) -> Result<(&'static Table, &'static Slot)> {
    let table = TABLE.get();
    let slot = table.slot(handle).ok_or(Code::SK_EBADHANDLE)?;
    Ok((table, slot))
}

/// A live socket, pinned.
pub struct Socket(Pinned);

impl Socket {
    #[inline(never)]
    pub fn new(raw: i64) -> Result<Socket> {
        Socket::of(Pinned::new(raw)?)
    }

    /// A pinned handle if it is a socket's, or `SK_EOPNOTSUPP`.
    pub fn of(pinned: Pinned) -> Result<Socket> {
        if pinned.slot.has(mark::POLLER) {
            return Err(Code::SK_EOPNOTSUPP.into());
        }
        Ok(Socket(pinned))
    }

    /// A stream, or `SK_EOPNOTSUPP`.
    pub fn stream(raw: i64) -> Result<Socket> {
        Socket::new(raw)?.only(Kind::is_stream)
    }

    /// UDP or UDP-Lite, or `SK_EOPNOTSUPP`.
    pub fn udp(raw: i64) -> Result<Socket> {
        Socket::new(raw)?.only(Kind::is_udp)
    }

    /// A Unix socket, or `SK_EOPNOTSUPP`.
    pub fn unix(raw: i64) -> Result<Socket> {
        Socket::new(raw)?.only(Kind::is_unix)
    }

    /// This one if it is of such a kind, or `SK_EOPNOTSUPP`.
    pub fn only(self, kind: fn(Kind) -> bool) -> Result<Socket> {
        if kind(self.kind()) { Ok(self) } else { Err(Code::SK_EOPNOTSUPP.into()) }
    }
}

impl Deref for Socket {
    type Target = Pinned;

    #[inline(always)]
    fn deref(&self) -> &Pinned {
        &self.0
    }
}
