//! Lists of pieces, gathered by one send or filled by one receive, see sendmsg(2).

use core::ffi::c_void;
use core::marker::PhantomData;
use core::mem::MaybeUninit;

use libc::c_int;

use super::socket::Answer;
use super::{Fd, Result, errno, syscall};

/// One piece of a list: bytes to send, or room to receive into. As `struct iovec` has it.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Buf {
    /// The bytes; NULL only with len 0.
    pub data: *mut c_void,
    /// How many bytes.
    pub len: usize,
}

// The kernel takes the caller's list as it is.
const _: () = {
    use core::mem::offset_of;
    assert!(size_of::<Buf>() == size_of::<libc::iovec>() && align_of::<Buf>() == align_of::<libc::iovec>());
    assert!(offset_of!(Buf, data) == offset_of!(libc::iovec, iov_base));
    assert!(offset_of!(Buf, len) == offset_of!(libc::iovec, iov_len));
};

/// What is left of a list of pieces. The caller's list stays as it is.
#[derive(Clone, Copy)]
pub struct Pieces<'a> {
    /// What is left of a piece that was partly done; it comes before the list.
    begun: Buf,
    list: &'a [Buf],
    of: PhantomData<&'a mut [MaybeUninit<u8>]>,
}

impl<'a> Pieces<'a> {
    const NOTHING: Buf = Buf { data: core::ptr::null_mut(), len: 0 };

    /// `None`: a piece is NULL with a length, or all together are too long.
    ///
    /// # Safety
    /// Every piece that is not NULL is good for its length, exclusively where it is received
    /// into, as long as the result lives.
    pub unsafe fn new(list: &'a [Buf]) -> Option<Pieces<'a>> {
        // A call answers with an isize: with 32 bits, two good pieces can be too long together.
        let mut total = 0isize;
        for piece in list {
            let len = isize::try_from(piece.len).ok().filter(|&len| len == 0 || !piece.data.is_null())?;
            total = total.checked_add(len)?;
        }
        Some(Pieces { begun: Self::NOTHING, list, of: PhantomData })
    }

    /// Room to receive into, as a list of one.
    pub fn one(room: &'a mut [MaybeUninit<u8>]) -> Pieces<'a> {
        let begun = Buf { data: room.as_mut_ptr().cast(), len: room.len() };
        Pieces { begun, list: &[], of: PhantomData }
    }

    /// So many bytes more are done.
    pub fn advance(&mut self, mut bytes: usize) {
        while bytes >= self.begun.len {
            bytes = bytes.wrapping_sub(self.begun.len);
            self.begun = Self::NOTHING;
            match self.list {
                [first, rest @ ..] if bytes > 0 => (self.begun, self.list) = (*first, rest),
                _ => return,
            }
        }
        self.begun.data = self.begun.data.wrapping_byte_add(bytes);
        self.begun.len = self.begun.len.wrapping_sub(bytes);
    }

    /// No byte is left.
    pub fn is_empty(&self) -> bool {
        self.begun.len == 0 && self.list.iter().all(|piece| piece.len == 0)
    }

    fn message(self) -> libc::msghdr {
        // SAFETY: all-zero bytes are a msghdr: no name, no pieces, no control data.
        let mut message: libc::msghdr = unsafe { core::mem::zeroed() };
        message.msg_iov = self.list.as_ptr().cast_mut().cast();
        message.msg_iovlen = self.list.len() as _;
        message
    }
}

/// Sends the pieces of a list of which nothing is done yet.
pub fn send(fd: Fd, pieces: Pieces, flags: c_int) -> Result<usize> {
    let message = pieces.message();
    // SAFETY: the message names the list, whose pieces are good for their lengths.
    unsafe { syscall!(sendmsg(fd, &message, flags | libc::MSG_NOSIGNAL)) }.map(|sent| sent as usize)
}

/// As `send`; errno stays as it is.
pub fn send_plain(fd: Fd, pieces: Pieces, flags: c_int) -> Answer {
    let _keep = errno::Restore::later();
    send(fd, pieces, flags).map(|sent| sent as isize).into()
}

/// As `recv`; errno stays as it is.
pub fn recv_plain(fd: Fd, pieces: Pieces, flags: c_int) -> Answer {
    let _keep = errno::Restore::later();
    recv(fd, pieces, flags).map(|received| received as isize).into()
}

/// Receives into the pieces, or only into the rest of the one that was begun.
pub fn recv(fd: Fd, pieces: Pieces, flags: c_int) -> Result<usize> {
    if pieces.begun.len > 0 {
        let Buf { data, len } = pieces.begun;
        // SAFETY: the rest of a piece, which is good for its length, exclusively.
        return super::socket::recv(fd, unsafe { core::slice::from_raw_parts_mut(data.cast(), len) }, flags);
    }
    let mut message = pieces.message();
    // SAFETY: the message names the list, whose pieces are good for their lengths, exclusively.
    unsafe { syscall!(recvmsg(fd, &mut message, flags)) }.map(|received| received as usize)
}
