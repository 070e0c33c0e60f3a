//! The operating system: the only room that names a system call.
//!
//! Each function here is one system call (or one call of the C library) with safe
//! arguments and a `Result`; what the calls mean for a socket is decided in the rooms
//! above. What only Linux has, or has in a form of its own, is in `linux.rs`; what FreeBSD and
//! macOS have instead is in `bsd`, under the same names.

pub mod address;
pub mod batch;
pub mod descriptor;
mod direct;
#[cfg(target_os = "linux")]
pub mod epoll;
pub mod errno;
pub mod file;
pub mod fork;
pub mod group;
pub mod interface;
pub mod memory;
pub mod names;
#[cfg(not(target_os = "macos"))]
mod one_step;
pub mod option;
pub mod path;
pub mod poll;
pub mod socket;
#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "bsd/mod.rs")]
mod system;
mod thread;
pub mod time;
pub mod unix;
pub mod vector;

pub use errno::Errno;
pub use system::SHUTDOWN_WAKES;
#[cfg(not(target_os = "linux"))]
pub use system::kqueue as epoll;

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
