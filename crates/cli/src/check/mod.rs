//! `check`: what the guest would do with a contract, or why it would refuse.
//!
//! Goes the way of the guest's stages with the guest's own functions (`plan::section`, `plan::signer`,
//! `plan::render`, `plan::volumes`), with two differences, both for the author's sake: it goes on after a refusal, as far as
//! the rest can still be judged ([`draft`]), and a section that stays sealed is said to be unchecked.

mod certificates;
mod disk;
mod draft;
mod excerpt;
mod facts;
mod initialize;
mod plan;
mod report;
mod services;
mod text;
mod variables;

use std::io::{IsTerminal, Write};
use std::path::Path;

use anyhow::{Context, Result};
use countersign_contract::code::Code;
use countersign_contract::envelope::{Envelope, Section, SectionTree};
use countersign_contract::model::Contract;
use countersign_contract::place::{Place, Pointer, SectionName, Text};
use countersign_contract::refusal::{Finding, Refusal};
use countersign_contract::schema;
use countersign_crypto::image_key::ImageKey;
use countersign_crypto::secret::SectionText;
use countersign_crypto::section_token::{SectionToken, looks_like_token};
use countersign_plan::guest_os::handover::Identity;
use countersign_plan::guest_os::image::Unsigned;
use countersign_plan::guest_os::render::{Guest, RenderRefusal, Rendered, all_refusals};
use countersign_plan::report::stage::Stage;
use countersign_plan::trust::auditor::Auditor;
use countersign_plan::trust::judgement::Judgement;
use countersign_plan::trust::section;
use countersign_plan::trust::signer::{self, Signer, SignerRefusal};
use countersign_plan::volumes::devices::{Wanted, assign};
use countersign_plan::volumes::facts::{Device, Facts};
use countersign_plan::volumes::{Action, settle};

use crate::answer::{Answer, Colour};
use crate::arguments::{self, Check, Format, OneSection, Source};
use crate::folder::Folder;
use crate::{encryption, files, time};
use draft::{Draft, Outcome};
use report::{Report, Reported, Unchecked, Verdict};

/// What a check needs beside the contract.
#[derive(Debug, Default)]
pub(crate) struct Circumstances {
    /// Opens sealed sections.
    pub key: Option<ImageKey>,
    /// Seconds since 1970.
    pub now: i64,
    /// The guest's disks.
    pub facts: Option<Facts>,
    /// Which contracts without a signature the image takes.
    pub unsigned: Unsigned,
    /// What is to be said about the image's encryption certificate.
    pub encryption: Option<Finding>,
    /// What is to be said about the other files of the contract disk.
    pub disk: Vec<Finding>,
}

/// The texts in which findings count lines.
#[derive(Debug)]
pub(crate) struct Sources<'t> {
    contract: &'t str,
    workload: Option<SectionText>,
    env: Option<SectionText>,
}

impl Sources<'_> {
    fn of(&self, section: &str) -> Option<&str> {
        match section {
            "workload" => self.workload.as_ref().map(SectionText::expose),
            "env" => self.env.as_ref().map(SectionText::expose),
            "contract" => Some(self.contract),
            _ => None,
        }
    }
}

pub(crate) fn run(options: &Check, out: &mut dyn Write) -> Result<Answer> {
    let key = options.key.as_deref().map(files::image_key).transpose()?;
    let facts = match options.facts.as_deref() {
        None => None,
        Some(path) => {
            let bytes = files::small(path)?;
            Some(facts::parse(&bytes).with_context(|| path.display().to_string())?)
        }
    };
    let now = time::at(options.at.as_deref())?;
    let encryption = match options.cert.as_deref() {
        Some(cert) => encryption::finding(cert, &options.issuance, now)?,
        None => None,
    };
    let unsigned = match options.unsigned {
        arguments::Unsigned::Plain => Unsigned::Plain,
        arguments::Unsigned::Accept => Unsigned::Accept,
        arguments::Unsigned::Refuse => Unsigned::Refuse,
    };
    let mut disk = disk::findings(options.network_config.as_deref(), options.meta_data.as_deref())?;
    let path = match disk::user_data(&options.contract) {
        Some(files) => {
            let given = (options.network_config.as_deref(), options.meta_data.as_deref());
            disk.extend(disk::findings(
                files.network_config.filter(|_| given.0.is_none()).as_deref(),
                files.meta_data.filter(|_| given.1.is_none()).as_deref(),
            )?);
            files.user_data
        }
        None => options.contract.clone(),
    };
    let circumstances = Circumstances { key, now, facts, unsigned, encryption, disk };
    let name = name(&options.contract);
    let source = match options.source {
        Source::Auto => std::io::stdout().is_terminal(),
        Source::Always => true,
        Source::Never => false,
    };
    let colour = Colour::wanted(&std::io::stdout());
    if let Some(section) = options.section {
        let text = files::text(Some(&path))?;
        let judged = section_alone(section, &text, &circumstances);
        return print(out, options.format, &name, &judged.report, source.then_some(&judged.sources), colour);
    }
    if path.is_dir() {
        let folder = Folder::read(&path)?;
        let judged = draft(&folder, true, &circumstances);
        return print(out, options.format, &name, &judged.report, source.then_some(&judged.sources), colour);
    }
    let bytes = files::contract(&path)?;
    let judged = contract(&bytes, &circumstances);
    print(out, options.format, &name, &judged.report, source.then_some(&judged.sources), colour)
}

