//! The tables under `tests/contracts`: contracts with the findings that they must give, no more and no fewer.
//!
//! The lines that begin with `#> ` at the head of a file are the expected findings, one a line, in the order of
//! the report: code, text, pointer, line and column, message, hint. `@name@` stands for material that is made
//! by the openssl program at run time. With `UPDATE_CONTRACTS=1` the heads are rewritten; read the difference.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use countersign_contract::code::{Code, Severity};
use countersign_contract::refusal::Finding;
use countersign_contract::yaml::{MAX_BYTES, MAX_DEPTH, MAX_NODES};
use support::{Material, read, report};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/contracts").join(name)
}

fn cases(name: &str) -> Vec<PathBuf> {
    let mut cases: Vec<PathBuf> =
        fs::read_dir(folder(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

fn line(finding: &Finding) -> String {
    let mark = match (finding.line, finding.column) {
        (Some(line), Some(column)) => format!("{line}:{column}"),
        _ => "-".to_owned(),
    };
    let hint = finding.hint.as_deref().map_or(String::new(), |hint| format!("; {hint}"));
    format!(
        "#> {} {} {} {mark} {}{hint}",
        finding.code,
        finding.section.as_str(),
        finding.pointer,
        finding.message
    )
}

/// Runs one case and returns its findings.
fn run(case: &Path, material: &Material) -> Vec<Finding> {
    let text = fs::read_to_string(case).unwrap();
    let expected: Vec<&str> = text.lines().take_while(|line| line.starts_with("#> ")).collect();
    let findings = report(material.fill(&text).as_bytes());
    let found: Vec<String> = findings.iter().map(line).collect();
    if std::env::var_os("UPDATE_CONTRACTS").is_some() && expected != found {
        let body: Vec<&str> = text.lines().skip(expected.len()).collect();
        // Head lines count: pad so that the second run finds the same lines.
        fs::write(case, found.iter().map(String::as_str).chain(body).collect::<Vec<_>>().join("\n") + "\n")
            .unwrap();
        return run(case, material);
    }
    assert_eq!(found, expected, "{}", case.display());
    findings
}

/// Made once: it holds keys.
fn material() -> &'static Material {
    static MATERIAL: OnceLock<Material> = OnceLock::new();
    MATERIAL.get_or_init(Material::new)
}

fn has_no_error(case: &Path) {
    let findings = run(case, material());
    assert!(findings.iter().all(|finding| finding.severity != Severity::Error));
}

fn is_refused(case: &Path) {
    let findings = run(case, material());
    assert!(findings.iter().any(|finding| finding.severity == Severity::Error));
}

/// A test for each file of a folder, by its name.
macro_rules! files {
    ($folder:ident, $holds:ident: $($name:ident)*) => {
        mod $folder {
            pub(super) const NAMES: &[&str] = &[$(stringify!($name)),*];

            $(#[test]
            fn $name() {
                let file = stringify!($name).replace('_', "-") + ".yaml";
                super::$holds(&super::folder(stringify!($folder)).join(file));
            })*
        }
    };
}

files! { valid, has_no_error:
    attestation_key both_set_a_name braces_in_the_column_of_their_key everything_that_is_acted_on
    log_router_of_ones_own log_router minimal_as_maps minimal no_client_certificate one_seed_for_two_volumes play policy
    sections_in_quotes seeds_of_2022 seeds_that_can_be_guessed shared_seed signed_images tabs unknown_keys volume
}

files! { invalid, is_refused:
    alias anchor archive_not_base64 archive_not_indented archive_too_short attestation_key_cut attestation_kind attestation_values attestation
    auths_fields auths_name cacerts_items cacerts_no_certificate cacerts_two_maps cacerts_values compose_fields
    compose_kind compose_without_archive confidential_containers_empty confidential_containers_fields
    confidential_containers_is_no_map confidential_containers_kinds confidential_containers_policy
    confidential_containers_short confidential_containers_values credentials_not_indented
    credentials_of_the_env credentials_of_the_workload crypto_pt directive documents duplicate_key
    duplicate_section env_is_empty_map env_is_no_map env_name env_type_wrong env_value_number
    env_volume_secrets extension_kinds extension_policy_empty extension_policy_lists extension_unknown
    extension_values extension_volumes fields_too_deep host_attestation image_keys image_rules_kind
    image_rules_not_indented image_rules images_dct images_rhs images integrity_and_discard kinds_of_fields line_break log_router_certificates
    log_router_iam_url_long log_router_iam_url_plain log_router_iam_url_port log_router_iam_url_slash
    log_router_iam_url_user log_router_many_tags log_router_options_beside_syslog log_router_options_kind
    log_router_options_kinds log_router_options log_router_tags logging_both logging_empty logging_kinds
    logging_log_router_kind logging_log_router_kinds logging_log_router_limits logging_log_router_missing
    logging_log_router_values logging_logdna_kind logging_logdna_kinds logging_logdna_limits
    logging_logdna_missing logging_logdna_values logging_missing logging_not_indented logging_syslog_kinds
    logging_syslog_limits logging_syslog_missing logging_syslog_values logging_unknown
    material_of_the_machine merge_key no_env no_kind_of_workload no_workload not_a_map number_as_key
    outer_shape play_config_maps play_containers play_fields play_is_empty play_is_no_map play_objects
    policy_form policy_log_router policy_port_absent policy_port policy sealed section_as_map_not_indented
    section_in_its_own_wrapper_as_map section_is_a_list section_is_empty section_is_no_map section_not_indented
    sections_in_their_own_wrapper sections_not_indented
    seed_not_indented seeds_of_several_volumes_not_indented serial_fraction serial_large serial_list
    serial_text serial signature_empty signature_form signature_is_a_number signed_map signing_key_short
    signing_key_type signing_key syntax_outside syntax syslog_cert_missing syslog_certificates
    syslog_fields syslog_hostname syslog_key_missing syslog_not_indented syslog_pair syslog_port_range
    syslog_port_text syslog_too_far_out tab tag template_not_quoted the_other_section token_cut token_in_a_block
    token_not_base64 token_v1_cut token_with_blanks token_without_its_prefix token_without_its_second_part
    token_without_its_third_part two_kinds_of_workload type_missing type_wrong unsupported_services
    unsupported_volume unsupported user_data value_begins_with_percent value_is_a_comment value_with_a_colon
    variables_not_indented volume_fields volume_mount_conflict volume_mount_dots volume_mount_reserved
    volume_mounts volume_name volume_not_indented volume_seed_missing volume_unmatched volumes_grep11
    volumes_kms volumes_of_the_env volumes_of_the_workload whole_contract_as_section
}

#[test]
fn every_file_has_its_test() {
    for (folder, names) in [("valid", valid::NAMES), ("invalid", invalid::NAMES)] {
        let files: Vec<String> = cases(folder)
            .iter()
            .map(|case| case.file_stem().unwrap().to_str().unwrap().replace('-', "_"))
            .collect();
        assert_eq!(names, files, "{folder}: the list above is that of the folder");
    }
}

#[test]
fn every_contract_code_has_a_case() {
    let found: Vec<Code> = ["valid", "invalid"]
        .into_iter()
        .flat_map(cases)
        .flat_map(|case| run(&case, material()))
        .map(|f| f.code)
        .collect();
    // These need bytes that no text file with a head can hold; the tests of `yaml` have them.
    // The last two are given by the author's command, which knows the time and has an author, and tested there.
    let elsewhere = [
        "HPL05100E",
        "HPL05101E",
        "HPL05102E",
        "HPL05103E",
        "HPL05104E",
        "HPL05002E",
        "HPL05206W",
        "HPL05207I",
    ];
    for code in Code::ALL.iter().filter(|code| code.as_str().starts_with("HPL05")) {
        assert!(
            found.contains(code) || elsewhere.contains(&code.as_str()),
            "no case for {code} {}",
            code.name()
        );
    }
}

/// The variants of `Refusal`, from its source: the type cannot list them.
fn variants() -> BTreeSet<String> {
    let (_, after) = include_str!("../src/refusal.rs").split_once("pub enum Refusal {\n").unwrap();
    let (body, _) = after.split_once("\n}").unwrap();
    let names = body.lines().filter_map(|line| {
        let name = line.strip_prefix("    ")?;
        name.starts_with(|letter: char| letter.is_ascii_uppercase()).then(|| variant(name))
    });
    names.collect()
}

/// The name at the beginning of a variant, in its declaration or its `Debug` form.
fn variant(text: &str) -> String {
    text.chars().take_while(char::is_ascii_alphanumeric).collect()
}

#[test]
fn every_refusal_has_a_case() {
    let material = material();
    let mut texts: Vec<Vec<u8>> = cases("invalid")
        .into_iter()
        .map(|case| material.fill(&fs::read_to_string(case).unwrap()).into_bytes())
        .collect();
    // Bytes that no text file with a head can hold; `bounds.rs` has their places.
    texts.push(vec![b'#'; MAX_BYTES + 1]);
    texts.push(b"\xff".to_vec());
    texts.push(b"\0".to_vec());
    texts.push([vec![b'['; MAX_DEPTH + 1], vec![b']'; MAX_DEPTH + 1]].concat());
    texts.push(b"- 1\n".repeat(MAX_NODES));
    texts.push(Vec::new());
    let (mut refusals, mut findings) = (Vec::new(), Vec::new());
    for text in &texts {
        read(text, &mut refusals, &mut findings);
    }
    let mut seen: BTreeSet<String> =
        refusals.iter().map(|refusal| variant(&format!("{refusal:?}"))).collect();
    // The model hands these out as findings.
    if findings.iter().any(|finding| finding.code == Code::UnsupportedField) {
        seen.insert("Unsupported".to_owned());
    }
    assert!(seen.len() > 20);
    assert_eq!(seen, variants());
}

/// A contract with a canary in every string that could be secret, as JSON, which is YAML too.
fn full(material: &Material) -> serde_json::Value {
    let text = fs::read_to_string(folder("full.json")).unwrap();
    serde_json::from_str(&material.fill(&text)).unwrap()
}

#[test]
fn the_full_contract_has_only_unsupported_fields() {
    let material = material();
    let findings = report(full(material).to_string().as_bytes());
    let errors: Vec<&Finding> =
        findings.iter().filter(|finding| finding.severity == Severity::Error).collect();
    assert!(errors.iter().all(|finding| finding.code == Code::UnsupportedField), "{errors:#?}");
    assert!(errors.len() > 5);
}

/// All pointers of a tree.
fn pointers(value: &serde_json::Value, at: String, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(map) => {
            for (name, child) in map {
                let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
                pointers(child, at, found);
            }
        }
        serde_json::Value::Array(items) => {
            for (index, child) in items.iter().enumerate() {
                pointers(child, format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
    found.push(at);
}

#[test]
fn no_broken_rule_shows_a_value() {
    let material = material();
    let full = full(material);
    let mut places = Vec::new();
    pointers(&full, String::new(), &mut places);
    assert!(places.len() > 80);
    let wrong = [
        serde_json::json!(7),
        serde_json::json!(null),
        serde_json::json!("canary wrong \u{7f} value"),
        serde_json::json!("hyper-protect-basic.canary"),
        serde_json::json!(["canary wrong"]),
        serde_json::json!({"type": "canary wrong", "extra": "canary wrong"}),
        serde_json::json!({}),
    ];
    let mut refused = 0;
    for place in &places {
        for value in &wrong {
            let mut broken = full.clone();
            *broken.pointer_mut(place).unwrap() = value.clone();
            for finding in report(broken.to_string().as_bytes()) {
                let shown = format!("{finding} {finding:?}");
                assert!(!shown.contains("canary"), "{place}: {shown}");
                refused += usize::from(finding.code == Code::ContractInvalid);
            }
        }
    }
    assert!(refused > 200, "the mutants break rules: {refused}");
}
