//! The same verdicts and the same texts as Rust's own parsers and writers, where those are
//! as strict: they take leading zeros in ports, we don't.

use super::{same, shown, text, v4, v6};
use crate::error::Code;
use crate::net::address::Address;
use crate::net::parse::{parse, parse_ip};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};
use std::string::{String, ToString};
use std::vec::Vec;

fn rust_host(text: &str) -> Option<Address> {
    if let Ok(ip) = text.parse::<Ipv4Addr>() {
        return Some(v4(ip.octets(), 0));
    }
    // Rust reads zones only together with a port.
    let whole = std::format!("[{text}]:0").parse::<SocketAddrV6>().ok()?;
    Some(v6(whole.ip().segments(), whole.scope_id(), 0))
}

fn rust(text: &str) -> Option<Address> {
    if let Some(address) = rust_host(text) {
        return Some(address);
    }
    if let Some(inside) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return rust_host(inside).filter(|address| address.family == 2);
    }
    let port = text.rsplit(':').next().unwrap_or_default();
    if port.len() > 1 && port.starts_with('0') {
        return None;
    }
    if let Ok(whole) = text.parse::<SocketAddrV4>() {
        return Some(v4(whole.ip().octets(), whole.port()));
    }
    let whole = text.parse::<SocketAddrV6>().ok()?;
    Some(v6(whole.ip().segments(), whole.scope_id(), whole.port()))
}

fn agree(text: &str) -> Result<(), TestCaseError> {
    for (ours, theirs) in [(parse(text.as_bytes()), rust(text)), (parse_ip(text.as_bytes()), rust_host(text))]
    {
        match (ours, theirs) {
            (Ok(ours), Some(theirs)) => {
                prop_assert!(same(&ours, &theirs), "{text}: {ours:?}, {theirs:?}")
            }
            // Rust knows no names of interfaces.
            (Ok(ours), None) => {
                prop_assert!(ours.scope_id != 0 && text.contains('%'), "{text}: {ours:?}")
            }
            (Err(error), None) if error.code != Code::SK_EADDRFORMAT => {
                prop_assert!(text.contains('%'), "{text}: {error}");
            }
            (Err(_), None) => {}
            (Err(error), Some(theirs)) => prop_assert!(false, "{text}: {error}, {theirs:?}"),
        }
    }
    Ok(())
}

fn groups() -> impl Strategy<Value = [u16; 8]> {
    let group = prop_oneof![3 => Just(0), 1 => Just(0xffff), 1 => any::<u16>()];
    proptest::array::uniform8(group)
}

/// An index that no interface has.
fn scopes() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), 0x4000_0000..u32::MAX]
}

/// Pieces in the order of an address, some left out, some too many.
fn pieced() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => "[0-9a-fA-F]{1,4}:",
        1 => Just(":".to_string()),
        1 => Just("::".to_string()),
        1 => "[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}:?",
    ];
    (prop::collection::vec(piece, 0..11), "[0-9a-f]{0,5}").prop_map(|(pieces, end)| pieces.concat() + &end)
}

fn valid() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(|ip| Ipv4Addr::from(ip).to_string()),
        (any::<[u8; 4]>(), any::<u16>())
            .prop_map(|(ip, port)| SocketAddrV4::new(ip.into(), port).to_string()),
        groups().prop_map(|ip| Ipv6Addr::from(ip).to_string()),
        (groups(), any::<u16>(), any::<u32>()).prop_map(|(ip, port, scope)| SocketAddrV6::new(
            ip.into(),
            port,
            0,
            scope
        )
        .to_string()),
    ]
}

fn mutated() -> impl Strategy<Value = String> {
    let alphabet = select("0123456789abcdefABCDEFg:::::....[[]]%% +-/x".chars().collect::<Vec<_>>());
    let edits = prop::collection::vec((any::<Index>(), 0..3u8, alphabet), 0..4);
    (prop_oneof![valid(), pieced()], edits).prop_map(|(text, edits)| {
        let mut text: Vec<char> = text.chars().collect();
        for (at, edit, with) in edits {
            let at = at.index(text.len() + 1);
            if edit == 0 || at == text.len() {
                text.insert(at, with);
            } else if edit == 1 {
                text[at] = with;
            } else {
                text.remove(at);
            }
        }
        text.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn valid_texts(text in valid()) {
        prop_assert!(rust(&text).is_some(), "{text}");
        agree(&text)?;
    }

    #[test]
    fn mutated_texts(text in mutated()) {
        agree(&text)?;
    }

    #[test]
    fn random_texts(text in "[0-9a-f:.%\\[\\]]{0,12}") {
        agree(&text)?;
    }

    #[test]
    fn ipv4_texts(text in "(0|1|9|01|99|199|255|256|1000|)(\\.(0|1|9|00|99|199|255|256|)){2,4}(:(0|1|80|080|65535|65536|99999|))?") {
        agree(&text)?;
    }

    #[test]
    fn ipv6_texts(text in "\\[?(:|::)?((0|1|ab|fFfF|00ff|):){0,8}(:?0|:?1|1\\.2\\.3\\.4|)(%[0-9]{0,11})?(\\](:[0-9]{0,5})?)?") {
        agree(&text)?;
    }

    #[test]
    fn the_same_ipv4_text(ip: [u8; 4], port in 1u16..) {
        let ip = Ipv4Addr::from(ip);
        prop_assert_eq!(shown(&text(&v4(ip.octets(), 0))), ip.to_string());
        prop_assert_eq!(shown(&text(&v4(ip.octets(), port))), SocketAddrV4::new(ip, port).to_string());
    }

    #[test]
    fn the_same_ipv6_text(ip in groups(), scope in scopes(), port in 1u16..) {
        let whole = SocketAddrV6::new(ip.into(), port, 0, scope);
        prop_assert_eq!(shown(&text(&v6(ip, 0, 0))), whole.ip().to_string());
        prop_assert_eq!(shown(&text(&v6(ip, scope, port))), whole.to_string());
    }
}
