//! A machine with an image, a contract disk and further disks, and what came of booting it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use countersign_boot::failure::{Cause, Failure};
use countersign_boot::initramfs;
use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use countersign_ports::{Disk, Priority};
use countersign_rehearsal::{Attached, Facts, Rehearsal, Written, disk};

use super::contract::{Contract, DEPLOYER_SEED, WORKLOAD_SEED};
use super::keys::{keys, run};

pub(crate) const MIB: u64 = 1 << 20;
pub(crate) const GIB: u64 = 1 << 30;

/// The disk of the volume `data`.
pub(crate) const DATA: &str = "/dev/vdd";

/// Boots on an image whose manifest says this as well.
pub(crate) fn boot_on(image: &str, contract: &Contract) -> Boot {
    let manifest = manifest().replacen('{', &format!("{{{image},"), 1);
    let facts = Facts { manifest: manifest.into_bytes(), ..facts() };
    let machine = machine_without_volume(contract, facts);
    machine.attach(DATA, "data", GIB);
    boot(&machine)
}

/// The image's manifest.
pub(crate) fn manifest() -> String {
    format!(
        r#"{{"version":"0.1.0","secure-execution":"test","root":{{"serial":"os","data_blocks":256,"block_size":4096,"hash_offset":1048576,
        "salt":"00ff","root_hash":"{}","algorithm":"sha256"}},"scratch":{{"serial":"scratch"}}}}"#,
        "ab".repeat(32)
    )
}

/// A machine of the good image, at the time at which the certificates were made, without disks.
pub(crate) fn facts() -> Facts {
    Facts {
        image_key: keys().pem("image.key").into_bytes(),
        attestation_key: keys().pem("attestation.key").into_bytes(),
        attestation_certificate: keys().pem("attestation.crt").into_bytes(),
        manifest: manifest().into_bytes(),
        // A certificate begins within the second in which it is made.
        unix_time: keys().made + 60,
        new_header: header().to_vec(),
        modules: 3,
        ..Facts::default()
    }
}

/// The good contract and a second volume.
pub(crate) fn two_volumes() -> Contract {
    Contract::good()
        .with_workload("  more:\n    mount: /mnt/more\n    seed: another-workload-Seed\n")
        .with_env("  more:\n    seed: another-deployer-Seed\n")
}

/// A machine with the contract, the image's two disks and a blank disk for the volume.
pub(crate) fn machine(contract: &Contract) -> Rehearsal {
    let machine = machine_without_volume(contract, facts());
    machine.attach(DATA, "data", GIB);
    machine
}

/// A machine with the contract and the image's two disks.
pub(crate) fn machine_without_volume(contract: &Contract, facts: Facts) -> Rehearsal {
    let machine = Rehearsal::new(facts);
    insert(&machine, "/dev/vda", &contract.medium().image);
    machine.attach("/dev/vdb", "os", 64 * MIB);
    machine.attach("/dev/vdc", "scratch", 4 * GIB);
    machine
}

/// Attaches a read-only disk with these bytes.
pub(crate) fn insert(machine: &Rehearsal, path: &str, bytes: &[u8]) {
    machine.attach_disk(Disk { read_only: true, ..disk(path, "", bytes.len() as u64) });
    machine.put(path, 0, bytes);
}

/// A disk of 1 GiB with a GPT of partitions that have these names: the first has 100 MiB, the others share 922 MiB.
pub(crate) fn parted(path: &str, serial: &str, names: &[&str]) -> Attached {
    let share = 922 / (names.len() as u64 - 1).max(1) * MIB;
    let sizes = std::iter::once(100 * MIB).chain(std::iter::repeat(share));
    let partitions = names.iter().map(|name| (*name).to_owned()).zip(sizes).collect();
    Attached { disk: disk(path, serial, GIB), partitions }
}

/// The header of a volume as cryptsetup makes it with the profile of new volumes, data at 16 MiB.
pub(crate) fn header() -> &'static [u8] {
    static HEADER: OnceLock<Vec<u8>> = OnceLock::new();
    HEADER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let volume = folder.path().join("volume");
        std::fs::File::create(&volume).unwrap().set_len(64 * MIB).unwrap();
        std::fs::write(folder.path().join("key"), "not asked for").unwrap();
        let arguments = "--batch-mode --type luks2 --cipher aes-xts-plain64 --key-size 512 --sector-size 4096 \
             --pbkdf argon2id --pbkdf-memory 65536 --pbkdf-force-iterations 4 --pbkdf-parallel 2 --key-file key";
        let mut command = Command::new("cryptsetup");
        command.arg("luksFormat").args(arguments.split_whitespace()).arg("volume").current_dir(folder.path());
        run(&mut command);
        let mut bytes = std::fs::read(volume).unwrap();
        bytes.truncate(16 << 20);
        // cryptsetup leaves noise where no key slot is.
        bytes[FIRST_SLOT.end..].fill(0);
        bytes
    })
}