/// The contract, if the guest would take it. If not, or if a sealed section stays unread, the report has been printed on
/// standard error: a pipe must not take it for a result.
pub(crate) fn accepted(path: &Path, key: Option<&Path>, now: i64) -> Result<Option<Contract>> {
    let key = key.map(files::image_key).transpose()?;
    let circumstances = Circumstances { key, now, ..Circumstances::default() };
    let judge = |judged: Judged<'_>| {
        if judged.report.verdict != Verdict::Boots {
            let colour = Colour::wanted(&std::io::stderr());
            text::print(&mut std::io::stderr().lock(), &name(path), &judged.report, None, colour)?;
            return Ok(None);
        }
        Ok(judged.contract)
    };
    if path.is_dir() {
        // Its files are readable, whatever will be packed of them.
        return judge(draft(&Folder::read(path)?, false, &circumstances));
    }
    judge(contract(&files::contract(path)?, &circumstances))
}

/// A contract that the guest would take, with its plan in words.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub contract: Contract,
    /// Of each line what it is about, and what it says.
    pub plan: Vec<(&'static str, String)>,
}

/// The same as [`accepted`], with the plan.
pub(crate) fn planned(path: &Path, key: Option<&Path>, now: i64) -> Result<Option<Accepted>> {
    let key = key.map(files::image_key).transpose()?;
    let circumstances = Circumstances { key, now, ..Circumstances::default() };
    let judge = |judged: Judged<'_>| match (
        judged.report.plan.as_ref().map(|plan| text::lines(plan, false)),
        judged.contract,
    ) {
        (Some(plan), Some(contract)) => Ok(Some(Accepted { contract, plan })),
        _ => {
            let colour = Colour::wanted(&std::io::stderr());
            text::print(&mut std::io::stderr().lock(), &name(path), &judged.report, None, colour)?;
            Ok(None)
        }
    };
    if path.is_dir() {
        return judge(draft(&Folder::read(path)?, true, &circumstances));
    }
    judge(contract(&files::contract(path)?, &circumstances))
}

/// How a contract is called in reports.
fn name(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}

fn print(
    out: &mut dyn Write,
    format: Format,
    name: &str,
    report: &Report,
    sources: Option<&Sources<'_>>,
    colour: bool,
) -> Result<Answer> {
    // Standard output writes each line by itself, and there may be thousands.
    let mut out = std::io::BufWriter::new(out);
    match format {
        Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(report)?)?,
        Format::Text => text::print(&mut out, name, report, sources, colour)?,
    }
    out.flush()?;
    Ok(match report.verdict {
        Verdict::Refused => Answer::No,
        Verdict::Boots | Verdict::Undecided => Answer::Yes,
    })
}

/// Checks a folder before it is packed, `sealed` or not. `None` if it may be, else the report has been printed.
pub(crate) fn refuse_draft(
    folder: &Folder,
    sealed: bool,
    now: i64,
    name: &str,
    out: &mut dyn Write,
) -> Result<Option<Answer>> {
    let Judged { report, .. } = draft(folder, sealed, &Circumstances { now, ..Circumstances::default() });
    match report.verdict {
        Verdict::Refused => {
            let colour = Colour::wanted(&std::io::stderr());
            print(out, Format::Text, name, &report, None, colour).map(Some)
        }
        Verdict::Boots | Verdict::Undecided => Ok(None),
    }
}

