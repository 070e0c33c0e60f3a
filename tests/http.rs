//! The HTTP programs among strangers: the server with curl, Python, Chromium, wrk and clients
//! that mean no good; the client with Python's servers; and the reader of requests beside a
//! parser of many years.

mod support;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use support::running::Running;
use support::{C99, Language, Linking, VARIANTS, compile, has, root, run, run_to_end};

fn program(name: &str) -> Command {
    let source = root().join("c-examples").join(name).with_extension("c");
    Command::new(compile(&source, Language::C, Linking::Shared))
}

fn site() -> PathBuf {
    root().join("c-examples/site")
}

/// A folder that is this test's own, and empty.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("http").join(name);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => panic!("{}: {error}", folder.display()),
        _ => fs::create_dir_all(&folder).expect("a folder"),
    }
    folder
}

struct Server {
    running: Running,
    /// Host and port.
    at: String,
}

impl Server {
    fn start(folder: &Path, options: &[&str]) -> Server {
        let mut running = Running::start(program("http_server").args(options).arg(folder));
        let at = running.expect("bind:");
        Server { running, at }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.at)
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.at).expect("a connection");
        stream.set_read_timeout(Some(support::LIMIT)).expect("a limit");
        stream
    }

    fn say(&self, words: &str) -> TcpStream {
        let mut stream = self.connect();
        stream.write_all(words.as_bytes()).expect("a request");
        stream
    }

    /// Ends it as Ctrl-C does, and gives what it printed.
    fn stop(self) -> String {
        self.running.interrupt();
        let (status, said, errors) = self.running.finish();
        assert_eq!((status.code(), errors.as_str()), (Some(0), ""), "{said}");
        said
    }
}

/// Everything until the other side ends the connection, or breaks it off.
fn hear(mut stream: TcpStream) -> String {
    let mut heard = Vec::new();
    match stream.read_to_end(&mut heard) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
        _ => String::from_utf8_lossy(&heard).into_owned(),
    }
}

fn skipped(tool: &str) -> bool {
    let missing = !has(tool);
    if missing {
        println!("skipped: {tool} is not installed");
    }
    missing
}

fn curl(arguments: &[&str]) -> String {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--max-time", "50", "--noproxy", "*"]).args(arguments);
    run::succeed(&mut curl, support::LIMIT).unwrap_or_else(|error| panic!("{error}")).stdout
}

fn python(script: &str, arguments: &[&str]) -> run::Finished {
    let mut python = Command::new("python3");
    python.args(["-c", script]).args(arguments);
    run::succeed(&mut python, support::LIMIT).unwrap_or_else(|error| panic!("{error}"))
}

// --- The server ----------------------------------------------------------------------------------

#[test]
fn curl_is_served() {
    if skipped("curl") {
        return;
    }
    let server = Server::start(&site(), &[]);
    for name in ["index.html", "style.css", "script.js", "sockets.svg"] {
        let file = fs::read_to_string(site().join(name)).expect("a file of the site");
        assert_eq!(curl(&[&server.url(&format!("/{name}"))]), file);
    }
    // Three transfers, one connection; the path is sent as it stands.
    let connects = ["-o", "/dev/null", "-w", "%{http_code} %{content_type} %{num_connects}\n"];
    let said = curl(
        &[
            &connects[..],
            &[&server.url("/"), "-o", "/dev/null", &server.url("/status.json"), "-o", "/dev/null"],
            &["--path-as-is", &server.url("/../Cargo.toml")],
        ]
        .concat(),
    );
    assert_eq!(
        said,
        "200 text/html; charset=utf-8 1\n200 application/json 0\n404 text/html; charset=utf-8 0\n"
    );
    let head = curl(&["--head", &server.url("/")]);
    let length = fs::metadata(site().join("index.html")).expect("a file").len();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    for line in [&format!("Content-Length: {length}\r\n"), "Date: ", "Keep-Alive: timeout=5, max=99\r\n"] {
        assert!(head.contains(line), "no {line:?} in:\n{head}");
    }
    assert!(curl(&["-i", "-H", "Connection: close", &server.url("/")]).contains("\r\nConnection: close\r\n"));
    assert!(curl(&["-i", "-0", &server.url("/")]).contains("\r\nConnection: close\r\n"));
    assert!(curl(&["-i", "-d", "a=b", &server.url("/")]).contains("405 Method Not Allowed\r\n"));
    assert!(curl(&["-i", "-X", "DELETE", &server.url("/")]).contains("\r\nAllow: GET, HEAD\r\n"));
    let said = server.stop();
    assert!(said.contains("404 for 127.0.0.1:") && said.contains(": GET /../Cargo.toml\n"), "{said}");
}

