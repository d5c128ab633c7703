//! What a compose file asks for, and whether the guest runs it.
//!
//! The engine's own compose program interprets the file; here the same text is read before that, on the author's desk and
//! early in the guest, so that everything is said with its line: its form (`keys`), what it refers to (`relations`), what
//! the engine cannot do (`engine`), and which images it runs. Both read the same text, so what they could take differently
//! is followed to the letter or refused: the rooms beside this one say how (`document`, `reference`,
//! [`crate::workload::interpolate`], [`crate::workload::dotenv`]). The test `compose_program` of this package holds all of it against the program.
//!
//! The rule for images is HPCR's: an image is named by digest, or a signature rule covers it.

use countersign_contract::refusal::MAX_REPORTED;

use crate::images::signatures::SignatureRules;

use super::document::{self, DocumentFault, DocumentRefusal};
use super::printable;
use super::reach::{ReachRule, Way};

mod engine;
mod environment;
mod fault;
mod folder;
mod keys;
mod notice;
mod path;
mod reach;
mod relations;
mod services;
mod shape;
#[cfg(test)]
mod tests;
mod values;
mod view;

use services::Services;
use shape::Look;

pub use fault::{ComposeFault, ComposeRefusal};
pub use notice::{ComposeNotice, Notice};
pub use view::{Mounted, ServicePlan, Taken, VariablePlan, Written, view};

pub use environment::{COMPOSE_FOLDER, COMPOSE_PROJECT, Environment, PROFILES, Setter};

/// What lies under a path of the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found<'f> {
    /// A file, with its content.
    File(&'f [u8]),
    /// A folder.
    Folder,
}

/// What a compose file is read with.
#[derive(Clone, Copy)]
pub struct Surroundings<'s, 'a> {
    /// The value of a variable.
    pub lookup: &'s dyn Fn(&str) -> Option<&'a str>,
    /// What lies under a relative path of the archive.
    pub files: &'s dyn Fn(&str) -> Option<Found<'s>>,
    /// Profiles whose services run; `*` is every profile.
    pub profiles: &'s [String],
    /// What containers may reach.
    pub reach: &'s ReachRule,
    /// Who must have signed images.
    pub signed: &'s SignatureRules,
}

impl std::fmt::Debug for Surroundings<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surroundings").finish_non_exhaustive()
    }
}

/// A compose file that the guest runs.
#[derive(Debug, PartialEq, Eq)]
pub struct Judged {
    /// The images of all services, each once, in the order of the file.
    pub images: Vec<String>,
    /// What its author should know.
    pub notices: Vec<ComposeNotice>,
    /// Every way out of its containers.
    pub ways: Vec<Way>,
    /// Where another file is named that belongs to it: what stands there is judged when it has become one model.
    pub undecided: Option<usize>,
}

/// Judges a compose file.
///
/// # Errors
/// Every [`ComposeRefusal`], one for each line, in the order of the file; at most 64.
pub fn judge(text: &str, around: &Surroundings<'_, '_>) -> Result<Judged, Vec<ComposeRefusal>> {
    let file = document::parse(text).map_err(|refusal| vec![refusal.into()])?;
    let services = Services::new(&file, around.lookup, around.signed);
    let mut refusals = Vec::new();
    let mut images = Vec::new();
    for service in services.all() {
        match services.image(service) {
            Ok(Some(image)) if !images.contains(&image) => images.push(image),
            Ok(_) => {}
            Err(refusal) => refusals.push(refusal),
        }
        refusals.extend(services.extends(service));
    }
    let undecided = folder::other_file(&file, &services);
    if services.all().is_empty() && undecided.is_none() {
        let line = file.get("services").map_or(1, |services| services.line);
        refusals.push(ComposeRefusal { line, fault: ComposeFault::NoServices });
    }
    let mut look = Look::new(around.lookup);
    let mut notices = Vec::new();
    look.texts(&file);
    look.check(&file, &keys::FILE, 1);
    let running = relations::running(&look, &services, around.profiles);
    if running.is_empty() && !services.all().is_empty() && undecided.is_none() {
        let line = file.get("services").map_or(1, |services| services.line);
        look.refuse(line, ComposeFault::NoneActive);
    }
    relations::check(&mut look, &file, &services, &running, around);
    folder::check(&mut look, &file, &services, &running, around, &mut notices);
    engine::check(&mut look, &running, &mut notices);
    engine::check_resources(&mut look, &file);
    let ways = reach::check(&mut look, &file, &running, around.reach, &mut notices);
    if !look.unset.is_empty() {
        let variables = look.unset.iter().take(MAX_NAMED).map(|name| printable(name)).collect();
        notices.push(ComposeNotice { line: 1, notice: Notice::Unset { variables } });
    }
    // What is said of an image is more than that its text has not the right form: of a line, the first is kept.
    refusals.extend(look.refusals());
    refusals.sort_by_key(|refusal| refusal.line);
    refusals.dedup_by_key(|refusal| refusal.line);
    refusals.truncate(MAX_REPORTED);
    notices.sort_by_key(|notice| notice.line);
    notices.truncate(MAX_REPORTED);
    if refusals.is_empty() { Ok(Judged { images, notices, ways, undecided }) } else { Err(refusals) }
}

/// Names in one message.
const MAX_NAMED: usize = 8;

impl From<DocumentRefusal> for ComposeRefusal {
    fn from(DocumentRefusal { line, fault }: DocumentRefusal) -> ComposeRefusal {
        let fault = match fault {
            DocumentFault::Syntax(cause) => ComposeFault::Syntax(cause),
            DocumentFault::Character => ComposeFault::Character,
            DocumentFault::Several => ComposeFault::SeveralDocuments,
            DocumentFault::DuplicateKey(key) => ComposeFault::DuplicateKey { key },
            DocumentFault::Tag => ComposeFault::Tag,
            DocumentFault::Empty => ComposeFault::NoServices,
        };
        ComposeRefusal { line, fault }
    }
}
