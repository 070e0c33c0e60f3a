//! What the targets share: the C interface, called as a C program calls it, and what holds for
//! each of its functions.

use std::ffi::{CStr, CString};

pub mod jobs;
pub mod model;

pub use sk::capi::sk_error::*;
pub use sk::capi::{
    addresses::*, descriptors::*, endpoints::*, errors::*, options::*, process::*, sockets::*, transfer::*,
    waiting::*, *,
};

unsafe extern "C" {
    /// In http_request.c.
    pub fn http_request_fuzz(data: *const u8, size: usize);
}

const UNTOUCHED: i32 = 7777;

fn errno() -> *mut i32 {
    // SAFETY: it has no conditions.
    unsafe { libc::__errno_location() }
}

/// Calls, and looks at `errno`: set on failure, left alone on success.
pub fn call<T: Copy + Into<i64>>(function: impl FnOnce() -> T) -> T {
    // SAFETY: errno lives as long as its thread.
    unsafe { *errno() = UNTOUCHED };
    let result = function();
    // SAFETY: as above.
    let after = unsafe { *errno() };
    assert_eq!(result.into() < 0, after != UNTOUCHED, "{} with errno {after}", name(result));
    result
}

/// The name of a result.
pub fn name(result: impl Into<i64>) -> String {
    let result = result.into();
    if result >= 0 {
        return result.to_string();
    }
    // SAFETY: the result is a string that lives for ever.
    unsafe { CStr::from_ptr(sk_error_name(result)) }.to_string_lossy().into_owned()
}

/// Is it one of these errors?
pub fn is_one_of(result: impl Into<i64>, errors: &[sk_error]) -> bool {
    let result = result.into();
    errors.iter().any(|&error| error as i64 == result)
}

/// Is it a success, or one of these errors?
#[track_caller]
pub fn expect(what: &str, result: impl Into<i64>, errors: &[sk_error]) -> bool {
    let result = result.into();
    assert!(result >= 0 || is_one_of(result, errors), "{what}: {}", name(result));
    result >= 0
}

/// A call that must succeed.
#[track_caller]
pub fn must<T: Copy + Into<i64>>(what: &str, function: impl FnOnce() -> T) -> T {
    let result = call(function);
    assert!(result.into() >= 0, "{what}: {}", name(result));
    result
}

/// The bytes before the first NUL, as a C string.
pub fn text(bytes: &[u8]) -> CString {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    CString::new(&bytes[..end]).expect("no NUL inside")
}

/// A byte that nothing writes by chance.
const GUARD: u8 = 0xa5;

fn guarded_address() -> sk_addr {
    // SAFETY: it consists of integers.
    unsafe { std::mem::transmute::<[u8; size_of::<sk_addr>()], sk_addr>([GUARD; size_of::<sk_addr>()]) }
}

/// All of an address, also what does not count.
pub fn bytes(address: &sk_addr) -> &[u8] {
    // SAFETY: it has no padding: the fields fill all of its 140 bytes.
    unsafe { std::slice::from_raw_parts((&raw const *address).cast(), size_of::<sk_addr>()) }
}

/// Calls with room for an address, which is written only on success.
pub fn address(function: impl FnOnce(&mut sk_addr) -> i32) -> Result<sk_addr, i32> {
    let mut out = guarded_address();
    match call(|| function(&mut out)) {
        0 => Ok(out),
        error => {
            assert!(error < 0, "status {error}");
            assert!(bytes(&out).iter().all(|&byte| byte == GUARD), "{} wrote", name(error));
            Err(error)
        }
    }
}

pub fn parse(text: &CStr) -> Result<sk_addr, i32> {
    // SAFETY: a string, and room for an address.
    address(|out| unsafe { sk_addr_parse(text.as_ptr(), out) })
}

pub fn equal(a: &sk_addr, b: &sk_addr) -> bool {
    // SAFETY: both are addresses.
    unsafe { sk_addr_equal(a, b) == 1 }
}

