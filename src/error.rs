//! The one table of error codes: number, name, sentence and `errno` of each.
//!
//! Everything that fails in this library fails with an [`Error`], which is a
//! [`Code`] and the `errno` that goes with it. The `capi` room turns it into
//! the negative number and the `errno` that a C program sees.

use core::ffi::CStr;

use libc::c_int;

use crate::sys::Errno;

/// Why a call failed. Every function that can fail answers with one of these
/// negative numbers and sets `errno` too: to the operating system's value, or,
/// where the system was not asked, to the value named below.
///
/// The numbers are libsk's own. They are the same on every platform and never
/// change; new ones are only added at the end. `sk_strerror` gives a sentence,
/// `sk_error_name` the name.
#[allow(non_camel_case_types, clippy::upper_case_acronyms)] // the names of the C interface
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum Code {
    /// An argument is wrong: a NULL pointer, an unknown constant or flag, a number out of range (EINVAL).
    SK_EINVAL = -1,
    /// The handle is not live: closed, never issued, or of another process (EBADF).
    SK_EBADHANDLE = -2,
    /// The handle was closed by another thread during the call (ECANCELED).
    SK_ECLOSED = -3,
    /// The call would have to wait, and was told not to (EAGAIN).
    SK_EAGAIN = -4,
    /// The time limit ran out; the handle stays usable (ETIMEDOUT).
    SK_ETIMEDOUT = -5,
    /// The connection attempt was started and goes on (EINPROGRESS).
    SK_EINPROGRESS = -6,
    /// The peer ended the stream before the count asked for (ENODATA).
    SK_EEOF = -7,
    /// Nobody listens at that address (ECONNREFUSED).
    SK_ECONNREFUSED = -8,
    /// The peer, or something on the way, reset the connection (ECONNRESET).
    SK_ECONNRESET = -9,
    /// The connection was aborted on this side (ECONNABORTED).
    SK_ECONNABORTED = -10,
    /// The stream was ended for sending, here or by the peer (EPIPE; never a SIGPIPE).
    SK_EPIPE = -11,
    /// The socket is not connected (ENOTCONN).
    SK_ENOTCONN = -12,
    /// The socket is connected already (EISCONN).
    SK_EISCONN = -13,
    /// An earlier connection attempt is still going on (EALREADY).
    SK_EALREADY = -14,
    /// Another socket has this address (EADDRINUSE).
    SK_EADDRINUSE = -15,
    /// The address is not one of this machine's, or no port is free (EADDRNOTAVAIL).
    SK_EADDRNOTAVAIL = -16,
    /// The text is no address (EINVAL).
    SK_EADDRFORMAT = -17,
    /// No route to that network (ENETUNREACH).
    SK_ENETUNREACH = -18,
    /// No route to that host (EHOSTUNREACH).
    SK_EHOSTUNREACH = -19,
    /// The network interface is down (ENETDOWN).
    SK_ENETDOWN = -20,
    /// The message is too large for the socket (EMSGSIZE).
    SK_EMSGSIZE = -21,
    /// The socket has no destination, and the call named none (EDESTADDRREQ).
    SK_EDESTADDRREQ = -22,
    /// The address family does not fit, or the system lacks it (EAFNOSUPPORT).
    SK_EAFNOSUPPORT = -23,
    /// The protocol does not fit the type, or the system lacks it (EPROTONOSUPPORT).
    SK_EPROTONOSUPPORT = -24,
    /// This kind of handle can't do that (EOPNOTSUPP).
    SK_EOPNOTSUPP = -25,
    /// This kind of handle or this platform has no such option (ENOPROTOOPT).
    SK_ENOPROTOOPT = -26,
    /// The system does not permit it (EACCES or EPERM).
    SK_EACCES = -27,
    /// The process has no descriptor left, or the handle table is full (EMFILE).
    SK_EMFILE = -28,
    /// The system has no descriptor left (ENFILE).
    SK_ENFILE = -29,
    /// The system has no buffer space left (ENOBUFS).
    SK_ENOBUFS = -30,
    /// The system has no memory left (ENOMEM).
    SK_ENOMEM = -31,
    /// There is no such file, interface or member (ENOENT).
    SK_ENOENT = -32,
    /// It exists already (EEXIST).
    SK_EEXIST = -33,
    /// The descriptor is no socket of a supported kind (ENOTSOCK).
    SK_ENOTSOCK = -34,
    /// The text is too long for what it names (ENAMETOOLONG).
    SK_ENAMETOOLONG = -35,
    /// No such host (ENOENT).
    SK_EHOSTNOTFOUND = -36,
    /// The name could not be resolved just now; a later try may work (EAGAIN).
    SK_ERESOLVE = -37,
    /// It is in use (EBUSY).
    SK_EBUSY = -38,
    /// Not on this platform (ENOSYS).
    SK_ENOSYS = -39,
    /// A defect in the library (EIO).
    SK_EINTERNAL = -40,
    /// An error of the operating system with no code of its own: see `errno`.
    SK_EOTHER = -41,
}

