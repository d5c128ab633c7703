//! The verb `forward` with IBM Cloud Logs: the journal in requests, with a token that is renewed, over everything that the
//! service may answer. The journal is the one of [`crate::forward`].

use std::time::Duration;

use countersign_contract::code::Code;
use countersign_plan::forwarding::ledger::Position;
use countersign_ports::guest_os::ConnectionError;
use countersign_rehearsal::{PlayedAnswer, Rehearsal};
use serde_json::Value;

use crate::forward::{Ends, Step};
use crate::log_router::{booted, records, status};

const IAM: &str = "/identity/token";
const SINGLES: &str = "/logs/v1/singles";

/// The numbers in each request to the service, with its token; the probe has none.
fn requests(machine: &Rehearsal) -> Vec<(String, Vec<u64>)> {
    machine
        .posts()
        .iter()
        .filter(|(path, ..)| path == SINGLES)
        .map(|post| {
            let numbers = records(post)
                .iter()
                .map(|record: &Value| record["text"]["sequenceId"].as_u64().unwrap_or(0))
                .collect();
            (post.1.clone().unwrap(), numbers)
        })
        .collect()
}

fn numbers(machine: &Rehearsal) -> Vec<Vec<u64>> {
    requests(machine).into_iter().map(|(_, numbers)| numbers).collect()
}

fn tokens(machine: &Rehearsal) -> usize {
    machine.posts().iter().filter(|(path, ..)| path == IAM).count()
}

fn said(machine: &Rehearsal) -> Vec<String> {
    machine.lines().into_iter().map(|(_, line)| line).filter(|line| line.contains("HPL01")).collect()
}

#[test]
fn the_journal_goes_out_in_requests_and_counts_when_they_are_answered() {
    let machine = booted();
    let mut ends = Ends::new(&machine, 500..=509).script([Step::Pass, Step::Gains(vec![510])]);
    assert_eq!(ends.run(), Ok(()));
    assert_eq!(
        requests(&machine),
        [("token-1".into(), (500..=509).collect()), ("token-1".into(), vec![510])]
    );
    assert_eq!(tokens(&machine), 1);
    // Records are held back for a second, not for a conversation.
    assert_eq!(ends.waits[..2], [Duration::from_secs(1), Duration::MAX]);
    let state = ends.state();
    assert_eq!(state.confirmed, Position { cursor: Some("c510".into()), number: 510, record: 510 });
    assert_eq!((state.waiting_since, state.reason), (None, None));
    assert!(ends.asked.iter().all(|asked| !asked.starts_with("connect")), "{:?}", ends.asked);
}

#[test]
fn a_request_is_bounded_whatever_piles_up() {
    let machine = booted();
    let mut ends = Ends::new(&machine, 1..=100);
    ends.length = 60_000;
    assert_eq!(ends.run(), Ok(()));
    let posts = machine.posts();
    let sizes: Vec<usize> =
        posts.iter().filter(|(path, ..)| path == SINGLES).map(|post| post.2.len()).collect();
    assert!(
        sizes.iter().all(|size| *size < 1_200_000) && sizes.iter().any(|size| *size > 1_000_000),
        "{sizes:?}"
    );
    let mut all = numbers(&machine).concat();
    // Two parts each.
    assert_eq!(all.len(), 200);
    all.dedup();
    assert_eq!(all, (1..=100).collect::<Vec<_>>());
}

