//! Options: which kinds of socket have them, their ranges, and where they live.

use core::ffi::CStr;
use core::ops::RangeInclusive;
use core::sync::atomic::Ordering::Relaxed;

use super::kind::Kind;
use super::pinned::Socket;
use crate::error::{Code, Error, Result};
use crate::handle::TABLE;
use crate::handle::slot::{Direction, Limit, mark};
use crate::sys::option::{self, Name};
use crate::sys::{Errno, descriptor, errno};

/// Options of a socket, for `sk_set_option`, `sk_get_option` and their text forms.
/// Switches take 0 or 1. See socket(7), ip(7), ipv6(7), tcp(7) and udp(7) for those that
/// are the system's.
#[allow(non_camel_case_types, clippy::upper_case_acronyms)] // the names of the C interface
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum Opt {
    /// Limit in ms for each receive and accept; `SK_FOREVER`: none, 0: never wait.
    SK_OPT_RECV_TIMEOUT = 1,
    /// Limit in ms for each send.
    SK_OPT_SEND_TIMEOUT = 2,
    /// Limit in ms for each connect, the look-up of a name included.
    SK_OPT_CONNECT_TIMEOUT = 3,
    /// Switch: bind to a port that connections of an earlier server still use. On by default for TCP.
    SK_OPT_REUSE_ADDR = 4,
    /// Switch: several sockets that all set it share one port, and the system spreads the load.
    SK_OPT_REUSE_PORT = 5,
    /// Switch, UDP: permit sending to a broadcast address.
    SK_OPT_BROADCAST = 6,
    /// Switch, TCP: probe a silent peer now and then, to find out whether it is still there.
    SK_OPT_KEEPALIVE = 7,
    /// TCP: silence before the first probe, in seconds, 1 to 32,767.
    SK_OPT_KEEPALIVE_IDLE = 8,
    /// TCP: time between probes, in seconds, 1 to 32,767.
    SK_OPT_KEEPALIVE_INTERVAL = 9,
    /// TCP: probes without an answer before the connection counts as dead, 1 to 127.
    SK_OPT_KEEPALIVE_COUNT = 10,
    /// Switch, TCP: send small writes at once instead of gathering them. On by default.
    SK_OPT_NODELAY = 11,
    /// TCP: -1 off, 0 = close resets the connection and drops what is unsent. See `sk_finish`.
    SK_OPT_LINGER = 12,
    /// Bytes the system may hold for us; reads back what was asked for, as far as it was granted.
    SK_OPT_RECV_BUFFER = 13,
    /// Bytes that may wait to be sent; reads back what was asked for, as far as it was granted.
    SK_OPT_SEND_BUFFER = 14,
    /// Switch, IPv6, before `sk_bind`: no IPv4 on this socket. Off by default.
    SK_OPT_V6ONLY = 15,
    /// Hops a packet may take, 1 to 255; both families on a dual-stack socket.
    SK_OPT_TTL = 16,
    /// Type of service and traffic class, 0 to 255 (RFC 2474); both families.
    SK_OPT_TOS = 17,
    /// UDP: hops a multicast packet may take, 0 to 255; both families.
    SK_OPT_MULTICAST_TTL = 18,
    /// Switch, UDP: members on this machine hear what is sent from here. On by default; both families.
    SK_OPT_MULTICAST_LOOP = 19,
    /// UDP: index of the interface that multicast leaves by, 0 = the system's choice; both families.
    /// Where `SK_OPT_BIND_DEVICE` is set, another one than that is `SK_EINVAL`.
    SK_OPT_MULTICAST_INTERFACE = 20,
    /// TCP: ms that sent data may stay unacknowledged before the connection ends; 0 = the system's choice.
    SK_OPT_USER_TIMEOUT = 21,
    /// TCP Fast Open (RFC 7413): on a listener, how many may be pending; on a client, any
    /// value above 0 sends the first data with the SYN, where the system permits.
    SK_OPT_FASTOPEN = 22,
    /// Switch, TCP: acknowledge at once. The system switches it back by itself.
    SK_OPT_QUICKACK = 23,
    /// Switch, TCP: hold partial packets back until it is switched off, 200 ms at most.
    SK_OPT_CORK = 24,
    /// Mark for routing and filtering, 0 to 4,294,967,295. Needs CAP_NET_ADMIN.
    SK_OPT_MARK = 25,
    /// Priority in the queues of the machine; above 6 it needs CAP_NET_ADMIN.
    SK_OPT_PRIORITY = 26,
    /// Microseconds to look for packets busily instead of sleeping.
    SK_OPT_BUSY_POLL = 27,
    /// UDP: the system cuts what is sent into datagrams of this size, 0 to 65,535; 0 = off.
    SK_OPT_UDP_SEGMENT = 28,
    /// Switch, UDP: the system may hand over several datagrams of one size in one piece.
    SK_OPT_UDP_GRO = 29,
    /// Switch, UDP: tell the address of ours that a datagram came to; both families.
    SK_OPT_PKTINFO = 30,
    /// Read-only: the pending error as an `sk_error`, 0 = none; reading clears it.
    SK_OPT_ERROR = 31,
    /// Read-only: the `sk_family`.
    SK_OPT_FAMILY = 32,
    /// Read-only: the `sk_type`.
    SK_OPT_TYPE = 33,
    /// Read-only: the `sk_protocol`, never the default one on IP; 0 for `SK_UNIX`.
    SK_OPT_PROTOCOL = 34,
    /// Read-only: 1 after `sk_listen`.
    SK_OPT_LISTENING = 35,
    /// Read-only: bytes waiting to be received; datagrams: those of the next one.
    SK_OPT_UNREAD = 36,
    /// Read-only, TCP: bytes sent and not yet acknowledged by the peer.
    SK_OPT_UNACKED = 37,
    /// Text: name of the interface to use, "" = any, see SO_BINDTODEVICE in socket(7).
    SK_OPT_BIND_DEVICE = 38,
    /// Text, TCP: name of the congestion control, see TCP_CONGESTION in tcp(7).
    SK_OPT_CONGESTION = 39,
}
use Opt::*;

