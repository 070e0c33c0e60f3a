//! Which texts are endpoints, and of what.

use std::format;
use std::string::String;

use proptest::prelude::*;

use super::{same, shown, text, unix, v4, v6};
use crate::error::Code;
use crate::net::address::Address;
use crate::net::endpoint::{Place, Scheme, parse};

fn place_of(text: &[u8]) -> Result<(Scheme, Place), Code> {
    parse(text).map_err(|error| error.code)
}

fn is_at(text: &str, scheme: Scheme, address: Address) {
    match place_of(text.as_bytes()) {
        Ok((taken, Place::Address(there))) => {
            assert_eq!(taken, scheme, "{text}");
            assert!(same(&there, &address), "{text} -> {there:?}");
        }
        Ok(_) => panic!("{text}: another place"),
        Err(code) => panic!("{text}: {code:?}"),
    }
}

#[test]
fn addresses() {
    use Scheme::*;
    is_at("tcp://127.0.0.1:80", Tcp, v4([127, 0, 0, 1], 80));
    is_at("udp://10.0.0.1:65535", Udp, v4([10, 0, 0, 1], 65535));
    is_at("tcp://0.0.0.0:0", Tcp, v4([0; 4], 0));
    is_at("tcp://[::1]:80", Tcp, v6([0, 0, 0, 0, 0, 0, 0, 1], 0, 80));
    is_at("udp://[::]:0", Udp, v6([0; 8], 0, 0));
    is_at("tcp://[fe80::1%3]:80", Tcp, v6([0xfe80, 0, 0, 0, 0, 0, 0, 1], 3, 80));
    is_at("unix:///run/a.sock", Unix, unix(b"/run/a.sock"));
    is_at("unix:////run/a", Unix, unix(b"//run/a"));
    is_at("unix-dgram:///p", UnixDgram, unix(b"/p"));
    is_at("unix-seqpacket:///p", UnixSeqpacket, unix(b"/p"));
    is_at("unix://@name", Unix, unix(b"\0name"));
    is_at("unix-dgram://@a b", UnixDgram, unix(b"\0a b"));
}

#[test]
fn escapes_are_undone_in_unix_names() {
    is_at("unix:///a\\x0ab\\x5c", Scheme::Unix, unix(b"/a\nb\\"));
    is_at("unix://@\\x00\\xff", Scheme::Unix, unix(b"\0\0\xff"));
    for text in ["unix:///a\\x00b", "unix:///a\\n", "unix:///a\\x5", "unix:///a\nb", "unix:///a\\xg0"] {
        assert_eq!(place_of(text.as_bytes()).err(), Some(Code::SK_EADDRFORMAT), "{text}");
    }
}

#[test]
fn names_and_every_address() {
    for (text, scheme, host, wanted) in [
        ("tcp://example.org:80", Scheme::Tcp, "example.org", 80),
        ("udp://localhost:0", Scheme::Udp, "localhost", 0),
        ("tcp://b\u{fc}cher.example.:1", Scheme::Tcp, "b\u{fc}cher.example.", 1),
    ] {
        match place_of(text.as_bytes()) {
            Ok((taken, Place::Name { name, port })) => {
                assert_eq!(
                    (taken, name.as_c().to_bytes(), port),
                    (scheme, host.as_bytes(), wanted),
                    "{text}"
                );
            }
            _ => panic!("{text}"),
        }
    }
    for (text, wanted) in [("tcp://:8080", 8080), ("udp://:0", 0)] {
        assert!(
            matches!(place_of(text.as_bytes()), Ok((_, Place::Any { port })) if port == wanted),
            "{text}"
        );
    }
}

