//! Handles that travel to another process, over a Unix socket, and who that process is.

use core::sync::atomic::Ordering::SeqCst;

use super::create::{house, move_to};
use super::descriptor::adopt_received;
use super::flags::{Receive, Send};
use super::kind::Kind;
use super::pinned::{Pinned, Socket};
use crate::error::{Code, Result};
use crate::handle::slot::mark;
use crate::handle::{Handle, Slot};
use crate::sys::socket::message::{DONTWAIT, PEEK};
use crate::sys::unix::{self, Cred, recv_descriptor, send_descriptor};
use crate::sys::{self, Errno, Fd, descriptor, option, poll};

/// Sends a copy of a socket with one byte, under the send limit of `via`.
pub fn send_handle(via: i64, raw: i64) -> Result<()> {
    let (via, passed) = (Pinned::new(via)?, Pinned::new(raw)?);
    let (via, passed) = (Socket::of(via)?.only(Kind::is_unix)?, Socket::of(passed)?);
    passed.share(if core::ptr::eq(via.slot, passed.slot) { 2 } else { 1 })?;
    via.transmit(Send::NONE, None, &mut |flags| send_descriptor(via.fd(), passed.fd(), flags))?;
    Ok(())
}

/// Receives a socket with one byte, under the receive limit of `via`.
pub fn recv_handle(via: i64) -> Result<Handle> {
    let via = Socket::unix(via)?;
    let mut came = None;
    let count = via.receive(Receive::new(0, via.kind())?, &mut |flags| {
        let _turn = Turn::take(via.slot);
        via.take(flags | DONTWAIT, &mut came)
    })?;
    match came {
        Some(fd) => adopt_received(fd),
        None if count == 0 => Err(Code::SK_EEOF.into()),
        None => Err(Code::SK_ENOENT.into()),
    }
}

impl Socket {
    /// Takes a byte and what came with it, without waiting. 0: the peer has ended.
    ///
    /// Linux drops a descriptor for which the process has no number left, and a small table may
    /// have none. So a copy is made first, which leaves the message where it is: where there is no
    /// room for that, nothing is lost. Then the message is received. If the copy took the last
    /// number it is the handle, else what was received is: another process may have been
    /// faster with the message that was looked at.
    fn take(&self, flags: i32, came: &mut Option<Fd>) -> sys::Result<usize> {
        let seen = if unix::PEEK_COPIES { Some(recv_descriptor(self.fd(), flags | PEEK)?) } else { None };
        let copy = match seen.map(|seen| (seen.fd, seen.no_room)) {
            Some((Some(copy), _)) => Some(house(copy).map_err(|_| Errno(libc::EMFILE))?),
            Some((None, true)) => return Err(Errno(libc::EMFILE)),
            _ => None,
        };
        let (taken, copy) = match (recv_descriptor(self.fd(), flags), copy) {
            (Ok(taken), copy) => (taken, copy),
            (Err(errno), copy) => {
                if let Some(copy) = copy {
                    descriptor::close(copy);
                }
                return Err(errno);
            }
        };
        *came = match (taken.fd, copy) {
            (Some(fd), Some(copy)) => Some(move_to(copy, fd)),
            (None, Some(copy)) if taken.no_room => Some(copy),
            (None, Some(copy)) => {
                descriptor::close(copy);
                None
            }
            (None, None) if taken.no_room => return Err(Errno(libc::EMFILE)),
            (fd, None) => fd,
        };
        let ended = taken.count == 0 && came.is_none() && (self.kind().is_stream() || self.is_at_end()?);
        Ok(usize::from(!ended))
    }

    /// Who is at the other end.
    pub fn peer_cred(&self) -> Result<Cred> {
        // Of a listener the kernel tells what its clients will be told: ourselves.
        let listening = option::get(self.fd(), option::LISTENING)? != 0;
        unix::peer(self.fd())?.filter(|_| !listening).ok_or_else(|| Code::SK_ENOTCONN.into())
    }
}

/// Keeps the threads of this process from looking at one message and taking another, at the end of
/// their descriptors. Held over calls that do not wait.
struct Turn<'a>(&'a Slot);

impl<'a> Turn<'a> {
    fn take(slot: &'a Slot) -> Turn<'a> {
        while slot.traits.fetch_or(mark::RECEIVING, SeqCst) & mark::RECEIVING != 0 {
            let _ = poll::poll(&mut [], Some(50_000));
        }
        Turn(slot)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.traits.fetch_and(!mark::RECEIVING, SeqCst);
    }
}
