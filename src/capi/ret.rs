//! Results, as C has them.

use core::ffi::c_int;

use crate::error::{Count, Error, Result};
use crate::handle::Handle;
use crate::sys::errno;

#[cold]
fn failed(error: Error) -> i64 {
    errno::set(error.errno);
    error.code as i64
}

/// 0, or the code of the failure.
pub fn status(call: impl FnOnce() -> Result<()>) -> c_int {
    match call() {
        Ok(()) => 0,
        Err(error) => failed(error) as c_int,
    }
}

/// A count, or the code of the failure.
#[cold]
pub fn count(call: impl FnOnce() -> Result<usize>) -> i64 {
    Count::from(call()).to_c()
}

/// A number that may be anything from 0 up, or the code of the failure.
pub fn number(call: impl FnOnce() -> Result<i32>) -> c_int {
    match call() {
        Ok(number) => number,
        Err(error) => failed(error) as c_int,
    }
}

/// A count that may be larger than memory, or the code of the failure.
pub fn long_count(call: impl FnOnce() -> Result<i64>) -> i64 {
    call().unwrap_or_else(failed)
}

/// A handle, or the code of the failure.
pub fn handle(call: impl FnOnce() -> Result<Handle>) -> i64 {
    match call() {
        Ok(handle) => handle.to_raw(),
        Err(error) => failed(error),
    }
}
