//! Tables made by sgdisk and sfdisk on image files, grown, and judged by the same two programs.

use std::io::Write as _;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::*;

const MIB: u64 = 1 << 20;

fn run(program: &str, arguments: &[&str], image: &Path, input: &str) -> String {
    let path = format!("/usr/sbin:/sbin:{}", std::env::var("PATH").unwrap());
    let mut child = Command::new(program)
        .env("PATH", path)
        .args(arguments)
        .arg(image)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8(ended.stdout).unwrap()
}

/// A GUID in the table's order of bytes, of its text.
fn guid_of(text: &str) -> [u8; 16] {
    let hex = text.replace('-', "");
    let mut guid = [0; 16];
    for (index, byte) in guid.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * index..2 * index + 2], 16).unwrap();
    }
    for field in [0..4, 4..6, 6..8] {
        guid[field].reverse();
    }
    guid
}

struct Disk {
    image: tempfile::NamedTempFile,
    size: u64,
}

impl Disk {
    /// A disk parted as the documents describe.
    fn parted(size: u64) -> Disk {
        let image = tempfile::NamedTempFile::new().unwrap();
        image.as_file().set_len(size).unwrap();
        let table = "label: gpt\nstart=1MiB, size=100MiB, name=metadata\nname=data\n";
        run("sfdisk", &["--quiet"], image.path(), table);
        Disk { image, size }
    }

    fn enlarge(&mut self, size: u64) {
        self.image.as_file().set_len(size).unwrap();
        self.size = size;
    }

    fn head(&self) -> Vec<u8> {
        let mut head = vec![0; HEAD_BYTES];
        self.image.as_file().read_exact_at(&mut head, 0).unwrap();
        head
    }

    /// What sfdisk shows: start and size of each partition in sectors, and the identities.
    fn partitions(&self) -> Vec<(String, u64, u64)> {
        let shown = run("sfdisk", &["--json"], self.image.path(), "");
        let table: serde_json::Value = serde_json::from_str(&shown).unwrap();
        let partitions = table["partitiontable"]["partitions"].as_array().unwrap();
        let number = |value: &serde_json::Value| value.as_u64().unwrap();
        partitions
            .iter()
            .map(|p| (format!("{} {}", p["name"], p["uuid"]), number(&p["start"]), number(&p["size"])))
            .collect()
    }

    /// What the reader finds.
    fn read(&self) -> Vec<Partition> {
        read(&self.head(), self.size).unwrap()
    }

    fn last(&self) -> Partition {
        self.read().pop().unwrap()
    }

    fn growth(&self) -> Option<Growth> {
        grow(&self.head(), self.size, &self.last()).unwrap()
    }

    fn apply(&self, write: &Write) {
        self.image.as_file().write_all_at(&write.bytes, write.offset).unwrap();
    }

    fn assert_whole(&self) {
        let said = run("sgdisk", &["--verify"], self.image.path(), "");
        assert!(said.contains("No problems found"), "{said}");
        let said = run("sfdisk", &["--verify"], self.image.path(), "");
        assert!(said.contains("No errors detected"), "{said}");
    }
}

/// The first bytes of a disk of 200 MiB, changed, with checksums that hold again, and its last partition before that.
fn resealed(change: impl FnOnce(&mut Vec<u8>)) -> (Vec<u8>, Partition) {
    let disk = Disk::parted(200 * MIB);
    let mut head = disk.head();
    change(&mut head);
    let entries = crc32fast::hash(&head[1024..1024 + 128 * 128]);
    head[512 + 88..512 + 92].copy_from_slice(&entries.to_le_bytes());
    head[512 + 16..512 + 20].fill(0);
    let header = crc32fast::hash(&head[512..512 + 92]);
    head[512 + 16..512 + 20].copy_from_slice(&header.to_le_bytes());
    (head, disk.last())
}

#[test]
fn partitions_are_those_that_sfdisk_shows() {
    for table in [
        "label: gpt\nstart=1MiB, size=100MiB, name=metadata\nname=data\n",
        "label: gpt\n",
        "label: gpt\nsize=10MiB\nsize=20MiB, name=\"zwei \u{20ac} \u{1f600}\"\nname=the-longest-name-has-thirty-six-units\n",
        // Numbers with gaps, and not in the order of their places.
        "label: gpt\n7: start=60MiB, size=2MiB, name=behind\n3: start=90MiB, size=1MiB\n128: start=9MiB, size=512KiB\n",
        "label: gpt\ntable-length: 8\nname=data\n",
    ] {
        let image = tempfile::NamedTempFile::new().unwrap();
        image.as_file().set_len(200 * MIB).unwrap();
        run("sfdisk", &["--quiet"], image.path(), table);
        let shown: serde_json::Value =
            serde_json::from_str(&run("sfdisk", &["--json"], image.path(), "")).unwrap();
        let number = |value: &serde_json::Value| value.as_u64().unwrap() * 512;
        let shown = shown["partitiontable"]["partitions"].as_array().cloned().unwrap_or_default();
        let mut expected: Vec<Partition> = shown
            .iter()
            .map(|partition| Partition {
                number: partition["node"]
                    .as_str()
                    .unwrap()
                    .strip_prefix(image.path().to_str().unwrap())
                    .unwrap()
                    .trim_start_matches('p')
                    .parse()
                    .unwrap(),
                guid: guid_of(partition["uuid"].as_str().unwrap()),
                name: partition["name"].as_str().unwrap_or_default().to_owned(),
                start: number(&partition["start"]),
                size: number(&partition["size"]),
            })
            .collect();
        expected.sort_by_key(|partition| partition.number);
        assert_eq!(Disk { image, size: 200 * MIB }.read(), expected, "{table}");
    }
}

