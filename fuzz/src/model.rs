//! What the target `calls` knows of the world: which handles live, what is at their ends, which
//! bytes are on their way, and so what each call may answer. Where calls race it knows less.

use std::collections::{BTreeSet, VecDeque};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::jobs::{Event, Item, Job, Outcome};
use crate::*;

/// No more handles than that, dead ones included.
pub const MOST: usize = 24;

pub struct World {
    pub slots: Vec<Slot>,
    ends: Vec<End>,
    pipes: Vec<Pipe>,
    /// Listeners that closing a copy may have ended.
    ended: BTreeSet<usize>,
    /// Handles are passed over it.
    pub via: [sk_handle; 2],
}

/// A handle, which stays here when it is dead.
pub struct Slot {
    pub handle: sk_handle,
    pub what: What,
    pub open: bool,
    /// In which poller it is, for which events, with which data.
    member: Option<(usize, u32, u64)>,
    /// A poller: an event of handle 0 is due; `None`: who knows.
    wake: Option<bool>,
}

#[derive(Clone, Copy, PartialEq)]
pub enum What {
    /// Which of the ends.
    Socket(usize),
    /// A number of its own, which its copies share.
    Listener(usize),
    Poller,
}

/// One end of a connection.
struct End {
    kind: Kind,
    peer: usize,
    /// Pipes that it writes to and reads from.
    out: usize,
    into: usize,
    /// Live handles of it.
    copies: usize,
    write_ended: bool,
    read_ended: bool,
    /// Something ended it, perhaps.
    loose: bool,
}

/// One direction of a connection. Its bytes tell which one it is.
struct Pipe {
    id: u32,
    sent: u64,
    received: u64,
    /// Number and length of the messages on their way, where it carries messages.
    messages: VecDeque<(u64, usize)>,
    /// Something was read and dropped.
    unknown: bool,
}

/// Tells of every call, to look at what was found: SK_FUZZ_TRACE=1.
static TRACE: LazyLock<bool> = LazyLock::new(|| std::env::var_os("SK_FUZZ_TRACE").is_some());

static NEXT_PIPE: AtomicU32 = AtomicU32::new(0);

impl Pipe {
    fn new() -> Pipe {
        let id = NEXT_PIPE.fetch_add(1, Relaxed);
        Pipe { id, sent: 0, received: 0, messages: VecDeque::new(), unknown: false }
    }

    /// What a stream carries from that byte on, or a message of that number.
    fn bytes(&self, from: u64, len: usize) -> Vec<u8> {
        let byte = |at: u64| {
            (at.wrapping_mul(0x9e37_79b9).wrapping_add(u64::from(self.id).wrapping_mul(0x85eb_ca6b)) >> 11)
                as u8
        };
        (from..from + len as u64).map(byte).collect()
    }

    fn message(&self, number: u64, len: usize) -> Vec<u8> {
        self.bytes(number << 20, len)
    }

    fn is_empty(&self, kind: Kind) -> bool {
        if kind.is_stream() { self.received == self.sent } else { self.messages.is_empty() }
    }
}

/// What a race may have changed.
#[derive(Default)]
pub struct Race {
    /// Slots that are closed, given up or finished in it.
    closing: BTreeSet<usize>,
    /// Ends that lose a handle or are shut down.
    ending: BTreeSet<usize>,
    /// Slots that enter or leave a poller, and pollers that are woken.
    moving: BTreeSet<usize>,
}

/// Anything that can happen to a connection whose other end is gone.
const BROKEN: &[sk_error] = &[
    SK_EAGAIN,
    SK_ETIMEDOUT,
    SK_EPIPE,
    SK_ECONNRESET,
    SK_ECONNREFUSED,
    SK_ENOTCONN,
    SK_EDESTADDRREQ,
    SK_ECONNABORTED,
];
const LATER: &[sk_error] = &[SK_EAGAIN, SK_ETIMEDOUT];

