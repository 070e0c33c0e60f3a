//! Models of the word of a slot: loom runs each of them in every order that its threads can
//! have, with every value that a load may see, and so shows that a descriptor has one owner and
//! is closed once, after the last call. What the word means in one thread is in
//! `src/handle/tests.rs`.
//!
//! The kernel is a number that is open for somebody or not. A call says that it is inside by a
//! relaxed store, so that whoever closes sees it only if the word itself brings the news.

#[allow(dead_code)] // the library uses the rest
#[path = "../src/handle/word.rs"]
mod word;

/// The atomics of `word`. loom takes SeqCst for AcqRel, so the models where two places are
/// ordered add the fences by which compilers make it more: once after each write, and once before
/// each load. Either must do where a thread writes before it loads.
mod atomic {
    pub use loom::sync::atomic::Ordering;
    use loom::sync::atomic::{self, fence};
    use std::cell::Cell;

    #[derive(Clone, Copy, PartialEq)]
    pub enum Fences {
        None,
        AfterWrites,
        BeforeLoads,
    }

    thread_local! {
        pub static FENCES: Cell<Fences> = const { Cell::new(Fences::None) };
    }

    fn sync(at: Fences, order: Ordering) {
        if order == Ordering::SeqCst && FENCES.get() == at {
            fence(Ordering::SeqCst);
        }
    }

    pub struct AtomicU64(atomic::AtomicU64);

    impl AtomicU64 {
        pub fn new(value: u64) -> AtomicU64 {
            AtomicU64(atomic::AtomicU64::new(value))
        }

        pub fn load(&self, order: Ordering) -> u64 {
            sync(Fences::BeforeLoads, order);
            self.0.load(order)
        }

        pub fn store(&self, value: u64, order: Ordering) {
            self.0.store(value, order);
            sync(Fences::AfterWrites, order);
        }

        pub fn fetch_add(&self, value: u64, order: Ordering) -> u64 {
            let old = self.0.fetch_add(value, order);
            sync(Fences::AfterWrites, order);
            old
        }

        pub fn fetch_sub(&self, value: u64, order: Ordering) -> u64 {
            let old = self.0.fetch_sub(value, order);
            sync(Fences::AfterWrites, order);
            old
        }

        pub fn compare_exchange(
            &self,
            from: u64,
            to: u64,
            order: Ordering,
            failure: Ordering,
        ) -> Result<u64, u64> {
            let result = self.0.compare_exchange(from, to, order, failure);
            sync(Fences::AfterWrites, order);
            result
        }
    }
}

macro_rules! zeroed {
    ($($item:tt)*) => { $($item)* };
}
use zeroed;

use atomic::{AtomicU64, FENCES, Fences};
use loom::sync::Arc;
use loom::sync::atomic::AtomicU64 as Plain;
use loom::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, SeqCst};
use loom::thread::{JoinHandle, spawn};
use word::{Freed, Kept, LAST_GENERATION, Left, State, Tag, Word};

/// A slot, and what the kernel has behind it.
struct Slot {
    word: Word,
    /// For which generation the number is open; 0: closed.
    open: Plain,
    /// Which calls are inside the kernel.
    inside: [Plain; 3],
    /// How often each end of a handle was reached.
    last: Plain,
    closed: Plain,
    lost: Plain,
    parked: Plain,
}

impl Slot {
    fn starting_at(generation: u64) -> Arc<Slot> {
        Arc::new(Slot {
            word: Word::starting_at(generation),
            open: Plain::new(0),
            inside: [Plain::new(0), Plain::new(0), Plain::new(0)],
            last: Plain::new(0),
            closed: Plain::new(0),
            lost: Plain::new(0),
            parked: Plain::new(0),
        })
    }

    /// A slot with a live handle of generation 1.
    fn live(state: State) -> (Arc<Slot>, Tag) {
        let slot = Slot::starting_at(0);
        let tag = slot.create(1, state).unwrap();
        (slot, tag)
    }

    /// The kernel hands the number out, if it is closed, and it is published.
    fn create(&self, generation: u64, state: State) -> Option<Tag> {
        self.open.compare_exchange(0, generation, AcqRel, Acquire).ok()?;
        let tag = self.word.publish(state).0?;
        assert_eq!(generation_of(tag), generation);
        Some(tag)
    }

    /// Inside a call that pinned the handle.
    fn work(&self, me: usize, tag: Tag) {
        self.inside[me].store(1, Relaxed);
        assert_eq!(self.open.load(Relaxed), generation_of(tag), "not its own");
        self.inside[me].store(0, Relaxed);
    }

