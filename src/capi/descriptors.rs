//! Descriptors, and what goes to other processes.

use core::ffi::c_int;

use super::{args, ret, sk_handle};
use crate::socket::{self, Socket};
use crate::sys::unix::Cred;

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
/// close it or change its flags. From here on the socket counts as shared. Whether the descriptor
/// blocks is no promise, and calls on the handle change it.
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
/// The mode is that of every copy (`sk_dup`, `fork`, passed on): `sk_accept`, `sk_connect` and
/// `sk_send_file` on a handle of another may make it non-blocking again.
///
/// s: a socket.
///
/// Returns the descriptor, or `SK_EBADHANDLE`, `SK_EOPNOTSUPP` (no live socket), `SK_EBUSY` (a
/// call on it is in progress), or an error of the system's where it can't be made blocking, see
/// ioctl(2): then it is closed.
///
/// Threads: any. Signals: not in a handler. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn sk_into_fd(s: sk_handle) -> i64 {
    ret::count(|| Ok(socket::into_fd(s)? as usize))
}

/// A further handle for the same socket, with a life and limits of its own. The blocking mode of
/// the descriptors is one for all, see `sk_into_fd`.
///
/// s: a socket.
///
/// Returns a handle, or `SK_EBADHANDLE`, `SK_EOPNOTSUPP` (no live socket), `SK_EMFILE` (no
/// descriptor or handle is left), `SK_ECLOSED` (closed meanwhile).
///
/// Threads: any. Signals: not in a handler. Since 0.1. See dup(2).
#[unsafe(no_mangle)]
pub extern "C" fn sk_dup(s: sk_handle) -> sk_handle {
    ret::handle(|| socket::dup(s))
}

/// Passes a copy of a socket to the process at the other end of a Unix socket, with one byte of
/// data, under the `SK_OPT_SEND_TIMEOUT` of `via`. The handle here stays what it is, but counts as
/// shared from here on: each copy is closed on its own, and `sk_abort` is no more than `sk_close`.
///
/// via: a connected Unix socket. On a stream the byte has its place among the others that are sent.
/// s: the socket to pass, of any kind, in any condition: a listener, say.
///
/// Returns `SK_OK`, or:
/// `SK_EBADHANDLE` one of them is not live; `SK_EOPNOTSUPP` via is no Unix socket, or s no socket;
/// `SK_ECLOSED` one of them was closed by another thread meanwhile;
/// `SK_EAGAIN`, `SK_ETIMEDOUT` the peer takes no more now: it would have to wait, the limit ran out;
/// `SK_ENOTCONN` via is not connected; `SK_EPIPE`, `SK_ECONNRESET`, `SK_ECONNREFUSED` the peer is gone;
/// `SK_EOTHER` with errno ETOOMANYREFS: too many are on their way and not yet received.
///
/// Threads: any. Signals: not in a handler. Since 0.1. See SCM_RIGHTS in unix(7).
#[cfg(feature = "unix")]
#[unsafe(no_mangle)]
pub extern "C" fn sk_send_handle(via: sk_handle, s: sk_handle) -> c_int {
    ret::status(|| socket::send_handle(via, s))
}

/// Receives a socket that was passed, with the one byte of data that it came with, under the
/// `SK_OPT_RECV_TIMEOUT` of `via`. Any program can have sent it, with SCM_RIGHTS. Of several
/// that came with one byte the first is kept, the others are closed. `sk_recv` on `via` would
/// drop what comes with the data.
///
/// via: a connected Unix socket.
///
/// Returns a handle of its own with default limits, which counts as shared, or:
/// `SK_EBADHANDLE`, `SK_EOPNOTSUPP` via is no live Unix socket;
/// `SK_ENOENT` data came without a handle: one byte is consumed (of a datagram: all of it);
/// `SK_EEOF` the peer ended, or it was shut down for receiving;
/// `SK_ENOTSOCK` what came is no socket of a supported kind; it was closed;
/// `SK_EMFILE` no descriptor or handle is left; what came stays where it is, for a later call;
/// `SK_ECLOSED` via was closed by another thread meanwhile;
/// `SK_EAGAIN`, `SK_ETIMEDOUT` nothing came: it would have to wait, the limit ran out;
/// `SK_EINVAL`, `SK_ENOTCONN` via is not connected; `SK_ECONNRESET` the peer is gone.
///
/// Threads: any; processes that receive from copies of one socket get one handle each. Signals:
/// not in a handler. Since 0.1. See SCM_RIGHTS in unix(7).
#[cfg(feature = "unix")]
#[unsafe(no_mangle)]
pub extern "C" fn sk_recv_handle(via: sk_handle) -> sk_handle {
    ret::handle(|| socket::recv_handle(via))
}

/// Who is at the other end of a Unix socket: the process that connected, on its listener's side; the
/// one that called `sk_listen`, on the client's; the one that made the pair. It is noted then
/// and does not change when the socket is passed on, or the process ends.
///
/// s: a connected Unix stream or seqpacket socket, or one of a pair.
/// out: who it is.
///
/// Returns `SK_OK`, or `SK_EBADHANDLE`, `SK_EOPNOTSUPP` (no live Unix socket), `SK_EINVAL` (NULL),
/// `SK_ENOTCONN` (not connected, or a datagram socket that is not of a pair: of its peer
/// the system notes nothing).
///
/// Threads: any. Signals: not in a handler. Since 0.1. See SO_PEERCRED in unix(7).
#[cfg(feature = "unix")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_peer_cred(s: sk_handle, out: *mut Cred) -> c_int {
    ret::status(|| {
        let socket = Socket::unix(s)?;
        // SAFETY: NULL, or room for a result.
        let out = unsafe { args::out(out) }?;
        out.write(socket.peer_cred()?);
        Ok(())
    })
}
