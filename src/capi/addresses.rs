//! Addresses and names.

use core::ffi::{c_char, c_int, c_void};

use super::{args, ret};
use crate::error::{Code, Result};
use crate::net::address::{Address, Family};
use crate::net::{equal, format, parse};
use crate::socket::resolve;
use crate::sys::address::Raw;

/// Reads the text of an address: `127.0.0.1:80`, `[::1]:80`, `[fe80::1%eth0]:80`, "10.0.0.1",
/// "::1", "unix:/run/a.sock", "unix:///run/a.sock", "unix:@name". Exact: no spaces, no
/// "127.1", no leading zeros in IPv4 or a port; without a port it is 0. In Unix names `\xNN` stands
/// for a byte.
///
/// text: the text.
/// out: the address.
///
/// Returns `SK_OK`, or `SK_EINVAL` (NULL), `SK_EADDRFORMAT` (no address), `SK_ENOENT` (no such
/// interface), `SK_ENAMETOOLONG` (path or interface).
///
/// Threads: any. Signals: not in a handler. Since 0.1. See RFC 4291, RFC 4007.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_addr_parse(text: *const c_char, out: *mut Address) -> c_int {
    ret::status(|| {
        // SAFETY: NULL, or a string.
        let text = unsafe { args::text(text) }?;
        // SAFETY: NULL, or room for an address.
        let out = unsafe { args::out(out) }?;
        out.write(parse::parse(text.to_bytes())?);
        Ok(())
    })
}

/// Writes an address as text, in a form that `sk_addr_parse` reads back: no port where it is 0,
/// else `[::1]:80`; zones by the interface's name; `SK_UNSPEC` is "", an unnamed Unix
/// address "unix:", an abstract one "unix:@name". `SK_ADDR_STRLEN` bytes are always enough.
///
/// addr: the address.
/// out, len: where to put it, as snprintf does: cut to fit, closed with NUL where len > 0. NULL only with len 0.
///
/// Returns the text's length without the NUL (it was cut where that is not below len), or
/// `SK_EINVAL` (NULL, len over INT64_MAX, an unknown family).
///
/// Threads: any. Signals: not in a handler. Since 0.1. See RFC 5952.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_addr_format(addr: *const Address, out: *mut c_char, len: usize) -> c_int {
    ret::number(|| {
        // SAFETY: NULL, or an address.
        let addr = unsafe { args::required(addr) }?;
        check(addr)?;
        // SAFETY: NULL, or writable for len bytes.
        let room = unsafe { args::text_room(out, len, super::SK_ADDR_STRLEN) }?;
        Ok(format::format(addr, room) as c_int)
    })
}

fn check(addr: &Address) -> Result<()> {
    Ok(Raw::empty().set(addr, false)?)
}

/// Whether two addresses are the same: family, and what counts in it (address and port; scope;
/// path). flow_info and unused bytes don't count.
///
/// a, b: the addresses.
///
/// Returns 1 or 0; 0 also where one is NULL.
///
/// Threads: any. Signals: safe in a handler. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_addr_equal(a: *const Address, b: *const Address) -> c_int {
    // SAFETY: each NULL, or an address.
    match unsafe { (a.as_ref(), b.as_ref()) } {
        (Some(a), Some(b)) => equal::equal(a, b).into(),
        _ => 0,
    }
}

/// Makes an address of a `struct sockaddr`, for programs that mix libsk with the system's calls.
///
/// sockaddr, len: the address, in bytes; an IPv4 address in its IPv6 form becomes `SK_INET`.
/// out: the same address.
///
/// Returns `SK_OK`, or `SK_EINVAL` (NULL, or too short or long for its family), `SK_EAFNOSUPPORT`
/// (a family that libsk does not have).
///
/// Threads: any. Signals: safe in a handler. Since 0.1. See sockaddr(3type), RFC 4291 section 2.5.5.2.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_addr_from_sockaddr(
    sockaddr: *const c_void,
    len: u32,
    out: *mut Address,
) -> c_int {
    ret::status(|| {
        // SAFETY: NULL, or readable for len bytes.
        let bytes = unsafe { args::data(sockaddr, len as usize) }?;
        // SAFETY: NULL, or room for an address.
        let out = unsafe { args::out(out) }?;
        let raw = Raw::from_bytes(bytes).filter(Raw::is_whole).ok_or(Code::SK_EINVAL)?;
        raw.show(out).map(drop).ok_or_else(|| Code::SK_EAFNOSUPPORT.into())
    })
}