/// A body with a question: the answer comes, and what followed is not taken for a request.
#[test]
fn what_is_sent_along_is_not_a_request() {
    let server = Server::start(&site(), &[]);
    let smuggled = "GET /none HTTP/1.1\r\nHost: a\r\n\r\n";
    let request =
        format!("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{smuggled}", smuggled.len());
    let heard = hear(server.say(&request));
    assert!(heard.starts_with("HTTP/1.1 200 OK\r\n"), "{heard}");
    assert!(heard.contains("\r\nConnection: close\r\n") && !heard.contains("404"), "{heard}");
    let expecting = "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n";
    assert!(hear(server.say(expecting)).starts_with("HTTP/1.1 200 OK\r\n"));
    server.stop();
}

#[test]
fn the_answer_to_head_has_no_body() {
    let server = Server::start(&site(), &[]);
    for path in ["/", "/status.json", "/none"] {
        let heard = hear(server.say(&format!("HEAD {path} HTTP/1.0\r\n\r\n")));
        assert!(heard.ends_with("\r\n\r\n") && heard.contains("\r\nContent-Length: "), "{heard}");
        assert!(!heard.contains("\r\nContent-Length: 0\r\n"), "{heard}");
    }
    server.stop();
}

#[test]
fn pythons_client_is_served() {
    if skipped("python3") {
        return;
    }
    let script = r#"
import http.client, json, sys
host, file = sys.argv[1], open(sys.argv[2], "rb").read()
c = http.client.HTTPConnection(host, timeout=50)
c.connect()
first = c.sock
for turn in range(20):
    c.request("GET", "/sockets.svg")
    r = c.getresponse()
    assert (r.status, r.getheader("Content-Type"), r.read()) == (200, "image/svg+xml", file)
    c.request("GET", "/status.json")
    status = json.loads(c.getresponse().read())
    assert status["requests"] == 2 * turn + 2 and status["connections"] == 1, status
    assert c.sock is first
c.request("HEAD", "/sockets.svg")
r = c.getresponse()
assert (r.status, r.getheader("Content-Length"), r.read()) == (200, str(len(file)), b"")
c.request("HEAD", "/none")
r = c.getresponse()
assert (r.status, r.read()) == (404, b"")
c.request("GET", "/", headers={"Connection": "close"})
r = c.getresponse()
assert r.status == 200 and r.read() and r.will_close and c.sock is None
"#;
    let server = Server::start(&site(), &[]);
    python(script, &[&server.at, &site().join("sockets.svg").display().to_string()]);
    server.stop();
}

