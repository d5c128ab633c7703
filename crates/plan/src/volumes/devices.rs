//! Which disk is which volume.
//!
//! A disk is a volume because a name says so, never because of its place in the order (HPCR up to image 12 took
//! any disk, and users lost sight of their data). The names tried, first to last: the contract's `volumeID`, its
//! `volumeName`, the volume's key in the contract; each compared with the disk's serial number, also in the
//! spelling of `/dev/disk/by-id` (`virtio-<serial>`, with or without `-part2`). virtio cuts serial numbers to 20
//! bytes, so a longer name matches a 20-byte serial that is its beginning.
//!
//! One exception, for the hosts that HPCR's own samples set up: where exactly one volume is left and exactly one
//! disk without any serial number, they belong together, for there is nothing to confuse.

use std::collections::BTreeMap;

use countersign_contract::model::Volume;

use crate::volumes::facts::{Device, DiskFacts};

/// The bytes of a serial number that virtio carries (virtio 1.2 section 5.2.6, `VIRTIO_BLK_T_GET_ID`).
const VIRTIO_SERIAL_BYTES: usize = 20;

/// A volume as the contract names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The key in `volumes`.
    pub key: String,
    /// `volumeID`.
    pub volume_id: Option<String>,
    /// `volumeName`.
    pub volume_name: Option<String>,
}

impl Wanted {
    /// What the disk of a volume may be called.
    pub fn of(volume: &Volume) -> Wanted {
        Wanted {
            key: volume.name().to_owned(),
            volume_id: volume.volume_id().map(ToOwned::to_owned),
            volume_name: volume.volume_name().map(ToOwned::to_owned),
        }
    }
}

/// Where a volume's disk was looked for, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assignment {
    /// The disk.
    Found(Device),
    /// No disk carries one of the names, yet.
    Missing,
    /// Several disks carry the same name.
    Ambiguous(Vec<Device>),
    /// The disk is claimed by this other volume as well.
    Shared(String),
}

/// Assigns a disk to each wanted volume.
pub fn assign(wanted: &[Wanted], disks: &[DiskFacts]) -> BTreeMap<String, Assignment> {
    let mut assigned: BTreeMap<String, Assignment> =
        wanted.iter().map(|volume| (volume.key.clone(), by_name(volume, disks))).collect();
    pair_the_only_two_left(&mut assigned, disks);
    refuse_shared(&mut assigned);
    assigned
}

fn by_name(volume: &Wanted, disks: &[DiskFacts]) -> Assignment {
    let names = [volume.volume_id.as_deref(), volume.volume_name.as_deref(), Some(volume.key.as_str())];
    // As it stands first: a volume may itself be called something-part2.
    for name in names.into_iter().flatten().flat_map(|name| [name, without_by_id_spelling(name)]) {
        let found: Vec<Device> =
            disks.iter().filter(|disk| is_called(disk, name)).map(|disk| disk.device.clone()).collect();
        match found.as_slice() {
            [] => {}
            [only] => return Assignment::Found(only.clone()),
            _ => return Assignment::Ambiguous(found),
        }
    }
    Assignment::Missing
}

fn is_called(disk: &DiskFacts, name: &str) -> bool {
    !disk.serial.is_empty()
        && (disk.serial == name
            || (disk.serial.len() == VIRTIO_SERIAL_BYTES && name.starts_with(&disk.serial)))
}

/// The serial number in a name of `/dev/disk/by-id`; other names as they are.
fn without_by_id_spelling(name: &str) -> &str {
    let name = name.strip_prefix("virtio-").unwrap_or(name);
    match name.rsplit_once("-part") {
        Some((disk, number)) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => {
            disk
        }
        _ => name,
    }
}

fn pair_the_only_two_left(assigned: &mut BTreeMap<String, Assignment>, disks: &[DiskFacts]) {
    let mut missing: Vec<&mut Assignment> =
        assigned.values_mut().filter(|assignment| **assignment == Assignment::Missing).collect();
    let nameless: Vec<&DiskFacts> = disks.iter().filter(|disk| disk.serial.is_empty()).collect();
    if let ([assignment], [disk]) = (missing.as_mut_slice(), nameless.as_slice()) {
        **assignment = Assignment::Found(disk.device.clone());
    }
}

