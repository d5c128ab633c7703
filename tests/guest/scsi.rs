//! SCSI disks with faults: what [`countersign_tests::lab::Act::Attach`] makes, and what goes behind each case.
//!
//! From below: a disk of the machine; over it device mapper with the targets `linear`, `error` and `flakey`; over that
//! the kernel's SCSI target (LIO) with the backend `iblock`; and its loop (`tcm_loop`), by which it is a SCSI disk of
//! this very kernel. A boot takes it for a disk of the machine, which it does not take a mapped device for, and so does
//! the kernel: it looks for partitions on it, and keeps a cache over it.
//!
//! Follows the kernel's `Documentation/admin-guide/device-mapper/dm-flakey.rst` and, of its `Documentation/target`, the
//! folders of configfs. The state is the kernel's; nothing is kept here.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_linux::{Linux, Paths};
use countersign_ports::{Disks, Platform};
use countersign_tests::lab::{Fault, Stretch};

use super::{Result, acts};

/// Names of mapped devices that lie below a disk begin so.
pub(crate) const BELOW: &str = "below-";

/// Where the list of the kernel modules is that this takes; no other story pays for them.
const CONFIGURATION: &str = "/lab/scsi";
const CONFIGFS: &str = "/sys/kernel/config";
/// The backend: a folder a disk.
const STORES: &str = "/sys/kernel/config/target/core/iblock_0";
/// The loop, with made-up names of both its ends.
const LOOP: &str = "/sys/kernel/config/target/loopback/naa.5000000000000001/tpgt_1";
const INITIATOR: &str = "naa.5000000000000002";

/// How long the kernel may take to show a disk, on a busy machine.
const SHOWN: Duration = Duration::from_secs(60);
/// The unit of device mapper's tables.
const SECTOR: u64 = 512;

/// Makes the disk and waits until the kernel shows it.
pub(crate) fn attach(linux: &Linux, serial: &str, disk: &Path, faults: &[Stretch]) -> Result<()> {
    prepare(linux)?;
    let below = format!("{BELOW}{serial}");
    dmsetup(linux, &["create", &below], &table(disk, linux.size(disk)?, faults)?)?;
    // As a disk without a cache of its own: `flakey` fails each flush, wherever its stretch is, and no write would come
    // as far as the one that is to fail.
    let number = linux.number(&Path::new("/dev/mapper").join(&below))?;
    fs::write(format!("/sys/dev/block/{number}/queue/write_cache"), "write through")?;
    let store = Path::new(STORES).join(serial);
    fs::create_dir_all(&store)?;
    fs::write(store.join("control"), format!("udev_path=/dev/mapper/{below}"))?;
    fs::write(store.join("wwn/vpd_unit_serial"), serial)?;
    fs::write(store.join("enable"), "1")?;
    let units = Path::new(LOOP).join("lun");
    if !units.exists() {
        fs::create_dir_all(LOOP)?;
        fs::write(Path::new(LOOP).join("nexus"), INITIATOR)?;
    }
    // From here on the kernel's announcements are kept.
    linux.disks()?;
    let unit = units.join(format!("lun_{}", fs::read_dir(&units)?.count()));
    fs::create_dir(&unit)?;
    symlink(&store, unit.join(serial))?;
    while acts::disk(linux, serial).is_err() {
        if !linux.wait_for_disk(SHOWN)? {
            return Err(format!("expected the kernel to show the disk {serial}").into());
        }
    }
    Ok(())
}

/// Takes all of these disks away.
pub(crate) fn detach(linux: &Linux) -> Result<()> {
    for unit in folders(&Path::new(LOOP).join("lun"))? {
        for entry in fs::read_dir(&unit)? {
            let entry = entry?;
            if entry.file_type()?.is_symlink() {
                fs::remove_file(entry.path())?;
            }
        }
        fs::remove_dir(unit)?;
    }
    for store in folders(Path::new(STORES))? {
        fs::remove_dir(&store)?;
        let serial = store.file_name().unwrap_or_default().to_string_lossy();
        // The kernel lets go of what lies below a moment later.
        dmsetup(linux, &["remove", "--retry", &format!("{BELOW}{serial}")], "")?;
        acts::forget(&serial);
    }
    Ok(())
}

/// Loads the modules, makes their file system reachable.
fn prepare(linux: &Linux) -> Result<()> {
    if Path::new(CONFIGFS).join("target").exists() {
        return Ok(());
    }
    Linux::with_paths(Paths { configuration: CONFIGURATION.into(), ..Paths::default() }).load_modules()?;
    let mount = ["/lab/busybox", "mount", "-t", "configfs", "none", CONFIGFS];
    acts::program(linux, &mount.map(str::to_owned), "").map(drop)
}

/// Device mapper's table: the faults, and what is well between them.
fn table(disk: &Path, bytes: u64, faults: &[Stretch]) -> Result<String> {
    let disk = disk.display();
    let (mut text, mut at) = (String::new(), 0);
    let well = |text: &mut String, at: u64, end: u64| {
        if at < end { writeln!(text, "{at} {} linear {disk} {at}", end - at) } else { Ok(()) }
    };
    for Stretch { at: start, length, fault } in faults {
        let (start, length) = (start / SECTOR, length / SECTOR);
        well(&mut text, at, start)?;
        match fault {
            Fault::Error => writeln!(text, "{start} {length} error")?,
            Fault::Flakey { up, down, features } => {
                let (count, features) = (features.len(), features.join(" "));
                writeln!(text, "{start} {length} flakey {disk} {start} {up} {down} {count} {features}")?;
            }
        }
        at = start + length;
    }
    well(&mut text, at, bytes / SECTOR)?;
    Ok(text)
}

/// Without udev, which nobody runs here.
fn dmsetup(linux: &Linux, words: &[&str], table: &str) -> Result<()> {
    let words: Vec<String> =
        ["/lab/dmsetup", "--noudevsync"].iter().chain(words).map(|&word| word.to_owned()).collect();
    acts::program(linux, &words, table).map(drop)
}

/// The folders in a folder of configfs, none where it is not there.
fn folders(of: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    if of.exists() {
        for entry in fs::read_dir(of)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    Ok(folders)
}
