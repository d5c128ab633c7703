//! `countersign check` of a typical contract, as a process, beside the openssl processes that the documents of the
//! contract prescribe for the same decryption: per section `openssl pkeyutl -decrypt` for the passphrase and
//! `openssl enc -d` for the text, four in all. The target is a ratio of at most 1.15.
//!
//! Typical: two sealed sections of 4 KiB, RSA-4096 as image key, signed. That `check` verifies the signature besides,
//! and reads, plans and prints, is on its side of the scale.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

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
    let desk = Desk::new();
    let passphrases = contract(&desk);
    // All checks pass, or the comparison means nothing.
    let report = desk.report("contract.yaml --key image.key");
    assert_eq!(report["verdict"], "boots", "{report:#}");

    let check = || {
        desk.answer(0, "check contract.yaml --key image.key", b"");
    };
    let openssl = || {
        for (number, passphrase) in passphrases.iter().enumerate() {
            let opened = desk.openssl(&format!("pkeyutl -decrypt -inkey image.key -in wrapped{number}"), b"");
            assert_eq!(&opened, passphrase);
            desk.openssl(&format!("enc -d -aes-256-cbc -pbkdf2 -pass stdin -in body{number}"), &opened);
        }
    };
    let mut group = criterion.benchmark_group("typical contract");
    group.sample_size(20);
    group.bench_function("countersign check", |bencher| bencher.iter(check));
    group.bench_function("four openssl processes", |bencher| bencher.iter(openssl));
    group.finish();

    // What other programs do at the time lengthens the wall's time and hardly the processor's.
    let (mut own, mut theirs) = (0.0, 0.0);
    for _ in 0..ROUNDS {
        own += processor_ms(check);
        theirs += processor_ms(openssl);
    }
    let (own, theirs) = (own / f64::from(ROUNDS), theirs / f64::from(ROUNDS));
    println!("processor time: check {own:.1} ms, openssl {theirs:.1} ms, ratio {:.2}", own / theirs);
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

/// Writes `contract.yaml` and its parts; returns the passphrases of both tokens.
fn contract(desk: &Desk) -> [Vec<u8>; 2] {
    desk.openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:4096 -out image.key", b"");
    desk.openssl("pkey -in image.key -pubout -out image.pub", b"");
    desk.rsa("signer", 30);
    let elliptic = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 300";
    for name in ["authority", "client"] {
        desk.openssl(&format!("{elliptic} -subj /CN={name} -keyout {name}.key -out {name}.crt"), b"");
    }
    let encoded = |name: &str| desk.base64(desk.text(name).as_bytes());
    let workload = format!("type: workload\ncompose:\n  archive: {}\nenv:\n", archive(&compose()));
    let env = format!(
        "type: env\nlogging:\n  syslog:\n    hostname: logs.example\n    server: {}\n    cert: {}\n    key: {}\n\
         signingKey: {}\nenv:\n",
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

criterion_group!(benches, check);
criterion_main!(benches);
