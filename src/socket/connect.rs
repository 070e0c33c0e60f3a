//! The far end of a socket: connecting to it, under a limit.
//!
//! Sockets that can be connected are non-blocking until they are, so that a connection
//! attempt is always one that can be waited for, given up, and woken by a close.

use super::pinned::Socket;
use super::resolve::{look_up, numeric};
use super::wait::Stop;
use crate::error::{Code, Error, Result};
use crate::handle::slot::mark;
use crate::net::address::{Address, Family};
use crate::net::happy_eyeballs::farther;
use crate::net::host::Name;
use crate::sys::address::Raw;
use crate::sys::poll;
use crate::sys::time::Timer;
use crate::sys::{Errno, descriptor, errno, option, socket as calls};

/// How long one try of a Unix connect lasts where the peer's queue is full: nothing wakes it.
const SLICE_MS: u16 = 20;

impl Socket {
    /// Connects to a numeric host, or to a name: its addresses in turn, under one limit.
    pub fn connect_host(&self, host: &[u8], port: u16) -> Result<()> {
        let _keep = errno::Restore::later();
        let mut timer = Timer::new(self.slot.connect_limit.get());
        if self.kind().is_unix() {
            return self.connect_within(&self.host(host, port)?, &mut timer);
        }
        match numeric(host)? {
            Some(address) => self.connect_within(&Address { port, ..address }, &mut timer),
            None => self.connect_name(host, port, &mut timer),
        }
    }

    #[inline(never)] // it takes stack that no other connect needs
    fn connect_name(&self, host: &[u8], port: u16, timer: &mut Timer) -> Result<()> {
        let name = Name::new(host)?;
        let family = if self.kind().is_inet6() { Family::SK_UNSPEC } else { self.kind().family() };
        let mut failed: Option<Error> = None;
        for address in look_up(&name, family, timer, Some(self))? {
            match self.connect_within(&Address { port, ..address }, timer) {
                Err(error) if !is_final(error.code, timer.left()) => {
                    failed = Some(failed.map_or(error, |earlier| farther(earlier, error)));
                }
                result => return result,
            }
        }
        Err(failed.unwrap_or(Code::SK_EHOSTNOTFOUND.into()))
    }

    /// Connects, under the socket's connect limit. On a datagram socket: sets the peer.
    pub fn connect(&self, address: &Address) -> Result<()> {
        self.connect_within(address, &mut Timer::new(self.slot.connect_limit.get()))
    }

    pub fn connect_within(&self, address: &Address, timer: &mut Timer) -> Result<()> {
        let _keep = errno::Restore::later();
        if address.family == Family::SK_UNSPEC as u16 && self.kind().is_datagram() {
            calls::forget_peer(self.fd())?;
            return self.undo_if_closed();
        }
        let mut raw = Raw::empty();
        self.to_raw(address, &mut raw)?;
        if self.kind().is_datagram() {
            self.connect_at_once(&raw).map_err(|errno| self.address_error(errno, address))?;
            return self.undo_if_closed();
        }
        // Such a one refuses, as a rule; but not where it was shut, or only seems to be connected, see
        // TCP_FASTOPEN_CONNECT in tcp(7).
        let had_its_mode = self.slot.has(mark::CONNECTED | mark::LISTENING);
        self.make_nonblocking()?;
        let result = if self.kind().is_unix() {
            self.connect_unix(&raw, timer)
        } else {
            self.connect_tcp(&raw, timer)
        };
        if had_its_mode && result.is_err() {
            self.make_blocking()?;
        }
        match result {
            Ok(()) => {
                self.slot.mark(mark::CONNECTED);
                self.make_blocking()
            }
            Err(Failed::Error(error)) => Err(error),
            Err(Failed::Stop(Stop::System(errno))) => Err(self.address_error(errno, address)),
            Err(Failed::Stop(stop)) => Err(stop.into()),
        }
    }

    /// Sets the peer of a datagram socket, or takes it away.
    fn connect_at_once(&self, address: &Raw) -> core::result::Result<(), Errno> {
        loop {
            match calls::connect(self.fd(), address) {
                Err(Errno(libc::EINTR)) => {}
                result => return result,
            }
        }
    }

