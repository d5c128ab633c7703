//! Signatures against the openssl program in both directions, and the signing key in every form in
//! which contracts hold it.

#![allow(clippy::unwrap_used)]

mod common;

use common::Openssl;
use countersign_crypto::private_key::{PrivateKey, PrivateKeyError};
use countersign_crypto::signature::{PublicKeyError, SignError, SignatureError, SigningKey, sign};

const WORKLOAD: &str = "hyper-protect-basic.QUJD.REVG";
const ENV: &str = "contract-basic.R0hJ.SktM";

/// The signature as the documents make it: `dgst -sha256 -sign`, base64.
fn documented(openssl: &Openssl, key: &str, text: &str) -> String {
    openssl.base64(&openssl.run(&format!("dgst -sha256 -sign {key}.key"), text.as_bytes()))
}

fn signing_key(openssl: &Openssl, file: &str) -> SigningKey {
    SigningKey::parse(&openssl.text(file)).unwrap()
}

#[test]
fn verifies_what_openssl_signs() {
    let openssl = Openssl::new();
    openssl.rsa_key("signer", 4096);
    let key = signing_key(&openssl, "signer.pub");
    let signature = documented(&openssl, "signer", &format!("{WORKLOAD}{ENV}"));
    assert_eq!(key.verify(WORKLOAD, ENV, &signature), Ok(()));

    let spaced = format!(" {}\r\n\t{} \n", &signature[..64], &signature[64..]);
    assert_eq!(key.verify(WORKLOAD, ENV, &spaced), Ok(()));

    let wrapped = format!("{}\r\n", WORKLOAD.replace('.', "\n.\r"));
    assert_eq!(key.verify(&wrapped, &format!("\n{ENV}\n"), &signature), Ok(()));

    // No separator stands between the sections.
    let (start, end) = WORKLOAD.split_at(5);
    assert_eq!(key.verify(start, &format!("{end}{ENV}"), &signature), Ok(()));
}

#[test]
fn plain_text_is_signed_without_its_line_breaks() {
    let openssl = Openssl::new();
    openssl.rsa_key("signer", 2048);
    let (workload, env) =
        ("type: workload\ncompose:\n  archive: QUJD\n", "type: env\r\nsigningKey: grün\r\n");
    let flat: String = [workload, env].concat().chars().filter(|char| !"\n\r".contains(*char)).collect();
    let signature = documented(&openssl, "signer", &flat);
    let key = signing_key(&openssl, "signer.pub");
    assert_eq!(key.verify(workload, env, &signature), Ok(()));
    let with_breaks = documented(&openssl, "signer", &[workload, env].concat());
    assert_eq!(key.verify(workload, env, &with_breaks), Err(SignatureError::Mismatch));
}

#[test]
fn refuses_every_other_signature() {
    let openssl = Openssl::new();
    openssl.rsa_key("signer", 2048);
    openssl.rsa_key("other", 2048);
    let key = signing_key(&openssl, "signer.pub");
    let both = format!("{WORKLOAD}{ENV}");
    let signature = documented(&openssl, "signer", &both);
    let mismatch = Err(SignatureError::Mismatch);

    assert_eq!(key.verify(ENV, WORKLOAD, &signature), mismatch, "other order");
    assert_eq!(key.verify(WORKLOAD, "", &signature), mismatch);
    assert_eq!(key.verify(&format!("{WORKLOAD} "), ENV, &signature), mismatch, "a blank is text");
    assert_eq!(signing_key(&openssl, "other.pub").verify(WORKLOAD, ENV, &signature), mismatch);
    assert_eq!(key.verify(WORKLOAD, ENV, &documented(&openssl, "other", &both)), mismatch);

    let sha512 = openssl.base64(&openssl.run("dgst -sha512 -sign signer.key", both.as_bytes()));
    assert_eq!(key.verify(WORKLOAD, ENV, &sha512), mismatch);
    let pss = "dgst -sha256 -sigopt rsa_padding_mode:pss -sign signer.key";
    let pss = openssl.base64(&openssl.run(pss, both.as_bytes()));
    assert_eq!(key.verify(WORKLOAD, ENV, &pss), mismatch);

    let raw = openssl.decode_base64(&signature);
    for at in (0..raw.len()).step_by(17) {
        let mut altered = raw.clone();
        altered[at] ^= 1;
        assert_eq!(key.verify(WORKLOAD, ENV, &openssl.base64(&altered)), mismatch, "byte {at}");
    }
    assert_eq!(key.verify(WORKLOAD, ENV, &openssl.base64(&raw[1..])), mismatch);
    assert_eq!(key.verify(WORKLOAD, ENV, ""), mismatch);
    for text in ["*", "QUJ", "QUJDRA=", &signature.replace('=', "")[..5]] {
        assert_eq!(key.verify(WORKLOAD, ENV, text), Err(SignatureError::NotBase64), "{text:?}");
    }
}

