//! Waiting for many descriptors, and waking who waits, see kqueue(2): the same functions as on
//! epoll(7). kqueue says of whom there is news, and poll(2) then what, which it tells as Linux does.

use core::ffi::c_void;
use core::mem::{MaybeUninit, zeroed};
use core::ptr::null;

use libc::{EV_ADD, EV_CLEAR, EV_DELETE, EV_DISPATCH, EV_ENABLE, EV_ONESHOT, EV_RECEIPT, kevent};
use libc::{EVFILT_READ, EVFILT_USER, EVFILT_WRITE, c_int, timespec};

use crate::sys::memory::Scratch;
use crate::sys::{Errno, Fd, Result, descriptor, errno, poll, syscall};

// The bits of poll(2), which tells what was found.
pub const IN: u32 = libc::POLLIN as u32;
pub const PRIORITY: u32 = libc::POLLPRI as u32;
pub const OUT: u32 = libc::POLLOUT as u32;
pub const ERROR: u32 = libc::POLLERR as u32;
pub const HANGUP: u32 = libc::POLLHUP as u32;
// Ours.
pub const EDGE: u32 = 1 << 16;
pub const ONESHOT: u32 = 1 << 17;
/// As few as possible are all of them.
pub const EXCLUSIVE: u32 = 1 << 18;

/// The flags of a filter that is only there for hang-ups, which are always told.
const UNWANTED: u16 = EV_CLEAR | EV_DISPATCH;
/// The same, and of one that is wanted, where whatever comes is to be told once.
const UNWANTED_ONCE: u16 = EV_ONESHOT;
const ONCE: u16 = EV_DISPATCH;

fn kind(event: &kevent) -> u16 {
    event.flags & (EV_CLEAR | EV_DISPATCH | EV_ONESHOT)
}

/// More bytes than there ever are: such a filter sees no data, only the end.
const NEVER: isize = c_int::MAX as isize;

/// Beside its filters each descriptor has a mark in its set: of several threads one takes it out.
fn mark(fd: Fd) -> usize {
    fd as usize
}

/// A further one where it is to be told of once, by the thread that takes this mark.
fn shot(fd: Fd) -> usize {
    fd as usize | 1 << 32
}

fn event(ident: usize, filter: i16, flags: u16) -> kevent {
    // SAFETY: all-zero bytes are a kevent.
    let mut event: kevent = unsafe { zeroed() };
    (event.ident, event.filter, event.flags) = (ident, filter, flags);
    event
}

/// Makes one change.
fn change(set: Fd, event: kevent) -> Result<()> {
    // SAFETY: one event to read, and room for none.
    unsafe { syscall!(kevent(set, &event, 1, core::ptr::null_mut(), 0, null())) }.map(drop)
}

/// A new set, close-on-exec.
pub fn create() -> Result<Fd> {
    // SAFETY: takes nothing.
    let set = unsafe { syscall!(kqueue()) }?;
    descriptor::close_on_exec(set).map(|()| set).inspect_err(|_| descriptor::close(set))
}

pub fn add(set: Fd, fd: Fd, events: u32, number: u64) -> Result<()> {
    if events & PRIORITY != 0 {
        return Err(Errno(libc::ENOSYS));
    }
    // As Linux has it.
    if events & EXCLUSIVE != 0 && events & ONESHOT != 0 {
        return Err(Errno(libc::EINVAL));
    }
    let filter = |filter, wanted: u32| {
        let flags = match (events & wanted != 0, events & ONESHOT != 0, events & EDGE != 0) {
            (false, true, _) => UNWANTED_ONCE,
            (false, false, _) => UNWANTED,
            (true, true, _) => ONCE,
            (true, false, true) => EV_CLEAR,
            (true, false, false) => 0,
        };
        let mut event = event(fd as usize, filter, EV_ADD | EV_RECEIPT | flags);
        const { assert!(size_of::<*mut c_void>() == size_of::<u64>()) };
        event.udata = number as *mut c_void;
        if matches!(flags, UNWANTED | UNWANTED_ONCE) {
            (event.fflags, event.data) = (libc::NOTE_LOWAT, NEVER as _);
        }
        event
    };
    // A filter that is there already would keep its flags, so it goes first.
    let mut changes = [
        event(fd as usize, EVFILT_READ, EV_DELETE | EV_RECEIPT),
        event(fd as usize, EVFILT_WRITE, EV_DELETE | EV_RECEIPT),
        event(mark(fd), EVFILT_USER, EV_ADD | EV_RECEIPT),
        event(shot(fd), EVFILT_USER, EV_ADD | EV_RECEIPT),
        filter(EVFILT_READ, IN),
        filter(EVFILT_WRITE, OUT),
    ];
    let (list, len) = (changes.as_mut_ptr(), changes.len() as c_int);
    // SAFETY: as many events to read as there is room for; both may be one. Each comes back with
    // what became of it.
    unsafe { syscall!(kevent(set, list, len, list, len, null())) }?;
    match changes.iter().skip(2).find(|change| change.data != 0) {
        Some(failed) => {
            let _ = remove(set, fd);
            Err(Errno(failed.data as c_int))
        }
        None => Ok(()),
    }
}

pub fn modify(set: Fd, fd: Fd, events: u32, number: u64) -> Result<()> {
    // ENOENT: it is not in.
    change(set, event(mark(fd), EVFILT_USER, EV_ENABLE))?;
    add(set, fd, events, number)
}

pub fn remove(set: Fd, fd: Fd) -> Result<()> {
    change(set, event(mark(fd), EVFILT_USER, EV_DELETE))?;
    for (ident, filter) in [(shot(fd), EVFILT_USER), (fd as usize, EVFILT_READ), (fd as usize, EVFILT_WRITE)]
    {
        // The descriptor may be closed, which took its filters away.
        let _ = change(set, event(ident, filter, EV_DELETE));
    }
    Ok(())
}