#[test]
fn a_token_is_renewed_at_four_fifths_of_its_life_and_serves_on_while_iam_is_away() {
    let machine = booted();
    // Each record is held back for a second.
    let steps = (1..=8).flat_map(|number| [Step::Gains(vec![number]), Step::Pass]);
    let short =
        |number: u32| Ok((200, None, format!(r#"{{"access_token":"short-{number}","expires_in":5}}"#)));
    machine.answers(IAM, short(1));
    machine.answers(IAM, Err(ConnectionError::Unreachable));
    machine.answers(IAM, short(2));
    let mut ends = Ends::new(&machine, []).script(steps);
    assert_eq!(ends.run(), Ok(()));
    let used: Vec<(String, Vec<u64>)> = requests(&machine);
    let of = |number: u64| used.iter().find(|(_, numbers)| numbers.contains(&number)).unwrap().0.as_str();
    assert_eq!([1, 4, 5, 6, 8].map(of), ["short-1", "short-1", "short-1", "short-2", "short-2"], "{used:?}");
    assert_eq!(numbers(&machine).concat(), (1..=8).collect::<Vec<_>>());
    assert_eq!(tokens(&machine), 3);
}

#[test]
fn a_token_that_is_not_known_any_longer_is_replaced_once() {
    let machine = booted();
    machine.answers(SINGLES, status(200));
    machine.answers(SINGLES, status(401));
    let mut ends = Ends::new(&machine, 1..=2).script([Step::Pass, Step::Gains(vec![3]), Step::Pass]);
    assert_eq!(ends.run(), Ok(()));
    let expected = [("token-1", vec![1, 2]), ("token-1", vec![3]), ("token-2", vec![3])];
    assert_eq!(requests(&machine), expected.map(|(token, numbers)| (token.to_owned(), numbers)));
    assert_eq!(ends.state().confirmed.number, 3);
}

#[test]
fn a_service_that_has_no_time_is_asked_ever_more_rarely_or_when_it_says() {
    let later = |pause| -> PlayedAnswer { Ok((429, pause, String::new())) };
    for (answer, reason, pauses) in [
        (later(None), "expected the log service to take records now", [1, 2, 4, 8, 16, 30, 30]),
        (status(503), "expected the log service to take records now", [1, 2, 4, 8, 16, 30, 30]),
        (
            Err(ConnectionError::HungUp),
            "expected the log service to answer in time",
            [1, 2, 4, 8, 16, 30, 30],
        ),
        (
            Err(ConnectionError::Unreachable),
            "expected the log server to accept a connection",
            [1, 2, 4, 8, 16, 30, 30],
        ),
        (status(403), "to let the api key in the contract write records", [1, 2, 4, 8, 16, 30, 30]),
        (later(Some(20)), "expected the log service to take records now", [20, 20, 20, 20, 20, 20, 30]),
        (later(Some(9999)), "expected the log service to take records now", [300; 7]),
    ] {
        let machine = booted();
        (0..99).for_each(|_| machine.answers(SINGLES, answer.clone()));
        let mut ends = Ends::new(&machine, 1..=2).script((0..20).map(|_| Step::Pass));
        assert_eq!(ends.run(), Ok(()));
        // A second for the records themselves lies between.
        let found: Vec<u64> = ends.waits.iter().map(Duration::as_secs).filter(|wait| *wait != 1).collect();
        let expected: Vec<u64> = pauses.into_iter().filter(|wait| *wait != 1).collect();
        assert_eq!(found[..expected.len()], expected, "{answer:?}");
        let state = ends.state();
        assert_eq!((state.confirmed.number, state.waiting_since), (0, Some(5)));
        assert!(state.reason.as_ref().unwrap().contains(reason), "{state:?}");
        assert_eq!(said(&machine), Vec::<String>::new());
    }
    // And then it takes them.
    let machine = booted();
    (0..4).for_each(|_| machine.answers(SINGLES, status(503)));
    let mut ends = Ends::new(&machine, 1..=2).script((0..8).map(|_| Step::Pass));
    assert_eq!(ends.run(), Ok(()));
    assert_eq!(numbers(&machine), vec![vec![1, 2]; 5]);
    assert_eq!((ends.state().confirmed.number, ends.state().reason), (2, None));
}

/// A service that refuses every request with one of these records in it.
fn refuses(machine: &Rehearsal, bad: &[u64], from: std::ops::RangeInclusive<u64>, with: u16) {
    // The order in which the halves go out: the first one first.
    let mut parts = vec![from.collect::<Vec<u64>>()];
    while let Some(part) = parts.pop() {
        if !part.iter().any(|number| bad.contains(number)) {
            machine.answers(SINGLES, status(200));
            continue;
        }
        machine.answers(SINGLES, status(with));
        if part.len() > 1 {
            let (first, second) = part.split_at(part.len() / 2);
            parts.extend([second.to_vec(), first.to_vec()]);
        } else {
            // The record that is known to be good.
            machine.answers(SINGLES, status(200));
        }
    }
}

#[test]
fn a_record_that_is_refused_alone_is_dropped_and_told_and_the_others_arrive() {
    for (bad, with) in [(vec![5], 400), (vec![1, 8], 413), ((1..=8).collect::<Vec<u64>>(), 400)] {
        let machine = booted();
        refuses(&machine, &bad, 1..=8, with);
        let mut ends = Ends::new(&machine, 1..=8).script([Step::Pass, Step::Gains(vec![9])]);
        assert_eq!(ends.run(), Ok(()));
        let code = Code::LogRecordRefused;
        assert_eq!(said(&machine), [format!("HPL01125W: {}: {}", code.text(), bad.len())]);
        assert_eq!(ends.state().confirmed.number, 9);
        // Each good one was in a request that was taken: those with none of the bad in them.
        let taken: Vec<u64> = numbers(&machine)
            .into_iter()
            .filter(|numbers| !numbers.iter().any(|number| bad.contains(number)))
            .flatten()
            .filter(|number| *number > 0)
            .collect();
        let good: Vec<u64> = (1..=9).filter(|number| !bad.contains(number)).collect();
        assert_eq!(taken, good);
    }
}

#[test]
fn a_service_that_refuses_everything_is_waited_for_and_nothing_is_dropped() {
    let machine = booted();
    // The batch, its half, the record, the record that is known to be good.
    (0..12).for_each(|_| machine.answers(SINGLES, status(400)));
    let mut ends = Ends::new(&machine, 1..=4).script((0..6).map(|_| Step::Pass));
    assert_eq!(ends.run(), Ok(()));
    assert_eq!(said(&machine), Vec::<String>::new());
    let found = numbers(&machine);
    assert_eq!(found[..4], [vec![1, 2, 3, 4], vec![1, 2], vec![1], vec![0]]);
    assert_eq!(found.last(), Some(&vec![1, 2, 3, 4]));
    assert_eq!(ends.state().confirmed.number, 4);
}

#[test]
fn a_key_that_cannot_be_read_ends_the_forwarder() {
    let machine = booted();
    machine.fails("read /run/countersign/logging/api-key", std::io::ErrorKind::NotFound);
    let failure = Ends::new(&machine, 1..=2).run().unwrap_err();
    assert_eq!(failure.code(), Code::LogClientUnusable);
}