/// A check that is over.
#[derive(Debug)]
struct Judged<'t> {
    report: Report,
    sources: Sources<'t>,
    /// The typed contract, where both sections follow the schema; the report says whether the guest would take it.
    contract: Option<Contract>,
}

/// A check on its way.
#[derive(Debug, Default)]
struct Progress {
    findings: Vec<Reported>,
    unchecked: Vec<Unchecked>,
}

impl Progress {
    fn add(&mut self, stage: Stage, finding: &Finding) {
        // A stage that goes on after a refusal may find the same thing as the one before.
        let reported = Reported::new(stage, finding);
        if !self.findings.iter().any(|known| known.says_the_same(&reported)) {
            self.findings.push(reported);
        }
    }

    fn add_all<'f>(&mut self, stage: Stage, findings: impl IntoIterator<Item = &'f Finding>) {
        for finding in findings {
            self.add(stage, finding);
        }
    }

    /// What the guest says about its image, whatever the contract.
    fn image(&mut self, circumstances: &Circumstances) {
        if circumstances.unsigned == Unsigned::Accept {
            self.add(Stage::Preflight, &Finding::of(Code::UnsignedAccepted, root()));
        }
        self.add_all(Stage::Locate, &circumstances.disk);
    }

    fn skip(&mut self, place: &Place, reason: &'static str) {
        let (line, column) = place.mark.map_or((None, None), |mark| (Some(mark.line), Some(mark.column)));
        self.unchecked.push(Unchecked { pointer: place.pointer.as_str().to_owned(), line, column, reason });
    }

    /// Takes the lines away that nobody has written: those behind the file of a section.
    fn forget_lines(&mut self, section: SectionName, is_written: impl Fn(u32) -> bool) {
        let pointer = Pointer::section(section);
        let marks = self.findings.iter_mut().filter(|finding| finding.section == section.as_str());
        let marks = marks.map(|finding| (&mut finding.line, &mut finding.column));
        let gaps = self.unchecked.iter_mut().filter(|gap| gap.pointer.starts_with(pointer.as_str()));
        for (line, column) in marks.chain(gaps.map(|gap| (&mut gap.line, &mut gap.column))) {
            if line.is_some_and(|line| !is_written(line)) {
                (*line, *column) = (None, None);
            }
        }
    }

    /// Opens a section and reads it; keeps the text of a sealed one for the excerpts.
    fn open(
        &mut self,
        stage: Stage,
        section: &Section,
        key: Option<&ImageKey>,
        source: &mut Option<SectionText>,
    ) -> Option<SectionTree> {
        match (section.token(), key) {
            (Some(_), None) => {
                self.skip(section.place(), "the section is sealed and no key is given (--key)");
                return None;
            }
            (Some(_), Some(key)) => match section::unseal(section, key) {
                Ok(text) => *source = text,
                Err(finding) => {
                    self.add(stage, &finding);
                    return None;
                }
            },
            (None, _) => {}
        }
        match section.tree(source.as_ref()) {
            Ok(tree) => self.unwrapped(tree),
            Err(refusal) => {
                self.add(stage, &Finding::from(&refusal));
                None
            }
        }
    }

    /// A section, unless its fields stand below the name of one: what else is said of it then leads nowhere.
    fn unwrapped(&mut self, tree: SectionTree) -> Option<SectionTree> {
        match schema::wrapper(&tree) {
            None => Some(tree),
            Some(refusal) => {
                self.add(Stage::Validate, &Finding::from(&refusal));
                None
            }
        }
    }

    fn signer(&mut self, decided: Result<Signer, SignerRefusal>) -> Option<Signer> {
        match decided {
            Ok(Signer::Nobody) => {
                self.add(Stage::Verify, &Finding::of(Code::Unsigned, Envelope::signature_place()));
                Some(Signer::Nobody)
            }
            Ok(signer) => Some(signer),
            Err(SignerRefusal::Contract(finding) | SignerRefusal::Dates(finding)) => {
                self.add(Stage::Verify, &finding);
                None
            }
            Err(SignerRefusal::Library(error)) => {
                self.add(Stage::Verify, &Finding::with(Code::BootInternal, root(), error.to_string()));
                None
            }
        }
    }

    /// The auditor's key, part of the stage `verify`.
    fn auditor(&mut self, envelope: &Envelope, key: Option<&ImageKey>) -> Option<Auditor> {
        let named = envelope.attestation_public_key()?;
        if named.token().is_some() && key.is_none() {
            self.skip(named.place(), "the auditor's key is sealed and no key is given (--key)");
            return None;
        }
        Auditor::read(named, key).inspect_err(|finding| self.add(Stage::Verify, finding)).ok()
    }

    /// The auditor whom the sections name, part of the stage `validate`.
    fn named_auditor(&mut self, contract: Option<&Contract>, top: Option<Auditor>, signer: Option<&Signer>) {
        let Some(contract) = contract else { return };
        if let Err(finding) = Auditor::of(contract, top, signer.unwrap_or(&Signer::Nobody)) {
            self.add(Stage::Validate, &finding);
        }
    }

    /// Stages `validate` and `unlock`, as far as both, one or none of the sections can be read.
    fn rest(
        &mut self,
        workload: Option<SectionTree>,
        env: Option<SectionTree>,
        signer: Option<&Signer>,
        circumstances: &Circumstances,
    ) -> (Option<Contract>, Option<plan::Plan>) {
        let Some(mut draft) = Draft::new(workload, env) else { return (None, None) };
        let identity = Identity::default();
        let version = env!("CARGO_PKG_VERSION");
        let guest =
            Guest { version, hostname: "guest", identity: &identity, network: None, refuse_reach: false };
        let Outcome { refusals, judgement } = draft.judge(signer, guest);
        self.add_all(Stage::Validate, &refusals);
        let Some(Judgement { contract, unsupported, breaches, notices, rendered }) = judgement else {
            return (None, None);
        };
        let dates = certificates::warnings(&contract, circumstances.now);
        let initialize = initialize::notices(&contract);
        for found in [contract.warnings(), &unsupported, &dates, &initialize, &breaches, &notices] {
            self.add_all(Stage::Validate, found.iter().filter(|finding| draft.is_written(finding)));
        }
        let rendered = self.rendered(&contract, rendered, &draft, guest);
        if draft.is_changed() {
            return (None, None);
        }
        let disks = self.disks(&contract, circumstances.facts.as_ref());
        let plan = match (signer, rendered, disks) {
            (Some(signer), Some(rendered), Some(disks)) => {
                Some(plan::plan(&contract, signer, &rendered, &disks))
            }
            _ => None,
        };
        (Some(contract), plan)
    }

    fn rendered(
        &mut self,
        contract: &Contract,
        rendered: Result<Rendered, RenderRefusal>,
        draft: &Draft,
        guest: Guest<'_>,
    ) -> Option<Rendered> {
        let refusal = match rendered {
            Ok(rendered) => {
                if let Some(place) = rendered.is_undecided().then(|| contract.place_of(&archive())).flatten()
                {
                    self.skip(&place, OTHER_FILES);
                }
                return Some(rendered);
            }
            Err(refusal) => refusal,
        };
        let refusals = all_refusals(contract, guest, refusal);
        // Values of the other section, or of a file that cannot be read, may make the difference.
        let unread = |refusal: &RenderRefusal| match refusal {
            RenderRefusal::Dotenv(_) | RenderRefusal::DotenvFolder => true,
            RenderRefusal::Archive(error) => {
                error.entry().is_some_and(|entry| entry.path.trim_start_matches("./") == ".env")
            }
            _ => false,
        };
        let is_open = draft.stands_in_for(SectionName::Env) || refusals.iter().any(unread);
        for refusal in refusals {
            let refusal = if is_open { variables::independent(refusal, contract) } else { Some(refusal) };
            let Some(refusal) = refusal else { continue };
            let findings = named(&refusal, refusal.findings(contract));
            // What is not supported was said, with its place.
            if findings.is_empty() && refusal.code() != Code::UnsupportedField && !draft.is_changed() {
                self.add(Stage::Validate, &Finding::with(refusal.code(), root(), refusal.to_string()));
            }
            self.add_all(Stage::Validate, findings.iter().filter(|finding| draft.is_written(finding)));
        }
        None
    }

    /// Which disk is which volume; nothing without facts, none if a volume cannot be had.
    fn disks(&mut self, contract: &Contract, facts: Option<&Facts>) -> Option<Vec<(Device, Action)>> {
        let Some(facts) = facts else { return Some(Vec::new()) };
        let wanted: Vec<Wanted> = contract.volumes().iter().map(Wanted::of).collect();
        let assigned = assign(&wanted, &facts.disks);
        let mut settled = Vec::new();
        for volume in contract.volumes() {
            match settle(volume, &assigned, facts) {
                Ok(disk) => settled.push(disk),
                Err(unsettled) => {
                    let place = volume.place().clone();
                    self.add(Stage::Unlock, &Finding::with(unsettled.code, place, unsettled.message));
                }
            }
        }
        (settled.len() == wanted.len()).then_some(settled)
    }
}

