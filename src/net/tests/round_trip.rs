//! What is formatted parses back to an equal address, whatever the address.

use super::{STRLEN, shown, text};
use crate::net::address::{Address, SK_UNIX_PATH_MAX};
use crate::net::equal::equal;
use crate::net::format::format;
use crate::net::parse::{parse, parse_unix};
use core::ffi::c_char;
use proptest::array::uniform8;
use proptest::prelude::*;

fn addresses() -> impl Strategy<Value = Address> {
    let group = prop_oneof![3 => Just(0), 1 => Just(0xffff), 1 => 1..16u16, 1 => any::<u16>()];
    let byte = prop_oneof![1 => Just(0), 1 => Just(b'@'), 1 => Just(b'\\'), 2 => Just(b'/'), 1 => 0..0x20u8, 3 => 0x20..0x80u8, 1 => any::<u8>()];
    let scope = prop_oneof![2 => Just(0), 1 => 1..8u32, 1 => any::<u32>()];
    let path_len = prop_oneof![1 => Just(0), 4 => 0..=108u32, 1 => any::<u32>()];
    let family = prop_oneof![1 => Just(0), 2 => Just(1), 4 => Just(2), 6 => Just(3), 1 => any::<u16>()];
    let port = prop_oneof![1 => Just(0), 2 => any::<u16>()];
    let path = prop::collection::vec(byte, SK_UNIX_PATH_MAX);
    (family, port, scope, any::<u32>(), path_len, uniform8(group), path).prop_map(
        |(family, port, scope_id, flow_info, path_len, groups, path)| {
            let ip = std::net::Ipv6Addr::from(groups).octets();
            let path = core::array::from_fn(|at| path[at] as c_char);
            Address { family, port, scope_id, flow_info, path_len, ip, path }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn formatted_and_read_back(address in addresses()) {
        let first = text(&address);
        if !(1..=3).contains(&address.family) {
            prop_assert_eq!(first, b"");
            return Ok(());
        }
        let back = match parse(&first) {
            Ok(back) => back,
            Err(error) => return Err(TestCaseError::fail(std::format!("{}: {error}", shown(&first)))),
        };
        prop_assert!(equal(&address, &back), "{} -> {back:?}", shown(&first));
        prop_assert_eq!(text(&back), first);
        prop_assert_eq!(back.flow_info, 0);
    }

    #[test]
    fn a_cut_text_is_a_beginning(address in addresses(), room in 0..STRLEN) {
        let whole = text(&address);
        let mut out = std::vec![0xaa; room];
        prop_assert_eq!(format(&address, &mut out), whole.len());
        if let Some(most) = room.checked_sub(1) {
            let kept = whole.len().min(most);
            prop_assert_eq!(&out[..kept], &whole[..kept]);
            prop_assert_eq!(out[kept], 0);
            prop_assert!(out[kept + 1..].iter().all(|&byte| byte == 0xaa));
        }
    }

    #[test]
    fn any_bytes_are_answered(text in prop::collection::vec(any::<u8>(), 0..200), prefix in 0..4usize) {
        let prefix: &[u8] = [&b""[..], b"unix:", b"unix:@", b"["][prefix];
        if let Ok(address) = parse(&[prefix, &text].concat()) {
            let again = parse(&super::text(&address));
            prop_assert!(again.is_ok_and(|again| equal(&address, &again)));
        }
    }

    #[test]
    fn a_name_without_escapes(name in prop::collection::vec(1..=255u8, 0..=108)) {
        let address = parse_unix(&name);
        let back = address.and_then(|address| parse(&text(&address)));
        prop_assert!(back.is_ok_and(|back| address.is_ok_and(|address| equal(&address, &back))));
    }
}
