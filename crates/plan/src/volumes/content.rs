//! What a block device holds, judged by its first and last bytes: the guard before any formatting.
//!
//! Blank is a strong word here (DESIGN.md section 7): every byte of the regions where a header could stand is zero.
//! Whatever else is found is named where we know its name, and is never formatted. Offsets and magic numbers are
//! those of the on-disk formats themselves.

use countersign_contract::model::FileSystem;

/// Bytes to read from the start of a device: a LUKS2 header with its key slots ends at 16 MiB.
pub const HEAD_BYTES: usize = 16 << 20;
/// Bytes to read from the end of a device: backup partition tables, RAID and ZFS labels.
pub const TAIL_BYTES: usize = 1 << 20;

/// The first bytes of a disk or partition while a volume is being made on it. They are written before anything else
/// and replaced last, by what makes the rest a partition table or a container: where they stand, nothing was ever
/// handed to a workload.
pub const UNFINISHED: &[u8] = b"countersign: this volume is being made, nothing was stored on it yet\n";
/// The same while a disk is being parted, at its start and where the partition `data` will begin. The table comes to
/// lie behind the first one, whose place the protective MBR takes last.
pub const UNFINISHED_DISK: &[u8] = b"countersign: this disk is being parted, nothing was stored on it yet\n";

/// Bytes of the protective MBR; on a disk with blocks of 512 bytes the table begins behind it.
const PROTECTIVE_MBR: usize = 512;

/// What a disk holds that begins with a GPT.
pub const PARTITION_TABLE: &str = "a GPT partition table";

/// A first format that was cut short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfinished {
    /// Of a container; what is around it is not known.
    Container,
    /// Of the whole disk: partition table and both partitions are ours.
    Disk,
}

/// What a block device holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// All header regions are zero.
    Blank,
    /// A first format that was cut short, and nothing that anyone stored.
    Unfinished(Unfinished),
    /// A LUKS header, of the version given.
    Luks(u16),
    /// Something with a known signature.
    Known(&'static str),
    /// Bytes that are not zero, without a signature that we know.
    Unknown,
}

struct Signature {
    name: &'static str,
    offset: usize,
    magic: &'static [u8],
}

const fn signature(name: &'static str, offset: usize, magic: &'static [u8]) -> Signature {
    Signature { name, offset, magic }
}

/// Signatures counted from the start. The more specific stand first: a boot sector's 55AA says little.
const HEAD: &[Signature] = &[
    signature(PARTITION_TABLE, 512, b"EFI PART"),
    signature(PARTITION_TABLE, 4096, b"EFI PART"),
    signature("an ext2, ext3 or ext4 file system", 0x438, &[0x53, 0xef]),
    signature("an XFS file system", 0, b"XFSB"),
    signature("a Btrfs file system", 0x10040, b"_BHRfS_M"),
    signature("a bcachefs file system", 4096 + 24, &[0xc6, 0x85, 0x73, 0xf6, 0x4e, 0x1a, 0x45, 0xca]),
    signature("an F2FS file system", 1024, &[0x10, 0x20, 0xf5, 0xf2]),
    signature("an EROFS file system", 1024, &[0xe2, 0xe1, 0xf5, 0xe0]),
    signature("a SquashFS file system", 0, b"hsqs"),
    signature("an NTFS file system", 3, b"NTFS    "),
    signature("an exFAT file system", 3, b"EXFAT   "),
    signature("a FAT file system", 0x36, b"FAT1"),
    signature("a FAT file system", 0x52, b"FAT32"),
    signature("an ISO 9660 file system", 0x8001, b"CD001"),
    signature("an LVM physical volume", 0, b"LABELONE"),
    signature("an LVM physical volume", 512, b"LABELONE"),
    signature("an LVM physical volume", 1024, b"LABELONE"),
    signature("an LVM physical volume", 1536, b"LABELONE"),
    signature("a Linux RAID member", 0, &[0xfc, 0x4e, 0x2b, 0xa9]),
    signature("a Linux RAID member", 4096, &[0xfc, 0x4e, 0x2b, 0xa9]),
    signature("swap space", 4086, b"SWAPSPACE2"),
    signature("a dm-verity hash tree", 0, b"verity\0\0"),
    signature("a dm-integrity superblock", 0, b"integrt\0"),
    signature("a DASD volume label", 4096, &[0xe5, 0xd6, 0xd3, 0xf1]),
    signature("an MBR partition table or a boot sector", 510, &[0x55, 0xaa]),
];

