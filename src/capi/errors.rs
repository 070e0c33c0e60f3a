//! Error codes: their sentences and names.

use core::ffi::c_char;

use crate::error;

/// A sentence for a person about a result of any function.
///
/// code: a result, failure or not.
///
/// Returns a static text, never NULL: "Success" for 0 and above, "Unknown error" for what is no code.
///
/// Threads: any. Signals: safe in a handler. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn sk_strerror(code: i64) -> *const c_char {
    error::sentence(code).as_ptr()
}

/// The name of a result of any function, as it stands in this header.
///
/// code: a result, failure or not.
///
/// Returns a static text, never NULL: "SK_ETIMEDOUT" for that code, "SK_OK" for 0 and above,
/// "SK_E?" for what is no code.
///
/// Threads: any. Signals: safe in a handler. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn sk_error_name(code: i64) -> *const c_char {
    error::name(code).as_ptr()
}
