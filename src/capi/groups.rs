//! Multicast groups.

use core::ffi::{c_char, c_int};

use super::{args, ret, sk_handle};
use crate::error::Result;
use crate::net::address::Address;
use crate::socket::{Group, Socket};

/// Joins a multicast group: the socket then hears what is sent to the group and to the port that
/// it is bound to. Several sockets can be bound to one port with `SK_OPT_REUSE_ADDR`. A socket
/// bound to any address hears the groups that others joined too; bind it to the group's address
/// to hear that group only. To send to a group, nobody has to be in it.
///
/// s: a UDP socket. `SK_INET` groups can be joined on a dual-stack one too.
/// group: the group; its port does not count. An IPv6 scope_id names the interface.
/// source: the one to hear; join again for more of them. NULL = any.
/// interface_name: where to listen; NULL = the one that the system has a route to the group by.
///
/// Returns `SK_OK`, or:
/// `SK_EBADHANDLE` no live handle; `SK_EOPNOTSUPP` no UDP socket;
/// `SK_EINVAL` group is NULL or no multicast address, source is one or is "any", interface_name
/// contradicts scope_id;
/// `SK_EAFNOSUPPORT` an address of another family than the socket's or the group's;
/// `SK_ENAMETOOLONG` interface_name; `SK_ENOENT` no such interface, or no route to the group;
/// `SK_EADDRINUSE` joined already, with this source or with any;
/// `SK_ENOBUFS` the system permits no more groups (igmp_max_memberships) or sources (igmp_max_msf, mld_max_msf).
///
/// Threads: any. Signals: not in a handler. Since 0.1. See RFC 3678, ip(7), ipv6(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_join_group(
    s: sk_handle,
    group: *const Address,
    source: *const Address,
    interface_name: *const c_char,
) -> c_int {
    ret::status(|| {
        let socket = Socket::udp(s)?;
        // SAFETY: each NULL, or what it stands for.
        socket.join(&unsafe { asked(group, source, interface_name) }?)
    })
}

/// Leaves a multicast group, or stops hearing one source of it. A socket leaves its groups by
/// itself when its last copy is closed.
///
/// s, group, interface_name: as `sk_join_group` had them.
/// source: the one to hear no longer; NULL = leave the group with all its sources.
///
/// Returns `SK_OK`, or `SK_EADDRNOTAVAIL` (not joined, or not with this source), or what
/// `sk_join_group` does but for `SK_EADDRINUSE`.
///
/// Threads: any. Signals: not in a handler. Since 0.1. See RFC 3678, ip(7), ipv6(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_leave_group(
    s: sk_handle,
    group: *const Address,
    source: *const Address,
    interface_name: *const c_char,
) -> c_int {
    ret::status(|| {
        let socket = Socket::udp(s)?;
        // SAFETY: each NULL, or what it stands for.
        socket.leave(&unsafe { asked(group, source, interface_name) }?)
    })
}

/// # Safety
/// Each is NULL, or an address, an address, a string, for as long as the result lives.
unsafe fn asked<'a>(
    group: *const Address,
    source: *const Address,
    interface_name: *const c_char,
) -> Result<Group<'a>> {
    // SAFETY: as the caller promises.
    unsafe {
        Ok(Group {
            group: args::required(group)?,
            source: source.as_ref(),
            interface: if interface_name.is_null() { None } else { Some(args::text(interface_name)?) },
        })
    }
}
