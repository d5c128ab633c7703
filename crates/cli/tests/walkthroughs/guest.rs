//! The guest of a walk-through: the shipped stages, from the contract disk to the final record, on a double of the machine.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use countersign_boot::guest_os::{self, Verb};
use countersign_boot::initramfs;
use countersign_ports::guest_os::{Alarm, Wake};
use countersign_rehearsal::{Facts, Rehearsal};
use serde_json::{Value, json};

const MIB: u64 = 1 << 20;

/// The image's root hash.
fn root_hash() -> String {
    "ab".repeat(64)
}

/// What `qemu/build` writes about an image, in digests that stand for those of real files.
pub(crate) fn build_manifest() -> String {
    let file = |name: &str, digit: &str| json!({"name": name, "size": 1, "sha256": digit.repeat(64)});
    let mut program = file("countersignd", "3");
    program["built"] = true.into();
    let manifest: Value = json!({
        "format": 1, "engine": "podman", "version": "0.1.0", "epoch": 1_764_000_000,
        "source": {"revision": "0".repeat(40), "dirty": false},
        "lock": {"state": "committed", "sha256": "4".repeat(64)},
        "cargo_lock": {"sha256": "5".repeat(64)},
        "root_hash": root_hash(),
        "files": {
            "kernel": file("kernel", "1"), "initramfs": file("initramfs", "2"), "countersignd": program,
            "os_image": file("os.img", "6"), "image_json": file("image.json", "7"), "sbom": file("sbom.json", "8"),
            "notices": file("notices", "9"),
        },
        "tools": [],
    });
    format!("{manifest}\n")
}

fn image_json() -> String {
    json!({
        "version": "0.1.0",
        "root": {
            "serial": "os", "data_blocks": 256, "block_size": 4096, "hash_offset": 1_048_576, "salt": "00ff",
            "root_hash": root_hash(), "algorithm": "sha512",
        },
        "scratch": {"serial": "scratch"},
    })
    .to_string()
}

/// The header of a new volume, by cryptsetup.
fn volume_header() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let volume = folder.path().join("volume");
    std::fs::File::create(&volume).unwrap().set_len(64 * MIB).unwrap();
    std::fs::write(folder.path().join("key"), "not asked for").unwrap();
    let arguments = "luksFormat --batch-mode --type luks2 --cipher aes-xts-plain64 --key-size 512 --sector-size 4096 \
        --pbkdf argon2id --pbkdf-memory 65536 --pbkdf-force-iterations 4 --pbkdf-parallel 2 --key-file key volume";
    let mut command = Command::new("cryptsetup");
    let made = command.args(arguments.split_whitespace()).current_dir(folder.path()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut bytes = std::fs::read(volume).unwrap();
    bytes.truncate(16 << 20);
    // cryptsetup leaves noise where no key slot is.
    bytes[0x8000 + 258_048..].fill(0);
    bytes
}

/// A daemon that ends when it waits for the first time.
struct Once;

impl Alarm for Once {
    fn ready(&mut self) {}

    fn status(&mut self, _: &str) {}

    fn hears(&self) -> bool {
        true
    }

    fn wait(&mut self, _: Duration) -> Wake {
        Wake::Ended
    }
}

/// Boots a guest of the image whose keys lie in a folder, with a contract disk; what its log server has got.
pub(crate) fn boots(image: &Path, disk: &Path) -> String {
    let file = |name: &str| std::fs::read(image.join(name)).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let machine = Rehearsal::new(Facts {
        secure_execution: true,
        hardware_random: true,
        image_key: file("image.key"),
        attestation_key: file("attestation.key"),
        attestation_certificate: file("attestation.crt"),
        build_manifest: Some(file("build.json")),
        manifest: image_json().into_bytes(),
        new_header: volume_header(),
        system_information: "Type: 3932\nSequence Code: 00000000000860A8\nPlant: 02\n".to_owned(),
        // A certificate begins within the second in which it is made.
        unix_time: i64::try_from(now).unwrap() + 60,
        modules: 3,
        ..Facts::default()
    });
    let contract = std::fs::read(disk).unwrap();
    machine.attach_disk(countersign_ports::Disk {
        read_only: true,
        ..countersign_rehearsal::disk("/dev/vda", "", contract.len() as u64)
    });
    machine.put("/dev/vda", 0, &contract);
    for (path, serial, size) in
        [("/dev/vdb", "os", 64 * MIB), ("/dev/vdc", "scratch", 4096 * MIB), ("/dev/vdd", "data", 1024 * MIB)]
    {
        machine.attach(path, serial, size);
    }
    let said = |machine: &Rehearsal| -> String {
        machine.logged().iter().map(|(_, text)| record("guest", "countersignd", text)).collect()
    };
    assert_eq!(initramfs::boot(&machine), Ok(()), "{}", said(&machine));
    for verb in [Verb::Network, Verb::Logging, Verb::Images, Verb::Start] {
        assert_eq!(guest_os::run(&machine, verb), Ok(()), "{}", said(&machine));
    }
    assert_eq!(guest_os::watch(&machine, &mut Once), Ok(()), "{}", said(&machine));
    said(&machine)
}

/// Lines of a container as the log server gets them.
pub(crate) fn container(text: &str) -> String {
    text.lines().map(|line| record("container", "web", line)).collect()
}

fn record(origin: &str, name: &str, text: &str) -> String {
    format!("<30>1 2026-12-01T00:00:00Z guest {name} - - [countersign@32473 origin=\"{origin}\"] {text}\n")
}
