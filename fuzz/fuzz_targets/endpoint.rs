//! Texts of endpoints to `sk_dial` and `sk_serve`, against what core::net and the target `address`
//! say of their parts. Nothing leaves this machine and no file is made: names are dialled with limit
//! 0, which asks nobody; TCP goes to loopback only; UDP is only told where to, which sends nothing;
//! and ports are left alone from 10 on, where others may be.
#![no_main]

use std::ffi::{CStr, OsStr};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use sk_fuzz::*;

fuzz_target!(|data: &[u8]| one_endpoint(&text(data)));

#[derive(Debug)]
enum Place {
    /// No endpoint.
    Bad,
    Any {
        port: u16,
    },
    Ip(sk_addr),
    /// A name, or no endpoint: which names there may be only the library says.
    Name {
        port: u16,
    },
    Unix(sk_addr),
}

/// The type, and the place as we understand it.
fn understand(text: &[u8]) -> (sk_type, Place) {
    use sk_type::*;
    for (scheme, carries) in [("tcp://", SK_STREAM), ("udp://", SK_DGRAM)] {
        if let Some(rest) = text.strip_prefix(scheme.as_bytes()) {
            return (carries, internet(rest));
        }
    }
    for (scheme, carries) in
        [("unix:", SK_STREAM), ("unix-dgram:", SK_DGRAM), ("unix-seqpacket:", SK_SEQPACKET)]
    {
        let name = text.strip_prefix(scheme.as_bytes()).and_then(|rest| rest.strip_prefix(b"//"));
        if let Some(name @ [b'/' | b'@', ..]) = name
            && name != b"@"
        {
            // A path keeps the "//" of its authority.
            let authority: &[u8] = if name[0] == b'/' { b"unix://" } else { b"unix:" };
            return (carries, address_or_bad(&[authority, name].concat(), Place::Unix));
        }
    }
    (SK_STREAM, Place::Bad)
}

fn address_or_bad(bytes: &[u8], place: fn(sk_addr) -> Place) -> Place {
    parse(&text(bytes)).map_or(Place::Bad, place)
}

fn internet(rest: &[u8]) -> Place {
    let Some(colon) = rest.iter().rposition(|&byte| byte == b':') else { return Place::Bad };
    let (host, digits) = (&rest[..colon], &rest[colon + 1..]);
    let Some(port) = port(digits) else { return Place::Bad };
    match host {
        [] => Place::Any { port },
        [b'[', .., b']'] => address_or_bad(rest, Place::Ip),
        [b'[', ..] => Place::Bad,
        _ if host.contains(&b':') => Place::Bad,
        _ if str::from_utf8(host).is_ok_and(|host| host.parse::<Ipv4Addr>().is_ok()) => {
            address_or_bad(rest, Place::Ip)
        }
        _ => Place::Name { port },
    }
}

fn port(digits: &[u8]) -> Option<u16> {
    let is_plain =
        digits.iter().all(u8::is_ascii_digit) && (digits.len() == 1 || digits.first() != Some(&b'0'));
    str::from_utf8(digits).ok().filter(|_| is_plain)?.parse().ok()
}

const BAD: &[sk_error] = &[SK_EADDRFORMAT, SK_ENAMETOOLONG, SK_ENOENT];

fn one_endpoint(text: &CStr) {
    let (carries, place) = understand(text.to_bytes());
    match place {
        Place::Bad => {
            for result in [dial(text), serve(text)] {
                assert!(is_one_of(result, BAD), "{text:?}: {}", name(result));
            }
        }
        Place::Name { port } => {
            let result = dial(text);
            let ours = [SK_EADDRFORMAT, SK_ENAMETOOLONG, SK_EAGAIN];
            assert!(is_one_of(result, &ours), "{text:?}: {}", name(result));
            assert!(port != 0 || !is_one_of(result, &[SK_EAGAIN]), "{text:?}");
        }
        Place::Any { port } => {
            let result = dial(text);
            assert!(is_one_of(result, &[SK_EADDRFORMAT]), "{text:?}: {}", name(result));
            if port < 10 {
                let any = sk_addr { family: sk_family::SK_INET6 as u16, port, ..sk_addr::NONE };
                serve_and_close(text, carries, &any);
            }
        }
        Place::Ip(address) => one_ip(text, carries, &address),
        Place::Unix(address) => one_unix(text, carries, &address),
    }
}

