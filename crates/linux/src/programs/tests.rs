//! The runner against real programs.

use super::*;
use std::io::BufRead;

fn shell<'a>(script: &str) -> Program<'a> {
    Program::new("/bin/sh").arguments(["-c", script])
}

#[test]
fn the_environment_is_empty_but_for_what_is_given() {
    let output = Program::new("/usr/bin/env").run().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
    let output = Program::new("/usr/bin/env").variable("DOCKER_HOST", "unix:///run/x").run().unwrap();
    assert_eq!(output.stdout, b"DOCKER_HOST=unix:///run/x\n");
}

#[test]
fn input_larger_than_a_pipe_arrives_while_output_is_read() {
    let input = vec![b'x'; 1 << 20];
    let output = Program::new("/bin/cat").input(&input).run().unwrap();
    assert_eq!(output.stdout.len(), OUTPUT_BOUND);
    let output = Program::new("/usr/bin/wc").arguments(["-c"]).input(&input).run().unwrap();
    assert_eq!(output.stdout, b"1048576\n");
    // One that reads nothing is not waited for.
    shell("exit 0").input(&input).run().unwrap();
}

#[test]
fn inputs_follow_each_other_and_output_may_go_to_a_file() {
    let mut file = tempfile::tempfile().unwrap();
    let cat = Program::new("/bin/cat").input(b"").input(b"one ").input(b"").input(b"two").output_to(&file, 7);
    assert_eq!(cat.run().unwrap(), Output::default());
    let mut text = String::new();
    std::io::Seek::rewind(&mut file).unwrap();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "one two");
}

#[test]
fn more_output_than_its_file_may_hold_ends_a_program() {
    let (folder, file) = (tempfile::tempdir().unwrap(), tempfile::tempfile().unwrap());
    let process = folder.path().join("process");
    let error = shell(&format!("echo $$ >{}; exec cat /dev/zero", process.display()))
        .output_to(&file, 300_000)
        .run()
        .unwrap_err();
    assert_eq!(error.to_string(), "run program /bin/sh: expected to print at most 300000 bytes");
    assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    assert!(!alive(&std::fs::read_to_string(process).unwrap()));
    assert!(file.metadata().unwrap().len() <= 300_000);
    let full = tempfile::tempfile().unwrap();
    shell("head -c 300000 /dev/zero").output_to(&full, 300_000).run().unwrap();
    assert_eq!(full.metadata().unwrap().len(), 300_000);
}

#[test]
fn no_line_of_what_goes_to_a_file_is_passed_on() {
    let file = tempfile::tempfile().unwrap();
    let mut lines = Vec::new();
    let mut keep = |line: &str| lines.push(line.to_owned());
    shell("echo secret; echo told >&2; printf half").output_to(&file, 100).on_line(&mut keep).run().unwrap();
    assert_eq!(lines, ["told"]);
    assert_eq!(file.metadata().unwrap().len(), 11);
}

