//! Sockets: the server's and the client's road.

use core::ffi::{c_char, c_int, c_void};

use super::{args, ret, sk_handle};
use crate::error::{Code, Result};
use crate::net::address::{Address, Family};
use crate::socket::{self, How, Protocol, Socket, Type};

fn carries(number: c_int) -> Result<Type> {
    Type::from_c(number).ok_or_else(|| Code::SK_EINVAL.into())
}

/// Makes a socket.
///
/// family: `SK_INET`, `SK_INET6` or `SK_UNIX` (`enum sk_family`).
/// type: `SK_STREAM`, `SK_DGRAM`, or for `SK_UNIX` also `SK_SEQPACKET` (`enum sk_type`).
/// protocol: `SK_PROTO_DEFAULT`, or one that fits family and type (`enum sk_protocol`).
///
/// TCP sockets start with NODELAY and bind with REUSE_ADDR, IPv6 sockets are dual-stack; each
/// can be set otherwise by its option. There are no time limits. The descriptor
/// behind it is close-on-exec, and its number no standard stream's (0 to 2), whatever is closed of them.
///
/// Returns a handle, or:
/// `SK_EINVAL` an unknown constant;
/// `SK_EAFNOSUPPORT` `SK_UNSPEC`, or a family that this system lacks;
/// `SK_EPROTONOSUPPORT` the three do not fit, or this system lacks the protocol;
/// `SK_EMFILE`, `SK_ENFILE` no descriptor or handle is left;
/// `SK_ENOBUFS`, `SK_ENOMEM` no memory; `SK_EACCES` not permitted.
///
/// Threads: any. Signals: not in a handler. Since 0.1. See socket(2).
#[unsafe(no_mangle)]
pub extern "C" fn sk_socket(family: c_int, r#type: c_int, protocol: c_int) -> sk_handle {
    ret::handle(|| {
        let family = Family::from_c(family).ok_or(Code::SK_EINVAL)?;
        let carries = carries(r#type)?;
        let protocol = Protocol::from_c(protocol).ok_or(Code::SK_EINVAL)?;
        socket::socket(family, carries, protocol)
    })
}

/// Makes two `SK_UNIX` sockets that are connected to each other.
///
/// type: `SK_STREAM`, `SK_DGRAM` or `SK_SEQPACKET`.
/// out: the two handles.
///
/// Returns `SK_OK`, or `SK_EINVAL` (unknown type, out is NULL), `SK_EMFILE`, `SK_ENFILE`,
/// `SK_ENOBUFS`, `SK_ENOMEM` as `sk_socket`.
///
/// Threads: any. Signals: not in a handler. Since 0.1. See socketpair(2), unix(7).
#[cfg(feature = "unix")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_socketpair(r#type: c_int, out: *mut sk_handle) -> c_int {
    ret::status(|| {
        let carries = carries(r#type)?;
        // SAFETY: NULL, or room for two handles.
        let out = unsafe { args::out(out.cast::<[sk_handle; 2]>()) }?;
        out.write(socket::pair(carries)?.map(|handle| handle.to_raw()));
        Ok(())
    })
}

/// Gives a socket its own address. Names are not looked up.
///
/// s: a socket.
/// host: a numeric address such as "127.0.0.1" or "fe80::1%eth0"; NULL or "" = any address.
/// On `SK_UNIX` a path, "@name" for Linux's abstract namespace, NULL or "" for a
/// free abstract name.
/// port: 0 = any free one, see `sk_local_addr`. On `SK_UNIX` 0.
///
/// Returns `SK_OK`, or:
/// `SK_EBADHANDLE`, `SK_EOPNOTSUPP` no live socket;
/// `SK_EADDRFORMAT` host is no numeric address; `SK_EAFNOSUPPORT` it is of the other family;
/// `SK_EINVAL` the socket is bound already, or `SK_UNIX` with a port;
/// `SK_EADDRINUSE` somebody has that address, or the path exists;
/// `SK_EADDRNOTAVAIL` it is not an address of this machine;
/// `SK_EACCES` not permitted, a port below 1024 for one;
/// `SK_ENOENT` no such interface, or no such directory; `SK_ENAMETOOLONG` the path.
///
/// Threads: any. Signals: not in a handler. Since 0.1. See bind(2), ip(7), ipv6(7), unix(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_bind(s: sk_handle, host: *const c_char, port: u16) -> c_int {
    ret::status(|| {
        let socket = Socket::new(s)?;
        // SAFETY: NULL, or a string.
        socket.bind_host(unsafe { args::optional_text(host) }.to_bytes(), port)
    })
}

