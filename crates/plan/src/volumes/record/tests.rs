//! The record's form and verdicts; the tag is held against openssl in `crypto::volume_key`, a whole record made by
//! openssl in the tests of the stages.

use super::*;

const UUID: &str = "8c9a6e1e-6b0e-4a0c-9d6c-3e1c5b7f0a11";

fn key() -> VolumeKey {
    VolumeKey::copy_from(&[7; 64])
}

fn subject(header: u8) -> Subject<'static> {
    Subject { volume: "data", uuid: UUID, header: [header; 32] }
}

fn opened(bytes: &[u8], key: &VolumeKey) -> Result<VolumeRecord, RecordFault> {
    VolumeRecord::open(bytes, key).unwrap()
}

#[test]
fn the_text_is_as_documented() {
    let record = VolumeRecord::first(subject(0xa1), Origin::Made, 1_767_225_600).announcing([0xb2; 32]);
    let expected = format!(
        "countersign volume record 2\nvolume data\nuuid {UUID}\ngeneration 2\norigin made\nsince 1767225600\n\
         header {}\nnext {}\ntime 1767225600\nserial none\ntag ",
        "a1".repeat(32),
        "b2".repeat(32)
    );
    let sealed = String::from_utf8(record.sealed(&key()).unwrap()).unwrap();
    assert!(sealed.starts_with(&expected) && sealed.len() == expected.len() + 65, "{sealed}");
    assert!(sealed.len() < LIMIT - 255);
    assert_eq!(opened(sealed.as_bytes(), &key()), Ok(record));
}

#[test]
fn every_changed_byte_and_every_missing_end_is_refused() {
    let record = VolumeRecord::first(subject(1), Origin::Found, -5);
    let sealed = record.sealed(&key()).unwrap();
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert_eq!(opened(&changed, &key()), Err(RecordFault::Invalid), "byte {at}");
        assert_eq!(opened(&sealed[..at], &key()), Err(RecordFault::Invalid), "end {at}");
    }
    let longer = [&sealed[..], b"\n"].concat();
    assert_eq!(opened(&longer, &key()), Err(RecordFault::Invalid));
    assert_eq!(opened(&sealed, &VolumeKey::copy_from(&[8; 64])), Err(RecordFault::Invalid));
    assert_eq!(opened(&[0xff; 64], &key()), Err(RecordFault::Invalid));
}

/// A text under the key.
fn tagged(text: &str) -> Vec<u8> {
    let tag = hex(&key().record_tag(text.as_bytes()).unwrap());
    format!("{text}tag {tag}\n").into_bytes()
}

#[test]
fn both_formats_are_read_and_no_other_text_is() {
    let record = VolumeRecord::first(subject(1), Origin::Made, 0);
    let (first, second) = (record.text(Format::First), record.text(Format::Second));
    assert_eq!(second, first.replace("record 1", "record 2") + "time 0\nserial none\n");
    for text in [&first, &second] {
        assert_eq!(opened(&tagged(text), &key()), Ok(record.clone()), "{text}");
    }
    let numbered = second.replace("serial none", "serial 18446744073709551615");
    assert_eq!(opened(&tagged(&numbered), &key()).unwrap().serial, Some(u64::MAX));
    for text in [
        first.replace("record 1", "record 2"),
        second.replace("record 2", "record 1"),
        second.replace("record 2", "record 3"),
        second.replace("record 2", "record 02"),
        second.replace("time 0", "time 01"),
        second.replace("time 0", "time "),
        second.replace("time 0\n", ""),
        second.replace("time 0\n", "time 0\ntime 0\n"),
        second.replace("time", "tame"),
        second.replace("serial none", "serial 07"),
        second.replace("serial none", "serial -1"),
        second.replace("serial none", "serial "),
        second.replace("serial none", "serial 18446744073709551616"),
        second.clone() + "more\n",
    ] {
        assert_eq!(opened(&tagged(&text), &key()), Err(RecordFault::Invalid), "{text}");
    }
}

