//! The C library's resolver, see getaddrinfo(3): asked here, which can't be cut short, or in
//! a thread of its own, which can be left to itself.

use core::cell::UnsafeCell;
use core::ffi::{CStr, c_void};
use core::mem::MaybeUninit;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicU32, Ordering};

use libc::addrinfo;

use super::address::{Address, Family, Raw, domain};
use super::memory::Shared;
use super::{Errno, errno, system, thread};

/// Why there are no addresses.
pub enum Failure {
    NotFound,
    /// A later try may work.
    Temporary,
    System(Errno),
}

/// What a look-up gives.
pub type Found = Result<Addresses, Failure>;

/// The addresses of a host, in the system's order of preference, each once.
pub struct Addresses {
    first: NonNull<addrinfo>,
    next: *const addrinfo,
}

/// Asks for the addresses of a host; blocks as long as the resolver does, which may leave
/// anything in `errno`.
pub fn resolve(host: &CStr, family: Family) -> Found {
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
        (libc::EAI_MEMORY, _) => Err(Failure::System(Errno(libc::ENOMEM))),
        (libc::EAI_SYSTEM, _) => Err(Failure::System(errno::last())),
        _ => Err(Failure::NotFound),
    }
}

impl Addresses {
    /// Whether an entry before `end` has this address too.
    fn has_before(&self, end: *const addrinfo, address: &Address) -> bool {
        let mut next = self.first.as_ptr().cast_const();
        while next != end {
            // SAFETY: an entry of the list, which lives as long as `self`: it ends behind `end`.
            let Some(entry) = (unsafe { next.as_ref() }) else { break };
            if address_of(entry).is_some_and(|earlier| same_host(&earlier, address)) {
                return true;
            }
            next = entry.ai_next;
        }
        false
    }
}

fn address_of(entry: &addrinfo) -> Option<Address> {
    if entry.ai_addr.is_null() {
        return None;
    }
    // SAFETY: the entry says where its address is, and how long.
    let bytes = unsafe { core::slice::from_raw_parts(entry.ai_addr.cast::<u8>(), entry.ai_addrlen as usize) };
    Raw::from_bytes(bytes)?.show(&mut MaybeUninit::uninit()).copied()
}

fn same_host(a: &Address, b: &Address) -> bool {
    (a.family, a.ip, a.scope_id) == (b.family, b.ip, b.scope_id)
}

impl Iterator for Addresses {
    type Item = Address;

    fn next(&mut self) -> Option<Address> {
        loop {
            let this = self.next;
            // SAFETY: null, or an entry of the list, which lives as long as `self`.
            let entry = unsafe { this.as_ref() }?;
            self.next = entry.ai_next;
            match address_of(entry) {
                Some(address) if !self.has_before(this, &address) => return Some(address),
                _ => {}
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

/// Bytes of the longest host that a `Lookup` takes, the closing NUL included.
pub const HOST_ROOM: usize = 256;

/// What the resolver and the modules loaded into it may need: glibc's own for files and DNS was
/// seen to use 16 KiB. Only touched pages take memory.
const STACK: usize = 512 * 1024;

/// A look-up in a thread of its own. Dropped before its end, it goes on alone: what the two
/// threads share goes with the last of them.
pub struct Lookup(Shared<Job>);

struct Job {
    host: [u8; HOST_ROOM],
    family: Family,
    /// 0, then 1 for ever.
    done: AtomicU32,
    /// The look-up's until `done`, then the one's who waits.
    found: UnsafeCell<Option<Found>>,
}

impl Lookup {
    pub fn start(host: &CStr, family: Family) -> super::Result<Lookup> {
        let mut room = [0; HOST_ROOM];
        let bytes = host.to_bytes_with_nul();
        room.get_mut(..bytes.len()).ok_or(Errno(libc::ENAMETOOLONG))?.copy_from_slice(bytes);
        let job = Job { host: room, family, done: AtomicU32::new(0), found: UnsafeCell::new(None) };
        let [ours, theirs] = Shared::new(job)?;
        let argument = theirs.into_raw();
        if let Err(errno) = thread::start(look_up, argument, STACK) {
            // SAFETY: from `into_raw`, and there is no thread that would have it.
            drop(unsafe { Shared::<Job>::from_raw(argument) });
            return Err(errno);
        }
        Ok(Lookup(ours))
    }

    /// What was found, once; `None`: nothing so far. Waits for it, at most `ns` nanoseconds,
    /// or less where a signal comes.
    pub fn wait(&mut self, ns: u64) -> Option<Found> {
        if self.0.done.load(Ordering::Acquire) == 0 {
            system::sleep_while(&self.0.done, 0, ns);
        }
        if self.0.done.load(Ordering::Acquire) == 0 {
            return None;
        }
        // SAFETY: the look-up has done with it, as was just acquired, and nobody else waits.
        unsafe { (*self.0.found.get()).take() }
    }
}

extern "C" fn look_up(argument: *mut c_void) -> *mut c_void {
    // SAFETY: what `start` gave to this thread alone.
    let job = unsafe { Shared::<Job>::from_raw(argument) };
    system::name_thread(c"sk_resolve");
    let found = resolve(CStr::from_bytes_until_nul(&job.host).unwrap_or(c""), job.family);
    // SAFETY: nobody looks at it before `done`.
    unsafe { *job.found.get() = Some(found) };
    job.done.store(1, Ordering::Release);
    system::wake_sleepers(&job.done);
    null_mut()
}
