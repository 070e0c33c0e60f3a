//! The real-time programs: `lossy`, `multicast`, `video_stream`, `game_server` and `game_client`,
//! talking to each other and to programs of other makers, over good networks and bad.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use support::running::Running;
use support::{LIMIT, VARIANTS, compile, has, root, run_to_end};

/// The variants take turns.
fn program(name: &str, variant: usize) -> Command {
    let (language, linking) = VARIANTS[variant % VARIANTS.len()];
    Command::new(compile(&root().join("c-examples").join(name).with_extension("c"), language, linking))
}

/// A program that serves, and the address that it says.
fn started(command: &mut Command, says: &str) -> (Running, String) {
    let mut server = Running::start(command);
    let address = server.expect(says).split(',').next().expect("an address").to_string();
    (server, address)
}

fn port(address: &str) -> &str {
    address.rsplit(':').next().expect("a port")
}

/// It must end with success and without a complaint.
fn ended(running: Running) -> String {
    let (status, said, errors) = running.finish();
    assert_eq!((status.code(), errors.as_str()), (Some(0), ""), "{said}");
    said
}

fn interrupted(running: Running) -> String {
    running.interrupt();
    ended(running)
}

/// The number before a word.
fn before(text: &str, word: &str) -> u64 {
    let part = text.split(word).next().unwrap_or_default();
    let number = part.rsplit(' ').find(|part| !part.is_empty()).unwrap_or_default();
    number.trim_start_matches('(').parse().unwrap_or_else(|_| panic!("no number before {word:?} in {text}"))
}

/// A program in Python, on a terminal of its own or not.
fn python(script: &str, arguments: &[&str]) -> Command {
    let mut python = Command::new("python3");
    python.args(["-c", script]).args(arguments);
    python
}

fn has_python() -> bool {
    let has = has("python3");
    if !has {
        println!("skipped: python3 is not installed");
    }
    has
}

#[test]
fn lossy_stands_between_udp_echo_and_its_client() {
    let (server, address) = started(program("udp_echo", 0).arg("server"), "server: made a socket, port ");
    let (relay, front) = started(
        program("lossy", 1).args(["--repeat", "100", "--delay", "5", &format!("127.0.0.1:{address}")]),
        "bind: ",
    );
    let finished = run_to_end(program("udp_echo", 2).args(["client", "127.0.0.1", port(&front), "20"]));
    assert!(finished.status.success(), "{finished:?}");
    let last = finished.stdout.lines().last().expect("a count");
    // Each comes twice to the server, and each of the two answers twice back.
    assert!(last.contains("20 answered in time") && before(last, " came again") >= 50, "{last}");
    assert!(interrupted(relay).contains(" 0 lost, "));
    interrupted(server);
}

#[test]
fn one_sends_and_everybody_receives() {
    for (group, interface) in [("239.255.7.1", Some("lo")), ("127.255.255.255", None)] {
        let chosen: Vec<&str> = interface.iter().flat_map(|name| ["--interface", name]).collect();
        let says = if interface.is_some() { "join: " } else { "bind: " };
        let receive = |variant, address: &str| {
            let mut receiver = program("multicast", variant);
            receiver.arg("receive").args(["--count", "3"]).args(&chosen).arg(address);
            started(&mut receiver, says)
        };
        let (first, address) = receive(0, group); // takes any free port
        let mut all = vec![first, receive(1, &address).0];
        if interface.is_some() && has_python() {
            // Not one of ours.
            let script = "import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((sys.argv[1], int(sys.argv[2])))
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
    struct.pack('4s4si', socket.inet_aton(sys.argv[1]), bytes(4), socket.if_nametoindex('lo')))
print('join: done', flush=True)
for _ in range(3):
    data, peer = s.recvfrom(100)
    print(peer[0] + ': ' + data.decode())";
            all.push(started(&mut python(script, &[group, port(&address)]), "join: ").0);
        }
        let mut sender = program("multicast", 2);
        let finished = run_to_end(sender.arg("send").args(&chosen).arg(&address).args(["one", "two", "세"]));
        assert!(finished.status.success(), "{finished:?}");
        for receiver in all {
            let said = ended(receiver);
            let heard: Vec<_> = said.lines().skip(1).filter_map(|line| line.rsplit(": ").next()).collect();
            assert_eq!(heard, ["one", "two", "세"]);
        }
    }
}

