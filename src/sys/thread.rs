//! Threads of the library's own: detached, and deaf to signals, which are for the program's.

use core::ffi::c_void;
use core::mem::MaybeUninit;

use super::{Errno, Result};

/// Has `run` called with `argument` in a new thread with a stack of that size.
pub fn start(
    run: extern "C" fn(*mut c_void) -> *mut c_void,
    argument: *mut c_void,
    stack: usize,
) -> Result<()> {
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    let mut mask = MaybeUninit::<libc::sigset_t>::uninit();
    let mut thread = MaybeUninit::<libc::pthread_t>::uninit();
    // SAFETY: each call gets places of its own type, which the first call for each fills. The
    // new thread has the mask of this one, which gets its own back. A thread's function may
    // stay for ever: the shared library is linked with -z nodelete.
    let failed = unsafe {
        let failed = libc::pthread_attr_init(attributes.as_mut_ptr());
        if failed != 0 {
            return Err(Errno(failed));
        }
        // Both can only fail for values that do not exist; the defaults would do too.
        libc::pthread_attr_setdetachstate(attributes.as_mut_ptr(), libc::PTHREAD_CREATE_DETACHED);
        libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), stack);
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), mask.as_mut_ptr());
        let failed = libc::pthread_create(thread.as_mut_ptr(), attributes.as_ptr(), run, argument);
        libc::pthread_sigmask(libc::SIG_SETMASK, mask.as_ptr(), core::ptr::null_mut());
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        failed
    };
    match failed {
        0 => Ok(()),
        // No memory, or too many threads: not what EAGAIN means elsewhere.
        libc::EAGAIN => Err(Errno(libc::ENOMEM)),
        other => Err(Errno(other)),
    }
}
