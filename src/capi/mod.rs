//! The C interface, a file per section of the header.
//!
//! Each function does three things: it checks its arguments and finds the handle, calls the
//! room below, and converts the result. In this order: the handle, its kind, the rest.
#![allow(non_camel_case_types)] // the names of the C interface
#![allow(clippy::missing_safety_doc)] // the whole header has one rule: pointers that are not NULL are valid

mod args;
mod ret;

pub mod addresses;
pub mod descriptors;
pub mod endpoints;
pub mod errors;
pub mod groups;
pub mod options;
pub mod process;
pub mod sockets;
pub mod transfer;
pub mod types;
pub mod waiting;

pub use crate::error::Code as sk_error;
pub use crate::net::address::{Address as sk_addr, Family as sk_family, SK_UNIX_PATH_MAX};
pub use crate::socket::flags::*;
pub use crate::socket::{How as sk_how, Opt as sk_option, Protocol as sk_protocol, Type as sk_type};
pub use crate::sys::unix::Cred as sk_cred;
pub use types::*;