#[test]
fn nobody_gets_out_of_the_folder() {
    let outer = folder("outer");
    let inner = outer.join("site");
    fs::create_dir_all(inner.join("sub")).expect("folders");
    fs::write(outer.join("secret"), "secret").expect("a file");
    fs::write(inner.join(".hidden"), "secret").expect("a file");
    fs::write(inner.join("sub/a b.txt"), "open").expect("a file");
    for (target, link) in [("../secret", "link"), ("..", "up"), ("/", "root"), ("sub", "inside")] {
        std::os::unix::fs::symlink(target, inner.join(link)).expect("a link");
    }
    run::succeed(Command::new("mkfifo").arg(inner.join("pipe")), support::LIMIT)
        .unwrap_or_else(|error| panic!("{error}"));
    let server = Server::start(&inner, &[]);
    let get = |path: &str| hear(server.say(&format!("GET {path} HTTP/1.0\r\n\r\n")));
    assert!(get("/sub/a%20b.txt").ends_with("\r\n\r\nopen"));
    assert!(get("/%73ub/%61 b.txt").starts_with("HTTP/1.1 400 "));
    for path in [
        "/../secret",
        "/sub/../../secret",
        "/%2e%2e/secret",
        "/..%2fsecret",
        "/%2e%2e%2fsecret",
        "/sub/%2e./%2E%2e/secret",
        "/.hidden",
        "/%2ehidden",
        "/link",
        "/up/secret",
        "/root/etc/passwd",
        "/inside/a%20b.txt",
        "//etc/passwd",
        "/sub//a%20b.txt",
        "/sub",
        "/sub/",
        "/pipe",
        "/sub/a%20b.txt/",
    ] {
        let heard = get(path);
        assert!(heard.starts_with("HTTP/1.1 404 Not Found\r\n"), "{path}:\n{heard}");
    }
    for path in ["/sub/a%20b.txt%00.html", "/%", "/%4", "/%gg", "secret", "http:///secret", "file:///secret"]
    {
        let heard = get(path);
        assert!(heard.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{path}:\n{heard}");
    }
    server.stop();
}

#[test]
fn slow_and_silent_clients_hold_nobody_up() {
    let big = folder("big");
    fs::File::create(big.join("file")).expect("a file").set_len(64 << 20).expect("a length");
    let server = Server::start(&big, &["--limit", "1000", "--idle", "300"]);
    let begin = Instant::now();
    let silent = server.connect();
    let half = server.say("GET / HTTP/1.1\r\nHos");
    let kept = server.say("GET /none HTTP/1.1\r\nHost: a\r\n\r\n");
    let deaf = server.say("GET /file HTTP/1.1\r\nHost: a\r\n\r\n");
    // One byte now and then does not buy more time.
    let mut dripping = server.connect();
    let drip = thread::spawn(move || {
        let mut sent = 0;
        for byte in "GET / HTTP/1.1\r\nX: ".bytes().chain(std::iter::repeat(b'x')) {
            if dripping.write_all(&[byte]).is_err() || begin.elapsed() > support::LIMIT {
                break;
            }
            sent += 1;
            thread::sleep(Duration::from_millis(10));
        }
        (sent, begin.elapsed())
    });
    // Meanwhile the others are served.
    let asked = Instant::now();
    assert!(hear(server.say("GET /none HTTP/1.0\r\n\r\n")).starts_with("HTTP/1.1 404 "));
    assert!(asked.elapsed() < Duration::from_millis(900), "{:?}", asked.elapsed());

    assert!(hear(half).starts_with("HTTP/1.1 408 Request Timeout\r\n"));
    assert_eq!(hear(silent), "");
    assert!(hear(kept).starts_with("HTTP/1.1 404 "));
    let (sent, ended) = drip.join().expect("no panic");
    assert!(ended < Duration::from_secs(20), "{sent} bytes, {ended:?}");
    // The one who never reads got an end too: only what was under way comes, never all of it.
    let gone = |text: &str| text.contains("\"connections\": 1,");
    while !gone(&hear(server.say("GET /status.json HTTP/1.0\r\n\r\n"))) {
        assert!(begin.elapsed() < support::LIMIT, "a client that does not read is still there");
        thread::sleep(Duration::from_millis(50));
    }
    assert!(hear(deaf).len() < 64 << 20);
    server.stop();
}

#[test]
fn a_full_table_is_told_politely() {
    let server = Server::start(&site(), &["--connections", "3", "--limit", "3600000"]);
    let mut busy: Vec<TcpStream> = (0..3).map(|_| server.say("GET /status.json HTTP/1.1\r\n")).collect();
    // That they have their places is seen from outside: a fourth is refused.
    let refused = || {
        let heard = hear(server.say("GET / HTTP/1.0\r\n\r\n"));
        heard.starts_with("HTTP/1.1 503 Service Unavailable\r\n") && heard.contains("\r\nRetry-After: 1\r\n")
    };
    assert!(refused() && refused());
    // They are not harmed, and when one has left there is room again.
    for stream in &mut busy {
        stream.write_all(b"Host: a\r\nConnection: close\r\n\r\n").expect("the rest");
    }
    for stream in busy {
        assert!(hear(stream).contains("\"connections\": "));
    }
    let begin = Instant::now();
    while refused() {
        assert!(begin.elapsed() < support::LIMIT);
    }
    // Who has only been silent for a while gives way.
    let silent: Vec<TcpStream> = (0..3).map(|_| server.connect()).collect();
    while refused() {
        assert!(begin.elapsed() < support::LIMIT, "silent connections keep their places");
        thread::sleep(Duration::from_millis(50));
    }
    drop(silent);
    server.stop();
}

#[test]
fn a_connection_has_a_most_of_requests() {
    let server = Server::start(&site(), &["--requests", "3", "--quiet", "1"]);
    let one = "HEAD /status.json HTTP/1.1\r\nHost: a\r\n\r\n";
    let heard = hear(server.say(&one.repeat(5)));
    assert_eq!(heard.matches("HTTP/1.1 200 OK\r\n").count(), 3, "{heard}");
    assert!(heard.contains("max=2\r\n") && heard.contains("max=1\r\n"), "{heard}");
    assert!(heard.ends_with("\r\nConnection: close\r\n\r\n"), "{heard}");
    assert!(!server.stop().contains("HEAD"), "--quiet was not");
}

#[test]
fn refusals_reach_even_who_is_still_sending() {
    let server = Server::start(&site(), &[]);
    let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(200_000));
    let heard = hear(server.say(&long));
    assert!(heard.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"), "{heard}");
    let body = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n{}", "x".repeat(200_000));
    assert!(hear(server.say(&body)).starts_with("HTTP/1.1 405 "));
    server.stop();
}

#[test]
fn a_file_that_shrinks_ends_the_connection() {
    let place = folder("shrinking");
    let file = fs::File::create(place.join("file")).expect("a file");
    file.set_len(64 << 20).expect("a length");
    // Not the limit shall end it.
    let server = Server::start(&place, &["--limit", "3600000"]);
    let mut stream = server.say("GET /file HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut first = [0; 100];
    stream.read_exact(&mut first).expect("the beginning");
    file.set_len(1).expect("a length");
    let heard = hear(stream);
    assert!(heard.len() < 64 << 20);
    assert!(hear(server.say("GET / HTTP/1.0\r\n\r\n")).starts_with("HTTP/1.1 404 "));
    server.stop();
}

#[test]
fn interrupts_end_it_in_the_middle_of_everything() {
    let big = folder("interrupted");
    fs::File::create(big.join("file")).expect("a file").set_len(64 << 20).expect("a length");
    let server = Server::start(&big, &[]);
    let mut reading = server.say("GET /file HTTP/1.1\r\nHost: a\r\n\r\n");
    reading.read_exact(&mut [0; 100]).expect("the beginning");
    let _waiting = server.say("GET");
    assert!(server.stop().contains("\nend:    1 requests, "));
}

#[test]
fn wrk_finds_no_error_in_100_000_requests() {
    if skipped_wrk() {
        return;
    }
    let server = Server::start(&site(), &["--quiet", "1"]);
    let mut requests = 0;
    let begin = Instant::now();
    while requests < 100_000 {
        assert!(begin.elapsed() < Duration::from_secs(300), "{requests} requests");
        let mut wrk = Command::new("wrk");
        wrk.args(["-c", "200", "-t", "2", "-d", "2s", "--timeout", "30s", &server.url("/")]);
        let said = run::succeed(&mut wrk, support::LIMIT).unwrap_or_else(|error| panic!("{error}")).stdout;
        assert!(!said.contains("Socket errors") && !said.contains("Non-2xx"), "{said}");
        let count = said.lines().find(|line| line.contains(" requests in ")).expect("a count");
        let count = count.split_whitespace().next().and_then(|count| count.parse::<u64>().ok());
        requests += count.expect("a number");
    }
    let said = server.stop();
    println!("{requests} requests over 200 connections without an error; {said}");
}

/// wrk knows no --version that succeeds.
fn skipped_wrk() -> bool {
    let missing = Command::new("wrk").arg("-v").output().is_err();
    if missing {
        println!("skipped: wrk is not installed");
    }
    missing
}

#[test]
fn chromium_draws_the_page() {
    if skipped("chromium") {
        return;
    }
    let server = Server::start(&site(), &[]);
    let place = folder("chromium");
    let picture = place.join("page.png");
    let chromium = |what: &str| {
        let profile = place.join(what.trim_start_matches('-').split('=').next().expect("a word"));
        let mut chromium = Command::new("chromium");
        chromium.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]);
        chromium.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
        chromium.args(["--hide-scrollbars", "--window-size=800,760", "--virtual-time-budget=3000"]);
        chromium.arg(format!("--user-data-dir={}", profile.display())).arg(what).arg(server.url("/"));
        run::succeed(&mut chromium, Duration::from_secs(120)).unwrap_or_else(|error| panic!("{error}")).stdout
    };
    let page = chromium("--dump-dom");
    // What the script wrote into the page: the picture has a size, the JSON was read.
    for found in ["data-picture=\"drawn\"", "data-live=\"yes\"", "{\"uptime_ms\": "] {
        assert!(page.contains(found), "no {found} in:\n{page}");
    }
    chromium(&format!("--screenshot={}", picture.display()));
    let bytes = fs::read(&picture).expect("a screenshot");
    assert!(bytes.starts_with(b"\x89PNG") && bytes.len() > 5000, "{} bytes", bytes.len());
    let said = server.stop();
    for file in ["/", "/style.css", "/script.js", "/sockets.svg", "/status.json"] {
        assert!(said.contains(&format!(": GET {file}\n")), "no {file} in:\n{said}");
    }
    assert!(!said.contains("404 for"), "{said}");
}

