//! Sealing, opening, signing and packing, held against the openssl program in both directions; sealed checks; files
//! for their owner alone.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use support::Desk;

/// What is said beside an old token.
const UNPROTECTED: &str = "countersign: --for hpcr makes old tokens: whoever has one can alter its text, or put it \
     beside another section, and neither is noticed without a signature; a policy or signingKey in it is not kept by it\n";

const TEXT: &str = "type: env\nnote: \"grüße\"\n";

/// What the openssl program reads from a token.
fn opened_by_openssl(desk: &Desk, token: &str, prefix: &str) -> String {
    let parts: Vec<&str> = token.trim_end().split('.').collect();
    assert_eq!((parts.len(), parts[0]), (3, prefix));
    let wrapped = desk.decode(parts[1]);
    let passphrase =
        desk.openssl("pkeyutl -decrypt -inkey image.key -pkeyopt rsa_padding_mode:pkcs1", &wrapped);
    desk.write("body", desk.decode(parts[2]));
    String::from_utf8(desk.openssl("enc -d -aes-256-cbc -pbkdf2 -pass stdin -in body", &passphrase)).unwrap()
}

#[test]
fn openssl_opens_what_is_sealed() {
    let desk = Desk::new();
    desk.rsa("image", 100);
    desk.write("env.yaml", TEXT);
    for (arguments, input) in [
        ("seal --for hpcr --cert image.crt env.yaml", ""),
        ("seal --for hpcr --cert image.pub --section env", TEXT),
    ] {
        let sealed = desk.countersign(arguments, input.as_bytes());
        let token = String::from_utf8(sealed.stdout).unwrap();
        assert_eq!(opened_by_openssl(&desk, &token, "hyper-protect-basic"), TEXT);
        assert_eq!(String::from_utf8(sealed.stderr).unwrap(), UNPROTECTED);
    }
}

#[test]
fn what_openssl_seals_is_opened() {
    let desk = Desk::new();
    desk.rsa("image", 100);
    for prefix in ["hyper-protect-basic", "contract-basic"] {
        // A line feed and what follows it is no part of the passphrase.
        for passphrase in [&b"0123456789abcdef"[..], b"0123\n456789", b"0123\x00456789"] {
            desk.write("token", desk.token(prefix, "image", TEXT.as_bytes(), passphrase) + "\n");
            assert_eq!(desk.answer(0, "open --key image.key token", b""), TEXT);
        }
    }
    let token = desk.token("contract-basic", "image", TEXT.as_bytes(), b"passphrase");
    assert_eq!(desk.answer(0, "open --key image.key", token.as_bytes()), TEXT);
    desk.rsa("other", 100);
    let refused = desk.countersign("open --key other.key", token.as_bytes());
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(1), 0));
    assert_eq!(desk.answer(1, "open --key image.key", b"contract-basic.AAAA"), "");
    assert_eq!(desk.answer(2, "open --key image.pub", token.as_bytes()), "");
    assert_eq!(desk.answer(2, "open --key missing", token.as_bytes()), "");
}

