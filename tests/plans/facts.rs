//! `facts.json` of a case: a list of disks.
//!
//! A disk: `name`, `serial`, `size`, `read_only`, `content`, `partitions` (each `name`, `label`, `size`, `content`).
//! Content is `blank`, `luks2`, `unknown`, or the name of what was found. Absent means writable, blank, none.

use countersign_plan::volumes::content::Content;
use countersign_plan::volumes::facts::{DiskFacts, Facts, PartitionFacts};
use serde_json::Value;

pub(crate) fn read(text: &str) -> Facts {
    let disks: Value = serde_json::from_str(text).unwrap();
    Facts { disks: disks.as_array().unwrap().iter().map(disk).collect() }
}

fn disk(value: &Value) -> DiskFacts {
    let partitions = value["partitions"].as_array().cloned().unwrap_or_default();
    DiskFacts {
        device: text(value, "name").into(),
        serial: text(value, "serial"),
        size: value["size"].as_u64().unwrap(),
        read_only: value["read_only"].as_bool().unwrap_or_default(),
        content: content(value),
        partitions: partitions.iter().map(partition).collect(),
    }
}

fn partition(value: &Value) -> PartitionFacts {
    PartitionFacts {
        device: text(value, "name").into(),
        label: text(value, "label"),
        size: value["size"].as_u64().unwrap(),
        content: content(value),
    }
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

fn content(value: &Value) -> Content {
    match value["content"].as_str() {
        None | Some("blank") => Content::Blank,
        Some("luks2") => Content::Luks(2),
        Some("unknown") => Content::Unknown,
        Some("ext4") => Content::Known("an ext2, ext3 or ext4 file system"),
        Some("gpt") => Content::Known("a GPT partition table"),
        Some(other) => panic!("content {other} has no meaning here"),
    }
}
