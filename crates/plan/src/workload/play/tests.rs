//! What becomes of objects, and what is refused where.

use countersign_contract::place::Origin as TextOrigin;
use countersign_contract::yaml;
use serde_json::Value as Json;

use super::*;

mod notices;
mod objects;
mod reach;
mod rules;
mod whole;

const IMAGE: &str =
    "registry.example.org/web@sha256:9fcf739803e0dcce2e2351e797b875fa51049ffd66843242cfae973fd2376e4a";

/// What objects are judged with.
#[derive(Default)]
struct Case<'c> {
    resources: &'c str,
    templates: &'c str,
    files: Vec<(&'c str, &'c str)>,
    paths: Vec<&'c str>,
    variables: Vec<(&'c str, &'c str)>,
    refuse: bool,
}

impl Case<'_> {
    fn judged(&self) -> Result<Played, Vec<PlayRefusal>> {
        let list = |text: &str| {
            yaml::parse(if text.is_empty() { b"[]" } else { text.as_bytes() }, &TextOrigin::contract())
        };
        let (resources, templates) = (list(self.resources).unwrap(), list(self.templates).unwrap());
        let values: Vec<(&str, EnvironmentValue)> =
            self.variables.iter().map(|(name, value)| (*name, EnvironmentValue::copy_from(value))).collect();
        let volumes = vec!["/mnt/data".to_owned()];
        let reach = ReachRule { volumes, refuse: self.refuse, ..ReachRule::default() };
        judge(&Input {
            resources: resources.items().iter().collect(),
            templates: templates.items().iter().collect(),
            files: self.files.iter().map(|(name, text)| (*name, text.as_bytes())).collect(),
            paths: self.paths.clone(),
            variables: values.iter().map(|(name, value)| (*name, value)).collect(),
            reach: &reach,
            signed: &SignatureRules::default(),
        })
    }

    fn documents(&self) -> Vec<Json> {
        documents_of(&self.judged().unwrap())
    }
}

fn documents_of(played: &Played) -> Vec<Json> {
    let text = std::str::from_utf8(played.text.expose()).unwrap();
    text.split("\n---\n").map(|document| serde_json::from_str(document).unwrap()).collect()
}

/// A pod in a file, with this below `spec` and this in its one container.
fn pod(spec: &str, container: &str) -> String {
    let indented =
        |text: &str, by: &str| -> String { text.lines().map(|line| format!("{by}{line}\n")).collect() };
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\nspec:\n{}  containers:\n  - name: c\n    image: {IMAGE}\n{}",
        indented(spec, "  "),
        indented(container, "    ")
    )
}

fn file(text: &str) -> Case<'_> {
    Case { files: vec![("pods.yaml", text)], paths: vec!["pods.yaml", "conf", "conf/a"], ..Case::default() }
}

/// What is refused of a pod: place, fault and line.
fn refused(spec: &str, container: &str) -> Vec<String> {
    let text = pod(spec, container);
    match file(&text).judged() {
        Ok(_) => Vec::new(),
        Err(refusals) => refusals
            .iter()
            .map(|refusal| format!("{} {}: {refusal}", refusal.fault.code(), refusal.line))
            .collect(),
    }
}

/// What is told of one.
fn told(spec: &str, container: &str) -> Vec<String> {
    let text = pod(spec, container);
    let played = file(&text).judged().unwrap_or_else(|refusals| panic!("{refusals:?}"));
    played
        .notices
        .iter()
        .map(|notice| format!("{} {}: {notice}", notice.notice.code(), notice.line))
        .collect()
}

/// What is refused of whole files.
fn whole(text: &str) -> Vec<String> {
    file(text)
        .judged()
        .unwrap_err()
        .iter()
        .map(|refusal| format!("{} {}: {refusal}", refusal.fault.code(), refusal.line))
        .collect()
}
