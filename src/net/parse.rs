//! Reading the texts of addresses: numeric ones and Unix names, with or without a port.
//! Exact, unlike inet_aton(3): what is not surely an address is refused, not guessed at.
//! Resolving names of hosts is not for this file.

use core::ffi::c_char;

use super::address::{Address, Family, SK_UNIX_PATH_MAX};
use crate::error::{Code, Result};
use crate::sys::interface;

/// As `sk_addr_parse`.
pub(crate) fn parse(text: &[u8]) -> Result<Address> {
    if let Some(name) = text.strip_prefix(b"unix:") {
        return unix_text(name);
    }
    if let Some(text) = text.strip_prefix(b"[") {
        // The last one: a zone may have a ']' in its name, a port can't.
        let (host, end) = split_last(text, b']').ok_or(Code::SK_EADDRFORMAT)?;
        let port = match end {
            [] => Some(0),
            [b':', digits @ ..] => port(digits),
            _ => None,
        };
        return inet6(host, port.ok_or(Code::SK_EADDRFORMAT)?);
    }
    // Before the first colon of an IPv6 address there is never an IPv4 one.
    let inet_and_port = split_first(text, b':').and_then(|(host, digits)| Some((ipv4(host)?, digits)));
    match inet_and_port {
        Some((ip, digits)) => Ok(inet(ip, port(digits).ok_or(Code::SK_EADDRFORMAT)?)),
        None => parse_ip(text),
    }
}

/// A numeric host alone: no port, no brackets.
pub(crate) fn parse_ip(host: &[u8]) -> Result<Address> {
    match ipv4(host) {
        Some(ip) => Ok(inet(ip, 0)),
        None => inet6(host, 0),
    }
}

/// A Unix path as it is, without escapes, or "@name" for the abstract namespace.
pub(crate) fn parse_unix(name: &[u8]) -> Result<Address> {
    let mut unix = UnixName::new();
    let rest = match name.strip_prefix(b"@") {
        Some(rest) => {
            unix.push(0);
            rest
        }
        None => name,
    };
    rest.iter().for_each(|&byte| unix.push(byte));
    unix.finish()
}

/// What follows "unix:".
pub(super) fn unix_text(text: &[u8]) -> Result<Address> {
    let mut unix = UnixName::new();
    let (mut rest, is_abstract) = match text {
        [b'@', name @ ..] => {
            unix.push(0);
            (name, true)
        }
        // As in any URI, "//" announces an authority, here an empty one.
        [b'/', b'/', path @ ..] if path.first() == Some(&b'/') => (path, false),
        [b'/', b'/', ..] => return Err(Code::SK_EADDRFORMAT.into()),
        path => (path, false),
    };
    while let Some((byte, after)) = unix_byte(rest) {
        if byte == 0 && !is_abstract {
            return Err(Code::SK_EADDRFORMAT.into());
        }
        unix.push(byte);
        rest = after;
    }
    if rest.is_empty() { unix.finish() } else { Err(Code::SK_EADDRFORMAT.into()) }
}

/// The next byte of a Unix name, its escape undone; `None` at the end and where it is wrong.
fn unix_byte(text: &[u8]) -> Option<(u8, &[u8])> {
    match text {
        [b'\\', b'x', high, low, rest @ ..] => Some((hex(*high)? << 4 | hex(*low)?, rest)),
        [b'\\', ..] => None,
        [byte, rest @ ..] if !byte.is_ascii_control() => Some((*byte, rest)),
        _ => None,
    }
}

/// A Unix name that grows byte by byte and counts on where it has become too long.
struct UnixName {
    path: [c_char; SK_UNIX_PATH_MAX],
    len: usize,
}

impl UnixName {
    fn new() -> Self {
        UnixName { path: [0; SK_UNIX_PATH_MAX], len: 0 }
    }

    fn push(&mut self, byte: u8) {
        if let Some(slot) = self.path.get_mut(self.len) {
            *slot = byte as c_char;
        }
        self.len = self.len.saturating_add(1);
    }

    fn finish(self) -> Result<Address> {
        if self.len > SK_UNIX_PATH_MAX {
            return Err(Code::SK_ENAMETOOLONG.into());
        }
        let path_len = self.len as u32;
        Ok(Address { family: Family::SK_UNIX as u16, path_len, path: self.path, ..Address::NONE })
    }
}

fn inet(ip: u32, port: u16) -> Address {
    let ip = (u128::from(ip) << 96).to_be_bytes();
    Address { family: Family::SK_INET as u16, port, ip, ..Address::NONE }
}

