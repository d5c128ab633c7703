//! Stage `handover`: what the guest OS needs is written into memory-backed `/run` and onto encrypted scratch, and the
//! guest OS's init takes over.
//!
//! No seed, no passphrase and no image key crosses this line (DESIGN.md section 5).

use std::path::Path;

use countersign_contract::code::Code;
use countersign_plan::guest_os::file::File;
use countersign_plan::guest_os::handover::{FOLDER, TRANSCRIPT, WATCH};
use countersign_plan::report::transcript::Transcript;
use countersign_plan::workload::compose::COMPOSE_FOLDER;
use countersign_plan::workload::play::PLAY_FOLDER;
use countersign_ports::Initramfs;
use countersign_ports::error::SystemError;

use crate::failure::Failure;
use crate::line::Line;
use crate::log::{Log, Summary};
use crate::stage::Stage;

use super::root::{NEW_ROOT, Rooted};

/// The guest OS's own init.
pub(super) const INIT: &str = "/usr/lib/systemd/systemd";

impl Rooted {
    /// Runs the stage; on the real machine it returns only on failure.
    ///
    /// # Errors
    /// `HPL11112E` when a file cannot be written or the switch fails.
    pub(super) fn handover<S: Initramfs>(self, system: &S, log: &mut Log<'_, S>) -> Result<(), Failure> {
        let carried = self.carried;
        let started = system.uptime();
        log.stage(Stage::Handover, |log| {
            write_files(system, &carried.files)?;
            system.set_hostname(&carried.plan.hostname).map_err(failed)?;
            let summary = Summary::new().with("files", carried.files.len());
            let mut stages = log.stages().to_vec();
            stages.push(log.record_so_far(Stage::Handover, started, summary.clone()));
            let transcript = Transcript {
                version: carried.manifest.version.clone(),
                stages,
                warnings: log.warnings().to_vec(),
                images: Vec::new(),
                failure: None,
                record: carried.record.clone(),
            };
            let transcript = serde_json::to_vec_pretty(&transcript)
                .map_err(|error| Failure::machine(Stage::Handover, Code::HandoverFailed, error))?;
            let path = Path::new(FOLDER).join(TRANSCRIPT);
            system.write(&path, 0o600, &transcript).map_err(failed)?;
            let watch = serde_json::to_vec_pretty(&carried.watch)
                .map_err(|error| Failure::machine(Stage::Handover, Code::HandoverFailed, error))?;
            system.write(&Path::new(FOLDER).join(WATCH), 0o600, &watch).map_err(failed)?;
            Ok(((), summary))
        })?;
        log.tell(&Line::of(Code::BootEnded));
        drop(carried);
        system.switch_root(Path::new(NEW_ROOT), Path::new(INIT), &[]).map_err(failed)
    }
}

/// Writes the files of a plan, those in `/run` into memory, all others into the new root.
pub(super) fn write_files<S: Initramfs>(system: &S, files: &[File]) -> Result<(), Failure> {
    system.make_directory(Path::new(FOLDER), 0o700).map_err(failed)?;
    for file in files {
        let path = if file.path.starts_with("/run/") {
            Path::new(&file.path).to_path_buf()
        } else {
            Path::new(NEW_ROOT).join(file.path.trim_start_matches('/'))
        };
        let written = match path.parent() {
            Some(folder) => system.make_directory(folder, 0o755),
            None => Ok(()),
        };
        written
            .and_then(|()| system.write(&path, file.mode, file.content.expose()))
            .map_err(|error| failed(unnamed(file, error)))?;
    }
    Ok(())
}

/// An error about a file; what the files of the archive are called is the workload's own affair.
fn unnamed(file: &File, error: SystemError) -> SystemError {
    let of_the_archive = [COMPOSE_FOLDER, PLAY_FOLDER].iter().any(|folder| file.path.starts_with(folder));
    if of_the_archive { error.about("a file of the archive") } else { error }
}

fn failed(error: SystemError) -> Failure {
    Failure::machine(Stage::Handover, Code::HandoverFailed, error)
}
