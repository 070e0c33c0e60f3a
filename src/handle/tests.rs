//! What handles do in one thread: a table against a simple model of one. What threads make of
//! the word of a slot is in `tests/handle_model.rs`.

use std::boxed::Box;
use std::collections::HashSet;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;
use proptest::sample::Index;

use super::word::{Freed, Kept, LAST_GENERATION, Left, State, Tag};
use super::{Handle, MAX_HANDLES, Slot, Table};

/// Slots that have used these generations.
fn slots(used: &[u64]) -> &'static [Slot] {
    let slots: Vec<Slot> = used.iter().copied().map(Slot::starting_at).collect();
    Box::leak(slots.into_boxed_slice())
}

fn table(used: &[u64]) -> Table {
    Table::new(slots(used), 0, false)
}

/// The tag of a slot's handle of that generation.
fn tag(generation: u64) -> Tag {
    Tag(generation << 25 | 1 << 22)
}

/// Begins a call with any number that it is given.
fn pin(table: &Table, raw: i64) -> bool {
    let handle = Handle::from_raw(raw);
    table.slot(handle).is_some_and(|slot| slot.word.pin(handle.tag()))
}

/// No call gets anywhere with the number, and nothing changes.
fn refused(table: &Table, raw: i64) -> bool {
    let handle = Handle::from_raw(raw);
    let Some(slot) = table.slot(handle) else {
        return true;
    };
    let before = slot.word.read();
    let refused = !slot.word.pin_plain(handle.tag())
        && slot.word.is_closed(handle.tag())
        && !slot.word.pin(handle.tag())
        && slot.word.close(handle.tag()).is_none()
        && slot.word.give_up(handle.tag()) == Err(Kept::Stale)
        && !slot.word.give_up_plain(handle.tag());
    // One that is not refused is pinned now.
    refused && slot.word.read() == before
}

/// A closed handle whose last call has left: what becomes of the descriptor.
fn close(table: &Table, handle: Handle) -> Freed {
    let word = &table.slot(handle).unwrap().word;
    word.close(handle.tag()).unwrap();
    table.forget();
    assert_eq!(word.unpin(), Left::Last(handle.tag()));
    word.free(handle.tag())
}

const LIVE_STATES: [State; 4] = [State::LIVE, State::CAREFUL, State::SHARED, State::MIXED];

/// A table with a slot in each state that can have pins: the live ones, closed, final; then one
/// retired, one freed, one new.
fn one_of_each() -> (Table, [Handle; 8]) {
    let table = table(&[3, 3, 3, 3, 3, 3, LAST_GENERATION - 1, 3, 0]);
    let [live, careful, shared, mixed] = LIVE_STATES;
    let states = [live, careful, shared, mixed, live, live, live, live];
    let mut index = 0..;
    let handles = states.map(|state| table.publish(index.next().unwrap(), 0, state).unwrap());
    let [.., closing, last, retired, freed] = handles;
    for handle in [closing, last] {
        let word = &table.slot(handle).unwrap().word;
        word.close(handle.tag()).unwrap();
        table.forget();
    }
    assert_eq!(table.slot(last).unwrap().word.unpin(), Left::Last(last.tag()));
    assert_eq!(close(&table, retired), Freed::Park);
    assert_eq!(close(&table, freed), Freed::Close);
    (table, handles)
}

#[test]
fn descriptor_numbers_are_no_handles() {
    let table = table(&[0, 0, 0, 7]);
    for raw in -10..10 {
        assert!(refused(&table, raw), "{raw}");
    }
    assert!(refused(&Table::new(&[], 0, false), 0));
}

