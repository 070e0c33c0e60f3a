//! The bits of the C interface: message flags and events.

use core::ffi::c_int;

use super::kind::Kind;
use super::pinned::Pinned;
use crate::error::{Code, Result};
use crate::sys::poll;
use crate::sys::socket::message;

/// Receive: leave the data where it is, to be received again.
pub const SK_PEEK: c_int = 1;
/// Receive on a stream: wait for the whole length. What was received when the peer ends, the
/// limit runs out or an error comes is reported; the error comes with the next call. With
/// `SK_PEEK` it acts as far as the system lets it, only without a limit, and on a socket that
/// counts as shared (`sk_dup`, `fork`, `sk_fd`, passed on) not at all. Ignored on datagrams.
pub const SK_WAITALL: c_int = 2;
/// Do not wait in this call: `SK_EAGAIN` instead.
pub const SK_DONTWAIT: c_int = 4;
/// Send: more will follow soon, which may go in the same packet.
pub const SK_MORE: c_int = 8;
/// Receive: return a datagram's full length even where the buffer was shorter. In
/// `sk_dgram`: the datagram was cut.
pub const SK_TRUNC: c_int = 16;
/// Out-of-band data of a TCP or Unix stream, see tcp(7), unix(7); MPTCP has none.
pub const SK_OOB: c_int = 32;

/// Something can be received or accepted, or the peer ended its side.
pub const SK_READABLE: u32 = 1;
/// Something can be sent, or a connection attempt has ended.
pub const SK_WRITABLE: u32 = 2;
/// Out-of-band data can be received.
pub const SK_PRIORITY: u32 = 4;
/// Both directions ended. Always reported.
pub const SK_HANGUP: u32 = 8;
/// An error is pending. Always reported.
pub const SK_ERROR: u32 = 16;
/// Poller: report only when something changes.
pub const SK_EDGE: u32 = 256;
/// Poller: report once, then not until the next `sk_poller_modify`.
pub const SK_ONESHOT: u32 = 512;
/// Poller: of several pollers that wait for copies of one socket, wake as few as possible.
pub const SK_EXCLUSIVE: u32 = 1024;

/// No time limit.
pub const SK_FOREVER: i64 = -1;

/// What a receive was asked for.
#[derive(Clone, Copy)]
pub(crate) struct Receive {
    /// Flags for the kernel.
    pub system: c_int,
    pub wait_all: bool,
    pub dont_wait: bool,
}

impl Receive {
    pub fn new(flags: c_int, kind: Kind) -> Result<Receive> {
        let allowed =
            SK_PEEK | SK_WAITALL | SK_DONTWAIT | SK_OOB | if kind.is_stream() { 0 } else { SK_TRUNC };
        if flags & !allowed != 0 {
            return Err(Code::SK_EINVAL.into());
        }
        if flags & SK_OOB != 0 && !kind.has_oob() {
            return Err(Code::SK_EOPNOTSUPP.into());
        }
        if message::TRUNC == 0 && flags & SK_TRUNC != 0 {
            return Err(Code::SK_ENOSYS.into());
        }
        let peek = flags & SK_PEEK != 0;
        let system = bit(flags, SK_PEEK, message::PEEK)
            | bit(flags, SK_TRUNC, message::TRUNC)
            | bit(flags, SK_OOB, message::OOB);
        let wait_all = flags & SK_WAITALL != 0 && kind.is_stream();
        Ok(Receive {
            // Only the kernel can wait for bytes that it is to leave where they are.
            system: if wait_all && peek { system | message::WAITALL } else { system },
            wait_all: wait_all && !peek,
            dont_wait: flags & SK_DONTWAIT != 0,
        })
    }
}

/// What a send was asked for.
#[derive(Clone, Copy)]
pub(crate) struct Send(c_int);

impl Send {
    pub const NONE: Send = Send(0);

    #[inline(never)]
    pub fn new(flags: c_int, on: &Pinned) -> Result<Send> {
        let kind = on.kind();
        match flags & !(SK_DONTWAIT | SK_MORE) {
            0 => Ok(Send(flags)),
            SK_OOB if kind.has_oob() => Ok(Send(flags)),
            SK_OOB => Err(Code::SK_EOPNOTSUPP.into()),
            _ => Err(Code::SK_EINVAL.into()),
        }
    }

    /// What needs no look at the kind.
    #[inline(always)]
    pub fn of_any_kind(flags: c_int) -> Option<Send> {
        (flags & !(SK_DONTWAIT | SK_MORE) == 0).then_some(Send(flags))
    }

    #[inline(always)]
    pub fn dont_wait(self) -> bool {
        self.0 & SK_DONTWAIT != 0
    }

    /// Flags for the kernel, which may wait.
    #[inline(always)]
    pub fn system(self) -> c_int {
        bit(self.0, SK_MORE, message::MORE) | bit(self.0, SK_OOB, message::OOB)
    }

    /// All of it as one system call takes it.
    #[inline(always)]
    pub fn for_kernel(self) -> c_int {
        self.system() | bit(self.0, SK_DONTWAIT, message::DONTWAIT)
    }
}

/// The kernel's bit for one of ours, where it is set.
#[inline(always)]
fn bit(flags: c_int, ours: c_int, system: c_int) -> c_int {
    if flags & ours != 0 { system } else { 0 }
}

/// The events, if all are known and none is only for pollers.
pub(crate) fn wait_events(events: u32) -> Result<u32> {
    let known = SK_READABLE | SK_WRITABLE | SK_PRIORITY | SK_HANGUP | SK_ERROR;
    if events & !known == 0 { Ok(events) } else { Err(Code::SK_EINVAL.into()) }
}

/// What poll(2) is asked for to see these events.
pub(crate) fn to_poll(events: u32) -> i16 {
    [(SK_READABLE, poll::IN | poll::READ_ENDED), (SK_WRITABLE, poll::OUT), (SK_PRIORITY, poll::PRIORITY)]
        .into_iter()
        .filter(|(event, _)| events & event != 0)
        .fold(0, |bits, (_, bit)| bits | bit)
}

/// What poll(2) found, as events.
pub(crate) fn from_poll(found: i16) -> u32 {
    [
        (poll::IN | poll::READ_ENDED, SK_READABLE),
        (poll::OUT, SK_WRITABLE),
        (poll::PRIORITY, SK_PRIORITY),
        (poll::HANGUP, SK_HANGUP),
        (poll::ERROR | poll::INVALID, SK_ERROR),
    ]
    .into_iter()
    .filter(|(bits, _)| found & bits != 0)
    .fold(0, |events, (_, event)| events | event)
}
