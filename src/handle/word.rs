//! The atomic word of a slot: generation, state and pins in 64 bits, and every
//! transition they can make. Nothing else in the library decides who may use a
//! descriptor and who closes it. Only `handle` and its models use this module.
//!
//! ```text
//!   63   62                   25 24     22 21                 0
//! +-----+-----------------------+---------+--------------------+
//! | set | generation (38 bits)  | state   | pins (22 bits)     |
//! +-----+-----------------------+---------+--------------------+
//! ```
//!
//! Bit 63 belongs to the state. It is set where the end of a call may have to do more than take
//! its pin away, so that the sign of the word tells.
//!
//! A [`Tag`] is what the word looks like while a handle is live and not in use; the handle
//! itself is its tag with the slot's number in the place of the pins. So one exclusive-or
//! tells whether a handle is live.
//!
//! A pin is a call in progress. Linux has at most 2^22 threads (PID_MAX_LIMIT), so pins can't
//! overflow; and `poll`, whose items are a pin each, takes no more than half of them. The generation
//! moves on each time the slot is published; a slot that has used them all is retired, so that no
//! value is ever issued twice.

use super::atomic::{AtomicU64, Ordering};
use super::zeroed;

const PIN_BITS: u32 = 22;
const STATE_BITS: u32 = 3;
const GENERATION_SHIFT: u32 = PIN_BITS + STATE_BITS;
const ONE_PIN: u64 = 1;
const ONE_GENERATION: u64 = 1 << GENERATION_SHIFT;
/// Where a word has its pins, and a handle its slot's number.
pub const PINS: u64 = (1 << PIN_BITS) - 1;

/// The state without bit 63.
const CODE: u64 = ((1 << STATE_BITS) - 1) << PIN_BITS;
const STATE: u64 = 1 << 63 | CODE;

/// The last generation a slot can have.
pub const LAST_GENERATION: u64 = (1 << (63 - GENERATION_SHIFT)) - 1;

/// The generation of a handle together with the state LIVE. Bits in the place of the pins
/// are ignored. A number from outside can have any state instead: `index` tells.
#[derive(Clone, Copy, Debug)]
pub struct Tag(pub u64);

impl Tag {
    /// The slot's number in a handle. One that has another state than LIVE would fit the word of
    /// a slot in that state; it gets a number that no table has, which takes no test.
    #[inline(always)]
    pub fn index(self) -> u32 {
        (self.0.wrapping_sub(State::LIVE.0) & (CODE | PINS)) as u32
    }

    /// The word of a slot with this tag, live and not in use.
    fn reading(self) -> Reading {
        Reading(self.0 & !PINS)
    }
}

impl PartialEq for Tag {
    fn eq(&self, other: &Tag) -> bool {
        self.reading() == other.reading()
    }
}

impl Eq for Tag {}

/// What a slot is at a moment: the bits of the word that say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State(u64);

const fn state(sign: bool, code: u64) -> State {
    State((sign as u64) << 63 | code << PIN_BITS)
}

impl State {
    /// Nobody's: the state of zeroed memory.
    #[allow(dead_code)] // nothing has to set it
    pub const FREE: State = state(false, 0);
    /// Nobody's any more. With the last generation: for ever, the slot is retired.
    pub const FREED: State = state(true, 0);
    /// A live handle that nobody shares, and whose calls may simply block. No other state has
    /// its code, see `Tag::index`.
    pub const LIVE: State = state(false, 1);
    /// A live handle whose socket others may have too.
    pub const SHARED: State = state(true, 2);
    /// Shared, and a call that began before it became so may be blocked in the plain way.
    pub const MIXED: State = state(true, 3);
    /// Closed; calls that began earlier are on their way out.
    pub const CLOSING: State = state(true, 4);
    /// The same, and others may have the socket: `shutdown` would harm them.
    pub const CLOSING_SHARED: State = state(true, 7);
    /// The last of them has left, and one thread is clearing up.
    pub const FINAL: State = state(true, 5);
    /// Nobody's yet: one thread looks whether the descriptor, which is the program's, can be a handle.
    pub const CLAIMED: State = state(false, 5);
    /// A live handle that nobody shares, which has or had a reason why calls can't be plain ones.
    pub const CAREFUL: State = state(true, 6);

