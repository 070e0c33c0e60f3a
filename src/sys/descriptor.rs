//! What holds for any descriptor: its modes, copies, end, and the limit of their number.

use super::{Errno, Fd, Result, syscall};

pub use super::system::{WAKERS_CROSS_FORK, replace, unacknowledged, unread, unwake, wake, waker};

/// Ends the descriptor. Whatever close(2) says, the number is free afterwards, so there is
/// nothing to answer and nothing to try again.
#[inline(never)] // it stands in many ways that are seldom taken
pub fn close(fd: Fd) {
    let _keep = super::errno::Restore::later();
    // SAFETY: only a number is passed. That it is ours to close is what the slot's word decides.
    unsafe { libc::close(fd) };
}

pub fn set_nonblocking(fd: Fd, on: bool) -> Result<()> {
    let mut on = libc::c_int::from(on);
    // SAFETY: FIONBIO reads one int.
    unsafe { syscall!(ioctl(fd, libc::FIONBIO as _, &raw mut on)) }.map(drop)
}

/// Whether the descriptor would survive exec.
pub fn survives_exec(fd: Fd) -> Result<bool> {
    // SAFETY: only numbers are passed.
    let flags = unsafe { syscall!(fcntl(fd, libc::F_GETFD)) }?;
    Ok(flags & libc::FD_CLOEXEC == 0)
}

pub fn close_on_exec(fd: Fd) -> Result<()> {
    // SAFETY: only numbers are passed.
    unsafe { syscall!(fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC)) }.map(drop)
}

/// The first number that is no standard stream's. A program may be started without these, and what it
/// prints would go to whatever has got such a number.
pub const FIRST: Fd = 3;

/// A copy, close-on-exec, with the lowest free number from `at_least` on that is no standard stream's.
pub fn copy(fd: Fd, at_least: u32) -> Result<Fd> {
    let at_least = libc::c_int::try_from(at_least).map_err(|_| Errno(libc::EMFILE))?.max(FIRST);
    // SAFETY: only numbers are passed.
    unsafe { syscall!(fcntl(fd, libc::F_DUPFD_CLOEXEC, at_least)) }.map_err(|errno| match errno {
        // The lowest number wanted lies beyond the limit.
        Errno(libc::EINVAL) => Errno(libc::EMFILE),
        errno => errno,
    })
}

/// The same descriptor under a number that is no standard stream's.
pub fn off_streams(fd: Fd) -> Result<Fd> {
    if fd >= FIRST {
        return Ok(fd);
    }
    let moved = copy(fd, 0);
    close(fd);
    moved
}

/// The number of descriptors the process may have now, and may raise that to.
pub fn limits() -> (u64, u64) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is an rlimit to write to.
    match unsafe { syscall!(getrlimit(libc::RLIMIT_NOFILE, &mut limit)) } {
        #[allow(clippy::unnecessary_cast)] // 32 bits, or signed, on some systems
        Ok(_) => (limit.rlim_cur as u64, limit.rlim_max as u64),
        Err(_) => (u64::MAX, u64::MAX),
    }
}
