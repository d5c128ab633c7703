//! What can go wrong when the machine is asked to do something.
//!
//! An error names the operation and its subject (a device, a path, a program), never a value from a contract
//! and never a secret. Which message code it becomes is decided by the stage that asked.

use std::io;

/// A result of asking the machine.
pub type Result<T> = std::result::Result<T, SystemError>;

/// An operation on the machine that failed.
#[derive(Debug, thiserror::Error)]
#[error("{operation} {subject}: {reason}")]
pub struct SystemError {
    operation: &'static str,
    subject: String,
    reason: String,
    kind: io::ErrorKind,
}

impl SystemError {
    /// `operation` is a verb phrase ("read disk"), `subject` a device, path or program name, `reason` the
    /// operating system's or the library's own words.
    pub fn new(operation: &'static str, subject: impl Into<String>, reason: impl ToString) -> SystemError {
        SystemError {
            operation,
            subject: subject.into(),
            reason: reason.to_string(),
            kind: io::ErrorKind::Other,
        }
    }

    /// The same from an operating-system error, whose kind is kept.
    pub fn io(
        operation: &'static str,
        subject: impl Into<String>,
        error: impl Into<io::Error>,
    ) -> SystemError {
        let error = error.into();
        SystemError { operation, subject: subject.into(), reason: error.to_string(), kind: error.kind() }
    }

    /// The same about a subject of another name: a path that a contract chose is not repeated.
    #[must_use]
    pub fn about(self, subject: impl Into<String>) -> SystemError {
        SystemError { subject: subject.into(), ..self }
    }

    /// The words of the operating system or the library.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The operating system's kind of error, [`io::ErrorKind::Other`] where there was none.
    pub fn kind(&self) -> io::ErrorKind {
        self.kind
    }
}
