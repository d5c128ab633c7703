//! Stage `handover`: which files, with which modes, holding what.

use std::path::Path;

use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use serde_json::Value;

use crate::support::contract::{ENV_VALUE, IMAGE, WORKLOAD_VALUE};
use crate::support::keys::keys;
use crate::support::{Contract, Sealed, boot, machine};

#[test]
fn the_files_of_the_handover_have_their_modes_and_content() {
    let boot = boot(&machine(&Contract::good()));
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    let modes: Vec<(String, u32)> =
        boot.files.iter().map(|(path, (mode, _))| (path.display().to_string(), *mode)).collect();
    let expected = [
        ("/run/countersign/boot-key.pem", 0o600),
        ("/run/countersign/hyperprotect/cidata/meta-data", 0o400),
        ("/run/countersign/hyperprotect/cidata/vendor-data", 0o400),
        ("/run/countersign/hyperprotect/countersign/attestation.crt", 0o400),
        ("/run/countersign/hyperprotect/countersign/record.json", 0o400),
        ("/run/countersign/hyperprotect/se-checksums.txt", 0o400),
        ("/run/countersign/hyperprotect/se-signature.bin", 0o400),
        ("/run/countersign/hyperprotect/se-version", 0o400),
        ("/run/countersign/logging/ca.pem", 0o644),
        ("/run/countersign/logging/client-key.pem", 0o600),
        ("/run/countersign/logging/client.pem", 0o644),
        ("/run/countersign/plan.json", 0o600),
        ("/run/countersign/record.json", 0o600),
        ("/run/countersign/registry/ca.pem", 0o644),
        ("/run/countersign/registry/config.json", 0o600),
        ("/run/countersign/transcript.json", 0o600),
        ("/run/countersign/watch.json", 0o600),
        ("/run/countersign-engine/policy.json", 0o644),
        ("/run/systemd/network/10-ethernet.network", 0o644),
        ("/sysroot/data1/compose/.env", 0o600),
        ("/sysroot/data1/compose/compose.yaml", 0o644),
        ("/sysroot/data1/compose/site/index.html", 0o644),
    ];
    assert_eq!(modes, expected.map(|(path, mode)| (path.to_owned(), mode)));
    for (path, name) in [
        ("/run/countersign/logging/ca.pem", "ca.crt"),
        ("/run/countersign/logging/client.pem", "client.crt"),
        ("/run/countersign/logging/client-key.pem", "client.key"),
        ("/run/countersign/registry/ca.pem", "registry.crt"),
    ] {
        assert_eq!(boot.file(path), keys().pem(name), "{path}");
    }
    assert_eq!(
        boot.file("/sysroot/data1/compose/.env"),
        format!("FROM_ENV=\"{ENV_VALUE}\"\nFROM_WORKLOAD=\"{WORKLOAD_VALUE}\"\nOWN=\"1\"\n")
    );
    assert_eq!(boot.file("/sysroot/data1/compose/site/index.html"), "hello\n");
}

#[test]
fn a_file_of_the_archive_that_cannot_be_written_is_not_named() {
    for request in ["write /sysroot/data1/compose/site", "make directory /sysroot/data1/compose/site"] {
        let machine = machine(&Contract::good());
        machine.fails(request, std::io::ErrorKind::StorageFull);
        let boot = boot(&machine);
        boot.assert_machine(Stage::Handover, Code::HandoverFailed, "a file of the archive");
        for (_, line) in boot.lines.iter().chain(&boot.logged) {
            assert!(!line.contains("site"), "{line}");
        }
    }
}

#[test]
fn the_plan_names_what_the_guest_os_has_to_do() {
    let boot = boot(&machine(&Contract::good()));
    let plan: Value = serde_json::from_str(&boot.file("/run/countersign/plan.json")).unwrap();
    let transcript: Value = serde_json::from_str(&boot.file("/run/countersign/transcript.json")).unwrap();
    let record = transcript["record"].as_str().unwrap();
    let digest = |name: &str| record.lines().find_map(|line| line.strip_suffix(name)).unwrap().to_owned();
    let (contract, signer) = (digest(" cidata/user-data"), digest(" countersign:signingKey"));
    let expected = serde_json::json!({
        "version": "0.1.0",
        "hostname": "guest",
        "identity": { "enterprise": 32473, "contract": contract, "signer": signer },
        "network_config": false,
        "log": {
            "hostname": "logs.example.org",
            "port": 6514,
            "ca": "/run/countersign/logging/ca.pem",
            "service": {
                "syslog": {
                    "client": {
                        "certificate": "/run/countersign/logging/client.pem",
                        "key": "/run/countersign/logging/client-key.pem",
                    }
                }
            },
        },
        "images": [IMAGE],
        "registries": {
            "credentials": "/run/countersign/registry/config.json",
            "authorities": { "file": "/run/countersign/registry/ca.pem", "not_for": [] },
        },
        "workload": {
            "compose": {
                "project": "compose",
                "folder": "/data1/compose",
                "file": "/data1/compose/compose.yaml",
                "environment": [
                    ["COMPOSE_EXPERIMENTAL_GIT_REMOTE", "false"],
                    ["COMPOSE_EXPERIMENTAL_OCI_REMOTE", "false"],
                    ["COMPOSE_PARALLEL_LIMIT", "-1"],
                    ["HOME", "/root"],
                    ["PATH", "/usr/sbin:/usr/bin:/sbin:/bin"],
                    ["PWD", "/data1/compose"],
                    ["TMPDIR", "/var/tmp"],
                ],
                "reach": { "volumes": ["/mnt/data"], "refuse": false },
                "other_files": false,
            }
        },
    });
    assert_eq!(plan, expected);
}

#[test]
fn the_transcript_tells_stages_and_warnings() {
    let contract = Contract { sealed: Sealed::No, ..Contract::good().unsigned() };
    let boot = boot(&machine(&contract));
    let transcript: Value = serde_json::from_str(&boot.file("/run/countersign/transcript.json")).unwrap();
    let stages: Vec<&str> = transcript["stages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stage| stage["stage"].as_str().unwrap())
        .collect();
    assert_eq!(
        stages,
        [
            "preflight",
            "locate",
            "parse",
            "unseal",
            "verify",
            "validate",
            "attest",
            "unlock",
            "root",
            "handover"
        ]
    );
    let warnings: Vec<&str> = transcript["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| &line["text"].as_str().unwrap()[..9])
        .collect();
    assert_eq!(warnings, ["HPL11104W", "HPL11117W", "HPL11113W", "HPL12100W", "HPL12117W", "HPL07128W"]);
    assert!(boot.files.contains_key(Path::new("/run/countersign/transcript.json")));
}

#[test]
fn a_network_config_takes_the_place_of_dhcp() {
    let text = "network:\n  ethernets:\n    enc1: {addresses: [192.0.2.7/24], gateway4: 192.0.2.1}\n";
    let contract = Contract { network_config: Some(text.into()), ..Contract::good() };
    let boot = boot(&machine(&contract));
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    assert!(boot.said().contains(" interfaces=1 "), "{}", boot.said());
    assert!(!boot.files.contains_key(Path::new("/run/systemd/network/10-ethernet.network")));
    let file = boot.file("/run/systemd/network/10-enc1.network");
    assert!(file.contains("[Match]\nName=enc1\n") && file.contains("Address=192.0.2.7/24\n"), "{file}");
    let plan: Value = serde_json::from_str(&boot.file("/run/countersign/plan.json")).unwrap();
    assert_eq!(plan["network_config"], true);
}