#[test]
fn a_program_that_prints_without_end_is_late_all_the_same() {
    for script in ["exec cat /dev/zero", "exec cat /dev/zero >&2"] {
        let error = shell(script).deadline(Duration::from_millis(300)).run().unwrap_err();
        assert_eq!(error.to_string(), "run program /bin/sh: not ended after 0 s");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
    // Nor does a child that it leaves behind keep anybody.
    shell("cat /dev/zero & exit 0").run().unwrap();
}

#[test]
fn whatever_the_end_its_status_is_told() {
    let ended = shell("echo out; echo why >&2; exit 3").run_to_end().unwrap();
    assert_eq!((ended.status, ended.output.stdout.as_slice()), (Some(3), &b"out\n"[..]));
    assert_eq!(ended.reason(), "exit status 3: why");
    let ended = shell("echo why >&2; kill -9 $$").silent().run_to_end().unwrap();
    assert_eq!((ended.status, ended.reason()), (None, "ended by signal 9"));
    assert!(shell("sleep 1000").deadline(Duration::from_millis(1)).run_to_end().is_err());
}

#[test]
fn output_is_bounded_first_of_stdout_last_of_stderr() {
    let output = shell("echo begin; head -c 300000 /dev/zero; echo end").run().unwrap();
    assert_eq!(output.stdout.len(), OUTPUT_BOUND);
    assert!(output.stdout.starts_with(b"begin\n"));
    let output = shell("(echo begin; head -c 300000 /dev/zero; echo end) >&2").run().unwrap();
    assert_eq!(output.stderr.len(), OUTPUT_BOUND);
    assert!(output.stderr.ends_with(b"end\n"));
}

#[test]
fn failure_names_program_status_and_the_last_line() {
    let error = shell("echo first >&2; printf 'last\\033 words\\n\\n' >&2; exit 3").run().unwrap_err();
    assert_eq!(error.to_string(), "run program /bin/sh: exit status 3: last  words");
    let error = shell("kill -9 $$").run().unwrap_err();
    assert_eq!(error.to_string(), "run program /bin/sh: ended by signal 9");
    let long = shell("head -c 5000 /dev/zero | tr '\\0' x >&2; exit 1").run().unwrap_err().to_string();
    assert_eq!(long.len(), "run program /bin/sh: exit status 1: ".len() + REASON_BOUND);
}

#[test]
fn a_silent_program_leaves_nothing_of_what_it_said_in_the_error() {
    let error = shell("echo canary >&2; exit 3").silent().run().unwrap_err();
    assert_eq!(error.to_string(), "run program /bin/sh: exit status 3");
}

#[test]
fn absent_and_relative_programs_are_refused() {
    let error = Program::new("/nowhere/mke2fs").run().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert!(error.to_string().contains("/nowhere/mke2fs"));
    assert_eq!(Program::new("sh").run().unwrap_err().kind(), io::ErrorKind::InvalidInput);
    let error = find("no-such-program").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert!(error.to_string().contains("no-such-program"));
    assert!(find("sh").unwrap().is_absolute());
}

/// Whether a process exists and is not a zombie.
fn alive(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
}

#[test]
fn past_its_deadline_a_program_is_killed_with_its_children() {
    let mut lines = Vec::new();
    let mut keep = |line: &str| lines.push(line.to_owned());
    let error = shell("sleep 1000 & echo $!; wait")
        .deadline(Duration::from_millis(300))
        .on_line(&mut keep)
        .run()
        .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    // The grandchild was killed too; its end is seen a moment later.
    let deadline = Instant::now() + Duration::from_secs(20);
    while alive(&lines[0]) {
        assert!(Instant::now() < deadline, "process {} is still there", lines[0]);
        std::thread::yield_now();
    }
}

#[test]
fn a_program_that_leaves_a_child_behind_is_not_waited_for() {
    let output = shell("sleep 1000 & echo $!").run().unwrap();
    let child = String::from_utf8(output.stdout).unwrap();
    assert!(alive(&child));
    nix::sys::signal::kill(Pid::from_raw(child.trim().parse().unwrap()), Signal::SIGKILL).unwrap();
}

#[test]
fn closing_the_outputs_is_not_ending() {
    let before = Instant::now();
    shell("exec >&- 2>&-; sleep 0.3").run().unwrap();
    assert!(before.elapsed() >= Duration::from_millis(300));
}

#[test]
fn lines_are_passed_on_as_they_come_and_cut() {
    let mut lines = Vec::new();
    let mut keep = |line: &str| lines.push(line.to_owned());
    shell("echo one; printf '10%%\\r20%%\\n'; head -c 9000 /dev/zero | tr '\\0' x; printf '\\nunended'")
        .on_line(&mut keep)
        .run()
        .unwrap();
    assert_eq!(lines.len(), 5);
    assert_eq!((&*lines[0], &*lines[1], &*lines[2], &*lines[4]), ("one", "10%", "20%", "unended"));
    assert_eq!(lines[3].len(), LINE_BOUND);
}

/// Not a test of its own: the parent that the next test kills.
#[test]
#[ignore = "run by a_program_dies_with_its_parent"]
fn parent_of_a_sleeper() {
    let mut print = |line: &str| println!("sleeper {line}");
    let _ = shell("echo $$; exec sleep 1000").on_line(&mut print).run();
}

#[test]
fn a_program_dies_with_its_parent() {
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "programs::tests::parent_of_a_sleeper"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let sleeper = io::BufReader::new(parent.stdout.take().unwrap())
        .lines()
        .find_map(|line| Some(line.unwrap().split_once("sleeper ")?.1.to_owned()))
        .unwrap();
    assert!(alive(&sleeper));
    parent.kill().unwrap();
    parent.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while alive(&sleeper) {
        assert!(Instant::now() < deadline, "process {sleeper} is still there");
        std::thread::yield_now();
    }
}

/// The next piece of output; empty at its end.
fn piece(reader: &mut Reader) -> Vec<u8> {
    let mut buffer = [0; 4096];
    loop {
        if let Some(count) = reader.read(&mut buffer).unwrap() {
            return buffer[..count].to_vec();
        }
        let mut watched: Vec<PollFd<'_>> =
            reader.descriptors().map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        poll(&mut watched, PollTimeout::NONE).unwrap();
    }
}

#[test]
fn a_program_that_goes_on_is_read_to_its_end_and_says_how_it_ended() {
    // More of both than two pipes hold.
    let script = "head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero; echo >&2; echo why >&2; exit 3";
    let mut reader = shell(script).start().unwrap();
    let mut count = 0;
    loop {
        match piece(&mut reader).len() {
            0 => break,
            more => count += more,
        }
    }
    assert_eq!(count, 300_000);
    assert_eq!(reader.ended(), Err("exit status 3: why".to_owned()));
    let error = Program::new("sh").start().unwrap_err();
    assert!(error.to_string().contains("expected an absolute path"), "{error}");
}

#[test]
fn a_program_that_goes_on_dies_with_its_reader() {
    let mut reader = shell("echo $$; exec sleep 600").start().unwrap();
    let process = String::from_utf8(piece(&mut reader)).unwrap();
    let process = Path::new("/proc").join(process.trim());
    assert!(process.exists());
    drop(reader);
    assert!(!process.exists());
}
