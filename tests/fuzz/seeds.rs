//! Makes the seeds that the kept corpus must not hold or that other programs write better.
//!
//!   cargo run -p countersign-tests --example fuzz_seeds -- FOLDER
//!
//! One folder a target: keys and certificates by the openssl program, contract disks by genisoimage, archives by tar
//! and gzip, LUKS headers by cryptsetup and each mutant of them, contracts from `tests/contracts`. What a target's
//! first byte chooses is said in its own file.
// A seed that cannot be made ends the program.
#![allow(clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use countersign_forgeries::luks2_mutants::mutants;
use countersign_forgeries::luks2_volumes::{ARGON2ID, DEVICE_SIZE, PBKDF2, Volume};

/// Parts of a LUKS2 header of 16 KiB: see the target `luks_header`.
const COPY: usize = 0x4000;
const BINARY: usize = 0x1000;
const FIELDS: usize = 512;

fn main() {
    let folder = PathBuf::from(std::env::args_os().nth(1).expect("a folder for the seeds"));
    contracts(&folder);
    luks(&folder.join("luks_header"));
    keys(&folder.join("signing_key"));
    disks(&folder.join("contract_disk"));
    archives(&folder.join("archive"));
    tokens(&folder.join("token"));
    seed(&folder.join("compose"), "services", None, COMPOSE.as_bytes());
    let pods = include_str!("../plans/pods/play/pods.yaml");
    seed(&folder.join("pods"), "objects", None, pods.as_bytes());
    seed(&folder.join("pods"), "template", None, TEMPLATE.as_bytes());
    image_header(&folder.join("image_header"));
    manifests(&folder.join("manifests"));
    seed(&folder.join("journal"), "entries", Some(6), JOURNAL);
    let boots = include_str!("../../crates/cli/tests/verbs/log.in/two-boots.jsonl");
    let frames: String = boots.lines().skip(140).take(40).filter_map(frame).collect();
    seed(&folder.join("log_stream"), "boot", Some(99), frames.as_bytes());
}

/// Entries in the form that systemd's "Journal Export Formats" describes: a service's, a container's with a message that
/// is no text, a container's line in two parts.
const JOURNAL: &[u8] = b"__CURSOR=s=8c1e;i=1f4\n__REALTIME_TIMESTAMP=1795316096000042\n__MONOTONIC_TIMESTAMP=307905\n\
__SEQNUM=500\nPRIORITY=6\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=systemd\nSYSLOG_PID=1\n_COMM=systemd\nMESSAGE=Started.\n\n\
__CURSOR=s=8c1e;i=1f5\n__REALTIME_TIMESTAMP=1795316097000000\n__MONOTONIC_TIMESTAMP=307906\n__SEQNUM=501\n\
CONTAINER_NAME=compose-web-1\nCONTAINER_ID=0123456789ab\nIMAGE_NAME=web\n\
MESSAGE\n\x09\0\0\0\0\0\0\0one\n\ntw\xff\n\nPRIORITY=3\n\n\
__CURSOR=s=8c1e;i=1f6\n__REALTIME_TIMESTAMP=1795316098000000\n__MONOTONIC_TIMESTAMP=307907\n__SEQNUM=502\n\
CONTAINER_ID=0123456789ab\n_PID=7\nPRIORITY=6\nCONTAINER_PARTIAL_MESSAGE=true\nMESSAGE=one\n\n\
__CURSOR=s=8c1e;i=1f7\n__REALTIME_TIMESTAMP=1795316098000001\n__MONOTONIC_TIMESTAMP=307908\n__SEQNUM=503\n\
CONTAINER_ID=0123456789ab\n_PID=7\nPRIORITY=6\nMESSAGE= two\n\n";

/// A record that rsyslogd wrote down, in a frame again.
fn frame(line: &str) -> Option<String> {
    let record: serde_json::Value = serde_json::from_str(line).ok()?;
    let text = |name: &str| record[name].as_str().unwrap_or("-").to_owned();
    let [time, host, app, data, msg] = ["time", "host", "app", "data", "msg"].map(text);
    let record = format!("<30>1 {time} {host} {app} - - {data} {msg}");
    Some(format!("{} {record}", record.len()))
}

/// A compose file with everything that its reader knows.
const COMPOSE: &str = "x-base: &base
  image: ${IMAGE}@sha256:0000000000000000000000000000000000000000000000000000000000000000
