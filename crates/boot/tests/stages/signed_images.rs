//! Images that signatures vouch for: what the rules of a contract make of the engine's files, and what is said of an image
//! that is not signed as it must be.

use std::io;
use std::path::Path;

use countersign_boot::guest_os::Verb;
use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use countersign_rehearsal::Rehearsal;
use serde_json::{Value, json};

use crate::support::canaries::assert_silent;
use crate::support::contract::IMAGE;
use crate::support::guest_os::{booted_with, verb};
use crate::support::{Contract, refused};

const POLICY: &str = "/run/countersign-engine/policy.json";
const PLACES: &str = "/run/countersign-engine/registries.d/countersign.yaml";

/// An RSA key of no bits, version 4, of 1970 (RFC 9580 section 5.5.2); what gpg makes is in the tests of the engine.
const OPENPGP: &str = "mAoEAAAAAAEAAAAA";
/// A key on P-256, made by openssl: base64 of the PEM text.
const COSIGN: &str = "LS0tLS1CRUdJTiBQVUJMSUMgS0VZLS0tLS0KTUZrd0V3WUhLb1pJemowQ0FRWUlLb1pJemowREFRY0RRZ0FFaU52WkVqRDF4MGRMZ0Q0LzNjV1QralcyUFdTdAo5RXUrUEpLZUNXSTZEQ3JRZzlRalVOcXF0am9qVkFLZ0hYcERmNURnby9oNGZoQkY0V2owZk5FQTh3PT0KLS0tLS1FTkQgUFVCTElDIEtFWS0tLS0tCg==";

/// One image by tag under a key of simple signing, one under one of cosign's, one by digest.
fn contract(rules: &str) -> Contract {
    Contract::good()
        .with_compose(&format!(
            "services:\n  a:\n    image: r.example/a:1\n  b:\n    image: r.example/b\n  c:\n    image: {IMAGE}\n"
        ))
        .with_workload(rules)
}

fn rules() -> String {
    format!(
        "images:\n  rhs:\n    r.example/a:\n      publicKey: {OPENPGP}\ncountersign:\n  images:\n    r.example/a:\n      \
         lookaside: https://s.example/x\n    r.example/b:latest:\n      cosign-key: {COSIGN}\n      signed-as: o.example/b\n"
    )
}

fn json(text: &[u8]) -> Value {
    serde_json::from_slice(text).unwrap()
}

fn file(machine: &Rehearsal, path: &str) -> Value {
    json(&machine.files()[Path::new(path)].1)
}

#[test]
fn the_engine_is_told_what_must_be_signed_by_whom_and_where_signatures_lie() {
    let machine = booted_with(&contract(&rules()), |_| ());
    let run = verb(&machine, Verb::Images);
    assert_eq!(run.result, Ok(()), "{}", run.said());
    let written = machine.replaced(Path::new(POLICY));
    let docker = json(&written[0])["transports"]["docker"].take();
    let scopes: Vec<&String> = docker.as_object().unwrap().keys().collect();
    assert_eq!(scopes, ["r.example/a:1", "r.example/b:latest", IMAGE]);
    assert_eq!(docker[IMAGE], json!([{"type": "insecureAcceptAnything"}]));
    assert_eq!(
        docker["r.example/a:1"],
        json!([{"type": "signedBy", "keyType": "GPGKeys", "keyData": OPENPGP,
            "signedIdentity": {"type": "matchRepoDigestOrExact"}}])
    );
    assert_eq!(
        docker["r.example/b:latest"],
        json!([{"type": "sigstoreSigned", "keyData": COSIGN,
            "signedIdentity": {"type": "exactRepository", "dockerRepository": "o.example/b"}}])
    );
    assert_eq!(
        file(&machine, PLACES),
        json!({"docker": {
            "r.example/a:1": {"lookaside": "https://s.example/x"},
            "r.example/b:latest": {"use-sigstore-attachments": true},
        }})
    );
    assert_silent(&run);
}

#[test]
fn what_is_started_names_signed_images_by_the_digest_that_the_engine_has() {
    let machine = booted_with(&contract(&rules()), |_| ());
    assert_eq!(verb(&machine, Verb::Images).result, Ok(()));
    let one = format!("sha256:{}", "1".repeat(64));
    let services = file(&machine, "/run/countersign/compose.json")["services"].take();
    let images: Vec<&Value> =
        services.as_object().unwrap().values().map(|service| &service["image"]).collect();
    assert_eq!(
        images,
        [&json!(format!("r.example/a@{one}")), &json!(format!("r.example/b@{one}")), &json!(IMAGE)]
    );
    let images = file(&machine, "/run/countersign/transcript.json")["images"].take();
    assert_eq!(images[0]["reference"], "r.example/a:1");
    assert_eq!(images[0]["manifest"], json!(one));
    let signer = images[0]["signers"][0]["simple-signing"].as_str().unwrap();
    assert_eq!(signer.len(), 40);
    assert!(images[1]["signers"][0]["cosign"].is_string() && images[2].get("signers").is_none());
}

