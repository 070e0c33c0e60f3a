//! The calls that do in one step what takes several where a system lacks them.

use libc::c_int;

pub use libc::mmsghdr;

use super::address::Raw;
use super::poll::Item;
use super::{Errno, Fd, Result, option, syscall};

/// The number of the socket's family.
pub fn domain(fd: Fd) -> Result<c_int> {
    option::get(fd, option::Name(libc::SOL_SOCKET, libc::SO_DOMAIN))
}

/// The number of the socket's protocol.
pub fn protocol(fd: Fd) -> Result<c_int> {
    option::get(fd, option::Name(libc::SOL_SOCKET, libc::SO_PROTOCOL))
}

/// A new socket, close-on-exec, see socket(2).
pub fn socket(domain: c_int, kind: c_int, protocol: c_int, nonblocking: bool) -> Result<Fd> {
    let mode = if nonblocking { libc::SOCK_NONBLOCK } else { 0 };
    // SAFETY: only numbers are passed.
    unsafe { syscall!(socket(domain, kind | libc::SOCK_CLOEXEC | mode, protocol)) }
}

/// Two connected sockets, see socketpair(2).
pub fn pair(kind: c_int) -> Result<[Fd; 2]> {
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
    loop {
        // SAFETY: only numbers are passed. That `fd` is ours to end is what the slot's word decides.
        match unsafe { syscall!(dup3(by, fd, libc::O_CLOEXEC)) } {
            Err(Errno(libc::EINTR)) => {}
            result => return result.map(drop),
        }
    }
}

/// Bytes that wait to be read.
pub fn unread(fd: Fd) -> Result<i64> {
    number(fd, libc::FIONREAD as _)
}

/// Asks for a number by ioctl(2): a request that writes one int.
pub fn number(fd: Fd, request: libc::c_ulong) -> Result<i64> {
    let mut number: c_int = 0;
    // SAFETY: there is one int to write to.
    unsafe { syscall!(ioctl(fd, request as _, &raw mut number)) }?;
    Ok(i64::from(number))
}

/// See ppoll(2).
#[inline(always)]
pub fn poll(items: &mut [Item], ns: Option<u64>) -> Result<c_int> {
    let time = ns.map(|ns| libc::timespec {
        // 68 years at most, which a time_t of 32 bits holds.
        tv_sec: (ns / 1_000_000_000).min(i32::MAX as u64) as _,
        tv_nsec: (ns % 1_000_000_000) as _,
    });
    let time = time.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
    // SAFETY: the items are pollfds by their layout, exclusively ours during the call; `time`
    // is null or lives until the end of this function.
    unsafe { syscall!(ppoll(items.as_mut_ptr().cast(), items.len() as _, time, core::ptr::null())) }
}

/// Sends messages, see sendmmsg(2). How many went.
///
/// # Safety
/// There are `count` headers, and what they name is good for the lengths that go with it.
#[inline(always)]
pub unsafe fn sendmmsg(fd: Fd, headers: *mut mmsghdr, count: usize, flags: c_int) -> Result<usize> {
    // SAFETY: as the caller promises.
    unsafe { syscall!(sendmmsg(fd, headers, count as _, flags as _)) }.map(|sent| sent as usize)
}

/// Waits for the first message, unless told not to, and takes what is there, see recvmmsg(2).
/// How many came.
///
/// # Safety
/// As for `sendmmsg`; all of it may be written.
#[inline(always)]
pub unsafe fn recvmmsg(fd: Fd, headers: *mut mmsghdr, count: usize, flags: c_int) -> Result<usize> {
    let flags = flags | libc::MSG_WAITFORONE;
    // SAFETY: as the caller promises.
    unsafe { syscall!(recvmmsg(fd, headers, count as _, flags as _, core::ptr::null_mut())) }
        .map(|received| received as usize)
}

/// The peer, or `shutdown`, ended the direction that we read.
pub const READ_ENDED: i16 = libc::POLLRDHUP;
