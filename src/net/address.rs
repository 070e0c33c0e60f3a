//! Addresses as plain values: what a socket is bound to, connected to, or hears from.

use core::ffi::c_char;

/// The address families.
#[allow(non_camel_case_types, clippy::upper_case_acronyms)] // the names of the C interface
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum Family {
    /// No family: an address that is none, or any family where one is asked for.
    SK_UNSPEC = 0,
    /// IPv4, see ip(7).
    SK_INET = 1,
    /// IPv6, see ipv6(7). Sockets are dual-stack: they speak IPv4 too.
    SK_INET6 = 2,
    /// Between processes of one machine, see unix(7).
    SK_UNIX = 3,
}

/// Bytes in the longest Unix path, as in unix(7).
pub const SK_UNIX_PATH_MAX: usize = 108;

/// The address of a socket. A value: copy it, compare it with `sk_addr_equal`, there is
/// nothing to clean up. All zero means no address.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Address {
    /// `SK_INET`, `SK_INET6`, `SK_UNIX`, or `SK_UNSPEC` for no address.
    pub family: u16,
    /// Port in host byte order; 0 for `SK_UNIX`.
    pub port: u16,
    /// `SK_INET6`: index of the interface a link-local address belongs to, else 0.
    pub scope_id: u32,
    /// `SK_INET6`: flow information in host byte order, else 0.
    pub flow_info: u32,
    /// `SK_UNIX`: bytes used in path, a closing NUL not counted (108 used: there is none); 0 = unnamed.
    pub path_len: u32,
    /// The IP address in network byte order; `SK_INET` uses the first 4 bytes.
    pub ip: [u8; 16],
    /// `SK_UNIX`: a path, or a NUL and a name for Linux's abstract namespace.
    pub path: [c_char; SK_UNIX_PATH_MAX],
}

const _: () = assert!(core::mem::size_of::<Address>() == 140);

impl Address {
    /// No address: all zero.
    pub const NONE: Address = Address {
        family: 0,
        port: 0,
        scope_id: 0,
        flow_info: 0,
        path_len: 0,
        ip: [0; 16],
        path: [0; SK_UNIX_PATH_MAX],
    };
}
