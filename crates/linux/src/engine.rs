//! The container engine, by its interface, and its compose program, run as an external program.
//!
//! Follows the compose program's reference. It is told values of the contract (image names, the compose folder), and so is
//! the engine, so their words go to the journal line by line, and never into an error or onto the console. The program gets
//! few variables and no value of the contract in its environment. Pods are started over the engine's socket, as the compose
//! program starts containers: no program in between, and no file with what the pods hold.

mod socket;

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_crypto::secret::SecretBytes;
use nix::sys::memfd::{MFdFlags, memfd_create};

use super::Linux;
use super::programs::{self, Program};
use countersign_ports::error::{Result, SystemError};
use countersign_ports::guest_os::{ComposeProject, Containers, Engine, EngineAnswer, Whose};
use socket::Request;

/// Who is asked, in errors.
const ENGINE: &str = "the container engine";

/// How often the engine asks a registry again that is not reached, closes the connection or answers with an error of its
/// own (5xx), and not one that refuses; with a delay of zero it waits 1, 2, 4 … seconds in between.
const RETRIES: &str = "5";
const RETRY_DELAY: &str = "0s";

/// Where engine and compose program keep temporary files: on encrypted scratch space, not in memory.
const TEMPORARY: &str = "/var/tmp";

impl Engine for Linux {
    fn pull(
        &self,
        image: &str,
        credentials: &Path,
        timeout: Duration,
        said: &mut dyn FnMut(&str),
    ) -> Result<()> {
        not_an_option(image)?;
        let mut heard = |line: &str| {
            to_journal(line);
            said(line);
        };
        // A process of its own: what it knew of the credentials is overwritten when it ends.
        Program::new(programs::find("podman")?)
            .variable("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .variable("HOME", "/root")
            .variable("TMPDIR", TEMPORARY)
            .silent()
            .arguments(["pull", "--quiet", "--retry", RETRIES, "--retry-delay", RETRY_DELAY, "--authfile"])
            .arguments([credentials.as_os_str(), OsStr::new(image)])
            .deadline(timeout)
            .on_line(&mut heard)
            .run()
            .map(drop)
    }

    fn image(&self, image: &str) -> Result<EngineAnswer> {
        let address = format!("images/{}/json", socket::encoded(image));
        socket::ask(&self.engine_socket(), &Request::get(&address), socket::ANSWER_DEADLINE)
            .map_err(unanswered)
    }

    fn compose_model(
        &self,
        project: &ComposeProject<'_>,
        environment: &[(String, String)],
        bound: usize,
        timeout: Duration,
    ) -> Result<SecretBytes> {
        let failed = |error: io::Error| SystemError::io("read", "the compose program's model", error);
        // Variables of the contract stand in it: memory, and one buffer of its size.
        let memory = || io::Result::Ok(File::from(memfd_create("compose-model", MFdFlags::MFD_CLOEXEC)?));
        let mut model = memory().map_err(failed)?;
        let program = environment
            .iter()
            .fold(self.compose(project)?, |program, (name, value)| program.variable(name, value));
        program
            .arguments(["config", "--format", "json"])
            .deadline(timeout)
            .output_to(&model, bound)
            .on_line(&mut to_journal)
            .run()?;
        let mut read = || -> io::Result<Vec<u8>> {
            let size = model.stream_position()?;
            let mut content = vec![0; usize::try_from(size).unwrap_or(bound)];
            model.rewind()?;
            model.read_exact(&mut content)?;
            Ok(content)
        };
        read().map(SecretBytes::new).map_err(failed)
    }

    fn compose_up(&self, project: &ComposeProject<'_>, timeout: Duration) -> Result<()> {
        UP.iter()
            .fold(self.compose(project)?, |program, (name, value)| program.variable(name, value))
            // Nothing that stands in the folder's own file reaches the program's environment.
            .arguments(["--env-file", "/dev/null", "up", "--detach", "--no-build", "--pull", "never"])
            .deadline(timeout)
            .on_line(&mut to_journal)
            .run()
            .map(drop)
    }

    fn kube_play(&self, documents: &SecretBytes, timeout: Duration) -> Result<()> {
        socket::play(&self.engine_socket(), documents, timeout, &mut to_journal)
            .map_err(|error| SystemError::io("start pods by", ENGINE, error))
    }
}

/// What the compose program needs to start containers.
const UP: [(&str, &str); 4] = [
    ("DOCKER_HOST", "unix:///run/podman/podman.sock"),
    ("HOME", "/root"),
    ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
    ("TMPDIR", TEMPORARY),
];

impl Containers for Linux {
    fn containers(&self, whose: Whose<'_>) -> Result<Vec<u8>> {
        socket::containers(&self.engine_socket(), whose).map_err(unanswered)
    }
}

impl Linux {
    /// The compose program, told of a project.
    fn compose<'a>(&self, project: &ComposeProject<'_>) -> Result<Program<'a>> {
        not_an_option(project.name)?;
        Ok(Program::new(&self.paths.compose_program)
            .silent()
            .arguments(["--project-name", project.name, "--project-directory"])
            .arguments([project.folder.as_os_str(), OsStr::new("--file"), project.file.as_os_str()]))
    }

    fn engine_socket(&self) -> PathBuf {
        self.paths.run.join("podman/podman.sock")
    }
}

