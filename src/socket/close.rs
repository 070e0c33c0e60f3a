//! The end of a handle: waking its calls, closing its descriptor, once.

use core::sync::atomic::Ordering::SeqCst;

use super::kind::{self, Kind, Protocol};
use super::pinned::{Pinned, Socket, find};
use super::wait::Stop;
use crate::error::{Code, Result};
use crate::handle::slot::{CLAIM, mark};
use crate::handle::word::{Freed, Left, Reading, State, Tag};
use crate::handle::{Handle, Slot, TABLE, Table};
use crate::sys::socket::{How, message};
use crate::sys::time::Timer;
use crate::sys::{Errno, Fd, SHUTDOWN_WAKES, descriptor, epoll, errno, option, poll, socket as calls};

#[inline(always)]
pub fn close(raw: i64) -> Result<()> {
    let handle = Handle::from_raw(raw);
    let table = TABLE.get();
    match table.slot(handle) {
        Some(slot) if slot.word.give_up_plain(handle.tag()) => {
            table.forget();
            leave_poller(slot, table.fd_of(handle.index()));
            clear_up(table, slot, handle.index(), handle.tag());
            Ok(())
        }
        _ => end(raw, false),
    }
}

/// Closes at once: a TCP peer gets a reset, unless others may have the socket too.
pub fn abort(raw: i64) -> Result<()> {
    drop(Socket::new(raw)?);
    end(raw, true)
}

#[cold]
#[inline(never)]
fn end(raw: i64, abort: bool) -> Result<()> {
    let _keep = errno::Restore::later();
    let handle = Handle::from_raw(raw);
    let (table, slot) = find(handle)?;
    let before = slot.word.close(handle.tag()).ok_or(Code::SK_EBADHANDLE)?;
    table.forget();
    let fd = table.fd_of(handle.index());
    let kind = Kind::from_traits(slot.traits.load(SeqCst));
    let calls_in_progress = before.pins() > 0;
    leave_poller(slot, fd);
    let shared = before.state().is_shared();
    if kind.is_tcp() && (abort || calls_in_progress || shared) {
        let linger = if abort && !shared { Ok(Some(0)) } else { option::linger(fd) };
        match linger {
            // The shutdown that wakes would be a graceful end.
            Ok(Some(0)) if !shared => reset(fd, calls_in_progress),
            // Else the one who leaves last might have to wait in close(2).
            Ok(Some(1..)) => drop(option::set_linger(fd, None)),
            _ => {}
        }
    }
    if calls_in_progress {
        wake(slot, fd, before);
    }
    if let Left::Last(tag) = slot.word.unpin() {
        clear_up(table, slot, handle.index(), tag);
    }
    Ok(())
}

/// Takes a socket that is being closed, or given away, out of its poller: with a copy of it
/// alive, the kernel would go on reporting it.
#[inline(always)]
pub fn leave_poller(slot: &Slot, fd: Fd) {
    if slot.poller.load(SeqCst) != 0 {
        take_out(slot, fd);
    }
}

#[cold]
#[inline(never)]
fn take_out(slot: &Slot, fd: Fd) {
    let _keep = errno::Restore::later();
    let poller = slot.poller.swap(0, SeqCst) & !CLAIM;
    if let Ok(poller) = Pinned::new(poller as i64) {
        let _ = epoll::remove(poller.fd(), fd);
    }
}

/// Lets close(2) send a reset; sends it now where calls in progress put that off.
fn reset(fd: Fd, now: bool) {
    let set = option::set_linger(fd, Some(0));
    if now || set.is_err() {
        let _ = calls::dissolve(fd);
    }
}

/// Wakes every call that is blocked on the descriptor.
fn wake(slot: &Slot, fd: Fd, before: Reading) {
    if !SHUTDOWN_WAKES || before.state().is_shared() {
        let waker = slot.waker.load(SeqCst);
        if waker != 0 {
            descriptor::wake(waker.wrapping_sub(1));
        }
    }
    if SHUTDOWN_WAKES && before.state() != State::SHARED {
        // On a socket that is not connected this says so, and wakes all the same.
        let _ = calls::shutdown(fd, How::Both);
    }
}

/// After the last call has left a closed handle.
#[inline(never)]
pub fn clear_up(table: &Table, slot: &Slot, index: u32, tag: Tag) {
    let fd = table.fd_of(index);
    close_waker(slot, tag);
    match slot.word.free(tag) {
        Freed::Close => descriptor::close(fd),
        Freed::Park => park(fd),
        Freed::Lost => {}
    }
}

