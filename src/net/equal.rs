//! Which parts of an address count, and when two addresses are the same.

use super::address::{Address, Family};

/// The family; `SK_UNSPEC` where the number is none of ours.
pub(crate) fn family(address: &Address) -> Family {
    [Family::SK_INET, Family::SK_INET6, Family::SK_UNIX]
        .into_iter()
        .find(|&family| family as u16 == address.family)
        .unwrap_or(Family::SK_UNSPEC)
}

/// Is it a Unix name of Linux's abstract namespace?
pub(crate) fn is_abstract(address: &Address) -> bool {
    address.path_len != 0 && address.path.first() == Some(&0)
}

/// The bytes of a Unix name; an abstract one begins with its NUL, and a path ends before its
/// first NUL, as it does for the system.
pub(crate) fn unix_name(address: &Address) -> impl Iterator<Item = u8> {
    let nul_ends = !is_abstract(address);
    address
        .path
        .iter()
        .take(address.path_len as usize)
        .map(|&byte| byte as u8)
        .take_while(move |&byte| byte != 0 || !nul_ends)
}

/// As `sk_addr_equal`: what does not count may differ. Addresses that are none are equal.
pub(crate) fn equal(a: &Address, b: &Address) -> bool {
    a.family == b.family
        && match family(a) {
            Family::SK_INET => a.port == b.port && a.ip.first_chunk::<4>() == b.ip.first_chunk(),
            Family::SK_INET6 => a.port == b.port && a.ip == b.ip && a.scope_id == b.scope_id,
            Family::SK_UNIX => unix_name(a).eq(unix_name(b)),
            Family::SK_UNSPEC => true,
        }
}
