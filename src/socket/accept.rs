//! The next client of a listener.

use core::mem::MaybeUninit;

use super::create::{adopt, move_to};
use super::pinned::Socket;
use super::wait::{Stop, has_ended};
use crate::error::{Code, Result};
use crate::handle::slot::mark;
use crate::handle::{Handle, TABLE};
use crate::net::address::Address;
use crate::sys::address::Raw;
use crate::sys::time::Timer;
use crate::sys::{self, Errno, Fd, descriptor, errno, option, poll, socket as calls};

/// Waits for the next connection, under the listener's receive limit.
pub fn accept(raw: i64, peer: Option<&mut MaybeUninit<Address>>) -> Result<Handle> {
    let listener = Socket::new(raw)?.only(|kind| !kind.is_datagram())?;
    let mut address = peer.is_some().then(Raw::empty);
    let _keep = errno::Restore::later();
    let fd = match at_once(&listener, address.as_mut()) {
        Some(fd) => fd,
        None => wait(&listener, address.as_mut())?,
    };
    if listener.kind().is_tcp() && listener.slot.has(mark::INHERITS) {
        let _ = option::set(fd, option::CORK, 0);
        let _ = option::set(fd, option::NODELAY, 1);
        if let Ok(Some(1..)) = option::linger(fd) {
            // Or a close might have to wait.
            let _ = option::set_linger(fd, None);
        }
    }
    let handle = adopt(fd, listener.kind(), mark::CONNECTED, false)?;
    if let (Some(peer), Some(address)) = (peer, &address) {
        if address.show(peer).is_none() {
            peer.write(Address::NONE);
        }
    }
    Ok(handle)
}

/// One plain accept(2), if the listener's calls may be such. `None`: that did not do it; what speaks
/// against it is told again.
#[inline(always)]
fn at_once(listener: &Socket, peer: Option<&mut Raw>) -> Option<Fd> {
    if TABLE.get().moves || !listener.is_plain() {
        return None;
    }
    calls::accept(listener.fd(), peer).ok()
}

/// Any accept.
#[cold]
#[inline(never)]
fn wait(listener: &Socket, mut peer: Option<&mut Raw>) -> Result<Fd> {
    let mut timer = Timer::new(listener.slot.recv_limit.get());
    let fd = listener.retry(poll::IN, &mut timer, &mut |must_not_block| {
        if must_not_block || TABLE.get().moves {
            listener.make_nonblocking()?;
            // The mode is the socket's, and another copy may have changed it again.
            if listener.is_shared() && listener.slot.has(mark::LISTENING) && listener.look(poll::IN) == 0 {
                return Err(Errno(libc::EAGAIN));
            }
        }
        let fd = if TABLE.get().moves {
            accept_reserved(listener, peer.as_deref_mut())
        } else {
            next(listener.fd(), peer.as_deref_mut())
        };
        match fd {
            // Of a Unix one that was shut, poll(2) says for ever that there is something to accept.
            Err(Errno(libc::EAGAIN))
                if listener.kind().is_unix() && has_ended(listener.look(poll::READ_ENDED)) =>
            {
                Err(Errno(libc::EINVAL))
            }
            fd => fd.map(|fd| fd as usize),
        }
    });
    match fd {
        Ok(fd) => Ok(fd as Fd),
        // As accept(2) says of a socket that does not listen; a shut one looks the same.
        Err(Stop::System(Errno(libc::EOPNOTSUPP))) => Err(Code::SK_EINVAL.into()),
        Err(stop) => Err(stop.into()),
    }
}

/// Rides over connections that died while they waited: Linux tells their errors here, see accept(2).
fn next(listener: Fd, mut peer: Option<&mut Raw>) -> sys::Result<Fd> {
    loop {
        match calls::accept(listener, peer.as_deref_mut()) {
            Err(Errno(
                libc::ECONNABORTED
                | libc::EPROTO
                | libc::ENOPROTOOPT
                | libc::ENETDOWN
                | libc::ENETUNREACH
                | libc::EHOSTDOWN
                | libc::EHOSTUNREACH
                | errno::ENONET,
            )) => {}
            result => return result,
        }
    }
}

/// With a small table: takes a number that has a slot first, so that a connection for which
/// there is none stays in the queue.
fn accept_reserved(listener: &Socket, peer: Option<&mut Raw>) -> sys::Result<Fd> {
    let table = TABLE.get();
    let reserved = descriptor::copy(listener.fd(), table.base)?;
    let accepted = match table.index_of(reserved) {
        Some(_) => next(listener.fd(), peer),
        None => Err(Errno(libc::EMFILE)),
    };
    match accepted {
        Ok(fd) => Ok(move_to(reserved, fd)),
        Err(errno) => {
            descriptor::close(reserved);
            Err(errno)
        }
    }
}