#[test]
fn openssl_verifies_what_we_sign() {
    let openssl = Openssl::new();
    openssl.rsa_key("signer", 2048);
    let pem = openssl.text("signer.key");
    for form in [openssl.base64(pem.as_bytes()), pem] {
        let signature = sign("type: workload\n", &format!("{ENV}\r\n"), &PrivateKey::parse(&form).unwrap());
        openssl.write("signature", openssl.decode_base64(&signature.unwrap()));
        let said = openssl.run(
            "dgst -sha256 -verify signer.pub -signature signature",
            format!("type: workload{ENV}").as_bytes(),
        );
        assert_eq!(String::from_utf8(said).unwrap().trim(), "Verified OK");
    }
}

#[test]
fn only_rsa_signs() {
    let openssl = Openssl::new();
    openssl.ec_key("curve");
    openssl.rsa_key("image", 2048);
    openssl.run("pkey -in image.key -aes256 -passout pass:secret -out locked.key", b"");
    let key = PrivateKey::parse(&openssl.text("curve.key")).unwrap();
    assert_eq!(sign("a", "b", &key), Err(SignError::NotRsa));
    assert_eq!(PrivateKey::parse(&openssl.text("locked.key")).unwrap_err(), PrivateKeyError);
    assert_eq!(PrivateKey::parse(&openssl.text("image.pub")).unwrap_err(), PrivateKeyError);
    assert_eq!(format!("{key:?}"), "PrivateKey([redacted])");
}

#[test]
fn signing_key_in_every_form() {
    let openssl = Openssl::new();
    openssl.rsa_key("signer", 2048);
    openssl.certificate("signer", 30, "");
    openssl.run("x509 -in signer.crt -text -out verbose.crt", b"");
    let signature = documented(&openssl, "signer", &format!("{WORKLOAD}{ENV}"));
    let der = openssl.run("pkey -pubin -in signer.pub -outform DER", b"");
    openssl.write("der", der);
    let digest = String::from_utf8(openssl.run("dgst -sha256 -r der", b"")).unwrap();

    for (file, is_certificate) in [("signer.pub", false), ("signer.crt", true), ("verbose.crt", true)] {
        let pem = openssl.text(file);
        let wrapped = String::from_utf8(openssl.run("base64", pem.as_bytes())).unwrap();
        let forms = [
            pem.clone(),
            pem.trim_end().to_owned(),
            pem.replace('\n', "\r\n"),
            pem.replace('\n', "\n   "),
            pem.replace('\n', "\\n"),
            openssl.base64(pem.as_bytes()),
            openssl.base64(pem.replace('\n', "\\n").as_bytes()),
            openssl.base64(pem.replace('\n', "\r\n").as_bytes()),
            wrapped.replace('\n', "\\n"),
            wrapped.replace('\n', "\r\n  "),
            wrapped,
        ];
        for (at, form) in forms.iter().enumerate() {
            let key = SigningKey::parse(form).unwrap_or_else(|error| panic!("{file} {at}: {error}"));
            assert_eq!(key.verify(WORKLOAD, ENV, &signature), Ok(()), "{file} {at}");
            assert_eq!(key.not_after().is_some(), is_certificate, "{file} {at}");
            assert_eq!(key.sha256_fingerprint().unwrap(), digest[..64], "{file} {at}");
        }
    }
}

#[test]
fn certificate_ends_when_openssl_says() {
    let openssl = Openssl::new();
    openssl.rsa_key("signer", 2048);
    // The second one ends after 2050, where certificates write their times in another form.
    for days in [30_u32, 36_500] {
        openssl.certificate("signer", days, "");
        let key = signing_key(&openssl, "signer.crt");
        let (start, end) = (key.not_before().unwrap(), key.not_after().unwrap());
        assert_eq!(end - start, i64::from(days) * 86_400);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let now = i64::try_from(now.as_secs()).unwrap();
        // `-checkend N` asks whether the certificate has ended N seconds from now.
        let ends_within = |seconds: i64| {
            !openssl.try_run(&format!("x509 -in signer.crt -noout -checkend {seconds}"), b"").status.success()
        };
        assert!(ends_within(end - now + 120));
        assert!(!ends_within(end - now - 120));
    }
}

#[test]
fn what_is_no_signing_key() {
    let openssl = Openssl::new();
    openssl.rsa_key("signer", 2048);
    openssl.rsa_key("small", 1024);
    openssl.certificate("small", 30, "");
    openssl.ec_key("curve");
    openssl.certificate("curve", 30, "");
    let refused = |text: &str| SigningKey::parse(text).unwrap_err();
    let der = openssl.run("pkey -pubin -in signer.pub -outform DER", b"");
    let public = openssl.text("signer.pub");
    for text in [
        "",
        "key",
        "QUJD",
        &public[..public.len() / 2],
        &public.replace("PUBLIC", "STRANGE"),
        &openssl.text("signer.key"),
        &openssl.base64(&openssl.read("signer.key")),
        &openssl.base64(&der),
    ] {
        assert_eq!(refused(text), PublicKeyError::Unreadable, "{text:?}");
    }
    for file in ["curve.pub", "curve.crt"] {
        assert_eq!(refused(&openssl.text(file)), PublicKeyError::NotRsa);
    }
    for file in ["small.pub", "small.crt"] {
        assert_eq!(refused(&openssl.text(file)), PublicKeyError::Size { bits: 1024 });
    }
}
