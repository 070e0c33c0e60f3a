//! Random calls on many handles, by several threads, one after the other or at the same time. A
//! model knows what each may answer: a dead handle is dead, bytes arrive where they were sent to, one
//! of several closers closes, a call that is blocked is woken, nothing is left behind.
#![no_main]

use std::collections::BTreeSet;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use sk_fuzz::jobs::{self, Job};
use sk_fuzz::model::{MOST, Plan, PlanKind, What, World, shown};
use sk_fuzz::*;

#[derive(Arbitrary, Debug)]
enum Round {
    One {
        worker: u8,
        step: Step,
    },
    Race {
        a: Step,
        b: Step,
        c: Option<Step>,
    },
    /// Waits without a limit until another thread closes it.
    Closed {
        slot: u8,
        way: u8,
        copy: bool,
    },
}

#[derive(Arbitrary, Debug)]
struct Step {
    slot: u8,
    op: Op,
}

#[derive(Arbitrary, Debug)]
enum Op {
    Pair { kind: u8 },
    Send { len: u16, way: u8 },
    Recv { len: u16, way: u8 },
    Peek { len: u16 },
    Close,
    Dup,
    Shutdown { how: u8 },
    Abort,
    Finish { wait: bool },
    ThroughFd,
    Pass,
    Limit { ms: u8 },
    Unread,
    Wait { events: u8, wait: bool },
    Poll { events: u8, wait: bool },
    Listener { six: bool },
    Accept,
    Poller,
    Add { poller: u8, events: u8 },
    Modify { poller: u8, events: u8 },
    Remove { poller: u8 },
    PollerWait { wait: bool },
    Wake,
}

fuzz_target!(init: jobs::start(), |rounds: Vec<Round>| {
    let before = (sk_open_count(), descriptors());
    let mut world = World::new();
    rounds.into_iter().take(60).for_each(|round| play(&mut world, round));
    world.end();
    assert_eq!((sk_open_count(), descriptors()), before);
});

fn play(world: &mut World, round: Round) {
    match round {
        Round::One { worker, step } => {
            if let Some((plan, job)) = plan(world, &step) {
                let outcome = jobs::run_on(worker % 5, job);
                world.check(&plan, outcome, None);
            }
        }
        Round::Race { a, b, c } => {
            let steps = [Some(a), Some(b), c];
            let steps = steps.iter().flatten().filter_map(|step| plan(world, step)).collect();
            race(world, steps);
        }
        Round::Closed { slot, way, copy } => closed(world, slot, way, copy),
    }
}

fn race(world: &mut World, steps: Vec<(Plan, Job)>) {
    // Who reads first must not matter: a pipe has one reader.
    let mut claims = BTreeSet::new();
    let (mut plans, mut running) = (vec![], vec![]);
    for (plan, job) in steps {
        if world.claim(&plan).is_none_or(|claim| claims.insert(claim)) {
            plans.push(plan);
            running.push(job);
        }
    }
    let race = world.race(&plans);
    let mut done: Vec<_> = plans.iter().zip(jobs::race(running)).collect();
    // What was received was sent before; what was closed was used before.
    done.sort_by_key(|(plan, _)| match plan.kind {
        PlanKind::Send(_) => 0,
        _ if plan.closes => 2,
        PlanKind::Make(_) | PlanKind::Listen => 3,
        _ => 1,
    });
    // Handles that it makes are numbered when all is known of the others.
    let closers: BTreeSet<_> =
        done.iter().filter(|(plan, _)| plan.closes).map(|(plan, _)| plan.slot).collect();
    for slot in closers {
        one_closer(
            world,
            slot,
            &done.iter().map(|(plan, outcome)| (*plan, outcome.result)).collect::<Vec<_>>(),
        );
    }
    let mut dead = BTreeSet::new();
    for (plan, outcome) in done {
        world.overtaken(plan, outcome.result);
        // The second closer of a handle was refused, which was checked.
        if plan.closes && !dead.insert(plan.slot) && !world.slots[plan.slot].open {
            continue;
        }
        world.check(plan, outcome, Some(&race));
    }
    world.after_race(&plans);
}