/// One row a code, in the order of the codes. The texts stand in two lists, one behind the
/// other, each closed by a NUL: a table of pointers would be three times as large.
macro_rules! table {
    ($($code:ident $errno:ident $sentence:literal)*) => {
        const CODES: &[Code] = &[$(Code::$code),*];
        const NAMES: &str = concat!($(stringify!($code), "\0"),*);
        const SENTENCES: &str = concat!($($sentence, "\0"),*);
        /// What `errno` becomes where the operating system was not asked.
        const ERRNOS: &[u8] = &[$(small(reasons::$errno)),*];
    };
}

/// The system's numbers, also those that have another name on some.
mod reasons {
    pub use libc::*;

    pub use crate::sys::errno::ENODATA;
}

const fn small(errno: c_int) -> u8 {
    assert!(errno > 0 && errno < 256);
    errno as u8
}

table! {
    SK_EINVAL          EINVAL          "An argument is not valid"
    SK_EBADHANDLE      EBADF           "This handle is not open"
    SK_ECLOSED         ECANCELED       "The handle was closed during the call"
    SK_EAGAIN          EAGAIN          "The call would have to wait"
    SK_ETIMEDOUT       ETIMEDOUT       "The time limit ran out"
    SK_EINPROGRESS     EINPROGRESS     "The connection attempt was started and goes on"
    SK_EEOF            ENODATA         "The peer ended the stream early"
    SK_ECONNREFUSED    ECONNREFUSED    "The connection was refused: nobody listens there"
    SK_ECONNRESET      ECONNRESET      "The connection was reset by the peer"
    SK_ECONNABORTED    ECONNABORTED    "The connection was aborted"
    SK_EPIPE           EPIPE           "The connection was ended for sending"
    SK_ENOTCONN        ENOTCONN        "The socket is not connected"
    SK_EISCONN         EISCONN         "The socket is connected already"
    SK_EALREADY        EALREADY        "An earlier connection attempt is still going on"
    SK_EADDRINUSE      EADDRINUSE      "The address is in use"
    SK_EADDRNOTAVAIL   EADDRNOTAVAIL   "The address is not available on this machine"
    SK_EADDRFORMAT     EINVAL          "The text is not an address"
    SK_ENETUNREACH     ENETUNREACH     "The network can't be reached"
    SK_EHOSTUNREACH    EHOSTUNREACH    "The host can't be reached"
    SK_ENETDOWN        ENETDOWN        "The network is down"
    SK_EMSGSIZE        EMSGSIZE        "The message is too large"
    SK_EDESTADDRREQ    EDESTADDRREQ    "A destination address is needed"
    SK_EAFNOSUPPORT    EAFNOSUPPORT    "The address family does not fit or is not supported"
    SK_EPROTONOSUPPORT EPROTONOSUPPORT "The protocol does not fit or is not supported"
    SK_EOPNOTSUPP      EOPNOTSUPP      "This kind of handle can't do that"
    SK_ENOPROTOOPT     ENOPROTOOPT     "There is no such option here"
    SK_EACCES          EACCES          "Permission denied"
    SK_EMFILE          EMFILE          "No descriptor or handle is left in this process"
    SK_ENFILE          ENFILE          "No descriptor is left in the system"
    SK_ENOBUFS         ENOBUFS         "No buffer space is left"
    SK_ENOMEM          ENOMEM          "No memory is left"
    SK_ENOENT          ENOENT          "There is no such file, interface or member"
    SK_EEXIST          EEXIST          "It exists already"
    SK_ENOTSOCK        ENOTSOCK        "The descriptor is not a supported socket"
    SK_ENAMETOOLONG    ENAMETOOLONG    "The name is too long"
    SK_EHOSTNOTFOUND   ENOENT          "The host was not found"
    SK_ERESOLVE        EAGAIN          "The name could not be resolved for now"
    SK_EBUSY           EBUSY           "It is in use"
    SK_ENOSYS          ENOSYS          "Not available on this platform"
    SK_EINTERNAL       EIO             "Internal error of the library"
    SK_EOTHER          EIO             "An error of the operating system; errno tells which"
}

// The numbers are frozen: the n-th row is code -n.
const _: () = {
    let mut row = 0;
    while row < CODES.len() {
        assert!(CODES[row] as i64 == -1 - row as i64);
        row += 1;
    }
    assert!(CODES.len() == 41);
};

/// The row of a code.
fn row(code: i64) -> Option<usize> {
    let row = usize::try_from(code.checked_neg()?.checked_sub(1)?).ok()?;
    (row < CODES.len()).then_some(row)
}

