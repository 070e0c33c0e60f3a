//! Handles: how a number names a descriptor and can't be misused.
//!
//! A handle is the number of a slot and the generation that the slot had when the handle
//! was issued. The slot's number is the descriptor's own (see [`Table`]), so there is no
//! free list and no lock. This module makes no system call: it decides who may use a
//! descriptor and who is the one to close it, and the rooms above do so.

pub mod slot;
mod table;
pub mod word;

#[cfg(test)]
mod tests;

use crate::sys::memory::zeroed;
use word::{PINS, Tag};

pub use slot::Slot;
pub use table::{MAX_HANDLES, TABLE, Table};

/// The models put their own atomics here.
mod atomic {
    pub use core::sync::atomic::{AtomicU64, Ordering};
}

/// A handle as the C interface knows it: the tag of its slot's word, and the slot's number.
#[derive(Clone, Copy, Debug)]
pub struct Handle(u64);

impl Handle {
    /// Any number at all: one that was never issued finds no slot, or another tag there.
    #[inline(always)]
    pub fn from_raw(raw: i64) -> Handle {
        Handle(raw as u64)
    }

    pub fn to_raw(self) -> i64 {
        self.0 as i64
    }

    fn new(tag: Tag, index: u32) -> Handle {
        Handle(tag.0 & !PINS | u64::from(index))
    }

    #[inline(always)]
    pub fn tag(self) -> Tag {
        Tag(self.0)
    }

    /// The slot's number, or one that no slot has.
    #[inline(always)]
    pub fn index(self) -> u32 {
        self.tag().index()
    }
}
