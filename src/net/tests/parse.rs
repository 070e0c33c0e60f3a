//! What the readers take, and how they refuse the rest.

use super::{same, shown, unix, v4, v6};
use crate::error::{Code, Result};
use crate::net::address::Address;
use crate::net::parse::{parse, parse_ip, parse_unix};
use std::vec::Vec;

fn takes(result: Result<Address>, text: &[u8], expected: Address) {
    match result {
        Ok(address) => assert!(same(&address, &expected), "{} -> {address:?}", shown(text)),
        Err(error) => panic!("{}: {error}", shown(text)),
    }
}

fn refuses(result: Result<Address>, text: &[u8], code: Code) {
    match result {
        Ok(address) => panic!("{} -> {address:?}", shown(text)),
        Err(error) => assert_eq!(error.code, code, "{}", shown(text)),
    }
}

const LOOPBACK: [u16; 8] = [0, 0, 0, 0, 0, 0, 0, 1];
const LINK: [u16; 8] = [0xfe80, 0, 0, 0, 0, 0, 0, 1];

#[test]
fn internet_addresses() {
    let mapped = [0, 0, 0, 0, 0, 0xffff, 0x102, 0x304];
    for (text, expected) in [
        ("127.0.0.1:80", v4([127, 0, 0, 1], 80)),
        ("10.0.0.1", v4([10, 0, 0, 1], 0)),
        ("0.0.0.0:0", v4([0; 4], 0)),
        ("255.255.255.255:65535", v4([255; 4], 65535)),
        ("[::1]:80", v6(LOOPBACK, 0, 80)),
        ("[::1]:0", v6(LOOPBACK, 0, 0)),
        ("[::1]", v6(LOOPBACK, 0, 0)),
        ("::1", v6(LOOPBACK, 0, 0)),
        ("::", v6([0; 8], 0, 0)),
        ("::1:80", v6([0, 0, 0, 0, 0, 0, 1, 0x80], 0, 0)),
        ("1::", v6([1, 0, 0, 0, 0, 0, 0, 0], 0, 0)),
        ("1:2:3:4:5:6:7:8", v6([1, 2, 3, 4, 5, 6, 7, 8], 0, 0)),
        ("1:2:3:4:5:6:7::", v6([1, 2, 3, 4, 5, 6, 7, 0], 0, 0)),
        ("::2:3:4:5:6:7:8", v6([0, 2, 3, 4, 5, 6, 7, 8], 0, 0)),
        ("2001:DB8::aBcD:00ff", v6([0x2001, 0xdb8, 0, 0, 0, 0, 0xabcd, 0xff], 0, 0)),
        ("::ffff:1.2.3.4", v6(mapped, 0, 0)),
        ("[::ffff:1.2.3.4]:5", v6(mapped, 0, 5)),
        ("0:0:0:0:0:ffff:1.2.3.4", v6(mapped, 0, 0)),
        ("1:2:3:4:5::1.2.3.4", v6([1, 2, 3, 4, 5, 0, 0x102, 0x304], 0, 0)),
        ("fe80::1%3", v6(LINK, 3, 0)),
        ("[fe80::1%3]:80", v6(LINK, 3, 80)),
        ("[fe80::1%3]", v6(LINK, 3, 0)),
        ("::1%4294967295", v6(LOOPBACK, u32::MAX, 0)),
        ("::1%0", v6(LOOPBACK, 0, 0)),
        ("::1%00000000000000000007", v6(LOOPBACK, 7, 0)),
    ] {
        takes(parse(text.as_bytes()), text.as_bytes(), expected);
    }
}

