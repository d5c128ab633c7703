//! The partition table of a new data volume.
//!
//! GPT (UEFI specification, chapter 5) with the two partitions that HPCR makes: `metadata`, then `data` on the
//! rest, both of the type "Linux filesystem data" and aligned to 1 MiB. Does not look at what was there before
//! and tells no one about the new table: that is for the caller.

use std::fs::File;
use std::io;

use gpt::GptConfig;
use gpt::disk::LogicalBlockSize;
use gpt::mbr::ProtectiveMBR;
use gpt::partition_types::LINUX_FS;

/// Start and end of partitions are multiples of this.
pub(super) const ALIGNMENT: u64 = 1 << 20;

/// Names of the two partitions, in their order.
pub(super) const NAMES: [&str; 2] = ["metadata", "data"];

/// Writes the table to `device`, which has `size` bytes in blocks of `block_size` (512 or 4096) bytes.
///
/// The protective MBR comes last: until it is there, the kernel shows no partitions, so that a table cut short
/// by a power failure is never half seen.
pub(super) fn write(device: &File, size: u64, block_size: u64, metadata_bytes: u64) -> io::Result<()> {
    let blocks = LogicalBlockSize::try_from(block_size)?;
    let mut disk = GptConfig::new()
        .writable(true)
        .logical_block_size(blocks)
        .create_from_device(device.try_clone()?, None)
        .map_err(io::Error::other)?;

    let metadata_end = metadata_bytes
        .checked_next_multiple_of(ALIGNMENT)
        .and_then(|bytes| bytes.checked_add(ALIGNMENT))
        .ok_or(io::ErrorKind::InvalidInput)?;
    // The block after the last usable one, aligned down.
    let end = (disk.header().last_usable + 1) * block_size / ALIGNMENT * ALIGNMENT;
    if end < metadata_end + ALIGNMENT {
        return Err(io::Error::new(
            io::ErrorKind::StorageFull,
            format!("expected more than {} bytes, the disk has {size}", metadata_end + ALIGNMENT),
        ));
    }
    let extents = [(ALIGNMENT, metadata_end), (metadata_end, end)];
    for ((number, name), (from, to)) in (1..).zip(NAMES).zip(extents) {
        disk.add_partition_at(name, number, from / block_size, (to - from) / block_size, LINUX_FS, 0)
            .map_err(io::Error::other)?;
    }
    disk.write().map_err(io::Error::other)?;
    device.sync_all()?;

    // The field has 32 bits; larger disks put its greatest value.
    let covered = u32::try_from(size / block_size - 1).unwrap_or(u32::MAX);
    ProtectiveMBR::with_lb_size(covered)
        .overwrite_lba0(&mut device.try_clone()?)
        .map_err(io::Error::other)?;
    device.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    const MIB: u64 = 1 << 20;

    /// The table as sfdisk reads it.
    fn read_by_sfdisk(path: &std::path::Path) -> serde_json::Value {
        let output = Command::new("/usr/sbin/sfdisk").arg("--json").arg(path).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn disk_of(size: u64) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(size).unwrap();
        file
    }

    #[test]
    fn sfdisk_reads_the_two_partitions() {
        let file = disk_of(300 * MIB + 12345 * 512);
        write(file.as_file(), 300 * MIB + 12345 * 512, 512, 100 * MIB).unwrap();
        let table = &read_by_sfdisk(file.path())["partitiontable"];
        assert_eq!(table["label"], "gpt");
        let partitions = table["partitions"].as_array().unwrap();
        assert_eq!(partitions.len(), 2);
        for partition in partitions {
            assert_eq!(partition["type"], "0FC63DAF-8483-4772-8E79-3D69D8477DE4");
        }
        assert_eq!(partitions[0]["name"], "metadata");
        assert_eq!((&partitions[0]["start"], &partitions[0]["size"]), (&2048.into(), &204_800.into()));
        assert_eq!(partitions[1]["name"], "data");
        assert_eq!((&partitions[1]["start"], &partitions[1]["size"]), (&206_848.into(), &419_840.into()));
        let uuids: std::collections::BTreeSet<_> =
            partitions.iter().chain([table]).map(|v| (v["uuid"].to_string(), v["id"].to_string())).collect();
        assert_eq!(uuids.len(), 3);

        // A second disk shares no identity with the first.
        let other = disk_of(300 * MIB);
        write(other.as_file(), 300 * MIB, 512, 100 * MIB).unwrap();
        assert_ne!(read_by_sfdisk(other.path())["partitiontable"]["id"], table["id"]);
    }

    #[test]
    fn sfdisk_finds_nothing_to_complain_about() {
        let file = disk_of(200 * MIB);
        write(file.as_file(), 200 * MIB, 512, 100 * MIB).unwrap();
        let output = Command::new("/usr/sbin/sfdisk").arg("--verify").arg(file.path()).output().unwrap();
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && text.contains("No errors detected"), "{text}");
    }

    #[test]
    fn a_disk_too_small_is_refused_untouched() {
        // 100 MiB metadata, 1 MiB before it, 1 MiB of data, and the second header.
        let file = disk_of(102 * MIB);
        let error = write(file.as_file(), 102 * MIB, 512, 100 * MIB).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(std::fs::read(file.path()).unwrap().iter().all(|byte| *byte == 0));
        let file = disk_of(103 * MIB);
        write(file.as_file(), 103 * MIB, 512, 100 * MIB).unwrap();
        assert!(write(file.as_file(), 103 * MIB, 520, 100 * MIB).is_err());
        assert!(write(file.as_file(), 103 * MIB, 512, u64::MAX).is_err());
    }
}