/// Before the slot of the handle with this tag is freed.
#[inline(always)]
pub fn close_waker(slot: &Slot, tag: Tag) {
    // Read before the word, so that it is no waker of a handle that has taken the number over,
    // because it was closed behind our back. Such a one sets it anew, hence no plain store.
    let waker = slot.waker.load(SeqCst);
    if waker != 0 {
        close_this_waker(slot, tag, waker);
    }
}

#[cold]
#[inline(never)]
fn close_this_waker(slot: &Slot, tag: Tag, waker: i32) {
    if slot.word.is_final(tag) {
        let _ = slot.waker.compare_exchange(waker, 0, SeqCst, SeqCst);
        descriptor::close(waker.wrapping_sub(1));
    }
}

/// Ends what the descriptor was and keeps its number occupied for ever.
pub fn park(fd: Fd) {
    match descriptor::waker() {
        // The number was free.
        Ok(other) if !descriptor::WAKERS_CROSS_FORK && other == fd => {}
        Ok(other) => {
            let _ = descriptor::replace(fd, other);
            descriptor::close(other);
        }
        // No descriptor left: at least the connection ends.
        Err(_) => {
            let _ = calls::shutdown(fd, How::Both);
        }
    }
}

/// What a slot becomes in a forked child.
pub fn after_fork(table: &Table, index: u32, slot: &Slot) {
    // The parent's waits sleep on this one; waking them from here would be wrong.
    let waker = slot.waker.swap(0, SeqCst);
    if waker != 0 && descriptor::WAKERS_CROSS_FORK {
        descriptor::close(waker.wrapping_sub(1));
    }
    // And a close here must not take the parent's socket out of the parent's poller.
    slot.poller.store(0, SeqCst);
    // Nor does the thread exist here that would take this away.
    slot.unmark(mark::RECEIVING);
    if slot.has(mark::POLLER) {
        slot.mark(mark::FOREIGN);
        if !descriptor::WAKERS_CROSS_FORK {
            // Its number is free here, and must not become somebody else's before its handle is closed.
            park(table.fd_of(index));
        }
    }
    if let Some(tag) = slot.word.after_fork() {
        clear_up(table, slot, index, tag);
    }
}

impl Socket {
    /// Ends one or both directions, for everybody who shares the socket.
    pub fn shutdown(&self, how: kind::How) -> Result<()> {
        let how = match how {
            kind::How::SK_SHUT_READ => How::Read,
            kind::How::SK_SHUT_WRITE => How::Write,
            kind::How::SK_SHUT_BOTH => How::Both,
        };
        if !matches!(how, How::Write) {
            self.slot.mark(mark::SHUT);
        }
        Ok(calls::shutdown(self.fd(), how)?)
    }
}

/// Ends our side, reads and drops until the peer has ended its side, and closes.
pub fn finish(raw: i64, limit: impl FnOnce() -> Result<i64>) -> Result<()> {
    let ended = {
        let socket = Socket::stream(raw)?;
        let fd = socket.fd();
        let _keep = errno::Restore::later();
        // One that is gone has no peer, and one that is on its way none yet.
        if !socket.slot.has(mark::CONNECTED | mark::BEGUN)
            && !calls::is_connected(fd)
            && !calls::was_connected(fd)
        {
            return Err(Code::SK_EOPNOTSUPP.into());
        }
        drain(&socket, fd, limit()?)
    };
    // Another thread may have come before us since.
    close(raw).map_err(|_| Code::SK_ECLOSED)?;
    Ok(ended?)
}

fn drain(socket: &Pinned, fd: Fd, limit: i64) -> core::result::Result<(), Stop> {
    // A connection that is gone tells why with the first receive.
    let _ = calls::shutdown(fd, How::Write);
    let mut timer = Timer::new(limit);
    let kind = socket.kind();
    // TCP can drop what it has without a copy; others need a place to put it.
    let flags = if kind.is_unix() { 0 } else { message::DISCARD };
    let mut dropped = [core::mem::MaybeUninit::uninit(); 256];
    let mut receive = |must_not_block| {
        calls::recv(fd, &mut dropped, if must_not_block { flags | message::DONTWAIT } else { flags })
    };
    while socket.retry(poll::IN, &mut timer, &mut receive)? != 0 {}
    // The reset may have ended a call that had moved something.
    if let Some(errno) = socket.slot.kept() {
        return Err(Stop::System(Errno(errno)));
    }
    // A read shutdown of our own looks the same, and hides from then on what we would wait for.
    if kind.protocol() == Protocol::SK_PROTO_TCP as i32 && calls::peer_may_send(fd) {
        return Err(Stop::WouldWait);
    }
    Ok(())
}
