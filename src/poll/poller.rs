//! Pollers: handles that know which others are ready.
//!
//! A handle is in one poller at a time, and its slot knows in which. What the kernel reports
//! carries the handle, and is checked against the table before anybody hears of it.

use core::mem::MaybeUninit;
use core::sync::atomic::Ordering::{Acquire, SeqCst};

use crate::error::{Code, Error, Result};
use crate::handle::slot::{CLAIM, mark};
use crate::handle::{Handle, Slot, TABLE};
use crate::process;
use crate::socket::flags::*;
use crate::socket::{Pinned, Socket, adopt_poller};
use crate::sys::time::Timer;
use crate::sys::{Errno, descriptor, epoll, errno};

/// Something that a poller reports.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Event {
    /// Who is ready; 0: `sk_poller_wake` was called.
    pub handle: i64,
    /// What the handle was added with.
    pub data: u64,
    /// What it is ready for.
    pub events: u32,
    /// 0.
    pub reserved: u32,
}

/// With what number the poller's own wake descriptor is in its set: no handle.
const WAKE: u64 = 0;

/// A new poller.
pub fn poller() -> Result<Handle> {
    process::table()?;
    let set = epoll::create()?;
    let made = descriptor::waker().and_then(|waker| {
        epoll::add_waker(set, waker, WAKE).map(|()| waker).inspect_err(|_| descriptor::close(waker))
    });
    match made {
        Ok(waker) => adopt_poller(set, waker),
        Err(errno) => {
            descriptor::close(set);
            Err(not_added(errno))
        }
    }
}

fn not_added(errno: Errno) -> Error {
    match errno {
        // More than fs.epoll.max_user_watches.
        Errno(libc::ENOSPC) => Error { code: Code::SK_ENOMEM, ..errno.into() },
        errno => errno.into(),
    }
}

/// A pinned poller.
pub struct Poller(Pinned);

impl Poller {
    pub fn new(raw: i64) -> Result<Poller> {
        Poller::of(Pinned::new(raw)?)
    }

    /// A poller, and a socket for it: both handles are looked at before their kinds.
    pub fn with(raw: i64, socket: i64) -> Result<(Poller, Socket)> {
        let (pinned, socket) = (Pinned::new(raw)?, Pinned::new(socket)?);
        Ok((Poller::of(pinned)?, Socket::of(socket)?))
    }

    fn of(pinned: Pinned) -> Result<Poller> {
        if pinned.slot.has(mark::POLLER) { Ok(Poller(pinned)) } else { Err(Code::SK_EOPNOTSUPP.into()) }
    }

    fn raw(&self) -> u64 {
        self.0.handle.to_raw() as u64
    }

    /// Adds a socket.
    pub fn add(&self, socket: &Socket, events: u32, data: u64) -> Result<()> {
        let _keep = errno::Restore::later();
        let slot = socket.slot;
        let mut earlier = slot.poller.load(SeqCst);
        loop {
            match earlier & !CLAIM {
                // A poller that was closed has let its handles go.
                0 => {}
                other if other == self.raw() => return Err(Code::SK_EEXIST.into()),
                other if is_live(other) => return Err(Code::SK_EBUSY.into()),
                _ => {}
            }
            match slot.poller.compare_exchange(earlier, self.raw() | CLAIM, SeqCst, SeqCst) {
                Ok(_) => break,
                Err(seen) => earlier = seen,
            }
        }
        slot.poller_data.store(data, SeqCst);
        let _ = slot.poller.compare_exchange(self.raw() | CLAIM, self.raw(), SeqCst, SeqCst);
        let number = socket.handle.to_raw() as u64;
        let (set, fd) = (self.0.fd(), socket.fd());
        let added = match epoll::add(set, fd, to_system(events), number) {
            // Left behind by one that was closed behind our back.
            Err(Errno(libc::EEXIST)) => epoll::modify(set, fd, to_system(events), number),
            added => added,
        };
        if let Err(errno) = added {
            let _ = slot.poller.compare_exchange(self.raw(), 0, SeqCst, SeqCst);
            return Err(not_added(errno));
        }
        if socket.is_closed() {
            // The close may have looked before we were in.
            let _ = epoll::remove(set, fd);
            return Err(Code::SK_ECLOSED.into());
        }
        Ok(())
    }

    fn has(&self, slot: &Slot) -> Result<()> {
        if slot.poller.load(SeqCst) == self.raw() { Ok(()) } else { Err(Code::SK_ENOENT.into()) }
    }

    /// Changes what a socket that is in is waited for.
    pub fn modify(&self, socket: &Socket, events: u32, data: u64) -> Result<()> {
        let _keep = errno::Restore::later();
        if events & SK_EXCLUSIVE != 0 {
            return Err(Code::SK_EINVAL.into());
        }
        self.has(socket.slot)?;
        // Before the system can report it; with a failure it is as it was.
        let earlier = socket.slot.poller_data.swap(data, SeqCst);
        let number = socket.handle.to_raw() as u64;
        epoll::modify(self.0.fd(), socket.fd(), to_system(events), number).map_err(|errno| {
            let _ = socket.slot.poller_data.compare_exchange(data, earlier, SeqCst, SeqCst);
            errno.into()
        })
    }

