//! Volumes with integrity: the header, and the two tables that the kernel must show.

use countersign_forgeries::luks2_integrity::{integrity_mutants, with_integrity};
use countersign_forgeries::luks2_mutants::Outcome;
use countersign_forgeries::luks2_volumes::{ARGON2ID, DEVICE_SIZE, Volume};
use countersign_plan::luks2::table::{CryptTable, IntegrityTable, TableFault, expected_table};
use countersign_plan::luks2::{Accepted, Header, HeaderFault, Integrity, Profile, judge, read};

const UUID: &str = "3e2b59ff-bc45-4423-9f76-c2e429aaebeb";

fn plain() -> Vec<u8> {
    let options = ["--type", "luks2", "--uuid", UUID, "--sector-size", "4096"];
    Volume::format(&[&ARGON2ID, &options]).head(0x8000)
}

fn header(head: &[u8]) -> Header {
    read(head).expect("a header")
}

fn accepted() -> Accepted {
    accept(&with_integrity(&plain()), Profile::countersign())
}

fn accept(head: &[u8], profile: Profile) -> Accepted {
    judge(&header(head), &profile.with_integrity(), DEVICE_SIZE).expect("an accepted header")
}

fn named(faults: &[HeaderFault]) -> Vec<(&'static str, String)> {
    faults.iter().map(|fault| (fault.id(), fault.place().to_string())).collect()
}

#[test]
fn a_header_with_integrity_says_so() {
    let head = with_integrity(&plain());
    let accepted = accept(&head, Profile::countersign());
    assert_eq!(accepted.integrity(), Integrity::HmacSha256);
    assert_eq!((accepted.key_size(), accepted.sector_size()), (96, 4096));
    assert_eq!(accepted.slots()[0].area(), (0x8000, 385_024));
    assert_eq!(accept(&head, Profile::compatible()), accepted);
}

#[test]
fn integrity_is_what_the_profile_says_in_both_directions() {
    let (plain, tagged) = (plain(), with_integrity(&plain()));
    let place = |members: &str| format!("json /segments/0/{members}");
    for (head, profile) in [
        (&plain, Profile::countersign().with_integrity()),
        (&plain, Profile::compatible().with_integrity().during_rotation()),
        (&tagged, Profile::countersign()),
        (&tagged, Profile::compatible().during_rotation()),
    ] {
        let faults = judge(&header(head), &profile, DEVICE_SIZE).expect_err("another protection");
        let faults = named(&faults);
        assert!(faults.contains(&("segment-integrity", place("integrity"))), "{faults:?}");
    }
    let luks1 = Volume::format(&[&["--type", "luks1", "--pbkdf-force-iterations", "1000"]]).head(8 << 20);
    let faults = judge(&header(&luks1), &Profile::compatible().with_integrity(), DEVICE_SIZE);
    let expected = [("luks1-refused", "luks1 header field version".to_owned())];
    assert_eq!(named(&faults.expect_err("no integrity")), expected);
}

#[test]
fn every_forged_field_of_integrity_is_refused_for_its_own_reason() {
    let mutants = integrity_mutants(&with_integrity(&plain()));
    assert!(mutants.len() > 40, "only {} mutants", mutants.len());
    for mutant in &mutants {
        for profile in [Profile::countersign(), Profile::compatible().during_rotation()] {
            let verdict = judge(&header(&mutant.head), &profile.with_integrity(), DEVICE_SIZE);
            let faults = verdict.expect_err(&mutant.name);
            assert_eq!(Outcome::Refused(named(&faults)), mutant.outcome, "{}", mutant.name);
        }
    }
}

/// As the kernel prints them for such a volume, here with 64 MiB on 253:1.
const BELOW: &str = "0 94208 integrity 253:1 32768 32 J 7 block_size:4096 journal_sectors:888 \
    interleave_sectors:32768 buffer_sectors:128 journal_watermark:50 commit_time:10000 fix_padding";

fn above() -> String {
    format!(
        "0 94208 crypt capi:authenc(hmac(sha256),xts(aes))-plain64 :96:logon:cryptsetup:{UUID}-d0 0 253:2 0 2 \
         integrity:32:aead sector_size:4096"
    )
}

