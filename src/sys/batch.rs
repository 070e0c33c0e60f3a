//! Many datagrams with one system call, see sendmmsg(2) and recvmmsg(2), with what travels
//! beside the data: addresses of ours (ip(7), ipv6(7)) and segment sizes (udp(7)).

use core::ffi::c_void;
use core::mem::{MaybeUninit, offset_of, take, zeroed};
use core::ptr::{from_ref, null_mut};

use libc::{c_int, cmsghdr, iovec, msghdr};

use super::address::{
    Address, Family, Inet, Inet6, Raw, Sockaddr, in_place, ip4, ip6, show_inet, show_inet6,
};
use super::option::{self, Name};
use super::system::{self, ControlHeader, local, messages, mmsghdr};
use super::{Fd, Result};

/// One datagram of a batch.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Dgram {
    /// The bytes to send, or room for those to receive; NULL only with length 0.
    pub data: *mut c_void,
    /// Receive: bytes that fit in data; never changed.
    pub room: usize,
    /// Send: bytes to send. Receive: bytes received.
    pub len: usize,
    /// Send: where to, `SK_UNSPEC` = the peer of a connected socket. Receive: where from.
    pub addr: Address,
    /// NULL = not wanted. Receive: where to put the address of ours that it came to, which
    /// becomes `SK_UNSPEC` unless `SK_OPT_PKTINFO` is on. Of a datagram to a group it is the
    /// interface's own address, with IPv6 "::" with the interface as scope_id. Send: the address of
    /// ours to send from, of which the port does not count; "::" with a scope_id = one of that
    /// interface; `SK_UNSPEC` = the system's choice.
    pub local: *mut Address,
    /// Receive: `SK_TRUNC` where it was cut, else 0.
    pub flags: u32,
    /// Send, UDP: send in datagrams of so many bytes, the last one may be shorter. Receive, with
    /// `SK_OPT_UDP_GRO`: it came in datagrams of so many bytes. 0 = it is one datagram.
    pub segment: u32,
}

/// So many messages go with one system call. Their headers live on the stack, which for a batch
/// is more than the 512 bytes of other calls: about 6 KB to send, 4 KB to receive. A system call
/// for every 4 or 16 instead makes a datagram cost 4 % or 1 % more processor time.
const AT_ONCE: usize = 64;

// A receive takes data and room as they stand for its `struct iovec`.
const _: () = {
    assert!(offset_of!(Dgram, data) == offset_of!(iovec, iov_base));
    assert!(offset_of!(Dgram, room) == offset_of!(iovec, iov_len));
};

/// Datagrams to send, whose pointers are good for their lengths.
#[derive(Clone, Copy)]
pub struct Outgoing<'a>(&'a [Dgram]);

/// Room for datagrams, whose pointers are good for their lengths.
pub struct Incoming<'a> {
    list: &'a mut [Dgram],
    /// Somebody wants to know which address of ours one came to.
    pub wants_local: bool,
}

/// What is sent as one message.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    pub data: &'a [u8],
    pub to: Option<&'a Address>,
    pub from: Option<&'a Address>,
    /// The kernel cuts the data into datagrams of this size; 0: it is one.
    pub segment: usize,
}

fn good(data: *const c_void, len: usize) -> bool {
    len == 0 || (!data.is_null() && len as isize > 0)
}

/// An address, unless it is none.
fn some(address: &Address) -> Option<&Address> {
    (address.family != Family::SK_UNSPEC as u16).then_some(address)
}