/// Of several closers of a live handle at most one succeeds.
fn one_closer(world: &World, slot: usize, done: &[(&Plan, i64)]) {
    if !world.slots[slot].open {
        return;
    }
    let refused = [SK_EBADHANDLE, SK_ECLOSED, SK_EOPNOTSUPP, SK_EINVAL, SK_EBUSY];
    let closers = done
        .iter()
        .filter(|(plan, result)| plan.closes && plan.slot == slot && !is_one_of(*result, &refused));
    assert!(closers.count() <= 1, "closed twice: {done:?}");
}

fn closed(world: &mut World, slot: u8, way: u8, copy: bool) {
    if world.slots.is_empty() {
        return;
    }
    let slot = usize::from(slot) % world.slots.len();
    let (s, what) = (world.slots[slot].handle, world.slots[slot].what);
    if world.slots[slot].open && what != What::Poller {
        must("no limit", || sk_set_timeout(s, -1));
    }
    let wait = Job::Wait { s, events: SK_READABLE, limit: -1 };
    let (job, kind) = match (what, way % 4) {
        (What::Poller, 0) => (wait, PlanKind::Wait(SK_READABLE)),
        (What::Poller, _) => (Job::PollerWait { p: s, limit: -1 }, PlanKind::PollerWait),
        (What::Listener(_), 0..2) => (wait, PlanKind::Wait(SK_READABLE)),
        (What::Listener(_), _) => (Job::Accept { s }, PlanKind::Accept),
        (What::Socket(_), 0) => (wait, PlanKind::Wait(SK_READABLE)),
        (What::Socket(_), 1) => (Job::Recv { s, len: 100, flags: 0 }, PlanKind::Recv(100)),
        (What::Socket(_), 2) => (Job::RecvPieces { s, len: 100, flags: 0 }, PlanKind::Recv(100)),
        (What::Socket(_), _) => (Job::RecvAll { s, len: 5000 }, PlanKind::Recv(5000)),
    };
    let mut steps = vec![
        (new(slot, slot, &job, kind), job),
        (new(slot, slot, &Job::Close { s }, PlanKind::Close), Job::Close { s }),
    ];
    if copy && world.slots.len() < MOST {
        steps.push((new(slot, slot, &Job::Dup { s }, PlanKind::Copy(false)), Job::Dup { s }));
    }
    race(world, steps);
}

fn new(slot: usize, second: usize, job: &Job, kind: PlanKind) -> Plan {
    let closes = matches!(kind, PlanKind::Close | PlanKind::Abort | PlanKind::Finish | PlanKind::Copy(true));
    Plan { slot, second, job: shown(job), closes, kind }
}

fn limit(wait: bool) -> i64 {
    i64::from(wait)
}

fn events(number: u8) -> u32 {
    [SK_READABLE, SK_WRITABLE, SK_READABLE | SK_WRITABLE][usize::from(number % 3)]
}

