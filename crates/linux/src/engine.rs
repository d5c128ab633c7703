//! The container engine and its compose program, run as external programs.
//!
//! Follows podman-pull(1) and the compose program's reference. Both are told values of the contract (image names,
//! the compose folder), so their words go to the journal line by line, and never into an error or onto the
//! console. They get few variables and no value of the contract in their environment; credentials by file name only.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use countersign_crypto::secret::SecretBytes;
use nix::sys::memfd::{MFdFlags, memfd_create};

use super::Linux;
use super::programs::{self, Program};
use countersign_ports::error::{Result, SystemError};
use countersign_ports::guest_os::{ComposeProject, Containers, Engine};

/// How long the engine may take to say what runs.
const ANSWER_DEADLINE: Duration = Duration::from_secs(30);

/// Bytes of its answer; a container takes less than 2 KiB of it.
const ANSWER_BOUND: u64 = 1 << 20;

/// Where the engine keeps temporary files of a pull: on encrypted scratch space, not in memory.
const TEMPORARY: &str = "/var/tmp";

impl Engine for Linux {
    fn pull(
        &self,
        image: &str,
        credentials: &Path,
        authorities: Option<&Path>,
        timeout: Duration,
    ) -> Result<()> {
        not_an_option(image)?;
        let mut program = podman()?.arguments(["pull", "--quiet", "--authfile"]).arguments([credentials]);
        if let Some(authorities) = authorities {
            program = program.arguments(["--cert-dir"]).arguments([authorities]);
        }
        program.arguments([image]).deadline(timeout).on_line(&mut to_journal).run().map(drop)
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
            .fold(compose(project)?, |program, (name, value)| program.variable(name, value));
        program
            .arguments(["config", "--format", "json"])
            .deadline(timeout)
            .output_to(&model)
            .on_line(&mut to_journal)
            .run()?;
        let mut read = || -> io::Result<Vec<u8>> {
            let size = usize::try_from(model.metadata()?.len()).unwrap_or(usize::MAX);
            if size > bound {
                return Err(io::Error::new(
                    io::ErrorKind::FileTooLarge,
                    format!("expected at most {bound} bytes"),
                ));
            }
            let mut content = Vec::with_capacity(size);
            model.rewind()?;
            (&model).take(bound as u64).read_to_end(&mut content)?;
            Ok(content)
        };
        read().map(SecretBytes::new).map_err(failed)
    }

    fn compose_up(&self, project: &ComposeProject<'_>, timeout: Duration) -> Result<()> {
        UP.iter()
            .fold(compose(project)?, |program, (name, value)| program.variable(name, value))
            // Nothing that stands in the folder's own file reaches the program's environment.
            .arguments(["--env-file", "/dev/null", "up", "--detach", "--no-build", "--pull", "never"])
            .deadline(timeout)
            .on_line(&mut to_journal)
            .run()
            .map(drop)
    }
}

/// What the compose program needs to start containers.
const UP: [(&str, &str); 4] = [
    ("DOCKER_HOST", "unix:///run/podman/podman.sock"),
    ("HOME", "/root"),
    ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
    ("TMPDIR", TEMPORARY),
];

/// The compose program, told of a project.
fn compose<'a>(project: &ComposeProject<'_>) -> Result<Program<'a>> {
    not_an_option(project.name)?;
    Ok(Program::new(programs::find("docker-compose")?)
        .silent()
        .arguments(["--project-name", project.name, "--project-directory"])
        .arguments([project.folder.as_os_str(), OsStr::new("--file"), project.file.as_os_str()]))
}

impl Containers for Linux {
    fn containers(&self, project: &str) -> Result<Vec<u8>> {
        let socket = self.paths.run.join("podman/podman.sock");
        containers(&socket, project)
            .map_err(|e| SystemError::io("ask the engine at", socket.display().to_string(), e))
    }
}

