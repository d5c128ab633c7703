use super::*;
use crate::record::Record;

/// A record of a guest.
fn entry(host: &str, number: Option<u64>, element: &str, text: &str) -> Entry {
    let meta = number.map(|number| format!("[meta sequenceId=\"{number}\"]")).unwrap_or_default();
    let record = format!(
        "<30>1 2026-11-22T02:54:56Z {host} countersignd - - {meta}[countersign@32473 {element}] {text}"
    );
    Entry::of(&Record::parse(record.as_bytes()).unwrap(), 0, "c1")
}

fn guest(number: Option<u64>, text: &str) -> Entry {
    entry("guest", number, "origin=\"guest\" contract=\"c0\"", text)
}

fn notices(guests: &mut Guests, entries: &[Entry]) -> Vec<String> {
    let told = entries.iter().flat_map(|entry| guests.record(entry, 0).1);
    told.map(|told| format!("{} {} {}", told.boot, told.host, told.notice)).collect()
}

#[test]
fn a_boot_begins_with_its_probe_and_another_with_the_next() {
    let mut guests = Guests::new(true);
    let boot = || {
        vec![
            guest(None, "authentication probe"),
            guest(Some(1), "countersign: stage=preflight state=start"),
            guest(Some(2), "countersign: stage=preflight state=done ms=5"),
            guest(Some(3), "HPL10001I: the workload is started"),
        ]
    };
    let expected = ["1 guest a boot begins", "1 guest the workload is started"];
    assert_eq!(notices(&mut guests, &boot()), expected);
    // The same conversation again: all of it is known but the probe, which has no number.
    assert_eq!(notices(&mut guests, &boot()[1..]), Vec::<String>::new());
    let mut next = boot();
    next[1].time = Some(99);
    assert_eq!(notices(&mut guests, &next)[0], "2 guest a boot begins");
    let boots = guests.boots();
    assert_eq!((boots.len(), boots[0].1.numbers.repeats, boots[1].1.numbers.records), (2, 3, 3));
    assert_eq!(boots[0].1.timeline().stages.len(), 1);
}

#[test]
fn a_probe_that_is_sent_again_is_no_second_boot() {
    let mut guests = Guests::new(true);
    let probe = guest(None, "authentication probe");
    let told = notices(&mut guests, &[probe.clone(), probe, guest(Some(1), "x")]);
    assert_eq!(told, ["1 guest a boot begins"]);
}

#[test]
fn numbers_that_begin_again_without_a_probe_are_told() {
    let mut guests = Guests::new(true);
    let told = notices(&mut guests, &[guest(Some(1), "a"), guest(Some(2), "b"), guest(Some(1), "c")]);
    assert_eq!(
        told,
        [
            "1 guest a boot begins",
            "2 guest a boot begins",
            "2 guest the numbers go on from 1, without the beginning of a boot"
        ]
    );
}

#[test]
fn a_gap_and_a_second_record_under_a_number_are_told() {
    let mut guests = Guests::new(true);
    let told = notices(
        &mut guests,
        &[guest(Some(7), "a"), guest(Some(9), "b"), guest(Some(9), "c"), guest(Some(8), "d")],
    );
    assert_eq!(
        told[1..],
        [
            "1 guest record 8 is missing",
            "1 guest a second, different record has the number 9",
            "1 guest record 8, which was missing, has come"
        ]
    );
    // Behind a probe the first number is 1.
    let mut guests = Guests::new(true);
    let told = notices(&mut guests, &[guest(None, "authentication probe"), guest(Some(3), "a")]);
    assert_eq!(told[1], "1 guest records 1 to 2 are missing: 2 in all");
}

