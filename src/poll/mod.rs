//! Waiting for many: pollers, which know their handles, and `poll`, which is told them each time.

mod many;
mod poller;

pub use many::{Item, poll};
pub use poller::{Event, Poller, check_events, poller};