const ALL: [Opt; 39] = [
    SK_OPT_RECV_TIMEOUT,
    SK_OPT_SEND_TIMEOUT,
    SK_OPT_CONNECT_TIMEOUT,
    SK_OPT_REUSE_ADDR,
    SK_OPT_REUSE_PORT,
    SK_OPT_BROADCAST,
    SK_OPT_KEEPALIVE,
    SK_OPT_KEEPALIVE_IDLE,
    SK_OPT_KEEPALIVE_INTERVAL,
    SK_OPT_KEEPALIVE_COUNT,
    SK_OPT_NODELAY,
    SK_OPT_LINGER,
    SK_OPT_RECV_BUFFER,
    SK_OPT_SEND_BUFFER,
    SK_OPT_V6ONLY,
    SK_OPT_TTL,
    SK_OPT_TOS,
    SK_OPT_MULTICAST_TTL,
    SK_OPT_MULTICAST_LOOP,
    SK_OPT_MULTICAST_INTERFACE,
    SK_OPT_USER_TIMEOUT,
    SK_OPT_FASTOPEN,
    SK_OPT_QUICKACK,
    SK_OPT_CORK,
    SK_OPT_MARK,
    SK_OPT_PRIORITY,
    SK_OPT_BUSY_POLL,
    SK_OPT_UDP_SEGMENT,
    SK_OPT_UDP_GRO,
    SK_OPT_PKTINFO,
    SK_OPT_ERROR,
    SK_OPT_FAMILY,
    SK_OPT_TYPE,
    SK_OPT_PROTOCOL,
    SK_OPT_LISTENING,
    SK_OPT_UNREAD,
    SK_OPT_UNACKED,
    SK_OPT_BIND_DEVICE,
    SK_OPT_CONGESTION,
];

// The n-th option has the number n.
const _: () = {
    let mut at = 0;
    while at < ALL.len() {
        assert!(ALL[at] as usize == at + 1);
        at += 1;
    }
};