/// Gives a socket its own address, as `sk_bind` does.
///
/// s: a socket.
/// addr: of the socket's family; `SK_INET` is welcome on a dual-stack socket too. On `SK_UNIX` its
/// port does not count, and unnamed (path_len 0) is a free abstract name.
///
/// Returns `SK_OK`, or what `sk_bind` does, and `SK_EINVAL` where addr is NULL or malformed.
///
/// Threads: any. Signals: not in a handler. Since 0.1. See bind(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_bind_addr(s: sk_handle, addr: *const Address) -> c_int {
    ret::status(|| {
        let socket = Socket::new(s)?;
        // SAFETY: NULL, or an address.
        socket.bind(unsafe { args::required(addr) }?)
    })
}

/// Lets clients connect to a socket.
///
/// s: a bound stream or seqpacket socket. Unbound on IP: the system chooses a free port.
/// backlog: how many connections may wait to be accepted; 0 and below = the system's maximum.
///
/// Returns `SK_OK`, or:
/// `SK_EBADHANDLE`, `SK_EOPNOTSUPP` no live stream or seqpacket socket;
/// `SK_EADDRINUSE` another socket listens on this port;
/// `SK_EINVAL` the socket is connected, or an unbound `SK_UNIX` one;
/// `SK_ECLOSED` closed meanwhile.
///
/// Threads: any. Signals: not in a handler. Since 0.1. See listen(2).
#[unsafe(no_mangle)]
pub extern "C" fn sk_listen(s: sk_handle, backlog: c_int) -> c_int {
    ret::status(|| Socket::new(s)?.listen(backlog))
}

/// Waits for the next client, under the listener's `SK_OPT_RECV_TIMEOUT`. Connections that died in
/// the queue are passed over.
///
/// Whatever the listener has, the new socket starts with NODELAY, without CORK, and without limits,
/// as one from `sk_socket`; only what another process sets on a listener that is already shared with
/// it is not seen. As accept(2) has it, it inherits KEEPALIVE and what belongs to that,
/// LINGER, the buffers, V6ONLY, TTL, TOS, USER_TIMEOUT, QUICKACK, REUSE_PORT, MARK, BUSY_POLL,
/// BIND_DEVICE and CONGESTION.
///
/// s: a socket after `sk_listen`.
/// peer: the client's address; NULL = not wanted.
///
/// Returns a handle, or:
/// `SK_EBADHANDLE` no live handle; `SK_EOPNOTSUPP` a datagram socket or a poller;
/// `SK_EINVAL` it does not listen;
/// `SK_EAGAIN` the limit is 0 and nobody waits; `SK_ETIMEDOUT` the limit ran out;
/// `SK_ECLOSED` closed meanwhile;
/// `SK_EMFILE`, `SK_ENFILE` no descriptor or handle is left: the client stays in the queue;
/// `SK_ENOBUFS`, `SK_ENOMEM` no memory.
///
/// Threads: any, several may wait on one listener. Signals: not in a handler. Since 0.1. See accept(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_accept(s: sk_handle, peer: *mut Address) -> sk_handle {
    ret::handle(|| {
        // SAFETY: NULL, or room for an address.
        socket::accept(s, unsafe { args::optional_out(peer) })
    })
}

