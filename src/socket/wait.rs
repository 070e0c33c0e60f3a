//! Waiting: the one loop that every call with a limit, or on a shared socket, goes through.

use core::ffi::c_int;
use core::sync::atomic::Ordering::SeqCst;

use super::flags::to_poll;
use super::pinned::Pinned;
use crate::error::{Code, Error, Result};
use crate::handle::Slot;
use crate::handle::slot::{Direction, mark};
use crate::sys::poll::{self, Item};
use crate::sys::time::Timer;
use crate::sys::{self, Errno, Fd, descriptor, errno};

/// How long a wait is where only looking again tells what it waits for.
pub const SLICE: u64 = 20_000_000;

/// Why a call ended without a result.
pub enum Stop {
    /// The handle was closed.
    Closed,
    /// The limit ran out.
    Time,
    /// It would have to wait, and must not.
    WouldWait,
    System(Errno),
}

impl From<Stop> for Error {
    #[cold]
    fn from(stop: Stop) -> Error {
        match stop {
            Stop::Closed => Code::SK_ECLOSED.into(),
            Stop::Time => Code::SK_ETIMEDOUT.into(),
            Stop::WouldWait => Code::SK_EAGAIN.into(),
            Stop::System(errno) => errno.into(),
        }
    }
}

impl Stop {
    /// The error that the kernel told, and tells only once.
    pub fn system(&self) -> Option<Errno> {
        match self {
            Stop::System(errno) => Some(*errno),
            _ => None,
        }
    }
}

/// One receive or send, with these flags for the kernel.
pub type Call<'a> = &'a mut dyn FnMut(c_int) -> sys::Result<usize>;

/// One try of a call: told whether it must not block, it gives a count or a descriptor.
pub type Attempt<'a> = &'a mut dyn FnMut(bool) -> sys::Result<usize>;

impl Pinned {
    /// Tries until there is a result, sleeping in between until `events` or the end of the limit.
    pub fn retry(
        &self,
        events: i16,
        timer: &mut Timer,
        attempt: Attempt,
    ) -> core::result::Result<usize, Stop> {
        self.retry_with(timer, attempt, &mut |timer| self.sleep_for(events, timer))
    }

    /// As `retry`, with another way to sleep. errno stays as it is on success.
    #[inline(never)] // one copy of it serves every kind of call
    pub fn retry_with(
        &self,
        timer: &mut Timer,
        attempt: Attempt,
        sleep: &mut dyn FnMut(&mut Timer) -> core::result::Result<i16, Stop>,
    ) -> core::result::Result<usize, Stop> {
        let _keep = errno::Restore::later();
        let must_not_block = timer.limit() >= 0 || self.needs_waker();
        let (mut slept, mut fruitless) = (false, 0u32);
        // With a peer that keeps up, a call of many turns might never come to sleep.
        if timer.turn() {
            if self.is_closed() {
                return Err(Stop::Closed);
            }
            if timer.limit() > 0 && timer.left() == Some(0) {
                return Err(Stop::Time);
            }
        }
        loop {
            match attempt(must_not_block) {
                Ok(result) => return Ok(result),
                Err(_) if self.is_closed() => return Err(Stop::Closed),
                Err(Errno(libc::EINTR)) => {}
                Err(Errno(libc::EAGAIN)) if timer.limit() == 0 => return Err(Stop::WouldWait),
                Err(Errno(libc::EAGAIN)) => {
                    // Where poll(2) goes on telling what no attempt finds, no sleep says so.
                    if slept && timer.left() == Some(0) {
                        return Err(Stop::Time);
                    }
                    slept = true;
                    // An error that no attempt takes away, as a queued ICMP one is, would turn
                    // this loop into a spin.
                    if sleep(timer)? == poll::ERROR {
                        fruitless = fruitless.saturating_add(1);
                        if fruitless > 8 {
                            let _ = poll::poll(&mut [], Some(1_000_000));
                        }
                    }
                }
                Err(errno) => return Err(Stop::System(errno)),
            }
        }
    }

    /// Sleeps until one of the events. What was found.
    #[inline(never)] // one copy of it serves every kind of call
    pub fn sleep_for(&self, events: i16, timer: &mut Timer) -> core::result::Result<i16, Stop> {
        self.sleep(Item::new(self.fd(), events), None, timer)
    }

