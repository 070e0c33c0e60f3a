//! The calls of the target `calls`: a job says what to call, an outcome what came of it. The
//! threads that run them live as long as the process.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;

use crate::*;

/// `struct sk_poll_item`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Item {
    pub handle: sk_handle,
    pub events: u32,
    pub revents: u32,
}

/// `struct sk_event`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Event {
    pub handle: sk_handle,
    pub data: u64,
    pub events: u32,
    pub reserved: u32,
}

/// `struct sk_buf`.
#[repr(C)]
struct Piece(*mut u8, usize);

#[derive(Debug)]
pub enum Job {
    Send {
        s: sk_handle,
        bytes: Vec<u8>,
        flags: i32,
    },
    SendPieces {
        s: sk_handle,
        bytes: Vec<u8>,
        flags: i32,
    },
    SendAll {
        s: sk_handle,
        bytes: Vec<u8>,
    },
    Recv {
        s: sk_handle,
        len: usize,
        flags: i32,
    },
    RecvPieces {
        s: sk_handle,
        len: usize,
        flags: i32,
    },
    RecvAll {
        s: sk_handle,
        len: usize,
    },
    Shutdown {
        s: sk_handle,
        how: i32,
    },
    Close {
        s: sk_handle,
    },
    Abort {
        s: sk_handle,
    },
    Finish {
        s: sk_handle,
        limit: i64,
    },
    Dup {
        s: sk_handle,
    },
    /// Given up, and taken over again.
    ThroughFd {
        s: sk_handle,
    },
    /// Sent through one Unix socket and received from its peer.
    Pass {
        s: sk_handle,
        via: [sk_handle; 2],
    },
    Limit {
        s: sk_handle,
        ms: i64,
    },
    Unread {
        s: sk_handle,
    },
    Wait {
        s: sk_handle,
        events: u32,
        limit: i64,
    },
    Poll {
        items: Vec<Item>,
        limit: i64,
    },
    Pair {
        kind: Kind,
    },
    Listener {
        kind: Kind,
    },
    Accept {
        s: sk_handle,
    },
    Poller,
    Add {
        p: sk_handle,
        s: sk_handle,
        events: u32,
        data: u64,
    },
    Modify {
        p: sk_handle,
        s: sk_handle,
        events: u32,
        data: u64,
    },
    Remove {
        p: sk_handle,
        s: sk_handle,
    },
    PollerWait {
        p: sk_handle,
        limit: i64,
    },
    Wake {
        p: sk_handle,
    },
}

/// The result, and what was written where a pointer said.
#[derive(Debug, Default)]
pub struct Outcome {
    pub result: i64,
    pub bytes: Vec<u8>,
    pub made: Vec<sk_handle>,
    pub items: Vec<Item>,
    pub events: Vec<Event>,
}

fn plain<T: Copy + Into<i64>>(function: impl FnOnce() -> T) -> Outcome {
    Outcome { result: call(function).into(), ..Outcome::default() }
}

fn maker(function: impl FnOnce() -> sk_handle) -> Outcome {
    let result = call(function);
    assert_ne!(result, 0);
    Outcome { result, made: (result > 0).then_some(result).into_iter().collect(), ..Outcome::default() }
}

fn pieces(bytes: &mut [u8]) -> [Piece; 3] {
    let (a, rest) = bytes.split_at_mut(bytes.len() / 3);
    let (b, c) = rest.split_at_mut(rest.len() / 2);
    [a, b, c].map(|piece| Piece(piece.as_mut_ptr(), piece.len()))
}