/// An option of the kernel's: who has it, what values it takes, and its names. On an IPv6
/// socket the second name is set too, and read.
struct System {
    has: fn(Kind) -> bool,
    range: RangeInclusive<i64>,
    name: Name,
    v6: Option<Name>,
}

const SWITCH: RangeInclusive<i64> = 0..=1;
const COUNT: RangeInclusive<i64> = 0..=i32::MAX as i64;
const BYTE: RangeInclusive<i64> = 0..=255;

fn any(_: Kind) -> bool {
    true
}

fn inet(kind: Kind) -> bool {
    !kind.is_unix()
}

/// Plain UDP, without UDP-Lite.
fn plain_udp(kind: Kind) -> bool {
    kind.is_udp() && kind.protocol() == super::Protocol::SK_PROTO_UDP as i32
}

impl Opt {
    pub(crate) fn from_c(number: i32) -> Option<Opt> {
        ALL.get(usize::try_from(number).ok()?.checked_sub(1)?).copied()
    }

    /// How the kernel has it; `None`: it is not one of the kernel's numbers.
    fn system(self) -> Option<System> {
        let (has, range, name, v6): (fn(Kind) -> bool, _, _, _) = match self {
            SK_OPT_REUSE_ADDR => (inet, SWITCH, option::REUSE_ADDR, None),
            SK_OPT_REUSE_PORT => (inet, SWITCH, option::REUSE_PORT, None),
            SK_OPT_BROADCAST => (Kind::is_udp, SWITCH, option::BROADCAST, None),
            SK_OPT_KEEPALIVE => (Kind::is_tcp, SWITCH, option::KEEPALIVE, None),
            SK_OPT_KEEPALIVE_IDLE => (Kind::is_tcp, 1..=32_767, option::KEEPALIVE_IDLE, None),
            SK_OPT_KEEPALIVE_INTERVAL => (Kind::is_tcp, 1..=32_767, option::KEEPALIVE_INTERVAL, None),
            SK_OPT_KEEPALIVE_COUNT => (Kind::is_tcp, 1..=127, option::KEEPALIVE_COUNT, None),
            SK_OPT_NODELAY => (Kind::is_tcp, SWITCH, option::NODELAY, None),
            SK_OPT_RECV_BUFFER => (any, COUNT, option::RECV_BUFFER, None),
            SK_OPT_SEND_BUFFER => (any, COUNT, option::SEND_BUFFER, None),
            SK_OPT_V6ONLY => (Kind::is_inet6, SWITCH, option::V6ONLY, None),
            SK_OPT_TTL => (inet, 1..=255, option::TTL, Some(option::TTL_V6)),
            SK_OPT_TOS => (inet, BYTE, option::TOS, Some(option::TOS_V6)),
            SK_OPT_MULTICAST_TTL => {
                (Kind::is_udp, BYTE, option::MULTICAST_TTL, Some(option::MULTICAST_TTL_V6))
            }
            SK_OPT_MULTICAST_LOOP => {
                (Kind::is_udp, SWITCH, option::MULTICAST_LOOP, Some(option::MULTICAST_LOOP_V6))
            }
            SK_OPT_USER_TIMEOUT => (Kind::is_tcp, COUNT, option::USER_TIMEOUT, None),
            SK_OPT_FASTOPEN => (Kind::is_tcp, COUNT, option::FASTOPEN, None),
            SK_OPT_QUICKACK => (Kind::is_tcp, SWITCH, option::QUICKACK, None),
            SK_OPT_CORK => (Kind::is_tcp, SWITCH, option::CORK, None),
            SK_OPT_MARK => (any, 0..=u32::MAX as i64, option::MARK, None),
            SK_OPT_PRIORITY => (any, COUNT, option::PRIORITY, None),
            SK_OPT_BUSY_POLL => (any, COUNT, option::BUSY_POLL, None),
            SK_OPT_UDP_SEGMENT => (plain_udp, 0..=65_535, option::UDP_SEGMENT, None),
            SK_OPT_UDP_GRO => (plain_udp, SWITCH, option::UDP_GRO, None),
            SK_OPT_PKTINFO => (Kind::is_udp, SWITCH, option::PKTINFO, Some(option::PKTINFO_V6)),
            _ => return None,
        };
        Some(System { has, range, name, v6 })
    }
}

