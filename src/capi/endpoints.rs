//! One call to be connected, or to serve.

use core::ffi::{c_char, c_int};

use super::{args, ret, sk_handle};
use crate::socket;

/// Makes a socket that is connected to an endpoint:
/// `tcp://example.org:80`, `tcp://[::1]:80`, `tcp://[fe80::1%eth0]:80`, `udp://host:port`,
/// `unix:///run/a.sock`, `unix-dgram:///run/a.sock`, `unix-seqpacket:///run/a.sock`, and
/// `unix://@name` for Linux's abstract namespace. Exact, as `sk_addr_parse` is: a name's last label
/// is no number, a port is not 0, and in Unix names `\xNN` stands for a byte.
///
/// A name is looked up, and its addresses are tried in the system's order with the families
/// in turn: the next one 250 ms after the one before, or at once where all before have failed,
/// without giving those up. The first connection wins, the rest is closed. At most 16 addresses of
/// each family are tried, 16 at a time; each takes a descriptor while it is tried. Over UDP the
/// first address is taken that the system can send to.
///
/// The socket is as one from `sk_socket`: its defaults, and no limits. A Unix datagram socket
/// has a free abstract name of its own, so that it can be answered.
///
/// endpoint: where to.
/// timeout: ms over all, the look-up included; `SK_FOREVER` = no limit. With 0 an IP address gives a
/// socket that may still be connecting: `sk_wait` for `SK_WRITABLE`, then `SK_OPT_ERROR`, or
/// `sk_connect`, tell what became of it.
///
/// Returns a handle, or:
/// `SK_EINVAL` endpoint is NULL, limit below -1; `SK_EADDRFORMAT` it is no endpoint to connect to;
/// `SK_ENAMETOOLONG` the path or name;
/// `SK_EHOSTNOTFOUND`, `SK_ERESOLVE` the name has no address, or not just now;
/// `SK_ETIMEDOUT` the limit ran out, or the system's own;
/// `SK_EAGAIN` the limit is 0 and the host is a name, or a Unix peer's queue is full;
/// `SK_ECONNREFUSED`, `SK_ECONNRESET`, `SK_ENETUNREACH`, `SK_EHOSTUNREACH`, `SK_EACCES`,
/// `SK_EADDRNOTAVAIL` (no port is free), `SK_ENOENT` (no such path, no such interface) as `sk_connect`;
/// `SK_EPROTONOSUPPORT` a Unix socket of another type has that name;
/// `SK_EAFNOSUPPORT` the system lacks the family;
/// `SK_EMFILE`, `SK_ENFILE`, `SK_ENOBUFS`, `SK_ENOMEM` no descriptor, handle or memory is left.
/// Where all addresses of a name fail, it is the error of the attempt that came farthest, and of
/// equals that of the first: refused or reset, before the system's `SK_ETIMEDOUT`, before an error of
/// this machine such as `SK_EACCES`, before `SK_EHOSTUNREACH`, before `SK_ENETUNREACH`.
///
/// Threads: any; under a limit a name is looked up in a short-lived thread, as `sk_resolve` does.
/// Signals: not in a handler. Since 0.1. See connect(2), unix(7), RFC 8305.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_dial(endpoint: *const c_char, timeout: i64) -> sk_handle {
    ret::handle(|| {
        // SAFETY: NULL, or a string.
        let endpoint = unsafe { args::text(endpoint) }?;
        socket::dial(endpoint.to_bytes(), args::limit(timeout)?)
    })
}

/// Makes a socket that serves at an endpoint, as written for `sk_dial`: for streams and
/// seqpackets a listener, for datagrams a bound socket. `tcp://:8080` is every address of this machine,
/// IPv6 and IPv4 in one socket where there is IPv6, else IPv4 alone. Port 0 is any free one:
/// `sk_local_addr` tells which. A name is looked up, without a limit, and the first of
/// its addresses that this machine has is taken.
///
/// On a Unix path a socket file that no socket is bound to any more gives way; a live one never
/// does, whether it listens or not, nor does any other file. A live server sees nothing of
/// that. Of several that start at once on a dead file only one gets it. That holds among
/// callers of `sk_serve` on one machine (on Linux: in one network namespace); who removes the file and
/// binds by other means, or from another machine through a network file system, is not seen.
/// `sk_close` leaves the file where it is.
///
/// endpoint: where to serve.
/// backlog: how many connections may wait to be accepted; 0 and below = the system's maximum. Not
/// used for datagrams.
///
/// Returns a handle, or:
/// `SK_EINVAL` endpoint is NULL; `SK_EADDRFORMAT` it is no endpoint;
/// `SK_ENAMETOOLONG` the path or name;
/// `SK_EADDRINUSE` somebody has that address, or the path is in the way and is not to be removed;
/// `SK_EADDRNOTAVAIL` it is not an address of this machine; `SK_EAFNOSUPPORT` the system lacks the family;
/// `SK_EACCES` not permitted, a port below 1024 for one, or removing the dead file;
/// `SK_EHOSTNOTFOUND`, `SK_ERESOLVE` the name has no address, or not just now;
/// `SK_ENOENT` no such directory, no such interface;
/// `SK_EMFILE`, `SK_ENFILE`, `SK_ENOBUFS`, `SK_ENOMEM` no descriptor, handle or memory is left.
///
/// Threads: any. Signals: not in a handler. Since 0.1. See bind(2), listen(2), unix(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_serve(endpoint: *const c_char, backlog: c_int) -> sk_handle {
    ret::handle(|| {
        // SAFETY: NULL, or a string.
        let endpoint = unsafe { args::text(endpoint) }?;
        socket::serve(endpoint.to_bytes(), backlog)
    })
}
