//! Writing the texts of addresses, each in the one canonical form (for IPv6: RFC 5952).

use core::ops::Range;

use super::address::{Address, Family};
use super::equal::{family, is_abstract, unix_name};
use super::parse::is_interface_name;
use crate::sys::interface;

/// Writes as snprintf(3) does: cut to fit, with a closing NUL wherever there is room for
/// one. Gives the length of the whole text, the NUL not counted.
pub(crate) fn format(address: &Address, out: &mut [u8]) -> usize {
    let mut text = Text { out, len: 0 };
    match family(address) {
        Family::SK_UNSPEC => {}
        Family::SK_INET => {
            text.ipv4((u128::from_be_bytes(address.ip) >> 96) as u32);
            text.port(address.port);
        }
        Family::SK_INET6 if address.port == 0 => text.ipv6_and_zone(address),
        Family::SK_INET6 => {
            text.push(b'[');
            text.ipv6_and_zone(address);
            text.push(b']');
            text.port(address.port);
        }
        Family::SK_UNIX => text.unix(address),
    }
    text.finish()
}

/// A text that is cut where the room ends, but counts on.
struct Text<'a> {
    out: &'a mut [u8],
    len: usize,
}

impl Text<'_> {
    fn push(&mut self, byte: u8) {
        if let Some(slot) = self.out.get_mut(self.len) {
            *slot = byte;
        }
        self.len += 1;
    }

    fn push_all(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.push(byte));
    }

    fn finish(self) -> usize {
        let end = self.len.min(self.out.len().saturating_sub(1));
        if let Some(slot) = self.out.get_mut(end) {
            *slot = 0;
        }
        self.len
    }

    fn number(&mut self, mut value: u32) {
        let mut digits = [0; 10];
        let mut unused = digits.len();
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (value % 10) as u8;
            value /= 10;
            unused -= 1;
            if value == 0 {
                break;
            }
        }
        self.push_all(digits.get(unused..).unwrap_or_default());
    }

    fn hex_digit(&mut self, value: u8) {
        self.push(if value < 10 { b'0' + value } else { b'a' + (value - 10) });
    }

    /// Without leading zeros.
    fn group(&mut self, group: u16) {
        for shift in [12, 8, 4, 0] {
            if shift == 0 || group >> shift != 0 {
                self.hex_digit((group >> shift & 0xf) as u8);
            }
        }
    }

    fn port(&mut self, port: u16) {
        if port != 0 {
            self.push(b':');
            self.number(port.into());
        }
    }

    fn ipv4(&mut self, ip: u32) {
        for (at, octet) in ip.to_be_bytes().into_iter().enumerate() {
            if at != 0 {
                self.push(b'.');
            }
            self.number(octet.into());
        }
    }

    fn ipv6(&mut self, ip: u128) {
        if ip >> 32 == 0xffff {
            self.push_all(b"::ffff:");
            return self.ipv4(ip as u32);
        }
        let groups = [112, 96, 80, 64, 48, 32, 16, 0].map(|shift| (ip >> shift) as u16);
        let zeros = longest_zeros(&groups);
        for (at, &group) in groups.iter().enumerate() {
            if zeros.contains(&at) {
                if at == zeros.start {
                    self.push_all(b"::");
                }
                continue;
            }
            if at != 0 && at != zeros.end {
                self.push(b':');
            }
            self.group(group);
        }
    }

    fn ipv6_and_zone(&mut self, address: &Address) {
        self.ipv6(u128::from_be_bytes(address.ip));
        if address.scope_id == 0 {
            return;
        }
        self.push(b'%');
        let mut name = [0; libc::IFNAMSIZ];
        let len = interface::name_of(address.scope_id, &mut name).unwrap_or(0);
        match name.get(..len) {
            // Any other name would not be read back as the same interface.
            Some(name) if is_interface_name(name) => self.push_all(name),
            _ => self.number(address.scope_id),
        }
    }

    fn unix(&mut self, address: &Address) {
        self.push_all(b"unix:");
        let mut name = unix_name(address).peekable();
        if is_abstract(address) {
            name.next();
            self.push(b'@');
        } else if name.peek() == Some(&b'@') {
            name.next();
            self.escape(b'@');
        } else if unix_name(address).take(2).eq(*b"//") {
            // Else the reader would take the path's own "//" for the authority's.
            self.push_all(b"//");
        }
        for byte in name {
            if byte.is_ascii_control() || byte == b'\\' {
                self.escape(byte);
            } else {
                self.push(byte);
            }
        }
    }

    fn escape(&mut self, byte: u8) {
        self.push_all(b"\\x");
        self.hex_digit(byte >> 4);
        self.hex_digit(byte & 0xf);
    }
}

/// Where the longest run of two zero groups or more is, the first of several; else a range
/// beyond the end.
fn longest_zeros(groups: &[u16; 8]) -> Range<usize> {
    let mut longest = 8..9;
    let mut run = 0;
    for (at, &group) in groups.iter().enumerate() {
        run = if group == 0 { run + 1 } else { 0 };
        if run > longest.len() {
            longest = at + 1 - run..at + 1;
        }
    }
    longest
}