/// The slot that a job is about, the job, and what else its check needs.
#[derive(Debug)]
pub struct Plan {
    /// None of them where handles are made.
    pub slot: usize,
    /// The poller, where there are two.
    pub second: usize,
    pub job: String,
    pub closes: bool,
    pub kind: PlanKind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PlanKind {
    Make(Option<Kind>),
    Listen,
    Send(usize),
    Recv(usize),
    Peek(usize),
    Shutdown(i32),
    Close,
    Abort,
    Finish,
    /// `true`: the old handle is given up.
    Copy(bool),
    Limit,
    Unread,
    Wait(u32),
    Poll,
    Accept,
    Add(u32, u64),
    Modify(u32, u64),
    Remove,
    PollerWait,
    Wake,
}

impl World {
    pub fn new() -> World {
        let via = KINDS[4].pair().expect("a pair");
        via.iter().for_each(|&s| assert_eq!(sk_set_timeout(s, 5000), 0));
        World { slots: vec![], ends: vec![], pipes: vec![], ended: BTreeSet::new(), via }
    }

    fn add_slot(&mut self, handle: sk_handle, what: What) {
        assert!(handle > 0 && self.slots.iter().all(|slot| slot.handle != handle), "{handle:#x} is not new");
        if what != What::Poller {
            must("no waiting", || sk_set_timeout(handle, 0));
        }
        self.slots.push(Slot { handle, what, open: true, member: None, wake: Some(false) });
    }

    fn add_pair(&mut self, kind: Kind, handles: &[sk_handle]) {
        let (end, pipe) = (self.ends.len(), self.pipes.len());
        self.pipes.extend([Pipe::new(), Pipe::new()]);
        for (at, &handle) in handles.iter().enumerate() {
            let (peer, out, into) = (end + 1 - at, pipe + at, pipe + 1 - at);
            self.ends.push(End {
                kind,
                peer,
                out,
                into,
                copies: 1,
                write_ended: false,
                read_ended: false,
                loose: false,
            });
            self.add_slot(handle, What::Socket(end + at));
        }
    }

    pub fn end_of(&self, slot: usize) -> Option<usize> {
        match self.slots.get(slot)?.what {
            What::Socket(end) => Some(end),
            _ => None,
        }
    }

    /// What to send there next.
    pub fn next_bytes(&self, slot: usize, len: usize) -> Vec<u8> {
        let Some(end) = self.end_of(slot).map(|end| &self.ends[end]) else { return vec![0; len] };
        let pipe = &self.pipes[end.out];
        if end.kind.is_stream() {
            pipe.bytes(pipe.sent, len)
        } else {
            pipe.message(pipe.sent, 12 + len % 2000)
        }
    }

    /// What a step must have alone in a race: the writing or reading end of a pipe, say.
    pub fn claim(&self, plan: &Plan) -> Option<(u8, usize)> {
        let end = self.end_of(plan.slot).map(|end| &self.ends[end]);
        match plan.kind {
            PlanKind::Send(_) => end.map(|end| (0, end.out)),
            PlanKind::Recv(_) | PlanKind::Peek(_) | PlanKind::Finish => end.map(|end| (1, end.into)),
            PlanKind::Add(..) | PlanKind::Modify(..) | PlanKind::Remove => Some((2, plan.slot)),
            PlanKind::PollerWait => Some((4, plan.slot)),
            PlanKind::Copy(false) => Some((3, 0)),
            _ => None,
        }
    }

    pub fn race(&mut self, plans: &[Plan]) -> Race {
        let mut race = Race::default();
        let mut copied = BTreeSet::new();
        for plan in plans {
            let end = self.end_of(plan.slot);
            if plan.closes {
                race.closing.insert(plan.slot);
                race.ending.extend(end);
            }
            match plan.kind {
                PlanKind::Shutdown(_) => race.ending.extend(end),
                PlanKind::Add(..) | PlanKind::Modify(..) | PlanKind::Remove => {
                    race.moving.extend([plan.slot, plan.second]);
                }
                PlanKind::Wake | PlanKind::PollerWait => race.moving.extend([plan.slot]),
                PlanKind::Copy(_) => {
                    copied.insert(plan.slot);
                }
                _ => {}
            }
        }
        // To wake a call that does not know of a copy, closing ends the connection for all copies.
        for &slot in copied.intersection(&race.closing) {
            match self.slots[slot].what {
                What::Socket(end) => self.loosen(end),
                What::Listener(number) => {
                    self.ended.insert(number);
                }
                What::Poller => {}
            }
        }
        race
    }

    fn loosen(&mut self, end: usize) {
        let peer = self.ends[end].peer;
        self.ends[end].loose = true;
        self.ends[peer].loose = true;
    }