/// Makes a `struct sockaddr` of an address, for programs that mix libsk with the system's calls.
///
/// addr: the address.
/// out: where to put it; a `struct sockaddr_storage` is always enough.
/// len: in: bytes of room; out: bytes used.
///
/// Returns `SK_OK`, or `SK_EINVAL` (NULL, malformed address), `SK_ENOBUFS` (too little room).
///
/// Threads: any. Signals: safe in a handler. Since 0.1. See sockaddr(3type).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_addr_to_sockaddr(addr: *const Address, out: *mut c_void, len: *mut u32) -> c_int {
    ret::status(|| {
        // SAFETY: NULL, or an address.
        let addr = unsafe { args::required(addr) }?;
        // SAFETY: NULL, or a length.
        let len = unsafe { len.as_mut() }.ok_or(Code::SK_EINVAL)?;
        if out.is_null() {
            return Err(Code::SK_EINVAL.into());
        }
        let mut raw = Raw::empty();
        raw.set(addr, false)?;
        // SAFETY: not NULL, so writable for the bytes that len says.
        let room = unsafe { args::room(out, *len as usize) }?;
        let bytes = raw.bytes();
        if room.len() < bytes.len() {
            return Err(Code::SK_ENOBUFS.into());
        }
        for (to, from) in room.iter_mut().zip(bytes) {
            to.write(*from);
        }
        *len = bytes.len() as u32;
        Ok(())
    })
}

/// Finds the addresses of a host, each once, in the system's order of preference. A numeric host
/// is its own address, and nobody is asked.
///
/// host: a numeric address, "::1" or "fe80::1%eth0", or a name. A name whose last label is a number,
/// "127.1" for one, is neither.
/// port: put into each address.
/// family: `SK_INET` or `SK_INET6` alone, or `SK_UNSPEC` for both (`enum sk_family`).
/// timeout: ms; `SK_FOREVER` = as long as the C library's resolver takes, 0 = only a numeric host.
/// out, capacity: where to put them, and room for how many; the rest is dropped.
///
/// Returns how many addresses were put there, at least 1, or:
/// `SK_EINVAL` host or out is NULL, capacity 0, unknown family, limit below -1;
/// `SK_EAFNOSUPPORT` `SK_UNIX`, or a numeric host of the other family;
/// `SK_EADDRFORMAT` what can't be a host at all; `SK_ENAMETOOLONG` over 253 bytes, or 63 in a label;
/// `SK_ENOENT` a zone that is no interface;
/// `SK_EHOSTNOTFOUND` no such host, or it has no address of that family; `SK_ERESOLVE` not just now;
/// `SK_EAGAIN` the limit is 0 and host is a name; `SK_ETIMEDOUT` the limit ran out;
/// `SK_ENOMEM` no memory; other errors as the resolver tells.
///
/// Threads: any. With a limit above 0 and a name the resolver runs in a thread of its own, which may
/// outlive the limit: it ends when the resolver does. All signals are blocked there. Signals: not
/// in a handler. Since 0.1. See getaddrinfo(3), RFC 6724.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_resolve(
    host: *const c_char,
    port: u16,
    family: c_int,
    timeout: i64,
    out: *mut Address,
    capacity: usize,
) -> i64 {
    ret::count(|| {
        // SAFETY: NULL, or a string.
        let host = unsafe { args::text(host) }?.to_bytes();
        let family = Family::from_c(family).ok_or(Code::SK_EINVAL)?;
        let timeout = args::limit(timeout)?;
        // SAFETY: NULL, or room for capacity addresses.
        let room = unsafe { args::list_room(out, capacity) }?;
        if room.is_empty() {
            return Err(Code::SK_EINVAL.into());
        }
        let all = room.len();
        let mut places = room.iter_mut();
        resolve(host, port, family, timeout, &mut |address| {
            if let Some(place) = places.next() {
                place.write(address);
            }
            places.len() > 0
        })?;
        Ok(all.saturating_sub(places.len()))
    })
}