fn no_option() -> Error {
    Code::SK_ENOPROTOOPT.into()
}

/// The kernel says in several ways that a socket has no such option.
fn refused(errno: Errno) -> Error {
    match errno {
        Errno(libc::EOPNOTSUPP) => no_option(),
        errno => errno.into(),
    }
}

impl Socket {
    pub fn set_option(&self, opt: Opt, value: i64) -> Result<()> {
        if let Some(system) = opt.system() {
            return self.set_system(opt, &system, value);
        }
        match opt {
            SK_OPT_RECV_TIMEOUT => self.set_limit(&self.slot.recv_limit, value),
            SK_OPT_SEND_TIMEOUT => self.set_limit(&self.slot.send_limit, value),
            SK_OPT_CONNECT_TIMEOUT => self.set_limit(&self.slot.connect_limit, value),
            SK_OPT_LINGER if self.kind().is_tcp() => match value {
                -1 => Ok(option::set_linger(self.fd(), None)?),
                0 => Ok(option::set_linger(self.fd(), Some(0))?),
                _ => Err(Code::SK_EINVAL.into()),
            },
            SK_OPT_MULTICAST_INTERFACE if self.kind().is_udp() => self.set_multicast_interface(value),
            _ => Err(no_option()),
        }
    }

    fn set_limit(&self, limit: &Limit, ms: i64) -> Result<()> {
        if ms < -1 {
            return Err(Code::SK_EINVAL.into());
        }
        limit.set(ms);
        if ms >= 0 {
            self.slot.word.be_careful();
        }
        Ok(())
    }

    /// One limit for receive, send and connect.
    pub fn set_limits(&self, ms: i64) -> Result<()> {
        for limit in [&self.slot.recv_limit, &self.slot.send_limit, &self.slot.connect_limit] {
            self.set_limit(limit, ms)?;
        }
        Ok(())
    }

    fn set_system(&self, opt: Opt, system: &System, value: i64) -> Result<()> {
        if !(system.has)(self.kind()) {
            return Err(no_option());
        }
        if !system.range.contains(&value) {
            return Err(Code::SK_EINVAL.into());
        }
        let set = |name| option::set(self.fd(), name, value as i32).map_err(refused);
        match opt {
            SK_OPT_FASTOPEN => {
                // A client has a switch of its own; neither end minds the other's.
                let _keep = errno::Restore::later();
                let client = option::set(self.fd(), option::FASTOPEN_CONNECT, (value > 0).into());
                set(system.name).or_else(|error| client.map_err(|_| error))?;
            }
            _ => {
                if let Some(v6) = system.v6.filter(|_| self.kind().is_inet6()) {
                    set(v6)?;
                }
                if option::BOTH_FAMILIES || system.v6.is_none() || !self.kind().is_inet6() {
                    set(system.name)?;
                }
            }
        }
        match opt {
            SK_OPT_REUSE_ADDR => self.slot.mark(mark::REUSE_CHOSEN),
            SK_OPT_NODELAY | SK_OPT_CORK => self.let_inherit(),
            _ => {}
        }
        Ok(())
    }

    /// What this socket accepts inherits from it now, and so does what other handles of it accept: which
    /// they are is not known, but it takes nothing from others to be taken for one.
    fn let_inherit(&self) {
        self.slot.mark(mark::INHERITS);
        if self.is_shared() && !self.slot.has(mark::CONNECTED) {
            for (_, slot) in TABLE.get().used() {
                if slot.word.read().state().is_shared() {
                    slot.mark(mark::INHERITS);
                }
            }
        }
    }