    /// Is anything possible here?
    fn is_loose(&self, end: &End, race: Option<&Race>) -> bool {
        let is_ending =
            |race: &Race| race.ending.contains(&end.peer) || race.ending.contains(&self.ends[end.peer].peer);
        end.loose || self.ends[end.peer].loose || race.is_some_and(is_ending)
    }

    /// Checks what a call answered, and notes what it changed.
    pub fn check(&mut self, plan: &Plan, outcome: Outcome, race: Option<&Race>) {
        let result = outcome.result;
        let what = || format!("{} gives {}", plan.job, name(result));
        if *TRACE {
            let together = if race.is_some() { "  together: " } else { "" };
            eprintln!("{together}{}, made {:x?}", what(), outcome.made);
        }
        match plan.kind {
            PlanKind::Make(Some(kind)) => return self.add_pair(kind, &outcome.made),
            PlanKind::Make(None) => return self.add_slot(outcome.made[0], What::Poller),
            PlanKind::Listen => return self.add_slot(outcome.made[0], What::Listener(self.slots.len())),
            PlanKind::Poll => return self.check_poll(&outcome.items, race),
            _ => {}
        }
        let handles = [plan.slot, plan.second];
        let is_closing = race.is_some_and(|race| handles.iter().any(|slot| race.closing.contains(slot)));
        let is_gone = is_one_of(result, &[SK_EBADHANDLE, SK_ECLOSED]);
        if handles.iter().any(|&slot| !self.slots[slot].open) {
            // With two handles the other one's kind may be told first.
            let told = is_one_of(result, &[SK_EBADHANDLE]);
            let other = plan.slot != plan.second && is_one_of(result, &[SK_EOPNOTSUPP]);
            return assert!(told || other, "dead: {}", what());
        }
        if is_gone {
            return assert!(is_closing, "alive: {}", what());
        }
        if plan.closes && is_closing && is_one_of(result, &[SK_EBUSY]) {
            return;
        }
        match plan.kind {
            PlanKind::Close => {
                assert_eq!(result, 0, "{}", what());
                self.close(plan.slot);
            }
            PlanKind::Abort => {
                if !is_one_of(result, &[SK_EOPNOTSUPP]) {
                    assert_eq!(result, 0, "{}", what());
                    self.close(plan.slot);
                } else {
                    assert!(self.slots[plan.slot].what == What::Poller, "{}", what());
                }
            }
            PlanKind::Finish => self.check_finish(plan, result, race),
            PlanKind::Copy(gives_up) => self.check_copy(plan, gives_up, &outcome, race),
            PlanKind::Limit | PlanKind::Wake | PlanKind::Unread | PlanKind::Wait(_) => {
                self.check_small(plan, result, race);
            }
            PlanKind::Accept => {
                let errors: &[sk_error] = match self.slots[plan.slot].what {
                    What::Listener(number) if !self.ended.contains(&number) => LATER,
                    What::Listener(_) => &[SK_EINVAL, SK_EAGAIN, SK_ETIMEDOUT],
                    _ => &[SK_EINVAL, SK_EOPNOTSUPP],
                };
                assert!(is_one_of(result, errors), "{}", what());
            }
            PlanKind::Add(events, data) | PlanKind::Modify(events, data) => {
                if self.check_member(plan, result, race) {
                    self.slots[plan.slot].member = Some((plan.second, events, data));
                }
            }
            PlanKind::Remove => {
                if self.check_member(plan, result, race) {
                    self.slots[plan.slot].member = None;
                }
            }
            PlanKind::PollerWait => self.check_events(plan, result, &outcome.events, race),
            _ => match self.end_of(plan.slot) {
                None => {
                    let errors = [SK_EOPNOTSUPP, SK_ENOTCONN, SK_EPIPE, SK_EINVAL];
                    let is_end = result == 0 && self.is_ended_listener(plan.slot);
                    assert!(is_end || is_one_of(result, &errors), "{}", what());
                }
                Some(end) => match plan.kind {
                    PlanKind::Send(len) => self.check_send(end, len, result, &what(), race),
                    PlanKind::Recv(len) => self.check_recv(end, len, &outcome, true, &what(), race),
                    PlanKind::Peek(len) => self.check_recv(end, len, &outcome, false, &what(), race),
                    PlanKind::Shutdown(how) => self.check_shutdown(end, how, result, &what(), race),
                    _ => unreachable!(),
                },
            },
        }
    }

