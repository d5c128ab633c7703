//! Shapes of workloads that people publish (`tests/shapes`): `check` takes each, its plan is the golden one, and what the
//! engine gets is as well: of a compose file the canonical model that docker-compose makes of it where
//! `COUNTERSIGN_DOCKER_COMPOSE` names that program, of pods the documents. `UPDATE_SHAPES=1` rewrites the goldens; read the
//! difference.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../contract/tests/support/mod.rs"]
#[allow(dead_code)]
mod material;
#[path = "../../../tests/shapes/reader.rs"]
#[allow(dead_code)]
mod reader;
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use countersign_contract::envelope::Envelope;
use countersign_plan::guest_os::handover::{FOLDER, Identity, PODS, Workload};
use countersign_plan::guest_os::render::{Guest, Rendered, render};
use countersign_plan::images::signatures::SignatureRules;
use countersign_plan::trust::section;
use countersign_plan::workload::canonical::canonical;
use material::Material;
use reader::Shape;
use serde_json::{Value, json};
use support::Desk;

const REGISTRY: &str = "registry.example.org:5000";
const DIGEST: &str = "9fcf739803e0dcce2e2351e797b875fa51049ffd66843242cfae973fd2376e4a";

/// A contract around the shape, sections in the open.
fn contract(shape: &Shape, material: &Material) -> String {
    let workload = shape.workload(REGISTRY, DIGEST);
    let volume = "volumes:\n  data:\n    mount: /mnt/data\n    seed: workload-seed-of-the-shape\n";
    let logging = "logging:\n  syslog:\n    hostname: logs.example\n    server: @ca@\n    cert: @cert@\n    key: @key@\n";
    let seed = "volumes:\n  data:\n    seed: deployer-seed-of-the-shape\n";
    let indented = |text: String| text.lines().map(|line| format!("  {line}\n")).collect::<String>();
    let workload = indented(format!("type: workload\n{workload}{volume}"));
    let env = indented(format!("type: env\n{logging}{seed}{}", shape.env()));
    material.fill(&format!("workload: |\n{workload}env: |\n{env}"))
}

/// What the guest gets of a contract.
fn rendered(text: &str) -> Rendered {
    let envelope = Envelope::parse(text.as_bytes()).unwrap();
    let [workload, env] = [envelope.workload(), envelope.env()].map(|section| section.tree(None).unwrap());
    let contract = section::contract(workload, env).unwrap();
    let identity = Identity::default();
    let guest =
        Guest { version: "0", hostname: "guest", identity: &identity, network: None, refuse_reach: false };
    render(&contract, guest).unwrap()
}

/// What docker-compose makes of the unpacked archive, edited and judged as in the guest.
fn model(program: &Path, rendered: &Rendered) -> Value {
    let Workload::Compose { project, folder, file, environment, reach, .. } = &rendered.plan.workload else {
        panic!("{:?}", rendered.plan.workload)
    };
    let there = tempfile::tempdir().unwrap();
    let place =
        |path: &str| path.strip_prefix(folder).map(|rest| there.path().join(rest.trim_start_matches('/')));
    for file in &rendered.files {
        if let Some(path) = place(&file.path) {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, file.content.expose()).unwrap();
        }
    }
    let output = Command::new(program)
        .env_clear()
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .args(["--project-name", project, "--project-directory"])
        .arg(there.path())
        .arg("--file")
        .arg(place(file).unwrap())
        .args(["config", "--format", "json"])
        .current_dir("/")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap().replace(there.path().to_str().unwrap(), folder);
    let canonical = canonical(printed.as_bytes(), reach, &SignatureRules::default()).unwrap();
    let mut images = rendered.plan.images.clone();
    images.sort();
    let mut of_model = canonical.images.clone();
    of_model.sort();
    assert_eq!(of_model, images);
    serde_json::from_slice(canonical.text.expose()).unwrap()
}

fn golden(shape: &Shape, name: &str, value: &Value) {
    let path = shape.path(name);
    let text = serde_json::to_string_pretty(value).unwrap() + "\n";
    if std::env::var_os("UPDATE_SHAPES").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(&path).unwrap_or_default(), "{}", path.display());
}

#[test]
fn every_shape_is_taken_and_becomes_what_was_read() {
    let program = std::env::var_os("COUNTERSIGN_DOCKER_COMPOSE").map(PathBuf::from);
    if program.is_none() {
        eprintln!("skipped: docker-compose, which COUNTERSIGN_DOCKER_COMPOSE does not name");
    }
    let material = Material::new();
    let desk = Desk::new();
    let shapes = reader::all();
    assert!(shapes.len() >= 18, "shapes are gone");
    for shape in shapes {
        let text = contract(&shape, &material);
        desk.write("contract.yaml", &text);
        let report = desk.report("contract.yaml");
        assert_eq!(report["verdict"], "boots", "{}: {report:#}", shape.name);
        let parts = ["compose", "environment", "images", "services", "containers", "reach"];
        let plan: Value =
            parts.map(|part| (part.to_owned(), report["plan"][part].clone())).into_iter().collect();
        // Beside what every contract of the test is told.
        let told: Vec<String> = report["findings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|finding| finding["pointer"].as_str().is_some_and(|at| at.starts_with("/workload/")))
            .filter(|finding| finding["pointer"] != "/workload/volumes/data")
            .map(|finding| {
                ["code", "pointer", "message"].map(|part| finding[part].as_str().unwrap()).join(" ")
            })
            .collect();
        golden(&shape, "plan.json", &json!({"plan": plan, "told": told}));

        let rendered = rendered(&text);
        if let Workload::Play { .. } = rendered.plan.workload {
            let pods = format!("{FOLDER}/{PODS}");
            let pods = rendered.files.iter().find(|file| file.path == pods).unwrap();
            let pods = std::str::from_utf8(pods.content.expose()).unwrap();
            let documents = pods.split("\n---\n").map(|document| serde_json::from_str(document).unwrap());
            golden(&shape, "engine.json", &Value::Array(documents.collect()));
        } else if let Some(program) = &program {
            golden(&shape, "engine.json", &model(program, &rendered));
        }
    }
}