    /// Sleeps until `item`, or `other`, is ready. What was found on `item`.
    pub fn sleep(
        &self,
        item: Item,
        other: Option<Item>,
        timer: &mut Timer,
    ) -> core::result::Result<i16, Stop> {
        let mut items = [item, other.unwrap_or(Item::NONE), Item::NONE];
        let mut slice = u64::MAX;
        if self.needs_waker() {
            match waker(self.slot) {
                // A poller's is among what it waits for, and shows as that.
                Ok(_) if self.slot.has(mark::POLLER) => {
                    if !item.wants(poll::IN) {
                        slice = SLICE;
                    }
                }
                Ok(waker) => items = [item, other.unwrap_or(Item::NONE), Item::new(waker, poll::IN)],
                Err(_) => slice = SLICE,
            }
        }
        let mut count = items.len();
        loop {
            if self.is_closed() {
                return Err(Stop::Closed);
            }
            let left = timer.left();
            let nap = left.map_or((slice != u64::MAX).then_some(slice), |left| Some(left.min(slice)));
            match poll::poll(items.get_mut(..count).unwrap_or_default(), nap) {
                Ok(0) if left.is_some_and(|left| left <= slice) => return Err(Stop::Time),
                // Only the next attempt can tell.
                Ok(0) if count == 0 => return Ok(0),
                // More items than the process may have descriptors now.
                Err(Errno(libc::EINVAL)) if count > 0 => {
                    count = usize::from(count > 1);
                    slice = SLICE;
                }
                Ok(0) | Err(Errno(libc::EINTR)) => {}
                Ok(_) if self.is_closed() => return Err(Stop::Closed),
                Ok(_) => {
                    let [item, ..] = items;
                    return Ok(item.found());
                }
                Err(errno) => return Err(Stop::System(errno)),
            }
        }
    }

    /// What of these events, and of those that are always told, is so now.
    pub fn look(&self, events: i16) -> i16 {
        let mut items = [Item::new(self.fd(), events)];
        let _ = poll::poll(&mut items, Some(0));
        let [item] = items;
        item.found()
    }

    /// Sleeps a little, where nothing tells what is waited for.
    pub fn nap(&self, item: Item, timer: &mut Timer) -> core::result::Result<i16, Stop> {
        let left = timer.left();
        let mut items = [item];
        match poll::poll(&mut items, Some(left.unwrap_or(SLICE).min(SLICE))) {
            _ if self.is_closed() => Err(Stop::Closed),
            Ok(0) if left.is_some_and(|left| left <= SLICE) => Err(Stop::Time),
            Ok(_) | Err(Errno(libc::EINTR)) => Ok(0),
            Err(errno) => Err(Stop::System(errno)),
        }
    }
}

/// The descriptor by which `close` wakes the waits on a shared socket, made on first use.
pub fn waker(slot: &Slot) -> sys::Result<Fd> {
    match slot.waker.load(SeqCst) {
        0 => {
            let new = descriptor::waker()?;
            // `close` first says that it closes and then looks for this; a wait first puts it
            // here and then looks whether somebody closes. So one sees the other.
            match slot.waker.compare_exchange(0, new.wrapping_add(1), SeqCst, SeqCst) {
                Ok(_) => Ok(new),
                Err(earlier) => {
                    descriptor::close(new);
                    Ok(earlier.wrapping_sub(1))
                }
            }
        }
        made => Ok(made.wrapping_sub(1)),
    }
}

impl Pinned {
    /// Waits until the handle shows one of the events, or an error or hang-up.
    pub fn wait(&self, events: u32, limit: i64) -> Result<bool> {
        let _keep = errno::Restore::later();
        if self.slot.keeps_an_error() {
            return Ok(true);
        }
        match self.sleep_for(to_poll(events), &mut Timer::new(limit)) {
            Ok(found) if found & poll::INVALID != 0 => Err(Code::SK_EBADHANDLE.into()),
            Ok(0) => Err(Errno(libc::EINVAL).into()),
            Ok(_) => Ok(true),
            Err(Stop::Time) => Ok(false),
            Err(stop) => Err(stop.into()),
        }
    }

    pub fn take_kept(&self, direction: Direction) -> Option<Errno> {
        self.slot.take_kept(direction).map(Errno)
    }

    /// Keeps the error that ended a call after it had moved something, for the next call.
    pub fn keep(&self, direction: Direction, stop: &Stop) {
        if let Some(Errno(errno)) = stop.system() {
            self.slot.keep(direction, errno);
            self.slot.word.be_careful();
        }
    }
}

/// What poll(2) found tells the end of what can be received.
pub fn has_ended(found: i16) -> bool {
    found & (poll::READ_ENDED | poll::HANGUP) != 0
}
