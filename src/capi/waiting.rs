//! Waiting for many.

use core::ffi::c_int;

use super::{args, ret, sk_handle};
use crate::error::Code;
use crate::poll::{self, Event, Item, Poller};
use crate::socket::{Pinned, flags};

/// Waits until a handle is ready.
///
/// s: a socket, or a poller.
/// events: of `SK_READABLE`, `SK_WRITABLE`, `SK_PRIORITY`; `SK_HANGUP` and `SK_ERROR` are waited
/// for in any case.
/// timeout: ms; `SK_FOREVER` = no limit, 0 = only look.
///
/// Returns 1 = ready for one of them, 0 = time is up, or:
/// `SK_EBADHANDLE` no live handle; `SK_EINVAL` unknown events, or those only for pollers; limit below -1;
/// `SK_ECLOSED` closed meanwhile.
///
/// Threads: any. Signals: not in a handler. Since 0.1. See poll(2).
#[unsafe(no_mangle)]
pub extern "C" fn sk_wait(s: sk_handle, events: u32, timeout: i64) -> c_int {
    ret::number(|| {
        let pinned = Pinned::new(s)?;
        let events = flags::wait_events(events)?;
        pinned.wait(events, args::limit(timeout)?).map(i32::from)
    })
}

/// Waits until one of several handles is ready. A handle that is not live, or is closed
/// meanwhile, gets revents `SK_ERROR` and counts.
///
/// items, count: handles, each with the events to wait for (of `SK_READABLE`, `SK_WRITABLE`,
/// `SK_PRIORITY`; `SK_HANGUP` and `SK_ERROR` are waited for in any case); revents is written.
/// Handle 0 is skipped. At most 65,536; NULL only with count 0.
/// timeout: ms; `SK_FOREVER` = no limit, 0 = only look.
///
/// Returns how many items are ready, 0 = time is up, or:
/// `SK_EINVAL` unknown events, or those only for pollers; too many items; NULL with a count; limit below -1;
/// `SK_ENOMEM` no memory for so many items, or two million, of all calls, are for one handle.
///
/// Threads: any; the items are the call's until it returns. Signals: not in a handler. Since 0.1.
/// See poll(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_poll(items: *mut Item, count: usize, timeout: i64) -> c_int {
    ret::number(|| {
        // SAFETY: NULL, or count items.
        let items = unsafe { args::list_mut(items, count) }?;
        poll::poll(items, args::limit(timeout)?).map(|ready| ready as i32)
    })
}

/// Makes a poller, which remembers whom to wait for.
///
/// Returns a handle, or:
/// `SK_EMFILE` the process has no descriptor left (it takes two), or the table no handle;
/// `SK_ENFILE` the system has none left; `SK_ENOMEM` no memory.
///
/// Threads: any. Signals: not in a handler. Since 0.1. See epoll(7). A poller does not cross fork: in
/// the child only `sk_close` works on it. Closing it wakes its waiters and lets its handles go.
#[cfg(feature = "pollers")]
#[unsafe(no_mangle)]
pub extern "C" fn sk_poller() -> sk_handle {
    ret::handle(poll::poller)
}

/// Adds a handle to a poller, which reports it as long as it is ready (or with `SK_EDGE` when
/// that changes, with `SK_ONESHOT` once). A closed handle leaves its poller by itself.
///
/// p: a poller.
/// s: a socket that is in no poller; `sk_dup` it to have it in two.
/// events: of `SK_READABLE`, `SK_WRITABLE`, `SK_PRIORITY`, `SK_EDGE`, `SK_ONESHOT`,
/// `SK_EXCLUSIVE`; `SK_HANGUP` and `SK_ERROR` are reported in any case. `SK_EXCLUSIVE` does not
/// go together with `SK_ONESHOT` or `SK_PRIORITY`.
/// data: comes back with each event.
///
/// Returns `SK_OK`, or:
/// `SK_EBADHANDLE` one of them is not live; `SK_EOPNOTSUPP` p is no poller or s no socket;
/// `SK_EINVAL` unknown events, or such as do not go together;
/// `SK_EEXIST` it is in already, `SK_EBUSY` it is in another poller;
/// `SK_ECLOSED` closed meanwhile; `SK_ENOMEM` no memory.
///
/// Threads: any, also while others wait. Signals: not in a handler. Since 0.1. See epoll_ctl(2).
#[cfg(feature = "pollers")]
#[unsafe(no_mangle)]
pub extern "C" fn sk_poller_add(p: sk_handle, s: sk_handle, events: u32, data: u64) -> c_int {
    ret::status(|| {
        let (poller, socket) = Poller::with(p, s)?;
        poller.add(&socket, poll::check_events(events)?, data)
    })
}

