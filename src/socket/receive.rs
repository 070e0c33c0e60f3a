//! Receiving bytes and datagrams.

use core::ffi::c_int;
use core::mem::MaybeUninit;

use super::flags::{Receive, SK_DONTWAIT};
use super::pinned::Socket;
use super::plain::{Plain, long_way, otherwise, part, rest, unmoved};
use super::wait::{Call, Stop, has_ended};
use crate::error::{Code, Count, Result};
use crate::handle::slot::{Direction, mark};
use crate::net::address::Address;
use crate::sys::address::{self, Inet, Inet6, Raw};
use crate::sys::poll::{self, Item};
use crate::sys::socket::{self as calls, Answer, message};
use crate::sys::time::Timer;
use crate::sys::vector::{self, Pieces, Rest};
use crate::sys::{self, Errno};

/// Where received bytes go.
pub type Buffer<'a> = &'a mut [MaybeUninit<u8>];

/// Receives into a buffer that is not empty.
#[inline(always)]
pub fn recv(raw: i64, data: Buffer) -> Count {
    match Plain::pin(raw) {
        Some(plain) => match calls::recv_plain(plain.fd, data, 0) {
            (Answer(received @ 1..), _) => plain.done(raw, received),
            (answer, data) => rest(raw, |socket| socket.recv(data, 0), plain, answer),
        },
        None => otherwise(raw, |socket| socket.recv(data, 0)),
    }
}

/// As `recv`, and tells the sender of a datagram.
#[inline(always)]
pub fn recv_from(raw: i64, data: Buffer, from: &mut MaybeUninit<Address>) -> Count {
    match Plain::pin(raw) {
        Some(plain) if !plain.has(mark::NOT_IPV4_DATAGRAM) => {
            let mut from_len = 0;
            match calls::recv_from_plain::<Inet>(plain.fd, data, from, &mut from_len) {
                (Answer(received @ 1..), _) => {
                    address::inet_in_place(from);
                    plain.done(raw, received)
                }
                (answer, data) => received_from(raw, data, from, plain, answer, from_len),
            }
        }
        Some(_) => recv_from_inet6(raw, data, from),
        None => otherwise(raw, |socket| socket.recv_from(data, 0, from)),
    }
}

/// The same with IPv6 addresses; others take the long way.
#[inline(never)]
fn recv_from_inet6(raw: i64, data: Buffer, from: &mut MaybeUninit<Address>) -> Count {
    let Some(plain) = Plain::pinned(raw) else {
        return Err(Code::SK_EBADHANDLE.into()).into();
    };
    if !plain.is_inet6_datagram() {
        return received_from(raw, data, from, plain, Answer::AGAIN, 0);
    }
    let mut from_len = 0;
    match calls::recv_from_plain::<Inet6>(plain.fd, data, from, &mut from_len) {
        (Answer(received @ 1..), _) => {
            address::inet6_in_place(from);
            plain.done(raw, received)
        }
        (answer, data) => received_from(raw, data, from, plain, answer, from_len),
    }
}

/// The end of a plain receive that brought no bytes.
#[cold]
#[inline(never)]
fn received_from(
    raw: i64,
    data: Buffer,
    from: &mut MaybeUninit<Address>,
    plain: Plain,
    answer: Answer,
    from_len: u32,
) -> Count {
    match (answer, from_len) {
        // An empty datagram. Without an address it is none: a shutdown has ended the call.
        (Answer(0), 1..) => {
            if plain.is_inet6_datagram() {
                address::inet6_in_place(from);
            } else {
                address::inet_in_place(from);
            }
            plain.done(raw, 0)
        }
        _ => {
            let count = unmoved(raw, plain, answer, false, &mut |socket| socket.recv_from(data, 0, from));
            if answer == Answer(0) && count.to_c() == 0 {
                from.write(Address::NONE);
            }
            count
        }
    }
}

