//! What only Linux has, or has in a form of its own.

use core::ffi::CStr;
use core::mem::MaybeUninit;
use core::ptr::null_mut;
use core::sync::atomic::AtomicU32;

use libc::{c_int, in_addr, in6_addr, sa_family_t, sigset_t, sockaddr_in, sockaddr_in6};

use super::unix::Cred;
use super::{Errno, Fd, Result, descriptor, option, syscall};

pub use super::one_step::*;
pub use libc::{__errno_location as errno_place, MAP_NORESERVE};

/// `shutdown` wakes every call that is blocked on the socket, and every later one. Tests see what is done
/// where it does not, see tests/cross/run.py.
pub const SHUTDOWN_WAKES: bool = !cfg!(sk_wakers);
/// A forked child has the parent's pollers and wakers too.
pub const WAKERS_CROSS_FORK: bool = true;
/// There are Unix names that are no files.
pub const ABSTRACT_NAMES: bool = true;
/// The next connect on a socket tells what became of the one before.
pub const CONNECT_TELLS: bool = true;
/// A look at a message gives a copy of the descriptor that comes with it.
pub const PEEK_COPIES: bool = true;
/// The options of IPv4 are those of an IPv6 socket too.
pub const BOTH_FAMILIES: bool = true;
/// A membership of any source becomes one of named sources where one is joined or left.
pub const ANY_SOURCE_TURNS: bool = true;
/// What the kernel makes of a buffer's size, for its own use.
pub const BUFFER_FACTOR: c_int = 2;

/// Reasons that not every system has.
pub mod reasons {
    pub use libc::{ENODATA, ENONET};
}

/// Message flags that not every system has, or that do more on some.
pub mod messages {
    /// Receive: drop what is received.
    pub use libc::MSG_TRUNC as DISCARD;
    pub use libc::{
        MSG_CMSG_CLOEXEC as CLOEXEC, MSG_MORE as MORE, MSG_NOSIGNAL as NOSIGNAL, MSG_TRUNC as TRUNC,
    };
}

/// Options that not every system has, or that have other names on some.
pub mod options {
    use crate::sys::option::Name;

    pub const REUSE_PORT: Name = Name(libc::SOL_SOCKET, libc::SO_REUSEPORT);
    pub const MARK: Name = Name(libc::SOL_SOCKET, libc::SO_MARK);
    pub const PRIORITY: Name = Name(libc::SOL_SOCKET, libc::SO_PRIORITY);
    pub const BUSY_POLL: Name = Name(libc::SOL_SOCKET, libc::SO_BUSY_POLL);
    pub const BIND_DEVICE: Name = Name(libc::SOL_SOCKET, libc::SO_BINDTODEVICE);
    pub const KEEPALIVE_IDLE: Name = Name(libc::IPPROTO_TCP, libc::TCP_KEEPIDLE);
    pub const USER_TIMEOUT: Name = Name(libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT);
    pub const FASTOPEN_CONNECT: Name = Name(libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT);
    pub const QUICKACK: Name = Name(libc::IPPROTO_TCP, libc::TCP_QUICKACK);
    pub const CORK: Name = Name(libc::IPPROTO_TCP, libc::TCP_CORK);
    pub const CONGESTION: Name = Name(libc::IPPROTO_TCP, libc::TCP_CONGESTION);
    pub const UDP_SEGMENT: Name = Name(libc::SOL_UDP, libc::UDP_SEGMENT);
    pub const UDP_GRO: Name = Name(libc::SOL_UDP, libc::UDP_GRO);
    pub const PKTINFO: Name = Name(libc::IPPROTO_IP, libc::IP_PKTINFO);
    pub const LINGER: Name = Name(libc::SOL_SOCKET, libc::SO_LINGER);
}

/// The address of ours that a datagram goes from or came to, as it stands beside the data.
pub mod local {
    use libc::{in_addr, in_pktinfo};

    pub use super::options::PKTINFO as NAME;

    pub type Value = in_pktinfo;

    pub fn value(ip: in_addr) -> Value {
        in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: ip, ipi_addr: in_addr { s_addr: 0 } }
    }

    /// Of a group or broadcast datagram it is the address of ours; it is not known of one
    /// that came before the option was set.
    pub fn ip(info: Value) -> in_addr {
        let known = info.ipi_spec_dst.s_addr != 0;
        if known { info.ipi_spec_dst } else { info.ipi_addr }
    }
}

/// A header of control data, as far as to its value.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct ControlHeader(pub libc::cmsghdr);

