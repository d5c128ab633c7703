//! Goldens of the plan: for a contract and the facts about a machine, what is done with each disk and every file that
//! the guest OS gets.
//!
//! A folder is a case. Inputs: `contract.yaml` with readable sections, `compose/` or `play/` (packed by `qemu/party/archive`),
//! `facts.json`, `network-config` if there is one. Expected: `plan.json` (volumes, modes of the files) and `expected/**` (the files as they would lie in
//! the guest). `@name@` stands for what the openssl program makes at run time. `UPDATE_PLANS=1` rewrites what is
//! expected; read the difference.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod facts;
mod material;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use countersign_contract::cidata::network_config;
use countersign_contract::envelope::Envelope;
use countersign_contract::model::Contract;
use countersign_plan::guest_os::handover::Identity;
use countersign_plan::guest_os::render::{Guest, Rendered, render};
use countersign_plan::trust::section;
use countersign_plan::volumes::devices::{Wanted, assign};
use countersign_plan::volumes::{Action, settle};
use material::Material;
use serde_json::{Value, json};

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans");
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    cases.sort();
    cases
}

/// The typed contract of a case.
fn contract(case: &Path, material: &Material) -> Contract {
    let folder = ["compose", "play"].map(|name| case.join(name)).into_iter().find(|folder| folder.is_dir());
    let packed = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../qemu/party/archive"))
        .arg(folder.unwrap())
        .output()
        .unwrap();
    assert!(packed.status.success(), "{}", String::from_utf8_lossy(&packed.stderr));
    let text = fs::read_to_string(case.join("contract.yaml")).unwrap();
    let text = material.fill(&text).replace("@archive@", std::str::from_utf8(&packed.stdout).unwrap());
    let envelope = Envelope::parse(text.as_bytes()).unwrap();
    let [workload, env] = [envelope.workload(), envelope.env()].map(|section| section.tree(None).unwrap());
    let contract = section::contract(workload, env).unwrap();
    assert_eq!(contract.unsupported(), [], "{}", case.display());
    contract
}

/// What is done with the disk of each volume, or the code of the refusal.
fn volumes(contract: &Contract, case: &Path) -> Value {
    let facts = facts::read(&fs::read_to_string(case.join("facts.json")).unwrap());
    let wanted: Vec<Wanted> = contract.volumes().iter().map(Wanted::of).collect();
    let assigned = assign(&wanted, &facts.disks);
    let one = |volume| match settle(volume, &assigned, &facts) {
        Ok((disk, Action::Open { device })) => json!({"disk": disk.to_string(), "open": device.to_string()}),
        Ok((disk, Action::CreateOnDisk)) => json!({"disk": disk.to_string(), "create": "on the disk"}),
        Ok((disk, Action::CreateOnPartition { device, .. })) => {
            json!({"disk": disk.to_string(), "create": device.to_string()})
        }
        Err(refusal) => json!({"refused": refusal.code.as_str(), "message": refusal.message}),
    };
    contract
        .volumes()
        .iter()
        .map(|volume| (volume.name().to_owned(), one(volume)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// All files below a folder, by their path in the guest.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = format!("/{}", path.strip_prefix(folder).unwrap().display());
                found.insert(name, fs::read_to_string(path).unwrap());
            }
        }
    }
    found
}

#[test]
fn every_case_gives_its_plan() {
    let material = Material::new();
    let cases = cases();
    assert!(cases.len() >= 4, "the cases are gone");
    for case in cases {
        let contract = contract(&case, &material);
        let network = fs::read(case.join("network-config")).ok();
        let network = network.map(|bytes| network_config::parse(&bytes).unwrap());
        let identity = Identity { enterprise: 32473, contract: "c0ffee".to_owned(), signer: None };
        let guest = Guest {
            version: "0.1.0",
            hostname: "guest",
            identity: &identity,
            network: network.as_ref(),
            refuse_reach: false,
        };
        let Rendered { files: rendered, .. } = render(&contract, guest).unwrap();
        let modes: BTreeMap<&str, String> =
            rendered.iter().map(|file| (file.path.as_str(), format!("{:04o}", file.mode))).collect();
        let plan = json!({"volumes": volumes(&contract, &case), "files": modes});
        let plan = serde_json::to_string_pretty(&plan).unwrap() + "\n";
        let content: BTreeMap<String, String> = rendered
            .iter()
            .map(|file| {
                (file.path.clone(), material.hide(std::str::from_utf8(file.content.expose()).unwrap()))
            })
            .collect();
        assert_eq!(content.len(), rendered.len(), "a file is written twice: {}", case.display());
        let expected = case.join("expected");
        if std::env::var_os("UPDATE_PLANS").is_some() {
            let _ = fs::remove_dir_all(&expected);
            for (path, text) in &content {
                let path = expected.join(path.trim_start_matches('/'));
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            fs::write(case.join("plan.json"), &plan).unwrap();
        }
        assert_eq!(content, files(&expected), "{}", case.display());
        assert_eq!(plan, fs::read_to_string(case.join("plan.json")).unwrap(), "{}", case.display());
    }
}
