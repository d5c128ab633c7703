//! Key derivations, each in a process of its own: this program, started again with the verb [`VERB`].
//!
//! So what argon2id takes to open a volume never belongs to process 1 (a key slot that is made is still made there), a
//! derivation that the kernel ends for want of memory is an error of one volume and not of the machine, and several run
//! side by side, which libcryptsetup does not allow within a process. The process gets nothing but the passphrase and the header, by its standard input, and answers with the
//! volume key in a file in guest memory. It judges nothing: the header was judged before, and a wrong key does not fit the
//! header's digest when the volume is activated.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::ExitCode;

use countersign_crypto::secret::VolumePassphrase;
use countersign_crypto::volume_key::VolumeKey;
use nix::sys::memfd::{MFdFlags, memfd_create};
use zeroize::Zeroizing;

use super::luks_header::{self, LARGEST_KEY_BYTES, in_memory};
use super::programs::{Ended, Program};
use countersign_ports::error::{Result, SystemError};
use countersign_ports::{Derivation, OpenError};

/// The verb with which a program calls [`keyslot`].
pub const VERB: &str = "keyslot";

/// Exit status: no key slot opens with this passphrase. Neither that of an error nor that of a verb that is not known.
const WRONG_PASSPHRASE: u8 = 3;

/// Longer than any passphrase of a volume.
const PASSPHRASE_LIMIT: usize = 1024;

/// Derives all keys side by side, by processes that run `program`.
pub(super) fn volume_keys(
    program: &Path,
    derivations: &[Derivation<'_>],
) -> Vec<std::result::Result<VolumeKey, OpenError>> {
    if let [one] = derivations {
        return vec![volume_key(program, one)];
    }
    std::thread::scope(|scope| {
        // The thread that starts a process waits for it.
        let start = |derivation| {
            std::thread::Builder::new().spawn_scoped(scope, move || volume_key(program, derivation))
        };
        let threads: Vec<_> = derivations.iter().map(start).collect();
        threads
            .into_iter()
            .zip(derivations)
            .map(|(thread, derivation)| {
                let thread = thread.map_err(|e| failed(derivation, e))?;
                thread.join().unwrap_or_else(|_| Err(failed(derivation, "ended without an answer").into()))
            })
            .collect()
    })
}

fn volume_key(program: &Path, derivation: &Derivation<'_>) -> std::result::Result<VolumeKey, OpenError> {
    let passphrase = derivation.passphrase.expose().as_bytes();
    let length = u32::try_from(passphrase.len()).map_err(|e| failed(derivation, e))?.to_be_bytes();
    let answer = memory_file().map_err(|e| failed(derivation, e))?;
    let ended = Program::new(program)
        .arguments([VERB])
        // Where the library maps something for itself, nobody else would tell the device mapper that it is done.
        .variable("DM_DISABLE_UDEV", "1")
        .input(&length)
        .input(passphrase)
        .input(derivation.header)
        .output_to(&answer, LARGEST_KEY_BYTES)
        .run_to_end()
        .map_err(|e| failed(derivation, e.reason()))?;
    match &ended {
        Ended { status: Some(0), .. } => read_key(&answer).map_err(|e| failed(derivation, e).into()),
        Ended { status: Some(status), .. } if *status == i32::from(WRONG_PASSPHRASE) => {
            Err(OpenError::WrongPassphrase)
        }
        ended => Err(failed(derivation, format!("the key derivation failed: {}", ended.reason())).into()),
    }
}

fn failed(derivation: &Derivation<'_>, reason: impl ToString) -> SystemError {
    SystemError::new("open volume", derivation.device.display().to_string(), reason)
}

fn memory_file() -> io::Result<File> {
    Ok(File::from(memfd_create("volume-key", MFdFlags::MFD_CLOEXEC)?))
}

/// Takes the key out of the file.
fn read_key(file: &File) -> io::Result<VolumeKey> {
    let mut key = Zeroizing::new([0; LARGEST_KEY_BYTES]);
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    let Some(room) = key.get_mut(..length).filter(|room| !room.is_empty()) else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "expected a volume key from the key derivation",
        ));
    };
    file.read_exact_at(room, 0)?;
    file.write_all_at(&[0; LARGEST_KEY_BYTES][..length], 0)?;
    Ok(VolumeKey::copy_from(room))
}

/// What a process with the verb [`VERB`] does: reads the length of the passphrase (four bytes, big-endian), the
/// passphrase and the header, and writes the volume key.
pub fn keyslot() -> ExitCode {
    match answer() {
        Ok(()) => ExitCode::SUCCESS,
        Err(OpenError::WrongPassphrase) => ExitCode::from(WRONG_PASSPHRASE),
        Err(OpenError::System(error)) => {
            eprintln!("{}", error.reason());
            ExitCode::FAILURE
        }
    }
}

fn answer() -> std::result::Result<(), OpenError> {
    let failed = |e: io::Error| SystemError::io("derive volume key", "keyslot", e);
    // No core file, and no other process looks into this one.
    nix::sys::prctl::set_dumpable(false).map_err(|e| failed(e.into()))?;
    // Past the buffers of the standard streams, which nobody wipes.
    let stream = |fd: io::Result<std::os::fd::OwnedFd>| fd.map(File::from).map_err(failed);
    let mut input = stream(io::stdin().as_fd().try_clone_to_owned())?;
    let mut output = stream(io::stdout().as_fd().try_clone_to_owned())?;
    let passphrase = read_passphrase(&mut input)?;
    let header = in_memory(input).map_err(failed)?;
    let key = luks_header::volume_key(&header, &passphrase)?;
    output.write_all(key.expose()).map_err(failed)?;
    Ok(())
}

fn read_passphrase(input: &mut File) -> Result<VolumePassphrase> {
    let failed = |e: io::Error| SystemError::io("derive volume key", "keyslot", e);
    let mut length = [0; 4];
    input.read_exact(&mut length).map_err(failed)?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    let mut room = Zeroizing::new([0; PASSPHRASE_LIMIT]);
    let text = room.get_mut(..length).ok_or_else(|| failed(io::ErrorKind::InvalidData.into()))?;
    input.read_exact(text).map_err(failed)?;
    let text = std::str::from_utf8(text).map_err(|_| failed(io::ErrorKind::InvalidData.into()))?;
    Ok(VolumePassphrase::copy_from(text))
}
