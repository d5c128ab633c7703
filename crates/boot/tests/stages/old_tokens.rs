//! What an old token holds: whoever has it can alter it, so nothing is said about it until a signature held. Contracts
//! that differ in nothing but that end with the same lines after the same requests.

use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use countersign_rehearsal::Facts;

use crate::support::auditor::sealed_key;
use crate::support::keys::{DAY, keys};
use crate::support::machine::{Boot, DATA, GIB, facts, machine_without_volume, manifest};
use crate::support::{Contract, Sealed, boot};

const OTHER: Option<&str> = Some("other-signer.key");
const KEY: &str = "signingKey: @signer.pub@\n";
const UNVERIFIED: &str = "expected a signature that fits; before that nothing is said about what an old token holds \
     (countersign check --key says it); sign workload";
const UNUSABLE: &str = "expected sections that the guest can act on; without signature nothing is said about what an \
     old token holds (countersign check --key says it); correct the field";

/// What came of it from the stage `unseal` on: lines and requests. The boots differ before, in the size of the disk.
#[derive(Debug, PartialEq)]
struct Effects {
    lines: Vec<String>,
    asked: Vec<String>,
    files: usize,
}

fn effects(boot: &Boot) -> Effects {
    let lines: Vec<String> = boot.lines.iter().map(|(_, text)| text.clone()).collect();
    let start = lines.iter().position(|line| line.contains("stage=unseal state=start")).unwrap();
    Effects { lines: lines[start..].to_vec(), asked: boot.asked.clone(), files: boot.files.len() }
}

fn boots(image: &str, contract: &Contract) -> Boot {
    let manifest = manifest().replacen('{', &format!("{{{image},"), 1);
    // The signer's certificate is over; a bare key has no dates.
    let unix_time = keys().made + 11 * DAY;
    let machine =
        machine_without_volume(contract, Facts { manifest: manifest.into_bytes(), unix_time, ..facts() });
    machine.attach(DATA, "data", GIB);
    boot(&machine)
}

/// All of them end alike; nobody but the console is told.
fn alike(image: &str, contracts: &[Contract]) -> Boot {
    let ended: Vec<Boot> = contracts.iter().map(|contract| boots(image, contract)).collect();
    for (boot, contract) in ended.iter().zip(contracts) {
        assert_eq!(effects(boot), effects(&ended[0]), "{contract:#?}");
        assert!(!boot.reports() && boot.files.is_empty(), "{:?}", boot.asked);
        boot.assert_nothing_written();
    }
    ended.into_iter().next().unwrap()
}

/// A token of a section, its `at`-th letter of a part changed.
fn altered(contract: Contract, section: &str, part: usize, at: usize) -> Contract {
    let text = String::from_utf8(contract.medium().files[0].1.clone()).unwrap();
    let start = format!("{section}: ");
    let token = text.lines().find_map(|line| line.strip_prefix(&start)).unwrap().to_owned();
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let other = if &parts[part][at..=at] == "A" { "B" } else { "A" };
    parts[part].replace_range(at..=at, other);
    Contract { altered: vec![(token, parts.join("."))], ..contract }
}

/// Whatever an `env` can hold that is no good, beside a signature of this key, which does not fit, or none.
fn broken(signer: Option<&'static str>) -> Vec<Contract> {
    let good = || Contract { signer, ..Contract::good() };
    let holding = |env: &str| Contract { env: env.to_owned(), ..good() };
    let key = |key: &str| good().with(KEY, key);
    vec![
        // The signature alone.
        good(),
        // No signing key, no usable one, one that is over.
        key(""),
        key("signingkey: @signer.pub@\n"),
        key("signingKey: [a]\n"),
        key("signingKey: no-key\n"),
        key("signingKey: ''\n"),
        key("signingKey: @elliptic.pub@\n"),
        key("signingKey: @small.pub@\n"),
        key("signingKey: @signer.crt@\n"),
        // A key of which one letter is another.
        key("signingKey: |\n  -----BEGIN PUBLIC KEY-----\n  AAAA\n  -----END PUBLIC KEY-----\n"),
        // A log server of whose part nothing, or another, can be read.
        good().with("port: 6514", "port: six"),
        good().with("logs.example.org", "other.example.org"),
        // No YAML, of each kind.
        holding("type: env\nlogging: [\n"),
        holding(""),
        holding("a: 1\na: 2\n"),
        holding("a: &b 1\n"),
        holding("a: !b 1\n"),
        holding("--- \na: 1\n---\nb: 2\n"),
        holding("just text\n"),
        holding("a: \u{1}\n"),
        holding(&"[".repeat(80)),
        // No text, and nothing that opens.
        altered(good(), "env", 2, 40),
        altered(good(), "env", 1, 100),
        Contract { image: "other-image.crt", ..good() },
    ]
}