    /// A whole call; false: the handle is stale.
    fn call(&self, me: usize, tag: Tag) -> bool {
        let live = self.word.pin(tag);
        if live {
            self.work(me, tag);
            self.leave(self.word.unpin());
        }
        live
    }

    /// A whole call that may simply block, if it may.
    fn plain_call(&self, me: usize, tag: Tag) -> bool {
        let plain = self.word.pin_plain(tag);
        if plain {
            self.work(me, tag);
            if !self.word.unpin_plain() {
                self.leave(self.word.after_unpin());
            }
        }
        plain
    }

    fn close(&self, tag: Tag) -> bool {
        let left = if self.word.give_up_plain(tag) {
            Left::Last(tag)
        } else if self.word.close(tag).is_some() {
            self.word.unpin()
        } else {
            return false;
        };
        self.leave(left);
        true
    }

    fn leave(&self, left: Left) {
        if let Left::Last(tag) = left {
            self.last.fetch_add(1, Relaxed);
            self.clear_up(tag);
        }
    }

    /// Closes the number if it is ours to close.
    fn clear_up(&self, tag: Tag) {
        for call in &self.inside {
            assert_eq!(call.load(Relaxed), 0, "closed under a call");
        }
        match self.word.free(tag) {
            Freed::Close => {
                assert_ne!(self.open.swap(0, AcqRel), 0, "closed twice");
                self.closed.fetch_add(1, Relaxed);
            }
            Freed::Park => {
                self.parked.fetch_add(1, Relaxed);
            }
            Freed::Lost => {
                self.lost.fetch_add(1, Relaxed);
            }
        }
    }

    /// At the end, when all threads are joined: how often it was closed, by the library.
    fn assert_closed(&self, times: u64) {
        assert_eq!(self.closed.load(Relaxed), times);
        assert_eq!(self.open.load(Relaxed), 0);
        assert_eq!(self.word.read().state(), State::FREED);
        assert_eq!(self.word.read().pins(), 0);
    }

    fn assert_live(&self, tag: Tag) {
        assert!(!self.word.is_closed(tag));
        assert_eq!(self.word.read().pins(), 0);
        assert_eq!(self.open.load(Relaxed), generation_of(tag));
    }
}

fn generation_of(tag: Tag) -> u64 {
    tag.0 >> 25 & LAST_GENERATION
}

/// Every order with at most this many places where a thread is stopped in its course.
fn model(preemptions: usize, run: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(run);
}

fn start<T: 'static>(slot: &Arc<Slot>, run: impl FnOnce(&Slot) -> T + 'static) -> JoinHandle<T> {
    let slot = slot.clone();
    spawn(move || run(&slot))
}

const EVERY_STATE: [State; 4] = [State::LIVE, State::CAREFUL, State::SHARED, State::MIXED];

#[test]
fn a_call_a_close_and_the_next_handle() {
    model(3, || {
        let (slot, tag) = Slot::live(State::LIVE);
        let call = start(&slot, move |slot| slot.call(0, tag));
        let close = start(&slot, move |slot| slot.close(tag));
        // The number may be free again at any moment from here on.
        let next = slot.create(2, State::LIVE);
        if let Some(next) = next {
            assert!(slot.call(1, next), "nobody closes the next one");
        }
        call.join().unwrap();
        assert!(close.join().unwrap());
        assert!(!slot.call(0, tag));
        match next {
            Some(next) => {
                slot.assert_live(next);
                assert!(slot.close(next));
                slot.assert_closed(2);
            }
            None => slot.assert_closed(1),
        }
    });
}

#[test]
fn a_call_in_each_state_and_a_close() {
    for state in EVERY_STATE {
        model(4, move || {
            let (slot, tag) = Slot::live(state);
            let call = start(&slot, move |slot| slot.call(0, tag));
            assert!(slot.close(tag));
            call.join().unwrap();
            slot.assert_closed(1);
        });
    }
}

#[test]
fn a_plain_call_and_a_close() {
    model(3, || {
        let (slot, tag) = Slot::live(State::LIVE);
        let calls = [0, 1].map(|me| start(&slot, move |slot| slot.plain_call(me, tag)));
        assert!(slot.close(tag));
        for call in calls {
            call.join().unwrap();
        }
        assert_eq!(slot.last.load(Relaxed), 1);
        slot.assert_closed(1);
    });
}

