//! The system calls that the library makes, and what each may answer instead of success.
//!
//! The errors are those of the manual pages named in each row that a correct program can meet:
//! not EBADF, EFAULT and ENOTSOCK, which would be a defect of the library. EAGAIN stands for a
//! wake-up without a cause, as poll(2) and select(2) warn of, or another thread that was faster.
//!
//! "EMFILE" in a list is an error that the program may hear of by its namesake SK_EMFILE, with
//! that errno; "EINTR!" one that nobody hears of, because the call goes on; "EAGAIN=ADDRNOTAVAIL"
//! one that the program may hear of as SK_EADDRNOTAVAIL. That nobody hears of an error, because the
//! library found another way, is always right.

use libc::{c_int, c_long};

use super::trace::{Act, Call, Descriptor};

/// A system call, or one use of it.
pub struct Row {
    pub name: &'static str,
    number: c_long,
    is: fn(&Call) -> bool,
    failures: &'static [&'static str],
    /// How to have it move less.
    short: Option<Act>,
    /// It takes effect although it fails.
    made: bool,
}

const fn row(
    name: &'static str,
    number: c_long,
    is: fn(&Call) -> bool,
    failures: &'static [&'static str],
) -> Row {
    Row { name, number, is, failures, short: None, made: false }
}

/// What happens to a call.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    Fails(Failure),
    /// It moves less than it could.
    Short,
}

/// An error, and what the program may hear of it.
#[derive(Clone, Copy, Debug)]
pub struct Failure {
    name: &'static str,
    pub errno: c_int,
    /// Codes, if not the namesake.
    others: Option<&'static str>,
    ridden: bool,
}

impl Failure {
    /// From an entry of a list.
    fn new(entry: &'static str) -> Failure {
        let ridden = entry.ends_with('!');
        let (name, others) = match entry.split_once('=') {
            Some((name, others)) => (name, Some(others)),
            None => (entry.trim_end_matches('!'), None),
        };
        let errno = ERRNOS.iter().find(|(known, _)| *known == name);
        let &(_, errno) = errno.unwrap_or_else(|| panic!("the number of {name}"));
        Failure { name, errno, others, ridden }
    }

    /// The codes by which the program may hear of it.
    pub fn codes(&self) -> Vec<String> {
        match self.others {
            _ if self.ridden => Vec::new(),
            Some(others) => others.split('|').map(|code| format!("SK_E{code}")).collect(),
            None => vec![self.namesake()],
        }
    }

    fn namesake(&self) -> String {
        match self.name {
            "EPERM" => "SK_EACCES".to_string(),
            "ENODEV" => "SK_ENOENT".to_string(),
            "EIO" | "ELOOP" | "ENOTDIR" | "EROFS" => "SK_EOTHER".to_string(),
            name => format!("SK_{name}"),
        }
    }

    /// It is told with the errno that the system gave.
    pub fn keeps_errno(&self) -> bool {
        self.others.is_none()
    }
}

impl Fault {
    pub fn name(&self) -> &'static str {
        match self {
            Fault::Fails(failure) => failure.name,
            Fault::Short => "short",
        }
    }

    /// What one call lacks the next one may lack too; and signals come again and again.
    pub fn may_stay(&self) -> bool {
        ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"].contains(&self.name()) || self.is_interruption()
    }

    pub fn is_interruption(&self) -> bool {
        self.name() == "EINTR"
    }
}

