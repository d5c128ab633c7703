//! The guest OS's share of a compose workload.

use countersign_contract::archive::{Archive, ArchiveError, COMPOSE_NAMES, Item};
use countersign_contract::model::Contract;
use countersign_contract::refusal::Finding;

use super::{Described, RenderRefusal, archive_pointer, secret};
use crate::guest_os::file::File;
use crate::guest_os::handover::Workload;
use crate::images::signatures::SignatureRules;
use crate::workload::compose::{
    self, COMPOSE_FOLDER, COMPOSE_PROJECT, ComposeFault, ComposeNotice, ComposeRefusal, Environment, Found,
    Judged, Notice, PROFILES, ServicePlan, Setter, Surroundings,
};
use crate::workload::reach::ReachRule;

/// The project's variables, in the compose folder.
pub(super) const DOTENV: &str = ".env";

/// Judges the compose file of an archive, and describes what becomes of it.
pub(super) fn describe(
    contract: &Contract,
    archive: &str,
    reach: ReachRule,
    signed: &SignatureRules,
) -> Result<Described, RenderRefusal> {
    let archive = Archive::parse(archive)?;
    let environment = environment(contract, &archive)?;
    let (compose_file, Judged { images, mut notices, ways, undecided }) =
        compose_file(&environment, &archive, &[], &reach, signed)?;
    if contract.environment().contains_key(PROFILES) && !may_choose_profiles(contract) {
        notices.push(ComposeNotice { line: 1, notice: Notice::Profiles });
    }
    let place = contract.place_of(&archive_pointer(contract));
    let finding = |notice: &ComposeNotice| {
        let message = format!("{compose_file}: {notice}");
        let hint = Some(notice.notice.hint().to_owned());
        Some(Finding::new(notice.notice.code(), place.clone()?, message, hint))
    };
    let notices = notices.iter().filter_map(finding).collect();
    let process = environment.process();
    let mut files = Vec::new();
    compose_folder(&environment, archive, &mut files);
    let workload = Workload::Compose {
        project: COMPOSE_PROJECT.to_owned(),
        folder: COMPOSE_FOLDER.to_owned(),
        file: format!("{COMPOSE_FOLDER}/{compose_file}"),
        environment: process,
        reach,
        other_files: undecided.is_some(),
    };
    Ok(Described { workload, images, files, notices, ways, containers: Vec::new() })
}

/// All that is wrong with an archive and its compose file. Of a `.env` that cannot be read no variable is known.
pub(super) fn refusals(
    contract: &Contract,
    archive: &str,
    reach: &ReachRule,
    signed: &SignatureRules,
) -> Vec<RenderRefusal> {
    let (archive, refused) = match Archive::remains(archive) {
        Ok(remains) => remains,
        Err(error) => return vec![error.into()],
    };
    // What is there and refused is not missing.
    let left_out = super::left_out(&refused);
    let mut all: Vec<RenderRefusal> = refused.into_iter().map(RenderRefusal::from).collect();
    let known = environment(contract, &archive).or_else(|refusal| {
        all.push(refusal);
        variables(contract, None)
    });
    match known.and_then(|environment| compose_file(&environment, &archive, &left_out, reach, signed)) {
        Ok(_) => {}
        Err(RenderRefusal::Archive(ArchiveError::NoCompose))
            if left_out.iter().any(|path| COMPOSE_NAMES.contains(&path.as_str())) => {}
        Err(refusal) => all.push(refusal),
    }
    all
}

