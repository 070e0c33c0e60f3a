//! The decisions of Happy Eyeballs, without clock and sockets: a world where each address
//! answers as a script says, and a record of what was done when.

use core::ops::Range;
use std::format;
use std::string::String;
use std::vec::Vec;

use proptest::prelude::*;

use super::{v4, v6};
use crate::error::{Code, Error};
use crate::net::address::{Address, Family};
use crate::net::happy_eyeballs::{Action, Candidates, IN_FLIGHT, MOST, Race, STAGGER, farther};

const MS: u64 = 1_000_000;
const HOUR: u64 = 3_600_000;

/// What an attempt leads to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Answer {
    /// Connected after so many ms.
    Yes(u64),
    /// Failed after so many ms.
    No(u64, Code),
    Never,
    /// No descriptor, as long as so many others are in progress.
    NoRoomBeside(usize),
}
use Answer::*;

/// What happened, with the times in ms: "0 start 0, 250 start 1, 300 close 0, 300 won 1".
fn play(answers: &[Answer], limit: Option<u64>) -> String {
    let mut race = Race::new(answers.len(), limit.map(|ms| ms * MS));
    // By turn: when its answer comes, and which.
    let mut running: Vec<(usize, u64, Option<Code>)> = Vec::new();
    let mut story: Vec<String> = Vec::new();
    let mut now = 0;
    loop {
        assert!(story.len() < 1000, "no end: {story:?}");
        let action = race.next(now);
        let ms = now / MS;
        match action {
            Action::Start(turn) => {
                story.push(format!("{ms} start {turn}"));
                assert!(!running.iter().any(|&(other, ..)| other == turn), "twice: {story:?}");
                match answers[turn] {
                    Yes(0) => {
                        running.push((turn, u64::MAX, None));
                        race.connected(turn);
                    }
                    No(0, code) => race.failed(turn, code.into()),
                    Yes(after) => running.push((turn, now + after * MS, None)),
                    No(after, code) => running.push((turn, now + after * MS, Some(code))),
                    Never => running.push((turn, u64::MAX, None)),
                    NoRoomBeside(count) if running.len() >= count => {
                        race.unstarted(turn, Code::SK_EMFILE.into());
                    }
                    NoRoomBeside(_) => running.push((turn, now + 10 * MS, None)),
                }
                assert!(running.len() <= IN_FLIGHT);
            }
            Action::Wait(until) => {
                assert!(!running.is_empty(), "waits for nothing: {story:?}");
                let news = running.iter().map(|&(_, at, _)| at).min().unwrap();
                let wake = news.min(until.unwrap_or(u64::MAX));
                assert!(wake != u64::MAX, "waits for ever: {story:?}");
                assert!(wake > now, "wakes at once: {story:?}");
                now = wake;
                for (turn, _, failure) in
                    running.iter().copied().filter(|&(_, at, _)| at <= now).collect::<Vec<_>>()
                {
                    match failure {
                        Some(code) => {
                            running.retain(|&(other, ..)| other != turn);
                            race.failed(turn, code.into());
                        }
                        None => race.connected(turn),
                    }
                }
            }
            Action::Close(turn) => {
                story.push(format!("{ms} close {turn}"));
                let before = running.len();
                running.retain(|&(other, ..)| other != turn);
                assert_eq!(running.len(), before - 1, "closes what is not there: {story:?}");
            }
            Action::Won(turn) => {
                let left: Vec<usize> = running.iter().map(|&(turn, ..)| turn).collect();
                assert_eq!(left, [turn], "left open: {story:?}");
                story.push(format!("{ms} won {turn}"));
                return story.join(", ");
            }
            Action::Failed(error) => {
                assert!(running.is_empty(), "left open: {story:?}");
                story.push(format!("{ms} {:?}", error.code));
                return story.join(", ");
            }
        }
    }
}