services:
  web: {<<: *base, ports: ['80:80']}
  db:
    image: ${MISSING:-registry.example/db}@sha256:1111111111111111111111111111111111111111111111111111111111111111
";

/// A template with everything that is evaluated.
const TEMPLATE: &str = "a {{- /* b */ -}} {{ $x := .Env.A | printf \"%s-%q-%d\" `c` \"d\" 1 }}{{ if eq (len $x) 3 }}{{ . }}\
{{ else if and .Env.EMPTY (not $.Env.A) }}{{ index .Env \"A\" }}{{ end }}{{ with slice $x 0 1 }}{{ println . 'e' }}{{ end }}";

/// A header with one slot that reads well and opens nowhere, and a parameter block that names it.
fn image_header(folder: &Path) {
    let group = openssl::ec::EcGroup::from_curve_name(openssl::nid::Nid::SECP521R1).expect("the curve");
    let key = openssl::ec::EcKey::generate(&group).expect("a key");
    let mut context = openssl::bn::BigNumContext::new().expect("memory");
    let (mut x, mut y) =
        (openssl::bn::BigNum::new().expect("memory"), openssl::bn::BigNum::new().expect("memory"));
    key.public_key().affine_coordinates(&group, &mut x, &mut y, &mut context).expect("a point");
    let coordinates = [x, y].map(|number| number.to_vec_padded(80).expect("66 bytes")).concat();
    let numbers =
        |numbers: &[u64]| -> Vec<u8> { numbers.iter().flat_map(|number| number.to_be_bytes()).collect() };
    let mut header = b"IBMSecEx\0\0\x01\0\0\0\x02\x80".to_vec();
    header.extend([7; 12]);
    header.extend([0; 4]);
    header.extend(numbers(&[1, 128, 4, 0xe0]));
    header.extend(coordinates);
    header.extend([8; 3 * 64 + 80 + 128 + 16]);
    seed(folder, "header", Some(0), &header);
    seed(folder, "altered", Some(1), &[3, 0, 40, 1]);
    let mut block = [160_u32.to_be_bytes(), [0, 0, 0, 1], 152_u32.to_be_bytes(), [5, 0, 0, 0]].concat();
    block.extend([0; 95]);
    block.extend([1, 0, 0, 0, 0, 0, 0, 0, 1]);
    block.extend(numbers(&[0x14000, 640, 40 << 48, 0x15000, 0x1000]));
    seed(folder, "parameters", Some(2), &block);
    seed(folder, "image", Some(3), &[numbers(&[0x15000, 0x16000]), header, block].concat());
}

/// Both manifests.
fn manifests(folder: &Path) {
    let digest = |digits: usize| "0".repeat(digits);
    let file = format!(r#"{{"name":"f","size":1,"sha256":"{}"}}"#, digest(64));
    let program = file.replacen('{', r#"{"built":true,"#, 1);
    let build = format!(
        r#"{{"format":1,"engine":"podman","version":"0","epoch":1,"source":{{"revision":null,"dirty":null}},
"lock":{{"state":"committed","sha256":"{0}"}},"cargo_lock":{{"sha256":"{0}"}},"root_hash":"{1}","files":{{"kernel":{file},
"initramfs":{file},"countersignd":{program},"os_image":{file},"image_json":{file},"sbom":{file},"notices":{file}}},
"tools":[{{"package":"p","version":"1","architecture":"a","sha256":"{0}"}}]}}"#,
        digest(64),
        digest(128)
    );
    seed(folder, "build", Some(0), build.as_bytes());
    let sealing = format!(
        r#"{{"kind":"countersign sealing manifest","format":1,"sealed":1,"image":{{"size":1,"sha256":"{0}"}},
"header":{{"sha256":"{0}","tag":"{1}","pld":"{2}","ald":"{2}","tld":"{2}","pages":1}},
"flags":{{"plaintext":"00000000000000e0","dumping":false,"backup_host_keys":false}},
"machines":[{{"host_key":"{0}","not_after":1}}],"boot_loader":{{"stage3a":"{0}","stage3b":"{0}"}},"command_line":"quiet",
"accepts":{{"image_json":"{0}","unsigned":"plain","secure-execution":"required"}},"build_manifest":"{0}"}}"#,
        digest(64),
        digest(32),
        digest(128)
    );
    seed(folder, "sealing", Some(1), sealing.as_bytes());
}