/// What each service of a compose file is and has, for its author: `file` is its path in the guest, among `files`. What the
/// archive holds is not unpacked again.
pub(super) fn services(
    contract: &Contract,
    files: &[File],
    file: &str,
    reach: &ReachRule,
    signed: &SignatureRules,
) -> Option<Vec<ServicePlan>> {
    let lies = |path: &str| files.iter().find(|file| file.path == path).map(|file| file.content.expose());
    let text = std::str::from_utf8(lies(file)?).ok()?;
    // Those of the contract are in it as well, and come first.
    let environment = variables(contract, lies(&format!("{COMPOSE_FOLDER}/{DOTENV}"))).ok()?;
    let found = |path: &str| {
        let whole = format!("{COMPOSE_FOLDER}/{path}");
        let folder = || {
            files.iter().any(|file| file.path.strip_prefix(&whole).is_some_and(|rest| rest.starts_with('/')))
        };
        lies(&whole).map(Found::File).or_else(|| folder().then_some(Found::Folder))
    };
    let provided: Vec<&str> = contract.provider_environment_names().collect();
    let origin = |name: &str| match environment.setter(name) {
        Setter::Guest => "guest",
        Setter::Contract if provided.contains(&name) => "workload",
        Setter::Contract => "env",
        Setter::Archive => DOTENV,
        Setter::Nobody => "nobody",
    };
    let lookup = |name: &str| environment.get(name);
    let profiles = environment.profiles();
    let around = Surroundings { lookup: &lookup, files: &found, profiles: &profiles, reach, signed };
    Some(compose::view(text, &around, &origin))
}

/// The variables of the project.
fn environment(contract: &Contract, archive: &Archive) -> Result<Environment, RenderRefusal> {
    if archive.items().any(|(path, item)| path == DOTENV && matches!(item, Item::Folder)) {
        return Err(RenderRefusal::DotenvFolder);
    }
    variables(contract, archive.file(DOTENV))
}

/// Those of the contract, and of the archive's own file.
fn variables(contract: &Contract, own: Option<&[u8]>) -> Result<Environment, RenderRefusal> {
    let mut variables = contract.environment();
    if !may_choose_profiles(contract) {
        variables.remove(PROFILES);
    }
    Ok(Environment::read(own, variables.into_iter())?)
}

/// Whether the contract's profiles count: they say which of the workload's services run, so the workload says it, or that
/// the deployer may.
fn may_choose_profiles(contract: &Contract) -> bool {
    contract.provider_environment_names().any(|name| name == PROFILES)
        || contract.policy().lists_variable(PROFILES)
}

/// The compose file's name, and what it asks for. Files that were left out of the archive count as empty.
fn compose_file(
    environment: &Environment,
    archive: &Archive,
    left_out: &[String],
    reach: &ReachRule,
    signed: &SignatureRules,
) -> Result<(&'static str, Judged), RenderRefusal> {
    let (file, text) = archive.compose_file()?;
    let refused = |refusals| RenderRefusal::Compose { file, refusals };
    let text = std::str::from_utf8(text).map_err(|error| {
        let before = &text[..error.valid_up_to()];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        refused(vec![ComposeRefusal { line, fault: ComposeFault::Character }])
    })?;
    let profiles = environment.profiles();
    let found = |path: &str| {
        let is_left_out = || left_out.iter().any(|left_out| left_out == path);
        found(archive, path).or_else(|| is_left_out().then_some(Found::File(&[])))
    };
    let lookup = |name: &str| environment.get(name);
    let around = Surroundings { lookup: &lookup, files: &found, profiles: &profiles, reach, signed };
    Ok((file, compose::judge(text, &around).map_err(refused)?))
}

/// What lies under a path of the compose folder.
fn found<'a>(archive: &'a Archive, path: &str) -> Option<Found<'a>> {
    if path == DOTENV {
        // Made of the contract's variables and the archive's; read before.
        return Some(Found::File(&[]));
    }
    if let Some(content) = archive.file(path) {
        return Some(Found::File(content));
    }
    let below =
        |item: &str| item.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    archive.items().any(|(item, _)| below(item)).then_some(Found::Folder)
}

/// The files of the archive, with the contract's variables joined to its `.env`.
fn compose_folder(environment: &Environment, archive: Archive, files: &mut Vec<File>) {
    super::unpacked(archive, COMPOSE_FOLDER, |path| path != DOTENV, files);
    files.push(secret(format!("{COMPOSE_FOLDER}/{DOTENV}"), environment.file()));
}
