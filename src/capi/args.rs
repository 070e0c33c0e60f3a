//! Arguments, as Rust has them. Pointers that are not NULL are valid: C can't check more.

use core::ffi::{CStr, c_char, c_void};
use core::mem::MaybeUninit;

use crate::error::{Code, Result};
use crate::socket::Buffer;
use crate::sys::vector::{self, Buf, Pieces};

fn invalid<T>() -> Result<T> {
    Err(Code::SK_EINVAL.into())
}

/// Bytes to send.
///
/// # Safety
/// `data` is NULL or readable for `len` bytes as long as the result lives.
#[inline(always)]
pub unsafe fn data<'a>(data: *const c_void, len: usize) -> Result<&'a [u8]> {
    if len == 0 {
        return Ok(&[]);
    }
    if data.is_null() || isize::try_from(len).is_err() {
        return invalid();
    }
    // SAFETY: not NULL, so readable for `len` bytes, which are not too many.
    Ok(unsafe { core::slice::from_raw_parts(data.cast(), len) })
}

/// Room to receive into.
///
/// # Safety
/// `data` is NULL or writable for `len` bytes as long as the result lives.
#[inline(always)]
pub unsafe fn room<'a>(data: *mut c_void, len: usize) -> Result<Buffer<'a>> {
    if len == 0 {
        return Ok(&mut []);
    }
    if data.is_null() || isize::try_from(len).is_err() {
        return invalid();
    }
    // SAFETY: not NULL, so writable for `len` bytes, which are not too many. Bytes that may
    // be uninitialised are what MaybeUninit stands for.
    Ok(unsafe { core::slice::from_raw_parts_mut(data.cast::<MaybeUninit<u8>>(), len) })
}

/// A list to be read.
///
/// # Safety
/// `list` is NULL, or has `count` values that live as long as the result.
pub unsafe fn list<'a, T>(list: *const T, count: usize) -> Result<&'a [T]> {
    // SAFETY: as the caller promises; the values are only read.
    unsafe { list_mut(list.cast_mut(), count) }.map(|list| &*list)
}

/// A list to be changed.
///
/// # Safety
/// `list` is NULL, or has `count` values, used by nobody else as long as the result lives.
pub unsafe fn list_mut<'a, T>(list: *mut T, count: usize) -> Result<&'a mut [T]> {
    if count == 0 {
        return Ok(&mut []);
    }
    if list.is_null() || !fits::<T>(count) {
        return invalid();
    }
    // SAFETY: not NULL, so `count` values, which are not too many.
    Ok(unsafe { core::slice::from_raw_parts_mut(list, count) })
}

/// A list to be written.
///
/// # Safety
/// `list` is NULL, or room for `count` values, used by nobody else as long as the result lives.
pub unsafe fn list_room<'a, T>(list: *mut T, count: usize) -> Result<&'a mut [MaybeUninit<T>]> {
    // SAFETY: as the caller promises; what may be uninitialised needs no values.
    unsafe { list_mut(list.cast::<MaybeUninit<T>>(), count) }
}

fn fits<T>(count: usize) -> bool {
    count.checked_mul(size_of::<T>()).is_some_and(|len| isize::try_from(len).is_ok())
}

/// A list of pieces to send or to receive into.
///
/// # Safety
/// `bufs` is NULL, or has `count` pieces; each of them that is not NULL is good for its length,
/// exclusively where it is received into, as long as the result lives.
#[inline(always)]
pub unsafe fn pieces<'a>(bufs: *const Buf, count: usize) -> Result<Pieces<'a>> {
    if count > vector::MOST {
        return Err(Code::SK_EMSGSIZE.into());
    }
    // SAFETY: as the caller promises.
    unsafe { Pieces::new(list(bufs, count)?) }.ok_or_else(|| Code::SK_EINVAL.into())
}

/// There are bytes to work with, and not too many.
#[inline(always)]
pub fn is_some(data: *const c_void, len: usize) -> bool {
    !data.is_null() && len as isize > 0
}

/// A value that must be there.
///
/// # Safety
/// `value` is NULL or points to a T that lives as long as the result.
pub unsafe fn required<'a, T>(value: *const T) -> Result<&'a T> {
    // SAFETY: as the caller promises.
    unsafe { value.as_ref() }.ok_or_else(|| Code::SK_EINVAL.into())
}

/// A place for a result that must be there.
///
/// # Safety
/// `out` is NULL or writable as long as the result lives.
pub unsafe fn out<'a, T>(out: *mut T) -> Result<&'a mut MaybeUninit<T>> {
    // SAFETY: as the caller promises; a MaybeUninit may hold anything.
    unsafe { out.cast::<MaybeUninit<T>>().as_mut() }.ok_or_else(|| Code::SK_EINVAL.into())
}

/// A place for a result that need not be there.
///
/// # Safety
/// `out` is NULL or writable as long as the result lives.
#[inline(always)]
pub unsafe fn optional_out<'a, T>(out: *mut T) -> Option<&'a mut MaybeUninit<T>> {
    // SAFETY: as the caller promises; a MaybeUninit may hold anything.
    unsafe { out.cast::<MaybeUninit<T>>().as_mut() }
}

/// A text that must be there.
///
/// # Safety
/// `text` is NULL or a string with a closing NUL that lives as long as the result.
pub unsafe fn text<'a>(text: *const c_char) -> Result<&'a CStr> {
    if text.is_null() {
        return invalid();
    }
    // SAFETY: not NULL, so a string.
    Ok(unsafe { CStr::from_ptr(text) })
}

/// A text that need not be there: then it is empty.
///
/// # Safety
/// `text` is NULL or a string with a closing NUL that lives as long as the result.
pub unsafe fn optional_text<'a>(text: *const c_char) -> &'a CStr {
    // SAFETY: NULL is not asked for; else as the caller promises.
    if text.is_null() { c"" } else { unsafe { CStr::from_ptr(text) } }
}

/// Room for a text as snprintf has it, of which no more than `most` bytes are touched.
///
/// # Safety
/// `out` is NULL or writable for `len` bytes as long as the result lives.
pub unsafe fn text_room<'a>(out: *mut c_char, len: usize, most: usize) -> Result<&'a mut [u8]> {
    if isize::try_from(len).is_err() {
        return invalid();
    }
    // SAFETY: as the caller promises.
    let room = unsafe { self::room(out.cast(), len.min(most)) }?;
    room.fill(MaybeUninit::new(0));
    // SAFETY: every byte was just set.
    Ok(unsafe { &mut *(core::ptr::from_mut(room) as *mut [u8]) })
}

/// A time limit in milliseconds.
pub fn limit(ms: i64) -> Result<i64> {
    if ms < -1 { invalid() } else { Ok(ms) }
}
