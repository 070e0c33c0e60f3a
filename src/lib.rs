//! Sockets for C, made safe, with nothing taken away.
#![no_std]

#[cfg(any(feature = "std", test))]
extern crate std;

mod error;
pub mod net;
