//! Runs a program that must not hang: its output is kept, and at its time limit it is killed.
//! For the build script and the tests.

use std::io::Read;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// What a program that ended left behind.
#[derive(Debug)]
pub struct Finished {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// A command as one would type it; `Debug` would show the whole environment.
pub fn words(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Runs the program to its end, and gives what it left behind where it succeeded.
pub fn succeed(command: &mut Command, limit: Duration) -> Result<Finished, String> {
    let finished = run(command, limit)?;
    if finished.status.success() {
        return Ok(finished);
    }
    let Finished { status, stdout, stderr } = finished;
    Err(format!("{} failed ({status}):\n{stdout}{stderr}", words(command)))
}

/// Runs the program to its end. An error where it can't start or is not done in time.
pub fn run(command: &mut Command, limit: Duration) -> Result<Finished, String> {
    let deadline = Instant::now() + limit;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{}: {error}", words(command)))?;
    let [out, err] = [collect(child.stdout.take()), collect(child.stderr.take())];
    // A program that ends closes its output; one that hangs is found out by the clock.
    let [stdout, stderr] = [&out, &err].map(|text| receive(text, deadline));
    while stdout.is_some() && stderr.is_some() && Instant::now() < deadline {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            return Ok(Finished {
                status,
                stdout: stdout.unwrap_or_default(),
                stderr: stderr.unwrap_or_default(),
            });
        }
        thread::sleep(Duration::from_millis(1));
    }
    let _ = child.kill();
    let _ = child.wait();
    let soon = Instant::now() + Duration::from_secs(1);
    let stdout = stdout.or_else(|| receive(&out, soon)).unwrap_or_default();
    let stderr = stderr.or_else(|| receive(&err, soon)).unwrap_or_default();
    Err(format!("{} was not done within {limit:?}:\n{stdout}{stderr}", words(command)))
}

fn receive(text: &mpsc::Receiver<String>, until: Instant) -> Option<String> {
    text.recv_timeout(until.saturating_duration_since(Instant::now())).ok()
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // An error ends the output like its end.
            let _ = pipe.read_to_end(&mut bytes);
        }
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}