/// Checks a contract as the guest finds it.
fn contract<'t>(bytes: &'t [u8], circumstances: &Circumstances) -> Judged<'t> {
    // A contract that is not UTF-8 is refused; the place of that is shown without its line.
    let source = std::str::from_utf8(bytes).unwrap_or_default();
    let mut sources = Sources { contract: source, workload: None, env: None };
    let mut progress = Progress::default();
    progress.image(circumstances);
    let envelope = match Envelope::parse(bytes) {
        Ok(envelope) => envelope,
        Err(refusals) => {
            refusals.iter().for_each(|refusal| progress.add(Stage::Parse, &Finding::from(refusal)));
            let key = circumstances.key.as_ref();
            let [workload, env] = Envelope::remains(bytes);
            let env = env.and_then(|env| progress.open(Stage::Unseal, &env, key, &mut sources.env));
            let workload = workload
                .and_then(|workload| progress.open(Stage::Verify, &workload, key, &mut sources.workload));
            progress.rest(workload, env, None, circumstances);
            let report = Report::new(progress.findings, progress.unchecked, None);
            return Judged { report, sources, contract: None };
        }
    };
    progress.add_all(Stage::Parse, envelope.warnings());
    progress.add_all(Stage::Unseal, circumstances.encryption.as_slice());
    let key = circumstances.key.as_ref();
    let env = progress.open(Stage::Unseal, envelope.env(), key, &mut sources.env);
    let signer = match (&env, signer::admit(&envelope, circumstances.unsigned)) {
        // Whatever is in it: this can be said without the key.
        (_, Err(finding)) => {
            progress.add(Stage::Verify, &finding);
            None
        }
        (Some(env), Ok(())) => {
            progress.signer(signer::decide(&envelope, env, circumstances.now, circumstances.unsigned))
        }
        (None, Ok(())) if envelope.env().token().is_some() && key.is_none() => {
            let reason = "the signing key is in the sealed section env";
            progress.skip(&Envelope::signature_place(), reason);
            None
        }
        (None, Ok(())) => None,
    };
    let workload = progress.open(Stage::Verify, envelope.workload(), key, &mut sources.workload);
    let auditor = progress.auditor(&envelope, key);
    for (section, tree) in [(envelope.workload(), &workload), (envelope.env(), &env)] {
        let warnings = tree.as_ref().map(|tree| section::unprotected(section, tree)).unwrap_or_default();
        progress.add_all(Stage::Verify, &warnings);
    }
    let (contract, plan) = progress.rest(workload, env, signer.as_ref(), circumstances);
    progress.named_auditor(contract.as_ref(), auditor, signer.as_ref());
    Judged { report: Report::new(progress.findings, progress.unchecked, plan), sources, contract }
}

