//! Members of the metadata with other values.

use serde_json::{Value, json};

use super::Outcome;
use super::forge::{Forge, put, texts};

pub(super) fn changed(forge: &mut Forge, device_size: u64) {
    keyslot(forge);
    keyslot_area(forge);
    keyslot_kdf(forge);
    keyslot_set(forge);
    segment(forge, device_size);
    digest(forge);
    config(forge);
}

const FOREIGN_CIPHERS: [&str; 12] = [
    "cipher_null-ecb",
    "cipher_null",
    "null",
    "",
    "aes-cbc-essiv:sha256",
    "aes-ecb",
    "aes-xts-plain",
    "aes-xts-null",
    "aes-xts-plain64 ",
    "AES-XTS-PLAIN64",
    "capi:xts(aes)-plain64",
    "serpent-xts-plain64",
];
const FOREIGN_HASHES: [&str; 6] = ["sha1", "md5", "crc32", "SHA256", "ripemd160", ""];

fn keyslot(forge: &mut Forge) {
    forge.set("/keyslots/0/type", "keyslot-type", &texts(&["reencrypt", "luks1", "LUKS2", ""]));
    let sizes = [0, 1, 16, 32, 63, 65, 96, 128, 1 << 32, u64::MAX].map(|size| json!(size));
    forge.set("/keyslots/0/key_size", "keyslot-key-size", &sizes);
    forge.set("/keyslots/0/priority", "keyslot-priority", &[json!(0), json!(3)]);
    forge.set("/keyslots/0/priority", "json-kind", &[json!("1"), json!(null)]);
    forge.set("/keyslots/0/af/type", "keyslot-af-type", &texts(&["none", "luks2", ""]));
    let stripes = [0, 1, 2, 3999, 4001, 8000, 1u64 << 32].map(|stripes| json!(stripes));
    forge.set("/keyslots/0/af/stripes", "keyslot-af-stripes", &stripes);
    forge.set("/keyslots/0/af/hash", "keyslot-af-hash", &texts(&FOREIGN_HASHES));
}

fn keyslot_area(forge: &mut Forge) {
    forge.set(
        "/keyslots/0/area/type",
        "keyslot-area-type",
        &texts(&["none", "journal", "checksum", "datashift"]),
    );
    forge.set("/keyslots/0/area/encryption", "keyslot-area-cipher", &texts(&FOREIGN_CIPHERS));
    let sizes = [0, 1, 16, 32, 63, 128].map(|size| json!(size));
    forge.set("/keyslots/0/area/key_size", "keyslot-area-key-size", &sizes);
    // 32 byte keys are legal in volumes made elsewhere, also for key slots alone.
    forge.mutants.iter_mut().for_each(|mutant| {
        mutant.legal_elsewhere |= mutant.name == "json: /keyslots/0/area/key_size = 32";
    });
    let outside = ["0", "4096", "16384", "28672", "32769", "33280", "16777216", "18446744073709547520"];
    forge.set("/keyslots/0/area/offset", "keyslot-area-offset", &texts(&outside));
    forge.set("/keyslots/0/area/offset", "json-decimal", &texts(&["-1", "032768", "0x8000", " 32768", ""]));
    forge.set("/keyslots/0/area/offset", "json-kind", &[json!(32768)]);
    // Begins inside the area and ends in the data.
    forge.set_at(
        "/keyslots/0/area/offset",
        &[("keyslot-area-size", "/keyslots/0/area/size")],
        &texts(&["16773120", "16523264"]),
    );
    let sizes = ["0", "4096", "131072", "258047", "262144", "16777216", "18446744073709551615"];
    forge.set("/keyslots/0/area/size", "keyslot-area-size", &texts(&sizes));
}

