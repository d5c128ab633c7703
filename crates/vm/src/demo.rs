//! The demo: the main job once through, told to a person, and judged.
//!
//! Every statement that it prints at the end was checked in this run; one that does not hold makes the demo fail. It
//! builds nothing: `qemu/demo` does, and hands the results over.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::events::{Event, Stage, State};
use crate::guest::{Guest, Logs, Next};
use crate::lab::http;
use crate::lab::syslog::Message;
use crate::lab::world::{Artifacts, DATA_DISK, World};
use crate::profile::Profile;
use crate::report::{self, Timing};

mod claims;
mod receiver;

use claims::Claims;
use receiver::Receiver;

/// The code that says that everything has started.
pub const STARTED: &str = "HPL10001I";

/// What `countersign receive` prints of a boot whose workload runs.
const RECEIVED: &str = "the workload is started";

/// The code that says that the daemon found every volume encrypted.
const CHECKED: &str = "HPL13001I";

/// The workload's port in the guest.
const PORT: u16 = 8080;

/// The longest that an emulated boot may take.
const BOOT: Duration = Duration::from_secs(420);

/// The longest that a started workload may take to answer, and a last log line to arrive.
const ANSWER: Duration = Duration::from_secs(60);

/// What the demo needs.
#[derive(Debug)]
pub struct Options {
    /// What was built.
    pub artifacts: Artifacts,
    /// The command `countersign`, whose `receive` is the owner's log.
    pub countersign: PathBuf,
    /// Machine profile, a name in `qemu/profiles`.
    pub profile: String,
    /// Folder for the world (removed afterwards).
    pub work: PathBuf,
    /// Folder for the serial logs (kept).
    pub logs: PathBuf,
    /// Leave the second guest running until Enter is pressed.
    pub keep: bool,
}

/// One boot as far as the workload's answer.
struct Boot {
    guest: Guest,
    timings: Vec<Timing>,
    answer: String,
    url: String,
    logs: Logs,
    /// Disks that the guest could write.
    written: Vec<PathBuf>,
}

/// Runs the demo and tells on `out` what happens.
///
/// # Errors
/// When the harness itself fails, or a guest ends or stays silent before its workload answers.
pub fn run(options: &Options, out: &mut impl Write) -> Result<ExitCode> {
    let profile = Profile::named(&options.profile)?;
    say(out, "Making keys, contract, log server and registry, all fresh")?;
    let started = Instant::now();
    let mut world = World::create(options.artifacts.clone(), &options.work, None)?;
    say(
        out,
        &format!(
            "  done after {:.1} s: log server on 127.0.0.1:{}, registry on {}, contract sealed with openssl",
            started.elapsed().as_secs_f64(),
            world.syslog.port(),
            world.registry.local_address()
        ),
    )?;

    let receiver = Receiver::start(&options.countersign, &world.keys, &world.folder().join("receive"))?;
    world.syslog.pass_on(receiver.port, &world.keys.logging.client, &world.keys.logging.root)?;
    say(
        out,
        &format!(
            "The log server passes on what it takes to countersign receive, whose lines stand below behind \"log |\".\n  In a \
             browser, while this runs: {}",
            receiver.page
        ),
    )?;

    let told = tell(options, &profile, &mut world, &receiver, out);
    // Kept whatever happened: on a failure it is what a person wants to read.
    let (received, kept) = (world.syslog.file(), options.logs.join("demo-syslog.json"));
    if received.exists() {
        std::fs::copy(&received, &kept).map_err(Error::at(&received))?;
        let program = options.countersign.display();
        say(out, &format!("  (the log as received: {})", kept.display()))?;
        say(out, &format!("  (the same, read for you: {program} log timeline {})", kept.display()))?;
    }
    told
}

