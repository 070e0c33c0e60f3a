//! The system calls that the library makes, and what each may answer instead of success.
//!
//! The errors are those of the manual pages named in each row that a correct program can meet:
//! not EBADF, EFAULT and ENOTSOCK, which would be a defect of the library. EAGAIN stands for a
//! wake-up without a cause, as poll(2) and select(2) warn of, or another thread that was faster.

use libc::{c_int, c_long};

use super::trace::{Act, Call, Descriptor};

/// An error, and what the program may hear of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    pub errno: c_int,
    pub name: &'static str,
    pub told: Told,
}

/// What the program hears of a failure. That it hears nothing, because the library found
/// another way, is always right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// This code, with the errno that the system gave.
    Code(&'static str),
    /// One of these codes.
    As(&'static [&'static str]),
    /// Nothing: the call goes on.
    Nothing,
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Fails(Failure),
    /// It moves less than it could.
    Short,
}

impl Fault {
    fn errno(self) -> c_int {
        match self {
            Fault::Fails(failure) => failure.errno,
            Fault::Short => 0,
        }
    }

    /// What one call lacks the next one may lack too; and signals come again and again.
    pub fn may_stay(self) -> bool {
        let shortage = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM];
        shortage.contains(&self.errno()) || self.is_interruption()
    }

    pub fn is_interruption(self) -> bool {
        self.errno() == libc::EINTR
    }

    pub fn name(self) -> &'static str {
        match self {
            Fault::Fails(failure) => failure.name,
            Fault::Short => "short",
        }
    }
}

/// A system call, or one use of it.
pub struct Row {
    pub name: &'static str,
    pub number: c_long,
    is: fn(&Call) -> bool,
    pub failures: &'static [Failure],
    /// How to have it move less.
    short: Option<Act>,
    /// It takes effect although it fails.
    made: bool,
}

impl Row {
    pub fn faults(&self) -> impl Iterator<Item = Fault> + use<> {
        let short = self.short.map(|_| Fault::Short);
        self.failures.iter().map(|&failure| Fault::Fails(failure)).chain(short)
    }

    /// What the tracer has to do; `None`: this call is as short as can be.
    pub fn act(&self, call: &Call, fault: Fault) -> Option<Act> {
        match (fault, self.short) {
            (Fault::Fails(failure), _) if self.made => Some(Act::FailMade(failure.errno)),
            (Fault::Fails(failure), _) => Some(Act::FailUnmade(failure.errno)),
            (Fault::Short, Some(Act::Halve(argument))) if call.arguments[argument] < 2 => None,
            (Fault::Short, short) => short,
        }
    }
}

/// The row of a call, if it has one.
pub fn row(call: &Call) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.number == call.number && (row.is)(call))
}

