//! Many datagrams at once.
//!
//! What is sent is a row of parts: a datagram is one, or, with `segment`, as many as the kernel
//! needs to be given it in: runs of segments that it cuts itself, or, where it or the
//! route refuses to, each segment on its own. A few parts go with each system call.

use core::ffi::c_int;
use core::mem::MaybeUninit;

use once_cell::race::OnceBool;

use super::flags::{Receive, SK_MORE, SK_TRUNC, Send};
use super::kind::Kind;
use super::pinned::Socket;
use super::wait::Stop;
use crate::error::{Code, Result};
use crate::handle::slot::{Direction, mark};
use crate::net::address::{Address, Family, SK_UNIX_PATH_MAX};
use crate::sys::address::Raw;
use crate::sys::batch::{self, Incoming, Outgoing, Part, Wanted};
use crate::sys::socket::message;
use crate::sys::time::Timer;
use crate::sys::{Errno, errno, option};

/// What Linux cuts for one message: so many segments, and what fits in a packet of IPv4.
const MOST_SEGMENTS: usize = 64;
const MOST_BYTES: usize = 65_507;

/// Whether the kernel cuts at all, found out once. One that does not (before 4.18) would send
/// the whole as one datagram.
static CUTS: OnceBool = OnceBool::new();

/// Datagrams that a receive asks for at first where the last one found no more. One that keeps up
/// with its sender should not pay for the headers of as many as there is room for.
const FEW: usize = 8;

/// The parts from a place on.
#[derive(Clone, Copy)]
struct Parts<'a> {
    list: Outgoing<'a>,
    /// Bytes of the first datagram that are done.
    done: usize,
    /// Some datagrams have segments.
    segmented: bool,
    /// Each segment goes on its own.
    singly: bool,
    /// They have nothing but data and an IPv4 destination.
    plain: bool,
}

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    #[inline(always)]
    fn next(&mut self) -> Option<Part<'a>> {
        let (whole, others) = self.list.next()?;
        if !self.segmented || whole.segment == 0 || whole.segment >= whole.data.len() {
            self.list = others;
            return Some(Part { segment: 0, ..whole });
        }
        let cut_at_once = MOST_BYTES.min(whole.segment.saturating_mul(MOST_SEGMENTS));
        if self.done == 0 && !self.singly && whole.data.len() <= cut_at_once {
            self.list = others;
            return Some(whole);
        }
        let (_, rest) = whole.data.split_at_checked(self.done)?;
        let run = MOST_BYTES.checked_div(whole.segment)?.min(MOST_SEGMENTS);
        let most = if self.singly || run < 2 { whole.segment } else { whole.segment.saturating_mul(run) };
        let data = rest.get(..most).unwrap_or(rest);
        self.done = self.done.saturating_add(data.len());
        if self.done >= whole.data.len() {
            (self.list, self.done) = (others, 0);
        }
        Some(Part { data, segment: if data.len() > whole.segment { whole.segment } else { 0 }, ..whole })
    }
}

impl Parts<'_> {
    /// So many parts more are done.
    fn advance(&mut self, count: usize) {
        if self.segmented {
            self.take(count).for_each(drop);
        } else {
            self.list = self.list.skip(count);
        }
    }
}

impl Socket {
    /// Sends datagrams, each whole or not at all. How many went; an error only where none did.
    pub fn send_batch(&self, list: Outgoing, flags: c_int) -> Result<usize> {
        if flags & SK_MORE != 0 {
            return Err(Code::SK_EINVAL.into());
        }
        let kind = self.kind();
        let asked = Send::new(flags, self)?;
        let plain = kind.family() == Family::SK_INET && list.is_plain(Family::SK_INET);
        let mut parts = Parts { list, done: 0, segmented: false, singly: self.slot.has(mark::SINGLY), plain };
        let mut all = if plain { list.skip(list.len()) } else { list };
        while let Some((whole, others)) = all.next() {
            self.check(kind, &whole)?;
            parts.segmented |= whole.segment > 0;
            all = others;
        }
        if all.len() > 0 {
            return Err(Code::SK_EINVAL.into());
        }
        if let Some(errno) = self.take_kept(Direction::Send) {
            return Err(errno.into());
        }
        let _keep = errno::Restore::later();
        if parts.segmented && !CUTS.get_or_init(|| option::get(self.fd(), option::UDP_SEGMENT).is_ok()) {
            parts.singly = true;
        }
        let mut timer = Timer::new(if asked.dont_wait() { 0 } else { self.slot.send_limit.get() });
        // Datagrams that went, at least in part.
        let gone = |parts: &Parts| {
            list.len().saturating_sub(parts.list.len()).saturating_add(usize::from(parts.done > 0))
        };
        while parts.list.len() > 0 {
            match self.send_parts(parts, asked.system(), &mut timer) {
                Ok(sent) => {
                    parts.advance(sent);
                    // They went singly after they were refused otherwise.
                    if parts.singly && parts.segmented {
                        self.slot.mark(mark::SINGLY);
                    }
                }
                Err(stop) => {
                    let first = { parts }.next();
                    if !parts.singly && refuses_segments(&stop) && first.is_some_and(|part| part.segment > 0)
                    {
                        parts.singly = true;
                        continue;
                    }
                    if gone(&parts) > 0 {
                        self.keep(Direction::Send, &stop);
                        break;
                    }
                    let to = first.and_then(|part| part.to);
                    return Err(match (stop, to) {
                        (Stop::System(errno @ Errno(libc::ENETUNREACH)), Some(to)) => {
                            self.address_error(errno, to)
                        }
                        (stop, _) => stop.into(),
                    });
                }
            }
        }
        Ok(gone(&parts))
    }

