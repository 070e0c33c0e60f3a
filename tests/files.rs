//! `file_send` and `file_recv`: what arrives is what was sent, and where it is not, both say so.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use support::running::Running;
use support::{LIMIT, VARIANTS, compile, has, root, run_to_end};

/// One of the two; the variants take turns.
fn program(name: &str, variant: usize) -> Command {
    let (language, linking) = VARIANTS[variant % VARIANTS.len()];
    Command::new(compile(&root().join("c-examples").join(name).with_extension("c"), language, linking))
}

/// Two folders of a test's own: what is sent lies in the first.
struct Folders {
    from: PathBuf,
    to: PathBuf,
}

impl Folders {
    fn new(test: &str) -> Folders {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("files").join(test);
        let _ = fs::remove_dir_all(&folder);
        let folders = Folders { from: folder.join("from"), to: folder.join("to") };
        fs::create_dir_all(&folders.from).expect("a folder");
        fs::create_dir_all(&folders.to).expect("a folder");
        folders
    }

    fn file(&self, name: &str, length: usize) -> PathBuf {
        let path = self.from.join(name);
        fs::write(&path, noise(length)).expect("a file");
        path
    }

    /// The names of what arrived, hidden ones too.
    fn arrived(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.to).expect("the folder");
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    }

    /// A receiver, and its port.
    fn receiver(&self, variant: usize, arguments: &[&str]) -> (Running, String) {
        started(program("file_recv", variant).arg("--folder").arg(&self.to).args(arguments))
    }
}

fn started(receiver: &mut Command) -> (Running, String) {
    let mut receiver = Running::start(receiver);
    let port = receiver.expect("bind:").rsplit(':').next().expect("a port").to_string();
    (receiver, port)
}

fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

fn crc64(data: &[u8]) -> u64 {
    !data.iter().fold(!0_u64, |sum, &byte| {
        (0..8).fold(sum ^ u64::from(byte), |sum, _| {
            (sum >> 1) ^ if sum & 1 == 1 { 0xC96C_5795_D787_0F42 } else { 0 }
        })
    })
}

#[test]
fn files_arrive_whole_and_identical() {
    let folders = Folders::new("whole");
    let files = [("empty", 0), ("one byte", 1), ("한글 이름.bin", 262_145), ("big", 5_000_000)];
    let sums = files.map(|(_, length)| crc64(&noise(length)));
    let (receiver, port) = folders.receiver(0, &["--once", "4"]);
    for (variant, (name, length)) in files.into_iter().enumerate() {
        let path = folders.file(name, length);
        let finished = run_to_end(program("file_send", variant).args(["127.0.0.1", &port]).arg(&path));
        assert!(finished.status.success() && finished.stderr.is_empty(), "{finished:?}");
        let sum = sums[variant];
        let line = format!("{}: {length} bytes arrived, checksum {sum:016x} at both ends\n", path.display());
        assert_eq!(finished.stdout, line);
        assert!(fs::read(folders.to.join(name)).expect("the file") == noise(length), "{name} is another");
    }
    let (status, said, errors) = receiver.finish();
    assert!(status.success() && errors.is_empty(), "{said}{errors}");
    for ((name, length), sum) in files.into_iter().zip(sums) {
        let line = format!("recv:   {name}, {length} bytes, checksum {sum:016x}\n");
        assert!(said.contains(&line), "no {line:?} in {said}");
    }
    assert_eq!(folders.arrived().len(), files.len());
}

/// What the network does to a transfer.
#[derive(Clone, Copy)]
enum Network {
    FlipsABit(usize),
    BreaksAfter(usize),
}

/// Stands between the two and passes bytes on in both directions. Its port.
fn between(port: String, network: Network) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let own = listener.local_addr().expect("an address").port().to_string();
    thread::spawn(move || {
        let (mut sender, _) = listener.accept().expect("the sender");
        let mut receiver = TcpStream::connect(format!("127.0.0.1:{port}")).expect("the receiver");
        let mut back = (receiver.try_clone().expect("a copy"), sender.try_clone().expect("a copy"));
        thread::spawn(move || {
            let _ = std::io::copy(&mut back.0, &mut back.1);
            let _ = back.1.shutdown(Shutdown::Write);
        });
        let mut data = [0; 5000];
        let mut passed = 0;
        while let Ok(got @ 1..) = sender.read(&mut data) {
            match network {
                Network::FlipsABit(at) if (passed..passed + got).contains(&at) => data[at - passed] ^= 4,
                Network::BreaksAfter(most) if passed >= most => break,
                _ => {}
            }
            receiver.write_all(&data[..got]).expect("a receiver that takes it");
            passed += got;
        }
        let _ = sender.shutdown(Shutdown::Both);
        let _ = receiver.shutdown(Shutdown::Write);
    });
    own
}

