//! `volume-lab`: process 1 of a bare guest that runs the boot over and over on disks that the tests prepare.
//!
//! It is the shipped code, started by its only entrance, `initramfs::boot`, on ports that pass everything about
//! disks, volumes and file systems on to the real machine ([`machine`]). So a volume opens here, as everywhere, only
//! from a contract that went through all stages, and nothing in the shipped program knows of tests. What a boot needs
//! besides volumes (guest OS, scratch, handover) is left out; sections of the contract travel in the clear, so no
//! time goes into opening tokens.
//!
//! Never shipped: built with the feature `guest` of the tests' package only.

#![allow(missing_docs)]

mod acts;
mod machine;
mod scsi;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;

use countersign_boot::initramfs;
use countersign_linux::{KEYSLOT, Linux, keyslot};
use countersign_ports::{Disks, Filesystems, Luks, Platform, Tables};
use countersign_tests::lab::{Answer, Case, END, PREFIX, SCRIPT, Script};

use machine::{Machine, VOLUMES};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    // The boot starts its own program for each key that it derives, and here that is the lab.
    if std::env::args().nth(1).as_deref() == Some(KEYSLOT) {
        return keyslot();
    }
    let linux = Linux::new();
    if let Err(error) = linux.mount_kernel_filesystems().map_err(Into::into).and_then(|()| run(&linux)) {
        say(&format!("{PREFIX}trouble {error}"));
    }
    linux.power_off();
    ExitCode::SUCCESS
}

fn run(linux: &Linux) -> Result<()> {
    machine::load_modules()?;
    let script = script(linux)?;
    for case in &script.cases {
        let mut answer = Answer { name: case.name.clone(), ..Answer::default() };
        if let Err(error) = one(linux, &script, case, &mut answer) {
            answer.trouble = Some(error.to_string());
        }
        if let Err(error) = clean_up(linux) {
            answer.trouble.get_or_insert(format!("after the case: {error}"));
        }
        say(&format!("{PREFIX}{}", serde_json::to_string(&answer)?));
    }
    say(END);
    Ok(())
}

fn script(linux: &Linux) -> Result<Script> {
    let disk = acts::disk(linux, SCRIPT)?;
    let mut text = Vec::new();
    File::open(disk)?.read_to_end(&mut text)?;
    let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
    Ok(serde_json::from_slice(&text[..end])?)
}

fn one(linux: &Linux, script: &Script, case: &Case, answer: &mut Answer) -> Result<()> {
    for act in &case.before {
        acts::act(linux, act, answer)?;
    }
    if let Some(boot) = &case.boot {
        let before = written(linux, &boot.disks)?;
        let machine = Machine::new(boot.clone(), script.image_key.clone())?;
        let result = initramfs::boot(&machine);
        machine.tell(answer);
        answer.mapped = mapped()?;
        // A partition holds nothing that could be read; the machine's own end takes it down.
        answer.mapped.retain(|name| !is_partition(linux, name));
        for (serial, _) in &boot.disks {
            acts::disk(linux, serial)?;
        }
        answer.written = written(linux, &boot.disks)?;
        for (serial, sectors) in &mut answer.written {
            *sectors -= before.get(serial).unwrap_or(&0);
        }
        if let Err(failure) = result {
            answer.code = Some(failure.code().to_string());
            answer.stage = Some(failure.stage.name().to_owned());
            return Ok(());
        }
    }
    for act in &case.after {
        acts::act(linux, act, answer)?;
    }
    Ok(())
}

/// Sectors written to each disk since the kernel's start, after everything that waits has been written. A disk that is
/// yet to come is left out.
fn written(linux: &Linux, disks: &[(String, String)]) -> Result<BTreeMap<String, u64>> {
    let mut all = BTreeMap::new();
    for (serial, _) in disks {
        let Ok(path) = acts::disk(linux, serial) else { continue };
        // A disk that cannot flush is no trouble of the lab.
        let _ = File::open(&path).and_then(|disk| disk.sync_all());
        all.insert(serial.clone(), sectors(&path).ok_or("expected seven numbers of a disk")?);
    }
    Ok(all)
}

/// Sectors written to a disk: the seventh number of the kernel's Documentation/block/stat.rst.
fn sectors(disk: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(Path::new("/sys/block").join(disk.file_name()?).join("stat")).ok()?;
    text.split_whitespace().nth(6)?.parse().ok()
}

/// Names of the mapped devices, without what lies below a disk.
fn mapped() -> Result<Vec<String>> {
    let mut names = Vec::new();
    if let Ok(entries) = std::fs::read_dir("/dev/mapper") {
        for entry in entries {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name != "control" && !name.starts_with(scsi::BELOW) {
                names.push(name);
            }
        }
    }
    names.sort();
    Ok(names)
}

/// Whether a mapped device is a part of a disk as it is.
fn is_partition(linux: &Linux, name: &str) -> bool {
    linux.table(name).is_ok_and(|table| table.split(' ').nth(2) == Some("linear"))
}

/// Leaves nothing mounted, mapped or attached by the case for the next one.
fn clean_up(linux: &Linux) -> Result<()> {
    let mounts = std::fs::read_to_string("/proc/self/mounts")?;
    let mut targets: Vec<&str> = mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .filter(|target| target.starts_with(VOLUMES) || target.starts_with("/mnt"))
        .collect();
    targets.sort_unstable();
    for target in targets.into_iter().rev() {
        if linux.unmount(Path::new(target)).is_err() {
            // A file system whose disk fails has something left that it cannot write.
            let words = ["/lab/busybox", "umount", target];
            acts::program(linux, &words.map(str::to_owned), "")?;
        }
    }
    // Stacked devices: whoever is used by another goes in a later round.
    let mut left = mapped()?;
    while !left.is_empty() {
        for name in &left {
            let _ = linux.close(name);
        }
        let rest = mapped()?;
        if rest.len() == left.len() {
            return Err(format!("mapped devices stay: {}", rest.join(" ")).into());
        }
        left = rest;
    }
    scsi::detach(linux)?;
    // The next case begins as a machine does: with the partitions that the kernel finds.
    for disk in linux.disks()? {
        let words = ["/lab/busybox", "blockdev", "--rereadpt", &disk.path.display().to_string()];
        acts::program(linux, &words.map(str::to_owned), "")?;
    }
    Ok(())
}

/// A line on the console.
fn say(text: &str) {
    if let Ok(mut console) = File::options().write(true).open("/dev/console") {
        let _ = console.write_all(format!("{text}\n").as_bytes());
    }
}
