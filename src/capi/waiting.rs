//! Waiting.

use core::ffi::c_int;

use super::{args, ret, sk_handle};
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
