//! Every program in `c-examples/`, as its users get it: linked with the static and the shared
//! library, compiled as C and as C++, run, interrupted, and looked at by valgrind.

mod support;

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use support::running::Running;
use support::{Language, Linking, VARIANTS, compile, examples, has, run, run_to_end};

fn program(name: &str, (language, linking): (Language, Linking)) -> Command {
    let source = support::root().join("c-examples").join(name).with_extension("c");
    Command::new(compile(&source, language, linking))
}

fn every_program() -> impl Iterator<Item = PathBuf> {
    examples().into_iter().flat_map(|source| {
        VARIANTS.into_iter().map(move |(language, linking)| compile(&source, language, linking))
    })
}

/// The port in a line that a server prints.
fn port(text: &str) -> String {
    text.rsplit([':', ' ']).next().expect("a last word").to_string()
}

/// What every other test here relies on.
#[test]
fn a_program_that_hangs_is_ended_at_its_limit() {
    let begin = Instant::now();
    let mut hanging = Command::new("sh");
    let result = run::run(hanging.args(["-c", "echo begun; exec sleep 600"]), Duration::from_millis(300));
    let message = result.expect_err("no end in time");
    assert!(message.contains("not done within 300ms") && message.contains("begun\n"), "{message}");
    assert!(begin.elapsed() < Duration::from_secs(60));
}

#[test]
fn self_tests_pass() {
    for program in every_program() {
        let finished = run_to_end(Command::new(&program).arg("--self-test"));
        assert!(finished.status.success(), "{}: {finished:?}", program.display());
        assert_eq!(finished.stdout.lines().last(), Some("self-test: passed"), "{}", program.display());
    }
}

#[test]
fn help_is_given() {
    for program in every_program() {
        let finished = run_to_end(Command::new(&program).arg("--help"));
        assert!(finished.status.success(), "{}: {finished:?}", program.display());
        assert!(finished.stdout.starts_with("usage: "), "{}: {finished:?}", program.display());
        assert_eq!(finished.stderr, "", "{}", program.display());
    }
}

#[test]
fn wrong_arguments_get_the_usage_and_a_failure() {
    for program in every_program() {
        let finished = run_to_end(Command::new(&program).args(["--port", "65536"]));
        assert!(!finished.status.success(), "{}: {finished:?}", program.display());
        assert!(finished.stderr.starts_with("usage: "), "{}: {finished:?}", program.display());
        assert_eq!(finished.stdout, "", "{}", program.display());
    }
}

#[test]
fn what_can_not_be_written_is_a_failure() {
    let fails = |program: &PathBuf, argument: &str| {
        let full = File::options().write(true).open("/dev/full").expect("a full device");
        let status = Command::new(program).arg(argument).stdout(full).status().expect("a program");
        assert_eq!(status.code(), Some(1), "{} {argument}", program.display());
    };
    every_program().for_each(|program| fails(&program, "--help"));
    for name in ["what_is_a_socket", "echo_server", "echo_client", "udp_echo"] {
        fails(&program(name, VARIANTS[0]).get_program().into(), "--self-test");
    }
}

/// Without an input or output of its own a program must not take its socket for one.
#[test]
fn what_is_printed_does_not_go_to_the_peer() {
    for (name, message, missing) in [
        ("echo_client", "hello", "<&-"),
        ("echo_client", "hello", ">&-"),
        ("echo_client", "hello", "<&- >&- 2>&-"),
        ("chat_client", "hello", "<&-"),
        ("chat_client", "hello", ">&-"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let port = listener.local_addr().expect("an address").port().to_string();
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("exec \"$@\" {missing}"), "sh"]);
        shell.arg(program(name, VARIANTS[0]).get_program()).args(["127.0.0.1", &port, message]);
        let running = Running::start(&mut shell);
        let (mut stream, _) = listener.accept().expect("a client");
        stream.set_read_timeout(Some(support::LIMIT)).expect("a limit");
        let mut heard = vec![0; message.len()];
        stream.read_exact(&mut heard).expect("the message");
        stream.write_all(&heard).expect("a client");
        stream.shutdown(std::net::Shutdown::Write).expect("a half-close");
        stream.read_to_end(&mut heard).expect("the client's end");
        assert_eq!(String::from_utf8_lossy(&heard).trim_end(), message, "{name} {missing}");
        running.finish();
    }
}

