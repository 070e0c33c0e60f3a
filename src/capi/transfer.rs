//! More ways to move bytes.

use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;

use super::sockets::{sk_recv, sk_send};
use super::{args, ret, sk_handle};
use crate::error::Code;
use crate::net::address::Address;
use crate::socket::{self, Socket};
use crate::sys::batch::{Dgram, Incoming, Outgoing};
use crate::sys::vector::Buf;

/// Sends a datagram to an address, under the socket's `SK_OPT_SEND_TIMEOUT`.
///
/// s: a datagram socket.
/// data, len: what to send; NULL only with len 0.
/// flags: 0, or of `SK_DONTWAIT`, `SK_MORE`.
/// to: where to; NULL = the peer, as `sk_send`.
///
/// Returns the bytes sent, or what `sk_send` does, and:
/// `SK_EISCONN` a connected stream, which has its peer; `SK_ENOTCONN` one that is not;
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
    let status = if args::is_some(data, len) {
        // SAFETY: readable for len bytes during the call.
        let data = unsafe { core::slice::from_raw_parts(data.cast(), len) };
        socket::send_all(s, data, &mut done).to_c() as c_int
    } else {
        // SAFETY: NULL, or readable for len bytes during the call.
        ret::count(|| Socket::stream(s)?.send_all(unsafe { args::data(data, len) }?, &mut done)) as c_int
    };
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
    let status = if args::is_some(data, len) {
        // SAFETY: writable for len bytes during the call.
        let room = unsafe { core::slice::from_raw_parts_mut(data.cast(), len) };
        socket::recv_all(s, room, &mut done).to_c() as c_int
    } else {
        // SAFETY: NULL, or writable for len bytes during the call.
        ret::count(|| Socket::stream(s)?.recv_all(unsafe { args::room(data, len) }?, &mut done)) as c_int
    };
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
    // SAFETY: NULL, or count pieces, readable during the call.
    match unsafe { args::pieces(bufs, count) } {
        Ok(pieces) => socket::send_pieces(s, pieces, flags).to_c(),
        Err(error) => ret::count(|| Socket::new(s).and(Err(error))),
    }
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
    // SAFETY: NULL, or count pieces, writable during the call and nobody else's.
    match unsafe { args::pieces(bufs, count) } {
        Ok(pieces) => socket::recv_pieces(s, pieces, flags).to_c(),
        Err(error) => ret::count(|| Socket::new(s).and(Err(error))),
    }
}

/// Sends datagrams, any number of them, with as few system calls as it can. On `SK_SEQPACKET`
/// sockets they are messages of the connection.
///
/// s: a socket, no stream.
/// msgs, count: the datagrams, only read; NULL only with count 0.
/// flags: 0, or `SK_DONTWAIT`.
///
/// A datagram with `segment` goes as many of that size, cut by the system where it can
/// (UDP segmentation offload), however long it is; a socket whose route refuses that is
/// remembered, and sends each on its own. Where only a part of them went, it counts.
///
/// Returns how many were sent. It is fewer than count after a limit, a close or an error, which
/// then comes with the next call. Only where none went:
/// what `sk_send_to` does, and:
/// `SK_EOPNOTSUPP` a stream; `SK_EINVAL` in one of them data is NULL with a length, an
/// address is malformed, or `segment` or `local` is for a Unix socket: then none was sent;
/// `SK_EAFNOSUPPORT` an address of the other family, likewise;
/// `SK_EADDRNOTAVAIL`, `SK_EINVAL` as the system tells: `local` is not an address of ours.
///
/// Threads: any. Signals: not in a handler. Since 0.1. See sendmmsg(2), udp(7).
#[cfg(feature = "batches")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_send_batch(s: sk_handle, msgs: *const Dgram, count: usize, flags: c_int) -> i64 {
    ret::count(|| {
        let socket = Socket::new(s)?.only(|kind| !kind.is_stream())?;
        // SAFETY: NULL, or count datagrams, readable during the call.
        let list = unsafe { Outgoing::new(args::list(msgs, count)?) };
        socket.send_batch(list, flags)
    })
}

/// Receives datagrams: waits for the first, under the socket's `SK_OPT_RECV_TIMEOUT`, and takes
/// what is there, with as few system calls as it can. On `SK_SEQPACKET` sockets they are
/// messages of the connection.
///
/// s: a socket, no stream.
/// msgs, count: data, room and local are read; where a datagram came, len, addr, *local, flags
/// and segment are written. NULL only with count 0.
/// flags: 0, or of `SK_PEEK` (shows the first one only), `SK_DONTWAIT`, `SK_TRUNC`
/// (len is a datagram's full length, also where it was cut); `SK_WAITALL` is ignored.
///
/// Returns how many came; 0 = nothing more will come (`SK_SEQPACKET`: the peer ended, or empty
/// messages, which look the same); or what `sk_recv_from` does, and:
/// `SK_EOPNOTSUPP` a stream; `SK_EINVAL` in one of them data is NULL with room.
/// An error after some had come is told by the next call.
///
/// Threads: any; the list is the call's until it returns. Signals: not in a handler. Since 0.1.
/// See recvmmsg(2), udp(7).
#[cfg(feature = "batches")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_recv_batch(s: sk_handle, msgs: *mut Dgram, count: usize, flags: c_int) -> i64 {
    ret::count(|| {
        let socket = Socket::new(s)?.only(|kind| !kind.is_stream())?;
        // SAFETY: NULL, or count datagrams with their room, nobody else's during the call.
        let list = unsafe { Incoming::new(args::list_mut(msgs, count)?) };
        socket.recv_batch(list.ok_or(Code::SK_EINVAL)?, flags)
    })
}

/// Sends a part of a file on a stream, without copying it where the system can, under one
/// `SK_OPT_SEND_TIMEOUT` over the whole. No SIGPIPE, ever.
///
/// s: a connected stream.
/// file: the descriptor of a file that is open for reading; its position is neither used nor moved.
/// offset: the first byte to send, from the beginning of the file.
/// count: how many bytes; -1 = to the file's end.
///
/// Returns the bytes sent, fewer than count only at the file's end, or after a limit, a close or
/// an error, which then comes with the next call. Only where none went: what `sk_send` does, and:
/// `SK_EOPNOTSUPP` no stream; `SK_EINVAL` negative offset, count below -1; or the file is not
/// open for reading (errno EBADF), or can't be read from an offset on, as a pipe, a socket
/// (ESPIPE) or a folder (EISDIR); `SK_EOTHER` it can't be read (errno tells why).
///
/// Threads: any; calls on one stream at a time can mix their bytes. Signals: not in a handler.
/// Since 0.1. See sendfile(2).
#[unsafe(no_mangle)]
pub extern "C" fn sk_send_file(s: sk_handle, file: c_int, offset: i64, count: i64) -> i64 {
    ret::long_count(|| {
        let socket = Socket::stream(s)?;
        if offset < 0 || count < -1 {
            return Err(Code::SK_EINVAL.into());
        }
        socket.send_file(file, offset, (count >= 0).then_some(count))
    })
}