impl<'a> Outgoing<'a> {
    /// # Safety
    /// In each message data is NULL or readable for its length, and local NULL or an address, as
    /// long as the result lives.
    pub unsafe fn new(list: &'a [Dgram]) -> Outgoing<'a> {
        Outgoing(list)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether they are all good, and have nothing beside their data but, it may be, a destination
    /// of this family.
    pub fn is_plain(self, family: Family) -> bool {
        let fits = |address: &Address| address.family == family as u16 || some(address).is_none();
        self.0
            .iter()
            .all(|one| good(one.data, one.len) && one.segment == 0 && one.local.is_null() && fits(&one.addr))
    }

    /// Those behind the first `count`.
    pub fn skip(self, count: usize) -> Outgoing<'a> {
        Outgoing(self.0.get(count..).unwrap_or_default())
    }

    /// The first one as a whole, and the others. `None` also where its data is NULL with a
    /// length, or too long.
    #[inline(always)]
    pub fn next(self) -> Option<(Part<'a>, Outgoing<'a>)> {
        let (one, rest) = self.0.split_first()?;
        let data = if one.len == 0 {
            &[]
        } else if good(one.data, one.len) {
            // SAFETY: not NULL, so readable for its length, which is not too much.
            unsafe { core::slice::from_raw_parts(one.data.cast::<u8>(), one.len) }
        } else {
            return None;
        };
        // SAFETY: NULL, or an address.
        let from = unsafe { one.local.as_ref() }.and_then(some);
        let part = Part { data, to: some(&one.addr), from, segment: one.segment as usize };
        Some((part, Outgoing(rest)))
    }
}

impl<'a> Incoming<'a> {
    /// `None`: data is NULL with room, or too much of it.
    ///
    /// # Safety
    /// In each message data is NULL or writable for its room, and local NULL or room for an
    /// address, as long as the result lives.
    pub unsafe fn new(list: &'a mut [Dgram]) -> Option<Incoming<'a>> {
        // There may be room for many, for the few that come: as little as can be for each.
        let (mut rooms, mut locals) = (0usize, 0usize);
        for one in list.iter() {
            if one.data.is_null() && one.room > 0 {
                return None;
            }
            rooms |= one.room;
            locals |= one.local.addr();
        }
        if isize::try_from(rooms).is_err() {
            return None;
        }
        let wants_local = locals != 0;
        Some(Incoming { list, wants_local })
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// The first ones, as many as one call can fill and at most so many, and the others.
    pub fn split(self, most: usize) -> (Incoming<'a>, Incoming<'a>) {
        let (some, rest) = self.list.split_at_mut(self.list.len().min(AT_ONCE).min(most));
        let wants_local = self.wants_local;
        (Incoming { list: some, wants_local }, Incoming { list: rest, wants_local })
    }
}

/// Names and control data of the messages of one call, one behind the other.
struct Beside<'a>(&'a mut [MaybeUninit<u64>]);

/// Words for the names of `AT_ONCE` IPv4 messages. More goes in more calls; any one message
/// fits with all that it can have.
const BESIDE: usize = AT_ONCE * 2;

impl Beside<'_> {
    /// Puts a value there. `None`: no more room.
    #[inline(always)]
    fn put<T: Copy>(&mut self, value: T) -> Option<*mut c_void> {
        const { assert!(align_of::<T>() <= align_of::<u64>()) };
        let (place, rest) = take(&mut self.0).split_at_mut_checked(size_of::<T>().div_ceil(8))?;
        self.0 = rest;
        // What the value does not fill goes to the kernel too.
        place.last_mut()?.write(0);
        let place = place.as_mut_ptr().cast::<T>();
        // SAFETY: the place is large enough, aligned, and ours.
        unsafe { place.write(value) };
        Some(place.cast())
    }

    /// The name of an address, and its length.
    #[inline(always)]
    fn name(&mut self, address: &Address, v6: bool) -> Option<(*mut c_void, usize)> {
        if v6 || address.family == Family::SK_UNIX as u16 {
            return self.long_name(address);
        }
        Some((self.put(Inet::new(address).0)?, size_of::<libc::sockaddr_in>()))
    }