/// Receives the whole length on a stream, not nothing. `received` says how far it came, in any case.
#[inline(always)]
pub fn recv_all(raw: i64, data: Buffer, received: &mut usize) -> Count {
    match Plain::pin(raw) {
        // Of a Unix one, Linux drops an error that comes after some bytes.
        Some(plain) if plain.kind().is_stream() && !plain.kind().is_unix() => {
            match calls::recv_plain(plain.fd, data, message::WAITALL) {
                (Answer(all), data) if all == data.len() as isize => {
                    *received = data.len();
                    plain.done(raw, 0)
                }
                (answer, data) => {
                    let answer = part(answer, received);
                    unmoved(raw, plain, answer, false, &mut |socket| socket.recv_all(data, received))
                }
            }
        }
        Some(plain) => {
            unmoved(raw, plain, Answer::AGAIN, false, &mut |socket| socket.recv_all(data, received))
        }
        None => long_way(raw, &mut |socket| socket.recv_all(data, received)),
    }
}

/// Any receive into a buffer that is not empty.
#[inline(never)]
pub fn recv_with(raw: i64, data: Buffer, flags: c_int) -> Count {
    if flags != SK_DONTWAIT {
        return long_way(raw, &mut move |socket| socket.recv(data, flags));
    }
    match Plain::pin(raw) {
        Some(plain) => match calls::recv_plain(plain.fd, data, message::DONTWAIT) {
            (Answer(received @ 1..), _) => plain.done(raw, received),
            (answer, data) => unmoved(raw, plain, answer, true, &mut move |socket| socket.recv(data, flags)),
        },
        None => long_way(raw, &mut move |socket| socket.recv(data, flags)),
    }
}

/// Any receive into a list of pieces.
#[inline(never)]
pub fn recv_pieces(raw: i64, pieces: Pieces, flags: c_int) -> Count {
    let dont_wait = flags == SK_DONTWAIT;
    if flags != 0 && !dont_wait {
        return long_way(raw, &mut move |socket| socket.recv_pieces(pieces, flags));
    }
    match Plain::pin(raw) {
        Some(plain) => {
            match vector::recv_plain(plain.fd, pieces, if dont_wait { message::DONTWAIT } else { 0 }) {
                Answer(received @ 1..) => plain.done(raw, received),
                answer => unmoved(raw, plain, answer, dont_wait, &mut move |socket| {
                    socket.recv_pieces(pieces, flags)
                }),
            }
        }
        None => long_way(raw, &mut move |socket| socket.recv_pieces(pieces, flags)),
    }
}

impl Socket {
    /// Any receive.
    pub fn recv(&self, data: Buffer, flags: c_int) -> Result<usize> {
        let asked = Receive::new(flags, self.kind())?;
        if asked.wait_all {
            return self.recv_whole(Rest::one(data), asked);
        }
        self.receive(asked, &mut |flags| calls::recv(self.fd(), data, flags))
    }

    /// Any receive, into a list of pieces.
    pub fn recv_pieces(&self, pieces: Pieces, flags: c_int) -> Result<usize> {
        let asked = Receive::new(flags, self.kind())?;
        if asked.wait_all {
            return self.recv_whole(Rest::all(pieces), asked);
        }
        self.receive(asked, &mut |flags| vector::recv(self.fd(), pieces, flags))
    }

    /// Any receive, with the sender's address; a stream has none.
    pub fn recv_from(&self, data: Buffer, flags: c_int, from: &mut MaybeUninit<Address>) -> Result<usize> {
        if !self.kind().is_stream() {
            return self.recv_datagram(data, flags, from);
        }
        let received = self.recv(data, flags)?;
        from.write(Address::NONE);
        Ok(received)
    }

    #[inline(never)] // it takes stack that a stream does not need
    fn recv_datagram(&self, data: Buffer, flags: c_int, from: &mut MaybeUninit<Address>) -> Result<usize> {
        let kind = self.kind();
        let asked = Receive::new(flags, kind)?;
        // What stays where the kernel has no name for the sender: an unnamed Unix socket.
        let mut address = Raw::only_family(kind.family());
        let received =
            self.receive(asked, &mut |flags| calls::recv_from(self.fd(), data, flags, &mut address))?;
        if address.show(from).is_none() {
            from.write(Address::NONE);
        }
        Ok(received)
    }

