//! Sealed tokens v1, byte by byte as the module's documentation has them. The openssl program wraps
//! and unwraps the content key; it has no AES-GCM on its command line, so the box is built here
//! from AES-256-CTR of the program and a GHASH written for this test.

#![allow(clippy::unwrap_used)]

mod common;

use common::Openssl;
use countersign_crypto::image_key::ImageKey;
use countersign_crypto::sealed::{SealedToken, SectionName};
use countersign_crypto::token::{Recipient, Unopened};

const OAEP: &str = "-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256";
const SECTIONS: [SectionName; 3] =
    [SectionName::Workload, SectionName::Env, SectionName::AttestationPublicKey];
const TEXT: &str = "type: workload\n# grün, €\n";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Multiplication in GF(2^128) as GCM has it (NIST SP 800-38D, algorithm 1).
fn multiply(x: u128, y: u128) -> u128 {
    let (mut product, mut v) = (0, y);
    for bit in (0..128).rev() {
        if x >> bit & 1 == 1 {
            product ^= v;
        }
        v = if v & 1 == 1 { v >> 1 ^ (0xe1 << 120) } else { v >> 1 };
    }
    product
}

fn block(bytes: &[u8]) -> u128 {
    let mut block = [0; 16];
    block[..bytes.len()].copy_from_slice(bytes);
    u128::from_be_bytes(block)
}

/// Ciphertext (or text, it is the same operation) and the tag over additional data and `sealed`.
struct Gcm<'a> {
    openssl: &'a Openssl,
    key: Vec<u8>,
    nonce: Vec<u8>,
}

impl Gcm<'_> {
    fn counter_mode(&self, start: u32, bytes: &[u8]) -> Vec<u8> {
        let vector = [&self.nonce[..], &start.to_be_bytes()].concat();
        self.openssl.run(&format!("enc -aes-256-ctr -K {} -iv {}", hex(&self.key), hex(&vector)), bytes)
    }

    fn tag(&self, additional: &[u8], sealed: &[u8]) -> Vec<u8> {
        let h = self.openssl.run(&format!("enc -aes-256-ecb -nopad -K {}", hex(&self.key)), &[0; 16]);
        let h = block(&h);
        let mut hash = 0;
        for part in additional.chunks(16).chain(sealed.chunks(16)) {
            hash = multiply(hash ^ block(part), h);
        }
        let lengths = (additional.len() as u128 * 8) << 64 | (sealed.len() as u128 * 8);
        hash = multiply(hash ^ lengths, h);
        self.counter_mode(1, &hash.to_be_bytes())
    }
}

fn additional(openssl: &Openssl, section: &str, wrapped: &[u8]) -> Vec<u8> {
    let digest = openssl.run("dgst -sha256 -binary", wrapped);
    [b"countersign-v1\0", section.as_bytes(), b"\0", &digest].concat()
}

fn open(token: &str, section: SectionName, key: &ImageKey) -> Result<String, Unopened> {
    SealedToken::parse(token).unwrap().open(section, key).map(|text| text.expose().to_owned())
}

fn image(openssl: &Openssl) -> (ImageKey, Recipient) {
    openssl.rsa_key("image", 2048);
    let key = ImageKey::from_pem(&openssl.read("image.key")).unwrap();
    (key, Recipient::parse(&openssl.text("image.pub")).unwrap())
}

#[test]
fn what_we_seal_opens_by_the_book() {
    let openssl = Openssl::new();
    let (_, recipient) = image(&openssl);
    for section in SECTIONS {
        let token = SealedToken::seal(TEXT, section, &recipient).unwrap();
        let parts: Vec<&str> = token.split('.').collect();
        assert_eq!((parts.len(), parts[0]), (3, "countersign-v1"));
        let (wrapped, sealed) = (openssl.decode_base64(parts[1]), openssl.decode_base64(parts[2]));
        assert_eq!((wrapped.len(), sealed.len()), (256, 12 + TEXT.len() + 16));
        let key = openssl.run(&format!("pkeyutl -decrypt -inkey image.key {OAEP}"), &wrapped);
        assert_eq!(key.len(), 32);
        let gcm = Gcm { openssl: &openssl, key, nonce: sealed[..12].to_vec() };
        let (ciphertext, tag) = sealed[12..].split_at(TEXT.len());
        assert_eq!(gcm.counter_mode(2, ciphertext), TEXT.as_bytes());
        assert_eq!(gcm.tag(&additional(&openssl, section.as_str(), &wrapped), ciphertext), tag);
    }
}

