//! Time limits on the monotonic clock, see clock_gettime(2).

/// Nanoseconds on the monotonic clock.
pub fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a timespec to write to. The call can't fail: the clock is always there.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    (time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64)
}

/// A limit in milliseconds over a whole call, however many waits it has. The clock starts with
/// the first wait or the second turn, so that a call which is done at once does not ask the time.
pub struct Timer {
    limit: i64,
    end: Option<u64>,
    turns: bool,
}

impl Timer {
    /// `limit` milliseconds from the first wait on; -1: no limit.
    pub fn new(limit: i64) -> Timer {
        Timer { limit, end: None, turns: false }
    }

    /// A call that moves more than one system call does begins the next one. Whether this is
    /// not its first.
    pub fn turn(&mut self) -> bool {
        core::mem::replace(&mut self.turns, true)
    }

    pub fn limit(&self) -> i64 {
        self.limit
    }

    /// Nanoseconds left; `None`: no limit.
    #[inline(never)]
    pub fn left(&mut self) -> Option<u64> {
        let limit = u64::try_from(self.limit).ok()?;
        if limit == 0 {
            return Some(0);
        }
        let now = now();
        let end = *self.end.get_or_insert(now.saturating_add(limit.saturating_mul(1_000_000)));
        Some(end.saturating_sub(now))
    }

    /// What is left, but no more than so many nanoseconds from now on.
    pub fn part(&mut self, ns: u64) -> Timer {
        let ns = self.left().map_or(ns, |left| left.min(ns));
        Timer { limit: 1, end: Some(now().saturating_add(ns)), turns: false }
    }
}