/// Connects a socket, under its `SK_OPT_CONNECT_TIMEOUT`. A datagram socket only takes note of
/// the peer: where `sk_send` sends to, and whom alone it hears.
///
/// A name is looked up, and its addresses of the socket's family are tried in turn, all within the
/// one limit. Where all fail, it is the error that `sk_dial` would give. Without a limit the look-up
/// takes as long as the C library's resolver does, and a close does not wake it. After
/// `SK_EINPROGRESS` the attempt goes on: `sk_wait` for `SK_WRITABLE`, or a further `sk_connect`,
/// waits for its end. After `SK_ETIMEDOUT` it is given up, and the socket may connect again.
///
/// s: a socket.
/// host: a numeric address or a name; on `SK_UNIX` a path or "@name".
/// port: on `SK_UNIX` 0.
///
/// Returns `SK_OK`, or:
/// `SK_EBADHANDLE`, `SK_EOPNOTSUPP` no live socket; `SK_EINVAL` host is NULL, or `SK_UNIX` with a port;
/// `SK_EADDRFORMAT` what can't be a host at all; `SK_EAFNOSUPPORT` an address of the other family;
/// `SK_EHOSTNOTFOUND`, `SK_ERESOLVE` the name has no address, or not just now;
/// `SK_EAGAIN` the limit is 0 and host is a name, or a Unix peer's queue is full;
/// `SK_EINPROGRESS` the limit is 0 and the attempt was started, `SK_EALREADY` it still runs;
/// `SK_ETIMEDOUT` the limit ran out, or the system's own;
/// `SK_ECONNREFUSED`, `SK_ECONNRESET`, `SK_ENETUNREACH`, `SK_EHOSTUNREACH`, `SK_EACCES`,
/// `SK_EADDRNOTAVAIL` (no port is free), `SK_ENOENT` (no such path, no such interface) as the system tells;
/// `SK_EISCONN` connected already; `SK_ECLOSED` closed meanwhile; `SK_ENAMETOOLONG` the path or name.
///
/// Threads: any; under a limit a name is looked up in a short-lived thread, as `sk_resolve` does.
/// Signals: not in a handler. Since 0.1. See connect(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_connect(s: sk_handle, host: *const c_char, port: u16) -> c_int {
    ret::status(|| {
        let socket = Socket::new(s)?;
        // SAFETY: NULL, or a string.
        socket.connect_host(unsafe { args::text(host) }?.to_bytes(), port)
    })
}

/// Connects a socket to an address, as `sk_connect` does.
///
/// s: a socket.
/// addr: of the socket's family; `SK_INET` is welcome on a dual-stack socket too. On `SK_UNIX` its
/// port does not count. `SK_UNSPEC` dissolves a datagram socket's association.
///
/// Returns `SK_OK`, or what `sk_connect` does; `SK_EINVAL` addr is NULL or malformed,
/// `SK_EAFNOSUPPORT` `SK_UNSPEC` on a stream.
///
/// Threads: any. Signals: not in a handler. Since 0.1. See connect(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_connect_addr(s: sk_handle, addr: *const Address) -> c_int {
    ret::status(|| {
        let socket = Socket::new(s)?;
        // SAFETY: NULL, or an address.
        socket.connect(unsafe { args::required(addr) }?)
    })
}

/// Sends to the peer, under the socket's `SK_OPT_SEND_TIMEOUT`. On a stream it may take fewer
/// bytes than given, as soon as it took one: `sk_send_all` is the whole. A datagram goes
/// whole or not at all. No SIGPIPE, ever.
///
/// s: a connected socket.
/// data, len: what to send; NULL only with len 0.
/// flags: 0, or of `SK_DONTWAIT`, `SK_MORE`, `SK_OOB`.
///
/// Returns the bytes sent, or:
/// `SK_EBADHANDLE`, `SK_EOPNOTSUPP` no live socket, or no out-of-band data on this kind;
/// `SK_EINVAL` unknown flags, NULL with a length;
/// `SK_EAGAIN` it would have to wait, `SK_ETIMEDOUT` the limit ran out;
/// `SK_ECLOSED` closed meanwhile;
/// `SK_EPIPE` sending was ended, here or by the peer; `SK_ECONNRESET` the peer reset the connection;
/// `SK_EPIPE` (TCP), `SK_EDESTADDRREQ` (UDP), `SK_ENOTCONN` (`SK_UNIX`) not connected;
/// `SK_ECONNREFUSED` an earlier datagram was refused;
/// `SK_EMSGSIZE` too long for a datagram; `SK_ENOBUFS`, `SK_ENOMEM` no memory;
/// `SK_ENETUNREACH`, `SK_EHOSTUNREACH`, `SK_ENETDOWN`, `SK_EACCES` as the system tells.
///
/// Threads: any. Signals: safe in a handler. Since 0.1. See send(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_send(s: sk_handle, data: *const c_void, len: usize, flags: c_int) -> i64 {
    if flags == 0 && args::is_some(data, len) {
        // SAFETY: readable for len bytes during the call.
        let data = unsafe { core::slice::from_raw_parts(data.cast(), len) };
        socket::send(s, data).to_c()
    } else {
        // SAFETY: the arguments as they came.
        unsafe { send_with(s, data, len, flags) }
    }
}

