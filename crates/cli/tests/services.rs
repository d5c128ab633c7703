//! What a plan says of each service: its image and what accepts it, ports, mounts, variables with their origin and never a
//! value, each with its line of the compose file.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../contract/tests/support/mod.rs"]
#[allow(dead_code)]
mod material;
mod support;

use std::path::PathBuf;
use std::process::Command;

use material::Material;
use serde_json::{Value, json};
use support::{Desk, archive_of};

const DIGEST: &str = "sha256:9fcf739803e0dcce2e2351e797b875fa51049ffd66843242cfae973fd2376e4a";

const COMPOSE: &str = "\
services:
  web:
    image: registry.example/web@DIGEST
    ports:
      - \"8443:443\"
    volumes:
      - /mnt/data:/srv/data
      - ./pages:/pages:ro
    env_file: [app.env]
    environment:
      GREETING: from ${PARTY} with ${PLACE:-nowhere}
      TOKEN:
      OWN: canary
  worker:
    image: registry.example/worker:1
    environment:
      - LEVEL=info
      - MODE
      - HOME
";

/// A contract with that compose file; its values are canaries.
fn contract(desk: &Desk) {
    let files = [
        ("compose.yaml", COMPOSE.replace("DIGEST", DIGEST)),
        (".env", "PLACE=canary\nTOKEN=canary\n".to_owned()),
        ("app.env", "FILE_A=canary\nGREETING=canary\n".to_owned()),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let text = format!(
        "workload: |
  type: workload
  compose:
    archive: {}
  env:
    PARTY: canary
  volumes:
    data:
      mount: /mnt/data
      seed: 0123456789abcdef0123456789abcdef
  countersign:
    images:
      registry.example/worker:
        cosign-key: @cosign@
env: |
  type: env
  logging:
    syslog:
      hostname: logs.example
      server: @ca@
      cert: @cert@
      key: @key@
  env:
    MODE: canary
  volumes:
    data:
      seed: fedcba9876543210fedcba9876543210
",
        archive_of(&files)
    );
    desk.write("contract.yaml", Material::new().fill(&text));
}

#[test]
fn a_report_says_of_each_service_what_it_gets_and_from_where() {
    let desk = Desk::new();
    contract(&desk);
    let report = desk.report("contract.yaml");
    assert_eq!(report["verdict"], "boots", "{report:#}");
    assert!(!report.to_string().contains("canary"), "a value is shown");
    let variable = |name: &str, from: &str, file: Value, takes: &[(&str, &str)], line: u32| {
        let takes: Vec<Value> =
            takes.iter().map(|(name, from)| json!({"name": name, "from": from})).collect();
        json!({"name": name, "from": from, "file": file, "takes": takes, "line": line})
    };
    let none = Value::Null;
    assert_eq!(
        report["plan"]["services"],
        json!([
            {
                "name": "web", "line": 2, "image": format!("registry.example/web@{DIGEST}"), "image_line": 3,
                "accepted": {"digest": true, "rules": []},
                "ports": [{"written": "8443:443", "line": 5}],
                "mounts": [
                    {"key": "volumes", "written": "/mnt/data:/srv/data", "line": 7},
                    {"key": "volumes", "written": "./pages:/pages:ro", "line": 8},
                ],
                "variables": [
                    variable("FILE_A", "env_file", "app.env".into(), &[], 9),
                    variable("GREETING", "environment", none.clone(), &[("PARTY", "workload"), ("PLACE", ".env")], 11),
                    variable("OWN", "environment", none.clone(), &[], 13),
                    variable("TOKEN", "passed", none.clone(), &[("TOKEN", ".env")], 12),
                ],
            },
            {
                "name": "worker", "line": 14, "image": "registry.example/worker:1", "image_line": 15,
                "accepted": {"digest": false, "rules": ["/workload/countersign/images/registry.example~1worker"]},
                "ports": [],
                "mounts": [],
                "variables": [
                    variable("HOME", "passed", none.clone(), &[("HOME", "guest")], 19),
                    variable("LEVEL", "environment", none.clone(), &[], 17),
                    variable("MODE", "passed", none, &[("MODE", "env")], 18),
                ],
            },
        ])
    );

    let text = desk.answer(0, "check contract.yaml", b"");
    assert!(!text.contains("canary"), "a value is shown");
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    for expected in [
        &format!("service   web (line 2): registry.example/web@{DIGEST}, by digest (line 3)") as &str,
        "port      web: 8443:443 (line 5)",
        "mount     web: /mnt/data:/srv/data (line 7)",
        "takes     web: FILE_A from env_file app.env (line 9)",
        "takes     web: GREETING from environment, with PARTY from workload, PLACE from .env (line 11)",
        "takes     web: OWN from environment (line 13)",
        "takes     web: TOKEN, from .env (line 12)",
        "service   worker (line 14): registry.example/worker:1, signed by /workload/countersign/images/registry.example~1worker \
         (line 15)",
        "takes     worker: HOME, from guest (line 19)",
        "takes     worker: MODE, from env (line 18)",
        "reach     service web, a volume of the contract: /mnt/data:/srv/data (line 7)",
    ] {
        assert!(lines.contains(&expected), "{expected}: {text}");
    }
    // Told once: as a port, not as a way out besides.
    assert_eq!(text.matches("8443:443").count(), 1, "{text}");
}

/// The compose program makes of the same files what each service gets; ours says the same names.
#[test]
fn the_compose_program_gives_each_service_the_same_variables_ports_and_mounts() {
    let Some(program) = std::env::var_os("COUNTERSIGN_DOCKER_COMPOSE").map(PathBuf::from) else {
        eprintln!("skipped: docker-compose, which COUNTERSIGN_DOCKER_COMPOSE does not name");
        return;
    };
    let desk = Desk::new();
    contract(&desk);
    let report = desk.report("contract.yaml");
    desk.write("compose.yaml", COMPOSE.replace("DIGEST", DIGEST));
    desk.write("app.env", "FILE_A=x\nGREETING=x\n");
    desk.write(".env", "PLACE=x\nTOKEN=x\nPARTY=x\nMODE=x\n");
    let output = Command::new(program)
        .env_clear()
        .env("HOME", "/root")
        .args(["config", "--format", "json"])
        .current_dir(desk.path(""))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let model: Value = serde_json::from_slice(&output.stdout).unwrap();
    let services = report["plan"]["services"].as_array().unwrap();
    assert_eq!(services.len(), model["services"].as_object().unwrap().len());
    for service in services {
        let theirs = &model["services"][service["name"].as_str().unwrap()];
        let names: Vec<&String> = theirs["environment"].as_object().unwrap().keys().collect();
        let ours: Vec<&str> = service["variables"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["name"].as_str().unwrap())
            .collect();
        assert_eq!(ours, names);
        assert_eq!(service["image"], theirs["image"]);
        for (key, of_theirs) in [("ports", "ports"), ("mounts", "volumes")] {
            let count = |list: &Value| list.as_array().map_or(0, Vec::len);
            assert_eq!(count(&service[key]), count(&theirs[of_theirs]), "{key}");
        }
    }
}