#[test]
fn damage_is_found() {
    // The last place is within the checksum itself.
    for (variant, at) in [16 + 7, 500_000, 1_000_000 + 16 + 7 + 8 - 1].into_iter().enumerate() {
        let folders = Folders::new(&format!("damage-{variant}"));
        let (receiver, port) = folders.receiver(variant, &["--once", "1"]);
        let port = between(port, Network::FlipsABit(at));
        let path = folders.file("payload", 1_000_000);
        let finished = run_to_end(program("file_send", variant).args(["127.0.0.1", &port]).arg(path));
        assert_eq!(finished.status.code(), Some(1), "{finished:?}");
        let words = "the receiver says, after 1000000 bytes: damaged on the way: the checksums differ\n";
        assert!(finished.stderr.starts_with(words), "{finished:?}");
        let (status, said, _) = receiver.finish();
        assert_eq!(status.code(), Some(1), "{said}");
        assert!(said.contains("recv:   refused after 1000000 bytes: damaged on the way"), "{said}");
        assert!(folders.arrived().is_empty(), "{:?}", folders.arrived());
    }
}

#[test]
fn both_say_how_far_a_broken_transfer_came() {
    let folders = Folders::new("broken");
    let (receiver, port) = folders.receiver(0, &["--once", "1"]);
    let port = between(port, Network::BreaksAfter(3_000_000));
    let path = folders.file("payload", 20_000_000);
    let finished = run_to_end(program("file_send", 0).args(["127.0.0.1", &port]).arg(path));
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    let sent = number_before(&finished.stderr, " of 20000000 bytes were sent\n");
    assert!((1..20_000_000).contains(&sent), "{finished:?}");
    let (status, said, _) = receiver.finish();
    assert_eq!(status.code(), Some(1), "{said}");
    let came = number_before(&said, " of 20000000 bytes came\n");
    assert!((2_900_000..=3_010_000).contains(&came), "{said}");
    assert!(folders.arrived().is_empty(), "{:?}", folders.arrived());
}

fn number_before(text: &str, words: &str) -> u64 {
    let (before, _) = text.split_once(words).unwrap_or_else(|| panic!("no {words:?} in {text}"));
    let digits = before.rsplit(|c: char| !c.is_ascii_digit()).next().expect("a last word");
    digits.parse().unwrap_or_else(|_| panic!("no number before {words:?} in {text}"))
}

/// A header as a stranger may send it, and the verdict.
fn verdict(port: &str, name: &[u8], length: u64) -> u64 {
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).expect("a connection");
    stream.set_read_timeout(Some(LIMIT)).expect("a limit");
    let mut header = b"SKF1".to_vec();
    header.extend((name.len() as u32).to_be_bytes());
    header.extend(length.to_be_bytes());
    header.extend(name);
    stream.write_all(&header).expect("a receiver that listens");
    let mut answer = [0; 24];
    stream.read_exact(&mut answer).expect("an answer");
    u64::from_be_bytes(answer[..8].try_into().expect("8 bytes"))
}

#[test]
fn no_name_leads_out_of_the_folder() {
    const BAD_HEADER: u64 = 3;
    const BAD_NAME: u64 = 4;
    const EXISTS: u64 = 5;
    let folders = Folders::new("names");
    fs::write(folders.to.join("mine"), "mine").expect("a file");
    std::os::unix::fs::symlink("../from/elsewhere", folders.to.join("link")).expect("a link");
    let (receiver, port) = folders.receiver(1, &[]);
    let names: [&[u8]; 10] = [
        b"../evil",
        b"/tmp/evil",
        b"a/b",
        b"..",
        b".",
        b".bashrc",
        b"",
        b"new\nline",
        b"\x1b[31m",
        b"\xc2\x9b31m",
    ];
    for name in names {
        assert_eq!(verdict(&port, name, 1), BAD_NAME, "{}", name.escape_ascii());
    }
    assert_eq!(verdict(&port, b"mine", 1), EXISTS);
    assert_eq!(verdict(&port, b"link", 1), EXISTS);
    assert_eq!(verdict(&port, &[b'x'; 300], 1), BAD_HEADER);
    assert_eq!(verdict(&port, b"endless", u64::MAX), BAD_HEADER);
    receiver.interrupt();
    assert!(receiver.finish().0.success());
    assert_eq!(fs::read(folders.to.join("mine")).expect("the file"), b"mine");
    assert_eq!((folders.arrived().len(), fs::read_dir(&folders.from).expect("a folder").count()), (2, 0));
}

#[test]
fn a_receiver_that_can_not_store_says_so_at_once() {
    let folders = Folders::new("unstored");
    let path = folders.file("payload", 30_000_000);
    // The shell makes files of more than 100 blocks of 512 bytes fail, as a full disk does.
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; ulimit -f 100; exec \"$@\"", "sh"]);
    shell.arg(program("file_recv", 0).get_program()).args(["--once", "1", "--folder"]).arg(&folders.to);
    let (receiver, port) = started(&mut shell);
    let finished = run_to_end(program("file_send", 0).args(["127.0.0.1", &port]).arg(path));
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    assert!(finished.stderr.contains("bytes: it could not be stored\n"), "{finished:?}");
    // It is not made to send all of it first.
    assert!(number_before(&finished.stderr, " of 30000000 bytes were sent") < 25_000_000, "{finished:?}");
    let (status, said, errors) = receiver.finish();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(errors.contains("payload: File too large"), "{errors}");
    assert!(folders.arrived().is_empty(), "{:?}", folders.arrived());
}

