//! `errno`: the reason of the last failure in this thread, see errno(3).

use libc::c_int;

pub use super::system::reasons::*;

/// A reason that the operating system gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub c_int);

fn place() -> *mut c_int {
    // SAFETY: the function only returns the address of this thread's errno.
    unsafe { super::system::errno_place() }
}

/// This thread's errno.
#[inline]
pub fn get() -> c_int {
    // SAFETY: errno lives as long as its thread, and only this thread uses it.
    unsafe { *place() }
}

#[inline]
pub fn set(errno: c_int) {
    // SAFETY: as in `get`.
    unsafe { *place() = errno }
}

/// Why the last call failed.
#[cold]
pub fn last() -> Errno {
    Errno(get())
}

/// Puts errno back to what it was here, when dropped: for calls that fail on the way to success.
pub struct Restore {
    place: *mut c_int,
    value: c_int,
}

impl Restore {
    pub fn later() -> Restore {
        let place = place();
        // SAFETY: as in `get`.
        Restore { place, value: unsafe { *place } }
    }
}

impl Drop for Restore {
    fn drop(&mut self) {
        // SAFETY: as in `get`; a pointer keeps the value in its thread.
        unsafe { *self.place = self.value }
    }
}