/// One request on the engine's socket. HTTP/1.0, so that the answer ends with the connection and has no chunks.
fn containers(socket: &Path, project: &str) -> io::Result<Vec<u8>> {
    // It goes into an address unquoted.
    if !project.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "expected a project's name"));
    }
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(ANSWER_DEADLINE))?;
    stream.set_write_timeout(Some(ANSWER_DEADLINE))?;
    write!(
        stream,
        "GET /v4.0.0/libpod/containers/json?all=true&filters=\
         %7B%22label%22%3A%5B%22com.docker.compose.project%3D{project}%22%5D%7D HTTP/1.0\r\nHost: engine\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BOUND + 1).read_to_end(&mut answer)?;
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "expected a list of at most 1 MiB");
    if answer.len() as u64 > ANSWER_BOUND {
        return Err(malformed());
    }
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").ok_or_else(malformed)?;
    let good = answer.split(|byte| *byte == b' ').nth(1) == Some(b"200");
    if good { Ok(answer.split_off(end + 4)) } else { Err(malformed()) }
}

/// The engine with the few variables that it cannot do without.
fn podman<'a>() -> Result<Program<'a>> {
    Ok(Program::new(programs::find("podman")?)
        .variable("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .variable("HOME", "/root")
        .variable("TMPDIR", TEMPORARY)
        .silent())
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
    use super::*;

    #[test]
    fn names_that_look_like_options_are_refused_before_any_program_runs() {
        let machine = Linux::new();
        let file = Path::new("/nowhere");
        let project = ComposeProject { name: "-f", folder: file, file };
        for error in [
            machine.pull("--tls-verify=false", file, None, Duration::ZERO).unwrap_err(),
            machine.pull("", file, None, Duration::ZERO).unwrap_err(),
            machine.compose_up(&project, Duration::ZERO).unwrap_err(),
            machine.compose_model(&project, &[], 0, Duration::ZERO).unwrap_err(),
            machine.containers("a b").unwrap_err(),
        ] {
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(!error.to_string().contains("--"), "{error}");
        }
    }

    #[test]
    fn the_list_is_what_the_engine_answers_after_its_head() {
        use std::os::unix::net::UnixListener;
        let run = tempfile::tempdir().unwrap();
        std::fs::create_dir(run.path().join("podman")).unwrap();
        let listener = UnixListener::bind(run.path().join("podman/podman.sock")).unwrap();
        let machine = Linux::with_paths(super::super::Paths { run: run.path().into(), ..Default::default() });
        let served = |answer: Vec<u8>| {
            std::thread::scope(|scope| {
                let engine = scope.spawn(|| {
                    let (mut stream, _) = listener.accept().unwrap();
                    let mut request = Vec::new();
                    while !request.ends_with(b"\r\n\r\n") {
                        let mut byte = [0];
                        stream.read_exact(&mut byte).unwrap();
                        request.push(byte[0]);
                    }
                    // Whoever has read enough hangs up.
                    let _ = stream.write_all(&answer);
                    String::from_utf8(request).unwrap()
                });
                (machine.containers("compose"), engine.join().unwrap())
            })
        };
        let (list, request) = served(b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\n[]".to_vec());
        assert_eq!(list.unwrap(), b"[]");
        let address = "/v4.0.0/libpod/containers/json?all=true&filters=";
        let label = "%7B%22label%22%3A%5B%22com.docker.compose.project%3Dcompose%22%5D%7D";
        assert!(request.starts_with(&format!("GET {address}{label} HTTP/1.0\r\n")), "{request}");
        for answer in ["HTTP/1.0 500 Error\r\n\r\n[]", "HTTP/1.0 200 OK\r\n", ""] {
            assert_eq!(served(answer.into()).0.unwrap_err().kind(), io::ErrorKind::InvalidData, "{answer}");
        }
        let mut long = b"HTTP/1.0 200 OK\r\n\r\n".to_vec();
        long.resize(2 << 20, b' ');
        assert_eq!(served(long).0.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
