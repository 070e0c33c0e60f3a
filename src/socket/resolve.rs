//! From the name of a host to its addresses, within a limit.

use super::pinned::Socket;
use super::wait::{SLICE, Stop};
use crate::error::{Code, Error, Result};
use crate::net::address::{Address, Family};
use crate::net::host::Name;
use crate::net::parse;
use crate::sys::errno;
use crate::sys::names::{self, Addresses, Failure, Found, Lookup};
use crate::sys::time::Timer;

/// The address that a host is by itself; `None`: it can only be a name.
pub fn numeric(host: &[u8]) -> Result<Option<Address>> {
    match parse::parse_ip(host) {
        Ok(address) => Ok(Some(address)),
        Err(Error { code: Code::SK_EADDRFORMAT, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The addresses of a name. Under a limit it is looked up in a thread of its own, which may stay
/// behind; and then a close of `caller` ends it: nothing wakes it, so it looks now and then.
pub fn look_up(name: &Name, family: Family, timer: &mut Timer, caller: Option<&Socket>) -> Result<Addresses> {
    if !cfg!(feature = "names") {
        return Err(Code::SK_EHOSTNOTFOUND.into());
    }
    let is_closed = || caller.is_some_and(|socket| socket.is_closed());
    let found = match timer.limit() {
        0 => return Err(Code::SK_EAGAIN.into()),
        ..0 => names::resolve(name.as_c(), family),
        _ => wait_for(name, family, timer, if caller.is_some() { SLICE } else { u64::MAX }, &is_closed)?,
    };
    if is_closed() {
        return Err(Code::SK_ECLOSED.into());
    }
    found.map_err(Error::from)
}

fn wait_for(
    name: &Name,
    family: Family,
    timer: &mut Timer,
    slice: u64,
    is_closed: &dyn Fn() -> bool,
) -> Result<Found> {
    // The clock runs while the thread is made.
    timer.left();
    let mut lookup = Lookup::start(name.as_c(), family)?;
    loop {
        let left = timer.left().unwrap_or(u64::MAX);
        if let Some(found) = lookup.wait(left.min(slice)) {
            return Ok(found);
        }
        if is_closed() {
            return Err(Stop::Closed.into());
        }
        if left == 0 {
            return Err(Stop::Time.into());
        }
    }
}

/// Gives the addresses of a host to `take`, as long as it wants more.
pub fn resolve(
    host: &[u8],
    port: u16,
    family: Family,
    limit: i64,
    take: &mut dyn FnMut(Address) -> bool,
) -> Result<()> {
    let _keep = errno::Restore::later();
    if family == Family::SK_UNIX {
        return Err(Code::SK_EAFNOSUPPORT.into());
    }
    if let Some(address) = numeric(host)? {
        if family != Family::SK_UNSPEC && address.family != family as u16 {
            return Err(Code::SK_EAFNOSUPPORT.into());
        }
        take(Address { port, ..address });
        return Ok(());
    }
    for address in look_up(&Name::new(host)?, family, &mut Timer::new(limit), None)? {
        if !take(Address { port, ..address }) {
            break;
        }
    }
    Ok(())
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Error {
        match failure {
            Failure::NotFound => Code::SK_EHOSTNOTFOUND.into(),
            Failure::Temporary => Code::SK_ERESOLVE.into(),
            Failure::System(errno) => errno.into(),
        }
    }
}