    const fn code(self) -> u64 {
        (self.0 & CODE) >> PIN_BITS
    }

    /// A handle with this state can be used.
    pub fn is_live(self) -> bool {
        const LIVE: States = States::of(&[State::LIVE, State::CAREFUL, State::SHARED, State::MIXED]);
        LIVE.have(self)
    }

    /// Others may have the socket too, so that `shutdown` must not be used to wake its calls.
    pub fn is_shared(self) -> bool {
        const SHARED: States = States::of(&[State::SHARED, State::MIXED, State::CLOSING_SHARED]);
        SHARED.have(self)
    }

    fn is_closing(self) -> bool {
        matches!(self, State::CLOSING | State::CLOSING_SHARED)
    }
}

/// A set of states, none of which is free: one bit for each code.
struct States(u64);

impl States {
    const fn of(states: &[State]) -> States {
        let mut bits = 0;
        let mut i = 0;
        while i < states.len() {
            bits |= 1 << states[i].code();
            i += 1;
        }
        States(bits)
    }

    fn have(&self, state: State) -> bool {
        self.0 >> state.code() & 1 != 0
    }
}

/// One reading of the word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading(u64);

impl Reading {
    fn new(generation: u64, state: State, pins: u64) -> Reading {
        Reading(state.0 | generation << GENERATION_SHIFT | pins)
    }

    pub fn generation(self) -> u64 {
        self.0 >> GENERATION_SHIFT & LAST_GENERATION
    }

    pub fn state(self) -> State {
        State(self.0 & STATE)
    }

    pub fn pins(self) -> u64 {
        self.0 & PINS
    }

    /// The handle with this tag is live, and its calls may simply block.
    #[inline(always)]
    pub fn is_plain(self, tag: Tag) -> bool {
        (self.0 ^ tag.0) >> PIN_BITS == 0
    }

    /// The handle with this tag is live.
    fn is_live(self, tag: Tag) -> bool {
        self.tag() == tag && self.state().is_live()
    }

    fn tag(self) -> Tag {
        Tag(Reading::new(self.generation(), State::LIVE, 0).0)
    }

    fn with(self, state: State) -> Reading {
        Reading(self.0 & !STATE | state.0)
    }
}

/// What the one who takes a pin away has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Left {
    /// Nothing.
    Done,
    /// The handle with this tag was closed and this was the last pin: clear up, then `free`.
    Last(Tag),
}

/// What becomes of the descriptor when its slot was made free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Freed {
    /// Close it.
    Close,
    /// The slot is retired: its number must stay occupied for ever.
    Park,
    /// It was closed behind our back, and its number is somebody else's now.
    Lost,
}

/// Why a handle can't be given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Not this tag, or not live.
    Stale,
    /// A call is in progress.
    Busy,
}

zeroed! {
    /// The word itself. All zero: free, no generation used.
    #[repr(transparent)]
    pub struct Word {
        bits: AtomicU64,
    }
}

impl Word {
    /// A free word whose next generation is the one after `generation`: for tests and models.
    #[cfg(test)]
    pub fn starting_at(generation: u64) -> Word {
        let state = match generation {
            0 => State::FREE,
            _ => State::FREED,
        };
        Word { bits: AtomicU64::new(Reading::new(generation, state, 0).0) }
    }

    pub fn read(&self) -> Reading {
        Reading(self.bits.load(Ordering::SeqCst))
    }

    fn swap(&self, from: Reading, to: Reading) -> Result<(), Reading> {
        self.bits
            .compare_exchange(from.0, to.0, Ordering::SeqCst, Ordering::SeqCst)
            .map(drop)
            .map_err(Reading)
    }

    /// Begins a call on the handle with this tag. False: it is not live, and nothing has changed.
    pub fn pin(&self, tag: Tag) -> bool {
        self.pin_while(self.read(), |now| now.is_live(tag))
    }

