//! Tokens against the openssl program: what it seals we open, what we seal it opens, and whatever
//! is wrong gets one answer.

#![allow(clippy::unwrap_used)]

mod common;

use common::Openssl;
use countersign_crypto::image_key::ImageKey;
use countersign_crypto::token::{Prefix, Recipient, Token, TokenShape, Unopened};

const PREFIXES: [&str; 2] = ["hyper-protect-basic", "contract-basic"];
const UNOPENED: &str = "the token does not open with the key of this image";
const TEXT: &str = "type: env\nlogging:\n  syslog:\n    hostname: logs.example.org\n# grün, € und 𝄞\n";

fn image_key(openssl: &Openssl, name: &str) -> ImageKey {
    ImageKey::from_pem(&openssl.read(&format!("{name}.key"))).unwrap()
}

fn open(token: &str, key: &ImageKey) -> Result<String, Unopened> {
    Token::parse(token).unwrap().open(key).map(|text| text.expose().to_owned())
}

fn printable() -> Vec<u8> {
    b"abcdefghijklmnopqrstuvwxyz012345".to_vec()
}

#[test]
fn opens_what_openssl_seals_to_a_key_of_the_documented_size() {
    let openssl = Openssl::new();
    openssl.rsa_key("image", 4096);
    let key = image_key(&openssl, "image");
    for prefix in PREFIXES {
        let token = openssl.token(prefix, "image", TEXT.as_bytes(), &printable());
        assert_eq!(open(&token, &key).as_deref(), Ok(TEXT));
    }
}

#[test]
fn opens_texts_of_any_length() {
    let openssl = Openssl::new();
    openssl.rsa_key("image", 2048);
    let key = image_key(&openssl, "image");
    for len in [0, 1, 15, 16, 17, 31, 32, 33, 100_000] {
        let text = "x".repeat(len);
        let token = openssl.token(PREFIXES[0], "image", text.as_bytes(), &printable());
        assert_eq!(open(&token, &key), Ok(text), "{len}");
    }
}

#[test]
fn passphrase_ends_where_openssl_ends_it_at_every_position() {
    let openssl = Openssl::new();
    openssl.rsa_key("image", 2048);
    let key = image_key(&openssl, "image");
    for special in [b'\n', 0, b'\r'] {
        for at in 0..32 {
            let mut passphrase = printable();
            passphrase[at] = special;
            if special == 0 && at == 0 {
                assert_eq!(openssl.try_enc(TEXT.as_bytes(), &passphrase), None, "openssl takes a NUL first");
                continue;
            }
            let token = openssl.token(PREFIXES[at % 2], "image", TEXT.as_bytes(), &passphrase);
            assert_eq!(open(&token, &key).as_deref(), Ok(TEXT), "{special} at {at}");
        }
    }
    // The same the other way round: a byte after the cut does not matter, one before it does.
    let body = openssl.try_enc(TEXT.as_bytes(), b"abc\nxyz").unwrap();
    for (passphrase, opens) in
        [(&b"abc\0other"[..], true), (b"abc", true), (b"abc\r\n", false), (b"ab\n", false)]
    {
        let token = format!(
            "{}.{}.{}",
            PREFIXES[0],
            openssl.base64(&openssl.wrap("image", passphrase)),
            openssl.base64(&body)
        );
        assert_eq!(open(&token, &key).is_ok(), opens, "{passphrase:?}");
    }
}

#[test]
fn no_passphrase_is_not_the_empty_one() {
    let openssl = Openssl::new();
    openssl.rsa_key("image", 2048);
    let key = image_key(&openssl, "image");
    let body = openssl.base64(&openssl.try_enc(TEXT.as_bytes(), b"\n").unwrap());
    let token = |passphrase: &[u8]| {
        format!("{}.{}.{body}", PREFIXES[0], openssl.base64(&openssl.wrap("image", passphrase)))
    };
    assert_eq!(open(&token(b"\nrest"), &key).as_deref(), Ok(TEXT));
    assert_eq!(open(&token(b"\0rest"), &key), Err(Unopened));
    // The program does not encrypt nothing, so the padding is made by hand.
    let mut padded = vec![0xaa; 256];
    padded[..2].copy_from_slice(&[0, 2]);
    padded[255] = 0;
    let empty =
        openssl.run("pkeyutl -encrypt -pubin -inkey image.pub -pkeyopt rsa_padding_mode:none", &padded);
    let token = format!("{}.{}.{body}", PREFIXES[0], openssl.base64(&empty));
    assert_eq!(open(&token, &key), Err(Unopened));
}