/// # Safety
/// As `sk_send`.
#[cold]
pub(super) unsafe fn send_with(s: sk_handle, data: *const c_void, len: usize, flags: c_int) -> i64 {
    // SAFETY: NULL, or readable for len bytes during the call.
    match unsafe { args::data(data, len) } {
        Ok(data @ [_, ..]) => socket::send_with(s, data, flags).to_c(),
        data => ret::count(|| Socket::new(s)?.send(data?, flags)),
    }
}

/// Receives what has come, waiting for the first of it, under the socket's `SK_OPT_RECV_TIMEOUT`.
///
/// s: a socket.
/// data, len: where to put it; NULL only with len 0. What of a datagram does not fit is lost.
/// flags: 0, or of `SK_PEEK`, `SK_WAITALL`, `SK_DONTWAIT`, `SK_OOB`, and not on streams `SK_TRUNC`.
///
/// Returns the bytes received; 0 = the peer ended the stream, receiving was shut down here, or an
/// empty datagram; or:
/// `SK_EBADHANDLE`, `SK_EOPNOTSUPP` no live socket, or no out-of-band data on this kind;
/// `SK_EINVAL` unknown flags, NULL with a length, no out-of-band data there;
/// `SK_EAGAIN` it would have to wait, `SK_ETIMEDOUT` the limit ran out;
/// `SK_ECLOSED` closed meanwhile;
/// `SK_ECONNRESET` the peer reset the connection;
/// `SK_ENOTCONN` not connected, which on a Unix stream is `SK_EINVAL`;
/// `SK_ECONNREFUSED` a datagram sent earlier was refused; `SK_ENOMEM` no memory.
///
/// Threads: any. Signals: safe in a handler. Since 0.1. See recv(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_recv(s: sk_handle, data: *mut c_void, len: usize, flags: c_int) -> i64 {
    if flags == 0 && args::is_some(data, len) {
        // SAFETY: writable for len bytes during the call.
        let room = unsafe { core::slice::from_raw_parts_mut(data.cast(), len) };
        socket::recv(s, room).to_c()
    } else {
        // SAFETY: the arguments as they came.
        unsafe { recv_with(s, data, len, flags) }
    }
}

/// # Safety
/// As `sk_recv`.
#[cold]
pub(super) unsafe fn recv_with(s: sk_handle, data: *mut c_void, len: usize, flags: c_int) -> i64 {
    // SAFETY: NULL, or writable for len bytes during the call.
    match unsafe { args::room(data, len) } {
        Ok(room @ [_, ..]) => socket::recv_with(s, room, flags).to_c(),
        room => ret::count(|| Socket::new(s)?.recv(room?, flags)),
    }
}

/// Ends one or both directions of a connection, for every handle and process that shares it.
/// After `SK_SHUT_WRITE` the peer receives what was sent and then 0.
///
/// A call that waits in that direction in another thread ends: a receive as at the end of a
/// stream, a send with `SK_EPIPE`, within 20 ms on a Unix socket.
///
/// s: a connected socket.
/// how: `SK_SHUT_READ`, `SK_SHUT_WRITE` or `SK_SHUT_BOTH` (`enum sk_how`).
///
/// Returns `SK_OK`, or `SK_EBADHANDLE`, `SK_EOPNOTSUPP` (no live socket), `SK_EINVAL` (unknown
/// how), `SK_ENOTCONN` (not connected; on `SK_UNIX` that is `SK_OK`).
///
/// Threads: any. Signals: safe in a handler. Since 0.1. See shutdown(2).
#[unsafe(no_mangle)]
pub extern "C" fn sk_shutdown(s: sk_handle, how: c_int) -> c_int {
    ret::status(|| {
        let socket = Socket::new(s)?;
        socket.shutdown(How::from_c(how).ok_or(Code::SK_EINVAL)?)
    })
}

