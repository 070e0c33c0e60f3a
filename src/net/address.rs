//! Addresses as plain values: what a socket is bound to, connected to, or hears from.

pub use crate::sys::address::{Address, Family, SK_UNIX_PATH_MAX};
