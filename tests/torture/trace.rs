//! Runs a program under ptrace(2), with a seccomp(2) filter that stops it before each system
//! call that may be of interest, and makes one of these calls fail.
//!
//! Works for static and shared programs, raw system calls, threads and forked children alike.
//! For x86-64. Not for calls that the program makes before its exec has ended.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use libc::{c_int, c_long, c_uint, pid_t};

/// A system call that is about to be made.
#[derive(Clone, Debug)]
pub struct Call {
    thread: pid_t,
    pub number: c_long,
    pub arguments: [u64; 6],
}

/// What a descriptor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Descriptor {
    Socket {
        domain: c_int,
        carries: c_int,
    },
    /// An eventfd(2) or a set of epoll(7).
    Anonymous,
    /// A file, a pipe, or not open.
    Other,
}

impl Call {
    /// The descriptor that the call is about, its first argument.
    pub fn descriptor(&self) -> Descriptor {
        let fd = self.arguments[0] as c_int;
        match self.path() {
            Some(link) if link.starts_with("anon_inode:[eventfd]") => Descriptor::Anonymous,
            Some(link) if link.starts_with("anon_inode:[eventpoll]") => Descriptor::Anonymous,
            Some(link) if link.to_string_lossy().starts_with("socket:") => {
                let socket = self.copy(fd);
                let option = |name| socket.as_ref().map_or(-1, |socket| number_option(socket, name));
                Descriptor::Socket { domain: option(libc::SO_DOMAIN), carries: option(libc::SO_TYPE) }
            }
            _ => Descriptor::Other,
        }
    }

    /// The file that the call is about, by its first argument.
    pub fn path(&self) -> Option<PathBuf> {
        fs::read_link(format!("/proc/{}/fd/{}", self.thread, self.arguments[0] as c_int)).ok()
    }

    /// A copy of a descriptor of the process that makes the call.
    fn copy(&self, fd: c_int) -> Option<OwnedFd> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.thread)).ok()?;
        let process: pid_t =
            status.lines().find_map(|line| line.strip_prefix("Tgid:"))?.trim().parse().ok()?;
        // SAFETY: only numbers are passed, and what comes back is a new descriptor, or -1.
        unsafe {
            let process = owned(libc::syscall(libc::SYS_pidfd_open, process, 0))?;
            owned(libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), fd, 0))
        }
    }
}

/// # Safety
/// It is -1, or a descriptor that nobody else has.
unsafe fn owned(fd: c_long) -> Option<OwnedFd> {
    // SAFETY: as promised.
    (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd as c_int) })
}

fn number_option(socket: &OwnedFd, name: c_int) -> c_int {
    let mut value: c_int = -1;
    let mut len = size_of::<c_int>() as libc::socklen_t;
    // SAFETY: pointer and length are those of one int.
    unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, name, (&raw mut value).cast(), &mut len);
    }
    value
}

/// What is done to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// It is not made, and fails with this errno.
    FailUnmade(c_int),
    /// It is made, and fails with this errno all the same.
    FailMade(c_int),
    /// It is made with half of the length in this argument.
    Halve(usize),
    /// It is made with one piece of the `struct msghdr` in this argument.
    OnePiece(usize),
}

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    Exit(c_int),
    Signal(c_int),
    /// It did not end: where its threads were (the number of the system call first).
    Hang(String),
}

/// What a program left behind.
#[derive(Debug)]
pub struct Run {
    pub end: End,
    /// What it wrote to stdout and stderr.
    pub output: String,
    /// Sockets and the like that it still had open when it ended.
    pub open: Vec<String>,
    /// Processes that it left behind.
    pub orphans: usize,
}

/// Runs a program. `which` are the system calls that are stopped before, all of them where
/// there are none; `turn` is asked at each stop what to do.
pub fn run(
    program: &Path,
    arguments: &[String],
    which: &[c_long],
    limit: Duration,
    turn: &mut dyn FnMut(&Call) -> Option<Act>,
) -> io::Result<Run> {
    let output = memory_file()?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output.try_clone()?);
    let filter = filter(which);
    // SAFETY: between fork and exec there are only system calls, on memory made before.
    unsafe { command.pre_exec(move || be_traced(&filter)) };
    // The child is waited for by its number.
    let main = command.spawn()?.id() as pid_t;
    let mut tracer = Tracer {
        main,
        end: None,
        seen: BTreeSet::from([main]),
        running: BTreeSet::from([main]),
        exits: BTreeMap::new(),
        open: Vec::new(),
        orphans: 0,
    };
    let (ended, rest) = mpsc::channel::<()>();
    let watchdog = thread::spawn(move || kill_at_limit(main, limit, &rest));
    let traced = tracer.trace(turn, ended);
    let hang = watchdog.join().expect("a watchdog that does not panic");
    traced?;
    let end = tracer.end.ok_or_else(|| io::Error::other("its end was not seen"))?;
    Ok(Run {
        end: hang.map_or(end, End::Hang),
        output: String::from_utf8_lossy(&fs::read(format!("/proc/self/fd/{}", output.as_raw_fd()))?)
            .into_owned(),
        open: tracer.open,
        orphans: tracer.orphans,
    })
}