    pub fn close(&mut self, at: usize) {
        let slot = &mut self.slots[at];
        assert!(slot.open, "closed twice");
        slot.open = false;
        slot.member = None;
        match slot.what {
            What::Socket(end) => self.ends[end].copies -= 1,
            What::Listener(_) => {}
            What::Poller => {
                for slot in &mut self.slots {
                    slot.member = slot.member.filter(|member| member.0 != at);
                }
            }
        }
    }

    fn check_finish(&mut self, plan: &Plan, result: i64, race: Option<&Race>) {
        let end = self.end_of(plan.slot);
        let is_stream = end.is_some_and(|end| self.ends[end].kind.is_stream());
        if is_one_of(result, &[SK_EOPNOTSUPP]) {
            let is_whole = end.is_some_and(|end| self.is_whole(end));
            return assert!(!(is_stream && is_whole) || race.is_some(), "{}: not finished", plan.job);
        }
        let errors = [BROKEN, &[SK_EEOF]].concat();
        expect(&plan.job, result, &errors);
        let end = end.expect("only a stream is finished");
        assert!(is_stream, "{}: {}", plan.job, name(result));
        if result == 0 {
            let peer = &self.ends[self.ends[end].peer];
            let ended = peer.write_ended || peer.copies == 0 || self.ends[end].read_ended;
            let ended = ended || self.is_loose(&self.ends[end], race);
            assert!(ended, "{}: the peer has not ended", plan.job);
        }
        let into = self.ends[end].into;
        self.pipes[into].unknown = true;
        self.pipes[into].received = self.pipes[into].sent;
        self.ends[end].write_ended = true;
        self.loosen(end);
        self.close(plan.slot);
    }

    /// A finish that another closer overtook may have ended its direction before.
    pub fn overtaken(&mut self, plan: &Plan, result: i64) {
        if let Some(end) = self.end_of(plan.slot) {
            if plan.kind == PlanKind::Finish && is_one_of(result, &[SK_ECLOSED]) {
                self.loosen(end);
            }
        }
    }

    /// Both ends are there, and nothing was ended.
    fn is_whole(&self, end: usize) -> bool {
        let is_whole = |end: &End| end.copies > 0 && !(end.write_ended || end.read_ended || end.loose);
        is_whole(&self.ends[end]) && is_whole(&self.ends[self.ends[end].peer])
    }

    fn check_copy(&mut self, plan: &Plan, gives_up: bool, outcome: &Outcome, race: Option<&Race>) {
        let slot = &self.slots[plan.slot];
        let what = slot.what;
        if what == What::Poller {
            return assert!(is_one_of(outcome.result, &[SK_EOPNOTSUPP]), "{}", plan.job);
        }
        // Another call may be at work on it.
        if gives_up && race.is_some() && is_one_of(outcome.result, &[SK_EBUSY]) {
            return;
        }
        let [handle] = outcome.made[..] else { panic!("{}: {}", plan.job, name(outcome.result)) };
        if let What::Socket(end) = what {
            self.ends[end].copies += 1;
        }
        if gives_up {
            self.close(plan.slot);
        }
        self.add_slot(handle, what);
    }