#[test]
fn pods_name_signed_images_by_digest_too() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\nspec:\n  containers:\n  - name: a\n    image: r.example/a:1\n  \
               - name: c\n    image: IMAGE\n";
    let rules = format!("images:\n  rhs:\n    r.example/a:1:\n      publicKey: {OPENPGP}\n");
    let contract = Contract::good().with_pods(&pod.replace("IMAGE", IMAGE), "").with_workload(&rules);
    let machine = booted_with(&contract, |_| ());
    assert_eq!(verb(&machine, Verb::Images).result, Ok(()));
    let pods = String::from_utf8(machine.files()[Path::new("/run/countersign/pods.json")].1.clone()).unwrap();
    let pod: Value = serde_json::from_str(pods.split("\n---\n").last().unwrap()).unwrap();
    let image = |number: usize| pod["spec"]["containers"][number]["image"].as_str().unwrap().to_owned();
    assert_eq!(image(0), format!("r.example/a@sha256:{}", "1".repeat(64)));
    assert_eq!(image(1), IMAGE);
}

#[test]
fn the_usual_causes_are_told_and_the_names_are_not() {
    // Of podman 5.4.2, tried with gpg 2.4.7 and cosign 2.5.0.
    let rejected = "Error: Source image rejected: ";
    let gpg = |summary: u8| {
        format!(
            "{rejected}Invalid GPG signature: gpgme.Signature{{Summary:{summary}, Fingerprint:\"AB\", Status:gpgme.Error{{err:0x9}}}}"
        )
    };
    let missing = "A signature was required, but no signature exists";
    for (line, words) in [
        (format!("{rejected}{missing}"), "found none: cosign 3 and newer"),
        (
            format!("Error: copying system image from manifest list: Source image rejected: {missing}"),
            "found none for the s390x image: a signature of the index is not enough",
        ),
        (
            format!("{rejected}Signature for identity \"r.example/z:1\" is not accepted"),
            "found one for another name: sign the image under the name",
        ),
        (
            format!("{rejected}cryptographic signature verification failed: invalid signature"),
            "found one that the key of the contract did not make: compare",
        ),
        (gpg(128), "found one that the key of the contract did not make: compare"),
        (gpg(32), "found one by a key that has expired: extend"),
        (gpg(16), "found one by a key that is revoked: sign with another key"),
        (gpg(64), "found one that has expired: sign the image again"),
        (
            format!(
                "{rejected}Get \"https://s.example/x@sha256=00/signature-1\": dial tcp: connection refused"
            ),
            "found no answer where it should lie: look at the server",
        ),
        (gpg(0), "found something else in its place: look"),
        (format!("{rejected}No public keys imported"), "found something else in its place"),
        (
            format!("{rejected}Running image docker://r.example/z:1 is rejected by policy."),
            "found none that it accepts: the container engine's own words",
        ),
    ] {
        let machine = booted_with(&contract(&rules()), |_| ());
        machine.fails("pull r.example/a", io::ErrorKind::Other);
        machine.engine_says("r.example/a", &line);
        let run = verb(&machine, Verb::Images);
        let words = format!("image 1 of 3: expected a signature by the rule of the contract, {words}");
        run.assert_verb_failed(Stage::Images, Code::ImageSignature, &words);
        assert!(!run.said().contains("r.example"), "{}", run.said());
        assert_silent(&run);
    }
    // Other words are another cause.
    let machine = booted_with(&contract(&rules()), |_| ());
    machine.fails("pull r.example/a", io::ErrorKind::Other);
    machine.engine_says("r.example/a", "Error: initializing source: pinging container registry");
    verb(&machine, Verb::Images).assert_verb_failed(Stage::Images, Code::ImagePullFailed, "image 1 of 3");
}

#[test]
fn rules_that_cannot_hold_are_refused_before_anything_is_opened() {
    for (rules, code, words) in [
        (
            "images:\n  rhs:\n    r.example/a:\n      publicKey: AAAA\n",
            Code::ImageKeyForm,
            "/workload/images/rhs/r.example~1a/publicKey (workload line ",
        ),
        (
            "countersign:\n  images:\n    r.example/a: {}\n",
            Code::ImageRuleForm,
            "/workload/countersign/images/r.example~1a (workload line ",
        ),
        (
            &format!("images:\n  rhs:\n    r.example/other:\n      publicKey: {OPENPGP}\n"),
            Code::ImageNotPinned,
            "service a: expected its image as name@sha256",
        ),
    ] {
        let boot = refused(&contract(rules));
        boot.assert_refused(Stage::Validate, code);
        assert!(boot.sentence().contains(words), "{}", boot.sentence());
    }
}

#[test]
fn a_rule_that_covers_no_image_is_told() {
    let told = |rules: &str| -> Vec<String> {
        let compose = format!("services:\n  c:\n    image: {IMAGE}\n");
        let machine = booted_with(&Contract::good().with_compose(&compose).with_workload(rules), |_| ());
        let lines = machine.lines().into_iter().map(|(_, line)| line);
        lines.filter(|line| line.starts_with(Code::ImageRuleUnused.as_str())).collect()
    };
    let repository = IMAGE.split('@').next().unwrap();
    let by_digest = told(&format!("images:\n  rhs:\n    {repository}:\n      publicKey: {OPENPGP}\n"));
    assert_eq!(by_digest.len(), 1);
    assert!(by_digest[0].contains(" /workload/images/rhs/registry.example.org:5000~1"), "{by_digest:?}");
    for covers in [
        format!("images:\n  rhs:\n    {IMAGE}:\n      publicKey: {OPENPGP}\n"),
        format!("countersign:\n  images:\n    {repository}:\n      simple-signing-key: {OPENPGP}\n"),
    ] {
        assert_eq!(told(&covers), Vec::<String>::new());
    }
}
