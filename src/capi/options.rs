//! Options.

use core::ffi::{c_char, c_int};

use super::{args, ret, sk_handle};
use crate::error::{Code, Result};
use crate::socket::{Opt, Socket};

fn option(number: c_int) -> Result<Opt> {
    Opt::from_c(number).ok_or_else(|| Code::SK_EINVAL.into())
}

/// Sets an option.
///
/// s: a socket.
/// option: of `enum sk_option`, where each says its unit and range.
/// value: the value; switches take 0 or 1.
///
/// Returns `SK_OK`, or:
/// `SK_EBADHANDLE`, `SK_EOPNOTSUPP` no live socket;
/// `SK_EINVAL` unknown option, value out of range, or too late for it (`SK_OPT_V6ONLY` after `sk_bind`);
/// `SK_ENOPROTOOPT` this kind of socket or this platform has no such option, it is read-only, or a text;
/// `SK_EACCES` not permitted; `SK_ENOENT` no such interface.
///
/// Threads: any. A limit holds for calls that begin after. Signals: not in a handler. Since 0.1. See setsockopt(2).
#[unsafe(no_mangle)]
pub extern "C" fn sk_set_option(s: sk_handle, option: c_int, value: i64) -> c_int {
    ret::status(|| Socket::new(s)?.set_option(self::option(option)?, value))
}

/// Reads an option.
///
/// s: a socket.
/// option: of `enum sk_option`.
/// value: the value.
///
/// Returns `SK_OK`, or `SK_EBADHANDLE`, `SK_EOPNOTSUPP` (no live socket), `SK_EINVAL` (unknown
/// option, value is NULL), `SK_ENOPROTOOPT` (this kind of socket or this
/// platform has no such option, or it is a text).
///
/// Threads: any. Signals: not in a handler. Since 0.1. See getsockopt(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_get_option(s: sk_handle, option: c_int, value: *mut i64) -> c_int {
    ret::status(|| {
        let socket = Socket::new(s)?;
        let option = self::option(option)?;
        // SAFETY: NULL, or room for a value.
        let value = unsafe { args::out(value) }?;
        value.write(socket.option(option)?);
        Ok(())
    })
}

/// Sets an option that is a text.
///
/// s: a socket.
/// option: `SK_OPT_BIND_DEVICE` or `SK_OPT_CONGESTION`.
/// value: the text.
///
/// Returns `SK_OK`, or `SK_EBADHANDLE`, `SK_EOPNOTSUPP` (no live socket), `SK_EINVAL` (unknown
/// option, value is NULL), `SK_ENOPROTOOPT` (not on this kind of socket, or no
/// text), `SK_ENOENT` (no such interface or congestion control), `SK_ENAMETOOLONG`, `SK_EACCES`.
///
/// Threads: any. Signals: not in a handler. Since 0.1. See socket(7), tcp(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_set_option_text(s: sk_handle, option: c_int, value: *const c_char) -> c_int {
    ret::status(|| {
        let socket = Socket::new(s)?;
        let option = self::option(option)?;
        // SAFETY: NULL, or a string.
        socket.set_option_text(option, unsafe { args::text(value) }?)
    })
}

/// Reads an option that is a text.
///
/// s: a socket.
/// option: `SK_OPT_BIND_DEVICE` or `SK_OPT_CONGESTION`.
/// out, len: where to put it, as snprintf does: cut to fit, closed with NUL where len > 0. NULL only with len 0.
///
/// Returns the text's length without the NUL (it was cut where that is not below len), or
/// `SK_EBADHANDLE`, `SK_EOPNOTSUPP` (no live socket), `SK_EINVAL` (unknown option, NULL with a
/// length), `SK_ENOPROTOOPT` (not on this kind of socket, or no text).
///
/// Threads: any. Signals: not in a handler. Since 0.1. See socket(7), tcp(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_get_option_text(
    s: sk_handle,
    option: c_int,
    out: *mut c_char,
    len: usize,
) -> c_int {
    ret::number(|| {
        let socket = Socket::new(s)?;
        let option = self::option(option)?;
        // SAFETY: NULL, or writable for len bytes.
        let room = unsafe { args::room(out.cast(), len) }?;
        let (text, used) = socket.option_text(option)?;
        let cut = used.min(len.saturating_sub(1));
        let bytes = text.iter().take(cut).chain(&[0]);
        for (to, from) in room.iter_mut().zip(bytes) {
            to.write(*from);
        }
        Ok(used as i32)
    })
}

/// Sets the limits of receive, send and connect at once. A limit is for a whole call, on the
/// monotonic clock, and is unharmed by signals. When it runs out the call gives
/// `SK_ETIMEDOUT` and the handle stays usable.
///
/// s: a socket.
/// ms: `SK_FOREVER` = none, 0 = never wait (calls give `SK_EAGAIN`), else milliseconds.
///
/// Returns `SK_OK`, or `SK_EBADHANDLE`, `SK_EOPNOTSUPP` (no live socket), `SK_EINVAL` (below -1).
///
/// Threads: any; it holds for calls that begin after. Signals: not in a handler. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn sk_set_timeout(s: sk_handle, ms: i64) -> c_int {
    ret::status(|| Socket::new(s)?.set_limits(ms))
}
