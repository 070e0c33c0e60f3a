//! The address as a value, and as the kernel has it: `struct sockaddr`, see ip(7), ipv6(7)
//! and unix(7).

use core::ffi::c_char;
use core::mem::MaybeUninit;

use libc::{
    c_int, sa_family_t, sockaddr, sockaddr_in, sockaddr_in6, sockaddr_storage, sockaddr_un, socklen_t,
};

use super::{Errno, Result, system};

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

impl Family {
    pub(crate) fn from_c(number: c_int) -> Option<Family> {
        const ALL: [Family; 4] = [Family::SK_UNSPEC, Family::SK_INET, Family::SK_INET6, Family::SK_UNIX];
        ALL.get(usize::try_from(number).ok()?).copied()
    }
}

/// There are Unix names that are no files.
pub use super::system::ABSTRACT_NAMES;

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

const V4_MAPPED: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
/// An address of no family.
pub const NOWHERE: [u8; FAMILY_END] = [0; FAMILY_END];
const _: () = assert!(libc::AF_UNSPEC == 0);
const UNIX_HEADER: usize = core::mem::offset_of!(sockaddr_un, sun_path);
/// Bytes that the kernel has room for in a Unix path.
const UNIX_ROOM: usize = size_of::<sockaddr_un>() - UNIX_HEADER;
const _: () = assert!(UNIX_ROOM <= SK_UNIX_PATH_MAX);
const FAMILY_AT: usize = core::mem::offset_of!(sockaddr, sa_family);
/// The length of an address that has a family and no more.
const FAMILY_END: usize = FAMILY_AT + size_of::<sa_family_t>();

/// Any `struct sockaddr` with its length.
#[repr(C)]
pub struct Raw {
    any: Any,
    len: socklen_t,
}

#[repr(C)]
union Any {
    storage: sockaddr_storage,
    inet: sockaddr_in,
    inet6: sockaddr_in6,
    unix: sockaddr_un,
}

/// An address for a call that reads one.
pub trait Sockaddr {
    /// Address and length.
    fn as_ptr(&self) -> (*const sockaddr, socklen_t);
}

/// Room for an address that a call writes.
pub trait SockaddrRoom {
    /// Address, and bytes of room.
    fn room(&mut self) -> (*mut sockaddr, socklen_t);

    /// The call has written this many bytes.
    fn filled(&mut self, len: socklen_t);
}

/// An IPv4 address, for where the room and time of a `Raw` count.
pub struct Inet(pub sockaddr_in);

impl Inet {
    /// The kernel's form of an IPv4 address.
    #[inline(always)]
    pub fn new(address: &Address) -> Inet {
        Inet(system::inet(address.port.to_be(), ip4(address)))
    }
}

/// An IPv6 address, likewise.
pub struct Inet6(pub sockaddr_in6);

impl Inet6 {
    /// The kernel's form of an IPv6 address; of an IPv4 one as a dual-stack socket takes it.
    #[inline(always)]
    pub fn new(address: &Address) -> Inet6 {
        let mapped = address.family == Family::SK_INET as u16;
        let (scope_id, flow_info) = if mapped { (0, 0) } else { (address.scope_id, address.flow_info) };
        Inet6(system::inet6(address.port.to_be(), ip6(address), scope_id, flow_info.to_be()))
    }
}

/// The kernel's form of an IPv6 address, or else of an IPv4 one.
pub fn storage(address: &Address) -> sockaddr_storage {
    // SAFETY: all-zero bytes are a sockaddr_storage.
    let mut storage: sockaddr_storage = unsafe { core::mem::zeroed() };
    let place = &raw mut storage;
    // SAFETY: a sockaddr_storage has room for any address, aligned.
    unsafe {
        if address.family == Family::SK_INET6 as u16 {
            place.cast::<sockaddr_in6>().write(Inet6::new(address).0);
        } else {
            place.cast::<sockaddr_in>().write(Inet::new(address).0);
        }
    }
    storage
}

impl Sockaddr for Inet {
    #[inline(always)]
    fn as_ptr(&self) -> (*const sockaddr, socklen_t) {
        ((&raw const self.0).cast(), size_of::<sockaddr_in>() as socklen_t)
    }
}

impl Sockaddr for Inet6 {
    #[inline(always)]
    fn as_ptr(&self) -> (*const sockaddr, socklen_t) {
        ((&raw const self.0).cast(), size_of::<sockaddr_in6>() as socklen_t)
    }
}

impl Sockaddr for Raw {
    #[inline(always)]
    fn as_ptr(&self) -> (*const sockaddr, socklen_t) {
        ((&raw const self.any).cast(), self.len)
    }
}

