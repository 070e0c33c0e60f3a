//! The kernel's options of a socket, see getsockopt(2).

use core::ffi::CStr;

use libc::c_int;

use super::{Errno, Fd, Result, syscall};

/// Level and name of an option.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name(pub(super) c_int, pub(super) c_int);

pub use super::system::options::*;
pub use super::system::{BOTH_FAMILIES, BUFFER_FACTOR, domain, protocol};

pub const REUSE_ADDR: Name = Name(libc::SOL_SOCKET, libc::SO_REUSEADDR);
pub const BROADCAST: Name = Name(libc::SOL_SOCKET, libc::SO_BROADCAST);
pub const KEEPALIVE: Name = Name(libc::SOL_SOCKET, libc::SO_KEEPALIVE);
pub const RECV_BUFFER: Name = Name(libc::SOL_SOCKET, libc::SO_RCVBUF);
pub const SEND_BUFFER: Name = Name(libc::SOL_SOCKET, libc::SO_SNDBUF);
pub const ERROR: Name = Name(libc::SOL_SOCKET, libc::SO_ERROR);
pub const TYPE: Name = Name(libc::SOL_SOCKET, libc::SO_TYPE);
pub const LISTENING: Name = Name(libc::SOL_SOCKET, libc::SO_ACCEPTCONN);
pub const KEEPALIVE_INTERVAL: Name = Name(libc::IPPROTO_TCP, libc::TCP_KEEPINTVL);
pub const KEEPALIVE_COUNT: Name = Name(libc::IPPROTO_TCP, libc::TCP_KEEPCNT);
pub const NODELAY: Name = Name(libc::IPPROTO_TCP, libc::TCP_NODELAY);
pub const FASTOPEN: Name = Name(libc::IPPROTO_TCP, libc::TCP_FASTOPEN);
pub const TTL: Name = Name(libc::IPPROTO_IP, libc::IP_TTL);
pub const TOS: Name = Name(libc::IPPROTO_IP, libc::IP_TOS);
pub const MULTICAST_TTL: Name = Name(libc::IPPROTO_IP, libc::IP_MULTICAST_TTL);
pub const MULTICAST_LOOP: Name = Name(libc::IPPROTO_IP, libc::IP_MULTICAST_LOOP);
pub const V6ONLY: Name = Name(libc::IPPROTO_IPV6, libc::IPV6_V6ONLY);
pub const TTL_V6: Name = Name(libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS);
pub const TOS_V6: Name = Name(libc::IPPROTO_IPV6, libc::IPV6_TCLASS);
pub const MULTICAST_TTL_V6: Name = Name(libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_HOPS);
pub const MULTICAST_LOOP_V6: Name = Name(libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_LOOP);
pub const MULTICAST_INTERFACE_V6: Name = Name(libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_IF);
pub const PKTINFO_V6: Name = Name(libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO);
const MULTICAST_INTERFACE: Name = Name(libc::IPPROTO_IP, libc::IP_MULTICAST_IF);
const SEND_TIMEOUT: Name = Name(libc::SOL_SOCKET, libc::SO_SNDTIMEO);

fn set_value<T>(fd: Fd, Name(level, name): Name, value: &T) -> Result<()> {
    let len = size_of::<T>() as libc::socklen_t;
    // SAFETY: pointer and length are those of one value.
    unsafe { syscall!(setsockopt(fd, level, name, core::ptr::from_ref(value).cast(), len)) }.map(drop)
}

pub(super) fn get_value<T>(fd: Fd, Name(level, name): Name, mut value: T) -> Result<T>
where
    T: Copy + 'static,
{
    let mut len = size_of::<T>() as libc::socklen_t;
    // SAFETY: pointer and length are those of one value, exclusively ours; it is only called
    // with integers and structs of integers, for which any bytes are a value.
    unsafe { syscall!(getsockopt(fd, level, name, (&raw mut value).cast(), &mut len)) }?;
    Ok(value)
}

pub fn set(fd: Fd, name: Name, value: c_int) -> Result<()> {
    set_value(fd, name, &value)
}

pub fn get(fd: Fd, name: Name) -> Result<c_int> {
    get_value(fd, name, 0 as c_int)
}

pub fn set_text(fd: Fd, Name(level, name): Name, text: &CStr) -> Result<()> {
    // With its NUL: Linux calls a text of no bytes invalid where an empty one is only unknown.
    let len = text.to_bytes_with_nul().len() as libc::socklen_t;
    // SAFETY: pointer and length are those of one string.
    unsafe { syscall!(setsockopt(fd, level, name, text.as_ptr().cast(), len)) }.map(drop)
}

/// Reads a text of less than `N` bytes; its length up to the first NUL.
pub fn get_text<const N: usize>(fd: Fd, Name(level, name): Name, text: &mut [u8; N]) -> Result<usize> {
    let mut len = N as libc::socklen_t;
    // SAFETY: pointer and length are those of one array, exclusively ours.
    unsafe { syscall!(getsockopt(fd, level, name, text.as_mut_ptr().cast(), &mut len)) }?;
    let used = text.get(..len as usize).unwrap_or_default();
    Ok(used.iter().position(|&byte| byte == 0).unwrap_or(used.len()))
}

/// Seconds that close waits for the peer's acknowledgement; `None`: it does not.
pub fn linger(fd: Fd) -> Result<Option<c_int>> {
    let linger = get_value(fd, LINGER, libc::linger { l_onoff: 0, l_linger: 0 })?;
    Ok((linger.l_onoff != 0).then_some(linger.l_linger))
}

pub fn set_linger(fd: Fd, seconds: Option<c_int>) -> Result<()> {
    let linger = libc::linger { l_onoff: seconds.is_some().into(), l_linger: seconds.unwrap_or(0) };
    set_value(fd, LINGER, &linger)
}

/// Which interface multicast leaves by, for IPv4; 0: the system's choice.
pub fn set_multicast_interface(fd: Fd, index: u32) -> Result<()> {
    let index = c_int::try_from(index).map_err(|_| Errno(libc::EINVAL))?;
    let any = libc::in_addr { s_addr: 0 };
    let request = libc::ip_mreqn { imr_multiaddr: any, imr_address: any, imr_ifindex: index };
    set_value(fd, MULTICAST_INTERFACE, &request)
}

/// The limit of the kernel's own for a blocking send or connect; 0: none.
pub fn set_send_timeout(fd: Fd, ms: u16) -> Result<()> {
    #[allow(clippy::useless_conversion)] // narrower on some systems
    let time = libc::timeval {
        tv_sec: (ms / 1000).into(),
        tv_usec: i32::from(ms % 1000).saturating_mul(1000).into(),
    };
    set_value(fd, SEND_TIMEOUT, &time)
}