#[test]
fn a_call_sees_what_was_set_before_publishing() {
    model(4, || {
        let slot = Slot::starting_at(0);
        // Somebody guesses the handle that is about to be.
        let guess = Tag(1 << 25 | 1 << 22);
        let call = start(&slot, move |slot| slot.call(0, guess));
        let plain = start(&slot, move |slot| slot.plain_call(1, guess));
        slot.open.store(1, Relaxed);
        assert_eq!(slot.word.publish(State::LIVE), (Some(guess), State::FREE));
        call.join().unwrap();
        plain.join().unwrap();
        slot.assert_live(guess);
    });
}

#[test]
fn of_two_closers_one_wins() {
    for state in EVERY_STATE {
        model(3, move || {
            let (slot, tag) = Slot::live(state);
            let call = start(&slot, move |slot| slot.call(0, tag));
            let other = start(&slot, move |slot| slot.close(tag));
            let one = slot.close(tag);
            call.join().unwrap();
            assert!(one != other.join().unwrap());
            slot.assert_closed(1);
        });
    }
}

#[test]
fn of_two_calls_and_a_closer_one_clears_up() {
    model(3, || {
        let (slot, tag) = Slot::live(State::LIVE);
        for _ in 0..2 {
            assert!(slot.word.pin(tag));
        }
        let calls = [0, 1].map(|me| {
            start(&slot, move |slot| {
                slot.work(me, tag);
                slot.leave(slot.word.unpin());
            })
        });
        let before = slot.word.close(tag).unwrap();
        assert_eq!(before.state(), State::LIVE);
        slot.leave(slot.word.unpin());
        for call in calls {
            call.join().unwrap();
        }
        assert_eq!(slot.last.load(Relaxed), 1);
        assert_eq!(slot.lost.load(Relaxed), 0);
        slot.assert_closed(1);
    });
}

#[test]
fn a_stale_call_that_comes_while_the_last_one_leaves() {
    model(3, || {
        let (slot, tag) = Slot::live(State::LIVE);
        let before = slot.word.close(tag).unwrap();
        assert_eq!(before.pins(), 0);
        let stale = [0, 1].map(|me| start(&slot, move |slot| slot.call(me, tag)));
        slot.leave(slot.word.unpin());
        for call in stale {
            assert!(!call.join().unwrap());
        }
        assert_eq!(slot.last.load(Relaxed), 1);
        slot.assert_closed(1);
    });
}

#[test]
fn a_stale_handle_while_the_next_is_published() {
    model(3, || {
        let (slot, stale) = Slot::live(State::LIVE);
        assert!(slot.close(stale));
        let one = start(&slot, move |slot| slot.call(0, stale));
        let other = start(&slot, move |slot| slot.plain_call(1, stale));
        let next = slot.create(2, State::LIVE).unwrap();
        assert_eq!(slot.word.read().pins(), 0, "it looks like a call of the next one");
        assert!(slot.call(2, next));
        assert!(!one.join().unwrap());
        assert!(!other.join().unwrap());
        slot.assert_live(next);
        assert!(slot.close(next));
        slot.assert_closed(2);
    });
}

#[test]
fn the_closer_learns_of_every_call() {
    // Who is told of no call wakes nobody.
    model(4, || {
        let (slot, tag) = Slot::live(State::LIVE);
        // Blocked in there until it is woken: it does not leave by itself.
        let call = start(&slot, move |slot| slot.word.pin_plain(tag));
        let before = slot.word.close(tag).unwrap();
        slot.leave(slot.word.unpin());
        if call.join().unwrap() {
            assert_eq!(before.pins(), 1, "nobody wakes it");
            assert!(!slot.word.unpin_plain());
            slot.leave(slot.word.after_unpin());
        }
        slot.assert_closed(1);
    });
}

#[test]
fn what_becomes_shared_knows_its_older_calls() {
    model(3, || {
        let (slot, tag) = Slot::live(State::LIVE);
        // A call that finds the word shared asks its waker, any other one blocks.
        let call = start(&slot, move |slot| {
            assert!(slot.word.pin(tag));
            slot.word.read().state().is_shared()
        });
        let share = start(&slot, move |slot| {
            assert!(slot.word.pin(tag));
            slot.word.share(1);
            assert!(slot.word.pin(tag));
            assert!(slot.word.read().state().is_shared(), "a later call knows");
            slot.leave(slot.word.unpin());
            slot.leave(slot.word.unpin());
        });
        let knew = call.join().unwrap();
        share.join().unwrap();
        let before = slot.word.close(tag).unwrap();
        if !knew {
            assert_eq!(before.state(), State::MIXED, "it may be blocked");
        }
        assert_eq!(before.pins(), 1);
        slot.leave(slot.word.unpin());
        slot.leave(slot.word.unpin());
        slot.assert_closed(1);
    });
}

