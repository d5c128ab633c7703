//! Contracts of up to 1 MiB in the most laborious shapes that are legal, and the way from bytes to plan.
//!
//! Certificates and archives come from the openssl and tar programs. The shapes are those of
//! `crates/contract/tests/contracts.rs`, and archives beside them.

use std::fs;
use std::path::Path;
use std::process::Command;

use countersign_contract::envelope::Envelope;
use countersign_contract::model::Contract;
use countersign_contract::refusal::Refusal;
use countersign_contract::schema;
use countersign_plan::guest_os::handover::Identity;
use countersign_plan::guest_os::render::{Guest, render};

/// What the stages parse and validate do when the sections are not sealed.
pub(crate) fn plan(bytes: &[u8]) -> String {
    let first = |refusals: Vec<Refusal>| {
        refusals.first().map_or_else(String::new, |refusal| refusal.code().as_str().to_owned())
    };
    let contract = || -> Result<Contract, Vec<Refusal>> {
        let envelope = Envelope::parse(bytes)?;
        let workload = schema::check(envelope.workload().tree(None).map_err(|refusal| vec![refusal])?)?;
        let env = schema::check(envelope.env().tree(None).map_err(|refusal| vec![refusal])?)?;
        Contract::new(&workload, &env)
    };
    let identity = Identity::default();
    let guest =
        Guest { version: "1", hostname: "guest", identity: &identity, network: None, refuse_reach: false };
    match contract() {
        Ok(contract) => match render(&contract, guest) {
            Ok(_) => "plan".to_owned(),
            Err(refusal) => refusal.code().as_str().to_owned(),
        },
        Err(refusals) => first(refusals),
    }
}

/// Every shape with its name.
pub(crate) fn all(material: &Material) -> Vec<(&'static str, String)> {
    let base = |workload: &str, env: &str| material.contract(&material.small, workload, env);
    let many = |count: usize, entry: &dyn Fn(usize) -> String| (0..count).map(entry).collect::<String>();
    let variables =
        |count, value: &str| "  env:\n".to_owned() + &many(count, &|n| format!("    V{n}: {value}\n"));
    let volumes = |entry: &dyn Fn(usize) -> String| {
        let entry = |n| format!("    v{n}: {{seed: a-seed-of-enough-letters-{n}{}}}\n", entry(n));
        "  volumes:\n".to_owned() + &many(1300, &entry)
    };
    let mounts = volumes(&|n| format!(", mount: /mnt/v{n}, filesystem: ext4"));
    let block = format!("  notes: |\n{}", many(12_400, &|_| format!("      {}\n", "A".repeat(76))));
    let flow = format!("  env: {{{}}}", many(8000, &|n| format!("V{n}: {}, ", "x".repeat(110))));
    vec![
        ("small", base("", "")),
        ("one block of 1 MiB", base("", &block)),
        ("4000 variables on both sides", base(&variables(4000, "x"), &variables(4000, "y"))),
        ("8000 escaped strings", base(&variables(8000, &format!("\"{}\"", "\\n".repeat(50))), "")),
        ("8000 unknown keys", base(&many(8000, &|n| format!("  volumez{n}: x\n")), "")),
        ("1300 volumes", base(&mounts, &volumes(&|_| String::new()))),
        ("flow map of 1 MiB", base(&flow, "")),
        ("archive of 4000 files", material.contract(&material.many_files, "", "")),
        ("archive that unpacks to 60 MiB", material.contract(&material.large, "", "")),
    ]
}

/// Certificates and archives as a contract holds them.
pub(crate) struct Material {
    authority: String,
    certificate: String,
    key: String,
    small: String,
    many_files: String,
    large: String,
}

impl Material {
    /// Made in `folder`.
    pub(crate) fn new(folder: &Path) -> Self {
        for name in ["authority", "client"] {
            let words = format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=bench \
                 -keyout {name}.key -out {name}.crt"
            );
            run(Command::new("openssl").args(words.split_ascii_whitespace()).current_dir(folder));
        }
        let encoded = |name: &str| base64(&folder.join(name));
        let archive = |name: &str, fill: &dyn Fn(&Path)| {
            let source = folder.join(name);
            fs::create_dir(&source).unwrap();
            let image = format!("registry.example/hello@sha256:{}", "0".repeat(64));
            fs::write(source.join("docker-compose.yaml"), format!("services:\n  a:\n    image: {image}\n"))
                .unwrap();
            fill(&source);
            let file = folder.join(format!("{name}.tgz"));
            run(Command::new("tar").arg("-czf").arg(&file).arg("-C").arg(&source).arg("."));
            base64(&file)
        };
        Self {
            authority: encoded("authority.crt"),
            certificate: encoded("client.crt"),
            key: encoded("client.key"),
            small: archive("small", &|_| {}),
            many_files: archive("many", &|source| {
                for n in 0..4000 {
                    fs::write(source.join(format!("file-{n}")), n.to_string()).unwrap();
                }
            }),
            large: archive("large", &|source| {
                for n in 0..4 {
                    fs::write(source.join(format!("file-{n}")), vec![b'x'; 15 << 20]).unwrap();
                }
            }),
        }
    }

    /// A contract with this archive and these lines in its sections.
    pub(crate) fn contract(&self, archive: &str, workload: &str, env: &str) -> String {
        let Self { authority, certificate, key, .. } = self;
        format!(
            "workload:\n  type: workload\n  compose: {{archive: {archive}}}\n{workload}\nenv:\n  type: env\n  \
             logging: {{syslog: {{hostname: h, server: \"{authority}\", cert: \"{certificate}\", key: \"{key}\"}}}}\n\
             {env}\n"
        )
    }
}

fn base64(path: &Path) -> String {
    String::from_utf8(run(Command::new("openssl").args(["base64", "-A", "-in"]).arg(path))).unwrap()
}

fn run(command: &mut Command) -> Vec<u8> {
    let result = command.output().unwrap();
    assert!(result.status.success(), "{}", String::from_utf8_lossy(&result.stderr));
    result.stdout
}
