//! From an endpoint to a connected socket. Which address of a name is tried when is decided by
//! [`Race`]; here it is done.

use super::close::close;
use super::create::socket;
use super::kind::{Protocol, Type};
use super::pinned::Socket;
use super::resolve::look_up;
use crate::error::{Code, Error, Result};
use crate::handle::{Handle, TABLE};
use crate::net::address::{Address, Family};
use crate::net::endpoint::{self, Place, Scheme};
use crate::net::happy_eyeballs::{Action, Candidates, IN_FLIGHT, MOST, Race};
use crate::sys::poll::{self, Item};
use crate::sys::time::{self, Timer};
use crate::sys::{Errno, errno};

impl From<Scheme> for Type {
    fn from(scheme: Scheme) -> Type {
        match scheme {
            Scheme::Tcp | Scheme::Unix => Type::SK_STREAM,
            Scheme::Udp | Scheme::UnixDgram => Type::SK_DGRAM,
            Scheme::UnixSeqpacket => Type::SK_SEQPACKET,
        }
    }
}

/// A socket connected to an endpoint within the limit, or still connecting where that is 0.
pub fn dial(text: &[u8], limit: i64) -> Result<Handle> {
    let _keep = errno::Restore::later();
    let (scheme, place) = endpoint::parse(text)?;
    let carries = scheme.into();
    let mut timer = Timer::new(limit);
    match place {
        Place::Address(address) if address.port != 0 || address.family == Family::SK_UNIX as u16 => {
            attempt(carries, &address, &mut timer).map(|(handle, _)| handle)
        }
        Place::Name { name, port } if port != 0 => {
            let found = look_up(&name, Family::SK_UNSPEC, &mut timer, None)?;
            race(carries, &Candidates::new(found, port), &mut timer)
        }
        // Nowhere to go to.
        _ => Err(Code::SK_EADDRFORMAT.into()),
    }
}

/// A new socket, and whether it is connected to the address already: with limit 0 it may
/// still be on its way.
fn attempt(carries: Type, address: &Address, timer: &mut Timer) -> Result<(Handle, bool)> {
    let family = Family::from_c(address.family.into()).ok_or(Code::SK_EINVAL)?;
    let handle = socket(family, carries, Protocol::SK_PROTO_DEFAULT)?;
    match connect(handle, address, timer) {
        Ok(()) => Ok((handle, true)),
        Err(Error { code: Code::SK_EINPROGRESS, .. }) => Ok((handle, false)),
        Err(error) => {
            let _ = close(handle.to_raw());
            Err(error)
        }
    }
}

fn connect(handle: Handle, address: &Address, timer: &mut Timer) -> Result<()> {
    let socket = Socket::new(handle.to_raw())?;
    if socket.kind().is_unix() && socket.kind().is_datagram() {
        // Any free name, or nobody could answer.
        socket.bind(&Address { family: Family::SK_UNIX as u16, ..Address::NONE })?;
    }
    socket.connect_within(address, timer)
}

/// The first of a host's addresses that a connection comes about with.
fn race(carries: Type, candidates: &Candidates, timer: &mut Timer) -> Result<Handle> {
    let end = timer.left().map(|left| time::now().saturating_add(left));
    let mut race = Race::new(candidates.count(), end);
    let mut attempts = Attempts([None; MOST]);
    loop {
        match race.next(time::now()) {
            Action::Start(turn) => {
                let address = candidates.get(turn).ok_or(Code::SK_EINTERNAL)?;
                match attempt(carries, &address, &mut Timer::new(0)) {
                    Ok((handle, is_connected)) => {
                        *attempts.0.get_mut(turn).ok_or(Code::SK_EINTERNAL)? = Some(handle);
                        if is_connected {
                            race.connected(turn);
                        }
                    }
                    Err(error) if is_shortage(error.code) => race.unstarted(turn, error),
                    Err(error) => race.failed(turn, error),
                }
            }
            Action::Wait(until) => attempts.wait(until, candidates, &mut race)?,
            Action::Close(turn) => attempts.close(turn),
            Action::Won(turn) => return attempts.take(turn).ok_or_else(|| Code::SK_EINTERNAL.into()),
            Action::Failed(error) => return Err(error),
        }
    }
}

/// What the end of another attempt may set free.
fn is_shortage(code: Code) -> bool {
    matches!(code, Code::SK_EMFILE | Code::SK_ENFILE | Code::SK_ENOBUFS | Code::SK_ENOMEM)
}

/// The sockets on their way, by their turns; what is left of them is closed in the end.
struct Attempts([Option<Handle>; MOST]);

impl Attempts {
    fn take(&mut self, turn: usize) -> Option<Handle> {
        self.0.get_mut(turn)?.take()
    }

    fn close(&mut self, turn: usize) {
        if let Some(handle) = self.take(turn) {
            let _ = close(handle.to_raw());
        }
    }

    /// Sleeps until there is news of one of them, at most until that time, and passes it on.
    fn wait(&mut self, until: Option<u64>, candidates: &Candidates, race: &mut Race) -> Result<()> {
        let mut items = [Item::NONE; IN_FLIGHT];
        let mut waiting = [(0, None); IN_FLIGHT];
        let mut count = 0usize;
        let started = self.0.iter().enumerate().filter(|(_, attempt)| attempt.is_some());
        for ((item, place), (turn, &attempt)) in items.iter_mut().zip(&mut waiting).zip(started) {
            let Some(handle) = attempt else { continue };
            *item = Item::new(TABLE.get().fd_of(handle.index()), poll::OUT);
            *place = (turn, Some(handle));
            count = count.wrapping_add(1);
        }
        // No more than there are: poll(2) counts them against the descriptor limit.
        let items = items.get_mut(..count).unwrap_or_default();
        match poll::poll(items, until.map(|until| until.saturating_sub(time::now()))) {
            Ok(_) => {}
            Err(Errno(libc::EINTR)) => return Ok(()),
            Err(errno) => return Err(errno.into()),
        }
        for (item, (turn, attempt)) in items.iter().zip(waiting) {
            let (Some(handle), Some(address), true) = (attempt, candidates.get(turn), item.found() != 0)
            else {
                continue;
            };
            match connect(handle, &address, &mut Timer::new(0)) {
                Ok(()) => race.connected(turn),
                Err(Error { code: Code::SK_EALREADY | Code::SK_EINPROGRESS, .. }) => {}
                Err(error) => {
                    self.close(turn);
                    race.failed(turn, error);
                }
            }
        }
        Ok(())
    }
}

impl Drop for Attempts {
    fn drop(&mut self) {
        for attempt in self.0.iter().flatten() {
            let _ = close(attempt.to_raw());
        }
    }
}
