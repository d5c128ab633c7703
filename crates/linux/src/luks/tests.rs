//! Volumes on plain files, compared with what the cryptsetup program sees. Mapping them needs the device
//! mapper, which the emulated guest has.

use super::*;
use crate::luks_header::volume_key;
use countersign_ports::DiskWrites;
use std::io::Write;
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
        integrity: false,
    }
}

fn passphrase(text: &str) -> VolumePassphrase {
    VolumePassphrase::copy_from(text)
}

/// What a process that derives a key does, without the process.
fn key_of(header: &[u8], text: &str) -> std::result::Result<VolumeKey, OpenError> {
    volume_key(&in_memory(header).unwrap(), &passphrase(text))
}

/// A file with a container made and committed by us.
fn volume() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(32 * MIB).unwrap();
    let machine = Linux::new();
    let (header, key) = machine.format(file.path(), &parameters(), &passphrase("the passphrase")).unwrap();
    assert_eq!(key.expose().len(), KEY_BYTES);
    let derived = key_of(&header, "the passphrase").unwrap();
    assert_eq!(derived.expose(), key.expose());
    assert_eq!(header.len(), HEADER);
    assert!(
        std::fs::read(file.path()).unwrap().iter().all(|byte| *byte == 0),
        "formatting wrote to the device"
    );
    machine.write_disk(file.path(), 0, &header).unwrap();
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
    key_of(&header, "the passphrase").unwrap();
    let wrong = key_of(&header, "another");
    assert!(matches!(wrong, Err(OpenError::WrongPassphrase)), "{wrong:?}");
    // The device was not written to.
    assert!(std::fs::read(file.path()).unwrap().iter().all(|byte| *byte == 0xa5));
}

#[test]
fn a_header_that_is_none_is_no_wrong_passphrase() {
    let none = key_of(&vec![0; HEADER], "the passphrase");
    let error = none.unwrap_err();
    let OpenError::System(error) = error else { panic!("{error:?}") };
    assert!(error.to_string().starts_with("open volume header in memory: "), "{error}");
    let error = Linux::new().format(Path::new("/nowhere"), &parameters(), &passphrase("x")).unwrap_err();
    assert!(error.to_string().starts_with("format volume /nowhere: "), "{error}");
}

#[test]
fn the_volume_key_is_the_one_that_cryptsetup_shows() {
    let file = volume();
    let header = std::fs::read(file.path()).unwrap()[..HEADER].to_vec();
    let key = key_of(&header, "the passphrase").unwrap();
    let dump = ["luksDump", "--dump-volume-key", "--batch-mode", "--key-file", "-"];
    let (ok, text) = cryptsetup(&dump, file.path(), "the passphrase");
    assert!(ok);
    let text: String = String::from_utf8(text).unwrap();
    let digits: String =
        text.split("MK dump:").nth(1).unwrap().chars().filter(char::is_ascii_hexdigit).collect();
    assert_eq!(countersign_crypto::digest::hex(key.expose()), digits);
}

#[test]
fn a_replaced_key_slot_opens_with_the_new_passphrase_only() {
    let file = volume();
    let header = std::fs::read(file.path()).unwrap()[..HEADER].to_vec();
    let machine = Linux::new();
    let key = key_of(&header, "the passphrase").unwrap();
    let new = machine.replace_slots(&header, &key, &parameters(), &passphrase("the new one"), &[0]).unwrap();
    // The device has not changed; the new header is a whole one of its own.
    assert_eq!(std::fs::read(file.path()).unwrap()[..HEADER], header);
    machine.write_disk(file.path(), 0, &new).unwrap();
    let open = ["open", "--test-passphrase", "--key-file", "-"];
    assert!(cryptsetup(&open, file.path(), "the new one").0);
    assert!(!cryptsetup(&open, file.path(), "the passphrase").0);
    let (_, json) = cryptsetup(&["luksDump", "--dump-json-metadata"], file.path(), "");
    let metadata: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let slots: Vec<&String> = metadata["keyslots"].as_object().unwrap().keys().collect();
    assert_eq!(slots, ["1"]);
    assert_eq!(metadata["keyslots"]["1"]["kdf"]["time"], 5);
    let same = key_of(&new, "the new one").unwrap();
    assert_eq!(same.expose(), key.expose());
    // A slot is made only by who has the volume key.
    let other = VolumeKey::copy_from(&[7; KEY_BYTES]);
    machine.replace_slots(&header, &other, &parameters(), &passphrase("x"), &[0]).unwrap_err();
}