/// The report of a failed boot has no numbers, and its first line is the cause.
#[test]
fn failed_boots_are_told_apart_and_have_their_cause() {
    let mut guests = Guests::new(true);
    let report = |time: i64, code: &str| {
        let texts = [
            format!("{code}: why"),
            "HPL06001E: beside it".to_owned(),
            "HPL10000E: the boot failed".to_owned(),
        ];
        texts.map(|text| Entry { time: Some(time), severity: Some(3), ..guest(None, &text) })
    };
    let told = notices(&mut guests, &[report(1_000, "HPL07124E"), report(90_000, "HPL03004E")].concat());
    let expected = [
        "1 guest a boot begins",
        "1 guest the boot failed with HPL07124E",
        "2 guest a boot begins",
        "2 guest the boot failed with HPL03004E",
    ];
    assert_eq!(told, expected);
    // One that failed later: the journal says it too, whichever comes first.
    for order in [[0, 1], [1, 0]] {
        let mut guests = Guests::new(true);
        let parts = [
            report(5_000, "HPL06999E").to_vec(),
            vec![guest(Some(2), "HPL06999E: why"), guest(Some(3), "HPL10000E: the boot failed")],
        ];
        let mut entries = vec![guest(None, "authentication probe"), guest(Some(1), "x")];
        entries.extend(order.into_iter().flat_map(|part| parts[part].clone()));
        let told = notices(&mut guests, &entries);
        assert_eq!(told, ["1 guest a boot begins", "1 guest the boot failed with HPL06999E"]);
        let boots = guests.boots();
        assert_eq!((boots.len(), boots[0].1.outcome), (1, boot::Outcome::Failed));
        assert_eq!(boots[0].1.cause.as_ref().unwrap().text, "why");
    }
}

/// A guest whose power was cut is started again, and fails before it has a log: its report is not the last boot's.
#[test]
fn a_report_that_cannot_be_of_the_open_boot_is_of_another() {
    let report = |contract: &str, code: &str| {
        let texts = [format!("{code}: why"), "HPL10000E: the boot failed".to_owned()];
        texts.map(|text| {
            let own = format!("origin=\"guest\" contract=\"{contract}\"");
            Entry { time: Some(9_000), severity: Some(3), ..entry("guest", None, &own, &text) }
        })
    };
    let open = |last: &str| {
        vec![
            guest(None, "authentication probe"),
            guest(Some(1), "countersign: stage=preflight state=start"),
            guest(Some(2), last),
        ]
    };
    let (starting, running) = ("countersign: stage=images state=start", "HPL10001I: the workload is started");
    for (last, contract, code, other) in [
        // Nothing that failed before the log was up is of a boot that has one.
        (starting, "c0", "HPL07100E", true),
        (starting, "c0", "HPL05001E", true),
        (starting, "c0", "HPL06004E", false),
        (starting, "c0", "HPL10000E", false),
        // What runs has its images, and ends by what the daemon finds.
        (running, "c0", "HPL06004E", true),
        (running, "c0", "HPL07100E", true),
        (running, "c0", "HPL13110E", false),
        (running, "c0", "HPL10000E", false),
        // Another contract is another boot in any case.
        (starting, "c1", "HPL06004E", true),
        (running, "c1", "HPL13110E", true),
    ] {
        let mut guests = Guests::new(true);
        let mut entries = open(last);
        entries.extend(report(contract, code));
        notices(&mut guests, &entries);
        let boots = guests.boots();
        let outcomes: Vec<boot::Outcome> = boots.iter().map(|(_, boot)| boot.outcome).collect();
        let so_far = if last == running { boot::Outcome::Running } else { boot::Outcome::Starting };
        let expected = if other { vec![so_far, boot::Outcome::Failed] } else { vec![boot::Outcome::Failed] };
        assert_eq!(outcomes, expected, "{last} {contract} {code}");
        let cause = boots.last().unwrap().1.cause.as_ref().unwrap();
        assert_eq!(cause.code, code, "{last} {contract}");
    }
}