    #[inline(never)]
    fn long_name(&mut self, address: &Address) -> Option<(*mut c_void, usize)> {
        if address.family == Family::SK_UNIX as u16 {
            let mut raw = Raw::empty();
            raw.set(address, false).ok()?;
            let (from, len) = raw.as_ptr();
            // SAFETY: a `Raw` is larger than any sockaddr_un, and begins with it.
            let name = self.put(unsafe { from.cast::<libc::sockaddr_un>().read() })?;
            Some((name, len as usize))
        } else {
            Some((self.put(Inet6::new(address).0)?, size_of::<libc::sockaddr_in6>()))
        }
    }
}

/// A piece of control data, see cmsg(3). A `Beside` keeps the distances that the kernel wants.
#[derive(Clone, Copy)]
#[repr(C)]
struct Control<T> {
    header: ControlHeader,
    value: T,
}

impl<T> Control<T> {
    fn new(Name(level, kind): Name, value: T) -> Control<T> {
        // SAFETY: all-zero bytes are a cmsghdr.
        let mut header: cmsghdr = unsafe { zeroed() };
        header.cmsg_level = level;
        header.cmsg_type = kind;
        header.cmsg_len = (offset_of!(Control<T>, value) + size_of::<T>()) as _;
        Control { header: ControlHeader(header), value }
    }
}

// Where CMSG_DATA finds the value, and CMSG_NXTHDR the next piece.
const _: () = {
    // SAFETY: only numbers.
    unsafe {
        assert!(offset_of!(Control<u16>, value) == libc::CMSG_LEN(0) as usize);
        let inet = libc::CMSG_SPACE(size_of::<local::Value>() as _) as usize;
        assert!(size_of::<Control<local::Value>>().div_ceil(8) * 8 == inet);
        assert!(size_of::<Control<libc::in6_pktinfo>>().div_ceil(8) * 8 == libc::CMSG_SPACE(20) as usize);
    }
};

/// The header of a message. `None`: no more room for what goes beside its data.
#[inline(always)]
fn header(part: Part, data: &mut MaybeUninit<iovec>, beside: &mut Beside, v6: bool) -> Option<msghdr> {
    // SAFETY: all-zero bytes are a msghdr: no name, no data, no control data.
    let mut header: msghdr = unsafe { zeroed() };
    let base = part.data.as_ptr().cast_mut().cast();
    header.msg_iov = data.write(iovec { iov_base: base, iov_len: part.data.len() });
    header.msg_iovlen = 1;
    if let Some(to) = part.to {
        let (name, len) = beside.name(to, v6)?;
        (header.msg_name, header.msg_namelen) = (name, len as _);
    }
    if part.from.is_some() || part.segment > 0 {
        let (control, len) = control(part, beside, v6)?;
        (header.msg_control, header.msg_controllen) = (control, len as _);
    }
    Some(header)
}

/// The address of ours beside an IPv6 datagram.
const LOCAL_V6: Name = Name(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO);

#[inline(never)]
fn control(part: Part, beside: &mut Beside, v6: bool) -> Option<(*mut c_void, usize)> {
    let room = beside.0.len();
    let mut first = null_mut();
    match part.from {
        Some(from) if v6 => {
            let info = libc::in6_pktinfo { ipi6_addr: ip6(from), ipi6_ifindex: from.scope_id as _ };
            first = beside.put(Control::new(LOCAL_V6, info))?;
        }
        Some(from) => {
            first = beside.put(Control::new(local::NAME, local::value(ip4(from))))?;
        }
        None => {}
    }
    if part.segment > 0 {
        let size = Control::new(option::UDP_SEGMENT, part.segment as u16);
        let size = beside.put(size)?;
        first = if first.is_null() { size } else { first };
    }
    Some((first, room.saturating_sub(beside.0.len()).saturating_mul(8)))
}

/// Sends the first parts, as many as one call can. How many went.
/// `v6`: the socket's addresses are IPv6.
#[inline(never)]
pub fn send<'a>(fd: Fd, parts: impl Iterator<Item = Part<'a>>, v6: bool, flags: c_int) -> Result<usize> {
    let mut headers = [const { MaybeUninit::<mmsghdr>::uninit() }; AT_ONCE];
    let mut data = [const { MaybeUninit::<iovec>::uninit() }; AT_ONCE];
    let mut room = [const { MaybeUninit::<u64>::uninit() }; BESIDE];
    let mut beside = Beside(&mut room);
    let mut count = 0usize;
    for ((message, data), part) in headers.iter_mut().zip(&mut data).zip(parts) {
        let Some(header) = header(part, data, &mut beside, v6) else { break };
        message.write(mmsghdr { msg_hdr: header, msg_len: 0 });
        count = count.wrapping_add(1);
    }
    let flags = flags | messages::NOSIGNAL;
    // SAFETY: the first `count` headers are set, and what they name lives and is good for the
    // lengths that go with it.
    unsafe { system::sendmmsg(fd, headers.as_mut_ptr().cast(), count, flags) }
}

