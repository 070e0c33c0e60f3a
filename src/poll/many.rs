//! Waiting for many that are told each time, see poll(2).

use crate::error::{Code, Result};
use crate::handle::slot::mark;
use crate::handle::word::PINS;
use crate::handle::{Handle, Slot, TABLE};
use crate::socket::flags::*;
use crate::socket::{Pinned, SLICE, release, waker};
use crate::sys::memory::Scratch;
use crate::sys::poll::{self, Item as Entry};
use crate::sys::time::Timer;
use crate::sys::{self, Errno, SHUTDOWN_WAKES, descriptor, errno};

/// A handle to look at, what for, and what was found.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Item {
    /// A handle; 0: skipped.
    pub handle: i64,
    /// What to wait for.
    pub events: u32,
    /// What it is ready for, or `SK_ERROR` where the handle is not live.
    pub revents: u32,
}

/// How many items there can be.
const MOST: usize = 65_536;

/// Items take no more pins of one handle than this: the rest is for calls that have one each.
const MOST_PINS: u64 = PINS / 2;

/// So many are kept on the stack: for more of them the system is asked for memory.
const FEW: usize = 24;

/// In `events` during the call, where nobody can have it: the item has an entry.
const PINNED: u32 = 1 << 31;

/// Waits until one of the items is ready. How many are; 0: time is up.
pub fn poll(items: &mut [Item], limit: i64) -> Result<usize> {
    if items.len() > MOST {
        return Err(Code::SK_EINVAL.into());
    }
    for item in items.iter() {
        wait_events(item.events)?;
    }
    let _keep = errno::Restore::later();
    // An entry for each handle, and behind these one for the wake descriptor of each.
    let mut few = [Entry::NONE; 2 * FEW];
    let mut many;
    let entries: &mut [Entry] = if items.len() <= FEW {
        &mut few
    } else {
        many = Scratch::new(items.len().saturating_mul(2), Entry::NONE)?;
        many.as_mut()
    };
    let mut pins = Pins { items, entries, count: 0, wakers: 0 };
    pins.add_items()?;
    let complete = pins.add_wakers();
    let mut slice = if complete { None } else { Some(SLICE) };
    let mut in_pieces = false;
    // Also a close that came too early to find the wakers.
    let mut timer = Timer::new(if pins.is_ready() { 0 } else { limit });
    loop {
        let left = timer.left();
        let nap = [left, slice].into_iter().flatten().min();
        let looked = if in_pieces { pins.look_in_pieces(nap) } else { poll::poll(pins.entries(), nap) };
        let found = match looked {
            Ok(found) => found,
            // Time is not up, but a close may have come.
            Err(Errno(libc::EINTR)) if pins.is_ready() => 1,
            Err(Errno(libc::EINTR)) => continue,
            // More entries than the process may have descriptors: some handles are there twice,
            // or the limit was lowered.
            Err(Errno(libc::EINVAL)) if !in_pieces => {
                in_pieces = true;
                slice = Some(SLICE);
                continue;
            }
            Err(errno) => return Err(errno.into()),
        };
        let time_is_up = left == Some(0) || (found == 0 && left.is_some() && nap == left);
        if time_is_up || pins.is_ready() {
            // A handle may be closed, or its error be told elsewhere, between one look and the next.
            let told = pins.tell();
            if time_is_up || told > 0 {
                return Ok(told);
            }
        }
    }
}

/// The items, and an entry for poll(2) for each handle among them, which is pinned.
struct Pins<'a> {
    items: &'a mut [Item],
    entries: &'a mut [Entry],
    /// Entries of handles.
    count: usize,
    /// Entries behind these: what wakes the waits on shared sockets.
    wakers: usize,
}

