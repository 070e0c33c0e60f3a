//! What the process has once: the table, and what happens to it in a fork.

use crate::error::{Code, Error, Result};
use crate::handle::{MAX_HANDLES, Slot, TABLE, Table};
use crate::socket;
use crate::sys::memory::{self, Region, Unestablished};
use crate::sys::{descriptor, fork};

/// Bytes that a table with `count` slots takes; `None`: there can't be such a table.
pub fn memory_needed(count: u32) -> Option<usize> {
    (1..=MAX_HANDLES).contains(&count).then_some(count)?;
    memory::needed::<Table, Slot>(count as usize)
}

/// The table, made on first use with the defaults.
pub fn table() -> Result<&'static Table> {
    match TABLE.replaced() {
        Some(table) => Ok(table),
        None => first_use(),
    }
}

#[cold]
fn first_use() -> Result<&'static Table> {
    match establish(0, None) {
        Err(error) if error.code != Code::SK_EBUSY => return Err(error),
        // Made, or another thread was faster.
        _ => {}
    }
    TABLE.replaced().ok_or(Error::from(Code::SK_EINTERNAL))
}

/// Makes the table with `count` slots (0: one for every descriptor that the process can have)
/// in `region`, or in memory of its own.
pub fn establish(count: u32, region: Option<Region>) -> Result<()> {
    let (soft, hard) = descriptor::limits();
    let most = u32::try_from(hard).unwrap_or(MAX_HANDLES).clamp(1, MAX_HANDLES);
    let (count, base, moves) = match count {
        0 => (most, 0, false),
        // The highest numbers are those that nobody else gets before he has all others.
        1..=MAX_HANDLES if count < most => {
            let base = u32::try_from(soft).unwrap_or(most).min(most).saturating_sub(count);
            (count, base, true)
        }
        1..=MAX_HANDLES => (count, 0, false),
        _ => return Err(Code::SK_EINVAL.into()),
    };
    if TABLE.replaced().is_some() {
        return Err(Code::SK_EBUSY.into());
    }
    // Before anybody can have a handle. Where two threads come here at once the handlers are
    // there twice, which does no harm.
    fork::on_fork(around_fork, in_child)?;
    memory::establish(&TABLE, region, count as usize, |slots| Table::new(slots, base, moves)).map_err(|why| {
        match why {
            Unestablished::TooSmall => Code::SK_EINVAL.into(),
            Unestablished::Exists => Code::SK_EBUSY.into(),
            Unestablished::NoMemory(errno) => errno.into(),
        }
    })
}

/// In the parent, before the fork and again after it, for what other threads made meanwhile:
/// the child has copies of all that is live.
extern "C" fn around_fork() {
    for (_, slot) in TABLE.get().used() {
        slot.word.share(0);
    }
}

/// In the child, which has the one thread that forked.
extern "C" fn in_child() {
    let table = TABLE.get();
    for (index, slot) in table.used() {
        socket::after_fork(table, index, slot);
    }
    table.recount();
}
