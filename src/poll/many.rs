//! Waiting for many that are told each time, see poll(2).

use crate::error::{Code, Result};
use crate::handle::slot::mark;
use crate::handle::{Handle, Slot, TABLE};
use crate::socket::flags::*;
use crate::socket::{Pinned, SLICE, release, waker};
use crate::sys::memory::Scratch;
use crate::sys::poll::{self, Item as Entry};
use crate::sys::time::Timer;
use crate::sys::{Errno, errno};

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

/// So many are kept on the stack: for more of them the system is asked for memory.
const FEW: usize = 24;

/// In `revents` during the call: the item has an entry.
const PINNED: u32 = u32::MAX;

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
    let mut pins = Pins { entries, count: 0 };
    let mut bad = false;
    for item in items.iter_mut() {
        item.revents = 0;
        if item.handle != 0 {
            bad |= !pins.add(item);
        }
    }
    let (wakers, complete) = pins.add_wakers();
    let slice = if complete { None } else { Some(SLICE) };
    let mut timer = Timer::new(if bad { 0 } else { limit });
    loop {
        let left = timer.left();
        let nap = [left, slice].into_iter().flatten().min();
        match poll::poll(pins.with_wakers(wakers), nap) {
            Ok(_) => {}
            Err(Errno(libc::EINTR)) => continue,
            Err(errno) => return Err(errno.into()),
        }
        let time_is_up = left.is_some_and(|left| nap == Some(left));
        let ready = pins.tell(items, time_is_up);
        if ready > 0 || time_is_up {
            return Ok(ready);
        }
    }
}

/// The handles that are being waited for, each pinned, by their entries for poll(2).
struct Pins<'a> {
    entries: &'a mut [Entry],
    count: usize,
}

impl Pins<'_> {
    /// Pins the handle of an item. False: it is not live.
    fn add(&mut self, item: &mut Item) -> bool {
        match (Pinned::new(item.handle), self.entries.get_mut(self.count)) {
            (Ok(pinned), Some(entry)) if !pinned.slot.has(mark::FOREIGN) => {
                *entry = Entry::new(pinned.fd(), to_poll(item.events));
                self.count = self.count.wrapping_add(1);
                item.revents = PINNED;
                // Let go in `drop`.
                core::mem::forget(pinned);
                true
            }
            _ => false,
        }
    }

    /// Adds what wakes the waits on shared sockets. How many, and whether these are all.
    fn add_wakers(&mut self) -> (usize, bool) {
        let (handles, wakers) = match self.entries.split_at_mut_checked(self.count) {
            Some(split) => split,
            None => return (0, false),
        };
        let mut free = wakers.iter_mut();
        let mut added: usize = 0;
        let mut complete = true;
        for slot in handles.iter().filter_map(|entry| slot_of(entry)) {
            if !slot.word.read().state().is_shared() {
                continue;
            }
            match (waker(slot), free.next()) {
                (Ok(waker), Some(entry)) => {
                    *entry = Entry::new(waker, poll::IN);
                    added = added.wrapping_add(1);
                }
                _ => complete = false,
            }
        }
        (added, complete)
    }

    fn with_wakers(&mut self, wakers: usize) -> &mut [Entry] {
        self.entries.get_mut(..self.count.saturating_add(wakers)).unwrap_or_default()
    }

    /// How many items are ready; with what, is written once there are some, or time is up.
    fn tell(&self, items: &mut [Item], time_is_up: bool) -> usize {
        let mut ready: usize = 0;
        for (item, entry) in self.of(items) {
            ready = ready.wrapping_add(usize::from(events(item, entry) != 0));
        }
        if ready > 0 || time_is_up {
            for (item, entry) in self.of(items) {
                item.revents = events(item, entry);
            }
        }
        ready
    }

    /// The items, each with its entry: `add` marked those that have one.
    fn of<'b>(&'b self, items: &'b mut [Item]) -> impl Iterator<Item = (&'b mut Item, Option<&'b Entry>)> {
        let mut entries = self.entries.iter().take(self.count);
        items.iter_mut().map(move |item| {
            let entry = if item.revents == PINNED { entries.next() } else { None };
            (item, entry)
        })
    }
}

/// What an item is ready for.
fn events(item: &Item, entry: Option<&Entry>) -> u32 {
    match entry {
        _ if item.handle == 0 => 0,
        Some(entry) if !is_closed(item.handle) => from_poll(entry.found()),
        _ => SK_ERROR,
    }
}

impl Drop for Pins<'_> {
    fn drop(&mut self) {
        for entry in self.entries.iter().take(self.count) {
            if let Some(index) = TABLE.get().index_of(entry.fd()) {
                release(index);
            }
        }
    }
}

fn slot_of(entry: &Entry) -> Option<&'static Slot> {
    let table = TABLE.get();
    table.at(table.index_of(entry.fd())?)
}

fn is_closed(raw: i64) -> bool {
    let handle = Handle::from_raw(raw);
    TABLE.get().slot(handle).is_none_or(|slot| slot.word.is_closed(handle.tag()) || slot.has(mark::FOREIGN))
}