    /// Receives the whole length, of which some may have come. `received` says how far it came, in
    /// any case. 0: all is there.
    pub fn recv_all(&self, data: Buffer, received: &mut usize) -> Result<usize> {
        self.must_be_stream()?;
        let len = data.len();
        if let Some(errno) = self.take_kept(Direction::Receive) {
            return Err(errno.into());
        }
        let mut rest = Rest::one(data);
        rest.advance(*received);
        self.fill(rest, received, 0, &mut Timer::new(self.slot.recv_limit.get()))?;
        if *received < len { Err(Code::SK_EEOF.into()) } else { Ok(0) }
    }

    /// A receive that may have to wait under a limit.
    #[cold]
    pub fn receive(&self, asked: Receive, call: Call) -> Result<usize> {
        if let Some(errno) = self.take_kept(Direction::Receive) {
            return Err(errno.into());
        }
        let mut timer = Timer::new(if asked.dont_wait { 0 } else { self.slot.recv_limit.get() });
        Ok(self.receive_within(asked.system, &mut timer, call)?)
    }

    pub fn receive_within(
        &self,
        flags: c_int,
        timer: &mut Timer,
        call: Call,
    ) -> core::result::Result<usize, Stop> {
        // A datagram socket whose receiving side was shut is readable for ever, and says
        // EAGAIN all the same where a blocking receive says 0.
        let ended = core::cell::Cell::new(false);
        // Another copy may have done that.
        let may_be_shut = self.slot.has(mark::SHUT) || self.is_shared();
        let must_look = timer.limit() == 0 && self.kind().is_datagram() && may_be_shut;
        let received = self.retry_with(
            timer,
            &mut |must_not_block| match call(if must_not_block { flags | message::DONTWAIT } else { flags }) {
                Err(Errno(libc::EAGAIN)) if ended.get() => Ok(0),
                // What came before the look is taken first.
                Err(Errno(libc::EAGAIN)) if must_look && self.is_at_end()? => {
                    ended.set(true);
                    Err(Errno(libc::EINTR))
                }
                result => result,
            },
            &mut |timer| {
                let wanted = if flags & message::OOB != 0 { poll::PRIORITY } else { poll::IN };
                let found = self.sleep_for(wanted | poll::READ_ENDED, timer)?;
                ended.set(has_ended(found));
                Ok(found)
            },
        )?;
        if received == 0 && self.is_closed() { Err(Stop::Closed) } else { Ok(received) }
    }

    /// Nothing more will come, but for what came already. A stream's receive tells that by itself.
    #[inline(never)] // one copy of it serves every kind of call
    pub fn is_at_end(&self) -> sys::Result<bool> {
        let mut items = [Item::new(self.fd(), poll::READ_ENDED)];
        while let Err(errno) = poll::poll(&mut items, Some(0)) {
            if errno != Errno(libc::EINTR) {
                return Err(errno);
            }
        }
        let [item] = items;
        Ok(has_ended(item.found()))
    }

    /// SK_WAITALL: a loop of our own, because a signal cuts the kernel's short.
    fn recv_whole(&self, rest: Rest, asked: Receive) -> Result<usize> {
        if let Some(errno) = self.take_kept(Direction::Receive) {
            return Err(errno.into());
        }
        let mut timer = Timer::new(if asked.dont_wait { 0 } else { self.slot.recv_limit.get() });
        let mut received = 0;
        match self.fill(rest, &mut received, asked.system, &mut timer) {
            Ok(()) => Ok(received),
            Err(stop) if received == 0 => Err(stop.into()),
            Err(stop) => {
                self.keep(Direction::Receive, &stop);
                Ok(received)
            }
        }
    }

    /// Receives until the pieces are full or the stream ends, and counts.
    fn fill(
        &self,
        mut rest: Rest,
        received: &mut usize,
        flags: c_int,
        timer: &mut Timer,
    ) -> core::result::Result<(), Stop> {
        while !rest.is_empty() {
            let more =
                self.receive_within(flags, timer, &mut |flags| vector::recv_rest(self.fd(), &rest, flags))?;
            if more == 0 {
                break;
            }
            *received = received.saturating_add(more);
            rest.advance(more);
        }
        Ok(())
    }
}