fn keyslot_kdf(forge: &mut Forge) {
    let numbers = |values: &[u64]| -> Vec<Value> { values.iter().map(|value| json!(value)).collect() };
    let kdf = "/keyslots/0/kdf";
    forge.set("/keyslots/0/kdf/type", "keyslot-kdf-type", &texts(&["argon2i", "scrypt", "none", ""]));
    forge.set("/keyslots/0/kdf/time", "keyslot-kdf-time", &numbers(&[0, 65, u64::from(u32::MAX), u64::MAX]));
    forge.set("/keyslots/0/kdf/time", "keyslot-kdf-cost", &numbers(&[1]));
    forge.set("/keyslots/0/kdf/time", "json-number", &[json!(-4), json!(4.0), json!(4.5)]);
    forge.mutants.iter_mut().rev().take(3).for_each(|mutant| {
        // Numbers are refused while the text is read, before there is a place in it.
        mutant.outcome = Outcome::Refused(vec![("json-number", "json area".to_owned())]);
    });
    let memory = [0, 1, 8, 1024, 32767, 1_048_577, u64::from(u32::MAX), u64::MAX];
    forge.set("/keyslots/0/kdf/memory", "keyslot-kdf-memory", &numbers(&memory));
    forge.set("/keyslots/0/kdf/cpus", "keyslot-kdf-cpus", &numbers(&[0, 5, 255, u64::from(u32::MAX)]));
    for (time, memory) in [(64, 1_048_576), (17, 1_048_576), (3, 32_768)] {
        forge.json(
            &format!("argon2id cost {time} x {memory}"),
            &[("keyslot-kdf-cost", "/keyslots/0/kdf/time")],
            |metadata| {
                put(metadata, "/keyslots/0/kdf/time", json!(time));
                put(metadata, "/keyslots/0/kdf/memory", json!(memory));
            },
        );
    }
    salts(forge, "/keyslots/0/kdf/salt", "keyslot-kdf-salt");
    let salt = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    for iterations in [1000, 10_000_000] {
        let pbkdf2 = json!({"type": "pbkdf2", "hash": "sha256", "iterations": iterations, "salt": salt});
        forge.set_at(kdf, &[("keyslot-kdf-type", "/keyslots/0/kdf/type")], &[pbkdf2]);
        forge.legal_elsewhere();
    }
    for (iterations, hash) in [(1, "sha256"), (999, "sha256"), (10_000_001, "sha256"), (1000, "sha1")] {
        let pbkdf2 = json!({"type": "pbkdf2", "hash": hash, "iterations": iterations, "salt": salt});
        forge.set_at(kdf, &[("keyslot-kdf-type", "/keyslots/0/kdf/type")], &[pbkdf2]);
    }
    let mixed = json!({"type": "pbkdf2", "hash": "sha256", "iterations": 1000, "salt": salt, "time": 4});
    forge.set_at(kdf, &[("json-unknown", kdf)], &[mixed]);
}

/// Salts of other lengths than 32 bytes, and salts that are not base64.
fn salts(forge: &mut Forge, pointer: &str, id: &'static str) {
    let lengths = [0usize, 1, 16, 31, 33, 64].map(|len| json!(openssl::base64::encode_block(&vec![7; len])));
    forge.set(pointer, id, &lengths);
    forge.set(pointer, "json-base64", &texts(&["!", "YQ", "=", "YWJj YWJj"]));
    unused_bits(forge, pointer);
}

/// Bits of the last letter that stand for nothing: cryptsetup shows such a text, and does not open with it.
fn unused_bits(forge: &mut Forge, pointer: &str) {
    for (len, end) in [(32, "B="), (32, "D="), (31, "B=="), (31, "/==")] {
        let text = openssl::base64::encode_block(&vec![0; len]);
        forge.set(pointer, "json-base64", &[json!(format!("{}{end}", &text[..text.len() - end.len()]))]);
    }
}