#[test]
fn before_the_signature_held_there_is_one_answer() {
    let boot = alike(r#""unsigned":"plain""#, &broken(OTHER));
    boot.assert_machine(Stage::Verify, Code::SignatureInvalid, UNVERIFIED);
    let lines = boot.stage_lines();
    assert!(lines.contains(&"stage=unseal state=done tokens=1".to_owned()), "{}", boot.said());
    assert!(lines.contains(&"stage=verify state=failed code=HPL12001E".to_owned()), "{}", boot.said());
    // The same with a workload that is not an old token, or readable.
    let other = |contract: Contract| {
        [
            Contract { authenticated: &["workload"], ..contract.clone() },
            Contract { sealed: Sealed::EnvOnly, ..contract },
        ]
    };
    let others: Vec<Contract> =
        broken(OTHER).into_iter().filter(|one| one.altered.is_empty()).flat_map(other).collect();
    assert_eq!(effects(&boots(r#""unsigned":"plain""#, &others[0])), effects(&boot));
    alike(r#""unsigned":"plain""#, &others.into_iter().step_by(5).collect::<Vec<_>>());
}

#[test]
fn without_a_signature_there_is_one_answer_and_the_token_stays_closed() {
    let boot = alike(r#""unsigned":"plain""#, &broken(None));
    boot.assert_refused(Stage::Verify, Code::SealedUnsigned);
}

#[test]
fn an_image_that_takes_them_unsigned_gives_one_answer_as_well() {
    // Also what only the workload holds, and what only both together are.
    let unsigned = || Contract::good().unsigned();
    let auditor = |key: &str| Contract {
        altered: vec![("workload: ".into(), format!("attestationPublicKey: {key}\nworkload: "))],
        ..unsigned()
    };
    let workloads = [
        unsigned().with("type: workload", "type: other"),
        unsigned().with("mount: /mnt/data", "mount: data"),
        unsigned().with("  data:\n    mount", "  date:\n    mount"),
        unsigned().with_workload("countersign:\n  policy:\n    unsigned: refuse\n"),
        unsigned().with_workload("countersign:\n  policy:\n    log-servers: [other.example.org]\n"),
        unsigned().with_workload("unknown: 1\nplay: {}\n"),
        unsigned().with_compose("services:\n  web:\n    image: other.example/web:latest\n"),
        unsigned().with_compose("no: services\n"),
        altered(unsigned(), "workload", 2, 40),
        auditor(&sealed_key(&["seal"], "elliptic.pub")),
        auditor(&sealed_key(&["seal-v1", "env"], "auditor.pub")),
    ];
    // But for the two that name no key, with which nothing is wrong then.
    let mut contracts = broken(None);
    contracts.drain(1..3);
    contracts.extend(workloads);
    let boot = alike(r#""unsigned":"accept""#, &contracts);
    boot.assert_machine(Stage::Validate, Code::ContractInvalid, UNUSABLE);
    // A signature that is there has to fit on every image.
    let signed = alike(r#""unsigned":"accept""#, &broken(OTHER));
    signed.assert_machine(Stage::Verify, Code::SignatureInvalid, UNVERIFIED);
}

#[test]
fn a_section_in_the_open_or_authenticated_is_told_about_all_the_same() {
    for (place, contract) in [
        ("env", Contract { authenticated: &["env"], ..Contract::good() }),
        ("contract", Contract { sealed: Sealed::WorkloadOnly, ..Contract::good() }),
    ] {
        let boot = boots(r#""unsigned":"plain""#, &contract.with(KEY, "signingKey: no-key\n"));
        boot.assert_refused(Stage::Verify, Code::SigningKeyForm);
        let words = format!("HPL12101E /env/signingKey ({place} line ");
        assert!(boot.sentence().starts_with(&words), "{}", boot.sentence());
        assert!(boot.reports(), "{:?}", boot.asked);
    }
}

#[test]
fn once_the_signature_held_everything_is_told() {
    let contract = Contract::good().with("port: 6514", "port: six");
    let boot = boots(r#""unsigned":"plain""#, &contract);
    boot.assert_refused(Stage::Validate, Code::ContractInvalid);
    assert!(boot.sentence().contains("/env/logging/syslog/port (env line "), "{}", boot.sentence());
    // A certificate that signed and is over.
    let contract = Contract::good().with(KEY, "signingKey: @signer.crt@\n");
    let boot = boots(r#""unsigned":"plain""#, &contract);
    boot.assert_refused(Stage::Verify, Code::ContractExpired);
    assert!(boot.sentence().contains("/env/signingKey (env line "), "{}", boot.sentence());
    assert!(boot.reports(), "{:?}", boot.asked);
}
