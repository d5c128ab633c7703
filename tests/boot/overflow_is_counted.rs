//! The log server goes away while a container floods the journal with long lines, beyond what may be kept: the workload
//! notices nothing, the oldest records go, and the server that comes back is told how many: exactly as many as it misses
//! in the numbers. All that is left arrives, each line whole.
//!
//! In this story journald has 8 MiB instead of 256 (`probe/small-journal.service`), so that the flood is short.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use countersign_vm::events::{Event, Stage, State};
use countersign_vm::guest::Next;
use countersign_vm::lab::http;
use countersign_vm::lab::syslog::Message;
use countersign_vm::lab::world::DATA_DISK;
use countersign_vm::profile::Profile;

use crate::inside::{self, End, knock};
use crate::support::{BOOT, compose_with, long, world};

/// What the engine calls the container.
const NAME: &str = "compose-flood-1";

/// The port on which it waits before it begins.
const FLOOD: u16 = 8081;

/// Characters of a line that is known, and of the flood's lines, of which each is a character longer than the last one.
const LONG: usize = 60_000;
const SHORTEST: usize = 59_001;

/// Lines of the flood: some 18 MB in pieces of random text, which can hardly be compressed.
const LINES: usize = 300;

/// What it says behind them.
const OVER: &str = "the flood is over";
const ASKS: &str = "HPL13000I";

/// A conversation is over after 60 s.
const CONVERSATION: Duration = Duration::from_secs(120);
const ANSWER: Duration = Duration::from_secs(120);

/// Prints a long line, waits, floods, and asks for a check, which the console shows: then journald has taken it all.
fn flood(image: &str) -> String {
    format!(
        r#"  flood:
    image: {image}
    entrypoint: ["/bin/busybox", "sh", "-c"]
    command:
      - printf '%0{LONG}d\n' 7; /bin/busybox base64 -w 0 /dev/urandom | /bin/busybox head -c 1000000 >/text;
        /bin/busybox nc -l -p {FLOOD} </dev/null;
        k=0; while [ $$k -lt {LINES} ]; do
        /bin/busybox dd if=/text bs=$$(({SHORTEST} + k)) skip=$$((k % 16)) count=1 2>/dev/null; echo;
        k=$$((k + 1)); done;
        echo {OVER}; echo {ASKS}; exec /bin/busybox sleep 10000
    stop_signal: SIGKILL
    ports: ["{FLOOD}:{FLOOD}"]
"#
    )
}

#[test]
fn overflow_is_counted() {
    if !long() {
        return;
    }
    let mut world = world();
    let mut contract = world.contract();
    contract.archive = compose_with(&world, flood);
    let delivery = world.delivery();
    let medium = world.deliver("overflow", &contract.texts(), &delivery).unwrap();
    let data = world.disk("data", DATA_DISK).unwrap();
    let mut run = world.run("overflow", &world.keys.image, &medium, Some(&data)).unwrap();
    run.command_line.push("small-journal".to_owned());
    let mut profile = Profile::named("single").unwrap();
    profile.network.as_mut().unwrap().forward.push(FLOOD);
    let (mut guest, look) = inside::boot("overflow", &profile, run);
    guest
        .wait_for("end of the stage watch", BOOT, |event| event.is_stage(Stage::Watch, State::Done))
        .unwrap();

    // The engine cuts it into parts.
    let long = format!("{:0LONG$}", 7);
    let whole = |message: &Message| message.app == NAME && message.msg == long;
    world.syslog.wait_for("the long line", ANSWER, whole).unwrap();
    // Behind the end of a conversation the guest knows what has arrived.
    world.syslog.wait_alone(CONVERSATION).unwrap();
    world.syslog.stop().unwrap();
    let before = numbers(&world.syslog.lines().unwrap());

    let begin = Instant::now();
    let hello = guest.forwarded(8080).unwrap();
    let checked = |event: &Event| matches!(event, Event::Message { code, text } if code == ASKS && text.starts_with("check 2: "));
    knock(&mut guest, FLOOD, "check that the container asks for", |next| {
        let answer = http::get(hello, "/cgi-bin/hello", ANSWER).unwrap();
        assert!(answer.contains("boots=1"), "{answer}");
        matches!(next, Next::Event(seen) if checked(&seen.event))
    });
    let flooded = begin.elapsed();

    world.syslog.go_on().unwrap();
    for last in ["HPL13001I: check 2: ", "HPL01123W: "] {
        world.syslog.wait_for(last, BOOT, |message| message.msg.starts_with(last)).unwrap();
    }
    let lines = world.syslog.lines().unwrap();
    let all = numbers(&lines);
    let after = &all[before.len()..];
    let (first, last, next) = (before[0], before[before.len() - 1], after[0]);
    assert_eq!((all[0], last - first + 1), (first, before.len() as u64), "no gap up to {last}");
    assert_eq!(after[after.len() - 1] - next + 1, after.len() as u64, "no gap from {next} on");
    let told = |line: &Message| line.msg.strip_prefix("HPL01123W: ")?.rsplit(' ').next()?.parse::<u64>().ok();
    let told: Vec<u64> = lines.iter().filter_map(told).collect();
    assert_eq!(told, [next - last - 1], "records {} to {} are gone", last + 1, next - 1);

    // What is left of the flood are its last lines, each whole but for the first one's beginning, some perhaps twice.
    let flood = lines
        .iter()
        .filter(|line| line.app == NAME && ![long.as_str(), OVER, ASKS].contains(&line.msg.as_str()));
    let mut lengths: BTreeSet<usize> = flood.map(|line| line.msg.len()).collect();
    if lengths.first().is_some_and(|length| *length < SHORTEST) {
        lengths.pop_first();
    }
    let end = SHORTEST + LINES;
    assert!(!lengths.is_empty() && lengths.len() < LINES);
    assert_eq!(lengths, (end - lengths.len()..end).collect());
    println!(
        "flood of {LINES} lines in {flooded:.0?}, {} records dropped, {} lines left, all there {:.0?} later",
        told[0],
        lengths.len(),
        begin.elapsed() - flooded
    );

    look.ask(&mut guest);
    guest.cut_power().unwrap();
    look.assert_silent(&world, End::Cut);
}

/// The numbers of all records, each once, the lowest first.
fn numbers(lines: &[Message]) -> Vec<u64> {
    let mut numbers: Vec<u64> = lines.iter().filter_map(Message::sequence).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}