/// An IPv6 address that may have a zone (RFC 4007, section 11).
pub(super) fn inet6(text: &[u8], port: u16) -> Result<Address> {
    let (host, zone) = next_piece(text, b'%');
    let ip = ipv6(host).ok_or(Code::SK_EADDRFORMAT)?.to_be_bytes();
    let scope_id = zone.map_or(Ok(0), scope)?;
    Ok(Address { family: Family::SK_INET6 as u16, port, scope_id, ip, ..Address::NONE })
}

fn scope(zone: &[u8]) -> Result<u32> {
    if is_number(zone) {
        Ok(number(zone).ok_or(Code::SK_EADDRFORMAT)?)
    } else if !is_interface_name(zone) {
        Err(Code::SK_EADDRFORMAT.into())
    } else if zone.len() >= libc::IFNAMSIZ {
        Err(Code::SK_ENAMETOOLONG.into())
    } else {
        Ok(interface::index_of(zone)?)
    }
}

/// May this zone be the name of an interface? Not where it reads as a number, nor with bytes
/// that Linux keeps out of names or that would spoil a line of text.
pub(crate) fn is_interface_name(zone: &[u8]) -> bool {
    !zone.is_empty()
        && !is_number(zone)
        && !zone.iter().any(|byte| byte.is_ascii_control() || matches!(byte, b' ' | b':' | b'/'))
}

/// RFC 4291, section 2.2.
fn ipv6(text: &[u8]) -> Option<u128> {
    let Some(at) = text.windows(2).position(|pair| pair == b"::") else {
        let (ip, bits) = groups(text, true)?;
        return (bits == 128).then_some(ip);
    };
    let (head, rest) = text.split_at_checked(at)?;
    let (head, head_bits) = groups(head, false)?;
    let (tail, tail_bits) = groups(rest.get(2..)?, true)?;
    // "::" stands for one group of zeros or more.
    if head_bits + tail_bits > 112 {
        return None;
    }
    let head = head.checked_shl(128 - head_bits).unwrap_or(0);
    Some(head | tail)
}

/// None or more groups and their bits, at most 128.
fn groups(text: &[u8], ipv4_may_end: bool) -> Option<(u128, u32)> {
    let (mut value, mut bits) = (0, 0);
    if text.is_empty() {
        return Some((value, bits));
    }
    let mut rest = Some(text);
    while let Some(text) = rest {
        let piece;
        (piece, rest) = next_piece(text, b':');
        if let Some(group) = group(piece) {
            value = value << 16 | u128::from(group);
            bits += 16;
        } else if ipv4_may_end && rest.is_none() {
            value = value << 32 | u128::from(ipv4(piece)?);
            bits += 32;
        } else {
            return None;
        }
        if bits > 128 {
            return None;
        }
    }
    Some((value, bits))
}

fn group(text: &[u8]) -> Option<u16> {
    if text.is_empty() || text.len() > 4 {
        return None;
    }
    text.iter().try_fold(0, |value, &digit| Some(value << 4 | u16::from(hex(digit)?)))
}

fn ipv4(text: &[u8]) -> Option<u32> {
    let mut rest = Some(text);
    let mut ip = [0; 4];
    for octet in &mut ip {
        let digits;
        (digits, rest) = next_piece(rest?, b'.');
        *octet = u8::try_from(plain_number(digits)?).ok()?;
    }
    rest.is_none().then_some(u32::from_be_bytes(ip))
}

pub(super) fn port(digits: &[u8]) -> Option<u16> {
    u16::try_from(plain_number(digits)?).ok()
}

/// A number without leading zeros, which some would read as octal.
fn plain_number(digits: &[u8]) -> Option<u32> {
    match digits {
        [b'0', _, ..] => None,
        _ => number(digits),
    }
}

fn number(digits: &[u8]) -> Option<u32> {
    if !is_number(digits) {
        return None;
    }
    digits.iter().try_fold(0u32, |value, digit| {
        value.checked_mul(10)?.checked_add(u32::from(digit.wrapping_sub(b'0')))
    })
}

fn is_number(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// What is before the byte and, where there is one, what is after it. (The iterator of
/// `split` holds panic paths that only the optimizer removes.)
pub(super) fn next_piece(text: &[u8], byte: u8) -> (&[u8], Option<&[u8]>) {
    match split_first(text, byte) {
        Some((piece, rest)) => (piece, Some(rest)),
        None => (text, None),
    }
}

fn split_first(text: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    split_around(text, text.iter().position(|&b| b == byte)?)
}

pub(super) fn split_last(text: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    split_around(text, text.iter().rposition(|&b| b == byte)?)
}

/// What is before and what is after the byte at `at`.
fn split_around(text: &[u8], at: usize) -> Option<(&[u8], &[u8])> {
    let (before, rest) = text.split_at_checked(at)?;
    Some((before, rest.get(1..)?))
}
