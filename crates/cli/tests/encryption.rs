//! The encryption certificate, held against an authority, an intermediate that is none (as the documented images have
//! it), and revocation lists: all made by the openssl program.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use support::Desk;

/// `NAME.crt` for a new `NAME.key`, issued by `ISSUER`.
fn issue(desk: &Desk, name: &str, issuer: &str, days: i32, extensions: &str) {
    desk.openssl(
        &format!("req -newkey rsa:2048 -nodes -subj /CN={name} -keyout {name}.key -out {name}.csr"),
        b"",
    );
    desk.write("extensions", extensions);
    desk.openssl(
        &format!(
            "x509 -req -in {name}.csr -CA {issuer}.crt -CAkey {issuer}.key -CAcreateserial -days {days} \
             -extfile extensions -out {name}.crt"
        ),
        b"",
    );
}

/// `NAME.crl` of an issuer, with these certificates on it, for so many days.
fn list(desk: &Desk, name: &str, issuer: &str, days: u32, revoked: &[&str]) {
    desk.write(format!("{name}.index").as_str(), "");
    desk.write(
        "ca.cnf",
        format!("[ca]\ndefault_ca = own\n[own]\ndatabase = {name}.index\ndefault_md = sha256\n"),
    );
    let with = format!("-config ca.cnf -cert {issuer}.crt -keyfile {issuer}.key");
    for certificate in revoked {
        desk.openssl(&format!("ca {with} -revoke {certificate}.crt"), b"");
    }
    desk.openssl(&format!("ca {with} -gencrl -crldays {days} -out {name}.crl"), b"");
}

fn hierarchy() -> Desk {
    let desk = Desk::new();
    desk.rsa("root", 400);
    desk.rsa("foreign", 400);
    issue(&desk, "signer", "root", 300, "basicConstraints=CA:FALSE\nextendedKeyUsage=codeSigning\n");
    for (name, days) in [("image", 200), ("ending", 20), ("revoked", 200)] {
        issue(&desk, name, "signer", days, "basicConstraints=CA:FALSE\n");
    }
    list(&desk, "good", "signer", 30, &["revoked"]);
    list(&desk, "root", "root", 30, &[]);
    list(&desk, "above", "root", 30, &["signer"]);
    list(&desk, "foreign", "foreign", 30, &[]);
    desk.openssl("crl -in good.crl -outform DER -out good.der", b"");
    desk.write("env.yaml", "type: env\n");
    desk
}

/// Sealed, or refused with this code; what was said.
fn seal(desk: &Desk, options: &str, expected: Option<&str>) -> String {
    let output = desk.countersign(&format!("seal {options} --section env env.yaml"), b"");
    let said = String::from_utf8(output.stderr).unwrap();
    match expected {
        None => assert_eq!((output.status.code(), said.as_str()), (Some(0), ""), "{options}"),
        Some(code) => {
            let status = if code.ends_with('W') { 0 } else { 1 };
            assert_eq!(output.status.code(), Some(status), "{options}: {said}");
            assert!(said.contains(&format!(".crt: {code} ")), "{options}: {said}");
            assert_eq!(output.stdout.is_empty(), status == 1, "{options}");
        }
    }
    said
}

#[test]
fn the_certificate_is_held_against_what_is_given() {
    let desk = hierarchy();
    let whole = "--chain signer.crt --chain root.crt";
    for options in [
        "--cert image.crt".to_owned(),
        "--cert image.crt --chain signer.crt".to_owned(),
        format!("--cert image.crt {whole}"),
        "--cert image.crt --chain root.crt --chain signer.crt --crl good.crl --crl root.crl".to_owned(),
        format!("--cert image.crt {whole} --crl good.der"),
        "--cert image.pub".to_owned(),
    ] {
        if options.contains("image.pub") {
            desk.openssl("pkey -in image.key -pubout -out image.pub", b"");
        }
        seal(&desk, &options, None);
    }
    for (options, code, words) in [
        ("--cert image.crt --chain foreign.crt", "HPL12113E", "not issued by any certificate of the chain"),
        ("--cert image.crt --chain root.crt", "HPL12113E", "not issued by any certificate of the chain"),
        (
            "--cert revoked.crt --chain signer.crt --crl good.crl",
            "HPL12114E",
            "was revoked; do not seal to this image; take the certificate of another",
        ),
        (
            "--cert image.crt --chain signer.crt --chain root.crt --crl above.crl",
            "HPL12114E",
            "or one above it",
        ),
        ("--cert image.crt --chain signer.crt --crl foreign.crl", "HPL12115E", "is not from an issuer"),
        ("--cert ending.crt", "HPL12011W", "ends within 30 days; move to an image with a newer certificate"),
    ] {
        let said = seal(&desk, options, Some(code));
        assert!(said.contains(words), "{options}: {said}");
    }
    for usage in [
        "seal --cert image.crt --crl good.crl --section env env.yaml",
        "seal --cert image.pub --chain signer.crt --section env env.yaml",
        "seal --cert image.crt --chain env.yaml --section env env.yaml",
        "seal --cert image.crt --chain signer.crt --crl env.yaml --section env env.yaml",
    ] {
        assert_eq!(desk.answer(2, usage, b""), "", "{usage}");
    }
}

#[test]
fn check_says_it_as_of_any_time() {
    let desk = hierarchy();
    desk.answer(0, "new demo", b"");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let found = |days: i64, options: &str| {
        let at = i64::try_from(now).unwrap() + days * 86_400;
        let report = desk.report(&format!("demo --at {at} --cert {options}"));
        let finding = report["findings"].as_array().unwrap().iter().find(|finding| finding["pointer"] == "");
        finding.map(|finding| {
            format!("{} {} {}", finding["stage"], finding["code"], finding["message"]).replace('"', "")
        })
    };
    let said = |text: &str| Some(format!("unseal {text}"));
    let chain = "--chain signer.crt --chain root.crt";
    assert_eq!(found(0, &format!("image.crt {chain} --crl good.crl")), None);
    assert_eq!(
        found(40, &format!("image.crt {chain} --crl good.crl")),
        said("HPL12115E a revocation list is over or has not begun")
    );
    assert_eq!(found(180, "image.crt"), said("HPL12011W the encryption certificate ends within 30 days"));
    assert_eq!(found(201, "image.crt"), said("HPL12112E the encryption certificate has expired"));
    assert_eq!(found(-1, "image.crt"), said("HPL12112E the encryption certificate has not begun"));
    // The chain may end before the certificate does.
    issue(&desk, "lasting", "signer", 900, "basicConstraints=CA:FALSE\n");
    assert_eq!(found(299, &format!("lasting.crt {chain}")), None);
    let broken = said("HPL12113E the chain above the encryption certificate is broken or over");
    assert_eq!(found(301, &format!("lasting.crt {chain}")), broken);
    // Above the issuer of the certificate all rules hold: who signs code may not issue the next.
    issue(&desk, "below", "signer", 300, "basicConstraints=CA:FALSE\n");
    issue(&desk, "deep", "below", 300, "basicConstraints=CA:FALSE\n");
    assert_eq!(found(1, &format!("deep.crt --chain below.crt {chain}")), broken);
}