/// The bytes of a value of control data that may come, unasked, beside a descriptor.
pub const CREDENTIALS: usize = size_of::<libc::ucred>();
/// Control data that is descriptors: those that the sender gave, and, for a socket with SO_PASSPIDFD,
/// one of the sender itself (SCM_PIDFD, which `libc` does not know yet).
pub const DESCRIPTORS: &[c_int] = &[libc::SCM_RIGHTS, 4];

/// The kernel's form of an IPv4 address.
#[inline(always)]
pub fn inet(sin_port: u16, sin_addr: in_addr) -> sockaddr_in {
    sockaddr_in { sin_family: libc::AF_INET as sa_family_t, sin_port, sin_addr, sin_zero: [0; 8] }
}

/// The kernel's form of an IPv6 address.
#[inline(always)]
pub fn inet6(sin6_port: u16, sin6_addr: in6_addr, sin6_scope_id: u32, sin6_flowinfo: u32) -> sockaddr_in6 {
    let sin6_family = libc::AF_INET6 as sa_family_t;
    sockaddr_in6 { sin6_family, sin6_port, sin6_flowinfo, sin6_addr, sin6_scope_id }
}

/// A descriptor that becomes readable, for good, with `wake`; see eventfd(2).
pub fn waker() -> Result<Fd> {
    // SAFETY: only numbers are passed.
    unsafe { syscall!(eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK)) }.and_then(descriptor::off_streams)
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

/// Here every send says itself that it wants no SIGPIPE.
pub fn never_sigpipe(_: Fd) -> Result<()> {
    Ok(())
}

/// See sendfile(2).
pub fn send_file(socket: Fd, file: Fd, offset: i64, count: usize) -> Result<usize> {
    let mut offset: libc::off64_t = offset;
    // SAFETY: `offset` is ours to write.
    unsafe { syscall!(sendfile64(socket, file, &mut offset, count)) }.map(|sent| sent as usize)
}

/// See pread(2).
pub fn read_file(file: Fd, buffer: &mut [u8], offset: i64) -> Result<usize> {
    // SAFETY: the buffer is ours.
    unsafe { syscall!(pread64(file, buffer.as_mut_ptr().cast(), buffer.len(), offset)) }
        .map(|read| read as usize)
}

/// Takes a pending signal of the set away; one of this thread before one of the process.
pub fn take_pending(set: &sigset_t) {
    let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: set and time are ours.
    while unsafe { syscall!(sigtimedwait(set, null_mut(), &now)) } == Err(Errno(libc::EINTR)) {}
}

/// Bytes sent that the peer has not acknowledged.
pub fn unacknowledged(fd: Fd) -> Result<i64> {
    number(fd, libc::TIOCOUTQ as _)
}

/// The state of a TCP connection, see tcp(7), and the space to receive into that it has, or had to
/// its end: one that never came about has none. Zero where it is no TCP.
#[inline(never)] // one copy of it serves both questions
fn tcp_info(fd: Fd) -> (u8, u32) {
    /// The kernel's tcp_info as far as to tcpi_rcv_space.
    #[repr(C)]
    struct Head {
        state: u8,
        between: MaybeUninit<[u8; 95]>,
        space: u32,
    }
    let mut head = Head { state: 0, between: MaybeUninit::uninit(), space: 0 };
    let mut len = size_of::<Head>() as libc::socklen_t;
    // SAFETY: pointer and length are those of one `Head`, exclusively ours, of integers.
    unsafe { libc::getsockopt(fd, libc::IPPROTO_TCP, libc::TCP_INFO, (&raw mut head).cast(), &mut len) };
    (head.state, head.space)
}

/// Whether a TCP connection ever came about.
pub fn was_connected(fd: Fd) -> bool {
    tcp_info(fd).1 != 0
}

/// Whether the peer of a TCP connection whose sending side was shut may still send. A read shutdown
/// hides that from everything else.
pub fn peer_may_send(fd: Fd) -> bool {
    const FIN_WAIT1: u8 = 4;
    const FIN_WAIT2: u8 = 5;
    matches!(tcp_info(fd).0, FIN_WAIT1 | FIN_WAIT2)
}

/// Who is at the other end of a Unix socket; `None`: the kernel knows nobody.
pub fn peer(fd: Fd) -> Result<Option<Cred>> {
    const NAME: option::Name = option::Name(libc::SOL_SOCKET, libc::SO_PEERCRED);
    let libc::ucred { pid, uid, gid } = option::get_value(fd, NAME, libc::ucred { pid: 0, uid: 0, gid: 0 })?;
    // What it says where nobody is.
    Ok(((pid, uid) != (0, u32::MAX)).then_some(Cred { pid, uid, gid }))
}