// --- The client ----------------------------------------------------------------------------------

#[test]
fn client_and_server_understand_each_other() {
    for (server, client) in VARIANTS.into_iter().zip(VARIANTS.into_iter().rev()) {
        let start = |name: &str, (language, linking)| {
            let source = root().join("c-examples").join(name).with_extension("c");
            Command::new(compile(&source, language, linking))
        };
        let mut running = Running::start(start("http_server", server).arg(site()));
        let url = format!("http://{}", running.expect("bind:"));
        let finished = run_to_end(start("http_client", client).args([
            &url,
            &format!("{url}/script.js?a=b"),
            &format!("{url}/sockets.svg"),
        ]));
        assert!(finished.status.success(), "{finished:?}");
        let files = ["index.html", "script.js", "sockets.svg"].map(|name| site().join(name));
        let wanted: String = files.map(|file| fs::read_to_string(file).expect("a file")).concat();
        assert_eq!(finished.stdout, wanted);
        assert_eq!(finished.stderr.matches("connected to").count(), 1, "{}", finished.stderr);

        let missing = run_to_end(start("http_client", client).args(["-i", &format!("{url}/none")]));
        assert_eq!(missing.status.code(), Some(1), "{missing:?}");
        assert!(missing.stdout.starts_with("HTTP/1.1 404 Not Found\nDate: "), "{missing:?}");
        running.interrupt();
        let (status, _, errors) = running.finish();
        assert_eq!((status.code(), errors.as_str()), (Some(0), ""));
    }
}