#[test]
fn a_number_with_any_generation_and_state_is_refused_unless_it_is_live() {
    let (table, handles) = one_of_each();
    let live: HashSet<i64> = handles[..4].iter().map(|handle| handle.to_raw()).collect();
    let generations = [0, 1, 2, 3, 4, 5, LAST_GENERATION - 1, LAST_GENERATION];
    let indices = (0..12).chain([MAX_HANDLES - 1, MAX_HANDLES, (1 << 22) - 1]);
    for index in indices.map(u64::from) {
        for generation in generations {
            for code in 0..8 {
                for sign in 0..2 {
                    let raw = sign << 63 | generation << 25 | code << 22 | index;
                    let raw = raw as i64;
                    assert_eq!(refused(&table, raw), !live.contains(&raw), "{raw:#x}");
                    assert!(!live.contains(&raw) || raw > 0);
                }
            }
        }
    }
    assert_eq!(table.live(), 4);
}

#[test]
fn every_flipped_bit_is_noticed() {
    // Different generations, so that no flip of one is another.
    let table = table(&[0, 10, 200, LAST_GENERATION - 1]);
    for index in 0..4 {
        let state = LIVE_STATES[index as usize];
        let raw = table.publish(index, 0, state).unwrap().to_raw();
        for bit in 0..64 {
            assert!(refused(&table, raw ^ 1 << bit), "{raw:#x}, bit {bit}");
            for other in 0..bit {
                let forged = raw ^ 1 << bit ^ 1 << other;
                assert!(refused(&table, forged), "{forged:#x} for {raw:#x}");
            }
        }
    }
}

#[test]
fn a_handle_is_positive_and_names_its_slot() {
    for generation in [0, 1, LAST_GENERATION / 2, LAST_GENERATION - 1] {
        let table = table(&[generation; 5]);
        for index in 0..5 {
            let handle = table.publish(index, 0, State::CAREFUL).unwrap();
            assert!(handle.to_raw() > 0);
            assert_eq!(handle.index(), index);
            assert!(core::ptr::eq(table.slot(handle).unwrap(), table.at(index).unwrap()));
            assert!(!table.slot(handle).unwrap().word.is_closed(handle.tag()));
        }
    }
}

#[test]
fn descriptors_have_slots_from_the_base_on() {
    let table = Table::new(slots(&[0; 4]), 10, true);
    for (fd, index) in [(10, 0), (13, 3)] {
        assert_eq!(table.index_of(fd), Some(index));
        assert_eq!(table.fd_of(index), fd);
    }
    for fd in [i32::MIN, -1, 0, 9, 14, i32::MAX] {
        assert_eq!(table.index_of(fd), None);
    }
    assert!(table.publish(4, 0, State::LIVE).is_none());
    assert_eq!(table.live(), 0);
}

#[test]
fn a_slot_retires_after_its_last_generation() {
    let table = table(&[LAST_GENERATION - 3]);
    let mut issued = Vec::new();
    for left in [2, 1, 0] {
        let handle = table.publish(0, 0, State::LIVE).unwrap();
        assert!(issued.iter().all(|raw| *raw != handle.to_raw()));
        issued.push(handle.to_raw());
        let end = match left {
            0 => Freed::Park,
            _ => Freed::Close,
        };
        assert_eq!(close(&table, handle), end);
    }
    for _ in 0..3 {
        assert!(table.publish(0, 0, State::LIVE).is_none());
        assert_eq!(table.live(), 0);
    }
    assert!(issued.iter().all(|raw| refused(&table, *raw)));
}

#[test]
fn a_last_handle_that_was_given_up_or_closed_behind_our_back_retires_its_slot() {
    let table = table(&[LAST_GENERATION - 1; 2]);
    let given = table.publish(0, 0, State::LIVE).unwrap();
    let word = &table.slot(given).unwrap().word;
    assert_eq!(word.give_up(given.tag()), Ok(()));
    table.forget();
    assert_eq!(word.free(given.tag()), Freed::Park);

    let lost = table.publish(1, 0, State::LIVE).unwrap();
    let word = &table.slot(lost).unwrap().word;
    assert!(word.pin(lost.tag()));
    assert_eq!(table.live(), 1);
    // Its number comes from the kernel once more.
    assert!(table.publish(1, 0, State::LIVE).is_none());
    assert_eq!(table.live(), 0);
    assert!(word.is_closed(lost.tag()));
    // The call that was in progress leaves as ever.
    assert!(!word.unpin_plain());
    assert_eq!(word.after_unpin(), Left::Done);
    assert_eq!(word.read().pins(), 0);
    assert!(table.publish(1, 0, State::LIVE).is_none());
}