fn unanswered(error: io::Error) -> SystemError {
    SystemError::io("ask", ENGINE, error)
}

/// The unit's standard output: the journal, which only the owner of the contract reads.
fn to_journal(line: &str) {
    println!("{line}");
}

/// A value of the contract must not be read as an option.
fn not_an_option(value: &str) -> Result<()> {
    if value.is_empty() || value.starts_with('-') {
        let reason = io::Error::new(io::ErrorKind::InvalidInput, "expected a name, not an option");
        return Err(SystemError::io("run program", "container engine", reason));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::Paths;

    /// A machine with this script as its compose program, in a folder.
    fn with_compose(script: &str) -> (tempfile::TempDir, Linux) {
        let folder = tempfile::tempdir().unwrap();
        let compose_program = folder.path().join("compose");
        // Written by another process: one that a test beside this starts meanwhile would hold the file open.
        let mut install = Command::new("install")
            .args(["-m", "755", "/dev/stdin"])
            .arg(&compose_program)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let script = format!("#!/bin/sh\ncd {}\n{script}\n", folder.path().display());
        install.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        assert!(install.wait().unwrap().success());
        (folder, Linux::with_paths(Paths { compose_program, ..Paths::default() }))
    }

    fn model(machine: &Linux, bound: usize, timeout: Duration) -> Result<SecretBytes> {
        let (folder, file) = (Path::new("/project"), Path::new("/project/compose.yaml"));
        let environment = [("A".to_owned(), "b c".to_owned())];
        machine.compose_model(&ComposeProject { name: "compose", folder, file }, &environment, bound, timeout)
    }

    /// The process that the script wrote down is gone.
    fn assert_gone(folder: &tempfile::TempDir) {
        let process = std::fs::read_to_string(folder.path().join("process")).unwrap();
        assert!(!Path::new("/proc").join(process.trim()).exists(), "{process}");
    }

    #[test]
    fn the_model_is_what_the_compose_program_prints_with_the_variables_that_it_is_given() {
        let (_folder, machine) = with_compose("printf '%s;' \"$@\"; echo \"A=$A\"; echo said >&2");
        let expected = "--project-name;compose;--project-directory;/project;--file;/project/compose.yaml;\
                        config;--format;json;A=b c\n";
        let answer = model(&machine, expected.len(), Duration::from_secs(60)).unwrap();
        assert_eq!(std::str::from_utf8(answer.expose()).unwrap(), expected);
        let error = model(&machine, expected.len() - 1, Duration::from_secs(60)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        let (folder, machine) = with_compose("echo canary; echo canary >&2; exit 15");
        let error = model(&machine, 100, Duration::from_secs(60)).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("run program {}/compose: exit status 15", folder.path().display())
        );
    }

    #[test]
    fn a_model_without_end_is_cut_off_at_its_bound() {
        let (folder, machine) = with_compose("echo $$ >process; exec cat /dev/zero");
        // Long before this time.
        let error = model(&machine, 4 << 20, Duration::from_secs(600)).unwrap_err();
        let program = folder.path().join("compose");
        let expected = format!("run program {}: expected to print at most 4194304 bytes", program.display());
        assert_eq!((error.to_string(), error.kind()), (expected, io::ErrorKind::FileTooLarge));
        assert_gone(&folder);
    }

    #[test]
    fn a_compose_program_that_hangs_is_ended_with_its_children() {
        // The shell waits for the child, which is the one that hangs.
        let (folder, machine) = with_compose("sleep 1000 & echo $! >process; echo '{'; wait");
        let error = model(&machine, 4 << 20, Duration::from_secs(2)).unwrap_err();
        let program = folder.path().join("compose");
        let expected = format!("run program {}: not ended after 2 s", program.display());
        assert_eq!((error.to_string(), error.kind()), (expected, io::ErrorKind::TimedOut));
        // Nobody waits for it but process 1, which may take a moment.
        let process = std::fs::read_to_string(folder.path().join("process")).unwrap();
        let state = format!("/proc/{}/stat", process.trim());
        let gone = || std::fs::read_to_string(&state).map_or(true, |state| state.contains(") Z "));
        let late = std::time::Instant::now() + Duration::from_secs(20);
        while !gone() {
            assert!(std::time::Instant::now() < late, "process {process} is still there");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_compose_program_that_is_not_there_is_named() {
        let paths = Paths { compose_program: "/nowhere/compose".into(), ..Paths::default() };
        let error = model(&Linux::with_paths(paths), 100, Duration::from_secs(60)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(error.to_string().starts_with("run program /nowhere/compose: "), "{error}");
    }

    #[test]
    fn names_that_look_like_options_are_refused_before_any_program_runs() {
        let machine = Linux::new();
        let file = Path::new("/nowhere");
        let project = ComposeProject { name: "-f", folder: file, file };
        for error in [
            machine.pull("--tls-verify=false", file, Duration::ZERO, &mut |_| ()).unwrap_err(),
            machine.pull("", file, Duration::ZERO, &mut |_| ()).unwrap_err(),
            machine.compose_up(&project, Duration::ZERO).unwrap_err(),
            machine.compose_model(&project, &[], 0, Duration::ZERO).unwrap_err(),
        ] {
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(!error.to_string().contains("--"), "{error}");
        }
    }
}
