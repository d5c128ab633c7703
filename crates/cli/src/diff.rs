//! `diff`: what another contract would change, in the words of the plan.
//!
//! Both contracts are judged as `check` judges them, and the lines of their plans compared. What no plan tells is compared as
//! well, and of that only where it differs: values of variables, seeds, credentials, keys, files of the archive. No value of a
//! secret field is printed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use anyhow::Result;
use countersign_contract::archive::{Archive, Item};
use countersign_contract::model::{Contract, Logging, WorkloadKind};
use countersign_crypto::digest::sha256_hex;

use crate::answer::{Answer, tame};
use crate::arguments::Diff;
use crate::check::{Accepted, planned};
use crate::time;

pub(crate) fn run(options: &Diff, out: &mut dyn Write) -> Result<Answer> {
    let now = time::at(options.at.as_deref())?;
    let key = options.key.as_deref();
    let (Some(old), Some(new)) = (planned(&options.old, key, now)?, planned(&options.new, key, now)?) else {
        return Ok(Answer::No);
    };
    let lines = changes(&old, &new);
    for line in &lines {
        writeln!(out, "{}", tame(line).replace('\n', " "))?;
    }
    Ok(if lines.is_empty() { Answer::Yes } else { Answer::No })
}

/// Every difference, a line each: `-` what is no more, `+` what is new, `~` what is another.
fn changes(old: &Accepted, new: &Accepted) -> Vec<String> {
    let mut lines = Vec::new();
    // In the order of the plan, what is no more before what takes its place.
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in old.plan.iter().chain(&new.plan) {
        if !names.contains(name) {
            names.push(name);
        }
    }
    let missing = |from: &[(&str, String)], there: &[(&str, String)], name: &str| -> Vec<String> {
        let of = |plan: &[(&str, String)]| -> Vec<String> {
            plan.iter().filter(|(other, _)| *other == name).map(|(_, text)| text.clone()).collect()
        };
        let others = of(there);
        of(from).into_iter().filter(|text| !others.contains(text)).collect()
    };
    for name in names {
        lines.extend(missing(&old.plan, &new.plan, name).iter().map(|text| format!("- {name:<9} {text}")));
        lines.extend(missing(&new.plan, &old.plan, name).iter().map(|text| format!("+ {name:<9} {text}")));
    }
    let (old, new) = (untold(&old.contract), untold(&new.contract));
    for ((name, text), value) in &old {
        match new.get(&(*name, text.clone())) {
            Some(other) if other == value => {}
            Some(_) => lines.push(format!("~ {name:<9} {text}")),
            None if told_as_gone(name) => lines.push(format!("- {name:<9} {text}")),
            None => {}
        }
    }
    let before: BTreeSet<_> = old.keys().collect();
    let added = new.keys().filter(|key| !before.contains(key) && told_as_gone(key.0));
    lines.extend(added.map(|(name, text)| format!("+ {name:<9} {text}")));
    lines
}

/// Whether nothing in the plan tells that such a thing has come or gone.
fn told_as_gone(name: &str) -> bool {
    ["file", "seed", "serial"].contains(&name)
}

/// What a plan does not tell of a contract: by kind and words, a digest of its value, which leaves this file as *the same* or
/// *another* only.
fn untold(contract: &Contract) -> BTreeMap<(&'static str, String), String> {
    let mut found = BTreeMap::new();
    let mut add = |name, text: String, value: &[u8]| {
        found.insert((name, text), sha256_hex(value));
    };
    for (name, value) in contract.environment() {
        add("variable", format!("{name} has another value"), value.expose().as_bytes());
    }
    for (registry, entry) in contract.registry_credentials() {
        let both = [entry.username(), "\0", entry.password().expose()].concat();
        add("registry", format!("{registry} has other credentials"), both.as_bytes());
    }
    for volume in contract.volumes() {
        let name = volume.name();
        let seeds = [
            ("of the workload", Some(volume.workload_seed())),
            ("of the workload until now", volume.previous_workload_seed()),
            ("of the deployer", volume.deployer_seed()),
            ("of the deployer until now", volume.previous_deployer_seed()),
        ];
        for (whose, seed) in seeds {
            if let Some(seed) = seed {
                add("seed", format!("{name}: seed {whose}"), seed.expose().as_bytes());
            }
        }
        add("volume", format!("{name} has other options"), format!("{:?}", volume.options()).as_bytes());
    }
    match contract.logging() {
        Logging::Syslog(syslog) => {
            if let Some(key) = syslog.client_key() {
                add("client", "has another key".to_owned(), key.expose().as_bytes());
            }
        }
        Logging::LogRouter(router) => {
            add("log", "has another API key".to_owned(), router.api_key().expose().as_bytes());
            add("log", "has other tags".to_owned(), router.tags().join("\0").as_bytes());
        }
        Logging::LogDna(_) => {}
    }
    for authority in contract.registry_authorities() {
        let names: Vec<&str> =
            authority.certificates().iter().map(|own| own.facts().sha256_fingerprint.as_str()).collect();
        add("cacerts", format!("{} has other certificates", authority.name()), names.concat().as_bytes());
    }
    if let Some(number) = contract.serial().number() {
        add("serial", "of the contract".to_owned(), number.to_string().as_bytes());
    }
    for (path, digest) in files(contract) {
        add("file", path, digest.as_bytes());
    }
    found
}

/// The files of the archive and the objects of the contract, each with a digest of what it holds.
fn files(contract: &Contract) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let archive = match contract.workload() {
        WorkloadKind::Compose { archive } => Some(archive.as_str()),
        WorkloadKind::Play(play) => {
            for (name, objects) in [("resources", play.resources()), ("templates", play.templates())] {
                for (number, object) in objects.iter().enumerate() {
                    let json = object.object().to_json();
                    found.push((format!("{name}[{number}]"), json.expose().to_string()));
                }
            }
            play.archive()
        }
        WorkloadKind::ConfidentialContainers(_) => None,
    };
    let archive = archive.and_then(|archive| Archive::parse(archive).ok());
    for (path, item) in archive.iter().flat_map(Archive::items) {
        if let Item::File { content, executable } = item {
            found.push((path.to_owned(), format!("{} {executable}", sha256_hex(content))));
        }
    }
    found
}