fn memory_file() -> io::Result<OwnedFd> {
    // SAFETY: the name is a C string, and what comes back is a new descriptor, or -1.
    unsafe { owned(libc::memfd_create(c"output".as_ptr(), libc::MFD_CLOEXEC).into()) }
        .ok_or_else(io::Error::last_os_error)
}

/// Ends the process at the limit, unless it is said to have ended. Where it was.
fn kill_at_limit(main: pid_t, limit: Duration, ended: &mpsc::Receiver<()>) -> Option<String> {
    match ended.recv_timeout(limit) {
        Err(RecvTimeoutError::Timeout) => {}
        _ => return None,
    }
    let mut places = String::new();
    for thread in fs::read_dir(format!("/proc/{main}/task")).into_iter().flatten().flatten() {
        let place = fs::read_to_string(thread.path().join("syscall")).unwrap_or_default();
        places += &format!("{}: {place}", thread.file_name().to_string_lossy());
    }
    kill(main);
    Some(places)
}

fn kill(process: pid_t) {
    // SAFETY: only numbers are passed. The process is one of ours that nobody has waited for.
    unsafe { libc::kill(process, libc::SIGKILL) };
}

/// The filter's program, see bpf(4) and seccomp(2).
fn filter(which: &[c_long]) -> Vec<libc::sock_filter> {
    let statement = |code, k| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k };
    let answer = |action| statement(libc::BPF_RET | libc::BPF_K, action);
    let when = |number: c_long, action| {
        let code = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
        [libc::sock_filter { code, jt: 0, jf: 1, k: number as u32 }, answer(action)]
    };
    // The number of the system call is the first word of `struct seccomp_data`.
    let mut program = vec![statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0)];
    // Before its exec has ended, nobody sees the stops.
    program.extend(when(libc::SYS_execve, libc::SECCOMP_RET_ALLOW));
    program.extend(which.iter().flat_map(|&number| when(number, libc::SECCOMP_RET_TRACE)));
    program.push(answer(if which.is_empty() { libc::SECCOMP_RET_TRACE } else { libc::SECCOMP_RET_ALLOW }));
    program
}