/// The numbers of all calls that have a row.
pub fn numbers() -> Vec<c_long> {
    let mut numbers: Vec<c_long> = ROWS.iter().map(|row| row.number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// Whether a system call without a row is known to be one that the library does not make, or
/// one that can't fail in a correct program.
pub fn is_left_alone(number: c_long) -> bool {
    NOT_OURS.contains(&number) || ROWS.iter().any(|row| row.number == number)
}

macro_rules! failure {
    ($errno:ident, $told:expr) => {
        Failure { errno: libc::$errno, name: stringify!($errno), told: $told }
    };
}

/// `told![EMFILE ENFILE]`: each is told by its namesake among the codes.
macro_rules! told {
    ($($errno:ident)*) => { [$(failure!($errno, Told::Code(concat!("SK_", stringify!($errno))))),*] };
}

/// `ridden![EINTR]`: nobody hears of them.
macro_rules! ridden {
    ($($errno:ident)*) => { [$(failure!($errno, Told::Nothing)),*] };
}

/// Some lists as one.
macro_rules! failures {
    ($($list:expr),* $(,)?) => {{
        const LISTS: &[&[Failure]] = &[$(&$list),*];
        const COUNT: usize = { let mut n = 0; let mut at = 0; while at < LISTS.len() { n += LISTS[at].len(); at += 1; } n };
        const ALL: [Failure; COUNT] = {
            let mut all = [failure!(EIO, Told::Nothing); COUNT];
            let (mut list, mut at, mut n) = (0, 0, 0);
            while list < LISTS.len() {
                while at < LISTS[list].len() {
                    all[n] = LISTS[list][at];
                    at += 1;
                    n += 1;
                }
                at = 0;
                list += 1;
            }
            all
        };
        &ALL
    }};
}

const NOT_PERMITTED: [Failure; 2] =
    [failure!(EACCES, Told::Code("SK_EACCES")), failure!(EPERM, Told::Code("SK_EACCES"))];
/// The errors of the network that a listener's queue or a connected socket can hold, see
/// accept(2), ip(7) and tcp(7).
const NETWORK: [Failure; 3] = told![ENETDOWN ENETUNREACH EHOSTUNREACH];

fn any(_: &Call) -> bool {
    true
}

fn socket(call: &Call) -> Option<(c_int, c_int)> {
    match call.descriptor() {
        Descriptor::Socket { domain, carries } => Some((domain, carries)),
        _ => None,
    }
}

fn tcp(call: &Call) -> bool {
    socket(call).is_some_and(|(domain, carries)| domain != libc::AF_UNIX && carries == libc::SOCK_STREAM)
}

fn stream(call: &Call) -> bool {
    socket(call).is_some_and(|(_, carries)| carries == libc::SOCK_STREAM)
}

fn seqpacket(call: &Call) -> bool {
    socket(call).is_some_and(|(_, carries)| carries == libc::SOCK_SEQPACKET)
}

fn datagram(call: &Call) -> bool {
    socket(call).is_some_and(|(_, carries)| carries == libc::SOCK_DGRAM)
}

fn unix_connection(call: &Call) -> bool {
    socket(call).is_some_and(|(domain, carries)| domain == libc::AF_UNIX && carries != libc::SOCK_DGRAM)
}

fn ours(call: &Call) -> bool {
    call.descriptor() != Descriptor::Other
}

fn event(call: &Call) -> bool {
    call.descriptor() == Descriptor::Anonymous
}

/// A membership changes.
fn group(call: &Call) -> bool {
    let ip = [libc::IPPROTO_IP, libc::IPPROTO_IPV6].contains(&(call.arguments[1] as c_int));
    ip && (libc::MCAST_JOIN_GROUP..=libc::MCAST_LEAVE_SOURCE_GROUP).contains(&(call.arguments[2] as c_int))
}

/// The number or the name of an interface is asked for.
fn interface(call: &Call) -> bool {
    [libc::SIOCGIFINDEX, libc::SIOCGIFNAME].contains(&call.arguments[1])
}

/// With this command as its second argument, on a descriptor of ours.
fn command<const COMMAND: c_int>(call: &Call) -> bool {
    call.arguments[1] as c_int == COMMAND && ours(call)
}

fn unix_datagram(call: &Call) -> bool {
    socket(call) == Some((libc::AF_UNIX, libc::SOCK_DGRAM))
}

/// A file that the loader of shared libraries does not read.
fn proc_file(call: &Call) -> bool {
    call.path().is_some_and(|path| path.starts_with("/proc/"))
}

/// lstat(2), as the C library makes it.
fn lstat(call: &Call) -> bool {
    call.arguments[3] as c_int & libc::AT_SYMLINK_NOFOLLOW != 0
}

/// Memory as the library asks for it: stacks and heaps are mapped without the right to use
/// them, or without MAP_NORESERVE.
fn table(call: &Call) -> bool {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    call.arguments[3] as c_int == flags && call.arguments[2] as c_int != libc::PROT_NONE
}

const fn plain(
    name: &'static str,
    number: c_long,
    is: fn(&Call) -> bool,
    failures: &'static [Failure],
) -> Row {
    Row { name, number, is, failures, short: None, made: false }
}

/// The length of a transfer is its third argument.
const HALF: Option<Act> = Some(Act::Halve(2));

const SEND: &[Failure] = failures![
    ridden![EINTR EAGAIN],
    told![ECONNRESET EPIPE ETIMEDOUT ENOBUFS ENOMEM],
    NETWORK,
    [failure!(EPERM, Told::Code("SK_EACCES"))], // a packet filter, see sendto(2) in netfilter's words
];
const SEND_DATAGRAM: &[Failure] =
    failures![ridden![EINTR EAGAIN], told![ECONNREFUSED EMSGSIZE ENOBUFS ENOMEM], NETWORK, NOT_PERMITTED,];
/// Where the kernel does not cut into segments: they go one by one.
const NO_SEGMENTS: &[Failure] =
    failures![told![EINVAL EOPNOTSUPP], [failure!(EIO, Told::As(&["SK_EOTHER"]))]];
const RECEIVE: &[Failure] =
    failures![ridden![EINTR EAGAIN], told![ECONNRESET ETIMEDOUT ENOBUFS ENOMEM], NETWORK];
const RECEIVE_DATAGRAM: &[Failure] =
    failures![ridden![EINTR EAGAIN], told![ECONNREFUSED ENOBUFS ENOMEM], NETWORK];

pub const ROWS: &[Row] = &[
    // socket(2)
    plain(
        "socket",
        libc::SYS_socket,
        any,
        failures![told![EAFNOSUPPORT EINVAL EMFILE ENFILE ENOBUFS ENOMEM EPROTONOSUPPORT], NOT_PERMITTED,],
    ),
    // socketpair(2), socket(2)
    plain(
        "socketpair",
        libc::SYS_socketpair,
        any,
        failures![told![EAFNOSUPPORT EMFILE ENFILE ENOBUFS ENOMEM EOPNOTSUPP EPROTONOSUPPORT],],
    ),
    // bind(2)
    plain(
        "bind",
        libc::SYS_bind,
        any,
        failures![told![EADDRINUSE EADDRNOTAVAIL ENOMEM ENOENT], NOT_PERMITTED,],
    ),
    // listen(2)
    plain("listen", libc::SYS_listen, any, failures![told![EADDRINUSE]]),
    // accept(2): errors of the network that wait on the connection are like EAGAIN, "retry".
    plain(
        "accept4",
        libc::SYS_accept4,
        any,
        failures![
            ridden![EAGAIN EINTR ECONNABORTED EPROTO ENETDOWN ENOPROTOOPT EHOSTDOWN ENONET EHOSTUNREACH ENETUNREACH],
            told![EMFILE ENFILE ENOBUFS ENOMEM],
            [failure!(EPERM, Told::Code("SK_EACCES"))],
        ],
    ),
    // connect(2), tcp(7). EINPROGRESS and EALREADY come by themselves. EAGAIN: no local port is free. ECONNABORTED: an earlier attempt has failed.
    plain(
        "connect (TCP)",
        libc::SYS_connect,
        tcp,
        failures![
            ridden![EINTR],
            [failure!(EAGAIN, Told::As(&["SK_EADDRNOTAVAIL"]))],
            told![EADDRINUSE EADDRNOTAVAIL ECONNREFUSED ECONNRESET ECONNABORTED ETIMEDOUT ENOBUFS ENOMEM],
            NETWORK,
            NOT_PERMITTED,
        ],
    ),
    // connect(2), unix(7). EAGAIN: the peer's queue is full.
    plain(
        "connect (Unix)",
        libc::SYS_connect,
        unix_connection,
        failures![ridden![EINTR EAGAIN], told![ECONNREFUSED ENOENT ENOMEM], NOT_PERMITTED,],
    ),
    // connect(2), unix(7). With this sk_serve asks whether a server is alive, too.
    plain(
        "connect (Unix datagrams)",
        libc::SYS_connect,
        unix_datagram,
        failures![
            ridden![EINTR],
            [
                failure!(ECONNREFUSED, Told::Code("SK_ECONNREFUSED")),
                failure!(ENOMEM, Told::Code("SK_ENOMEM"))
            ],
            [failure!(EACCES, Told::As(&["SK_EACCES", "SK_EADDRINUSE"]))],
            [failure!(EPERM, Told::As(&["SK_EACCES", "SK_EADDRINUSE"]))],
            [failure!(ENOENT, Told::As(&["SK_ENOENT", "SK_EADDRINUSE"]))],
        ],
    ),
    // connect(2), udp(7), ip(7)
    plain(
        "connect (datagrams)",
        libc::SYS_connect,
        any,
        failures![
            ridden![EINTR],
            [failure!(EAGAIN, Told::As(&["SK_EADDRNOTAVAIL", "SK_EAGAIN"]))],
            told![EADDRNOTAVAIL ECONNREFUSED ENETUNREACH EHOSTUNREACH ENOBUFS ENOMEM],
            NOT_PERMITTED,
        ],
    ),
    // send(2), tcp(7), ip(7), unix(7)
    Row { short: HALF, ..plain("sendto (stream)", libc::SYS_sendto, stream, SEND) },
    plain("sendto (seqpacket)", libc::SYS_sendto, seqpacket, SEND),
    // send(2), udp(7), ip(7)
    plain("sendto (datagrams)", libc::SYS_sendto, datagram, SEND_DATAGRAM),
    // recv(2), tcp(7), ip(7), unix(7)
    Row { short: HALF, ..plain("recvfrom (stream)", libc::SYS_recvfrom, stream, RECEIVE) },
    plain("recvfrom (seqpacket)", libc::SYS_recvfrom, seqpacket, RECEIVE),
    // recv(2), udp(7), ip(7)
    plain("recvfrom (datagrams)", libc::SYS_recvfrom, datagram, RECEIVE_DATAGRAM),
    // The same calls for lists and control data: sendmsg(2), recvmsg(2), unix(7)
    Row { short: Some(Act::OnePiece(1)), ..plain("sendmsg (stream)", libc::SYS_sendmsg, stream, SEND) },
    plain("sendmsg (seqpacket)", libc::SYS_sendmsg, seqpacket, SEND),
    plain("sendmsg (datagrams)", libc::SYS_sendmsg, datagram, SEND_DATAGRAM),
    Row { short: Some(Act::OnePiece(1)), ..plain("recvmsg (stream)", libc::SYS_recvmsg, stream, RECEIVE) },
    plain("recvmsg (seqpacket)", libc::SYS_recvmsg, seqpacket, RECEIVE),
    plain("recvmsg (datagrams)", libc::SYS_recvmsg, datagram, RECEIVE_DATAGRAM),
    // sendmmsg(2), recvmmsg(2), udp(7): the third argument is the number of messages.
    Row {
        short: HALF,
        ..plain("sendmmsg", libc::SYS_sendmmsg, any, failures![*SEND_DATAGRAM, *NO_SEGMENTS])
    },
    Row { short: HALF, ..plain("recvmmsg", libc::SYS_recvmmsg, any, RECEIVE_DATAGRAM) },
    // sendfile(2), and what send(2) says. EINVAL, ENOSYS: not this file.
    Row {
        short: Some(Act::Halve(3)),
        ..plain(
            "sendfile",
            libc::SYS_sendfile,
            any,
            failures![SEND, ridden![EINVAL ENOSYS], [failure!(EIO, Told::As(&["SK_EOTHER"]))],],
        )
    },
    // pread(2)
    Row {
        short: HALF,
        ..plain(
            "pread64",
            libc::SYS_pread64,
            proc_file,
            failures![ridden![EINTR], [failure!(EIO, Told::As(&["SK_EOTHER"]))],],
        )
    },
    // shutdown(2). What is not connected is shut down all the same, which is what wakes a listener.
    Row { made: true, ..plain("shutdown", libc::SYS_shutdown, any, failures![told![ENOTCONN]]) },
    // getsockopt(2); ENOBUFS, ENOMEM: POSIX
    plain(
        "getsockopt",
        libc::SYS_getsockopt,
        any,
        failures![
            told![ENOBUFS ENOMEM],
            [failure!(ENOPROTOOPT, Told::As(&["SK_ENOPROTOOPT", "SK_ENOTSOCK"]))],
        ],
    ),
    // ip(7), ipv6(7), RFC 3678. EINVAL: not in that group; EADDRNOTAVAIL: of that source.
    plain(
        "setsockopt (groups)",
        libc::SYS_setsockopt,
        group,
        failures![
            [failure!(EINVAL, Told::As(&["SK_EINVAL", "SK_EADDRNOTAVAIL"]))],
            [failure!(EADDRNOTAVAIL, Told::As(&["SK_EADDRNOTAVAIL", "SK_EADDRINUSE"]))],
            [failure!(ENODEV, Told::As(&["SK_ENOENT"]))],
            told![EADDRINUSE ENOBUFS ENOMEM],
        ],
    ),
    // setsockopt(2); ENOBUFS, ENOMEM: POSIX; EPERM: socket(7), SO_MARK and others
    plain(
        "setsockopt",
        libc::SYS_setsockopt,
        any,
        failures![told![EINVAL ENOPROTOOPT ENOBUFS ENOMEM], NOT_PERMITTED],
    ),
    // getsockname(2)
    plain("getsockname", libc::SYS_getsockname, any, failures![told![ENOBUFS]]),
    // getpeername(2)
    plain("getpeername", libc::SYS_getpeername, any, failures![told![ENOBUFS ENOTCONN]]),
    // netdevice(7)
    plain(
        "ioctl (interface)",
        libc::SYS_ioctl,
        interface,
        failures![[failure!(ENODEV, Told::As(&["SK_ENOENT"]))], told![EACCES],],
    ),
    // ioctl(2): FIONBIO, and tcp(7), udp(7). Under a security module, EACCES.
    plain("ioctl", libc::SYS_ioctl, ours, failures![told![EINVAL EACCES]]),
    // fcntl(2)
    plain(
        "fcntl (F_DUPFD_CLOEXEC)",
        libc::SYS_fcntl,
        command::<{ libc::F_DUPFD_CLOEXEC }>,
        failures![told![EMFILE], [failure!(EINVAL, Told::As(&["SK_EMFILE"]))],],
    ),
    // dup(2)
    plain("dup3", libc::SYS_dup3, ours, failures![ridden![EINTR], told![EBUSY EMFILE]]),
    // close(2): the descriptor is gone all the same.
    Row { made: true, ..plain("close", libc::SYS_close, ours, failures![ridden![EINTR EIO ENOSPC EDQUOT]]) },
    // eventfd(2)
    plain(
        "eventfd2",
        libc::SYS_eventfd2,
        any,
        failures![told![EMFILE ENFILE ENOMEM], [failure!(ENODEV, Told::Code("SK_ENOENT"))],],
    ),
    // read(2) and eventfd(2): another thread was faster.
    plain("read (eventfd)", libc::SYS_read, event, failures![ridden![EAGAIN]]),
    // epoll_create(2)
    plain("epoll_create1", libc::SYS_epoll_create1, any, failures![told![EMFILE ENFILE ENOMEM]]),
    // epoll_ctl(2); ENOSPC: fs.epoll.max_user_watches
    plain(
        "epoll_ctl (EPOLL_CTL_ADD)",
        libc::SYS_epoll_ctl,
        command::<{ libc::EPOLL_CTL_ADD }>,
        failures![told![ENOMEM], [failure!(ENOSPC, Told::As(&["SK_ENOMEM"]))],],
    ),
    plain("epoll_ctl", libc::SYS_epoll_ctl, any, failures![told![ENOMEM]]),
    // epoll_wait(2)
    plain("epoll_wait", libc::SYS_epoll_wait, any, failures![ridden![EINTR]]),
    // poll(2)
    plain("ppoll", libc::SYS_ppoll, any, failures![ridden![EINTR], told![ENOMEM EINVAL]]),
    // mmap(2)
    plain("mmap", libc::SYS_mmap, table, failures![told![EAGAIN ENFILE ENOMEM], NOT_PERMITTED]),
    // clone(2), pthread_create(3): a look-up's thread, or one of the program's own.
    plain(
        "clone3",
        libc::SYS_clone3,
        any,
        failures![
            [failure!(EAGAIN, Told::As(&["SK_ENOMEM"]))],
            told![ENOMEM],
            [failure!(EPERM, Told::As(&["SK_EACCES", "SK_EOTHER"]))],
        ],
    ),
    // stat(2)
    plain(
        "lstat",
        libc::SYS_newfstatat,
        lstat,
        failures![
            told![ENAMETOOLONG ENOMEM],
            NOT_PERMITTED,
            [failure!(ENOENT, Told::As(&["SK_ENOENT", "SK_EADDRINUSE"]))],
            [failure!(ELOOP, Told::As(&["SK_EOTHER"])), failure!(ENOTDIR, Told::As(&["SK_EOTHER"]))],
        ],
    ),
    // unlink(2)
    plain(
        "unlink",
        libc::SYS_unlink,
        any,
        failures![
            told![EBUSY],
            NOT_PERMITTED,
            [failure!(ENOENT, Told::As(&["SK_ENOENT", "SK_EADDRINUSE"]))],
            [failure!(EROFS, Told::As(&["SK_EOTHER"])), failure!(EIO, Told::As(&["SK_EOTHER"]))],
        ],
    ),
];

/// What can't fail where the arguments are right, and what the C library and the programs do by
/// themselves: start and end, memory, files, threads, forks, and texts for people.
const NOT_OURS: &[c_long] = &[
    // write(2) to an eventfd(2): its counter is far from full. munmap(2) of what was mapped.
    // getrlimit(2), prctl(2) for a name, sigpending(2) and sigprocmask(2).
    libc::SYS_write,
    libc::SYS_munmap,
    libc::SYS_prlimit64,
    libc::SYS_prctl,
    libc::SYS_rt_sigpending,
    libc::SYS_rt_sigprocmask,
    // Start and end of a program and of a thread.
    libc::SYS_execve,
    libc::SYS_arch_prctl,
    libc::SYS_set_tid_address,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_getrandom,
    libc::SYS_uname,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // Memory.
    libc::SYS_brk,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    // Files and folders.
    libc::SYS_access,
    libc::SYS_openat,
    libc::SYS_newfstatat,
    libc::SYS_lseek,
    libc::SYS_pread64,
    libc::SYS_getdents64,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_unlinkat,
    // Threads, forks and signals.
    libc::SYS_clone,
    libc::SYS_wait4,
    libc::SYS_getpid,
    libc::SYS_futex,
    libc::SYS_gettid,
    libc::SYS_sched_yield,
    libc::SYS_rt_sigaction,
];
