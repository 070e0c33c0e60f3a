//! Membership in multicast groups, by the calls that are the same for IPv4 and IPv6: see
//! RFC 3678 section 5.1, ip(7) and ipv6(7).

use libc::{c_int, group_req, group_source_req, sockaddr_storage};

use super::address::{Address, Family, Raw};
use super::{Fd, Result, syscall};

/// What is to become of a membership.
#[derive(Clone, Copy)]
pub struct Change(c_int);

pub const JOIN: Change = Change(libc::MCAST_JOIN_GROUP);
pub const LEAVE: Change = Change(libc::MCAST_LEAVE_GROUP);
pub const JOIN_SOURCE: Change = Change(libc::MCAST_JOIN_SOURCE_GROUP);
pub const LEAVE_SOURCE: Change = Change(libc::MCAST_LEAVE_SOURCE_GROUP);
/// Lets a source in again that a membership of any source keeps out.
pub const UNBLOCK_SOURCE: Change = Change(libc::MCAST_UNBLOCK_SOURCE);

/// A group on an interface (0: the system's choice), and one of its sources or any.
pub struct Membership {
    level: c_int,
    request: group_source_req,
    len: usize,
}

impl Membership {
    /// Group and source are both IPv4, or both IPv6.
    pub fn new(group: &Address, source: Option<&Address>, interface: u32) -> Result<Membership> {
        // SAFETY: all-zero bytes are a group_source_req.
        let mut request: group_source_req = unsafe { core::mem::zeroed() };
        // Without a source it is as good as a `group_req`.
        const { assert!(core::mem::offset_of!(group_source_req, gsr_source) == size_of::<group_req>()) };
        request.gsr_interface = interface;
        fill(&mut request.gsr_group, group)?;
        let mut len = size_of::<group_req>();
        if let Some(source) = source {
            fill(&mut request.gsr_source, source)?;
            len = size_of::<group_source_req>();
        }
        // An IPv6 socket takes the IPv4 calls too.
        let inet6 = group.family == Family::SK_INET6 as u16;
        let level = if inet6 { libc::IPPROTO_IPV6 } else { libc::IPPROTO_IP };
        Ok(Membership { level, request, len })
    }

    pub fn change(&self, fd: Fd, Change(name): Change) -> Result<()> {
        let request = (&raw const self.request).cast();
        // SAFETY: the request has at least the bytes that `len` says.
        unsafe { syscall!(setsockopt(fd, self.level, name, request, self.len as libc::socklen_t)) }.map(drop)
    }
}

#[inline(never)] // so that two addresses at a time are not on the stack
fn fill(to: &mut sockaddr_storage, address: &Address) -> Result<()> {
    *to = Raw::new(address, false)?.storage();
    Ok(())
}
