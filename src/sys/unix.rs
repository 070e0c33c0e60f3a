//! What only Unix sockets have, see unix(7): descriptors that travel with a message, and who
//! is at the other end.

use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr::read_unaligned;

use libc::{c_int, cmsghdr, iovec, msghdr};

use super::system::{CREDENTIALS, DESCRIPTORS, messages};
use super::{Fd, Result, descriptor, socket, syscall};

pub use super::system::{PEEK_COPIES, peer};

/// Who is at the other end of a Unix socket, as the kernel noted when the connection was made.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Cred {
    /// Process; 0 where it has no number here, as from outside of a container.
    pub pid: i32,
    /// User that it acted as.
    pub uid: u32,
    /// Group that it acted as.
    pub gid: u32,
}

/// Length of a control message with one descriptor, without what is only there to align the next.
// SAFETY: only numbers.
const ONE: usize = unsafe { libc::CMSG_LEN(size_of::<Fd>() as _) } as usize;

/// Room for control messages. What else the kernel may put in front of the descriptor, where the
/// socket came from outside and was made to, is who sent it.
#[repr(C)]
union Control {
    align: cmsghdr,
    // SAFETY: only numbers.
    bytes: [u8; unsafe { libc::CMSG_SPACE(CREDENTIALS as _) } as usize + ONE],
}

fn message(byte: &mut iovec, control: *mut c_void, len: usize) -> msghdr {
    // SAFETY: all-zero bytes are a msghdr.
    let mut message: msghdr = unsafe { core::mem::zeroed() };
    message.msg_iov = byte;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = len as _;
    message
}

/// Sends one byte, and with it a copy of the descriptor.
pub fn send_descriptor(via: Fd, fd: Fd, flags: c_int) -> Result<usize> {
    let mut byte = 0u8;
    let mut data = iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    // SAFETY: all-zero bytes are control messages.
    let mut control: Control = unsafe { core::mem::zeroed() };
    let message = message(&mut data, (&raw mut control).cast(), ONE);
    // SAFETY: `control` has room for one message of length ONE, and its place is aligned for
    // the header; the call reads one byte, and ONE bytes of control messages.
    unsafe {
        control.align.cmsg_level = libc::SOL_SOCKET;
        control.align.cmsg_type = libc::SCM_RIGHTS;
        control.align.cmsg_len = ONE as _;
        libc::CMSG_DATA(&raw const control.align).cast::<Fd>().write_unaligned(fd);
        syscall!(sendmsg(via, &message, flags | messages::NOSIGNAL))
    }
    .map(|sent| sent as usize)
}

/// What came with a byte.
pub struct Received {
    /// Bytes: one at most.
    pub count: usize,
    /// The first descriptor, close-on-exec, and ours from now on. Further ones are gone.
    pub fd: Option<Fd>,
    /// There was a descriptor that found no room in this process.
    pub no_room: bool,
}

/// Receives one byte, and the descriptor that may have come with it. With MSG_PEEK the byte and
/// its descriptor stay, and what is received is a copy.
pub fn recv_descriptor(via: Fd, flags: c_int) -> Result<Received> {
    let mut byte = MaybeUninit::<u8>::uninit();
    let mut data = iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
    // SAFETY: all-zero bytes are control messages.
    let mut control: Control = unsafe { core::mem::zeroed() };
    let mut message = message(&mut data, (&raw mut control).cast(), size_of::<Control>());
    // SAFETY: the message says where there is room for one byte and for control messages.
    let count = unsafe { syscall!(recvmsg(via, &mut message, flags | messages::CLOEXEC)) }? as usize;
    let fd = first_descriptor(&message);
    if let Some(fd) = fd.filter(|_| messages::CLOEXEC == 0) {
        let _ = descriptor::close_on_exec(fd).and_then(|()| socket::never_sigpipe(fd));
    }
    let no_room = fd.is_none() && message.msg_flags & libc::MSG_CTRUNC != 0;
    Ok(Received { count, fd, no_room })
}

/// The first descriptor in a message that was received, as its sender gave it. Closes the others.
fn first_descriptor(message: &msghdr) -> Option<Fd> {
    let mut first = None;
    // SAFETY: the kernel has filled the control messages in; each says its length, and CMSG_NXTHDR
    // gives null instead of one that is not wholly there.
    unsafe {
        let mut next = libc::CMSG_FIRSTHDR(message);
        while let Some(header) = next.as_ref() {
            let data = libc::CMSG_DATA(header);
            #[allow(clippy::unnecessary_cast)] // 32 bits on some systems
            let len = (header.cmsg_len as usize).saturating_sub(ONE - size_of::<Fd>());
            if header.cmsg_level == libc::SOL_SOCKET && DESCRIPTORS.contains(&header.cmsg_type) {
                for at in 0..len / size_of::<Fd>() {
                    let fd = read_unaligned(data.cast::<Fd>().add(at));
                    match first {
                        None if header.cmsg_type == libc::SCM_RIGHTS => first = Some(fd),
                        _ => descriptor::close(fd),
                    }
                }
            }
            next = libc::CMSG_NXTHDR(message, header);
        }
    }
    first
}