/// The server may end a kept connection just when the next request is on its way.
#[test]
fn client_tries_again_where_a_kept_connection_is_gone() {
    let server = Server::start(&site(), &["--requests", "1"]);
    let url = server.url("/status.json");
    let finished = run_to_end(program("http_client").args([&url, &url]));
    assert!(finished.status.success(), "{finished:?}");
    assert_eq!(finished.stderr.matches("connected to").count(), 2, "{}", finished.stderr);
    server.stop();

    // One that promises to keep it, and does not.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let lying = thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().expect("a client");
            let _ = stream.read(&mut [0; 1000]).expect("a request");
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na\n").expect("an answer");
        }
    });
    let finished = run_to_end(program("http_client").args([&url, &url]));
    assert_eq!((finished.status.code(), finished.stdout.as_str()), (Some(0), "a\na\n"), "{finished:?}");
    assert!(finished.stderr.contains("the kept connection is gone"), "{finished:?}");
    lying.join().expect("no panic");
}

#[test]
fn client_talks_to_pythons_servers() {
    if skipped("python3") {
        return;
    }
    let script = r#"
import http.server, sys
class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = sys.argv[1]
    def do_GET(self):
        if self.path != "/chunks":
            return super().do_GET()
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for n in range(1000):
            piece = b"%d\n" % n * 7
            self.wfile.write(b"%X;n=%d\r\n%s\r\n" % (len(piece), n, piece))
        self.wfile.write(b"0\r\nX-End: yes\r\n\r\n")
    def log_message(self, *words):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print("port:", server.server_address[1], flush=True)
server.serve_forever()
"#;
    let page = fs::read_to_string(site().join("index.html")).expect("a file");
    let chunks: String = (0..1000).map(|n| format!("{n}\n").repeat(7)).collect();
    for (version, connections) in [("HTTP/1.0", 3), ("HTTP/1.1", 1)] {
        let mut server =
            Running::start(Command::new("python3").args(["-c", script, version]).current_dir(site()));
        let url = format!("http://localhost:{}", server.expect("port:"));
        let mut urls = vec![format!("{url}/"), format!("{url}/index.html")];
        // Chunks are of 1.1.
        urls.push(if connections == 1 { format!("{url}/chunks") } else { format!("{url}/") });
        let finished = run_to_end(program("http_client").args(urls));
        assert!(finished.status.success(), "{finished:?}");
        let last = if connections == 1 { &chunks } else { &page };
        assert!(finished.stdout == format!("{page}{page}{last}"), "{version}:\n{}", finished.stdout);
        assert_eq!(finished.stderr.matches("connected to").count(), connections, "{}", finished.stderr);
    }
}