fn one_ip(text: &CStr, carries: sk_type, address: &sk_addr) {
    let ip = match *address {
        sk_addr { family: 1, ip: [a, b, c, d, ..], .. } => IpAddr::from([a, b, c, d]),
        sk_addr { ip, .. } => Ipv6Addr::from(ip).to_canonical(),
    };
    if address.port == 0 {
        let result = dial(text);
        assert!(is_one_of(result, &[SK_EADDRFORMAT]), "{text:?}: {}", name(result));
    } else if carries == sk_type::SK_DGRAM || ip.is_loopback() && address.port < 10 {
        let errors = [
            SK_ENETUNREACH,
            SK_EHOSTUNREACH,
            SK_EACCES,
            SK_EADDRNOTAVAIL,
            SK_ECONNREFUSED,
            SK_EINVAL,
            SK_EAFNOSUPPORT,
            SK_ENOENT,
        ];
        let result = dial(text);
        if expect("dial", result, &errors) {
            // Where to an unspecified address leads the system decides.
            if carries == sk_type::SK_DGRAM && !ip.is_unspecified() {
                let peer = peer(result);
                // The scope counts for the system only where it must.
                let peer = sk_addr { scope_id: address.scope_id, ..peer };
                let address = canonical(address);
                assert!(equal(&peer, &address), "{text:?}: {peer:?} for {address:?}");
            }
            close(result);
        }
    }
    if address.port < 10 {
        serve_and_close(text, carries, address);
    }
}

/// IPv4 in its IPv6 form is shown as IPv4.
fn canonical(address: &sk_addr) -> sk_addr {
    match Ipv6Addr::from(address.ip).to_ipv4_mapped() {
        Some(four) if address.family == 2 => {
            let mut ip = [0; 16];
            ip[..4].copy_from_slice(&four.octets());
            sk_addr { family: 1, scope_id: 0, ip, ..*address }
        }
        _ => *address,
    }
}

fn one_unix(text: &CStr, carries: sk_type, address: &sk_addr) {
    if address.path[0] != 0 {
        let path = address.path.map(|byte| byte as u8);
        let end = path.iter().position(|&byte| byte == 0).unwrap_or(path.len());
        if !Path::new(OsStr::from_bytes(&path[..end])).exists() {
            let result = dial(text);
            let errors = [SK_ENOENT, SK_ECONNREFUSED, SK_EACCES, SK_EOTHER, SK_ENAMETOOLONG];
            assert!(is_one_of(result, &errors), "{text:?}: {}", name(result));
        }
        return;
    }
    let server = serve(text);
    if !expect("serve", server, &[SK_EADDRINUSE]) {
        return;
    }
    same(text, &local(server), address);
    let client = dial(text);
    assert!(client > 0, "{text:?}: {}", name(client));
    same(text, &peer(client), address);
    let mut option = 0;
    // SAFETY: room for a value.
    must("type", || unsafe { sk_get_option(client, sk_option::SK_OPT_TYPE as i32, &mut option) });
    assert_eq!(option, carries as i64);
    close(client);
    close(server);
}

fn serve_and_close(text: &CStr, carries: sk_type, address: &sk_addr) {
    let server = serve(text);
    let errors = [SK_EADDRINUSE, SK_EACCES, SK_EADDRNOTAVAIL, SK_EAFNOSUPPORT, SK_EINVAL, SK_ENOENT];
    if !expect("serve", server, &errors) {
        return;
    }
    let local = local(server);
    assert!(local.port != 0 && (address.port == 0 || address.port == local.port), "{text:?}: {local:?}");
    let address = canonical(address);
    let is_any = address.ip == [0; 16];
    let local = sk_addr { port: address.port, scope_id: address.scope_id, ..local };
    assert!(is_any || equal(&local, &address), "{text:?}: {local:?} for {address:?}");
    let mut listening = 0;
    // SAFETY: room for a value.
    must("listening", || unsafe {
        sk_get_option(server, sk_option::SK_OPT_LISTENING as i32, &mut listening)
    });
    assert_eq!(listening, i64::from(carries == sk_type::SK_STREAM));
    close(server);
}

fn same(text: &CStr, a: &sk_addr, b: &sk_addr) {
    assert!(equal(a, b), "{text:?}: {a:?}, {b:?}");
}

fn dial(text: &CStr) -> sk_handle {
    // SAFETY: a string.
    call(|| unsafe { sk_dial(text.as_ptr(), 0) })
}

fn serve(text: &CStr) -> sk_handle {
    // SAFETY: a string.
    call(|| unsafe { sk_serve(text.as_ptr(), 4) })
}

fn local(s: sk_handle) -> sk_addr {
    // SAFETY: room for an address.
    address(|out| unsafe { sk_local_addr(s, out) }).expect("a local address")
}

fn peer(s: sk_handle) -> sk_addr {
    // SAFETY: room for an address.
    address(|out| unsafe { sk_peer_addr(s, out) }).expect("a peer")
}

fn close(s: sk_handle) {
    must("close", || sk_close(s));
}
