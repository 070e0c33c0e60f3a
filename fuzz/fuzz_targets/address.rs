//! Texts, values and `struct sockaddr`s of addresses, and the ways between them. Texts are read by
//! `inet_pton` and by Rust's core::net as well. On purpose only ours reads an interface's name in a
//! zone, and only ours refuses zeros before a port; neither of the others knows Unix names.
#![no_main]

use std::ffi::CStr;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

use libfuzzer_sys::fuzz_target;
use sk_fuzz::*;

const INET: u16 = sk_family::SK_INET as u16;
const INET6: u16 = sk_family::SK_INET6 as u16;
const UNIX: u16 = sk_family::SK_UNIX as u16;

fuzz_target!(|data: &[u8]| {
    match data.split_first() {
        Some((b'v', value)) => one_value(value),
        Some((b's', sockaddr)) => one_sockaddr(sockaddr),
        Some((b't', rest)) => one_text(&text(rest)),
        _ => {}
    }
});

fn one_text(text: &CStr) {
    let ours = parse(text);
    if let Err(error) = ours {
        assert!(is_one_of(error, &[SK_EADDRFORMAT, SK_ENOENT, SK_ENAMETOOLONG]), "{}", name(error));
    }
    if text.to_bytes().starts_with(b"unix:") {
        let is_unix = ours.is_ok_and(|ours| ours.family == UNIX);
        assert!(is_unix || ours.is_err_and(|error| !is_one_of(error, &[SK_ENOENT])), "{text:?}");
    } else {
        compare(text, ours);
    }
    if let Ok(address) = ours {
        assert_eq!((address.flow_info, address.path_len as usize <= SK_UNIX_PATH_MAX), (0, true));
        round_trip(&address);
    }
}

fn compare(text: &CStr, ours: Result<sk_addr, i32>) {
    match (&ours, text.to_str().ok().and_then(rust)) {
        (Ok(ours), Some(rust)) => {
            assert!(equal(ours, &rust), "{text:?}: {ours:?}, Rust has {rust:?}")
        }
        (Ok(ours), None) => assert!(text.to_bytes().contains(&b'%') && ours.family == INET6, "{text:?}"),
        (Err(error), Some(rust)) => panic!("{text:?}: {}, Rust has {rust:?}", name(*error)),
        (Err(error), None) => {
            assert!(is_one_of(*error, &[SK_EADDRFORMAT]) || text.to_bytes().contains(&b'%'), "{text:?}")
        }
    }
    // It knows neither ports nor zones nor brackets.
    match (inet_pton(text), &ours) {
        (Some(theirs), Ok(ours)) => assert!(equal(ours, &theirs) && ours.port == 0, "{text:?}"),
        (Some(_), Err(error)) => panic!("{text:?}: {}, but inet_pton takes it", name(*error)),
        (None, Ok(_)) => {
            let more = text.to_bytes().iter().any(|byte| b"[%".contains(byte));
            let port = text.to_bytes().contains(&b'.') && text.to_bytes().contains(&b':');
            assert!(more || port, "{text:?}: inet_pton refuses it");
        }
        (None, Err(_)) => {}
    }
}

fn inet_pton(text: &CStr) -> Option<sk_addr> {
    for (domain, family) in [(libc::AF_INET, INET), (libc::AF_INET6, INET6)] {
        let mut address = sk_addr { family, ..sk_addr::NONE };
        // SAFETY: a string, and room for an IPv6 address.
        if unsafe { inet_pton_of_libc(domain, text.as_ptr(), address.ip.as_mut_ptr()) } == 1 {
            return Some(address);
        }
    }
    None
}

unsafe extern "C" {
    #[link_name = "inet_pton"]
    fn inet_pton_of_libc(domain: i32, text: *const core::ffi::c_char, out: *mut u8) -> i32;
}

fn v4(ip: Ipv4Addr, port: u16) -> sk_addr {
    let mut address = sk_addr { family: INET, port, ..sk_addr::NONE };
    address.ip[..4].copy_from_slice(&ip.octets());
    address
}

fn v6(ip: Ipv6Addr, port: u16, scope_id: u32) -> sk_addr {
    sk_addr { family: INET6, port, scope_id, ip: ip.octets(), ..sk_addr::NONE }
}

