//! Headers as cryptsetup writes them: the good ones pass and say the right thing, the others are
//! refused for what they are.

use countersign_forgeries::luks2_volumes::{ARGON2ID, DEVICE_SIZE, PBKDF2, Volume};
use countersign_plan::luks2::{
    Accepted, HEADER_LIMIT, Header, LuksVersion, METADATA_LIMIT, PROBE_LEN, Profile, ReadError, SlotKdf,
    judge, metadata_len, read,
};
use countersign_plan::volumes::derivations::Cost;

const LUKS2: [&str; 2] = ["--type", "luks2"];
const LUKS1: [&str; 4] = ["--type", "luks1", "--pbkdf-force-iterations", "1000"];
const UUID: &str = "3e2b59ff-bc45-4423-9f76-c2e429aaebeb";

/// Reads as a caller does: the probe, what it asks for, then the header.
fn header(volume: &Volume) -> Header {
    let probe = volume.head(PROBE_LEN as u64);
    read(&volume.head(metadata_len(&probe))).expect("a readable header")
}

fn accept(volume: &Volume, profile: &Profile) -> Accepted {
    judge(&header(volume), profile, DEVICE_SIZE).expect("an accepted header")
}

fn refuse(volume: &Volume, profile: &Profile) -> Vec<(&'static str, String)> {
    let faults = judge(&header(volume), profile, DEVICE_SIZE).expect_err("a refused header");
    faults.iter().map(|fault| (fault.id(), fault.place().to_string())).collect()
}

fn refused(expected: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    expected.iter().map(|(id, place)| (*id, (*place).to_owned())).collect()
}

#[test]
fn the_profile_of_our_own_volumes() {
    let volume = Volume::format(&[&LUKS2, &ARGON2ID, &["--sector-size", "512", "--uuid", UUID]]);
    assert_eq!(metadata_len(&volume.head(4096)), 0x8000);
    let accepted = accept(&volume, &Profile::countersign());
    assert_eq!(accepted, accept(&volume, &Profile::compatible()));
    assert_eq!(accepted.version(), LuksVersion::Luks2);
    assert_eq!(accepted.uuid(), UUID);
    assert_eq!(accepted.key_size(), 64);
    assert_eq!(accepted.sector_size(), 512);
    assert_eq!(accepted.data_offset(), 16 << 20);
    assert_eq!(accepted.data_size(), 48 << 20);
    assert_eq!(accepted.header_len(), 16 << 20);
    let [slot] = accepted.slots() else { panic!("one slot") };
    assert_eq!(slot.number(), 0);
    assert_eq!(slot.kdf(), SlotKdf::Argon2id { time: 4, memory_kib: 65536, cpus: 2 });
}

#[test]
fn a_derivation_takes_what_its_most_expensive_slot_takes_and_a_process() {
    let argon2id = Volume::format(&[&LUKS2, &ARGON2ID]);
    argon2id.add_key("second");
    let pbkdf2 = Volume::format(&[&LUKS2, &PBKDF2]);
    for (volume, mib, lanes) in [(argon2id, 64 + 16, 2), (pbkdf2, 16, 1)] {
        let accepted = accept(&volume, &Profile::compatible().during_rotation());
        assert_eq!(Cost::of(&accepted), Cost { memory_kib: mib << 10, lanes });
    }
}

#[test]
fn large_sectors_labels_and_a_header_of_another_size() {
    let volume = Volume::format(&[
        &LUKS2,
        &ARGON2ID,
        &["--sector-size", "4096", "--label", "data", "--subsystem", "x", "--luks2-metadata-size", "64k"],
        &["--luks2-keyslots-size", "2m", "--hash", "sha512"],
    ]);
    assert_eq!(metadata_len(&volume.head(4096)), 0x20000);
    let accepted = accept(&volume, &Profile::countersign());
    assert_eq!(accepted.sector_size(), 4096);
    assert_eq!(accepted.header_len(), (2 << 20) + 0x20000);
}

#[test]
fn the_largest_metadata_that_a_header_may_have() {
    let volume = Volume::format(&[&LUKS2, &ARGON2ID, &["--luks2-metadata-size", "4m"]]);
    assert_eq!(metadata_len(&volume.head(4096)), METADATA_LIMIT);
    let accepted = accept(&volume, &Profile::countersign());
    assert!(accepted.header_len() <= HEADER_LIMIT);
}

#[test]
fn volumes_made_elsewhere() {
    let pbkdf2 = Volume::format(&[&LUKS2, &PBKDF2]);
    let short = Volume::format(&[&LUKS2, &ARGON2ID, &["--key-size", "256"]]);
    let accepted = accept(&pbkdf2, &Profile::compatible());
    assert_eq!(accepted.slots()[0].kdf(), SlotKdf::Pbkdf2 { iterations: 1000 });
    assert_eq!(accept(&short, &Profile::compatible()).key_size(), 32);
    let own = Profile::countersign();
    assert_eq!(refuse(&pbkdf2, &own), refused(&[("keyslot-kdf-type", "json /keyslots/0/kdf/type")]));
    let key_size = ("keyslot-key-size", "json /keyslots/0/key_size");
    let area_key = ("keyslot-area-key-size", "json /keyslots/0/area/key_size");
    assert_eq!(refuse(&short, &own), refused(&[key_size, area_key]));
}

