//! From a file to a socket, see sendfile(2), and what it takes to be spared its SIGPIPE.

use core::mem::MaybeUninit;
use core::ptr::null_mut;

use libc::{c_int, sigset_t};

use super::{Fd, Result, system};

/// More than the kernel moves with one call.
const MOST: i64 = 0x7fff_f000;

/// Sends at most `count` bytes of the file from `offset` on; 0: there are none. The kernel
/// copies nothing, but not every file can do that: EINVAL, ENOSYS.
pub fn send(socket: Fd, file: Fd, offset: i64, count: i64) -> Result<usize> {
    system::send_file(socket, file, offset, count.min(MOST) as usize)
}

/// Reads bytes of the file from `offset` on, as far as the buffer goes and no more than `count`.
pub fn read(file: Fd, buffer: &mut [u8], offset: i64, count: i64) -> Result<usize> {
    let count = buffer.len().min(count.min(MOST) as usize);
    system::read_file(file, buffer.get_mut(..count).unwrap_or_default(), offset)
}

/// While one of these is alive, SIGPIPE is blocked in this thread.
pub struct NoSigpipe {
    /// What the caller had done already.
    blocked: bool,
    /// One was pending already, and is the caller's.
    pending: bool,
    /// The kernel may have raised one. It tells so with EPIPE, unless some bytes went before,
    /// which it tells instead; whatever it is asked next then fails, but not always with EPIPE.
    pub may_be_raised: bool,
}

fn sigpipe() -> sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: the first call sets what the second one adds to.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGPIPE);
        set.assume_init()
    }
}

fn contains(get: impl FnOnce(*mut sigset_t) -> c_int) -> bool {
    let mut set = MaybeUninit::uninit();
    // SAFETY: it is only read where the call has set it.
    get(set.as_mut_ptr()) == 0 && unsafe { libc::sigismember(set.as_ptr(), libc::SIGPIPE) } == 1
}

fn is_pending() -> bool {
    // SAFETY: the set is ours to write.
    contains(|set| unsafe { libc::sigpending(set) })
}

impl NoSigpipe {
    #[inline(never)]
    pub fn new() -> NoSigpipe {
        // SAFETY: both sets are ours. Neither call can fail.
        let blocked = contains(|old| unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &sigpipe(), old) });
        NoSigpipe { blocked, pending: is_pending(), may_be_raised: false }
    }
}

impl Drop for NoSigpipe {
    #[inline(never)]
    fn drop(&mut self) {
        let set = sigpipe();
        if self.may_be_raised {
            system::take_pending(&set);
            // Two of one thread are one to the kernel; beside one of the whole process there are two.
            if self.pending && !is_pending() {
                // SAFETY: it takes no pointer.
                unsafe { libc::raise(libc::SIGPIPE) };
            }
        }
        if !self.blocked {
            // SAFETY: the set is ours. It can't fail.
            unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &set, null_mut()) };
        }
    }
}