/// The good header, whose key slot asks for this much memory in KiB.
pub(crate) fn header_of_memory(kib: u32) -> Vec<u8> {
    let edit = r#"
import hashlib, json, sys
head = bytearray(open("header", "rb").read())
for at in (0, 0x4000):
    area = bytes(head[at + 4096:at + 0x4000])
    metadata = json.loads(area[:area.index(0)])
    metadata["keyslots"]["0"]["kdf"]["memory"] = int(sys.argv[1])
    head[at + 4096:at + 0x4000] = json.dumps(metadata).encode().ljust(0x4000 - 4096, b"\0")
    head[at + 448:at + 512] = bytes(64)
    head[at + 448:at + 480] = hashlib.sha256(head[at:at + 0x4000]).digest()
open("header", "wb").write(head)
"#;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("header");
    std::fs::write(&path, header()).unwrap();
    run(Command::new("python3").args(["-c", edit, &kib.to_string()]).current_dir(folder.path()));
    std::fs::read(path).unwrap()
}

/// The bytes of the first key slot's material.
pub(crate) const FIRST_SLOT: std::ops::Range<usize> = 0x8000..0x8000 + 258_048;

/// The same volume after cryptsetup gave it a second key slot and removed the first.
pub(crate) fn rotated() -> &'static [u8] {
    static HEADER: OnceLock<Vec<u8>> = OnceLock::new();
    HEADER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let volume = folder.path().join("volume");
        std::fs::write(&volume, header()).unwrap();
        std::fs::File::options().write(true).open(&volume).unwrap().set_len(64 * MIB).unwrap();
        std::fs::write(folder.path().join("key"), "not asked for").unwrap();
        std::fs::write(folder.path().join("new"), "not asked for either").unwrap();
        let costs = "--pbkdf argon2id --pbkdf-memory 65536 --pbkdf-force-iterations 4 --pbkdf-parallel 2";
        for arguments in
            [&format!("luksAddKey --key-file key {costs} volume new"), "luksKillSlot --key-file new volume 0"]
        {
            let arguments = arguments.split_whitespace();
            run(Command::new("cryptsetup").arg("--batch-mode").args(arguments).current_dir(folder.path()));
        }
        let mut bytes = std::fs::read(volume).unwrap();
        bytes.truncate(16 << 20);
        // cryptsetup leaves noise where the removed slot was.
        bytes[FIRST_SLOT].fill(0);
        bytes
    })
}

/// The header of a LUKS1 volume, data at 2 MiB.
fn luks1() -> &'static [u8] {
    static HEADER: OnceLock<Vec<u8>> = OnceLock::new();
    HEADER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let volume = folder.path().join("volume");
        std::fs::File::create(&volume).unwrap().set_len(8 * MIB).unwrap();
        std::fs::write(folder.path().join("key"), "not asked for").unwrap();
        let arguments = "luksFormat --batch-mode --type luks1 --cipher aes-xts-plain64 --key-size 512 \
             --pbkdf-force-iterations 1000 --key-file key volume";
        run(Command::new("cryptsetup").args(arguments.split_whitespace()).current_dir(folder.path()));
        let mut bytes = std::fs::read(volume).unwrap();
        bytes.truncate(2 << 20);
        bytes
    })
}

/// The documented passphrase: hexadecimal SHA-256 over two seeds, by the sha256sum program.
pub(crate) fn passphrase(first: &str, second: &str) -> String {
    let script = r#"printf '%s%s' "$1" "$2" | sha256sum | cut -c 1-64"#;
    run(Command::new("sh").args(["-c", script, "sh", first, second])).trim().to_owned()
}

/// Where a file system has its magic number, and what it is.
pub(crate) const EXT4: (u64, &[u8]) = (0x438, &[0x53, 0xef]);
pub(crate) const XFS: (u64, &[u8]) = (0, b"XFSB");
pub(crate) const BTRFS: (u64, &[u8]) = (0x1_0040, b"_BHRfS_M");

