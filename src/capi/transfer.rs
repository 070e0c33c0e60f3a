//! More ways to move bytes.

use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;

use super::sockets::{sk_recv, sk_send};
use super::{args, ret, sk_handle};
use crate::error::Result;
use crate::net::address::Address;
use crate::socket::{self, Socket};
use crate::sys::vector::Buf;

/// Sends a datagram to an address, under the socket's `SK_OPT_SEND_TIMEOUT`.
///
/// s: a datagram socket.
/// data, len: what to send; NULL only with len 0.
/// flags: 0, or of `SK_DONTWAIT`, `SK_MORE`, `SK_OOB`.
/// to: where to; NULL = the peer, as `sk_send`.
///
/// Returns the bytes sent, or what `sk_send` does, and:
/// `SK_EISCONN` a connected stream, which has its peer;
/// `SK_EAFNOSUPPORT` an address of the other family; `SK_EINVAL` a malformed one;
/// `SK_ENOENT`, `SK_ECONNREFUSED` no such Unix path, or nobody there any more.
///
/// Threads: any. Signals: safe in a handler. Since 0.1. See sendto(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_send_to(
    s: sk_handle,
    data: *const c_void,
    len: usize,
    flags: c_int,
    to: *const Address,
) -> i64 {
    // SAFETY: NULL, or an address.
    let Some(to) = (unsafe { to.as_ref() }) else {
        // SAFETY: the arguments as they came.
        return unsafe { sk_send(s, data, len, flags) };
    };
    if flags == 0 && args::is_some(data, len) {
        // SAFETY: readable for len bytes during the call.
        let data = unsafe { core::slice::from_raw_parts(data.cast(), len) };
        socket::send_to(s, data, to).to_c()
    } else {
        // SAFETY: the arguments as they came.
        unsafe { send_to_with(s, data, len, flags, to) }
    }
}

/// # Safety
/// As `sk_send_to`.
#[cold]
unsafe fn send_to_with(s: sk_handle, data: *const c_void, len: usize, flags: c_int, to: &Address) -> i64 {
    ret::count(|| {
        let socket = Socket::new(s)?;
        // SAFETY: NULL, or readable for len bytes during the call.
        socket.send_to(unsafe { args::data(data, len) }?, flags, to)
    })
}

/// Receives, and tells from whom, under the socket's `SK_OPT_RECV_TIMEOUT`.
///
/// s: a socket.
/// data, len, flags: as `sk_recv`.
/// from: the sender's address; NULL = not wanted. On a stream it becomes `SK_UNSPEC`. An IPv4
/// sender to a dual-stack socket is `SK_INET`.
///
/// Returns what `sk_recv` does.
///
/// Threads: any. Signals: safe in a handler. Since 0.1. See recvfrom(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_recv_from(
    s: sk_handle,
    data: *mut c_void,
    len: usize,
    flags: c_int,
    from: *mut Address,
) -> i64 {
    // SAFETY: NULL, or room for an address.
    let Some(from) = (unsafe { args::optional_out(from) }) else {
        // SAFETY: the arguments as they came.
        return unsafe { sk_recv(s, data, len, flags) };
    };
    if flags == 0 && args::is_some(data, len) {
        // SAFETY: writable for len bytes during the call.
        let room = unsafe { core::slice::from_raw_parts_mut(data.cast(), len) };
        socket::recv_from(s, room, from).to_c()
    } else {
        // SAFETY: the arguments as they came.
        unsafe { recv_from_with(s, data, len, flags, from) }
    }
}

/// # Safety
/// As `sk_recv_from`.
#[cold]
unsafe fn recv_from_with(
    s: sk_handle,
    data: *mut c_void,
    len: usize,
    flags: c_int,
    from: &mut MaybeUninit<Address>,
) -> i64 {
    ret::count(|| {
        let socket = Socket::new(s)?;
        // SAFETY: NULL, or writable for len bytes during the call.
        socket.recv_from(unsafe { args::room(data, len) }?, flags, from)
    })
}