#[test]
fn every_field_of_the_device_below_is_compared() {
    let accepted = accepted();
    let compare = |line: &str| {
        let table = IntegrityTable::parse(line).map_err(|fault| vec![fault])?;
        table.compare(&accepted, DEVICE_SIZE, "253:1")
    };
    assert_eq!(compare(BELOW), Ok(()));
    assert_eq!(compare(&format!("{BELOW}\n")), Ok(()));
    assert_eq!(compare(&BELOW.replace(" 7 ", " 6 ").replace(" fix_padding", "")), Ok(()));
    for (from, to, fault) in [
        ("0 94208", "8 94208", TableFault::Start),
        ("94208", "0", TableFault::Length),
        ("94208", "94209", TableFault::Length),
        // All the room, none left for tags.
        ("94208", "98304", TableFault::Length),
        (" integrity ", " crypt ", TableFault::Line),
        ("253:1", "253:2", TableFault::Device),
        (" 32768 32 ", " 32776 32 ", TableFault::Offset),
        (" 32 J", " 4 J", TableFault::Integrity),
        (" J ", " D ", TableFault::Journal),
        (" J ", " B ", TableFault::Journal),
        (" J ", " R ", TableFault::Journal),
        ("block_size:4096", "block_size:512", TableFault::SectorSize),
        (" 7 block_size:4096", " 6", TableFault::SectorSize),
        (" 7 ", " 8 ", TableFault::Line),
        ("fix_padding", "allow_discards", TableFault::Option),
        ("fix_padding", "recalculate", TableFault::Option),
        ("fix_padding", "internal_hash:crc32c", TableFault::Option),
        ("fix_padding", "meta_device:253:9", TableFault::Option),
        ("fix_padding", "commit_time:10000", TableFault::Option),
        ("commit_time:10000", "commit_time:x", TableFault::Line),
        ("commit_time:10000", "commit_time", TableFault::Option),
        ("fix_padding", "fix_padding\n0 8 linear 253:1 0", TableFault::Line),
    ] {
        let line = BELOW.replacen(from, to, 1);
        assert_ne!(line, BELOW, "{from}");
        assert_eq!(compare(&line), Err(vec![fault]), "{line}");
        assert!(fault.to_string().starts_with(fault.id()));
    }
}

#[test]
fn the_mapping_is_all_of_the_device_below() {
    let below = IntegrityTable::parse(BELOW).expect("a table");
    assert_eq!(below.length_sectors(), 94208);
    let expected = expected_table(&accepted(), DEVICE_SIZE).over(&below);
    let compare = |line: &str| {
        let table = CryptTable::parse(line).map_err(|fault| vec![fault])?;
        expected.compare(&table, "253:2")
    };
    let good = above();
    assert_eq!(compare(&good), Ok(()));
    let zeros = good.replace(&format!(":96:logon:cryptsetup:{UUID}-d0"), &"0".repeat(192));
    assert_eq!(compare(&zeros), Ok(()));
    for (from, to, fault) in [
        ("94208", "94200", TableFault::Length),
        ("capi:authenc(hmac(sha256),xts(aes))-plain64", "aes-xts-plain64", TableFault::Cipher),
        ("hmac(sha256)", "digest_null", TableFault::Cipher),
        (":96:", ":64:", TableFault::Key),
        ("253:2 0", "253:1 0", TableFault::Device),
        ("253:2 0", "253:2 32768", TableFault::Offset),
        ("2 integrity:32:aead", "1", TableFault::Integrity),
        ("integrity:32:aead", "integrity:4:aead", TableFault::Integrity),
        ("integrity:32:aead", "integrity:32:none", TableFault::Integrity),
        ("integrity:32:aead", "integrity::aead", TableFault::Line),
        ("2 integrity:32:aead", "3 integrity:32:aead integrity:32:aead", TableFault::Option),
        ("2 integrity", "3 allow_discards integrity", TableFault::Flags),
    ] {
        let line = good.replacen(from, to, 1);
        assert_ne!(line, good, "{from}");
        assert_eq!(compare(&line), Err(vec![fault]), "{line}");
    }
    // Not completed by the device below, an expectation of integrity fits nothing.
    let table = CryptTable::parse(&good).expect("a table");
    assert!(expected_table(&accepted(), DEVICE_SIZE).compare(&table, "253:2").is_err());
}