fn plan(world: &World, step: &Step) -> Option<(Plan, Job)> {
    let made = match step.op {
        Op::Pair { kind } => {
            let kind = KINDS[usize::from(kind) % KINDS.len()];
            Some((Job::Pair { kind }, PlanKind::Make(Some(kind))))
        }
        Op::Listener { six } => Some((Job::Listener { kind: KINDS[usize::from(six)] }, PlanKind::Listen)),
        Op::Poller => Some((Job::Poller, PlanKind::Make(None))),
        _ => None,
    };
    let is_full = world.slots.len() + 6 > MOST;
    if let Some((job, kind)) = made {
        return (!is_full).then(|| (new(usize::MAX, usize::MAX, &job, kind), job));
    }
    let slot = usize::from(step.slot).checked_rem(world.slots.len())?;
    let s = world.slots[slot].handle;
    let is_socket = world.end_of(slot).is_some();
    let mut second = slot;
    let mut pollers = |poller: u8| {
        second = usize::from(poller) % world.slots.len();
        world.slots[second].handle
    };
    let dont_wait = |way: u8| if way & 4 != 0 { SK_DONTWAIT } else { 0 };
    let (job, kind) = match step.op {
        Op::Send { len, way } => {
            let bytes = world.next_bytes(slot, usize::from(len).max(1));
            let kind = PlanKind::Send(bytes.len());
            let flags = dont_wait(way);
            let job = match way % 4 {
                0 => Job::SendPieces { s, bytes, flags },
                1 => Job::SendAll { s, bytes },
                _ => Job::Send { s, bytes, flags },
            };
            (job, kind)
        }
        Op::Recv { len, way } => {
            let (len, flags) = (usize::from(len).max(1), dont_wait(way));
            let job = match way % 4 {
                0 => Job::RecvPieces { s, len, flags },
                1 => Job::RecvAll { s, len },
                _ => Job::Recv { s, len, flags },
            };
            (job, PlanKind::Recv(len))
        }
        Op::Peek { len } => {
            let len = usize::from(len).max(1);
            (Job::Recv { s, len, flags: SK_PEEK }, PlanKind::Peek(len))
        }
        Op::Close => (Job::Close { s }, PlanKind::Close),
        Op::Abort => (Job::Abort { s }, PlanKind::Abort),
        Op::Finish { wait } => (Job::Finish { s, limit: limit(wait) }, PlanKind::Finish),
        Op::Dup | Op::ThroughFd | Op::Pass if is_full => return None,
        Op::Dup => (Job::Dup { s }, PlanKind::Copy(false)),
        Op::ThroughFd => (Job::ThroughFd { s }, PlanKind::Copy(true)),
        Op::Pass => (Job::Pass { s, via: world.via }, PlanKind::Copy(false)),
        // It would end a listener, too.
        Op::Shutdown { .. } if !is_socket => return None,
        Op::Shutdown { how } => {
            let how = i32::from(how % 3) + 1;
            (Job::Shutdown { s, how }, PlanKind::Shutdown(how))
        }
        Op::Limit { ms } => {
            (Job::Limit { s, ms: i64::from(ms % 8).saturating_sub(4).max(0) }, PlanKind::Limit)
        }
        Op::Unread => (Job::Unread { s }, PlanKind::Unread),
        Op::Wait { events: number, wait } => {
            let events = events(number);
            (Job::Wait { s, events, limit: limit(wait) }, PlanKind::Wait(events))
        }
        Op::Poll { events: number, wait } => {
            // Pollers are readable when they like, and never writable.
            let items = world.items(events(number) | SK_READABLE);
            (Job::Poll { items, limit: limit(wait) }, PlanKind::Poll)
        }
        Op::Accept => (Job::Accept { s }, PlanKind::Accept),
        Op::Add { poller, events: number } => {
            let (p, events) = (pollers(poller), events(number));
            let data = u64::from(step.slot) << 32 | u64::from(number);
            (Job::Add { p, s, events, data }, PlanKind::Add(events, data))
        }
        Op::Modify { poller, events: number } => {
            let (p, events) = (pollers(poller), events(number));
            let data = u64::MAX - u64::from(number);
            (Job::Modify { p, s, events, data }, PlanKind::Modify(events, data))
        }
        Op::Remove { poller } => (Job::Remove { p: pollers(poller), s }, PlanKind::Remove),
        Op::PollerWait { wait } => (Job::PollerWait { p: s, limit: limit(wait) }, PlanKind::PollerWait),
        Op::Wake => (Job::Wake { p: s }, PlanKind::Wake),
        Op::Pair { .. } | Op::Listener { .. } | Op::Poller => return None,
    };
    Some((new(slot, second, &job, kind), job))
}