#[test]
fn client_says_what_is_wrong() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let taken = TcpStream::connect(listener.local_addr().expect("an address")).expect("a connection");
    let nobody = format!("http://{}/", taken.local_addr().expect("an address"));
    let silent = format!("http://{}/", listener.local_addr().expect("an address"));
    for (arguments, message) in [
        (vec![nobody.as_str()], "refused"),
        (vec!["--limit", "200", silent.as_str()], "time"),
        (vec!["https://127.0.0.1/"], "not an http:// URL"),
        (vec!["http://a b/"], "not an http:// URL"),
    ] {
        let finished = run_to_end(program("http_client").args(&arguments));
        assert_eq!(finished.status.code(), Some(1), "{finished:?}");
        assert!(finished.stdout.is_empty() && finished.stderr.contains(message), "{finished:?}");
    }
}

/// The limit is for the page, however busily the server sends a byte now and then.
#[test]
fn client_is_not_held_up_by_drops() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let dripping = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let begin = Instant::now();
        while stream.write_all(b"H").is_ok() && begin.elapsed() < support::LIMIT {
            thread::sleep(Duration::from_millis(20));
        }
    });
    let finished = run_to_end(program("http_client").args(["--limit", "300", &url]));
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    assert!(finished.stderr.contains("time"), "{finished:?}");
    dripping.join().expect("no panic");
}

#[test]
fn interrupts_end_client_and_measurement() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let client = Running::start(program("http_client").arg(&url));
    // It is waiting once its request is there.
    let (mut stream, _) = listener.accept().expect("the client");
    let _ = stream.read(&mut [0; 1000]).expect("a request");
    client.interrupt();
    let (status, _, errors) = client.finish();
    assert_eq!(status.code(), Some(1), "no page came, and the client says it did: {errors}");

    let mut measuring = Running::start(program("http_vs_socket").args(["--exchanges", "100000"]));
    measuring.expect("100000 exchanges");
    measuring.interrupt();
    let (status, said, errors) = measuring.finish();
    assert_eq!((status.code(), errors.as_str()), (Some(0), ""), "{said}");
    assert!(!said.contains("Conclusion"), "{said}");
}

#[test]
fn the_measurement_ends_in_one_sentence() {
    let finished = run_to_end(program("http_vs_socket").args(["--exchanges", "200"]));
    assert!(finished.status.success() && finished.stderr.is_empty(), "{finished:?}");
    for line in [
        "HTTP, a connection each          200 ",
        "HTTP, Keep-Alive                   1 ",
        "one plain socket                   1 ",
    ] {
        assert!(finished.stdout.contains(line), "no {line:?} in:\n{}", finished.stdout);
    }
    let conclusion = finished.stdout.split_once("Conclusion: ").expect("a conclusion").1.trim();
    assert!(conclusion.ends_with('.') && conclusion.matches(". ").count() == 0, "{conclusion}");
}

// --- The reader of requests ----------------------------------------------------------------------

#[test]
fn the_reader_is_never_more_lenient_than_http_parser() {
    let compare = folder("compare").join("compare");
    let mut compiler = Command::new("cc");
    compiler.args(C99).arg("-O2").arg(root().join("fuzz/http_request_compare.c"));
    if !Path::new("/usr/include/http_parser.h").exists() {
        println!("skipped: http-parser is not installed");
        return;
    }
    run::succeed(compiler.args(["-lhttp_parser", "-o"]).arg(&compare), support::LIMIT)
        .unwrap_or_else(|error| panic!("{error}"));
    let finished = run_to_end(Command::new(&compare).arg("3000000"));
    assert!(finished.status.success(), "{}", finished.stdout);
    println!("{}", finished.stdout);
}
