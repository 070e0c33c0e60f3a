//! Any option, any value, any length on every kind of handle. Which kinds have an option, which
//! values it takes and what it reads back are written down here once more, from docs and man pages.
//! A value that is refused changes nothing, and in the end the sockets still work.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use sk_fuzz::sk_option::*;
use sk_fuzz::*;
use std::ops::RangeInclusive;

#[derive(Arbitrary, Debug)]
struct Input {
    kind: u8,
    steps: Vec<Step>,
}

#[derive(Arbitrary, Debug)]
enum Step {
    Set { option: u8, value: Value },
    Get { option: u8 },
    SetText { option: u8, value: Text },
    GetText { option: u8, room: u8 },
    Timeout { ms: Value },
    SetAnyNumber { option: i32, value: i64 },
}

#[derive(Arbitrary, Debug)]
enum Value {
    Small(i8),
    Any(i64),
    Near { power: u8, off: i8 },
}

impl Value {
    fn get(&self) -> i64 {
        match *self {
            Value::Small(value) => value.into(),
            Value::Any(value) => value,
            Value::Near { power, off } => (1i64 << (power % 63)).wrapping_add(i64::from(off % 2)),
        }
    }
}

#[derive(Arbitrary, Debug)]
enum Text {
    Lo,
    Reno,
    Empty,
    Any(Vec<u8>),
}

impl Text {
    fn bytes(&self) -> &[u8] {
        match self {
            Text::Lo => b"lo",
            Text::Reno => b"reno",
            Text::Empty => b"",
            Text::Any(bytes) => bytes,
        }
    }
}

fuzz_target!(|input: Input| {
    let before = (sk_open_count(), descriptors());
    if let Some(handles) = Handles::new(input.kind) {
        input.steps.iter().take(60).for_each(|step| handles.step(step));
        handles.end();
    }
    assert_eq!((sk_open_count(), descriptors()), before);
});

struct Handles {
    /// `None`: a poller.
    kind: Option<Kind>,
    /// The one whose options are set.
    it: sk_handle,
    peer: Option<sk_handle>,
}

impl Handles {
    fn new(number: u8) -> Option<Handles> {
        let number = usize::from(number) % (2 * KINDS.len() + 1);
        Some(match number.checked_sub(KINDS.len()) {
            None => {
                let [it, peer] = KINDS[number].pair()?;
                Handles { kind: Some(KINDS[number]), it, peer: Some(peer) }
            }
            Some(number) => match KINDS.get(number) {
                Some(kind) => Handles { kind: Some(*kind), it: kind.socket(), peer: None },
                None => Handles { kind: None, it: must("poller", || sk_poller()), peer: None },
            },
        })
    }

    fn step(&self, step: &Step) {
        match step {
            Step::Set { option, value } => self.set(known(*option), value.get()),
            Step::Get { option } => {
                self.get(known(*option));
            }
            Step::SetText { option, value } => self.set_text(number(*option), value.bytes()),
            Step::GetText { option, room } => self.get_text(number(*option), *room),
            Step::Timeout { ms } => self.timeout(ms.get()),
            Step::SetAnyNumber { option, value } => {
                if !(1..=SK_OPT_CONGESTION as i32).contains(option) {
                    let status = call(|| sk_set_option(self.it, *option, *value));
                    self.must_be(status, SK_EINVAL, "an unknown option");
                }
            }
        }
    }

    /// The error, or for pollers what they say to everything.
    #[track_caller]
    fn must_be(&self, status: i32, error: sk_error, what: &str) {
        let error = if self.kind.is_none() { SK_EOPNOTSUPP } else { error };
        assert!(is_one_of(status, &[error]), "{what}: {}", name(status));
    }

    fn get(&self, option: sk_option) -> Option<i64> {
        let mut value = i64::MIN;
        // SAFETY: room for a value.
        let status = call(|| unsafe { sk_get_option(self.it, option as i32, &mut value) });
        let Some(kind) = self.kind else {
            self.must_be(status, SK_EOPNOTSUPP, "get");
            return None;
        };
        if !has(kind, option) {
            self.must_be(status, SK_ENOPROTOOPT, "get");
            assert_eq!(value, i64::MIN);
            return None;
        }
        assert_eq!(status, 0, "{option:?}: {}", name(status));
        assert!(value >= -1 || option == SK_OPT_ERROR, "{option:?} is {value}");
        Some(value)
    }

