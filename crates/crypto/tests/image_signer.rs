//! Keys that images are signed with, as gpg and openssl write them.

#![allow(clippy::unwrap_used)]

mod common;

use std::process::{Command, Stdio};

use common::Openssl;
use countersign_crypto::image_signer::{CosignKey, ImageKeyError, OpenPgpKeys};

/// A keyring of its own.
struct Gpg(tempfile::TempDir);

impl Gpg {
    fn new() -> Gpg {
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        Gpg(tempfile::Builder::new().permissions(private).tempdir().unwrap())
    }

    fn run(&self, arguments: &[&str]) -> Vec<u8> {
        let mut command = Command::new("gpg");
        // Under emulation it names the guest's libraries, and the program is the host's.
        command.env_remove("LD_LIBRARY_PATH");
        command.arg("--homedir").arg(self.0.path()).args(["--batch", "--quiet", "--passphrase", ""]);
        let output = command.args(arguments).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    fn make(&self, name: &str, algorithm: &str) {
        self.run(&["--quick-generate-key", name, algorithm, "sign", "never"]);
    }

    fn armoured(&self, names: &[&str]) -> String {
        String::from_utf8(self.run(&[&["--armor", "--export"], names].concat())).unwrap()
    }

    /// As gpg says it.
    fn fingerprints(&self) -> Vec<String> {
        let listed = String::from_utf8(self.run(&["--with-colons", "--fingerprint", "--list-keys"])).unwrap();
        let fields = listed.lines().map(|line| line.split(':').collect::<Vec<_>>());
        fields.filter(|fields| fields[0] == "fpr").map(|fields| fields[9].to_owned()).collect()
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        // The agent that it started would stay.
        let _ = Command::new("gpgconf")
            .env_remove("LD_LIBRARY_PATH")
            .arg("--homedir")
            .arg(self.0.path())
            .args(["--kill", "all"])
            .stderr(Stdio::null())
            .status();
    }
}

fn base64(bytes: &[u8]) -> String {
    let openssl = Openssl::new();
    String::from_utf8(openssl.run("base64 -A", bytes)).unwrap()
}

#[test]
fn keys_that_gpg_exports_in_every_form() {
    let gpg = Gpg::new();
    gpg.make("one@example.org", "rsa2048");
    gpg.make("two@example.org", "ed25519");
    let all = gpg.fingerprints();
    assert_eq!(all.len(), 2);
    let armoured = gpg.armoured(&[]);
    let binary = gpg.run(&["--export"]);
    let with_header = armoured.replacen("\n\n", "\nComment: two of them\n\n", 1);
    let escaped = armoured.replace('\n', "\\n");
    let wrapped = base64(armoured.as_bytes());
    for text in
        [&armoured, &with_header, &escaped, &wrapped, &base64(&binary), &armoured.replace('\n', "\r\n")]
    {
        let keys = OpenPgpKeys::parse(text).unwrap();
        assert_eq!(keys.fingerprints(), all);
        assert_eq!(keys.to_base64(), base64(&binary), "{text}");
    }
    let one = OpenPgpKeys::parse(&gpg.armoured(&["one@example.org"])).unwrap();
    assert_eq!(one.fingerprints(), &all[..1]);
}

#[test]
fn what_is_no_openpgp_public_key() {
    let gpg = Gpg::new();
    gpg.make("one@example.org", "rsa2048");
    let secret = gpg.run(&["--pinentry-mode", "loopback", "--armor", "--export-secret-keys"]);
    let secret = String::from_utf8(secret).unwrap();
    let bare = gpg.run(&["--pinentry-mode", "loopback", "--export-secret-keys"]);
    for text in [secret.clone(), base64(secret.as_bytes()), base64(&bare)] {
        assert_eq!(OpenPgpKeys::parse(&text), Err(ImageKeyError::Private));
    }
    let signature =
        gpg.run(&["--pinentry-mode", "loopback", "--armor", "--output", "-", "--detach-sign", "/dev/null"]);
    let binary = gpg.run(&["--export"]);
    let pem = Openssl::new().run("genpkey -algorithm ed25519", b"");
    let public = gpg.armoured(&[]);
    for text in [
        String::from_utf8(signature).unwrap(),
        base64(&binary[..binary.len() - 1]),
        base64(&[&binary[..], &[0]].concat()),
        // Its user before the key.
        base64(&[&[0xb4, 1, b'x'], &binary[..]].concat()),
        // A key of version 6.
        base64(&[0x98, 1, 6]),
        format!("{public}{public}"),
        String::new(),
        "QUJD".to_owned(),
        "not base64!".to_owned(),
    ] {
        assert_eq!(OpenPgpKeys::parse(&text), Err(ImageKeyError::NotOpenPgp), "{text}");
    }
    assert_eq!(OpenPgpKeys::parse(std::str::from_utf8(&pem).unwrap()), Err(ImageKeyError::Private));
}

#[test]
fn keys_for_cosign() {
    let openssl = Openssl::new();
    let key = |how: &str| {
        let private = openssl.run(&format!("genpkey {how}"), b"");
        let public = String::from_utf8(openssl.run("pkey -pubout", &private)).unwrap();
        (String::from_utf8(private).unwrap(), public)
    };
    let curve = |name: &str| format!("-algorithm EC -pkeyopt ec_paramgen_curve:{name}");
    for how in [
        &curve("P-256"),
        &curve("P-384"),
        &curve("P-521"),
        "-algorithm ed25519",
        "-algorithm RSA -pkeyopt rsa_keygen_bits:2048",
    ] {
        let (private, public) = key(how);
        let der = openssl.run("pkey -pubin -outform DER", public.as_bytes());
        let digest = String::from_utf8(openssl.run("dgst -sha256 -r", &der)).unwrap();
        for text in [public.clone(), base64(public.as_bytes())] {
            let read = CosignKey::parse(&text).unwrap();
            assert_eq!(read.to_pem().unwrap(), public, "{how}");
            assert_eq!(read.sha256_fingerprint().unwrap(), digest[..64], "{how}");
        }
        assert_eq!(CosignKey::parse(&private).err(), Some(ImageKeyError::Private), "{how}");
        assert_eq!(CosignKey::parse(&format!("{public}{public}")).err(), Some(ImageKeyError::NotPem));
    }
    for how in [&curve("secp256k1"), "-algorithm RSA -pkeyopt rsa_keygen_bits:1024", "-algorithm X25519"] {
        assert_eq!(CosignKey::parse(&key(how).1).err(), Some(ImageKeyError::Algorithm), "{how}");
    }
    let sealed = "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nQUJD\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n";
    assert_eq!(CosignKey::parse(sealed).err(), Some(ImageKeyError::Private));
    for text in ["", "QUJD", "-----BEGIN PUBLIC KEY-----\nQUJD\n-----END PUBLIC KEY-----\n"] {
        assert_eq!(CosignKey::parse(text).err(), Some(ImageKeyError::NotPem), "{text}");
    }
}