#[test]
fn a_new_handle_takes_the_place_of_one_closed_behind_our_back() {
    for state in LIVE_STATES {
        let table = table(&[0]);
        let old = table.publish(0, 7, state).unwrap();
        let slot = table.slot(old).unwrap();
        assert!(slot.word.pin(old.tag()));
        slot.recv_limit.set(5);
        let new = table.publish(0, 9, State::LIVE).unwrap();
        assert_eq!(table.live(), 1);
        assert_ne!(old.to_raw(), new.to_raw());
        assert!(slot.word.is_closed(old.tag()));
        assert!(slot.word.close(old.tag()).is_none());
        assert_eq!(slot.recv_limit.get(), -1);
        assert!(slot.has(9));
        assert_eq!(slot.word.unpin(), Left::Done);
        assert!(refused(&table, old.to_raw()));
        assert_eq!(close(&table, new), Freed::Close);
        assert_eq!(table.live(), 0);
    }
}

#[test]
fn a_finaliser_that_comes_too_late_has_lost() {
    let table = table(&[0]);
    let old = table.publish(0, 0, State::LIVE).unwrap();
    let word = &table.slot(old).unwrap().word;
    word.close(old.tag()).unwrap();
    table.forget();
    assert_eq!(word.unpin(), Left::Last(old.tag()));
    assert!(word.is_final(old.tag()));
    let new = table.publish(0, 0, State::LIVE).unwrap();
    assert!(!word.is_final(old.tag()));
    assert_eq!(word.free(old.tag()), Freed::Lost);
    assert_eq!(table.live(), 1);
    assert!(pin(&table, new.to_raw()));
    assert_eq!(word.unpin(), Left::Done);
    // Nor does it end what the next one's has to.
    word.close(new.tag()).unwrap();
    assert_eq!(word.unpin(), Left::Last(new.tag()));
    assert!(!word.is_final(old.tag()));
    assert_eq!(word.free(old.tag()), Freed::Lost);
    assert!(word.is_final(new.tag()));
    assert_eq!(word.free(new.tag()), Freed::Close);
}

#[test]
fn a_number_is_claimed_by_one() {
    let table = table(&[0, 5, LAST_GENERATION]);
    for index in [0, 1, 2] {
        let word = &table.at(index).unwrap().word;
        let claimed = word.claim().unwrap();
        assert_eq!(word.claim(), None);
        assert_eq!(word.free(claimed), Freed::Lost, "nobody's to close");
        word.unclaim(claimed);
        let again = word.claim().unwrap();
        assert_eq!(again, claimed);
        assert_eq!(table.live(), i64::from(index));
        match table.publish(index, 0, State::LIVE) {
            Some(handle) => {
                assert_eq!(word.claim(), None, "live");
                word.unclaim(again);
                assert_eq!(table.live(), i64::from(index) + 1);
                assert!(pin(&table, handle.to_raw()));
                word.close(handle.tag()).unwrap();
                assert_eq!(word.claim(), None, "being closed");
                table.publish(index, 0, State::LIVE).unwrap();
                table.recount();
            }
            None => assert_eq!(index, 2),
        }
    }
}

#[test]
fn a_child_counts_anew() {
    let (table, handles) = one_of_each();
    assert_eq!(table.live(), 4);
    // A thread that the fork has left behind had closed one, and was about to count.
    let [one, ..] = handles;
    table.slot(one).unwrap().word.close(one.tag()).unwrap();
    table.recount();
    assert_eq!(table.live(), 3);
}