#[test]
fn openssl_opens_what_we_seal() {
    let openssl = Openssl::new();
    openssl.rsa_key("image", 4096);
    openssl.certificate("image", 365, "-sha512");
    let certificate = openssl.text("image.crt");
    let forms = [openssl.base64(certificate.as_bytes()), openssl.text("image.pub"), certificate];
    for (form, has_date) in forms.iter().zip([true, false, true]) {
        let recipient = Recipient::parse(form).unwrap();
        assert_eq!(recipient.not_after().is_some(), has_date);
        for prefix in Prefix::ALL {
            let token = Token::seal(TEXT, &recipient, prefix).unwrap();
            let parts: Vec<&str> = token.split('.').collect();
            assert_eq!((parts.len(), parts[0]), (3, prefix.as_str()));
            openssl.write("body", openssl.decode_base64(parts[2]));
            let passphrase = openssl.run(
                "pkeyutl -decrypt -inkey image.key -pkeyopt rsa_padding_mode:pkcs1",
                &openssl.decode_base64(parts[1]),
            );
            assert_eq!(passphrase.len(), 44);
            let text = openssl.run("enc -d -aes-256-cbc -pbkdf2 -pass stdin -in body", &passphrase);
            assert_eq!(text, TEXT.as_bytes());
            assert_eq!(open(&token, &image_key(&openssl, "image")).as_deref(), Ok(TEXT));
        }
    }
}

#[test]
fn our_passphrases_are_one_line_for_every_reader() {
    let openssl = Openssl::new();
    openssl.rsa_key("image", 2048);
    let recipient = Recipient::parse(&openssl.text("image.pub")).unwrap();
    for _ in 0..40 {
        let token = Token::seal("x", &recipient, Prefix::ContractBasic).unwrap();
        let wrapped = openssl.decode_base64(token.split('.').nth(1).unwrap());
        let passphrase = openssl.run("pkeyutl -decrypt -inkey image.key", &wrapped);
        assert_eq!(openssl.decode_base64(std::str::from_utf8(&passphrase).unwrap()).len(), 32);
        assert!(passphrase.iter().all(u8::is_ascii_graphic), "one line, also for a shell");
    }
}

#[test]
fn another_images_key() {
    let openssl = Openssl::new();
    openssl.rsa_key("image", 2048);
    openssl.rsa_key("other", 2048);
    openssl.rsa_key("larger", 3072);
    let token = openssl.token(PREFIXES[0], "image", TEXT.as_bytes(), &printable());
    for other in ["other", "larger"] {
        let refused = open(&token, &image_key(&openssl, other)).unwrap_err();
        assert_eq!(refused.to_string(), UNOPENED);
    }
}

#[test]
fn every_altered_byte_gets_the_same_answer() {
    let openssl = Openssl::new();
    openssl.rsa_key("image", 2048);
    let key = image_key(&openssl, "image");
    let wrapped = openssl.wrap("image", &printable());
    let body = openssl.try_enc(TEXT.as_bytes(), &printable()).unwrap();
    let opened = |wrapped: &[u8], body: &[u8]| {
        open(&format!("{}.{}.{}", PREFIXES[0], openssl.base64(wrapped), openssl.base64(body)), &key)
    };
    assert_eq!(opened(&wrapped, &body).as_deref(), Ok(TEXT));
    for at in (0..wrapped.len()).step_by(13) {
        let mut altered = wrapped.clone();
        altered[at] ^= 1;
        assert_eq!(opened(&altered, &body).unwrap_err().to_string(), UNOPENED, "byte {at}");
    }
    let mut accepted = 0;
    for at in (0..body.len()).step_by(3) {
        let mut altered = body.clone();
        altered[at] ^= 0x80;
        match opened(&wrapped, &altered) {
            Err(error) => assert_eq!(error.to_string(), UNOPENED, "byte {at}"),
            // CBC does not notice when the garbled block happens to be UTF-8.
            Ok(text) => {
                assert_ne!(text, TEXT);
                accepted += 1;
            }
        }
    }
    assert!(accepted < 3, "{accepted}");
}

#[test]
fn every_truncation_is_refused() {
    let openssl = Openssl::new();
    openssl.rsa_key("image", 2048);
    let key = image_key(&openssl, "image");
    let token = openssl.token(PREFIXES[0], "image", TEXT.as_bytes(), &printable());
    let mut unopened = 0;
    for len in 0..token.len() {
        match Token::parse(&token[..len]) {
            Ok(parsed) => {
                assert_eq!(parsed.open(&key).unwrap_err().to_string(), UNOPENED, "{len}");
                unopened += 1;
            }
            Err(shape) => assert!(
                matches!(shape, TokenShape::Prefix | TokenShape::Parts(_) | TokenShape::Body(_)),
                "{len}: {shape:?}"
            ),
        }
    }
    assert!(unopened > 30, "{unopened}");
}

