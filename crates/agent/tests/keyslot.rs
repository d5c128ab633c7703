//! Key derivations in processes of the real `countersignd`, on headers that the cryptsetup program made, and what
//! processes that end otherwise come to.

#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use countersign_crypto::secret::VolumePassphrase;
use countersign_crypto::volume_key::VolumeKey;
use countersign_linux::{Linux, Paths};
use countersign_ports::{Derivation, Luks, OpenError};

const PROGRAM: &str = env!("CARGO_BIN_EXE_countersignd");

/// A machine on which keys are derived by `program`.
fn machine(program: impl Into<PathBuf>) -> Linux {
    Linux::with_paths(Paths { own_program: program.into(), ..Paths::default() })
}

/// A copy that can be started. Another process writes it: as long as a descriptor for writing is open, and be it in the
/// child of a test beside this one, it cannot be.
fn install(from: impl AsRef<Path>, to: &Path) {
    let status = Command::new("install").args(["-m", "755"]).arg(from.as_ref()).arg(to).status().unwrap();
    assert!(status.success());
}

/// A program of the shell.
fn script(folder: &Path, lines: &str) -> PathBuf {
    let [path, text] = ["program", "text"].map(|name| folder.join(name));
    fs::write(&text, format!("#!/bin/sh\n{lines}\n")).unwrap();
    install(&text, &path);
    path
}

/// A program of one shell line, which hears everything first.
fn shell(folder: &Path, line: &str) -> PathBuf {
    script(folder, &format!("cat >/dev/null\n{line}"))
}

/// A header of cryptsetup's for this passphrase, and its volume key as cryptsetup shows it.
fn volume(folder: &Path, kdf: &str, passphrase: &str) -> (Vec<u8>, Vec<u8>) {
    let (path, key, shown) = (folder.join("volume"), folder.join("key"), folder.join("shown"));
    fs::File::create(&path).unwrap().set_len(32 << 20).unwrap();
    fs::write(&key, passphrase).unwrap();
    let cryptsetup = |arguments: String| {
        let mut command = Command::new("cryptsetup");
        command.args(arguments.split_whitespace()).arg("--key-file").arg(&key).arg(&path);
        assert!(command.stdout(Stdio::null()).status().unwrap().success(), "{arguments}");
    };
    cryptsetup(format!("luksFormat --batch-mode --type luks2 --key-size 512 {kdf}"));
    cryptsetup(format!("luksDump --batch-mode --dump-volume-key --volume-key-file {}", shown.display()));
    let header = fs::read(&path).unwrap()[..16 << 20].to_vec();
    let shown_key = fs::read(&shown).unwrap();
    fs::remove_file(&shown).unwrap();
    (header, shown_key)
}

const ARGON2ID: &str = "--pbkdf argon2id --pbkdf-memory 32768 --pbkdf-force-iterations 4 --pbkdf-parallel 1";
const PBKDF2: &str = "--pbkdf pbkdf2 --pbkdf-force-iterations 1000";

fn keys(machine: &Linux, asked: &[(&[u8], &str)]) -> Vec<Result<VolumeKey, OpenError>> {
    let passphrases: Vec<_> = asked.iter().map(|(_, text)| VolumePassphrase::copy_from(text)).collect();
    let device = Path::new("/dev/vdx2");
    let derivations: Vec<_> = asked
        .iter()
        .zip(&passphrases)
        .map(|((header, _), passphrase)| Derivation { device, header, passphrase })
        .collect();
    machine.volume_keys(&derivations)
}

#[test]
fn keys_are_cryptsetups_and_answers_stand_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let (slow, slow_key) = volume(folder.path(), ARGON2ID, "the first");
    let (quick, quick_key) = volume(folder.path(), PBKDF2, "the second");
    let machine = machine(PROGRAM);
    // The header is also good without what follows its only key slot.
    let short = &slow[..0x8000 + 258_048];
    let answers = keys(&machine, &[(short, "the first"), (&quick, "the second"), (&quick, "the first")]);
    let [Ok(first), Ok(second), Err(OpenError::WrongPassphrase)] = &answers[..] else {
        panic!("{answers:?}")
    };
    assert_eq!(first.expose(), slow_key);
    assert_eq!(second.expose(), quick_key);
    let answers = keys(&machine, &[(&slow, "the first")]);
    assert_eq!(answers[0].as_ref().unwrap().expose(), slow_key);
    assert!(keys(&machine, &[]).is_empty());
}

