//! Membership in multicast groups, by the calls that are the same for IPv4 and IPv6: see
//! RFC 3678 section 5.1, ip(7) and ipv6(7).

use libc::{c_int, group_req, group_source_req};

use super::address::{Address, Family, storage};
use super::{Errno, Fd, Result, errno, syscall, system};

/// What is to become of a membership.
#[derive(Clone, Copy)]
pub struct Change(c_int);

pub const JOIN: Change = Change(libc::MCAST_JOIN_GROUP);
pub const LEAVE: Change = Change(libc::MCAST_LEAVE_GROUP);
pub const JOIN_SOURCE: Change = Change(libc::MCAST_JOIN_SOURCE_GROUP);
pub const LEAVE_SOURCE: Change = Change(libc::MCAST_LEAVE_SOURCE_GROUP);
/// Lets a source in again that a membership of any source keeps out.
const UNBLOCK_SOURCE: Change = Change(libc::MCAST_UNBLOCK_SOURCE);

/// A group on an interface (0: the system's choice), and one of its sources or any.
pub struct Membership {
    level: c_int,
    request: group_source_req,
    has_source: bool,
}

impl Membership {
    /// Group and source are both IPv4, or both IPv6.
    pub fn new(group: &Address, source: Option<&Address>, interface: u32) -> Membership {
        // An IPv6 socket takes the IPv4 calls too.
        let inet6 = group.family == Family::SK_INET6 as u16;
        Membership {
            level: if inet6 { libc::IPPROTO_IPV6 } else { libc::IPPROTO_IP },
            request: group_source_req {
                gsr_interface: interface,
                gsr_group: storage(group),
                gsr_source: storage(source.unwrap_or(group)),
            },
            has_source: source.is_some(),
        }
    }

    /// Whether the socket is in the group with any source. Asked before a source is joined or left,
    /// which would turn such a membership into one of named sources, even where it then fails.
    /// Unblocking a source that is not blocked changes nothing, and says which it is.
    pub fn is_of_any_source(&self, fd: Fd) -> bool {
        let _keep = errno::Restore::later();
        system::ANY_SOURCE_TURNS && self.change(fd, UNBLOCK_SOURCE) == Err(Errno(libc::EADDRNOTAVAIL))
    }

    pub fn change(&self, fd: Fd, Change(name): Change) -> Result<()> {
        // Without its source it is a `group_req`.
        const { assert!(core::mem::offset_of!(group_source_req, gsr_source) == size_of::<group_req>()) };
        let len = if self.has_source { size_of::<group_source_req>() } else { size_of::<group_req>() };
        let request = (&raw const self.request).cast();
        // SAFETY: the request has at least `len` bytes.
        unsafe { syscall!(setsockopt(fd, self.level, name, request, len as libc::socklen_t)) }.map(drop)
    }
}