#[test]
fn foreign_ciphers_and_kdfs() {
    let profile = Profile::compatible();
    let cbc =
        Volume::format(&[&LUKS2, &ARGON2ID, &["--cipher", "aes-cbc-essiv:sha256", "--key-size", "256"]]);
    let area = ("keyslot-area-cipher", "json /keyslots/0/area/encryption");
    let segment = ("segment-cipher", "json /segments/0/encryption");
    assert_eq!(refuse(&cbc, &profile), refused(&[area, segment]));
    let argon2i = Volume::format(&[&LUKS2, &ARGON2ID[2..], &["--pbkdf", "argon2i"]]);
    assert_eq!(refuse(&argon2i, &profile), refused(&[("keyslot-kdf-type", "json /keyslots/0/kdf/type")]));
    let cheap = ["--pbkdf", "argon2id", "--pbkdf-memory", "8192", "--pbkdf-force-iterations", "4"];
    let cheap = Volume::format(&[&LUKS2, &cheap]);
    assert_eq!(refuse(&cheap, &profile), refused(&[("keyslot-kdf-memory", "json /keyslots/0/kdf/memory")]));
}

#[test]
fn two_key_slots_only_during_rotation() {
    let volume = Volume::format(&[&LUKS2, &ARGON2ID]);
    volume.add_key("second");
    assert_eq!(refuse(&volume, &Profile::countersign()), refused(&[("keyslot-count", "json /keyslots")]));
    let accepted = accept(&volume, &Profile::countersign().during_rotation());
    assert_eq!(accepted.slots().iter().map(|slot| slot.number()).collect::<Vec<_>>(), [0, 1]);
    volume.add_key("third");
    let expected = refused(&[("keyslot-count-rotation", "json /keyslots")]);
    assert_eq!(refuse(&volume, &Profile::countersign().during_rotation()), expected);
    // The old slot goes when the new one is proven.
    volume.cryptsetup("luksKillSlot", &[], &["1"]);
    volume.cryptsetup("luksKillSlot", &[], &["2"]);
    accept(&volume, &Profile::countersign());
}

#[test]
fn reencryption_under_way() {
    let volume = Volume::format(&[&LUKS2, &ARGON2ID]);
    volume.cryptsetup("reencrypt", &[&["--init-only"], &ARGON2ID[..6]].concat(), &[]);
    let found = refuse(&volume, &Profile::compatible().during_rotation());
    let expected = [
        ("requirements", "json /config/requirements"),
        ("keyslot-count-rotation", "json /keyslots"),
        ("keyslot-type", "json /keyslots/2/type"),
        ("segment-count", "json /segments"),
        ("digest-count", "json /digests"),
    ];
    assert_eq!(found, refused(&expected));
}

#[test]
fn flags_and_tokens_that_cryptsetup_stores() {
    let volume = Volume::format(&[&LUKS2, &ARGON2ID]);
    volume.cryptsetup("token", &["add", "--key-description", "x"], &[]);
    assert_eq!(refuse(&volume, &Profile::compatible()), refused(&[("tokens", "json /tokens")]));
    volume.cryptsetup("token", &["remove", "--token-id", "0"], &[]);
    accept(&volume, &Profile::countersign());
    volume.cryptsetup("config", &["--priority", "prefer", "--key-slot", "0"], &[]);
    accept(&volume, &Profile::countersign());
    volume.cryptsetup("config", &["--priority", "ignore", "--key-slot", "0"], &[]);
    let expected = refused(&[("keyslot-priority", "json /keyslots/0/priority")]);
    assert_eq!(refuse(&volume, &Profile::countersign()), expected);
}

#[test]
fn luks1_where_the_profile_allows_it() {
    let volume = Volume::format(&[&LUKS1, &["--uuid", UUID]]);
    assert_eq!(metadata_len(&volume.head(4096)), METADATA_LIMIT);
    let accepted = accept(&volume, &Profile::compatible());
    assert_eq!(accepted.version(), LuksVersion::Luks1);
    assert_eq!((accepted.uuid(), accepted.key_size(), accepted.sector_size()), (UUID, 64, 512));
    assert_eq!((accepted.data_offset(), accepted.header_len()), (2 << 20, 2 << 20));
    assert_eq!(accepted.slots()[0].kdf(), SlotKdf::Pbkdf2 { iterations: 1000 });
    let own = refuse(&volume, &Profile::countersign());
    assert_eq!(own, refused(&[("luks1-refused", "luks1 header field version")]));
}