/// Where the secondary copy of a LUKS2 header may begin (on-disk format specification 1.1, section 2.1).
const LUKS2_SECONDARY: [usize; 9] =
    [0x4000, 0x8000, 0x1_0000, 0x2_0000, 0x4_0000, 0x8_0000, 0x10_0000, 0x20_0000, 0x40_0000];

/// Signatures counted back from the end.
const TAIL: &[Signature] = &[
    signature("the backup of a GPT partition table", 512, b"EFI PART"),
    signature("the backup of a GPT partition table", 4096, b"EFI PART"),
];

/// The uberblock magic of ZFS, in either byte order, anywhere in a label's uberblock ring at 1 KiB steps.
const ZFS_UBERBLOCK: u64 = 0x00ba_b10c;

/// Judges a device by its first [`HEAD_BYTES`] and last [`TAIL_BYTES`] (less on a smaller device).
pub fn classify(head: &[u8], tail: &[u8]) -> Content {
    if is_zero(head) && is_zero(tail) {
        return Content::Blank;
    }
    for (mark, length, unfinished) in
        [(UNFINISHED, 4096, Unfinished::Container), (UNFINISHED_DISK, PROTECTIVE_MBR, Unfinished::Disk)]
    {
        // A mark fills its block: whatever stands behind it there was not written by us.
        if head.starts_with(mark) && head.get(mark.len()..length).is_some_and(is_zero) {
            return Content::Unfinished(unfinished);
        }
    }
    if head.starts_with(b"LUKS\xba\xbe") {
        let version = head.get(6..8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u16::from_be_bytes);
        return Content::Luks(version);
    }
    // The primary copy is destroyed, the secondary stands: a header that may be repaired, not a blank disk.
    if LUKS2_SECONDARY.iter().any(|at| head.get(*at..).is_some_and(|rest| rest.starts_with(b"SKUL\xba\xbe")))
    {
        return Content::Luks(2);
    }
    for found in HEAD {
        if head.get(found.offset..).is_some_and(|rest| rest.starts_with(found.magic)) {
            return Content::Known(found.name);
        }
    }
    for found in TAIL {
        let start = tail.len().checked_sub(found.offset);
        if start.and_then(|start| tail.get(start..)).is_some_and(|rest| rest.starts_with(found.magic)) {
            return Content::Known(found.name);
        }
    }
    if has_zfs_label(head) || has_zfs_label(tail) {
        return Content::Known("a ZFS pool member");
    }
    // The Linux RAID superblocks of versions 0.90 and 1.0 stand near the end.
    if tail.chunks_exact(4096).any(|block| block.starts_with(&[0xfc, 0x4e, 0x2b, 0xa9])) {
        return Content::Known("a Linux RAID member");
    }
    Content::Unknown
}

/// Bytes of an opened volume that [`file_system`] wants.
pub const FILE_SYSTEM_BYTES: usize = 68 << 10;

/// The file system that a volume holds, by its superblock's magic number; ext2 and ext3 count as ext4, whose driver
/// mounts them.
pub fn file_system(head: &[u8]) -> Option<FileSystem> {
    let found = |offset: usize, magic: &[u8]| head.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    if found(0, b"XFSB") {
        Some(FileSystem::Xfs)
    } else if found(0x10040, b"_BHRfS_M") {
        Some(FileSystem::Btrfs)
    } else if found(0x438, &[0x53, 0xef]) {
        Some(FileSystem::Ext4)
    } else {
        None
    }
}

/// Whether no bit is set. The first byte is zero and each byte is like the one before it: one comparison of memory, where
/// a loop over 17 MiB is what a first format waits for.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    match (bytes.split_first(), bytes.split_last()) {
        (Some((first, behind)), Some((_, before))) => *first == 0 && behind == before,
        _ => true,
    }
}