/// Lets a volume show a file system when it is opened, and no other.
pub(crate) fn put_file_system(machine: &Rehearsal, volume: &str, file_system: (u64, &[u8])) {
    let mapped = format!("/dev/mapper/volume-{volume}");
    for (offset, magic) in [EXT4, XFS, BTRFS] {
        machine.put(&mapped, offset, &vec![0; magic.len()]);
    }
    machine.put(&mapped, file_system.0, file_system.1);
}

/// Puts a volume on `device` that opens with the passphrase of the seeds in this order.
pub(crate) fn put_volume(machine: &Rehearsal, device: &str, first: &str, second: &str) {
    machine.put(device, 0, header());
    machine.knows(header(), &passphrase(first, second));
    for name in ["data", "more"] {
        put_file_system(machine, name, EXT4);
    }
}

/// Puts a whole-disk LUKS1 volume of these seeds on the disk `data` of 1 GiB.
pub(crate) fn put_luks1_volume(machine: &Rehearsal, first: &str, second: &str) {
    machine.put(DATA, 0, luks1());
    machine.knows(luks1(), &passphrase(first, second));
    put_file_system(machine, "data", EXT4);
    let (sectors, key) = ((GIB - 2 * MIB) / 512, "0".repeat(128));
    let table = format!("0 {sectors} crypt aes-xts-plain64 {key} 0 253:3 4096");
    machine.shows_table("volume-data", &table);
}

/// A machine whose disk `data` holds a volume of these seeds on its second partition.
pub(crate) fn machine_with_volume(contract: &Contract, first: &str, second: &str) -> Rehearsal {
    let machine = machine_without_volume(contract, facts());
    machine.attach_disk(parted(DATA, "data", &["metadata", "data"]));
    put_volume(&machine, "/dev/vdd2", first, second);
    machine
}

/// The same with the seeds of the good contract, in the documented order.
pub(crate) fn machine_with_good_volume(contract: &Contract) -> Rehearsal {
    machine_with_volume(contract, DEPLOYER_SEED, WORKLOAD_SEED)
}

/// Requests that change a disk.
const WRITES: [&str; 7] =
    ["partition ", "format ", "make ext4", "make xfs", "make btrfs", "write disk", "set attribute"];

/// How failure mode begins.
const REPORTS: &str =
    "switch root to /sysroot and execute /usr/lib/systemd/systemd --unit=countersign-failed.target";

/// Beginnings of the files of failure mode, all of them in memory.
const REPORT: [&str; 5] = [
    "/run/countersign/failure.txt",
    "/run/countersign/plan.json",
    "/run/countersign/record.json",
    "/run/countersign/logging/",
    "/run/systemd/network/",
];

/// What a boot did.
pub(crate) struct Boot {
    pub result: Result<(), Failure>,
    /// What the console shows, which the host reads.
    pub lines: Vec<(Priority, String)>,
    /// What goes to the log server.
    pub logged: Vec<(Priority, String)>,
    pub asked: Vec<String>,
    pub files: std::collections::BTreeMap<PathBuf, Written>,
}

/// Boots.
pub(crate) fn boot(machine: &Rehearsal) -> Boot {
    let result = initramfs::boot(machine);
    Boot {
        result,
        lines: machine.lines(),
        logged: machine.logged(),
        asked: machine.asked(),
        files: machine.files(),
    }
}

/// Boots a contract on a machine where all else is good, which must be refused: nothing was written.
pub(crate) fn refused(contract: &Contract) -> Boot {
    let boot = boot(&machine(contract));
    boot.assert_nothing_written();
    boot
}

impl Boot {
    /// All that was said, one text.
    pub(crate) fn said(&self) -> String {
        self.lines.iter().map(|(_, text)| format!("{text}\n")).collect()
    }

    /// The lines of stages and of the exit, without times.
    pub(crate) fn stage_lines(&self) -> Vec<String> {
        let lines = self.lines.iter().filter_map(|(_, text)| text.strip_prefix("countersign: "));
        lines.map(|line| line.split(" ms=").next().unwrap_or(line).to_owned()).collect()
    }

    pub(crate) fn failure(&self) -> &Failure {
        self.result.as_ref().expect_err(&self.said())
    }

