//! Both sections of a contract that may be wrong, judged as far as that can be done.
//!
//! The guest stops at the first stage that finds something, and there it may: who writes a contract wants all of it at
//! once. So what was refused is taken away, or something that does is put in its place, and the guest's own judgement is
//! asked again until it takes the rest. Whatever it says about a place that was changed here is not told, for nobody wrote
//! that. A section that cannot be read at all is replaced whole.
//!
//! Nothing here decides whether a contract is right: a draft that was changed is refused, whatever comes of it.

use countersign_contract::code::Code;
use countersign_contract::envelope::SectionTree;
use countersign_contract::place::{Pointer, SectionName};
use countersign_contract::refusal::Finding;
use countersign_contract::schema;
use countersign_crypto::secret::SectionText;
use countersign_plan::guest_os::render::Guest;
use countersign_plan::trust::judgement::Judgement;
use countersign_plan::trust::signer::Signer;

/// How often something is changed and the rest judged again. Every round finds up to 64 places, and most of a wrong
/// contract is right.
const ROUNDS: usize = 32;

/// What stands for a log server: a service that needs no certificate.
const LOGGING: [(&str, &str); 2] =
    [("hostname", "stand-in.ingress.example"), ("iamApiKey", "stand-in-for-an-api-key")];
/// The kinds of workload.
const KINDS: [&str; 3] = ["compose", "play", "confidential-containers"];

/// Both sections, and where something was changed.
#[derive(Debug)]
pub(super) struct Draft {
    workload: SectionTree,
    env: SectionTree,
    changed: Vec<Pointer>,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Why the sections make no contract, as they were written.
    pub refusals: Vec<Finding>,
    /// The judgement of what is left; none if that makes no contract either.
    pub judgement: Option<Judgement>,
}

impl Draft {
    /// A draft of the sections that can be read; none if neither can.
    pub(super) fn new(workload: Option<SectionTree>, env: Option<SectionTree>) -> Option<Draft> {
        match (workload, env) {
            (Some(workload), Some(env)) => Some(Draft { workload, env, changed: Vec::new() }),
            (None, None) => None,
            (Some(workload), None) => {
                let env = stand_in(SectionName::Env, &workload)?;
                Some(Draft { workload, env, changed: vec![Pointer::section(SectionName::Env)] })
            }
            (None, Some(env)) => {
                let workload = stand_in(SectionName::Workload, &env)?;
                Some(Draft { workload, env, changed: vec![Pointer::section(SectionName::Workload)] })
            }
        }
    }