#[test]
fn a_forked_child_has_no_pins_and_finishes_what_was_being_closed() {
    let (table, handles) = one_of_each();
    for handle in handles {
        let word = &table.slot(handle).unwrap().word;
        let _ = word.pin(handle.tag());
        let _ = word.pin(handle.tag());
    }
    let mut seen = Vec::new();
    for (_, slot) in table.used() {
        let generation = slot.word.read().generation();
        let finish = slot.word.after_fork().is_some();
        let now = slot.word.read();
        assert_eq!((now.generation(), now.pins()), (generation, 0));
        if finish {
            assert_eq!(now.state(), State::FINAL);
            assert_eq!(slot.word.free(tag(generation)), Freed::Close);
        }
        seen.push((now.state(), finish));
    }
    let shared = (State::SHARED, false);
    let last = (State::FINAL, true);
    let end = [(State::FREED, false); 2];
    assert_eq!(seen[..6], [shared, shared, shared, shared, last, last]);
    assert_eq!(seen[6..], end);
    assert_eq!(table.live(), 4);
    for handle in &handles[..4] {
        assert!(pin(&table, handle.to_raw()));
    }
    let new = &Slot::starting_at(0).word;
    assert!(!new.pin_plain(handles[0].tag()));
    assert_eq!(new.after_fork(), None);
    assert_eq!(new.read().state(), State::FREE);
}

/// What a child can do with a handle before the call that was forked away in its middle goes on.
const IN_CHILD: [fn(&Table, Handle); 4] = [
    |_, _| {},
    |table, handle| {
        assert_eq!(close(table, handle), Freed::Close);
    },
    |table, handle| {
        assert_eq!(close(table, handle), Freed::Close);
        table.publish(0, 0, State::SHARED).unwrap();
    },
    |table, handle| {
        let word = &table.slot(handle).unwrap().word;
        assert_eq!(word.give_up(handle.tag()), Ok(()));
        table.forget();
    },
];

#[test]
fn a_call_that_was_forked_away_has_no_pin_to_take() {
    for state in LIVE_STATES {
        for in_child in IN_CHILD {
            let table = table(&[6]);
            let handle = table.publish(0, 0, state).unwrap();
            let word = &table.slot(handle).unwrap().word;
            assert!(word.pin(handle.tag()));
            assert_eq!(word.after_fork(), None);
            in_child(&table, handle);
            let before = word.read();
            assert_eq!(word.unpin(), Left::Done);
            assert_eq!(word.read(), before);
            assert!(!word.unpin_plain(), "it can't tell yet");
            assert_eq!(word.after_unpin(), Left::Done);
            assert_eq!(word.read(), before);
        }
    }
}

#[test]
fn what_is_mixed_is_so_until_the_last_call_has_left() {
    let table = table(&[0]);
    let handle = table.publish(0, 0, State::LIVE).unwrap();
    let word = &table.slot(handle).unwrap().word;
    assert!(word.pin_plain(handle.tag()));
    word.share(0);
    assert!(word.pin(handle.tag()));
    assert_eq!(word.unpin(), Left::Done);
    assert_eq!(word.read().state(), State::MIXED, "the first one may still be blocked");
    assert!(!word.unpin_plain());
    assert_eq!(word.after_unpin(), Left::Done);
    assert_eq!(word.read().state(), State::SHARED);
    assert_eq!(close(&table, handle), Freed::Close);
}

/// One step of a life with handles. Handles and pins are chosen among all there ever were.
#[derive(Clone, Debug)]
enum Step {
    Publish(u32, usize),
    Pin(Index),
    PinPlain(Index),
    Unpin(Index, bool),
    Close(Index),
    GiveUp(Index),
    GiveUpPlain(Index),
    Free(u32),
    Claim(u32),
    Unclaim(u32),
    Share(u32, u64),
    BeCareful(u32),
    Fork,
    Forge(Index, u32),
    Number(i64),
}