    /// Stage, exit code, code; the last two lines and that a remedy was said; the keys of the image are gone.
    pub(crate) fn assert_refused(&self, stage: Stage, code: Code) {
        let failure = self.failure();
        assert_eq!((failure.stage, failure.code()), (stage, code), "{}", self.said());
        let lines = self.stage_lines();
        let failed = format!("stage={stage} state=failed code={code}");
        let exit = format!("exit={} stage={stage} code={code}", stage.exit_code());
        assert!(lines[lines.len() - 2].starts_with(&failed), "{}", self.said());
        assert_eq!(lines[lines.len() - 1], exit, "{}", self.said());
        assert_eq!(lines.iter().filter(|line| line.contains("state=failed")).count(), 1, "{}", self.said());
        // The sentence for people: code, expectation, hint; at the severity of an error.
        let sentence = self.sentence();
        assert!(sentence.starts_with(code.as_str()) && sentence.contains("; "), "{sentence}");
        for forgotten in ["forget image key", "forget attestation key"] {
            assert!(self.asked.iter().any(|asked| asked == forgotten), "{:?}", self.asked);
        }
        // No other guest OS than the one that reports.
        for asked in self.asked.iter().filter(|asked| asked.starts_with("switch root")) {
            assert_eq!(asked, REPORTS, "{:?}", self.asked);
        }
    }

    /// A refusal of the machine: besides the above, the words of the message and the code's own remedy.
    pub(crate) fn assert_machine(&self, stage: Stage, code: Code, words: &str) {
        self.assert_refused(stage, code);
        assert!(matches!(*self.failure().cause, Cause::Machine { .. }), "{}", self.said());
        let sentence = self.sentence();
        assert!(sentence.starts_with(&format!("{code}: ")), "{sentence}");
        assert!(sentence.contains(words), "{words:?} in {sentence}");
        assert!(sentence.ends_with(&format!("; {}", code.remedy())), "{sentence}");
    }

    /// A refusal of the contract at a place, written as `POINTER` or `POINTER TEXT LINE:COLUMN`.
    pub(crate) fn assert_place(&self, stage: Stage, code: Code, place: &str, words: &str) {
        self.assert_refused(stage, code);
        let Cause::Contract(finding) = self.failure().cause.as_ref() else { panic!("{}", self.said()) };
        let found = match (finding.line, finding.column) {
            (Some(line), Some(column)) => {
                format!("{} {} {line}:{column}", finding.pointer, finding.section.as_str())
            }
            _ => finding.pointer.to_string(),
        };
        assert_eq!(found, place, "{}", self.said());
        let sentence = self.sentence();
        assert!(sentence.contains(words), "{words:?} in {sentence}");
        // The line for programs has the same place.
        let failed = &self.stage_lines()[self.stage_lines().len() - 2];
        assert!(failed.contains(&format!("pointer={}", finding.pointer)), "{failed}");
        if let (Some(line), Some(column)) = (finding.line, finding.column) {
            let mark = format!("in={} line={line} column={column}", finding.section.as_str());
            assert!(failed.ends_with(&mark), "{failed}");
        }
    }

    /// The first line that is an error.
    pub(crate) fn sentence(&self) -> &str {
        let first = self.lines.iter().find(|(priority, _)| *priority == Priority::Error);
        first.map(|(_, text)| text.as_str()).unwrap_or_default()
    }

    /// No disk was changed.
    pub(crate) fn assert_nothing_written(&self) {
        let wrote = self.asked.iter().find(|asked| WRITES.iter().any(|write| asked.starts_with(write)));
        assert_eq!(wrote, None, "{:?}", self.asked);
        for path in self.files.keys() {
            let path = path.display().to_string();
            assert!(REPORT.iter().any(|start| path.starts_with(start)), "{path} was written");
        }
    }

    /// The guest OS was started to report.
    pub(crate) fn reports(&self) -> bool {
        self.asked.iter().any(|asked| asked == REPORTS)
    }

    /// A warning was said.
    pub(crate) fn assert_warned(&self, text: &str) {
        let warned =
            |(priority, line): &(Priority, String)| *priority == Priority::Warning && line.contains(text);
        assert!(self.lines.iter().any(warned), "{text:?} in {}", self.said());
    }

    pub(crate) fn asked(&self, request: &str) -> bool {
        self.asked.iter().any(|asked| asked.starts_with(request))
    }

    /// The text of a file that was written.
    pub(crate) fn file(&self, path: &str) -> String {
        let (_, content) = self.files.get(Path::new(path)).unwrap_or_else(|| panic!("{path}"));
        String::from_utf8(content.clone()).unwrap()
    }
}
