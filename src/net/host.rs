//! Names of hosts: what may be asked of a resolver at all (RFC 1123, section 2.1).

use core::ffi::CStr;

use crate::error::{Code, Result};
use crate::sys::names::HOST_ROOM;

/// Bytes of the longest name, a closing dot not counted (RFC 1035, section 3.1, as text).
const MOST: usize = 253;
/// Bytes of the longest label.
const MOST_OF_LABEL: usize = 63;

const _: () = assert!(MOST + 2 <= HOST_ROOM);

/// The name of a host, closed by a NUL, as the resolver wants it.
pub struct Name {
    text: [u8; HOST_ROOM],
}

impl Name {
    /// Letters, digits, hyphens, underscores and what is beyond ASCII, in labels between dots;
    /// whether there is such a host the resolver knows. The last label is no number: resolvers
    /// take "127.1" or "0x7f000001" for an address, which whoever looks at the text may not expect.
    pub fn new(host: &[u8]) -> Result<Name> {
        let labels = host.strip_suffix(b".").unwrap_or(host);
        if labels.len() > MOST {
            return Err(Code::SK_ENAMETOOLONG.into());
        }
        let mut last: &[u8] = &[];
        let mut rest = Some(labels);
        while let Some(text) = rest {
            (last, rest) = super::parse::next_piece(text, b'.');
            if last.is_empty() || !last.iter().all(|&byte| may_stand_in_label(byte)) {
                return Err(Code::SK_EADDRFORMAT.into());
            }
            if last.len() > MOST_OF_LABEL {
                return Err(Code::SK_ENAMETOOLONG.into());
            }
        }
        if is_number(last) {
            return Err(Code::SK_EADDRFORMAT.into());
        }
        let mut text = [0; HOST_ROOM];
        for (to, from) in text.iter_mut().zip(host) {
            *to = *from;
        }
        Ok(Name { text })
    }

    pub fn as_c(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.text).unwrap_or_default()
    }
}

fn may_stand_in_label(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | 0x80..)
}

/// As inet_aton(3) reads numbers.
fn is_number(label: &[u8]) -> bool {
    match label {
        [b'0', b'x' | b'X', hex @ ..] => hex.iter().all(u8::is_ascii_hexdigit),
        _ => label.iter().all(u8::is_ascii_digit),
    }
}