    fn check_small(&mut self, plan: &Plan, result: i64, race: Option<&Race>) {
        let what = || format!("{}: {}", plan.job, name(result));
        let slot = &self.slots[plan.slot];
        match plan.kind {
            PlanKind::Limit => {
                let error = if slot.what == What::Poller { SK_EOPNOTSUPP as i64 } else { 0 };
                assert_eq!(result, error, "{}", what());
            }
            PlanKind::Wake => {
                let is_poller = slot.what == What::Poller;
                assert_eq!(result, if is_poller { 0 } else { SK_EOPNOTSUPP as i64 }, "{}", what());
                // A wait in the same race may have had it.
                let wake = if race.is_some() { None } else { Some(true) };
                self.slots[plan.slot].wake = wake;
            }
            PlanKind::Unread => match self.end_of(plan.slot).map(|end| &self.ends[end]) {
                Some(end) => {
                    let pipe = &self.pipes[end.into];
                    assert!(result >= 0, "{}", what());
                    if race.is_none() && end.kind.is_stream() && !pipe.unknown {
                        let waiting = (pipe.sent - pipe.received) as i64;
                        assert!(
                            result <= waiting + 1 && (!end.kind.is_unix() || result == waiting),
                            "{}",
                            what()
                        );
                    }
                }
                None => {
                    // A close beside it ends the listener first.
                    let ok = result == 0 && (race.is_some() || self.is_ended_listener(plan.slot));
                    assert!(ok || is_one_of(result, &[SK_ENOPROTOOPT, SK_EOPNOTSUPP]), "{}", what());
                }
            },
            PlanKind::Wait(events) => {
                assert!(result == 0 || result == 1, "{}", what());
                if race.is_none() {
                    let must = self.must_be_readable(plan.slot) && events & SK_READABLE != 0;
                    assert!(result == 1 || !must, "{}", what());
                    let may = events != SK_READABLE || self.may_be_readable(plan.slot);
                    assert!(result == 0 || may, "{}", what());
                }
            }
            _ => unreachable!(),
        }
    }

    /// Bytes are there for sure. Only of Unix sockets, the others have a network in between.
    fn must_be_readable(&self, slot: usize) -> bool {
        self.slots[slot].open
            && self.end_of(slot).map(|end| &self.ends[end]).is_some_and(|end| {
                let pipe = &self.pipes[end.into];
                end.kind.is_unix() && !pipe.unknown && !pipe.is_empty(end.kind)
            })
    }

    fn may_be_readable(&self, slot: usize) -> bool {
        match self.slots[slot].what {
            What::Socket(end) => {
                let end = &self.ends[end];
                let peer = &self.ends[end.peer];
                let is_quiet = !end.read_ended && !peer.write_ended && peer.copies > 0;
                !is_quiet || self.is_loose(end, None) || !self.pipes[end.into].is_empty(end.kind)
            }
            What::Listener(number) => self.ended.contains(&number),
            What::Poller => true,
        }
    }

    fn check_poll(&mut self, items: &[Item], race: Option<&Race>) {
        assert_eq!(items[0].revents, 0, "handle 0 is skipped");
        for (at, item) in items[1..].iter().enumerate() {
            if race.is_some_and(|race| race.closing.contains(&at)) {
                continue;
            }
            let slot = &self.slots[at];
            let odd = item.revents & !(item.events | SK_HANGUP | SK_ERROR);
            assert!(odd == 0 && slot.handle == item.handle, "{item:?}");
            if !slot.open {
                assert_eq!(item.revents, SK_ERROR, "a dead one: {item:?}");
            } else if race.is_none() {
                let is_readable = item.revents & SK_READABLE != 0;
                assert!(is_readable || !self.must_be_readable(at), "nothing to read? {item:?}");
                assert!(!is_readable || self.may_be_readable(at), "what is there to read? {item:?}");
            }
        }
    }

    fn is_ended_listener(&self, slot: usize) -> bool {
        matches!(self.slots[slot].what, What::Listener(number) if self.ended.contains(&number))
    }

    /// Has it become what the call is for?
    fn check_member(&self, plan: &Plan, result: i64, race: Option<&Race>) -> bool {
        let (slot, poller) = (&self.slots[plan.slot], &self.slots[plan.second]);
        let what = format!("{}: {}", plan.job, name(result));
        if slot.what == What::Poller || poller.what != What::Poller {
            assert!(is_one_of(result, &[SK_EOPNOTSUPP]), "{what}");
            return false;
        }
        let is_add = matches!(plan.kind, PlanKind::Add(..));
        let expected = match slot.member {
            Some((poller, ..)) if poller == plan.second => {
                if is_add {
                    SK_EEXIST as i64
                } else {
                    0
                }
            }
            Some(_) if is_add => SK_EBUSY as i64,
            None if is_add => 0,
            _ => SK_ENOENT as i64,
        };
        // Its poller may be closed in the same race.
        let is_closing = race.is_some_and(|race| !race.closing.is_empty());
        assert!(result == expected || is_closing, "{what}, not {}", name(expected));
        result == 0
    }

