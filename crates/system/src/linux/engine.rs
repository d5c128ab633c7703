//! The container engine and its compose program, run as external programs.
//!
//! Follows podman-pull(1) and the compose program's reference. Both are told values of the contract (image names,
//! the compose folder), so their words go to the journal line by line, and never into an error or onto the
//! console. They get the engine's socket and nothing else in
//! their environment; credentials by file name only.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::Linux;
use super::programs::{self, Program};
use crate::error::{Result, SystemError};
use crate::ports_host::Engine;

/// Pulling a large image over a slow line, under emulation, takes this long at most.
const PULL_DEADLINE: Duration = Duration::from_secs(1800);

/// Creating and starting the containers of a project.
const START_DEADLINE: Duration = Duration::from_secs(900);

/// Where the engine keeps temporary files of a pull: on encrypted scratch space, not in memory.
const TEMPORARY: &str = "/var/tmp";

impl Engine for Linux {
    fn pull(&self, image: &str, credentials: &Path, authorities: Option<&Path>) -> Result<()> {
        not_an_option(image)?;
        let mut program = podman()?.arguments(["pull", "--quiet", "--authfile"]).arguments([credentials]);
        if let Some(authorities) = authorities {
            program = program.arguments(["--cert-dir"]).arguments([authorities]);
        }
        program.arguments([image]).deadline(PULL_DEADLINE).on_line(&mut to_journal).run().map(drop)
    }

    fn compose_up(&self, project: &str, folder: &Path, file: &Path) -> Result<()> {
        not_an_option(project)?;
        let mut host = std::ffi::OsString::from("unix://");
        host.push(self.paths.run.join("podman/podman.sock"));
        engine_program("docker-compose")?
            .variable("DOCKER_HOST", host)
            .arguments(["--project-name", project, "--project-directory"])
            .arguments([folder.as_os_str(), OsStr::new("--file"), file.as_os_str()])
            .arguments(["up", "--detach", "--no-build", "--pull", "never"])
            .deadline(START_DEADLINE)
            .on_line(&mut to_journal)
            .run()
            .map(drop)
    }

    fn running(&self, project: &str) -> Result<Vec<String>> {
        not_an_option(project)?;
        let label = format!("label=com.docker.compose.project={project}");
        let output = podman()?
            .arguments(["ps", "--format", "{{.Names}}", "--filter", "status=running", "--filter", &label])
            .run()?;
        let mut names: Vec<String> =
            String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
        names.sort();
        Ok(names)
    }
}

fn podman<'a>() -> Result<Program<'a>> {
    engine_program("podman")
}

/// A program with the few variables that the engine's programs cannot do without.
fn engine_program<'a>(name: &str) -> Result<Program<'a>> {
    Ok(Program::new(programs::find(name)?)
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
        for error in [
            machine.pull("--tls-verify=false", file, None).unwrap_err(),
            machine.pull("", file, None).unwrap_err(),
            machine.compose_up("-f", file, file).unwrap_err(),
            machine.running("--all").unwrap_err(),
        ] {
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(!error.to_string().contains("--"), "{error}");
        }
    }
}