impl Pins<'_> {
    /// Pins the handles.
    fn add_items(&mut self) -> Result<()> {
        for item in self.items.iter_mut().filter(|item| item.handle != 0) {
            if let (Ok(pinned), Some(entry)) = (Pinned::new(item.handle), self.entries.get_mut(self.count)) {
                if pinned.slot.word.read().pins() > MOST_PINS {
                    return Err(Errno(libc::ENOMEM).into());
                }
                *entry = Entry::new(pinned.fd(), to_poll(item.events));
                item.events |= PINNED;
                self.count = self.count.wrapping_add(1);
                // Let go in `drop`.
                core::mem::forget(pinned);
            }
        }
        Ok(())
    }

    /// Adds what wakes the waits on shared sockets. False: not all of it could be had.
    fn add_wakers(&mut self) -> bool {
        let Some((handles, wakers)) = self.entries.split_at_mut_checked(self.count) else {
            return false;
        };
        let mut free = wakers.iter_mut();
        let mut complete = true;
        for (entry, slot) in handles.iter().filter_map(|entry| Some((entry, slot_of(entry)?))) {
            if SHUTDOWN_WAKES && !slot.word.read().state().is_shared() {
                continue;
            }
            // A poller's is among what it waits for, and shows as that.
            if slot.has(mark::POLLER) {
                complete &= entry.wants(poll::IN);
                continue;
            }
            match (waker(slot), free.next()) {
                (Ok(waker), Some(entry)) => {
                    *entry = Entry::new(waker, poll::IN);
                    self.wakers = self.wakers.wrapping_add(1);
                }
                _ => complete = false,
            }
        }
        complete
    }

    fn entries(&mut self) -> &mut [Entry] {
        self.entries.get_mut(..self.count.saturating_add(self.wakers)).unwrap_or_default()
    }

    /// Looks at as many entries at once as poll(2) takes, and naps where none is ready.
    #[cold]
    fn look_in_pieces(&mut self, nap: Option<u64>) -> sys::Result<usize> {
        let most = usize::try_from(descriptor::limits().0).unwrap_or(MOST).max(1);
        let mut found: usize = 0;
        for piece in self.entries().chunks_mut(most) {
            found = found.saturating_add(poll::poll(piece, Some(0))?);
        }
        if found > 0 { Ok(found) } else { poll::poll(&mut [], nap) }
    }

    /// Is one of the items ready?
    fn is_ready(&mut self) -> bool {
        self.found().any(|(_, found)| found != 0)
    }

    /// Writes what the items are ready for. How many are.
    fn tell(&mut self) -> usize {
        let tell = |(item, found): (&mut Item, u32)| {
            item.revents = found;
            found != 0
        };
        self.found().map(tell).filter(|&is_ready| is_ready).count()
    }

    /// The items, each with what it is ready for.
    fn found(&mut self) -> impl Iterator<Item = (&mut Item, u32)> {
        let mut entries = self.entries.iter();
        self.items.iter_mut().map(move |item| {
            let entry = if item.events & PINNED != 0 { entries.next() } else { None };
            let found = found_of(item.handle, entry);
            (item, found)
        })
    }
}

fn found_of(handle: i64, entry: Option<&Entry>) -> u32 {
    if handle == 0 {
        return 0;
    }
    let handle = Handle::from_raw(handle);
    match (entry, TABLE.get().slot(handle)) {
        (Some(entry), Some(slot)) if slot.word.is_live(handle.tag()) => {
            from_poll(entry.found()) | if slot.keeps_an_error() { SK_ERROR } else { 0 }
        }
        _ => SK_ERROR,
    }
}

fn slot_of(entry: &Entry) -> Option<&'static Slot> {
    let table = TABLE.get();
    table.at(table.index_of(entry.fd())?)
}

impl Drop for Pins<'_> {
    fn drop(&mut self) {
        for item in self.items.iter_mut() {
            item.events &= !PINNED;
        }
        for entry in self.entries.iter().take(self.count) {
            if let Some(index) = TABLE.get().index_of(entry.fd()) {
                release(index);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::{self, Type};

    #[test]
    fn items_are_no_end_of_the_pins() {
        let [one, other] = socket::pair(Type::SK_STREAM).unwrap();
        let slot = TABLE.get().slot(one).unwrap();
        for _ in 0..MOST_PINS {
            assert!(slot.word.pin(one.tag()));
        }
        let item = Item { handle: one.to_raw(), events: SK_WRITABLE, revents: 0 };
        let before = slot.word.read();
        let full = poll(&mut [Item { handle: other.to_raw(), ..item }, item], 0);
        assert_eq!(full.map_err(|error| error.code), Err(Code::SK_ENOMEM));
        assert_eq!(slot.word.read(), before);
        release(one.index());
        assert_eq!(poll(&mut [item], 0).ok(), Some(1));
        for _ in 1..MOST_PINS {
            release(one.index());
        }
        for handle in [one, other] {
            socket::close(handle.to_raw()).unwrap();
        }
    }
}
