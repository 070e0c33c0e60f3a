//! Descriptors.

use super::{ret, sk_handle};
use crate::socket::{self, Socket};

/// Takes over a socket that was made elsewhere: its blocking mode, close-on-exec, and the duty
/// to close it.
///
/// fd: a descriptor of a stream, datagram or seqpacket socket of IPv4, IPv6 or Unix.
///
/// Returns a handle, or, and then fd stays yours:
/// `SK_EBADHANDLE` not open; `SK_ENOTSOCK` no supported socket; `SK_EEXIST` libsk owns it already;
/// `SK_EMFILE` no handle is left.
///
/// Threads: any. Signals: not in a handler. Since 0.1. See socket(7).
#[unsafe(no_mangle)]
pub extern "C" fn sk_from_fd(fd: i64) -> sk_handle {
    ret::handle(|| socket::from_fd(fd))
}

/// The descriptor behind a socket, for other event loops to look at. It is still libsk's: don't
/// close it or change its flags. From here on the socket counts as shared.
///
/// s: a socket.
///
/// Returns the descriptor, or `SK_EBADHANDLE`, `SK_EOPNOTSUPP` (no live socket).
///
/// Threads: any. Signals: not in a handler. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn sk_fd(s: sk_handle) -> i64 {
    ret::count(|| Ok(Socket::new(s)?.show_fd() as usize))
}

/// Gives a socket up: the handle is dead, the descriptor yours, in blocking mode and close-on-exec.
///
/// s: a socket.
///
/// Returns the descriptor, or `SK_EBADHANDLE`, `SK_EOPNOTSUPP` (no live socket), `SK_EBUSY` (a
/// call on it is in progress).
///
/// Threads: any. Signals: not in a handler. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn sk_into_fd(s: sk_handle) -> i64 {
    ret::count(|| Ok(socket::into_fd(s)? as usize))
}

/// A further handle for the same socket, with a life and limits of its own.
///
/// s: a socket.
///
/// Returns a handle, or `SK_EBADHANDLE`, `SK_EOPNOTSUPP` (no live socket), `SK_EMFILE` (no
/// descriptor or handle is left).
///
/// Threads: any. Signals: not in a handler. Since 0.1. See dup(2).
#[unsafe(no_mangle)]
pub extern "C" fn sk_dup(s: sk_handle) -> sk_handle {
    ret::handle(|| socket::dup(s))
}