#[test]
fn a_header_that_is_none_is_an_error_of_its_volume() {
    let answers = keys(&machine(PROGRAM), &[(&[0; 4096], "the passphrase")]);
    let [Err(OpenError::System(error))] = &answers[..] else { panic!("{answers:?}") };
    let error = error.to_string();
    assert!(
        error.starts_with("open volume /dev/vdx2: the key derivation failed: exit status 1: "),
        "{error}"
    );
    assert!(!error.contains("the passphrase"), "{error}");
}

#[test]
fn a_process_that_dies_or_answers_nothing_is_an_error_and_not_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let count = folder.path().join("count");
    let long = format!("echo one >>{}; head -c 97 /dev/zero", count.display());
    for (line, words) in [
        ("kill -9 $$", "the key derivation failed: ended by signal 9"),
        // What a program says that does not know the verb.
        ("exit 2", "the key derivation failed: exit status 2"),
        ("exit 0", "expected a volume key from the key derivation"),
        (long.as_str(), "expected to print at most 96 bytes"),
    ] {
        let answers = keys(&machine(shell(folder.path(), line)), &[(b"header", "passphrase")]);
        let [Err(OpenError::System(error))] = &answers[..] else { panic!("{line}: {answers:?}") };
        assert_eq!(error.to_string(), format!("open volume /dev/vdx2: {words}"));
    }
    assert_eq!(fs::read_to_string(count).unwrap(), "one\n");
    let answers = keys(&machine("/nowhere/countersignd"), &[(b"header", "passphrase")]);
    let [Err(OpenError::System(error))] = &answers[..] else { panic!("{answers:?}") };
    assert!(error.to_string().starts_with("open volume /dev/vdx2: "), "{error}");
}

#[test]
fn the_process_knows_nothing_but_its_input() {
    let folder = tempfile::tempdir().unwrap();
    let said = folder.path().join("said");
    let lines = format!("{{ cat /proc/$$/cmdline; env; }} >{0}\ncat >{0}.input\nexit 3", said.display());
    let script = script(folder.path(), &lines);
    let answers = keys(&machine(&script), &[(b"HEADER", "passphrase")]);
    assert!(matches!(answers[..], [Err(OpenError::WrongPassphrase)]), "{answers:?}");
    let said = fs::read_to_string(&said).unwrap();
    assert!(said.contains("keyslot") && !said.contains("passphrase") && !said.contains("HEADER"), "{said}");
    let input = fs::read(folder.path().join("said.input")).unwrap();
    assert_eq!(input, b"\0\0\0\x0apassphraseHEADER");
}

/// The kernel gives the files of a process that leaves no core file, and that no other may look into, to root.
#[test]
fn the_process_leaves_no_core_file() {
    const NOBODY: u32 = 65534;
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: to be another user takes root");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("countersignd");
    install(PROGRAM, &program);
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(&program);
    command.arg("keyslot").uid(NOBODY).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    let files = PathBuf::from(format!("/proc/{}/environ", child.id()));
    let deadline = Instant::now() + Duration::from_secs(60);
    let owner = || fs::metadata(&files).unwrap().uid();
    while owner() != 0 && Instant::now() < deadline {
        std::thread::yield_now();
    }
    assert_eq!(owner(), 0, "core files and looks are allowed");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn the_verb_is_refused_what_is_no_derivation() {
    for input in [&b""[..], b"\0\0\0", b"\0\0\x04\x01", b"\xff\xff\xff\xffx", b"\0\0\0\x01\xffheader"] {
        let mut child = Command::new(PROGRAM)
            .arg("keyslot")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It need not hear all of it.
        let _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), input);
        let ended = child.wait_with_output().unwrap();
        assert_eq!((ended.status.code(), ended.stdout.as_slice()), (Some(1), &b""[..]), "{input:?}");
    }
}