#[test]
fn no_endpoints() {
    for text in [
        "",
        " ",
        "tcp",
        "tcp:",
        "tcp:/",
        "tcp://",
        "tcp:///",
        "://",
        ":80",
        "example.org:80",
        "127.0.0.1:80",
        "TCP://127.0.0.1:80",
        "tcp6://[::1]:80",
        "http://a:80",
        " tcp://127.0.0.1:80",
        "tcp://127.0.0.1:80 ",
        "tcp://127.0.0.1:80/",
        "tcp:127.0.0.1:80",
        "tcp:/127.0.0.1:80",
        "tcp://127.0.0.1",
        "tcp://127.0.0.1:",
        "tcp://127.0.0.1:080",
        "tcp://127.0.0.1:+1",
        "tcp://127.0.0.1:-1",
        "tcp://127.0.0.1:65536",
        "tcp://a:1:2",
        "tcp://127.0.0.1:http",
        "tcp://127.1:80",
        "tcp://1:80",
        "tcp://127.0.0.01:80",
        "tcp://0x7f000001:80",
        "tcp://::1:80",
        "tcp://::1",
        "tcp://[::1]",
        "tcp://[::1]:",
        "tcp://[::1:80",
        "tcp://::1]:80",
        "tcp://[]:80",
        "tcp://[127.0.0.1]:80",
        "tcp://[localhost]:80",
        "tcp://[::1]x:80",
        "tcp://[::1%]:80",
        "tcp://user@host:80",
        "tcp://a b:80",
        "tcp://a..b:80",
        "tcp://*:80",
        "unix:",
        "unix:/",
        "unix://",
        "unix:/run/a.sock",
        "unix:@name",
        "unix://@",
        "unix-seqpacket://@",
        "unix://run/a.sock",
        "unix://localhost/run",
        "unix-stream:///p",
        "unix-dgram:/p",
        "unix:///a\tb",
    ] {
        assert_eq!(place_of(text.as_bytes()).err(), Some(Code::SK_EADDRFORMAT), "{text:?}");
    }
}

#[test]
fn too_long() {
    let path = format!("unix:///{}", "p".repeat(107));
    is_at(&path, Scheme::Unix, unix(&path.as_bytes()["unix://".len()..]));
    for text in [
        format!("unix:///{}", "p".repeat(108)),
        format!("unix-dgram://@{}", "p".repeat(108)),
        format!("tcp://{}:80", "a.".repeat(128)),
        format!("tcp://{}:80", "a".repeat(64)),
        format!("tcp://[::1%{}]:80", "i".repeat(16)),
    ] {
        assert_eq!(place_of(text.as_bytes()).err(), Some(Code::SK_ENAMETOOLONG), "{text}");
    }
    assert_eq!(place_of(b"tcp://[::1%nosuchzone]:80").err(), Some(Code::SK_ENOENT));
}

proptest! {
    /// An address of IP with a port, written by the formatter, is an endpoint of that address.
    #[test]
    fn formatted_addresses_are_endpoints(groups: [u16; 8], ip: [u8; 4], port in 1u16.., zone in 1_000_000_000u32..) {
        for address in [v4(ip, port), v6(groups, zone, port), v6(groups, 0, port)] {
            let endpoint = [b"udp://".as_slice(), &text(&address)].concat();
            match place_of(&endpoint) {
                Ok((Scheme::Udp, Place::Address(there))) => prop_assert!(same(&there, &address)),
                _ => prop_assert!(false, "{}", shown(&endpoint)),
            }
        }
    }

    /// Whatever is taken keeps the text's parts, and nothing makes it panic.
    #[test]
    fn any_text(text in "(tcp|udp|unix|unix-dgram|tcp6)?:?/{0,3}[a-c0-9.:\\[\\]%@\\\\x/ _-]{0,40}") {
        if let Ok((scheme, place)) = place_of(text.as_bytes()) {
            let (_, rest) = text.split_once("://").unwrap();
            match place {
                Place::Name { name, port } => {
                    let again = format!("{}:{port}", String::from_utf8_lossy(name.as_c().to_bytes()));
                    prop_assert_eq!(rest, again);
                }
                Place::Any { port } => prop_assert_eq!(rest, format!(":{port}")),
                Place::Address(_) => {}
            }
            let begins = if scheme == Scheme::Tcp { "tcp:" } else { "u" };
            prop_assert!(text.starts_with(begins));
        }
    }
}