const SLOTS: u32 = 4;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let slot = || 0..SLOTS;
    let one = || any::<Index>();
    let number = prop_oneof![
        any::<i64>(),
        -5..10i64,
        (0..4i64, 0..8i64, 0..6i64).prop_map(|(a, b, c)| a << 25 | b << 22 | c),
    ];
    let step = prop_oneof![
        6 => (slot(), 0..4usize).prop_map(|(slot, state)| Step::Publish(slot, state)),
        6 => one().prop_map(Step::Pin),
        3 => one().prop_map(Step::PinPlain),
        10 => (one(), any::<bool>()).prop_map(|(pin, plain)| Step::Unpin(pin, plain)),
        5 => one().prop_map(Step::Close),
        2 => one().prop_map(Step::GiveUp),
        3 => one().prop_map(Step::GiveUpPlain),
        5 => slot().prop_map(Step::Free),
        2 => slot().prop_map(Step::Claim),
        1 => slot().prop_map(Step::Unclaim),
        2 => (slot(), 0..3u64).prop_map(|(slot, own)| Step::Share(slot, own)),
        2 => slot().prop_map(Step::BeCareful),
        1 => Just(Step::Fork),
        3 => (one(), 0..64u32).prop_map(|(handle, bit)| Step::Forge(handle, bit)),
        2 => number.prop_map(Step::Number),
    ];
    prop::collection::vec(step, 1..120)
}

/// What the model knows of a slot.
#[derive(Clone, Debug)]
struct Known {
    generation: u64,
    state: State,
    /// The handle that it has, if it is live.
    live: Option<i64>,
    pins: u64,
}

struct Life {
    table: Table,
    slots: Vec<Known>,
    /// Every value ever issued.
    issued: Vec<i64>,
    /// The slots of the pins that are out, and of those that a fork has taken away.
    pins: Vec<u32>,
    orphans: Vec<u32>,
}

impl Life {
    fn new(used: &[u64]) -> Life {
        let known = |generation: &u64| Known {
            generation: *generation,
            state: match generation {
                0 => State::FREE,
                _ => State::FREED,
            },
            live: None,
            pins: 0,
        };
        Life {
            table: table(used),
            slots: used.iter().map(known).collect(),
            issued: Vec::new(),
            pins: Vec::new(),
            orphans: Vec::new(),
        }
    }