/// Changes what a handle in a poller is waited for, and arms it again after `SK_ONESHOT`.
///
/// p, s, events, data: as `sk_poller_add`, but without `SK_EXCLUSIVE`.
///
/// Returns `SK_OK`, or, and then nothing has changed:
/// `SK_EBADHANDLE`, `SK_EOPNOTSUPP` as `sk_poller_add`; `SK_EINVAL` unknown events, or `SK_EXCLUSIVE`, now
/// or when it was added: remove and add it instead; `SK_ENOENT` it is not in this poller;
/// `SK_ENOMEM` no memory.
///
/// Threads: any, also while others wait. Signals: not in a handler. Since 0.1. See epoll_ctl(2).
#[cfg(feature = "pollers")]
#[unsafe(no_mangle)]
pub extern "C" fn sk_poller_modify(p: sk_handle, s: sk_handle, events: u32, data: u64) -> c_int {
    ret::status(|| {
        let (poller, socket) = Poller::with(p, s)?;
        poller.modify(&socket, poll::check_events(events)?, data)
    })
}

/// Takes a handle out of a poller.
///
/// p: a poller.
/// s: a socket that is in it.
///
/// Returns `SK_OK`, or `SK_EBADHANDLE`, `SK_EOPNOTSUPP` as `sk_poller_add`, `SK_ENOENT` (it is not
/// in this poller).
///
/// Threads: any; a wait that has begun may still report it. Signals: not in a handler. Since
/// 0.1. See epoll_ctl(2).
#[cfg(feature = "pollers")]
#[unsafe(no_mangle)]
pub extern "C" fn sk_poller_remove(p: sk_handle, s: sk_handle) -> c_int {
    ret::status(|| {
        let (poller, socket) = Poller::with(p, s)?;
        poller.remove(&socket)
    })
}

/// Waits until handles in a poller are ready. No wait that began after `sk_close` returned
/// reports the handle that was closed.
///
/// An error that an earlier call has left for the next one is told by that, by `sk_wait` and by `sk_poll`,
/// not here: the system knows nothing of it any more.
///
/// p: a poller.
/// out, capacity: where to put the events, as many as there are and fit; 1 at least. What is
/// behind those that the result counts may be overwritten too.
/// timeout: ms; `SK_FOREVER` = no limit, 0 = only look.
///
/// Returns how many events there are, 0 = time is up, or:
/// `SK_EBADHANDLE` not live; `SK_EOPNOTSUPP` no poller; `SK_EINVAL` out is NULL or capacity 0; limit below -1;
/// `SK_ECLOSED` closed meanwhile.
///
/// Threads: any, several may wait on one poller. Signals: not in a handler. Since 0.1. See epoll_wait(2).
#[cfg(feature = "pollers")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_poller_wait(p: sk_handle, out: *mut Event, capacity: usize, timeout: i64) -> i64 {
    ret::count(|| {
        let poller = Poller::new(p)?;
        // SAFETY: NULL, or room for so many events.
        let out = unsafe { args::list_room(out, capacity) }?;
        if out.is_empty() {
            return Err(Code::SK_EINVAL.into());
        }
        poller.wait(out, args::limit(timeout)?)
    })
}

/// Lets one waiter of a poller return, with an event of handle 0, data 0, events 0; if nobody
/// waits, the next one. Never lost; several may fold into one.
///
/// p: a poller.
///
/// Returns `SK_OK`, or `SK_EBADHANDLE`, `SK_EOPNOTSUPP` (no live poller).
///
/// Threads: any. Signals: safe in a handler. Since 0.1. See eventfd(2).
#[cfg(feature = "pollers")]
#[unsafe(no_mangle)]
pub extern "C" fn sk_poller_wake(p: sk_handle) -> c_int {
    ret::status(|| {
        Poller::new(p)?.wake();
        Ok(())
    })
}
