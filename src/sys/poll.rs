//! Sleeping until a descriptor is ready, see poll(2).

use super::{Errno, Fd, system};

pub const IN: i16 = libc::POLLIN;
pub const OUT: i16 = libc::POLLOUT;
pub const PRIORITY: i16 = libc::POLLPRI;
pub const ERROR: i16 = libc::POLLERR;
pub const HANGUP: i16 = libc::POLLHUP;
pub const INVALID: i16 = libc::POLLNVAL;
/// The peer, or `shutdown`, ended the direction that we read.
pub use system::READ_ENDED;

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

    pub fn wants(&self, events: i16) -> bool {
        self.0.events & events != 0
    }

    pub fn found(&self) -> i16 {
        self.0.revents
    }
}

/// Sleeps until one of the items is ready, at most `ns` nanoseconds, or without limit.
/// The count of ready items; 0: time is up.
pub fn poll(items: &mut [Item], ns: Option<u64>) -> Result<usize, Errno> {
    Ok(system::poll(items, ns)? as usize)
}
