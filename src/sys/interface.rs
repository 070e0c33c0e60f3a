//! Network interfaces by name and by index, see netdevice(7). Both calls open a socket of their
//! own and may leave its failures in `errno`, which is put back.

use core::ffi::c_char;

use super::errno::{self, Restore};
use super::{Errno, Result, descriptor, system};

/// There is no such interface.
const NONE: Errno = Errno(libc::ENOENT);

/// The index of the interface of that name. ENOENT: there is none.
pub(crate) fn index_of(name: &[u8]) -> Result<u32> {
    // Linux cuts a name at ':' (once the mark of an alias), so "lo:80" would be found as "lo".
    if name.iter().any(|byte| matches!(byte, 0 | b':')) {
        return Err(NONE);
    }
    let mut text = [0 as c_char; libc::IFNAMSIZ];
    let (_, room) = text.split_last_mut().ok_or(NONE)?;
    for (to, from) in room.get_mut(..name.len()).ok_or(NONE)?.iter_mut().zip(name) {
        *to = *from as c_char;
    }
    let _keep = Restore::later();
    // SAFETY: `text` ends with a NUL, which the copy above can't reach, and outlives the call.
    let index = unsafe { libc::if_nametoindex(text.as_ptr()) };
    match errno::last() {
        _ if index != 0 => Ok(index),
        Errno(libc::ENODEV | libc::ENXIO) => Err(NONE),
        // The C library says this where it has no socket to ask with, and not why.
        NONE => system::socket(libc::AF_UNIX, libc::SOCK_DGRAM, 0, true).and_then(|fd| {
            descriptor::close(fd);
            Err(NONE)
        }),
        errno => Err(errno),
    }
}

/// Writes the name of that interface and a NUL, and gives the length without it, where there
/// is such an interface.
pub(crate) fn name_of(index: u32, out: &mut [u8; libc::IFNAMSIZ]) -> Option<usize> {
    let _keep = Restore::later();
    // SAFETY: `out` has the IF_NAMESIZE bytes that the call may write.
    let name = unsafe { libc::if_indextoname(index, out.as_mut_ptr().cast()) };
    if name.is_null() {
        return None;
    }
    out.iter().position(|&byte| byte == 0)
}
