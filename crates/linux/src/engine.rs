//! The container engine, by its interface, and its compose program, run as an external program.
//!
//! Follows the libpod interface of podman 5.4 and the compose program's reference. Both are told values of the contract
//! (image names, the compose folder), so the program's words go to the journal line by line, and never into an error or
//! onto the console. It gets few variables and no value of the contract in its environment.

mod interface;

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::time::Duration;

use countersign_crypto::secret::SecretBytes;
use nix::sys::memfd::{MFdFlags, memfd_create};

use super::Linux;
use super::programs::{self, Program};
use countersign_ports::error::{Result, SystemError};
use countersign_ports::guest_os::{ComposeProject, Containers, Engine, EngineAnswer};

/// How long the engine may take to say what runs.
const ANSWER_DEADLINE: Duration = Duration::from_secs(30);

/// Who is asked, in errors.
const ENGINE: &str = "the container engine";

/// How often the engine asks a registry again that is not reached, closes the connection or answers with an error of its
/// own (5xx), and not one that refuses; with a delay of zero it waits 1, 2, 4 … seconds in between.
const RETRIES: u32 = 5;
const RETRY_DELAY: &str = "0s";

/// Where the compose program keeps temporary files: on encrypted scratch space, not in memory.
const TEMPORARY: &str = "/var/tmp";

impl Engine for Linux {
    fn pull(
        &self,
        image: &str,
        credentials: Option<&SecretBytes>,
        timeout: Duration,
    ) -> Result<EngineAnswer> {
        let image = encoded(image)?;
        let target = format!(
            "images/pull?reference={image}&quiet=true&policy=always&retry={RETRIES}&retrydelay={RETRY_DELAY}"
        );
        self.ask_engine("POST", &target, credentials, timeout)
    }

    fn image(&self, image: &str) -> Result<EngineAnswer> {
        let image = encoded(image)?;
        self.ask_engine("GET", &format!("images/{image}/json"), None, ANSWER_DEADLINE)
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
        // It goes into an address unquoted.
        if !project.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
            let reason = io::Error::new(io::ErrorKind::InvalidInput, "expected a project's name");
            return Err(SystemError::io("ask", ENGINE, reason));
        }
        let target = format!(
            "containers/json?all=true&filters=\
             %7B%22label%22%3A%5B%22com.docker.compose.project%3D{project}%22%5D%7D"
        );
        let answer = self.ask_engine("GET", &target, None, ANSWER_DEADLINE)?;
        if answer.status == 200 {
            return Ok(answer.body);
        }
        let reason = io::Error::new(io::ErrorKind::InvalidData, "expected a list of containers");
        Err(SystemError::io("ask", ENGINE, reason))
    }
}

impl Linux {
    fn ask_engine(
        &self,
        method: &str,
        target: &str,
        credentials: Option<&SecretBytes>,
        timeout: Duration,
    ) -> Result<EngineAnswer> {
        let socket = self.paths.run.join("podman/podman.sock");
        interface::ask(&socket, method, target, credentials, timeout)
            .map_err(|error| SystemError::io("ask", ENGINE, error))
    }
}