#[test]
fn a_container_cannot_begin_or_end_a_boot() {
    let mut guests = Guests::new(true);
    let printed =
        |number, text: &str| entry("guest", number, "origin=\"container\" id=\"ab\" name=\"web\"", text);
    let told = notices(
        &mut guests,
        &[
            guest(None, "authentication probe"),
            guest(Some(1), "x"),
            printed(None, "authentication probe"),
            printed(Some(2), "HPL10000E: the boot failed"),
            printed(Some(3), "HPL13000I: check 9: checking"),
            printed(Some(4), "countersign: stage=preflight state=start"),
        ],
    );
    let imitation = "1 guest a line of web looks like the guest's own and is not";
    // The container is called countersignd, so each of its lines is an imitation.
    assert_eq!(told, ["1 guest a boot begins", imitation, imitation, imitation, imitation]);
    let boots = guests.boots();
    assert_eq!(
        (boots[0].1.imitations, boots[0].1.checks.count, boots[0].1.outcome),
        (4, 0, boot::Outcome::Starting)
    );
    assert_eq!(boots[0].1.containers.iter().collect::<Vec<_>>(), ["web"]);
}

#[test]
fn a_silent_guest_is_told_once_and_when_it_speaks() {
    let mut guests = Guests::new(true);
    let check = |number: u64, time| {
        let text = format!("HPL13000I: check {}: checking", 1 + number / 10);
        Entry { time: Some(time), ..guest(Some(number), &text) }
    };
    guests.record(&check(8, 0), 0);
    guests.record(&guest(Some(9), "later"), 60_000);
    assert!(guests.tick(4_200_000).is_empty());
    let told = guests.tick(4_200_001);
    assert_eq!(told[0].notice, Notice::Silent { check: 2, minutes: 69 });
    assert!(guests.tick(9_000_000).is_empty() && guests.boots()[0].1.is_silent());
    let told: Vec<Notice> =
        guests.record(&check(10, 9_000_000), 9_060_000).1.into_iter().map(|told| told.notice).collect();
    assert_eq!(told, [Notice::Speaks, Notice::CheckLate { number: 2, seconds: 9_000 }]);
}

#[test]
fn guests_and_boots_are_bounded() {
    let mut guests = Guests::new(true);
    for number in 0..GUESTS + 10 {
        let host = format!("guest-{number}");
        guests.record(&entry(&host, Some(1), "origin=\"guest\"", "x"), i64::try_from(number).unwrap());
    }
    assert_eq!(guests.boots().len(), GUESTS);
    assert_eq!(guests.boots()[0].0.host, "guest-10");
    for boot in 0..20 {
        let texts = [guest(None, "authentication probe"), guest(Some(1), &format!("{boot}"))];
        notices(&mut guests, &texts);
    }
    assert_eq!(guests.boots().iter().filter(|(one, _)| one.host == "guest").count(), BOOTS);
}

#[test]
fn a_boot_after_a_long_one_is_another_without_a_probe_too() {
    let mut guests = Guests::new(true);
    let count = numbers::WINDOW as u64 + 10;
    for number in 1..=count {
        guests.record(&guest(Some(number), "x"), 0);
    }
    let told = notices(&mut guests, &[guest(Some(1), "y"), guest(Some(2), "y")]);
    assert_eq!(told[0], "2 guest a boot begins");
    assert_eq!(guests.boots()[1].1.numbers.records, 2);
}

/// What is read again at the start of a receiver is what came: a message that begins with a space is the same record.
#[test]
fn a_record_from_the_store_is_the_one_that_came() {
    let bytes = b"<30>1 2026-11-22T02:54:56Z guest x - - [meta sequenceId=\"1\"]  Network  Creating \xff";
    let mut line = Vec::new();
    let came = crate::line::write(bytes, 0, "c1", &mut line).unwrap();
    let stored = crate::stored::entry(std::str::from_utf8(&line).unwrap().trim_end()).unwrap();
    let mut guests = Guests::new(true);
    guests.record(&stored, 0);
    assert_eq!(guests.record(&came, 0).1, []);
    assert_eq!(guests.boots()[0].1.numbers.repeats, 1);
}
