//! FreeBSD, from 13.2 on.

use core::ffi::CStr;
use core::mem::zeroed;

use libc::{c_int, cmsghdr};

use crate::sys::option::{self, Name};
use crate::sys::unix::Cred;
use crate::sys::{Errno, Fd, Result};

pub use crate::sys::one_step::*;

/// Memory is never reserved here.
pub const MAP_NORESERVE: c_int = 0;

/// Reasons that not every system has.
pub mod reasons {
    use libc::c_int;

    pub use libc::ENOATTR as ENODATA;
    /// There is none.
    pub const ENONET: c_int = 0;
}

/// Message flags that not every system has, or that do more on some.
pub mod messages {
    use libc::c_int;

    pub use libc::{MSG_CMSG_CLOEXEC as CLOEXEC, MSG_NOSIGNAL as NOSIGNAL, MSG_TRUNC as TRUNC};
    /// More may follow, or not: it makes no difference.
    pub const MORE: c_int = 0;
    /// What is received has to be copied.
    pub const DISCARD: c_int = 0;
}

pub mod own_options {
    use crate::sys::option::Name;

    // SO_REUSEPORT alone does not spread the load.
    pub const REUSE_PORT: Name = Name(libc::SOL_SOCKET, libc::SO_REUSEPORT_LB);
    pub const KEEPALIVE_IDLE: Name = Name(libc::IPPROTO_TCP, libc::TCP_KEEPIDLE);
    pub const CONGESTION: Name = Name(libc::IPPROTO_TCP, libc::TCP_CONGESTION);
    pub const PKTINFO: Name = Name(libc::IPPROTO_IP, libc::IP_RECVDSTADDR);
    pub const LINGER: Name = Name(libc::SOL_SOCKET, libc::SO_LINGER);
}

/// The address of ours that a datagram goes from or came to, as it stands beside the data.
pub mod local {
    use libc::in_addr;

    use crate::sys::option::Name;

    // IP_RECVDSTADDR is the same number.
    pub const NAME: Name = Name(libc::IPPROTO_IP, libc::IP_SENDSRCADDR);

    pub type Value = in_addr;

    pub fn value(ip: in_addr) -> Value {
        ip
    }

    pub fn ip(ip: Value) -> in_addr {
        ip
    }
}

/// A header of control data, as far as to its value.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub struct ControlHeader(pub cmsghdr);

/// The bytes of a value of control data that may come, unasked, beside a descriptor.
pub const CREDENTIALS: usize = size_of::<libc::cmsgcred>();
/// Control data that is descriptors.
pub const DESCRIPTORS: &[libc::c_int] = &[libc::SCM_RIGHTS];

/// What this thread is called where threads are listed, see pthread_set_name_np(3).
pub fn name_thread(name: &CStr) {
    // SAFETY: the name is a C string.
    unsafe { libc::pthread_set_name_np(libc::pthread_self(), name.as_ptr()) };
}

/// Here every send says itself that it wants no SIGPIPE.
pub fn never_sigpipe(_: Fd) -> Result<()> {
    Ok(())
}

/// Bytes sent that the peer has not acknowledged.
pub fn unacknowledged(fd: Fd) -> Result<i64> {
    number(fd, libc::FIONWRITE)
}

/// Who is at the other end of a Unix socket; `None`: the kernel knows nobody.
pub fn peer(fd: Fd) -> Result<Option<Cred>> {
    // SAFETY: all-zero bytes are an xucred.
    let nobody: libc::xucred = unsafe { zeroed() };
    match option::get_value(fd, Name(libc::SOL_LOCAL, libc::LOCAL_PEERCRED), nobody) {
        Ok(peer) => Ok(Some(Cred {
            // SAFETY: a number in either form.
            pid: unsafe { peer.cr_pid__c_anonymous_union.cr_pid },
            uid: peer.cr_uid,
            gid: peer.cr_groups.first().copied().unwrap_or_default(),
        })),
        Err(Errno(libc::ENOTCONN)) => Ok(None),
        Err(errno) => Err(errno),
    }
}
