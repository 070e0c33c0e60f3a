//! macOS, from 10.12 on: what others do with one call takes two, between which a fork can come.

use core::ffi::CStr;
use core::mem::{MaybeUninit, zeroed};
use core::ptr::null_mut;

use libc::{c_int, cmsghdr, msghdr};

use crate::sys::address::{self, Family, Raw};
use crate::sys::option::{self, Name};
use crate::sys::poll::Item;
use crate::sys::unix::Cred;
use crate::sys::{Errno, Fd, Result, descriptor, socket as calls, syscall};

pub use libc::MAP_NORESERVE;

/// Reasons that not every system has.
pub mod reasons {
    use libc::c_int;

    pub use libc::ENODATA;
    /// There is none.
    pub const ENONET: c_int = 0;
}

/// Message flags that not every system has, or that do more on some.
pub mod messages {
    use libc::c_int;

    /// The socket has an option instead, see `never_sigpipe`.
    pub const NOSIGNAL: c_int = 0;
    /// More may follow, or not: it makes no difference.
    pub const MORE: c_int = 0;
    /// What is received has to be copied.
    pub const DISCARD: c_int = 0;
    /// The full length of a cut datagram is not told.
    pub const TRUNC: c_int = 0;
    /// It takes a further call.
    pub const CLOEXEC: c_int = 0;
}

pub mod own_options {
    use super::super::options::NONE;
    use crate::sys::option::Name;

    pub const REUSE_PORT: Name = Name(libc::SOL_SOCKET, libc::SO_REUSEPORT);
    pub const KEEPALIVE_IDLE: Name = Name(libc::IPPROTO_TCP, libc::TCP_KEEPALIVE);
    pub const CONGESTION: Name = NONE;
    pub const PKTINFO: Name = Name(libc::IPPROTO_IP, libc::IP_PKTINFO);
    // SO_LINGER counts in ticks of the clock.
    pub const LINGER: Name = Name(libc::SOL_SOCKET, libc::SO_LINGER_SEC);
}

/// The address of ours that a datagram goes from or came to, as it stands beside the data.
pub mod local {
    use libc::{in_addr, in_pktinfo};

    pub use super::own_options::PKTINFO as NAME;

    pub type Value = in_pktinfo;

    pub fn value(ip: in_addr) -> Value {
        in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: ip, ipi_addr: in_addr { s_addr: 0 } }
    }

    pub fn ip(info: Value) -> in_addr {
        info.ipi_addr
    }
}

/// A header of control data, as far as to its value.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct ControlHeader(pub cmsghdr);

/// The bytes of a value of control data that may come, unasked, beside a descriptor.
pub const CREDENTIALS: usize = 0;
/// Control data that is descriptors.
pub const DESCRIPTORS: &[libc::c_int] = &[libc::SCM_RIGHTS];

/// A message with the count of its bytes.
#[allow(non_camel_case_types)] // the name that it has elsewhere
#[repr(C)]
pub struct mmsghdr {
    pub msg_hdr: msghdr,
    pub msg_len: u32,
}

/// A descriptor as the library wants its own to be. Where that fails it is closed.
fn tame(fd: Fd, nonblocking: bool) -> Result<Fd> {
    let made = descriptor::close_on_exec(fd)
        .and_then(|()| descriptor::set_nonblocking(fd, nonblocking))
        .and_then(|()| never_sigpipe(fd));
    made.map(|()| fd).inspect_err(|_| descriptor::close(fd))
}

/// A send on this socket raises no SIGPIPE, see getsockopt(2).
pub fn never_sigpipe(fd: Fd) -> Result<()> {
    option::set(fd, Name(libc::SOL_SOCKET, libc::SO_NOSIGPIPE), 1)
}

/// A new socket, close-on-exec, see socket(2).
pub fn socket(domain: c_int, kind: c_int, protocol: c_int, nonblocking: bool) -> Result<Fd> {
    // SAFETY: only numbers are passed.
    tame(unsafe { syscall!(socket(domain, kind, protocol)) }?, nonblocking)
}

/// Two connected sockets, see socketpair(2).
pub fn pair(kind: c_int) -> Result<[Fd; 2]> {
    let mut pair = [-1; 2];
    // SAFETY: `pair` has room for the two descriptors.
    unsafe { syscall!(socketpair(libc::AF_UNIX, kind, 0, pair.as_mut_ptr())) }?;
    let [one, other] = pair;
    let one = tame(one, false).inspect_err(|_| descriptor::close(other))?;
    let other = tame(other, false).inspect_err(|_| descriptor::close(one))?;
    Ok([one, other])
}

/// The next connection, close-on-exec and in blocking mode, and who it comes from, see accept(2).
pub fn accept(fd: Fd, peer: Option<&mut Raw>) -> Result<Fd> {
    let (address, len) = match peer {
        Some(peer) => peer.fill(),
        None => (null_mut(), null_mut()),
    };
    // SAFETY: both pointers are null, or address and length of one `Raw`, exclusively ours.
    let accepted = unsafe { syscall!(accept(fd, address, len)) }?;
    // It has the listener's mode. What is wrong with it now is wrong with the connection.
    tame(accepted, false).map_err(|_| Errno(libc::ECONNABORTED))
}

