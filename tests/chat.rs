//! `chat_server` and `chat_client`: anybody may speak at any time, and nobody waits for those
//! who do not read.

mod support;

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use support::running::Running;
use support::{LIMIT, VARIANTS, compile, has, root};

/// One of the two; the variants take turns.
fn program(name: &str, variant: usize) -> Command {
    let (language, linking) = VARIANTS[variant % VARIANTS.len()];
    Command::new(compile(&root().join("c-examples").join(name).with_extension("c"), language, linking))
}

fn server(variant: usize, arguments: &[&str]) -> (Running, String) {
    started(program("chat_server", variant).args(arguments))
}

fn started(server: &mut Command) -> (Running, String) {
    let mut server = Running::start(server);
    let port = server.expect("bind:").rsplit(':').next().expect("a port").to_string();
    (server, port)
}

fn stopped(server: Running) -> String {
    server.interrupt();
    let (status, said, errors) = server.finish();
    assert_eq!((status.code(), errors.as_str()), (Some(0), ""), "{said}");
    said
}

/// Somebody who takes part over a socket of ours.
struct Person {
    lines: BufReader<TcpStream>,
}

impl Person {
    fn unnamed(port: &str) -> Person {
        let stream = TcpStream::connect(format!("127.0.0.1:{port}")).expect("a connection");
        stream.set_read_timeout(Some(LIMIT)).expect("a limit");
        Person { lines: BufReader::new(stream) }
    }

    fn new(port: &str, name: &str) -> Person {
        let mut person = Person::unnamed(port);
        assert_eq!(person.hear(), "* welcome; what is your name?");
        person.say(name);
        assert!(person.hear().starts_with(&format!("* welcome, {name}; ")));
        person
    }

    fn say(&mut self, line: &str) {
        writeln!(self.lines.get_mut(), "{line}").expect("a server that listens");
    }

    /// The next line; "" at the end.
    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("a line in time");
        line.trim_end_matches('\n').to_string()
    }

    fn expect(&mut self, wanted: &str) {
        loop {
            let line = self.hear();
            assert_ne!(line, "", "the end before {wanted:?}");
            if line == wanted {
                return;
            }
        }
    }
}

#[test]
fn everybody_hears_what_anybody_says() {
    let (mut server, port) = server(0, &[]);
    let client = |variant, name| {
        let mut client = Running::start(program("chat_client", variant).args(["127.0.0.1", &port, name]));
        client.expect(&format!("* welcome, {name}; people here:"));
        client
    };
    let mut ann = client(1, "ann");
    assert_eq!(server.expect("join:"), "ann (1 here)");
    let mut minsu = client(2, "민수");
    ann.expect("* 민수 joined");
    let mut plain = Person::new(&port, "plain");
    ann.expect("* plain joined");
    minsu.expect("* plain joined");

    ann.say("hello, all");
    minsu.expect("ann: hello, all");
    assert_eq!(plain.hear(), "ann: hello, all");
    // In any order, and twice in a row.
    minsu.say("안녕하세요");
    minsu.say("또 저예요");
    plain.say("good evening\r");
    for line in ["민수: 안녕하세요", "민수: 또 저예요", "plain: good evening"] {
        ann.expect(line);
    }

    // One leaves by the end of its input, one by Ctrl-C.
    ann.end_input();
    assert!(ann.finish().0.success());
    minsu.expect("* ann left");
    minsu.interrupt();
    let (status, _, errors) = minsu.finish();
    assert_eq!((status.code(), errors.as_str()), (Some(0), ""));
    plain.expect("* 민수 left");

    let said = stopped(server);
    plain.expect("* the server ends: goodbye");
    assert_eq!(plain.hear(), "");
    assert!(said.contains("leave:  민수 left (1 here)\n"), "{said}");
}

/// A server is a stranger too.
#[test]
fn the_client_prints_no_control_characters() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let port = listener.local_addr().expect("an address").port().to_string();
    let mut client = Running::start(program("chat_client", 0).args(["127.0.0.1", &port, "ann"]));
    let (mut stream, _) = listener.accept().expect("a client");
    stream.set_nodelay(true).expect("an option");
    for piece in [&b"\x1b[2Jred\x07 \xc2"[..], b"\x9b31m \xc3\xa9\xc2\xa9\x7f ", "한글\n".as_bytes()] {
        stream.write_all(piece).expect("a client that listens");
    }
    assert_eq!(client.expect("[2Jred"), "31m \u{e9}\u{a9} 한글");
    drop(stream);
    client.finish();
}