    fn set(&self, option: sk_option, value: i64) {
        let before = self.get(option);
        let status = call(|| sk_set_option(self.it, option as i32, value));
        let Some(kind) = self.kind else { return self.must_be(status, SK_EOPNOTSUPP, "set") };
        if !has(kind, option) || is_read_only(option) {
            return self.must_be(status, SK_ENOPROTOOPT, &format!("{option:?}"));
        }
        if !range(option).contains(&value) {
            self.must_be(status, SK_EINVAL, &format!("{option:?} to {value}"));
        } else if !expect(&format!("{option:?} to {value}"), status, refusals(option)) {
        } else {
            return self.reads_back(kind, option, value, before);
        }
        if option != SK_OPT_QUICKACK {
            assert_eq!(self.get(option), before, "{option:?} was not to be set to {value}");
        }
    }

    fn reads_back(&self, kind: Kind, option: sk_option, value: i64, before: Option<i64>) {
        let now = self.get(option).expect("what can be set can be read");
        match option {
            // The system has a will of its own.
            SK_OPT_QUICKACK | SK_OPT_FASTOPEN => {}
            SK_OPT_RECV_BUFFER | SK_OPT_SEND_BUFFER => {
                let least = 2304;
                assert!(now <= value.max(least), "{option:?} to {value}: {now}");
                assert!(!(4096..=65_536).contains(&value) || now == value, "{option:?} to {value}: {now}");
            }
            // The lowest two bits are TCP's own (RFC 3168).
            SK_OPT_TOS if kind.is_tcp() => {
                assert!(now & !3 == value & !3 && [Some(now & 3), Some(0)].contains(&before.map(|b| b & 3)));
            }
            _ => assert_eq!(now, value, "{option:?}"),
        }
    }

    fn set_text(&self, option: i32, value: &[u8]) {
        let value = text(value);
        // SAFETY: a string.
        let status = call(|| unsafe { sk_set_option_text(self.it, option, value.as_ptr()) });
        let what = format!("option {option} to {value:?}");
        let Some(kind) = self.kind else { return self.must_be(status, SK_EOPNOTSUPP, &what) };
        if ![SK_OPT_BIND_DEVICE as i32, SK_OPT_CONGESTION as i32].contains(&option) {
            let is_known = (1..=SK_OPT_CONGESTION as i32).contains(&option);
            return self.must_be(status, if is_known { SK_ENOPROTOOPT } else { SK_EINVAL }, &what);
        }
        let lacks = if option == SK_OPT_CONGESTION as i32 { !kind.is_tcp() } else { kind.is_unix() };
        if lacks {
            return self.must_be(status, SK_ENOPROTOOPT, &what);
        }
        if value.count_bytes() > 15 {
            return self.must_be(status, SK_ENAMETOOLONG, &what);
        }
        if expect(&what, status, &[SK_ENOENT, SK_EACCES, SK_EINVAL]) {
            let mut room = [0u8; 16];
            // SAFETY: the room is as long as it says.
            must(&what, || unsafe { sk_get_option_text(self.it, option, room.as_mut_ptr().cast(), 16) });
            assert!(value.is_empty() || room.starts_with(value.to_bytes_with_nul()), "{what}: {room:?}");
        }
    }

    fn get_text(&self, option: i32, room: u8) {
        let mut out = vec![0xa5u8; room.into()];
        // SAFETY: the room is as long as it says.
        let len = call(|| unsafe { sk_get_option_text(self.it, option, out.as_mut_ptr().cast(), out.len()) });
        if expect("get_text", len, &[SK_ENOPROTOOPT, SK_EINVAL, SK_EOPNOTSUPP]) {
            assert!(len < 16);
            let end = (len as usize).min(out.len().saturating_sub(1));
            assert!(out.is_empty() || out[end] == 0 && !out[..end].contains(&0), "{out:?}");
        }
    }

    fn timeout(&self, ms: i64) {
        let status = call(|| sk_set_timeout(self.it, ms));
        if self.kind.is_none() || ms < -1 {
            return self.must_be(status, SK_EINVAL, "set_timeout");
        }
        assert_eq!(status, 0);
        for option in [SK_OPT_RECV_TIMEOUT, SK_OPT_SEND_TIMEOUT, SK_OPT_CONNECT_TIMEOUT] {
            assert_eq!(self.get(option), Some(ms));
        }
    }

    /// A byte goes both ways, whatever was set; then nothing is left.
    fn end(self) {
        if let (Some(kind), Some(peer)) = (self.kind, self.peer) {
            if !kind.is_unix() {
                // SAFETY: a string.
                must("no device", || unsafe {
                    sk_set_option_text(self.it, SK_OPT_BIND_DEVICE as i32, c"".as_ptr())
                });
            }
            if kind.is_tcp() {
                must("no cork", || sk_set_option(self.it, SK_OPT_CORK as i32, 0));
            }
            for (from, to) in [(self.it, peer), (peer, self.it)] {
                let mut byte = 0u8;
                for s in [from, to] {
                    must("limits", || sk_set_timeout(s, 5000));
                }
                // SAFETY: one byte each.
                unsafe {
                    assert_eq!(must("send", || sk_send(from, c"x".as_ptr().cast(), 1, 0)), 1);
                    assert_eq!(must("recv", || sk_recv(to, (&raw mut byte).cast(), 1, 0)), 1);
                }
                assert_eq!(byte, b'x');
            }
        }
        for s in [Some(self.it), self.peer].into_iter().flatten() {
            must("abort", || if self.peer.is_some() { sk_abort(s) } else { sk_close(s) });
        }
    }
}

