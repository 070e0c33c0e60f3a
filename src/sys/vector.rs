//! Lists of pieces, gathered by one send or filled by one receive, see sendmsg(2).

use core::ffi::c_void;
use core::marker::PhantomData;
use core::mem::MaybeUninit;

use libc::c_int;

use super::socket::Answer;
use super::system::messages;
use super::{Fd, Result, direct};

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

/// How many pieces Linux takes, UIO_MAXIOV.
pub(crate) const MOST: usize = 1024;

/// What so many pieces may have each.
const SHORT: usize = isize::MAX as usize / MOST;

/// A list of pieces that was looked at. The caller's list stays as it is.
#[derive(Clone, Copy)]
pub struct Pieces<'a> {
    list: &'a [Buf],
    of: PhantomData<&'a mut [MaybeUninit<u8>]>,
}

impl<'a> Pieces<'a> {
    /// `None`: a piece is NULL with a length, or all together are too long.
    ///
    /// # Safety
    /// Every piece that is not NULL is good for its length, exclusively where it is received
    /// into, as long as the result lives.
    #[inline(always)]
    pub unsafe fn new(list: &'a [Buf]) -> Option<Pieces<'a>> {
        if !is_plain(list) {
            check(list)?;
        }
        Some(Pieces { list, of: PhantomData })
    }

    #[inline(always)]
    fn message(self) -> libc::msghdr {
        // SAFETY: all-zero bytes are a msghdr: no name, no pieces, no control data.
        let mut message: libc::msghdr = unsafe { core::mem::zeroed() };
        message.msg_iov = self.list.as_ptr().cast_mut().cast();
        message.msg_iovlen = self.list.len() as _;
        message
    }
}

/// What is left of a list of pieces.
#[derive(Clone, Copy)]
pub struct Rest<'a> {
    /// What is left of a piece that was partly done; it comes before the others.
    begun: Buf,
    others: Pieces<'a>,
}

impl<'a> Rest<'a> {
    const NOTHING: Buf = Buf { data: core::ptr::null_mut(), len: 0 };

    /// All of a list.
    pub fn all(pieces: Pieces<'a>) -> Rest<'a> {
        Rest { begun: Self::NOTHING, others: pieces }
    }

    /// All of one room to receive into.
    pub fn one(room: &'a mut [MaybeUninit<u8>]) -> Rest<'a> {
        let begun = Buf { data: room.as_mut_ptr().cast(), len: room.len() };
        Rest { begun, others: Pieces { list: &[], of: PhantomData } }
    }

    /// So many bytes more are done.
    pub fn advance(&mut self, mut bytes: usize) {
        while bytes >= self.begun.len {
            bytes = bytes.wrapping_sub(self.begun.len);
            self.begun = Self::NOTHING;
            match self.others.list {
                [first, rest @ ..] if bytes > 0 => (self.begun, self.others.list) = (*first, rest),
                _ => return,
            }
        }
        self.begun.data = self.begun.data.wrapping_byte_add(bytes);
        self.begun.len = self.begun.len.wrapping_sub(bytes);
    }

    /// No byte is left.
    pub fn is_empty(&self) -> bool {
        self.begun.len == 0 && self.others.list.iter().all(|piece| piece.len == 0)
    }
}

/// What most lists are: no piece is NULL, and each so short that they can't be too many.
#[inline(never)]
fn is_plain(list: &[Buf]) -> bool {
    let (mut lens, mut rest) = (0, list);
    // A look at four takes little more than one at one.
    while let [a, b, c, d, others @ ..] = rest {
        if a.data.is_null() || b.data.is_null() || c.data.is_null() || d.data.is_null() {
            return false;
        }
        lens |= a.len | b.len | c.len | d.len;
        rest = others;
    }
    for piece in rest {
        if piece.data.is_null() {
            return false;
        }
        lens |= piece.len;
    }
    lens <= SHORT && list.len() <= MOST
}

/// Every piece has its bytes, and all together are not too many.
#[cold]
#[inline(never)]
fn check(list: &[Buf]) -> Option<()> {
    // A call answers with an isize: with 32 bits, two good pieces can be too long together.
    let mut total = 0isize;
    for piece in list {
        let len = isize::try_from(piece.len).ok().filter(|&len| len == 0 || !piece.data.is_null())?;
        total = total.checked_add(len)?;
    }
    Some(())
}

/// Sends the pieces; errno stays as it is.
#[inline(always)]
pub fn send_plain(fd: Fd, pieces: Pieces, flags: c_int) -> Answer {
    let message = pieces.message();
    // SAFETY: the message names the list, whose pieces are good for their lengths.
    unsafe { direct::sendmsg(fd, &message, flags | messages::NOSIGNAL) }
}

/// Receives into the pieces; errno stays as it is.
#[inline(always)]
pub fn recv_plain(fd: Fd, pieces: Pieces, flags: c_int) -> Answer {
    let mut message = pieces.message();
    // SAFETY: the message names the list, whose pieces are good for their lengths, exclusively.
    unsafe { direct::recvmsg(fd, &mut message, flags) }
}

/// As `send_plain`.
pub fn send(fd: Fd, pieces: Pieces, flags: c_int) -> Result<usize> {
    send_plain(fd, pieces, flags).result()
}

/// As `recv_plain`.
pub fn recv(fd: Fd, pieces: Pieces, flags: c_int) -> Result<usize> {
    recv_plain(fd, pieces, flags).result()
}

/// Receives into the piece that was begun, else into all that are left.
pub fn recv_rest(fd: Fd, rest: &Rest, flags: c_int) -> Result<usize> {
    let Buf { data, len } = rest.begun;
    if len == 0 {
        return recv(fd, rest.others, flags);
    }
    // SAFETY: the rest of a piece, which is good for its length, exclusively.
    super::socket::recv(fd, unsafe { core::slice::from_raw_parts_mut(data.cast(), len) }, flags)
}