#[test]
fn a_film_is_seen_by_several_and_measured() {
    let (sender, address) = started(program("video_stream", 0).arg("send"), "bind: ");
    let (relay, front) = started(
        program("lossy", 1)
            .args(["--loss", "10", "--jitter", "10", "--delay", "20", "--seed", "5", &address]),
        "bind: ",
    );
    let view = |variant, address: &str| {
        let arguments = ["view", "--seconds", "3", "127.0.0.1", port(address)];
        Running::start(program("video_stream", variant).args(arguments))
    };
    let (near, also_near, far) = (view(1, &address), view(2, &address), view(3, &front));
    for viewer in [near, also_near] {
        let said = ended(viewer);
        assert!(said.lines().filter(|line| line.contains(" pictures/s, ")).count() >= 2, "{said}");
        let last = said.lines().last().expect("a summary");
        assert!(before(last, " pictures whole") > 20 && last.contains(" packets: 0 lost "), "{said}");
    }
    let said = ended(far);
    let last = said.lines().last().expect("a summary");
    assert!(before(last, " pictures whole") > 5 && before(last, " torn") > 5, "{said}");
    assert!(before(last, " lost ") > 5 && said.contains(" jitter "), "{said}");
    interrupted(relay);
    assert!(interrupted(sender).contains(" 0 packets could not go"));
}

#[test]
fn a_film_goes_to_a_group_as_rtp() {
    if !has_python() {
        return;
    }
    // A receiver that is not ours gets a port, and says what the packets are.
    let script = "import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('239.255.7.2', 0))
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
    struct.pack('4s4si', socket.inet_aton('239.255.7.2'), bytes(4), socket.if_nametoindex('lo')))
s.settimeout(30)
print('port: %d' % s.getsockname()[1], flush=True)
packets = [struct.unpack('!BBHII', s.recv(2000)[:12]) for _ in range(40)]
for one, next in zip(packets, packets[1:]):
    assert one[0] == 128 and one[1] & 127 == 96, 'version 2, payload type 96'
    assert (next[2] - one[2]) & 65535 == 1, 'numbers in a row'
    marked = bool(one[1] & 128)
    assert (next[3] - one[3]) % 3600 == 0 and (next[3] > one[3]) == marked, 'a new time behind the mark'
    assert one[4] == next[4], 'one source'
print('good')";
    let (receiver, port) = started(&mut python(script, &[]), "port: ");
    let group = format!("239.255.7.2:{port}");
    let options = ["--group", &group, "--interface", "lo"];
    let viewer =
        Running::start(program("video_stream", 1).arg("view").args(options).args(["--seconds", "3"]));
    let mut sender = program("video_stream", 2);
    let sender = Running::start(sender.arg("send").args(options).args(["--fps", "25", "--seconds", "4"]));
    assert!(ended(receiver).ends_with("good\n"));
    let said = ended(viewer);
    let last = said.lines().last().expect("a summary");
    assert!(before(last, " pictures whole") > 20 && last.contains(" packets: 0 lost "), "{said}");
    ended(sender);
}

/// Who asks in another's name must not send the flood there: first comes a key, no longer than the question.
#[test]
fn the_film_goes_to_nobody_who_did_not_ask() {
    let (sender, address) = started(program("video_stream", 3).arg("send"), "bind: ");
    let stranger = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    stranger.connect(&address).expect("a sender");
    stranger.set_read_timeout(Some(LIMIT)).expect("a limit");
    let mut data = [0; 2000];
    for question in [&b"skv1\0\0\0\0"[..], b"skv1\xff\xff\xff\xff", b"skv1", b"GET / HTTP/1.1"] {
        stranger.send(question).expect("a sender");
    }
    // Two answers, and by the time that a third question is answered still no picture.
    for _ in 0..2 {
        assert_eq!(stranger.recv(&mut data).expect("a key"), 8);
    }
    std::thread::sleep(Duration::from_millis(100)); // three pictures long, where there were any
    stranger.send(b"skv1\0\0\0\0").expect("a sender");
    assert_eq!(stranger.recv(&mut data).expect("a key"), 8);
    let key = data[..8].to_vec();
    stranger.send(&key).expect("a sender");
    assert!(stranger.recv(&mut data).expect("a film") > 500);
    interrupted(sender);
}

