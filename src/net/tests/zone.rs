//! Zones: the interfaces of this machine by name, by number, and not at all.

use super::{shown, text, v6};
use crate::error::Code;
use crate::net::equal::equal;
use crate::net::parse::{parse, parse_ip};
use crate::sys::Errno;
use crate::sys::interface::{index_of, name_of};
use std::io::Error;
use std::process::Command;
use std::string::{String, ToString};
use std::vec::Vec;
use std::{env, fs, println};

const LINK: [u16; 8] = [0xfe80, 0, 0, 0, 0, 0, 0, 1];

/// The names of all interfaces, from the kernel's own list.
fn interfaces() -> Vec<String> {
    let list = fs::read_to_string("/proc/net/dev").unwrap();
    let names = list.lines().skip(2).filter_map(|line| line.rsplit_once(':'));
    names.map(|(name, _)| name.trim_start().to_string()).collect()
}

fn refused(text: &str) -> Code {
    let code = parse_ip(text.as_bytes()).unwrap_err().code;
    assert_eq!(parse(text.as_bytes()).unwrap_err().code, code);
    assert_eq!(parse(std::format!("[{text}]:80").as_bytes()).unwrap_err().code, code);
    code
}

#[test]
fn every_interface() {
    let names = interfaces();
    assert!(!names.is_empty());
    for name in names {
        let index = index_of(name.as_bytes()).unwrap();
        let mut out = [0xff; libc::IFNAMSIZ];
        let len = name_of(index, &mut out).unwrap();
        assert_eq!((&out[..len], out[len]), (name.as_bytes(), 0));
        if name.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        for (host, port, whole) in [("fe80::1%", 0, ""), ("[fe80::1%", 80, "]:80")] {
            let whole = std::format!("{host}{name}{whole}");
            let address = v6(LINK, index, port);
            assert_eq!(shown(&text(&address)), shown(whole.as_bytes()));
            assert!(equal(&parse(whole.as_bytes()).unwrap(), &address));
        }
    }
}

#[test]
fn any_ipv6_address_may_have_one() {
    let lo = index_of(b"lo").unwrap();
    for host in ["::", "::1", "2001:db8::1", "ff02::1", "::ffff:1.2.3.4"] {
        let named = parse(std::format!("{host}%lo").as_bytes()).unwrap();
        assert_eq!(named.scope_id, lo);
        assert!(equal(&named, &parse(std::format!("[{host}%{lo}]").as_bytes()).unwrap()));
        assert_eq!(shown(&text(&named)), std::format!("{host}%lo"));
    }
}

#[test]
fn no_such_interface() {
    assert_eq!(refused("fe80::1%no-such"), Code::SK_ENOENT);
    assert_eq!(refused("fe80::1%fifteen-bytes-x"), Code::SK_ENOENT);
    assert_eq!(refused("fe80::1%sixteen-bytes-xx"), Code::SK_ENAMETOOLONG);
    assert_eq!(refused(&std::format!("fe80::1%{}", "x".repeat(100_000))), Code::SK_ENAMETOOLONG);
    assert_eq!(refused("fe80::1%3x"), Code::SK_ENOENT);
    assert_eq!(refused("fe80::1%-3"), Code::SK_ENOENT);
    assert_eq!(refused("fe80::1%%lo"), Code::SK_ENOENT);
    assert_eq!(refused("fe80::1%"), Code::SK_EADDRFORMAT);
    assert_eq!(refused("1.2.3.4%lo"), Code::SK_EADDRFORMAT);
    for name in [&b""[..], b"lo:80", b"lo\0", b"sixteen-bytes-xx", b"no-such"] {
        assert_eq!(index_of(name), Err(Errno(libc::ENOENT)), "{}", shown(name));
    }
    for index in [0, 0x4000_0000, u32::MAX] {
        assert_eq!(name_of(index, &mut [0; libc::IFNAMSIZ]), None);
    }
    assert_eq!(shown(&text(&v6(LINK, u32::MAX, 0))), "fe80::1%4294967295");
}

#[test]
fn errno_stays() {
    // A failure that the calls of this file never leave behind.
    fs::read(env::current_dir().unwrap()).unwrap_err();
    let stays = |what: &str| assert_eq!(Error::last_os_error().raw_os_error(), Some(libc::EISDIR), "{what}");
    stays("the failure itself");
    index_of(b"lo").unwrap();
    stays("found");
    assert_eq!(index_of(b"no-such"), Err(Errno(libc::ENOENT)));
    stays("no such name");
    assert_eq!(name_of(u32::MAX, &mut [0; libc::IFNAMSIZ]), None);
    stays("no such index");
    text(&v6(LINK, u32::MAX, 80));
    stays("formatted");
}

/// Names that this machine does not have: the test runs itself again in a network namespace
/// of its own, where the loopback interface is called so.
#[test]
fn unusual_names() {
    const NAME: &str = "SK_TEST_INTERFACE_NAME";
    if let Ok(name) = env::var(NAME) {
        return unusual_name(&name);
    }
    let script = r#"ip link set dev lo name "$1" && exec "$2" --exact "$3" --nocapture"#;
    let this = env::current_exe().unwrap();
    for name in ["42", "007", "a]b", "]", "\u{1}x", "a\u{7f}", "é", "0x1", "[", "fifteen-bytes-x"] {
        let child = Command::new("timeout")
            .args(["20", "unshare", "--net", "--map-root-user", "sh", "-c", script, "sh", name])
            .arg(&this)
            .arg("net::tests::zone::unusual_names")
            .env(NAME, name)
            .output();
        let child = match child {
            Ok(child) if child.stdout.windows(14).any(|words| words == b"running 1 test") => child,
            other => {
                println!("skipped {name:?}: no namespace with such an interface: {other:?}");
                continue;
            }
        };
        assert!(child.status.success(), "{name:?}: {}", String::from_utf8_lossy(&child.stderr));
    }
}

fn unusual_name(name: &str) {
    assert_eq!(interfaces(), [name]);
    let index = index_of(name.as_bytes()).unwrap();
    let plain =
        name.bytes().any(|byte| !byte.is_ascii_digit()) && !name.contains(|c: char| c.is_ascii_control());
    let zone = if plain { name.to_string() } else { index.to_string() };
    for (port, expected) in [(0, std::format!("fe80::1%{zone}")), (80, std::format!("[fe80::1%{zone}]:80"))] {
        let address = v6(LINK, index, port);
        assert_eq!(shown(&text(&address)), shown(expected.as_bytes()));
        assert!(equal(&parse(expected.as_bytes()).unwrap(), &address));
    }
    if name == "42" || name == "007" {
        let number = name.parse().unwrap();
        assert_eq!(parse_ip(std::format!("::1%{name}").as_bytes()).unwrap().scope_id, number);
    }
}
