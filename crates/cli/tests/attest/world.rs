//! A desk with an image, its authority and an auditor, and the record of a guest, all by openssl and sha256sum; what the verifier
//! says of it.

use serde_json::Value;

use crate::support::Desk;

/// `NAME.crt` for a new `NAME.key`, issued by `ISSUER`.
pub(crate) fn issue(desk: &Desk, name: &str, issuer: &str, days: i32) {
    desk.openssl(
        &format!("req -newkey rsa:2048 -nodes -subj /CN={name} -keyout {name}.key -out {name}.csr"),
        b"",
    );
    desk.openssl(
        &format!("x509 -req -in {name}.csr -CA {issuer}.crt -CAkey {issuer}.key -CAcreateserial -days {days} -out {name}.crt"),
        b"",
    );
}

/// `NAME.crl` of an issuer with a certificate on it.
pub(crate) fn list(desk: &Desk, name: &str, issuer: &str, revoked: &[&str]) {
    desk.write(format!("{name}.index").as_str(), "");
    desk.write(
        "ca.cnf",
        format!("[ca]\ndefault_ca = own\n[own]\ndatabase = {name}.index\ndefault_md = sha256\n"),
    );
    let with = format!("-config ca.cnf -cert {issuer}.crt -keyfile {issuer}.key");
    for certificate in revoked {
        desk.openssl(&format!("ca {with} -revoke {certificate}.crt"), b"");
    }
    desk.openssl(&format!("ca {with} -gencrl -crldays 30 -out {name}.crl"), b"");
}

pub(crate) fn sha256(desk: &Desk, bytes: &[u8]) -> String {
    String::from_utf8(desk.openssl("sha256 -r", bytes)).unwrap()[..64].to_owned()
}

/// A desk with an image that has a certificate, an authority above it, an auditor, and another image.
pub(crate) fn desk() -> Desk {
    let desk = Desk::new();
    desk.rsa("authority", 400);
    desk.rsa("foreign", 400);
    for name in ["image", "other", "revoked"] {
        issue(&desk, name, "authority", 200);
    }
    desk.rsa("auditor", 30);
    list(&desk, "good", "authority", &["revoked"]);
    desk
}

/// Signs a record as the image does and keeps both.
pub(crate) fn sign(desk: &Desk, record: &str) {
    desk.write("record", record);
    desk.openssl("sha256 -sign image.key -out signature record", b"");
}

/// A contract in plain text and the record of a guest that booted it.
pub(crate) fn contract(desk: &Desk) -> String {
    desk.write(
        "contract.yaml",
        "workload: token-of-the-workload\nenv: token-of-the-env\nenvWorkloadSignature: c2lnbmF0dXJl\n",
    );
    let digest = |text: &str| sha256(desk, text.as_bytes());
    format!(
        "0.1.0\nMachine Type/Plant/Serial: 3932/02/12345\nImage age: 3 days since creation.\n{} cidata/user-data\n\
         {} contract:workload\n{} contract:env\n{} contract:envWorkloadSignature\nCountersign record: 1\n\
         {} countersign:root.verity\nContract is signed\nContract serial: 7\nWarning: HPL11104W: not secure\n",
        sha256(desk, desk.text("contract.yaml").as_bytes()),
        digest("token-of-the-workload"),
        digest("token-of-the-env"),
        digest("c2lnbmF0dXJl"),
        "e".repeat(128)
    )
}

/// The report of `attest verify`, held against its schema; the exit status follows from its verdict.
pub(crate) fn verify(desk: &Desk, arguments: &str) -> Value {
    let output = desk.countersign(&format!("attest verify --format json {arguments}"), b"");
    let said = String::from_utf8_lossy(&output.stderr);
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{arguments}: {said}"));
    let schema: Value = serde_json::from_str(include_str!("../../schema/attest.schema.json")).unwrap();
    jsonschema::draft202012::validate(&schema, &report).unwrap_or_else(|error| panic!("{error}: {report:#}"));
    let status = if report["verdict"] == "good" { 0 } else { 1 };
    assert_eq!(output.status.code(), Some(status), "{report:#}");
    report
}

/// What is said where nothing can be verified.
pub(crate) fn refused(desk: &Desk, arguments: &str) -> String {
    let output = desk.countersign(&format!("attest verify {arguments}"), b"");
    assert_eq!(output.status.code(), Some(2), "{arguments}: {}", String::from_utf8_lossy(&output.stdout));
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

/// The one line or check of a name.
pub(crate) fn line<'r>(report: &'r Value, name: &str) -> &'r Value {
    let all =
        ["checks", "lines", "final_lines"].into_iter().flat_map(|list| report[list].as_array().unwrap());
    let found: Vec<&Value> = all.filter(|line| line["name"] == name).collect();
    assert_eq!(found.len(), 1, "{name} in {report:#}");
    found[0]
}

pub(crate) fn note(line: &Value) -> &str {
    line["note"].as_str().unwrap_or_default()
}
