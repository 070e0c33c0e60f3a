//! The operating system: the only room that names a system call.
//!
//! Each function here is one system call (or one call of the C library) with safe
//! arguments and a `Result`; what the calls mean for a socket is decided in the rooms
//! above. What only Linux has is in `linux.rs`; a further system is a file beside it
//! with the same functions.

pub mod address;
pub mod batch;
pub mod descriptor;
mod direct;
pub mod epoll;
pub mod errno;
pub mod file;
pub mod fork;
pub mod group;
pub mod interface;
mod linux;
pub mod memory;
pub mod names;
pub mod option;
pub mod path;
pub mod poll;
pub mod socket;
mod thread;
pub mod time;
pub mod unix;
pub mod vector;

pub use errno::Errno;

/// Calls a function of the C library that says -1 for failure, and makes a `Result` of it.
macro_rules! syscall {
    ($name:ident($($argument:expr),* $(,)?)) => {{
        let result = libc::$name($($argument),*);
        if result == -1 { Err($crate::sys::errno::last()) } else { Ok(result) }
    }};
}
use syscall;

/// What the calls give.
pub type Result<T> = core::result::Result<T, Errno>;

/// A descriptor: a number, not an owner. Who closes it is decided by its slot.
pub type Fd = libc::c_int;

/// Ends the process.
#[cfg_attr(feature = "std", allow(dead_code))]
pub fn abort() -> ! {
    // SAFETY: takes nothing and does not come back.
    unsafe { libc::abort() }
}

/// Links only where nothing calls it.
#[cfg(sk_no_panic)]
pub fn panic_is_reachable() -> ! {
    unsafe extern "C" {
        safe fn sk_a_panic_is_reachable() -> !;
    }
    sk_a_panic_is_reachable()
}
