//! Addresses and names: the values, their texts, and how a host becomes an address.

pub mod address;
