//! The archive of a workload: base64, gzip and tar to files in memory.
//!
//! The first byte chooses: the rest is the text of the field; or the bytes behind the base64; or a tar stream, which
//! is packed without compression, since bytes at random never pass gzip's checksum. Beyond "returns": paths stay
//! inside and have their folders, and the files packed anew by the tar crate unpack to the same.
#![no_main]

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_contract::archive::{Archive, Item, MAX_BYTES, MAX_ENTRIES};
use countersign_contract::code::Code;
use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((way, rest)) = input.split_first() else { return };
    let archive = match way % 3 {
        0 => std::str::from_utf8(rest).map_or(Ok(None), |text| Archive::parse(text).map(Some)),
        1 => Archive::parse(&STANDARD.encode(rest)).map(Some),
        _ => Archive::parse(&packed(rest)).map(Some),
    };
    match archive {
        Ok(Some(archive)) => check(&archive),
        Ok(None) => {}
        Err(error) => {
            assert!(Code::ALL.contains(&error.code()));
            assert!(!error.to_string().is_empty());
        }
    }
});

/// A tar stream as text of the field.
fn packed(tape: &[u8]) -> String {
    let mut gzip = GzEncoder::new(Vec::with_capacity(tape.len() + 64), Compression::none());
    gzip.write_all(tape).and_then(|()| gzip.finish()).map(|bytes| STANDARD.encode(bytes)).expect("memory")
}

fn check(archive: &Archive) {
    let mut tape = tar::Builder::new(Vec::new());
    let (mut entries, mut bytes) = (0, 0);
    for (path, item) in archive.items() {
        entries += 1;
        assert!(!path.starts_with('/') && !path.chars().any(char::is_control));
        assert!(path.split('/').all(|part| !matches!(part, "" | "." | "..")), "{path:?}");
        if let Some((parent, _)) = path.rsplit_once('/') {
            assert!(archive.items().any(|(name, item)| name == parent && matches!(item, Item::Folder)));
        }
        let (kind, mode, content) = match item {
            Item::Folder => (tar::EntryType::Directory, 0o755, &[][..]),
            Item::File { executable, content } => {
                (tar::EntryType::Regular, if *executable { 0o755 } else { 0o644 }, content.as_slice())
            }
        };
        bytes += content.len();
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(content.len() as u64);
        tape.append_data(&mut header, path, content).expect("a path that tar takes");
    }
    assert!(entries <= MAX_ENTRIES && bytes <= MAX_BYTES);
    let again = Archive::parse(&packed(&tape.into_inner().expect("memory"))).expect("what was packed anew");
    assert!(archive.items().map(same).eq(again.items().map(same)), "packed anew it is another archive");
    let _ = archive.compose_file();
}

/// What must be equal of an entry.
fn same<'a>((path, item): (&'a str, &'a Item)) -> (&'a str, Option<(bool, &'a [u8])>) {
    match item {
        Item::Folder => (path, None),
        Item::File { executable, content } => (path, Some((*executable, content))),
    }
}
