//! Volumes on plain files, compared with what the cryptsetup program sees. Mapping them needs the device
//! mapper, which the emulated guest has.

use super::*;
use crate::ports::Disks;
use std::process::{Command, Stdio};

const MIB: u64 = 1 << 20;
const HEADER: usize = HEADER_BYTES as usize;

fn parameters() -> LuksParameters {
    LuksParameters {
        label: "data-volume".into(),
        memory_kib: 64 * 1024,
        passes: 5,
        lanes: 2,
        sector_size: 4096,
    }
}

fn passphrase(text: &str) -> VolumePassphrase {
    VolumePassphrase::copy_from(text)
}

/// A file with a container made and committed by us.
fn volume() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(32 * MIB).unwrap();
    let machine = Linux::new();
    let header = machine.format(file.path(), &parameters(), &passphrase("the passphrase")).unwrap();
    assert_eq!(header.len(), HEADER);
    assert!(
        std::fs::read(file.path()).unwrap().iter().all(|byte| *byte == 0),
        "formatting wrote to the device"
    );
    machine.commit_header(file.path(), &header).unwrap();
    assert_eq!(std::fs::metadata(file.path()).unwrap().len(), 32 * MIB);
    file
}

fn cryptsetup(arguments: &[&str], device: &Path, input: &str) -> (bool, Vec<u8>) {
    let mut child = Command::new("/usr/sbin/cryptsetup")
        .args(arguments)
        .arg(device)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.success(), output.stdout)
}

#[test]
fn cryptsetup_reads_the_profile_of_a_new_volume_and_opens_it() {
    let file = volume();
    let (ok, json) = cryptsetup(&["luksDump", "--dump-json-metadata"], file.path(), "");
    assert!(ok);
    let metadata: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(metadata["keyslots"].as_object().unwrap().len(), 1);
    let slot = &metadata["keyslots"]["0"];
    assert_eq!(slot["key_size"], 64);
    assert_eq!(slot["area"]["encryption"], "aes-xts-plain64");
    assert_eq!(slot["area"]["key_size"], 64);
    assert_eq!(slot["kdf"]["type"], "argon2id");
    assert_eq!(slot["kdf"]["time"], 5);
    assert_eq!(slot["kdf"]["memory"], 64 * 1024);
    let processors = std::thread::available_parallelism().unwrap().get().min(2);
    assert_eq!(slot["kdf"]["cpus"], processors);
    let segment = &metadata["segments"]["0"];
    assert_eq!(segment["type"], "crypt");
    assert_eq!(segment["encryption"], "aes-xts-plain64");
    assert_eq!(segment["sector_size"], 4096);
    assert_eq!(segment["offset"], HEADER.to_string());
    assert!(metadata["config"].get("flags").is_none() && metadata["config"].get("requirements").is_none());

    let (_, text) = cryptsetup(&["luksDump"], file.path(), "");
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("data-volume"), "{text}");
    let other = volume();
    let (_, other) = cryptsetup(&["luksUUID"], other.path(), "");
    let (_, uuid) = cryptsetup(&["luksUUID"], file.path(), "");
    assert!(uuid.len() == 37 && uuid != other);

    let open = ["open", "--test-passphrase", "--key-file", "-"];
    assert!(cryptsetup(&open, file.path(), "the passphrase").0);
    assert!(!cryptsetup(&open, file.path(), "another").0);
}

#[test]
fn a_volume_made_by_cryptsetup_opens_with_the_header_copy() {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(32 * MIB).unwrap();
    let format =
        ["luksFormat", "--batch-mode", "--type", "luks2", "--key-file", "-", "--pbkdf-force-iterations", "4"];
    let format = [&format[..], &["--pbkdf", "argon2id", "--pbkdf-memory", "32768"]].concat();
    assert!(cryptsetup(&format, file.path(), "the passphrase").0);

    let header = std::fs::read(file.path()).unwrap()[..HEADER].to_vec();
    // What is on the device from now on does not matter.
    std::fs::write(file.path(), vec![0xa5; 32 << 20]).unwrap();
    in_thread_of_its_own(|| unlock(file.path(), &header, None, &passphrase("the passphrase"))).unwrap();
    let wrong = in_thread_of_its_own(|| unlock(file.path(), &header, None, &passphrase("another")));
    assert!(matches!(wrong, Err(OpenError::WrongPassphrase)), "{wrong:?}");
    // The device was not written to.
    assert!(std::fs::read(file.path()).unwrap().iter().all(|byte| *byte == 0xa5));
}

#[test]
fn a_header_that_is_none_is_no_wrong_passphrase() {
    let file = volume();
    let error = unlock(file.path(), &vec![0; HEADER], None, &passphrase("the passphrase")).unwrap_err();
    let OpenError::System(error) = error else { panic!("{error:?}") };
    assert!(error.to_string().starts_with("open volume "), "{error}");
    let error = Linux::new().format(Path::new("/nowhere"), &parameters(), &passphrase("x")).unwrap_err();
    assert!(error.to_string().starts_with("format volume /nowhere: "), "{error}");
}