/// The text in a row of a list.
fn text(list: &'static str, row: usize) -> Option<&'static CStr> {
    let mut rest = list.as_bytes();
    for _ in 0..row {
        let end = rest.iter().position(|&byte| byte == 0)?;
        rest = rest.get(end.wrapping_add(1)..)?;
    }
    CStr::from_bytes_until_nul(rest).ok()
}

/// The sentence for a result of any function, failure or not.
pub(crate) fn sentence(code: i64) -> &'static CStr {
    let otherwise = if code >= 0 { c"Success" } else { c"Unknown error" };
    row(code).and_then(|row| text(SENTENCES, row)).unwrap_or(otherwise)
}

/// The name of a result of any function, failure or not.
pub(crate) fn name(code: i64) -> &'static CStr {
    let otherwise = if code >= 0 { c"SK_OK" } else { c"SK_E?" };
    row(code).and_then(|row| text(NAMES, row)).unwrap_or(otherwise)
}

/// A failure: the code that the caller gets and the `errno` set beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} (errno {errno})", sentence(*code as i64).to_str().unwrap_or_default())]
pub struct Error {
    pub(crate) code: Code,
    pub(crate) errno: c_int,
}

/// What the rooms of the library hand to each other.
pub type Result<T> = core::result::Result<T, Error>;

impl From<Code> for Error {
    /// A failure that the operating system was not asked about.
    #[cold]
    #[inline(never)]
    fn from(code: Code) -> Self {
        let errno = row(code as i64).and_then(|row| ERRNOS.get(row));
        Error { code, errno: errno.map_or(libc::EIO, |&errno| errno.into()) }
    }
}

impl From<Errno> for Error {
    /// A failure that the operating system reported.
    #[cold]
    fn from(Errno(errno): Errno) -> Self {
        use Code::*;
        let code = match errno {
            libc::EINVAL => SK_EINVAL,
            libc::EBADF => SK_EBADHANDLE,
            libc::EAGAIN => SK_EAGAIN,
            libc::ETIMEDOUT => SK_ETIMEDOUT,
            libc::EINPROGRESS => SK_EINPROGRESS,
            libc::ECONNREFUSED => SK_ECONNREFUSED,
            libc::ECONNRESET => SK_ECONNRESET,
            libc::ECONNABORTED => SK_ECONNABORTED,
            libc::EPIPE | libc::ESHUTDOWN => SK_EPIPE,
            libc::ENOTCONN => SK_ENOTCONN,
            libc::EISCONN => SK_EISCONN,
            libc::EALREADY => SK_EALREADY,
            libc::EADDRINUSE => SK_EADDRINUSE,
            libc::EADDRNOTAVAIL => SK_EADDRNOTAVAIL,
            libc::ENETUNREACH => SK_ENETUNREACH,
            libc::EHOSTUNREACH | libc::EHOSTDOWN => SK_EHOSTUNREACH,
            libc::ENETDOWN => SK_ENETDOWN,
            libc::EMSGSIZE => SK_EMSGSIZE,
            libc::EDESTADDRREQ => SK_EDESTADDRREQ,
            libc::EAFNOSUPPORT | libc::EPFNOSUPPORT => SK_EAFNOSUPPORT,
            libc::EPROTONOSUPPORT | libc::ESOCKTNOSUPPORT | libc::EPROTOTYPE => SK_EPROTONOSUPPORT,
            libc::EOPNOTSUPP => SK_EOPNOTSUPP,
            libc::ENOPROTOOPT => SK_ENOPROTOOPT,
            libc::EACCES | libc::EPERM => SK_EACCES,
            libc::EMFILE => SK_EMFILE,
            libc::ENFILE => SK_ENFILE,
            libc::ENOBUFS => SK_ENOBUFS,
            libc::ENOMEM => SK_ENOMEM,
            libc::ENOENT | libc::ENODEV | libc::ENXIO => SK_ENOENT,
            libc::EEXIST => SK_EEXIST,
            libc::ENOTSOCK => SK_ENOTSOCK,
            libc::ENAMETOOLONG => SK_ENAMETOOLONG,
            libc::EBUSY => SK_EBUSY,
            libc::ENOSYS => SK_ENOSYS,
            _ => SK_EOTHER,
        };
        Error { code, errno }
    }
}

/// A count or a failure as C gets it, in one register, for the calls where every instruction
/// counts: the count, or the negative code with errno set already.
#[derive(Clone, Copy)]
pub(crate) struct Count(i64);

impl Count {
    #[inline(always)]
    pub fn of(count: usize) -> Count {
        Count(count as i64)
    }

    #[inline(always)]
    pub fn to_c(self) -> i64 {
        self.0
    }
}

impl From<Result<usize>> for Count {
    fn from(result: Result<usize>) -> Count {
        match result {
            Ok(count) => Count::of(count),
            Err(Error { code, errno }) => {
                crate::sys::errno::set(errno);
                Count(code as i64)
            }
        }
    }
}