/// Writes a seed, a byte for the target's choice before it.
fn seed(folder: &Path, name: &str, choice: Option<u8>, bytes: &[u8]) {
    fs::create_dir_all(folder).expect("a folder");
    let seed: Vec<u8> = choice.into_iter().chain(bytes.iter().copied()).collect();
    fs::write(folder.join(name), seed).expect("a seed");
}

/// The contracts of the tables, whole and section by section.
fn contracts(folder: &Path) {
    let tables = Path::new(env!("CARGO_MANIFEST_DIR")).join("contracts");
    for table in ["valid", "invalid"] {
        for case in fs::read_dir(tables.join(table)).expect("the tables").flatten() {
            let name = format!("{table}-{}", case.file_name().to_string_lossy());
            let text = fs::read_to_string(case.path()).expect("a case");
            seed(&folder.join("contract_envelope"), &name, None, text.as_bytes());
            for (choice, section) in [(0, "workload"), (1, "env")] {
                // A section as a block: its lines are the indented ones after its name.
                let block = text.lines().skip_while(|line| *line != format!("{section}: |")).skip(1);
                let lines: Vec<&str> = block.map_while(|line| line.strip_prefix("  ")).collect();
                if !lines.is_empty() {
                    let file = format!("{section}-{name}");
                    seed(&folder.join("section"), &file, Some(choice), lines.join("\n").as_bytes());
                }
            }
        }
    }
}

fn luks(folder: &Path) {
    let kinds: [(&str, &[&[&str]]); 3] = [
        ("luks2", &[&["--type", "luks2"], &ARGON2ID]),
        ("luks2-pbkdf2", &[&["--type", "luks2"], &PBKDF2]),
        ("luks1", &[&["--type", "luks1", "--pbkdf-force-iterations", "1000"]]),
    ];
    for (name, arguments) in kinds {
        let head = Volume::format(arguments).head(2 * COPY as u64);
        if name == "luks1" {
            seed(folder, name, Some(0), &head[..1024]);
            continue;
        }
        sealed(folder, name, &head);
        seed(folder, &format!("{name}-text"), Some(2), json(&head));
        if name == "luks2" {
            seed(folder, &format!("{name}-whole"), Some(0), &head);
            for (number, mutant) in mutants(&head, DEVICE_SIZE).iter().enumerate() {
                sealed(folder, &format!("mutant-{number}"), &mutant.head);
            }
        }
    }
}

/// Fields and metadata; the target makes both copies of them, with checksums.
fn sealed(folder: &Path, name: &str, head: &[u8]) {
    seed(folder, name, Some(1), &[&head[..FIELDS], json(head)].concat());
}

fn json(head: &[u8]) -> &[u8] {
    let area = &head[BINARY..COPY];
    &area[..area.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)]
}

