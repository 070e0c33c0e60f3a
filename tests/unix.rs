//! `unix_echo`: streams and datagrams between processes, who they are, and a connection that one
//! passes to another.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use support::run::Finished;
use support::running::Running;
use support::{LIMIT, VARIANTS, compile, root, run_to_end};

/// Begins with its process id, and then becomes the program.
fn program(variant: usize) -> Command {
    let (language, linking) = VARIANTS[variant % VARIANTS.len()];
    let mut shell = Command::new("sh");
    shell.args(["-c", "echo process $$; exec \"$0\" \"$@\""]);
    shell.arg(compile(&root().join("c-examples/unix_echo.c"), language, linking));
    shell
}

/// A folder of a test's own. Not below the target directory, whose path may be too long.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("sk-unix-{}-{test}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        Folder(path)
    }

    fn path(&self) -> String {
        self.0.join("echo").display().to_string()
    }

    fn files(&self) -> usize {
        fs::read_dir(&self.0).expect("the folder").count()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A server, and its process.
fn server(variant: usize, path: &str) -> (Running, u32) {
    let mut server = Running::start(program(variant).args(["server", path]));
    let process = server.expect("process ").parse().expect("a number");
    server.expect("bind:");
    (server, process)
}

fn client(variant: usize, path: &str, messages: &[&str]) -> (Finished, u32) {
    let finished = run_to_end(program(variant).args(["client", path]).args(messages));
    let process = finished.stdout.lines().next().and_then(|line| line.strip_prefix("process "));
    let process = process.expect("its process").parse().expect("a number");
    (finished, process)
}

fn stopped(server: Running) -> String {
    server.interrupt();
    let (status, said, errors) = server.finish();
    assert_eq!((status.code(), errors.as_str()), (Some(0), ""), "{said}");
    said
}

#[test]
fn both_ways_bring_it_back_and_both_ends_know_each_other() {
    for variant in 0..VARIANTS.len() {
        let folder = Folder::new(&format!("both-{variant}"));
        // A name without a file, the last time.
        let path = match variant {
            3 => format!("@sk-unix-{}", std::process::id()),
            _ => folder.path(),
        };
        let (mut running, serving) = server(variant, &path);
        let user = fs::metadata("/proc/self").expect("this process").uid();
        let (finished, process) = client(variant + 1, &path, &["hello", "안녕"]);
        assert!(finished.status.success() && finished.stderr.is_empty(), "{finished:?}");
        let (_, said) = finished.stdout.split_once('\n').expect("lines");
        assert_eq!(
            said,
            format!(
                "client: the stream brought back: hello\nclient: the stream brought back: 안녕\n\
                 client: process {serving} of user {user} made the listener\n\
                 client: a datagram brought back: hello\nclient: a datagram brought back: 안녕\n"
            )
        );
        assert!(running.expect("accept:").starts_with(&format!("process {process} of user {user}, ")));
        let worker = running.expect("worker: process ");
        let worker: u32 = worker.split(' ').next().and_then(|word| word.parse().ok()).expect("a number");
        assert!(worker != serving && worker != process);
        assert_eq!(running.expect("worker:"), "11 bytes went back");
        assert!(running.expect("recv:").starts_with("a datagram of 5 bytes from unix:@"));
        stopped(running);
        assert_eq!(folder.files(), 0);
        assert!(!Path::new(&format!("/proc/{worker}")).exists());
    }
}

#[test]
fn a_dead_servers_file_gives_way_and_a_live_ones_does_not() {
    let folder = Folder::new("dead");
    let path = folder.path();
    drop(UnixListener::bind(&path).expect("a listener"));
    drop(UnixDatagram::bind(format!("{path}.dgram")).expect("a socket"));
    let (running, _) = server(0, &path);
    let second = run_to_end(program(1).args(["server", &path]));
    assert_eq!(second.status.code(), Some(1), "{second:?}");
    assert!(second.stderr.starts_with("sk_serve failed: "), "{second:?}");
    assert_eq!(folder.files(), 2);
    assert!(client(2, &path, &["still there"]).0.status.success());
    stopped(running);
    assert_eq!(folder.files(), 0);

    // Another kind of file stays what it is.
    fs::write(&path, "mine").expect("a file");
    let second = run_to_end(program(1).args(["server", &path]));
    assert_eq!(second.status.code(), Some(1), "{second:?}");
    assert_eq!(fs::read(&path).expect("the file"), b"mine");
}

#[test]
fn others_can_talk_to_it() {
    let folder = Folder::new("others");
    let path = folder.path();
    let (mut running, _) = server(1, &path);
    // While one connection is open others wait for the worker, and datagrams do not.
    let mut stream = UnixStream::connect(&path).expect("a connection");
    stream.set_read_timeout(Some(LIMIT)).expect("a limit");
    stream.write_all(b"one two").expect("a server that listens");
    let mut heard = [0; 7];
    stream.read_exact(&mut heard).expect("the echo");
    assert_eq!(&heard, b"one two");

    // A datagram from nobody can't be answered, and does no harm.
    let to = format!("{path}.dgram");
    UnixDatagram::unbound().expect("a socket").send_to(b"from nobody", &to).expect("a server");
    assert_eq!(running.expect("recv:"), "a datagram of 11 bytes from unix:");
    let named = UnixDatagram::bind(format!("{path}.peer")).expect("a socket");
    named.set_read_timeout(Some(LIMIT)).expect("a limit");
    named.send_to(b"three", &to).expect("a server");
    let (got, from) = named.recv_from(&mut heard).expect("the echo");
    assert_eq!((&heard[..got], from.as_pathname()), (&b"three"[..], Some(Path::new(&to))));

    let mut second = UnixStream::connect(&path).expect("a connection");
    second.set_read_timeout(Some(LIMIT)).expect("a limit");
    second.write_all(b"second!").expect("a queue");
    stream.shutdown(Shutdown::Write).expect("a connection");
    assert_eq!(stream.read(&mut heard).expect("the end"), 0);
    second.read_exact(&mut heard).expect("the echo");
    assert_eq!(&heard, b"second!");
    // With a client still connected.
    stopped(running);
    assert_eq!(second.read(&mut heard).expect("the end"), 0);
}

#[test]
fn the_client_says_that_nobody_serves() {
    let folder = Folder::new("nobody");
    let path = folder.path();
    let (finished, _) = client(0, &path, &["hello"]);
    let words = format!("{path}: nobody serves there\n");
    assert_eq!((finished.status.code(), finished.stderr), (Some(1), words.clone()));
    drop(UnixListener::bind(&path).expect("a listener"));
    let (finished, _) = client(0, &path, &["hello"]);
    assert_eq!((finished.status.code(), finished.stderr), (Some(1), words));
}