#[test]
fn nc_can_take_part() {
    if Command::new("nc").arg("-h").output().is_err() {
        println!("skipped: nc is not installed");
        return;
    }
    let (server, port) = server(3, &[]);
    let mut ann = Person::new(&port, "ann");
    let mut nc = Running::start(Command::new("nc").args(["127.0.0.1", &port]));
    nc.say("nc");
    nc.expect("* welcome, nc; people here: 2");
    assert_eq!(ann.hear(), "* nc joined");
    ann.say("hello");
    nc.expect("ann: hello");
    nc.say("typed");
    assert_eq!(ann.hear(), "nc: typed");
    drop(nc);
    assert_eq!(ann.hear(), "* nc left");
    stopped(server);
}

/// Fifty people, three of whom never read: every line that one says reaches all others before
/// the next is said, until the three are dropped, and after.
#[test]
fn who_does_not_read_holds_up_nobody() {
    const LINES: usize = 5000;
    let (server, port) = server(1, &[]);
    let mut silent: Vec<Person> = (0..3).map(|n| Person::new(&port, &format!("silent-{n}"))).collect();
    let mut readers: Vec<Person> = (0..47).map(|n| Person::new(&port, &format!("reader-{n}"))).collect();
    let mut dropped = 0;
    let mut after = 0;
    for n in 0..LINES {
        let line = format!("{n} {}", "x".repeat(490));
        readers[0].say(&line);
        let spoken = format!("reader-0: {line}");
        for (place, reader) in readers.iter_mut().enumerate().skip(1) {
            loop {
                let line = reader.hear();
                if line == spoken {
                    break;
                }
                assert!(line.starts_with("* "), "{line}");
                dropped += usize::from(place == 1 && line.ends_with("was dropped: too slow to read"));
            }
        }
        after += usize::from(dropped == silent.len());
        if after == 10 {
            break;
        }
    }
    assert_eq!((dropped, after), (3, 10), "after {LINES} lines");

    // Whoever was dropped finds out why, behind what it might have read.
    for person in &mut silent {
        person.expect("* you read too slowly: goodbye");
        assert_eq!(person.hear(), "");
    }
    readers[1].say("still here");
    readers[0].expect("reader-1: still here");
    stopped(server);
}

#[test]
fn names_and_lines_are_checked() {
    let (server, port) = server(2, &[]);
    let mut ann = Person::new(&port, "ann");
    let mut other = Person::unnamed(&port);
    other.hear();
    let too_long = "x".repeat(33);
    for bad in ["", "two words", "colon:", "*star", &too_long] {
        other.say(bad);
        assert_eq!(other.hear(), "* a name has 1 to 32 bytes, no space, no colon; another one:");
    }
    other.say("ann");
    assert_eq!(other.hear(), "* there is a ann already; another name:");
    other.say("bob");
    assert_eq!(other.hear(), "* welcome, bob; people here: 2");
    assert_eq!(ann.hear(), "* bob joined");

    // Nothing that commands a terminal reaches another's.
    other.say("\x1b[31mred\x07 \u{9b}31m \u{e9}\x7f\t한글\0");
    assert_eq!(ann.hear(), "bob: [31mred 31m \u{e9}한글");
    other.say(&"y".repeat(500));
    assert_eq!(ann.hear(), format!("bob: {}", "y".repeat(500)));
    other.say(&"y".repeat(501));
    assert_eq!(other.hear(), "* that was too long: 500 bytes at most");
    other.say(&"y".repeat(100_000));
    assert_eq!(other.hear(), "* that was too long: 500 bytes at most");
    other.say("");
    // In pieces, as it comes over a slow line.
    for piece in ["no", "t at", " once\nand two", " at once\n"] {
        write!(other.lines.get_mut(), "{piece}").expect("a server that listens");
    }
    assert_eq!(ann.hear(), "bob: not at once");
    assert_eq!(ann.hear(), "bob: and two at once");
    // What was said right before leaving is heard.
    other.say("bye");
    other.lines.get_ref().shutdown(Shutdown::Both).expect("a connection");
    assert_eq!(ann.hear(), "bob: bye");
    assert_eq!(ann.hear(), "* bob left");
    stopped(server);
}