#[test]
fn no_addresses() {
    for text in [
        "",
        " ",
        "localhost",
        "example.org:80",
        ":80",
        "80",
        ":",
        "[",
        "]",
        "[]",
        "[]:80",
        "%",
        "%3",
        "tcp://1.2.3.4:80",
        "127.1",
        "127.1:80",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.",
        ".1.2.3",
        "1..2.3",
        "1.2.3.4.",
        "2130706433",
        "0x7f.0.0.1",
        "256.0.0.1",
        "1.2.3.999",
        "1.2.3.4294967297",
        "01.2.3.4",
        "1.2.3.04",
        "00.0.0.0",
        "1.2.3.+4",
        "-1.2.3.4",
        "1.2.3.a",
        " 1.2.3.4",
        "1.2.3.4 ",
        "1.2.3.4\n",
        "1. 2.3.4",
        "1.2.3.4 :80",
        "1.2.3.4: 80",
        "1.2.3.4:80 ",
        "1.2.3.4\0",
        "1.2.3.4/24",
        "1.2.3.4:",
        "1.2.3.4:080",
        "1.2.3.4:00",
        "1.2.3.4:65536",
        "1.2.3.4:4294967376",
        "1.2.3.4:99999999999999999999",
        "1.2.3.4:-1",
        "1.2.3.4:+80",
        "1.2.3.4:http",
        "1.2.3.4:0x50",
        "1.2.3.4::80",
        "1.2.3.4:80:80",
        "1.2.3.4%3",
        "1.2.3.4%3:80",
        "1.2.3.4%lo",
        "[1.2.3.4]",
        "[1.2.3.4]:80",
        "[1.2.3.4%3]:80",
        "[::1]:",
        "[::1]:080",
        "[::1]:65536",
        "[::1]80",
        "[::1] :80",
        "[::1]]:80",
        "[::1]x",
        "[::1",
        "::1]",
        "[::1:80",
        "::1]:80",
        "[[::1]]:80",
        "[ ::1]:80",
        "[::1]:80]",
        " ::1",
        "::1 ",
        ":::",
        "::::",
        "1:::2",
        "1::2::3",
        "::1::",
        ":1::",
        "::1:",
        ":1",
        "1:",
        ":1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7:8:",
        "1:2:3:4::5:6:7:8",
        "::1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7:8::",
        "12345::",
        "::00001",
        "::g",
        "::-1",
        "::0x1",
        "1.2.3.4::",
        "1:1.2.3.4::",
        "1:1.2.3.4::1",
        "::1.2.3.4:5",
        "::1.2.3.4:1.2.3.4",
        "1:2:3:4:5:6:7:1.2.3.4",
        "1:2:3:4:5:6::1.2.3.4",
        "1:2:3:4:5:1.2.3.4",
        "::1.2.3",
        "::1.2.3.04",
        "::1.2.3.256",
        "1.2.3.4:5::",
        "::ffff:1.2.3.4:80:",
        "fe80::1%",
        "[fe80::1%]:80",
        "[fe80::1%]",
        "fe80::1%4294967296",
        "fe80::1%99999999999999999999",
        "%3::1",
        "::%3:1",
        "fe80::1%lo:80",
        "[fe80::1%lo:1]:80",
        "fe80::1%lo ",
        "fe80::1% lo",
        "fe80::1%l/o",
        "fe80::1%lo\n",
        "fe80::1%lo\0",
        "[fe80::1]%lo",
        "[fe80::1%3]:",
        "[fe80::1%nosuch]:x",
        "[fe80::1%nosuch",
        "x%nosuch",
        "x%an-interface-name-too-long",
        "unix",
        "UNIX:/a",
        "Unix:/a",
        " unix:/a",
        "unix /a",
    ] {
        refuses(parse(text.as_bytes()), text.as_bytes(), Code::SK_EADDRFORMAT);
    }
}

#[test]
fn a_host_alone() {
    for (text, expected) in [
        ("10.0.0.1", v4([10, 0, 0, 1], 0)),
        ("::1", v6(LOOPBACK, 0, 0)),
        ("fe80::1%3", v6(LINK, 3, 0)),
        ("::ffff:1.2.3.4", v6([0, 0, 0, 0, 0, 0xffff, 0x102, 0x304], 0, 0)),
    ] {
        takes(parse_ip(text.as_bytes()), text.as_bytes(), expected);
    }
    for text in [
        "",
        "10.0.0.1:80",
        "[::1]",
        "[::1]:80",
        "unix:/a",
        "/a",
        "@a",
        "localhost",
        "1.2.3.4%3",
        "fe80::1%",
        "127.1",
        "*",
    ] {
        refuses(parse_ip(text.as_bytes()), text.as_bytes(), Code::SK_EADDRFORMAT);
    }
}

