//! `countersign-image`: what it refuses before anything is sealed, and manifests that are altered, swapped and unsigned, with
//! its exit status and its words. Sealing itself is a test of crate `ultravisor` and of the story of the sealed image.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Output};

struct Desk(tempfile::TempDir);

impl Desk {
    /// A signing service with a document, a builder, and a build manifest of two small parts.
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../qemu/party/machines");
        for words in [&["service"][..], &["document", "z1"]] {
            assert!(desk.run(Command::new("bash").arg(&script).arg(".").args(words)).status.success());
        }
        let curve =
            ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "builder.key"];
        desk.openssl(&curve);
        desk.openssl(&["pkey", "-in", "builder.key", "-pubout", "-out", "builder.pub"]);
        desk.write("kernel", "kernel");
        desk.write("initramfs", "base and keys");
        desk.write("command-line", "quiet\n");
        desk.write("image.json", IMAGE_JSON);
        desk.write("build.json", BUILD);
        desk
    }

    fn run(&self, command: &mut Command) -> Output {
        command.current_dir(self.0.path()).output().unwrap()
    }

    fn openssl(&self, words: &[&str]) {
        assert!(self.run(Command::new("openssl").args(words)).status.success(), "{words:?}");
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join(name), text).unwrap();
    }

    /// Runs the program, which has to end with this status, and returns what it said on standard error.
    fn says(&self, status: i32, words: &str) -> String {
        let output =
            self.run(Command::new(env!("CARGO_BIN_EXE_countersign-image")).args(words.split_whitespace()));
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{words}: {said}");
        said
    }
}

const IMAGE_JSON: &str = r#"{"version":"0.1.0","root":{"serial":"os","data_blocks":2,"block_size":4096,
    "hash_offset":8192,"salt":"00ff","root_hash":"0a","algorithm":"sha256"},"scratch":{"serial":"scratch"}}"#;

const SEAL: &str = "seal --kernel kernel --initramfs initramfs --command-line command-line --image-json image.json \
    --build-manifest build.json --boot-loader . --builder-key builder.key --root root.crt --certificate signing.crt \
    --certificate intermediate.crt --crl root.crl --crl intermediate.crl --crl signing.crl";

const BUILD: &str = r#"{"format":1,"engine":"podman","version":"0","epoch":1,"source":{"revision":null,"dirty":null},
"lock":{"state":"committed","sha256":"0000000000000000000000000000000000000000000000000000000000000000"},
"cargo_lock":{"sha256":"0000000000000000000000000000000000000000000000000000000000000000"},"root_hash":"0"}"#;

#[test]
fn documents_are_refused_with_their_file_and_what_to_do() {
    let desk = Desk::new();
    // Nothing is written before everything is checked.
    let said = desk.says(2, &format!("{SEAL} --host-key z1.crt --at 2100-01-01 out"));
    assert!(said.contains("who vouches for the host key documents: expected a valid chain"), "{said}");
    let said = desk.says(2, &format!("{SEAL} --host-key root.crt out"));
    assert!(said.contains("root.crt: expected a key on the curve P-521"), "{said}");
    let said = desk.says(2, &format!("{SEAL} --host-key z1.key out"));
    assert!(said.contains("z1.key: expected one or more certificates"), "{said}");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../qemu/party/machines");
    assert!(
        desk.run(Command::new("bash").arg(script).args([".", "revoke", "signing", "z1"])).status.success()
    );
    let said = desk.says(2, &format!("{SEAL} --host-key z1.crt out"));
    assert!(said.contains("z1.crt: the document was revoked; its machine must not be trusted"), "{said}");
    assert!(!desk.0.path().join("out").exists() && !desk.0.path().join("out.json").exists());
}

#[test]
fn a_build_manifest_of_another_form_is_refused() {
    let desk = Desk::new();
    let said = desk.says(2, &format!("{SEAL} --host-key z1.crt out"));
    assert!(said.contains("build.json: build manifest: expected its form"), "{said}");
    assert!(!desk.0.path().join("out").exists());
}

#[test]
fn a_signature_is_openssls_and_a_manifest_without_one_is_refused() {
    let desk = Desk::new();
    let verify = "verify --builder builder.pub --build-manifest build.json --sealing-manifest build.json";
    let said = desk.says(1, verify);
    assert!(
        said.contains("build manifest: expected the builder's signature beside it, found none"),
        "{said}"
    );
    desk.says(0, "sign --builder-key builder.key build.json");
    desk.openssl(&[
        "dgst",
        "-sha256",
        "-verify",
        "builder.pub",
        "-signature",
        "build.json.sig",
        "build.json",
    ]);
    desk.write("build.json", &BUILD.replace("podman", "docker"));
    let said = desk.says(1, verify);
    assert!(said.contains("build manifest: the signature is not the builder's over this text"), "{said}");
}
