//! Image keys made by the openssl program: which are accepted, and what is said of the others.

#![allow(clippy::unwrap_used)]

mod common;

use common::Openssl;
use countersign_crypto::image_key::{ImageKey, ImageKeyError};
use countersign_crypto::token::Token;

fn refused(pem: &[u8]) -> ImageKeyError {
    ImageKey::from_pem(pem).unwrap_err()
}

#[test]
fn pkcs8_and_pkcs1_are_the_same_key() {
    let openssl = Openssl::new();
    openssl.rsa_key("image", 2048);
    openssl.run("pkey -in image.key -traditional -out pkcs1.key", b"");
    assert!(openssl.text("pkcs1.key").starts_with("-----BEGIN RSA PRIVATE KEY-----"));
    let token = openssl.token("contract-basic", "image", b"type: env", b"passphrase");
    for name in ["image.key", "pkcs1.key"] {
        let key = ImageKey::from_pem(&openssl.read(name)).unwrap();
        assert_eq!(Token::parse(&token).unwrap().open(&key).unwrap().expose(), "type: env");
        assert_eq!(format!("{key:?}"), "ImageKey([redacted])");
    }
}

#[test]
fn everything_else_is_refused() {
    let openssl = Openssl::new();
    openssl.rsa_key("image", 2048);
    openssl.ec_key("curve");
    openssl.rsa_key("small", 1024);
    openssl.run("pkey -in image.key -aes256 -passout pass:secret -out locked.key", b"");
    openssl.run("pkey -in image.key -aes256 -passout pass:secret -traditional -out locked1.key", b"");
    assert_eq!(refused(b""), ImageKeyError::NotAPrivateKey);
    assert_eq!(refused(b"key"), ImageKeyError::NotAPrivateKey);
    assert_eq!(refused(&openssl.read("image.pub")), ImageKeyError::NotAPrivateKey);
    // These would make OpenSSL ask the terminal for a password, if it were let.
    assert_eq!(refused(&openssl.read("locked.key")), ImageKeyError::NotAPrivateKey);
    assert_eq!(refused(&openssl.read("locked1.key")), ImageKeyError::NotAPrivateKey);
    assert_eq!(refused(&openssl.read("curve.key")), ImageKeyError::NotRsa);
    assert_eq!(refused(&openssl.read("small.key")), ImageKeyError::Size { bits: 1024 });
}