    /// The same, only where its calls may simply block.
    #[inline(always)]
    pub fn pin_plain(&self, tag: Tag) -> bool {
        // That no other call is in progress is guessed, not looked up.
        match self.pin_if(tag.reading()) {
            Ok(()) => true,
            Err(seen) => self.pin_while(seen, |now| now.is_plain(tag)),
        }
    }

    #[inline(always)]
    fn pin_while(&self, mut now: Reading, allowed: impl Fn(Reading) -> bool) -> bool {
        while allowed(now) {
            match self.pin_if(now) {
                Ok(()) => return true,
                Err(seen) => now = seen,
            }
        }
        false
    }

    /// A pin is taken only together with the reading that allows it: one on a slot that has become
    /// another handle's would look like a call of that.
    #[inline(always)]
    fn pin_if(&self, now: Reading) -> Result<(), Reading> {
        self.bits
            .compare_exchange(now.0, now.0 + ONE_PIN, Ordering::Acquire, Ordering::Relaxed)
            .map(drop)
            .map_err(Reading)
    }

    /// Ends a call.
    #[inline(always)]
    pub fn unpin(&self) -> Left {
        let before = Reading(self.bits.fetch_sub(ONE_PIN, Ordering::Release));
        if before.state() == State::LIVE && before.pins() > 0 { Left::Done } else { self.after_unpin() }
    }

    /// Takes the pin of a plain call away. True: the handle is in plain use as before, and that
    /// was all. Otherwise `after_unpin` has to follow.
    #[inline(always)]
    pub fn unpin_plain(&self) -> bool {
        self.bits.fetch_sub(ONE_PIN, Ordering::Release) as i64 > 0
    }

    /// What is to be done after `unpin_plain`.
    #[cold]
    pub fn after_unpin(&self) -> Left {
        let now = self.read();
        if now.pins() == PINS {
            // There was no pin to take: this process is a child that was forked by a
            // signal handler in the middle of this very call, and pins were cleared.
            self.bits.fetch_add(ONE_PIN, Ordering::SeqCst);
            return Left::Done;
        }
        if now.pins() == 0 {
            if now.state() == State::MIXED {
                // No call is left that began before.
                let _ = self.swap(now, now.with(State::SHARED));
            } else if now.state().is_closing() {
                // Of two that left at once both may come here.
                if self.swap(now, now.with(State::FINAL)).is_ok() {
                    return Left::Last(now.tag());
                }
            }
        }
        Left::Done
    }

    /// Whether a handle that is pinned was closed since.
    pub fn is_closed(&self, tag: Tag) -> bool {
        let now = self.read();
        !now.is_plain(tag) && !now.is_live(tag)
    }

    /// Whether the handle with this tag is live. It need not be pinned, and may be closed meanwhile.
    #[inline(always)]
    pub fn is_live(&self, tag: Tag) -> bool {
        Reading(self.bits.load(Ordering::Acquire)).is_plain(tag) || self.is_live_otherwise(tag)
    }

    #[cold]
    #[inline(never)]
    fn is_live_otherwise(&self, tag: Tag) -> bool {
        self.read().is_live(tag)
    }

    /// Begins to close: exactly one caller gets a reading, from just before, and a pin with it.
    pub fn close(&self, tag: Tag) -> Option<Reading> {
        let mut now = self.read();
        while now.is_live(tag) {
            // Of a mixed one every call has to be woken by both means.
            let shared = now.state() == State::SHARED;
            let state = if shared { State::CLOSING_SHARED } else { State::CLOSING };
            let closing = Reading::new(now.generation(), state, now.pins() + ONE_PIN);
            match self.swap(now, closing) {
                Ok(()) => return Some(now),
                Err(seen) => now = seen,
            }
        }
        None
    }

    /// Takes the handle away from everybody without a close, if no call is in progress.
    /// The caller clears up, then calls `free`.
    pub fn give_up(&self, tag: Tag) -> Result<(), Kept> {
        let mut now = self.read();
        while now.is_live(tag) {
            if now.pins() != 0 {
                return Err(Kept::Busy);
            }
            match self.swap(now, now.with(State::FINAL)) {
                Ok(()) => return Ok(()),
                Err(seen) => now = seen,
            }
        }
        Err(Kept::Stale)
    }

