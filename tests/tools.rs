//! `skcat` and `skperf`, the tools: skcat among its like and with the real nc at the other end,
//! skperf with whoever comes to its server.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::running::Running;
use support::{LIMIT, VARIANTS, compile, root, run_to_end};

/// One of the two; the variants take turns.
fn program(name: &str, variant: usize) -> Command {
    let (language, linking) = VARIANTS[variant % VARIANTS.len()];
    Command::new(compile(&root().join("c-examples").join(name).with_extension("c"), language, linking))
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Cat {
    Ours,
    /// Debian's netcat-openbsd.
    Nc,
}
use Cat::{Nc, Ours};

fn has_nc() -> bool {
    let help = Command::new("nc").arg("-h").stdin(Stdio::null()).output();
    let has = help.is_ok_and(|output| String::from_utf8_lossy(&output.stderr).contains("OpenBSD netcat"));
    if !has {
        println!("skipped: nc (netcat-openbsd) is not installed");
    }
    has
}

/// Who listens and who connects.
fn pairs() -> Vec<(Cat, Cat)> {
    if has_nc() { vec![(Ours, Ours), (Ours, Nc), (Nc, Ours)] } else { vec![(Ours, Ours)] }
}

fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tools").join(test);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// With input and output in files. What it says of itself is read as its output here.
fn cat(cat: Cat, arguments: &[&str], input: &Path, output: &Path) -> Command {
    let program = match cat {
        Ours => program("skcat", arguments.len()).get_program().to_owned(),
        Nc => "nc".into(),
    };
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"input=$1 output=$2; shift 2; exec "$@" < "$input" 2>&1 > "$output""#, "sh"]);
    shell.args([input, output]).arg(program).args(arguments);
    shell
}

/// Listens on a port of the system's choice, and says which.
fn listening(who: Cat, arguments: &[&str], input: &Path, output: &Path) -> (Running, String) {
    let arguments = [&["-v", "-l"], arguments, &["127.0.0.1", "0"]].concat();
    let mut listener = Running::start(&mut cat(who, &arguments, input, output));
    let said = match (who, arguments.contains(&"-u")) {
        (Ours, _) => listener.expect("bind: "),
        (Nc, false) => listener.expect("Listening on "),
        (Nc, true) => listener.expect("Bound on "),
    };
    let port = said.rsplit([':', ' ']).next().expect("a port").to_string();
    (listener, port)
}

fn ended(running: Running) {
    let (status, said, errors) = running.finish();
    assert!(status.success() && errors.is_empty(), "{status}: {said}{errors}");
}

/// More than fits into any queue on the way.
fn much(path: &Path, what: &str) -> String {
    let text: String = (0..400_000).map(|n| format!("{what} {n}\n")).collect();
    fs::write(path, &text).expect("a file");
    text
}

fn nothing() -> &'static Path {
    Path::new("/dev/null")
}

#[test]
fn a_stream_goes_from_who_connects_to_who_listens() {
    for (listens, connects) in pairs() {
        let folder = folder(&format!("up-{listens:?}-{connects:?}"));
        let text = much(&folder.join("in"), "line");
        let (listener, port) = listening(listens, &[], nothing(), &folder.join("out"));
        let mut connected =
            cat(connects, &["-N", "127.0.0.1", &port], &folder.join("in"), &folder.join("back"));
        let finished = run_to_end(&mut connected);
        assert!(finished.status.success(), "{listens:?} {connects:?}: {finished:?}");
        ended(listener);
        assert!(fs::read_to_string(folder.join("out")).expect("output") == text, "{listens:?} {connects:?}");
        assert_eq!(fs::read_to_string(folder.join("back")).expect("output"), "");
    }
}

#[test]
fn a_stream_goes_from_who_listens_to_who_connects() {
    for (listens, connects) in pairs() {
        let folder = folder(&format!("down-{listens:?}-{connects:?}"));
        let text = much(&folder.join("in"), "line");
        let (listener, port) = listening(listens, &["-N"], &folder.join("in"), nothing());
        let mut connected = cat(connects, &["127.0.0.1", &port], nothing(), &folder.join("out"));
        let finished = run_to_end(&mut connected);
        assert!(finished.status.success(), "{listens:?} {connects:?}: {finished:?}");
        ended(listener);
        assert!(fs::read_to_string(folder.join("out")).expect("output") == text, "{listens:?} {connects:?}");
    }
}