#[test]
fn every_field_of_a_luks1_header() {
    let good = Volume::format(&[&LUKS1]).head(METADATA_LIMIT);
    let number = |value: u32| value.to_be_bytes().to_vec();
    let place = |field: &str| format!("luks1 header field {field}");
    let slot = |field: &str, slot: u8| format!("luks1 header field {field} of key slot {slot}");
    for (offset, bytes, id, place) in [
        (8, b"serpent\0".to_vec(), "luks1-cipher", place("cipher-mode")),
        (8, b"cipher_null\0".to_vec(), "luks1-cipher", place("cipher-mode")),
        (40, b"ecb\0\0\0\0\0\0\0\0".to_vec(), "luks1-cipher", place("cipher-mode")),
        (40, b"xts-plain64\x1b".to_vec(), "luks1-text", place("cipher-mode")),
        (72, b"sha1\0\0".to_vec(), "luks1-hash", place("hash-spec")),
        (104, number(0), "luks1-payload", place("payload-offset")),
        (104, number(4097), "luks1-payload", place("payload-offset")),
        (104, number(u32::MAX - 7), "luks1-payload", place("payload-offset")),
        (108, number(16), "luks1-key-size", place("key-bytes")),
        (108, number(u32::MAX), "luks1-key-size", place("key-bytes")),
        (164, number(1), "luks1-digest-iterations", place("mk-digest-iter")),
        (164, number(u32::MAX), "luks1-digest-iterations", place("mk-digest-iter")),
        (168, b"X".to_vec(), "luks1-uuid", place("uuid")),
        (208, number(0x0000_dead), "luks1-slot-count", place("active")),
        (208, number(1), "luks1-slot-state", slot("active", 0)),
        (212, number(1), "luks1-slot-iterations", slot("iterations", 0)),
        (212, number(u32::MAX), "luks1-slot-iterations", slot("iterations", 0)),
        (248, number(0), "luks1-slot-offset", slot("key-material-offset", 0)),
        (248, number(4000), "luks1-slot-offset", slot("key-material-offset", 0)),
        (252, number(1), "luks1-slot-stripes", slot("stripes", 0)),
        (256, number(0x00ac_71f3), "luks1-slot-count", place("active")),
        (256 + 44, number(u32::MAX), "luks1-slot-stripes", slot("stripes", 1)),
    ] {
        let mut head = good.clone();
        head[offset..offset + bytes.len()].copy_from_slice(&bytes);
        let found = match read(&head) {
            Ok(header) => judge(&header, &Profile::compatible(), DEVICE_SIZE).expect_err("a fault"),
            Err(error) => vec![error.fault().clone()],
        };
        let found: Vec<_> = found.iter().map(|fault| (fault.id(), fault.place().to_string())).collect();
        assert!(found.contains(&(id, place.clone())), "{id} at {place}: {found:?}");
    }
    let overlap = {
        let mut head = good.clone();
        head[256 + 40..256 + 44].copy_from_slice(&number(16));
        read(&head).map(|header| judge(&header, &Profile::compatible(), DEVICE_SIZE))
    };
    let faults = overlap.expect("readable").expect_err("refused");
    assert_eq!(faults[0].id(), "luks1-slot-offset");
    let short = read(&good[..591]).expect_err("too short");
    assert_eq!(short.fault().id(), "luks1-short");
}

#[test]
fn the_device_bounds_the_data() {
    let volume = Volume::format(&[&LUKS2, &ARGON2ID, &["--sector-size", "4096"]]);
    let ids = |device_size: u64| match judge(&header(&volume), &Profile::countersign(), device_size) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.iter().map(|fault| fault.id()).collect(),
    };
    assert_eq!(ids((16 << 20) + 4096), [""; 0]);
    assert_eq!(ids(16 << 20), ["segment-offset"]);
    assert_eq!(ids(0), ["segment-offset"]);
    assert_eq!(ids((16 << 20) + 512), ["device-size"]);
    assert_eq!(ids((64 << 20) + 1), ["device-size"]);
    assert_eq!(ids(u64::MAX - 4095), [""; 0]);
}

#[test]
fn memory_that_the_guest_cannot_spare() {
    let volume = Volume::format(&[&LUKS2, &ARGON2ID]);
    accept(&volume, &Profile::countersign().with_memory_limit(65536));
    let narrow = Profile::countersign().with_memory_limit(65535);
    let faults = judge(&header(&volume), &narrow, DEVICE_SIZE).expect_err("too much memory");
    assert_eq!(faults[0].id(), "keyslot-kdf-memory");
    assert_eq!(faults[0].expected(), "argon2id memory in KiB from 32768 to 65535");
    assert!(!faults[0].hint().is_empty());
    assert_eq!(
        faults[0].to_string(),
        "keyslot-kdf-memory: json /keyslots/0/kdf/memory: expected argon2id memory in KiB from 32768 to 65535"
    );
    // A limit never widens a profile.
    assert_eq!(Profile::countersign().with_memory_limit(u64::MAX), Profile::countersign());
}

#[test]
fn too_few_bytes_are_not_a_damaged_copy() {
    let volume = Volume::format(&[&LUKS2, &ARGON2ID]);
    for len in [0, 100, 4095, 4096, 0x3fff, 0x4000, 0x7fff] {
        let error = read(&volume.head(len)).expect_err("too few bytes");
        assert!(matches!(error, ReadError::Fault(_)), "{len}: {error}");
        assert_eq!(error.fault().id(), "header-short", "{len}");
    }
    assert!(matches!(read(&[0; 0x8000]), Err(ReadError::Absent(_))));
}