/// As `send`, for IPv4 datagrams that are all plain: most batches are, and the shorter way is
/// worth 2 % of the processor time of a datagram of 64 bytes.
#[inline(never)]
pub fn send_plain(fd: Fd, list: Outgoing, flags: c_int) -> Result<usize> {
    let mut headers = [const { MaybeUninit::<mmsghdr>::uninit() }; AT_ONCE];
    let mut data = [const { MaybeUninit::<iovec>::uninit() }; AT_ONCE];
    let mut names = [const { MaybeUninit::<libc::sockaddr_in>::uninit() }; AT_ONCE];
    let mut count = 0usize;
    for (((message, data), name), one) in headers.iter_mut().zip(&mut data).zip(&mut names).zip(list.0) {
        // SAFETY: all-zero bytes are an mmsghdr.
        let mut new: mmsghdr = unsafe { zeroed() };
        let header = &mut new.msg_hdr;
        header.msg_iov = data.write(iovec { iov_base: one.data, iov_len: one.len });
        header.msg_iovlen = 1;
        if some(&one.addr).is_some() {
            header.msg_name = from_ref(name.write(Inet::new(&one.addr).0)).cast_mut().cast();
            header.msg_namelen = size_of::<libc::sockaddr_in>() as _;
        }
        message.write(new);
        count = count.wrapping_add(1);
    }
    let flags = flags | messages::NOSIGNAL;
    // SAFETY: the first `count` headers are set, and what they name lives and is good for the
    // lengths that go with it, as `is_plain` has seen.
    unsafe { system::sendmmsg(fd, headers.as_mut_ptr().cast(), count, flags) }
}

/// What a receive of a batch wants.
#[derive(Clone, Copy)]
pub struct Wanted {
    /// Which has no control data of interest, and senders without a name.
    pub is_unix: bool,
    /// Our port, for `local`.
    pub port: u16,
    /// What stands in `flags` where a datagram was cut.
    pub cut: u32,
    /// An empty datagram from nobody is one.
    pub nobody_is_real: bool,
}

/// Bytes of an address that a `struct sockaddr` of IP may take; behind it, in what is otherwise
/// the path, is room for the control data.
const HEAD: usize = offset_of!(Address, path);
const CONTROL: usize = 104;
const _: () = {
    assert!(size_of::<libc::sockaddr_in6>() <= HEAD && HEAD + CONTROL <= size_of::<Address>());
    assert!((offset_of!(Dgram, addr) + HEAD) % align_of::<cmsghdr>() == 0);
    assert!(size_of::<libc::sockaddr_un>() <= size_of::<Address>());
    // SAFETY: only numbers.
    assert!(unsafe { libc::CMSG_SPACE(12) + libc::CMSG_SPACE(20) + libc::CMSG_SPACE(4) } as usize <= CONTROL);
};

