//! `countersign check` of a typical contract, as a process, beside the openssl processes that the documents of the
//! contract prescribe for the same decryption: per section `openssl pkeyutl -decrypt` for the passphrase and
//! `openssl enc -d` for the text, four in all. The target is a ratio of at most 1.0, also where there is much to find.
//!
//! Typical: two sealed sections of 4 KiB, RSA-4096 as image key, signed. That `check` verifies the signature besides,
//! and reads, plans and prints, is on its side of the scale. The same with eight mistakes in all parts, each of which is
//! told.
//!
//! Then the most laborious contracts of up to 1 MiB that are legal; the target is 100 ms of the processor for each.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "../../plan/examples/large_contracts/shapes.rs"]
#[allow(dead_code)]
mod shapes;
#[path = "../tests/support/mod.rs"]
mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use support::{Desk, archive, compose};

/// Rounds that are measured by the processor's clock.
const ROUNDS: u32 = 40;

/// Bytes of a section's text.
const SECTION: usize = 4096;

fn check(criterion: &mut Criterion) {
    let right = Desk::new();
    let passphrases = contract(&right, "", "");
    let wrong = Desk::new();
    contract(&wrong, MISTAKES[0], MISTAKES[1]);
    // All checks say what they should, or the comparison means nothing.
    let report = right.report("contract.yaml --key image.key");
    assert_eq!(report["verdict"], "boots", "{report:#}");
    let report = wrong.report("contract.yaml --key image.key");
    let findings = report["findings"].as_array().unwrap().iter();
    assert_eq!(findings.filter(|finding| finding["severity"] == "error").count(), FOUND, "{report:#}");

    let check = || {
        right.answer(0, "check contract.yaml --key image.key", b"");
    };
    let find = || {
        wrong.answer(1, "check contract.yaml --key image.key", b"");
    };
    let openssl = || {
        for (number, passphrase) in passphrases.iter().enumerate() {
            let opened =
                right.openssl(&format!("pkeyutl -decrypt -inkey image.key -in wrapped{number}"), b"");
            assert_eq!(&opened, passphrase);
            right.openssl(&format!("enc -d -aes-256-cbc -pbkdf2 -pass stdin -in body{number}"), &opened);
        }
    };
    let mut group = criterion.benchmark_group("typical contract");
    group.sample_size(20);
    group.bench_function("countersign check", |bencher| bencher.iter(check));
    group.bench_function("countersign check, with findings", |bencher| bencher.iter(find));
    group.bench_function("four openssl processes", |bencher| bencher.iter(openssl));
    group.finish();

    // What other programs do at the time lengthens the wall's time and hardly the processor's.
    let rounds = f64::from(ROUNDS);
    let (mut own, mut found, mut theirs) = (0.0, 0.0, 0.0);
    for _ in 0..ROUNDS {
        own += processor_ms(check) / rounds;
        found += processor_ms(find) / rounds;
        theirs += processor_ms(openssl) / rounds;
    }
    println!("processor time: four openssl processes {theirs:.1} ms");
    println!("processor time: check {own:.1} ms, ratio {:.2}", own / theirs);
    println!("processor time: check with {FOUND} errors {found:.1} ms, ratio {:.2}", found / theirs);
}

/// What is added to the workload and to the env, and is wrong.
const MISTAKES: [&str; 2] = [
    "auths:\n  registry.example:\n    username: reader\n    password: x\nvolumes:\n  one:\n    mount: /etc\n    seed: \
     0123456789abcdef0123456789abcdef\n  two:\n    mount: data\n    seed: abc\n    filesystem: zfs\n",
    "volumes:\n  one:\n    seed: fedcba9876543210fedcba9876543210\n    kmsTimeout: 5\n  tow:\n    seed: \
     00112233445566778899aabbccddeeff\ncountersign:\n  serial: one\n",
];
/// What `check` finds: password, mount point of the guest, path, file system, kmsTimeout, both names of a volume, serial.
const FOUND: usize = 8;

/// The longest that any legal contract takes, by the processor's clock.
fn large_contracts(_: &mut Criterion) {
    let desk = Desk::new();
    let material = shapes::Material::new(desk.path("").as_path());
    let mut longest = (0.0, "");
    for (name, text) in shapes::all(&material) {
        desk.write("contract.yaml", text);
        let mut times: Vec<f64> =
            (0..5).map(|_| processor_ms(|| drop(desk.answer(0, "check contract.yaml", b"")))).collect();
        times.sort_by(f64::total_cmp);
        println!("largest legal contract, {name}: check {:.1} ms", times[2]);
        if times[2] > longest.0 {
            longest = (times[2], name);
        }
    }
    println!(
        "largest legal contract: {:.1} ms ({}), ratio to 100 ms {:.2}",
        longest.0,
        longest.1,
        longest.0 / 100.0
    );
}

/// What the processes of one round take, user and kernel.
fn processor_ms(round: impl Fn()) -> f64 {
    let used = || {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
        let both = usage.user_time() + usage.system_time();
        both.num_microseconds() as f64 / 1000.0
    };
    let before = used();
    round();
    used() - before
}

/// Writes `contract.yaml` and its parts, with more in both sections; returns the passphrases of both tokens.
fn contract(desk: &Desk, of_workload: &str, of_env: &str) -> [Vec<u8>; 2] {
    desk.openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:4096 -out image.key", b"");
    desk.openssl("pkey -in image.key -pubout -out image.pub", b"");
    desk.rsa("signer", 30);
    let elliptic = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 300";
    for name in ["authority", "client"] {
        desk.openssl(&format!("{elliptic} -subj /CN={name} -keyout {name}.key -out {name}.crt"), b"");
    }
    let encoded = |name: &str| desk.base64(desk.text(name).as_bytes());
    let workload =
        format!("type: workload\ncompose:\n  archive: {}\n{of_workload}env:\n", archive(&compose()));
    let env = format!(
        "type: env\nlogging:\n  syslog:\n    hostname: logs.example\n    server: {}\n    cert: {}\n    key: {}\n\
         signingKey: {}\n{of_env}env:\n",
        encoded("authority.crt"),
        encoded("client.crt"),
        encoded("client.key"),
        encoded("signer.pub"),
    );
    let mut tokens = Vec::new();
    let passphrases = [b"first-passphrase-of-a-token".to_vec(), b"second-passphrase-of-a-token".to_vec()];
    for (number, (text, passphrase)) in
        [("W", workload), ("E", env)].into_iter().zip(&passphrases).enumerate()
    {
        let (party, mut text) = text;
        for line in 0.. {
            let variable = format!("  {party}{line}: a value of a variable\n");
            if text.len() + variable.len() > SECTION {
                break;
            }
            text.push_str(&variable);
        }
        let token = desk.token("hyper-protect-basic", "image", text.as_bytes(), passphrase);
        let mut parts = token.split('.').skip(1);
        desk.write(&format!("wrapped{number}"), desk.decode(parts.next().unwrap()));
        desk.write(&format!("body{number}"), desk.decode(parts.next().unwrap()));
        tokens.push(token);
    }
    let signature = desk.openssl("dgst -sha256 -sign signer.key", tokens.concat().as_bytes());
    desk.write(
        "contract.yaml",
        format!(
            "workload: {}\nenv: {}\nenvWorkloadSignature: {}\n",
            tokens[0],
            tokens[1],
            desk.base64(&signature)
        ),
    );
    passphrases
}

criterion_group!(benches, check, large_contracts);
criterion_main!(benches);
