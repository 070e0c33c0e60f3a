//! What FreeBSD and macOS have in a form of their own. Type-checked, see `make check-systems`,
//! and never run.

#[cfg(target_os = "freebsd")]
mod freebsd;
pub mod kqueue;
#[cfg(target_os = "macos")]
mod macos;

use core::sync::atomic::{AtomicU32, Ordering};

use libc::{c_int, in_addr, in6_addr, sa_family_t, sigset_t, sockaddr_in, sockaddr_in6};

use super::{Errno, Fd, Result, syscall, time};

#[cfg(target_os = "freebsd")]
pub use freebsd::*;
pub use kqueue::{unwake, wake, waker};
pub use libc::__error as errno_place;
#[cfg(target_os = "macos")]
pub use macos::*;

/// `shutdown` wakes no listener and no unconnected UDP socket on macOS, and each call but once
/// on FreeBSD. So no call blocks in the kernel but in poll(2), and sockets are non-blocking.
pub const SHUTDOWN_WAKES: bool = false;
/// A forked child has no kqueue(2) of its parent's.
pub const WAKERS_CROSS_FORK: bool = false;
/// There are no Unix names that are no files.
pub const ABSTRACT_NAMES: bool = false;
/// What became of a connection attempt is told by SO_ERROR.
pub const CONNECT_TELLS: bool = false;
/// A look at a message gives no copy of the descriptor that comes with it.
pub const PEEK_COPIES: bool = false;
/// An IPv6 socket has its own options alone.
pub const BOTH_FAMILIES: bool = false;
/// A membership of any source stays one: the kernel says EINVAL.
pub const ANY_SOURCE_TURNS: bool = false;
/// A buffer has the size that was asked for.
pub const BUFFER_FACTOR: c_int = 1;

/// Options that neither has, or that both have in another form than Linux.
pub mod options {
    use crate::sys::option::Name;

    /// The number of no option: getsockopt(2) says ENOPROTOOPT.
    pub(super) const NONE: Name = Name(libc::SOL_SOCKET, 0);

    pub const MARK: Name = NONE;
    pub const PRIORITY: Name = NONE;
    pub const BUSY_POLL: Name = NONE;
    pub const BIND_DEVICE: Name = NONE;
    pub const USER_TIMEOUT: Name = NONE;
    pub const FASTOPEN_CONNECT: Name = NONE;
    pub const QUICKACK: Name = NONE;
    // TCP_NOPUSH holds back without the limit of 200 ms that is promised.
    pub const CORK: Name = NONE;
    pub const UDP_SEGMENT: Name = NONE;
    pub const UDP_GRO: Name = NONE;

    #[cfg(target_os = "freebsd")]
    pub use super::freebsd::own_options::*;
    #[cfg(target_os = "macos")]
    pub use super::macos::own_options::*;
}

/// The kernel's form of an IPv4 address.
#[inline(always)]
pub fn inet(sin_port: u16, sin_addr: in_addr) -> sockaddr_in {
    let (sin_len, sin_family) = (size_of::<sockaddr_in>() as u8, libc::AF_INET as sa_family_t);
    sockaddr_in { sin_len, sin_family, sin_port, sin_addr, sin_zero: [0; 8] }
}

/// The kernel's form of an IPv6 address.
#[inline(always)]
pub fn inet6(sin6_port: u16, sin6_addr: in6_addr, sin6_scope_id: u32, sin6_flowinfo: u32) -> sockaddr_in6 {
    let (sin6_len, sin6_family) = (size_of::<sockaddr_in6>() as u8, libc::AF_INET6 as sa_family_t);
    sockaddr_in6 { sin6_len, sin6_family, sin6_port, sin6_flowinfo, sin6_addr, sin6_scope_id }
}

/// A connection that was begun is told by a mark here.
pub fn was_connected(_: Fd) -> bool {
    false
}

/// Nothing that both systems have tells it.
pub fn peer_may_send(_: Fd) -> bool {
    false
}

/// Between two looks at a word that another thread will change.
const LOOK: u64 = 2_000_000;

/// Sleeps while the word has this value: at most `ns` nanoseconds, and shorter where a signal comes.
/// There is no call for that which both systems have and promise to keep: it looks again and again.
pub fn sleep_while(word: &AtomicU32, value: u32, ns: u64) {
    let _keep = super::errno::Restore::later();
    let end = time::now().saturating_add(ns);
    while word.load(Ordering::Acquire) == value {
        let left = end.saturating_sub(time::now());
        if left == 0 || super::poll::poll(&mut [], Some(left.min(LOOK))).is_err() {
            return;
        }
    }
}

/// Who sleeps on the word will look by itself.
pub fn wake_sleepers(_: &AtomicU32) {}

/// sendfile(2) counts, limits and fails in other ways here: read and send instead.
pub fn send_file(_: Fd, _: Fd, _: i64, _: usize) -> Result<usize> {
    Err(Errno(libc::ENOSYS))
}

/// See pread(2).
pub fn read_file(file: Fd, buffer: &mut [u8], offset: i64) -> Result<usize> {
    // SAFETY: the buffer is ours.
    unsafe { syscall!(pread(file, buffer.as_mut_ptr().cast(), buffer.len(), offset)) }
        .map(|read| read as usize)
}

/// Nothing is pending: every send says that it wants no SIGPIPE, or the socket does.
pub fn take_pending(_: &sigset_t) {}
