//! The kernel's table against the header it was opened with, field by field.

use countersign_forgeries::luks2_volumes::{ARGON2ID, DEVICE_SIZE, Volume};
use countersign_plan::luks2::table::{CryptTable, ExpectedTable, TableFault, TableFlag, expected_table};
use countersign_plan::luks2::{Profile, judge, read};

const UUID: &str = "3e2b59ff-bc45-4423-9f76-c2e429aaebeb";

fn expected(sector_size: &str) -> ExpectedTable {
    let options = ["--type", "luks2", "--uuid", UUID, "--sector-size", sector_size];
    let volume = Volume::format(&[&ARGON2ID, &options]);
    let header = read(&volume.head(0x8000)).expect("a header");
    expected_table(&judge(&header, &Profile::countersign(), DEVICE_SIZE).expect("accepted"), DEVICE_SIZE)
}

fn compare(expected: &ExpectedTable, line: &str) -> Result<(), Vec<TableFault>> {
    expected.compare(&CryptTable::parse(line).map_err(|fault| vec![fault])?, "253:1")
}

#[test]
fn fields_of_the_expectation() {
    let table = expected("4096");
    assert_eq!(table.cipher, "aes-xts-plain64");
    assert_eq!((table.key_bytes, table.sector_size, table.iv_offset), (64, 4096, 0));
    assert_eq!((table.offset_sectors, table.length_sectors), (32768, 98304));
    assert!(table.flags.is_empty());
}

#[test]
fn each_field_is_compared() {
    let table = expected("512");
    let key = format!(":64:logon:cryptsetup:{UUID}-d0");
    let zeros = "0".repeat(128);
    let good = format!("0 98304 crypt aes-xts-plain64 {key} 0 253:1 32768");
    assert_eq!(compare(&table, &good), Ok(()));
    assert_eq!(compare(&table, &format!("{good}\n")), Ok(()));
    assert_eq!(compare(&table, &good.replace(&key, &zeros)), Ok(()));
    for (from, to, fault) in [
        ("0 98304", "8 98304", TableFault::Start),
        (" 98304 ", " 98303 ", TableFault::Length),
        (" 98304 ", " 98312 ", TableFault::Length),
        ("aes-xts-plain64", "cipher_null-ecb", TableFault::Cipher),
        ("aes-xts-plain64", "capi:xts(aes)-plain64", TableFault::Cipher),
        (":64:", ":32:", TableFault::Key),
        (":logon:", ":user:", TableFault::Key),
        ("-d0", "-d", TableFault::Key),
        ("-d0", "-d0x", TableFault::Key),
        ("3e2b59ff", "4e2b59ff", TableFault::Key),
        (&key, &zeros[2..], TableFault::Key),
        (&key, &zeros[1..], TableFault::Key),
        (&key, "-", TableFault::Key),
        (" 0 253:1", " 8 253:1", TableFault::IvOffset),
        ("253:1", "253:2", TableFault::Device),
        (" 32768", " 32776", TableFault::Offset),
        (" 32768", " 32768 1 sector_size:4096", TableFault::SectorSize),
        (" 32768", " 32768 1 allow_discards", TableFault::Flags),
        (" 32768", " 32768 1 iv_large_sectors", TableFault::Flags),
        (" 32768", " 32768 1 integrity:32:hmac(sha256)", TableFault::Integrity),
        (" 32768", " 32768 1 integrity:32:aead", TableFault::Integrity),
        (" 32768", " 32768 2 allow_discards allow_discards", TableFault::Option),
        (" 32768", " 32768 2 sector_size:512 sector_size:512", TableFault::Option),
        (" 32768", " 32768 2 allow_discards", TableFault::Line),
        (" 32768", " 32768 x", TableFault::Line),
        (" 32768", " +32768", TableFault::Line),
        (" 32768", "", TableFault::Line),
        (" crypt ", " linear ", TableFault::Line),
        ("0 98304", "name: 0 98304", TableFault::Line),
        (" 32768", " 32768\n0 8 linear 253:1 0", TableFault::Line),
    ] {
        let line = good.replacen(from, to, 1);
        assert_ne!(line, good, "{from}");
        assert_eq!(compare(&table, &line), Err(vec![fault]), "{line}");
        assert!(fault.to_string().starts_with(fault.id()));
    }
}

#[test]
fn flags_that_were_asked_for_must_be_there() {
    let table = expected("4096").with_flag(TableFlag::AllowDiscards);
    let zeros = "0".repeat(128);
    let good =
        format!("0 98304 crypt aes-xts-plain64 {zeros} 0 253:1 32768 2 allow_discards sector_size:4096");
    assert_eq!(compare(&table, &good), Ok(()));
    let without = good.replace("2 allow_discards ", "1 ");
    assert_eq!(compare(&table, &without), Err(vec![TableFault::Flags]));
}
