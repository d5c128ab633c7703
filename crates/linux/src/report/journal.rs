//! The journal by its own protocol: a datagram of fields for each entry.
//!
//! Follows <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>: `NAME=value` and a line feed for each field; our values have no
//! line feed. Who reads the journal knows us by what journald says of the writer, not by these fields.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::event::Said;
use super::{IDENTIFIER, number, printable};

/// How long an entry waits for a journald that is busy; one that takes nothing must hold up neither a check nor a power-off.
const PATIENCE: Duration = Duration::from_millis(500);

/// Journald's socket.
#[derive(Debug)]
pub(super) struct Journal {
    socket: PathBuf,
}

impl Journal {
    /// The journal of a system whose state lies in `run`.
    pub(super) fn new(run: &Path) -> Journal {
        Journal { socket: run.join("systemd/journal/socket") }
    }

    /// Writes an entry, which waits for [`PATIENCE`] at most.
    ///
    /// # Errors
    /// Nobody takes it now.
    pub(super) fn write(&self, said: &Said) -> io::Result<()> {
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(PATIENCE))?;
        socket.send_to(entry(said).as_bytes(), &self.socket).map(drop)
    }
}

/// The fields of an entry; those of the event as `COUNTERSIGN_STAGE` and so on.
fn entry(said: &Said) -> String {
    let mut text = format!(
        "MESSAGE={}\nPRIORITY={}\nSYSLOG_IDENTIFIER={IDENTIFIER}\n",
        printable(&said.message),
        number(said.priority)
    );
    for (name, value) in &said.fields {
        text.push_str(&format!("COUNTERSIGN_{}={}\n", name.to_uppercase(), printable(value)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::super::{Linux, Paths};
    use countersign_ports::{Event, Fields, Key, Priority, Report};
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn a_journald_that_takes_nothing_holds_nobody_up_and_the_kernels_log_never_has_the_line() {
        let run = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(run.path().join("systemd/journal")).unwrap();
        for device in ["kmsg", "console"] {
            std::fs::write(run.path().join(device), "").unwrap();
        }
        // It never reads, and its queue is full.
        let path = run.path().join("systemd/journal/socket");
        let _journald = UnixDatagram::bind(&path).unwrap();
        let other = UnixDatagram::unbound().unwrap();
        other.set_nonblocking(true).unwrap();
        while other.send_to(b"MESSAGE=x\n", &path).is_ok() {}
        let machine =
            Linux::with_paths(Paths { run: run.path().into(), dev: run.path().into(), ..Paths::default() });
        machine.line(Priority::Info, "a line");
        let read = |device| std::fs::read_to_string(run.path().join(device)).unwrap();
        assert_eq!((read("console").as_str(), read("kmsg").as_str()), ("a line\n", ""));
    }

    #[test]
    fn an_event_is_one_entry_with_its_fields_and_no_value_begins_a_field() {
        let run = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(run.path().join("systemd/journal")).unwrap();
        let journald = UnixDatagram::bind(run.path().join("systemd/journal/socket")).unwrap();
        let machine =
            Linux::with_paths(Paths { run: run.path().into(), dev: run.path().into(), ..Paths::default() });
        machine.tell(&Event {
            priority: Priority::Error,
            text: "HPL05001E /env/a\nPRIORITY=0: expected".into(),
            console: Some("HPL05001E: expected".into()),
            fields: Fields {
                stage: Some("validate"),
                state: Some("failed"),
                code: Some("HPL05001E"),
                pointer: Some(Key::new("/env/a\nPRIORITY=0")),
                section: Some("env"),
                line: Some(6),
                column: Some(11),
                ..Fields::default()
            },
        });
        let mut buffer = [0; 4096];
        let length = journald.recv(&mut buffer).unwrap();
        assert_eq!(
            std::str::from_utf8(&buffer[..length]).unwrap(),
            "MESSAGE=HPL05001E /env/a PRIORITY=0: expected\nPRIORITY=3\nSYSLOG_IDENTIFIER=countersignd\n\
             COUNTERSIGN_STAGE=validate\nCOUNTERSIGN_STATE=failed\nCOUNTERSIGN_CODE=HPL05001E\n\
             COUNTERSIGN_POINTER=/env/a PRIORITY=0\nCOUNTERSIGN_SECTION=env\nCOUNTERSIGN_LINE=6\nCOUNTERSIGN_COLUMN=11\n"
        );
    }
}
