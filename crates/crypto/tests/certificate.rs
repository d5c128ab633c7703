//! Facts about certificates that the openssl program made, and the keys that belong to them.

#![allow(clippy::unwrap_used)]

mod common;

use common::Openssl;
use countersign_crypto::certificate::{AlternativeName, Certificate, KeyKind};
use countersign_crypto::private_key::PrivateKey;

fn all(text: &str) -> Vec<Certificate> {
    Certificate::parse_all(text).unwrap()
}

fn only(openssl: &Openssl, file: &str) -> Certificate {
    let mut all = all(&openssl.text(file));
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn key(openssl: &Openssl, file: &str) -> PrivateKey {
    PrivateKey::parse(&openssl.text(file)).unwrap()
}

#[test]
fn facts_are_those_of_openssl() {
    let openssl = Openssl::new();
    openssl.rsa_key("server", 2048);
    openssl.certificate(
        "server",
        90,
        "-sha384 -addext subjectAltName=DNS:logs.example.org,DNS:*.example.net,IP:192.0.2.7,IP:2001:db8::1,email:a@example.org",
    );
    let certificate = only(&openssl, "server.crt");
    let facts = certificate.facts();
    assert_eq!(facts.subject, "O=Example, CN=server");
    assert_eq!(facts.issuer, "O=Example, CN=server");
    assert_eq!(facts.not_after - facts.not_before, 90 * 86_400);
    assert_eq!((facts.key_kind, facts.key_bits), (KeyKind::Rsa, 2048));
    assert_eq!((facts.signature_digest, facts.signature_strength), (Some("SHA384"), Some(192)));
    assert_eq!(
        facts.alternative_names,
        [
            AlternativeName::Dns("logs.example.org".to_owned()),
            AlternativeName::Dns("*.example.net".to_owned()),
            AlternativeName::Ip("192.0.2.7".parse().unwrap()),
            AlternativeName::Ip("2001:db8::1".parse().unwrap()),
        ]
    );
    let said =
        String::from_utf8(openssl.run("x509 -in server.crt -noout -fingerprint -sha256", b"")).unwrap();
    let said = said.trim().rsplit('=').next().unwrap().replace(':', "").to_lowercase();
    assert_eq!(facts.sha256_fingerprint, said);
}

#[test]
fn other_keys_and_digests() {
    let openssl = Openssl::new();
    openssl.ec_key("curve");
    openssl.certificate("curve", 1, "-sha256");
    let curve = only(&openssl, "curve.crt");
    assert_eq!((curve.facts().key_kind, curve.facts().key_bits), (KeyKind::EllipticCurve, 256));
    assert_eq!(
        (curve.facts().signature_digest, curve.facts().signature_strength),
        (Some("SHA256"), Some(128))
    );
    assert_eq!(curve.facts().alternative_names, []);

    openssl.run("genpkey -algorithm ED25519 -out edwards.key", b"");
    openssl.certificate("edwards", 1, "");
    let edwards = only(&openssl, "edwards.crt");
    assert_eq!(edwards.facts().key_kind, KeyKind::Edwards);
    assert_eq!((edwards.facts().signature_digest, edwards.facts().signature_strength), (None, None));

    openssl.rsa_key("old", 2048);
    openssl.certificate("old", 1, "-sha1");
    let old = only(&openssl, "old.crt");
    assert_eq!((old.facts().signature_digest, old.facts().signature_strength), (Some("SHA1"), Some(80)));
}

#[test]
fn control_characters_in_a_name_are_not_shown() {
    let openssl = Openssl::new();
    openssl.rsa_key("server", 2048);
    openssl.write("request.conf", "[req]\ndistinguished_name=name\nprompt=no\nutf8=yes\nstring_mask=utf8only\n[name]\nCN=grün\u{1b}[31m\n");
    openssl.run("req -x509 -new -key server.key -config request.conf -out server.crt", b"");
    assert_eq!(only(&openssl, "server.crt").facts().subject, "CN=grün?[31m");
}

#[test]
fn a_chain_in_every_form() {
    let openssl = Openssl::new();
    openssl.rsa_key("root", 2048);
    openssl.certificate("root", 10, "");
    openssl.rsa_key("server", 2048);
    openssl.run("req -new -key server.key -subj /CN=logs.example.org -out server.csr", b"");
    openssl.run(
        "x509 -req -in server.csr -CA root.crt -CAkey root.key -CAcreateserial -days 5 -out server.crt",
        b"",
    );
    // Another root that claims the same name.
    std::fs::copy(openssl.path("root.crt"), openssl.path("true-root.crt")).unwrap();
    openssl.rsa_key("root", 2048);
    openssl.certificate("root", 10, "");

    let chain = openssl.text("server.crt") + &openssl.text("true-root.crt");
    let forms =
        [chain.replace('\n', "\r\n"), chain.replace('\n', "\\n"), openssl.base64(chain.as_bytes()), chain];
    for form in &forms {
        let read = all(form);
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].facts().subject, "CN=logs.example.org");
        assert_eq!(read[0].facts().issuer, "O=Example, CN=root");
        assert!(read[0].is_signed_by(&read[1]));
        assert!(read[1].is_signed_by(&read[1]));
        assert!(!read[1].is_signed_by(&read[0]));
        assert_eq!(read[0].to_pem().unwrap(), openssl.text("server.crt"));
    }
    assert!(!all(&forms[0])[0].is_signed_by(&only(&openssl, "root.crt")));
}

