//! `countersign-image seal` as a process, beside one that only reads and hashes the same parts (`openssl dgst -sha256`). The
//! target is a ratio of at most 2.
//!
//! The parts have the size of the guest's: a kernel and an initramfs of 8 and 10 MiB. Sealing encrypts both, hashes them before
//! and after, checks a host key document with everybody above it, and signs. The boot loader parts are those of the lock, whose
//! digests are fixed: COUNTERSIGN_BOOT_LOADER names their folder (`qemu/lib/guest.sh`, `boot_loader_parts`).
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde_json::json;
use support::Desk;

const ROUNDS: usize = 21;
const MIB: usize = 1 << 20;

fn main() {
    let Some(loader) = std::env::var_os("COUNTERSIGN_BOOT_LOADER").map(PathBuf::from) else {
        println!("skipped: COUNTERSIGN_BOOT_LOADER does not name the folder of the boot loader parts");
        return;
    };
    let desk = Desk::new();
    parts(&desk);
    let loader = loader.display();
    let seal = format!(
        "seal --kernel kernel --initramfs initramfs --command-line command-line --image-json image.json \
         --build-manifest build.json --boot-loader {loader} --builder-key builder.key --root root.crt \
         --certificate signing.crt --certificate intermediate.crt --crl root.crl --crl intermediate.crl \
         --crl signing.crl --host-key z1.crt sealed"
    );
    let seal = || run(&desk, env!("CARGO_BIN_EXE_countersign-image"), &seal);
    let hash = || run(&desk, "openssl", "dgst -sha256 kernel initramfs command-line image.json build.json");
    let (mut sealing, mut hashing) = (Vec::new(), Vec::new());
    // Side by side, so that what else the machine does hits both.
    for _ in 0..ROUNDS {
        sealing.push(milliseconds(seal));
        hashing.push(milliseconds(hash));
    }
    for (clock, name) in [(0, "wall"), (1, "processor")] {
        let (own, theirs) = (median(&sealing, clock), median(&hashing, clock));
        println!("{name}: seal {own:.1} ms, read and hash {theirs:.1} ms, ratio {:.2}", own / theirs);
    }
}

fn run(desk: &Desk, program: &str, words: &str) {
    let output =
        Command::new(program).args(words.split_whitespace()).current_dir(desk.path("")).output().unwrap();
    assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Both clocks: the wall's, and the processor's for the child.
fn milliseconds(round: impl Fn()) -> [f64; 2] {
    let used = || {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
        (usage.user_time() + usage.system_time()).num_microseconds() as f64 / 1000.0
    };
    let (before, began) = (used(), Instant::now());
    round();
    [began.elapsed().as_secs_f64() * 1000.0, used() - before]
}

fn median(rounds: &[[f64; 2]], clock: usize) -> f64 {
    let mut all: Vec<f64> = rounds.iter().map(|round| round[clock]).collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// Everything that is sealed, and who vouches for the machine.
fn parts(desk: &Desk) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../qemu/party/machines");
    for words in [&["service"][..], &["document", "z1"]] {
        let made = Command::new("bash").arg(&script).arg(desk.path("")).args(words).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
    desk.openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out builder.key", b"");
    let mut kernel = desk.openssl(&format!("rand {}", 8 * MIB), b"");
    kernel[0x10008..0x1000e].copy_from_slice(b"S390EP");
    kernel[0x10430..0x10438].copy_from_slice(&4096_u64.to_be_bytes());
    desk.write("kernel", kernel);
    desk.openssl(&format!("rand -out initramfs {}", 10 * MIB), b"");
    desk.write("command-line", "quiet panic=0\n");
    let image = r#"{"version":"0.1.0","root":{"serial":"os","data_blocks":2,"block_size":4096,"hash_offset":8192,
        "salt":"00ff","root_hash":"0a","algorithm":"sha256"},"scratch":{"serial":"scratch"}}"#;
    desk.write("image.json", image);
    let file = |name: &str| {
        let bytes = std::fs::read(desk.path(name)).unwrap();
        let digest = String::from_utf8(desk.openssl("sha256 -r", &bytes)).unwrap();
        json!({"name": name, "size": bytes.len(), "sha256": &digest[..64]})
    };
    let other = |name: &str| json!({"name": name, "size": 1, "sha256": "0".repeat(64)});
    let mut program = other("countersignd");
    program["built"] = true.into();
    let manifest = json!({
        "format": 1, "engine": "podman", "version": "0.1.0", "epoch": 1,
        "source": {"revision": "0".repeat(40), "dirty": false},
        "lock": {"state": "committed", "sha256": "0".repeat(64)},
        "cargo_lock": {"sha256": "0".repeat(64)},
        "root_hash": "0".repeat(128),
        "files": {
            "kernel": file("kernel"), "initramfs": file("initramfs"), "countersignd": program, "os_image": other("os"),
            "image_json": file("image.json"), "sbom": other("sbom"), "notices": other("notices"),
        },
        "tools": [],
    });
    desk.write("build.json", manifest.to_string());
}
