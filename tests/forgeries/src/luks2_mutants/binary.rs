//! The binary headers, and the two copies against each other.

use openssl::sha::sha256;

use super::Outcome;
use super::forge::{At, BINARY, CHECKSUM, COPY, Forge, json_text, put_json};

pub(super) fn changed(forge: &mut Forge) {
    binary(forge);
    copies(forge);
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