fn has_zfs_label(bytes: &[u8]) -> bool {
    bytes.chunks_exact(1024).take(1024).any(|block| {
        block.first_chunk::<8>().is_some_and(|magic| {
            u64::from_be_bytes(*magic) == ZFS_UBERBLOCK || u64::from_le_bytes(*magic) == ZFS_UBERBLOCK
        })
    })
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;
    use std::process::Command;

    use super::*;

    #[test]
    fn zero_everywhere_is_blank() {
        assert_eq!(classify(&vec![0; HEAD_BYTES], &vec![0; TAIL_BYTES]), Content::Blank);
    }

    #[test]
    fn one_byte_anywhere_is_not_blank() {
        for position in [0, 1, 4095, 4096, HEAD_BYTES / 2, HEAD_BYTES - 1] {
            let mut head = vec![0; HEAD_BYTES];
            head[position] = 1;
            assert_eq!(classify(&head, &[0; 4096]), Content::Unknown, "byte {position}");
        }
        let mut tail = vec![0; TAIL_BYTES];
        tail[17] = 1;
        assert_eq!(classify(&[0; 4096], &tail), Content::Unknown);
    }

    #[test]
    fn a_format_cut_short_is_known_by_its_whole_first_block() {
        for (mark, block, expected) in
            [(UNFINISHED, 4096, Unfinished::Container), (UNFINISHED_DISK, 512, Unfinished::Disk)]
        {
            let mut head = vec![0; 1 << 20];
            head[..mark.len()].copy_from_slice(mark);
            // What the format had already written behind it does not matter.
            head[block] = 1;
            assert_eq!(classify(&head, &[1; 4096]), Content::Unfinished(expected));
            assert_eq!(classify(&head[..4096], &[]), Content::Unfinished(expected));
            head[block - 1] = 1;
            assert_eq!(classify(&head, &[0; 4096]), Content::Unknown);
            head[block - 1] = 0;
            head[3] ^= 1;
            assert_eq!(classify(&head, &[0; 4096]), Content::Unknown);
        }
    }

    /// The protective MBR comes last, and with it the kernel sees the partitions.
    #[test]
    fn a_partition_table_behind_the_mark_is_our_own() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(256 << 20).unwrap();
        let made = Command::new("sgdisk").args(["-n", "1:2048:0"]).arg(file.path()).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let mut head = vec![0; HEAD_BYTES];
        File::open(file.path()).unwrap().read_exact(&mut head).unwrap();
        assert_eq!(classify(&head, &[]), Content::Known("a GPT partition table"));
        head[..512].fill(0);
        head[..UNFINISHED_DISK.len()].copy_from_slice(UNFINISHED_DISK);
        assert_eq!(classify(&head, &[]), Content::Unfinished(Unfinished::Disk));
        head[..512].fill(0);
        head[..UNFINISHED.len()].copy_from_slice(UNFINISHED);
        assert_eq!(classify(&head, &[]), Content::Known("a GPT partition table"));
    }

    #[test]
    fn a_second_header_copy_is_a_header() {
        for at in LUKS2_SECONDARY {
            let mut head = vec![0; HEAD_BYTES];
            head[at..at + 6].copy_from_slice(b"SKUL\xba\xbe");
            assert_eq!(classify(&head, &[0; 4096]), Content::Luks(2));
        }
    }

    #[test]
    fn every_head_signature_is_named() {
        for expected in HEAD {
            let mut head = vec![0; 1 << 20];
            head[expected.offset..expected.offset + expected.magic.len()].copy_from_slice(expected.magic);
            assert_eq!(classify(&head, &[0; 4096]), Content::Known(expected.name));
        }
    }

    #[test]
    fn a_file_system_is_known_by_what_its_own_program_writes() {
        for (program, expected) in
            [("mke2fs", FileSystem::Ext4), ("mkfs.xfs", FileSystem::Xfs), ("mkfs.btrfs", FileSystem::Btrfs)]
        {
            let file = tempfile::NamedTempFile::new().unwrap();
            file.as_file().set_len(320 << 20).unwrap();
            let made = Command::new(program).arg("-q").arg(file.path()).output().unwrap();
            assert!(made.status.success(), "{program}: {made:?}");
            let mut head = vec![0; FILE_SYSTEM_BYTES];
            File::open(file.path()).unwrap().read_exact(&mut head).unwrap();
            assert_eq!(file_system(&head), Some(expected));
        }
        assert_eq!(file_system(&[0; FILE_SYSTEM_BYTES]), None);
        assert_eq!(file_system(&[]), None);
    }

    #[test]
    fn a_zfs_label_is_named_in_both_byte_orders() {
        for magic in [ZFS_UBERBLOCK.to_be_bytes(), ZFS_UBERBLOCK.to_le_bytes()] {
            let mut head = vec![0; 1 << 20];
            head[128 << 10..(128 << 10) + 8].copy_from_slice(&magic);
            assert_eq!(classify(&head, &[0; 4096]), Content::Known("a ZFS pool member"));
        }
    }
}