#[test]
fn a_table_is_read_whole_or_not_at_all() {
    let read = |head: &[u8]| read(head, 200 * MIB);
    let good = resealed(|_| ()).0;
    assert_eq!(read(&good).unwrap().len(), 2);
    assert_eq!(read(&vec![0; HEAD_BYTES]), Err(TableFault::Broken));
    assert_eq!(read(&[]), Err(TableFault::Broken));
    // A hybrid MBR has the GPT's entry beside others; an MBR without it means other partitions.
    assert!(read(&resealed(|head| head[446 + 16 + 4] = 0x83).0).is_ok());
    assert_eq!(read(&resealed(|head| head[446 + 4] = 0x83).0), Err(TableFault::Form));
    // Behind the disk's end; an end before the start; over the table; over the other partition, by one block.
    let (data, end) = (206_848u64, 200 * MIB / 512);
    for (first, last) in
        [(data, end), (data, u64::MAX), (u64::MAX, u64::MAX), (data, data - 1), (33, data), (data - 1, data)]
    {
        let head = resealed(|head| {
            head[1024 + 128 + 32..][..8].copy_from_slice(&first.to_le_bytes());
            head[1024 + 128 + 40..][..8].copy_from_slice(&last.to_le_bytes());
        });
        assert_eq!(read(&head.0), Err(TableFault::Extent), "{first} {last}");
    }
    let smaller = super::read(&good, 150 * MIB);
    assert_eq!(smaller, Err(TableFault::Extent));
}

#[test]
fn sgdisk_finds_no_fault_in_a_grown_table_however_often_it_grew() {
    let mut disk = Disk::parted(200 * MIB + 512);
    let before = disk.partitions();
    assert_eq!(disk.growth(), None);
    // Twice each place of the array.
    for size in [300 * MIB, 316 * MIB, 1000 * MIB + 512 * 33, 4096 * MIB, 3 << 40] {
        disk.enlarge(size);
        let growth = disk.growth().unwrap();
        growth.writes.iter().for_each(|write| disk.apply(write));
        disk.assert_whole();
        let after = disk.partitions();
        assert_eq!((&after[0], &after[1].0), (&before[0], &before[1].0));
        assert_eq!(after[1].1 * 512, growth.start);
        assert_eq!(after[1].2 * 512, growth.length);
        let end = growth.start + growth.length;
        // The backup takes 33 sectors.
        let left = size - end;
        assert!(end.is_multiple_of(MIB) && (33 * 512..MIB + 33 * 512).contains(&left), "{end} of {size}");
        assert_eq!(disk.growth(), None);
    }
}

#[test]
fn a_cut_between_or_within_any_two_writes_leaves_the_old_or_the_new_partitions() {
    let mut disk = Disk::parted(200 * MIB);
    for size in [300 * MIB, 400 * MIB] {
        let before = disk.partitions();
        disk.enlarge(size);
        let growth = disk.growth().unwrap();
        let (header, rest) = growth.writes.split_last().unwrap();
        assert_eq!((header.offset, header.bytes.len()), (512, 512));
        for write in rest {
            for torn in [512, write.bytes.len() / 1024 * 512, write.bytes.len()] {
                let bytes = write.bytes[..torn].to_vec();
                disk.apply(&Write { offset: write.offset, bytes });
                assert_eq!(disk.partitions(), before, "{torn} bytes at {}", write.offset);
                // Beginning again gives the same.
                assert_eq!(disk.growth().unwrap(), growth);
            }
        }
        disk.apply(header);
        disk.assert_whole();
        assert_eq!(disk.partitions()[1].2 * 512, growth.length);
    }
}

#[test]
fn nothing_of_the_old_partitions_is_written_over() {
    let mut disk = Disk::parted(200 * MIB);
    disk.enlarge(300 * MIB);
    let end = (disk.partitions()[1].1 + disk.partitions()[1].2) * 512;
    for Write { offset, bytes } in disk.growth().unwrap().writes {
        assert!(offset + bytes.len() as u64 <= MIB || offset >= end, "{offset}");
    }
}

