//! Failure mode: the guest OS comes up once more, only to tell the owner's log server why the boot failed.
//!
//! Possible from the moment `env` is open; of an `env` that is an old token from the moment that its signature held, for
//! which server is asked for, and whether any is, would tell what the token holds. Its part `logging` is kept aside,
//! unread; it is read, against the schema and as strictly as ever, only when a later stage has failed. Where that part is
//! not usable, where the guest OS does not open, or where something cannot be taken down, the console is all there is.
//!
//! What makes it safe to go on after a check has failed:
//!
//! - The image key and every seed are gone; volumes are unmounted and closed, and if that fails the boot ends here.
//! - The guest OS is the one whose root hash is sealed in the initramfs, in memory: no disk is written.
//! - The handover holds the cause, the first record where one was made, the log server, its client certificate and key, the
//!   interfaces. There is no workload in it, no registry, no volume, and systemd starts a target that knows none of their units.
//! - `env` may come from somebody who did not sign. He chose a server that learns what the host's console shows
//!   anyway: codes, places, expectations, hints. The journal is not forwarded. A server that was itself refused, by the
//!   schema or by the workload's policy, is told nothing.

use std::path::Path;

use countersign_contract::cidata::network_config::NetworkConfig;
use countersign_contract::code::Code;
use countersign_contract::envelope::SectionTree;
use countersign_contract::model::log_server;
use countersign_plan::guest_os::handover::{CAUSE, FOLDER, Identity};
use countersign_plan::guest_os::image::ImageManifest;
use countersign_plan::guest_os::render::{Guest, render_report};
use countersign_ports::{Initramfs, Priority};

use crate::failure::Failure;
use crate::log::Log;
use crate::stage::Stage;

use super::first_record::FirstRecord;
use super::handover::{INIT, write_files};
use super::kernel;
use super::root::image::{IMAGE, Image};
use super::root::{NEW_ROOT, lay_out};
use super::unlock::STAGED;
use super::unseal::Unsealed;

/// The target of the guest OS that reports and powers off.
const TARGET: &str = "--unit=countersign-failed.target";

/// What failure mode needs, kept aside while the boot goes on.
#[derive(Debug)]
pub(super) struct FailureMode {
    manifest: ImageManifest,
    hostname: String,
    identity: Identity,
    network: Option<NetworkConfig>,
    /// `env` without anything but what says where the log goes.
    logging: SectionTree,
}

impl FailureMode {
    /// None where `env` holds nothing that can be read.
    pub(super) fn of(unsealed: &Unsealed) -> Option<FailureMode> {
        let origins = &unsealed.parsed.origins;
        Some(FailureMode {
            manifest: origins.ready.manifest.clone(),
            hostname: origins.hostname.clone(),
            // Nobody has verified a signature yet.
            identity: origins.identity(None),
            network: origins.network.clone(),
            logging: unsealed.env.as_ref()?.log_part(),
        })
    }

    /// Starts the guest OS; returns where that is not possible, and in tests.
    pub(super) fn enter<S: Initramfs>(
        self,
        system: &S,
        log: &Log<'_, S>,
        failure: &Failure,
        record: Option<&FirstRecord>,
    ) {
        // What failed there is the very thing that would be needed, and its files are half written.
        if failure.stage == Stage::Handover {
            return;
        }
        let elsewhere = failure.code() == Code::UnsupportedField;
        let router = failure.is_about("/env/countersign/log-router") && !elsewhere;
        if failure.is_about("/env/logging") || router {
            system.line(Priority::Warning, "the log server is not told: it is what was refused");
            return;
        }
        let Some(logging) = log_server(self.logging) else {
            system.line(Priority::Warning, "the log server cannot be told: its part of env is not usable");
            return;
        };
        let guest = Guest {
            version: &self.manifest.version,
            hostname: &self.hostname,
            identity: &self.identity,
            network: self.network.as_ref(),
            // Nothing of the workload runs.
            refuse_reach: false,
        };
        let start = || -> Result<(), String> {
            let mut report = render_report(&logging, guest).map_err(|refusal| refusal.to_string())?;
            report.files.extend(record.map(FirstRecord::file).transpose()?);
            let folders = [STAGED, NEW_ROOT, IMAGE].map(Path::new);
            system.take_down(&folders).map_err(|error| error.to_string())?;
            // A failure before the end of `validate` leaves modules loadable.
            kernel::lock_modules(system).map_err(|error| error.to_string())?;
            let image = Image::open(system, &self.manifest).map_err(told)?;
            log.say("the guest OS is started to tell the log server why, and for nothing else");
            lay_out(system, &image, None).map_err(told)?;
            write_files(system, &report.files).map_err(told)?;
            let cause = failure.lines().join("\n");
            system
                .write(&Path::new(FOLDER).join(CAUSE), 0o600, cause.as_bytes())
                .and_then(|()| system.set_hostname(&self.hostname))
                .and_then(|()| system.switch_root(Path::new(NEW_ROOT), Path::new(INIT), &[TARGET]))
                .map_err(|error| error.to_string())
        };
        if let Err(error) = start() {
            system.line(Priority::Warning, &format!("the log server cannot be told: {error}"));
        }
    }
}

fn told(failure: Failure) -> String {
    failure.lines().join("; ")
}