/// What strangers say must not command the terminal.
#[test]
fn receivers_print_no_control_characters() {
    let mut receiver = program("multicast", 0);
    receiver.args(["receive", "--count", "1", "127.255.255.255:0"]);
    let (receiver, address) = started(&mut receiver, "bind: ");
    let message = "\x1b[2Jred\x07 \u{9b}31m \u{e9}\u{a9}\x7f 한글";
    let finished = run_to_end(program("multicast", 1).args(["send", &address, message]));
    assert!(finished.status.success(), "{finished:?}");
    let said = ended(receiver);
    assert!(said.ends_with(": [2Jred 31m \u{e9}\u{a9} 한글\n"), "{said:?}");
}

/// A viewer more than there are seats gets none, and takes nobody's.
#[test]
fn a_full_house_keeps_its_viewers() {
    let (sender, address) = started(program("video_stream", 0).arg("send"), "bind: ");
    let asking = || {
        let viewer = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        viewer.connect(&address).expect("a sender");
        viewer.set_read_timeout(Some(Duration::from_secs(3))).expect("a limit");
        viewer.send(b"skv1\0\0\0\0").expect("a sender");
        let mut key = [0; 8];
        assert_eq!(viewer.recv(&mut key).expect("a key"), 8);
        viewer.send(&key).expect("a sender");
        viewer
    };
    let viewers: Vec<_> = (0..32).map(|_| asking()).collect();
    let mut data = [0; 2000];
    for viewer in &viewers {
        assert!(viewer.recv(&mut data).expect("a film") > 500);
    }
    let late = asking();
    // Once this is answered, what it asked before has been heard.
    late.send(b"skv1\0\0\0\0").expect("a sender");
    assert_eq!(late.recv(&mut data).expect("a key"), 8);
    for viewer in &viewers {
        viewer.set_nonblocking(true).expect("a mode");
        while viewer.recv(&mut data).is_ok() {}
        viewer.set_nonblocking(false).expect("a mode");
        assert!(viewer.recv(&mut data).expect("a film that goes on") > 500);
    }
    late.set_nonblocking(true).expect("a mode");
    assert!(late.recv(&mut data).is_err(), "the late one took a seat");
    interrupted(sender);
}

/// Runs a program on a terminal, types, and gives what it wrote there.
fn on_a_terminal(mut command: Command, keys: &str) -> String {
    let script = "import os, pty, select, sys, time
keys, child = sys.argv[1].encode(), None
child, terminal = pty.fork()
if child == 0:
    os.execv(sys.argv[2], sys.argv[2:])
said = b''
end = time.monotonic() + 30
while time.monotonic() < end:
    if select.select([terminal], [], [], 1)[0]:
        try:
            said += os.read(terminal, 65536)
        except OSError:
            break
    if keys and said.count(b'\\x1b[H') >= 10: # ten pictures, then the next key
        os.write(terminal, keys[:1])
        keys, said = keys[1:], said + b'\\n-- typed\\n'
        time.sleep(0.2)
status = os.waitpid(child, 0)[1]
sys.stdout.buffer.write(said)
sys.exit(os.waitstatus_to_exitcode(status))";
    let program = command.get_program().to_string_lossy().into_owned();
    let arguments: Vec<_> = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
    command = python(script, &[keys, &program]);
    let finished = run_to_end(command.args(arguments));
    assert!(finished.status.success(), "{finished:?}");
    finished.stdout
}

#[test]
fn pictures_are_drawn_on_a_terminal_only() {
    if !has_python() {
        return;
    }
    let (sender, address) = started(program("video_stream", 0).arg("send"), "bind: ");
    let mut viewer = program("video_stream", 1);
    viewer.args(["view", "--seconds", "2", "127.0.0.1", port(&address)]);
    let said = on_a_terminal(viewer, "");
    assert!(said.contains('▀') && said.contains("\u{1b}[38;5;"), "{said}");
    assert!(said.contains("\u{1b}[?25l") && said.contains("\u{1b}[?25h"), "the cursor is not given back");

    let mut viewer = program("video_stream", 2);
    let finished = run_to_end(viewer.args(["view", "--seconds", "1", "127.0.0.1", port(&address)]));
    assert!(!finished.stdout.contains('\u{1b}'), "{finished:?}");
    interrupted(sender);

    let (server, address) = started(&mut program("game_server", 0), "bind:  ");
    let mut player = program("game_client", 3);
    player.args(["127.0.0.1", port(&address)]);
    let said = on_a_terminal(player, "dq");
    assert!(said.contains("A (you) 0") && said.contains('$') && said.contains("\u{1b}[?25h"), "{said}");
    assert!(interrupted(server).contains("leave: player A said goodbye"));
}

