//! How large a file system is, by its own superblock, and whether growing it to its device is worth it.
//!
//! Reads what the file systems' documents say: ext4 (kernel, filesystems/ext4/super), XFS (Filesystem Structure,
//! superblocks), btrfs (on-disk format, superblock). The superblock lies inside the volume, under its key; it is no
//! word of the host's.

use countersign_contract::model::FileSystem;

use crate::volumes::partition_table::WORTH_BYTES;

/// Bytes to read from the start of the mapped device.
pub const SUPERBLOCK_BYTES: usize = (64 << 10) + 4096;

/// Where ext4 and btrfs keep their superblocks; that of XFS is at the start.
const EXT4_AT: usize = 1024;
const BTRFS_AT: usize = 64 << 10;
/// The feature of ext4 by which block numbers have 64 bits.
const EXT4_64BIT: u32 = 0x80;

/// Whether a file system, with these first bytes on a device of so many, grows.
pub fn grows(file_system: FileSystem, head: &[u8], device_size: u64) -> bool {
    bytes(file_system, head).is_some_and(|bytes| device_size.saturating_sub(bytes) >= WORTH_BYTES)
}

/// Bytes of a file system; none where there is no such one.
pub fn bytes(file_system: FileSystem, head: &[u8]) -> Option<u64> {
    let little = |at: usize, length: usize| Some(little_endian(head.get(at..at + length)?));
    let big = |at: usize, length: usize| Some(big_endian(head.get(at..at + length)?));
    let bytes = match file_system {
        FileSystem::Ext4 => {
            let at = |offset| EXT4_AT + offset;
            (little(at(0x38), 2)? == 0xef53).then_some(())?;
            let high =
                if little(at(0x60), 4)? & u64::from(EXT4_64BIT) == 0 { 0 } else { little(at(0x150), 4)? };
            let block = 1024u64.checked_shl(u32::try_from(little(at(0x18), 4)?).ok()?)?;
            (high << 32 | little(at(4), 4)?).checked_mul(block)?
        }
        FileSystem::Xfs => {
            head.starts_with(b"XFSB").then_some(())?;
            big(8, 8)?.checked_mul(big(4, 4)?)?
        }
        FileSystem::Btrfs => {
            (head.get(BTRFS_AT + 0x40..)?.starts_with(b"_BHRfS_M")).then_some(())?;
            little(BTRFS_AT + 0x70, 8)?
        }
    };
    (bytes > 0).then_some(bytes)
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn big_endian(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    const MIB: u64 = 1 << 20;

    /// The first bytes of a file system that a program made on a file of so many bytes.
    fn made(program: &str, arguments: &[&str], size: u64) -> Vec<u8> {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(size).unwrap();
        let path = format!("/usr/sbin:/sbin:{}", std::env::var("PATH").unwrap());
        let ended =
            Command::new(program).env("PATH", path).args(arguments).arg(file.path()).output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        let mut bytes = std::fs::read(file.path()).unwrap();
        bytes.truncate(SUPERBLOCK_BYTES);
        bytes
    }

    #[test]
    fn the_size_is_the_one_that_the_program_was_given() {
        for (block, features) in [("4096", "64bit"), ("1024", "^64bit")] {
            let head = made("mke2fs", &["-q", "-t", "ext4", "-b", block, "-O", features], 40 * MIB);
            assert_eq!(bytes(FileSystem::Ext4, &head), Some(40 * MIB));
            assert_eq!((bytes(FileSystem::Xfs, &head), bytes(FileSystem::Btrfs, &head)), (None, None));
        }
    }

    #[test]
    fn a_superblock_of_xfs_and_btrfs_is_read_as_documented() {
        let mut head = vec![0; SUPERBLOCK_BYTES];
        head[..4].copy_from_slice(b"XFSB");
        head[4..8].copy_from_slice(&4096u32.to_be_bytes());
        head[8..16].copy_from_slice(&76_800u64.to_be_bytes());
        head[BTRFS_AT + 0x40..BTRFS_AT + 0x48].copy_from_slice(b"_BHRfS_M");
        head[BTRFS_AT + 0x70..BTRFS_AT + 0x78].copy_from_slice(&(300 * MIB).to_le_bytes());
        assert_eq!(bytes(FileSystem::Xfs, &head), Some(300 * MIB));
        assert_eq!(bytes(FileSystem::Btrfs, &head), Some(300 * MIB));
    }

    #[test]
    fn what_is_not_worth_it_or_not_known_does_not_grow() {
        let head = made("mke2fs", &["-q", "-t", "ext4"], 40 * MIB);
        assert!(!grows(FileSystem::Ext4, &head, 56 * MIB - 1) && !grows(FileSystem::Ext4, &head, 0));
        assert!(grows(FileSystem::Ext4, &head, 56 * MIB));
        assert!(!grows(FileSystem::Xfs, &head, 1 << 40));
        assert!(!grows(FileSystem::Ext4, &head[..1200], 1 << 40));
        assert!(!grows(FileSystem::Ext4, &[0; SUPERBLOCK_BYTES], 1 << 40));
    }
}