/// Turns the `struct sockaddr_in` that the kernel has written over the beginning of an address
/// into that address. The kernel has zeroed `sin_zero`, so that flow_info and path_len are 0
/// already; bytes that an IPv4 address has no use for stay as they are.
#[inline(always)]
pub fn inet_in_place(to: &mut MaybeUninit<Address>) {
    const { assert!(size_of::<sockaddr_in>() == core::mem::offset_of!(Address, ip)) };
    let to = to.as_mut_ptr();
    // SAFETY: both structs lie in memory that is ours to write, the first one is initialised,
    // and it is copied before the other one takes its place.
    unsafe {
        let inet = to.cast::<sockaddr_in>().read();
        (&raw mut (*to).family).write(Family::SK_INET as u16);
        (&raw mut (*to).port).write(u16::from_be(inet.sin_port));
        (&raw mut (*to).scope_id).write(0);
        (&raw mut (*to).ip).cast::<[u8; 4]>().write(inet.sin_addr.s_addr.to_ne_bytes());
    }
}

/// The same for an address of any family, in its first `len` bytes; 0: there is none.
///
/// # Safety
/// `to` is aligned, good for writing, and the kernel has written `len` bytes there.
#[inline(always)]
pub unsafe fn in_place(to: *mut Address, len: socklen_t) {
    // SAFETY: as the caller promises; in a sockaddr of any family all bytes are integers.
    unsafe {
        if len as usize == INET_LEN && family_of(to) == libc::AF_INET as sa_family_t {
            inet_in_place(&mut *to.cast());
        } else {
            other_in_place(to, len as usize);
        }
    }
}

/// The kernel's number of the family.
///
/// # Safety
/// The kernel has written an address there, of which there is at least a family.
#[inline(always)]
unsafe fn family_of(address: *const Address) -> sa_family_t {
    // SAFETY: as the caller promises.
    unsafe { address.byte_add(FAMILY_AT).cast::<sa_family_t>().read() }
}

/// # Safety
/// As `in_place`.
#[inline(never)]
unsafe fn other_in_place(to: *mut Address, len: usize) {
    // SAFETY: as the caller promises; a sockaddr is all integers and read only as far as `len`
    // goes, and it is copied before the address takes its place.
    unsafe {
        let family = if len >= FAMILY_END { family_of(to) } else { 0 };
        match (c_int::from(family), len) {
            (libc::AF_INET6, INET6_LEN..) => {
                inet6_in_place(&mut *to.cast());
            }
            (_, len) => {
                let bytes = core::slice::from_raw_parts(to.cast::<u8>(), len);
                let raw = Raw::from_bytes(bytes);
                if raw.is_none_or(|raw| raw.show(&mut *to.cast()).is_none()) {
                    to.write(Address::NONE);
                }
            }
        }
    }
}

/// The same with a `struct sockaddr_in6`; one in IPv4's form becomes `SK_INET`.
#[inline(always)]
pub fn inet6_in_place(to: &mut MaybeUninit<Address>) {
    const { assert!(size_of::<sockaddr_in6>() <= size_of::<Address>()) };
    let to = to.as_mut_ptr();
    // SAFETY: as in `inet_in_place`.
    unsafe {
        let inet6 = to.cast::<sockaddr_in6>().read();
        let ip = inet6.sin6_addr.s6_addr;
        (&raw mut (*to).port).write(u16::from_be(inet6.sin6_port));
        match ip.split_first_chunk() {
            // Where flow_info and path_len are, the kernel has written the first zeros of `head`.
            Some((head, &[a, b, c, d])) if *head == V4_MAPPED => {
                (&raw mut (*to).family).write(Family::SK_INET as u16);
                (&raw mut (*to).scope_id).write(0);
                (&raw mut (*to).ip).cast::<[u8; 4]>().write([a, b, c, d]);
            }
            _ => {
                (&raw mut (*to).family).write(Family::SK_INET6 as u16);
                (&raw mut (*to).scope_id).write(inet6.sin6_scope_id);
                (&raw mut (*to).flow_info).write(u32::from_be(inet6.sin6_flowinfo));
                (&raw mut (*to).path_len).write(0);
                (&raw mut (*to).ip).write(ip);
            }
        }
    }
}

const INET_LEN: usize = size_of::<sockaddr_in>();
const INET6_LEN: usize = size_of::<sockaddr_in6>();

impl SockaddrRoom for Raw {
    fn room(&mut self) -> (*mut sockaddr, socklen_t) {
        ((&raw mut self.any).cast(), size_of::<Any>() as socklen_t)
    }

    fn filled(&mut self, len: socklen_t) {
        self.len = len;
    }
}

