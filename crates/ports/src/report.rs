//! Where a person or a program reads what the boot does.

/// How a line is ranked in the kernel log and journal (RFC 5424 section 6.2.1, the subset we use).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The boot ends because of it.
    Error,
    /// Worth a look; the boot goes on.
    Warning,
    /// Progress.
    Info,
}

/// Where a person or a program reads what the boot does.
pub trait Report {
    /// Writes one line to the console and to the log that is later forwarded.
    fn line(&self, severity: Severity, text: &str);
    /// Writes one line whose text is for the owner alone to the log that is later forwarded; the console, which the host
    /// reads, gets `console` instead.
    fn line_to_owner(&self, severity: Severity, text: &str, console: &str);
}
