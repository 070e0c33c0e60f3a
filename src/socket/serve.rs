//! From an endpoint to a socket that serves there, in the place of a dead server's if need be.

use core::ffi::CStr;

use super::close::close;
use super::create::socket;
use super::kind::{Protocol, Type};
use super::pinned::Socket;
use super::resolve::look_up;
use crate::error::{Code, Result};
use crate::handle::Handle;
use crate::net::address::{Address, Family, SK_UNIX_PATH_MAX};
use crate::net::endpoint::{self, Place};
use crate::sys::address::{ABSTRACT_NAMES, Raw, domain};
use crate::sys::path::{self, Id};
use crate::sys::socket::{self as calls, DGRAM};
use crate::sys::time::Timer;
use crate::sys::{Errno, descriptor, errno};

/// A listener, or for datagrams a bound socket.
pub fn serve(text: &[u8], backlog: i32) -> Result<Handle> {
    let _keep = errno::Restore::later();
    let (scheme, place) = endpoint::parse(text)?;
    let carries = scheme.into();
    match place {
        Place::Any { port } => {
            let any = |family| Address { family: family as u16, port, ..Address::NONE };
            match open(carries, &any(Family::SK_INET6), backlog) {
                Err(error) if is_elsewhere(error.code) => open(carries, &any(Family::SK_INET), backlog),
                result => result,
            }
        }
        Place::Address(address) if cfg!(feature = "unix") && address.family == Family::SK_UNIX as u16 => {
            match open(carries, &address, backlog) {
                Err(error) if error.code == Code::SK_EADDRINUSE => {
                    clear_the_way(&address).map_err(|why| if why == IN_USE { error } else { why.into() })?;
                    open(carries, &address, backlog)
                }
                result => result,
            }
        }
        Place::Address(address) => open(carries, &address, backlog),
        Place::Name { name, port } => {
            let mut result = Err(Code::SK_EHOSTNOTFOUND.into());
            for address in look_up(&name, Family::SK_UNSPEC, &mut Timer::new(-1), None)? {
                result = open(carries, &Address { port, ..address }, backlog);
                match &result {
                    Err(error) if is_elsewhere(error.code) => {}
                    _ => break,
                }
            }
            result
        }
    }
}

/// This machine does not have the address, or not even its family.
fn is_elsewhere(code: Code) -> bool {
    matches!(code, Code::SK_EADDRNOTAVAIL | Code::SK_EAFNOSUPPORT)
}

fn open(carries: Type, address: &Address, backlog: i32) -> Result<Handle> {
    let family = Family::from_c(address.family.into()).ok_or(Code::SK_EINVAL)?;
    let handle = socket(family, carries, Protocol::SK_PROTO_DEFAULT)?;
    match bind(handle, address, backlog) {
        Ok(()) => Ok(handle),
        Err(error) => {
            let _ = close(handle.to_raw());
            Err(error)
        }
    }
}

fn bind(handle: Handle, address: &Address, backlog: i32) -> Result<()> {
    let socket = Socket::new(handle.to_raw())?;
    socket.bind(address)?;
    if socket.kind().is_datagram() {
        return Ok(());
    }
    socket.listen(backlog).inspect_err(|_| {
        if let Some(path) = Path::of(address) {
            let _ = path::remove(path.as_c());
        }
    })
}

/// What stands in the way is alive, or no socket at all.
const IN_USE: Errno = Errno(libc::EADDRINUSE);

/// Removes the socket file of a path if nobody has it open any more.
///
/// Two servers may come here at once, and the slower one must not remove what the faster one has
/// put in the place of the dead file meanwhile. So each first takes a lock on the very file that
/// it found, and only who has the lock removes that file: as long as he has it and the
/// path names that file, it can't name another one by the doing of anybody who comes
/// this way. The lock is an abstract name that tells the file, which ends with its
/// socket, however that ends.
///
/// The same socket asks whether the file is dead. A datagram socket that connects to a stream
/// or seqpacket socket is refused as of the wrong type where there is one, listening or not,
/// and to a datagram socket sends nothing: neither shows there.
fn clear_the_way(address: &Address) -> core::result::Result<(), Errno> {
    // Without a lock, and where there is none, nothing is removed.
    let path = Path::of(address).filter(|_| ABSTRACT_NAMES).ok_or(IN_USE)?;
    let Some(found) = path.file()? else { return Ok(()) };
    let mut lock = Raw::empty();
    lock.set(&lock_of(found), false)?;
    let probe = calls::socket(domain(Family::SK_UNIX), DGRAM, 0, true)?;
    let cleared = calls::bind(probe, &lock).and_then(|()| remove_dead(probe, address, &path, found));
    descriptor::close(probe);
    cleared
}

fn remove_dead(probe: i32, address: &Address, path: &Path, found: Id) -> core::result::Result<(), Errno> {
    if path.file()? != Some(found) {
        return Err(IN_USE);
    }
    let mut raw = Raw::empty();
    raw.set(address, false)?;
    match calls::connect(probe, &raw) {
        Err(Errno(libc::ECONNREFUSED)) => match path::remove(path.as_c()) {
            Err(Errno(libc::ENOENT)) => Ok(()),
            removed => removed,
        },
        Err(Errno(libc::ENOENT)) => Ok(()),
        Err(Errno(libc::EINTR)) => remove_dead(probe, address, path, found),
        Err(errno @ Errno(libc::ENOMEM | libc::ENOBUFS)) => Err(errno),
        // It lives, or who is not permitted to ask can't know.
        _ => Err(IN_USE),
    }
}

/// The abstract name that stands for a file.
fn lock_of(Id { device, inode }: Id) -> Address {
    let mut address = Address { family: Family::SK_UNIX as u16, ..Address::NONE };
    let name = b"\0sk_serve ".iter().copied().chain(device.to_ne_bytes()).chain(inode.to_ne_bytes());
    for (to, from) in address.path.iter_mut().zip(name) {
        *to = from as _;
        address.path_len = address.path_len.wrapping_add(1);
    }
    address
}

/// The path of a Unix address as a C string, which it is not there: 108 bytes have no NUL.
struct Path([u8; SK_UNIX_PATH_MAX + 1]);

impl Path {
    /// `None`: an address without one.
    fn of(address: &Address) -> Option<Path> {
        let mut path = [0; SK_UNIX_PATH_MAX + 1];
        for (to, from) in path.iter_mut().zip(address.path.iter().take(address.path_len as usize)) {
            *to = *from as u8;
        }
        (path.first() != Some(&0)).then_some(Path(path))
    }

    fn as_c(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0).unwrap_or_default()
    }

    /// Which socket file it names; `None`: none. Any other file is in the way.
    fn file(&self) -> core::result::Result<Option<Id>, Errno> {
        match path::socket_file(self.as_c()) {
            Ok(Some(id)) => Ok(Some(id)),
            Ok(None) => Err(IN_USE),
            Err(Errno(libc::ENOENT)) => Ok(None),
            Err(errno) => Err(errno),
        }
    }
}