pub fn run(job: Job) -> Outcome {
    // SAFETY, for all of them: pointers and lengths are those of one vector, array or value.
    match job {
        Job::Send { s, bytes, flags } => {
            plain(|| unsafe { sk_send(s, bytes.as_ptr().cast(), bytes.len(), flags) })
        }
        Job::SendPieces { s, mut bytes, flags } => {
            let list = pieces(&mut bytes);
            plain(|| unsafe { sk_sendv(s, list.as_ptr().cast(), list.len(), flags) })
        }
        Job::SendAll { s, bytes } => {
            let mut sent = usize::MAX;
            let outcome = plain(|| unsafe { sk_send_all(s, bytes.as_ptr().cast(), bytes.len(), &mut sent) });
            let whole = outcome.result < 0 || sent == bytes.len();
            assert!(sent <= bytes.len() && whole, "{sent} of {}: {outcome:?}", bytes.len());
            // What was moved counts; the error is told by the next call as well, or is but a limit.
            if sent > 0 { Outcome { result: sent as i64, ..outcome } } else { outcome }
        }
        Job::Recv { s, len, flags } => {
            receive(len, |bytes| unsafe { sk_recv(s, bytes.as_mut_ptr().cast(), bytes.len(), flags) })
        }
        Job::RecvPieces { s, len, flags } => receive(len, |bytes| {
            let list = pieces(bytes);
            unsafe { sk_recvv(s, list.as_ptr().cast(), list.len(), flags) }
        }),
        Job::RecvAll { s, len } => {
            let mut received = usize::MAX;
            let mut outcome = receive(len, |bytes| {
                let status = unsafe { sk_recv_all(s, bytes.as_mut_ptr().cast(), len, &mut received) };
                status.into()
            });
            assert!(received <= len && (outcome.result < 0 || received == len), "{received}: {outcome:?}");
            if received > 0 {
                outcome.result = received as i64;
            } else if is_one_of(outcome.result, &[SK_EEOF]) {
                outcome.result = 0;
            }
            outcome
        }
        Job::Shutdown { s, how } => plain(|| sk_shutdown(s, how)),
        Job::Close { s } => plain(|| sk_close(s)),
        Job::Abort { s } => plain(|| sk_abort(s)),
        Job::Finish { s, limit } => plain(|| sk_finish(s, limit)),
        Job::Dup { s } => maker(|| sk_dup(s)),
        Job::ThroughFd { s } => {
            let fd = call(|| sk_into_fd(s));
            if fd < 0 {
                return Outcome { result: fd, ..Outcome::default() };
            }
            // SAFETY: a look.
            let flags = unsafe { libc::fcntl(fd as i32, libc::F_GETFD) };
            assert_eq!(flags, libc::FD_CLOEXEC, "descriptor {fd}");
            maker(|| must("from_fd", || sk_from_fd(fd)))
        }
        Job::Pass { s, via: [from, to] } => {
            let status = call(|| sk_send_handle(from, s));
            if status < 0 {
                return Outcome { result: status.into(), ..Outcome::default() };
            }
            maker(|| must("recv_handle", || sk_recv_handle(to)))
        }
        Job::Limit { s, ms } => plain(|| sk_set_timeout(s, ms)),
        Job::Unread { s } => {
            let mut value = 0;
            let status = call(|| unsafe { sk_get_option(s, sk_option::SK_OPT_UNREAD as i32, &mut value) });
            Outcome { result: if status < 0 { status.into() } else { value }, ..Outcome::default() }
        }
        Job::Wait { s, events, limit } => plain(|| sk_wait(s, events, limit)),
        Job::Poll { mut items, limit } => {
            let outcome = plain(|| unsafe { sk_poll(items.as_mut_ptr().cast(), items.len(), limit) });
            let ready = items.iter().filter(|item| item.revents != 0).count();
            assert_eq!(outcome.result, ready as i64, "{items:?}");
            Outcome { items, ..outcome }
        }
        Job::Pair { kind } => {
            let made: Vec<_> = kind.pair().into_iter().flatten().collect();
            Outcome { made, ..Outcome::default() }
        }
        Job::Listener { kind } => {
            let (s, _) = kind.bound();
            must("listen", || sk_listen(s, 1));
            Outcome { made: vec![s], ..Outcome::default() }
        }
        Job::Accept { s } => maker(|| unsafe { sk_accept(s, std::ptr::null_mut()) }),
        Job::Poller => maker(|| sk_poller()),
        Job::Add { p, s, events, data } => plain(|| sk_poller_add(p, s, events, data)),
        Job::Modify { p, s, events, data } => plain(|| sk_poller_modify(p, s, events, data)),
        Job::Remove { p, s } => plain(|| sk_poller_remove(p, s)),
        Job::PollerWait { p, limit } => {
            let mut events = vec![Event::default(); 64];
            let outcome =
                plain(|| unsafe { sk_poller_wait(p, events.as_mut_ptr().cast(), events.len(), limit) });
            events.truncate(outcome.result.max(0) as usize);
            Outcome { events, ..outcome }
        }
        Job::Wake { p } => plain(|| sk_poller_wake(p)),
    }
}

fn receive(len: usize, function: impl FnOnce(&mut [u8]) -> i64) -> Outcome {
    let mut bytes = vec![0xa5; len];
    let result = call(|| function(&mut bytes));
    Outcome { result, bytes, ..Outcome::default() }
}

/// How many threads there are.
pub const WORKERS: usize = 3;

type Order = (Job, Option<Arc<AtomicUsize>>);

struct Worker {
    orders: Sender<Order>,
    outcomes: Mutex<Receiver<Outcome>>,
}

static POOL: LazyLock<[Worker; WORKERS]> = LazyLock::new(|| {
    std::array::from_fn(|_| {
        let (orders, to_do) = channel::<Order>();
        let (done, outcomes) = channel();
        thread::spawn(move || {
            for (job, line) in to_do {
                // They start together, as well as the machine lets them.
                if let Some(line) = line {
                    line.fetch_sub(1, SeqCst);
                    for _ in 0..100 {
                        if line.load(SeqCst) == 0 {
                            break;
                        }
                        thread::yield_now();
                    }
                }
                if done.send(run(job)).is_err() {
                    break;
                }
            }
        });
        Worker { orders, outcomes: Mutex::new(outcomes) }
    })
});

/// Starts the threads.
pub fn start() {
    LazyLock::force(&POOL);
}

/// Runs one job in a thread of its own number, or right here.
pub fn run_on(worker: u8, job: Job) -> Outcome {
    match POOL.get(usize::from(worker)) {
        None => run(job),
        Some(worker) => {
            worker.orders.send((job, None)).expect("a thread");
            worker.outcomes.lock().expect("outcomes").recv().expect("an outcome")
        }
    }
}

/// Runs up to `WORKERS` jobs at the same time.
pub fn race(jobs: Vec<Job>) -> Vec<Outcome> {
    let line = Arc::new(AtomicUsize::new(jobs.len()));
    let count = jobs.len();
    for (worker, job) in POOL.iter().zip(jobs) {
        worker.orders.send((job, Some(line.clone()))).expect("a thread");
    }
    let outcome = |worker: &Worker| worker.outcomes.lock().expect("outcomes").recv().expect("an outcome");
    POOL.iter().take(count).map(outcome).collect()
}