/// The text of an address, which is the same at every length of the room, only cut.
pub fn format(address: &sk_addr) -> Result<CString, i32> {
    // SAFETY: without room nothing is written.
    let len = call(|| unsafe { sk_addr_format(address, std::ptr::null_mut(), 0) });
    if len < 0 {
        return Err(len);
    }
    let len = len as usize;
    assert!(len < SK_ADDR_STRLEN, "{len} bytes");
    // On the heap, where a byte beyond the end is found out.
    let mut whole = vec![GUARD; len + 1];
    // SAFETY: the room is as long as it says.
    let same = call(|| unsafe { sk_addr_format(address, whole.as_mut_ptr().cast(), whole.len()) });
    assert_eq!(same as usize, len);
    for room in [1, len / 2 + 1, len] {
        let mut cut = vec![GUARD; room];
        // SAFETY: the room is as long as it says.
        let same = call(|| unsafe { sk_addr_format(address, cut.as_mut_ptr().cast(), cut.len()) });
        if room > 0 {
            let kept = (room - 1).min(len);
            assert!(same as usize == len && cut[..kept] == whole[..kept] && cut[kept] == 0);
        }
    }
    Ok(CString::from_vec_with_nul(whole).expect("one NUL, at the end"))
}

/// How many descriptors this process has.
pub fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("/proc").count()
}

/// What is at both ends of a connection. (An int each for family and type, as C has them.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    pub family: sk_family,
    pub carries: sk_type,
}

pub const KINDS: [Kind; 7] = {
    use sk_family::*;
    use sk_type::*;
    [
        Kind { family: SK_INET, carries: SK_STREAM },
        Kind { family: SK_INET6, carries: SK_STREAM },
        Kind { family: SK_INET, carries: SK_DGRAM },
        Kind { family: SK_INET6, carries: SK_DGRAM },
        Kind { family: SK_UNIX, carries: SK_STREAM },
        Kind { family: SK_UNIX, carries: SK_DGRAM },
        Kind { family: SK_UNIX, carries: SK_SEQPACKET },
    ]
};

impl Kind {
    pub fn is_unix(self) -> bool {
        self.family == sk_family::SK_UNIX
    }

    pub fn is_stream(self) -> bool {
        self.carries == sk_type::SK_STREAM
    }

    pub fn is_tcp(self) -> bool {
        self.is_stream() && !self.is_unix()
    }

    pub fn is_udp(self) -> bool {
        self.carries == sk_type::SK_DGRAM && !self.is_unix()
    }

    pub fn socket(self) -> sk_handle {
        must("socket", || sk_socket(self.family as i32, self.carries as i32, 0))
    }

    /// Bound to a free loopback port, and its address.
    pub fn bound(self) -> (sk_handle, sk_addr) {
        let s = self.socket();
        let host = if self.family == sk_family::SK_INET { c"127.0.0.1" } else { c"::1" };
        // SAFETY: a string.
        must("bind", || unsafe { sk_bind(s, host.as_ptr(), 0) });
        // SAFETY: room for an address.
        let addr = address(|out| unsafe { sk_local_addr(s, out) }).expect("an address");
        (s, addr)
    }

    /// Two sockets connected to each other. TCP ports may be used up for a moment: `None`.
    pub fn pair(self) -> Option<[sk_handle; 2]> {
        let mut pair = [0; 2];
        if self.is_unix() {
            // SAFETY: room for two handles.
            must("socketpair", || unsafe { sk_socketpair(self.carries as i32, pair.as_mut_ptr()) });
        } else if self.is_stream() {
            let (listener, addr) = self.bound();
            must("listen", || sk_listen(listener, 1));
            pair[0] = self.socket();
            // SAFETY: an address.
            let status = call(|| unsafe { sk_connect_addr(pair[0], &addr) });
            if !expect("connect", status, &[SK_EADDRNOTAVAIL]) {
                must("close", || sk_close(pair[0]));
                must("close", || sk_close(listener));
                return None;
            }
            // SAFETY: nobody is asked for.
            pair[1] = must("accept", || unsafe { sk_accept(listener, std::ptr::null_mut()) });
            must("close", || sk_close(listener));
        } else {
            let [(a, addr_a), (b, addr_b)] = [self.bound(), self.bound()];
            for (s, addr) in [(a, addr_b), (b, addr_a)] {
                // SAFETY: an address.
                must("connect", || unsafe { sk_connect_addr(s, &addr) });
            }
            pair = [a, b];
        }
        Some(pair)
    }
}