    fn check_events(&mut self, plan: &Plan, result: i64, events: &[Event], race: Option<&Race>) {
        let poller = plan.slot;
        if self.slots[poller].what != What::Poller {
            return assert!(is_one_of(result, &[SK_EOPNOTSUPP]), "{}: {}", plan.job, name(result));
        }
        assert!(result >= 0, "{}: {}", plan.job, name(result));
        let is_moving = |slot: usize| race.is_some_and(|race| race.moving.contains(&slot));
        let mut woken = false;
        for event in events {
            if event.handle == 0 {
                assert!((event.data, event.events) == (0, 0) && !woken, "{events:?}");
                woken = true;
                continue;
            }
            let at = self.slots.iter().position(|slot| slot.handle == event.handle);
            let at = at.unwrap_or_else(|| panic!("nobody's: {event:?}"));
            if race.is_some_and(|race| race.closing.contains(&at)) || is_moving(at) {
                continue;
            }
            let slot = &self.slots[at];
            let Some((in_poller, asked, data)) = slot.member else { panic!("in no poller: {event:?}") };
            assert!(slot.open && in_poller == poller && data == event.data, "{event:?}");
            assert_eq!(event.events & !(asked | SK_HANGUP | SK_ERROR), 0, "{event:?}");
            assert_ne!(event.events, 0, "{event:?}");
        }
        match self.slots[poller].wake {
            Some(due) if race.is_none() => assert_eq!(woken, due, "{}: {events:?}", plan.job),
            _ => {}
        }
        self.slots[poller].wake = if is_moving(poller) && race.is_some() { None } else { Some(false) };
        if race.is_none() {
            for (at, slot) in self.slots.iter().enumerate() {
                let is_due = slot.member.is_some_and(|(p, asked, _)| p == poller && asked & SK_READABLE != 0);
                let is_told = events.iter().any(|event| event.handle == slot.handle);
                assert!(
                    !is_due || is_told || !self.must_be_readable(at),
                    "slot {at} is not told: {events:?}"
                );
            }
        }
    }

    fn check_send(&mut self, at: usize, len: usize, result: i64, what: &str, race: Option<&Race>) {
        let end = &self.ends[at];
        let (kind, peer) = (end.kind, &self.ends[end.peer]);
        let is_gone = peer.copies == 0;
        let is_loose = self.is_loose(end, race);
        let pipe = &self.pipes[end.out];
        if result < 0 {
            let too_long = !kind.is_stream() && is_one_of(result, &[SK_EMSGSIZE, SK_ENOBUFS, SK_EOPNOTSUPP]);
            let is_full = !kind.is_unix() || !pipe.is_empty(kind) || race.is_some();
            let errors = match () {
                () if is_loose || is_gone || end.write_ended || peer.read_ended => BROKEN,
                () if is_full => LATER,
                () => &[],
            };
            assert!(too_long || is_one_of(result, errors), "{what}");
            if kind.is_unix() && is_one_of(result, &[SK_ECONNREFUSED]) {
                // Linux drops what waits here when it finds the other end gone.
                self.pipes[end.into].unknown = true;
            }
            return;
        }
        let ended = end.write_ended || kind.is_unix() && (is_gone || peer.read_ended);
        assert!(!ended || is_loose, "{what}, but it was ended");
        let number = self.pipes[end.out].sent;
        let pipe = &mut self.pipes[end.out];
        if kind.is_stream() {
            assert!(result > 0 && result as usize <= len, "{what}");
            pipe.sent += result as u64;
        } else {
            assert_eq!(result as usize, len, "{what}");
            pipe.messages.push_back((number, len));
            pipe.sent += 1;
        }
    }

