//! One check: asks the machine for everything that the records name, and has it judged.

use std::path::Path;

use countersign_contract::code::Code;
use countersign_plan::luks2;
use countersign_plan::volumes::record::{ATTRIBUTE, LIMIT};
use countersign_plan::watch::inspect::{self, Deviation, ROOT};
use countersign_plan::watch::mounts::{self, Mount};
use countersign_plan::watch::{Mapping, WatchRecords, WatchedVolume};
use countersign_ports::error::Result;
use countersign_ports::guest_os::Watched;

use crate::line::Line;
use crate::log::Log;

/// What deviates, in the order of the records; says a line for every mount point that does not.
pub(super) fn run<S: Watched>(system: &S, log: &mut Log<'_, S>, records: &WatchRecords) -> Vec<Deviation> {
    let mounts = match mounts(system) {
        Ok(mounts) => mounts,
        Err(deviation) => return vec![deviation],
    };
    let mut deviations = Vec::new();
    if let Some(image) = &records.image {
        deviations.extend(mapping(system, "the guest os", image));
    }
    if let [scratch, below @ ..] = &records.scratch[..] {
        let tables = records.scratch.iter().filter_map(|expected| mapping(system, ROOT, expected));
        let found: Vec<Deviation> = tables.chain(scratch_mount(system, scratch, &mounts)).collect();
        if found.is_empty() {
            let integrity = if below.is_empty() { "" } else { " and integrity" };
            let what = format_args!("{ROOT}: encrypted with a throw-away key{integrity}");
            log.tell(&Line::with(Code::CheckedMount, what));
        }
        deviations.extend(found);
    }
    for volume in &records.volumes {
        let found = volume_deviations(system, volume, &mounts);
        if found.is_empty() {
            let WatchedVolume { name, mount, key_slots, below, .. } = volume;
            let code = Code::CheckedMount;
            let what = format!(
                "volume {name}: luks encryption{} with {key_slots} key slot{}",
                if below.is_some() { " and integrity" } else { "" },
                if *key_slots == 1 { "" } else { "s" }
            );
            // Where a volume is mounted is for its owner to know.
            log.tell(&Line::with(code, format_args!("mount point {mount}, {what}")).on_console(what));
        }
        deviations.extend(found);
    }
    deviations
}

fn volume_deviations<S: Watched>(system: &S, volume: &WatchedVolume, mounts: &[Mount]) -> Vec<Deviation> {
    let subject = format!("volume {}", volume.name);
    let tables: Vec<Deviation> = [Some(&volume.mapping), volume.below.as_ref(), volume.partition.as_ref()]
        .into_iter()
        .flatten()
        .filter_map(|expected| mapping(system, &subject, expected))
        .collect();
    let mount = inspect::mount(&subject, &volume.mount, &volume.number, Some(volume.flags), mounts);
    // What lies at the mount point is the volume's only as long as the volume is mounted there.
    let record = if mount.is_none() { record(system, &subject, volume) } else { None };
    let header = match header(system, Path::new(&volume.device)) {
        Ok(bytes) => inspect::header(&subject, volume, &bytes),
        Err(error) => Some(Deviation::unseen(&subject, error)),
    };
    tables.into_iter().chain(mount).chain(record).chain(header).collect()
}

fn mounts<S: Watched>(system: &S) -> std::result::Result<Vec<Mount>, Deviation> {
    let text = system.mounts().map_err(|error| Deviation::unseen("mounts", error))?;
    mounts::parse(&text).ok_or_else(|| Deviation::unseen("mounts", "expected the kernel's list of mounts"))
}

fn mapping<S: Watched>(system: &S, subject: &str, expected: &Mapping) -> Option<Deviation> {
    match system.table(&expected.name) {
        Ok(table) => inspect::mapping(subject, expected, &table),
        Err(error) => Some(Deviation::unseen(subject, error)),
    }
}

fn scratch_mount<S: Watched>(system: &S, scratch: &Mapping, mounts: &[Mount]) -> Option<Deviation> {
    match system.number(&Path::new("/dev/mapper").join(&scratch.name)) {
        Ok(number) => inspect::mount(ROOT, "/", &number, None, mounts),
        Err(error) => Some(Deviation::unseen(ROOT, error)),
    }
}

fn record<S: Watched>(system: &S, subject: &str, volume: &WatchedVolume) -> Option<Deviation> {
    match system.attribute(Path::new(&volume.mount), ATTRIBUTE, LIMIT) {
        Ok(found) => inspect::record(subject, volume, found.as_deref()),
        Err(error) => Some(Deviation::unseen(subject, error.about("its mount point"))),
    }
}

/// Both copies of the header, as many bytes as the first one says, within the reader's bound.
fn header<S: Watched>(system: &S, device: &Path) -> Result<Vec<u8>> {
    let probe = system.read(device, 0, luks2::PROBE_LEN)?;
    let length = luks2::metadata_len(&probe).min(system.size(device)?);
    // Bounded by `luks2::METADATA_LIMIT`.
    system.read(device, 0, usize::try_from(length).unwrap_or(usize::MAX))
}
