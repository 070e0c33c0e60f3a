//! What a handle stands for: the part of a slot's traits that never changes.

use crate::net::address::Family;

/// How a socket carries data.
#[allow(non_camel_case_types, clippy::upper_case_acronyms)] // the names of the C interface
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum Type {
    /// A reliable, ordered stream of bytes between two ends (TCP, Unix stream).
    SK_STREAM = 1,
    /// Single messages, each on its own (UDP, Unix datagram).
    SK_DGRAM = 2,
    /// Messages on a connection, reliable and in order (Unix only).
    SK_SEQPACKET = 3,
}

/// Transport protocols, by their IANA numbers.
#[allow(non_camel_case_types, clippy::upper_case_acronyms)] // the names of the C interface
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum Protocol {
    /// The usual one of the family and type: TCP, UDP, or none for Unix.
    SK_PROTO_DEFAULT = 0,
    /// Transmission Control Protocol (RFC 9293), see tcp(7).
    SK_PROTO_TCP = 6,
    /// User Datagram Protocol (RFC 768), see udp(7).
    SK_PROTO_UDP = 17,
    /// UDP-Lite (RFC 3828), see udplite(7).
    SK_PROTO_UDPLITE = 136,
    /// Multipath TCP (RFC 8684).
    SK_PROTO_MPTCP = 262,
}

/// Which directions of a connection to end.
#[allow(non_camel_case_types, clippy::upper_case_acronyms)] // the names of the C interface
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum How {
    /// Nothing more is received here.
    SK_SHUT_READ = 1,
    /// Nothing more is sent from here; the peer receives what was, and then the end.
    SK_SHUT_WRITE = 2,
    /// Both.
    SK_SHUT_BOTH = 3,
}

impl How {
    pub(crate) fn from_c(number: i32) -> Option<How> {
        [How::SK_SHUT_READ, How::SK_SHUT_WRITE, How::SK_SHUT_BOTH]
            .into_iter()
            .find(|&one| one as i32 == number)
    }
}

impl Type {
    pub(crate) fn from_c(number: i32) -> Option<Type> {
        const ALL: [Type; 3] = [Type::SK_STREAM, Type::SK_DGRAM, Type::SK_SEQPACKET];
        ALL.get(usize::try_from(number).ok()?.checked_sub(1)?).copied()
    }
}

impl Protocol {
    pub(crate) fn from_c(number: i32) -> Option<Protocol> {
        use Protocol::*;
        [SK_PROTO_DEFAULT, SK_PROTO_TCP, SK_PROTO_UDP, SK_PROTO_UDPLITE, SK_PROTO_MPTCP]
            .into_iter()
            .find(|&one| one as i32 == number)
    }
}

const FAMILY: u32 = 0b11;
const TYPE_SHIFT: u32 = 2;
const PROTOCOL_SHIFT: u32 = 4;
const KIND: u32 = 0xffff;

/// Family, type and protocol in the low 16 bits; a poller is all zero.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Kind(u32);

impl Kind {
    /// Not a socket.
    pub const NONE: Kind = Kind(0);

    pub fn new(family: Family, carries: Type, protocol: Protocol) -> Kind {
        let protocol = match (protocol, family, carries) {
            (Protocol::SK_PROTO_DEFAULT, Family::SK_INET | Family::SK_INET6, Type::SK_STREAM) => {
                Protocol::SK_PROTO_TCP
            }
            (Protocol::SK_PROTO_DEFAULT, Family::SK_INET | Family::SK_INET6, Type::SK_DGRAM) => {
                Protocol::SK_PROTO_UDP
            }
            (protocol, ..) => protocol,
        };
        Kind(family as u32 | (carries as u32) << TYPE_SHIFT | (protocol as u32) << PROTOCOL_SHIFT)
    }

    pub fn from_traits(traits: u32) -> Kind {
        Kind(traits & KIND)
    }

    pub fn traits(self) -> u32 {
        self.0
    }

    pub fn family(self) -> Family {
        match self.0 & FAMILY {
            1 => Family::SK_INET,
            2 => Family::SK_INET6,
            3 => Family::SK_UNIX,
            _ => Family::SK_UNSPEC,
        }
    }

    /// The number of its `Type`.
    pub fn carries(self) -> i32 {
        (self.0 >> TYPE_SHIFT & 0b11) as i32
    }

    /// The number of its `Protocol`.
    pub fn protocol(self) -> i32 {
        (self.0 >> PROTOCOL_SHIFT) as i32
    }

    pub fn is_stream(self) -> bool {
        self.carries() == Type::SK_STREAM as i32
    }

    pub fn is_datagram(self) -> bool {
        self.carries() == Type::SK_DGRAM as i32
    }

    pub fn is_unix(self) -> bool {
        cfg!(feature = "unix") && self.family() == Family::SK_UNIX
    }

    pub fn is_inet6(self) -> bool {
        self.family() == Family::SK_INET6
    }

    /// TCP or MPTCP.
    pub fn is_tcp(self) -> bool {
        self.is_stream() && !self.is_unix()
    }

    /// It may have out-of-band data; not every kernel has that of a Unix stream.
    pub fn has_oob(self) -> bool {
        self.is_stream() && self.protocol() != Protocol::SK_PROTO_MPTCP as i32
    }

    /// UDP or UDP-Lite.
    pub fn is_udp(self) -> bool {
        self.is_datagram() && !self.is_unix()
    }

    /// Its calls are never plain: nothing wakes a blocked send of a Unix datagram socket.
    pub fn is_careful(self) -> bool {
        self.is_unix() && self.is_datagram()
    }
}
