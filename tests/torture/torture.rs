//! The runs: which there are, a few at a time, and their count.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use super::calls::{self, Fault, Row};
use super::judge::{Speaks, Wrong, judge};
use super::support::{Language, Linking, compile, examples, root};
use super::trace::{self, End, Run};

/// Far more than any run takes: only a hang lasts that long.
const LIMIT: Duration = Duration::from_secs(20);
/// For a program that does nothing, or hangs on purpose.
const SHORT: Duration = Duration::from_secs(3);

/// So many runs at a time.
const WORKERS: usize = 2;

/// An example that makes thousands of calls, or waits for its own limits, goes no further than
/// this; of each kind of fault some come first.
const EXAMPLE_BUDGET: Duration = Duration::from_secs(30);

/// Of each fault of each kind of call, and each program, when it has to be short.
const A_FEW: usize = 6;

/// A program with its arguments, the same for each of its runs.
struct Subject {
    name: String,
    program: PathBuf,
    arguments: Vec<String>,
    speaks: Speaks,
}

/// A run to be made: the `nth` call of interest meets the fault. If the fault stays, so does each
/// later call that can; of interruptions the first, third, sixth, tenth …, so that whoever
/// tries again gets on at last.
struct Plan {
    nth: usize,
    row: &'static Row,
    fault: Fault,
    stays: bool,
}

impl Plan {
    fn name(&self) -> String {
        format!("{}{}", self.fault.name(), if self.stays { "+" } else { "" })
    }
}

/// All runs of this process.
static COUNT: Mutex<Count> = Mutex::new(Count { injected: 0, met: BTreeSet::new(), wrong: [0; 4] });

struct Count {
    injected: usize,
    /// Calls with the faults that they met.
    met: BTreeSet<(&'static str, &'static str)>,
    wrong: [usize; 4],
}

pub fn main() {
    let mut arguments = Arguments::from_args();
    // Each trial has its own workers.
    arguments.test_threads = Some(1);
    let asked = std::env::var("SK_TORTURE").unwrap_or_default();
    let full = asked == "full";
    if !full && !asked.is_empty() {
        return show(&asked);
    }
    if let Err(why) = trace::run(Path::new("/bin/true"), &[], &[], LIMIT, &mut |_| None) {
        let reason = format!("this machine does not let one process trace another: {why}");
        let trial = Trial::ignorable_test("torture", move || Ok(Completion::ignored_with(reason)));
        libtest_mimic::run(&arguments, vec![trial]).exit();
    }
    let mut trials = vec![
        Trial::test("every_function_is_called", every_function_is_called),
        Trial::test("every_system_call_is_known", every_system_call_is_known),
        Trial::test("what_goes_wrong_is_seen", what_goes_wrong_is_seen),
    ];
    for (name, source, speaks) in programs(full) {
        for linking in if full { vec![Linking::Shared, Linking::Static] } else { vec![Linking::Shared] } {
            let source = source.clone();
            let test = move || torture(&source, linking, speaks, full);
            trials.push(Trial::test(format!("{name} [{linking:?}]"), test));
        }
    }
    // The trials run in this order.
    trials.push(Trial::test("every_fault_was_met", every_fault_was_met));
    let conclusion = libtest_mimic::run(&arguments, trials);
    let count = COUNT.lock().expect("a count");
    let (injected, [hangs, crashes, leaks, untruthful]) = (count.injected, count.wrong);
    println!(
        "torture: {injected} faults injected, {hangs} hangs, {crashes} crashes, {leaks} leaks, {untruthful} untruthful"
    );
    conclusion.exit();
}

fn programs(full: bool) -> Vec<(String, PathBuf, Speaks)> {
    let mut programs: Vec<(PathBuf, Speaks)> =
        cover_programs().into_iter().map(|source| (source, Speaks::Lines)).collect();
    if full {
        programs.extend(examples().into_iter().map(|source| (source, Speaks::Sentences)));
    }
    programs.into_iter().map(|(source, speaks)| (stem(&source), source, speaks)).collect()
}

fn stem(source: &Path) -> String {
    source.file_stem().expect("a name").to_string_lossy().into_owned()
}

/// The programs that are made for this: they call every function of the library.
fn cover_programs() -> Vec<PathBuf> {
    ["cover.c", "cover_rest.c"].map(|name| root().join("tests/torture").join(name)).to_vec()
}

fn subjects(source: &Path, linking: Linking, speaks: Speaks) -> Vec<Subject> {
    let program = compile(source, Language::C, linking);
    let subject = |argument: &str, scenario: &str| Subject {
        name: format!("{}-{linking:?}{scenario}", stem(source)),
        program: program.clone(),
        arguments: vec![argument.to_string()],
        speaks,
    };
    match speaks {
        Speaks::Sentences => vec![subject("--self-test", "")],
        Speaks::Lines => {
            let list =
                trace::run(&program, &["--list".to_string()], &[], LIMIT, &mut |_| None).expect("a list");
            list.output.lines().map(|scenario| subject(scenario, &format!(" {scenario}"))).collect()
        }
    }
}