/// Both boots, and what they showed.
fn tell(
    options: &Options,
    profile: &Profile,
    world: &mut World,
    receiver: &Receiver,
    out: &mut impl Write,
) -> Result<ExitCode> {
    let delivery = world.delivery();
    let contract = world.contract();
    let medium = world.deliver("contract", &contract.texts(), &delivery)?;
    let data = world.disk("data", DATA_DISK)?;
    let mut boots: Vec<Boot> = Vec::new();
    let mut received = Vec::new();
    for (number, what) in [(1, "an empty data disk"), (2, "the same data disk")] {
        say(
            out,
            &format!("\nBoot {number}, with {what} (serial log: {})", serial(options, number).display()),
        )?;
        let name = format!("boot-{number}");
        let run = world.run(&name, &world.keys.image, &medium, Some(&data))?;
        let logs = Logs::new(&options.logs, format!("demo-{name}"));
        let mut boot = boot(profile, &run, logs, out, |out: &mut _| {
            let printed = receiver.printed();
            // The second boot says the same.
            if number == 1 {
                show_received(&printed, out)?;
            }
            received.extend(printed);
            Ok(())
        })?;
        say(out, &format!("  GET {}", boot.url))?;
        for line in boot.answer.lines() {
            say(out, &format!("    {}", shown(line)))?;
        }
        let mut seen = 0;
        world.syslog.wait_for("the first check's line at the log server", ANSWER, |message| {
            seen += usize::from(message.msg.contains(CHECKED));
            seen >= number
        })?;
        let started = format!("boot {number}: {RECEIVED}");
        if !received.iter().any(|line: &String| line.contains(&started)) {
            let printed = receiver.wait_for(&started, ANSWER)?;
            if number == 1 {
                show_received(&printed, out)?;
            }
            received.extend(printed);
        }
        if number == 1 {
            say(out, "  Cutting the power")?;
            boot.guest.cut_power()?;
        }
        boots.push(boot);
    }
    let messages = world.syslog.lines()?;
    say(out, "\nThe log as the server received it")?;
    show_log(&messages, out)?;

    let runs: Vec<_> =
        ["first boot", "second boot"].into_iter().zip(boots.iter().map(|b| b.timings.clone())).collect();
    say(out, &format!("\nTime of every stage\n{}", indent(&report::table(&runs))))?;

    if options.keep
        && let Some(boot) = boots.last()
    {
        say(out, &format!("\nThe guest stays up; try {} and press Enter to end it", boot.url))?;
        say(out, &format!("Its log: {}", receiver.page))?;
        // A closed standard input ends it as well.
        let _ = std::io::stdin().lock().read_line(&mut String::new());
    }
    for boot in &mut boots {
        boot.guest.cut_power()?;
    }

    let mut claims = Claims::default();
    claims.boots(boots.iter().map(|boot| boot.guest.history()));
    claims.answers(&contract, boots.iter().map(|boot| boot.answer.as_str()));
    claims.log(&messages);
    claims.received(&received);
    let mut searched: Vec<PathBuf> =
        boots.iter().flat_map(|b| [b.logs.serial(), b.logs.emulator()]).collect();
    // The data disk is in both boots' lists.
    searched.extend(boots.iter().flat_map(|boot| boot.written.clone()));
    searched.extend([world.syslog.file(), medium.image]);
    searched.extend(files(&receiver.records)?);
    searched.sort();
    searched.dedup();
    claims.secrets(&world.canaries, &searched)?;
    say(out, &format!("\nWhat this run has shown\n{}", indent(&claims.to_string())))?;
    Ok(if claims.hold() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Boots and follows the stages until the workload answers; after each line, `besides` has its turn.
fn boot<W: Write>(
    profile: &Profile,
    run: &crate::arguments::Run,
    logs: Logs,
    out: &mut W,
    mut besides: impl FnMut(&mut W) -> Result<()>,
) -> Result<Boot> {
    let mut guest = Guest::boot(profile, run, &logs)?;
    let url = format!("http://127.0.0.1:{}/cgi-bin/hello", guest.forwarded(PORT)?);
    let deadline = guest.started() + BOOT;
    let failed = |guest: &Guest, status: String| {
        let last =
            guest.history().iter().rev().take(20).rev().map(|seen| report::line(&seen.event)).collect();
        Error::Ended { what: "start of the workload".into(), status, last }
    };
    loop {
        match guest.next(deadline)? {
            Next::Event(seen) => {
                let after = seen.at.duration_since(guest.started()).as_secs_f64();
                if !matches!(seen.event, Event::Console(_)) {
                    say(out, &format!("  {after:7.1} s  {}", report::line(&seen.event)))?;
                }
                besides(out)?;
                if seen.event.is_message(STARTED) {
                    break;
                }
            }
            Next::Ended(status) => return Err(failed(&guest, status.to_string())),
            Next::Deadline => {
                return Err(failed(&guest, format!("not within {} s", BOOT.as_secs())));
            }
        }
    }
    let answer = http::get(guest.forwarded(PORT)?, "/cgi-bin/hello", ANSWER)?;
    // The daemon's first check comes after the started line, beside the workload's first answer.
    let watched = |event: &Event| event.is_stage(Stage::Watch, State::Done);
    if !guest.history().iter().any(|seen| watched(&seen.event)) {
        guest.wait_for("end of the stage watch", ANSWER, watched)?;
    }
    let timings = report::timings(guest.history(), guest.started());
    let written =
        run.drives.iter().filter(|drive| !drive.read_only).map(|drive| drive.path.clone()).collect();
    Ok(Boot { guest, timings, answer, url, logs, written })
}

/// What the receiver printed, a line each.
fn show_received(printed: &[String], out: &mut impl Write) -> Result<()> {
    printed.iter().try_for_each(|line| say(out, &format!("             log | {line}")))
}

/// The files of a folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(Error::at(folder))?;
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(Error::at(folder))).collect()
}

/// The lines that a person looks for, and how many there were beside them.
fn show_log(messages: &[Message], out: &mut impl Write) -> Result<()> {
    let telling =
        |message: &&Message| message.app.starts_with("countersign") || message.msg.contains("hello: boot");
    for message in messages.iter().filter(telling) {
        let line = format!(
            "  {} {}.{} {}: {}",
            message.time, message.facility, message.severity, message.app, message.msg
        );
        say(out, &line)?;
    }
    let others = messages.len() - messages.iter().filter(telling).count();
    say(out, &format!("  and {others} other lines, among them the kernel's"))
}

fn serial(options: &Options, number: usize) -> PathBuf {
    Logs::new(&options.logs, format!("demo-boot-{number}")).serial()
}

/// A line of the answer without the value that is planted as a secret.
fn shown(line: &str) -> String {
    match line.strip_prefix("secret=") {
        Some(value) => format!("secret=({} characters)", value.len()),
        None => line.to_owned(),
    }
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect::<String>().trim_end().to_owned()
}

fn say(out: &mut impl Write, line: &str) -> Result<()> {
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(Error::at("standard output"))
}
