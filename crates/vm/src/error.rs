//! What can go wrong in the harness itself, as opposed to in the guest.
//!
//! A refused boot is not an error here: it is a run that ended with an exit line.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// A failure of the harness. Messages name the place and the expectation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Files that a run needs are absent; all of them, found before anything was started.
    #[error("{} missing: {}", .0.len(), list(.0))]
    Missing(Vec<(String, PathBuf)>),
    /// Reading or writing a file, folder or socket failed.
    #[error("{place}: {source}")]
    Io {
        /// Path or address.
        place: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A program could not be run, or ended unsuccessfully.
    #[error("{program}: {status}: {diagnostic}")]
    Program {
        /// Name of the program.
        program: String,
        /// Its exit status, or why it did not start.
        status: String,
        /// The end of what it wrote on standard error.
        diagnostic: String,
    },
    /// Text that should follow a format does not.
    #[error("{place}: expected {expected}")]
    Format {
        /// File, or what the text describes.
        place: String,
        /// The form that was expected.
        expected: String,
    },
    /// What was waited for had not happened when the time was up.
    #[error("{what}: not seen within {limit:?}{}", tail(.last))]
    Deadline {
        /// What was waited for.
        what: String,
        /// How long.
        limit: Duration,
        /// The last lines that were seen instead.
        last: Vec<String>,
    },
    /// The guest or server ended before what was waited for happened.
    #[error("{what}: ended before ({status}){}", tail(.last))]
    Ended {
        /// What was waited for.
        what: String,
        /// Exit status of the process.
        status: String,
        /// The last lines that were seen instead.
        last: Vec<String>,
    },
}

/// The outcome of a step of the harness.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Names the place of an I/O failure; for `map_err`.
    pub fn at(place: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let place = place.as_ref().display().to_string();
        move |source| Self::Io { place, source }
    }

    /// A text that is not in the expected form.
    pub fn format(place: impl Into<String>, expected: impl Into<String>) -> Self {
        Self::Format { place: place.into(), expected: expected.into() }
    }
}

/// Reports every file of `needed` (what it is, where it should be) that is absent, all together.
///
/// # Errors
/// [`Error::Missing`] with each absent file.
pub fn require<'a>(needed: impl IntoIterator<Item = (&'a str, &'a Path)>) -> Result<()> {
    let missing: Vec<_> = needed
        .into_iter()
        .filter(|(_, path)| !path.is_file())
        .map(|(what, path)| (what.to_owned(), path.to_owned()))
        .collect();
    if missing.is_empty() { Ok(()) } else { Err(Error::Missing(missing)) }
}

fn list(missing: &[(String, PathBuf)]) -> String {
    missing.iter().map(|(what, path)| format!("{what} ({})", path.display())).collect::<Vec<_>>().join(", ")
}

fn tail(last: &[String]) -> String {
    last.iter().map(|line| format!("\n  | {line}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_missing_files_are_named_together() {
        let here = Path::new(file!()).file_name().map(Path::new).unwrap();
        let present = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(here);
        let error = require([
            ("kernel", Path::new("/nonexistent/vmlinuz")),
            ("source", present.as_path()),
            ("initramfs", Path::new("/nonexistent/initramfs")),
        ])
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "2 missing: kernel (/nonexistent/vmlinuz), initramfs (/nonexistent/initramfs)"
        );
    }
}
