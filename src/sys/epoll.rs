//! Waiting for many descriptors, see epoll(7).

use core::mem::MaybeUninit;

use libc::c_int;

use super::{Fd, Result, syscall};

pub const IN: u32 = libc::EPOLLIN as u32;
pub const PRIORITY: u32 = libc::EPOLLPRI as u32;
pub const OUT: u32 = libc::EPOLLOUT as u32;
pub const ERROR: u32 = libc::EPOLLERR as u32;
pub const HANGUP: u32 = libc::EPOLLHUP as u32;
pub const EDGE: u32 = libc::EPOLLET as u32;
pub const ONESHOT: u32 = libc::EPOLLONESHOT as u32;
pub const EXCLUSIVE: u32 = libc::EPOLLEXCLUSIVE as u32;

/// What the kernel reports: the events and the number that the descriptor was added with.
pub type Event = libc::epoll_event;

/// A new set, close-on-exec.
pub fn create() -> Result<Fd> {
    // SAFETY: only numbers are passed.
    unsafe { syscall!(epoll_create1(libc::EPOLL_CLOEXEC)) }
}

pub fn add(set: Fd, fd: Fd, events: u32, number: u64) -> Result<()> {
    control(set, libc::EPOLL_CTL_ADD, fd, events, number)
}

/// Adds a `waker`.
pub fn add_waker(set: Fd, waker: Fd, number: u64) -> Result<()> {
    add(set, waker, IN, number)
}

pub fn modify(set: Fd, fd: Fd, events: u32, number: u64) -> Result<()> {
    control(set, libc::EPOLL_CTL_MOD, fd, events, number)
}

pub fn remove(set: Fd, fd: Fd) -> Result<()> {
    control(set, libc::EPOLL_CTL_DEL, fd, 0, 0)
}

fn control(set: Fd, operation: c_int, fd: Fd, events: u32, number: u64) -> Result<()> {
    let mut event = libc::epoll_event { events, u64: number };
    // SAFETY: the event is one to read.
    unsafe { syscall!(epoll_ctl(set, operation, fd, &mut event)) }.map(drop)
}

/// More events than this at once are left for the next wait.
const MOST: usize = 1 << 16;

/// Waits for events, at most `ns` nanoseconds rounded up to milliseconds, or without limit, and
/// hands each to `turn` with a place in `out`, which is kept where it says so. Gives how many are.
#[inline(always)]
pub fn wait<T>(
    set: Fd,
    out: &mut [MaybeUninit<T>],
    ns: Option<u64>,
    mut turn: impl FnMut(u32, u64, &mut MaybeUninit<T>) -> bool,
) -> Result<usize> {
    const { assert!(size_of::<T>() >= size_of::<Event>() && align_of::<T>() >= align_of::<Event>()) };
    let ms = ns.map_or(-1, |ns| c_int::try_from(ns.div_ceil(1_000_000)).unwrap_or(c_int::MAX));
    let room = out.len().min(MOST);
    let first = out.as_mut_ptr();
    let mut place = first;
    // SAFETY: the kernel's events are not larger than T, so `room` of them fit into `room` T.
    // They come to the end of that, and are taken from there to its beginning one by one: the
    // n-th T ends where the n-th event ends, or before, so no event is overwritten before it
    // is read. They may not be aligned there.
    unsafe {
        let events = first.add(room).cast::<Event>().sub(room);
        let count = syscall!(epoll_wait(set, events, room as c_int, ms))? as usize;
        for at in 0..count {
            let event = events.add(at).read_unaligned();
            if turn(event.events, event.u64, &mut *place) {
                place = place.add(1);
            }
        }
        Ok(place.offset_from(first) as usize)
    }
}