/// The calls of interest that a program makes when nothing fails.
fn calls_of(subject: &Subject) -> Result<Vec<&'static Row>, Failed> {
    let mut rows = Vec::new();
    let run = trace::run(&subject.program, &subject.arguments, &calls::numbers(), LIMIT, &mut |call| {
        rows.extend(calls::row_of(call));
        None
    })?;
    if run.end != End::Exit(0) || run.output.contains("fault: ") || !run.open.is_empty() {
        return Err(format!("{} without a fault: {run:?}", subject.name).into());
    }
    Ok(rows)
}

/// One run. Whether the fault was met.
fn inject(subject: &Subject, plan: &Plan) -> std::io::Result<(bool, Run)> {
    let (mut seen, mut met) = (0, false);
    let run = trace::run(&subject.program, &subject.arguments, &calls::numbers(), LIMIT, &mut |call| {
        if seen > plan.nth && !(met && plan.stays) {
            return None;
        }
        let row = calls::row_of(call)?;
        seen += 1;
        let its_turn = match seen.cmp(&(plan.nth + 1)) {
            Ordering::Less => false,
            // Where threads take turns another call may have the number.
            Ordering::Equal => std::ptr::eq(row, plan.row),
            Ordering::Greater => !plan.fault.is_interruption() || is_triangular(seen - plan.nth - 1),
        };
        if !its_turn {
            return None;
        }
        let fault = row.faults().find(|fault| fault.name() == plan.fault.name())?;
        let act = row.act(call, fault);
        met |= act.is_some();
        act
    })?;
    Ok((met, run))
}

fn is_triangular(number: usize) -> bool {
    (0..=number).scan(0, |sum, step| Some(*sum + step).inspect(|next| *sum = *next)).any(|sum| sum == number)
}

/// Has the scenarios of a program, or its self-test, meet faults.
fn torture(source: &Path, linking: Linking, speaks: Speaks, full: bool) -> Result<(), Failed> {
    let begin = Instant::now();
    let subjects = subjects(source, linking, speaks);
    let mut runs = Vec::new();
    for subject in &subjects {
        runs.extend(plans(&calls_of(subject)?).into_iter().map(|plan| (subject, plan)));
    }
    let all = runs.len();
    let rounds = mix(runs);
    let runs: Vec<_> = rounds.into_iter().take(if full { usize::MAX } else { A_FEW }).flatten().collect();
    let budget = if speaks == Speaks::Sentences { EXAMPLE_BUDGET } else { Duration::MAX };
    let (next, made) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let result = Mutex::new((0, BTreeSet::new(), Vec::new()));
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while begin.elapsed() < budget {
                    let Some((subject, plan)) = runs.get(next.fetch_add(1, Relaxed)) else { break };
                    made.fetch_add(1, Relaxed);
                    let (met, run) = inject(subject, plan).expect("a run");
                    let wrong = judge(&run, subject.speaks, plan.fault);
                    let mut result = result.lock().expect("no other worker panicked");
                    if met {
                        result.0 += 1;
                        result.1.insert((plan.row.name, plan.fault.name()));
                    }
                    if let Some(wrong) = wrong {
                        let run_name = format!("{} {} {}", subject.name, plan.nth, plan.name());
                        println!("{wrong:?}: SK_TORTURE=\"{run_name}\": {}, met: {met}", plan.row.name);
                        println!("{:?}\n{}", run.end, last_lines(&run.output));
                        result.2.push((wrong, run_name));
                    }
                }
            });
        }
    });
    let (injected, met, wrong) = result.into_inner().expect("no worker panicked");
    let mut count = COUNT.lock().expect("a count");
    count.injected += injected;
    count.met.extend(met);
    wrong.iter().for_each(|(wrong, _)| count.wrong[*wrong as usize] += 1);
    let (made, seconds) = (made.into_inner(), begin.elapsed().as_secs());
    println!("{} [{linking:?}]: {made} of {all} runs, {injected} faults, {seconds} s", stem(source));
    if wrong.is_empty() { Ok(()) } else { Err(format!("{} of {made} runs", wrong.len()).into()) }
}

/// What an unlucky run said at the end: it may go well when it is shown alone.
fn last_lines(output: &str) -> String {
    let lines: Vec<_> = output.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}

