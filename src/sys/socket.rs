//! The calls that a socket's life is made of, see socket(7).

use core::mem::MaybeUninit;
use core::ptr::{null, null_mut};
use core::slice::{from_raw_parts, from_raw_parts_mut};

use libc::c_int;

use super::address::{self, Address, Raw, Sockaddr, SockaddrRoom};
pub use super::direct::Answer;
use super::system::messages;
use super::{Errno, Fd, Result, direct, option, poll, syscall};

pub use super::system::{CONNECT_TELLS, accept, never_sigpipe, pair, peer_may_send, socket, was_connected};

pub const STREAM: c_int = libc::SOCK_STREAM;
pub const DGRAM: c_int = libc::SOCK_DGRAM;
pub const SEQPACKET: c_int = libc::SOCK_SEQPACKET;

/// Message flags of the kernel.
pub mod message {
    pub use libc::{MSG_DONTWAIT as DONTWAIT, MSG_OOB as OOB, MSG_PEEK as PEEK, MSG_WAITALL as WAITALL};

    pub use crate::sys::system::messages::{DISCARD, MORE, TRUNC};
}

#[derive(Clone, Copy)]
pub enum How {
    Read,
    Write,
    Both,
}

pub fn bind(fd: Fd, address: &Raw) -> Result<()> {
    let (address, len) = address.as_ptr();
    // SAFETY: address and length are those of one `Raw`.
    unsafe { syscall!(bind(fd, address, len)) }.map(drop)
}

pub fn listen(fd: Fd, backlog: c_int) -> Result<()> {
    // SAFETY: only numbers are passed.
    unsafe { syscall!(listen(fd, backlog)) }.map(drop)
}

pub fn connect(fd: Fd, address: &Raw) -> Result<()> {
    let (address, len) = address.as_ptr();
    // SAFETY: address and length are those of one `Raw`.
    unsafe { syscall!(connect(fd, address, len)) }.map(drop)
}

/// Takes the peer of a datagram socket away.
pub fn forget_peer(fd: Fd) -> Result<()> {
    match dissolve(fd) {
        // Elsewhere it is done, and then said to be wrong.
        Err(_) if !CONNECT_TELLS && !is_connected(fd) => Ok(()),
        result => result,
    }
}

/// The same, or gives up an attempt to connect, which only Linux can.
#[inline(never)]
pub fn dissolve(fd: Fd) -> Result<()> {
    let nowhere = address::NOWHERE;
    let len = size_of_val(&nowhere) as libc::socklen_t;
    loop {
        // SAFETY: a family is all that is read of an address of none.
        match unsafe { syscall!(connect(fd, (&raw const nowhere).cast(), len)) } {
            Err(Errno(libc::EINTR)) => {}
            result => return result.map(drop),
        }
    }
}

/// What became of an attempt to connect that has begun. EALREADY: it goes on. EISCONN: it went
/// to another address, and was not given up.
pub fn outcome(fd: Fd, address: &Raw) -> Result<()> {
    let mut peer = Raw::empty();
    match option::get(fd, option::ERROR)? {
        0 if peer_address(fd, &mut peer).is_ok() => {
            if peer.is_same_place(address) {
                Ok(())
            } else {
                Err(Errno(libc::EISCONN))
            }
        }
        // A shutdown has ended it, or somebody else was told.
        0 if poll::poll(&mut [poll::Item::new(fd, poll::OUT)], Some(0)) != Ok(0) => connect(fd, address),
        0 => Err(Errno(libc::EALREADY)),
        errno => Err(Errno(errno)),
    }
}

pub fn shutdown(fd: Fd, how: How) -> Result<()> {
    let how = match how {
        How::Read => libc::SHUT_RD,
        How::Write => libc::SHUT_WR,
        How::Both => libc::SHUT_RDWR,
    };
    // SAFETY: only numbers are passed.
    unsafe { syscall!(shutdown(fd, how)) }.map(drop)
}

pub fn send(fd: Fd, data: &[u8], flags: c_int) -> Result<usize> {
    let flags = flags | messages::NOSIGNAL;
    // SAFETY: pointer and length are those of one slice.
    unsafe { direct::sendto(fd, data.as_ptr().cast(), data.len(), flags, null(), 0) }.0.result()
}

pub fn send_to(fd: Fd, data: &[u8], flags: c_int, to: &impl Sockaddr) -> Result<usize> {
    let (address, len) = to.as_ptr();
    let flags = flags | messages::NOSIGNAL;
    // SAFETY: both pointers go with the lengths of what they point to.
    unsafe { direct::sendto(fd, data.as_ptr().cast(), data.len(), flags, address, len) }.0.result()
}

