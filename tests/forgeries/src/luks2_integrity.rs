//! Forged headers of a volume with integrity: like [`super::luks2_mutants`], for the fields that integrity adds.
//!
//! cryptsetup makes such a header only where there is a device mapper, so natively the good one is a plain header of
//! its making that is changed here to what it writes there; in a guest the list is applied to a header of its own.

// A test that cannot set up its input has failed.
#![allow(clippy::expect_used)]

use serde_json::{Value, json};

use super::luks2_mutants::{Forge, Mutant, object, put, texts};

/// The first bytes of a volume with HMAC-SHA-256, from those of a plain one that `cryptsetup luksFormat` made with a
/// 64 byte key.
///
/// # Panics
/// When `plain` is no such header.
pub fn with_integrity(plain: &[u8]) -> Vec<u8> {
    let mut forge = Forge::new(plain);
    forge.json("integrity", &[], |metadata| {
        // 96 bytes in 4000 stripes, in whole blocks.
        put(metadata, "/keyslots/0/key_size", json!(96));
        put(metadata, "/keyslots/0/area/size", json!("385024"));
        let tags = json!({"type": "hmac(sha256)", "journal_encryption": "none", "journal_integrity": "none"});
        put(metadata, "/segments/0/integrity", tags);
    });
    forge.into_mutants().remove(0).head
}

/// Every mutant of the good header of a volume with integrity.
///
/// # Panics
/// When `good` is no such header.
pub fn integrity_mutants(good: &[u8]) -> Vec<Mutant> {
    let mut forge = Forge::new(good);
    const MEMBER: &str = "/segments/0/integrity";
    forge.json("no integrity", &[("segment-integrity", MEMBER)], |metadata| {
        object(metadata, "/segments/0").remove("integrity");
    });
    let within = |forge: &mut Forge, name: &str, values: &[Value]| {
        forge.set_at(&format!("{MEMBER}/{name}"), &[("segment-integrity", MEMBER)], values);
    };
    let types = [
        "",
        "none",
        "aead",
        "crc32c",
        "hmac(sha1)",
        "hmac(sha512)",
        "hmac(sha256) ",
        "HMAC(SHA256)",
        "poly1305",
        "cmac(aes)",
        "hmac-sha256",
    ];
    within(&mut forge, "type", &texts(&types));
    within(&mut forge, "type", &[json!(0), json!(null), json!(["hmac(sha256)"])]);
    for name in ["journal_encryption", "journal_integrity"] {
        within(&mut forge, name, &texts(&["", "None", "cbc(aes)", "hmac(sha256)"]));
        within(&mut forge, name, &[json!(false)]);
    }
    within(&mut forge, "key_size", &[json!(0), json!(32)]);
    for name in ["type", "journal_encryption", "journal_integrity"] {
        forge.json(&format!("integrity without {name}"), &[("segment-integrity", MEMBER)], |metadata| {
            object(metadata, MEMBER).remove(name);
        });
    }
    forge.set(
        MEMBER,
        "segment-integrity",
        &[json!({}), json!([]), json!(""), json!("hmac(sha256)"), json!(null)],
    );
    let sizes = [0, 32, 64, 95, 97, 128, u64::MAX].map(|size| json!(size));
    forge.set("/keyslots/0/key_size", "keyslot-key-size", &sizes);
    let sizes = ["0", "258048", "380928", "389120"];
    forge.set("/keyslots/0/area/size", "keyslot-area-size", &texts(&sizes));
    forge.set("/keyslots/0/area/key_size", "keyslot-area-key-size", &[json!(48), json!(96)]);
    let ciphers = [
        "cipher_null-ecb",
        "aes-gcm-random",
        "capi:authenc(hmac(sha256),xts(aes))-plain64",
        "aes-xts-random",
    ];
    forge.set("/segments/0/encryption", "segment-cipher", &texts(&ciphers));
    forge.into_mutants()
}