/// What core::net makes of it.
fn rust(text: &str) -> Option<sk_addr> {
    if let Ok(ip) = text.parse() {
        return Some(v4(ip, 0));
    }
    // It reads zones only together with a port.
    let whole = |text: &str| text.parse::<SocketAddrV6>().ok();
    let host = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if let Some(six) = whole(&format!("[{host}]:0")) {
        return Some(v6(*six.ip(), 0, six.scope_id()));
    }
    let (_, port) = text.rsplit_once(':')?;
    if port.len() > 1 && port.starts_with('0') {
        return None;
    }
    match text.parse::<SocketAddrV4>() {
        Ok(four) => Some(v4(*four.ip(), four.port())),
        Err(_) => whole(text).map(|six| v6(*six.ip(), six.port(), six.scope_id())),
    }
}

/// Any bytes in the struct, of which the family is likely one of ours.
fn one_value(data: &[u8]) {
    let mut bytes = [0; size_of::<sk_addr>()];
    for (to, from) in bytes.iter_mut().zip(data) {
        *to = *from;
    }
    // SAFETY: it consists of integers.
    let address = unsafe { std::mem::transmute::<[u8; size_of::<sk_addr>()], sk_addr>(bytes) };
    assert!(equal(&address, &address));
    round_trip(&address);
}

fn round_trip(address: &sk_addr) {
    let text = match sk_fuzz::format(address) {
        Ok(text) => text,
        Err(error) => {
            assert!(is_one_of(error, &[SK_EINVAL]), "{address:?}: {}", name(error));
            assert_eq!(to_sockaddr(address), Err(error), "{address:?}");
            return;
        }
    };
    assert!(!text.to_bytes().iter().any(u8::is_ascii_control), "{text:?}");
    if address.family == sk_family::SK_UNSPEC as u16 {
        assert!(text.is_empty());
    } else {
        let again = parse(&text).unwrap_or_else(|error| panic!("{text:?}: {}", name(error)));
        assert!(equal(&again, address) && equal(address, &again), "{address:?}: {text:?}, {again:?}");
        assert_eq!(sk_fuzz::format(&again), Ok(text));
    }
    let raw = to_sockaddr(address).expect("what has a text has a sockaddr");
    match from_sockaddr(&raw) {
        Ok(again) => same_sockaddr(address, &again),
        Err(error) => assert!(address.family == 0 && is_one_of(error, &[SK_EAFNOSUPPORT, SK_EINVAL])),
    }
}

/// Back from a sockaddr an IPv4 address in its IPv6 form is `SK_INET`.
fn same_sockaddr(address: &sk_addr, again: &sk_addr) {
    match Ipv6Addr::from(address.ip).to_ipv4_mapped() {
        Some(ip) if address.family == INET6 => assert!(equal(again, &v4(ip, address.port))),
        _ => assert!(equal(again, address), "{address:?}: {again:?}"),
    }
}

fn to_sockaddr(address: &sk_addr) -> Result<Vec<u8>, i32> {
    let mut room = vec![0xa5; 128];
    let mut len = 128;
    // SAFETY: the room is as long as it says.
    let status = call(|| unsafe { sk_addr_to_sockaddr(address, room.as_mut_ptr().cast(), &mut len) });
    if status < 0 {
        assert!(len == 128 && room.iter().all(|&byte| byte == 0xa5));
        return Err(status);
    }
    assert!(room[len as usize..].iter().all(|&byte| byte == 0xa5));
    room.truncate(len as usize);
    let mut small = vec![0; room.len() - 1];
    let mut less = len - 1;
    // SAFETY: as above.
    let status = call(|| unsafe { sk_addr_to_sockaddr(address, small.as_mut_ptr().cast(), &mut less) });
    assert!(is_one_of(status, &[SK_ENOBUFS]) && less == len - 1, "{}", name(status));
    Ok(room)
}

fn from_sockaddr(raw: &[u8]) -> Result<sk_addr, i32> {
    // SAFETY: it is as long as it says.
    address(|out| unsafe { sk_addr_from_sockaddr(raw.as_ptr().cast(), raw.len() as u32, out) })
}

/// Any bytes where a sockaddr is expected.
fn one_sockaddr(data: &[u8]) {
    // A copy of exactly that size, aligned to nothing.
    let copy: Box<[u8]> = data.into();
    match from_sockaddr(&copy) {
        Ok(address) => {
            let again = from_sockaddr(&to_sockaddr(&address).expect("a sockaddr")).expect("an address");
            assert!(equal(&address, &again), "{address:?}, {again:?}");
            round_trip(&address);
        }
        Err(error) => assert!(is_one_of(error, &[SK_EINVAL, SK_EAFNOSUPPORT]), "{}", name(error)),
    }
}