#[test]
fn a_serial_goes_up_and_never_down() {
    let none = VolumeRecord::first(subject(1), Origin::Made, 0);
    assert_eq!((none.judge_serial(None), none.raised(None)), (Ok(()), None));
    let seven = none.raised(Some(7)).unwrap();
    assert_eq!((seven.generation, seven.serial), (2, Some(7)));
    assert_eq!(opened(&seven.sealed(&key()).unwrap(), &key()), Ok(seven.clone()));
    for (serial, verdict) in [
        (None, Err(RecordFault::OlderContract)),
        (Some(6), Err(RecordFault::OlderContract)),
        (Some(7), Ok(())),
        (Some(8), Ok(())),
    ] {
        assert_eq!(seven.judge_serial(serial), verdict, "{serial:?}");
    }
    assert_eq!(seven.raised(Some(7)), None);
    assert_eq!(seven.raised(None), None);
    assert_eq!(seven.raised(Some(8)).unwrap().serial, Some(8));
    // A change of the header keeps it.
    assert_eq!(seven.announcing([2; 32]).settled([2; 32]).unwrap().serial, Some(7));
}

#[test]
fn only_its_own_volume_with_its_own_header_passes() {
    let record = VolumeRecord::first(subject(1), Origin::Made, 0);
    assert_eq!(record.judge(subject(1)), Ok(()));
    let renamed = Subject { volume: "more", ..subject(1) };
    assert_eq!(record.judge(renamed), Err(RecordFault::OtherVolume));
    let other = Subject { uuid: "8c9a6e1e-6b0e-4a0c-9d6c-3e1c5b7f0a12", ..subject(1) };
    assert_eq!(record.judge(other), Err(RecordFault::OtherVolume));
    assert_eq!(record.judge(subject(2)), Err(RecordFault::OtherHeader));
}

#[test]
fn old_and_next_header_pass_while_one_replaces_the_other() {
    let first = VolumeRecord::first(subject(1), Origin::Made, 0);
    let between = first.announcing([2; 32]);
    assert_eq!((between.judge(subject(1)), between.judge(subject(2))), (Ok(()), Ok(())));
    assert_eq!(between.judge(subject(3)), Err(RecordFault::OtherHeader));
    // The replacement was never begun, or it is over.
    let back = between.settled([1; 32]).unwrap();
    assert_eq!((back.generation, back.judge(subject(2))), (3, Err(RecordFault::OtherHeader)));
    let over = between.settled([2; 32]).unwrap();
    assert_eq!(over.judge(subject(1)), Err(RecordFault::OtherHeader));
    assert_eq!((over.judge(subject(2)), over.settled([2; 32])), (Ok(()), None));
    // Begun again: the first try's header counts no more.
    assert_eq!(between.announcing([4; 32]).judge(subject(2)), Err(RecordFault::OtherHeader));
}

#[test]
fn the_latest_time_is_kept_and_a_first_record_has_that_of_its_writing() {
    let first = VolumeRecord::first(subject(1), Origin::Made, 1_000);
    assert_eq!((first.last_seen(), first.seen(1_000), first.seen(999)), (1_000, None, None));
    let seen = first.seen(1_001).unwrap();
    let lines = seen.text(Format::Second);
    assert!(lines.contains("\ngeneration 2\n") && lines.contains("\nsince 1000\n"), "{lines}");
    assert!(lines.ends_with("\ntime 1001\nserial none\n"), "{lines}");
    assert_eq!((seen.last_seen(), seen.seen(1_001)), (1_001, None));
    assert_eq!(opened(&seen.sealed(&key()).unwrap(), &key()), Ok(seen.clone()));
    // What happens to the header leaves the time alone, and so does a serial.
    let later = seen.announcing([2; 32]).settled([2; 32]).unwrap().raised(Some(1)).unwrap();
    assert_eq!((later.last_seen(), later.since), (1_001, 1_000));
    // A record of format 1 was last written when it says that it was first written.
    let old = tagged(&first.text(Format::First));
    assert_eq!(opened(&old, &key()).unwrap().last_seen(), 1_000);
}