/// A token by the book, from a content key of any length and with any name for the section.
fn by_the_book(openssl: &Openssl, content_key: &[u8], options: &str, section: &str, text: &[u8]) -> String {
    let wrap = format!("pkeyutl -encrypt -pubin -inkey image.pub {options}");
    let wrapped = openssl.run(&wrap, content_key);
    let mut key = content_key.to_vec();
    key.resize(32, 0);
    let gcm = Gcm { openssl, key, nonce: b"twelve bytes".to_vec() };
    // Without input the program prints nothing but wants some all the same.
    let ciphertext = if text.is_empty() { Vec::new() } else { gcm.counter_mode(2, text) };
    let tag = gcm.tag(&additional(openssl, section, &wrapped), &ciphertext);
    let sealed = [&gcm.nonce[..], &ciphertext, &tag].concat();
    format!("countersign-v1.{}.{}", openssl.base64(&wrapped), openssl.base64(&sealed))
}

#[test]
fn what_is_sealed_by_the_book_opens() {
    let openssl = Openssl::new();
    let (key, _) = image(&openssl);
    let content_key = openssl.run("rand 32", b"");
    for section in SECTIONS {
        let token = by_the_book(&openssl, &content_key, OAEP, section.as_str(), TEXT.as_bytes());
        assert_eq!(open(&token, section, &key).as_deref(), Ok(TEXT));
        for other in SECTIONS.into_iter().filter(|other| *other != section) {
            assert_eq!(open(&token, other, &key), Err(Unopened), "{section:?} as {other:?}");
        }
    }
    let empty = by_the_book(&openssl, &content_key, OAEP, "env", b"");
    assert_eq!(open(&empty, SectionName::Env, &key).as_deref(), Ok(""));
}

#[test]
fn other_parameters_do_not_open() {
    let openssl = Openssl::new();
    let (key, _) = image(&openssl);
    let content_key = openssl.run("rand 32", b"");
    let token = |key: &[u8], options| by_the_book(&openssl, key, options, "env", TEXT.as_bytes());
    let sha1 = "-pkeyopt rsa_padding_mode:oaep";
    let mixed = "-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha1";
    let label = format!("{OAEP} -pkeyopt rsa_oaep_label:656e76");
    for options in [sha1, mixed, &label, "-pkeyopt rsa_padding_mode:pkcs1"] {
        assert_eq!(open(&token(&content_key, options), SectionName::Env, &key), Err(Unopened), "{options}");
    }
    for len in [1, 16, 31] {
        assert_eq!(open(&token(&content_key[..len], OAEP), SectionName::Env, &key), Err(Unopened), "{len}");
    }
    let long = [&content_key[..], b"x"].concat();
    assert_eq!(open(&token(&long[..32], OAEP), SectionName::Env, &key).as_deref(), Ok(TEXT));
    let not_text = by_the_book(&openssl, &content_key, OAEP, "env", b"type: \xff");
    assert_eq!(open(&not_text, SectionName::Env, &key), Err(Unopened));
}

#[test]
fn every_altered_byte_is_noticed() {
    let openssl = Openssl::new();
    let (key, recipient) = image(&openssl);
    let empty = SealedToken::seal("", SectionName::Env, &recipient).unwrap();
    assert_eq!(open(&empty, SectionName::Env, &key).as_deref(), Ok(""));
    let token = SealedToken::seal(TEXT, SectionName::Env, &recipient).unwrap();
    assert_eq!(open(&token, SectionName::Env, &key).as_deref(), Ok(TEXT));
    let parts: Vec<&str> = token.split('.').collect();
    let (wrapped, sealed) = (openssl.decode_base64(parts[1]), openssl.decode_base64(parts[2]));
    let said = |wrapped: &[u8], sealed: &[u8]| {
        let token = format!("countersign-v1.{}.{}", openssl.base64(wrapped), openssl.base64(sealed));
        open(&token, SectionName::Env, &key).unwrap_err().to_string()
    };
    let unopened = "the token does not open with the key of this image";
    for at in 0..sealed.len() {
        let mut altered = sealed.clone();
        altered[at] ^= 1;
        assert_eq!(said(&wrapped, &altered), unopened, "box, byte {at}");
    }
    for at in (0..wrapped.len()).step_by(7) {
        let mut altered = wrapped.clone();
        altered[at] ^= 1;
        assert_eq!(said(&altered, &sealed), unopened, "wrapped key, byte {at}");
    }
    assert_eq!(said(&wrapped, &sealed[..sealed.len() - 1]), unopened);
    assert_eq!(said(&wrapped[..255], &sealed), unopened);

    // Another wrapping of the same content key is another token.
    let content_key = openssl.run(&format!("pkeyutl -decrypt -inkey image.key {OAEP}"), &wrapped);
    let again = openssl.run(&format!("pkeyutl -encrypt -pubin -inkey image.pub {OAEP}"), &content_key);
    assert_eq!(said(&again, &sealed), unopened);
    openssl.rsa_key("other", 2048);
    let other = ImageKey::from_pem(&openssl.read("other.key")).unwrap();
    assert_eq!(open(&token, SectionName::Env, &other), Err(Unopened));
}
