//! The final record: what became of the boot, said once by the daemon when the workload runs, and the way on which both
//! records leave the guest.
//!
//! They go to the log server as lines that `countersign attest verify` puts together again, into the folder that containers
//! may mount, and to the console where the contract asks. What cannot be done is told and ends nothing: the first record
//! was made, and lies where it lies.

use countersign_contract::code::Code;
use countersign_crypto::attestation::BootKey;
use countersign_crypto::digest::sha256_hex;
use countersign_crypto::secret::SecretBytes;
use countersign_plan::guest_os::handover::{AUDITOR, BOOT_KEY, GuestPlan, RECORDS, TRANSCRIPT};
use countersign_plan::record::bundle::Bundle;
use countersign_plan::record::folder::{BUNDLE, FINAL_RECORD, FINAL_SIGNATURE};
use countersign_plan::record::last::FinalRecord;
use countersign_plan::report::transcript::Transcript;
use countersign_plan::trust::auditor::Auditor;
use countersign_plan::watch::WatchRecords;
use countersign_ports::guest_os::Notes;
use countersign_ports::{Clock, Priority, Report};

use crate::line::Line;
use crate::log::Log;

/// The key of this boot, or the reason why it could not be taken.
pub(super) type Taken = Result<BootKey, String>;

/// Takes the key of this boot out of the handover: from now on it is in this process alone.
pub(super) fn take_key<S: Notes>(system: &S) -> Taken {
    let pem = system.note(BOOT_KEY).map(SecretBytes::new).map_err(|error| error.to_string())?;
    system.erase_note(BOOT_KEY).map_err(|error| error.to_string())?;
    BootKey::from_pem(pem.expose()).map_err(|error| error.to_string())
}

/// Makes the final record of this boot and sends both; nothing where a daemon that ran before has done that.
pub(super) fn finish<S: Report + Clock + Notes>(
    system: &S,
    log: &Log<'_, S>,
    plan: &GuestPlan,
    records: &WatchRecords,
    key: Taken,
) {
    let first = match read(system) {
        Ok(first) if first.final_record.is_some() => return,
        Ok(first) => first,
        Err(error) => return missing(log, &error),
    };
    let bundle = match complete(system, plan, records, &first, key) {
        Ok(bundle) => bundle,
        Err(error) => {
            missing(log, &error);
            first
        }
    };
    match bundle.lines() {
        Ok(lines) => lines.into_iter().for_each(|line| {
            let line = Line::words(Priority::Info, line);
            log.tell(&if plan.record_on_console { line } else { line.off_console() });
        }),
        Err(error) => missing(log, &error.to_string()),
    }
}

/// The lines of the first record of a boot that fails before a daemon has sent both. Nothing where none was made.
pub(super) fn unsent<S: Notes>(system: &S) -> Vec<String> {
    let first = read(system).ok().filter(|first| first.final_record.is_none());
    first.and_then(|first| first.lines().ok()).unwrap_or_default()
}

fn missing<S: Report + Clock>(log: &Log<'_, S>, error: &str) {
    log.tell(&Line::of(Code::FinalRecordMissing).and(error));
}

fn read<S: Notes>(system: &S) -> Result<Bundle, String> {
    let bytes = system.note(RECORDS).map_err(|error| error.to_string())?;
    Bundle::parse(&bytes).map_err(|error| error.to_string())
}

/// Makes the final record, signs it and puts it where the workload finds it.
fn complete<S: Notes>(
    system: &S,
    plan: &GuestPlan,
    records: &WatchRecords,
    first: &Bundle,
    key: Taken,
) -> Result<Bundle, String> {
    let key = key?;
    let transcript = system.note(TRANSCRIPT).map_err(|error| error.to_string())?;
    let told: Transcript = serde_json::from_slice(&transcript)
        .map_err(|error| format!("expected the transcript of this version: {error}"))?;
    let record = records.record.as_deref().ok_or("expected the digest of the first record")?;
    let text = FinalRecord {
        version: &plan.version,
        record,
        transcript: &sha256_hex(&transcript),
        volumes: &records.volumes,
        images: &told.images,
        warnings: told.warnings.get(records.recorded_warnings..).unwrap_or_default(),
    }
    .text();
    let signature = key.sign(text.as_bytes()).map_err(|error| error.to_string())?;
    drop(key);
    let text = match system.note(AUDITOR) {
        Err(_) => text,
        Ok(pem) => {
            let auditor =
                Auditor::parse(&String::from_utf8_lossy(&pem)).map_err(|error| error.to_string())?;
            auditor.seal(&text).map_err(|error| error.to_string())?
        }
    };
    let bundle = first.clone().with_final(text.clone(), &signature);
    let json = serde_json::to_vec(&bundle).map_err(|error| error.to_string())?;
    let show = |name: &str, content: &[u8]| system.publish(name, content).map_err(|error| error.to_string());
    show(FINAL_RECORD, text.as_bytes())?;
    show(FINAL_SIGNATURE, &signature)?;
    show(BUNDLE, &json)?;
    system.keep_note(RECORDS, &json).map_err(|error| error.to_string())?;
    Ok(bundle)
}