    fn check_recv(
        &mut self,
        at: usize,
        len: usize,
        outcome: &Outcome,
        takes: bool,
        what: &str,
        race: Option<&Race>,
    ) {
        let result = outcome.result;
        let end = &self.ends[at];
        let (kind, peer) = (end.kind, &self.ends[end.peer]);
        let is_gone = peer.copies == 0;
        let is_loose = self.is_loose(end, race) || end.read_ended;
        let pipe = &mut self.pipes[end.into];
        let is_empty = pipe.is_empty(kind);
        if is_one_of(result, &[SK_EOPNOTSUPP]) {
            return assert!(!kind.is_stream(), "{what}");
        }
        if result < 0 {
            let may_wait = is_empty || !kind.is_unix() || race.is_some();
            let errors = match () {
                () if is_loose || is_gone || end.write_ended || peer.read_ended => BROKEN,
                () if may_wait => LATER,
                () => &[],
            };
            return assert!(is_one_of(result, errors), "{what}");
        }
        if result == 0 {
            let ended = kind.carries != sk_type::SK_DGRAM && (peer.write_ended || is_gone);
            let all = is_empty || is_gone && kind.is_tcp() || pipe.unknown;
            return assert!(is_loose || ended && all, "{what}: no end yet");
        }
        let count = result as usize;
        assert!(count <= len && !is_empty || pipe.unknown, "{what}: {} of {}", pipe.received, pipe.sent);
        let bytes = &outcome.bytes[..count];
        if kind.is_stream() {
            if pipe.unknown {
                return;
            }
            assert!(pipe.received + result as u64 <= pipe.sent, "{what}: more than was sent");
            assert!(bytes == pipe.bytes(pipe.received, count), "{what}: somebody else's bytes");
            if takes {
                pipe.received += result as u64;
            }
        } else {
            let is_it = |&(number, whole): &(u64, usize)| {
                count == whole.min(len) && bytes == pipe.message(number, count)
            };
            let found = pipe.messages.iter().position(is_it);
            // Only on a network may messages be lost.
            let found = found.filter(|&found| found == 0 || !kind.is_unix());
            let found = found.unwrap_or_else(|| panic!("{what}: somebody else's message"));
            if takes {
                pipe.messages.drain(..=found);
            }
        }
    }

    fn check_shutdown(&mut self, at: usize, how: i32, result: i64, what: &str, race: Option<&Race>) {
        if result < 0 {
            let is_whole = self.is_whole(at) && race.is_none();
            assert!(!is_whole && is_one_of(result, &[SK_ENOTCONN]), "{what}");
            return self.loosen(at);
        }
        let end = &mut self.ends[at];
        end.read_ended |= how & 1 != 0;
        end.write_ended |= how & 2 != 0;
    }

    /// A job on everything there is, for `sk_poll`.
    pub fn items(&self, events: u32) -> Vec<Item> {
        let item = |slot: &Slot| Item { handle: slot.handle, events, revents: 77 };
        std::iter::once(Item { events, revents: 77, ..Item::default() })
            .chain(self.slots.iter().map(item))
            .collect()
    }

    /// Of several calls that close a handle one does. (Checked where it was noted: nobody closes
    /// twice.) And one did, if there was one that must.
    pub fn after_race(&self, plans: &[Plan]) {
        for plan in plans.iter().filter(|plan| plan.kind == PlanKind::Close) {
            assert!(!self.slots[plan.slot].open, "{}: it lives on", plan.job);
        }
    }

    /// Everything is closed, is dead, and leaves nothing behind.
    pub fn end(mut self) {
        for at in 0..self.slots.len() {
            if self.slots[at].open {
                // A reset leaves no port in use.
                let s = self.slots[at].handle;
                let is_poller = self.slots[at].what == What::Poller;
                must("the last close", || if is_poller { sk_close(s) } else { sk_abort(s) });
                self.close(at);
            }
        }
        self.via.iter().for_each(|&s| assert_eq!(sk_close(s), 0));
        for s in self.slots.iter().map(|slot| slot.handle) {
            let mut byte = 0u8;
            let room = (&raw mut byte).cast();
            // SAFETY: room for a byte.
            let (sent, received) =
                unsafe { (call(|| sk_send(s, room, 1, 0)), call(|| sk_recv(s, room, 1, 0))) };
            let (dup, fd) = (call(|| sk_dup(s)), call(|| sk_fd(s)));
            let [closed, waited, woken] =
                [call(|| sk_close(s)), call(|| sk_wait(s, SK_READABLE, 0)), call(|| sk_poller_wake(s))];
            for result in [sent, received, dup, fd, closed.into(), waited.into(), woken.into()] {
                assert!(is_one_of(result, &[SK_EBADHANDLE]), "{}", name(result));
            }
        }
    }
}

impl Default for World {
    fn default() -> World {
        World::new()
    }
}

/// How a plan is shown where it fails.
pub fn shown(job: &Job) -> String {
    let mut text = format!("{job:?}");
    if text.len() > 200 {
        text.truncate(text.char_indices().nth(200).map_or(text.len(), |(at, _)| at));
    }
    text
}