#[test]
fn nobody_sends_and_nobody_serves() {
    let silent = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let port = silent.local_addr().expect("an address").port().to_string();
    let finished = run_to_end(program("video_stream", 0).args(["view", "127.0.0.1", &port]));
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    assert_eq!(finished.stderr, "no stream comes from there\n");
    let finished = run_to_end(program("game_client", 1).args(["--bot", "127.0.0.1", &port]));
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    assert_eq!(finished.stderr, "no game server answers there\n");
    let finished = run_to_end(program("game_client", 2).args(["127.0.0.1", &port]));
    assert_eq!(finished.stderr, "this is no terminal: --bot plays without one\n");
}

#[test]
fn bots_play_through_a_bad_network() {
    let (server, address) = started(&mut program("game_server", 0), "bind:  ");
    let (relay, front) = started(
        program("lossy", 1).args(
            "--loss 20 --repeat 5 --reorder 5 --delay 20 --jitter 15 --seed 9"
                .split(' ')
                .chain([&address[..]]),
        ),
        "bind: ",
    );
    let bots: Vec<_> = (0..3)
        .map(|n| {
            let place = if n == 0 { &address } else { &front };
            let arguments = ["--bot", "--seconds", "4", "127.0.0.1", port(place)];
            Running::start(program("game_client", n + 1).args(arguments))
        })
        .collect();
    for (n, bot) in bots.into_iter().enumerate() {
        let said = ended(bot);
        // It saw two others, at more than one place each.
        for player in ["A", "B", "C"] {
            let seen: BTreeSet<_> = said
                .lines()
                .filter(|line| line.starts_with("tick "))
                .flat_map(|line| {
                    line.split(' ')
                        .collect::<Vec<_>>()
                        .windows(2)
                        .map(|w| (w[0].to_string(), w[1].to_string()))
                        .collect::<Vec<_>>()
                })
                .filter(|(name, _)| name.trim_end_matches("=me") == player)
                .map(|(_, place)| place)
                .collect();
            assert!(seen.len() >= 2, "bot {n} saw {player} at {seen:?} in\n{said}");
        }
        let missed = before(said.lines().last().expect("an end"), " missed");
        assert!(n == 0 || missed > 5, "{said}");
    }
    interrupted(relay);
    let said = interrupted(server);
    assert!(before(said.lines().last().expect("an end"), " too late") > 0, "{said}");
}

/// As game.h says, from a program that shares nothing with ours.
struct Player {
    socket: UdpSocket,
    key: [u8; 4],
    number: u32,
}

impl Player {
    fn new(server: &str) -> Player {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.connect(server).expect("a server");
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a limit");
        Player { socket, key: [0; 4], number: 0 }
    }

    fn go(&mut self, direction: u8) {
        self.number += 1;
        let number = self.number.to_be_bytes();
        let datagram = [b"sg\x01\x01", &self.key[..], &number, &[direction]].concat();
        self.socket.send(&datagram).expect("a server");
    }

    /// The next datagram of a kind; moves are sent until it comes.
    fn await_kind(&mut self, kind: u8) -> Vec<u8> {
        let deadline = Instant::now() + LIMIT;
        let mut data = [0; 2000];
        while Instant::now() < deadline {
            self.go(4);
            while let Ok(length) = self.socket.recv(&mut data) {
                assert_eq!(&data[..3], b"sg\x01");
                if data[3] == 3 {
                    self.key.copy_from_slice(&data[4..8]);
                    self.go(4);
                }
                if data[3] == kind {
                    return data[..length].to_vec();
                }
            }
        }
        panic!("no datagram of kind {kind}");
    }
}

