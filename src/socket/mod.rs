//! What a socket means: its life, its limits, and how a close ends every call on it.
//!
//! A call pins the handle ([`Pinned`]), works, and lets go. `wait` is the one place where
//! a call sleeps other than in the plain system call.

mod accept;
mod batch;
mod bind;
mod close;
mod connect;
mod create;
mod descriptor;
mod dial;
mod file;
pub mod flags;
mod group;
mod kind;
mod options;
mod pass;
mod pinned;
mod plain;
mod receive;
mod resolve;
mod send;
mod serve;
mod wait;

pub use accept::accept;
pub use close::{abort, after_fork, close, finish};
pub use create::{adopt_poller, pair, socket};
pub use descriptor::{dup, from_fd, into_fd};
pub use dial::dial;
pub use group::Group;
pub use kind::{How, Protocol, Type};
pub use options::Opt;
pub use pass::{recv_handle, send_handle};
pub use pinned::{Pinned, Socket, release};
pub use receive::{Buffer, recv, recv_all, recv_from, recv_pieces, recv_with};
pub use resolve::resolve;
pub use send::{send, send_all, send_pieces, send_to, send_with};
pub use serve::serve;
pub use wait::{SLICE, waker};