#[test]
fn a_bad_address_and_an_empty_number_are_told() {
    let finished = run_to_end(program("udp_echo", VARIANTS[0]).args(["server", "0", "203.0.113.9"]));
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    assert_eq!(finished.stderr, "sk_bind failed: The address is not available on this machine\n");
    let finished = run_to_end(program("echo_server", VARIANTS[0]).args(["--port", "", "--once", "1"]));
    assert!(finished.status.code() == Some(1) && finished.stderr.starts_with("usage:"), "{finished:?}");
}

#[test]
fn server_and_client_converse() {
    // Each variant once on either side.
    for (server, client) in VARIANTS.into_iter().zip(VARIANTS.into_iter().rev()) {
        let mut server =
            Running::start(program("echo_server", server).args(["--backlog", "3", "--once", "2"]));
        let port = port(&server.expect("bind:"));
        assert_eq!(server.expect("listen:"), "up to 3 clients may wait in its queue");

        let finished =
            run_to_end(program("echo_client", client).args(["127.0.0.1", &port, "good morning", "안녕"]));
        assert!(finished.status.success(), "{finished:?}");
        assert_eq!(
            finished.stdout,
            format!(
                "connect: to 127.0.0.1, port {port}\nsend:    good morning\nrecv:    good morning\n\
                 send:    안녕\nrecv:    안녕\nclose:   done\n"
            )
        );

        let mut typed = Running::start(program("echo_client", client).args(["localhost", &port]));
        typed.say("first line");
        assert_eq!(typed.expect("recv:"), "first line");
        typed.say("second line");
        assert_eq!(typed.expect("recv:"), "second line");
        let (status, _, errors) = typed.finish();
        assert!(status.success() && errors.is_empty(), "{status}: {errors}");

        let (status, said, errors) = server.finish();
        assert!(status.success() && errors.is_empty(), "{status}: {errors}");
        for line in ["accept: client 2, 127.0.0.1:", "recv:   21 bytes came", "end:    clients served: 2"] {
            assert!(said.contains(line), "no {line:?} in:\n{said}");
        }
    }
}

#[test]
fn server_listens_where_it_is_told() {
    for host in ["127.0.0.2", "::1"] {
        if TcpListener::bind((host, 0)).is_err() {
            println!("skipped: this machine has no {host}");
            continue;
        }
        let mut server =
            Running::start(program("echo_server", VARIANTS[0]).args(["--host", host, "--once", "1"]));
        let port = port(&server.expect("bind:"));
        let finished = run_to_end(program("echo_client", VARIANTS[0]).args([host, &port, "hello"]));
        assert!(finished.status.success() && finished.stdout.contains("recv:    hello\n"), "{finished:?}");
        assert!(server.finish().0.success());
    }
}

#[test]
fn client_says_that_nobody_listens() {
    // A port that is taken, but not by a listener, so that no other test can get it.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let taken = TcpStream::connect(listener.local_addr().expect("an address")).expect("a connection");
    let port = taken.local_addr().expect("an address").port().to_string();

    let finished = run_to_end(program("echo_client", VARIANTS[0]).args(["127.0.0.1", &port, "hello"]));
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    assert_eq!(
        finished.stderr,
        format!("127.0.0.1 refused the connection: no server listens on port {port}\n")
    );
}

#[test]
fn client_says_that_no_answer_came() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let port = silent.local_addr().expect("an address").port().to_string();
    let finished = run_to_end(program("echo_client", VARIANTS[0]).args(["127.0.0.1", &port, "hello"]));
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    assert_eq!(finished.stderr, "no answer in time: 0 of 5 bytes came\n");
}

