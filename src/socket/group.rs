//! Multicast: being in a group, of any source or of named ones.

use core::ffi::CStr;

use super::pinned::Socket;
use crate::error::{Code, Error, Result};
use crate::net::address::{Address, Family};
use crate::sys::group::{self, Membership};
use crate::sys::{Errno, interface, option};

/// A group as the caller names it.
pub struct Group<'a> {
    pub group: &'a Address,
    /// `None`: any source.
    pub source: Option<&'a Address>,
    /// Name of the interface; `None`: the system's choice.
    pub interface: Option<&'a CStr>,
}

impl Group<'_> {
    /// Whether it is one that this socket can be in.
    fn check(&self, socket: &Socket) -> Result<()> {
        let inet6 = socket.kind().is_inet6();
        for address in self.source.into_iter().chain([self.group]) {
            match address.family {
                // Both are of one family. IPv4 is welcome on a dual-stack socket.
                family if family > Family::SK_UNIX as u16 => return Err(Code::SK_EINVAL.into()),
                family if family != self.group.family => return Err(Code::SK_EAFNOSUPPORT.into()),
                family if family == Family::SK_INET6 as u16 && inet6 => {}
                family if family == Family::SK_INET as u16 && !is_v6_only(socket) => {}
                _ => return Err(Code::SK_EAFNOSUPPORT.into()),
            }
        }
        let no_source = |source: &Address| is_multicast(source) || is_unspecified(source);
        if !is_multicast(self.group) || self.source.is_some_and(no_source) {
            return Err(Code::SK_EINVAL.into());
        }
        Ok(())
    }

    /// Index of the interface; 0: the system's choice.
    fn interface(&self) -> Result<u32> {
        let inet6 = self.group.family == Family::SK_INET6 as u16;
        let scope = if inet6 { self.group.scope_id } else { 0 };
        let Some(name) = self.interface else {
            return Ok(scope);
        };
        if name.count_bytes() >= libc::IFNAMSIZ {
            return Err(Code::SK_ENAMETOOLONG.into());
        }
        let index = interface::index_of(name.to_bytes())?;
        if scope == 0 || scope == index { Ok(index) } else { Err(Code::SK_EINVAL.into()) }
    }
}

fn is_v6_only(socket: &Socket) -> bool {
    socket.kind().is_inet6() && option::get(socket.fd(), option::V6ONLY) == Ok(1)
}

fn is_multicast(address: &Address) -> bool {
    let [first, ..] = address.ip;
    if address.family == Family::SK_INET6 as u16 { first == 0xff } else { first & 0xf0 == 0xe0 }
}

fn is_unspecified(address: &Address) -> bool {
    let len = if address.family == Family::SK_INET6 as u16 { 16 } else { 4 };
    address.ip.iter().take(len).all(|&byte| byte == 0)
}

impl Socket {
    pub fn join(&self, asked: &Group) -> Result<()> {
        asked.check(self)?;
        let membership = Membership::new(asked.group, asked.source, asked.interface()?);
        if asked.source.is_none() {
            return Ok(membership.change(self.fd(), group::JOIN)?);
        }
        if membership.is_of_any_source(self.fd()) {
            return Err(Code::SK_EADDRINUSE.into());
        }
        membership.change(self.fd(), group::JOIN_SOURCE).map_err(|errno| match errno {
            // The kernel's word for "that source is in already".
            Errno(libc::EADDRNOTAVAIL) => Code::SK_EADDRINUSE.into(),
            errno => Error::from(errno),
        })
    }

    pub fn leave(&self, asked: &Group) -> Result<()> {
        asked.check(self)?;
        let membership = Membership::new(asked.group, asked.source, asked.interface()?);
        if asked.source.is_none() {
            return Ok(membership.change(self.fd(), group::LEAVE)?);
        }
        if membership.is_of_any_source(self.fd()) {
            return Err(Code::SK_EADDRNOTAVAIL.into());
        }
        membership.change(self.fd(), group::LEAVE_SOURCE).map_err(|errno| match errno {
            // The kernel's word for "not in that group at all".
            Errno(libc::EINVAL) => Code::SK_EADDRNOTAVAIL.into(),
            errno => Error::from(errno),
        })
    }
}