pub fn recv(fd: Fd, data: &mut [MaybeUninit<u8>], flags: c_int) -> Result<usize> {
    // SAFETY: pointer and length are those of one slice, exclusively ours.
    unsafe { direct::recvfrom(fd, data.as_mut_ptr().cast(), data.len(), flags, null_mut(), null_mut()) }
        .0
        .result()
}

pub fn recv_from(
    fd: Fd,
    data: &mut [MaybeUninit<u8>],
    flags: c_int,
    from: &mut impl SockaddrRoom,
) -> Result<usize> {
    let (address, mut len) = from.room();
    // SAFETY: both pointers go with the lengths of what they point to, exclusively ours.
    let received =
        unsafe { direct::recvfrom(fd, data.as_mut_ptr().cast(), data.len(), flags, address, &mut len) }
            .0
            .result()?;
    if len > 0 {
        from.filled(len);
    }
    Ok(received)
}

/// The same calls without flags, for where every instruction counts: the data comes back with
/// the result, in the registers that it went in, so that nothing has to be saved for the rare
/// case that it is needed again.
#[inline(always)]
pub fn send_plain(fd: Fd, data: &[u8], flags: c_int) -> (Answer, &[u8]) {
    // SAFETY: pointer and length are those of one slice, and come back.
    unsafe {
        let (answer, data, len) =
            direct::sendto(fd, data.as_ptr().cast(), data.len(), flags | messages::NOSIGNAL, null(), 0);
        (answer, from_raw_parts(data.cast(), len))
    }
}

/// As `send_plain`.
#[inline(always)]
pub fn send_to_plain<'a>(fd: Fd, data: &'a [u8], to: &impl Sockaddr) -> (Answer, &'a [u8]) {
    let (address, len) = to.as_ptr();
    // SAFETY: both pointers go with the lengths of what they point to; the data comes back.
    unsafe {
        let (answer, data, len) =
            direct::sendto(fd, data.as_ptr().cast(), data.len(), messages::NOSIGNAL, address, len);
        (answer, from_raw_parts(data.cast(), len))
    }
}

/// As `send_plain`.
#[inline(always)]
pub fn recv_plain(fd: Fd, data: &mut [MaybeUninit<u8>], flags: c_int) -> (Answer, &mut [MaybeUninit<u8>]) {
    // SAFETY: pointer and length are those of one slice, exclusively ours, and come back.
    unsafe {
        let (answer, data, len) =
            direct::recvfrom(fd, data.as_mut_ptr().cast(), data.len(), flags, null_mut(), null_mut());
        (answer, from_raw_parts_mut(data.cast(), len))
    }
}

/// As `send_plain`, on a socket whose addresses are `T`s. What comes is one at the beginning of
/// `from`, of `from_len` bytes: see `inet_in_place` and `inet6_in_place`.
#[inline(always)]
pub fn recv_from_plain<'a, T>(
    fd: Fd,
    data: &'a mut [MaybeUninit<u8>],
    from: &mut MaybeUninit<Address>,
    from_len: &mut libc::socklen_t,
) -> (Answer, &'a mut [MaybeUninit<u8>]) {
    const { assert!(size_of::<T>() <= size_of::<Address>()) };
    *from_len = size_of::<T>() as libc::socklen_t;
    // SAFETY: both pointers are good for the lengths that go with them, exclusively ours; the
    // data comes back.
    unsafe {
        let address = from.as_mut_ptr().cast();
        let (answer, data, len) =
            direct::recvfrom(fd, data.as_mut_ptr().cast(), data.len(), 0, address, from_len);
        (answer, from_raw_parts_mut(data.cast(), len))
    }
}

pub fn local_address(fd: Fd, to: &mut Raw) -> Result<()> {
    let (address, len) = to.fill();
    // SAFETY: address and length are those of one `Raw`, exclusively ours.
    unsafe { syscall!(getsockname(fd, address, len)) }.map(drop)
}

pub fn peer_address(fd: Fd, to: &mut Raw) -> Result<()> {
    let (address, len) = to.fill();
    // SAFETY: address and length are those of one `Raw`, exclusively ours.
    unsafe { syscall!(getpeername(fd, address, len)) }.map(drop)
}

/// Whether the socket has a peer now.
#[inline(never)]
pub fn is_connected(fd: Fd) -> bool {
    peer_address(fd, &mut Raw::empty()).is_ok()
}
