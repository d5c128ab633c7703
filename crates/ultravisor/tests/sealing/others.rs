//! A second machine, written in Python from the layouts alone (`open.py`), starts what we seal.

use std::path::Path;
use std::process::Command;

use countersign_crypto::digest::{hex, sha256_hex};
use countersign_ultravisor::image::{Rules, STAGE3B_SHA256};
use serde_json::{Value, json};

use crate::support::{COMMAND_LINE, INITRAMFS, KERNEL, Service, machines, sealed};

/// What it prints, or the sentence with which it ended.
fn python(service: &Service, image: &[u8], machine: &str) -> Result<Value, String> {
    let file = service.folder().join("image");
    std::fs::write(&file, image).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sealing/open.py");
    let key = service.folder().join(format!("{machine}.key"));
    let done = Command::new("/usr/bin/python3").arg(script).arg(file).arg(key).output().unwrap();
    if done.status.success() {
        Ok(serde_json::from_slice(&done.stdout).unwrap())
    } else {
        Err(String::from_utf8_lossy(&done.stderr).trim().to_owned())
    }
}

#[test]
fn python_starts_what_we_seal_and_refuses_what_was_altered() {
    let service = machines();
    let hosts = [service.host("z1"), service.host("z2")];
    let Some(sealed) = sealed(&hosts, Rules::default()) else { return };
    let command_line = format!("{COMMAND_LINE}\0");
    for name in ["z1", "z2"] {
        let found = python(&service, sealed.as_bytes(), name).unwrap();
        let guest = service.machine(name).start(sealed.as_bytes()).unwrap();
        let expected = json!({
            "kernel": sha256_hex(&KERNEL),
            "initramfs": sha256_hex(&INITRAMFS),
            "command-line": sha256_hex(command_line.as_bytes()),
            "stage3b": STAGE3B_SHA256,
            "tag": hex(&sealed.tags().tag),
            "pld": hex(&sealed.tags().pages),
            "hosts": hosts.iter().map(|host| host.hash().to_string()).collect::<Vec<_>>(),
            "pages": 19 + 4 + 1 + 2,
            "pcf": 0xe0,
            "scf": 0,
            "cck": sha256_hex(guest.communication_key().expose()),
        });
        assert_eq!(found, expected);
    }
    assert_eq!(
        python(&service, sealed.as_bytes(), "z3").unwrap_err(),
        "expected a key slot for this machine"
    );
    let mut altered = sealed.as_bytes().to_vec();
    altered[0x20000] ^= 1;
    assert_eq!(python(&service, &altered, "z1").unwrap_err(), "expected the digests");
    let mut altered = sealed.as_bytes().to_vec();
    altered[0x14010] ^= 1;
    assert!(python(&service, &altered, "z1").unwrap_err().contains("InvalidTag"));
}
