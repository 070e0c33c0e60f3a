//! Addresses and names: the values, their texts, and how a host becomes an address.

pub mod address;
pub mod endpoint;
pub(crate) mod equal;
pub(crate) mod format;
pub mod happy_eyeballs;
pub mod host;
pub(crate) mod parse;

#[cfg(test)]
mod tests;