#[test]
fn what_is_no_certificate() {
    let openssl = Openssl::new();
    openssl.rsa_key("server", 2048);
    openssl.certificate("server", 1, "");
    let (certificate, key) = (openssl.text("server.crt"), openssl.text("server.key"));
    let broken = certificate.replacen("MII", "MIJ", 1);
    for text in [
        "",
        "certificate",
        "QUJD",
        &key,
        &openssl.text("server.pub"),
        &certificate[..certificate.len() / 2],
        &broken,
        &format!("{certificate}{broken}"),
        &format!("{certificate}{key}"),
        &format!("{key}{certificate}"),
        &openssl.base64(&openssl.run("x509 -in server.crt -outform DER", b"")),
    ] {
        let refused = Certificate::parse_all(text).unwrap_err().to_string();
        assert_eq!(
            refused, "expected one or more certificates, in PEM form or base64 of that, and nothing else",
            "{text:?}"
        );
    }
}

#[test]
fn key_belongs_to_certificate_in_every_form() {
    let openssl = Openssl::new();
    openssl.rsa_key("client", 2048);
    openssl.certificate("client", 1, "");
    openssl.run("pkey -in client.key -traditional -out client1.key", b"");
    openssl.rsa_key("other", 2048);
    let certificate = only(&openssl, "client.crt");
    assert!(certificate.belongs_to(&key(&openssl, "client.key")));
    assert!(certificate.belongs_to(&key(&openssl, "client1.key")));
    assert!(!certificate.belongs_to(&key(&openssl, "other.key")));
    let base64 = openssl.base64(&openssl.read("client1.key"));
    let read = PrivateKey::parse(&base64).unwrap();
    assert!(certificate.belongs_to(&read));
    assert_eq!(read.to_pem().unwrap().expose(), openssl.read("client.key"));
}

#[test]
fn elliptic_curve_keys_belong_too() {
    let openssl = Openssl::new();
    openssl.ec_key("client");
    openssl.certificate("client", 1, "");
    openssl.run("pkey -in client.key -traditional -out client1.key", b"");
    // With the curve's parameters in a block before the key, as `ecparam -genkey` writes it.
    let parameters = openssl.run("ecparam -name prime256v1", b"");
    openssl.write("client2.key", [parameters, openssl.read("client1.key")].concat());
    assert!(openssl.text("client2.key").starts_with("-----BEGIN EC PARAMETERS-----"));
    openssl.ec_key("other");
    let certificate = only(&openssl, "client.crt");
    for file in ["client.key", "client1.key", "client2.key"] {
        assert!(certificate.belongs_to(&key(&openssl, file)), "{file}");
    }
    assert!(!certificate.belongs_to(&key(&openssl, "other.key")));
}