#[test]
fn a_file_is_as_open_as_the_umask_says() {
    let folders = Folders::new("umask");
    let path = folders.file("payload", 1000);
    for (mask, mode) in [("077", 0o600), ("022", 0o644), ("002", 0o664)] {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("umask {mask}; exec \"$@\""), "sh"]);
        shell.arg(program("file_recv", 0).get_program()).args(["--once", "1", "--folder"]).arg(&folders.to);
        let (receiver, port) = started(&mut shell);
        let finished = run_to_end(program("file_send", 0).args(["127.0.0.1", &port]).arg(&path));
        assert!(finished.status.success() && receiver.finish().0.success(), "{finished:?}");
        let stored = folders.to.join("payload");
        let found = fs::metadata(&stored).expect("the file").permissions().mode();
        assert_eq!(found & 0o777, mode, "umask {mask}");
        fs::remove_file(stored).expect("the file");
    }
}

fn interrupt_receiver(folders: &Folders, signal: &str) {
    let (mut receiver, port) = folders.receiver(2, &[]);
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).expect("a connection");
    let mut header = b"SKF1\0\0\0\x04\0\0\0\0\0\x01\0\0half".to_vec();
    stream.write_all(&header).expect("a receiver that listens");
    header.resize(24, 0);
    stream.read_exact(&mut header).expect("an answer");
    stream.write_all(&[7; 1000]).expect("a receiver that listens");
    receiver.expect("accept:");
    receiver.signal(signal);
    let (status, said, errors) = receiver.finish();
    assert_eq!((status.code(), errors.as_str()), (Some(0), ""), "{said}");
    assert!(said.contains(" of 65536 bytes came\n") && folders.arrived().is_empty(), "{said}");
}

#[test]
fn interrupts_leave_nothing_behind() {
    let folders = Folders::new("interrupted");
    let path = folders.file("payload", 1_000_000);
    // A sender that stops in the middle; the receiver is ended as by Ctrl-C, and as by kill.
    for signal in ["INT", "TERM"] {
        interrupt_receiver(&folders, signal);
    }
    // A receiver that never answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let port = silent.local_addr().expect("an address").port().to_string();
    let sender = Running::start(program("file_send", 2).args(["127.0.0.1", &port]).arg(path));
    let (mut connection, _) = silent.accept().expect("the sender");
    connection.read_exact(&mut [0; 16]).expect("a header");
    sender.interrupt();
    let (status, said, errors) = sender.finish();
    // Nothing arrived: `file_send ... && rm` must not go on.
    assert_eq!((status.code(), errors.as_str()), (Some(1), ""), "{said}");
    assert!(said.ends_with("not transferred: 0 of 1000000 bytes were sent\n"), "{said}");
}

#[test]
fn what_can_not_be_sent_is_said() {
    let folders = Folders::new("unsent");
    let (receiver, port) = folders.receiver(3, &[]);
    let missing = folders.from.join("missing");
    for (path, word) in [(&missing, "No such file"), (&folders.from, "only a plain file can be sent")] {
        let finished = run_to_end(program("file_send", 3).args(["127.0.0.1", &port]).arg(path));
        assert!(finished.status.code() == Some(1) && finished.stderr.contains(word), "{finished:?}");
    }
    receiver.interrupt();
    assert!(receiver.finish().0.success());

    let taken = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let held = TcpStream::connect(taken.local_addr().expect("an address")).expect("a connection");
    let port = held.local_addr().expect("an address").port().to_string();
    let finished = run_to_end(program("file_send", 3).args(["127.0.0.1", &port]).arg(folders.file("x", 1)));
    let words = format!("127.0.0.1 refused the connection: nobody waits for a file on port {port}\n");
    assert_eq!((finished.status.code(), finished.stderr), (Some(1), words));
}

#[test]
fn the_bar_is_for_terminals() {
    if !has("script") {
        println!("skipped: script (util-linux) is not installed");
        return;
    }
    let folders = Folders::new("bar");
    let (receiver, port) = folders.receiver(0, &["--once", "1"]);
    let path = folders.file("payload", 5_000_000);
    let mut sender = program("file_send", 0);
    let sender = sender.args(["127.0.0.1", &port]).arg(path);
    let line = support::run::words(sender);
    // `script` gives it a terminal.
    let watched = run_to_end(Command::new("script").args(["-qec", &line, "/dev/null"]));
    assert!(watched.status.success(), "{watched:?}");
    assert!(watched.stdout.contains("\r[#####     "), "{watched:?}");
    let full = format!("\r[{}] 100 %, 5.0 MB\r\n", "#".repeat(50));
    assert!(watched.stdout.contains(&full), "{watched:?}");
    // The receiver writes into a pipe.
    let (status, said, _) = receiver.finish();
    assert!(status.success() && !said.contains('['), "{said}");
}