    /// One system call's worth of parts. How many went.
    fn send_parts(&self, parts: Parts, flags: c_int, timer: &mut Timer) -> core::result::Result<usize, Stop> {
        let v6 = self.kind().is_inet6();
        // Only a Unix datagram socket waits for room at its peer.
        let mut raw;
        let peer = match parts.list.next() {
            Some((Part { to: Some(to), .. }, _)) if self.kind().is_careful() => {
                raw = Raw::empty();
                self.to_raw(to, &mut raw).ok().map(|()| &raw)
            }
            _ => None,
        };
        self.transmit_within(flags, peer, timer, &mut |flags| {
            if parts.plain {
                batch::send_plain(self.fd(), parts.list, flags)
            } else {
                batch::send(self.fd(), parts, v6, flags)
            }
        })
    }

    /// Whether a datagram can go from this socket at all, as far as it can be told beforehand.
    fn check(&self, kind: Kind, whole: &Part) -> Result<()> {
        if kind.is_unix() && (whole.segment > 0 || whole.from.is_some()) {
            return Err(Code::SK_EINVAL.into());
        }
        let fits = |address: &Address| -> Result<()> {
            if address.family == kind.family() as u16 && !kind.is_unix() {
                return Ok(());
            }
            self.mapped(address)?;
            let too_long = kind.is_unix() && address.path_len as usize > SK_UNIX_PATH_MAX;
            if too_long { Err(Code::SK_EINVAL.into()) } else { Ok(()) }
        };
        whole.to.map_or(Ok(()), fits)?;
        whole.from.map_or(Ok(()), fits)
    }

    /// Waits for the first datagram and takes what is there. How many came; 0: the end.
    pub fn recv_batch(&self, list: Incoming, flags: c_int) -> Result<usize> {
        let asked = Receive::new(flags, self.kind())?;
        if list.is_empty() {
            return Ok(0);
        }
        if let Some(errno) = self.take_kept(Direction::Receive) {
            return Err(errno.into());
        }
        let _keep = errno::Restore::later();
        let mut timer = Timer::new(if asked.dont_wait { 0 } else { self.slot.recv_limit.get() });
        let wanted = Wanted {
            is_unix: self.kind().is_unix(),
            port: if list.wants_local { self.local_address(&mut MaybeUninit::uninit())?.port } else { 0 },
            cut: SK_TRUNC as u32,
            nobody_is_real: self.kind().is_careful(),
        };
        // An empty datagram from nobody is none: a shutdown or the peer's end looks like that. But a
        // Unix datagram socket may well receive such a one; a call that does not block brings no other.
        let never_block = if wanted.nobody_is_real { message::DONTWAIT } else { 0 };
        let peek = asked.system & message::PEEK != 0;
        let sparse = self.slot.has(mark::SPARSE);
        let most = match (peek, sparse) {
            // A peek would show the first one again and again.
            (true, _) => 1,
            (false, true) => FEW,
            (false, false) => usize::MAX,
        };
        let (mut some, mut rest) = list.split(most);
        let first = self.receive_within(asked.system | never_block, &mut timer, &mut |flags| {
            batch::recv(self.fd(), &mut some, wanted, flags)
        })?;
        let mut total = first;
        let mut received = first;
        while received == some.len() && !rest.is_empty() && !peek {
            (some, rest) = rest.split(usize::MAX);
            let flags = asked.system | message::DONTWAIT;
            received = match batch::recv(self.fd(), &mut some, wanted, flags) {
                Ok(received) => received,
                Err(Errno(libc::EAGAIN | libc::EINTR)) => 0,
                Err(_) if self.is_closed() => 0,
                Err(errno) => {
                    self.keep(Direction::Receive, &Stop::System(errno));
                    0
                }
            };
            total = total.saturating_add(received);
        }
        if sparse != (total <= FEW) {
            if sparse { self.slot.unmark(mark::SPARSE) } else { self.slot.mark(mark::SPARSE) }
        }
        Ok(total)
    }
}

/// What the kernel says where the route or the socket can't have segments cut; each of them
/// may have another reason too.
fn refuses_segments(stop: &Stop) -> bool {
    matches!(stop, Stop::System(Errno(libc::EIO | libc::EINVAL | libc::EMSGSIZE | libc::EOPNOTSUPP)))
}
