//! The text of the final record: what became of the boot, in the guest OS's word.
//!
//! The guest OS is large and runs the workload's containers. Whoever breaks into it as root can make it say anything, so
//! nothing here may be relied on as the first record may.

use super::name::{Name, Own};
use crate::report::transcript::{ImageRecord, Warning};
use crate::watch::WatchedVolume;

/// Of the form of its lines.
pub const FORMAT: &str = "1";

/// What the final record says.
#[derive(Debug)]
pub struct FinalRecord<'r> {
    /// Version of the image.
    pub version: &'r str,
    /// SHA-256 of the first record in the open, hexadecimal.
    pub record: &'r str,
    /// SHA-256 of the transcript, hexadecimal.
    pub transcript: &'r str,
    /// The volumes that are open.
    pub volumes: &'r [WatchedVolume],
    /// The images that the engine has for the workload.
    pub images: &'r [ImageRecord],
    /// What was warned about since the first record.
    pub warnings: &'r [Warning],
}

impl FinalRecord<'_> {
    /// The record: the bytes that are signed.
    pub fn text(&self) -> String {
        let mut text = format!("{}\nCountersign final record: {FORMAT}\n", self.version);
        for (digest, own) in [(self.record, Own::Record), (self.transcript, Own::Transcript)] {
            text.push_str(&format!("{digest} {}\n", Name::Own(own)));
        }
        for volume in self.volumes {
            text.push_str(&format!("Volume: {} uuid={}", volume.name, volume.uuid));
            if let Some(generation) = volume.generation {
                text.push_str(&format!(" generation={generation}"));
            }
            text.push('\n');
        }
        for image in self.images {
            let ImageRecord { reference, manifest, config, .. } = image;
            text.push_str(&format!("Container image: {reference} manifest={manifest} config={config}\n"));
        }
        super::warnings(self.warnings.iter().map(|warning| warning.text.as_str()), &mut text);
        text
    }
}
