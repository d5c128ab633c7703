//! Any valid contract, printed in whatever style and read, is the contract that was meant.
//!
//! Contracts are made up as models, printed by writers that are not the house's (serde_json, and block style by hand),
//! with their sections as maps or as text, and compared field by field with what the typed contract says.
#![allow(clippy::unwrap_used, clippy::expect_used)]

// Other tests use the rest of it.
#[allow(dead_code)]
mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::OnceLock;

use countersign_contract::envelope::{Envelope, Form};
use countersign_contract::model::{Contract, Initialize, Logging, WorkloadKind};
use countersign_contract::schema;
use proptest::prelude::*;
use serde_json::{Value, json};
use support::Material;

/// What a contract says, apart from certificates.
#[derive(Debug, Clone)]
struct Model {
    archive: String,
    hostname: String,
    port: Option<u16>,
    provider: Party,
    deployer: Party,
    volumes: BTreeMap<String, Volume>,
}

/// What both parties can say.
#[derive(Debug, Clone)]
struct Party {
    environment: BTreeMap<String, String>,
    credentials: BTreeMap<String, (String, String)>,
}

#[derive(Debug, Clone)]
struct Volume {
    seeds: (String, String),
    never_initialize: bool,
    volume_id: Option<String>,
}

/// How a contract is printed.
#[derive(Debug, Clone, Copy)]
enum Style {
    /// Sections as maps, all JSON.
    JsonMaps,
    /// Sections as JSON in strings.
    JsonTexts,
    /// Sections as maps in block style.
    BlockMaps,
    /// Sections as literal blocks that hold block style.
    BlockTexts,
}

/// Text with everything that quoting has to cope with.
fn text(least: usize) -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        "[a-z0-9 ]{1,6}",
        "[ -~]{1,6}",
        Just("\n".to_owned()),
        Just("\t".to_owned()),
        Just(": ".to_owned()),
        Just(" #".to_owned()),
        Just("- ".to_owned()),
        Just("~".to_owned()),
        Just("0x1f".to_owned()),
        Just("é中\u{1f600}".to_owned()),
        Just("'\"\\".to_owned()),
    ];
    let text = proptest::collection::vec(pieces, 0..6).prop_map(|pieces| pieces.concat());
    text.prop_map(move |text| text + &"x".repeat(least))
}

fn party() -> impl Strategy<Value = Party> {
    let environment = proptest::collection::btree_map("[A-Za-z_][A-Za-z0-9_]{0,9}", text(0), 0..5);
    let credentials =
        proptest::collection::btree_map("[a-z]{1,6}\\.example(:[0-9]{1,4})?", (text(3), text(3)), 0..3);
    (environment, credentials).prop_map(|(environment, credentials)| Party { environment, credentials })
}

fn model() -> impl Strategy<Value = Model> {
    let volume = (text(3), text(3), any::<bool>(), proptest::option::of("[a-z0-9-]{3,12}"));
    let volume = volume.prop_map(|(provider, deployer, never_initialize, volume_id)| Volume {
        seeds: (provider, deployer),
        never_initialize,
        volume_id,
    });
    (
        "[A-Za-z0-9+/]{4,60}",
        "[a-z0-9-]{1,12}(\\.[a-z0-9-]{1,8}){0,2}",
        proptest::option::of(1_u16..),
        party(),
        party(),
        proptest::collection::btree_map("[a-z_][a-z0-9_-]{0,9}", volume, 0..4),
    )
        .prop_map(|(archive, hostname, port, provider, deployer, volumes)| Model {
            archive,
            hostname,
            port,
            provider,
            deployer,
            volumes,
        })
}

impl Model {
    fn sections(&self) -> (Value, Value) {
        let fill = |section: &mut Value, party: &Party| {
            if !party.environment.is_empty() {
                section["env"] = json!(party.environment);
            }
            for (registry, (username, password)) in &party.credentials {
                section["auths"][registry] = json!({"username": username, "password": password});
            }
        };
        let mut workload = json!({"type": "workload", "compose": {"archive": self.archive}});
        let mut env =
            json!({"type": "env", "logging": {"syslog": {"hostname": self.hostname, "server": "@ca@"}}});
        fill(&mut workload, &self.provider);
        fill(&mut env, &self.deployer);
        if let Some(port) = self.port {
            env["logging"]["syslog"]["port"] = json!(port);
        }
        for (name, volume) in &self.volumes {
            workload["volumes"][name] = json!({"seed": volume.seeds.0, "mount": format!("/mnt/{name}")});
            env["volumes"][name] = json!({"seed": volume.seeds.1});
            if let Some(id) = &volume.volume_id {
                env["volumes"][name]["volumeID"] = json!(id);
            }
            if volume.never_initialize {
                workload["countersign"]["volumes"][name]["initialize"] = json!("never");
            }
        }
        (workload, env)
    }