/// The kernel's number of a family.
pub fn domain(family: Family) -> c_int {
    match family {
        Family::SK_UNSPEC => libc::AF_UNSPEC,
        Family::SK_INET => libc::AF_INET,
        Family::SK_INET6 => libc::AF_INET6,
        Family::SK_UNIX => libc::AF_UNIX,
    }
}

/// The family with a number of the kernel's.
pub fn family(domain: c_int) -> Option<Family> {
    match domain {
        libc::AF_UNSPEC => Some(Family::SK_UNSPEC),
        libc::AF_INET => Some(Family::SK_INET),
        libc::AF_INET6 => Some(Family::SK_INET6),
        libc::AF_UNIX if cfg!(feature = "unix") => Some(Family::SK_UNIX),
        _ => None,
    }
}

impl Raw {
    /// Room for any address.
    pub fn empty() -> Raw {
        // SAFETY: all-zero bytes are a sockaddr_storage.
        let storage = unsafe { core::mem::zeroed() };
        Raw { any: Any { storage }, len: size_of::<Any>() as socklen_t }
    }

    /// Of a family, and no more. For a Unix bind: a free abstract name.
    pub fn only_family(family: Family) -> Raw {
        let mut raw = Raw::empty();
        raw.any.storage.ss_family = domain(family) as sa_family_t;
        raw.len = FAMILY_END as socklen_t;
        raw
    }

    /// Address and length for a call that writes them.
    pub fn fill(&mut self) -> (*mut sockaddr, *mut socklen_t) {
        self.len = size_of::<Any>() as socklen_t;
        ((&raw mut self.any).cast(), &raw mut self.len)
    }

    /// The bytes of the address.
    pub fn bytes(&self) -> &[u8] {
        let len = (self.len as usize).min(size_of::<Any>());
        // SAFETY: `any` was zeroed when made, so all its bytes are initialised, and `len` is within it.
        unsafe { core::slice::from_raw_parts((&raw const self.any).cast(), len) }
    }

    /// A `struct sockaddr` from its bytes. `None`: more than any address has.
    pub fn from_bytes(bytes: &[u8]) -> Option<Raw> {
        let mut raw = Raw::empty();
        if bytes.len() > size_of::<Any>() {
            return None;
        }
        raw.len = bytes.len() as socklen_t;
        // SAFETY: the bytes fit, as just checked, and the two do not overlap.
        unsafe { (&raw mut raw.any).cast::<u8>().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Some(raw)
    }

    /// Takes the form that an address has for the kernel. `mapped`: for a dual-stack socket, which
    /// takes IPv4 addresses in their IPv6 form (RFC 4291, 2.5.5.2).
    pub fn set(&mut self, address: &Address, mapped: bool) -> Result<()> {
        let len = match address.family {
            f if f == Family::SK_INET as u16 && !mapped => {
                self.any.inet = Inet::new(address).0;
                size_of::<sockaddr_in>()
            }
            f if f == Family::SK_INET as u16 || f == Family::SK_INET6 as u16 => {
                self.any.inet6 = Inet6::new(address).0;
                size_of::<sockaddr_in6>()
            }
            f if f == Family::SK_UNIX as u16 => {
                let used = address.path_len as usize;
                let path = address.path.get(..used).ok_or(Errno(libc::EINVAL))?;
                if !ABSTRACT_NAMES && matches!(path, [] | [0, ..]) {
                    return Err(Errno(libc::ENOSYS));
                }
                if used > UNIX_ROOM {
                    return Err(Errno(libc::ENAMETOOLONG));
                }
                self.any.storage.ss_family = libc::AF_UNIX as sa_family_t;
                // SAFETY: any bytes are a sockaddr_un.
                for (to, from) in unsafe { &mut self.any.unix.sun_path }.iter_mut().zip(path) {
                    *to = *from;
                }
                UNIX_HEADER + used
            }
            f if f == Family::SK_UNSPEC as u16 => {
                self.any.storage.ss_family = libc::AF_UNSPEC as sa_family_t;
                FAMILY_END
            }
            _ => return Err(Errno(libc::EINVAL)),
        };
        self.len = len as socklen_t;
        Ok(())
    }

    /// As long as an address of its family must be.
    pub fn is_whole(&self) -> bool {
        let least = match self.family() {
            libc::AF_INET => size_of::<sockaddr_in>(),
            libc::AF_INET6 => size_of::<sockaddr_in6>(),
            _ => FAMILY_END,
        };
        let most = if self.family() == libc::AF_UNIX { size_of::<sockaddr_un>() } else { size_of::<Any>() };
        (least..=most).contains(&(self.len as usize))
    }

    fn family(&self) -> c_int {
        // SAFETY: `any` was zeroed when made; the family stands at the same place in each.
        c_int::from(unsafe { self.any.storage.ss_family })
    }

    /// The same host and port.
    pub fn is_same_place(&self, other: &Raw) -> bool {
        let (mut one, mut two) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        match (self.show(&mut one), other.show(&mut two)) {
            (Some(one), Some(two)) => (one.family, one.port, one.ip) == (two.family, two.port, two.ip),
            _ => false,
        }
    }

    /// Puts the address there as libsk shows it: one of a dual-stack socket's IPv4 peers as `SK_INET`.
    /// `None`, and nothing is written: of no family that libsk has, or too short for its family.
    pub fn show<'a>(&self, to: &'a mut MaybeUninit<Address>) -> Option<&'a mut Address> {
        let len = self.len as usize;
        let family = if len < FAMILY_END { libc::AF_UNSPEC } else { self.family() };
        let least = match family {
            libc::AF_UNSPEC | libc::AF_UNIX => 0,
            libc::AF_INET => size_of::<sockaddr_in>(),
            libc::AF_INET6 => size_of::<sockaddr_in6>(),
            _ => return None,
        };
        if len < least {
            return None;
        }
        let address = to.write(Address::NONE);
        match family {
            libc::AF_INET => {
                // SAFETY: `any` was zeroed when made, and any bytes are a sockaddr_in.
                let inet = unsafe { &self.any.inet };
                address.family = Family::SK_INET as u16;
                address.port = u16::from_be(inet.sin_port);
                set_ipv4(address, inet.sin_addr.s_addr.to_ne_bytes());
            }
            libc::AF_INET6 => {
                // SAFETY: as for AF_INET.
                show_inet6(address, unsafe { &self.any.inet6 });
            }
            libc::AF_UNIX => {
                // SAFETY: as for AF_INET.
                let unix = unsafe { &self.any.unix };
                let room = len.saturating_sub(UNIX_HEADER).min(UNIX_ROOM);
                address.family = Family::SK_UNIX as u16;
                let path = unix.sun_path.get(..room).unwrap_or_default();
                // The kernel counts a path's closing NUL; in an abstract name NULs are bytes like others.
                let used = match path.first() {
                    Some(0) | None if ABSTRACT_NAMES => path.len(),
                    _ => path.iter().position(|&byte| byte == 0).unwrap_or(path.len()),
                };
                for (to, from) in address.path.iter_mut().zip(path.iter().take(used)) {
                    *to = *from;
                }
                address.path_len = used as u32;
            }
            _ => {}
        }
        Some(address)
    }
}

