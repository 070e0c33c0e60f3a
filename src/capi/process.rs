//! What the process has once.

use core::ffi::{c_char, c_int, c_void};
use core::ptr::NonNull;

use super::{args, ret};
use crate::error::{Code, Result};
use crate::handle::TABLE;
use crate::process;
use crate::sys::memory::Region;

/// How the library is set up. Zero it, set size, then what you need.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct sk_config {
    /// `sizeof(sk_config)`.
    pub size: usize,
    /// How many handles there can be at once; 0 = as many as the hard limit of descriptors
    /// (RLIMIT_NOFILE), at most 1,048,576. Where it is less than that limit, descriptors are moved to
    /// numbers of the library's own, below the limit in force at `sk_init`.
    pub max_handles: u32,
    /// NULL = libsk maps its own, touched only as used. Else `sk_memory_needed(max_handles)`
    /// bytes, aligned to 64, yours to provide for the life of the process.
    pub memory: *mut c_void,
    /// Bytes in memory.
    pub memory_len: usize,
}

/// Sets the library up, for programs that want to say how. Optional: without it, the first
/// function that makes a handle uses the defaults.
///
/// config: NULL = the defaults.
///
/// Returns `SK_OK`, or:
/// `SK_EBUSY` the library is in use already;
/// `SK_EINVAL` size is not that of this header, memory is too small or not aligned,
/// max_handles is 0 though memory is given, or above 1,048,576;
/// `SK_ENOMEM` there is no memory.
///
/// Threads: any; one call succeeds. Signals: not in a handler. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_init(config: *const sk_config) -> c_int {
    ret::status(|| {
        if config.is_null() {
            return process::establish(0, None);
        }
        // SAFETY: not NULL; the size comes first, and is read alone because the rest may be shorter.
        if unsafe { (&raw const (*config).size).read() } != size_of::<sk_config>() {
            return Err(Code::SK_EINVAL.into());
        }
        // SAFETY: as large as it should be.
        let config = unsafe { args::required(config) }?;
        process::establish(config.max_handles, region(config)?)
    })
}

fn region(config: &sk_config) -> Result<Option<Region>> {
    let Some(memory) = NonNull::new(config.memory) else {
        return Ok(None);
    };
    if config.max_handles == 0 {
        return Err(Code::SK_EINVAL.into());
    }
    // SAFETY: the caller gives this memory for the life of the process.
    let region = unsafe { Region::new(memory.cast(), config.memory_len) };
    region.map(Some).ok_or_else(|| Code::SK_EINVAL.into())
}

/// How much memory `sk_init` needs for a number of handles.
///
/// max_handles: 1 to 1,048,576.
///
/// Returns bytes; 0 where there can't be so many handles, or none.
///
/// Threads: any. Signals: safe in a handler. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn sk_memory_needed(max_handles: u32) -> usize {
    process::memory_needed(max_handles).unwrap_or(0)
}

/// The version of the library that the program runs with; `SK_VERSION_STRING` is the one
/// that it was compiled with.
///
/// Returns a static text such as "0.1.0".
///
/// Threads: any. Signals: safe in a handler. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn sk_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// How many handles are live in this process, to find leaks.
///
/// Returns the count. While other threads make and close handles it is one of the recent past.
///
/// Threads: any. Signals: safe in a handler. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn sk_open_count() -> i64 {
    TABLE.get().live()
}
