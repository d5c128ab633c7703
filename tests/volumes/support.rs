//! A lab: disks, contracts, a script; booting it gives the answers.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use countersign_tests::lab::{Act, Answer, Boot, Case, END, PREFIX, SCRIPT, Script};
use countersign_vm::arguments::{Drive, Run};
use countersign_vm::events::Event;
use countersign_vm::events::Seen;
use countersign_vm::guest::{Guest, Logs, Next};
use countersign_vm::lab::contract::{
    self, Contract, Delivery, Logging, Sealing, Section, Signature, Texts, Volume, volume_passphrase,
};
use countersign_vm::lab::disk;
use countersign_vm::lab::keys::Keys;
use countersign_vm::profile::Profile;

/// The longest that one guest may take on a busy machine; a bound, not a claim.
const GUEST: Duration = Duration::from_secs(1800);
/// Key of the volume in the contracts, and the serial number its disk is shown with.
pub(crate) const VOLUME: &str = "data";
/// Serial number of the contract's disk where there is only one.
pub(crate) const CONTRACT: &str = "contract";
/// Where the stage mounts it.
pub(crate) const MOUNTED: &str = "{volume}/data";
/// Bytes of a disk: the least that a new volume takes.
pub(crate) const DISK: u64 = 256 << 20;
/// Where the second partition of such a disk begins: 1 MiB of table, 100 MiB of `metadata`.
pub(crate) const DATA_AT: u64 = 101 << 20;
/// What a volume that opens quickly is made with; costs are not what is tested with it.
pub(crate) const CHEAP: [&str; 4] = ["--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000"];
/// A change to a contract: it asks for the integrity of its volume.
pub(crate) const INTEGRITY: (Section, &str, &str) = (
    Section::Workload,
    "volumes:\n",
    "countersign:\n  volumes:\n    data:\n      integrity: true\nvolumes:\n",
);
/// The least argon2id costs.
pub(crate) const ARGON2ID: [&str; 8] = [
    "--pbkdf",
    "argon2id",
    "--pbkdf-memory",
    "32768",
    "--pbkdf-force-iterations",
    "4",
    "--pbkdf-parallel",
    "1",
];

fn work() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("volumes")
}

/// The file that `tests/run` built and named in the environment.
fn built(name: &str) -> PathBuf {
    PathBuf::from(std::env::var_os(name).unwrap_or_default())
}

/// Whether everything is to be run, not a sample.
pub(crate) fn long() -> bool {
    std::env::var_os("COUNTERSIGN_LONG").is_some()
}

/// All of them, or every twelfth where not everything is to be run.
pub(crate) fn sample<T>(all: Vec<T>) -> Vec<T> {
    if long() { all } else { all.into_iter().step_by(12).collect() }
}

/// One guest in the making.
pub(crate) struct Lab {
    name: String,
    folder: tempfile::TempDir,
    keys: Keys,
    drives: Vec<Drive>,
    script: Script,
    guests: u32,
}

