//! `check` of a contract with pods: what runs, where it is said, what it reaches, as JSON and as text; and the folder that
//! `pack` packs.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../contract/tests/support/mod.rs"]
#[allow(dead_code)]
mod material;
mod support;

use std::path::Path;

use material::Material;
use serde_json::json;
use support::{Desk, archive_of};

const DIGEST: &str = "sha256:9fcf739803e0dcce2e2351e797b875fa51049ffd66843242cfae973fd2376e4a";

/// The table's contract with pods, with these files as its archive beside its objects.
fn contract(files: &[(&str, &str)]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/contracts/valid/play.yaml");
    let text = Material::new().fill(&std::fs::read_to_string(path).unwrap());
    text.replace("  play:\n", &format!("  play:\n    archive: {}\n", archive_of(files)))
}

fn pod(container: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: site}}\nspec:\n  hostNetwork: true\n  containers:\n  - name: web\n    image: registry.example.org/site@{DIGEST}\n{container}"
    )
}

#[test]
fn every_container_is_shown_with_its_place_and_what_it_has() {
    let desk = Desk::new();
    let container = "    ports: [{hostPort: 8080, containerPort: 80}]\n    env: [{name: A, value: canary}]\n    volumeMounts: [{name: v, mountPath: \"/x:Z\", readOnly: true}]\n  volumes: [{name: v, hostPath: {path: /etc/hostname}}]\n";
    desk.write("contract.yaml", contract(&[("pods.yaml", &pod(container))]));
    let report = desk.report("contract.yaml");
    assert_eq!(report["verdict"], "boots", "{report:#}");
    let plan = &report["plan"];
    assert_eq!(plan["compose"], json!(null));
    let image = |name: &str| format!("registry.example.org/{name}@{DIGEST}");
    assert_eq!(plan["images"], json!([image("web"), image("more"), image("site")]));
    assert_eq!(plan["containers"][0]["name"], "web-hello");
    assert_eq!(plan["containers"][0]["file"], "resources[1]");
    assert_eq!(plan["containers"][0]["variables"], json!(["REGISTRY"]));
    assert_eq!(plan["containers"][0]["mounts"], json!(["config map pages:/pages"]));
    assert_eq!(
        plan["containers"][2],
        json!({
            "name": "site-web", "init": false, "image": image("site"), "restart": "Always", "file": "pods.yaml", "line": 7,
            "ports": ["8080:80/tcp"], "mounts": ["/etc/hostname:/x:ro"], "variables": ["A"],
            "accepted": {"digest": true, "rules": []},
        })
    );
    assert_eq!(
        plan["reach"],
        json!([
            {"at": "pod site", "what": "the guest's own network", "written": "true", "file": "pods.yaml", "line": 5},
            {"at": "container site-web", "what": "a published port", "written": "8080:80/tcp", "file": "pods.yaml", "line": 9},
            {"at": "container site-web", "what": "a path of the guest", "written": "/etc/hostname", "file": "pods.yaml", "line": 11},
        ])
    );
    let told: Vec<String> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["code"] == "HPL06123W")
        .map(|finding| {
            format!("{} {}", finding["pointer"].as_str().unwrap(), finding["message"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        told,
        [
            "/workload/play/archive pods.yaml: spec.hostNetwork: pod site reaches the guest's own network (line 5)",
            "/workload/play/archive pods.yaml: spec.containers[0].volumeMounts[0]: container site-web reaches a path of the guest (line 11)",
        ]
    );
    let text = desk.answer(0, "check contract.yaml", b"");
    for line in [
        format!("  container site-web, restart Always: {}, by digest (pods.yaml line 7)\n", image("site")),
        "  port      site-web: 8080:80/tcp\n".to_owned(),
        "  mount     site-web: /etc/hostname:/x:ro\n".to_owned(),
        "  takes     site-web: A\n".to_owned(),
        "  reach     pod site, the guest's own network: true (pods.yaml line 5)\n".to_owned(),
        "  start     the pods\n".to_owned(),
    ] {
        assert!(text.contains(&line), "{line}{text}");
    }
    assert!(!text.contains("canary"), "{text}");
}

#[test]
fn what_is_refused_has_its_place_in_the_contract_and_its_line_in_the_archive() {
    let desk = Desk::new();
    let text = contract(&[("b.yaml", &pod("    stdinn: true\n")), ("notes.txt", "no object\n")])
        .replace("name: contract.config.map", "name: elsewhere");
    desk.write("contract.yaml", text);
    let report = desk.report("contract.yaml");
    assert_eq!(report["verdict"], "refused", "{report:#}");
    let found: Vec<String> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["code"] == "HPL15000E")
        .map(|finding| {
            let text = |key: &str| finding[key].as_str().unwrap().to_owned();
            format!(
                "{} {}:{} {}; {}",
                text("pointer"),
                finding["line"],
                finding["column"],
                text("message"),
                text("hint")
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            "/workload/play/resources/1/spec/containers/0/envFrom/0/configMapRef/name 23:21 expected a config map of this name; add what it refers to, or correct the name",
            "/workload/play/archive 4:14 b.yaml: spec.containers[0]: expected a known key instead of stdinn, perhaps stdin (line 9); correct the key, or remove it",
        ]
    );
}

#[test]
fn the_folder_play_becomes_the_archive() {
    let desk = Desk::new();
    std::fs::create_dir_all(desk.path("draft/play/conf")).unwrap();
    desk.write("draft/workload.yaml", "type: workload\n");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/contracts/valid/play.yaml");
    let text = Material::new().fill(&std::fs::read_to_string(path).unwrap());
    let env = text.split("env: |\n").last().unwrap().lines();
    let env: String = env.map(|line| format!("{}\n", line.strip_prefix("  ").unwrap_or(line))).collect();
    desk.write("draft/env.yaml", env);
    desk.write("draft/play/conf/site", "x\n");
    desk.write("draft/play/pods.yml", pod("    stdinn: true\n"));
    let report = desk.report("draft");
    let found: Vec<&str> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["pointer"] == "/workload/play/archive")
        .map(|finding| finding["message"].as_str().unwrap())
        .collect();
    assert_eq!(
        found,
        ["pods.yml: spec.containers[0]: expected a known key instead of stdinn, perhaps stdin (line 9)"],
        "{report:#}"
    );
}
