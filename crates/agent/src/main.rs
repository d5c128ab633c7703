//! `countersignd`: PID 1 of the initramfs, and the units of the guest OS. Wiring only.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use countersign_boot::failure::Failure;
use countersign_boot::guest_os::Verb;
use countersign_boot::log::panicked;
use countersign_boot::{guest_os, initramfs};
use countersign_linux::{KEYSLOT, Linux, LinuxAlarm, LinuxForwarder, keyslot};
use countersign_ports::Platform;
use countersign_ports::error::SystemError;

const HELP: &str = "\
countersignd: opens the contract of a Secure Execution guest.

As process 1 of the initramfs it takes no argument and boots the guest. In the guest OS its units call

    countersignd filter     load the packet filter
    countersignd network    wait for an address and the log server's name
    countersignd logging    send the first record to the log server
    countersignd forward    send the journal to the log server until power-off
    countersignd images     pull the images of the contract
    countersignd start      start the workload
    countersignd watch      watch volumes, certificates and workload until power-off
    countersignd failure    tell the log server why the boot failed

Exit status: 0 done; 30 to 100 the stage that failed, see README; 2 usage.
";

fn main() -> ExitCode {
    if std::process::id() == 1 {
        return boot();
    }
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("--help" | "-h"), None) => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        (Some("--version"), None) => {
            println!("countersignd {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        // Of no use to people: process 1 starts it for each key that it derives.
        (Some(KEYSLOT), None) => keyslot(),
        (Some("watch"), None) => watch(),
        (Some("forward"), None) => forward(),
        (Some(name), None) => match Verb::find(name) {
            Some(verb) => unit(verb),
            None => usage(),
        },
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprint!("{HELP}");
    ExitCode::from(2)
}

/// Process 1 must not end: whatever happens, the machine goes off.
fn boot() -> ExitCode {
    let system = Linux::new();
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(|place| format!(" at {}:{}", place.file(), place.line()))
            .unwrap_or_default();
        let system = Linux::new();
        panicked(&system, &place);
        system.power_off();
    }));
    let result = initramfs::boot(&system);
    system.power_off();
    status(result)
}

fn watch() -> ExitCode {
    match LinuxAlarm::new(LinuxAlarm::JOURNALCTL.as_ref()) {
        Ok(mut alarm) => status(guest_os::watch(&Linux::new(), &mut alarm)),
        Err(error) => unable(&error),
    }
}

fn forward() -> ExitCode {
    match LinuxForwarder::new() {
        Ok(mut forwarder) => status(guest_os::forward(&Linux::new(), &mut forwarder)),
        Err(error) => unable(&error),
    }
}

/// What is missing before anything can be said on the console.
fn unable(error: &SystemError) -> ExitCode {
    eprintln!("countersignd: {error}");
    ExitCode::FAILURE
}

fn unit(verb: Verb) -> ExitCode {
    status(guest_os::run(&Linux::new(), verb))
}

fn status(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => ExitCode::from(failure.stage.exit_code()),
    }
}
