//! Descriptors that come from outside, go there, or are looked at from there.

use core::sync::atomic::Ordering::Relaxed;

use super::close::{close_waker, leave_poller};
use super::create::{adopt, place, publish};
use super::kind::{Kind, Protocol, Type};
use super::pinned::{Pinned, Socket, find};
use crate::error::{Code, Error, Result};
use crate::handle::slot::mark;
use crate::handle::word::Kept;
use crate::handle::{Handle, TABLE};
use crate::net::address::Family;
use crate::process;
use crate::sys::{self, Errno, Fd, SHUTDOWN_WAKES, address, descriptor, errno, option, socket as calls};

/// Takes a descriptor over. On failure it stays the caller's.
pub fn from_fd(fd: i64) -> Result<Handle> {
    let fd = Fd::try_from(fd).map_err(|_| Code::SK_EBADHANDLE)?;
    let survives_exec = descriptor::survives_exec(fd)?;
    let table = process::table()?;
    let slot = table.index_of(fd).and_then(|index| table.begin(index));
    // Of two threads that come with one descriptor one gets it. Not so with a number that has no
    // slot, because the table is small: there is nothing to claim.
    let claim = slot.map(|slot| slot.word.claim().ok_or(Code::SK_EEXIST)).transpose()?;
    let _keep = errno::Restore::later();
    // Before anything is changed: where there is no room it stays as it is.
    let placed = place(fd)?;
    let prepared =
        kind_of(fd).and_then(|kind| Ok((kind, prepare(fd, kind)?))).inspect_err(|_| match (slot, claim) {
            (Some(slot), Some(tag)) => slot.word.unclaim(tag),
            _ => descriptor::close(placed),
        });
    let (kind, marks) = prepared?;
    if placed != fd {
        descriptor::close(fd);
    }
    // A process started while it was not close-on-exec has a copy, for all we know.
    publish(placed, kind, marks, survives_exec)
}

/// What a descriptor is.
fn kind_of(fd: Fd) -> Result<Kind> {
    let told = |answer: sys::Result<i32>| {
        answer.map_err(|errno| match errno {
            Errno(libc::ENOBUFS | libc::ENOMEM) => Error::from(errno),
            _ => Code::SK_ENOTSOCK.into(),
        })
    };
    let family = match address::family(told(option::domain(fd))?) {
        Some(Family::SK_UNSPEC) | None => return Err(Code::SK_ENOTSOCK.into()),
        Some(family) => family,
    };
    let carries = match told(option::get(fd, option::TYPE))? {
        calls::STREAM => Type::SK_STREAM,
        calls::DGRAM => Type::SK_DGRAM,
        calls::SEQPACKET => Type::SK_SEQPACKET,
        _ => return Err(Code::SK_ENOTSOCK.into()),
    };
    let protocol = Protocol::from_c(told(option::protocol(fd))?).ok_or(Code::SK_ENOTSOCK)?;
    Ok(Kind::new(family, carries, protocol))
}

/// Gives a socket that is taken over the modes that this library works in, and says what it is like.
fn prepare(fd: Fd, kind: Kind) -> sys::Result<u32> {
    let marks = marks_of(fd, kind) | if SHUTDOWN_WAKES { 0 } else { mark::NONBLOCKING };
    descriptor::close_on_exec(fd)?;
    descriptor::set_nonblocking(fd, marks & mark::NONBLOCKING != 0)?;
    calls::never_sigpipe(fd)?;
    option::set_send_timeout(fd, 0)?;
    if let Ok(Some(1..)) = option::linger(fd) {
        // Or a close might have to wait.
        option::set_linger(fd, None)?;
    }
    Ok(marks)
}

/// What a socket from outside is like. NONBLOCKING: it has still to be made so.
fn marks_of(fd: Fd, kind: Kind) -> u32 {
    let listening = option::get(fd, option::LISTENING) == Ok(1);
    let connected = calls::is_connected(fd);
    // What was done to it elsewhere is not known.
    let mut marks = mark::REUSE_CHOSEN | mark::INHERITS;
    if listening {
        marks |= mark::LISTENING;
    }
    if connected {
        marks |= mark::CONNECTED;
    }
    if kind.is_datagram() {
        marks |= mark::SHUT;
    } else if !listening && !connected {
        marks |= mark::NONBLOCKING;
    }
    marks
}

/// Makes a descriptor that another process sent a handle. The socket is still the sender's too: what
/// both have of it stays as it is, but for the mode that a connect needs, see `connect`.
pub fn adopt_received(fd: Fd) -> Result<Handle> {
    let _keep = errno::Restore::later();
    let kind = kind_of(fd).inspect_err(|_| descriptor::close(fd))?;
    let marks = marks_of(fd, kind) & !mark::NONBLOCKING;
    adopt(fd, kind, marks, true)
}

impl Pinned {
    /// Others will have the socket too: before there is a copy that a shutdown could harm. A close that
    /// came first is going to do that.
    pub fn share(&self, own_pins: u64) -> Result<()> {
        self.slot.word.share(own_pins);
        if self.is_closed() { Err(Code::SK_ECLOSED.into()) } else { Ok(()) }
    }

    /// The descriptor, to be looked at from outside.
    pub fn show_fd(&self) -> Fd {
        self.slot.word.share(1);
        self.slot.mark(mark::INHERITS);
        self.fd()
    }
}

/// Gives the descriptor up: the handle is dead, the descriptor the caller's.
pub fn into_fd(raw: i64) -> Result<Fd> {
    let _keep = errno::Restore::later();
    drop(Socket::new(raw)?);
    let handle = Handle::from_raw(raw);
    let (table, slot) = find(handle)?;
    slot.word.give_up(handle.tag()).map_err(|kept| match kept {
        Kept::Stale => Code::SK_EBADHANDLE,
        Kept::Busy => Code::SK_EBUSY,
    })?;
    table.forget();
    let fd = table.fd_of(handle.index());
    leave_poller(slot, fd);
    close_waker(slot, handle.tag());
    let blocking = descriptor::set_nonblocking(fd, false);
    // A connect may have left one.
    let _ = option::set_send_timeout(fd, 0);
    let _ = slot.word.free(handle.tag());
    if let Err(errno) = blocking {
        // Nobody would know of it.
        descriptor::close(fd);
        return Err(errno.into());
    }
    Ok(fd)
}

/// The same socket as a handle of its own.
pub fn dup(raw: i64) -> Result<Handle> {
    let socket = Socket::new(raw)?;
    socket.share(1)?;
    let fd = descriptor::copy(socket.fd(), TABLE.get().base)?;
    let handle = adopt(fd, socket.kind(), socket.slot.traits.load(Relaxed) & mark::OF_THE_SOCKET, true)?;
    let interface = socket.slot.multicast_interface.load(Relaxed);
    find(handle)?.1.multicast_interface.store(interface, Relaxed);
    Ok(handle)
}