#[test]
fn a_call_that_may_be_blocked_keeps_its_socket_mixed() {
    model(3, || {
        let (slot, tag) = Slot::live(State::LIVE);
        assert!(slot.word.pin_plain(tag), "blocked until it is woken");
        let passing = start(&slot, move |slot| slot.call(0, tag));
        let share = start(&slot, |slot| slot.word.share(0));
        assert!(slot.call(1, tag));
        share.join().unwrap();
        assert!(passing.join().unwrap());
        assert_eq!(slot.word.close(tag).unwrap().state(), State::MIXED, "nobody wakes it");
        slot.leave(slot.word.unpin());
        slot.leave(slot.word.unpin());
        slot.assert_closed(1);
    });
}

#[test]
fn what_no_call_keeps_mixed_is_shared() {
    model(3, || {
        let (slot, tag) = Slot::live(State::MIXED);
        let calls = [0, 1].map(|me| start(&slot, move |slot| slot.call(me, tag)));
        for call in calls {
            assert!(call.join().unwrap());
        }
        assert_eq!(slot.word.read().state(), State::SHARED);
        assert!(slot.close(tag));
        slot.assert_closed(1);
    });
}

#[test]
fn sharing_and_a_call_and_a_close() {
    for state in [State::LIVE, State::CAREFUL] {
        model(3, move || {
            let (slot, tag) = Slot::live(state);
            // At a fork nobody holds a pin for it.
            let share = start(&slot, |slot| slot.word.share(0));
            let call = start(&slot, move |slot| slot.call(0, tag));
            let before = slot.word.close(tag).unwrap();
            assert!(before.state() != State::MIXED || before.pins() <= 1);
            slot.leave(slot.word.unpin());
            share.join().unwrap();
            call.join().unwrap();
            slot.assert_closed(1);
        });
    }
}

#[test]
fn a_limit_is_in_force_when_it_is_set() {
    model(3, || {
        let (slot, tag) = Slot::live(State::LIVE);
        let set = move |slot: &Slot| {
            slot.word.be_careful();
            assert!(!slot.word.pin_plain(tag), "its limit is in force");
        };
        let other = start(&slot, set);
        set(&slot);
        other.join().unwrap();
        assert!(slot.close(tag));
        slot.assert_closed(1);
    });
}

#[test]
fn becoming_careful_and_a_call_and_a_close() {
    model(2, || {
        let (slot, tag) = Slot::live(State::LIVE);
        let set = start(&slot, |slot| slot.word.be_careful());
        let call = start(&slot, move |slot| match slot.plain_call(0, tag) {
            true => true,
            false => slot.call(0, tag),
        });
        assert!(slot.close(tag));
        set.join().unwrap();
        call.join().unwrap();
        slot.assert_closed(1);
    });
}

#[test]
fn becoming_careful_loses_no_call() {
    model(4, || {
        let (slot, tag) = Slot::live(State::LIVE);
        let set = start(&slot, |slot| slot.word.be_careful());
        assert!(slot.call(0, tag), "live in both states");
        set.join().unwrap();
        assert!(!slot.plain_call(0, tag));
        slot.assert_live(tag);
    });
}

#[test]
fn giving_up_and_a_call_and_a_close() {
    for state in EVERY_STATE {
        model(3, move || {
            let (slot, tag) = Slot::live(state);
            let call = start(&slot, move |slot| slot.call(0, tag));
            let close = start(&slot, move |slot| slot.close(tag));
            let given = slot.word.give_up(tag);
            if given.is_ok() {
                for call in &slot.inside {
                    assert_eq!(call.load(Relaxed), 0, "given away under a call");
                }
                // The descriptor is the caller's before the number can come again.
                assert_eq!(slot.open.swap(0, AcqRel), 1);
                assert_eq!(slot.word.free(tag), Freed::Close);
            }
            call.join().unwrap();
            match (given, close.join().unwrap()) {
                (Ok(()), false) => slot.assert_closed(0),
                (Err(Kept::Stale | Kept::Busy), true) => slot.assert_closed(1),
                other => panic!("{other:?}"),
            }
        });
    }
}

