//! The same metadata in other words, before cryptsetup and before our reader: what we take, cryptsetup opens.

use openssl::sha::sha256;

use countersign_forgeries::luks2_volumes::{ARGON2ID, DEVICE_SIZE, Volume};
use countersign_plan::luks2::{Profile, judge, read};

/// Bytes of a header copy.
const COPY: usize = 0x4000;
/// Where its JSON area begins.
const AREA: usize = 0x1000;

fn text(head: &[u8]) -> String {
    let area = &head[AREA..COPY];
    let end = area.iter().position(|byte| *byte == 0).expect("an ended text");
    String::from_utf8(area[..end].to_vec()).expect("text")
}

/// The head of a volume with another JSON text in both copies.
fn with_text(head: &[u8], text: &str) -> Vec<u8> {
    let mut changed = head.to_vec();
    for copy in changed.chunks_mut(COPY) {
        copy[AREA..].fill(0);
        copy[AREA..AREA + text.len()].copy_from_slice(text.as_bytes());
        copy[448..512].fill(0);
        let sum = sha256(copy);
        copy[448..480].copy_from_slice(&sum);
    }
    changed
}

/// Whether our reader and judge take a head.
fn taken(head: &[u8]) -> bool {
    read(head).is_ok_and(|header| judge(&header, &Profile::countersign(), DEVICE_SIZE).is_ok())
}

/// A base64 text of one padding letter with a bit that stands for nothing.
fn with_unused_bit(text: &str, member: &str) -> String {
    let start = text.find(&format!("\"{member}\":\"")).expect("the member") + member.len() + 4;
    let last = start + text[start..].find("=\"").expect("one padding letter") - 1;
    let letter = char::from(text.as_bytes()[last] + 1);
    format!("{}{letter}{}", &text[..last], &text[last + 1..])
}

#[test]
fn what_is_taken_cryptsetup_opens() {
    let volume = Volume::format(&[&["--type", "luks2"], &ARGON2ID]);
    let good = volume.head(2 * COPY as u64);
    let text = text(&good);
    let room = COPY - AREA - text.len();
    let body = &text[..text.len() - 1];
    for (name, changed, expected) in [
        ("as it was", text.clone(), true),
        ("blank in front", format!(" {text}"), false),
        ("line break in front", format!("\n{text}"), false),
        ("blank behind", format!("{text} "), true),
        ("line breaks inside", text.replace(',', ",\r\n\t "), true),
        ("filled up to the zero byte", format!("{body}{}}}", " ".repeat(room - 1)), true),
        ("filled up", format!("{body}{}}}", " ".repeat(room)), false),
        ("escaped letter of a value", text.replace("aes-xts", "\\u0061es-xts"), true),
        ("escaped letter of a name", text.replace("\"kdf\"", "\"\\u006bdf\""), true),
        ("unused bit in a salt", with_unused_bit(&text, "salt"), false),
        ("unused bit in the digest", with_unused_bit(&text, "digest"), false),
    ] {
        let head = with_text(&good, &changed);
        volume.overwrite(&head);
        assert_eq!(volume.opens(), expected, "cryptsetup: {name}");
        assert_eq!(taken(&head), expected, "{name}");
    }
}
