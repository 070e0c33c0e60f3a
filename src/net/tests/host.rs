//! Which texts may be the names of hosts.

use std::vec::Vec;

use super::shown;
use crate::error::Code;
use crate::net::host::Name;

fn longest(label: usize, extra: usize) -> Vec<u8> {
    let mut name: Vec<u8> = "a".repeat(label).into_bytes();
    while name.len() < 253 + extra {
        name.extend([b'.', b'b']);
    }
    name.truncate(253 + extra);
    name
}

#[test]
fn names() {
    let long_label = "a".repeat(63);
    for name in [
        "localhost",
        "example.org",
        "example.org.",
        "a",
        "1.example",
        "127.1.x",
        "3com.com",
        "my_service",
        "xn--bcher-kva.example",
        "b\u{fc}cher.example",
        "0xg",
        "x0x1",
        long_label.as_str(),
    ] {
        match Name::new(name.as_bytes()) {
            Ok(taken) => assert_eq!(taken.as_c().to_bytes(), name.as_bytes()),
            Err(error) => panic!("{name}: {error}"),
        }
    }
    let most = longest(63, 0);
    assert_eq!(Name::new(&most).ok().unwrap().as_c().to_bytes(), most);
    let and_a_dot = [most.as_slice(), b"."].concat();
    assert_eq!(Name::new(&and_a_dot).ok().unwrap().as_c().to_bytes(), and_a_dot);
}

#[test]
fn no_names() {
    for name in [
        "",
        ".",
        "..",
        ".a",
        "a..b",
        "a..",
        " ",
        "a b",
        "a:1",
        "[::1]",
        "a/b",
        "a@b",
        "a%b",
        "*",
        "a\tb",
        "a\\b",
        // What inet_aton(3) takes for addresses.
        "1",
        "127.1",
        "127.0.0.01",
        "1.2.3",
        "1.2.3.4.5",
        "4294967295",
        "0x7f000001",
        "0x7f.1",
        "1.0x",
        "0X1",
        "a.1",
        "127.1.",
    ] {
        assert_eq!(
            Name::new(name.as_bytes()).err().map(|error| error.code),
            Some(Code::SK_EADDRFORMAT),
            "{name}"
        );
    }
    let label = "a".repeat(64);
    let dots = [label.as_str(), "b"].join(".");
    for name in [
        longest(63, 2),
        longest(60, 200),
        label.into_bytes(),
        dots.into_bytes(),
        "x".repeat(100_000).into_bytes(),
    ] {
        let code = Name::new(&name).err().map(|error| error.code);
        assert_eq!(code, Some(Code::SK_ENAMETOOLONG), "{}", shown(&name));
    }
}