fn keyslot_set(forge: &mut Forge) {
    let second = |metadata: &mut Value, number: &str, offset: &str| {
        let mut slot = metadata["keyslots"]["0"].clone();
        slot["area"]["offset"] = json!(offset);
        put(metadata, &format!("/keyslots/{number}"), slot);
    };
    let count = ("keyslot-count", "/keyslots");
    forge.json("second key slot", &[count], |metadata| {
        second(metadata, "1", "290816");
        put(metadata, "/digests/0/keyslots", json!(["0", "1"]));
    });
    forge.legal_elsewhere();
    forge.json(
        "second key slot without digest",
        &[count, ("digest-keyslots", "/digests/0/keyslots")],
        |metadata| {
            second(metadata, "1", "290816");
        },
    );
    for (number, offset) in [("1", "32768"), ("7", "36864"), ("31", "286720")] {
        let place = format!("/keyslots/{number}/area/offset");
        let expected = [count, ("keyslot-area-overlap", place.as_str())];
        forge.json(&format!("key slot {number} overlaps at {offset}"), &expected, |metadata| {
            second(metadata, number, offset);
            put(metadata, "/digests/0/keyslots", json!(["0", number]));
        });
    }
    forge.json("third key slot", &[count], |metadata| {
        second(metadata, "1", "290816");
        second(metadata, "2", "548864");
        put(metadata, "/digests/0/keyslots", json!(["0", "1", "2"]));
    });
    for number in ["32", "00", "01", "x", "", "-1", "4294967296"] {
        forge.json(&format!("key slot named '{number}'"), &[("json-index", "/keyslots")], |metadata| {
            second(metadata, number, "290816");
        });
    }
    forge.json("no key slot", &[count, ("digest-keyslots", "/digests/0/keyslots")], |metadata| {
        put(metadata, "/keyslots", json!({}));
    });
    forge.json("key slot renumbered", &[("digest-keyslots", "/digests/0/keyslots")], |metadata| {
        let slot = metadata["keyslots"]["0"].clone();
        put(metadata, "/keyslots", json!({"1": slot}));
    });
}

fn segment(forge: &mut Forge, device_size: u64) {
    forge.set("/segments/0/type", "segment-type", &texts(&["linear", "error", "zero", "CRYPT", ""]));
    forge.set("/segments/0/encryption", "segment-cipher", &texts(&FOREIGN_CIPHERS));
    forge.set("/segments/0/iv_tweak", "segment-iv-tweak", &texts(&["1", "8", "18446744073709551615"]));
    forge.set("/segments/0/iv_tweak", "json-decimal", &texts(&["-1", "00", "0x0", ""]));
    let sectors = [0, 1, 256, 511, 513, 1024, 2048, 8192, 1u64 << 32].map(|size| json!(size));
    forge.set("/segments/0/sector_size", "segment-sector-size", &sectors);
    let past = [device_size, device_size + 4096].map(|offset| offset.to_string());
    let offsets = [
        "0",
        "4096",
        "32768",
        "16773120",
        "16777217",
        "16777728",
        &past[0],
        &past[1],
        "18446744073709547520",
    ];
    forge.set("/segments/0/offset", "segment-offset", &texts(&offsets));
    let rest = device_size - (16 << 20);
    let sizes = [0, 512, 4096, rest - 4096, rest + 4096, u64::MAX].map(|size| json!(size.to_string()));
    forge.set("/segments/0/size", "segment-size", &sizes);
    forge.set("/segments/0/size", "json-decimal", &texts(&["Dynamic", "dynamic ", "", "-512"]));
    let integrity =
        json!({"type": "hmac(sha256)", "journal_encryption": "none", "journal_integrity": "none"});
    let values =
        [integrity, json!({"type": "aead"}), json!({"type": "none"}), json!({}), json!(""), json!(null)];
    forge.set("/segments/0/integrity", "segment-integrity", &values);
    let flags = [
        json!([]),
        json!(["in-reencryption"]),
        json!(["backup-final"]),
        json!(["backup-previous"]),
        json!(""),
    ];
    forge.set("/segments/0/flags", "segment-flags", &flags);
    forge.json("no segment", &[("segment-count", "/segments")], |metadata| {
        put(metadata, "/segments", json!({}))
    });
    forge.json("second segment", &[("segment-count", "/segments")], |metadata| {
        let segment = metadata["segments"]["0"].clone();
        put(metadata, "/segments/1", segment);
    });
    let both = [("segment-count", "/segments"), ("digest-segments", "/digests/0/segments")];
    forge.json("second segment with digest", &both, |metadata| {
        let segment = metadata["segments"]["0"].clone();
        put(metadata, "/segments/1", segment);
        put(metadata, "/digests/0/segments", json!(["0", "1"]));
    });
    forge.json("linear segment before the data", &[("segment-count", "/segments")], |metadata| {
        let linear = json!({"type": "linear", "offset": "16777216", "size": "4096"});
        put(metadata, "/segments/1", linear);
    });
    forge.json("segment renumbered", &both, |metadata| {
        let segment = metadata["segments"]["0"].clone();
        put(metadata, "/segments", json!({"1": segment}));
        put(metadata, "/digests/0/segments", json!(["1"]));
    });
}

