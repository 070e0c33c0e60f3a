//! Which of a host's addresses to try when: Happy Eyeballs version 2 (RFC 8305, sections 4 and 5).
//! Only the decisions: no clock, no sockets. It is told the time and what became of each attempt,
//! and says what to do next.

use super::address::{Address, Family};
use crate::error::{Code, Error};

/// How long the latest attempt has for itself before the next one starts beside it.
pub const STAGGER: u64 = 250_000_000;

/// So many addresses of each family are tried at most.
const OF_EACH: usize = 16;

/// So many addresses there can be.
pub const MOST: usize = 2 * OF_EACH;

/// So many attempts are in progress at once, at most.
pub const IN_FLIGHT: usize = 16;

/// A host's addresses, the families in turn: the system's first choice, then one of the other
/// family, and so on.
pub struct Candidates {
    /// The family of the first address, then the other one.
    hosts: [[Host; OF_EACH]; 2],
    counts: [usize; 2],
    port: u16,
}

/// What differs between a host's addresses.
#[derive(Clone, Copy)]
struct Host {
    ip: [u8; 16],
    scope_id: u32,
    family: u16,
}

impl Candidates {
    /// In the order of the addresses, but for the turns.
    pub fn new(addresses: impl Iterator<Item = Address>, port: u16) -> Candidates {
        let none = Host { ip: [0; 16], scope_id: 0, family: Family::SK_UNSPEC as u16 };
        let mut hosts = [[none; OF_EACH]; 2];
        let mut counts = [0usize; 2];
        let mut first = None;
        for Address { family, ip, scope_id, .. } in addresses {
            let is_first = *first.get_or_insert(family) == family;
            let ([one, other], [ones, others]) = (&mut hosts, &mut counts);
            let (queue, count) = if is_first { (one, ones) } else { (other, others) };
            if let Some(place) = queue.get_mut(*count) {
                *place = Host { ip, scope_id, family };
                *count = count.wrapping_add(1);
            }
        }
        Candidates { hosts, counts, port }
    }

    pub fn count(&self) -> usize {
        let [ones, others] = self.counts;
        ones.wrapping_add(others)
    }

    /// The one to try as the `turn`-th.
    pub fn get(&self, turn: usize) -> Option<Address> {
        let ([one, other], [ones, others]) = (&self.hosts, self.counts);
        let pairs = ones.min(others);
        let (queue, count, at) = match (turn / 2, turn % 2) {
            (pair, 0) if pair < pairs => (one, ones, pair),
            (pair, _) if pair < pairs => (other, others, pair),
            _ if ones > others => (one, ones, turn.wrapping_sub(pairs)),
            _ => (other, others, turn.wrapping_sub(pairs)),
        };
        let &Host { ip, scope_id, family } = queue.get(..count)?.get(at)?;
        Some(Address { family, ip, scope_id, port: self.port, ..Address::NONE })
    }
}

/// What to do next. Attempts are named by their turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start this attempt, and tell what became of it: nothing yet, `connected`, `failed`, `unstarted`.
    Start(usize),
    /// Wait for the attempts in progress, until this time if there is one.
    Wait(Option<u64>),
    /// End this attempt, which is not needed any more.
    Close(usize),
    /// The end: this one is connected, and no other attempt is left.
    Won(usize),
    /// The end: none is, and no attempt is left.
    Failed(Error),
}

/// The attempts to connect to one host. Times are nanoseconds on any clock.
pub struct Race {
    count: usize,
    /// The turn that comes next.
    next: usize,
    /// The attempts in progress, a bit for each turn.
    running: u32,
    /// When the next one may start beside those.
    due: u64,
    /// There was no descriptor for the next one: it waits until one of those ends.
    held_back: bool,
    /// When all is over.
    end: Option<u64>,
    winner: Option<usize>,
    error: Option<Error>,
}

const _: () = assert!(MOST <= u32::BITS as usize);

impl Race {
    pub fn new(count: usize, end: Option<u64>) -> Race {
        let count = count.min(MOST);
        Race { count, next: 0, running: 0, due: 0, held_back: false, end, winner: None, error: None }
    }

    /// What to do at this time. To be asked again once that is done.
    pub fn next(&mut self, now: u64) -> Action {
        let is_late = self.end.is_some_and(|end| now >= end);
        if self.winner.is_some() || is_late {
            return self.finish();
        }
        if self.next < self.count && self.may_start(now) {
            let turn = self.next;
            self.next = turn.wrapping_add(1);
            self.running |= bit(turn);
            self.due = now.saturating_add(STAGGER);
            return Action::Start(turn);
        }
        if self.running == 0 {
            return Action::Failed(self.error.unwrap_or(Code::SK_EHOSTNOTFOUND.into()));
        }
        let due = self.may_start(u64::MAX).then_some(self.due).filter(|_| self.next < self.count);
        Action::Wait([due, self.end].into_iter().flatten().min())
    }

    fn may_start(&self, now: u64) -> bool {
        let room = !self.held_back && (self.running.count_ones() as usize) < IN_FLIGHT;
        self.running == 0 || room && now >= self.due
    }

    fn finish(&mut self) -> Action {
        if self.running != 0 {
            let turn = self.running.trailing_zeros() as usize;
            self.running &= !bit(turn);
            return Action::Close(turn);
        }
        match self.winner {
            Some(turn) => Action::Won(turn),
            None => Action::Failed(Code::SK_ETIMEDOUT.into()),
        }
    }

    /// This attempt is connected.
    pub fn connected(&mut self, turn: usize) {
        // Of two at once the first one told wins; the other one is still to be closed.
        if self.winner.is_none() {
            self.winner = Some(turn);
            self.running &= !bit(turn);
        }
    }

    /// This attempt came to nothing, and is over: the next one need not wait.
    pub fn failed(&mut self, turn: usize, error: Error) {
        self.running &= !bit(turn);
        self.due = 0;
        self.held_back = false;
        self.error = Some(self.error.map_or(error, |earlier| farther(earlier, error)));
    }

    /// This attempt could not be started, for something that those in progress may set free.
    pub fn unstarted(&mut self, turn: usize, error: Error) {
        if self.running & !bit(turn) == 0 {
            return self.failed(turn, error);
        }
        self.running &= !bit(turn);
        self.next = turn;
        self.held_back = true;
    }
}

fn bit(turn: usize) -> u32 {
    1u32.checked_shl(turn as u32).unwrap_or(0)
}

/// Of two attempts' errors the one that tells more: that of the attempt which came farther, or
/// of the earlier one.
pub fn farther(earlier: Error, later: Error) -> Error {
    if reach(later.code) > reach(earlier.code) { later } else { earlier }
}

/// How far an attempt came.
fn reach(code: Code) -> u8 {
    match code {
        // To the host, which answered.
        Code::SK_ECONNREFUSED | Code::SK_ECONNRESET => 4,
        // On its way, and nothing came back.
        Code::SK_ETIMEDOUT => 3,
        // Nowhere, for want of a way.
        Code::SK_EHOSTUNREACH | Code::SK_ENETDOWN => 1,
        Code::SK_ENETUNREACH | Code::SK_EADDRNOTAVAIL | Code::SK_EAFNOSUPPORT => 0,
        // Nowhere, for a reason on this machine that can be helped.
        _ => 2,
    }
}
