//! Moving bytes and datagrams.
//!
//! With nothing to wait for, no limit, and a socket that nobody shares, a call is one
//! system call. Everything else goes through `Pinned::retry`. The closures for that are `move`
//! where the others would else have to put into memory what these take.

use core::ffi::c_int;
use core::mem::MaybeUninit;

use super::flags::{Receive, SK_DONTWAIT, Send};
use super::pinned::{Plain, Socket};
use super::wait::{SLICE, Stop};
use crate::error::{Code, Count, Result};
use crate::handle::slot::{Direction, mark};
use crate::net::address::{Address, Family};
use crate::sys::address::{self, Inet, Inet6, Raw};
use crate::sys::poll::{self, Item};
use crate::sys::socket::{Answer, message};
use crate::sys::time::Timer;
use crate::sys::vector::{self, Pieces, Rest};
use crate::sys::{self, Errno, descriptor, socket as calls};

/// Where received bytes go.
pub type Buffer<'a> = &'a mut [MaybeUninit<u8>];

/// One receive or send, with these flags for the kernel.
type Call<'a> = &'a mut dyn FnMut(c_int) -> sys::Result<usize>;

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
            let count = rest(raw, |socket| socket.recv_from(data, 0, from), plain, answer);
            if answer == Answer(0) && count.to_c() == 0 {
                from.write(Address::NONE);
            }
            count
        }
    }
}

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
        return rest(raw, |socket| socket.send_to(data, 0, to), plain, Answer::AGAIN);
    }
    let inet6 = Inet6::new(to);
    match calls::send_to_plain(plain.fd, data, &inet6) {
        (Answer(sent @ 1..), _) => plain.done(raw, sent),
        // Whether the network or the socket is in the way is found out with another try.
        (Answer::NO_NETWORK, data) => rest(raw, |socket| socket.send_to(data, 0, to), plain, Answer::AGAIN),
        (answer, data) => rest(raw, |socket| socket.send_to(data, 0, to), plain, answer),
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
                rest(raw, |socket| socket.send_all(data, sent), plain, answer)
            }
        },
        Some(plain) => rest(raw, |socket| socket.send_all(data, sent), plain, Answer::AGAIN),
        None => otherwise(raw, |socket| socket.send_all(data, sent)),
    }
}

/// Receives the whole length on a stream, not nothing. `received` says how far it came, in any case.
#[inline(always)]
pub fn recv_all(raw: i64, data: Buffer, received: &mut usize) -> Count {
    match Plain::pin(raw) {
        Some(plain) if plain.kind().is_stream() => {
            match calls::recv_plain(plain.fd, data, message::WAITALL) {
                (Answer(all), data) if all == data.len() as isize => {
                    *received = data.len();
                    plain.done(raw, 0)
                }
                (answer, data) => {
                    let answer = part(answer, received);
                    rest(raw, |socket| socket.recv_all(data, received), plain, answer)
                }
            }
        }
        Some(plain) => rest(raw, |socket| socket.recv_all(data, received), plain, Answer::AGAIN),
        None => otherwise(raw, |socket| socket.recv_all(data, received)),
    }
}

/// Notes how far a call came that is to go on, and that it is. The end of a stream is told again.
#[cold]
fn part(answer: Answer, moved: &mut usize) -> Answer {
    match answer {
        Answer(count @ 0..) => {
            *moved = count as usize;
            Answer::AGAIN
        }
        error => error,
    }
}

/// Any receive into a buffer that is not empty.
#[inline(never)]
pub fn recv_with(raw: i64, data: Buffer, flags: c_int) -> Count {
    if flags != SK_DONTWAIT {
        return otherwise(raw, move |socket| socket.recv(data, flags));
    }
    match Plain::pin(raw) {
        Some(plain) => match calls::recv_plain(plain.fd, data, message::DONTWAIT) {
            (Answer(received @ 1..), _) => plain.done(raw, received),
            (answer, data) => unmoved(raw, plain, answer, true, &mut move |socket| socket.recv(data, flags)),
        },
        None => otherwise(raw, move |socket| socket.recv(data, flags)),
    }
}

/// Any send of bytes, not none.
#[inline(never)]
pub fn send_with(raw: i64, data: &[u8], flags: c_int) -> Count {
    let Ok(asked) = Send::new(flags) else {
        return otherwise(raw, move |socket| socket.send(data, flags));
    };
    match Plain::pin(raw) {
        Some(plain) => match calls::send_plain(plain.fd, data, asked.for_kernel()) {
            (Answer(sent @ 1..), _) => plain.done(raw, sent),
            (answer, data) => {
                unmoved(raw, plain, answer, asked.dont_wait(), &mut move |socket| socket.send(data, flags))
            }
        },
        None => otherwise(raw, move |socket| socket.send(data, flags)),
    }
}

/// Any receive into a list of pieces.
#[inline(never)]
pub fn recv_pieces(raw: i64, pieces: Pieces, flags: c_int) -> Count {
    let dont_wait = flags == SK_DONTWAIT;
    if flags != 0 && !dont_wait {
        return otherwise(raw, move |socket| socket.recv_pieces(pieces, flags));
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
        None => otherwise(raw, move |socket| socket.recv_pieces(pieces, flags)),
    }
}

