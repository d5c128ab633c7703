//! Simulated months, by wake-ups and minute by minute. Times were made with `date -u -d … +%s`.

use super::*;

/// 2026-01-15T00:00:00Z
const START: i64 = 1_768_435_200;
/// 2026-03-31T12:00:00Z
const END: i64 = 1_774_958_400;

fn expiry(subject: Subject, not_after: i64) -> Expiry {
    Expiry { subject, fingerprint: String::new(), not_after }
}

fn clock(second: i64) -> Clock {
    Clock { unix: START + second, uptime: 20 + second as u64 }
}

/// Notices by time and place, number of checks, wake-ups; each wake-up as asked for or every `step` seconds.
fn simulate(expiries: &[Expiry], seconds: i64, step: Option<i64>) -> (Vec<(i64, usize)>, usize, usize) {
    let mut state = State::new(clock(0));
    let (mut notices, mut checks, mut wakes, mut at) = (Vec::new(), 0, 0, 0);
    let mut size = 0;
    while at < seconds {
        let due = state.due(expiries, clock(at));
        assert_eq!((due.now, due.set_back), (START + at, None));
        notices.extend(due.notices.iter().map(|place| (START + at, *place)));
        checks += usize::from(due.check);
        wakes += 1;
        at += step.unwrap_or(due.wake as i64);
        size = size.max(serde_json::to_vec(&state).unwrap().len());
    }
    assert!(size < 400, "the state took {size} bytes");
    (notices, checks, wakes)
}

fn count(notices: &[(i64, usize)], from: i64, until: i64) -> usize {
    notices.iter().filter(|(at, _)| (from..until).contains(at)).count()
}

#[test]
fn a_contract_that_ends_is_told_more_and_more_often() {
    let expiries = [expiry(Subject::Contract, END)];
    // To two days behind the end.
    let seconds = END - START + 2 * DAY;
    let (notices, checks, wakes) = simulate(&expiries, seconds, None);
    let times: Vec<i64> = notices.iter().map(|(at, _)| *at).collect();
    // 2026-02-01 and 2026-03-01, both at midnight; then 30 days before the end, at noon.
    assert_eq!(times[..3], [1_769_904_000, 1_772_323_200, END - 30 * DAY]);
    // Daily at midnight, 23 times before the last week begins.
    assert_eq!(count(&notices, END - 30 * DAY + 1, END - 7 * DAY), 23);
    assert_eq!(times[3], 1_772_409_600, "2026-03-02T00:00:00Z");
    // Six a day for six days, each on a multiple of four hours, noon included.
    assert_eq!(count(&notices, END - 7 * DAY, END - DAY), 36);
    assert_eq!(count(&notices, END - DAY, END), 24);
    // Every hour after, on the hour.
    assert_eq!(count(&notices, END, END + 2 * DAY), 48);
    assert_eq!(notices.len(), 3 + 23 + 36 + 24 + 48);
    // An hourly check, the first at the start, whatever else wakes the daemon.
    assert_eq!(checks as i64, (seconds + 3_599) / 3_600);
    // The wake-ups are those for checks, here on the hour like all notices, and the second after the end.
    assert_eq!(wakes, checks + 1);
}

#[test]
fn looking_every_minute_tells_the_same() {
    for end in [END, END + 1_234] {
        let expiries = [
            expiry(Subject::Contract, end),
            expiry(Subject::LogClient, end - 40 * DAY),
            expiry(Subject::Image, END + 400 * DAY),
        ];
        let by_minute = simulate(&expiries, END - START + 2 * DAY, Some(60));
        let by_wake = simulate(&expiries, END - START + 2 * DAY, None);
        assert_eq!(by_minute.0.len(), by_wake.0.len());
        assert_eq!(by_minute.1, by_wake.1);
        let near = |(a, b): (&(i64, usize), &(i64, usize))| a.1 == b.1 && (0..60).contains(&(a.0 - b.0));
        assert!(by_minute.0.iter().zip(&by_wake.0).all(near));
    }
}