/// Makes `fd` another number for `by`, close-on-exec, ending what `fd` was, see dup2(2).
pub fn replace(fd: Fd, by: Fd) -> Result<()> {
    loop {
        // SAFETY: only numbers are passed. That `fd` is ours to end is what the slot's word decides.
        match unsafe { syscall!(dup2(by, fd)) } {
            Err(Errno(libc::EINTR)) => {}
            Err(errno) => return Err(errno),
            Ok(_) => return descriptor::close_on_exec(fd),
        }
    }
}

/// See poll(2), which counts in milliseconds: they are rounded up.
pub fn poll(items: &mut [Item], ns: Option<u64>) -> Result<c_int> {
    let ms = ns.map_or(-1, |ns| c_int::try_from(ns.div_ceil(1_000_000)).unwrap_or(c_int::MAX));
    // SAFETY: the items are pollfds by their layout, exclusively ours during the call.
    unsafe { syscall!(poll(items.as_mut_ptr().cast(), items.len() as _, ms)) }
}

/// Sends messages one by one. How many went; an error only where none did.
///
/// # Safety
/// There are `count` headers, and what they name is good for the lengths that go with it.
pub unsafe fn sendmmsg(fd: Fd, headers: *mut mmsghdr, count: usize, flags: c_int) -> Result<usize> {
    for at in 0..count {
        // SAFETY: as the caller promises.
        let sent = unsafe { syscall!(sendmsg(fd, &raw const (*headers.add(at)).msg_hdr, flags)) };
        match sent {
            Ok(_) => {}
            Err(errno) if at == 0 => return Err(errno),
            // It comes again with the next call.
            Err(_) => return Ok(at),
        }
    }
    Ok(count)
}

/// Waits for the first message, unless told not to, and takes what is there, one by one. How
/// many came; an error only where none did.
///
/// # Safety
/// As for `sendmmsg`; all of it may be written.
pub unsafe fn recvmmsg(fd: Fd, headers: *mut mmsghdr, count: usize, flags: c_int) -> Result<usize> {
    for at in 0..count {
        let flags = if at == 0 { flags } else { flags | libc::MSG_DONTWAIT };
        // SAFETY: as the caller promises.
        let received = unsafe { syscall!(recvmsg(fd, &raw mut (*headers.add(at)).msg_hdr, flags)) };
        match received {
            // SAFETY: as above.
            Ok(received) => unsafe { (*headers.add(at)).msg_len = received as u32 },
            Err(errno) if at == 0 => return Err(errno),
            Err(_) => return Ok(at),
        }
    }
    Ok(count)
}

/// What this thread is called where threads are listed, see pthread_setname_np(3).
pub fn name_thread(name: &CStr) {
    // SAFETY: the name is a C string.
    unsafe { libc::pthread_setname_np(name.as_ptr()) };
}

/// Bytes that wait to be read.
pub fn unread(fd: Fd) -> Result<i64> {
    option::get(fd, Name(libc::SOL_SOCKET, libc::SO_NREAD)).map(i64::from)
}

/// Bytes sent that the peer has not acknowledged.
pub fn unacknowledged(fd: Fd) -> Result<i64> {
    option::get(fd, Name(libc::SOL_SOCKET, libc::SO_NWRITE)).map(i64::from)
}

/// Who is at the other end of a Unix socket; `None`: the kernel knows nobody.
pub fn peer(fd: Fd) -> Result<Option<Cred>> {
    // SAFETY: all-zero bytes are an xucred.
    let nobody: libc::xucred = unsafe { zeroed() };
    match option::get_value(fd, Name(libc::SOL_LOCAL, libc::LOCAL_PEERCRED), nobody) {
        Ok(peer) => Ok(Some(Cred {
            pid: option::get(fd, Name(libc::SOL_LOCAL, libc::LOCAL_PEERPID)).unwrap_or(0),
            uid: peer.cr_uid,
            gid: peer.cr_groups.first().copied().unwrap_or_default(),
        })),
        Err(Errno(libc::ENOTCONN)) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// The number of the socket's family.
pub fn domain(fd: Fd) -> Result<c_int> {
    let mut address = Raw::empty();
    calls::local_address(fd, &mut address)?;
    let mut room = MaybeUninit::uninit();
    let shown = address.show(&mut room).map(|address| Family::from_c(address.family.into()));
    Ok(address::domain(shown.flatten().unwrap_or(Family::SK_UNSPEC)))
}

/// The number of the socket's protocol: that of its kind, for there are no others.
pub fn protocol(fd: Fd) -> Result<c_int> {
    let is_stream = option::get(fd, option::TYPE)? == calls::STREAM;
    Ok(match domain(fd)? {
        libc::AF_UNIX => 0,
        _ if is_stream => libc::IPPROTO_TCP,
        _ => libc::IPPROTO_UDP,
    })
}

/// poll(2) has no word for one direction that ended: POLLIN says it too.
pub const READ_ENDED: i16 = 0;