    fn slot(&self, index: u32) -> &'static Slot {
        self.table.at(index).unwrap()
    }

    fn known(&mut self, index: u32) -> &mut Known {
        &mut self.slots[index as usize]
    }

    /// The slot in which the number is a live handle.
    fn place(&self, raw: i64) -> Option<u32> {
        let place = self.slots.iter().position(|known| known.live == Some(raw))?;
        Some(place as u32)
    }

    fn publish(&mut self, index: u32, state: State) {
        let handle = self.table.publish(index, 0, state);
        let known = self.known(index);
        known.live = None;
        if known.generation == LAST_GENERATION {
            assert!(handle.is_none());
            known.state = State::FREED;
        } else {
            let raw = handle.unwrap().to_raw();
            known.generation += 1;
            known.state = state;
            known.live = Some(raw);
            assert!(raw > 0 && !self.issued.contains(&raw), "issued twice");
            self.issued.push(raw);
        }
    }

    fn pin(&mut self, raw: i64) {
        let place = self.place(raw);
        if let Some(index) = place {
            self.known(index).pins += 1;
            self.pins.push(index);
        }
        assert_eq!(pin(&self.table, raw), place.is_some());
    }

    fn pin_plain(&mut self, raw: i64) {
        let place = self.place(raw);
        let handle = Handle::from_raw(raw);
        let Some(slot) = self.table.slot(handle) else {
            return assert_eq!(place, None);
        };
        let plain = slot.word.pin_plain(handle.tag());
        let state = place.map(|index| self.known(index).state);
        assert_eq!(plain, state == Some(State::LIVE));
        if plain {
            self.known(handle.index()).pins += 1;
            self.pins.push(handle.index());
        }
    }

    fn unpin(&mut self, which: Index, plain: bool) {
        if !self.pins.is_empty() {
            let index = self.pins.swap_remove(which.index(self.pins.len()));
            let left = self.take_away(index, plain);
            let known = self.known(index);
            known.pins -= 1;
            if matches!(known.state, State::CLOSING | State::CLOSING_SHARED) && known.pins == 0 {
                known.state = State::FINAL;
                assert_eq!(left, Left::Last(tag(known.generation)));
            } else {
                if known.state == State::MIXED && known.pins == 0 {
                    known.state = State::SHARED;
                }
                assert_eq!(left, Left::Done);
            }
        } else if let Some(index) = self.orphans.pop() {
            // In the forked child. A plain call would have to find out by itself on a
            // handle that was made since, or is being made: that is not promised.
            let plain = plain && !matches!(self.known(index).state, State::LIVE | State::CLAIMED);
            assert_eq!(self.take_away(index, plain), Left::Done);
        }
    }

    fn take_away(&self, index: u32, plain: bool) -> Left {
        let word = &self.slot(index).word;
        match plain {
            false => word.unpin(),
            true if word.unpin_plain() => {
                // No call is on a number that is claimed, unless it is retired and had one before.
                assert!(matches!(word.read().state(), State::LIVE | State::CLAIMED));
                Left::Done
            }
            true => word.after_unpin(),
        }
    }

    fn close(&mut self, raw: i64) {
        let handle = Handle::from_raw(raw);
        let closing = self.table.slot(handle).and_then(|slot| slot.word.close(handle.tag()));
        let Some(index) = self.place(raw) else {
            return assert_eq!(closing, None);
        };
        let before = closing.unwrap();
        self.table.forget();
        self.pins.push(index);
        let known = self.known(index);
        assert_eq!(before.generation(), known.generation);
        assert_eq!((before.state(), before.pins()), (known.state, known.pins));
        known.live = None;
        known.state = match known.state {
            State::SHARED => State::CLOSING_SHARED,
            _ => State::CLOSING,
        };
        known.pins += 1;
    }

    fn give_up(&mut self, raw: i64) {
        let handle = Handle::from_raw(raw);
        let given = match self.table.slot(handle) {
            Some(slot) => slot.word.give_up(handle.tag()),
            None => Err(Kept::Stale),
        };
        let Some(index) = self.place(raw) else {
            return assert_eq!(given, Err(Kept::Stale));
        };
        let known = self.known(index);
        if known.pins > 0 {
            return assert_eq!(given, Err(Kept::Busy));
        }
        assert_eq!(given, Ok(()));
        known.live = None;
        known.state = State::FINAL;
        self.table.forget();
    }

    fn give_up_plain(&mut self, raw: i64) {
        let handle = Handle::from_raw(raw);
        let given = self.table.slot(handle).is_some_and(|slot| slot.word.give_up_plain(handle.tag()));
        let place = self.place(raw).filter(|&index| {
            let known = self.known(index);
            known.state == State::LIVE && known.pins == 0
        });
        assert_eq!(given, place.is_some());
        if let Some(index) = place {
            let known = self.known(index);
            known.live = None;
            known.state = State::FINAL;
            self.table.forget();
        }
    }

    /// Also by one who has lost: a slot that is not final stays as it is.
    fn free(&mut self, index: u32) {
        let known = self.known(index).clone();
        if let Some(earlier) = known.generation.checked_sub(1) {
            assert_eq!(self.slot(index).word.free(tag(earlier)), Freed::Lost);
        }
        let freed = self.slot(index).word.free(tag(known.generation));
        let known = self.known(index);
        let expected = match known.state {
            State::FINAL if known.generation == LAST_GENERATION => {
                known.state = State::FREED;
                Freed::Park
            }
            State::FINAL => {
                known.state = State::FREED;
                Freed::Close
            }
            _ => Freed::Lost,
        };
        assert_eq!(freed, expected);
    }

    fn claim(&mut self, index: u32) {
        let claimed = self.slot(index).word.claim();
        let known = self.known(index);
        let free = matches!(known.state, State::FREE | State::FREED);
        assert_eq!(claimed, free.then_some(tag(known.generation)));
        if free {
            known.state = State::CLAIMED;
        }
    }

    /// Also by one who has lost.
    fn unclaim(&mut self, index: u32) {
        let known = self.known(index).clone();
        if let Some(earlier) = known.generation.checked_sub(1) {
            self.slot(index).word.unclaim(tag(earlier));
        }
        if known.state == State::CLAIMED {
            assert_eq!(self.slot(index).word.read().state(), State::CLAIMED);
            self.known(index).state = State::FREED;
        }
        self.slot(index).word.unclaim(tag(known.generation));
    }

    fn share(&mut self, index: u32, own: u64) {
        let known = self.known(index);
        let own = own.min(known.pins);
        if matches!(known.state, State::LIVE | State::CAREFUL) {
            known.state = if known.pins > own { State::MIXED } else { State::SHARED };
        }
        self.slot(index).word.share(own);
    }

    fn be_careful(&mut self, index: u32) {
        let known = self.known(index);
        if known.state == State::LIVE {
            known.state = State::CAREFUL;
        }
        self.slot(index).word.be_careful();
    }

    fn fork(&mut self) {
        self.orphans.append(&mut self.pins);
        for index in 0..SLOTS {
            let finish = self.slot(index).word.after_fork().is_some();
            let known = self.known(index);
            known.pins = 0;
            match known.state {
                State::CLOSING | State::CLOSING_SHARED => known.state = State::FINAL,
                State::CLAIMED => known.state = State::FREED,
                state if state.is_live() => known.state = State::SHARED,
                _ => {}
            }
            assert_eq!(finish, known.state == State::FINAL);
            if finish {
                self.free(index);
            }
        }
    }

    fn step(&mut self, step: Step) {
        let issued = |life: &Life, which: Index| match life.issued.len() {
            0 => 0,
            len => life.issued[which.index(len)],
        };
        match step {
            Step::Publish(index, state) => self.publish(index, LIVE_STATES[state]),
            Step::Pin(which) => self.pin(issued(self, which)),
            Step::PinPlain(which) => self.pin_plain(issued(self, which)),
            Step::Unpin(which, plain) => self.unpin(which, plain),
            Step::Close(which) => self.close(issued(self, which)),
            Step::GiveUp(which) => self.give_up(issued(self, which)),
            Step::GiveUpPlain(which) => self.give_up_plain(issued(self, which)),
            Step::Free(index) => self.free(index),
            Step::Claim(index) => self.claim(index),
            Step::Unclaim(index) => self.unclaim(index),
            Step::Share(index, own) => self.share(index, own),
            Step::BeCareful(index) => self.be_careful(index),
            Step::Fork => self.fork(),
            Step::Forge(which, bit) => {
                let raw = issued(self, which) ^ 1 << bit;
                if self.place(raw).is_none() {
                    assert!(refused(&self.table, raw), "{raw:#x}");
                }
            }
            Step::Number(raw) => {
                if self.place(raw).is_none() {
                    assert!(refused(&self.table, raw), "{raw:#x}");
                    self.pin(raw);
                    self.close(raw);
                    self.give_up(raw);
                    self.give_up_plain(raw);
                }
            }
        }
    }

    fn check(&self) {
        let live = self.slots.iter().filter(|known| known.live.is_some());
        assert_eq!(self.table.live(), live.count() as i64);
        for (index, known) in (0..).zip(&self.slots) {
            let now = self.slot(index).word.read();
            assert_eq!(now.generation(), known.generation);
            assert_eq!((now.state(), now.pins()), (known.state, known.pins));
        }
        for raw in &self.issued {
            let handle = Handle::from_raw(*raw);
            let word = &self.table.slot(handle).unwrap().word;
            assert_eq!(word.is_closed(handle.tag()), self.place(*raw).is_none());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn a_table_does_what_its_model_does(steps in steps(), few in 0..4u64) {
        let mut life = Life::new(&[0, 1, 1, LAST_GENERATION - few]);
        for step in steps {
            life.step(step);
            life.check();
        }
    }
}
