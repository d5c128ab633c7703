//! Forged LUKS2 headers: a good one with exactly one thing changed, checksums made to hold again.
//!
//! Each mutant names the rules that must refuse it and the places they must name, so that a reader
//! that refuses for a wrong reason is noticed. The encoder here is independent of the reader under
//! test. The same list serves natively and inside an emulated guest: a mutant is the first bytes of
//! a device, to be written over the good volume's.
//!
//! The good header must be one that `cryptsetup luksFormat` made with one argon2id key slot (64 MiB,
//! 4 passes, 2 lanes), a 64 byte key, a header size of 16 KiB and data at 16 MiB.

// A test that cannot set up its input has failed.
#![allow(clippy::expect_used)]

use openssl::sha::sha256;
use serde_json::{Value, json};

/// Bytes of one header copy of the good header.
const COPY: usize = 0x4000;
/// Bytes of a binary header.
const BINARY: usize = 0x1000;
/// Offset and length of the checksum field.
const CHECKSUM: (usize, usize) = (448, 64);

/// What the reader must say of a mutant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Refused with these identifiers and places, in this order.
    Refused(Vec<(&'static str, String)>),
    /// One copy sound, the other refused with this identifier and place.
    Interrupted(&'static str, String),
}

/// One forged header.
#[derive(Debug, Clone)]
pub struct Mutant {
    /// What was changed.
    pub name: String,
    /// The first bytes of the device: both header copies.
    pub head: Vec<u8>,
    /// What the profile of Countersign's own volumes must say.
    pub outcome: Outcome,
    /// Whether a profile for volumes made elsewhere may accept it.
    pub legal_elsewhere: bool,
}

/// Which copies a change is made in.
#[derive(Clone, Copy, PartialEq)]
enum At {
    Primary,
    Secondary,
    Both,
}

impl At {
    fn offsets(self) -> &'static [usize] {
        match self {
            Self::Primary => &[0],
            Self::Secondary => &[COPY],
            Self::Both => &[0, COPY],
        }
    }
}

/// Makes the checksum of a copy hold.
fn seal(head: &mut [u8], offset: usize) {
    let copy = &mut head[offset..offset + COPY];
    copy[CHECKSUM.0..CHECKSUM.0 + CHECKSUM.1].fill(0);
    let sum = sha256(copy);
    copy[CHECKSUM.0..CHECKSUM.0 + sum.len()].copy_from_slice(&sum);
}

/// Writes a JSON area and makes the checksum hold.
fn put_json(head: &mut [u8], offset: usize, text: &[u8]) {
    let area = &mut head[offset + BINARY..offset + COPY];
    area.fill(0);
    area[..text.len()].copy_from_slice(text);
    seal(head, offset);
}

/// The JSON text of the primary copy.
fn json_text(head: &[u8]) -> String {
    let area = &head[BINARY..COPY];
    let end = area.iter().position(|byte| *byte == 0).expect("an ended text");
    String::from_utf8(area[..end].to_vec()).expect("text")
}

pub(super) struct Forge {
    good: Vec<u8>,
    mutants: Vec<Mutant>,
}

impl Forge {
    /// Without mutants yet.
    pub(super) fn new(good: &[u8]) -> Forge {
        Forge { good: good[..2 * COPY].to_vec(), mutants: Vec::new() }
    }

    pub(super) fn into_mutants(self) -> Vec<Mutant> {
        self.mutants
    }

    fn push(&mut self, name: String, head: Vec<u8>, outcome: Outcome) {
        self.mutants.push(Mutant { name, head, outcome, legal_elsewhere: false });
    }

    fn legal_elsewhere(&mut self) {
        self.mutants.last_mut().expect("a mutant").legal_elsewhere = true;
    }

    /// Changes the metadata in both copies; places are JSON pointers, empty for the whole area.
    pub(super) fn json(
        &mut self,
        name: &str,
        expected: &[(&'static str, &str)],
        change: impl FnOnce(&mut Value),
    ) {
        let mut metadata: Value = serde_json::from_str(&json_text(&self.good)).expect("good metadata");
        change(&mut metadata);
        self.text(name, expected, &metadata.to_string());
    }

    fn text(&mut self, name: &str, expected: &[(&'static str, &str)], text: &str) {
        self.raw_text(name, expected, text.as_bytes());
    }

    fn raw_text(&mut self, name: &str, expected: &[(&'static str, &str)], text: &[u8]) {
        let mut head = self.good.clone();
        for offset in At::Both.offsets() {
            put_json(&mut head, *offset, text);
        }
        let place = |pointer: &str| {
            if pointer.is_empty() { "json area".to_owned() } else { format!("json {pointer}") }
        };
        let expected = expected.iter().map(|(id, pointer)| (*id, place(pointer))).collect();
        self.push(format!("json: {name}"), head, Outcome::Refused(expected));
    }

    /// Sets the member at a JSON pointer to each of the values.
    pub(super) fn set(&mut self, pointer: &str, id: &'static str, values: &[Value]) {
        self.set_at(pointer, &[(id, pointer)], values);
    }

    pub(super) fn set_at(&mut self, pointer: &str, expected: &[(&'static str, &str)], values: &[Value]) {
        for value in values {
            let shown: String = value.to_string().chars().take(120).collect();
            self.json(&format!("{pointer} = {shown}"), expected, |metadata| {
                put(metadata, pointer, value.clone());
            });
        }
    }

    fn remove(&mut self, pointer: &str) {
        self.json(&format!("{pointer} removed"), &[("json-missing", pointer)], |metadata| {
            let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
            object(metadata, parent).remove(name);
        });
    }

    /// Changes bytes of the binary header at `offset` within the copy.
    fn bytes(&mut self, name: &str, at: At, sealed: bool, offset: usize, bytes: &[u8]) -> Vec<u8> {
        let mut head = self.good.clone();
        for copy in at.offsets() {
            head[copy + offset..copy + offset + bytes.len()].copy_from_slice(bytes);
            if sealed {
                seal(&mut head, *copy);
            }
        }
        assert!(head != self.good, "{name} changes nothing");
        head
    }

    /// A changed field: refused in both copies, and in either copy alone.
    fn field(&mut self, name: &str, field: &str, id: &'static str, offset: usize, bytes: &[u8]) {
        self.field_sealed(name, field, id, offset, bytes, true);
    }

    fn field_sealed(
        &mut self,
        name: &str,
        field: &str,
        id: &'static str,
        offset: usize,
        bytes: &[u8],
        sealed: bool,
    ) {
        let place = |copy: &str| format!("{copy} header field {field}");
        let head = self.bytes(name, At::Both, sealed, offset, bytes);
        self.push(format!("both copies: {name}"), head, Outcome::Refused(vec![(id, place("primary"))]));
        for (at, copy) in [(At::Primary, "primary"), (At::Secondary, "secondary")] {
            let head = self.bytes(name, at, sealed, offset, bytes);
            self.push(format!("{copy} copy: {name}"), head, Outcome::Interrupted(id, place(copy)));
        }
    }
}

pub(super) fn object<'v>(metadata: &'v mut Value, pointer: &str) -> &'v mut serde_json::Map<String, Value> {
    metadata.pointer_mut(pointer).and_then(Value::as_object_mut).expect("an object of the good header")
}

pub(super) fn put(metadata: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    object(metadata, parent).insert(name.to_owned(), value);
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

/// Every mutant of a good header on a device of `device_size` bytes.
///
/// # Panics
/// When `good` is not the header described above.
pub fn mutants(good: &[u8], device_size: u64) -> Vec<Mutant> {
    let mut forge = Forge::new(good);
    keyslot(&mut forge);
    keyslot_area(&mut forge);
    keyslot_kdf(&mut forge);
    keyslot_set(&mut forge);
    segment(&mut forge, device_size);
    digest(&mut forge);
    config(&mut forge);
    shape(&mut forge);
    text(&mut forge);
    binary(&mut forge);
    copies(&mut forge);
    forge.mutants
}

pub(super) fn texts(values: &[&str]) -> Vec<Value> {
    values.iter().map(|value| json!(value)).collect()
}

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

/// Members missing, unknown, or of another JSON type.
fn shape(forge: &mut Forge) {
    let objects = [
        "",
        "/keyslots/0",
        "/keyslots/0/af",
        "/keyslots/0/area",
        "/keyslots/0/kdf",
        "/segments/0",
        "/digests/0",
        "/config",
    ];
    let good: Value = serde_json::from_str(&json_text(&forge.good)).expect("good metadata");
    for place in objects {
        forge.json(&format!("unknown member in '{place}'"), &[("json-unknown", place)], |metadata| {
            put(metadata, &format!("{place}/extra"), json!(0));
        });
        let members = good.pointer(place).and_then(Value::as_object).expect("an object of the good header");
        for name in members.keys() {
            let pointer = format!("{place}/{name}");
            forge.remove(&pointer);
            forge.set(&pointer, "json-kind", &[json!(true)]);
        }
    }
    for collection in ["keyslots", "segments", "digests", "tokens"] {
        forge.set(&format!("/{collection}"), "json-kind", &[json!([]), json!(""), json!(null)]);
    }
}

/// The same metadata in other words.
fn text(forge: &mut Forge) {
    let good = json_text(&forge.good);
    let json = |id| [(id, "")];
    for member in
        ["\"type\":\"luks2\"", "\"stripes\":4000", "\"iv_tweak\":\"0\"", "\"tokens\":{}", "\"key_size\":64"]
    {
        assert!(good.contains(member), "the good header holds {member}");
        let twice = good.replacen(member, &format!("{member},{member}"), 1);
        forge.text(&format!("{member} twice"), &json("json-duplicate"), &twice);
    }
    let null = "\"encryption\":\"cipher_null-ecb\"";
    let aes = "\"encryption\":\"aes-xts-plain64\"";
    forge.text(
        "null cipher, then aes",
        &json("json-duplicate"),
        &good.replacen(aes, &format!("{null},{aes}"), 1),
    );
    forge.text(
        "aes, then null cipher",
        &json("json-duplicate"),
        &good.replace(aes, &format!("{aes},{null}")),
    );
    let escaped = good.replacen("\"stripes\":4000", "\"stripes\":4000,\"\\u0073tripes\":1", 1);
    forge.text("escaped name twice", &json("json-duplicate"), &escaped);
    forge.text(
        "zero byte in a name",
        &json("json-text"),
        &good.replacen("\"tokens\"", "\"tokens\\u0000\"", 1),
    );
    forge.text("zero byte in a value", &json("json-text"), &good.replacen("plain64", "plain64\\u0000x", 1));
    forge.text("newline in a value", &json("json-text"), &good.replacen("plain64", "plain64\\n", 1));
    forge.text("letter outside ASCII", &json("json-text"), &good.replacen("plain64", "plain64\u{e9}", 1));
    forge.text("minus zero", &json("json-number"), &good.replacen("\"stripes\":4000", "\"stripes\":-0", 1));
    forge.text("exponent", &json("json-number"), &good.replacen("\"stripes\":4000", "\"stripes\":4e3", 1));
    for (name, text) in [
        ("comment", format!("{good}/* */")),
        ("trailing bracket", format!("{good}}}")),
        ("second object", format!("{good}{good}")),
        ("cut short", good[..good.len() - 1].to_owned()),
        ("single quotes", good.replace('"', "'")),
        ("leading zero", good.replacen("4000", "04000", 1)),
        ("hexadecimal", good.replacen("4000", "0xfa0", 1)),
        ("trailing comma", good.replacen("\"tokens\":{}", "\"tokens\":{},", 1)),
        ("empty", String::new()),
    ] {
        // A doubled comma and an empty text are syntax errors like the rest.
        let text = if name == "trailing comma" { text.replacen(",,", ",\n,", 1) } else { text };
        forge.text(name, &json("json-syntax"), &text);
    }
    // cryptsetup wants the brace in the first byte.
    for blank in [" ", "\t", "\n", "\r", " \r\n\t"] {
        forge.text(&format!("begins with {blank:?}"), &json("json-syntax"), &format!("{blank}{good}"));
    }
    for (name, text) in [("array", "[]"), ("number", "0"), ("string", "\"LUKS\""), ("null", "null")] {
        forge.text(&format!("{name} at the top"), &json("json-syntax"), text);
    }
    let nested =
        good.replacen("\"tokens\":{}", &format!("\"tokens\":{}{}", "[".repeat(4000), "]".repeat(4000)), 1);
    forge.text("nested 4000 deep", &json("json-depth"), &nested);
    let many = good.replacen("\"tokens\":{}", &format!("\"tokens\":[{}0]", "0,".repeat(4500)), 1);
    forge.text("4501 values", &json("json-nodes"), &many);
    let mut broken = good.clone().into_bytes();
    broken[10] = 0xff;
    forge.raw_text("not UTF-8", &json("json-syntax"), &broken);
    let mut behind = good.clone().into_bytes();
    behind.extend_from_slice(b"\0x");
    forge.raw_text("byte behind the end", &json("json-end"), &behind);
    let mut twice = good.clone().into_bytes();
    twice.push(0);
    twice.extend_from_slice(good.as_bytes());
    forge.raw_text("second text behind the end", &json("json-end"), &twice);
    let mut full = good.into_bytes();
    full.resize(COPY - BINARY, b' ');
    forge.raw_text("no end", &json("json-end"), &full);
}

fn binary(forge: &mut Forge) {
    for version in [0u16, 3, 0x0102, u16::MAX] {
        forge.field(&format!("version {version}"), "version", "header-version", 6, &version.to_be_bytes());
    }
    let sizes = [0u64, 512, 4096, 0x2000, 0x3fff, 0x4001, 0x6000, 0x80_0000, 1 << 32, u64::MAX];
    for size in sizes {
        forge.field(&format!("hdr_size {size:#x}"), "hdr_size", "header-size", 8, &size.to_be_bytes());
    }
    for sequence in [0, (1 << 48) + 1, u64::MAX] {
        let name = format!("seqid {sequence}");
        forge.field(&name, "seqid", "header-sequence", 16, &u64::to_be_bytes(sequence));
    }
    for (field, offset, len) in [("label", 24, 48), ("subsystem", 208, 48)] {
        forge.field(&format!("{field} without end"), field, "header-text", offset, &vec![b'A'; len]);
        forge.field(&format!("{field} with control byte"), field, "header-text", offset, b"a\x1b[2J\0");
        forge.field(&format!("{field} with bytes behind its end"), field, "header-text", offset, b"a\0b\0");
        forge.field(&format!("{field} outside ASCII"), field, "header-text", offset, b"\xc3\xa9\0");
    }
    for (name, bytes) in [
        ("sha1", *b"sha1\0\0\0\0"),
        ("sha512", *b"sha512\0\0"),
        ("crc32c", *b"crc32c\0\0"),
        ("none", *b"\0\0\0\0\0\0\0\0"),
        ("upper case", *b"SHA256\0\0"),
        ("bytes behind its end", *b"sha256\0x"),
    ] {
        forge.field(&format!("csum_alg {name}"), "csum_alg", "header-checksum-algorithm", 72, &bytes);
    }
    for (name, uuid) in [
        ("empty", [0; 36].as_slice()),
        ("upper case", b"3E2B59FF-BC45-4423-9F76-C2E429AAEBEB"),
        ("short", b"3e2b59ff-bc45-4423-9f76-c2e429aaebe\0"),
        ("without dashes", b"3e2b59ff0bc45044230-9f7-c2e429aaebeb"),
        ("path", b"../../../../../../../../etc/passwd\0\0"),
    ] {
        forge.field(&format!("uuid {name}"), "uuid", "header-uuid", 168, uuid);
    }
    for offset in [1u64, 0x2000, 0x8000, u64::MAX] {
        forge.field(
            &format!("hdr_offset {offset:#x}"),
            "hdr_offset",
            "header-offset",
            256,
            &offset.to_be_bytes(),
        );
    }
    for (field, offset) in
        [("_padding", 264), ("_padding", 447), ("_padding4096", 512), ("_padding4096", 4095)]
    {
        forge.field(&format!("byte {offset} of {field}"), field, "header-padding", offset, &[1]);
    }
    // The checksum field counts as zero in the checksum, so its unused half can be set freely.
    for offset in [480, 511] {
        forge.field_sealed(&format!("byte {offset} of csum"), "csum", "header-padding", offset, &[1], false);
    }
    let flip = |forge: &Forge, offset: usize| [forge.good[offset] ^ 1];
    for offset in [104usize, 167, 448, 479, BINARY, BINARY + 100, COPY - 1] {
        let byte = flip(forge, offset);
        // Both copies carry the same text at the same place; salt and checksum are their own.
        if offset >= BINARY {
            forge.field_sealed(&format!("bit at {offset}"), "csum", "header-checksum", offset, &byte, false);
        } else {
            let head = forge.bytes("bit", At::Primary, false, offset, &byte);
            let place = "primary header field csum".to_owned();
            forge.push(
                format!("primary copy: bit at {offset}"),
                head,
                Outcome::Interrupted("header-checksum", place),
            );
        }
    }
}

/// Disagreement between the copies, and copies in each other's place.
fn copies(forge: &mut Forge) {
    let refused = |id, place: &str| Outcome::Refused(vec![(id, place.to_owned())]);
    let sequence = u64::from_be_bytes(forge.good[16..24].try_into().expect("8 bytes"));
    for (at, copy, other, change) in [
        (At::Primary, "primary", "secondary", sequence + 1),
        (At::Secondary, "secondary", "primary", sequence + 1),
        (At::Primary, "primary", "primary", sequence - 1),
        (At::Secondary, "secondary", "secondary", sequence - 1),
    ] {
        let name = format!("{copy} copy: sequence {change} instead of {sequence}");
        let head = forge.bytes(&name, at, true, 16, &change.to_be_bytes());
        let place = format!("{other} header field seqid");
        forge.push(name, head, Outcome::Interrupted("copies-sequence", place));
    }
    let differ = || refused("copies-differ", "secondary header field json");
    for (at, copy) in [(At::Primary, "primary"), (At::Secondary, "secondary")] {
        for (field, offset, bytes) in [
            ("label", 24, b"other\0".as_slice()),
            ("subsystem", 208, b"other\0"),
            ("uuid", 168, b"3e2b59ff-bc45-4423-9f76-c2e429aaebeb"),
        ] {
            let head = forge.bytes(field, at, true, offset, bytes);
            forge.push(format!("{copy} copy: other {field}"), head, differ());
        }
        for (name, from, to) in [
            ("null cipher", "aes-xts-plain64", "cipher_null-ecb"),
            ("fewer stripes", "\"stripes\":4000", "\"stripes\":1"),
            ("shifted data", "\"offset\":\"16777216\"", "\"offset\":\"16781312\""),
            ("without tokens", "\"tokens\":{},", ""),
            ("a blank", "\"tokens\":{}", "\"tokens\": {}"),
        ] {
            let mut head = forge.good.clone();
            let text = json_text(&head).replace(from, to);
            put_json(&mut head, at.offsets()[0], text.as_bytes());
            forge.push(format!("{copy} copy: {name}"), head, differ());
        }
        // A copy that is gone, or cut off after its first sector.
        let place = |field: &str| format!("{copy} header field {field}");
        let start = at.offsets()[0];
        let mut gone = forge.good.clone();
        gone[start..start + COPY].fill(0);
        forge.push(format!("{copy} copy: gone"), gone, Outcome::Interrupted("header-magic", place("magic")));
        let mut cut = forge.good.clone();
        cut[start + 512 + BINARY..start + COPY].fill(0xff);
        forge.push(
            format!("{copy} copy: torn write"),
            cut,
            Outcome::Interrupted("header-checksum", place("csum")),
        );
    }
    // LUKS1 by its version: a sound secondary copy says that the primary is damaged.
    let head = forge.bytes("version 1", At::Primary, true, 6, &[0, 1]);
    let place = "primary header field version".to_owned();
    forge.push("primary copy: version 1".to_owned(), head, Outcome::Interrupted("header-version", place));
    // Taken as LUKS1, the sequence number stands where the cipher name begins.
    let head = forge.bytes("version 1", At::Both, true, 6, &[0, 1]);
    forge.push(
        "both copies: version 1".to_owned(),
        head,
        refused("luks1-text", "luks1 header field cipher-name"),
    );
    let mut swapped = forge.good[COPY..].to_vec();
    swapped.extend_from_slice(&forge.good[..COPY]);
    forge.push("copies swapped".to_owned(), swapped, refused("header-magic", "primary header field magic"));
    let mut twice = forge.good[..COPY].to_vec();
    twice.extend_from_slice(&forge.good[..COPY]);
    let place = "secondary header field magic".to_owned();
    forge.push("primary copy twice".to_owned(), twice, Outcome::Interrupted("header-magic", place));
    forge.push(
        "no header".to_owned(),
        vec![0; 2 * COPY],
        refused("header-magic", "primary header field magic"),
    );
    // The one copy left is sealed for another size than its place says.
    let mut stray = forge.good.clone();
    stray[..COPY].fill(0);
    stray.resize(COPY + 0x8000, 0);
    stray[COPY + 8..COPY + 16].copy_from_slice(&0x8000u64.to_be_bytes());
    stray[COPY + CHECKSUM.0..COPY + CHECKSUM.0 + CHECKSUM.1].fill(0);
    let sum = sha256(&stray[COPY..]);
    stray[COPY + CHECKSUM.0..COPY + CHECKSUM.0 + sum.len()].copy_from_slice(&sum);
    forge.push(
        "secondary copy alone, of another size".to_owned(),
        stray,
        refused("header-magic", "primary header field magic"),
    );
    // A larger size that takes the other copy for a part of the JSON area.
    let mut larger = forge.good.clone();
    larger[8..16].copy_from_slice(&0x8000u64.to_be_bytes());
    larger[CHECKSUM.0..CHECKSUM.0 + CHECKSUM.1].fill(0);
    let sum = sha256(&larger);
    larger[CHECKSUM.0..CHECKSUM.0 + sum.len()].copy_from_slice(&sum);
    forge.push(
        "primary copy: swallows the secondary".to_owned(),
        larger,
        Outcome::Interrupted("json-end", "json area".to_owned()),
    );
}