impl Row {
    pub fn faults(&self) -> impl Iterator<Item = Fault> + use<> {
        let entries = self.failures.iter().flat_map(|list| list.split_whitespace());
        let short = self.short.map(|_| Fault::Short);
        entries.map(|entry| Fault::Fails(Failure::new(entry))).chain(short)
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
pub fn row_of(call: &Call) -> Option<&'static Row> {
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

/// The length of a transfer is its third argument.
const HALF: Option<Act> = Some(Act::Halve(2));
const ONE_PIECE: Option<Act> = Some(Act::OnePiece(1));

/// What a socket holds of the network's errors until the next call, see ip(7) and tcp(7).
const NETWORK: &str = "ENETDOWN ENETUNREACH EHOSTUNREACH";
/// EPERM: a packet filter.
const SEND: &[&str] = &["EINTR! EAGAIN! ECONNRESET EPIPE ETIMEDOUT ENOBUFS ENOMEM EPERM", NETWORK];
const SEND_DATAGRAM: &[&str] = &["EINTR! EAGAIN! ECONNREFUSED EMSGSIZE ENOBUFS ENOMEM EACCES EPERM", NETWORK];
const RECEIVE: &[&str] = &["EINTR! EAGAIN! ECONNRESET ETIMEDOUT ENOBUFS ENOMEM", NETWORK];
const RECEIVE_DATAGRAM: &[&str] = &["EINTR! EAGAIN! ECONNREFUSED ENOBUFS ENOMEM", NETWORK];

/// The first row that fits is a call's.
#[rustfmt::skip]
pub const ROWS: &[Row] = &[
    // socket(2)
    row("socket", libc::SYS_socket, any,
        &["EAFNOSUPPORT EINVAL EMFILE ENFILE ENOBUFS ENOMEM EPROTONOSUPPORT EACCES EPERM"]),
    // socketpair(2), socket(2)
    row("socketpair", libc::SYS_socketpair, any,
        &["EAFNOSUPPORT EMFILE ENFILE ENOBUFS ENOMEM EOPNOTSUPP EPROTONOSUPPORT"]),
    // bind(2), unix(7)
    row("bind", libc::SYS_bind, any, &["EADDRINUSE EADDRNOTAVAIL ENOMEM ENOENT EACCES EPERM"]),
    // listen(2)
    row("listen", libc::SYS_listen, any, &["EADDRINUSE"]),
    // accept(2): errors of the network that wait on the connection are like EAGAIN, "retry".
    row("accept4", libc::SYS_accept4, any,
        &["EINTR! EAGAIN! ECONNABORTED! EPROTO! ENETDOWN! ENOPROTOOPT! EHOSTDOWN! ENONET! EHOSTUNREACH! ENETUNREACH!",
          "EMFILE ENFILE ENOBUFS ENOMEM EPERM"]),
    // connect(2), tcp(7). EINPROGRESS and EALREADY come by themselves. EAGAIN: no local port is
    // free. ECONNABORTED: an earlier attempt has failed.
    row("connect (TCP)", libc::SYS_connect, tcp,
        &["EINTR! EAGAIN=ADDRNOTAVAIL EADDRINUSE EADDRNOTAVAIL ECONNREFUSED ECONNRESET ECONNABORTED ETIMEDOUT",
          "ENOBUFS ENOMEM EACCES EPERM", NETWORK]),
    // connect(2), unix(7). EAGAIN: the peer's queue is full.
    row("connect (Unix)", libc::SYS_connect, unix_connection,
        &["EINTR! EAGAIN! ECONNREFUSED ENOENT ENOMEM EACCES EPERM"]),
    // connect(2), unix(7). With this sk_serve asks whether a server is alive, too.
    row("connect (Unix datagrams)", libc::SYS_connect, unix_datagram,
        &["EINTR! ECONNREFUSED ENOMEM EACCES=ACCES|ADDRINUSE EPERM=ACCES|ADDRINUSE ENOENT=NOENT|ADDRINUSE"]),
    // connect(2), udp(7), ip(7)
    row("connect (datagrams)", libc::SYS_connect, any,
        &["EINTR! EAGAIN=ADDRNOTAVAIL|AGAIN EADDRNOTAVAIL ECONNREFUSED ENETUNREACH EHOSTUNREACH",
          "ENOBUFS ENOMEM EACCES EPERM"]),
    // send(2), tcp(7), ip(7), unix(7)
    Row { short: HALF, ..row("sendto (stream)", libc::SYS_sendto, stream, SEND) },
    row("sendto (seqpacket)", libc::SYS_sendto, seqpacket, SEND),
    // send(2), udp(7), ip(7)
    row("sendto (datagrams)", libc::SYS_sendto, datagram, SEND_DATAGRAM),
    // recv(2), tcp(7), ip(7), unix(7)
    Row { short: HALF, ..row("recvfrom (stream)", libc::SYS_recvfrom, stream, RECEIVE) },
    row("recvfrom (seqpacket)", libc::SYS_recvfrom, seqpacket, RECEIVE),
    // recv(2), udp(7), ip(7)
    row("recvfrom (datagrams)", libc::SYS_recvfrom, datagram, RECEIVE_DATAGRAM),
    // The same for lists and control data: sendmsg(2), recvmsg(2), unix(7)
    Row { short: ONE_PIECE, ..row("sendmsg (stream)", libc::SYS_sendmsg, stream, SEND) },
    row("sendmsg (seqpacket)", libc::SYS_sendmsg, seqpacket, SEND),
    row("sendmsg (datagrams)", libc::SYS_sendmsg, datagram, SEND_DATAGRAM),
    Row { short: ONE_PIECE, ..row("recvmsg (stream)", libc::SYS_recvmsg, stream, RECEIVE) },
    row("recvmsg (seqpacket)", libc::SYS_recvmsg, seqpacket, RECEIVE),
    row("recvmsg (datagrams)", libc::SYS_recvmsg, datagram, RECEIVE_DATAGRAM),
    // sendmmsg(2), recvmmsg(2): the third argument is the number of messages. EINVAL, EIO, EOPNOTSUPP:
    // the system can't cut into segments, see udp(7).
    Row { short: HALF, ..row("sendmmsg", libc::SYS_sendmmsg, any,
        &["EINTR! EAGAIN! ECONNREFUSED EMSGSIZE ENOBUFS ENOMEM EACCES EPERM EINVAL EIO EOPNOTSUPP", NETWORK]) },
    Row { short: HALF, ..row("recvmmsg", libc::SYS_recvmmsg, any, RECEIVE_DATAGRAM) },
    // sendfile(2), and what send(2) says. EINVAL, ENOSYS: not this file.
    Row { short: Some(Act::Halve(3)), ..row("sendfile", libc::SYS_sendfile, any,
        &["EINTR! EAGAIN! EINVAL! ENOSYS! EIO ECONNRESET EPIPE ETIMEDOUT ENOBUFS ENOMEM EPERM", NETWORK]) },
    // pread(2)
    Row { short: HALF, ..row("pread64", libc::SYS_pread64, proc_file, &["EINTR! EIO"]) },
    // shutdown(2). What is not connected is shut down all the same, which is what wakes a listener.
    Row { made: true, ..row("shutdown", libc::SYS_shutdown, any, &["ENOTCONN"]) },
    // getsockopt(2); ENOBUFS, ENOMEM: POSIX
    row("getsockopt", libc::SYS_getsockopt, any, &["ENOPROTOOPT=NOPROTOOPT|NOTSOCK ENOBUFS ENOMEM"]),
    // ip(7), ipv6(7), RFC 3678. EINVAL: not in that group; EADDRNOTAVAIL: of that source.
    row("setsockopt (groups)", libc::SYS_setsockopt, group,
        &["EINVAL=INVAL|ADDRNOTAVAIL EADDRNOTAVAIL=ADDRNOTAVAIL|ADDRINUSE ENODEV EADDRINUSE ENOBUFS ENOMEM"]),
    // setsockopt(2); ENOBUFS, ENOMEM: POSIX; EPERM: socket(7), SO_MARK and others
    row("setsockopt", libc::SYS_setsockopt, any, &["EINVAL ENOPROTOOPT ENOBUFS ENOMEM EACCES EPERM"]),
    // getsockname(2)
    row("getsockname", libc::SYS_getsockname, any, &["ENOBUFS"]),
    // getpeername(2)
    row("getpeername", libc::SYS_getpeername, any, &["ENOBUFS ENOTCONN"]),
    // netdevice(7)
    row("ioctl (interface)", libc::SYS_ioctl, interface, &["ENODEV=NOENT EACCES"]),
    // ioctl(2): FIONBIO, and tcp(7), udp(7). EACCES: a security module.
    row("ioctl", libc::SYS_ioctl, ours, &["EINVAL EACCES"]),
    // fcntl(2). EINVAL: the lowest number wanted lies beyond the limit.
    row("fcntl (F_DUPFD_CLOEXEC)", libc::SYS_fcntl, command::<{ libc::F_DUPFD_CLOEXEC }>,
        &["EMFILE EINVAL=MFILE"]),
    // dup(2)
    row("dup3", libc::SYS_dup3, ours, &["EINTR! EBUSY EMFILE"]),
    // close(2): the descriptor is gone all the same.
    Row { made: true, ..row("close", libc::SYS_close, ours, &["EINTR! EIO! ENOSPC! EDQUOT!"]) },
    // eventfd(2)
    row("eventfd2", libc::SYS_eventfd2, any, &["EMFILE ENFILE ENODEV ENOMEM"]),
    // read(2) and eventfd(2): another thread was faster.
    row("read (eventfd)", libc::SYS_read, event, &["EAGAIN!"]),
    // epoll_create(2)
    row("epoll_create1", libc::SYS_epoll_create1, any, &["EMFILE ENFILE ENOMEM"]),
    // epoll_ctl(2); ENOSPC: fs.epoll.max_user_watches
    row("epoll_ctl (EPOLL_CTL_ADD)", libc::SYS_epoll_ctl, command::<{ libc::EPOLL_CTL_ADD }>,
        &["ENOMEM ENOSPC=NOMEM"]),
    row("epoll_ctl", libc::SYS_epoll_ctl, any, &["ENOMEM"]),
    // epoll_wait(2)
    row("epoll_wait", libc::SYS_epoll_wait, any, &["EINTR!"]),
    // poll(2)
    row("ppoll", libc::SYS_ppoll, any, &["EINTR! ENOMEM EINVAL"]),
    // mmap(2)
    row("mmap", libc::SYS_mmap, table, &["EAGAIN ENFILE ENOMEM EACCES EPERM"]),
    // clone(2), pthread_create(3): a look-up's thread, or one of the program's own.
    row("clone3", libc::SYS_clone3, any, &["EAGAIN=NOMEM ENOMEM EPERM=ACCES|OTHER"]),
    // stat(2)
    row("lstat", libc::SYS_newfstatat, lstat,
        &["ENAMETOOLONG ENOMEM EACCES EPERM ENOENT=NOENT|ADDRINUSE ELOOP ENOTDIR"]),
    // unlink(2)
    row("unlink", libc::SYS_unlink, any, &["EBUSY EACCES EPERM ENOENT=NOENT|ADDRINUSE EROFS EIO"]),
];

macro_rules! errnos {
    ($($name:ident)*) => { &[$((stringify!($name), libc::$name)),*] };
}

const ERRNOS: &[(&str, c_int)] = errnos![
    EACCES EADDRINUSE EADDRNOTAVAIL EAFNOSUPPORT EAGAIN EBUSY ECONNABORTED ECONNREFUSED ECONNRESET
    EDQUOT EHOSTDOWN EHOSTUNREACH EINTR EINVAL EIO ELOOP EMFILE EMSGSIZE ENAMETOOLONG ENETDOWN
    ENETUNREACH ENFILE ENOBUFS ENODEV ENOENT ENOMEM ENONET ENOPROTOOPT ENOSPC ENOSYS ENOTCONN
    ENOTDIR EOPNOTSUPP EPERM EPIPE EPROTO EPROTONOSUPPORT EROFS ETIMEDOUT
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
