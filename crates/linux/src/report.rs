//! What is said, on its way to people and programs.
//!
//! A line is one event of `tracing` with its fields; the subscriber hands it to the console, plain, and to the log: in the
//! initramfs the kernel's, from where journald takes it up later, so that what the initramfs said reaches the log server as
//! well; in the guest OS the journal itself, with its fields. A line that cannot be written is lost: there is nowhere left to
//! complain. Follows the kernel's `Documentation/ABI/testing/dev-kmsg`.
//!
//! With `loglevel=3` on the kernel command line the kernel copies only records more urgent than an error to the
//! console, so that each of our lines shows once.

mod event;
mod journal;

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::{Linux, Paths};
use countersign_ports::{Event, Priority, Report};
use event::{Said, Subscriber};
use nix::libc;

pub(super) use event::Way;

/// Text of one record. The kernel refuses records over 1024 bytes with its own prefix (PRINTKRB_RECORD_MAX).
const RECORD_TEXT: usize = 900;

/// No line is longer than this many records.
const MAXIMUM_RECORDS: usize = 16;

/// The program's name in every log.
const IDENTIFIER: &str = "countersignd";

impl Report for Linux {
    fn tell(&self, event: &Event<'_>) {
        event::emit(&self.events, event);
    }
}

/// The way that events take on a machine with these paths; process 1 comes before the journal.
pub(super) fn events(paths: &Paths) -> Way {
    way(paths, std::process::id() == 1)
}

fn way(paths: &Paths, before_the_journal: bool) -> Way {
    let console = Console { path: paths.dev.join("console") };
    let log = match before_the_journal {
        true => Log::Kernel(KernelLog { path: paths.dev.join("kmsg") }),
        false => Log::Journal(journal::Journal::new(&paths.run)),
    };
    Way::new(Subscriber::new(console, log))
}

/// The console, which the host reads: one plain line for each event.
#[derive(Debug)]
struct Console {
    path: PathBuf,
}

impl Console {
    fn write(&self, said: &Said) {
        let text = said.console.as_ref().unwrap_or(&said.message);
        if text.is_empty() {
            return;
        }
        append(&self.path, format!("{}\n", printable(text)).as_bytes());
    }
}

/// The log that reaches its owner.
#[derive(Debug)]
enum Log {
    Kernel(KernelLog),
    /// Never the kernel's as well: anybody who is root may write there, so what looks like ours in it is not.
    Journal(journal::Journal),
}

impl Log {
    fn write(&self, said: &Said) {
        match self {
            Log::Kernel(kernel) => kernel.write(said),
            // Where nobody takes it now, the console has it.
            Log::Journal(journal) => drop(journal.write(said)),
        }
    }
}

/// The kernel's log, whose records have a priority and a text.
#[derive(Debug)]
struct KernelLog {
    path: PathBuf,
}

impl KernelLog {
    fn write(&self, said: &Said) {
        for part in records(&printable(&said.message)) {
            // Opened anew for each record: the kernel's rate limit counts by open file.
            append(&self.path, format!("<{}>{IDENTIFIER}: {part}\n", number(said.priority)).as_bytes());
        }
    }
}

/// The number of RFC 5424 section 6.2.1.
fn number(priority: Priority) -> u8 {
    match priority {
        Priority::Error => 3,
        Priority::Warning => 4,
        Priority::Info => 6,
    }
}