    fn print(&self, style: Style) -> String {
        let (workload, env) = self.sections();
        let printed = match style {
            Style::JsonMaps => json!({"workload": workload, "env": env}).to_string(),
            Style::JsonTexts => json!({"workload": workload.to_string(), "env": env.to_string()}).to_string(),
            Style::BlockMaps => block_map(&json!({"workload": workload, "env": env}), 0),
            Style::BlockTexts => {
                format!("workload: |\n{}env: |\n{}", block_map(&workload, 2), block_map(&env, 2))
            }
        };
        material().fill(&printed)
    }
}

fn material() -> &'static Material {
    static MATERIAL: OnceLock<Material> = OnceLock::new();
    MATERIAL.get_or_init(Material::new)
}

/// A map in block style, indented by `depth`.
fn block_map(value: &Value, depth: usize) -> String {
    let mut printed = String::new();
    for (key, value) in value.as_object().unwrap() {
        write!(printed, "{:depth$}{}:", "", quoted(key)).unwrap();
        match value {
            Value::Object(_) => write!(printed, "\n{}", block_map(value, depth + 2)).unwrap(),
            Value::String(text) => writeln!(printed, " {}", block_text(text, depth)).unwrap(),
            other => writeln!(printed, " {other}").unwrap(),
        }
    }
    printed
}

/// A string as a literal block where it has several lines, none of them blank; else in quotes.
fn block_text(text: &str, depth: usize) -> String {
    let body = text.strip_suffix('\n').unwrap_or(text);
    if !body.contains('\n') || body.lines().any(|line| line.trim().is_empty()) || body.ends_with('\n') {
        return quoted(text);
    }
    let chomping = if text.ends_with('\n') { "" } else { "-" };
    let indented = |line: &str| format!("\n{:width$}{line}", "", width = depth + 2);
    format!("|2{chomping}{}", body.split('\n').map(indented).collect::<String>())
}

/// Single quotes where they serve, else double ones.
fn quoted(text: &str) -> String {
    if text.chars().all(|letter| (' '..='~').contains(&letter)) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let escaped = |letter: char| match letter {
        '"' | '\\' => format!("\\{letter}"),
        ' '..='~' => letter.to_string(),
        _ => format!("\\U{:08x}", u32::from(letter)),
    };
    format!("\"{}\"", text.chars().map(escaped).collect::<String>())
}

fn read(text: &str) -> Contract {
    let envelope = Envelope::parse(text.as_bytes()).expect("an envelope");
    assert!(matches!(envelope.env().form(), Form::Map | Form::Text));
    let workload = schema::check(envelope.workload().tree(None).unwrap()).expect("a valid workload");
    let env = schema::check(envelope.env().tree(None).unwrap()).expect("a valid env");
    Contract::new(&workload, &env).expect("a valid contract")
}

/// Compares field by field.
fn check(model: &Model, contract: &Contract) {
    let WorkloadKind::Compose { archive } = contract.workload() else { panic!("another kind of workload") };
    assert_eq!(archive, &model.archive);
    let Logging::Syslog(syslog) = contract.logging() else { panic!("another kind of logging") };
    assert_eq!(
        (syslog.server().hostname(), syslog.server().port()),
        (&*model.hostname, model.port.unwrap_or(6514))
    );

    // The provider's entries win.
    let mut environment = model.deployer.environment.clone();
    environment.extend(model.provider.environment.clone());
    let found: BTreeMap<_, _> = contract
        .environment()
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.expose().to_owned()))
        .collect();
    assert_eq!(found, environment);
    let mut credentials = model.deployer.credentials.clone();
    credentials.extend(model.provider.credentials.clone());
    let found: BTreeMap<_, _> = contract
        .registry_credentials()
        .into_iter()
        .map(|(registry, entry)| {
            (registry.to_owned(), (entry.username().to_owned(), entry.password().expose().to_owned()))
        })
        .collect();
    assert_eq!(found, credentials);

    assert_eq!(contract.volumes().len(), model.volumes.len());
    for volume in contract.volumes() {
        let expected = &model.volumes[volume.name()];
        assert_eq!(volume.mount(), format!("/mnt/{}", volume.name()));
        assert_eq!(volume.workload_seed().expose(), expected.seeds.0);
        assert_eq!(volume.deployer_seed().unwrap().expose(), expected.seeds.1);
        assert_eq!(volume.volume_id(), expected.volume_id.as_deref());
        assert_eq!(volume.options().initialize() == Initialize::Never, expected.never_initialize);
    }
}

proptest! {
    // Fewer where they are emulated.
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(if cfg!(target_endian = "big") { 40 } else { 200 })
    })]

    #[test]
    fn a_printed_contract_is_read_as_it_was_meant(model in model()) {
        for style in [Style::JsonMaps, Style::JsonTexts, Style::BlockMaps, Style::BlockTexts] {
            check(&model, &read(&model.print(style)));
        }
    }
}
