//! `echo_many`: ten thousand connections, descriptors that run out, and clients that do not read.

mod support;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use support::running::Running;
use support::{LIMIT, Language, Linking, compile, root, run_to_end};

fn program(linking: Linking) -> Command {
    Command::new(compile(&root().join("c-examples/echo_many.c"), Language::C, linking))
}

/// Runs it by the shell after a command, which may set limits. The server, its process, its port.
fn server(before: &str) -> (Running, u32, String) {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("echo $$; {before}; exec \"$0\"")]);
    let mut server = Running::start(shell.arg(program(Linking::Shared).get_program()));
    let process = server.expect("").parse().expect("a process");
    let bound = server.expect("bind:");
    let (address, _) = bound.split_once(',').expect("an address");
    (server, process, address.rsplit(':').next().expect("a port").to_string())
}

fn connect(port: &str) -> TcpStream {
    let stream = TcpStream::connect(format!("127.0.0.1:{port}")).expect("a connection");
    stream.set_read_timeout(Some(LIMIT)).expect("a limit");
    stream
}

/// What comes back for a word: the word, or all that the server says before it ends.
fn ask(stream: &mut TcpStream) -> String {
    let _ = stream.write_all(b"echo"); // it may have been sent away already
    let mut heard = [0; 4];
    stream.read_exact(&mut heard).expect("an answer");
    let mut heard = String::from_utf8_lossy(&heard).into_owned();
    if heard != "echo" {
        match stream.read_to_string(&mut heard) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
            _ => {}
        }
    }
    heard
}

/// What is said of those for whom there is no descriptor, once.
const WHY: &str = "somebody is sent away: No descriptor or handle is left in this process\n";

#[test]
fn ten_thousand_connections() {
    let finished = run_to_end(program(Linking::Static).arg("--self-test-big"));
    assert!(finished.status.success() && finished.stderr == WHY, "{finished:?}");
    let said = &finished.stdout;
    if said.contains("note:   descriptors for") {
        println!("skipped: {}", said.lines().next().expect("a line"));
        return;
    }
    assert!(said.contains("end:    30000 clients served, 1 sent away, "), "{said}");
    // The second and the third time need no more memory than the first.
    let with: Vec<u64> = said
        .lines()
        .filter_map(|line| line.split_once(" KiB before, ")?.1.split_once(" KiB with 10000 "))
        .map(|(kib, _)| kib.parse().expect("a number"))
        .collect();
    assert!(with.len() == 3 && with[2] <= with[0] + 64, "{said}");
}

#[test]
fn who_finds_no_descriptor_left_is_told() {
    let (server, _, port) = server("ulimit -n 40");
    let mut clients = Vec::new();
    let refused = loop {
        let mut client = connect(&port);
        let heard = ask(&mut client);
        if heard != "echo" {
            break heard;
        }
        clients.push(client);
    };
    assert_eq!(refused, "full: try again later\n");
    assert!(clients.len() > 20, "{}", clients.len());
    for _ in 0..100 {
        assert_eq!(ask(&mut connect(&port)), "full: try again later\n");
    }
    // The others were not disturbed, and a place that becomes free is taken.
    for client in &mut clients {
        assert_eq!(ask(client), "echo");
    }
    let freed = clients.pop().expect("a client");
    freed.shutdown(Shutdown::Write).expect("a connection");
    assert_eq!((&freed).read(&mut [0]).expect("the end"), 0);
    assert_eq!(ask(&mut connect(&port)), "echo");

    server.interrupt();
    let (status, said, errors) = server.finish();
    assert_eq!((status.code(), errors.as_str()), (Some(0), WHY), "{said}");
    assert!(said.contains(" clients served, 101 sent away, "), "{said}");
}

/// A client whose machine has died does not keep its place for ever: the system asks.
#[test]
fn silent_clients_are_asked() {
    let (server, _, port) = server("true");
    let mut client = connect(&port);
    assert_eq!(ask(&mut client), "echo");
    // The server's end of the connection, and its timer: 02 is that of keepalive (proc(5)). For a
    // moment it may be that of the answer, which is not acknowledged yet.
    let end = format!(":{:04X} ", port.parse::<u16>().expect("a port"));
    let deadline = Instant::now() + Duration::from_secs(5);
    let mut timer = String::new();
    while !timer.starts_with("02:") && Instant::now() < deadline {
        let table = fs::read_to_string("/proc/net/tcp").expect("the table of connections");
        let fields = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let mut ours = fields.filter(|field| field[3] == "01" && format!("{} ", field[1]).ends_with(&end));
        timer = ours.next().expect("our connection")[5].to_string();
    }
    assert!(timer.starts_with("02:"), "{timer}");
    let ticks = u64::from_str_radix(&timer[3..], 16).expect("a time");
    assert!(ticks <= 6000, "after {ticks} hundredths of a second");
    server.interrupt();
    assert!(server.finish().0.success());
}

#[test]
fn who_does_not_read_costs_no_memory_and_holds_up_nobody() {
    const LENGTH: usize = 30_000_000;
    let byte = |at: usize| (at % 251) as u8;
    let (server, process, port) = server("true");
    let mut greedy = connect(&port);
    let mut writing = greedy.try_clone().expect("a copy");
    let writer = thread::spawn(move || {
        let data: Vec<u8> = (0..LENGTH).map(byte).collect();
        writing.write_all(&data).expect("a server that takes it in the end");
        writing.shutdown(Shutdown::Write).expect("a connection");
    });
    // Others are answered while it does not read.
    for _ in 0..100 {
        let mut other = connect(&port);
        for _ in 0..10 {
            assert_eq!(ask(&mut other), "echo");
        }
    }
    let about = fs::read_to_string(format!("/proc/{process}/status")).expect("a process that lives");
    let resident = about.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line");
    let kib: u64 = resident.trim().split(' ').next().expect("a number").parse().expect("a number");
    assert!(kib < 10_000, "{kib} KiB");
    // And all of it is there when it reads at last.
    let mut echo = Vec::new();
    greedy.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit");
    greedy.read_to_end(&mut echo).expect("the echo");
    assert!(
        echo.len() == LENGTH && echo.iter().enumerate().all(|(at, &is)| is == byte(at)),
        "{}",
        echo.len()
    );
    writer.join().expect("no panic");
    server.interrupt();
    assert!(server.finish().0.success());
}