/// Each side ends on its own, and neither direction holds up the other. (Not with nc listening: it
/// ends with the other side's input, whatever of its own is still to be sent.)
#[test]
fn both_directions_carry_all_at_once() {
    for (listens, connects) in pairs().into_iter().filter(|(listens, _)| *listens == Ours) {
        let folder = folder(&format!("both-{connects:?}"));
        let (up, down) = (much(&folder.join("up"), "up"), much(&folder.join("down"), "down"));
        let (listener, port) = listening(listens, &["-N"], &folder.join("down"), &folder.join("listener"));
        let mut connected =
            cat(connects, &["-N", "127.0.0.1", &port], &folder.join("up"), &folder.join("connected"));
        let finished = run_to_end(&mut connected);
        assert!(finished.status.success(), "{connects:?}: {finished:?}");
        ended(listener);
        assert!(fs::read_to_string(folder.join("listener")).expect("output") == up, "{connects:?}");
        assert!(fs::read_to_string(folder.join("connected")).expect("output") == down, "{connects:?}");
    }
}

/// The other side says at once that it has nothing to say. What is there to be sent is still sent.
#[test]
fn a_half_close_loses_nothing_of_the_input() {
    let folder = folder("half-close");
    let text = much(&folder.join("in"), "line");
    let (listener, port) = listening(Ours, &[], &folder.join("in"), nothing());
    let mut client = TcpStream::connect(format!("127.0.0.1:{port}")).expect("a connection");
    client.set_read_timeout(Some(LIMIT)).expect("a limit");
    client.shutdown(std::net::Shutdown::Write).expect("a half-close");
    let mut heard = String::new();
    client.read_to_string(&mut heard).expect("all of it");
    assert_eq!((heard.len(), heard == text), (text.len(), true));
    ended(listener);
}

#[test]
fn datagrams_go_both_ways() {
    for (listens, connects) in pairs() {
        let folder = folder(&format!("udp-{listens:?}-{connects:?}"));
        fs::write(folder.join("in"), "a question\n").expect("a file");
        fs::write(folder.join("answer"), "an answer\n").expect("a file");
        // Nothing tells of the end: so silence does.
        let (listener, port) =
            listening(listens, &["-u", "-w", "2"], &folder.join("answer"), &folder.join("heard"));
        let arguments = ["-u", "-w", "2", "127.0.0.1", &port];
        let finished = run_to_end(&mut cat(connects, &arguments, &folder.join("in"), &folder.join("back")));
        assert!(finished.status.success(), "{listens:?} {connects:?}: {finished:?}");
        ended(listener);
        assert_eq!(fs::read_to_string(folder.join("heard")).expect("output"), "a question\n", "{listens:?}");
        assert_eq!(fs::read_to_string(folder.join("back")).expect("output"), "an answer\n", "{listens:?}");
    }
}

#[test]
fn unix_sockets_carry_too() {
    for (listens, connects) in pairs() {
        // nc that listens for datagrams can't answer a sender with an abstract name, as skcat has one.
        let kinds: &[bool] = if listens == Ours { &[false, true] } else { &[false] };
        for &datagrams in kinds {
            let folder = folder(&format!("unix-{listens:?}-{connects:?}-{datagrams}"));
            let short = format!("/tmp/skcat-{}-{listens:?}{connects:?}{datagrams}", std::process::id());
            let socket = Path::new(&short);
            fs::write(folder.join("in"), "over a path\n").expect("a file");
            let options: &[&str] = if datagrams { &["-u", "-w", "1"] } else { &["-N"] };
            let arguments = [options, &["-v", "-l", "-U", &short]].concat();
            let mut listener = Running::start(&mut cat(listens, &arguments, nothing(), &folder.join("out")));
            listener.expect(if listens == Ours { "bind: " } else { "Listening on " });
            let arguments = [options, &["-U", &short]].concat();
            let mut connected = cat(connects, &arguments, &folder.join("in"), &folder.join("back"));
            let finished = run_to_end(&mut connected);
            assert!(finished.status.success(), "{listens:?} {connects:?} {datagrams}: {finished:?}");
            ended(listener);
            let heard = fs::read_to_string(folder.join("out")).expect("output");
            assert_eq!(heard, "over a path\n", "{listens:?} {connects:?} {datagrams}");
            if listens == Ours {
                assert!(!socket.exists(), "the socket's file is left behind");
            }
            let _ = fs::remove_file(socket);
        }
    }
}