    /// Takes a socket out.
    pub fn remove(&self, socket: &Socket) -> Result<()> {
        let _keep = errno::Restore::later();
        self.has(socket.slot)?;
        // Of several threads the system lets one do it. The slot says so last: an add in between
        // would come before the end of this, and be undone by it.
        epoll::remove(self.0.fd(), socket.fd())?;
        let _ = socket.slot.poller.compare_exchange(self.raw(), 0, SeqCst, SeqCst);
        Ok(())
    }

    /// Waits until somebody is ready. How many events there are; 0: time is up.
    pub fn wait(&self, out: &mut [MaybeUninit<Event>], limit: i64) -> Result<usize> {
        let _keep = errno::Restore::later();
        let poller = self.raw();
        let mut timer = Timer::new(limit);
        let table = TABLE.get();
        loop {
            let left = timer.left();
            let result = epoll::wait(self.0.fd(), out, left, |found, number, place| {
                let handle = Handle::from_raw(number as i64);
                match table.slot(handle) {
                    Some(slot) => event(poller, slot, handle, found, place),
                    // The number of no handle is that of the poller's own descriptor.
                    None => self.woken(place),
                }
            });
            if self.0.is_closed() {
                return Err(Code::SK_ECLOSED.into());
            }
            match result {
                Ok(0) if left == Some(0) => return Ok(0),
                // Time may be up a little early, and stale events count for nothing.
                Ok(0) | Err(Errno(libc::EINTR)) => {}
                Ok(count) => return Ok(count),
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// One waiter takes a wake; that of a close stays for all of them.
    #[cold]
    #[inline(never)]
    fn woken(&self, place: &mut MaybeUninit<Event>) -> bool {
        let waker = self.0.slot.waker.load(SeqCst).wrapping_sub(1);
        if self.0.is_closed() || !descriptor::unwake(waker) {
            return false;
        }
        if self.0.is_closed() {
            // What was taken may have been the close's.
            descriptor::wake(waker);
        }
        place.write(Event { handle: 0, data: 0, events: 0, reserved: 0 });
        true
    }

    /// Lets one waiter return.
    pub fn wake(&self) {
        descriptor::wake(self.0.slot.waker.load(SeqCst).wrapping_sub(1));
    }
}

/// What is told of what the kernel has found, if the handle is still what it was.
#[inline(always)]
fn event(poller: u64, slot: &Slot, handle: Handle, found: u32, place: &mut MaybeUninit<Event>) -> bool {
    // First, or it might be another's: the slot's next handle, or the next poller.
    let data = slot.poller_data.load(Acquire);
    if slot.poller.load(Acquire) != poller || !slot.word.is_live(handle.tag()) {
        return false;
    }
    place.write(Event { handle: handle.to_raw(), data, events: from_system(found), reserved: 0 });
    true
}

fn is_live(poller: u64) -> bool {
    let handle = Handle::from_raw(poller as i64);
    TABLE.get().slot(handle).is_some_and(|slot| slot.word.is_live(handle.tag()))
}

/// The same bits, in the kernel's order and in ours.
const BITS: [(u32, u32); 8] = [
    (SK_READABLE, epoll::IN),
    (SK_WRITABLE, epoll::OUT),
    (SK_PRIORITY, epoll::PRIORITY),
    (SK_HANGUP, epoll::HANGUP),
    (SK_ERROR, epoll::ERROR),
    (SK_EDGE, epoll::EDGE),
    (SK_ONESHOT, epoll::ONESHOT),
    (SK_EXCLUSIVE, epoll::EXCLUSIVE),
];

fn to_system(events: u32) -> u32 {
    BITS.iter().filter(|(ours, _)| events & ours != 0).fold(0, |bits, (_, system)| bits | system)
}

/// Our events for each combination of the kernel's; a byte of them, so that no index is too large.
static FROM_SYSTEM: [u8; 256] = {
    let mut table = [0; 256];
    let mut found = 0;
    while found < table.len() {
        let mut bit = 0;
        while bit < BITS.len() {
            let (ours, system) = BITS[bit];
            if found as u32 & system != 0 {
                table[found] |= ours as u8;
            }
            bit += 1;
        }
        found += 1;
    }
    table
};

#[inline(always)]
fn from_system(found: u32) -> u32 {
    u32::from(FROM_SYSTEM[usize::from(found as u8)])
}

/// The events that a handle can be added with.
pub fn check_events(events: u32) -> Result<u32> {
    let known = BITS.iter().fold(0, |known, (ours, _)| known | ours);
    if events & !known == 0 { Ok(events) } else { Err(Error::from(Code::SK_EINVAL)) }
}
