//! A handle in use: while one of these is alive, the descriptor can't become somebody else's.

use core::ops::Deref;
use core::sync::atomic::Ordering::Relaxed;

use super::close::clear_up;
use super::kind::Kind;
use crate::error::{Code, Result};
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

    /// Its calls may simply block.
    #[inline(always)]
    pub fn is_plain(&self) -> bool {
        self.slot.word.read().is_plain(self.handle.tag())
    }

    /// Whether the handle was closed since it was pinned.
    #[inline(never)] // one copy of it serves every kind of call
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

/// The slot that a handle names.
#[inline(always)]
pub fn find(handle: Handle) -> Result<(&'static Table, &'static Slot)> {
    let table = TABLE.get();
    let slot = table.slot(handle).ok_or(Code::SK_EBADHANDLE)?;
    Ok((table, slot))
}

/// A live socket, pinned. Made with `of`, unless it is known to be no poller.
pub struct Socket(pub(super) Pinned);

impl Socket {
    #[inline(never)]
    pub fn new(raw: i64) -> Result<Socket> {
        let handle = Handle::from_raw(raw);
        match TABLE.get().slot(handle) {
            // No poller is plain.
            Some(slot) if slot.word.pin_plain(handle.tag()) => Ok(Socket(Pinned { slot, handle })),
            _ => Socket::of(Pinned::new(raw)?),
        }
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

    pub fn must_be_stream(&self) -> Result<()> {
        if self.kind().is_stream() { Ok(()) } else { Err(Code::SK_EOPNOTSUPP.into()) }
    }
}

impl Deref for Socket {
    type Target = Pinned;

    #[inline(always)]
    fn deref(&self) -> &Pinned {
        &self.0
    }
}