/// Checks a section that its author has alone: its form, all that it says, and of the workload what does not hang on the
/// variables of the other.
fn section_alone(which: OneSection, text: &str, circumstances: &Circumstances) -> Judged<'static> {
    let name = match which {
        OneSection::Workload => SectionName::Workload,
        OneSection::Env => SectionName::Env,
    };
    let mut sources = Sources { contract: "", workload: None, env: None };
    let mut progress = Progress::default();
    progress.image(circumstances);
    progress.add_all(Stage::Unseal, circumstances.encryption.as_slice());
    let place = Place { text: Text::Section(name), pointer: Pointer::section(name), mark: None };
    let opened = if looks_like_token(text) {
        match (SectionToken::parse(text), &circumstances.key) {
            (Err(shape), _) => Err(Some(Finding::from(&Refusal::TokenForm(place, shape)))),
            (Ok(_), None) => {
                progress.skip(&place, "the section is sealed and no key is given (--key)");
                Err(None)
            }
            (Ok(token), Some(key)) => token.open(name.into(), key).map_err(|unopened| {
                Some(Finding::with(Code::BootInvalidContract, place, unopened.to_string()))
            }),
        }
    } else {
        Ok(SectionText::copy_from(text.strip_prefix('\u{feff}').unwrap_or(text)))
    };
    let read = opened.and_then(|text| {
        let tree = SectionTree::unsealed(name, &text).map_err(|refusal| Some(Finding::from(&refusal)));
        match name {
            SectionName::Workload => sources.workload = Some(text),
            SectionName::Env => sources.env = Some(text),
        }
        tree
    });
    let tree = read.map_err(|finding| progress.add_all(Stage::Unseal, finding.as_slice())).ok();
    let tree = tree.and_then(|tree| progress.unwrapped(tree));
    if let Some(tree) = tree.as_ref().filter(|_| name == SectionName::Env)
        && let Ok(Some(key)) = tree.signing_key()
    {
        let usable = signer::usable(key, &tree.place_of("signingKey"), circumstances.now);
        progress.signer(usable.map(|_| Signer::Key(String::new())));
    }
    let (workload, env) = match name {
        SectionName::Workload => (tree, None),
        SectionName::Env => (None, tree),
    };
    progress.rest(workload, env, None, circumstances);
    let other = match name {
        SectionName::Workload => SectionName::Env,
        SectionName::Env => SectionName::Workload,
    };
    let place = Place { text: Text::Contract, pointer: Pointer::section(other), mark: None };
    progress.skip(&place, "only one section is given (--section)");
    Judged { report: Report::new(progress.findings, progress.unchecked, None), sources, contract: None }
}

