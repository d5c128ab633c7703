//! What the guest would do, as far as it may be shown: names, addresses, images, devices, public facts.

use std::collections::HashSet;

use countersign_contract::model::{Contract, Initialize, Logging, Volume};
use countersign_crypto::certificate::Certificate;
use countersign_plan::guest_os::handover::{GuestPlan, Workload};
use countersign_plan::guest_os::render::Rendered;
use countersign_plan::images::name::ImageName;
use countersign_plan::images::signatures::Signer as Signature;
use countersign_plan::trust::signer::Signer;
use countersign_plan::volumes::Action;
use countersign_plan::volumes::facts::Device;
use countersign_plan::workload::reach::Way;
use serde::Serialize;

use super::services::{self, Container, Service};

/// The plan.
#[derive(Debug, Serialize)]
pub(super) struct Plan {
    /// SHA-256 fingerprint of the key that signed; none for an unsigned contract, or where it could not be checked.
    pub signer: Option<String>,
    pub log: LogPlan,
    pub images: Vec<String>,
    /// Of which images signatures are demanded; the digest vouches for the others.
    pub signatures: Vec<SignaturePlan>,
    /// Registries for which there are credentials.
    pub registries: Vec<String>,
    pub environment: Vec<Variable>,
    pub volumes: Vec<VolumePlan>,
    /// What a check of the running guest does that finds a deviation.
    pub on_deviation: &'static str,
    /// Every way out of a container.
    pub reach: Vec<WayPlan>,
    /// The compose file, as path in the guest; none for pods.
    pub compose: Option<String>,
    /// The services of a compose file that run.
    pub services: Vec<Service>,
    /// The containers of pods; of a compose file its services say it.
    pub containers: Vec<Container>,
}

/// Who must have signed an image, by one rule.
#[derive(Debug, Serialize)]
pub(super) struct SignaturePlan {
    pub image: String,
    /// The name that the rule stands under.
    pub rule: String,
    /// Fingerprints of the OpenPGP keys of which one must have made a simple signature; none where none is demanded.
    pub simple_signing: Vec<String>,
    /// Fingerprint of the key that must have made a signature of cosign's, where one is demanded.
    pub cosign: Option<String>,
}

/// A way out of a container.
#[derive(Debug, Serialize)]
pub(super) struct WayPlan {
    /// `service NAME`, `pod NAME`, `container POD-NAME`, or where it stands.
    pub at: String,
    pub what: &'static str,
    /// As it is written there.
    pub written: String,
    /// Where that is, unless it is the compose file.
    pub file: Option<String>,
    /// Line there.
    pub line: usize,
}

/// The log server.
#[derive(Debug, Serialize)]
pub(super) struct LogPlan {
    pub hostname: String,
    pub port: u16,
    /// Empty where the public ones of the guest OS count.
    pub authorities: Vec<CertificatePlan>,
    pub client: Vec<CertificatePlan>,
    /// Who gives tokens for IBM Cloud Logs; none for a syslog server.
    pub iam: Option<IamPlan>,
}

/// Who gives tokens.
#[derive(Debug, Serialize)]
pub(super) struct IamPlan {
    pub hostname: String,
    pub port: u16,
    /// Empty where the public ones of the guest OS count.
    pub authorities: Vec<CertificatePlan>,
}

/// What may be told of a certificate.
#[derive(Debug, Serialize)]
pub(super) struct CertificatePlan {
    pub subject: String,
    /// RFC 3339.
    pub not_after: String,
    pub sha256: String,
}

/// A variable of the workload; its value stays untold.
#[derive(Debug, Serialize)]
pub(super) struct Variable {
    pub name: String,
    /// The section whose value counts.
    pub from: &'static str,
}

/// A volume.
#[derive(Debug, Serialize)]
pub(super) struct VolumePlan {
    pub name: String,
    pub mount: String,
    pub filesystem: &'static str,
    /// Serial numbers by which its disk is known, the first one first.
    pub names: Vec<String>,
    /// Whether a blank disk becomes a new volume.
    pub initialize: &'static str,
    /// Kernel name of its disk; none without `--facts`.
    pub disk: Option<String>,
    /// What is done with it; none without `--facts`.
    pub action: Option<String>,
}