/// Every fault of every call.
fn plans(rows: &[&'static Row]) -> Vec<Plan> {
    let mut plans = Vec::new();
    for (nth, &row) in rows.iter().enumerate() {
        for fault in row.faults() {
            plans.push(Plan { nth, row, fault, stays: false });
            if fault.may_stay() {
                plans.push(Plan { nth, row, fault, stays: true });
            }
        }
    }
    plans
}

/// The same runs in another order: the first of each fault of each kind of call, then one that
/// lies far from it, and so on, so that any number of them is from all over the program.
fn mix(runs: Vec<(&Subject, Plan)>) -> Vec<Vec<(&Subject, Plan)>> {
    let mut kinds: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for run in runs {
        kinds.entry((run.1.row.name, run.1.name())).or_default().push(run);
    }
    let mut rounds: Vec<Vec<_>> = Vec::new();
    for kind in kinds.into_values() {
        let bits = usize::BITS - kind.len().leading_zeros();
        let mut kind: Vec<_> = kind.into_iter().enumerate().collect();
        // Numbers with their bits reversed: 0, 1/2, 1/4, 3/4, 1/8 …
        kind.sort_by_key(|(at, _)| at.reverse_bits() >> (usize::BITS - bits));
        for (round, (_, run)) in kind.into_iter().enumerate() {
            if rounds.len() == round {
                rounds.push(Vec::new());
            }
            rounds[round].push(run);
        }
    }
    rounds
}

/// Shows one run: "PROGRAM [SCENARIO] N FAULT".
fn show(asked: &str) {
    let words: Vec<&str> = asked.split(' ').collect();
    let [name @ .., nth, fault] = words.as_slice() else { panic!("SK_TORTURE=\"PROGRAM N FAULT\"") };
    let (name, nth): (String, usize) = (name.join(" "), nth.parse().expect("a number"));
    for (_, source, speaks) in programs(true) {
        for linking in [Linking::Shared, Linking::Static] {
            if !name.starts_with(&format!("{}-{linking:?}", stem(&source))) {
                continue;
            }
            let subjects = subjects(&source, linking, speaks);
            let Some(subject) = subjects.iter().find(|subject| subject.name == name) else { continue };
            let rows = calls_of(subject).expect("a run without a fault");
            let row = rows.get(nth).expect("so many calls");
            let name = fault.trim_end_matches('+');
            let stays = name != *fault;
            let fault = row.faults().find(|one| one.name() == name).expect("a fault of this call");
            let (met, run) = inject(subject, &Plan { nth, row, fault, stays }).expect("a run");
            println!("call {nth}, {}: {}, met: {met}\n{run:?}\n{}", row.name, fault.name(), run.output);
            println!("{:?}", judge(&run, subject.speaks, fault));
        }
    }
}

/// The list of functions is complete (tests/header.rs), and each is called by a program here.
fn every_function_is_called() -> Result<(), Failed> {
    let list = fs::read_to_string(root().join("tests/functions.txt"))?;
    let sources: String = cover_programs().iter().map(fs::read_to_string).collect::<Result<_, _>>()?;
    let sources = sources + &fs::read_to_string(root().join("tests/torture/cover.h"))?;
    let missing: Vec<&str> = list.lines().filter(|name| !sources.contains(&format!("{name}("))).collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("not called: {missing:?}").into()) }
}

/// Programs that go wrong in each way, and one that does not.
fn what_goes_wrong_is_seen() -> Result<(), Failed> {
    for (script, expected) in [
        ("true", None),
        ("kill -SEGV $$", Some(Wrong::Crash)),
        ("kill -PIPE $$", Some(Wrong::Crash)),
        ("sleep 60", Some(Wrong::Hang)),
        ("sleep 60 & exit 0", Some(Wrong::Leak)),
        ("echo something else; false", Some(Wrong::Untruthful)),
    ] {
        let arguments = ["-c".to_owned(), script.to_owned()];
        let run = trace::run(Path::new("/bin/sh"), &arguments, &calls::numbers(), SHORT, &mut |_| None)?;
        let found = judge(&run, Speaks::Sentences, Fault::Short);
        if found != expected {
            return Err(format!("{script:?} gives {found:?} instead of {expected:?}: {run:?}").into());
        }
    }
    Ok(())
}

/// No call of the library's is left out because nobody thought of it; and each row is there for
/// some call.
fn every_system_call_is_known() -> Result<(), Failed> {
    let mut unknown = BTreeSet::new();
    let mut met = BTreeSet::new();
    for source in cover_programs() {
        for subject in subjects(&source, Linking::Shared, Speaks::Lines) {
            trace::run(&subject.program, &subject.arguments, &[], LIMIT, &mut |call| {
                match calls::row_of(call) {
                    Some(row) => drop(met.insert(row.name)),
                    None if calls::is_left_alone(call.number) => {}
                    None => drop(unknown.insert(call.number)),
                }
                None
            })?;
        }
    }
    let idle: Vec<&str> = calls::ROWS.iter().map(|row| row.name).filter(|name| !met.contains(name)).collect();
    if unknown.is_empty() && idle.is_empty() {
        return Ok(());
    }
    Err(format!("calls without a row: {unknown:?}; rows without a call: {idle:?}").into())
}

/// Every fault of every row, by one call at least; where all programs were run.
fn every_fault_was_met() -> Result<(), Failed> {
    let met = &COUNT.lock().expect("a count").met;
    let all = calls::ROWS.iter().flat_map(|row| row.faults().map(|fault| (row.name, fault.name())));
    let missing: Vec<_> = all.filter(|pair| !met.contains(pair)).collect();
    if missing.is_empty() || met.is_empty() { Ok(()) } else { Err(format!("not met: {missing:?}").into()) }
}