/// Sends everything on a stream, within one `SK_OPT_SEND_TIMEOUT`.
///
/// s: a connected stream.
/// data, len: what to send; NULL only with len 0.
/// sent: how many bytes went, set in any case; NULL = not wanted.
///
/// Returns `SK_OK` when all of it went, or what `sk_send` does, and `SK_EOPNOTSUPP` (no stream).
///
/// Threads: any; calls on one stream at a time can mix their bytes. Signals: not in a handler.
/// Since 0.1. See send(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_send_all(
    s: sk_handle,
    data: *const c_void,
    len: usize,
    sent: *mut usize,
) -> c_int {
    let mut done = 0;
    let status = ret::status(|| {
        let socket = Socket::stream(s)?;
        // SAFETY: NULL, or readable for len bytes during the call.
        socket.send_all(unsafe { args::data(data, len) }?, &mut done)
    });
    // SAFETY: NULL, or room for a count.
    if let Some(sent) = unsafe { args::optional_out(sent) } {
        sent.write(done);
    }
    status
}

/// Receives the whole length from a stream, within one `SK_OPT_RECV_TIMEOUT`.
///
/// s: a connected stream.
/// data, len: where to put it; NULL only with len 0.
/// received: how many bytes came, set in any case; NULL = not wanted.
///
/// Returns `SK_OK` when all of it came, or what `sk_recv` does, and `SK_EEOF` (the peer ended
/// before), `SK_EOPNOTSUPP` (no stream).
///
/// Threads: any. Signals: not in a handler. Since 0.1. See MSG_WAITALL in recv(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_recv_all(
    s: sk_handle,
    data: *mut c_void,
    len: usize,
    received: *mut usize,
) -> c_int {
    let mut done = 0;
    let status = ret::status(|| -> Result<()> {
        let socket = Socket::stream(s)?;
        // SAFETY: NULL, or writable for len bytes during the call.
        socket.recv_all(unsafe { args::room(data, len) }?, &mut done)
    });
    // SAFETY: NULL, or room for a count.
    if let Some(received) = unsafe { args::optional_out(received) } {
        received.write(done);
    }
    status
}

/// Sends the pieces of a list as if they were one, as `sk_send` does: on a stream it may take
/// fewer bytes than given, as soon as it took one; elsewhere they are one message.
///
/// s: a connected socket.
/// bufs, count: the pieces, at most 1024, only read; NULL only with count 0, and in a piece
/// data NULL only with len 0.
/// flags: 0, or of `SK_DONTWAIT`, `SK_MORE`, `SK_OOB`.
///
/// Returns the bytes sent, or what `sk_send` does, and:
/// `SK_EMSGSIZE` more than 1024 pieces; `SK_EINVAL` together longer than INT64_MAX.
///
/// Threads: any. Signals: not in a handler. Since 0.1. See sendmsg(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_sendv(s: sk_handle, bufs: *const Buf, count: usize, flags: c_int) -> i64 {
    ret::count(|| {
        let socket = Socket::new(s)?;
        // SAFETY: NULL, or count pieces, readable during the call.
        socket.send_pieces(unsafe { args::pieces(bufs, count) }?, flags)
    })
}

/// Receives into the pieces of a list, one after the other, as `sk_recv` does into one: what has
/// come, waiting for the first of it.
///
/// s: a socket.
/// bufs, count: the pieces, at most 1024; the list is only read. NULL only with count 0, and in
/// a piece data NULL only with len 0.
/// flags: as `sk_recv`.
///
/// Returns the bytes received, or what `sk_recv` does, and:
/// `SK_EMSGSIZE` more than 1024 pieces; `SK_EINVAL` together longer than INT64_MAX.
///
/// Threads: any; the pieces are the call's until it returns. Signals: not in a handler. Since 0.1.
/// See recvmsg(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_recvv(s: sk_handle, bufs: *const Buf, count: usize, flags: c_int) -> i64 {
    ret::count(|| {
        let socket = Socket::new(s)?;
        // SAFETY: NULL, or count pieces, writable during the call and nobody else's.
        socket.recv_pieces(unsafe { args::pieces(bufs, count) }?, flags)
    })
}
