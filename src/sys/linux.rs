//! What only Linux has, or has in a form of its own.

use super::{Fd, Result, address::Raw, syscall};

/// A new socket, close-on-exec, see socket(2).
pub fn socket(
    domain: libc::c_int,
    kind: libc::c_int,
    protocol: libc::c_int,
    nonblocking: bool,
) -> Result<Fd> {
    let mode = if nonblocking { libc::SOCK_NONBLOCK } else { 0 };
    // SAFETY: only numbers are passed.
    unsafe { syscall!(socket(domain, kind | libc::SOCK_CLOEXEC | mode, protocol)) }
}

/// Two connected sockets, see socketpair(2).
pub fn pair(kind: libc::c_int) -> Result<[Fd; 2]> {
    let mut pair = [-1; 2];
    // SAFETY: `pair` has room for the two descriptors.
    unsafe { syscall!(socketpair(libc::AF_UNIX, kind | libc::SOCK_CLOEXEC, 0, pair.as_mut_ptr())) }?;
    Ok(pair)
}

/// The next connection, close-on-exec and in blocking mode, and who it comes from, see accept(2).
pub fn accept(fd: Fd, peer: Option<&mut Raw>) -> Result<Fd> {
    let (address, len) = match peer {
        Some(peer) => peer.fill(),
        None => (core::ptr::null_mut(), core::ptr::null_mut()),
    };
    // SAFETY: both pointers are null, or address and length of one `Raw`, exclusively ours.
    unsafe { syscall!(accept4(fd, address, len, libc::SOCK_CLOEXEC)) }
}

/// Makes `fd` another number for `by`, close-on-exec, ending what `fd` was, see dup3(2).
pub fn replace(fd: Fd, by: Fd) -> Result<()> {
    // SAFETY: only numbers are passed. That `fd` is ours to end is what the slot's word decides.
    unsafe { syscall!(dup3(by, fd, libc::O_CLOEXEC)) }.map(drop)
}

/// A descriptor that becomes readable, for good, with `wake`; see eventfd(2).
pub fn waker() -> Result<Fd> {
    // SAFETY: only numbers are passed.
    unsafe { syscall!(eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK)) }
}

/// Makes a `waker` readable.
pub fn wake(fd: Fd) {
    let _keep = super::errno::Restore::later();
    let one = 1u64.to_ne_bytes();
    // SAFETY: the buffer has its eight bytes. It can't fail: the counter is far from full.
    unsafe { libc::write(fd, one.as_ptr().cast(), one.len()) };
}

/// Takes a wake back. False: there was none.
pub fn unwake(fd: Fd) -> bool {
    let _keep = super::errno::Restore::later();
    let mut count = [0u8; 8];
    // SAFETY: the buffer has the eight bytes that are read.
    unsafe { libc::read(fd, count.as_mut_ptr().cast(), count.len()) > 0 }
}
