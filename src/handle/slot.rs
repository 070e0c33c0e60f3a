//! A slot: what is known of one descriptor, in 64 bytes of atomics.

use core::sync::atomic::{AtomicI32, AtomicI64, AtomicU32, AtomicU64, Ordering::Relaxed};

use super::word::Word;
use crate::sys::memory::zeroed;

zeroed! {
    /// What is known of one descriptor. Everything but the word is only meaningful while
    /// the word says that the handle is live, and is written anew before it is published.
    #[repr(C, align(64))]
    pub struct Slot {
        pub word: Word,
        pub recv_limit: Limit,
        pub send_limit: Limit,
        pub connect_limit: Limit,
        /// The handle of the poller this one is in, perhaps with CLAIM; 0: none.
        pub poller: AtomicU64,
        /// What that poller reports with its events.
        pub poller_data: AtomicU64,
        /// What the descriptor is, and the marks below.
        pub traits: AtomicU32,
        /// The eventfd that wakes waits on a shared socket, plus one; 0: not made yet.
        pub waker: AtomicI32,
        /// Errors that ended calls after they had moved something: `errno` of receive and of send.
        pub kept: AtomicU32,
        /// SK_OPT_MULTICAST_INTERFACE as it was set.
        pub multicast_interface: AtomicU32,
    }
}

const _: () = assert!(core::mem::size_of::<Slot>() == 64);

/// In `poller`, where no handle has it: `poller_data` is still that of an earlier poller.
pub const CLAIM: u64 = 1 << 63;

zeroed! {
    /// A time limit in milliseconds; -1: none.
    #[repr(transparent)]
    pub struct Limit {
        ms: AtomicI64,
    }
}

impl Limit {
    pub fn get(&self) -> i64 {
        self.ms.load(Relaxed)
    }

    pub fn set(&self, ms: i64) {
        self.ms.store(ms, Relaxed);
    }
}

/// Which of the two errors in `kept`.
#[derive(Clone, Copy)]
pub enum Direction {
    Receive,
    Send,
}

impl Direction {
    fn shift(self) -> u32 {
        match self {
            Direction::Receive => 0,
            Direction::Send => 16,
        }
    }
}

/// Marks in `traits` above the 16 bits that say what the descriptor is.
pub mod mark {
    /// A connection exists or existed. Without it one may have come about that was only begun here.
    pub const CONNECTED: u32 = 1 << 16;
    pub const LISTENING: u32 = 1 << 17;
    /// The descriptor is in non-blocking mode.
    pub const NONBLOCKING: u32 = 1 << 18;
    /// The caller chose SK_OPT_REUSE_ADDR.
    pub const REUSE_CHOSEN: u32 = 1 << 19;
    /// A listener whose accepted sockets would inherit other than the defaults.
    pub const INHERITS: u32 = 1 << 20;
    /// What another descriptor of the same socket has too.
    pub const OF_THE_SOCKET: u32 = CONNECTED | LISTENING | NONBLOCKING | REUSE_CHOSEN | INHERITS | SHUT;
    /// Anything but an IPv4 datagram socket, which has one short form of address.
    pub const NOT_IPV4_DATAGRAM: u32 = 1 << 21;
    /// Not a socket.
    pub const POLLER: u32 = 1 << 22;
    /// A poller of the parent process.
    pub const FOREIGN: u32 = 1 << 23;
    /// The kernel does not cut what is sent into segments here.
    pub const SINGLY: u32 = 1 << 24;
    /// The last receive of a batch found few.
    pub const SPARSE: u32 = 1 << 26;
    /// An attempt to connect goes on, or what became of it was not told yet: where a further connect
    /// does not tell.
    pub const BEGUN: u32 = 1 << 27;
    /// Receiving was, or may have been, shut down, which a call that does not wait may have to look for.
    pub const SHUT: u32 = 1 << 28;
    /// A thread is at a receive that takes more than one system call.
    pub const RECEIVING: u32 = 1 << 25;
}

impl Slot {
    /// A zeroed one, but for the generations that it has used.
    #[cfg(test)]
    pub fn starting_at(generation: u64) -> Slot {
        let limit = || Limit { ms: AtomicI64::new(0) };
        Slot {
            word: Word::starting_at(generation),
            recv_limit: limit(),
            send_limit: limit(),
            connect_limit: limit(),
            poller: AtomicU64::new(0),
            poller_data: AtomicU64::new(0),
            traits: AtomicU32::new(0),
            waker: AtomicI32::new(0),
            kept: AtomicU32::new(0),
            multicast_interface: AtomicU32::new(0),
        }
    }

    /// Everything as a new handle has it. Before the word is published.
    pub fn reset(&self, traits: u32) {
        self.recv_limit.set(-1);
        self.send_limit.set(-1);
        self.connect_limit.set(-1);
        self.poller.store(0, Relaxed);
        self.poller_data.store(0, Relaxed);
        self.traits.store(traits, Relaxed);
        self.waker.store(0, Relaxed);
        self.kept.store(0, Relaxed);
        self.multicast_interface.store(0, Relaxed);
    }

    #[inline(always)]
    pub fn has(&self, marks: u32) -> bool {
        self.traits.load(Relaxed) & marks != 0
    }

    pub fn mark(&self, marks: u32) {
        self.traits.fetch_or(marks, Relaxed);
    }

    pub fn unmark(&self, marks: u32) {
        self.traits.fetch_and(!marks, Relaxed);
    }

    /// Keeps an error that the kernel tells only once, for the next call.
    pub fn keep(&self, direction: Direction, errno: i32) {
        let shift = direction.shift();
        let bits = (errno as u32 & 0xffff) << shift;
        let _ = self.kept.fetch_update(Relaxed, Relaxed, |kept| Some(kept & !(0xffff << shift) | bits));
    }

    /// Takes the kept error out.
    pub fn take_kept(&self, direction: Direction) -> Option<i32> {
        let shift = direction.shift();
        let kept = self.kept.fetch_and(!(0xffff << shift), Relaxed);
        let errno = (kept >> shift & 0xffff) as i32;
        (errno != 0).then_some(errno)
    }

    /// An error that is kept for one of the directions.
    pub fn kept(&self) -> Option<i32> {
        let kept = self.kept.load(Relaxed) as i32;
        let errno = if kept & 0xffff != 0 { kept & 0xffff } else { kept >> 16 };
        (errno != 0).then_some(errno)
    }

    /// Whether the next call in one of the directions has an error to tell.
    pub fn keeps_an_error(&self) -> bool {
        self.kept.load(Relaxed) != 0
    }
}