/// Ended as by kill too, it leaves nothing in the next one's way.
#[test]
fn a_signal_removes_the_socket_file() {
    let short = format!("/tmp/skcat-{}-signal", std::process::id());
    for signal in ["INT", "TERM"] {
        let mut listener =
            Running::start(&mut cat(Ours, &["-v", "-l", "-U", &short], nothing(), Path::new("/dev/null")));
        listener.expect("bind: ");
        listener.signal(signal);
        ended(listener);
        assert!(!Path::new(&short).exists(), "{signal} leaves the socket's file");
    }
}

#[test]
fn one_after_the_other_is_served() {
    let folder = folder("keep");
    let (listener, port) = listening(Ours, &["-k"], nothing(), &folder.join("out"));
    for line in ["first\n", "second\n", "third\n"] {
        let mut client = TcpStream::connect(format!("127.0.0.1:{port}")).expect("a connection");
        client.write_all(line.as_bytes()).expect("a listener");
        client.shutdown(std::net::Shutdown::Write).expect("a half-close");
        client.set_read_timeout(Some(LIMIT)).expect("a limit");
        assert_eq!(client.read(&mut [0; 1]).expect("the end"), 0);
    }
    listener.interrupt();
    ended(listener);
    assert_eq!(fs::read_to_string(folder.join("out")).expect("output"), "first\nsecond\nthird\n");
}

#[test]
fn a_connection_that_breaks_ends_no_service() {
    let folder = folder("break");
    fs::write(folder.join("in"), "hello\n").expect("a file");
    let (listener, port) = listening(Ours, &["-k"], &folder.join("in"), &folder.join("out"));
    let connect = || TcpStream::connect(format!("127.0.0.1:{port}")).expect("a connection");
    // Who goes and leaves something unread resets the connection.
    let first = connect();
    assert_eq!(first.peek(&mut [0; 1]).expect("its input"), 1);
    drop(first);
    let mut second = connect();
    second.write_all(b"second\n").expect("a listener");
    second.shutdown(std::net::Shutdown::Write).expect("a half-close");
    second.set_read_timeout(Some(LIMIT)).expect("a limit");
    assert_eq!(second.read(&mut [0; 1]).expect("the end"), 0);
    listener.interrupt();
    ended(listener);
    assert_eq!(fs::read_to_string(folder.join("out")).expect("output"), "second\n");
}

#[test]
fn looks_time_limits_and_refusals() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let port = silent.local_addr().expect("an address").port().to_string();

    let finished = run_to_end(program("skcat", 0).args(["-z", "127.0.0.1", &port]));
    assert!(finished.status.success(), "{finished:?}");
    assert_eq!(finished.stderr, format!("connected to 127.0.0.1:{port}\n"));

    // Nobody says anything: -w ends it, as with nc without a failure.
    let begin = Instant::now();
    let mut silent_ends = Running::start(program("skcat", 1).args(["-w", "1", "127.0.0.1", &port]));
    silent_ends.say("is anybody there?");
    let (status, said, _) = silent_ends.finish();
    assert!(status.success() && said.is_empty());
    assert!(begin.elapsed() >= Duration::from_secs(1));

    // -q: the input has ended, and the other side stays silent.
    let finished = run_to_end(program("skcat", 2).args(["-q", "0", "127.0.0.1", &port]));
    assert!(finished.status.success(), "{finished:?}");

    // A port that is taken, but not by a listener, so that no other test can get it.
    let client = TcpStream::connect(silent.local_addr().expect("an address")).expect("a connection");
    let taken = client.local_addr().expect("an address").port().to_string();
    let finished = run_to_end(program("skcat", 3).args(["127.0.0.1", &taken]));
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    assert!(
        finished.stderr.starts_with(&format!("not connected: 127.0.0.1:{taken}: The connection was refused")),
        "{finished:?}"
    );
}

#[test]
fn names_are_resolved() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let port = listener.local_addr().expect("an address").port().to_string();
    let finished = run_to_end(program("skcat", 0).args(["-4", "-z", "localhost", &port]));
    assert!(finished.status.success(), "{finished:?}");
    let finished = run_to_end(program("skcat", 0).args(["-w", "5", "no-such-host.invalid", &port]));
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    assert!(finished.stderr.starts_with("no-such-host.invalid failed: "), "{finished:?}");
}

