//! The binary, run as its author runs it, and the openssl program as independent producer and reader.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A folder with a `countersign` and an `openssl` that run in it.
pub(crate) struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    pub(crate) fn new() -> Desk {
        Desk { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    pub(crate) fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Runs the author's command; the arguments are separated by white space.
    pub(crate) fn countersign(&self, arguments: &str, input: &[u8]) -> Output {
        run(Command::new(env!("CARGO_BIN_EXE_countersign")), self.folder.path(), arguments, input)
    }

    /// Runs the author's command, which has to end with this status, and returns what it printed.
    pub(crate) fn answer(&self, status: i32, arguments: &str, input: &[u8]) -> String {
        let output = self.countersign(arguments, input);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(status), "countersign {arguments}: {errors}{printed}");
        printed
    }

    /// The JSON report about a contract, held against its published schema.
    pub(crate) fn report(&self, arguments: &str) -> Value {
        let output = self.countersign(&format!("check --format json {arguments}"), b"");
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{arguments}: {}", String::from_utf8_lossy(&output.stderr)));
        let schema: Value = serde_json::from_str(include_str!("../../schema/check.schema.json")).unwrap();
        jsonschema::draft202012::validate(&schema, &report)
            .unwrap_or_else(|error| panic!("{error}: {report:#}"));
        let expected = if report["verdict"] == "refused" { 1 } else { 0 };
        assert_eq!(output.status.code(), Some(expected), "{report:#}");
        report
    }

    /// Runs the openssl program, which has to succeed, and returns what it printed.
    pub(crate) fn openssl(&self, arguments: &str, input: &[u8]) -> Vec<u8> {
        let output = run(Command::new("openssl"), self.folder.path(), arguments, input);
        assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    pub(crate) fn base64(&self, bytes: &[u8]) -> String {
        String::from_utf8(self.openssl("base64 -A", bytes)).unwrap()
    }

    pub(crate) fn decode(&self, text: &str) -> Vec<u8> {
        self.openssl("base64 -d -A", text.as_bytes())
    }

    /// Makes `NAME.key`, `NAME.crt` and `NAME.pub`, RSA of 2048 bits, valid for this many days.
    pub(crate) fn rsa(&self, name: &str, days: u32) {
        self.openssl(
            &format!("req -x509 -newkey rsa:2048 -nodes -subj /CN={name} -days {days} -keyout {name}.key -out {name}.crt"),
            b"",
        );
        self.openssl(&format!("pkey -in {name}.key -pubout -out {name}.pub"), b"");
    }

    /// Seals a text to `NAME.pub` as the documents of the contract say.
    pub(crate) fn token(&self, prefix: &str, name: &str, text: &[u8], passphrase: &[u8]) -> String {
        self.write("token.in", text);
        let wrapped = self.openssl(
            &format!("pkeyutl -encrypt -pubin -inkey {name}.pub -pkeyopt rsa_padding_mode:pkcs1"),
            passphrase,
        );
        let body = self.openssl("enc -aes-256-cbc -pbkdf2 -pass stdin -in token.in", passphrase);
        format!("{prefix}.{}.{}", self.base64(&wrapped), self.base64(&body))
    }
}

fn run(mut command: Command, folder: &Path, arguments: &str, input: &[u8]) -> Output {
    let mut child = command
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that ends without reading everything closes the pipe; its status tells.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

/// Base64 of a gzipped tar, by the programs of those names, with a compose file of this text.
pub(crate) fn archive(text: &str) -> String {
    archive_of(&[("compose.yaml", text)])
}

/// The same with these files.
pub(crate) fn archive_of(files: &[(&str, &str)]) -> String {
    let desk = Desk::new();
    files.iter().for_each(|(name, text)| desk.write(name, text));
    let packed = Command::new("tar")
        .args(["-C", desk.path("").to_str().unwrap(), "-czf", "-"])
        .args(files.iter().map(|(name, _)| name))
        .output()
        .unwrap();
    assert!(packed.status.success());
    desk.base64(&packed.stdout)
}

/// A compose file that runs one image, named by digest.
pub(crate) fn compose() -> String {
    format!("services:\n  web:\n    image: registry.example/web@sha256:{}\n", "5".repeat(64))
}
