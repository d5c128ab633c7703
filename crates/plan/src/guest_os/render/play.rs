//! The guest OS's share of a play workload.

use countersign_contract::archive::{Archive, Item};
use countersign_contract::code::Code;
use countersign_contract::model::{Contract, Play, Resource, WorkloadKind};
use countersign_contract::place::{Mark, Place, Pointer};
use countersign_contract::refusal::Finding;

use super::{Described, RenderRefusal, archive_pointer, secret};
use crate::guest_os::handover::{FOLDER, PODS, Workload};
use crate::images::signatures::SignatureRules;
use crate::workload::play::{
    Input, Origin, PLAY_FOLDER, PlayNotice, PlayRefusal, Played, Step, is_object_file, judge,
};
use crate::workload::reach::ReachRule;

/// Judges the objects of a workload, and describes what becomes of them.
pub(super) fn describe(
    contract: &Contract,
    play: &Play,
    reach: ReachRule,
    signed: &SignatureRules,
) -> Result<Described, RenderRefusal> {
    let archive = play.archive().map(Archive::parse).transpose()?;
    let Played { text, images, notices, ways, containers } =
        judged(contract, play, archive.as_ref(), &[], (&reach, signed))
            .map_err(|refusals| RenderRefusal::Play { refusals })?;
    let notices = notices.iter().filter_map(|notice| told(contract, notice)).collect();
    let mut files = Vec::new();
    if let Some(archive) = archive {
        super::unpacked(archive, PLAY_FOLDER, |_| true, &mut files);
    }
    files.push(secret(format!("{FOLDER}/{PODS}"), text));
    let workload = Workload::Play { containers: containers.len() };
    Ok(Described { workload, images, files, notices, ways, containers })
}

/// All that is wrong with an archive and with the objects.
pub(super) fn refusals(
    contract: &Contract,
    play: &Play,
    reach: &ReachRule,
    signed: &SignatureRules,
) -> Vec<RenderRefusal> {
    let (archive, refused) = match play.archive().map(Archive::remains).transpose() {
        Ok(remains) => remains.unzip(),
        Err(error) => return vec![error.into()],
    };
    let refused = refused.unwrap_or_default();
    // What is there and refused is not missing.
    let left_out = super::left_out(&refused);
    let mut all: Vec<RenderRefusal> = refused.into_iter().map(RenderRefusal::from).collect();
    if let Err(mut refusals) = judged(contract, play, archive.as_ref(), &left_out, (reach, signed)) {
        if left_out.iter().any(|path| is_object_file(path)) {
            refusals.retain(|refusal| refusal.origin != Origin::Nowhere);
        }
        all.extend((!refusals.is_empty()).then_some(RenderRefusal::Play { refusals }));
    }
    all
}

/// What the objects ask for. Paths that were left out of the archive count as there.
fn judged(
    contract: &Contract,
    play: &Play,
    archive: Option<&Archive>,
    left_out: &[String],
    (reach, signed): (&ReachRule, &SignatureRules),
) -> Result<Played, Vec<PlayRefusal>> {
    let items = || archive.into_iter().flat_map(Archive::items);
    judge(&Input {
        resources: play.resources().iter().map(Resource::object).collect(),
        templates: play.templates().iter().map(Resource::object).collect(),
        files: items().filter_map(|(path, item)| object_file(path, item)).collect(),
        paths: items().map(|(path, _)| path).chain(left_out.iter().map(String::as_str)).collect(),
        variables: contract.environment(),
        reach,
        signed,
    })
}

/// A file at the top of the archive that holds objects.
fn object_file<'a>(path: &'a str, item: &'a Item) -> Option<(&'a str, &'a [u8])> {
    match item {
        Item::File { content, .. } if is_object_file(path) => Some((path, content)),
        _ => None,
    }
}

/// A refusal at its place in the contract.
pub(super) fn refused(contract: &Contract, refusal: &PlayRefusal) -> Option<Finding> {
    let PlayRefusal { origin, path, line, column, fault } = refusal;
    finding(
        contract,
        origin,
        path,
        (*line, *column),
        fault.code(),
        &[refusal.to_string(), fault.to_string()],
        fault.hint(),
    )
}

fn told(contract: &Contract, notice: &PlayNotice) -> Option<Finding> {
    let PlayNotice { origin, path, line, column, notice: what } = notice;
    finding(
        contract,
        origin,
        path,
        (*line, *column),
        what.code(),
        &[notice.to_string(), what.to_string()],
        what.hint(),
    )
}

/// What is said of an object: in the contract its place says where, in a file of the archive the message does. Of the
/// two messages, the first says where in the object.
fn finding(
    contract: &Contract,
    origin: &Origin,
    path: &[Step],
    (line, column): (usize, usize),
    code: Code,
    [whole, alone]: &[String; 2],
    hint: &str,
) -> Option<Finding> {
    let WorkloadKind::Play(play) = contract.workload() else { return None };
    let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let mark = Mark { line: narrow(line), column: narrow(column) };
    let (place, message) = match origin {
        Origin::File(_) => {
            (contract.place_of(&archive_pointer(contract))?, format!("{origin}: {whole} (line {line})"))
        }
        Origin::Resource(number) => (within(play.resources().get(*number), path, mark)?, alone.clone()),
        Origin::Template(number) => (within(play.templates().get(*number), path, mark)?, alone.clone()),
        Origin::Nowhere => {
            (contract.place_of(&Pointer::root().child("workload").child("play"))?, alone.clone())
        }
    };
    Some(Finding::new(code, place, message, Some(hint.to_owned())))
}

fn within(object: Option<&Resource>, path: &[Step], mark: Mark) -> Option<Place> {
    let Place { text, pointer, .. } = object?.place().clone();
    let pointer = path.iter().fold(pointer, |pointer, step| match step {
        Step::Key(key) => pointer.child(key),
        Step::Item(number) => pointer.index(*number),
    });
    Some(Place { text, pointer, mark: Some(mark) })
}