/// One line without control characters, so that no text can begin a line of its own or move the cursor.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Cuts a line into pieces of at most [`RECORD_TEXT`] bytes, between characters.
fn records(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while parts.len() < MAXIMUM_RECORDS {
        let mut end = rest.len().min(RECORD_TEXT);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (part, after) = rest.split_at(end);
        parts.push(part);
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    parts
}

/// One write, so that lines of other writers do not come between.
fn append(path: &Path, bytes: &[u8]) {
    // Not a new file, and never the controlling terminal of process 1.
    if let Ok(mut file) = OpenOptions::new().append(true).custom_flags(libc::O_NOCTTY).open(path) {
        let _ = file.write_all(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Paths;
    use super::*;

    fn reported(priority: Priority, text: &str) -> (String, String) {
        let dev = tempfile::tempdir().unwrap();
        for name in ["console", "kmsg"] {
            std::fs::write(dev.path().join(name), "").unwrap();
        }
        event::emit(&initramfs(dev.path()), &Event { priority, text: text.into(), ..Event::default() });
        let read = |name| std::fs::read_to_string(dev.path().join(name)).unwrap();
        (read("console"), read("kmsg"))
    }

    /// As process 1 of the initramfs, with devices in this folder.
    fn initramfs(dev: &Path) -> Way {
        way(&Paths { dev: dev.into(), ..Paths::default() }, true)
    }

    #[test]
    fn console_is_plain_and_kernel_log_carries_the_severity() {
        let (console, kmsg) = reported(Priority::Warning, "countersign: stage=unlock state=done");
        assert_eq!(console, "countersign: stage=unlock state=done\n");
        assert_eq!(kmsg, "<4>countersignd: countersign: stage=unlock state=done\n");
        assert!(reported(Priority::Info, "a").1.starts_with("<6>"));
        assert!(reported(Priority::Error, "a").1.starts_with("<3>"));
    }

    #[test]
    fn what_is_for_the_owner_alone_is_not_on_the_console() {
        let dev = tempfile::tempdir().unwrap();
        for name in ["console", "kmsg"] {
            std::fs::write(dev.path().join(name), "").unwrap();
        }
        let event = Event {
            text: "mounted at /a\nb".into(),
            console: Some("mounted\nthere".into()),
            ..Event::default()
        };
        event::emit(&initramfs(dev.path()), &event);
        let read = |name| std::fs::read_to_string(dev.path().join(name)).unwrap();
        assert_eq!(read("console"), "mounted there\n");
        assert_eq!(read("kmsg"), "<6>countersignd: mounted at /a b\n");
    }

    #[test]
    fn what_is_not_for_the_console_at_all_is_in_the_log_alone() {
        let dev = tempfile::tempdir().unwrap();
        for name in ["console", "kmsg"] {
            std::fs::write(dev.path().join(name), "").unwrap();
        }
        let event =
            Event { text: "a part of the record".into(), console: Some("".into()), ..Event::default() };
        event::emit(&initramfs(dev.path()), &event);
        let read = |name| std::fs::read_to_string(dev.path().join(name)).unwrap();
        assert_eq!(
            (read("console").as_str(), read("kmsg").as_str()),
            ("", "<6>countersignd: a part of the record\n")
        );
    }

    #[test]
    fn a_text_cannot_begin_a_line_of_its_own() {
        let (console, kmsg) = reported(Priority::Info, "a\ncountersign: stage=start\r\x1b[2J");
        assert_eq!(console, "a countersign: stage=start  [2J\n");
        assert_eq!(kmsg.lines().count(), 1);
    }

    #[test]
    fn long_lines_become_several_records_cut_between_characters() {
        let text = "ä".repeat(1000);
        let (console, kmsg) = reported(Priority::Info, &text);
        assert_eq!(console.trim_end(), text);
        let parts: Vec<&str> = kmsg.lines().map(|l| l.strip_prefix("<6>countersignd: ").unwrap()).collect();
        assert_eq!(parts.concat(), text);
        assert!(parts.iter().all(|p| p.len() <= RECORD_TEXT) && parts.len() == 3);
        assert_eq!(records(&"x".repeat(1_000_000)).len(), MAXIMUM_RECORDS);
    }

    #[test]
    fn missing_console_is_no_reason_to_stop_nor_to_make_one() {
        let dev = tempfile::tempdir().unwrap();
        Linux::with_paths(Paths { dev: dev.path().into(), run: dev.path().into(), ..Paths::default() })
            .line(Priority::Info, "a");
        assert!(!dev.path().join("console").exists());
    }
}