#[test]
fn datagrams_are_counted() {
    let mut server = Running::start(program("udp_echo", VARIANTS[0]).arg("server"));
    let port = port(&server.expect("server:"));
    let finished = run_to_end(program("udp_echo", VARIANTS[3]).args(["client", "127.0.0.1", &port, "1000"]));
    assert!(finished.status.success(), "{finished:?}");
    // Loopback loses nothing where one datagram is on its way at a time.
    assert!(
        finished.stdout.ends_with("1000 sent, 1000 answered in time, 0 late, 0 lost, 0 came again\n"),
        "{finished:?}"
    );
    // A large one comes back whole.
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.set_read_timeout(Some(support::LIMIT)).expect("a limit");
    let (sent, mut heard) = (vec![7; 60000], vec![0; 65536]);
    socket.send_to(&sent, format!("127.0.0.1:{port}")).expect("a server");
    assert_eq!(socket.recv(&mut heard).expect("the echo"), sent.len());
    server.interrupt();
    let (status, _, errors) = server.finish();
    assert!(status.success() && errors.is_empty(), "{status}: {errors}");
}

/// A line is one message, or it is too long; never two.
#[test]
fn a_message_has_its_length() {
    for (length, fits) in [(1023, true), (1024, false), (3000, false)] {
        let mut server = Running::start(program("echo_server", VARIANTS[1]).args(["--once", "1"]));
        let port = port(&server.expect("bind:"));
        let message = "x".repeat(length);
        let mut client = Running::start(program("echo_client", VARIANTS[0]).args(["127.0.0.1", &port]));
        client.say(&message);
        let (status, said, errors) = client.finish();
        assert_eq!((status.success(), said.matches("send:").count()), (fits, fits.into()), "{said}{errors}");
        server.finish();
    }
}

/// Interrupts a program that waits; it must end with success and without a complaint.
fn interrupted(running: Running) -> String {
    running.interrupt();
    let (status, said, errors) = running.finish();
    assert_eq!((status.code(), errors.as_str()), (Some(0), ""), "{said}");
    said
}

#[test]
fn interrupts_end_the_programs_cleanly() {
    for variant in VARIANTS {
        let mut idle = Running::start(&mut program("echo_server", variant));
        idle.expect("listen:");
        assert!(interrupted(idle).ends_with("end:    clients served: 0\n"));

        let mut serving = Running::start(&mut program("echo_server", variant));
        let server_port = port(&serving.expect("bind:"));
        let mut client = Running::start(program("echo_client", variant).args(["127.0.0.1", &server_port]));
        client.say("hello");
        assert_eq!(client.expect("recv:"), "hello");
        interrupted(client);
        let _held =
            TcpStream::connect(("127.0.0.1", server_port.parse().expect("a port"))).expect("a connection");
        serving.expect("accept: client 2");
        assert!(interrupted(serving).ends_with("end:    clients served: 2\n"));

        let mut datagrams = Running::start(program("udp_echo", variant).arg("server"));
        datagrams.expect("server:");
        interrupted(datagrams);

        let silent = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let silent_port = silent.local_addr().expect("an address").port().to_string();
        let mut asking =
            Running::start(program("udp_echo", variant).args(["client", "127.0.0.1", &silent_port]));
        asking.expect("client:");
        assert!(interrupted(asking).contains(" sent, "));
    }
}

#[test]
fn valgrind_finds_no_error_no_leak_and_no_open_descriptor() {
    if !has("valgrind") {
        println!("skipped: valgrind is not installed");
        return;
    }
    const FLAGS: &[&str] = &[
        "--leak-check=full",
        "--show-leak-kinds=all",
        "--errors-for-leak-kinds=all",
        "--track-fds=yes",
        "--error-exitcode=9",
    ];
    for source in examples() {
        for linking in [Linking::Static, Linking::Shared] {
            let program = compile(&source, Language::C, linking);
            let finished = run_to_end(Command::new("valgrind").args(FLAGS).arg(&program).arg("--self-test"));
            let report = &finished.stderr;
            assert_eq!(finished.status.code(), Some(0), "{}:\n{report}", program.display());
            assert!(report.contains("ERROR SUMMARY: 0 errors"), "{}:\n{report}", program.display());
            let open = report.lines().filter(|line| line.contains("Open ")).count();
            let inherited = report.lines().filter(|line| line.contains("<inherited from parent>")).count();
            assert_eq!(open, inherited, "{}:\n{report}", program.display());
        }
    }
}
