//! The near end of a socket: its own address, and listening there.

use core::mem::MaybeUninit;

use super::flags::SK_FOREVER;
use super::pinned::Socket;
use crate::error::{Code, Error, Result};
use crate::handle::slot::mark;
use crate::net::address::{Address, Family};
use crate::net::parse;
use crate::sys::address::Raw;
use crate::sys::socket::How;
use crate::sys::{self, Errno, Fd, SHUTDOWN_WAKES, descriptor, option, socket as calls};

impl Socket {
    /// Puts the kernel's form of an address for this socket there.
    pub fn to_raw(&self, address: &Address, to: &mut Raw) -> Result<()> {
        let mapped = self.mapped(address)?;
        Ok(to.set(address, mapped)?)
    }

    /// Whether an address for this socket is an IPv4 one on a dual-stack socket, which it is
    /// welcome to be; otherwise it is of the socket's family.
    pub fn mapped(&self, address: &Address) -> Result<bool> {
        let family = self.kind().family();
        if address.family > Family::SK_UNIX as u16 {
            return Err(Code::SK_EINVAL.into());
        }
        let mapped = family == Family::SK_INET6 && address.family == Family::SK_INET as u16;
        if address.family != family as u16 && !mapped {
            return Err(Code::SK_EAFNOSUPPORT.into());
        }
        Ok(mapped)
    }

    /// A numeric host, or for Unix a path or `@name`, as an address of this socket's family.
    pub fn host(&self, host: &[u8], port: u16) -> Result<Address> {
        if self.kind().is_unix() {
            if port != 0 {
                return Err(Code::SK_EINVAL.into());
            }
            return parse::parse_unix(host);
        }
        Ok(Address { port, ..parse::parse_ip(host)? })
    }

    /// Binds to a numeric host; an empty one is any address, or a free abstract Unix name.
    pub fn bind_host(&self, host: &[u8], port: u16) -> Result<()> {
        let address = if host.is_empty() && !self.kind().is_unix() {
            Address { family: self.kind().family() as u16, port, ..Address::NONE }
        } else {
            self.host(host, port)?
        };
        self.bind(&address)
    }

    pub fn bind(&self, address: &Address) -> Result<()> {
        let mut raw = Raw::empty();
        self.to_raw(address, &mut raw)?;
        if self.kind().is_tcp() && !self.slot.has(mark::REUSE_CHOSEN) {
            // So that a restarted server gets its port at once.
            option::set(self.fd(), option::REUSE_ADDR, 1)?;
        }
        // Linux takes the wish for a free name for fulfilled where there is a name.
        if self.kind().is_unix() && address.path_len == 0 {
            let unnamed = raw.bytes().len();
            calls::local_address(self.fd(), &mut raw)?;
            if raw.bytes().len() != unnamed {
                return Err(Code::SK_EINVAL.into());
            }
        }
        calls::bind(self.fd(), &raw).map_err(|errno| self.address_error(errno, address))
    }

    /// The kernel's word for "IPv4 on a socket that is only for IPv6" is not ours.
    pub fn address_error(&self, errno: Errno, address: &Address) -> Error {
        let v4_on_v6 = self.kind().is_inet6() && address.family == Family::SK_INET as u16;
        if v4_on_v6 && option::get(self.fd(), option::V6ONLY) == Ok(1) {
            return Code::SK_EAFNOSUPPORT.into();
        }
        errno.into()
    }

    /// Lets clients connect; `backlog` of them may wait to be accepted.
    pub fn listen(&self, backlog: i32) -> Result<()> {
        if self.kind().is_datagram() {
            return Err(Code::SK_EOPNOTSUPP.into());
        }
        // The kernel cuts it to its maximum.
        let backlog = if backlog <= 0 { i32::MAX } else { backlog };
        calls::listen(self.fd(), backlog)?;
        self.undo_if_closed()?;
        self.slot.mark(mark::LISTENING);
        if self.slot.recv_limit.get() == SK_FOREVER {
            self.make_blocking()?;
        }
        Ok(())
    }

    /// `connect`, `listen` and dissolving undo the `shutdown` by which a close that came
    /// meanwhile woke the handle's calls: so it is done again by the one who undid it.
    pub fn undo_if_closed(&self) -> Result<()> {
        if !self.is_closed() {
            return Ok(());
        }
        if !self.is_shared() {
            let _ = calls::shutdown(self.fd(), How::Both);
        }
        Err(Code::SK_ECLOSED.into())
    }

    /// From here on, calls without a limit are one plain system call. Not so on a shared socket,
    /// whose calls are never plain: another copy may need it as it is.
    pub fn make_blocking(&self) -> Result<()> {
        if SHUTDOWN_WAKES && self.slot.has(mark::NONBLOCKING) && !self.is_shared() {
            self.slot.unmark(mark::NONBLOCKING);
            descriptor::set_nonblocking(self.fd(), false)?;
            // Another thread may have needed the other mode meanwhile.
            if self.slot.has(mark::NONBLOCKING) {
                descriptor::set_nonblocking(self.fd(), true)?;
            }
        }
        Ok(())
    }

    /// For calls that have no flag against blocking. The mode is the socket's, so of a shared one
    /// nobody knows it: a copy may have been given up, which made it blocking.
    pub fn make_nonblocking(&self) -> core::result::Result<(), Errno> {
        if !self.slot.has(mark::NONBLOCKING) || self.is_shared() {
            descriptor::set_nonblocking(self.fd(), true)?;
            self.slot.mark(mark::NONBLOCKING);
        }
        Ok(())
    }

    pub fn local_address<'a>(&self, to: &'a mut MaybeUninit<Address>) -> Result<&'a mut Address> {
        self.show(calls::local_address, to)
    }

    pub fn peer_address<'a>(&self, to: &'a mut MaybeUninit<Address>) -> Result<&'a mut Address> {
        self.show(calls::peer_address, to)
    }

    /// An address of this socket from the kernel. A close may have dissolved it meanwhile.
    fn show<'a>(
        &self,
        ask: fn(Fd, &mut Raw) -> sys::Result<()>,
        to: &'a mut MaybeUninit<Address>,
    ) -> Result<&'a mut Address> {
        let mut raw = Raw::empty();
        let answer = ask(self.fd(), &mut raw);
        if self.is_closed() {
            return Err(Code::SK_ECLOSED.into());
        }
        answer?;
        raw.show(to).ok_or_else(|| Code::SK_EAFNOSUPPORT.into())
    }
}
