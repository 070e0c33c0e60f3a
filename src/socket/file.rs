//! Sending a file.

use super::pinned::Socket;
use super::wait::Stop;
use crate::error::{Code, Error, Result};
use crate::handle::slot::Direction;
use crate::sys::file::{self, NoSigpipe};
use crate::sys::socket::message;
use crate::sys::time::Timer;
use crate::sys::{self, Errno, Fd, errno, socket as calls};

/// Bytes that a file which can't be sent without a copy is read in.
const COPIED: usize = 256;

/// Bytes after which a call that must not block looks whether it is to end.
const PIECE: i64 = 1 << 20;

impl Socket {
    /// Sends `count` bytes of a file from `offset` on; `None`: to its end. How many went; an
    /// error only where none did.
    pub fn send_file(&self, file: Fd, offset: i64, count: Option<i64>) -> Result<i64> {
        if let Some(errno) = self.take_kept(Direction::Send) {
            return Err(errno.into());
        }
        let end = offset.saturating_add(count.unwrap_or(i64::MAX));
        let mut timer = Timer::new(self.slot.send_limit.get());
        let mut from = offset;
        let mut copies = false;
        let _keep = errno::Restore::later();
        let mut quiet = NoSigpipe::new();
        loop {
            let left = end.saturating_sub(from);
            let mut attempt = |must_not_block| {
                if copies {
                    quiet.may_be_raised = false;
                    return self.copy(file, from, left, must_not_block);
                }
                let mut piece = left;
                if must_not_block {
                    self.make_nonblocking()?;
                    piece = left.min(PIECE);
                }
                let sent = file::send(self.fd(), file, from, piece);
                quiet.may_be_raised = match sent {
                    Ok(sent) => sent > 0 && (sent as i64) < piece,
                    Err(Errno(errno)) => errno != libc::EAGAIN && errno != libc::EINTR,
                };
                sent
            };
            let sent =
                self.retry_with(&mut timer, &mut attempt, &mut |timer| self.sleep_to_send(None, timer));
            match sent {
                Ok(sent) => {
                    from = from.saturating_add(sent as i64);
                    if sent == 0 || from >= end {
                        break;
                    }
                }
                Err(Stop::System(Errno(libc::EINVAL | libc::ENOSYS))) if !copies => copies = true,
                // Further than any file of its kind goes.
                Err(Stop::System(Errno(libc::EOVERFLOW))) => break,
                Err(stop) if from == offset => return Err(told(stop)),
                Err(stop) => {
                    // What is wrong with the file is told again when it is asked for again.
                    if !stop.system().is_some_and(is_of_file) {
                        self.keep(Direction::Send, &stop);
                    }
                    break;
                }
            }
        }
        Ok(from.saturating_sub(offset))
    }

    fn copy(&self, file: Fd, from: i64, left: i64, must_not_block: bool) -> sys::Result<usize> {
        let mut buffer = [0; COPIED];
        let read = file::read(file, &mut buffer, from, left)?;
        match buffer.get(..read) {
            Some(data @ [_, ..]) => {
                calls::send(self.fd(), data, if must_not_block { message::DONTWAIT } else { 0 })
            }
            _ => Ok(0),
        }
    }
}

/// The file, and not the connection, is to blame.
fn is_of_file(Errno(errno): Errno) -> bool {
    matches!(errno, libc::EBADF | libc::ESPIPE | libc::EISDIR | libc::EIO)
}

fn told(stop: Stop) -> Error {
    match stop.system() {
        Some(Errno(errno)) if errno != libc::EIO && is_of_file(Errno(errno)) => {
            Error { code: Code::SK_EINVAL, errno }
        }
        _ => stop.into(),
    }
}