/// Checks a folder as `pack` would make a contract of it: places are those in the folder's own files, and the
/// signature is taken for made if the env section names a key for it. `sealed` is whether sections will be.
fn draft(folder: &Folder, sealed: bool, circumstances: &Circumstances) -> Judged<'static> {
    let sources =
        Sources { contract: "", workload: Some(folder.workload_text()), env: Some(folder.env_text()) };
    let mut progress = Progress::default();
    progress.image(circumstances);
    progress.add_all(Stage::Unseal, circumstances.encryption.as_slice());
    let mut tree = |stage, name, text: Option<&SectionText>| {
        if let Some(finding) = folder.refusal(name) {
            progress.add(stage, finding);
            return None;
        }
        match SectionTree::unsealed(name, text?) {
            Ok(tree) => progress.unwrapped(tree),
            Err(refusal) => {
                progress.add(stage, &Finding::from(&refusal));
                None
            }
        }
    };
    let env = tree(Stage::Unseal, SectionName::Env, sources.env.as_ref());
    let workload = tree(Stage::Verify, SectionName::Workload, sources.workload.as_ref());
    let signer = env.as_ref().and_then(|env| progress.signer(draft_signer(env, sealed, circumstances)));
    let (contract, plan) = progress.rest(workload, env, signer.as_ref(), circumstances);
    progress.named_auditor(contract.as_ref(), None, signer.as_ref());
    for section in [SectionName::Workload, SectionName::Env] {
        progress.forget_lines(section, |line| folder.is_written(section, line));
    }
    Judged { report: Report::new(progress.findings, progress.unchecked, plan), sources, contract }
}

fn draft_signer(
    env: &SectionTree,
    sealed: bool,
    circumstances: &Circumstances,
) -> Result<Signer, SignerRefusal> {
    let place = env.place_of("signingKey");
    let key = env.signing_key().map_err(|refusal| SignerRefusal::Contract(Finding::from(&refusal)))?;
    match (key, circumstances.unsigned) {
        (Some(key), _) => {
            let key = signer::usable(key, &place, circumstances.now)?;
            key.sha256_fingerprint().map(Signer::Key).map_err(SignerRefusal::Library)
        }
        // Where the key should stand: there is no contract yet in which the signature could.
        (None, Unsigned::Plain | Unsigned::Refuse) if sealed => {
            Err(SignerRefusal::Contract(signer::unsigned_sealed(place)))
        }
        (None, Unsigned::Refuse) => Err(SignerRefusal::Contract(Finding::of(Code::UnsignedRefused, place))),
        (None, _) => Ok(Signer::Nobody),
    }
}

/// The findings with the entry of the archive that they are about: its author knows the paths, the guest tells none.
fn named(refusal: &RenderRefusal, mut findings: Vec<Finding>) -> Vec<Finding> {
    if let RenderRefusal::Archive(error) = refusal
        && let Some(entry) = error.entry()
    {
        findings.iter_mut().for_each(|finding| finding.message.push_str(&format!(" ({})", entry.path)));
    }
    findings
}

/// Why a compose file that names others is not decided on.
const OTHER_FILES: &str = "the compose file names others; the guest judges all of them together";

fn archive() -> Pointer {
    Pointer::section(SectionName::Workload).child("compose").child("archive")
}

fn root() -> Place {
    Place { text: Text::Contract, pointer: Pointer::root(), mark: None }
}