fn refuse_shared(assigned: &mut BTreeMap<String, Assignment>) {
    let claims: Vec<(String, Device)> = assigned
        .iter()
        .filter_map(|(key, assignment)| match assignment {
            Assignment::Found(disk) => Some((key.clone(), disk.clone())),
            _ => None,
        })
        .collect();
    for (key, disk) in &claims {
        if let Some((other, _)) = claims.iter().find(|(other, claimed)| other != key && claimed == disk) {
            assigned.insert(key.clone(), Assignment::Shared(other.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volumes::content::Content;

    fn disk(name: &str, serial: &str) -> DiskFacts {
        DiskFacts {
            device: name.into(),
            serial: serial.into(),
            size: 1 << 30,
            read_only: false,
            content: Content::Blank,
            partitions: Vec::new(),
        }
    }

    fn volume(key: &str, id: Option<&str>, name: Option<&str>) -> Wanted {
        Wanted { key: key.into(), volume_id: id.map(Into::into), volume_name: name.map(Into::into) }
    }

    fn found(disk: &str) -> Assignment {
        Assignment::Found(disk.into())
    }

    #[test]
    fn the_identifier_goes_before_the_name_and_the_name_before_the_key() {
        let disks = [disk("vdb", "key"), disk("vdc", "name"), disk("vdd", "id")];
        assert_eq!(assign(&[volume("key", Some("id"), Some("name"))], &disks)["key"], found("vdd"));
        assert_eq!(assign(&[volume("key", None, Some("name"))], &disks)["key"], found("vdc"));
        assert_eq!(assign(&[volume("key", None, None)], &disks)["key"], found("vdb"));
    }

    #[test]
    fn by_id_spellings_and_cut_serials_match() {
        let long = "0726-4f29b0e6-5b1c-47c1-90e7-3a2a8f0f5c11";
        let disks = [disk("vdb", &long[..20])];
        let by_id = format!("virtio-{long}-part2");
        for id in [long, by_id.as_str(), &long[..20]] {
            assert_eq!(assign(&[volume("data", Some(id), None)], &disks)["data"], found("vdb"), "{id}");
        }
    }

    #[test]
    fn a_volume_may_be_called_like_a_partition() {
        let disks = [disk("vdb", "data"), disk("vdc", "data-part2"), disk("vdd", "one-part")];
        for (name, device) in [("data", "vdb"), ("data-part2", "vdc"), ("one-part", "vdd")] {
            assert_eq!(assign(&[volume(name, None, None)], &disks)[name], found(device));
        }
        assert_eq!(assign(&[volume("data-part", None, None)], &disks)["data-part"], Assignment::Missing);
    }

    #[test]
    fn order_decides_nothing() {
        let disks = [disk("vdb", "one"), disk("vdc", "two")];
        assert_eq!(assign(&[volume("data", None, None)], &disks)["data"], Assignment::Missing);
        let disks = [disk("vdb", ""), disk("vdc", "")];
        assert_eq!(assign(&[volume("data", None, None)], &disks)["data"], Assignment::Missing);
    }

    #[test]
    fn one_volume_and_one_nameless_disk_belong_together() {
        let disks = [disk("vdb", ""), disk("vdc", "other")];
        assert_eq!(assign(&[volume("data", None, None)], &disks)["data"], found("vdb"));
        let two = assign(&[volume("data", None, None), volume("more", None, None)], &disks);
        assert_eq!(two["data"], Assignment::Missing);
    }

    #[test]
    fn two_disks_of_one_name_and_two_volumes_of_one_disk_are_said() {
        let disks = [disk("vdb", "data"), disk("vdc", "data")];
        let ambiguous = Assignment::Ambiguous(vec!["vdb".into(), "vdc".into()]);
        assert_eq!(assign(&[volume("data", None, None)], &disks)["data"], ambiguous);
        let disks = [disk("vdb", "same")];
        let shared = assign(&[volume("a", Some("same"), None), volume("b", Some("same"), None)], &disks);
        assert_eq!(shared["a"], Assignment::Shared("b".into()));
        assert_eq!(shared["b"], Assignment::Shared("a".into()));
    }
}