/// Waits for the first one, unless told not to, and takes what is there, as far as one call
/// can. How many came. Unless `nobody_is_real`, empty ones from nobody at the end are none, and
/// nothing is written for them.
#[inline(never)]
pub fn recv(fd: Fd, room: &mut Incoming, wanted: Wanted, flags: c_int) -> Result<usize> {
    let mut headers = [const { MaybeUninit::<mmsghdr>::uninit() }; AT_ONCE];
    let mut count = 0usize;
    for (message, one) in headers.iter_mut().zip(room.list.iter_mut()) {
        // SAFETY: all-zero bytes are an mmsghdr.
        let mut new: mmsghdr = unsafe { zeroed() };
        let header = &mut new.msg_hdr;
        header.msg_iov = (&raw mut *one).cast();
        header.msg_iovlen = 1;
        header.msg_name = (&raw mut one.addr).cast();
        header.msg_namelen = size_of::<libc::sockaddr_un>() as _;
        if !wanted.is_unix {
            header.msg_namelen = HEAD as _;
            (header.msg_control, header.msg_controllen) = ((&raw mut one.addr.path).cast(), CONTROL as _);
        }
        message.write(new);
        count = count.wrapping_add(1);
    }
    // SAFETY: the first `count` headers are set, and what they name is ours, and good for the
    // lengths that go with it.
    let received = unsafe { system::recvmmsg(fd, headers.as_mut_ptr().cast(), count, flags) }?;
    let headers = headers.get(..received).unwrap_or_default();
    // SAFETY: set above, and filled by the kernel.
    let mut headers = unsafe { &*(from_ref(headers) as *const [mmsghdr]) };
    while let [some @ .., last] = headers {
        if last.msg_len > 0 || last.msg_hdr.msg_namelen > 0 || wanted.nobody_is_real {
            break;
        }
        headers = some;
    }
    for (mmsghdr { msg_hdr: header, msg_len }, one) in headers.iter().zip(room.list.iter_mut()) {
        one.len = *msg_len as usize;
        one.flags = if header.msg_flags & libc::MSG_TRUNC != 0 { wanted.cut } else { 0 };
        one.segment = 0;
        if header.msg_controllen > 0 || !one.local.is_null() {
            tell_more(one, header, wanted.port);
        }
        // SAFETY: the kernel has written as much of a name there as it says.
        unsafe { in_place(&raw mut one.addr, header.msg_namelen) };
        if wanted.is_unix {
            // The kernel has no name for an unnamed sender.
            one.addr.family = Family::SK_UNIX as u16;
        }
    }
    Ok(headers.len())
}

/// Tells what came beside the data.
#[inline(never)]
fn tell_more(one: &mut Dgram, header: &msghdr, port: u16) {
    // SAFETY: NULL, or room for an address.
    let mut local = unsafe { one.local.as_mut() };
    if let Some(local) = &mut local {
        **local = Address::NONE;
    }
    // Not `msghdr { .., ..*header }`: musl's has private fields.
    let mut header = *header;
    header.msg_control = (&raw mut one.addr.path).cast();
    // SAFETY: the kernel has written so much control data there.
    one.segment = unsafe { read_control(&header, port, local) };
}

/// Reads the address of ours that a datagram came to, and the size of its segments.
///
/// # Safety
/// The header names control data as the kernel writes it.
unsafe fn read_control(header: &msghdr, port: u16, mut local: Option<&mut Address>) -> u32 {
    let mut segment = 0;
    // SAFETY: the macros of cmsg(3) stay within the control data, in which each value follows
    // its header and has the type that level and type say.
    unsafe {
        let mut at = libc::CMSG_FIRSTHDR(from_ref(header));
        while let Some(control) = at.as_ref() {
            let value = libc::CMSG_DATA(at);
            match (Name(control.cmsg_level, control.cmsg_type), &mut local) {
                (option::UDP_GRO, _) => segment = value.cast::<u32>().read_unaligned(),
                (local::NAME, Some(local)) => {
                    show_inet(local, local::ip(value.cast::<local::Value>().read_unaligned()));
                    local.port = port;
                }
                // A dual-stack socket has both of an IPv4 datagram: the other one knows more.
                (LOCAL_V6, Some(local)) if local.family == 0 => {
                    let info = value.cast::<libc::in6_pktinfo>().read_unaligned();
                    let mut inet6: libc::sockaddr_in6 = zeroed();
                    let [a, b, ..] = info.ipi6_addr.s6_addr;
                    let head = u16::from_be_bytes([a, b]);
                    // A group, ff00::/8, is no address of ours: its interface has one.
                    if head < 0xff00 {
                        inet6.sin6_addr = info.ipi6_addr;
                    }
                    // And fe80::/10, whose addresses need their interface.
                    if matches!(head, 0xfe80..=0xfebf | 0xff00..) {
                        inet6.sin6_scope_id = info.ipi6_ifindex as _;
                    }
                    show_inet6(local, &inet6);
                    local.port = port;
                }
                _ => {}
            }
            at = libc::CMSG_NXTHDR(from_ref(header), at);
        }
    }
    segment
}