/// An image's name as part of an address.
fn encoded(image: &str) -> Result<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:@/[]".contains(&byte);
    if image.is_empty() || !image.bytes().all(plain) {
        let reason = io::Error::new(io::ErrorKind::InvalidInput, "expected the name of an image");
        return Err(SystemError::io("ask", ENGINE, reason));
    }
    Ok(image.replace('[', "%5B").replace(']', "%5D"))
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
    use std::path::Path;

    use super::*;

    #[test]
    fn names_that_look_like_options_are_refused_before_any_program_runs() {
        let machine = Linux::new();
        let file = Path::new("/nowhere");
        let project = ComposeProject { name: "-f", folder: file, file };
        for error in [
            machine.pull("a b", None, Duration::ZERO).unwrap_err(),
            machine.pull("a?tlsVerify=false", None, Duration::ZERO).unwrap_err(),
            machine.pull("a&tlsVerify=false", None, Duration::ZERO).unwrap_err(),
            machine.pull("", None, Duration::ZERO).unwrap_err(),
            machine.image("a\r\nb").unwrap_err(),
            machine.compose_up(&project, Duration::ZERO).unwrap_err(),
            machine.compose_model(&project, &[], 0, Duration::ZERO).unwrap_err(),
            machine.containers("a b").unwrap_err(),
        ] {
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(!error.to_string().contains("--"), "{error}");
        }
    }

    /// An engine that answers one request so; what it was asked.
    fn served<T>(answer: Vec<u8>, ask: impl FnOnce(&Linux) -> T) -> (T, String) {
        use std::io::Write;
        use std::os::unix::net::UnixListener;
        let run = tempfile::tempdir().unwrap();
        std::fs::create_dir(run.path().join("podman")).unwrap();
        let socket = run.path().join("podman/podman.sock");
        let machine = Linux::with_paths(super::super::Paths { run: run.path().into(), ..Default::default() });
        std::thread::scope(|scope| {
            // It comes up while somebody already asks.
            let engine = scope.spawn(move || {
                let (mut stream, _) = UnixListener::bind(socket).unwrap().accept().unwrap();
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
            (ask(&machine), engine.join().unwrap())
        })
    }

    #[test]
    fn the_list_is_what_the_engine_answers_after_its_head() {
        let list = |answer: &[u8]| served(answer.to_vec(), |machine| machine.containers("compose"));
        let (answer, request) = list(b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\n[]");
        assert_eq!(answer.unwrap(), b"[]");
        let address = "/v4.0.0/libpod/containers/json?all=true&filters=";
        let label = "%7B%22label%22%3A%5B%22com.docker.compose.project%3Dcompose%22%5D%7D";
        assert!(request.starts_with(&format!("GET {address}{label} HTTP/1.0\r\n")), "{request}");
        for answer in ["HTTP/1.0 500 Error\r\n\r\n[]", "HTTP/1.0 200 OK\r\n", "", "x"] {
            let error = list(answer.as_bytes()).0.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{answer}");
        }
        let mut long = b"HTTP/1.0 200 OK\r\n\r\n".to_vec();
        long.resize(2 << 20, b' ');
        assert_eq!(list(&long).0.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_pull_is_a_request_with_the_credentials_in_a_header() {
        let image = "[2001:db8::1]:5000/web@sha256:00";
        let credentials = SecretBytes::copy_from(b"eyJ9");
        let pull = |credentials: Option<&SecretBytes>| {
            served(b"HTTP/1.0 200 OK\r\n\r\n{\"id\":\"1\"}".to_vec(), |machine| {
                machine.pull(image, credentials, Duration::from_secs(60))
            })
        };
        let (answer, request) = pull(Some(&credentials));
        assert_eq!(answer.unwrap(), EngineAnswer { status: 200, body: b"{\"id\":\"1\"}".to_vec() });
        assert_eq!(
            request,
            "POST /v4.0.0/libpod/images/pull?reference=%5B2001:db8::1%5D:5000/web@sha256:00&quiet=true\
             &policy=always&retry=5&retrydelay=0s HTTP/1.0\r\nHost: engine\r\nContent-Length: 0\r\n\
             X-Registry-Auth: eyJ9\r\n\r\n"
        );
        assert!(!pull(None).1.contains("X-Registry-Auth"));
    }

    #[test]
    fn an_engine_that_does_not_come_or_does_not_answer_is_waited_for_in_vain() {
        use std::os::unix::net::UnixListener;
        let run = tempfile::tempdir().unwrap();
        std::fs::create_dir(run.path().join("podman")).unwrap();
        let machine = Linux::with_paths(super::super::Paths { run: run.path().into(), ..Default::default() });
        let pull = || machine.pull("web", None, Duration::from_millis(50)).unwrap_err().kind();
        assert_eq!(pull(), io::ErrorKind::TimedOut);
        let _silent = UnixListener::bind(run.path().join("podman/podman.sock")).unwrap();
        assert_eq!(pull(), io::ErrorKind::TimedOut);
    }
}
