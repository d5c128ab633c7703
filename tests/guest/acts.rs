//! What the lab does by hand: copies, programs, files, marks. See [`Act`].

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use countersign_linux::Linux;
use countersign_ports::{Disks, Durability, Filesystems, FsType, Mapper, MountFlags, Platform};
use countersign_tests::lab::{Act, Answer, COUNTER, MARK_AT, Mark, WAITS, pattern};

use super::machine::VOLUMES;
use super::{Result, scsi};

/// How scratch space is mapped.
const SCRATCH: &str = "scratch";

/// Devices by serial number, once seen: a look at all of them is slow. A disk that goes is forgotten.
static SEEN: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());

/// The device of the machine's disk with a serial number.
pub(crate) fn disk(linux: &Linux, serial: &str) -> Result<PathBuf> {
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    if !seen.contains_key(serial) {
        seen.extend(linux.disks()?.into_iter().map(|disk| (disk.serial, disk.path)));
    }
    seen.get(serial).cloned().ok_or_else(|| format!("no disk {serial}").into())
}

/// Forgets a disk that was taken away.
pub(crate) fn forget(serial: &str) {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner).remove(serial);
}

/// Does it; what it finds goes into the answer.
pub(crate) fn act(linux: &Linux, act: &Act, answer: &mut Answer) -> Result<()> {
    match act {
        Act::Copy { from, to, length } => {
            let mut bytes = vec![0; usize::try_from(*length)?];
            File::open(disk(linux, &from.0)?)?.read_exact_at(&mut bytes, from.1)?;
            let target = File::options().write(true).open(disk(linux, &to.0)?)?;
            target.write_all_at(&bytes, to.1)?;
            target.sync_all()?;
        }
        Act::Run { words, input } => answer.output.push(program(linux, words, input)?),
        Act::Write { path, length } => write(&file(path), *length)?,
        Act::Look { folder } => look(&file(folder), answer)?,
        Act::Load { modules } if modules == "integrity" => linux.load_integrity()?,
        Act::Load { modules } => {
            let kinds = [FsType::Xfs, FsType::Btrfs];
            let kind = kinds.into_iter().find(|kind| kind.name() == modules);
            linux.load_filesystem(kind.ok_or("expected xfs, btrfs or integrity")?)?;
        }
        Act::Scratch { disk: serial, at, plain } => {
            let device = disk(linux, serial)?;
            let device = match plain {
                true => linux.open_plain_scratch(&device, SCRATCH)?,
                false => linux.open_scratch(&device, SCRATCH)?,
            };
            linux.make(FsType::Ext4, &device, "scratch", Durability::Scratch)?;
            linux.mount(FsType::Ext4, &device, Path::new(at), MountFlags::default())?;
        }
        Act::Await { disk: serial } => {
            crate::say(&format!("{WAITS}{serial}"));
            while disk(linux, serial).is_err() {
                linux.wait_for_disk(Duration::from_secs(60))?;
            }
        }
        Act::Mark { disk, mark } => put_mark(linux, disk, *mark)?,
        Act::Attach { serial, disk: below, faults } => {
            scsi::attach(linux, serial, &disk(linux, below)?, faults)?;
        }
        Act::Workload { folder, disk, files, length } => {
            let folder = file(folder);
            for number in 0..*files {
                write(&folder.join(number.to_string()), *length)?;
                count(&folder, number)?;
                put_mark(linux, disk, Mark::File(number))?;
            }
        }
    }
    Ok(())
}

fn put_mark(linux: &Linux, serial: &str, mark: Mark) -> Result<()> {
    let marked = File::options().write(true).open(disk(linux, serial)?)?;
    marked.write_all_at(&mark.sector()?, MARK_AT)?;
    Ok(marked.sync_all()?)
}

/// Puts a number over the one that stands in the counter, on the disk when this returns.
fn count(folder: &Path, number: u32) -> Result<()> {
    let counter = File::options().write(true).create(true).truncate(false).open(folder.join(COUNTER))?;
    counter.write_all_at(format!("{number:010}").as_bytes(), 0)?;
    counter.sync_all()?;
    Ok(File::open(folder)?.sync_all()?)
}

fn file(path: &str) -> PathBuf {
    PathBuf::from(path.replace("{volume}", VOLUMES))
}

/// Runs a program to its end; what it said.
pub(crate) fn program(linux: &Linux, words: &[String], input: &str) -> Result<String> {
    let mut plain = Vec::new();
    for word in words {
        plain.push(match word.strip_prefix("{disk:").and_then(|rest| rest.split_once('}')) {
            Some((serial, rest)) => format!("{}{rest}", disk(linux, serial)?.display()),
            None => word.replace("{volume}", VOLUMES),
        });
    }
    let (name, arguments) = plain.split_first().ok_or("a program without a name")?;
    let mut child = Command::new(name)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{name}: {error}"))?;
    if let Some(mut pipe) = child.stdin.take() {
        // A program that reads no input is judged by its status.
        let _ = pipe.write_all(input.as_bytes());
    }
    let ended = child.wait_with_output()?;
    let text =
        format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    if ended.status.success() { Ok(text) } else { Err(format!("{name}: {}: {text}", ended.status).into()) }
}

/// A new file of the pattern of its name, on the disk with its name when this returns.
fn write(path: &Path, length: usize) -> Result<()> {
    let folder = path.parent().ok_or("a file without a folder")?;
    fs::create_dir_all(folder)?;
    let mut file = File::create_new(path)?;
    file.write_all(&pattern(&name(path), length))?;
    file.sync_all()?;
    File::open(folder)?.sync_all()?;
    Ok(())
}

fn look(folder: &Path, answer: &mut Answer) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            continue;
        }
        let name = name(&path);
        // A sector that cannot be read is a broken file, not the end of the case.
        match fs::read(&path) {
            Ok(bytes) if name == COUNTER => match String::from_utf8_lossy(&bytes).parse() {
                Ok(number) => answer.counter = Some(number),
                Err(_) => answer.broken.push(name),
            },
            Ok(bytes) if bytes == pattern(&name, bytes.len()) => {
                answer.files.insert(name, bytes.len());
            }
            Ok(_) => answer.broken.push(name),
            Err(_) => {
                answer.unreadable.push(name.clone());
                answer.broken.push(name);
            }
        }
    }
    Ok(())
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
