//! The way from bytes to findings, as the guest and the author's command go it, and material made by openssl.

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use countersign_contract::envelope::Envelope;
use countersign_contract::model::Contract;
use countersign_contract::place::SectionName;
use countersign_contract::refusal::{Finding, Refusal};
use countersign_contract::schema::{self, CheckedSection};

/// Everything that is to be said about a contract, sections in the open.
pub(crate) fn report(bytes: &[u8]) -> Vec<Finding> {
    let mut refusals = Vec::new();
    let mut findings = Vec::new();
    read(bytes, &mut refusals, &mut findings);
    findings
}

/// Reads a contract; refusals go to `findings` as well, in the order of a report.
pub(crate) fn read(bytes: &[u8], refusals: &mut Vec<Refusal>, findings: &mut Vec<Finding>) {
    let mut refuse = |found: Vec<Refusal>, findings: &mut Vec<Finding>| {
        findings.extend(found.iter().map(Finding::from));
        refusals.extend(found);
    };
    let envelope = match Envelope::parse(bytes) {
        Ok(envelope) => envelope,
        Err(found) => return refuse(found, findings),
    };
    findings.extend_from_slice(envelope.warnings());
    let mut checked: Vec<CheckedSection> = Vec::new();
    for name in [SectionName::Workload, SectionName::Env] {
        let tree = envelope.section(name).tree(None).map_err(|refusal| vec![refusal]);
        match tree.and_then(schema::check) {
            Ok(section) => checked.push(section),
            Err(found) => refuse(found, findings),
        }
    }
    if let [workload, env] = checked.as_slice() {
        match Contract::new(workload, env) {
            Ok(contract) => {
                findings.extend_from_slice(contract.warnings());
                findings.extend(contract.unsupported().iter().cloned());
                findings.extend_from_slice(contract.policy().breaches());
            }
            Err(found) => refuse(found, findings),
        }
    }
}

/// What `@name@` stands for.
pub(crate) struct Material(Vec<(&'static str, String)>);

impl Material {
    /// Makes an authority, a client certificate, two keys and a signing key.
    pub(crate) fn new() -> Material {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=test"];
        for name in ["ca", "client"] {
            openssl(&[&["req", "-x509"], &ec[..]].concat(), &path(&format!("{name}.key")), Some(&path(name)));
        }
        openssl(
            &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
            &path("other.key"),
            None,
        );
        let public = ["pkey", "-pubout", "-in"];
        openssl(&[&public[..], &[path("other.key").to_str().unwrap()]].concat(), &path("cosign"), None);
        let rsa = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=signer"];
        openssl(&rsa, &path("signer.key"), Some(&path("signer")));
        let encode =
            |name: &str| base64::engine::general_purpose::STANDARD.encode(std::fs::read(path(name)).unwrap());
        Material(vec![
            ("@ca@", encode("ca")),
            ("@cert@", encode("client")),
            ("@key@", encode("client.key")),
            ("@other-key@", encode("other.key")),
            ("@signing@", encode("signer")),
            ("@cosign@", encode("cosign")),
            // An RSA key of no bits, version 4, of 1970 (RFC 9580 section 5.5.2): gpg's own are in the tests of crypto.
            ("@openpgp@", "mAoEAAAAAAEAAAAA".to_owned()),
            ("@ca-sha256@", fingerprint(&path("ca"))),
        ])
    }

    /// Puts the material in.
    pub(crate) fn fill(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    }
}

/// As an author makes it.
fn fingerprint(certificate: &Path) -> String {
    let mut command = Command::new("openssl");
    let output = command.args(["x509", "-noout", "-fingerprint", "-sha256", "-in"]).arg(certificate).output();
    let printed = String::from_utf8(output.unwrap().stdout).unwrap();
    printed.trim_end().rsplit('=').next().unwrap().replace(':', "").to_lowercase()
}

fn openssl(arguments: &[&str], key: &Path, certificate: Option<&Path>) {
    let mut command = Command::new("openssl");
    command.args(arguments);
    match certificate {
        Some(certificate) => command.arg("-keyout").arg(key).arg("-out").arg(certificate),
        None => command.arg("-out").arg(key),
    };
    let result = command.output().unwrap();
    assert!(result.status.success(), "{}", String::from_utf8_lossy(&result.stderr));
}
