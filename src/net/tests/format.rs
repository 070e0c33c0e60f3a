//! The canonical texts.

use super::{shown, text, unix, v4, v6};
use crate::net::address::Address;
use crate::net::format::format;

#[test]
fn internet_addresses() {
    for (address, expected) in [
        (v4([1, 2, 3, 4], 80), "1.2.3.4:80"),
        (v4([10, 0, 0, 1], 0), "10.0.0.1"),
        (v4([255; 4], 65535), "255.255.255.255:65535"),
        (v4([0; 4], 1), "0.0.0.0:1"),
        (v6([0, 0, 0, 0, 0, 0, 0, 1], 0, 80), "[::1]:80"),
        (v6([0, 0, 0, 0, 0, 0, 0, 1], 0, 0), "::1"),
        (v6([0; 8], 0, 0), "::"),
        (v6([0; 8], 0, 1), "[::]:1"),
        (v6([1, 0, 0, 0, 0, 0, 0, 0], 0, 0), "1::"),
        (v6([1, 2, 3, 4, 5, 6, 7, 8], 0, 0), "1:2:3:4:5:6:7:8"),
        // RFC 5952, section 4: lower case, no leading zeros, one group is not shortened,
        // the longest run is, the first of two alike.
        (v6([0x2001, 0xdb8, 0xABCD, 0xef, 0, 1, 1, 0x10], 0, 0), "2001:db8:abcd:ef:0:1:1:10"),
        (v6([1, 0, 0, 2, 0, 0, 0, 3], 0, 0), "1:0:0:2::3"),
        (v6([1, 0, 0, 2, 0, 0, 3, 4], 0, 0), "1::2:0:0:3:4"),
        (v6([0, 0, 1, 0, 0, 1, 0, 0], 0, 0), "::1:0:0:1:0:0"),
        (v6([0, 1, 0, 1, 0, 1, 0, 1], 0, 0), "0:1:0:1:0:1:0:1"),
        (v6([1, 1, 1, 1, 1, 1, 0, 0], 0, 0), "1:1:1:1:1:1::"),
        (v6([0, 1, 1, 1, 1, 1, 1, 1], 0, 0), "0:1:1:1:1:1:1:1"),
        (v6([0xffff; 8], 0, 65535), "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"),
        (v6([0, 0, 0, 0, 0, 0xffff, 0x102, 0x304], 0, 0), "::ffff:1.2.3.4"),
        (v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 0, 9), "[::ffff:0.0.0.0]:9"),
        (v6([0, 0, 0, 0, 0, 0, 0x102, 0x304], 0, 0), "::102:304"),
        (v6([0, 0, 0, 0, 0xffff, 0, 0x102, 0x304], 0, 0), "::ffff:0:102:304"),
        (v6([1, 0, 0, 0, 0, 0xffff, 0x102, 0x304], 0, 0), "1::ffff:102:304"),
    ] {
        assert_eq!(shown(&text(&address)), expected);
    }
}

#[test]
fn no_addresses() {
    assert_eq!(text(&Address::NONE), b"");
    for family in [0, 4, 5, 255, 256, 257, u16::MAX] {
        assert_eq!(text(&Address { family, port: 80, path_len: 3, ..unix(b"/ab") }), b"");
    }
}

#[test]
fn unix_addresses() {
    for (name, expected) in [
        (&b""[..], r"unix:"),
        (b"/run/a.sock", r"unix:/run/a.sock"),
        (b"/", r"unix:/"),
        (b"//", r"unix:////"),
        (b"//a", r"unix:////a"),
        (b"///a", r"unix://///a"),
        (b"/a//b", r"unix:/a//b"),
        (b"a", r"unix:a"),
        (b"@", r"unix:\x40"),
        (b"@a@", r"unix:\x40a@"),
        (b"/@", r"unix:/@"),
        (b"\0", r"unix:@"),
        (b"\0name", r"unix:@name"),
        (b"\0@", r"unix:@@"),
        (b"\0//a", r"unix:@//a"),
        (b"\0\0a\0", r"unix:@\x00a\x00"),
        (b"/\x01\x1f\x7f\n ", r"unix:/\x01\x1f\x7f\x0a "),
        (br"\a\x41", r"unix:\x5ca\x5cx41"),
        (b"\0\\", r"unix:@\x5c"),
        (b"/a\0b", r"unix:/a"),
    ] {
        assert_eq!(std::str::from_utf8(&text(&unix(name))), Ok(expected));
    }
    assert_eq!(text(&unix(b"/\x80\xff")), b"unix:/\x80\xff");
    assert_eq!(text(&Address { port: 80, scope_id: 1, ..unix(b"/a") }), b"unix:/a");
}

#[test]
fn the_longest_fit() {
    for name in [[1; 108], [0; 108], [b'\\'; 108], [b'/'; 108], [0xff; 108]] {
        let full = unix(&name);
        let whole = text(&full);
        // Beyond the end there is nothing to read.
        for path_len in [109, 1000, u32::MAX] {
            assert_eq!(text(&Address { path_len, ..full }), whole);
        }
    }
    assert_eq!(text(&unix(&[1; 108])).len(), "unix:".len() + 4 * 108);
}

#[test]
fn cut_as_snprintf_does() {
    for address in [
        Address::NONE,
        v4([192, 168, 100, 200], 65535),
        v6([0xfe80, 0, 0, 0, 1, 2, 3, 4], u32::MAX, 8080),
        v6([0, 0, 0, 0, 0, 0xffff, 0x102, 0x304], 0, 0),
        unix(b""),
        unix(b"//a\\b\n"),
        unix(b"\0ab\0"),
        unix(&[1; 108]),
    ] {
        let whole = text(&address);
        for room in 0..whole.len() + 3 {
            let mut out = std::vec![0xaa; room];
            assert_eq!(format(&address, &mut out), whole.len());
            let Some(most) = room.checked_sub(1) else {
                continue;
            };
            let kept = whole.len().min(most);
            assert_eq!(out[..kept], whole[..kept]);
            assert_eq!(out[kept], 0);
            assert!(out[kept + 1..].iter().all(|&byte| byte == 0xaa), "wrote beyond the NUL");
        }
    }
}
