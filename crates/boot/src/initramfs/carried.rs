//! What the stages from `validate` on hand to the next: files for the guest OS, and what later ones need to know.

use countersign_plan::guest_os::file::File;
use countersign_plan::guest_os::handover::GuestPlan;
use countersign_plan::guest_os::image::ImageManifest;
use countersign_plan::watch::WatchRecords;

/// Carried from stage to stage, each of which may add to it.
#[derive(Debug)]
pub(super) struct Carried {
    pub(super) manifest: ImageManifest,
    pub(super) files: Vec<File>,
    pub(super) plan: GuestPlan,
    /// The attestation record, or its token for the auditor; empty until `attest`.
    pub(super) record: String,
    /// What the daemon will watch.
    pub(super) watch: WatchRecords,
}
