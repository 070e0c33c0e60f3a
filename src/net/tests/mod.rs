//! Tests of addresses, endpoints and their texts, and of the order in which they are tried.

mod differential;
mod endpoint;
mod equal;
mod format;
mod happy_eyeballs;
mod host;
mod parse;
mod round_trip;
mod zone;

use core::ffi::c_char;
use std::string::String;
use std::vec::Vec;

use super::address::{Address, Family, SK_UNIX_PATH_MAX};
use super::format::format;

/// `SK_ADDR_STRLEN` of the C interface.
const STRLEN: usize = 512;

fn v4(ip: [u8; 4], port: u16) -> Address {
    let [a, b, c, d] = ip;
    let ip = [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    Address { family: Family::SK_INET as u16, port, ip, ..Address::NONE }
}

fn v6(groups: [u16; 8], scope_id: u32, port: u16) -> Address {
    let ip = std::net::Ipv6Addr::from(groups).octets();
    Address { family: Family::SK_INET6 as u16, port, scope_id, ip, ..Address::NONE }
}

fn unix(name: &[u8]) -> Address {
    assert!(name.len() <= SK_UNIX_PATH_MAX);
    let mut path = [0; SK_UNIX_PATH_MAX];
    for (to, from) in path.iter_mut().zip(name) {
        *to = *from as c_char;
    }
    Address { family: Family::SK_UNIX as u16, path_len: name.len() as u32, path, ..Address::NONE }
}

/// The whole text, with its length and closing NUL checked.
fn text(address: &Address) -> Vec<u8> {
    let mut out = [0xaa; STRLEN];
    let len = format(address, &mut out);
    assert!(len < STRLEN, "{len} bytes");
    assert_eq!(out[len], 0);
    out[..len].to_vec()
}

fn shown(text: &[u8]) -> String {
    text.escape_ascii().collect::<Vec<u8>>().try_into().unwrap_or_default()
}

/// Every field alike, counted by `equal` or not.
fn same(a: &Address, b: &Address) -> bool {
    (a.family, a.port, a.scope_id, a.flow_info, a.path_len, a.ip, a.path)
        == (b.family, b.port, b.scope_id, b.flow_info, b.path_len, b.ip, b.path)
}