#[test]
fn a_full_house_sends_people_away() {
    let (server, port) = server(0, &["--people", "2"]);
    let mut ann = Person::new(&port, "ann");
    let bob = Person::new(&port, "bob");
    let mut late = Person::unnamed(&port);
    assert_eq!(late.hear(), "* no room here: try again later");
    assert_eq!(late.hear(), "");
    drop(bob);
    ann.expect("* bob left");
    Person::new(&port, "carl");
    stopped(server);
}

/// Processor time of a process, in ticks of 10 ms.
fn ticks(process: u32) -> u64 {
    let about = fs::read_to_string(format!("/proc/{process}/stat")).expect("a process that lives");
    let after_name = about.rsplit(") ").next().expect("fields");
    after_name.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number")).sum()
}

/// Without a descriptor the next person stays in the queue; the server neither ends nor spins.
#[test]
fn no_descriptor_left_is_no_end() {
    let mut shell = Command::new("sh");
    shell.args(["-c", "echo $$; ulimit -n 16; exec \"$0\""]).arg(program("chat_server", 0).get_program());
    let mut server = Running::start(&mut shell);
    let process: u32 = server.expect("").parse().expect("a process");
    let port = server.expect("bind:").rsplit(':').next().expect("a port").to_string();

    let mut people = Vec::new();
    let mut queued = loop {
        let mut person = Person::unnamed(&port);
        person.lines.get_ref().set_read_timeout(Some(Duration::from_millis(500))).expect("a limit");
        let before = ticks(process);
        match person.lines.fill_buf() {
            Ok(_) => {
                assert_eq!(person.hear(), "* welcome; what is your name?");
                person.say(&format!("person-{}", people.len()));
                person.lines.get_ref().set_read_timeout(Some(LIMIT)).expect("a limit");
                person.hear();
                people.push(person);
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                assert!(ticks(process) - before < 20, "it spins");
                break person;
            }
            Err(error) => panic!("{error}"),
        }
    };
    assert!(people.len() > 2, "{}", people.len());
    // The others go on.
    people[0].say("hello");
    people[1].expect("person-0: hello");
    // A place becomes free.
    drop(people.pop());
    queued.lines.get_ref().set_read_timeout(Some(LIMIT)).expect("a limit");
    assert_eq!(queued.hear(), "* welcome; what is your name?");

    server.interrupt();
    let (status, said, errors) = server.finish();
    assert!(status.success() && errors.contains("sk_accept failed: "), "{said}{errors}");
}

#[test]
fn the_client_says_that_nobody_is_there() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let held = TcpStream::connect(taken.local_addr().expect("an address")).expect("a connection");
    let port = held.local_addr().expect("an address").port().to_string();
    let finished = support::run_to_end(program("chat_client", 0).args(["127.0.0.1", &port, "ann"]));
    let words = format!("127.0.0.1 refused the connection: nobody chats at port {port}\n");
    assert_eq!((finished.status.code(), finished.stderr), (Some(1), words));
}

/// Both in a terminal, as a person sees them: what was typed and what came, in one column.
#[test]
fn it_works_in_a_terminal() {
    if !has("script") {
        println!("skipped: script (util-linux) is not installed");
        return;
    }
    let (server, port) = server(0, &[]);
    let mut ann = Person::new(&port, "ann");
    let mut client = program("chat_client", 0);
    let line = support::run::words(client.args(["127.0.0.1", &port, "bob"]));
    let mut terminal = Running::start(Command::new("script").args(["-qec", &line, "/dev/null"]));
    ann.expect("* bob joined");
    terminal.say("typed");
    ann.expect("bob: typed");
    ann.say("hello");
    terminal.expect("ann: hello");
    terminal.say("\x04"); // Ctrl-D
    ann.expect("* bob left");
    assert!(terminal.finish().0.success());
    stopped(server);
}