fn perf_server(variant: usize) -> (Running, String) {
    let mut server = Running::start(program("skperf", variant).arg("-s"));
    let port = server.expect("bind:").rsplit(':').next().expect("a port").to_string();
    (server, port)
}

/// The number before a word.
fn before(text: &str, word: &str) -> f64 {
    let number =
        text.split(word).next().and_then(|rest| rest.rsplit([' ', '(']).find(|part| !part.is_empty()));
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("no number before {word} in {text}"))
}

#[test]
fn rates_are_measured_both_ways_over_tcp_and_udp() {
    let (server, port) = perf_server(1);
    let base = ["-c", "127.0.0.1", "-p", port.as_str(), "-t", "2", "-b", "8"];
    for (variant, options) in [&[][..], &["-R"], &["-u"], &["-u", "-R"]].into_iter().enumerate() {
        let finished = run_to_end(program("skperf", variant).args(base).args(options));
        let said = &finished.stdout;
        assert!(finished.status.success() && finished.stderr.is_empty(), "{options:?}: {finished:?}");
        // A line for each second, and never more than was asked for.
        assert!(said.lines().filter(|line| line.contains(" MB ")).count() >= 2, "{options:?}: {said}");
        let received = said.lines().find(|line| line.starts_with("received:")).expect("a summary");
        let bytes = before(received, " bytes");
        assert!(bytes > 0.0 && bytes <= 2_000_000.0 + 131_072.0, "{options:?}: {said}");
        if options.contains(&"-u") {
            let lost = said.lines().find(|line| line.starts_with("lost:")).expect("what was lost");
            assert!(before(lost, " datagrams") > 0.0 && lost.contains("jitter"), "{said}");
        } else if options.is_empty() {
            let sent = said.lines().find(|line| line.starts_with("sent:")).expect("a summary");
            assert_eq!(before(sent, " bytes"), bytes, "{said}");
        }
    }
    server.interrupt();
    let (status, said, errors) = server.finish();
    assert!(status.success() && errors.is_empty(), "{status}: {said}{errors}");
    assert_eq!(said.lines().filter(|line| line.starts_with("client:")).count(), 4, "{said}");
}

#[test]
fn strangers_do_not_stop_the_server() {
    let (server, port) = perf_server(2);
    // One who talks nonsense, one who leaves at once, and one in order.
    let mut stranger = TcpStream::connect(format!("127.0.0.1:{port}")).expect("a connection");
    stranger.write_all(b"GET / HTTP/1.1\r\nHost: skperf\r\n\r\n").expect("a server");
    drop(TcpStream::connect(format!("127.0.0.1:{port}")).expect("a connection"));
    let arguments = ["-c", "127.0.0.1", "-p", &port, "-t", "1", "-b", "1"];
    let finished = run_to_end(program("skperf", 3).args(arguments));
    assert!(finished.status.success(), "{finished:?}");
    server.interrupt();
    let (status, _, errors) = server.finish();
    assert!(status.success(), "{status}: {errors}");
    assert!(errors.starts_with("that is no request of skperf\n"), "{errors}");
}

#[test]
fn a_server_that_is_none_is_told() {
    let other = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let port = other.local_addr().expect("an address").port().to_string();
    let client = Running::start(program("skperf", 0).args(["-c", "127.0.0.1", "-p", &port]));
    let (mut accepted, _) = other.accept().expect("a client");
    accepted.read_exact(&mut [0; 32]).expect("a request");
    accepted.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").expect("a client");
    let (status, _, errors) = client.finish();
    assert_eq!((status.code(), errors.as_str()), (Some(1), "that is no skperf server\n"));
}

#[test]
fn interrupts_end_the_tools_cleanly() {
    for variant in 0..VARIANTS.len() {
        let (server, port) = perf_server(variant);
        let mut client =
            Running::start(program("skperf", variant).args(["-c", "127.0.0.1", "-p", &port, "-b", "1"]));
        client.expect("  0.00 - ");
        client.interrupt();
        ended(client);
        server.interrupt();
        let (status, said, _) = server.finish(); // the client broke off: the server may say so
        assert!(status.success(), "{said}");

        let silent = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let port = silent.local_addr().expect("an address").port().to_string();
        let cat = Running::start(program("skcat", variant).args(["127.0.0.1", &port]));
        let _held = silent.accept().expect("a client");
        cat.interrupt();
        ended(cat);
    }
}
