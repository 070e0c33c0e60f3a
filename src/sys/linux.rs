//! What only Linux has, or has in a form of its own.

use core::ffi::CStr;
use core::sync::atomic::AtomicU32;

use super::{Errno, Fd, Result, address::Raw, syscall};

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
    loop {
        // SAFETY: only numbers are passed. That `fd` is ours to end is what the slot's word decides.
        match unsafe { syscall!(dup3(by, fd, libc::O_CLOEXEC)) } {
            Err(Errno(libc::EINTR)) => {}
            result => return result.map(drop),
        }
    }
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

/// Sleeps while the word has this value: at most `ns` nanoseconds, and shorter where a
/// signal comes; see futex(2).
pub fn sleep_while(word: &AtomicU32, value: u32, ns: u64) {
    let _keep = super::errno::Restore::later();
    // The kernel's timespec of this call: two longs on every machine.
    let time: [libc::c_long; 2] =
        [(ns / 1_000_000_000).try_into().unwrap_or(libc::c_long::MAX), (ns % 1_000_000_000) as libc::c_long];
    let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: word and time live during the call, which only reads them.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, value, time.as_ptr()) };
}

/// Wakes every thread that sleeps on the word.
pub fn wake_sleepers(word: &AtomicU32) {
    let _keep = super::errno::Restore::later();
    let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: the call only takes the address, which is a word's.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, libc::c_int::MAX) };
}

/// What this thread is called where threads are listed, see prctl(2).
pub fn name_thread(name: &CStr) {
    // SAFETY: the name is a C string; what is too long of it is cut.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
}