fn keys(folder: &Path) {
    let work = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| work.path().join(name).to_string_lossy().into_owned();
    let (key, file) = (path("key"), path("out"));
    let kinds: [(&str, &[&str]); 4] = [
        ("rsa-2048", &["RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
        ("rsa-1024", &["RSA", "-pkeyopt", "rsa_keygen_bits:1024"]),
        ("ec", &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
        ("ed25519", &["ED25519"]),
    ];
    for (name, arguments) in kinds {
        run("openssl", &[&["genpkey", "-out", &key, "-algorithm"], arguments].concat());
        run("openssl", &["pkey", "-in", &key, "-pubout", "-out", &file]);
        both_forms(folder, &format!("{name}-key"), &file);
        let subject =
            ["-subj", "/C=DE/O=canary/CN=fuzz", "-addext", "subjectAltName=DNS:a.example,IP:10.0.0.1"];
        let request = ["req", "-x509", "-new", "-key", &key, "-days", "30", "-out", &file];
        run("openssl", &[&request, &subject[..]].concat());
        both_forms(folder, &format!("{name}-certificate"), &file);
    }
}

/// A PEM file as it is, with escaped line breaks, and as base64.
fn both_forms(folder: &Path, name: &str, file: &str) {
    let pem = fs::read_to_string(file).expect("PEM");
    seed(folder, name, None, pem.as_bytes());
    seed(folder, &format!("{name}-escaped"), None, pem.replace('\n', "\\n").as_bytes());
    seed(folder, &format!("{name}-base64"), None, &run("openssl", &["base64", "-A", "-in", file]));
}

/// Tokens whose text is sealed with the fixed key of the target `token`, by the openssl program.
fn tokens(folder: &Path) {
    let work = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| work.path().join(name).to_string_lossy().into_owned();
    let (plain, body, salted) = (path("plain"), path("body"), path("salted"));
    fs::write(&plain, "type: workload\n").expect("a file");
    let (key, vector) = ("07".repeat(32), "07".repeat(16));
    run("openssl", &["enc", "-aes-256-cbc", "-K", &key, "-iv", &vector, "-in", &plain, "-out", &body]);
    fs::write(&salted, [b"Salted__saltsalt".as_slice(), &fs::read(&body).expect("a body")].concat())
        .expect("a file");
    let text = run("openssl", &["base64", "-A", "-in", &salted]);
    for prefix in ["hyper-protect-basic", "contract-basic", "countersign-v1"] {
        let token = [prefix.as_bytes(), b".d3JhcHBlZA==.", &text].concat();
        seed(folder, prefix, Some(0), &token);
    }
    seed(folder, "text", Some(1), b"\x03\x05type: workload\n");
    let message = b"passphrase\nrest\0";
    seed(folder, "message", Some(2), &[&[0, 2][..], &[0xff; 256 - 3 - 16], &[0], message].concat());
}

/// Disks without their first 32 KiB, which the target adds.
fn disks(folder: &Path) {
    let work = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| work.path().join(name).to_string_lossy().into_owned();
    for (name, text) in [
        ("user-data", "workload: |\n  a\nenv: |\n  b\n"),
        ("meta-data", "instance-id: fuzz\nlocal-hostname: guest\n"),
        ("vendor-data", "x\n"),
        ("network-config", "version: 2\n"),
    ] {
        fs::write(path(name), text).expect("a file");
    }
    let files = ["user-data", "meta-data", "vendor-data", "network-config"].map(path);
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let image = path("image");
    for (name, options) in [
        ("joliet", &["-J"][..]),
        ("plain", &[]),
        ("rock-ridge", &["-J", "-r"]),
        ("level-4", &["-r", "-iso-level", "4"]),
    ] {
        let fixed = ["-quiet", "-no-pad", "-V", "cidata", "-o", &image];
        run("genisoimage", &[&fixed, options, &files].concat());
        let bytes = fs::read(&image).expect("an image");
        seed(folder, name, None, &bytes[32 << 10..]);
    }
}

/// Archives as text, as bytes and unpacked.
fn archives(folder: &Path) {
    let work = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| work.path().join(name).to_string_lossy().into_owned();
    fs::create_dir_all(path("source/folder")).expect("a folder");
    fs::write(path("source/docker-compose.yaml"), "services: {}\n").expect("a file");
    fs::write(path("source/folder").clone() + "/program", "x".repeat(600)).expect("a file");
    fs::write(path("source/folder").clone() + "/" + &"n".repeat(150), "long").expect("a file");
    std::os::unix::fs::symlink("folder", path("source/link")).expect("a link");
    let (source, tape) = (path("source"), path("tape"));
    for format in ["gnu", "pax", "ustar", "v7"] {
        for (name, excluded) in [("files", "link"), ("link", "folder")] {
            let (option, excluded) = (format!("--format={format}"), format!("--exclude={excluded}"));
            let long = if matches!(format, "ustar" | "v7") { "--exclude=nnn*" } else { "--exclude=." };
            let arguments = ["-b1", &option, "-cf", &tape, "-C", &source, &excluded, long];
            run("tar", &[&arguments[..], &["docker-compose.yaml", "folder", "link"]].concat());
            let name = format!("{format}-{name}");
            seed(folder, &name, Some(2), &fs::read(&tape).expect("a tape"));
            run("gzip", &["-kf", &tape]);
            let packed = path("tape.gz");
            seed(folder, &format!("{name}-gz"), Some(1), &fs::read(&packed).expect("a packed tape"));
            let text = run("openssl", &["base64", "-A", "-in", &packed]);
            seed(folder, &format!("{name}-text"), Some(0), &text);
        }
    }
}

fn run(program: &str, arguments: &[&str]) -> Vec<u8> {
    let result = Command::new(program).args(arguments).output().expect("an installed program");
    assert!(result.status.success(), "{program}: {}", String::from_utf8_lossy(&result.stderr));
    result.stdout
}
