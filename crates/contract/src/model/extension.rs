//! Countersign's own settings, under the key `countersign` of either section.
//!
//! Where both sections say something about the same thing, the stricter wins: no party can loosen what the
//! other asked for.

use std::collections::BTreeSet;

use super::read::Reader;
use crate::place::Place;

/// What a check does that finds a volume, mapping or mount not as the start left it, beside reporting it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnDeviation {
    /// Nothing; the default.
    #[default]
    Report,
    /// The guest powers off.
    PowerOff,
}

impl OnDeviation {
    /// The word in contracts.
    pub const fn as_str(self) -> &'static str {
        match self {
            OnDeviation::Report => "report",
            OnDeviation::PowerOff => "power-off",
        }
    }
}

/// Whether a blank disk is formatted. A disk with any content never is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Initialize {
    /// Formatted if nothing is on it; the default.
    #[default]
    IfBlank,
    /// Not formatted; the volume must exist.
    Never,
}

/// A mount option that a contract may add to `nosuid,nodev`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MountOption {
    /// No access times.
    NoAccessTime,
    /// Nothing on the volume is executed.
    NoExecute,
    /// Access times as Linux keeps them by default.
    RelativeAccessTime,
    /// Nothing is written.
    ReadOnly,
    /// Every write waits for the disk.
    Synchronous,
}

impl MountOption {
    /// The option as `mount` takes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            MountOption::NoAccessTime => "noatime",
            MountOption::NoExecute => "noexec",
            MountOption::RelativeAccessTime => "relatime",
            MountOption::ReadOnly => "ro",
            MountOption::Synchronous => "sync",
        }
    }

    fn parse(text: &str) -> Option<MountOption> {
        use MountOption::*;
        [NoAccessTime, NoExecute, RelativeAccessTime, ReadOnly, Synchronous]
            .into_iter()
            .find(|option| option.as_str() == text)
    }
}

/// How a volume is made and mounted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VolumeOptions {
    initialize: Initialize,
    initialize_said: bool,
    integrity: bool,
    discard: bool,
    label: Option<String>,
    mount_options: BTreeSet<MountOption>,
}

impl VolumeOptions {
    /// Whether a blank disk is formatted: `never` if either section says so.
    pub fn initialize(&self) -> Initialize {
        self.initialize
    }

    /// Whether a section says anything about that, be it the default.
    pub fn initialize_said(&self) -> bool {
        self.initialize_said
    }

    /// Whether every sector of the volume has a tag against change: if either section says so.
    pub fn integrity(&self) -> bool {
        self.integrity
    }

    /// Whether freed blocks are told to the host: if a section says so and none says no.
    pub fn discard(&self) -> bool {
        self.discard
    }

    /// Label of a new file system; the workload's if both give one.
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }

    /// The options of both sections.
    pub fn mount_options(&self) -> &BTreeSet<MountOption> {
        &self.mount_options
    }
}

/// Which of two contracts is the newer one: the deployer's count, and where it stands or should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serial {
    number: Option<u64>,
    place: Place,
}

impl Serial {
    /// The count; none where the contract has none.
    pub fn number(&self) -> Option<u64> {
        self.number
    }

    /// Where it stands, or should.
    pub fn place(&self) -> &Place {
        &self.place
    }
}

pub(super) fn serial(env: &Reader<'_>) -> Serial {
    let field = env.child("countersign").and_then(|own| own.child("serial"));
    let number = field.as_ref().and_then(|field| u64::try_from(field.value().as_integer()?).ok());
    let section = env.place();
    let absent =
        || Place { pointer: section.pointer.child("countersign").child("serial"), ..section.clone() };
    Serial { number, place: field.map_or_else(absent, |field| field.place()) }
}

/// Who reads the attestation record, as far as the contract's signature covers that.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attestation {
    auditor: Option<(String, Place)>,
    console: bool,
}

impl Attestation {
    /// The auditor's key as it stands in the contract, and where.
    pub fn auditor(&self) -> Option<(&str, &Place)> {
        self.auditor.as_ref().map(|(text, place)| (text.as_str(), place))
    }

    /// Whether the record is printed on the console.
    pub fn console(&self) -> bool {
        self.console
    }
}

pub(super) fn attestation(env: &Reader<'_>) -> Attestation {
    let Some(own) = env.child("countersign").and_then(|own| own.child("attestation")) else {
        return Attestation::default();
    };
    let auditor = own.text("auditor").zip(own.child("auditor"));
    Attestation {
        auditor: auditor.map(|(text, field)| (text.to_owned(), field.place())),
        console: own.truth("console") == Some(true),
    }
}

/// `power-off` if either section says so.
pub(super) fn on_deviation(workload: &Reader<'_>, env: &Reader<'_>) -> OnDeviation {
    let said = |section: &Reader<'_>| section.child("countersign")?.text("on-deviation").map(str::to_owned);
    let power_off = Some(OnDeviation::PowerOff.as_str());
    match [workload, env].into_iter().any(|section| said(section).as_deref() == power_off) {
        true => OnDeviation::PowerOff,
        false => OnDeviation::Report,
    }
}

/// Where `discard` is asked for.
pub(super) fn discards<'t>(
    workload: &Reader<'t>,
    env: &Reader<'t>,
    name: &str,
) -> impl Iterator<Item = Reader<'t>> + use<'t> {
    let fields = options(workload, env, name).into_iter().filter_map(|options| options.child("discard"));
    fields.filter(|discard| discard.value().as_bool() == Some(true))
}

/// What either section says about a volume.
fn options<'t>(workload: &Reader<'t>, env: &Reader<'t>, name: &str) -> Vec<Reader<'t>> {
    [workload, env]
        .into_iter()
        .filter_map(|section| section.child("countersign")?.child("volumes")?.child(name))
        .collect()
}

pub(super) fn volume_options(workload: &Reader<'_>, env: &Reader<'_>, name: &str) -> VolumeOptions {
    let both = options(workload, env, name);
    let discard: Vec<bool> = both.iter().filter_map(|options| options.truth("discard")).collect();
    VolumeOptions {
        initialize: match both.iter().any(|options| options.text("initialize") == Some("never")) {
            true => Initialize::Never,
            false => Initialize::IfBlank,
        },
        initialize_said: both.iter().any(|options| options.text("initialize").is_some()),
        integrity: both.iter().any(|options| options.truth("integrity") == Some(true)),
        discard: !discard.is_empty() && discard.iter().all(|wanted| *wanted),
        label: both.iter().find_map(|options| options.child("mkfs")?.text("label").map(str::to_owned)),
        mount_options: both
            .iter()
            .flat_map(|options| options.texts("mount-options").unwrap_or_default())
            .filter_map(|option| MountOption::parse(&option))
            .collect(),
    }
}
