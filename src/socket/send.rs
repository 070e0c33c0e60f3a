//! Sending bytes and datagrams.

use core::ffi::c_int;

use super::flags::Send;
use super::pinned::Socket;
use super::plain::{Plain, long_way, otherwise, part, rest, unmoved};
use super::wait::{Call, SLICE, Stop};
use crate::error::{Code, Count, Result};
use crate::handle::slot::{Direction, mark};
use crate::net::address::{Address, Family};
use crate::sys::address::{Inet, Inet6, Raw};
use crate::sys::poll::{self, Item};
use crate::sys::socket::{self as calls, Answer, message};
use crate::sys::time::Timer;
use crate::sys::vector::{self, Pieces};
use crate::sys::{Errno, descriptor};

/// Sends bytes, not none.
#[inline(always)]
pub fn send(raw: i64, data: &[u8]) -> Count {
    match Plain::pin(raw) {
        Some(plain) => match calls::send_plain(plain.fd, data, 0) {
            (Answer(sent @ 1..), _) => plain.done(raw, sent),
            (answer, data) => rest(raw, |socket| socket.send(data, 0), plain, answer),
        },
        None => otherwise(raw, |socket| socket.send(data, 0)),
    }
}

/// Sends a datagram, not an empty one.
#[inline(always)]
pub fn send_to(raw: i64, data: &[u8], to: &Address) -> Count {
    match Plain::pin(raw) {
        Some(plain) if !plain.has(mark::NOT_IPV4_DATAGRAM) && to.family == Family::SK_INET as u16 => {
            let to = Inet::new(to);
            match calls::send_to_plain(plain.fd, data, &to) {
                (Answer(sent @ 1..), _) => plain.done(raw, sent),
                (answer, data) => rest(raw, |socket| socket.send_to_inet(data, &to), plain, answer),
            }
        }
        Some(_) => send_to_inet6(raw, data, to),
        None => otherwise(raw, |socket| socket.send_to(data, 0, to)),
    }
}

/// The same from an IPv6 socket; others take the long way.
#[inline(never)]
fn send_to_inet6(raw: i64, data: &[u8], to: &Address) -> Count {
    let Some(plain) = Plain::pinned(raw) else {
        return Err(Code::SK_EBADHANDLE.into()).into();
    };
    let is_internet = [Family::SK_INET as u16, Family::SK_INET6 as u16].contains(&to.family);
    if !is_internet || !plain.is_inet6_datagram() {
        return unmoved(raw, plain, Answer::AGAIN, false, &mut |socket| socket.send_to(data, 0, to));
    }
    let inet6 = Inet6::new(to);
    match calls::send_to_plain(plain.fd, data, &inet6) {
        (Answer(sent @ 1..), _) => plain.done(raw, sent),
        // Whether the network or the socket is in the way is found out with another try.
        (Answer::NO_NETWORK, data) => {
            unmoved(raw, plain, Answer::AGAIN, false, &mut |socket| socket.send_to(data, 0, to))
        }
        (answer, data) => unmoved(raw, plain, answer, false, &mut |socket| socket.send_to(data, 0, to)),
    }
}

/// Sends everything on a stream, not nothing. `sent` says how far it came, in any case.
#[inline(always)]
pub fn send_all(raw: i64, data: &[u8], sent: &mut usize) -> Count {
    match Plain::pin(raw) {
        Some(plain) if plain.kind().is_stream() => match calls::send_plain(plain.fd, data, 0) {
            (Answer(all), data) if all == data.len() as isize => {
                *sent = data.len();
                plain.done(raw, 0)
            }
            (answer, data) => {
                let answer = part(answer, sent);
                unmoved(raw, plain, answer, false, &mut |socket| socket.send_all(data, sent))
            }
        },
        Some(plain) => unmoved(raw, plain, Answer::AGAIN, false, &mut |socket| socket.send_all(data, sent)),
        None => long_way(raw, &mut |socket| socket.send_all(data, sent)),
    }
}

/// Any send of bytes, not none.
#[inline(never)]
pub fn send_with(raw: i64, data: &[u8], flags: c_int) -> Count {
    let Some(asked) = Send::of_any_kind(flags) else {
        return long_way(raw, &mut move |socket| socket.send(data, flags));
    };
    match Plain::pin(raw) {
        Some(plain) => match calls::send_plain(plain.fd, data, asked.for_kernel()) {
            (Answer(sent @ 1..), _) => plain.done(raw, sent),
            (answer, data) => {
                unmoved(raw, plain, answer, asked.dont_wait(), &mut move |socket| socket.send(data, flags))
            }
        },
        None => long_way(raw, &mut move |socket| socket.send(data, flags)),
    }
}

/// Any send of a list of pieces.
#[inline(never)]
pub fn send_pieces(raw: i64, pieces: Pieces, flags: c_int) -> Count {
    let Some(asked) = Send::of_any_kind(flags) else {
        return long_way(raw, &mut move |socket| socket.send_pieces(pieces, flags));
    };
    match Plain::pin(raw) {
        Some(plain) => match vector::send_plain(plain.fd, pieces, asked.for_kernel()) {
            Answer(sent @ 1..) => plain.done(raw, sent),
            answer => unmoved(raw, plain, answer, asked.dont_wait(), &mut move |socket| {
                socket.send_pieces(pieces, flags)
            }),
        },
        None => long_way(raw, &mut move |socket| socket.send_pieces(pieces, flags)),
    }
}

