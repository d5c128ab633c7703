//! The file for `--facts`: the disks that the guest will have, as its author expects them.
//!
//! The form is `schema/facts.schema.json`. Unknown names are refused; a fact that is not taken would be a wrong
//! answer.

use countersign_plan::volumes::content::Content;
use countersign_plan::volumes::facts::{DiskFacts, Facts, PartitionFacts};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    disks: Vec<Disk>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Disk {
    name: String,
    #[serde(default)]
    serial: String,
    size: u64,
    #[serde(default)]
    read_only: bool,
    content: What,
    #[serde(default)]
    partitions: Vec<Partition>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Partition {
    name: String,
    label: String,
    size: u64,
    content: What,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum What {
    Blank,
    Luks,
    Other,
}

impl From<What> for Content {
    fn from(what: What) -> Content {
        match what {
            What::Blank => Content::Blank,
            What::Luks => Content::Luks(2),
            What::Other => Content::Unknown,
        }
    }
}

/// Reads the file.
///
/// # Errors
/// The JSON reader's own: facts hold no secret.
pub(super) fn parse(bytes: &[u8]) -> Result<Facts, serde_json::Error> {
    let File { disks } = serde_json::from_slice(bytes)?;
    let partition = |partition: Partition| PartitionFacts {
        device: partition.name.into(),
        label: partition.label,
        size: partition.size,
        content: partition.content.into(),
    };
    let disk = |disk: Disk| DiskFacts {
        device: disk.name.into(),
        serial: disk.serial,
        size: disk.size,
        read_only: disk.read_only,
        content: disk.content.into(),
        partitions: disk.partitions.into_iter().map(partition).collect(),
    };
    Ok(Facts { disks: disks.into_iter().map(disk).collect() })
}