    /// Whether a finding is about what was written, and not about what was put in its place.
    pub(super) fn is_written(&self, finding: &Finding) -> bool {
        let at = finding.pointer.as_str();
        !self.changed.iter().any(|changed| {
            at.strip_prefix(changed.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// Whether anything was changed, or a section is missing.
    pub(super) fn is_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Whether something stands in for this whole section.
    pub(super) fn stands_in_for(&self, section: SectionName) -> bool {
        self.changed.contains(&Pointer::section(section))
    }

    /// Judges the sections, and what is left of them after each refusal.
    pub(super) fn judge(&mut self, signer: Option<&Signer>, guest: Guest<'_>) -> Outcome {
        let mut refusals = Vec::new();
        for round in 0..ROUNDS {
            // The schema tells all that it has at once; what it finds later comes of the changes.
            let broken = if round == 0 { Vec::new() } else { self.broken() };
            let found: Vec<(Pointer, bool)> = if broken.is_empty() {
                let sections = (self.workload.duplicate(), self.env.duplicate());
                match Judgement::of(sections.0, sections.1, signer, guest) {
                    Ok(judgement) => return Outcome { refusals, judgement: Some(judgement) },
                    Err(found) => {
                        refusals.extend(found.iter().filter(|finding| self.is_written(finding)).cloned());
                        let unmatched = |code| code == Code::VolumeNames;
                        found.into_iter().map(|finding| (finding.pointer, unmatched(finding.code))).collect()
                    }
                }
            } else {
                broken.into_iter().map(|pointer| (pointer, false)).collect()
            };
            let before = self.changed.len();
            for (pointer, unmatched) in &found {
                if !(*unmatched && self.add_other(pointer)) {
                    self.change(pointer);
                }
            }
            if self.changed.len() == before {
                break;
            }
        }
        Outcome { refusals, judgement: None }
    }

    /// Where the sections do not follow the schema.
    fn broken(&self) -> Vec<Pointer> {
        let refusals = [&self.workload, &self.env].map(|tree| schema::check(tree.duplicate()).err());
        refusals.into_iter().flatten().flatten().map(|refusal| refusal.place().pointer.clone()).collect()
    }

    /// Puts something else at a place that was refused, or takes it away, or else what holds it.
    fn change(&mut self, pointer: &Pointer) {
        let names: Vec<String> = pointer.names().collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let Some(section) = section_of(&names) else { return };
        let first = !self.changed.contains(pointer);
        match names.as_slice() {
            [_] if self.tree(section).names_under(pointer).is_empty() => {
                let other = match section {
                    SectionName::Workload => &self.env,
                    SectionName::Env => &self.workload,
                };
                let Some(made) = stand_in(section, other).filter(|_| first) else { return };
                *self.tree(section) = made;
            }
            [_] => return self.change_kind(section),
            ["env", "logging"] if first => {
                self.env.take_away(pointer);
                let router = pointer.child("logRouter");
                LOGGING.iter().for_each(|(field, text)| {
                    self.env.put(&router.child(field), text);
                });
            }
            _ => match replacement(section, &names, self.changed.len()).filter(|_| first) {
                Some(text) if self.tree(section).put(pointer, &text) => {}
                _ if self.tree(section).take_away(pointer) => self.take_other(&names),
                _ => {
                    let above = names.len() - 1;
                    let above = names.iter().take(above).fold(Pointer::root(), |at, name| at.child(name));
                    return self.change(&above);
                }
            },
        }
        self.changed.push(pointer.clone());
    }

    /// Gives a volume that one section names its counterpart in the other.
    fn add_other(&mut self, pointer: &Pointer) -> bool {
        let names: Vec<String> = pointer.names().collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let [section, "volumes", name] = names.as_slice() else { return false };
        let other = if *section == "env" { SectionName::Workload } else { SectionName::Env };
        let volume = Pointer::section(other).child("volumes").child(name);
        if self.changed.contains(&volume) {
            return false;
        }
        let number = self.changed.len();
        add_volume(self.tree(other), &volume, number);
        self.changed.push(volume);
        true
    }

    /// A volume that is taken out of one section has no counterpart in the other any more.
    fn take_other(&mut self, names: &[&str]) {
        let ["workload" | "env", "volumes", name @ ..] = names else { return };
        if name.len() > 1 {
            return;
        }
        for section in [SectionName::Workload, SectionName::Env] {
            let volumes = Pointer::section(section).child("volumes");
            let other = name.iter().fold(volumes, |at, name| at.child(name));
            if self.tree(section).take_away(&other) {
                self.changed.push(other);
            }
        }
    }

    /// A workload has one kind.
    fn change_kind(&mut self, section: SectionName) {
        if section == SectionName::Env {
            return;
        }
        let workload = Pointer::section(section);
        let names = self.workload.names_under(&workload);
        let mut given = KINDS.iter().filter(|kind| names.iter().any(|name| name == *kind));
        if given.next().is_none() {
            let compose = workload.child("compose");
            if !self.changed.contains(&compose) && self.workload.put(&compose.child("archive"), "AAAA") {
                self.changed.push(compose);
            }
        }
        for kind in given {
            let kind = workload.child(kind);
            self.workload.take_away(&kind);
            self.changed.push(kind);
        }
    }

    fn tree(&mut self, section: SectionName) -> &mut SectionTree {
        match section {
            SectionName::Workload => &mut self.workload,
            SectionName::Env => &mut self.env,
        }
    }
}

fn section_of(names: &[&str]) -> Option<SectionName> {
    [SectionName::Workload, SectionName::Env].into_iter().find(|name| names.first() == Some(&name.as_str()))
}

/// A text that does at a place, where the rest could not be judged without one. No two are the same, for nothing may be
/// found about them.
fn replacement(section: SectionName, names: &[&str], number: usize) -> Option<String> {
    match names {
        [_, "type"] => Some(section.as_str().to_owned()),
        [_, "volumes", _, "seed"] => Some(format!("stand-in-for-a-seed-{section}-{number}")),
        [_, "volumes", _, "mount"] => Some(format!("/mnt/stand-in-{number}")),
        [_, "auths", _, "username" | "password"] => Some("stand-in".to_owned()),
        _ => None,
    }
}

/// A section that fits to the other one, and says nothing else.
fn stand_in(name: SectionName, other: &SectionTree) -> Option<SectionTree> {
    let section = Pointer::section(name);
    let mut made = SectionTree::unsealed(name, &SectionText::copy_from(&format!("type: {name}\n"))).ok()?;
    match name {
        SectionName::Workload => {
            made.put(&section.child("compose").child("archive"), "AAAA");
        }
        SectionName::Env => {
            let router = section.child("logging").child("logRouter");
            LOGGING.iter().for_each(|(field, text)| {
                made.put(&router.child(field), text);
            });
        }
    }
    let volumes = Pointer::section(other.name()).child("volumes");
    for (number, volume) in other.names_under(&volumes).iter().enumerate() {
        add_volume(&mut made, &section.child("volumes").child(volume), number);
    }
    Some(made)
}

/// Describes a volume in a section, with all that it has to say about one.
fn add_volume(section: &mut SectionTree, volume: &Pointer, number: usize) {
    let name = section.name();
    let fields: &[&str] = if name == SectionName::Workload { &["seed", "mount"] } else { &["seed"] };
    for field in fields {
        if let Some(text) = replacement(name, &[name.as_str(), "volumes", "", field], number) {
            section.put(&volume.child(field), &text);
        }
    }
}