    fn connect_tcp(&self, address: &Raw, timer: &mut Timer) -> core::result::Result<(), Failed> {
        // An attempt that failed unseen says ECONNABORTED once, whatever is asked next.
        let mut stale = true;
        loop {
            let result = self.attempt(address);
            self.undo_if_closed()?;
            match result {
                Ok(()) => return Ok(()),
                Err(Errno(libc::EINPROGRESS)) if timer.limit() == 0 => {
                    return Err(Failed::Error(Code::SK_EINPROGRESS.into()));
                }
                Err(Errno(libc::EALREADY)) if timer.limit() == 0 => {
                    return Err(Failed::Error(Code::SK_EALREADY.into()));
                }
                // With a peer on this machine the attempt is over by now, and there is nothing to wait for.
                Err(Errno(libc::EINPROGRESS)) if stale => {
                    stale = false;
                    continue;
                }
                Err(Errno(libc::EINPROGRESS | libc::EALREADY)) => {}
                Err(Errno(libc::EINTR)) => continue,
                Err(Errno(libc::ECONNABORTED)) if stale => {
                    stale = false;
                    continue;
                }
                // Linux's word for "no local port is free".
                Err(Errno(libc::EAGAIN)) => {
                    return Err(Failed::Error(Code::SK_EADDRNOTAVAIL.into()));
                }
                Err(errno) => return Err(Failed::Stop(Stop::System(errno))),
            }
            stale = false;
            match self.sleep_for(poll::OUT, timer) {
                // The next connect gives the result of the attempt, once.
                Ok(_) => {}
                Err(Stop::Time) => {
                    if calls::dissolve(self.fd()).is_ok() && !calls::CONNECT_TELLS {
                        self.slot.unmark(mark::BEGUN);
                    }
                    self.undo_if_closed()?;
                    return Err(Failed::Stop(Stop::Time));
                }
                Err(stop) => return Err(Failed::Stop(stop)),
            }
        }
    }

    /// Begins to connect, or says how far that has come.
    #[inline(always)]
    fn attempt(&self, address: &Raw) -> core::result::Result<(), Errno> {
        if calls::CONNECT_TELLS {
            return calls::connect(self.fd(), address);
        }
        let begun = self.slot.has(mark::BEGUN);
        let result =
            if begun { calls::outcome(self.fd(), address) } else { calls::connect(self.fd(), address) };
        match result {
            Err(Errno(libc::EINPROGRESS | libc::EALREADY | libc::EINTR)) => self.slot.mark(mark::BEGUN),
            _ => self.slot.unmark(mark::BEGUN),
        }
        result
    }

    /// Unix streams connect at once, or their peer's queue is full: then there is nothing to
    /// poll, and nothing wakes a blocked connect. So it blocks a little, again and again.
    fn connect_unix(&self, address: &Raw, timer: &mut Timer) -> core::result::Result<(), Failed> {
        // The kernel would wait for room in the queue before it says these.
        if self.slot.has(mark::LISTENING) {
            return Err(Failed::Error(Code::SK_EINVAL.into()));
        }
        if self.slot.has(mark::CONNECTED) || self.is_shared() && calls::is_connected(self.fd()) {
            return Err(Failed::Error(Code::SK_EISCONN.into()));
        }
        let mut sliced = false;
        let result = self.connect_in_slices(address, timer, &mut sliced);
        if sliced {
            // If it fails, the next connect tries again.
            let _ = self.make_nonblocking();
        }
        result
    }

    fn connect_in_slices(
        &self,
        address: &Raw,
        timer: &mut Timer,
        sliced: &mut bool,
    ) -> core::result::Result<(), Failed> {
        loop {
            let result = calls::connect(self.fd(), address);
            self.undo_if_closed()?;
            match result {
                Ok(()) => return Ok(()),
                Err(Errno(libc::EAGAIN)) if timer.limit() == 0 => {
                    return Err(Failed::Stop(Stop::WouldWait));
                }
                Err(Errno(libc::EINTR)) if !*sliced => continue,
                Err(Errno(libc::EINTR | libc::EAGAIN)) => {}
                Err(errno) => return Err(Failed::Stop(Stop::System(errno))),
            }
            let slice = match timer.left() {
                Some(0) => return Err(Failed::Stop(Stop::Time)),
                // Rounded up: 0 would be no limit.
                Some(ns) => (ns / 1_000_000 + 1).min(u64::from(SLICE_MS)) as u16,
                None => SLICE_MS,
            };
            *sliced = true;
            // It stays: another thread may be about to block. A send looks at the clock itself then.
            option::set_send_timeout(self.fd(), slice)?;
            self.slot.unmark(mark::NONBLOCKING);
            descriptor::set_nonblocking(self.fd(), false)?;
        }
    }
}

/// Another address of the host would fare no better.
fn is_final(code: Code, left: Option<u64>) -> bool {
    // The system's own limit for one address is no reason to stop.
    matches!(code, Code::SK_ECLOSED | Code::SK_EISCONN) || left == Some(0)
}

/// An error of the kernel's, still to be read in the light of the address, or one of ours.
enum Failed {
    Stop(Stop),
    Error(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        Failed::Error(error)
    }
}

impl From<Errno> for Failed {
    fn from(errno: Errno) -> Failed {
        Failed::Stop(Stop::System(errno))
    }
}
