//! Endpoints: the texts that say where to connect to or to serve, and how. Exact, as the texts
//! of addresses are.

use super::address::Address;
use super::host::Name;
use super::parse::{inet6, parse_ip, port, split_last, unix_text};
use crate::error::{Code, Result};

/// What carries the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Tcp,
    Udp,
    Unix,
    UnixDgram,
    UnixSeqpacket,
}

const SCHEMES: &[(&[u8], Scheme)] = &[
    (b"tcp:", Scheme::Tcp),
    (b"udp:", Scheme::Udp),
    (b"unix:", Scheme::Unix),
    (b"unix-dgram:", Scheme::UnixDgram),
    (b"unix-seqpacket:", Scheme::UnixSeqpacket),
];

/// Where one end of it is.
pub enum Place {
    /// Every address of this machine.
    Any { port: u16 },
    /// A numeric one, or a Unix name.
    Address(Address),
    /// One that has to be looked up.
    Name { name: Name, port: u16 },
}

/// Reads "tcp://example.org:80", "udp://[::1]:80", "tcp://:80", "unix:///run/a.sock" and the like.
pub fn parse(text: &[u8]) -> Result<(Scheme, Place)> {
    let (scheme, rest) = SCHEMES
        .iter()
        .find_map(|&(prefix, scheme)| Some((scheme, text.strip_prefix(prefix)?)))
        .ok_or(Code::SK_EADDRFORMAT)?;
    let place = match scheme {
        Scheme::Tcp | Scheme::Udp => internet(rest.strip_prefix(b"//").ok_or(Code::SK_EADDRFORMAT)?)?,
        _ => Place::Address(unix(rest)?),
    };
    Ok((scheme, place))
}

/// A host, which may be missing, and a port, which may not.
fn internet(text: &[u8]) -> Result<Place> {
    let (host, digits) = split_last(text, b':').ok_or(Code::SK_EADDRFORMAT)?;
    let port = port(digits).ok_or(Code::SK_EADDRFORMAT)?;
    if host.is_empty() {
        return Ok(Place::Any { port });
    }
    if let Some(bracketed) = host.strip_prefix(b"[") {
        let host = bracketed.strip_suffix(b"]").ok_or(Code::SK_EADDRFORMAT)?;
        return Ok(Place::Address(inet6(host, port)?));
    }
    // An IPv6 address without brackets, of which the port might be a part.
    if host.contains(&b':') {
        return Err(Code::SK_EADDRFORMAT.into());
    }
    match parse_ip(host) {
        Ok(address) => Ok(Place::Address(Address { port, ..address })),
        Err(_) => Ok(Place::Name { name: Name::new(host)?, port }),
    }
}

/// "///path" or "//@name".
fn unix(text: &[u8]) -> Result<Address> {
    let name = match text {
        [b'/', b'/', b'/', ..] => text,
        [b'/', b'/', name @ ..] if name.first() == Some(&b'@') => name,
        _ => return Err(Code::SK_EADDRFORMAT.into()),
    };
    let address = unix_text(name)?;
    // "@" alone: an empty name, which nobody means.
    if address.path_len <= 1 && name.first() == Some(&b'@') {
        return Err(Code::SK_EADDRFORMAT.into());
    }
    Ok(address)
}