/// The bytes of an IPv6 address; of an IPv4 one in its IPv6 form (RFC 4291, 2.5.5.2).
pub fn ip6(address: &Address) -> libc::in6_addr {
    let mut s6_addr = address.ip;
    if address.family == Family::SK_INET as u16 {
        let [a, b, c, d, ..] = address.ip;
        let [head @ .., w, x, y, z] = &mut s6_addr;
        *head = V4_MAPPED;
        (*w, *x, *y, *z) = (a, b, c, d);
    }
    libc::in6_addr { s6_addr }
}

/// The bytes of an IPv4 address.
#[inline(always)]
pub fn ip4(address: &Address) -> libc::in_addr {
    let [a, b, c, d, ..] = address.ip;
    libc::in_addr { s_addr: u32::from_ne_bytes([a, b, c, d]) }
}

/// Shows an IPv6 address, and one that stands for an IPv4 peer of a dual-stack socket as that.
/// What else the address holds must be zero.
pub fn show_inet6(to: &mut Address, inet6: &sockaddr_in6) {
    to.port = u16::from_be(inet6.sin6_port);
    match inet6.sin6_addr.s6_addr.split_first_chunk() {
        Some((head, &[a, b, c, d])) if *head == V4_MAPPED => {
            to.family = Family::SK_INET as u16;
            set_ipv4(to, [a, b, c, d]);
        }
        _ => {
            to.family = Family::SK_INET6 as u16;
            to.ip = inet6.sin6_addr.s6_addr;
            to.scope_id = inet6.sin6_scope_id;
            to.flow_info = u32::from_be(inet6.sin6_flowinfo);
        }
    }
}

/// Shows an IPv4 address, without a port.
pub fn show_inet(to: &mut Address, ip: libc::in_addr) {
    *to = Address { family: Family::SK_INET as u16, ..Address::NONE };
    set_ipv4(to, ip.s_addr.to_ne_bytes());
}

fn set_ipv4(address: &mut Address, ip: [u8; 4]) {
    if let Some(head) = address.ip.first_chunk_mut() {
        *head = ip;
    }
}