#[test]
fn scripts() {
    use Code::*;
    let refused = SK_ECONNREFUSED;
    for (name, answers, limit, story) in [
        ("one address", &[Yes(30)][..], None, "0 start 0, 30 won 0"),
        ("one that is there at once", &[Yes(0)], None, "0 start 0, 0 won 0"),
        ("one that refuses", &[No(30, refused)], None, "0 start 0, 30 SK_ECONNREFUSED"),
        ("none", &[], None, "0 SK_EHOSTNOTFOUND"),
        ("the first is fast enough", &[Yes(249), Yes(0)], None, "0 start 0, 249 won 0"),
        ("slow first family", &[Never, Yes(40)], None, "0 start 0, 250 start 1, 290 close 0, 290 won 1"),
        (
            "the earlier attempt stays alive and wins",
            &[Yes(400), Yes(300)],
            None,
            "0 start 0, 250 start 1, 400 close 1, 400 won 0",
        ),
        ("refused first", &[No(20, refused), Yes(30)], None, "0 start 0, 20 start 1, 50 won 1"),
        ("refused at once", &[No(0, refused), Yes(30)], None, "0 start 0, 0 start 1, 30 won 1"),
        ("both slow", &[Yes(2000), Yes(1500)], None, "0 start 0, 250 start 1, 1750 close 0, 1750 won 1"),
        (
            "a failure while another one is on its way starts the next at once, which has its 250 ms",
            &[Never, No(50, refused), Never, Yes(10)],
            None,
            "0 start 0, 250 start 1, 300 start 2, 550 start 3, 560 close 0, 560 close 2, 560 won 3",
        ),
        (
            "a late failure of the first one counts too",
            &[No(300, refused), Never, Yes(10)],
            None,
            "0 start 0, 250 start 1, 300 start 2, 310 close 1, 310 won 2",
        ),
        (
            "two at the same time: one is closed",
            &[Yes(500), Yes(250)],
            None,
            "0 start 0, 250 start 1, 500 close 1, 500 won 0",
        ),
        (
            "the limit runs out",
            &[Never, Never],
            Some(600),
            "0 start 0, 250 start 1, 600 close 0, 600 close 1, 600 SK_ETIMEDOUT",
        ),
        (
            "the limit ends before the second start",
            &[Never, Yes(0)],
            Some(100),
            "0 start 0, 100 close 0, 100 SK_ETIMEDOUT",
        ),
        ("the limit ended before the first start", &[Yes(0)], Some(0), "0 SK_ETIMEDOUT"),
        (
            "the limit ran out, whatever failed before",
            &[No(5, refused), Never],
            Some(100),
            "0 start 0, 5 start 1, 100 close 1, 100 SK_ETIMEDOUT",
        ),
        (
            "all fail: who came farther tells",
            &[No(0, SK_ENETUNREACH), No(20, refused), No(0, SK_EHOSTUNREACH)],
            None,
            "0 start 0, 0 start 1, 20 start 2, 20 SK_ECONNREFUSED",
        ),
        (
            "all fail alike: the first tells",
            &[No(0, SK_ECONNRESET), No(0, refused)],
            None,
            "0 start 0, 0 start 1, 0 SK_ECONNRESET",
        ),
        (
            "no room beside the first: the second waits for its end",
            &[No(900, refused), NoRoomBeside(1)],
            None,
            "0 start 0, 250 start 1, 900 start 1, 910 won 1",
        ),
        (
            "no room, and the first makes it",
            &[Yes(900), NoRoomBeside(1), Yes(0)],
            None,
            "0 start 0, 250 start 1, 900 won 0",
        ),
        ("no room at all", &[NoRoomBeside(0), NoRoomBeside(0)], None, "0 start 0, 0 start 1, 0 SK_EMFILE"),
        (
            "no room, and the limit",
            &[Never, NoRoomBeside(1)],
            Some(400),
            "0 start 0, 250 start 1, 400 close 0, 400 SK_ETIMEDOUT",
        ),
    ] {
        assert_eq!(play(answers, limit), story, "{name}");
    }
}

#[test]
fn no_more_at_once_than_there_is_room_for() {
    let mut answers = [Never; IN_FLIGHT + 1];
    // All places are taken; the next one starts when the fifth has come to an end.
    answers[4] = No(10_000, Code::SK_ETIMEDOUT);
    answers[IN_FLIGHT] = Yes(5);
    let story = play(&answers, None);
    assert!(story.contains("3750 start 15, 11000 start 16, 11005 close 0"), "{story}");
    assert!(story.ends_with("11005 won 16"), "{story}");
}

#[test]
fn a_limit_without_end_is_no_limit() {
    assert_eq!(
        play(&[Never, Yes(HOUR)], Some(u64::MAX / MS)),
        "0 start 0, 250 start 1, 3600250 close 0, 3600250 won 1"
    );
    // The clock of a machine that has run for centuries does not overflow either.
    let mut race = Race::new(2, None);
    assert_eq!(race.next(u64::MAX - 1), Action::Start(0));
    assert_eq!(race.next(u64::MAX - 1), Action::Wait(Some(u64::MAX)));
    assert_eq!(race.next(u64::MAX), Action::Start(1));
}

#[test]
fn the_error_that_helps() {
    use Code::*;
    let falling: [&[Code]; 5] = [
        &[SK_ECONNREFUSED, SK_ECONNRESET],
        &[SK_ETIMEDOUT],
        &[SK_EACCES, SK_EMFILE, SK_EOTHER],
        &[SK_EHOSTUNREACH, SK_ENETDOWN],
        &[SK_ENETUNREACH, SK_EADDRNOTAVAIL, SK_EAFNOSUPPORT],
    ];
    for (rank, codes) in falling.iter().enumerate() {
        for &one in *codes {
            for &other in falling[rank..].iter().copied().flatten() {
                assert_eq!(farther(one.into(), other.into()).code, one, "{one:?} {other:?}");
                let same_rank = codes.contains(&other);
                let wanted = if same_rank { other } else { one };
                assert_eq!(farther(Error::from(other), one.into()).code, wanted, "{other:?} {one:?}");
            }
        }
    }
}