#[test]
fn what_is_no_sealed_passphrase_gets_the_same_answer() {
    let openssl = Openssl::new();
    openssl.rsa_key("image", 2048);
    let key = image_key(&openssl, "image");
    let body = openssl.base64(&openssl.try_enc(TEXT.as_bytes(), &printable()).unwrap());
    let raw = |start: &[u8], message: &[u8]| {
        let mut padded = start.to_vec();
        padded.resize(256 - message.len() - 1, 0xaa);
        padded.push(0);
        padded.extend_from_slice(message);
        openssl.run("pkeyutl -encrypt -pubin -inkey image.pub -pkeyopt rsa_padding_mode:none", &padded)
    };
    let token = |wrapped: &[u8]| format!("{}.{}.{body}", PREFIXES[0], openssl.base64(wrapped));
    // The frame of the test is right: this one opens.
    assert_eq!(open(&token(&raw(&[0, 2], &printable())), &key).as_deref(), Ok(TEXT));
    let mut short_padding = vec![0, 2, 0xaa, 0xaa, 0];
    short_padding.extend([0xaa; 20]);
    let whole = openssl.wrap("image", &printable());
    let refused = [
        raw(&[0, 1], &printable()),
        raw(&[0, 0], &printable()),
        raw(&[1, 2], &printable()),
        raw(&short_padding, &printable()),
        openssl.run("pkeyutl -encrypt -pubin -inkey image.pub -pkeyopt rsa_padding_mode:oaep", &printable()),
        vec![0; 256],
        vec![0xff; 256],
        whole[..255].to_vec(),
        [&[0], &whole[..]].concat(),
        b"x".to_vec(),
    ];
    for (at, wrapped) in refused.iter().enumerate() {
        assert_eq!(open(&token(wrapped), &key).unwrap_err().to_string(), UNOPENED, "{at}");
    }
}

#[test]
fn what_is_no_body_gets_the_same_answer() {
    let openssl = Openssl::new();
    openssl.rsa_key("image", 2048);
    let key = image_key(&openssl, "image");
    let wrapped = openssl.base64(&openssl.wrap("image", &printable()));
    let body = openssl.try_enc(TEXT.as_bytes(), &printable()).unwrap();
    let not_text = openssl.try_enc(b"type: \xff\xfe", &printable()).unwrap();
    let other_iterations = {
        openssl.write("text", TEXT);
        openssl.run("enc -aes-256-cbc -pbkdf2 -iter 10001 -pass stdin -in text", &printable())
    };
    let refused = [
        b"Salted__".to_vec(),
        body[..16].to_vec(),
        body[..body.len() - 1].to_vec(),
        [&body[..], b"0123456789abcdef"].concat(),
        [b"salted__", &body[8..]].concat(),
        not_text,
        other_iterations,
    ];
    for (at, body) in refused.iter().enumerate() {
        let token = format!("{}.{wrapped}.{}", PREFIXES[0], openssl.base64(body));
        assert_eq!(open(&token, &key).unwrap_err().to_string(), UNOPENED, "{at}");
    }
}

/// A passphrase that nobody sealed: where the padding is broken, OpenSSL since 3.2 makes one up.
/// A body under that very passphrase opens, so ours is the same.
#[test]
fn broken_padding_decrypts_to_what_openssl_makes_up() {
    let openssl = Openssl::new();
    openssl.rsa_key("image", 2048);
    let key = image_key(&openssl, "image");
    let mut compared = 0;
    for _ in 0..20 {
        let mut broken = openssl.run("rand 256", b"");
        broken[0] = 0;
        let output = openssl.try_run("pkeyutl -decrypt -inkey image.key", &broken);
        if !output.status.success() {
            let version = String::from_utf8(openssl.run("version", b"")).unwrap();
            assert!(version.starts_with("OpenSSL 3.0") || version.starts_with("OpenSSL 3.1"), "{version}");
            println!("not compared: no implicit rejection in {version}");
            return;
        }
        let Some(body) = openssl.try_enc(TEXT.as_bytes(), &output.stdout) else { continue };
        let token = format!("{}.{}.{}", PREFIXES[0], openssl.base64(&broken), openssl.base64(&body));
        assert_eq!(open(&token, &key).as_deref(), Ok(TEXT));
        compared += 1;
    }
    assert!(compared > 10, "{compared}");
}
