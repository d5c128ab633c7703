//! The text of a section, as a token yields it: YAML, schema, typed contract, fields not acted on.
//!
//! The first byte says which section it is; the other one is good. `@ca@` and the like are replaced by material
//! made at start, so that certificates and keys are reached. Beyond "returns": the text printed anew gets the same
//! findings at the same pointers; no finding shows a value.
#![no_main]

use std::sync::OnceLock;

use countersign_contract::envelope::SectionTree;
use countersign_contract::model::Contract;
use countersign_contract::place::{Origin, SectionName};
use countersign_contract::refusal::Finding;
use countersign_contract::schema::{self, CheckedSection};
use countersign_contract::yaml;
use countersign_crypto::secret::SectionText;
use countersign_fuzz::material::Material;
use countersign_fuzz::{finding, print};
use libfuzzer_sys::fuzz_target;

/// Made once: what stands in for the other section, and the material.
struct Setting {
    material: Material,
    workload: CheckedSection,
    env: CheckedSection,
}

impl Setting {
    fn get() -> &'static Setting {
        static SETTING: OnceLock<Setting> = OnceLock::new();
        SETTING.get_or_init(|| {
            let material = Material::new();
            let workload =
                "{type: workload, compose: {archive: AAAA}, volumes: {data: {seed: a-seed-of-the-workload}}}";
            let env = "{type: env, logging: {syslog: {hostname: h, server: '@ca@'}}, \
                       volumes: {data: {seed: a-seed-of-the-deployer}}}";
            Setting {
                workload: checked(SectionName::Workload, workload).expect("a good workload"),
                env: checked(SectionName::Env, &material.fill(env)).expect("a good env"),
                material,
            }
        })
    }
}

fn checked(name: SectionName, text: &str) -> Result<CheckedSection, Vec<Finding>> {
    let tree = SectionTree::unsealed(name, &SectionText::copy_from(text));
    let tree = tree.map_err(|refusal| vec![Finding::from(&refusal)])?;
    schema::check(tree).map_err(|refusals| refusals.iter().map(Finding::from).collect())
}

/// All that is to be said about the section, and whether it makes a contract.
fn judged(name: SectionName, text: &str) -> (bool, Vec<Finding>) {
    let setting = Setting::get();
    let section = match checked(name, text) {
        Ok(section) => section,
        Err(findings) => return (false, findings),
    };
    let contract = match name {
        SectionName::Workload => Contract::new(&section, &setting.env),
        SectionName::Env => Contract::new(&setting.workload, &section),
    };
    match contract {
        Ok(contract) => (true, [contract.warnings(), contract.unsupported()].concat()),
        Err(refusals) => (false, refusals.iter().map(Finding::from).collect()),
    }
}

fn places(findings: &[Finding]) -> Vec<String> {
    let mut places: Vec<_> =
        findings.iter().map(|finding| format!("{} {}", finding.code, finding.pointer.as_str())).collect();
    places.sort();
    places
}

// Keys and schemas are made before the first input, whose time would have to hold them else.
fuzz_target!(init: Setting::get(), |input: &[u8]| {
    let Some((which, rest)) = input.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let name = if which % 2 == 0 { SectionName::Workload } else { SectionName::Env };
    let text = Setting::get().material.fill(text);
    let tree = yaml::parse(text.as_bytes(), &Origin::unsealed(name));
    let keys_are_clean = tree.as_ref().is_ok_and(finding::keys_are_clean);
    let (made, findings) = judged(name, &text);
    findings.iter().for_each(|finding| finding::check(finding, keys_are_clean));
    assert!(made || !findings.is_empty(), "refused without a finding");
    let Ok(tree) = tree else { return };
    let (made_again, findings_again) = judged(name, &print::flow(&tree));
    assert_eq!(made, made_again);
    // Which findings of many are reported depends on the lines.
    if findings.len() < countersign_contract::refusal::MAX_REPORTED {
        assert_eq!(places(&findings), places(&findings_again));
    }
});
