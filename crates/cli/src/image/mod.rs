//! `countersign-image`, the command for who builds images: seals one for Secure Execution machines, signs its manifests,
//! and verifies both against the builder's key.
//!
//! The formats and every check are those of the crate `ultravisor`; here are arguments, files and the clock. It is a program
//! of its own because its user is not the author of contracts. `qemu/seal` puts the parts together for it.
//!
//! Exit status: 0 yes, 1 no (an image or a manifest is not what it should be), 2 usage or files.

mod arguments;
mod seal;
mod sign;
mod verify;

pub use arguments::Arguments;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use zeroize::Zeroizing;

use crate::answer::{Answer, note};
use arguments::Verb;

/// Runs a verb and says how it ended.
pub fn run(arguments: Arguments) -> ExitCode {
    let mut out = std::io::stdout().lock();
    let answer = match arguments.verb {
        Verb::Seal(options) => seal::run(&options, &mut out),
        Verb::Sign(options) => sign::run(&options),
        Verb::Verify(options) => verify::run(&options, &mut out),
    };
    match answer.and_then(|answer| out.flush().map(|()| answer).map_err(Into::into)) {
        Ok(Answer::Yes) => ExitCode::SUCCESS,
        Ok(Answer::No) => ExitCode::from(1),
        Err(error) => {
            note(&format!("{error:#}"));
            ExitCode::from(2)
        }
    }
}

/// A whole file, read into memory of its size at once: a part of an image may hold its key.
fn whole(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    use std::io::Read;
    let named = || path.display().to_string();
    let mut file = std::fs::File::open(path).with_context(named)?;
    let size = usize::try_from(file.metadata().with_context(named)?.len()).with_context(named)?;
    anyhow::ensure!(
        size <= countersign_ultravisor::image::MAX_BYTES,
        "{}: expected a file of at most 1 GiB",
        path.display()
    );
    let mut bytes = Zeroizing::new(vec![0; size]);
    file.read_exact(&mut bytes).with_context(named)?;
    Ok(bytes)
}

/// Beside a file: its name and this ending.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
