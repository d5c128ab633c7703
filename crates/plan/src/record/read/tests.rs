//! Records of HPCR's generations, in shapes made anew, and what no generation writes.

use super::*;
use crate::record::name::{Own, Part};

fn hex(letter: char) -> String {
    letter.to_string().repeat(64)
}

fn record(text: &str) -> Record {
    Record::parse(text.as_bytes()).unwrap()
}

fn refused(text: impl AsRef<[u8]>) -> RecordError {
    Record::parse(text.as_ref()).unwrap_err()
}

/// A record of lines with a digest each.
fn lines(head: &str, names: &[&str]) -> String {
    let digests = names.iter().zip('a'..='f').map(|(name, letter)| format!("{} {name}\n", hex(letter)));
    format!("{head}{}", digests.collect::<String>())
}

#[test]
fn every_generation_of_the_table_is_read() {
    let disk = ["/dev/disk/by-label/cidata", "cidata/meta-data", "cidata/user-data", "cidata/vendor-data"];
    let info = "Machine Type/Plant/Serial: 3932/02/12345\n";
    let with = |names: &[&'static str]| -> Vec<&'static str> { names.iter().chain(&disk).copied().collect() };
    for (text, part) in [
        (lines("1.0.0\n", &["baseimage", "root.tar.gz", "user-data.decrypted"]), None),
        (lines("23.3.0\n", &["root.tar.gz", "baseimage", "attestationPublicKey"]), None),
        (lines(&format!("24.3.3\n{info}"), &["root.tar.gz", "env", "workload"]), Some(true)),
        (
            lines(&format!("24.6.9\n{info}"), &["contract: attestationPublicKey", "contract: env"]),
            Some(false),
        ),
        (
            lines(
                &format!("24.8.0\n{info}"),
                &["contract:env ", "contract:envWorkloadSignature ", "contract:workload"],
            ),
            Some(false),
        ),
        (
            lines(
                &format!("24.11.0\n{info}Image age: 3 days since creation\n"),
                &["contract:env ", "contract:workload"],
            ),
            Some(false),
        ),
        (
            lines(
                "26.7.1\nEncryption Certificate valid until: Jul 06 06:44:41 2027 UTC\n",
                &["certificate_expiry_date.json", "sbom", "contract:env"],
            ),
            Some(false),
        ),
        (
            lines(
                "25.4.0\nUltravisor CUID: 0x00\nHost HKD: one (a machine)\nHKD is valid until: Jan 01 GMT\nAP device present: true\nNumber of configured APs: 1\n",
                &["AP(1):secret", "uv_firmware.state", "contract:env "],
            ),
            Some(false),
        ),
    ] {
        // With and without the last line feed.
        let read = record(&text);
        assert_eq!(record(text.trim_end_matches('\n')), read, "{text}");
        assert_eq!(read.kind(), Kind::Hpcr);
        let unknown = read
            .lines()
            .iter()
            .find(|line| matches!(line.said, Said::Unknown(_) | Said::Digest(Name::Other(_), _)));
        assert_eq!(unknown, None, "{text}");
        if let Some(bare) = part {
            assert!(read.digest(&Name::Contract { part: Part::Env, bare }).is_some(), "{text}");
        }
    }
    assert!(record(&lines("23.3.0\n", &with(&["root.tar.gz"])[..5])).digest(&Name::Disk).is_some());
}

#[test]
fn what_no_generation_writes_is_refused_at_its_line() {
    let good = lines("26.7.1\n", &["sbom", "contract:env"]);
    record(&good);
    assert_eq!(refused(""), RecordError::Version);
    assert_eq!(refused("a version\n"), RecordError::Version);
    assert_eq!(refused("26.7.1\n"), RecordError::Nothing);
    assert_eq!(refused(format!("{good}\n")), RecordError::Empty(4));
    assert_eq!(refused(format!("{good}{} sbom\n", hex('9'))), RecordError::Twice(4));
    assert_eq!(refused(format!("{good}{} env\n", hex('9'))), RecordError::Twice(4));
    assert_eq!(refused(format!("{good}Image age: 1\nImage age: 2\n")), RecordError::Twice(5));
    assert_eq!(refused(format!("{good}\u{1b}[2J\n")), RecordError::Text(4));
    assert_eq!(refused([good.as_bytes(), b"\xff\n"].concat()), RecordError::Text(4));
    assert_eq!(refused(good.replace('\n', "\r\n")), RecordError::Text(1));
    for broken in [hex('A'), hex('a')[1..].to_owned(), "deadbeef".to_owned()] {
        assert_eq!(refused(format!("{good}{broken} root.tar.gz\n")), RecordError::Digest(4), "{broken}");
    }
    assert_eq!(refused(format!("{good}{}  root.tar.gz\n", hex('1'))), RecordError::Digest(4));
    assert_eq!(refused(format!("{good}Countersign record: 2\n")), RecordError::Format(4));
    assert_eq!(refused(format!("{good}{}\n", "x".repeat(MAX_LINE + 1))), RecordError::Line(4));
    assert_eq!(refused(format!("{good}{}", "x\n".repeat(MAX_LINES))), RecordError::Lines);
    assert_eq!(refused("26.7.1\nx\n".repeat(10 << 20 >> 3)), RecordError::Bytes);
    // Cut within a digest: what is left of it names nothing.
    let cut = record(&good[..good.len() - 20]);
    assert!(matches!(cut.lines()[2].said, Said::Unknown(_)), "{cut:?}");
}

#[test]
fn our_lines_are_read_and_later_ones_kept() {
    let text = format!(
        "0.1.0\n{} cidata/user-data\nCountersign record: 1\n{} countersign:root.verity\nContract is not signed\n\
         Image accepts: unsigned: accept\nImage accepts: scratch protection: plain\nSomething: new\nWarning: HPL12100W: x\n\
         Warning: HPL12100W: x\n",
        hex('a'),
        "b".repeat(128)
    );
    let read = record(&text);
    assert_eq!((read.version(), read.kind()), ("0.1.0", Kind::First));
    assert_eq!(read.digest(&Name::Own(Own::RootVerity)), Some(&*"b".repeat(128)));
    assert_eq!(read.fact(Fact::Signed), Some("no"));
    assert_eq!(
        read.facts(Fact::Accepts).collect::<Vec<_>>(),
        ["unsigned: accept", "scratch protection: plain"]
    );
    assert_eq!(read.facts(Fact::Warning).count(), 2);
    assert_eq!(read.lines()[7].said, Said::Unknown("Something: new".to_owned()));
}