#[test]
fn a_certificate_that_ends_has_its_own_intervals() {
    let end = START + 40 * DAY;
    for subject in [Subject::LogClient, Subject::LogAuthority, Subject::Image] {
        let (notices, ..) = simulate(&[expiry(subject, end)], 42 * DAY, None);
        assert_eq!(count(&notices, START, end - 30 * DAY), 0, "no monthly notice");
        assert_eq!(count(&notices, end - 30 * DAY, end - 7 * DAY), 23);
        assert_eq!(count(&notices, end - 7 * DAY, end + 1), 14 + 1);
        // One at the end's second, one right after it, then every four hours.
        assert_eq!(count(&notices, end + 1, end + 2 * DAY), 12);
    }
}

#[test]
fn a_guest_that_starts_late_tells_at_once() {
    for (left, told) in [(-400 * DAY, 1), (DAY / 2, 1), (5 * DAY, 1), (20 * DAY, 1), (60 * DAY, 0)] {
        let due = State::new(clock(0)).due(&[expiry(Subject::Contract, START + left)], clock(0));
        assert_eq!(due.notices.len(), told, "{left}");
    }
}

#[test]
fn a_clock_that_goes_back_extends_nothing_and_is_told_once() {
    let expiries = [expiry(Subject::Contract, START + 10)];
    let mut state = State::new(clock(0));
    state.due(&expiries, clock(0));
    // A year back, after twenty seconds of uptime; the contract has expired all the same.
    let back = |uptime: i64| Clock { unix: START - 365 * DAY + uptime, ..clock(uptime) };
    let due = state.due(&expiries, back(20));
    assert_eq!((due.now, due.set_back), (START + 20, Some(365 * DAY)));
    let due = state.due(&expiries, back(3_620));
    assert_eq!((due.now, due.set_back), (START + 3_620, None));
    assert_eq!(due.notices, [0], "still hourly");
    // Corrected, and set back again.
    assert_eq!(state.due(&expiries, clock(4_000)).set_back, None);
    assert_eq!(state.due(&expiries, back(4_001)).set_back, Some(365 * DAY));
    // Before the daemon's first look counts as well: the contract was verified later than this clock says.
    let due = State::new(clock(0)).due(&expiries, back(30));
    assert_eq!((due.now, due.set_back), (START + 30, Some(365 * DAY)));
    // A second here or there is no matter.
    assert_eq!(State::new(clock(0)).due(&[], Clock { unix: START - 20, ..clock(30) }).set_back, None);
}

#[test]
fn a_clock_that_went_ahead_stays_there() {
    let expiries = [expiry(Subject::Contract, START + 40 * DAY)];
    let mut state = State::new(clock(0));
    assert!(state.due(&expiries, clock(0)).notices.is_empty());
    let ahead = Clock { unix: START + 41 * DAY, ..clock(60) };
    assert_eq!(state.due(&expiries, ahead).notices, [0]);
    assert_eq!(state.due(&expiries, clock(120)).now, START + 41 * DAY + 60);
}

#[test]
fn state_survives_a_restart_of_the_daemon() {
    let expiries = [expiry(Subject::Contract, START + 5 * DAY)];
    let mut state = State::new(clock(0));
    assert_eq!(state.due(&expiries, clock(0)).notices, [0]);
    let kept = serde_json::to_string(&state).unwrap();
    let mut state: State = serde_json::from_str(&kept).unwrap();
    let due = state.due(&expiries, clock(100));
    assert_eq!((due.check, due.notices.len()), (false, 0), "neither is due again");
}

#[test]
fn three_demands_in_five_minutes_are_met() {
    let mut state = State::new(clock(0));
    let mut demand = |second| state.demand(clock(second));
    assert_eq!([0, 1, 2].map(&mut demand), [Demand::Granted; 3]);
    assert_eq!([3, 4, 299].map(&mut demand), [Demand::Refused, Demand::Ignored, Demand::Ignored]);
    // The first is five minutes old, then the second.
    assert_eq!([300, 300, 301].map(&mut demand), [Demand::Granted, Demand::Refused, Demand::Granted]);
    assert_eq!(state.due(&[], clock(400)).wake, CHECK_SECONDS, "a demand moves no hourly check");
}
