//! Keys of attestation records, against the openssl program as signer and as judge.

#![allow(clippy::unwrap_used)]

mod common;

use common::Openssl;
use countersign_crypto::attestation::{
    AttestationKey, AttestationKeyError, BootKey, RecordKey, RecordKeyError, SIGNATURE_BYTES,
};
use countersign_crypto::certificate::Certificate;

const RECORD: &[u8] = b"26.7.1\nContract is signed\n";

fn certificate(openssl: &Openssl, name: &str) -> Certificate {
    Certificate::parse_all(&openssl.text(&format!("{name}.crt"))).unwrap().remove(0)
}

/// Whether the documented command takes the signature.
fn openssl_takes(openssl: &Openssl, public: &str, record: &[u8], signature: &[u8]) -> bool {
    openssl.write("signature", signature);
    openssl.write("record", record);
    openssl.try_run(&format!("sha256 -verify {public} -signature signature record"), b"").status.success()
}

#[test]
fn the_documented_command_takes_what_the_image_key_signed() {
    let openssl = Openssl::new();
    openssl.rsa_key("image", 4096);
    openssl.certificate("image", 2, "");
    let certificate = certificate(&openssl, "image");
    let key = AttestationKey::from_pem(&openssl.read("image.key"), &certificate).unwrap();
    assert_eq!(format!("{key:?}"), "AttestationKey([redacted])");
    let signature = key.sign(RECORD).unwrap();
    assert_eq!(signature.len(), SIGNATURE_BYTES);
    assert!(openssl_takes(&openssl, "image.pub", RECORD, &signature));
    assert!(!openssl_takes(&openssl, "image.pub", b"26.7.1\nContract is not signed\n", &signature));
    // And the other way round.
    let public = RecordKey::of_image(&certificate).unwrap();
    let made = openssl.run("sha256 -sign image.key", RECORD);
    assert!(public.signed(RECORD, &made) && public.signed(RECORD, &signature));
    let mut broken = made.clone();
    broken[100] ^= 1;
    for (record, signature) in
        [(&RECORD[1..], &made[..]), (RECORD, &broken), (RECORD, &made[1..]), (RECORD, b"")]
    {
        assert!(!public.signed(record, signature));
    }
    // PSS is not PKCS#1 v1.5.
    let pss = openssl.run("dgst -sha256 -sigopt rsa_padding_mode:pss -sign image.key", RECORD);
    assert!(!public.signed(RECORD, &pss));
    let digest = openssl.run("pkey -pubin -in image.pub -outform DER", b"");
    openssl.write("der", digest);
    let said = String::from_utf8(openssl.run("sha256 -r der", b"")).unwrap();
    assert_eq!(public.sha256_fingerprint().unwrap(), said[..64]);
}

#[test]
fn another_key_is_no_attestation_key() {
    let openssl = Openssl::new();
    openssl.rsa_key("image", 4096);
    openssl.certificate("image", 2, "");
    openssl.rsa_key("small", 2048);
    openssl.certificate("small", 2, "");
    openssl.rsa_key("weak", 1024);
    openssl.certificate("weak", 2, "");
    openssl.ec_key("curve");
    openssl.certificate("curve", 2, "");
    let image = certificate(&openssl, "image");
    let refused = |name: &str| AttestationKey::from_pem(&openssl.read(name), &image).unwrap_err();
    assert_eq!(refused("image.crt"), AttestationKeyError::NotAPrivateKey);
    assert_eq!(refused("small.key"), AttestationKeyError::NotRsa4096);
    assert_eq!(refused("curve.key"), AttestationKeyError::NotRsa4096);
    let other = certificate(&openssl, "small");
    let error = AttestationKey::from_pem(&openssl.read("image.key"), &other).unwrap_err();
    assert_eq!(error, AttestationKeyError::OtherCertificate);
    openssl.run("pkcs8 -topk8 -in image.key -passout pass:words -out locked.key", b"");
    assert_eq!(refused("locked.key"), AttestationKeyError::NotAPrivateKey);
    for name in ["weak", "curve"] {
        assert_eq!(RecordKey::of_image(&certificate(&openssl, name)).unwrap_err(), RecordKeyError::NotRsa);
    }
    RecordKey::of_image(&other).unwrap();
}

#[test]
fn the_documented_command_takes_what_the_key_of_a_boot_signed() {
    let openssl = Openssl::new();
    let made = BootKey::generate().unwrap();
    assert_eq!(format!("{made:?}"), "BootKey([redacted])");
    let public = made.public_half().unwrap();
    openssl.write("boot.der", openssl.decode_base64(&public));
    openssl.run("pkey -pubin -inform DER -in boot.der -out boot.pub", b"");
    // Through the file in which it crosses to the process that signs.
    let key = BootKey::from_pem(made.to_pem().unwrap().expose()).unwrap();
    let signature = key.sign(RECORD).unwrap();
    assert!(openssl_takes(&openssl, "boot.pub", RECORD, &signature));
    let read = RecordKey::of_boot(&public).unwrap();
    assert!(read.signed(RECORD, &signature));
    assert!(
        !RecordKey::of_boot(&BootKey::generate().unwrap().public_half().unwrap())
            .unwrap()
            .signed(RECORD, &signature)
    );
    openssl.rsa_key("image", 2048);
    let rsa = openssl.base64(&openssl.run("pkey -pubin -in image.pub -outform DER", b""));
    let p384 = openssl.run("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384", b"");
    let p384 = openssl.base64(&openssl.run("pkey -pubout -outform DER", &p384));
    for text in ["", "AAAA", "!", &rsa, &p384, &format!("{public}\n")] {
        assert_eq!(RecordKey::of_boot(text).unwrap_err(), RecordKeyError::NotOfABoot, "{text}");
    }
    BootKey::from_pem(&openssl.read("image.key")).unwrap_err();
}