#[test]
fn of_two_who_give_up_one_does() {
    model(4, || {
        let (slot, tag) = Slot::live(State::LIVE);
        let other = start(&slot, move |slot| slot.word.give_up(tag).is_ok());
        let one = slot.word.give_up(tag).is_ok();
        assert!(one != other.join().unwrap());
        assert_eq!(slot.word.free(tag), Freed::Close);
    });
}

#[test]
fn the_last_generation_is_parked_once() {
    model(3, || {
        let slot = Slot::starting_at(LAST_GENERATION - 1);
        let tag = slot.create(LAST_GENERATION, State::LIVE).unwrap();
        let call = start(&slot, move |slot| slot.call(0, tag));
        let close = start(&slot, move |slot| slot.close(tag));
        let one = slot.close(tag);
        call.join().unwrap();
        assert!(one != close.join().unwrap());
        assert_eq!(slot.parked.load(Relaxed), 1);
        assert_eq!(slot.closed.load(Relaxed), 0);
        assert_eq!(slot.word.publish(State::LIVE), (None, State::FREED));
    });
}

/// The number was closed behind our back, and the kernel has handed it out again. The calls of
/// the old handle are out of the kernel, or nobody could help them.
fn reopen(slot: &Slot) -> Tag {
    slot.open.store(2, Relaxed);
    let (tag, _) = slot.word.publish(State::LIVE);
    tag.unwrap()
}

#[test]
fn a_live_handle_that_was_closed_behind_our_back() {
    model(3, || {
        let (slot, old) = Slot::live(State::LIVE);
        assert!(slot.word.pin(old));
        let call = start(&slot, |slot| {
            if !slot.word.unpin_plain() {
                slot.leave(slot.word.after_unpin());
            }
        });
        let stale = start(&slot, move |slot| {
            if slot.word.pin(old) {
                slot.leave(slot.word.unpin());
            }
        });
        let next = reopen(&slot);
        assert!(slot.call(0, next));
        assert!(!slot.close(old), "it is dead");
        call.join().unwrap();
        stale.join().unwrap();
        slot.assert_live(next);
        assert!(slot.close(next));
        slot.assert_closed(1);
    });
}

#[test]
fn a_closer_while_its_handle_dies_behind_our_back() {
    model(3, || {
        let (slot, old) = Slot::live(State::LIVE);
        assert!(slot.word.pin(old));
        let freed = |slot: &Slot, left| match left {
            Left::Last(tag) => Some(slot.word.free(tag)),
            Left::Done => None,
        };
        let call = start(&slot, move |slot| freed(slot, slot.word.unpin()));
        let close = start(&slot, move |slot| {
            let before = slot.word.close(old)?;
            assert!(before.state().is_live());
            freed(slot, slot.word.unpin())
        });
        let (next, before) = slot.word.publish(State::LIVE);
        let next = next.unwrap();
        let ends = [call.join().unwrap(), close.join().unwrap()];
        // Nobody closes what is the next one's: it was freed before, or is lost.
        let closed = ends.iter().flatten().filter(|end| **end == Freed::Close);
        assert_eq!(closed.count(), usize::from(before == State::FREED));
        let lost = ends.iter().flatten().filter(|end| **end == Freed::Lost);
        assert_eq!(lost.count(), usize::from(before == State::FINAL));
        assert!(!slot.word.is_closed(next));
        assert_eq!(slot.word.read().pins(), 0);
        assert_eq!(slot.word.read().state(), State::LIVE);
    });
}

#[test]
fn a_finaliser_while_its_handle_dies_and_the_next_is_closed() {
    model(4, || {
        let (slot, old) = Slot::live(State::LIVE);
        assert!(slot.word.close(old).is_some());
        assert_eq!(slot.word.unpin(), Left::Last(old));
        // The old one's finaliser may come before, between, and after.
        let finaliser = start(&slot, move |slot| slot.word.free(old));
        let (next, before) = slot.word.publish(State::LIVE);
        let next = next.unwrap();
        assert!(slot.word.close(next).is_some());
        assert_eq!(slot.word.unpin(), Left::Last(next));
        assert_eq!(slot.word.free(next), Freed::Close, "nobody else closes the next one");
        let first = if before == State::FREED { Freed::Close } else { Freed::Lost };
        assert_eq!(finaliser.join().unwrap(), first);
        assert_eq!(slot.word.read().state(), State::FREED);
    });
}

