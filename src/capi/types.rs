//! The handle, and the plain constants.

/// A handle: a socket, or something else that can be closed with `sk_close`. A live handle is
/// above 0. A value is never issued twice in the life of a process, so a stale one is always
/// answered `SK_EBADHANDLE` and never reaches somebody else's socket.
pub type sk_handle = i64;

/// Success.
pub const SK_OK: i32 = 0;
/// The handle that is never valid: what a variable should hold that has none.
pub const SK_INVALID_HANDLE: sk_handle = 0;
/// Room that fits every formatted address, the closing NUL included.
pub const SK_ADDR_STRLEN: usize = 512;
