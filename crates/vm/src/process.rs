//! Programs that the harness runs: to their end with bounded output, or beside it until dropped.
//!
//! Every process is tied to the harness: it is started through `setpriv --pdeathsig KILL` (util-linux), so it dies
//! with us even when we are killed, and a [`Service`] also kills it when dropped, by its id. The kernel ties that
//! signal to the *thread* that started the child, hence one thread that lives as long as the harness starts them all.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{OnceLock, mpsc};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::error::{Error, Result};
use crate::programs;

/// At most this much of a program's standard error goes into an error message, in bytes.
const DIAGNOSTIC: usize = 2048;

/// A command for `program` that dies with the harness: a path, or a name that [`programs`] knows. Add its arguments;
/// leave the environment's `PATH` as it is: it leads to the system's own programs alone.
#[must_use]
pub fn tied(program: impl AsRef<OsStr>) -> Command {
    let program = program.as_ref();
    let found = program.to_str().map_or_else(|| program.into(), programs::path);
    let mut command = Command::new(programs::path("setpriv"));
    command.env("PATH", programs::SEARCH);
    command.args(["--pdeathsig", "KILL", "--"]).arg(found);
    command
}

/// Starts `command` from the thread that lives as long as the harness.
///
/// # Errors
/// The system's reason for not starting it.
pub fn spawn(command: Command) -> io::Result<Child> {
    type Request = (Command, mpsc::Sender<io::Result<Child>>);
    static STARTER: OnceLock<mpsc::Sender<Request>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (sender, requests) = mpsc::channel::<Request>();
        std::thread::spawn(move || {
            for (mut command, answer) in requests {
                // Whoever asked has gone: nothing may be left running.
                if let Err(mpsc::SendError(Ok(mut orphan))) = answer.send(command.spawn()) {
                    let _ = orphan.kill();
                    let _ = orphan.wait();
                }
            }
        });
        sender
    });
    let (answer, child) = mpsc::channel();
    starter.send((command, answer)).map_err(|_| io::Error::other("the starter thread has gone"))?;
    child.recv().map_err(|_| io::Error::other("the starter thread has gone"))?
}

/// Runs a [`tied`] command to its end with `input` on standard input and returns its standard output.
///
/// # Errors
/// [`Error::Program`] when it cannot be started or does not succeed.
pub fn run(command: Command, input: &[u8]) -> Result<Vec<u8>> {
    // A program that does not read its input is judged by its exit status.
    feed(command, |pipe| pipe.write_all(input).or(Ok(())))
}

/// As [`run`], with the input written by `input`, which may produce it piece by piece.
///
/// # Errors
/// As [`run`]; [`Error::Io`] when `input` fails.
pub fn feed(
    mut command: Command,
    input: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send,
) -> Result<Vec<u8>> {
    let program = name(&command);
    let failed =
        |status: String, diagnostic: String| Error::Program { program: program.clone(), status, diagnostic };
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = spawn(command).map_err(|error| failed("not started".into(), error.to_string()))?;
    let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
    let (written, output, diagnostic) = std::thread::scope(|scope| {
        let written = scope.spawn(move || match stdin {
            Some(pipe) => {
                let mut pipe = io::BufWriter::new(pipe);
                input(&mut pipe)?;
                // As above: the exit status judges.
                pipe.flush().or(Ok(()))
            }
            None => Ok(()),
        });
        let diagnostic = scope.spawn(move || drain(stderr));
        let output = drain(child.stdout.take());
        let written =
            written.join().unwrap_or_else(|_| Err(io::Error::other("the writer of its input broke")));
        (written, output, diagnostic.join().unwrap_or_default())
    });
    let status = child.wait().map_err(|error| failed("lost".into(), error.to_string()))?;
    if status.success() {
        written.map_err(Error::at(format!("input of {program}")))?;
        return Ok(output);
    }
    let start = diagnostic.len().saturating_sub(DIAGNOSTIC);
    Err(failed(status.to_string(), String::from_utf8_lossy(&diagnostic[start..]).trim_end().to_owned()))
}