    /// The same, only where its calls may simply block. False: nothing has changed.
    #[inline(always)]
    pub fn give_up_plain(&self, tag: Tag) -> bool {
        let now = tag.reading();
        self.swap(now, now.with(State::FINAL)).is_ok()
    }

    /// Whether what `Left::Last` or `give_up` began with this tag has still to be ended by `free`:
    /// nobody has published the number anew meanwhile.
    pub fn is_final(&self, tag: Tag) -> bool {
        let now = self.read();
        now.state() == State::FINAL && now.tag() == tag
    }

    /// Ends what `Left::Last` or `give_up` began: from here on the number may be published again.
    #[inline(always)]
    pub fn free(&self, tag: Tag) -> Freed {
        self.free_from(State::FINAL, tag)
    }

    /// Ends what `claim` began, where nothing has become of it.
    pub fn unclaim(&self, tag: Tag) {
        let _ = self.free_from(State::CLAIMED, tag);
    }

    #[inline(always)]
    fn free_from(&self, state: State, tag: Tag) -> Freed {
        let mut now = self.read();
        while now.state() == state && now.tag() == tag {
            match self.swap(now, now.with(State::FREED)) {
                Ok(()) if now.generation() == LAST_GENERATION => return Freed::Park,
                Ok(()) => return Freed::Close,
                Err(seen) => now = seen,
            }
        }
        Freed::Lost
    }

    /// Takes a number that is nobody's for the caller, who then calls `publish` or `unclaim`. `None`:
    /// it is somebody's.
    pub fn claim(&self) -> Option<Tag> {
        let mut now = self.read();
        while matches!(now.state(), State::FREE | State::FREED) {
            match self.swap(now, now.with(State::CLAIMED)) {
                Ok(()) => return Some(now.tag()),
                Err(seen) => now = seen,
            }
        }
        None
    }

    /// Makes the slot live with the next generation, and tells the tag, and the state from just
    /// before. The kernel has just handed out the number, so whatever lives here was closed
    /// behind our back and dies. `state` is one of the live ones. `None`: no generation is left.
    pub fn publish(&self, state: State) -> (Option<Tag>, State) {
        let mut now = self.read();
        loop {
            let (tag, to) = if now.generation() == LAST_GENERATION {
                (None, now.with(State::FREED))
            } else {
                // Pins stay: the calls of one that was closed behind our back take them when they leave.
                let next = Reading(now.0 + ONE_GENERATION).with(state);
                (Some(next.tag()), next)
            };
            match self.swap(now, to) {
                Ok(()) => return (tag, now.state()),
                Err(seen) => now = seen,
            }
        }
    }

    /// From here on calls look at what the slot says before they may simply block. For good: to
    /// tell threads that do not know of each other that the last reason is gone would take
    /// more than such calls cost.
    pub fn be_careful(&self) {
        let mut now = self.read();
        while now.state() == State::LIVE {
            match self.swap(now, now.with(State::CAREFUL)) {
                Ok(()) => return,
                Err(seen) => now = seen,
            }
        }
    }

    /// Notes that others may have a copy of the socket from now on. `own` is the number of
    /// pins that the caller holds itself. Does nothing to a word that is not live.
    pub fn share(&self, own: u64) {
        let mut now = self.read();
        while matches!(now.state(), State::LIVE | State::CAREFUL) {
            let state = if now.pins() > own { State::MIXED } else { State::SHARED };
            match self.swap(now, now.with(state)) {
                Ok(()) => return,
                Err(seen) => now = seen,
            }
        }
    }

    /// In a forked child: the pins are those of threads that do not exist here. A tag where that
    /// handle was being closed, which nobody here would finish: clear up, then `free`.
    pub fn after_fork(&self) -> Option<Tag> {
        let now = self.read();
        let state = match now.state() {
            state if state.is_live() => State::SHARED,
            state if state.is_closing() => State::FINAL,
            // The descriptor is still the program's.
            State::CLAIMED => State::FREED,
            state => state,
        };
        self.bits.store(Reading::new(now.generation(), state, 0).0, Ordering::SeqCst);
        (state == State::FINAL).then_some(now.tag())
    }
}
