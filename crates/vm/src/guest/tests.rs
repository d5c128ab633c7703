//! The stream, against a real process that plays recorded console lines, and the emulator as far as it starts
//! without a guest.

use super::*;
use crate::events::{Stage, State};

const LIMIT: Duration = Duration::from_secs(20);

fn scripted(script: &str) -> (Guest, Logs, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let logs = Logs::new(folder.path().join("logs"), "boot");
    let mut command = tied("bash");
    command.args(["-c", script]);
    (Guest::spawn(command, &logs).unwrap(), logs, folder)
}

const REFUSED: &str = r#"
printf '[    0.000000] Linux version 6.12\r\n'
printf 'countersign: stage=locate state=start\r\ncountersign: stage=locate state=done ms=40\r\n'
printf 'HPL05001E: the port is not a number\r\n'
printf 'countersign: stage=validate state=failed code=HPL05001E pointer=/env/logging/syslog/port line=14 ms=3\r\n'
printf 'countersign: exit=55 stage=validate code=HPL05001E\r\n[    3.2] reboot: Power down\r\nhalf'
"#;

#[test]
fn a_refused_boot_reads_as_its_events_in_order() {
    let (mut guest, logs, _folder) = scripted(REFUSED);
    guest.wait_for("locate", LIMIT, |e| e.is_stage(Stage::Locate, State::Done)).unwrap();
    let failed = guest.wait_for("refusal", LIMIT, |e| e.is_stage(Stage::Validate, State::Failed)).unwrap();
    assert_eq!(failed.event.field("pointer"), Some("/env/logging/syslog/port"));
    assert!(guest.wait_end(LIMIT).unwrap().success());
    let events: Vec<_> = guest.history().iter().map(|seen| &seen.event).collect();
    assert_eq!(events.len(), 8);
    assert_eq!(
        events[5],
        &Event::Exit { status: 55, stage: Some(Stage::Validate), code: Some("HPL05001E".into()) }
    );
    assert_eq!(events[7], &Event::Console("half".into()));

    let serial = std::fs::read_to_string(logs.serial()).unwrap();
    assert!(serial.starts_with("[    0.000000] Linux version 6.12\r\n") && serial.ends_with("\r\nhalf"));
    let times = std::fs::read_to_string(logs.times()).unwrap();
    let times: Vec<f64> = times.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(times.len(), 7);
    assert!(times.is_sorted());
}

#[test]
fn half_an_interface_line_at_the_end_is_no_defect() {
    let (mut guest, _logs, _folder) =
        scripted("echo countersign: stage=unlo; printf 'countersign: stage=unlo'");
    guest.wait_end(LIMIT).unwrap();
    let events: Vec<_> = guest.history().iter().map(|seen| seen.event.clone()).collect();
    let line = "countersign: stage=unlo".to_owned();
    assert_eq!(events, [Event::Malformed(line.clone()), Event::Console(line)]);
}

#[test]
fn waiting_ends_when_the_machine_ends() {
    let (mut guest, _logs, _folder) = scripted("echo countersign: exit=3; exit 7");
    let error = guest.wait_for("workload", LIMIT, |e| e.is_message("HPL10001I")).unwrap_err();
    assert_eq!(error.to_string(), "workload: ended before (exit status: 7)\n  | countersign: exit=3");
}

#[test]
fn waiting_ends_when_the_time_is_up() {
    let (mut guest, _logs, _folder) = scripted("echo up; read -r _ < <(tail -f /dev/null)");
    let limit = Duration::from_millis(300);
    let error = guest.wait_for("workload", limit, |_| false).unwrap_err();
    assert_eq!(error.to_string(), "workload: not seen within 300ms\n  | up");
}

#[test]
fn a_cut_machine_has_ended() {
    let (mut guest, _logs, _folder) = scripted("echo up; exec cat /dev/zero >/dev/null");
    guest.wait_for("up", LIMIT, |e| *e == Event::Console("up".into())).unwrap();
    guest.cut_power().unwrap();
    assert!(!guest.wait_end(LIMIT).unwrap().success());
}

fn unbootable(folder: &Path) -> (Profile, Run) {
    let file = |name: &str| {
        let path = folder.join(name);
        std::fs::write(&path, [0; 4096]).unwrap();
        path
    };
    let run = Run {
        kernel: Some(file("kernel")),
        initramfs: Some(file("initramfs")),
        command_line: Vec::new(),
        drives: vec![arguments::Drive::writable(file("data"), "data")],
        link: None,
    };
    (Profile { memory_mib: 512, ..Profile::named("default").unwrap() }, run)
}

#[test]
fn the_emulator_takes_our_arguments_and_tells_its_port() {
    let folder = tempfile::tempdir().unwrap();
    let (profile, run) = unbootable(folder.path());
    let mut guest = Guest::boot(&profile, &run, &Logs::new(folder.path(), "boot")).unwrap();
    let port = guest.forwarded(8080).unwrap();
    std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    assert_eq!(
        guest.forwarded(80).unwrap_err().to_string(),
        "network: expected port 80 of the guest among the forwarded ones"
    );
}

#[test]
fn an_emulator_that_refuses_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let (profile, run) = unbootable(folder.path());
    let profile = Profile { cpu: "no-such-cpu".into(), ..profile };
    let error = Guest::boot(&profile, &run, &Logs::new(folder.path(), "boot")).unwrap_err().to_string();
    assert!(error.starts_with("start of the emulator: ended before (exit status: 1)"), "{error}");
    assert!(error.contains("no-such-cpu"), "{error}");
}

#[test]
fn all_missing_files_are_reported_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let (profile, mut run) = unbootable(folder.path());
    run.kernel = Some("/nonexistent/vmlinuz".into());
    run.drives[0].path = "/nonexistent/data".into();
    let logs = Logs::new(folder.path(), "boot");
    let error = Guest::boot(&profile, &run, &logs).unwrap_err();
    assert_eq!(error.to_string(), "2 missing: kernel (/nonexistent/vmlinuz), data (/nonexistent/data)");
    assert!(!logs.serial().exists());
}