#[test]
fn the_server_takes_sixteen_and_no_nonsense() {
    const KEY: u8 = 3;
    const FULL: u8 = 4;
    const STATE: u8 = 5;
    let (server, address) = started(&mut program("game_server", 2), "bind:  ");
    let mut players: Vec<Player> = Vec::new();
    for _ in 0..16 {
        players.iter_mut().for_each(|player| player.go(4)); // who is silent is let go
        players.push(Player::new(&address));
        players.last_mut().expect("a player").await_kind(STATE);
    }
    let deadline = Instant::now() + LIMIT;
    let mut state = players[0].await_kind(STATE); // the oldest first
    while state[15] < 16 && Instant::now() < deadline {
        state = players[0].await_kind(STATE);
    }
    assert_eq!((state[15], state.len()), (16, 16 + 5 * 16));
    players.iter_mut().for_each(|player| player.go(4));
    Player::new(&address).await_kind(FULL);

    // Who has no key hears nothing but that, and joins nothing; nonsense gets no answer at all.
    let mut stranger = Player::new(&address);
    stranger.go(1);
    let mut data = [0; 2000];
    stranger.socket.set_read_timeout(Some(LIMIT)).expect("a limit");
    assert_eq!(stranger.socket.recv(&mut data).expect("an answer"), 8);
    assert_eq!(data[3], KEY);
    for nonsense in [&b""[..], b"s", b"sg\x01", b"sg\x01\x05", b"sg\x02\x01aaaabbbbc", &[255; 1500]] {
        stranger.socket.send(nonsense).expect("a server");
    }
    stranger.go(1);
    assert_eq!(stranger.socket.recv(&mut data).expect("the next answer is that of the move"), 8);

    // A move that comes behind the goodbye does not bring a ghost.
    let mut leaver = players.pop().expect("a player");
    leaver.number += 1;
    let bye = [b"sg\x01\x02", &leaver.key[..], &leaver.number.to_be_bytes()].concat();
    leaver.socket.send(&bye).expect("a server");
    leaver.number -= 2;
    leaver.go(4);
    while players[0].await_kind(STATE)[15] == 16 {
        assert!(Instant::now() < deadline);
    }
    assert_eq!(players[0].await_kind(STATE)[15], 15);

    // Silent players are let go, and the game is over for none of the others.
    drop(players.split_off(1));
    let deadline = Instant::now() + LIMIT;
    while players[0].await_kind(STATE)[15] > 1 {
        assert!(Instant::now() < deadline);
    }
    let said = interrupted(server);
    assert_eq!(said.matches("join: ").count(), 16, "{said}");
    assert!(before(&said, " strange datagrams") >= 6, "{said}");
}

#[test]
fn interrupts_end_the_programs_cleanly() {
    for variant in 0..VARIANTS.len() {
        let (game, address) = started(&mut program("game_server", variant), "bind:  ");
        let mut bot =
            Running::start(program("game_client", variant).args(["--bot", "127.0.0.1", port(&address)]));
        bot.expect("tick ");
        assert!(interrupted(bot).contains("end: "));
        assert!(interrupted(game).contains("end:  "));

        let (sender, address) = started(program("video_stream", variant).arg("send"), "bind: ");
        let mut viewer =
            Running::start(program("video_stream", variant).args(["view", "127.0.0.1", port(&address)]));
        viewer.expect("viewer: ");
        interrupted(viewer);
        assert!(interrupted(sender).contains("end:  "));

        let (relay, _) = started(program("lossy", variant).arg("127.0.0.1:9"), "bind: ");
        assert!(interrupted(relay).contains("lossy: 0 came"));
        let mut receiver = program("multicast", variant);
        receiver.args(["receive", "--interface", "lo", "239.255.7.3:0"]);
        interrupted(started(&mut receiver, "join: ").0);
    }
}

/// The self-tests leave nothing in TMPDIR.
#[test]
fn nothing_is_left_behind() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("realtime-tmp");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    for name in ["skcat", "video_stream", "game_server"] {
        let finished = run_to_end(program(name, 0).env("TMPDIR", &folder).arg("--self-test"));
        assert!(finished.status.success(), "{finished:?}");
    }
    assert_eq!(fs::read_dir(&folder).expect("the folder").count(), 0);
}