/// In the child, before its exec.
fn be_traced(filter: &[libc::sock_filter]) -> io::Result<()> {
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
    // SAFETY: the filter is only read, and lives until it is in place.
    let failed = unsafe {
        libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) != 0
            || libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
            || libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) != 0
    };
    if failed { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// What has to be done when a call that was changed comes back.
struct AtExit {
    register: Option<(usize, u64)>,
    memory: Option<(u64, u64)>,
    result: Option<c_int>,
}

struct Tracer {
    main: pid_t,
    end: Option<End>,
    /// Threads and processes that there ever were, and those that there are.
    seen: BTreeSet<pid_t>,
    running: BTreeSet<pid_t>,
    exits: BTreeMap<pid_t, AtExit>,
    open: Vec<String>,
    orphans: usize,
}

/// A syscall-stop, as PTRACE_O_TRACESYSGOOD marks it.
const SYSCALL_STOP: c_int = libc::SIGTRAP | 0x80;
/// Where `msg_iovlen` is in a `struct msghdr`.
const PIECES: u64 = std::mem::offset_of!(libc::msghdr, msg_iovlen) as u64;

impl Tracer {
    /// From the exec to the end of the last process.
    fn trace(
        &mut self,
        turn: &mut dyn FnMut(&Call) -> Option<Act>,
        ended: mpsc::Sender<()>,
    ) -> io::Result<()> {
        let mut ended = Some(ended);
        let mut begun = false;
        loop {
            let mut status = 0;
            // Only what this thread traces.
            let flags = libc::__WALL | libc::__WNOTHREAD;
            // SAFETY: `status` is an int to write to.
            let thread = unsafe { libc::waitpid(-1, &mut status, flags) };
            if thread < 0 {
                let error = io::Error::last_os_error();
                return if error.raw_os_error() == Some(libc::ECHILD) { Ok(()) } else { Err(error) };
            }
            if libc::WIFEXITED(status) || libc::WIFSIGNALED(status) {
                self.running.remove(&thread);
                if thread == self.main {
                    ended = None;
                    self.end = Some(if libc::WIFEXITED(status) {
                        End::Exit(libc::WEXITSTATUS(status))
                    } else {
                        End::Signal(libc::WTERMSIG(status))
                    });
                    self.orphans = self.running.len();
                    self.running.iter().for_each(|&process| kill(process));
                }
                continue;
            }
            if !begun {
                // It stands at the end of its exec.
                begun = true;
                let options = libc::PTRACE_O_TRACESECCOMP
                    | libc::PTRACE_O_TRACECLONE
                    | libc::PTRACE_O_TRACEFORK
                    | libc::PTRACE_O_TRACEVFORK
                    | libc::PTRACE_O_TRACEEXEC
                    | libc::PTRACE_O_TRACEEXIT
                    | libc::PTRACE_O_TRACESYSGOOD
                    | libc::PTRACE_O_EXITKILL;
                ptrace(libc::PTRACE_SETOPTIONS, thread, 0, options as u64);
            }
            self.running.insert(thread);
            if ended.is_none() {
                // One that was begun last is first seen now.
                self.orphans += usize::from(!self.seen.contains(&thread));
                kill(thread);
            }
            self.go_on(thread, status, turn);
        }
    }

    /// Looks why a thread has stopped, and lets it go on.
    fn go_on(&mut self, thread: pid_t, status: c_int, turn: &mut dyn FnMut(&Call) -> Option<Act>) {
        let new = self.seen.insert(thread);
        let mut request = libc::PTRACE_CONT;
        let mut signal = 0;
        match (libc::WSTOPSIG(status), status >> 16) {
            (libc::SIGTRAP, libc::PTRACE_EVENT_SECCOMP) => {
                if let Some(at_exit) = enter(thread, turn) {
                    self.exits.insert(thread, at_exit);
                    request = libc::PTRACE_SYSCALL;
                }
            }
            (libc::SIGTRAP, libc::PTRACE_EVENT_EXIT) if thread == self.main => {
                self.open = open_descriptors(thread);
            }
            (SYSCALL_STOP, _) => {
                if let Some(at_exit) = self.exits.remove(&thread) {
                    leave(thread, &at_exit);
                }
            }
            // The end of an exec, and how a new thread or process begins.
            (libc::SIGTRAP, _) => {}
            (libc::SIGSTOP, _) if new => {}
            (other, _) => signal = other,
        }
        ptrace(request, thread, 0, signal as u64);
    }
}

/// Before a call.
fn enter(thread: pid_t, turn: &mut dyn FnMut(&Call) -> Option<Act>) -> Option<AtExit> {
    let mut registers = registers(thread)?;
    let r = &registers;
    let call =
        Call { thread, number: r.orig_rax as c_long, arguments: [r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9] };
    let mut at_exit = AtExit { register: None, memory: None, result: None };
    match turn(&call)? {
        Act::FailUnmade(errno) => {
            registers.orig_rax = u64::MAX;
            registers.rax = i64::from(-errno) as u64;
            set_registers(thread, &registers);
            return None;
        }
        Act::FailMade(errno) => at_exit.result = Some(errno),
        Act::Halve(argument) => {
            let length = call.arguments[argument];
            at_exit.register = Some((argument, length));
            *register(&mut registers, argument) = (length / 2).max(1);
            set_registers(thread, &registers);
        }
        Act::OnePiece(argument) => {
            let place = call.arguments[argument] + PIECES;
            at_exit.memory = Some((place, peek(thread, place)));
            ptrace(libc::PTRACE_POKEDATA, thread, place, 1);
        }
    }
    Some(at_exit)
}

/// After a call: the program must find its registers and memory as they were.
fn leave(thread: pid_t, at_exit: &AtExit) {
    let Some(mut registers) = registers(thread) else { return };
    if let Some((argument, value)) = at_exit.register {
        *register(&mut registers, argument) = value;
    }
    if let Some((place, value)) = at_exit.memory {
        ptrace(libc::PTRACE_POKEDATA, thread, place, value);
    }
    if let Some(errno) = at_exit.result {
        registers.rax = i64::from(-errno) as u64;
    }
    set_registers(thread, &registers);
}

/// The register of an argument.
fn register(registers: &mut libc::user_regs_struct, argument: usize) -> &mut u64 {
    match argument {
        0 => &mut registers.rdi,
        1 => &mut registers.rsi,
        2 => &mut registers.rdx,
        3 => &mut registers.r10,
        4 => &mut registers.r8,
        _ => &mut registers.r9,
    }
}

/// A request that fails only where the thread was killed meanwhile.
fn ptrace(request: c_uint, thread: pid_t, address: u64, data: u64) {
    // SAFETY: none of the requests made here has the tracer's memory written to.
    unsafe { libc::ptrace(request, thread, address, data) };
}

/// The word at a place in the program's memory.
fn peek(thread: pid_t, place: u64) -> u64 {
    // SAFETY: the program's memory is read, not ours.
    unsafe { libc::ptrace(libc::PTRACE_PEEKDATA, thread, place, 0) as u64 }
}

fn registers(thread: pid_t) -> Option<libc::user_regs_struct> {
    // SAFETY: all-zero bytes are registers, and the call writes to nothing else.
    unsafe {
        let mut registers: libc::user_regs_struct = std::mem::zeroed();
        (libc::ptrace(libc::PTRACE_GETREGS, thread, 0, &raw mut registers) == 0).then_some(registers)
    }
}

fn set_registers(thread: pid_t, registers: &libc::user_regs_struct) {
    // SAFETY: the registers are only read.
    unsafe { libc::ptrace(libc::PTRACE_SETREGS, thread, 0, std::ptr::from_ref(registers)) };
}

/// Sockets, eventfds and epoll sets that a process has open.
fn open_descriptors(process: pid_t) -> Vec<String> {
    let entries = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
    let links = entries.filter_map(|entry| Some(fs::read_link(entry.path()).ok()?.display().to_string()));
    links.filter(|link| link.starts_with("socket:") || link.starts_with("anon_inode:")).collect()
}