#[test]
fn of_two_handles_for_one_number_one_lives() {
    // Two threads take over one descriptor at once.
    model(4, || {
        let slot = Slot::starting_at(0);
        let publish = |slot: &Slot| slot.word.publish(State::SHARED);
        let other = start(&slot, publish);
        let (one, before_one) = publish(&slot);
        let (other, before_other) = other.join().unwrap();
        assert_ne!(one, other, "never issued twice");
        let lives = [one, other].map(|tag| !slot.word.is_closed(tag.unwrap()));
        assert!(lives[0] != lives[1]);
        // So that the count of the live ones is 1.
        assert!(before_one.is_live() != before_other.is_live());
    });
}

#[test]
fn of_two_that_claim_one_number_one_gets_it() {
    for generation in [0, 7] {
        model(4, move || {
            let slot = Slot::starting_at(generation);
            let take = |slot: &Slot| {
                let claimed = slot.word.claim()?;
                // Only now may it write to the slot: nobody else does.
                assert_eq!(slot.inside[0].swap(1, Relaxed), 0);
                assert_eq!(slot.word.read().state(), State::CLAIMED);
                assert_eq!(slot.word.free(claimed), Freed::Lost);
                slot.word.publish(State::SHARED).0
            };
            let other = start(&slot, take);
            let taken = [take(&slot), other.join().unwrap()];
            let [tag] = taken.iter().flatten().collect::<Vec<_>>()[..] else { panic!("{taken:?}") };
            assert!(!slot.word.is_closed(*tag));
        });
    }
}

/// The end of a handle closes its waker, but not that of the next one, which has taken the number
/// over because it was closed behind our back. As `close_waker` in `src/socket/close.rs` does.
#[test]
fn a_finaliser_leaves_the_waker_of_the_next_handle() {
    for fences in [Fences::AfterWrites, Fences::BeforeLoads] {
        FENCES.set(fences);
        model(4, || {
            let (slot, old) = Slot::live(State::SHARED);
            let waker = Arc::new(AtomicU64::new(1));
            assert!(slot.word.close(old).is_some());
            assert_eq!(slot.word.unpin(), Left::Last(old));
            let finaliser = {
                let waker = waker.clone();
                start(&slot, move |slot| {
                    let found = waker.load(SeqCst);
                    let ours = found != 0 && slot.word.is_final(old);
                    if ours {
                        let _ = waker.compare_exchange(found, 0, SeqCst, SeqCst);
                        assert_eq!(found, 1, "it is the next one's");
                    }
                    slot.word.free(old)
                })
            };
            waker.store(0, Relaxed);
            let (next, before) = slot.word.publish(State::SHARED);
            assert_eq!(waker.compare_exchange(0, 2, SeqCst, SeqCst), Ok(0));
            let freed = finaliser.join().unwrap();
            assert_eq!(waker.load(SeqCst), 2);
            assert!(!slot.word.is_closed(next.unwrap()));
            assert_eq!(freed == Freed::Close, before == State::FREED);
        });
        FENCES.set(Fences::None);
    }
}

/// A wait puts its waker in the slot and then looks whether somebody closes; a close says that
/// it closes and then looks for a waker. As `src/socket/wait.rs` and `close.rs` do.
fn no_wait_sleeps_on(fences: Fences, waits: usize) {
    FENCES.set(fences);
    model(3, move || {
        let (slot, tag) = Slot::live(State::SHARED);
        let waker = Arc::new(AtomicU64::new(0));
        let waits: Vec<_> = (0..waits)
            .map(|_| {
                let waker = waker.clone();
                assert!(slot.word.pin(tag));
                start(&slot, move |slot| {
                    if waker.load(SeqCst) == 0 {
                        let _ = waker.compare_exchange(0, 1, SeqCst, SeqCst);
                    }
                    // True: asleep until the waker is written to.
                    !slot.word.is_closed(tag)
                })
            })
            .collect();
        assert!(slot.word.close(tag).is_some());
        let woken = waker.load(SeqCst) != 0;
        for wait in waits {
            let asleep = wait.join().unwrap();
            assert!(!asleep || woken, "it sleeps for ever");
            slot.leave(slot.word.unpin());
        }
        slot.leave(slot.word.unpin());
        slot.assert_closed(1);
    });
    FENCES.set(Fences::None);
}

#[test]
fn no_wait_on_a_shared_socket_sleeps_on() {
    no_wait_sleeps_on(Fences::AfterWrites, 1);
    no_wait_sleeps_on(Fences::BeforeLoads, 1);
}

#[test]
fn no_wait_that_finds_a_waker_sleeps_on() {
    // The second one writes nothing before it looks.
    no_wait_sleeps_on(Fences::BeforeLoads, 2);
}
