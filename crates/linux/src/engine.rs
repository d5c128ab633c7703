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
        encoded(image)?;
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
        let address = format!("images/{}/json", encoded(image)?);
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

/// The compose program, told of a project.
fn compose<'a>(project: &ComposeProject<'_>) -> Result<Program<'a>> {
    not_an_option(project.name)?;
    Ok(Program::new(programs::find("docker-compose")?)
        .silent()
        .arguments(["--project-name", project.name, "--project-directory"])
        .arguments([project.folder.as_os_str(), OsStr::new("--file"), project.file.as_os_str()]))
}

impl Containers for Linux {
    fn containers(&self, whose: Whose<'_>) -> Result<Vec<u8>> {
        socket::containers(&self.engine_socket(), whose).map_err(unanswered)
    }
}

impl Linux {
    fn engine_socket(&self) -> PathBuf {
        self.paths.run.join("podman/podman.sock")
    }
}

fn unanswered(error: io::Error) -> SystemError {
    SystemError::io("ask", ENGINE, error)
}

/// An image's name as part of an address.
fn encoded(image: &str) -> Result<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:@/[]".contains(&byte);
    if image.is_empty() || image.starts_with('-') || !image.bytes().all(plain) {
        return Err(unanswered(io::Error::new(io::ErrorKind::InvalidInput, "expected the name of an image")));
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
    use super::*;

    #[test]
    fn names_that_look_like_options_are_refused_before_any_program_runs() {
        let machine = Linux::new();
        let file = Path::new("/nowhere");
        let project = ComposeProject { name: "-f", folder: file, file };
        for error in [
            machine.pull("--tls-verify=false", file, Duration::ZERO, &mut |_| ()).unwrap_err(),
            machine.pull("", file, Duration::ZERO, &mut |_| ()).unwrap_err(),
            machine.pull("a?b", file, Duration::ZERO, &mut |_| ()).unwrap_err(),
            machine.image("a\r\nb").unwrap_err(),
            machine.compose_up(&project, Duration::ZERO).unwrap_err(),
            machine.compose_model(&project, &[], 0, Duration::ZERO).unwrap_err(),
            machine.containers(Whose::Project("a b")).unwrap_err(),
        ] {
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(!error.to_string().contains("--"), "{error}");
        }
    }
}