/// Puts the plan together. `disks` has one entry for each volume, in their order, or none at all.
pub(super) fn plan(
    contract: &Contract,
    signer: &Signer,
    rendered: &Rendered,
    disks: &[(Device, Action)],
) -> Plan {
    let guest = &rendered.plan;
    let file = match &guest.workload {
        Workload::Compose { file, .. } => Some(file.clone()),
        // A plan of a contract always starts something.
        Workload::Play { .. } | Workload::Nothing => None,
    };
    let (authorities, client, iam) = match contract.logging() {
        Logging::Syslog(syslog) => (syslog.server().authorities(), syslog.client_certificates(), None),
        Logging::LogRouter(router) => (router.server().authorities(), &[][..], Some(router.iam())),
        // No plan: it is refused.
        Logging::LogDna(_) => (&[][..], &[][..], None),
    };
    let provider: HashSet<&str> = contract.provider_environment_names().collect();
    let from = |name: &str| if provider.contains(name) { "workload" } else { "env" };
    Plan {
        signer: match signer {
            Signer::Nobody => None,
            Signer::Key(fingerprint) => Some(fingerprint.clone()),
        },
        log: LogPlan {
            hostname: guest.log.hostname.clone(),
            port: guest.log.port,
            authorities: authorities.iter().map(certificate).collect(),
            client: client.iter().map(certificate).collect(),
            iam: iam.map(|iam| IamPlan {
                hostname: iam.hostname().to_owned(),
                port: iam.port(),
                authorities: iam.authorities().iter().map(certificate).collect(),
            }),
        },
        images: guest.images.clone(),
        signatures: guest.images.iter().flat_map(|image| signatures(image, guest)).collect(),
        registries: contract.registry_credentials().into_keys().map(str::to_owned).collect(),
        environment: contract
            .environment()
            .into_keys()
            .map(|name| Variable { name: name.to_owned(), from: from(name) })
            .collect(),
        volumes: contract
            .volumes()
            .iter()
            .enumerate()
            .map(|(index, entry)| volume(entry, disks.get(index)))
            .collect(),
        on_deviation: contract.on_deviation().as_str(),
        reach: rendered
            .ways
            .iter()
            .map(|Way { file, line, at, what, written, .. }| WayPlan {
                file: file.clone(),
                at: at.clone(),
                what,
                written: written.clone(),
                line: *line,
            })
            .collect(),
        compose: file,
        services: services::services(contract, rendered),
        containers: services::containers(contract, rendered),
    }
}

fn signatures(image: &str, guest: &GuestPlan) -> Vec<SignaturePlan> {
    let Some(name) = ImageName::parse(image) else { return Vec::new() };
    let rules = guest.signed.covering(&name).into_iter();
    rules
        .map(|rule| {
            let mut plan = SignaturePlan {
                image: image.to_owned(),
                rule: rule.name().to_owned(),
                simple_signing: Vec::new(),
                cosign: None,
            };
            for signer in rule.signers() {
                match signer {
                    Signature::SimpleSigning(fingerprint) => plan.simple_signing.push(fingerprint.clone()),
                    Signature::Cosign(fingerprint) => plan.cosign = Some(fingerprint.clone()),
                }
            }
            plan
        })
        .collect()
}

fn certificate(certificate: &Certificate) -> CertificatePlan {
    let facts = certificate.facts();
    CertificatePlan {
        subject: facts.subject.clone(),
        not_after: countersign_plan::dates::timestamp(facts.not_after),
        sha256: facts.sha256_fingerprint.clone(),
    }
}

fn volume(volume: &Volume, settled: Option<&(Device, Action)>) -> VolumePlan {
    let names = [volume.volume_id(), volume.volume_name(), Some(volume.name())];
    VolumePlan {
        name: volume.name().to_owned(),
        mount: volume.mount().to_owned(),
        filesystem: volume.file_system().as_str(),
        names: names.into_iter().flatten().map(str::to_owned).collect(),
        initialize: match volume.options().initialize() {
            Initialize::IfBlank => "if-blank",
            Initialize::Never => "never",
        },
        disk: settled.map(|(disk, _)| disk.to_string()),
        action: settled.map(|(disk, action)| match action {
            Action::Open { device } => format!("open the volume on {device}"),
            Action::CreateOnDisk => format!("make a new volume on the blank disk {disk}"),
            Action::CreateOnPartition { device, .. } => {
                format!("make a new volume on the blank partition {device}")
            }
        }),
    }
}
