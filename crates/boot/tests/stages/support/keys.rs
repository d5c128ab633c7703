//! Keys and certificates, made once for a run by the openssl program.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

/// Seconds of a day.
pub(crate) const DAY: i64 = 86_400;

/// What the parties and the image builder have.
pub(crate) struct Keys {
    folder: TempDir,
    /// When the certificates were made; they are valid for 30 days, those of the signer for 10.
    pub made: i64,
}

/// The keys of this run.
pub(crate) fn keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(Keys::make)
}

impl Keys {
    fn make() -> Keys {
        let keys = Keys { folder: tempfile::tempdir().unwrap(), made: now() };
        // 4096 bits are what real images have; the tests need a key, not its strength.
        for name in ["image", "other-image", "signer", "other-signer", "auditor"] {
            keys.openssl(&format!("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out {name}.key"));
            keys.openssl(&format!("pkey -in {name}.key -pubout -out {name}.pub"));
            keys.openssl(&format!(
                "req -x509 -new -key {name}.key -subj /CN={name} -days 10 -out {name}.crt"
            ));
        }
        // What signs records has the size of real images: its signature does.
        keys.openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:4096 -out attestation.key");
        keys.openssl("pkey -in attestation.key -pubout -out attestation.pub");
        keys.openssl(
            "req -x509 -new -key attestation.key -subj /CN=attestation -days 10 -out attestation.crt",
        );
        for name in ["ca", "client", "registry"] {
            keys.openssl(&format!("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {name}.key"));
            keys.openssl(&format!(
                "req -x509 -new -key {name}.key -subj /CN={name} -days 30 -out {name}.crt"
            ));
        }
        keys.openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out small.key");
        keys.openssl("pkey -in small.key -pubout -out small.pub");
        keys.openssl("req -x509 -new -key small.key -subj /CN=small -days 10 -out small.crt");
        keys.openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out elliptic.key");
        keys.openssl("pkey -in elliptic.key -pubout -out elliptic.pub");
        keys.make_unusable();
        keys
    }

    /// `unusable.pub` has the form of an RSA public key, but its modulus is even: nothing can be encrypted to it.
    fn make_unusable(&self) {
        let modulus = run(Command::new("openssl").args(["rand", "-hex", "255"]));
        let form = format!(
            "asn1=SEQUENCE:key\n[key]\nalgorithm=SEQUENCE:algorithm\nnumbers=BITWRAP,SEQUENCE:numbers\n\
             [algorithm]\nname=OID:rsaEncryption\nnothing=NULL\n\
             [numbers]\nmodulus=INTEGER:0xC0{}00\nexponent=INTEGER:65537\n",
            modulus.trim()
        );
        std::fs::write(self.path("unusable.form"), form).unwrap();
        self.openssl("asn1parse -genconf unusable.form -noout -out unusable.der");
        self.openssl("pkey -pubin -inform DER -in unusable.der -out unusable.pub");
    }

    fn openssl(&self, arguments: &str) {
        let mut command = Command::new("openssl");
        command.args(arguments.split(' ')).current_dir(self.folder.path());
        run(&mut command);
    }

    /// Where a file of that name lies.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The PEM text of a key or certificate.
    pub(crate) fn pem(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// The same in base64, on one line.
    pub(crate) fn base64(&self, name: &str) -> String {
        run(Command::new("base64").arg("-w0").arg(self.path(name)))
    }
}

/// SHA-256 of a public key in DER, by the openssl and sha256sum programs.
pub(crate) fn key_fingerprint(name: &str) -> String {
    let script = "openssl pkey -pubin -in \"$1\" -outform DER | sha256sum | cut -c 1-64";
    run(Command::new("sh").args(["-c", script, "sh"]).arg(keys().path(name))).trim().to_owned()
}

/// The same of a certificate.
pub(crate) fn certificate_fingerprint(name: &str) -> String {
    let script = "openssl x509 -in \"$1\" -outform DER | sha256sum | cut -c 1-64";
    run(Command::new("sh").args(["-c", script, "sh"]).arg(keys().path(name))).trim().to_owned()
}

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// Runs a program that has to succeed; what it printed.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A program by which a party makes its part of a contract by hand.
pub(crate) fn party(name: &str) -> Command {
    Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../qemu/party").join(name))
}
