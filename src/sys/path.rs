//! Files of sockets, see unix(7) and path_resolution(7).

use core::ffi::CStr;
use core::mem::MaybeUninit;

use super::{Result, syscall};

/// Which file it is, whatever its name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Id {
    pub device: u64,
    pub inode: u64,
}

/// The socket file of that path, itself and not what a link names. `None`: another file.
pub fn socket_file(path: &CStr) -> Result<Option<Id>> {
    let mut status = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the path is a C string, and the call fills the place that it is given.
    let status = unsafe {
        syscall!(lstat(path.as_ptr(), status.as_mut_ptr()))?;
        status.assume_init()
    };
    #[allow(clippy::unnecessary_cast)] // narrower on some systems
    let id = Id { device: status.st_dev as u64, inode: status.st_ino as u64 };
    Ok((status.st_mode & libc::S_IFMT == libc::S_IFSOCK).then_some(id))
}

pub fn remove(path: &CStr) -> Result<()> {
    // SAFETY: the path is a C string.
    unsafe { syscall!(unlink(path.as_ptr())) }.map(drop)
}
