//! The openssl program as independent producer and reader: keys, certificates and files made at
//! run time in a folder of their own.
//!
//! The program is the one found in `PATH`, the host's also when the tests run as s390x binaries.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A folder in which the openssl program works.
pub(crate) struct Openssl {
    folder: TempDir,
}

impl Openssl {
    /// A new folder.
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    /// Where a file of that name lies.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    /// Reads a file.
    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// Reads a file of text.
    pub(crate) fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).unwrap()
    }

    /// Runs the program in the folder; the arguments are separated by white space.
    pub(crate) fn try_run(&self, arguments: &str, input: &[u8]) -> Output {
        let mut child = Command::new("openssl")
            .args(arguments.split_whitespace())
            // Under emulation it names the guest's libraries, and the program is the host's.
            .env_remove("LD_LIBRARY_PATH")
            .current_dir(Path::new(self.folder.path()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("these tests need the openssl program");
        // A program that ends without reading everything closes the pipe; its status tells.
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap()
    }

    /// Runs the program, which has to succeed, and returns what it printed.
    pub(crate) fn run(&self, arguments: &str, input: &[u8]) -> Vec<u8> {
        let output = self.try_run(arguments, input);
        assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// Makes `NAME.key` (PKCS#8) and `NAME.pub`, RSA.
    pub(crate) fn rsa_key(&self, name: &str, bits: u32) {
        self.run(&format!("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:{bits} -out {name}.key"), b"");
        self.run(&format!("pkey -in {name}.key -pubout -out {name}.pub"), b"");
    }

    /// Makes `NAME.key` and `NAME.pub`, on the curve P-256.
    pub(crate) fn ec_key(&self, name: &str) {
        self.run(&format!("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {name}.key"), b"");
        self.run(&format!("pkey -in {name}.key -pubout -out {name}.pub"), b"");
    }

    /// Makes `NAME.crt` for `NAME.key`, signed by itself. `more` goes to `openssl req`.
    pub(crate) fn certificate(&self, name: &str, days: u32, more: &str) {
        self.run(
            &format!("req -x509 -new -key {name}.key -subj /O=Example/CN={name} -days {days} -out {name}.crt {more}"),
            b"",
        );
    }

    /// Base64 on one line.
    pub(crate) fn base64(&self, bytes: &[u8]) -> String {
        String::from_utf8(self.run("base64 -A", bytes)).unwrap().trim_end().to_owned()
    }

    /// The bytes of base64 text.
    pub(crate) fn decode_base64(&self, text: &str) -> Vec<u8> {
        self.run("base64 -d -A", text.as_bytes())
    }

    /// Encrypts bytes to `NAME.pub` as the documents of the contract say.
    pub(crate) fn wrap(&self, name: &str, passphrase: &[u8]) -> Vec<u8> {
        self.run(
            &format!("pkeyutl -encrypt -pubin -inkey {name}.pub -pkeyopt rsa_padding_mode:pkcs1"),
            passphrase,
        )
    }

    /// Encrypts a text under a passphrase as the documents of the contract say.
    pub(crate) fn try_enc(&self, text: &[u8], passphrase: &[u8]) -> Option<Vec<u8>> {
        self.write("enc.in", text);
        let output = self.try_run("enc -aes-256-cbc -pbkdf2 -pass stdin -in enc.in", passphrase);
        output.status.success().then_some(output.stdout)
    }

    /// Seals a text to `NAME.pub` as the documents of the contract say.
    pub(crate) fn token(&self, prefix: &str, name: &str, text: &[u8], passphrase: &[u8]) -> String {
        let body = self.try_enc(text, passphrase).expect("openssl enc");
        format!("{prefix}.{}.{}", self.base64(&self.wrap(name, passphrase)), self.base64(&body))
    }
}