fn digest(forge: &mut Forge) {
    let at = |member: &str| format!("/digests/0/{member}");
    forge.set(&at("type"), "digest-type", &texts(&["none", "pbkdf1", "PBKDF2", ""]));
    let sets = [json!([]), json!(["1"]), json!(["0", "0"]), json!(["0", "1"])];
    forge.set(&at("keyslots"), "digest-keyslots", &sets);
    forge.set(&at("segments"), "digest-segments", &sets);
    for member in ["keyslots", "segments"] {
        forge.set(&at(member), "json-kind", &[json!("0"), json!({}), json!(0)]);
        let first = at(&format!("{member}/0"));
        forge.set_at(&at(member), &[("json-index", &first)], &[json!(["32"]), json!(["00"]), json!([""])]);
        forge.set_at(&at(member), &[("json-kind", &first)], &[json!([0]), json!([null])]);
    }
    forge.set(&at("hash"), "digest-hash", &texts(&FOREIGN_HASHES));
    forge.set_at(&at("hash"), &[("digest-length", "/digests/0/digest")], &texts(&["sha512"]));
    let iterations = [0, 1, 999, 10_000_001, u64::from(u32::MAX)].map(|count| json!(count));
    forge.set(&at("iterations"), "digest-iterations", &iterations);
    salts(forge, &at("salt"), "digest-salt");
    let lengths = [0usize, 1, 20, 31, 33, 64].map(|len| json!(openssl::base64::encode_block(&vec![7; len])));
    forge.set(&at("digest"), "digest-length", &lengths);
    unused_bits(forge, &at("digest"));
    let count = [("digest-count", "/digests")];
    forge.json("no digest", &count, |metadata| put(metadata, "/digests", json!({})));
    forge.json("second digest", &count, |metadata| {
        let digest = metadata["digests"]["0"].clone();
        put(metadata, "/digests/1", digest);
    });
}

fn config(forge: &mut Forge) {
    let sizes = ["0", "4096", "12287", "16384", "4294967296", "18446744073709551615"];
    forge.set("/config/json_size", "config-json-size", &texts(&sizes));
    let keyslots_size = "/config/keyslots_size";
    forge.set_at(keyslots_size, &[("keyslot-area-offset", "/keyslots/0/area/offset")], &texts(&["0"]));
    forge.set_at(
        keyslots_size,
        &[("keyslot-area-size", "/keyslots/0/area/size")],
        &texts(&["4096", "253952"]),
    );
    forge.set_at(
        keyslots_size,
        &[("segment-offset", "/segments/0/offset")],
        &texts(&["16748544", "33521664"]),
    );
    forge.set(keyslots_size, "config-keyslots-size", &texts(&["16744447", "258049"]));
    let far = [("config-keyslots-size", keyslots_size), ("segment-offset", "/segments/0/offset")];
    forge.set_at(keyslots_size, &far, &texts(&["33525760", "134217728", "18446744073709547520"]));
    let requirements = [
        json!({}),
        json!([]),
        json!({"mandatory": []}),
        json!({"mandatory": ["online-reencrypt-v2"]}),
        json!({"mandatory": ["offline-reencrypt"]}),
        json!({"mandatory": ["unheard-of"]}),
        json!(["online-reencrypt"]),
    ];
    forge.set("/config/requirements", "requirements", &requirements);
    let flags = [json!([]), json!(["allow-discards"]), json!(["no-journal"]), json!(["unheard-of"])];
    forge.set("/config/flags", "config-flags", &flags);
    let token = json!({"type": "luks2-keyring", "keyslots": ["0"], "key_description": "theirs"});
    for (name, tokens) in [
        ("keyring token", json!({"0": token})),
        ("unbound token", json!({"31": {"type": "x", "keyslots": []}})),
        ("two tokens", json!({"0": token, "1": token})),
        ("empty token", json!({"0": null})),
    ] {
        forge.json(name, &[("tokens", "/tokens")], |metadata| put(metadata, "/tokens", tokens));
    }
}