impl Socket {
    /// Any send.
    pub fn send(&self, data: &[u8], flags: c_int) -> Result<usize> {
        self.transmit(Send::new(flags, self)?, None, &mut |flags| calls::send(self.fd(), data, flags))
    }

    /// Any send, of a list of pieces.
    pub fn send_pieces(&self, pieces: Pieces, flags: c_int) -> Result<usize> {
        self.transmit(Send::new(flags, self)?, None, &mut |flags| vector::send(self.fd(), pieces, flags))
    }

    /// A send to an IPv4 address, of an IPv4 datagram socket.
    fn send_to_inet(&self, data: &[u8], to: &Inet) -> Result<usize> {
        self.transmit(Send::NONE, None, &mut |flags| calls::send_to(self.fd(), data, flags, to))
    }

    /// Any send to an address.
    pub fn send_to(&self, data: &[u8], flags: c_int, to: &Address) -> Result<usize> {
        let asked = Send::new(flags, self)?;
        let mut address = Raw::empty();
        self.to_raw(to, &mut address)?;
        if self.kind().is_stream() {
            let code = if calls::is_connected(self.fd()) { Code::SK_EISCONN } else { Code::SK_ENOTCONN };
            return Err(code.into());
        }
        self.transmit(asked, Some(&address), &mut |flags| calls::send_to(self.fd(), data, flags, &address))
            .map_err(|error| match error.code {
                Code::SK_ENETUNREACH => self.address_error(Errno(error.errno), to),
                _ => error,
            })
    }

    /// Sends everything, of which some may have gone. `sent` says how far it came, in any case. 0: all
    /// has gone.
    pub fn send_all(&self, data: &[u8], sent: &mut usize) -> Result<usize> {
        self.must_be_stream()?;
        if let Some(errno) = self.take_kept(Direction::Send) {
            return Err(errno.into());
        }
        let mut timer = Timer::new(self.slot.send_limit.get());
        while let Some(rest @ [_, ..]) = data.get(*sent..) {
            let more =
                self.transmit_within(0, None, &mut timer, &mut |flags| calls::send(self.fd(), rest, flags))?;
            *sent = sent.saturating_add(more);
        }
        Ok(0)
    }

    /// A send that may have to wait under a limit.
    #[cold]
    pub fn transmit(&self, asked: Send, to: Option<&Raw>, call: Call) -> Result<usize> {
        if let Some(errno) = self.take_kept(Direction::Send) {
            return Err(errno.into());
        }
        let mut timer = Timer::new(if asked.dont_wait() { 0 } else { self.slot.send_limit.get() });
        Ok(self.transmit_within(asked.system(), to, &mut timer, call)?)
    }

    pub fn transmit_within(
        &self,
        flags: c_int,
        to: Option<&Raw>,
        timer: &mut Timer,
        call: Call,
    ) -> core::result::Result<usize, Stop> {
        // A shutdown does not wake a Unix datagram send that waits for room at its peer.
        let never_block = self.kind().is_careful();
        self.retry_with(
            timer,
            &mut |must_not_block| {
                call(if must_not_block || never_block { flags | message::DONTWAIT } else { flags })
            },
            &mut |timer| self.sleep_to_send(to, timer),
        )
    }

    /// Sleeps until something may be sent, or is refused.
    pub fn sleep_to_send(&self, to: Option<&Raw>, timer: &mut Timer) -> core::result::Result<i16, Stop> {
        if !self.kind().is_unix() {
            return self.sleep_for(poll::OUT, timer);
        }
        // poll(2) does not tell that a Unix socket's sending side was shut meanwhile.
        let part = &mut timer.part(SLICE);
        let found = match to {
            Some(to) if self.kind().is_careful() => self.sleep_for_room_at(to, part),
            _ => self.sleep_for(poll::OUT, part),
        };
        match found {
            Err(Stop::Time) if timer.left() != Some(0) => Ok(0),
            found => found,
        }
    }

    /// Sleeps until a Unix datagram peer that this socket is not connected to has room: there
    /// is only a socket connected to it that can tell.
    #[inline(never)]
    fn sleep_for_room_at(&self, peer: &Raw, timer: &mut Timer) -> core::result::Result<i16, Stop> {
        let mut own = [Item::new(self.fd(), poll::OUT)];
        if poll::poll(&mut own, Some(0)) == Ok(0) {
            return self.sleep_for(poll::OUT, timer);
        }
        // Of our own descriptor only a shutdown is of interest now.
        let own = Item::new(self.fd(), 0);
        let helper = calls::socket(libc::AF_UNIX, calls::DGRAM, 0, true);
        let result = match helper {
            Ok(helper) if calls::connect(helper, peer).is_ok() => {
                self.sleep(own, Some(Item::new(helper, poll::OUT)), timer)
            }
            // No descriptor left, or the peer hears only its own: look again a little later.
            _ => self.nap(own, timer),
        };
        if let Ok(helper) = helper {
            descriptor::close(helper);
        }
        result
    }
}
