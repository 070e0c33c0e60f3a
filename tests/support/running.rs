//! A process that a test talks to: its lines are waited for, never slept for, and it does not
//! outlive the test.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use super::{LIMIT, run};

pub struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
    name: String,
    seen: String,
}

impl Running {
    pub fn start(command: &mut Command) -> Running {
        let name = run::words(command);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
        let stdin = child.stdin.take();
        let [stdout, stderr] = [lines(child.stdout.take()), lines(child.stderr.take())];
        Running { child, stdin, stdout, stderr, name, seen: String::new() }
    }

    /// Writes a line to the process.
    pub fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("an input that is still open");
        writeln!(stdin, "{line}").unwrap_or_else(|error| panic!("{}: {error}", self.name));
    }

    /// Ends its input.
    pub fn end_input(&mut self) {
        self.stdin = None;
    }

    /// Waits for a line that begins so, and gives the rest of it.
    pub fn expect(&mut self, beginning: &str) -> String {
        let deadline = Instant::now() + LIMIT;
        loop {
            match self.stdout.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.seen += &format!("{line}\n");
                    if let Some(rest) = line.strip_prefix(beginning) {
                        return rest.trim().to_string();
                    }
                }
                Err(error) => panic!("{}: no line {beginning:?} ({error}) in:\n{}", self.name, self.seen),
            }
        }
    }

    /// As Ctrl-C does.
    pub fn interrupt(&self) {
        self.signal("INT");
    }

    /// Through the shell, whose `kill` is built in and needs no `unsafe`.
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        run::succeed(Command::new("sh").args(["-c", &kill]), LIMIT).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Waits for its end: status, everything it wrote to stdout, and to stderr.
    pub fn finish(mut self) -> (ExitStatus, String, String) {
        self.end_input();
        let deadline = Instant::now() + LIMIT;
        let rest = self.drain(deadline, |running| &running.stdout);
        self.seen += &rest;
        let errors = self.drain(deadline, |running| &running.stderr);
        loop {
            if let Some(status) = self.child.try_wait().expect("a child of ours") {
                return (status, self.seen.clone(), errors);
            }
            assert!(Instant::now() < deadline, "{} does not end after:\n{}{errors}", self.name, self.seen);
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn drain(&self, deadline: Instant, end: impl Fn(&Running) -> &Receiver<String>) -> String {
        let mut text = String::new();
        loop {
            match end(self).recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => text += &format!("{line}\n"),
                Err(RecvTimeoutError::Disconnected) => return text,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("{} does not end after:\n{}{text}", self.name, self.seen)
                }
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(pipe: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    let pipe = pipe.expect("a pipe, as asked for");
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
