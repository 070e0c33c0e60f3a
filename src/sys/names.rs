//! The C library's resolver, see getaddrinfo(3).

use core::ffi::CStr;
use core::ptr::{NonNull, null_mut};

use libc::addrinfo;

use super::address::{Address, Family, Raw, domain};
use super::errno;

/// Why there are no addresses.
pub enum Failure {
    NotFound,
    /// A later try may work.
    Temporary,
    System(errno::Errno),
}

/// The addresses of a host, in the system's order of preference.
pub struct Addresses {
    first: NonNull<addrinfo>,
    next: *const addrinfo,
}

/// Asks for the addresses of a host; blocks as long as the resolver does.
pub fn resolve(host: &CStr, family: Family) -> Result<Addresses, Failure> {
    let _keep = errno::Restore::later();
    // SAFETY: all-zero bytes are an addrinfo.
    let mut hints: addrinfo = unsafe { core::mem::zeroed() };
    hints.ai_family = domain(family);
    // One entry an address, not one for each type of socket.
    hints.ai_socktype = libc::SOCK_STREAM;
    let mut list = null_mut();
    // SAFETY: the host is a C string, the hints are an addrinfo, `list` takes a pointer.
    let failed = unsafe { libc::getaddrinfo(host.as_ptr(), core::ptr::null(), &hints, &mut list) };
    match (failed, NonNull::new(list)) {
        (0, Some(first)) => Ok(Addresses { first, next: first.as_ptr() }),
        (0, None) => Err(Failure::NotFound),
        (libc::EAI_AGAIN | libc::EAI_FAIL, _) => Err(Failure::Temporary),
        (libc::EAI_MEMORY, _) => Err(Failure::System(errno::Errno(libc::ENOMEM))),
        (libc::EAI_SYSTEM, _) => Err(Failure::System(errno::last())),
        _ => Err(Failure::NotFound),
    }
}

impl Iterator for Addresses {
    type Item = Address;

    fn next(&mut self) -> Option<Address> {
        loop {
            // SAFETY: null, or an entry of the list, which lives as long as `self`.
            let entry = unsafe { self.next.as_ref() }?;
            self.next = entry.ai_next;
            let len = entry.ai_addrlen as usize;
            if entry.ai_addr.is_null() {
                continue;
            }
            // SAFETY: the entry says where its address is, and how long.
            let bytes = unsafe { core::slice::from_raw_parts(entry.ai_addr.cast::<u8>(), len) };
            if let Some(address) = Raw::from_bytes(bytes).and_then(|raw| raw.address()) {
                return Some(address);
            }
        }
    }
}

impl Drop for Addresses {
    fn drop(&mut self) {
        // SAFETY: the list is from getaddrinfo, and nothing points into it any more.
        unsafe { libc::freeaddrinfo(self.first.as_ptr()) }
    }
}
