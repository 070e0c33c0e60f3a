//! Memory that is mapped once and lives as long as the process.

use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::{NonNull, from_ref};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

use libc::c_void;

use super::Errno;

/// A type that any number of threads may use at once, and for which all-zero memory is a value.
///
/// # Safety
/// Both must be so.
pub unsafe trait Zeroed: Sync {}

// SAFETY: an atomic integer is shared, and zero is one of its values.
unsafe impl Zeroed for core::sync::atomic::AtomicU64 {}
// SAFETY: as above.
unsafe impl Zeroed for core::sync::atomic::AtomicI64 {}
// SAFETY: as above.
unsafe impl Zeroed for core::sync::atomic::AtomicU32 {}
// SAFETY: as above.
unsafe impl Zeroed for core::sync::atomic::AtomicI32 {}

/// Defines a struct of `Zeroed` fields, which is `Zeroed` itself.
macro_rules! zeroed {
    ($(#[$meta:meta])* pub struct $name:ident {
        $($(#[$field_meta:meta])* $visible:vis $field:ident: $type:ty,)*
    }) => {
        $(#[$meta])*
        pub struct $name {
            $($(#[$field_meta])* $visible $field: $type,)*
        }
        const _: () = {
            const fn check<T: $crate::sys::memory::Zeroed>() {}
            $(check::<$type>();)*
        };
        // SAFETY: every field is `Zeroed`, as just checked.
        unsafe impl $crate::sys::memory::Zeroed for $name {}
    };
}
pub(crate) use zeroed;

/// A value that is replaced once, by another that lives for ever too.
pub struct Published<T: 'static> {
    first: &'static T,
    now: AtomicPtr<T>,
    /// Somebody is at work on memory that was given for the second value.
    claimed: AtomicBool,
}

impl<T: Sync> Published<T> {
    pub const fn new(first: &'static T) -> Published<T> {
        Published { first, now: AtomicPtr::new(from_ref(first).cast_mut()), claimed: AtomicBool::new(false) }
    }

    /// The value now.
    #[inline(always)]
    pub fn get(&self) -> &'static T {
        // SAFETY: made from a reference that lives for ever, in `new` or `replace`, and only read.
        unsafe { &*self.now.load(Ordering::Acquire) }
    }

    /// The value, if it is no longer the first.
    pub fn replaced(&self) -> Option<&'static T> {
        let now = self.get();
        (!core::ptr::eq(now, self.first)).then_some(now)
    }

    /// Puts the second value in place. False: somebody was faster.
    fn replace(&self, by: &'static T) -> bool {
        let first = from_ref(self.first).cast_mut();
        self.now.compare_exchange(first, from_ref(by).cast_mut(), Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// The largest alignment that `establish` can give.
const ALIGN: usize = 64;

/// Bytes that `establish` needs for a header and a list; `None`: more than there can be.
pub fn needed<H, T>(count: usize) -> Option<usize> {
    let header = size_of::<H>().next_multiple_of(ALIGN);
    size_of::<T>().checked_mul(count)?.checked_add(header)
}

/// Memory from outside, to be used for ever.
#[derive(Clone, Copy)]
pub struct Region {
    start: NonNull<u8>,
    len: usize,
}

impl Region {
    /// `None` where the memory is not aligned to 64 bytes.
    ///
    /// # Safety
    /// The memory is valid for reads and writes of `len` bytes from now on, for the life of
    /// the process, and nobody else uses it.
    pub unsafe fn new(start: NonNull<u8>, len: usize) -> Option<Region> {
        (start.as_ptr().addr() % ALIGN == 0).then_some(Region { start, len })
    }

    /// Zero pages, which take memory only when touched.
    fn map(len: usize) -> Result<Region, Errno> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | super::system::MAP_NORESERVE;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new anonymous mapping touches no memory that exists already.
        let start = unsafe { libc::mmap(core::ptr::null_mut(), len, access, flags, -1, 0) };
        match NonNull::new(start.cast::<u8>()) {
            Some(start) if start.as_ptr().cast::<c_void>() != libc::MAP_FAILED => Ok(Region { start, len }),
            _ => Err(super::errno::last()),
        }
    }
}

/// Why there is no new header.
pub enum Unestablished {
    /// The memory given is too small.
    TooSmall,
    /// The system has none.
    NoMemory(Errno),
    /// There is one already.
    Exists,
}

/// Makes a header and a list of `count` zeroed values behind it, and publishes it.
/// Memory comes from `region`, or else from the system. If another thread is faster, what
/// was mapped goes back.
pub fn establish<H: Sync + 'static, T: Zeroed + 'static>(
    published: &Published<H>,
    region: Option<Region>,
    count: usize,
    header: impl FnOnce(&'static [T]) -> H,
) -> Result<(), Unestablished> {
    const { assert!(align_of::<H>() <= ALIGN && align_of::<T>() <= ALIGN) };
    let len = needed::<H, T>(count).ok_or(Unestablished::TooSmall)?;
    if published.replaced().is_some() {
        return Err(Unestablished::Exists);
    }
    let place = match region {
        Some(region) if region.len < len => return Err(Unestablished::TooSmall),
        // Others may have been given the same memory.
        Some(_) if published.claimed.swap(true, Ordering::AcqRel) => return Err(Unestablished::Exists),
        Some(region) => region,
        None => Region::map(len).map_err(Unestablished::NoMemory)?,
    };
    let start = place.start.as_ptr();
    // SAFETY: `place` has `len` bytes that are ours alone and aligned to ALIGN. A fresh
    // mapping is zero already; memory of the caller's is made so. The header ends before the
    // list begins (`needed`), both are aligned (asserted above), and zero is a value of T.
    // The references live for ever, as the memory does, unless they were never shown to
    // anybody: then, and only then, the mapping is taken away again.
    unsafe {
        if region.is_some() {
            start.write_bytes(0, len);
        }
        let list = start.add(size_of::<H>().next_multiple_of(ALIGN)).cast::<T>();
        let new = start.cast::<H>();
        new.write(header(core::slice::from_raw_parts(list, count)));
        if !published.replace(&*new) {
            if region.is_none() {
                libc::munmap(start.cast(), len);
            }
            return Err(Unestablished::Exists);
        }
    }
    Ok(())
}

/// A list in memory from the system, for as long as a call lasts.
pub struct Scratch<T> {
    region: Region,
    count: usize,
    of: PhantomData<T>,
}

impl<T: Copy> Scratch<T> {
    pub fn new(count: usize, value: T) -> Result<Scratch<T>, Errno> {
        let len = size_of::<T>().checked_mul(count).ok_or(Errno(libc::ENOMEM))?;
        let mut scratch = Scratch { region: Region::map(len)?, count, of: PhantomData };
        scratch.places().fill(MaybeUninit::new(value));
        Ok(scratch)
    }

    fn places(&mut self) -> &mut [MaybeUninit<T>] {
        const { assert!(align_of::<T>() <= ALIGN) };
        // SAFETY: the mapping is ours alone, large enough, and aligned to a page.
        unsafe { core::slice::from_raw_parts_mut(self.region.start.as_ptr().cast(), self.count) }
    }

    pub fn as_mut(&mut self) -> &mut [T] {
        // SAFETY: `new` has set every place.
        unsafe { &mut *(core::ptr::from_mut(self.places()) as *mut [T]) }
    }
}

impl<T> Drop for Scratch<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nobody has a reference into it any more.
        unsafe { libc::munmap(self.region.start.as_ptr().cast(), self.region.len) };
    }
}

/// A value that two have, in memory from the system, which goes when both have let go of it.
pub struct Shared<T>(NonNull<Owned<T>>);

struct Owned<T> {
    owners: AtomicU32,
    value: T,
}

impl<T> Shared<T> {
    pub fn new(value: T) -> Result<[Shared<T>; 2], Errno> {
        const { assert!(align_of::<Owned<T>>() <= ALIGN) };
        let place = Region::map(size_of::<Owned<T>>())?.start.cast::<Owned<T>>();
        // SAFETY: the mapping is ours alone, large enough, and aligned to a page.
        unsafe { place.write(Owned { owners: AtomicU32::new(2), value }) };
        Ok([Shared(place), Shared(place)])
    }

    /// As C hands it on.
    pub fn into_raw(self) -> *mut c_void {
        core::mem::ManuallyDrop::new(self).0.as_ptr().cast()
    }

    /// # Safety
    /// It is from `into_raw`, and comes back once.
    pub unsafe fn from_raw(raw: *mut c_void) -> Shared<T> {
        // SAFETY: `into_raw` gave what was not null.
        Shared(unsafe { NonNull::new_unchecked(raw.cast()) })
    }
}

impl<T> core::ops::Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: it is there as long as one of the two is.
        unsafe { &self.0.as_ref().value }
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        // SAFETY: there until the second of the two comes here, who has it alone, and sees all
        // that the first one did with it.
        unsafe {
            if self.0.as_ref().owners.fetch_sub(1, Ordering::AcqRel) == 1 {
                self.0.drop_in_place();
                libc::munmap(self.0.as_ptr().cast(), size_of::<Owned<T>>());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::AtomicU64;
    use core::sync::atomic::Ordering::SeqCst;
    use std::boxed::Box;
    use std::sync::Barrier;
    use std::time::{Duration, Instant};
    use std::{thread, vec};

    use super::*;

    struct Header {
        by: u64,
    }
    static NOBODY: Header = Header { by: 0 };

    #[repr(align(64))]
    #[derive(Clone, Copy)]
    struct Line(#[allow(dead_code)] [u8; 64]);

    /// The header of one thread, made while the other one is at it too, if it ever is.
    fn meet(inside: &AtomicU64, by: u64) -> Header {
        inside.fetch_add(1, SeqCst);
        let since = Instant::now();
        while inside.load(SeqCst) < 2 && since.elapsed() < Duration::from_millis(20) {
            thread::yield_now();
        }
        Header { by }
    }

    struct Shared(Region);
    // SAFETY: a region is only a place; who uses it is what the test is about.
    unsafe impl Sync for Shared {}

    /// Two threads that give the same memory: the one that loses must not touch it.
    #[test]
    fn the_memory_is_the_winners() {
        for _ in 0..20 {
            let lines: &mut [Line] = Box::leak(vec![Line([0xff; 64]); 9].into_boxed_slice());
            let start = NonNull::new(lines.as_mut_ptr().cast()).unwrap();
            // SAFETY: leaked, so it is there for ever, and nobody else knows it.
            let region = Shared(unsafe { Region::new(start, size_of_val(lines)) }.unwrap());
            let (region, published) = (&region, &*Box::leak(Box::new(Published::new(&NOBODY))));
            let (begin, inside) = (&Barrier::new(2), &AtomicU64::new(0));
            let won = thread::scope(|scope| {
                [1, 2]
                    .map(|by| {
                        scope.spawn(move || {
                            begin.wait();
                            let made =
                                establish(published, Some(region.0), 64, |_: &[AtomicU64]| meet(inside, by));
                            if let Ok(()) = made { by } else { 0 }
                        })
                    })
                    .map(|thread| thread.join().unwrap())
            });
            assert!(won == [1, 0] || won == [0, 2], "{won:?}");
            assert_eq!(published.get().by, won[0] + won[1]);
        }
    }
}