    fn set_multicast_interface(&self, value: i64) -> Result<()> {
        let index =
            u32::try_from(value).ok().filter(|&index| i32::try_from(index).is_ok()).ok_or(Code::SK_EINVAL)?;
        let unknown = |errno| match errno {
            Errno(libc::EADDRNOTAVAIL | libc::ENODEV) => Code::SK_ENOENT.into(),
            errno => Error::from(errno),
        };
        if self.kind().is_inet6() {
            option::set(self.fd(), option::MULTICAST_INTERFACE_V6, index as i32).map_err(unknown)?;
        }
        if option::BOTH_FAMILIES || !self.kind().is_inet6() {
            option::set_multicast_interface(self.fd(), index).map_err(unknown)?;
        }
        self.slot.multicast_interface.store(index, Relaxed);
        Ok(())
    }

    pub fn option(&self, opt: Opt) -> Result<i64> {
        let kind = self.kind();
        if let Some(system) = opt.system() {
            if !(system.has)(kind) {
                return Err(no_option());
            }
            if opt == SK_OPT_REUSE_ADDR && kind.is_tcp() && !self.slot.has(mark::REUSE_CHOSEN) {
                // It is set with the bind.
                return Ok(1);
            }
            let name = system.v6.filter(|_| kind.is_inet6()).unwrap_or(system.name);
            let value = option::get(self.fd(), name).map_err(refused)?;
            return Ok(match opt {
                SK_OPT_MARK => i64::from(value as u32),
                // Linux doubles them for its own use.
                SK_OPT_RECV_BUFFER | SK_OPT_SEND_BUFFER => i64::from(value / option::BUFFER_FACTOR),
                _ => i64::from(value),
            });
        }
        match opt {
            SK_OPT_RECV_TIMEOUT => Ok(self.slot.recv_limit.get()),
            SK_OPT_SEND_TIMEOUT => Ok(self.slot.send_limit.get()),
            SK_OPT_CONNECT_TIMEOUT => Ok(self.slot.connect_limit.get()),
            SK_OPT_LINGER if kind.is_tcp() => Ok(option::linger(self.fd())?.map_or(-1, i64::from)),
            SK_OPT_MULTICAST_INTERFACE if kind.is_udp() => {
                Ok(i64::from(self.slot.multicast_interface.load(Relaxed)))
            }
            SK_OPT_ERROR => self.pending_error(),
            SK_OPT_FAMILY => Ok(kind.family() as i64),
            SK_OPT_TYPE => Ok(i64::from(kind.carries())),
            SK_OPT_PROTOCOL => Ok(i64::from(kind.protocol())),
            SK_OPT_LISTENING => Ok(i64::from(option::get(self.fd(), option::LISTENING)?)),
            SK_OPT_UNREAD => descriptor::unread(self.fd()).map_err(|_| no_option()),
            SK_OPT_UNACKED if kind.is_tcp() => descriptor::unacknowledged(self.fd()).map_err(|_| no_option()),
            _ => Err(no_option()),
        }
    }

    /// An error that no call has told yet. Telling clears it.
    fn pending_error(&self) -> Result<i64> {
        for direction in [Direction::Receive, Direction::Send] {
            if let Some(errno) = self.take_kept(direction) {
                return Ok(Error::from(errno).code as i64);
            }
        }
        match option::get(self.fd(), option::ERROR)? {
            0 => Ok(0),
            errno => Ok(Error::from(Errno(errno)).code as i64),
        }
    }

    fn text_option(&self, opt: Opt) -> Result<Name> {
        match opt {
            SK_OPT_BIND_DEVICE if !self.kind().is_unix() => Ok(option::BIND_DEVICE),
            SK_OPT_CONGESTION if self.kind().is_tcp() => Ok(option::CONGESTION),
            _ => Err(no_option()),
        }
    }

    pub fn set_option_text(&self, opt: Opt, text: &CStr) -> Result<()> {
        let name = self.text_option(opt)?;
        // Interfaces and congestion controls have names of up to 15 bytes.
        if text.count_bytes() > 15 {
            return Err(Code::SK_ENAMETOOLONG.into());
        }
        option::set_text(self.fd(), name, text).map_err(refused)
    }

    /// The text and its length.
    pub fn option_text(&self, opt: Opt) -> Result<([u8; 16], usize)> {
        let mut text = [0; 16];
        let len = option::get_text(self.fd(), self.text_option(opt)?, &mut text).map_err(refused)?;
        Ok((text, len))
    }
}