/// As [`run`], for programs that print text; the final line ends are taken off.
///
/// # Errors
/// As [`run`], and [`Error::Format`] when the output is not UTF-8.
pub fn text(command: Command, input: &[u8]) -> Result<String> {
    let program = name(&command);
    let mut text =
        String::from_utf8(run(command, input)?).map_err(|_| Error::format(program, "output in UTF-8"))?;
    text.truncate(text.trim_end_matches(['\r', '\n']).len());
    Ok(text)
}

/// A process that runs beside the harness and is killed, by its id, when this value is dropped.
#[derive(Debug)]
pub struct Service {
    child: Child,
}

impl Service {
    /// Starts a [`tied`] command whose standard streams are already set up.
    ///
    /// # Errors
    /// [`Error::Program`] when it cannot be started.
    pub fn start(command: Command) -> Result<Self> {
        let program = name(&command);
        let child = spawn(command).map_err(|error| Error::Program {
            program,
            status: "not started".into(),
            diagnostic: error.to_string(),
        })?;
        Ok(Self { child })
    }

    /// The child itself, for its streams.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// The exit status if the process has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Asks the process to end (SIGTERM) and waits for it.
    ///
    /// # Errors
    /// [`Error::Io`] when the process cannot be asked or waited for.
    pub fn end(&mut self) -> Result<ExitStatus> {
        let place = format!("process {}", self.child.id());
        let id = Pid::from_raw(self.child.id() as i32);
        // It is this child as long as nobody has waited for it; one that has ended cannot be asked.
        if self.ended().is_none() {
            kill(id, Signal::SIGTERM)
                .map_err(|error| Error::Io { place: place.clone(), source: error.into() })?;
        }
        self.child.wait().map_err(Error::at(place))
    }

    /// Kills the process at once and waits for its end; for cutting a machine's power.
    ///
    /// # Errors
    /// [`Error::Io`] when the process cannot be waited for.
    pub fn kill(&mut self) -> Result<ExitStatus> {
        let place = format!("process {}", self.child.id());
        // It may have ended already; then `wait` says how.
        let _ = self.child.kill();
        self.child.wait().map_err(Error::at(place))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// The program that a [`tied`] command runs in the end, for messages; its arguments may hold test secrets.
fn name(command: &Command) -> String {
    let tied = Path::new(command.get_program()).file_name() == Some(OsStr::new("setpriv"));
    let program = if tied { command.get_args().nth(3) } else { None };
    let path = Path::new(program.unwrap_or(command.get_program()));
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn drain(stream: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        // What came before a read error is still worth having.
        let _ = stream.read_to_end(&mut bytes);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_and_output_may_both_be_large() {
        let input = vec![b'x'; 1 << 20];
        assert_eq!(run(tied("cat"), &input).unwrap(), input);
    }

    #[test]
    fn a_failure_names_program_status_and_reason() {
        let mut command = tied("bash");
        command.args(["-c", "echo reason >&2; exit 3"]);
        assert_eq!(run(command, b"").unwrap_err().to_string(), "bash: exit status: 3: reason");
    }

    #[test]
    fn a_dropped_service_is_gone() {
        let mut command = tied("cat");
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        let mut service = Service::start(command).unwrap();
        let folder = format!("/proc/{}", service.child().id());
        assert!(service.ended().is_none() && std::path::Path::new(&folder).exists());
        drop(service);
        assert!(!std::path::Path::new(&folder).exists());
    }

    #[test]
    fn a_service_outlives_the_thread_that_asked_for_it() {
        let asked = std::thread::spawn(|| {
            let mut command = tied("cat");
            command.stdin(Stdio::piped()).stdout(Stdio::piped());
            Service::start(command).unwrap()
        });
        let mut service = asked.join().unwrap();
        let mut stdin = service.child().stdin.take().unwrap();
        stdin.write_all(b"alive").unwrap();
        drop(stdin);
        assert_eq!(drain(service.child().stdout.take()), b"alive");
    }
}