impl Lab {
    /// An empty lab; its serial log gets the name.
    pub(crate) fn new(name: &str) -> Lab {
        std::fs::create_dir_all(work()).unwrap();
        let folder = tempfile::Builder::new().prefix("lab-").tempdir_in(work()).unwrap();
        let keys = Keys::make(&work().with_file_name("boot").join("keys")).unwrap();
        let image_key = std::fs::read_to_string(&keys.image.key).unwrap();
        let script = Script { image_key, cases: Vec::new() };
        Lab { name: name.to_owned(), folder, keys, drives: Vec::new(), script, guests: 0 }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A new blank disk, attached.
    pub(crate) fn disk(&mut self, serial: &str, bytes: u64) -> PathBuf {
        let path = disk::create(&self.folder().join(serial), bytes).unwrap();
        self.attach(Drive::writable(&path, serial));
        path
    }

    pub(crate) fn attach(&mut self, drive: Drive) {
        self.drives.push(drive);
    }

    /// A contract with one volume, delivered as the disk [`CONTRACT`].
    pub(crate) fn contract(&mut self, volume: &Volume) {
        self.deliver(CONTRACT, &[(VOLUME, volume)], &[]);
    }

    /// Delivers a contract with these volumes, its texts edited, as the disk `serial`: readable as a whole, so it needs
    /// no signature.
    pub(crate) fn deliver(
        &mut self,
        serial: &str,
        volumes: &[(&str, &Volume)],
        edits: &[(Section, &str, &str)],
    ) {
        let mut texts = self.texts(volumes);
        for (section, from, to) in edits {
            texts.edit(*section, from, to).unwrap();
        }
        let delivery = Delivery {
            workload: Sealing::Plain,
            env: Sealing::Plain,
            certificate: self.keys.image.certificate.clone(),
            signer: self.keys.signing.key.clone(),
            signature: Signature::Absent,
            auditor: None,
            hostname: "lab".into(),
            network_config: None,
        };
        let medium = contract::deliver(&texts, &delivery, &self.folder().join("media").join(serial)).unwrap();
        self.attach(Drive::read_only(medium.image, serial));
    }

    fn texts(&self, volumes: &[(&str, &Volume)]) -> Texts {
        let compose = self.folder().join("compose");
        std::fs::create_dir_all(&compose).unwrap();
        let image = format!("registry.example/none@sha256:{}", "0".repeat(64));
        let text = format!("services:\n  none:\n    image: {image}\n");
        std::fs::write(compose.join("docker-compose.yaml"), text).unwrap();
        let pem = |path| contract::pem(path).unwrap();
        let logging = &self.keys.logging;
        Contract {
            log_router: None,
            logging: Logging {
                host: "log.countersign.test".into(),
                port: 6514,
                authority: pem(&logging.root.certificate),
                certificate: pem(&logging.client.certificate),
                key: pem(&logging.client.key),
            },
            signing_key: None,
            registry_authority: None,
            env: [].into(),
            workload_env: [].into(),
            auths: [].into(),
            volumes: volumes.iter().map(|(key, volume)| ((*key).to_owned(), (*volume).clone())).collect(),
            archive: contract::archive(&compose).unwrap(),
        }
        .texts()
    }

    pub(crate) fn case(&mut self, case: Case) {
        self.script.cases.push(case);
    }

    /// Boots the guest with the cases so far; returns their answers, and is ready for the next cases.
    pub(crate) fn boot(&mut self) -> Vec<Answer> {
        self.boot_with(|_, _| {})
    }

    /// The same; `meanwhile` gets each line of the console as it comes.
    pub(crate) fn boot_with(&mut self, mut meanwhile: impl FnMut(&mut Guest, &str)) -> Vec<Answer> {
        let cases = std::mem::take(&mut self.script.cases);
        let script = Script { cases, ..self.script.clone() };
        let mut text = serde_json::to_vec(&script).unwrap();
        text.push(0);
        text.resize(text.len().next_multiple_of(4096), 0);
        let path = self.folder().join("script.json");
        std::fs::write(&path, text).unwrap();
        let mut drives = vec![Drive::read_only(path, SCRIPT)];
        drives.extend(self.drives.iter().cloned());
        let run = Run {
            kernel: Some(built("COUNTERSIGN_KERNEL")),
            initramfs: Some(built("COUNTERSIGN_VOLUME_LAB")),
            command_line: vec!["rdinit=/lab/init".into()],
            drives,
            link: None,
        };
        self.guests += 1;
        let logs = Logs::new(work().join("logs"), format!("{}-{}", self.name, self.guests));
        let started = Instant::now();
        let mut guest = Guest::boot(&Profile::named("bare").unwrap(), &run, &logs).unwrap();
        let status = loop {
            match guest.next(started + GUEST).unwrap() {
                Next::Event(Seen { event: Event::Console(line), .. }) => meanwhile(&mut guest, &line),
                Next::Event(_) => {}
                Next::Ended(status) => break status,
                Next::Deadline => panic!("no end within {GUEST:?}; see {}", logs.serial().display()),
            }
        };
        let console = std::fs::read_to_string(logs.serial()).unwrap();
        let lines: Vec<&str> = console.lines().map(str::trim_end).collect();
        let told = format!("{} and {}", logs.serial().display(), logs.emulator().display());
        assert!(status.success(), "the guest did not power itself off: {status}; see {told}");
        assert!(lines.contains(&END), "the lab did not reach its end; see {told}");
        let answers: Vec<Answer> = lines
            .iter()
            .filter_map(|line| line.strip_prefix(PREFIX))
            .map(|json| serde_json::from_str(json).unwrap_or_else(|_| panic!("{json}")))
            .collect();
        let names = |cases: Vec<&String>| cases.into_iter().cloned().collect::<Vec<_>>();
        assert_eq!(
            names(answers.iter().map(|answer| &answer.name).collect()),
            names(script.cases.iter().map(|case| &case.name).collect())
        );
        for answer in &answers {
            assert_eq!(answer.trouble, None, "{answer:#?}");
        }
        println!("{}: {} cases in {:.1} s", self.name, answers.len(), started.elapsed().as_secs_f64());
        answers
    }
}

/// A volume with seeds of its own.
pub(crate) fn volume(name: &str) -> Volume {
    Volume {
        mount: format!("/mnt/{name}"),
        filesystem: "ext4".into(),
        workload_seed: format!("workload-seed-of-{name}"),
        env_seed: format!("deployer-seed-of-{name}"),
    }
}

/// The documented passphrase.
pub(crate) fn passphrase(volume: &Volume) -> String {
    volume_passphrase(volume).unwrap()
}

/// The boot of a case: the disk `serial` shown as the volume's.
pub(crate) fn boot(serial: &str) -> Option<Boot> {
    shown(CONTRACT, &[(serial, VOLUME)])
}

/// The boot of a case from a contract that sees these disks, each under a name.
pub(crate) fn shown(contract: &str, disks: &[(&str, &str)]) -> Option<Boot> {
    let disks = disks.iter().map(|(serial, name)| ((*serial).to_owned(), (*name).to_owned())).collect();
    Some(Boot { contract: contract.into(), disks, ..Boot::default() })
}

/// A program of the lab.
pub(crate) fn run(words: &[&str], input: &str) -> Act {
    Act::Run { words: words.iter().map(|&word| word.to_owned()).collect(), input: input.to_owned() }
}

/// Bytes of the file `by-hand`.
pub(crate) const BY_HAND: usize = 200_000;

/// An ext4 with the file `by-hand`, put by hand into the container on a partition of a disk.
pub(crate) fn by_hand(serial: &str, part: &str, passphrase: &str) -> Vec<Act> {
    file_system_by_hand(serial, part, passphrase, "ext4")
}

/// The same with another file system.
pub(crate) fn file_system_by_hand(serial: &str, part: &str, passphrase: &str, file_system: &str) -> Vec<Act> {
    let device = format!("{{disk:{serial}}}{part}");
    let (load, make) = match file_system {
        "ext4" => (None, "/usr/sbin/mke2fs -q -t ext4".to_owned()),
        other => (Some(Act::Load { modules: other.into() }), format!("/usr/sbin/mkfs.{other} -q")),
    };
    let make: Vec<&str> = make.split(' ').chain(["/dev/mapper/hand"]).collect();
    let acts = [
        run(&["/lab/cryptsetup", "open", "--key-file", "-", &device, "hand"], passphrase),
        run(&make, ""),
        run(&["/lab/busybox", "mkdir", "-p", "/mnt/hand"], ""),
        run(&["/lab/busybox", "mount", "-t", file_system, "/dev/mapper/hand", "/mnt/hand"], ""),
        Act::Write { path: "/mnt/hand/files/by-hand".into(), length: BY_HAND },
        run(&["/lab/busybox", "umount", "/mnt/hand"], ""),
        run(&["/lab/cryptsetup", "close", "hand"], ""),
    ];
    load.into_iter().chain(acts).collect()
}

/// `cryptsetup` on a plain file of this machine, the passphrase on standard input.
pub(crate) fn cryptsetup(words: &[&str], image: &Path, passphrase: &str) {
    let mut child = Command::new("cryptsetup")
        .args(["--batch-mode", "--key-file", "-"])
        .args(words)
        .arg(image)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(passphrase.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "cryptsetup {words:?}");
}

/// Whether a passphrase opens a container in a file of this machine.
pub(crate) fn opens(container: &Path, passphrase: &str) -> bool {
    let mut child = Command::new("cryptsetup")
        .args(["open", "--test-passphrase", "--key-file", "-"])
        .arg(container)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(passphrase.as_bytes()).unwrap();
    match child.wait().unwrap().code() {
        Some(0) => true,
        // "No permission": no key slot fits.
        Some(2) => false,
        other => panic!("cryptsetup open: {other:?}"),
    }
}

/// The key slots of a container, each with where its material begins and how long it is, by cryptsetup's own words.
pub(crate) fn key_slots(container: &Path) -> Vec<(String, (usize, usize))> {
    let output = Command::new("cryptsetup")
        .args(["luksDump", "--dump-json-metadata"])
        .arg(container)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let number = |value: &serde_json::Value| value.as_str().unwrap().parse().unwrap();
    let slots = metadata["keyslots"].as_object().unwrap();
    slots
        .iter()
        .map(|(slot, rest)| (slot.clone(), (number(&rest["area"]["offset"]), number(&rest["area"]["size"]))))
        .collect()
}

/// Whether the boot said something.
pub(crate) fn said(answer: &Answer, text: &str) -> bool {
    answer.lines.iter().any(|line| line.contains(text))
}

/// Parts a disk by hand as the documents describe.
pub(crate) fn part(image: &Path) {
    part_as(image, &["metadata", "data"]);
}

/// A partition table with these names; all but the last partition have 100 MiB.
pub(crate) fn part_as(image: &Path, names: &[&str]) {
    let mut child = Command::new("sfdisk").arg("--quiet").arg(image).stdin(Stdio::piped()).spawn().unwrap();
    let (last, others) = names.split_last().unwrap();
    let others: String = others.iter().map(|name| format!("size=100MiB, name={name}\n")).collect();
    let table = format!("label: gpt\n{others}name={last}\n");
    child.stdin.take().unwrap().write_all(table.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

/// A disk with the two partitions and a container without file system on the second, all made here by hand.
pub(crate) fn parted_container(image: &Path, words: &[&str], passphrase: &str) {
    part(image);
    // The container is made in a file of the partition's size: no device mapper is needed.
    let inside = image.with_extension("inside");
    File::create(&inside).unwrap().set_len(DISK - DATA_AT - (1 << 20)).unwrap();
    let mut all = vec!["luksFormat", "--type", "luks2"];
    all.extend(words);
    cryptsetup(&all, &inside, passphrase);
    copy_data((&inside, 0), (image, DATA_AT));
    std::fs::remove_file(&inside).unwrap();
}

/// A file of its own with what is in the second partition of a disk.
pub(crate) fn container(image: &Path) -> PathBuf {
    let inside = image.with_extension("inside");
    let size = image.metadata().unwrap().len();
    File::create(&inside).unwrap().set_len(size - DATA_AT - (1 << 20)).unwrap();
    copy_data((image, DATA_AT), (&inside, 0));
    inside
}

/// Copies what is not zero from a place of one file to a place of the other, up to the end of the shorter.
fn copy_data(from: (&Path, u64), to: (&Path, u64)) {
    use std::os::unix::fs::FileExt;
    let room = |(path, offset): (&Path, u64)| path.metadata().unwrap().len() - offset;
    let size = room(from).min(room(to));
    let (source, target) = (File::open(from.0).unwrap(), File::options().write(true).open(to.0).unwrap());
    let zeros = vec![0; 1 << 20];
    let mut block = zeros.clone();
    for at in (0..size).step_by(block.len()) {
        let length = block.len().min((size - at) as usize);
        source.read_exact_at(&mut block[..length], from.1 + at).unwrap();
        if block[..length] != zeros[..length] {
            target.write_all_at(&block[..length], to.1 + at).unwrap();
        }
    }
}

/// The volume was opened or made, and nothing else is mapped.
pub(crate) fn assert_open(answer: &Answer) {
    assert_eq!(answer.code, None, "{answer:#?}");
    assert_eq!(answer.mapped, [format!("volume-{VOLUME}")], "{answer:#?}");
}

/// Refused at `unlock` with a code and a sentence; nothing mapped is left, nothing was written.
pub(crate) fn assert_refused(answer: &Answer, code: &str, sentence: &str) {
    assert_eq!(
        (answer.stage.as_deref(), answer.code.as_deref()),
        (Some("unlock"), Some(code)),
        "{answer:#?}"
    );
    assert!(answer.lines.iter().any(|line| line.contains(sentence)), "no \"{sentence}\" in {answer:#?}");
    assert!(answer.mapped.is_empty(), "{answer:#?}");
    assert!(answer.written.values().all(|sectors| *sectors == 0), "{answer:#?}");
}