#[test]
fn a_table_of_large_blocks_grows_by_the_same_rule() {
    // sgdisk and sfdisk take a file's block for 512 bytes; the gpt of 4096 is laid out here by hand.
    let (small, last) = resealed(|_| ());
    let mut head = vec![0; HEAD_BYTES];
    head[..512].copy_from_slice(&small[..512]);
    head[4096..4096 + 512].copy_from_slice(&small[512..1024]);
    head[8192..8192 + 128 * 128].copy_from_slice(&small[1024..1024 + 128 * 128]);
    for (at, blocks) in [(8192 + 128 + 32, 101 * 256), (8192 + 128 + 40, 101 * 256 + last.size / 4096 - 1)] {
        head[at..at + 8].copy_from_slice(&blocks.to_le_bytes());
    }
    head[8192 + 32..8192 + 40].copy_from_slice(&256u64.to_le_bytes());
    head[8192 + 40..8192 + 48].copy_from_slice(&(101 * 256 - 1u64).to_le_bytes());
    let entries = crc32fast::hash(&head[8192..8192 + 128 * 128]);
    head[4096 + 88..4096 + 92].copy_from_slice(&entries.to_le_bytes());
    head[4096 + 16..4096 + 20].fill(0);
    let header = crc32fast::hash(&head[4096..4096 + 92]);
    head[4096 + 16..4096 + 20].copy_from_slice(&header.to_le_bytes());
    assert_eq!(read(&head, 300 * MIB).unwrap()[1], last);
    let growth = grow(&head, 300 * MIB, &last).unwrap().unwrap();
    assert_eq!((growth.start, growth.length), (101 * MIB, 198 * MIB));
    let places: Vec<(u64, usize)> = growth.writes.iter().map(|w| (w.offset, w.bytes.len())).collect();
    assert_eq!(places, [(0, 4096), (300 * MIB - 5 * 4096, 5 * 4096), (6 * 4096, 4 * 4096), (4096, 4096)]);
}

#[test]
fn a_table_that_is_not_plainly_ours_is_left_as_it_is() {
    let fault = |head: &[u8], last: &Partition| grow(head, 300 * MIB, last).unwrap_err();
    let (good, last) = resealed(|_| ());
    assert!(grow(&good, 300 * MIB, &last).unwrap().is_some());
    assert_eq!(fault(&vec![0; HEAD_BYTES], &last), TableFault::Broken);
    assert_eq!(fault(&good[..600], &last), TableFault::Broken);
    for at in [512, 512 + 9, 512 + 17, 512 + 60, 1024 + 128 + 41] {
        let mut head = good.clone();
        head[at] ^= 1;
        assert_eq!(fault(&head, &last), TableFault::Broken, "byte {at}");
    }
    // Own place; entries before the header or far behind; size and number of entries; MBR.
    for (at, value, expected) in [
        (512 + 24, 2, TableFault::Broken),
        (512 + 12, 91, TableFault::Broken),
        (512 + 13, 3, TableFault::Broken),
        (512 + 72, 1, TableFault::Form),
        (512 + 75, 1, TableFault::Form),
        (512 + 79, 255, TableFault::Form),
        (512 + 84, 64, TableFault::Form),
        (512 + 82, 1, TableFault::Form),
        (450, 0x83, TableFault::Form),
        (466, 0x83, TableFault::Form),
        (511, 0, TableFault::Form),
    ] {
        let (head, last) = resealed(|head| head[at] = value);
        assert_eq!(fault(&head, &last), expected, "{value} at {at}");
    }
    // Another partition behind data, or at its place; data that ends before it begins; a partition in our room.
    let third = |start: u64| {
        move |head: &mut Vec<u8>| {
            head[1280..1296].fill(1);
            head[1280 + 32..1280 + 40].copy_from_slice(&start.to_le_bytes());
            head[1280 + 40..1280 + 48].copy_from_slice(&start.to_le_bytes());
        }
    };
    for (start, expected) in
        [(206_849, TableFault::Partition), (206_848, TableFault::Partition), (40, TableFault::Form)]
    {
        let (head, last) = resealed(third(start));
        assert_eq!(fault(&head, &last), expected, "{start}");
    }
    let (head, last) = resealed(|head| head[1024 + 128 + 40..1024 + 128 + 48].fill(0));
    assert_eq!(fault(&head, &last), TableFault::Partition);
    let other = || last.clone();
    for other in [
        Partition { number: 1, ..other() },
        Partition { number: 0, ..other() },
        Partition { number: 129, ..other() },
        Partition { name: "dat".into(), ..other() },
        Partition { name: "datas".into(), ..other() },
        Partition { start: last.start + 512, ..other() },
        Partition { size: last.size + 512, ..other() },
    ] {
        assert_eq!(fault(&good, &other), TableFault::Partition, "{other:?}");
    }
    // A disk that became smaller, and one without room for a backup.
    assert_eq!(grow(&good, 150 * MIB, &last), Ok(None));
    assert_eq!(fault_of_size(&good, &last), TableFault::Form);
}

fn fault_of_size(head: &[u8], last: &Partition) -> TableFault {
    grow(head, 512 * 10, last).unwrap_err()
}
