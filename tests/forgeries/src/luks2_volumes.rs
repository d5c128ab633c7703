//! LUKS volumes as the real cryptsetup makes them, on plain files: no device mapper is needed.
//!
//! Only the start of a volume is kept, which holds the header and the key slots; the data area of
//! a fresh file is a hole. Costs of key derivation are set low and exact, so that formatting takes
//! a fraction of a second.

// A test that cannot set up its input has failed.
#![allow(clippy::expect_used)]

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

/// Size of every volume made here, in bytes.
pub const DEVICE_SIZE: u64 = 64 << 20;
/// Passphrase of every volume made here.
pub const PASSPHRASE: &str = "correct horse battery staple";
/// argon2id with 64 MiB, 4 passes and 2 lanes.
pub const ARGON2ID: [&str; 8] = [
    "--pbkdf",
    "argon2id",
    "--pbkdf-memory",
    "65536",
    "--pbkdf-force-iterations",
    "4",
    "--pbkdf-parallel",
    "2",
];
/// PBKDF2 with 1000 iterations.
pub const PBKDF2: [&str; 4] = ["--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000"];

/// A volume in a temporary file.
#[derive(Debug)]
pub struct Volume {
    folder: tempfile::TempDir,
}

impl Volume {
    /// `cryptsetup luksFormat` with these arguments.
    ///
    /// # Panics
    /// When cryptsetup is missing or fails.
    pub fn format(arguments: &[&[&str]]) -> Self {
        let volume = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        let file = File::create(volume.path()).expect("a volume file");
        file.set_len(DEVICE_SIZE).expect("room for a sparse file");
        let arguments: Vec<&str> = arguments.concat();
        volume.cryptsetup("luksFormat", &arguments, &[]);
        volume
    }

    /// Runs one cryptsetup action on the volume; the first passphrase comes by standard input.
    ///
    /// # Panics
    /// When cryptsetup is missing or fails.
    pub fn cryptsetup(&self, action: &str, arguments: &[&str], behind: &[&str]) {
        assert!(self.succeeds(action, arguments, behind), "cryptsetup {action} failed");
    }

    /// Whether cryptsetup finds a key slot that the passphrase opens, without a mapping.
    ///
    /// # Panics
    /// When cryptsetup is missing.
    pub fn opens(&self) -> bool {
        self.succeeds("open", &["--test-passphrase"], &[])
    }

    /// Writes these bytes over the start of the volume.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn overwrite(&self, head: &[u8]) {
        let mut file = File::options().write(true).open(self.path()).expect("the volume file");
        file.write_all(head).expect("a writable file");
    }

    fn succeeds(&self, action: &str, arguments: &[&str], behind: &[&str]) -> bool {
        let mut child = Command::new("cryptsetup")
            .args(["--batch-mode", "--key-file", "-", action])
            .args(arguments)
            .arg(self.path())
            .args(behind)
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .spawn()
            .expect("cryptsetup is installed");
        let mut stdin = child.stdin.take().expect("a pipe");
        // An action that asks for no passphrase closes the pipe early.
        let _ = stdin.write_all(PASSPHRASE.as_bytes());
        drop(stdin);
        child.wait().expect("cryptsetup ends").success()
    }

    /// Adds a key slot with another passphrase.
    ///
    /// # Panics
    /// When cryptsetup is missing or fails.
    pub fn add_key(&self, passphrase: &str) {
        std::fs::write(self.folder.path().join("added"), passphrase).expect("a key file");
        self.cryptsetup("luksAddKey", &ARGON2ID, &["added"]);
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("volume")
    }

    /// The first `len` bytes.
    ///
    /// # Panics
    /// When the file cannot be read.
    pub fn head(&self, len: u64) -> Vec<u8> {
        let mut head = Vec::new();
        let file = File::open(self.path()).expect("the volume file");
        file.take(len).read_to_end(&mut head).expect("a readable file");
        head
    }
}
