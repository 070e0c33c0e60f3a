//! What a run with a fault must be like.

use std::collections::BTreeMap;
use std::ffi::CStr;

use sk::capi::errors::{sk_error_name, sk_strerror};

use super::calls::Fault;
use super::trace::{End, Run};

/// What is wrong with a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wrong {
    Hang,
    Crash,
    Leak,
    /// It failed without the reason, or with a false one, or should have gone on.
    Untruthful,
}

/// How a program tells what it hears.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    /// In lines "fault: CODE errno N from CALL", and ends with 0.
    Lines,
    /// In sentences for people, and ends with another status.
    Sentences,
}

/// Words that examples have of their own for a code.
const WORDS: &[(&str, &str)] = &[
    ("SK_ECONNREFUSED", "refused the connection"),
    ("SK_ECONNREFUSED", "nobody serves there"),
    ("SK_ENOENT", "nobody serves there"),
    ("SK_ECONNRESET", " reset"),
    ("SK_ETIMEDOUT", "did not answer"),
    ("SK_ETIMEDOUT", "no answer in time"),
];

pub fn judge(run: &Run, speaks: Speaks, fault: Fault) -> Option<Wrong> {
    match run.end {
        End::Hang(_) => return Some(Wrong::Hang),
        End::Signal(_) => return Some(Wrong::Crash),
        End::Exit(_) => {}
    }
    let succeeded = run.end == End::Exit(0);
    if run.orphans > 0 || succeeded && !run.open.is_empty() {
        return Some(Wrong::Leak);
    }
    let truthful = match speaks {
        // It finds leaks by itself.
        Speaks::Lines if !succeeded && run.output.contains("open_fds()") => return Some(Wrong::Leak),
        Speaks::Lines if !succeeded && run.output.contains("sk_open_count()") => return Some(Wrong::Leak),
        // What comes after the first failure may follow from it.
        Speaks::Lines => succeeded && first_failure(&run.output).is_none_or(|line| fits(line, fault)),
        Speaks::Sentences => succeeded || explains(&run.output, fault),
    };
    (!truthful).then_some(Wrong::Untruthful)
}

fn first_failure(output: &str) -> Option<&str> {
    output.lines().find_map(|line| line.strip_prefix("fault: "))
}

/// Whether "CODE errno N from CALL" is what the program may hear of the fault.
fn fits(line: &str, fault: Fault) -> bool {
    let Fault::Fails(failure) = fault else { return false };
    failure.codes().iter().any(|code| {
        let rest = line.strip_prefix(&format!("{code} errno "));
        rest.is_some_and(|rest| {
            !failure.keeps_errno() || rest.starts_with(&format!("{} from", failure.errno))
        })
    })
}

/// Whether a text for people says what the program may hear of the fault.
fn explains(output: &str, fault: Fault) -> bool {
    let Fault::Fails(failure) = fault else { return false };
    // What the program does with files it tells in the system's words.
    let system = std::io::Error::from_raw_os_error(failure.errno).to_string();
    if system.split_once(" (os error").is_some_and(|(words, _)| output.contains(words)) {
        return true;
    }
    let sentences = sentences();
    let mut codes = failure.codes();
    if failure.errno == libc::EAGAIN {
        // A call that must not wait hears of it.
        codes.push("SK_EAGAIN".to_string());
    }
    codes.iter().any(|code| {
        let words = WORDS.iter().filter(|(of, _)| of == code).map(|(_, words)| *words);
        words.chain([code.as_str(), sentences[code].as_str()]).any(|words| output.contains(words))
    })
}

/// The library's sentence for each code, by name.
fn sentences() -> BTreeMap<String, String> {
    // SAFETY: both functions return a C string that lives for ever.
    let text = |text| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned();
    (-100..0).map(|code| (text(sk_error_name(code)), text(sk_strerror(code)))).collect()
}
