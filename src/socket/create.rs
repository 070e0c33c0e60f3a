//! New sockets, and how any descriptor becomes a handle.

use core::sync::atomic::Ordering::SeqCst;

use once_cell::race::OnceBool;

use super::close::park;
use super::kind::{Kind, Protocol, Type};
use crate::error::{Code, Result};
use crate::handle::slot::mark;
use crate::handle::word::State;
use crate::handle::{Handle, TABLE};
use crate::net::address::Family;
use crate::process;
use crate::sys::socket::{DGRAM, SEQPACKET, STREAM};
use crate::sys::{Errno, Fd, SHUTDOWN_WAKES, address, descriptor, errno, option, socket as calls};

/// The system's default is not ours (net.ipv6.bindv6only): found out once, with the first IPv6 socket.
static V6ONLY_BY_DEFAULT: OnceBool = OnceBool::new();

/// The kernel's number of a type.
fn number(carries: Type) -> i32 {
    match carries {
        Type::SK_STREAM => STREAM,
        Type::SK_DGRAM => DGRAM,
        Type::SK_SEQPACKET => SEQPACKET,
    }
}

pub fn socket(family: Family, carries: Type, protocol: Protocol) -> Result<Handle> {
    use Protocol::*;
    let fits = match (family, carries) {
        (Family::SK_UNIX, _) if !cfg!(feature = "unix") => return Err(Code::SK_EAFNOSUPPORT.into()),
        (Family::SK_UNSPEC, _) => return Err(Code::SK_EAFNOSUPPORT.into()),
        (Family::SK_UNIX, _) => protocol == SK_PROTO_DEFAULT,
        (_, Type::SK_STREAM) => {
            matches!(protocol, SK_PROTO_DEFAULT | SK_PROTO_TCP | SK_PROTO_MPTCP)
        }
        (_, Type::SK_DGRAM) => {
            matches!(protocol, SK_PROTO_DEFAULT | SK_PROTO_UDP | SK_PROTO_UDPLITE)
        }
        (_, Type::SK_SEQPACKET) => false,
    };
    if !fits {
        return Err(Code::SK_EPROTONOSUPPORT.into());
    }
    process::table()?;
    let kind = Kind::new(family, carries, protocol);
    // What can be connected is non-blocking until it is, see `connect`.
    let nonblocking = !kind.is_datagram();
    let fd = calls::socket(address::domain(family), number(carries), protocol as i32, nonblocking)?;
    let defaults = || -> core::result::Result<(), Errno> {
        let _keep = errno::Restore::later();
        if kind.is_tcp() {
            option::set(fd, option::NODELAY, 1)?;
        }
        if kind.is_inet6() && V6ONLY_BY_DEFAULT.get_or_init(|| option::get(fd, option::V6ONLY) != Ok(0)) {
            option::set(fd, option::V6ONLY, 0)?;
        }
        Ok(())
    };
    match defaults() {
        Ok(()) => adopt(fd, kind, if nonblocking { mark::NONBLOCKING } else { 0 }, false),
        Err(errno) => {
            descriptor::close(fd);
            Err(errno.into())
        }
    }
}

/// Two Unix sockets, connected to each other.
pub fn pair(carries: Type) -> Result<[Handle; 2]> {
    process::table()?;
    let kind = Kind::new(Family::SK_UNIX, carries, Protocol::SK_PROTO_DEFAULT);
    let [one, other] = calls::pair(number(carries))?;
    let first = match adopt(one, kind, mark::CONNECTED, false) {
        Ok(first) => first,
        Err(error) => {
            descriptor::close(other);
            return Err(error);
        }
    };
    match adopt(other, kind, mark::CONNECTED, false) {
        Ok(second) => Ok([first, second]),
        Err(error) => {
            let _ = super::close(first.to_raw());
            Err(error)
        }
    }
}

/// Makes a descriptor of ours a handle. Where there is no room for it, it is closed.
pub fn adopt(fd: Fd, kind: Kind, marks: u32, shared: bool) -> Result<Handle> {
    publish(house(fd)?, kind, marks, shared)
}

/// Makes a set of epoll(7) a handle, with the descriptor that wakes its waiters.
pub fn adopt_poller(set: Fd, waker: Fd) -> Result<Handle> {
    let handle = adopt(set, Kind::NONE, mark::POLLER, true).inspect_err(|_| descriptor::close(waker))?;
    if let Some(slot) = TABLE.get().slot(handle) {
        slot.waker.store(waker.wrapping_add(1), SeqCst);
    }
    Ok(handle)
}

/// The same socket under a number that has a slot, and is no standard stream's. Where that is another,
/// or there is no room, the old number is gone.
#[inline(always)]
pub fn house(fd: Fd) -> Result<Fd> {
    let fits = fd >= descriptor::FIRST && TABLE.get().index_of(fd).is_some();
    if fits { Ok(fd) } else { rehouse(fd) }
}

#[cold]
#[inline(never)]
fn rehouse(fd: Fd) -> Result<Fd> {
    let housed = copy(fd);
    descriptor::close(fd);
    housed
}

/// A number that has a slot: the descriptor's own, or that of a copy.
pub fn place(fd: Fd) -> Result<Fd> {
    if TABLE.get().index_of(fd).is_some() { Ok(fd) } else { copy(fd) }
}

fn copy(fd: Fd) -> Result<Fd> {
    let table = TABLE.get();
    let copy = descriptor::copy(fd, table.base)?;
    if table.index_of(copy).is_none() {
        descriptor::close(copy);
        return Err(Code::SK_EMFILE.into());
    }
    Ok(copy)
}

/// Moves a descriptor to a number that was reserved for it. Where that fails it keeps its own: it
/// is not lost, and `house` looks for another place. One of the two numbers is gone.
pub fn move_to(reserved: Fd, fd: Fd) -> Fd {
    let (kept, gone) = match descriptor::replace(reserved, fd) {
        Ok(()) => (reserved, fd),
        Err(_) => (fd, reserved),
    };
    descriptor::close(gone);
    kept
}

/// Makes a descriptor with a number that has a slot a handle.
pub fn publish(mut fd: Fd, kind: Kind, marks: u32, shared: bool) -> Result<Handle> {
    let marks = if kind.is_udp() && !kind.is_inet6() { marks } else { marks | mark::NOT_IPV4_DATAGRAM };
    // macOS heeds a flag against blocking in a receive only.
    let nonblocking = !SHUTDOWN_WAKES && !shared && descriptor::set_nonblocking(fd, true).is_ok();
    let marks = if nonblocking { marks | mark::NONBLOCKING } else { marks };
    let state = match (shared, kind.is_careful() || !SHUTDOWN_WAKES) {
        (true, _) => State::SHARED,
        (false, true) => State::CAREFUL,
        (false, false) => State::LIVE,
    };
    let table = TABLE.get();
    loop {
        let index = table.index_of(fd).ok_or(Code::SK_EMFILE)?;
        if let Some(handle) = table.publish(index, kind.traits() | marks, state) {
            return Ok(handle);
        }
        // The slot is out of generations: its number stays occupied, and the socket moves.
        let moved = descriptor::copy(fd, table.base);
        park(fd);
        fd = moved?;
    }
}
