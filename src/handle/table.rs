//! The table: a slot for each descriptor number that can become a handle.

use core::sync::atomic::{AtomicI64, AtomicU32, Ordering::Relaxed};

use crate::sys::memory::Published;

use super::word::{PINS, State};
use super::{Handle, Slot};

/// The most slots a table can have.
pub const MAX_HANDLES: u32 = 1 << 20;

// A handle has room for the number, and so has what `Tag::index` makes of a forged one.
const _: () = assert!((MAX_HANDLES as u64) < PINS);

/// The table of this process; one without slots until the first use.
pub static TABLE: Published<Table> = Published::new(&NONE);
static NONE: Table = Table::new(&[], 0, false);

/// Slots for the descriptor numbers `base` to `base + slots.len()`.
#[repr(C, align(64))]
pub struct Table {
    slots: &'static [Slot],
    /// The first descriptor number that has a slot. 0, unless the caller chose a table smaller
    /// than the descriptor limit: then handles live on numbers of their own, so
    /// that other descriptors don't use its few slots up.
    pub base: u32,
    /// New descriptors must be moved to a number that has a slot.
    pub moves: bool,
    /// Slots below this index have been used.
    used: AtomicU32,
    live: AtomicI64,
}

impl Table {
    pub const fn new(slots: &'static [Slot], base: u32, moves: bool) -> Table {
        Table { slots, base, moves, used: AtomicU32::new(0), live: AtomicI64::new(0) }
    }

    /// The slot at a place.
    pub fn at(&self, index: u32) -> Option<&'static Slot> {
        self.slots.get(index as usize)
    }

    /// The slot that a handle names, live or not.
    #[inline(always)]
    pub fn slot(&self, handle: Handle) -> Option<&'static Slot> {
        let index = handle.index() as usize;
        // A branch, where `get` alone becomes a selection, which every call would have to wait for.
        if index >= self.slots.len() {
            return None;
        }
        self.slots.get(index)
    }

    /// The index of the slot for a descriptor.
    pub fn index_of(&self, fd: i32) -> Option<u32> {
        let index = u32::try_from(fd).ok()?.checked_sub(self.base)?;
        ((index as usize) < self.slots.len()).then_some(index)
    }

    #[inline(always)]
    pub fn fd_of(&self, index: u32) -> i32 {
        self.base.wrapping_add(index) as i32
    }

    /// The slot at a place, which counts as used from here on.
    pub fn begin(&self, index: u32) -> Option<&'static Slot> {
        let slot = self.at(index)?;
        if self.used.load(Relaxed) <= index {
            self.used.fetch_max(index.wrapping_add(1), Relaxed);
        }
        Some(slot)
    }

    /// Makes a handle for the slot, whose number the kernel has just handed out, with these
    /// traits. `None`: the slot is retired.
    pub fn publish(&self, index: u32, traits: u32, state: State) -> Option<Handle> {
        let slot = self.begin(index)?;
        slot.reset(traits);
        let (tag, before) = slot.word.publish(state);
        // One that was closed behind our back is still counted; this one takes its place.
        let more = i64::from(tag.is_some()) - i64::from(before.is_live());
        self.live.fetch_add(more, Relaxed);
        Some(Handle::new(tag?, index))
    }

    /// A handle was closed or given up.
    pub fn forget(&self) {
        self.live.fetch_sub(1, Relaxed);
    }

    /// Counts the live ones anew: in a forked child, where a thread that was just making or ending
    /// one does not exist.
    pub fn recount(&self) {
        let live = self.used().filter(|(_, slot)| slot.word.read().state().is_live());
        self.live.store(live.count() as i64, Relaxed);
    }

    /// Live handles.
    pub fn live(&self) -> i64 {
        self.live.load(Relaxed)
    }

    /// Every slot that was ever used, with its index.
    pub fn used(&self) -> impl Iterator<Item = (u32, &'static Slot)> + use<> {
        let used = self.used.load(Relaxed);
        (0..used).zip(self.slots)
    }
}
