//! The system calls that every byte goes through, without the C library's wrapper.
//!
//! The wrapper is a cancellation point, where pthread_cancel(3) would end a thread that has a
//! handle pinned, for ever; and it writes errno when a signal interrupts it, which the caller
//! must not see if the call goes on and succeeds. On other processors the wrapper serves, and under a
//! sanitizer, which checks the bytes of calls to the C library only (`sk_libc_calls`).

use libc::{c_int, c_void, msghdr, sockaddr, socklen_t};

use super::{Errno, Result};

/// What the kernel answers: a count, or the negative errno.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Answer(pub isize);

impl Answer {
    /// It would have to wait.
    pub const AGAIN: Answer = Answer(-(libc::EAGAIN as isize));

    /// A signal came.
    pub const INTERRUPTED: Answer = Answer(-(libc::EINTR as isize));

    /// No network is reached from here.
    pub const NO_NETWORK: Answer = Answer(-(libc::ENETUNREACH as isize));

    #[inline(always)]
    pub fn result(self) -> Result<usize> {
        if self.0 >= 0 { Ok(self.0 as usize) } else { Err(Errno(self.0.wrapping_neg() as c_int)) }
    }
}

impl From<Result<isize>> for Answer {
    fn from(result: Result<isize>) -> Answer {
        match result {
            Ok(count) => Answer(count),
            Err(Errno(errno)) => Answer((errno as isize).wrapping_neg()),
        }
    }
}

/// Of sendto(2) and recvfrom(2), data and length come back with the answer, as they were.
pub use system::{recvfrom, recvmsg, sendmsg, sendto};

#[cfg(all(
    not(sk_libc_calls),
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod system {
    use core::arch::asm;

    use super::*;

    /// One system call; its second and third argument come back as they were.
    #[inline(always)]
    unsafe fn call(number: libc::c_long, arguments: [usize; 6]) -> (Answer, usize, usize) {
        let [a, mut b, mut c, d, e, f] = arguments;
        let answer: isize;
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the caller answers for the arguments. What the kernel overwrites besides its
        // answer is named, and memory counts as written.
        unsafe {
            asm!(
                "syscall",
                inlateout("rax") number as isize => answer,
                in("rdi") a, inlateout("rsi") b, inlateout("rdx") c, in("r10") d, in("r8") e, in("r9") f,
                lateout("rcx") _, lateout("r11") _,
                options(nostack),
            );
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: as above.
        unsafe {
            asm!(
                "svc #0",
                in("x8") number,
                inlateout("x0") a as isize => answer,
                inlateout("x1") b, inlateout("x2") c, in("x3") d, in("x4") e, in("x5") f,
                options(nostack),
            );
        }
        (Answer(answer), b, c)
    }

    /// sendto(2).
    ///
    /// # Safety
    /// `data` is readable for `len` bytes, `to` is null or readable for `to_len` bytes.
    #[inline(always)]
    pub unsafe fn sendto(
        fd: c_int,
        data: *const c_void,
        len: usize,
        flags: c_int,
        to: *const sockaddr,
        to_len: socklen_t,
    ) -> (Answer, *const c_void, usize) {
        let arguments =
            [fd as u32 as usize, data as usize, len, flags as usize, to as usize, to_len as usize];
        // SAFETY: the arguments of sendto(2), as the caller promises.
        let (result, data, len) = unsafe { call(libc::SYS_sendto, arguments) };
        (result, data as *const c_void, len)
    }

    /// recvfrom(2).
    ///
    /// # Safety
    /// `data` is writable for `len` bytes; `from` and `from_len` are both null, or writable, `from`
    /// for as many bytes as `from_len` says.
    #[inline(always)]
    pub unsafe fn recvfrom(
        fd: c_int,
        data: *mut c_void,
        len: usize,
        flags: c_int,
        from: *mut sockaddr,
        from_len: *mut socklen_t,
    ) -> (Answer, *mut c_void, usize) {
        let arguments =
            [fd as u32 as usize, data as usize, len, flags as usize, from as usize, from_len as usize];
        // SAFETY: the arguments of recvfrom(2), as the caller promises.
        let (result, data, len) = unsafe { call(libc::SYS_recvfrom, arguments) };
        (result, data as *mut c_void, len)
    }

    /// sendmsg(2).
    ///
    /// # Safety
    /// What the message names is readable for the lengths that go with it.
    #[inline(always)]
    pub unsafe fn sendmsg(fd: c_int, message: *const msghdr, flags: c_int) -> Answer {
        let arguments = [fd as u32 as usize, message as usize, flags as usize, 0, 0, 0];
        // SAFETY: the arguments of sendmsg(2), as the caller promises.
        unsafe { call(libc::SYS_sendmsg, arguments).0 }
    }

    /// recvmsg(2).
    ///
    /// # Safety
    /// The message, and what it names for the lengths that go with it, is writable.
    #[inline(always)]
    pub unsafe fn recvmsg(fd: c_int, message: *mut msghdr, flags: c_int) -> Answer {
        let arguments = [fd as u32 as usize, message as usize, flags as usize, 0, 0, 0];
        // SAFETY: the arguments of recvmsg(2), as the caller promises.
        unsafe { call(libc::SYS_recvmsg, arguments).0 }
    }
}

#[cfg(not(all(
    not(sk_libc_calls),
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
mod system {
    use super::*;
    use crate::sys::{errno, syscall};

    /// sendto(2).
    ///
    /// # Safety
    /// `data` is readable for `len` bytes, `to` is null or readable for `to_len` bytes.
    pub unsafe fn sendto(
        fd: c_int,
        data: *const c_void,
        len: usize,
        flags: c_int,
        to: *const sockaddr,
        to_len: socklen_t,
    ) -> (Answer, *const c_void, usize) {
        let _keep = errno::Restore::later();
        // SAFETY: the arguments of sendto(2), as the caller promises.
        let result = unsafe { syscall!(sendto(fd, data, len, flags, to, to_len)) };
        (result.into(), data, len)
    }

    /// recvfrom(2).
    ///
    /// # Safety
    /// `data` is writable for `len` bytes; `from` and `from_len` are both null, or writable, `from`
    /// for as many bytes as `from_len` says.
    pub unsafe fn recvfrom(
        fd: c_int,
        data: *mut c_void,
        len: usize,
        flags: c_int,
        from: *mut sockaddr,
        from_len: *mut socklen_t,
    ) -> (Answer, *mut c_void, usize) {
        let _keep = errno::Restore::later();
        // SAFETY: the arguments of recvfrom(2), as the caller promises.
        let result = unsafe { syscall!(recvfrom(fd, data, len, flags, from, from_len)) };
        (result.into(), data, len)
    }

    /// sendmsg(2).
    ///
    /// # Safety
    /// What the message names is readable for the lengths that go with it.
    pub unsafe fn sendmsg(fd: c_int, message: *const msghdr, flags: c_int) -> Answer {
        let _keep = errno::Restore::later();
        // SAFETY: the arguments of sendmsg(2), as the caller promises.
        unsafe { syscall!(sendmsg(fd, message, flags)) }.into()
    }

    /// recvmsg(2).
    ///
    /// # Safety
    /// The message, and what it names for the lengths that go with it, is writable.
    pub unsafe fn recvmsg(fd: c_int, message: *mut msghdr, flags: c_int) -> Answer {
        let _keep = errno::Restore::later();
        // SAFETY: the arguments of recvmsg(2), as the caller promises.
        unsafe { syscall!(recvmsg(fd, message, flags)) }.into()
    }
}
