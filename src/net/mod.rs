//! Addresses and names: the values, their texts, and how a host becomes an address.

pub mod address;
pub(crate) mod equal;
pub(crate) mod format;
pub(crate) mod parse;

#[cfg(test)]
mod tests;
