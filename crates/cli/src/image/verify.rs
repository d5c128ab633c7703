//! `verify`: both manifests under the builder's key, and the image that they speak of.

use std::io::Write;

use anyhow::Result;
use countersign_plan::dates::timestamp;
use countersign_ultravisor::image::SealedImage;
use countersign_ultravisor::manifest;

use super::arguments::Verify;
use super::whole;
use crate::answer::{Answer, note};
use crate::manifest::{SignedFile, builder};

pub(super) fn run(options: &Verify, out: &mut dyn Write) -> Result<Answer> {
    let builder = builder(&options.builder)?;
    let build = SignedFile::read(&options.build_manifest)?;
    let sealing = SignedFile::read(&options.sealing_manifest)?;
    let refused = |fault: String| {
        note(&fault);
        Ok(Answer::No)
    };
    let manifests = match manifest::verify(build.signed(), sealing.signed(), &builder) {
        Ok(manifests) => manifests,
        Err(fault) => return refused(fault.to_string()),
    };
    if let Some(path) = &options.image {
        let bytes = whole(path)?;
        let image = match SealedImage::read(&bytes) {
            Ok(image) => image,
            Err(fault) => return refused(format!("{}: {fault}", path.display())),
        };
        if let Err(fault) = manifests.describe(&image) {
            return refused(format!("{}: {fault}", path.display()));
        }
    }
    let (build, sealing) = (manifests.build(), manifests.sealing());
    writeln!(out, "builder {}", builder.sha256_fingerprint()?)?;
    writeln!(out, "image version {}, sealed {}", build.version, timestamp(sealing.sealed))?;
    writeln!(out, "header tag {}", sealing.header.tag)?;
    writeln!(out, "root hash {}", build.root_hash)?;
    for machine in &sealing.machines {
        writeln!(out, "machine {} until {}", machine.host_key, timestamp(machine.not_after))?;
    }
    writeln!(out, "command line {}", sealing.command_line)?;
    for (allowed, what) in [
        (sealing.flags.dumping, "dumps of the guest's memory are allowed"),
        (sealing.flags.backup_host_keys, "backup host keys are allowed"),
        (sealing.accepts.unsigned == "accept", "sealed contracts without a signature are accepted"),
        (sealing.accepts.secure_execution == "test", "contracts are opened without Secure Execution"),
        (
            build.source.revision.is_none() || build.source.dirty != Some(false),
            "the sources are of no commit",
        ),
        (!build.files.countersignd.built, "countersignd was handed in, not built from the sources"),
    ] {
        if allowed {
            writeln!(out, "warning: {what}")?;
        }
    }
    let what = if options.image.is_some() { "image and manifests" } else { "manifests, no image" };
    writeln!(out, "verified: {what}")?;
    Ok(Answer::Yes)
}
