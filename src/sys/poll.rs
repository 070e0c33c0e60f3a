//! Sleeping until a descriptor is ready, see poll(2).

use super::{Errno, Fd};

pub const IN: i16 = libc::POLLIN;
pub const OUT: i16 = libc::POLLOUT;
pub const PRIORITY: i16 = libc::POLLPRI;
pub const ERROR: i16 = libc::POLLERR;
pub const HANGUP: i16 = libc::POLLHUP;
pub const INVALID: i16 = libc::POLLNVAL;
/// The peer, or `shutdown`, ended the direction that we read.
pub const READ_ENDED: i16 = libc::POLLRDHUP;

/// A descriptor to look at, what for, and what was found. A negative one is skipped.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Item(libc::pollfd);

impl Item {
    pub const NONE: Item = Item::new(-1, 0);

    pub const fn new(fd: Fd, events: i16) -> Item {
        Item(libc::pollfd { fd, events, revents: 0 })
    }

    pub fn fd(&self) -> Fd {
        self.0.fd
    }

    pub fn found(&self) -> i16 {
        self.0.revents
    }
}

/// Sleeps until one of the items is ready, at most `ns` nanoseconds, or without limit.
/// The count of ready items; 0: time is up.
pub fn poll(items: &mut [Item], ns: Option<u64>) -> Result<usize, Errno> {
    let time = ns.map(|ns| libc::timespec {
        // 68 years at most, which a time_t of 32 bits holds.
        tv_sec: (ns / 1_000_000_000).min(i32::MAX as u64) as _,
        tv_nsec: (ns % 1_000_000_000) as _,
    });
    let time = time.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
    // SAFETY: the items are pollfds by their layout, exclusively ours during the call; `time`
    // is null or lives until the end of this function.
    let ready = unsafe {
        super::syscall!(ppoll(items.as_mut_ptr().cast(), items.len() as _, time, core::ptr::null()))
    }?;
    Ok(ready as usize)
}
