//! Tokens of both kinds: the parse, and what comes behind RSA and PBKDF2.
//!
//! The first byte chooses: the rest is the text of a token (old and new), opened behind the key derivation if it has
//! the form of one; or a plain text that is sealed, altered at a place and opened; or what RSA decrypts to, before its
//! padding is taken off. RSA and PBKDF2 themselves are not run: they are OpenSSL's, and too slow for ten million
//! inputs. Beyond "returns": what is sealed opens to the same, an altered new token does not open, nor does it in
//! another section; the padding comes off as a plain reading of PKCS#1 says.
#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_crypto::fuzz;
use countersign_crypto::sealed::{SealedToken, SectionName};
use countersign_crypto::section_token::{SectionToken, looks_like_token};
use countersign_crypto::token::{Prefix, Token};
use countersign_fuzz::CANARY;
use libfuzzer_sys::fuzz_target;

const KEYS: [u8; 48] = [7; 48];
const CONTENT_KEY: [u8; 32] = [9; 32];
const SECTIONS: [SectionName; 3] =
    [SectionName::Workload, SectionName::Env, SectionName::AttestationPublicKey];

fuzz_target!(|input: &[u8]| {
    let Some((way, rest)) = input.split_first() else { return };
    match way % 3 {
        0 => parsed(rest),
        1 => sealed(rest),
        _ => unpadded(rest),
    }
});

fn parsed(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let token = match SectionToken::parse(text) {
        Ok(token) => token,
        Err(shape) => {
            let shown = shape.to_string();
            assert!(shown.starts_with("expected") && !shown.contains(CANARY));
            return;
        }
    };
    assert!(looks_like_token(text));
    assert!(!format!("{token:?}").contains(CANARY));
    // Line breaks mean nothing.
    let folded = text.trim().replace(['\n', '\r'], "").replace('=', "\r\n=\n");
    assert!(SectionToken::parse(&folded).is_ok(), "{folded}");
    match token {
        SectionToken::Basic(token) => {
            if let Some(plain) = fuzz::open_basic(&token, KEYS) {
                assert!(fuzz::seal_basic(plain.expose(), KEYS, *b"saltsalt").is_some());
            }
        }
        SectionToken::Sealed(token) => {
            for section in SECTIONS {
                assert!(fuzz::open_sealed(&token, section, CONTENT_KEY).is_none(), "a forged token opened");
            }
        }
    }
}

/// Two bytes say where and how the token is altered; the rest is the text.
fn sealed(input: &[u8]) {
    let &[at, flip, ref text @ ..] = input else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let body = fuzz::seal_basic(text, KEYS, [at; 8]).expect("memory");
    let prefix = Prefix::ALL[usize::from(flip) % Prefix::ALL.len()].as_str();
    let token = Token::parse(&format!("{prefix}.QQ==.{}", STANDARD.encode(&body))).expect("a token");
    assert_eq!(fuzz::open_basic(&token, KEYS).expect("it opens").expose(), text);

    let section = SECTIONS[usize::from(at) % SECTIONS.len()];
    let token = fuzz::seal_sealed(text, section, b"wrapped", CONTENT_KEY, [at; 12]).expect("memory");
    let open =
        |token: &str, section| fuzz::open_sealed(&SealedToken::parse(token).ok()?, section, CONTENT_KEY);
    assert_eq!(open(&token, section).expect("it opens").expose(), text);
    for other in SECTIONS {
        assert!(other == section || open(&token, other).is_none(), "a moved token opened");
    }
    let (start, last) = token.rsplit_once('.').expect("three parts");
    let mut bytes = STANDARD.decode(last).expect("base64");
    let place = usize::from(at) % bytes.len();
    bytes[place] ^= flip.max(1);
    assert!(
        open(&format!("{start}.{}", STANDARD.encode(&bytes)), section).is_none(),
        "an altered token opened"
    );
}

fn unpadded(padded: &[u8]) {
    // As many bytes as the smallest and the largest modulus have, at most.
    if padded.len() < 64 || padded.len() > 1024 {
        return;
    }
    let made_up = vec![0xee; padded.len()];
    let message = fuzz::unpad(padded, &made_up, 17);
    // RFC 8017, section 7.2.2, step 3.
    let end = padded[2..].iter().position(|byte| *byte == 0).filter(|end| *end >= 8);
    let expected = match end {
        Some(end) if padded.starts_with(&[0, 2]) => &padded[2 + end + 1..],
        _ => &made_up[..17],
    };
    assert_eq!(message, expected);
    if let Some(line) = fuzz::passphrase_line(&message) {
        assert!(message.starts_with(line) && !line.contains(&0) && !line.contains(&b'\n'));
    }
}