/// The second maker and reader of tokens `countersign-v1`.
fn second_maker(desk: &Desk, arguments: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../qemu/party/seal-v1");
    let output = Command::new(script).args(arguments).current_dir(desk.path("")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_second_maker_and_we_open_each_others_authenticated_tokens() {
    let desk = Desk::new();
    desk.rsa("image", 100);
    desk.rsa("other", 100);
    desk.write("env.yaml", TEXT);
    let sections = ["workload", "env", "attestationPublicKey"];
    for section in sections {
        let sealed = desk.countersign(&format!("seal --cert image.crt --section {section} env.yaml"), b"");
        assert_eq!(sealed.stderr, b"");
        desk.write("ours", sealed.stdout);
        assert_eq!(second_maker(&desk, &["--open", section, "ours", "image.key"]), TEXT);
        desk.write("theirs", second_maker(&desk, &[section, "env.yaml", "image.crt"]));
        for token in ["ours", "theirs"] {
            assert_eq!(
                desk.answer(0, &format!("open --key image.key --section {section} {token}"), b""),
                TEXT
            );
            let output = desk.countersign(&format!("open --key image.key {token}"), b"");
            assert_eq!(output.stdout, TEXT.as_bytes());
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(said, format!("countersign: the token is for {section}\n"));
            for other in sections.into_iter().filter(|other| *other != section) {
                let open = format!("open --key image.key --section {other} {token}");
                assert_eq!(desk.answer(1, &open, b""), "", "{section} as {other}");
            }
            assert_eq!(desk.answer(1, &format!("open --key other.key {token}"), b""), "");
        }
    }
    assert_eq!(desk.answer(2, "seal --cert image.crt env.yaml", b""), "");
    assert_eq!(desk.answer(1, "open --key image.key", b"countersign-v1.AAAA"), "");
}

#[test]
fn a_contract_is_packed_into_authenticated_tokens_and_mixed_with_old_ones() {
    let desk = Desk::new();
    desk.rsa("image", 100);
    desk.answer(0, "new demo", b"");
    let pack = "pack demo --cert image.crt --key demo/signing.key";
    let sealed = desk.countersign(pack, b"");
    assert_eq!(sealed.stderr, b"");
    let sealed = String::from_utf8(sealed.stdout).unwrap();
    assert_eq!(sealed.matches(": countersign-v1.").count(), 2, "{sealed}");
    let old = desk.countersign(&format!("{pack} --for hpcr"), b"");
    assert_eq!(String::from_utf8(old.stderr).unwrap(), UNPROTECTED);
    let old = String::from_utf8(old.stdout).unwrap();
    assert_eq!(old.matches(": hyper-protect-basic.").count(), 2, "{old}");
    let line =
        |contract: &str, name: &str| contract.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    // The workload demands a signature, the env names the key: neither is kept by an old token.
    let (demand, key) = ("HPL12108W /workload/countersign/policy", "HPL12108W /env/signingKey");
    for (workload, env, warned) in [
        (&sealed, &sealed, vec![]),
        (&sealed, &old, vec![key]),
        (&old, &sealed, vec![demand]),
        (&old, &old, vec![demand, key]),
    ] {
        let both = format!("{}\n{}\n", line(workload, "workload: "), line(env, "env: "));
        desk.write("contract.yaml", desk.answer(0, "sign --key demo/signing.key -", both.as_bytes()));
        let report = desk.report("contract.yaml --key image.key");
        assert_eq!(report["verdict"], "boots", "{report:#}");
        let findings = report["findings"].as_array().unwrap().iter();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let found: Vec<String> =
            findings.map(|one| format!("{} {}", text(&one["code"]), text(&one["pointer"]))).collect();
        assert_eq!(found, warned);
    }
    // Moved to the other section; nothing is said about why it does not open.
    let token = |name: &str| line(&sealed, name).split_once(": ").unwrap().1.to_owned();
    let (workload, env) = (token("workload: "), token("env: "));
    for (contract, stage, pointer) in [
        (format!("workload: {workload}\nenv: {workload}\n"), "unseal", "/env"),
        (format!("workload: {env}\nenv: {env}\n"), "verify", "/workload"),
    ] {
        let signed = desk.answer(0, "sign --key demo/signing.key -", contract.as_bytes());
        desk.write("moved.yaml", signed);
        let report = desk.report("moved.yaml --key image.key");
        let first = &report["findings"][0];
        assert_eq!((&report["stage"], &first["code"]), (&stage.into(), &"HPL11001E".into()), "{report:#}");
        assert_eq!(
            (&first["pointer"], &first["message"]),
            (&pointer.into(), &"the token does not open with the key of this image".into())
        );
    }
}

#[test]
fn the_auditors_key_is_checked_sealed_or_not() {
    let desk = Desk::new();
    for name in ["image", "auditor"] {
        desk.rsa(name, 100);
    }
    desk.answer(0, "new demo", b"");
    let contract = desk.answer(0, "pack demo --cert image.crt --key demo/signing.key", b"");
    let seal = "seal --cert image.crt --section attestationPublicKey auditor.pub";
    let sealed = desk.answer(0, seal, b"");
    let report = |key: &str, options: &str| {
        desk.write("contract.yaml", format!("{contract}attestationPublicKey: {key}\n"));
        desk.report(&format!("contract.yaml {options}"))
    };
    let auditor = desk.base64(desk.text("auditor.pub").as_bytes());
    for key in [auditor.as_str(), sealed.trim_end()] {
        let report = report(key, "--key image.key");
        assert_eq!((&report["verdict"], report["findings"].as_array().unwrap().len()), (&"boots".into(), 0));
    }
    let unchecked = report(&sealed, "")["unchecked"].as_array().unwrap().clone();
    assert!(unchecked.iter().any(|gap| gap["pointer"] == "/attestationPublicKey"), "{unchecked:?}");
    for (key, code) in
        [("no-key", "HPL11002E"), (desk.token("contract-basic", "auditor", b"", b"x").as_str(), "HPL11001E")]
    {
        let report = report(key, "--key image.key");
        let first = &report["findings"][0];
        assert_eq!((&report["stage"], &first["code"]), (&"verify".into(), &code.into()));
        assert_eq!(first["pointer"], "/attestationPublicKey");
    }
}

#[test]
fn openssl_verifies_what_is_signed() {
    let desk = Desk::new();
    desk.rsa("signer", 100);
    let pem = desk.text("signer.pub").trim_end().replace('\n', "\n    ");
    // Block scalars with each way to end, a file without closing line feed, an old signature.
    for (workload, env, rest) in [
        ("|\n  type: workload\n", format!("|\n  signingKey: |\n    {pem}\n"), "# the end\n"),
        (
            "|-\n  type: workload\n",
            format!("|+\n  signingKey: |\n    {pem}\n\n\n"),
            "envWorkloadSignature: |\n  QUJD\n  REVG\n",
        ),
        ("hyper-protect-basic.QUJD.REVG\n", "contract-basic.QUJD.REVG".to_owned(), ""),
    ] {
        desk.write("contract.yaml", format!("# a comment\nworkload: {workload}env: {env}{rest}"));
        let signed = desk.answer(0, "sign --key signer.key contract.yaml", b"");
        assert!(signed.starts_with("# a comment\n"));
        assert_eq!(signed.matches("envWorkloadSignature:").count(), 1);
        let (before, signature) = signed.split_once("envWorkloadSignature: ").unwrap();
        desk.write("signature", desk.decode(signature.trim()));
        // The strings as another reader of YAML has them, without their line breaks.
        let joined: String = if workload.starts_with('|') {
            let key: String = desk.text("signer.pub").lines().map(|line| format!("  {line}")).collect();
            format!("type: workloadsigningKey: |{key}")
        } else {
            "hyper-protect-basic.QUJD.REVGcontract-basic.QUJD.REVG".to_owned()
        };
        desk.openssl("dgst -sha256 -verify signer.pub -signature signature", joined.as_bytes());
        assert!(before.contains(env.trim_end()));
        // Signing again changes nothing.
        desk.write("again.yaml", &signed);
        assert_eq!(desk.answer(0, "sign --key signer.key again.yaml", b""), signed);
    }
}

#[test]
fn a_key_that_does_not_fit_signs_nothing() {
    let desk = Desk::new();
    desk.rsa("signer", 100);
    desk.rsa("other", 100);
    desk.openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ec.key", b"");
    let key = desk.base64(desk.text("signer.crt").as_bytes());
    desk.write("contract.yaml", format!("workload: |\n  type: workload\nenv: |\n  signingKey: {key}\n"));
    desk.answer(0, "sign --key signer.key contract.yaml", b"");
    for (arguments, status) in [
        ("sign --key other.key contract.yaml", 1),
        ("sign --key ec.key contract.yaml", 1),
        ("sign --key signer.pub contract.yaml", 2),
        ("sign --key signer.key missing.yaml", 2),
    ] {
        assert_eq!(desk.answer(status, arguments, b""), "", "{arguments}");
    }
    for contract in [
        "workload: |\n  a: b\nenv: |\n  type: env\n",
        "workload: {}\nenv: {}\n",
        "{workload: a, env: b}\n",
        "workload: [\n",
    ] {
        assert_eq!(desk.answer(1, "sign --key signer.key -", contract.as_bytes()), "", "{contract}");
    }
}

#[test]
fn a_new_folder_is_accepted_and_packed() {
    let desk = Desk::new();
    desk.rsa("image", 100);
    desk.answer(0, "new demo --log-server syslog.example.org", b"");
    for name in ["workload.yaml", "env.yaml", "signing.key", "log-server/ca.key", "log-server/server.key"] {
        let mode = desk.path(&format!("demo/{name}")).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    desk.answer(2, "new demo", b"");
    assert_eq!(desk.report("demo")["verdict"], "boots");
    desk.openssl("verify -CAfile demo/log-server/ca.crt -verify_hostname syslog.example.org demo/log-server/server.crt", b"");

    desk.answer(0, "pack demo --cert image.crt --key demo/signing.key -o contract.yaml", b"");
    assert_eq!(desk.path("contract.yaml").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let report = desk.report("contract.yaml --key image.key");
    assert_eq!((&report["verdict"], report["findings"].as_array().unwrap().len()), (&"boots".into(), 0));
    assert_eq!(report["plan"]["log"]["hostname"], "syslog.example.org");
    // The same files make the same archive.
    let contract = desk.text("contract.yaml");
    let token = contract.lines().next().unwrap().strip_prefix("workload: ").unwrap();
    let workload = desk.answer(0, "open --key image.key", token.as_bytes());
    assert!(workload.starts_with(&desk.text("demo/workload.yaml")));

    let report = desk.report("contract.yaml");
    assert_eq!((&report["verdict"], report["unchecked"].as_array().unwrap().len()), (&"undecided".into(), 3));
    desk.rsa("other", 100);
    let report = desk.report("contract.yaml --key other.key");
    assert_eq!((&report["stage"], &report["findings"][0]["code"]), (&"unseal".into(), &"HPL11001E".into()));
    // Another workload, sealed by anybody, under the old signature.
    let other = desk.answer(0, "seal --cert image.crt --section workload demo/workload.yaml", b"");
    desk.write("moved.yaml", contract.replace(token, other.trim_end()));
    let report = desk.report("moved.yaml --key image.key");
    assert_eq!((&report["stage"], &report["findings"][0]["code"]), (&"verify".into(), &"HPL12001E".into()));

    desk.answer(0, "pack demo --plain --key demo/signing.key -o plain.yaml", b"");
    let report = desk.report("plain.yaml");
    assert_eq!((&report["verdict"], report["findings"].as_array().unwrap().len()), (&"boots".into(), 0));

    assert_eq!(desk.answer(1, "pack demo --cert image.crt", b""), "");
    assert_eq!(desk.answer(1, "pack demo --cert image.crt --key other.key", b""), "");
    assert_eq!(desk.answer(2, "pack demo --key demo/signing.key", b""), "");
    std::os::unix::fs::symlink("/etc/hostname", desk.path("demo/compose/link")).unwrap();
    assert_eq!(desk.answer(2, "pack demo --plain --key demo/signing.key", b""), "");
    std::fs::remove_file(desk.path("demo/compose/link")).unwrap();
    desk.write("demo/compose/compose.yaml", "services:\n  web:\n    image: web:latest\n");
    assert_eq!(desk.answer(1, "pack demo --plain --key demo/signing.key", b""), "");
}

#[test]
fn dates_are_held_against_the_time() {
    let desk = Desk::new();
    desk.answer(0, "new demo", b"");
    let findings = |at: &str| -> Vec<String> {
        let report = desk.report(&format!("demo --at {at}"));
        let findings = report["findings"].as_array().unwrap().clone();
        findings
            .iter()
            .map(|finding| format!("{} {} {}", finding["code"], finding["pointer"], finding["message"]))
            .collect()
    };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let in_days = |days: u64| findings(&(now + days * 86_400).to_string());
    assert_eq!(in_days(0), Vec::<String>::new());
    for (days, message) in
        [(340, "the certificate expires within 30 days"), (366, "the certificate has expired")]
    {
        let expected = ["server", "cert"]
            .map(|field| format!("\"HPL05206W\" \"/env/logging/syslog/{field}\" \"{message}\""));
        assert_eq!(in_days(days), expected);
    }
    assert!(findings("2020-01-01")[0].contains("has not begun"));

    // A signing certificate's end is the contract's.
    desk.rsa("signer", 100);
    let env = desk.text("demo/env.yaml");
    let (env, _) = env.split_once("\nsigningKey:").unwrap();
    let certificate = desk.base64(desk.text("signer.crt").as_bytes());
    desk.write("demo/env.yaml", format!("{env}\nsigningKey: {certificate}\n"));
    assert_eq!(in_days(10), Vec::<String>::new());
    assert!(in_days(90)[0].starts_with("\"HPL05206W\" \"/env/signingKey\""));
    assert!(in_days(101)[0].starts_with("\"HPL12103E\" \"/env/signingKey\""));
    assert_eq!(desk.countersign("check demo --at yesterday", b"").status.code(), Some(2));
}

#[test]
fn a_volume_of_which_nothing_says_whether_it_exists_is_noticed() {
    let desk = Desk::new();
    desk.answer(0, "new demo", b"");
    let workload = desk.text("demo/workload.yaml");
    assert_eq!(desk.report("demo")["findings"], serde_json::json!([]), "new says if-blank");
    let unsaid = workload.replace("      initialize: if-blank\n", "      discard: false\n");
    assert_ne!(unsaid, workload);
    desk.write("demo/workload.yaml", &unsaid);
    let report = desk.report("demo");
    assert_eq!(report["verdict"], "boots");
    let line = unsaid.lines().position(|line| line == "  data:").unwrap() + 2;
    let expected = serde_json::json!([{
        "stage": "validate",
        "code": "HPL05207I",
        "severity": "info",
        "section": "workload",
        "pointer": "/workload/volumes/data",
        "line": line,
        "column": 5,
        "message": "the contract does not say whether the volume exists",
        "hint": "say initialize: never under countersign.volumes once the volume was made, or if-blank where that is meant",
    }]);
    assert_eq!(report["findings"], expected);
    let text = desk.answer(0, "check demo --source never", b"");
    let head =
        format!("\ninfo HPL05207I at validate: /workload/volumes/data (workload line {line}, column 5)\n");
    assert!(text.starts_with("demo: boots\n") && text.contains(&head), "{text}");
    assert!(text.contains("  hint: say initialize: never under countersign.volumes"), "{text}");
    // Either section may say it.
    let env = desk.text("demo/env.yaml");
    for said in ["never", "if-blank"] {
        let own = format!("\ncountersign:\n  volumes:\n    data:\n      initialize: {said}\n");
        let env_saying = env.replace("\ncountersign:\n", &own);
        assert_ne!(env_saying, env);
        desk.write("demo/env.yaml", env_saying);
        assert_eq!(desk.report("demo")["findings"], serde_json::json!([]), "{said}");
    }
}

#[test]
fn facts_say_which_disk_is_which() {
    let desk = Desk::new();
    desk.answer(0, "new demo", b"");
    let facts = |disks: &str| {
        desk.write("facts.json", format!("{{\"disks\": [{disks}]}}"));
        desk.report("demo --facts facts.json")
    };
    let disk = |serial: &str, content: &str| {
        format!(r#"{{"name": "vdb", "serial": "{serial}", "size": 1073741824, "content": "{content}"}}"#)
    };
    let report = facts(&disk("data", "blank"));
    let volume = &report["plan"]["volumes"][0];
    assert_eq!(
        (&volume["disk"], &volume["action"]),
        (&"vdb".into(), &"make a new volume on the blank disk vdb".into())
    );
    assert_eq!(facts(&disk("data", "luks"))["plan"]["volumes"][0]["action"], "open the volume on vdb");
    for (disks, code) in [
        (disk("data", "other"), "HPL07102E"),
        (disk("other", "blank"), "HPL07100E"),
        (String::new(), "HPL07100E"),
    ] {
        let report = facts(&disks);
        assert_eq!((&report["stage"], &report["findings"][0]["code"]), (&"unlock".into(), &code.into()));
        assert_eq!(report["findings"][0]["pointer"], "/workload/volumes/data");
    }
    desk.write("facts.json", "{\"disks\": [], \"more\": 1}");
    assert_eq!(desk.countersign("check demo --facts facts.json", b"").status.code(), Some(2));
}

#[test]
fn what_is_sealed_has_to_be_signed() {
    let desk = Desk::new();
    desk.rsa("image", 100);
    desk.answer(0, "new demo", b"");
    let told = |report: &serde_json::Value, number: usize| {
        let text = |name: &str| report["findings"][number][name].as_str().unwrap().to_owned();
        format!("{} at {}: {} {}", report["verdict"], report["stage"], text("code"), text("pointer"))
    };
    let first = |report: &serde_json::Value| told(report, 0);
    // A contract: with and without the image's key, whatever of it is sealed.
    let contract = desk.answer(0, "pack demo --cert image.crt --key demo/signing.key", b"");
    let (unsigned, _) = contract.split_once("envWorkloadSignature").unwrap();
    desk.write("unsigned.yaml", unsigned);
    let refused = "\"refused\" at \"verify\": HPL12109E /envWorkloadSignature";
    for arguments in ["unsigned.yaml", "unsigned.yaml --key image.key", "unsigned.yaml --unsigned refuse"] {
        let report = desk.report(arguments);
        assert_eq!(first(&report), refused, "{arguments}");
        let finding = &report["findings"][0];
        assert_eq!(finding["message"], "expected a signature, because a section is sealed");
        assert!(
            finding["hint"].as_str().unwrap().starts_with("name the key as env.signingKey and sign with ")
        );
    }
    // The image accepts it; this one names a key all the same.
    let report = desk.report("unsigned.yaml --key image.key --unsigned accept");
    assert_eq!(told(&report, 1), "\"refused\" at \"verify\": HPL12004E /env/signingKey");
    // A folder is judged as it will be packed; nothing is packed that would be refused.
    for (name, old, new) in [("env", "\nsigningKey:", "\n# signingKey:"), ("workload", "refuse", "accept")] {
        let text = desk.text(&format!("demo/{name}.yaml"));
        assert_eq!(text.matches(old).count(), 1);
        desk.write(&format!("demo/{name}.yaml"), text.replace(old, new));
    }
    let at_the_key = "\"refused\" at \"verify\": HPL12109E /env/signingKey";
    for arguments in ["demo", "demo --unsigned refuse"] {
        assert_eq!(first(&desk.report(arguments)), at_the_key, "{arguments}");
    }
    for arguments in ["pack demo --cert image.crt", "pack demo --cert image.crt --for hpcr"] {
        let output = desk.countersign(arguments, b"");
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{arguments}");
        assert!(String::from_utf8(output.stderr).unwrap().contains("HPL12109E"), "{arguments}");
    }
    let accepted = desk.report("demo --unsigned accept");
    assert_eq!(first(&accepted), "\"boots\" at null: HPL12116W ");
    assert_eq!(told(&accepted, 1), "\"boots\" at null: HPL12100W /envWorkloadSignature");
    // Nothing sealed, nothing to steal.
    desk.answer(0, "pack demo --plain -o plain.yaml", b"");
    assert_eq!(first(&desk.report("plain.yaml")), "\"boots\" at null: HPL12100W /envWorkloadSignature");
    let report = desk.report("plain.yaml --unsigned refuse");
    assert_eq!(first(&report), "\"refused\" at \"verify\": HPL12102E /env/signingKey");
}