/// Adds a `waker`.
pub fn add_waker(set: Fd, waker: Fd, number: u64) -> Result<()> {
    let mut event = event(waker as usize, EVFILT_READ, EV_ADD);
    event.udata = number as *mut c_void;
    change(set, event)
}

/// So many events at first: what 512 bytes of stack have room for.
const FEW: usize = 448 / size_of::<kevent>();

/// More than this beyond those are left for the next wait.
const MOST: usize = 1024;

/// Waits for events, at most `ns` nanoseconds, or without limit, and hands each to `turn` with a
/// place in `out`, which is kept where it says so. Gives how many are.
pub fn wait<T>(
    set: Fd,
    out: &mut [MaybeUninit<T>],
    ns: Option<u64>,
    mut turn: impl FnMut(u32, u64, &mut MaybeUninit<T>) -> bool,
) -> Result<usize> {
    let mut few = [event(0, 0, 0); FEW];
    let few = fetch(set, few.get_mut(..out.len().min(FEW)).unwrap_or_default(), ns)?;
    let mut told = tell(set, few, &[], out, &mut turn);
    let more = out.len().saturating_sub(few.len()).min(MOST);
    if few.len() == FEW && more > 0 {
        // It is all the same to who waits whether there is no memory or nothing more.
        if let Ok(mut many) = Scratch::new(more, event(0, 0, 0)) {
            let many = fetch(set, many.as_mut(), Some(0)).unwrap_or_default();
            for some in many.chunks(FEW) {
                let places = out.get_mut(told..).unwrap_or_default();
                told = told.wrapping_add(tell(set, some, few, places, &mut turn));
            }
        }
    }
    Ok(told)
}

/// The events that there are, as far as there is room.
fn fetch(set: Fd, room: &mut [kevent], ns: Option<u64>) -> Result<&[kevent]> {
    let time = ns.map(|ns| timespec {
        tv_sec: (ns / 1_000_000_000).min(i32::MAX as u64) as _,
        tv_nsec: (ns % 1_000_000_000) as _,
    });
    let time = time.as_ref().map_or(null(), core::ptr::from_ref);
    // SAFETY: there is room for so many events; `time` is null or lives until the end of this function.
    let count =
        unsafe { syscall!(kevent(set, null(), 0, room.as_mut_ptr(), room.len() as c_int, time)) }? as usize;
    Ok(room.get(..count).unwrap_or_default())
}

/// Hands events to `turn`, once for each number, but for those that were told with `earlier` ones.
fn tell<T>(
    set: Fd,
    events: &[kevent],
    earlier: &[kevent],
    out: &mut [MaybeUninit<T>],
    turn: &mut dyn FnMut(u32, u64, &mut MaybeUninit<T>) -> bool,
) -> usize {
    let mut told = 0usize;
    for (at, event) in events.iter().enumerate() {
        let number = event.udata as u64;
        let is_same = |other: &&kevent| other.udata == event.udata;
        let was_told = events.iter().take(at).any(|other| is_same(&other))
            || earlier.iter().filter(is_same).any(|other| other.filter == event.filter);
        let found = match number {
            _ if was_told => 0,
            // A waker has no filter for hang-ups.
            0 => IN,
            _ => look(set, event.ident as Fd, events.iter().skip(at).filter(is_same)),
        };
        let Some(place) = out.get_mut(told) else { break };
        if found != 0 && turn(found, number, place) {
            told = told.wrapping_add(1);
        }
    }
    told
}

/// What there is to tell of a descriptor with such events; 0: nothing, or another thread tells it.
fn look<'a>(set: Fd, fd: Fd, events: impl Iterator<Item = &'a kevent> + Clone) -> u32 {
    let asked = events.clone().fold(0, |asked, event| match (kind(event), event.filter) {
        (UNWANTED | UNWANTED_ONCE, _) => asked,
        (_, EVFILT_READ) => asked | poll::IN,
        _ => asked | poll::OUT,
    });
    let mut items = [poll::Item::new(fd, asked)];
    let _ = poll::poll(&mut items, Some(0));
    let [item] = items;
    let found = item.found() as u32 & (IN | OUT | ERROR | HANGUP);
    let mut once = events.filter(|event| matches!(kind(event), ONCE | UNWANTED_ONCE)).peekable();
    if once.peek().is_some() {
        if found == 0 {
            // Another thread had what was news: there is still something to be told once.
            for old in once {
                let _ = change(set, event(old.ident, old.filter, EV_ENABLE));
            }
        } else if change(set, event(shot(fd), EVFILT_USER, EV_DELETE)).is_err() {
            return 0;
        }
    }
    found
}

/// A descriptor that becomes readable, for good, with `wake`.
pub fn waker() -> Result<Fd> {
    let waker = create()?;
    let made = change(waker, event(0, EVFILT_USER, EV_ADD | EV_CLEAR));
    made.inspect_err(|_| descriptor::close(waker))?;
    descriptor::off_streams(waker)
}

/// Makes a `waker` readable.
pub fn wake(fd: Fd) {
    let _keep = errno::Restore::later();
    let mut event = event(0, EVFILT_USER, 0);
    event.fflags = libc::NOTE_TRIGGER;
    // It can't fail: the event is there as long as the waker is.
    let _ = change(fd, event);
}

/// Takes a wake back. False: there was none.
pub fn unwake(fd: Fd) -> bool {
    let _keep = errno::Restore::later();
    let mut taken = event(0, 0, 0);
    let now = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: no event to read, and room for one.
    unsafe { libc::kevent(fd, null(), 0, &mut taken, 1, &now) > 0 }
}