/// Closes a handle of any kind. Every call that is blocked on it in another thread returns,
/// promptly, with `SK_ECLOSED`; this call does not wait for them, and their buffers must live
/// until they have returned. What was accepted for sending is delivered in the
/// background. Never blocks. Others that share the socket (`sk_dup`, a forked process) keep
/// it, except where a call was already blocked on this handle when their copy was made, and there was
/// not a moment without any call since.
///
/// s: a handle.
///
/// Returns `SK_OK`, or `SK_EBADHANDLE`: not live, or another thread was faster.
///
/// Threads: any. Signals: safe in a handler. Since 0.1. See close(2).
#[unsafe(no_mangle)]
pub extern "C" fn sk_close(s: sk_handle) -> c_int {
    ret::status(|| socket::close(s))
}

/// Ends a stream gracefully and closes it: ends our side, receives and drops until the peer
/// has ended its side too or the limit runs out, then closes. So input that nobody read can't
/// turn into a reset that eats our last bytes.
///
/// s: a connected stream.
/// timeout: ms; `SK_FOREVER` = no limit, 0 = do not wait.
///
/// Returns `SK_OK` where the peer has ended its side, or:
/// `SK_EBADHANDLE` not live; `SK_EOPNOTSUPP` no stream that is or was connected; `SK_EINVAL` limit below -1;
/// `SK_EAGAIN` the limit was 0 and the peer had not ended, `SK_ETIMEDOUT` the limit ran out;
/// `SK_ECONNRESET` or another error of the connection; `SK_ECLOSED` another thread closed it meanwhile.
/// The handle stays open only after the first three.
/// After `SK_SHUT_READ` there is no waiting for a TCP peer: `SK_EAGAIN` where it has not ended. On
/// other streams that counts as the peer's end.
///
/// Threads: any. Signals: not in a handler. Since 0.1. See shutdown(2), RFC 9293 section 3.6.
#[unsafe(no_mangle)]
pub extern "C" fn sk_finish(s: sk_handle, timeout: i64) -> c_int {
    ret::status(|| socket::finish(s, || args::limit(timeout)))
}

/// Closes a socket at once. A TCP peer gets a reset, and what was not yet sent is dropped. Where
/// the socket may have other copies (`sk_dup`, `fork`, `sk_fd`, passed on) it is only closed.
///
/// s: a socket.
///
/// Returns `SK_OK`, or `SK_EBADHANDLE`, `SK_EOPNOTSUPP` (no live socket).
///
/// Threads: any. Signals: safe in a handler. Since 0.1. See SO_LINGER in socket(7).
#[unsafe(no_mangle)]
pub extern "C" fn sk_abort(s: sk_handle) -> c_int {
    ret::status(|| socket::abort(s))
}

/// The socket's own address.
///
/// s: a socket.
/// out: the address; unbound: any address with port 0. An IPv4 one on a dual-stack socket is `SK_INET`.
///
/// Returns `SK_OK`, or `SK_EBADHANDLE`, `SK_EOPNOTSUPP` (no live socket), `SK_EINVAL` (out is NULL), `SK_ECLOSED`.
///
/// Threads: any. Signals: not in a handler. Since 0.1. See getsockname(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_local_addr(s: sk_handle, out: *mut Address) -> c_int {
    ret::status(|| {
        let socket = Socket::new(s)?;
        // SAFETY: NULL, or room for an address.
        socket.local_address(unsafe { args::out(out) }?).map(drop)
    })
}

/// The address that a socket is connected to.
///
/// s: a connected socket.
/// out: the address; that of an unnamed Unix peer has path_len 0. An IPv4 peer of a dual-stack socket is `SK_INET`.
///
/// Returns `SK_OK`, or `SK_EBADHANDLE`, `SK_EOPNOTSUPP` (no live socket), `SK_EINVAL` (out is
/// NULL), `SK_ENOTCONN`, `SK_ECLOSED`.
///
/// Threads: any. Signals: not in a handler. Since 0.1. See getpeername(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_peer_addr(s: sk_handle, out: *mut Address) -> c_int {
    ret::status(|| {
        let socket = Socket::new(s)?;
        // SAFETY: NULL, or room for an address.
        socket.peer_address(unsafe { args::out(out) }?).map(drop)
    })
}