fn four(hosts: Range<u8>) -> impl Iterator<Item = Address> {
    hosts.map(|host| v4([10, 0, 0, host], 9))
}

fn six(hosts: Range<u8>) -> impl Iterator<Item = Address> {
    hosts.map(|host| v6([0xfe80, 0, 0, 0, 0, 0, 0, host.into()], 7, 9))
}

/// The order as "6.0 4.0 6.1".
fn turns(candidates: &Candidates) -> String {
    let mut turns = Vec::new();
    for turn in 0..candidates.count() {
        let address = candidates.get(turn).expect("an address for each turn");
        assert_eq!(address.port, 80);
        turns.push(if address.family == Family::SK_INET as u16 {
            assert_eq!(address.scope_id, 0);
            format!("4.{}", address.ip[3])
        } else {
            assert_eq!(address.scope_id, 7);
            format!("6.{}", address.ip[15])
        });
    }
    assert!(candidates.get(candidates.count()).is_none());
    assert!(candidates.get(usize::MAX).is_none());
    turns.join(" ")
}

#[test]
fn families_take_turns() {
    for (name, candidates, order) in [
        ("the system prefers IPv6", Candidates::new(six(0..3).chain(four(0..2)), 80), "6.0 4.0 6.1 4.1 6.2"),
        ("the system prefers IPv4", Candidates::new(four(0..1).chain(six(0..3)), 80), "4.0 6.0 6.1 6.2"),
        ("mixed", Candidates::new(six(0..1).chain(four(0..2)).chain(six(1..2)), 80), "6.0 4.0 6.1 4.1"),
        ("one family", Candidates::new(four(0..3), 80), "4.0 4.1 4.2"),
        ("none", Candidates::new(four(0..0), 80), ""),
    ] {
        assert_eq!(turns(&candidates), order, "{name}");
    }
}

#[test]
fn many_addresses_of_one_family_leave_room_for_the_other() {
    let candidates = Candidates::new(six(0..200).chain(four(0..200)), 80);
    assert_eq!(candidates.count(), MOST);
    let turns = turns(&candidates);
    assert!(turns.starts_with("6.0 4.0 6.1 4.1") && turns.ends_with("6.15 4.15"), "{turns}");
    assert_eq!(Candidates::new(six(0..200), 80).count(), MOST / 2);
}

fn answer() -> impl Strategy<Value = Answer> {
    let code = prop_oneof![
        Just(Code::SK_ECONNREFUSED),
        Just(Code::SK_ENETUNREACH),
        Just(Code::SK_EACCES),
        Just(Code::SK_ETIMEDOUT)
    ];
    prop_oneof![
        (0..3000u64).prop_map(Yes),
        (0..3000u64, code).prop_map(|(after, code)| No(after, code)),
        Just(Never),
        (0..4usize).prop_map(NoRoomBeside),
    ]
}

proptest! {
    /// `play` checks that nothing is left open, started twice, waited for in vain or too many;
    /// here: that the end is the right one, and not before it must be.
    #[test]
    fn any_script(answers in proptest::collection::vec(answer(), 0..=MOST), limit in 1..20_000u64) {
        let story = play(&answers, Some(limit));
        let end = story.rsplit(", ").next().unwrap();
        let at: u64 = end.split(' ').next().unwrap().parse().unwrap();
        prop_assert!(at <= limit, "{story}");
        if end.ends_with("SK_ETIMEDOUT") {
            let all_over = answers.iter().any(|&answer| matches!(answer, No(_, Code::SK_ETIMEDOUT)));
            prop_assert!(at == limit || all_over, "{story}");
        }
        if end.contains("won") {
            let turn: usize = end.rsplit(' ').next().unwrap().parse().unwrap();
            prop_assert!(matches!(answers[turn], Yes(_) | NoRoomBeside(_)), "{story}");
        } else if at < limit {
            // Given up early only where every address was tried and had failed.
            prop_assert!(!answers.iter().any(|&answer| matches!(answer, Yes(_) | Never)), "{story}");
        }
        // The starts are 250 ms apart, but for those that a failure brings forward.
        let starts: Vec<u64> = story
            .split(", ")
            .filter(|what| what.contains("start"))
            .map(|what| what.split(' ').next().unwrap().parse().unwrap())
            .collect();
        if !answers.iter().any(|answer| matches!(answer, No(..) | NoRoomBeside(_))) {
            prop_assert!(starts.windows(2).all(|pair| (pair[1] - pair[0]) * MS == STAGGER), "{story}");
        }
    }
}
