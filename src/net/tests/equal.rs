//! What counts in a comparison.

use super::{unix, v4, v6};
use crate::net::address::{Address, SK_UNIX_PATH_MAX};
use crate::net::equal::equal;

fn differ(a: &Address, b: &Address) {
    assert!(!equal(a, b) && !equal(b, a), "{a:?} {b:?}");
}

fn agree(a: &Address, b: &Address) {
    assert!(equal(a, b) && equal(b, a), "{a:?} {b:?}");
}

/// The address with every field that it does not use filled.
fn filled(address: Address) -> Address {
    let noise = Address { flow_info: 7, ..address };
    match address.family {
        1 => {
            let mut ip = [9; 16];
            ip[..4].copy_from_slice(&address.ip[..4]);
            Address { scope_id: 7, path_len: 7, path: [7; SK_UNIX_PATH_MAX], ip, ..noise }
        }
        2 => Address { path_len: 7, path: [7; SK_UNIX_PATH_MAX], ..noise },
        3 => {
            let mut path = [7; SK_UNIX_PATH_MAX];
            let used = address.path_len as usize;
            path[..used].copy_from_slice(&address.path[..used]);
            Address { port: 7, scope_id: 7, ip: [7; 16], path, ..noise }
        }
        _ => Address { port: 7, scope_id: 7, path_len: 7, ip: [7; 16], path: [7; SK_UNIX_PATH_MAX], ..noise },
    }
}

#[test]
fn every_two() {
    let mut full = [b'a'; SK_UNIX_PATH_MAX];
    let long = unix(&full);
    full[SK_UNIX_PATH_MAX - 1] = b'b';
    let all = [
        Address::NONE,
        v4([1, 2, 3, 4], 80),
        v4([1, 2, 3, 4], 81),
        v4([1, 2, 3, 5], 80),
        v4([2, 2, 3, 4], 80),
        v4([0; 4], 0),
        v6([0, 0, 0, 0, 0, 0, 0, 1], 0, 80),
        v6([0, 0, 0, 0, 0, 0, 0, 1], 0, 81),
        v6([0, 0, 0, 0, 0, 0, 0, 1], 1, 80),
        v6([0, 0, 0, 0, 0, 0, 0, 2], 0, 80),
        v6([0x102, 0x304, 0, 0, 0, 0, 0, 0], 0, 80),
        v6([0, 0, 0, 0, 0, 0xffff, 0x102, 0x304], 0, 80),
        v6([0; 8], 0, 0),
        unix(b""),
        unix(b"\0"),
        unix(b"\0\0"),
        unix(b"\0a"),
        unix(b"\0a\0"),
        unix(b"\0a\0b"),
        unix(b"a"),
        unix(b"/a"),
        unix(b"/b"),
        unix(b"/a/"),
        unix(&full),
        long,
        Address { family: 4, ..Address::NONE },
        Address { family: 256 + 1, ..v4([1, 2, 3, 4], 80) },
    ];
    for (i, a) in all.iter().enumerate() {
        for (j, b) in all.iter().enumerate() {
            if i == j {
                agree(a, b);
                agree(a, &filled(*b));
                agree(&filled(*a), &filled(*b));
            } else {
                differ(a, b);
                differ(a, &filled(*b));
            }
        }
    }
}

#[test]
fn a_unix_path_has_an_end() {
    // A closing NUL counted by mistake, and lengths beyond the array.
    agree(&unix(b"/a"), &unix(b"/a\0"));
    agree(&unix(b"/a\0b"), &unix(b"/a\0c"));
    let full = unix(&[b'a'; SK_UNIX_PATH_MAX]);
    agree(&full, &Address { path_len: u32::MAX, ..full });
}
