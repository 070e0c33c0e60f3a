//! Sockets for C, made safe, with nothing taken away.
//!
//! The library is called through its C interface, [`capi`]: integer handles, one header.
//! Inside, an arrow only ever points down:
//!
//! ```text
//! capi      the C face: arguments, handle, call, result
//! socket    what a socket means: limits, close and wake, connect, accept, transfer, options
//! poll      waiting for many
//! net       addresses, their texts, names
//! process   the table and forks
//! handle    who may use a descriptor, and who closes it
//! error     the one table of codes
//! sys       the system calls
//! ```
#![no_std]
// What only a function uses that is left out goes with it when the program is linked.
#![cfg_attr(not(feature = "full"), allow(dead_code, unused_imports))]

#[cfg(any(feature = "std", test))]
extern crate std;

pub mod capi;
mod error;
mod handle;
mod net;
#[cfg(not(any(feature = "std", test)))]
mod no_std;
mod poll;
mod process;
mod socket;
mod sys;