/// Any send of a list of pieces.
#[inline(never)]
pub fn send_pieces(raw: i64, pieces: Pieces, flags: c_int) -> Count {
    let Ok(asked) = Send::new(flags) else {
        return otherwise(raw, move |socket| socket.send_pieces(pieces, flags));
    };
    match Plain::pin(raw) {
        Some(plain) => match vector::send_plain(plain.fd, pieces, asked.for_kernel()) {
            Answer(sent @ 1..) => plain.done(raw, sent),
            answer => unmoved(raw, plain, answer, asked.dont_wait(), &mut move |socket| {
                socket.send_pieces(pieces, flags)
            }),
        },
        None => otherwise(raw, move |socket| socket.send_pieces(pieces, flags)),
    }
}

/// The end of a plain call that moved nothing and may have been told not to wait.
#[cold]
#[inline(never)]
fn unmoved(
    raw: i64,
    plain: Plain,
    answer: Answer,
    dont_wait: bool,
    again: &mut dyn FnMut(&Socket) -> Result<usize>,
) -> Count {
    if dont_wait && answer == Answer::AGAIN {
        let socket = plain.into_socket(raw);
        return finish(settle(&socket, Err(Errno(libc::EAGAIN))), socket);
    }
    rest(raw, again, plain, answer)
}

/// A call that is not a plain one.
#[cold]
#[inline(never)]
fn otherwise(raw: i64, call: impl FnOnce(&Socket) -> Result<usize>) -> Count {
    match Socket::new(raw) {
        Ok(socket) => finish(call(&socket), socket),
        Err(error) => Err(error).into(),
    }
}

/// The end of a plain call that moved nothing. `again` is the call once more, where a signal
/// came or the descriptor turned out to be non-blocking.
#[cold]
#[inline(never)]
fn rest(raw: i64, again: impl FnOnce(&Socket) -> Result<usize>, plain: Plain, answer: Answer) -> Count {
    let socket = plain.into_socket(raw);
    let result = match answer.result() {
        Err(Errno(libc::EINTR | libc::EAGAIN)) => again(&socket),
        result => settle(&socket, result),
    };
    finish(result, socket)
}

/// What the kernel said is the result, unless the handle was closed meanwhile.
#[inline(never)]
fn settle(socket: &Socket, result: sys::Result<usize>) -> Result<usize> {
    if socket.is_closed() { Err(Code::SK_ECLOSED.into()) } else { Ok(result?) }
}

/// Lets go before the result is told, as in every other call.
#[inline(never)]
fn finish(result: Result<usize>, socket: Socket) -> Count {
    drop(socket);
    result.into()
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

    /// Any send.
    pub fn send(&self, data: &[u8], flags: c_int) -> Result<usize> {
        self.transmit(Send::new(flags)?, None, &mut |flags| calls::send(self.fd(), data, flags))
    }

    /// Any send, of a list of pieces.
    pub fn send_pieces(&self, pieces: Pieces, flags: c_int) -> Result<usize> {
        self.transmit(Send::new(flags)?, None, &mut |flags| vector::send(self.fd(), pieces, flags))
    }

    /// A send to an IPv4 address, of an IPv4 datagram socket.
    fn send_to_inet(&self, data: &[u8], to: &Inet) -> Result<usize> {
        self.transmit(Send::new(0)?, None, &mut |flags| calls::send_to(self.fd(), data, flags, to))
    }

    /// Any send to an address.
    pub fn send_to(&self, data: &[u8], flags: c_int, to: &Address) -> Result<usize> {
        let asked = Send::new(flags)?;
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
        let received = self.retry_with(
            timer,
            &mut |must_not_block| {
                let result = call(if must_not_block { flags | message::DONTWAIT } else { flags });
                if result == Err(Errno(libc::EAGAIN)) && ended.get() { Ok(0) } else { result }
            },
            &mut |timer| {
                let wanted = if flags & message::OOB != 0 { poll::PRIORITY } else { poll::IN };
                let found = self.sleep_for(wanted | poll::READ_ENDED, timer)?;
                ended.set(found & (poll::READ_ENDED | poll::HANGUP) != 0);
                Ok(found)
            },
        )?;
        if received == 0 && self.is_closed() { Err(Stop::Closed) } else { Ok(received) }
    }

    pub fn take_kept(&self, direction: Direction) -> Option<Errno> {
        self.slot.take_kept(direction).map(Errno)
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

    /// Keeps the error that ended a call after it had moved something, for the next call.
    pub fn keep(&self, direction: Direction, stop: &Stop) {
        if let Some(Errno(errno)) = stop.system() {
            self.slot.keep(direction, errno);
            self.slot.word.be_careful();
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

    fn must_be_stream(&self) -> Result<()> {
        if self.kind().is_stream() { Ok(()) } else { Err(Code::SK_EOPNOTSUPP.into()) }
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
}