fn number(option: u8) -> i32 {
    i32::from(option % 44) - 2
}

fn known(option: u8) -> sk_option {
    // SAFETY: they are numbered from 1 on, without gaps.
    unsafe { std::mem::transmute::<i32, sk_option>(i32::from(option) % SK_OPT_CONGESTION as i32 + 1) }
}

/// Which kinds have it as a number.
fn has(kind: Kind, option: sk_option) -> bool {
    let is_inet6 = kind.family == sk_family::SK_INET6;
    match option {
        SK_OPT_RECV_TIMEOUT | SK_OPT_SEND_TIMEOUT | SK_OPT_CONNECT_TIMEOUT => true,
        SK_OPT_RECV_BUFFER | SK_OPT_SEND_BUFFER | SK_OPT_MARK | SK_OPT_PRIORITY | SK_OPT_BUSY_POLL => true,
        SK_OPT_ERROR | SK_OPT_FAMILY | SK_OPT_TYPE | SK_OPT_PROTOCOL => true,
        SK_OPT_LISTENING | SK_OPT_UNREAD => true,
        SK_OPT_REUSE_ADDR | SK_OPT_REUSE_PORT | SK_OPT_TTL | SK_OPT_TOS => !kind.is_unix(),
        SK_OPT_V6ONLY => is_inet6,
        SK_OPT_KEEPALIVE | SK_OPT_KEEPALIVE_IDLE | SK_OPT_KEEPALIVE_INTERVAL => kind.is_tcp(),
        SK_OPT_KEEPALIVE_COUNT | SK_OPT_NODELAY | SK_OPT_LINGER | SK_OPT_USER_TIMEOUT => kind.is_tcp(),
        SK_OPT_FASTOPEN | SK_OPT_QUICKACK | SK_OPT_CORK | SK_OPT_UNACKED => kind.is_tcp(),
        SK_OPT_BROADCAST | SK_OPT_MULTICAST_TTL | SK_OPT_MULTICAST_LOOP => kind.is_udp(),
        SK_OPT_MULTICAST_INTERFACE | SK_OPT_UDP_SEGMENT | SK_OPT_UDP_GRO | SK_OPT_PKTINFO => kind.is_udp(),
        SK_OPT_BIND_DEVICE | SK_OPT_CONGESTION => false,
    }
}

fn is_read_only(option: sk_option) -> bool {
    (SK_OPT_ERROR as i32..=SK_OPT_UNACKED as i32).contains(&(option as i32))
}

fn range(option: sk_option) -> RangeInclusive<i64> {
    match option {
        SK_OPT_RECV_TIMEOUT | SK_OPT_SEND_TIMEOUT | SK_OPT_CONNECT_TIMEOUT => -1..=i64::MAX,
        SK_OPT_KEEPALIVE_IDLE | SK_OPT_KEEPALIVE_INTERVAL => 1..=32_767,
        SK_OPT_KEEPALIVE_COUNT => 1..=127,
        SK_OPT_LINGER => -1..=0,
        SK_OPT_TTL => 1..=255,
        SK_OPT_TOS | SK_OPT_MULTICAST_TTL => 0..=255,
        SK_OPT_UDP_SEGMENT => 0..=65_535,
        SK_OPT_MARK => 0..=u32::MAX.into(),
        SK_OPT_RECV_BUFFER | SK_OPT_SEND_BUFFER | SK_OPT_MULTICAST_INTERFACE | SK_OPT_USER_TIMEOUT => {
            0..=i32::MAX.into()
        }
        SK_OPT_FASTOPEN | SK_OPT_PRIORITY | SK_OPT_BUSY_POLL => 0..=i32::MAX.into(),
        _ => 0..=1,
    }
}

/// Why the system may refuse what is in range.
fn refusals(option: sk_option) -> &'static [sk_error] {
    match option {
        // Too late on a socket that has an address; a listener may be needed, or a state without one.
        SK_OPT_V6ONLY | SK_OPT_FASTOPEN => &[SK_EINVAL],
        SK_OPT_MARK | SK_OPT_PRIORITY | SK_OPT_BUSY_POLL => &[SK_EACCES],
        // It is not there, or another one than the socket is bound to.
        SK_OPT_MULTICAST_INTERFACE => &[SK_ENOENT, SK_EINVAL],
        _ => &[],
    }
}