#[test]
fn unix_addresses() {
    for (text, name) in [
        ("unix:", &b""[..]),
        ("unix:/run/a.sock", b"/run/a.sock"),
        ("unix:///run/a.sock", b"/run/a.sock"),
        ("unix:////run", b"//run"),
        ("unix:///", b"/"),
        ("unix:////", b"//"),
        ("unix:/", b"/"),
        ("unix:a", b"a"),
        ("unix:./a b", b"./a b"),
        ("unix:/a//b", b"/a//b"),
        ("unix:unix:", b"unix:"),
        ("unix:1.2.3.4:80", b"1.2.3.4:80"),
        ("unix:@name", b"\0name"),
        ("unix:@", b"\0"),
        ("unix:@@", b"\0@"),
        ("unix:@//a", b"\0//a"),
        (r"unix:@a\x00b", b"\0a\0b"),
        (r"unix:@\x00\x00", b"\0\0\0"),
        (r"unix:\x40foo", b"@foo"),
        (r"unix:\x2f\x2Fa", b"//a"),
        (r"unix:///\x2f", b"//"),
        (r"unix:\x5c\x5Cx41", br"\\x41"),
        (r"unix:/\x01\x1f\x7f\x0a\xff", b"/\x01\x1f\x7f\n\xff"),
        ("unix:/é", "/é".as_bytes()),
    ] {
        takes(parse(text.as_bytes()), text.as_bytes(), unix(name));
    }
    takes(parse(b"unix:/\x80\xff"), b"80 ff", unix(b"/\x80\xff"));
}

#[test]
fn no_unix_addresses() {
    for text in [
        "unix://",
        "unix://a",
        "unix://@name",
        "unix://host/a",
        r"unix://\x2fa",
        r"unix:\",
        r"unix:/\",
        r"unix:/\\",
        r"unix:/\n",
        r"unix:/\x",
        r"unix:/\x4",
        r"unix:/\x4g",
        r"unix:/\xg4",
        r"unix:/\X41",
        r"unix:/\x 1",
        r"unix:/\x+1",
        r"unix:@\",
        r"unix:@\\",
        r"unix:\@a",
        r"unix:\x00",
        r"unix:\x00name",
        r"unix:/a\x00",
        r"unix:/a\x00b",
        "unix:/a\0",
        "unix:@a\0",
        "unix:/\n",
        "unix:/\x1f",
        "unix:/\x7f",
        "unix:@\x01",
        "unix:\t",
    ] {
        refuses(parse(text.as_bytes()), text.as_bytes(), Code::SK_EADDRFORMAT);
    }
    for byte in (0..0x20).chain([0x7f]) {
        refuses(parse(&[b"unix:/a", &[byte][..]].concat()), &[byte], Code::SK_EADDRFORMAT);
    }
}

#[test]
fn length_of_unix_texts() {
    for (prefix, first) in [("unix:", ""), ("unix:@", "\0"), ("unix:///", "/"), (r"unix:\x40", "@")] {
        for piece in ["a", r"\x61"] {
            let with = |count: usize| [prefix, &piece.repeat(count)].concat().into_bytes();
            let name = [first, &"a".repeat(108 - first.len())].concat();
            let count = 108 - first.len();
            takes(parse(&with(count)), &with(count), unix(name.as_bytes()));
            for longer in [1, 2, 100, 10_000] {
                refuses(parse(&with(count + longer)), &with(count + longer), Code::SK_ENAMETOOLONG);
            }
            // What is no text at all is not too long.
            let wrong = [&with(200)[..], br"\"].concat();
            refuses(parse(&wrong), &wrong, Code::SK_EADDRFORMAT);
        }
    }
}

#[test]
fn unix_names_as_they_are() {
    for (name, expected) in [
        (&b""[..], &b""[..]),
        (b"/run/a", b"/run/a"),
        (b"a", b"a"),
        (b"//", b"//"),
        (b"unix:/a", b"unix:/a"),
        (b"@name", b"\0name"),
        (b"@", b"\0"),
        (b"@@", b"\0@"),
        (br"\x40a", br"\x40a"),
        (br"/a\", br"/a\"),
        (b"/\x01\x7f\xff ", b"/\x01\x7f\xff "),
    ] {
        takes(parse_unix(name), name, unix(expected));
    }
    let full: Vec<u8> = [b'a'; 108].into();
    takes(parse_unix(&full), &full, unix(&full));
    let hidden = [b"@", &full[1..]].concat();
    takes(parse_unix(&hidden), &hidden, unix(&[b"\0", &full[1..]].concat()));
    for longer in [1, 2, 10_000] {
        let more = std::vec![b'a'; longer];
        refuses(parse_unix(&[&full[..], &more].concat()), &full, Code::SK_ENAMETOOLONG);
        refuses(parse_unix(&[&hidden[..], &more].concat()), &hidden, Code::SK_ENAMETOOLONG);
    }
}
