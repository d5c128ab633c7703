//! What a host, or whoever is on the way, may put in the place of a record: each with its verdict and its exit status, which
//! is 1 where there is a report and 2 where there is nothing to report on.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::Desk;
use crate::world::{contract, desk, line, note, refused, sha256, sign, verify};

const GIVEN: &str = "--certificate image.crt --contract contract.yaml";
const USUAL: &str = "usual cause: the certificate is that of another version of the image; else the record was altered, \
    or the signature is of another boot";

/// A record and its signature in one text, and the same as lines of a log.
fn bundle(desk: &Desk, record: &str, signature: &str) -> (String, String) {
    let signature = desk.base64(&std::fs::read(desk.path(signature)).unwrap());
    let text = json!({"format": 1, "record": record, "signature": signature}).to_string();
    let coded = desk.base64(text.as_bytes());
    let parts: Vec<&str> =
        coded.as_bytes().chunks(800).map(|part| std::str::from_utf8(part).unwrap()).collect();
    let lines = (1..).zip(&parts);
    let log = lines.map(|(number, part)| format!("countersign-record: {number}/{} {part}\n", parts.len()));
    (text, log.collect())
}

/// The verdict over the signature and its note.
fn signature(report: &Value) -> (&str, &str, &str) {
    let check = line(report, "signature");
    (report["verdict"].as_str().unwrap(), check["verdict"].as_str().unwrap(), note(check))
}

#[test]
fn a_truncated_record_is_bad_or_none() {
    let desk = desk();
    let record = contract(&desk);
    sign(&desk, &record);
    let whole = std::fs::read(desk.path("signature")).unwrap();
    // Behind a line, within one, and one byte less.
    for length in [record.rfind("Warning").unwrap(), record.len() - 10, record.len() - 1] {
        desk.write("cut", &record[..length]);
        let report = verify(&desk, &format!("cut --signature signature {GIVEN}"));
        assert_eq!(signature(&report), ("bad", "bad", USUAL), "{length}");
        assert_eq!(report["counts"]["good"], 0, "no line is good");
    }
    for length in [0, 1, whole.len() - 1] {
        desk.write("cut", &whole[..length]);
        let report = verify(&desk, &format!("record --signature cut {GIVEN}"));
        assert_eq!(signature(&report), ("bad", "bad", USUAL), "{length}");
        assert_eq!(line(&report, "signature")["found"], format!("{length} bytes"));
    }
    desk.write("cut", &record[..3]);
    assert!(refused(&desk, "cut").contains("expected digests in the record, found none"));
    // A token, a bundle and a log that end too early.
    let token =
        desk.token("hyper-protect-basic", "auditor", record.as_bytes(), b"0123456789abcdef0123456789abcdef");
    desk.write("cut", &token[..token.len() - 24]);
    let said = refused(&desk, "cut --key auditor.key");
    assert!(
        said.contains("does not open with this key: it is encrypted to another auditor, or was altered"),
        "{said}"
    );
    let (text, log) = bundle(&desk, &record, "signature");
    desk.write("cut", &text[..text.len() - 1]);
    assert!(refused(&desk, "cut").contains("expected the JSON of a bundle of records: EOF while parsing"));
    desk.write("cut", &log[..log.rfind("countersign-record").unwrap()]);
    assert!(
        refused(&desk, "cut")
            .contains("expected all lines of a record in the log, from the first to the last")
    );
    desk.write("cut", &log[..log.len() - 24]);
    refused(&desk, "cut");
}

#[test]
fn a_forged_line_takes_every_good_line_with_it() {
    let desk = desk();
    let record = contract(&desk);
    sign(&desk, &record);
    let env = sha256(&desk, b"token-of-the-env");
    let forgeries = [
        ("Contract serial: 7", "Contract serial: 8"),
        ("Contract is signed", "Contract is not signed"),
        (&*env, &*"f".repeat(64)),
        ("Warning: HPL11104W: not secure\n", ""),
        ("0.1.0", "0.1.1"),
    ];
    for (old, new) in forgeries {
        let forged = record.replace(old, new);
        assert_ne!(forged, record);
        let (text, log) = bundle(&desk, &forged, "signature");
        for (name, content) in [("forged", forged), ("forged.json", text), ("forged.log", log)] {
            desk.write(name, content);
            let own = if name == "forged" { "--signature signature" } else { "" };
            let report = verify(&desk, &format!("{name} {own} {GIVEN}"));
            assert_eq!(signature(&report), ("bad", "bad", USUAL), "{name}: {new}");
            assert_eq!(report["counts"]["good"], 0, "{name}: {new}");
        }
    }
    // A line that says of itself that it needs no signature.
    desk.write("forged", record.replace("Contract serial", "Record is not signed\nContract serial"));
    let report = verify(&desk, "forged");
    assert_eq!(
        (&report["verdict"], &line(&report, "record is not signed")["verdict"]),
        (&"bad".into(), &"bad".into())
    );
}

#[test]
fn a_replayed_record_is_told_by_what_is_expected_anew_and_by_nothing_else() {
    let desk = desk();
    let record = contract(&desk);
    sign(&desk, &record);
    let given = format!("record --signature signature {GIVEN}");
    // The record of an earlier boot with the same contract looks the same: it has no challenge in it.
    assert_eq!(verify(&desk, &given)["verdict"], "good");
    desk.write("expect.json", r#"{"format":1,"serial":8}"#);
    let report = verify(&desk, &format!("{given} --expect expect.json"));
    let serial = line(&report, "contract serial");
    assert_eq!(
        (&report["verdict"], &serial["verdict"], &serial["found"], &serial["expected"], &serial["against"]),
        (&"bad".into(), &"bad".into(), &"7".into(), &"8".into(), &"expectation".into())
    );
    assert_eq!(signature(&report).1, "good");
    // The contract of the next month, whose sections are other tokens.
    desk.write("contract.yaml", desk.text("contract.yaml").replace("of-the-env", "of-the-next-month"));
    let report = verify(&desk, &given);
    assert_eq!(
        (&report["verdict"], &line(&report, "contract:env")["verdict"]),
        (&"bad".into(), &"bad".into())
    );
}

#[test]
fn a_foreign_record_and_another_boots_signature_are_bad() {
    let desk = desk();
    let record = contract(&desk);
    sign(&desk, &record);
    std::fs::rename(desk.path("signature"), desk.path("first-boot")).unwrap();
    // Another boot of the same image: its contract disk was another one.
    let second = record.replace(&sha256(&desk, desk.text("contract.yaml").as_bytes()), &"9".repeat(64));
    sign(&desk, &second);
    for (content, own) in [(&record, "signature"), (&second, "first-boot")] {
        desk.write("record", content);
        let report = verify(&desk, &format!("record --signature {own} {GIVEN}"));
        assert_eq!(signature(&report), ("bad", "bad", USUAL));
    }
    // The record of somebody else's guest of the same image, well signed.
    let foreign =
        ["token-of-the-workload", "token-of-the-env", "c2lnbmF0dXJl"].iter().fold(record, |text, part| {
            text.replace(&sha256(&desk, part.as_bytes()), &sha256(&desk, &part.as_bytes()[1..]))
        });
    sign(&desk, &foreign);
    let report = verify(&desk, &format!("record --signature signature {GIVEN}"));
    assert_eq!(signature(&report), ("bad", "good", ""));
    for name in ["contract:workload", "contract:env", "contract:envWorkloadSignature"] {
        let line = line(&report, name);
        assert_eq!((&line["verdict"], &line["anchor"]), (&"bad".into(), &"image-key".into()), "{name}");
    }
    // A guest of another image, with the certificate of this one.
    desk.openssl("sha256 -sign other.key -out signature record", b"");
    let report = verify(&desk, &format!("record --signature signature {GIVEN}"));
    assert_eq!(signature(&report), ("bad", "bad", USUAL));
}

#[test]
fn keys_and_certificates_in_each_others_place_are_files_at_fault() {
    let desk = desk();
    sign(&desk, &contract(&desk));
    desk.openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out small.key", b"");
    desk.openssl("pkey -in small.key -pubout -out small.pub", b"");
    desk.openssl("req -x509 -new -key small.key -subj /CN=small -out small.crt", b"");
    let certificates = "expected one or more certificates, in PEM form or base64 of that, and nothing else";
    let private = "expected an unencrypted private key in PEM form";
    for (arguments, words) in [
        ("--certificate image.key", &*format!("image.key: {certificates}")),
        ("--certificate image.crt --chain authority.key", &*format!("authority.key: {certificates}")),
        (
            "--certificate image.crt --chain authority.crt --crl authority.crt",
            "authority.crt: expected a certificate revocation list",
        ),
        ("--certificate small.crt", "expected the certificate of an RSA key of at least 2048 bits"),
        ("--key auditor.pub", &*format!("auditor.pub: {private}")),
        ("--key auditor.crt", &*format!("auditor.crt: {private}")),
        ("--key small.key", "found 1024"),
    ] {
        let said = refused(&desk, &format!("record --signature signature {arguments}"));
        assert!(said.contains(words), "{words:?} in {said}");
    }
    // The auditor's own key in the contract: what a guest refuses is refused before it is deployed.
    desk.countersign("new draft", b"");
    let plain = desk.answer(0, "pack draft --plain --key draft/signing.key", b"");
    for (key, words) in [
        ("small.pub", "at least 2048 bits, found 1024"),
        ("auditor.key", "expected a public key or a certificate, in PEM form or base64 of that"),
        ("image.crt", ""),
    ] {
        let coded = desk.base64(desk.text(key).as_bytes());
        desk.write("named.yaml", format!("{plain}attestationPublicKey: {coded}\n"));
        let output = desk.countersign("attest expect named.yaml", b"");
        let said = String::from_utf8(output.stderr).unwrap();
        if words.is_empty() {
            assert_eq!(output.status.code(), Some(0), "{said}");
            continue;
        }
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{said}");
        assert!(
            said.contains("HPL11002E /attestationPublicKey: ") && said.contains(words),
            "{words:?} in {said}"
        );
    }
}

/// 10 MiB in every form: refused within 10 s of processor time and 192 MiB of memory of its own.
#[test]
fn ten_mebibytes_of_lines_are_refused_within_bounds() {
    const SIZE: usize = 10 << 20;
    let desk = desk();
    sign(&desk, &contract(&desk));
    let digest = |number: usize| format!("{number:064x} cidata/{number}\n");
    let lines: String = (0..SIZE / 80).map(digest).collect();
    let record = format!("0.1.0\n{lines}");
    let log = |line: &dyn Fn(usize) -> String| (0..SIZE / 850).map(line).collect::<String>();
    let part = "QUFB".repeat(200);
    for (text, words) in [
        (record.clone(), "expected a record of at most 262144 bytes"),
        ("\n".repeat(SIZE), "expected a record of at most 262144 bytes"),
        (
            json!({"format": 1, "record": record}).to_string(),
            "expected a bundle of records of at most 2097152 bytes",
        ),
        (
            format!("hyper-protect-basic.{}.{}", part, part.repeat(SIZE / 800)),
            "the record is encrypted to an auditor",
        ),
        (
            log(&|number| format!("countersign-record: {}/{} {part}\n", number + 1, SIZE / 850)),
            "expected all lines of a record in the log",
        ),
        (
            log(&|number| format!("countersign-record: {}/4000 {part}\n", number % 4000 + 1)),
            "expected a bundle of records of at most 2097152 bytes",
        ),
        (log(&|_| format!("countersign-record: 1/2 {part}\n")), "expected all lines of a record in the log"),
    ] {
        assert!(text.len() > SIZE * 9 / 10, "{}", text.len());
        desk.write("large", text);
        let mut command = Command::new("prlimit");
        command.args([
            "--data=201326592",
            "--cpu=10",
            env!("CARGO_BIN_EXE_countersign"),
            "attest",
            "verify",
            "large",
        ]);
        let output = command.args(GIVEN.split(' ')).current_dir(desk.path("")).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{said}");
        assert!(said.contains(words), "{words:?} in {said}");
    }
    // As many lines as a record may have are judged, each.
    let most: String = (0..1016).map(digest).collect();
    sign(&desk, &contract(&desk).replacen("Countersign record", &format!("{most}Countersign record"), 1));
    assert_eq!(desk.text("record").lines().count(), 1028);
    assert!(refused(&desk, "record").contains("expected a record of at most 1024 lines"));
    let most: String = (0..1012).map(digest).collect();
    sign(&desk, &contract(&desk).replacen("Countersign record", &format!("{most}Countersign record"), 1));
    let report = verify(&desk, &format!("record --signature signature {GIVEN}"));
    assert_eq!((&report["verdict"], report["lines"].as_array().unwrap().len()), (&"good".into(), 1024));
}

#[test]
fn what_is_no_record_is_refused_with_its_line() {
    let desk = desk();
    for (text, words) in [
        ("x\n".repeat(5 << 20), "expected a record of at most 262144 bytes"),
        (String::new(), "line 1: expected the version of the image"),
        ("26.7.1\n".to_owned(), "expected digests in the record, found none"),
        (
            format!("26.7.1\n{} sbom\n{} sbom\n", "a".repeat(64), "b".repeat(64)),
            "line 3: expected each line once",
        ),
        (
            format!("26.7.1\n{} sbom\n\u{7}\n", "a".repeat(64)),
            "line 3: expected text without control characters",
        ),
        (
            format!("0.1.0\nCountersign final record: 1\n{} countersign:record\n", "a".repeat(64)),
            "expected the first record",
        ),
    ] {
        desk.write("record", text);
        let said = refused(&desk, "record");
        assert!(said.contains(words), "{words:?} in {said}");
    }
}

#[test]
fn extra_and_missing_lines_are_bad() {
    let desk = desk();
    let record = contract(&desk);
    let with = "record --signature signature --certificate image.crt --contract contract.yaml";
    sign(
        &desk,
        &record.replace(
            "Countersign record",
            &format!("{} contract:attestationPublicKey\nCountersign record", "a".repeat(64)),
        ),
    );
    let extra = verify(&desk, with);
    let line_of_it = line(&extra, "contract:attestationPublicKey");
    assert_eq!(
        (&line_of_it["verdict"], &line_of_it["expected"]),
        (&"bad".into(), &"nothing of this name".into())
    );
    let lines: Vec<&str> = record.lines().filter(|line| !line.ends_with(" contract:env")).collect();
    sign(&desk, &format!("{}\n", lines.join("\n")));
    let missing = verify(&desk, with);
    let line_of_it = line(&missing, "contract:env");
    assert_eq!(
        (&line_of_it["verdict"], &line_of_it["line"], &line_of_it["found"]),
        (&"bad".into(), &Value::Null, &Value::Null)
    );
    // A line of a later version is told and is no fault; one that stands there twice is.
    sign(&desk, &record.replace("Contract serial", "Something: new\nContract serial"));
    let later = verify(&desk, with);
    let line_of_it = line(&later, "line");
    assert_eq!(
        (&later["verdict"], &line_of_it["verdict"], note(line_of_it)),
        (&"good".into(), &"unchecked".into(), "no version of this program knows such a line")
    );
    sign(&desk, &record.replace("Contract serial: 7", "Contract serial: 7\nContract serial: 7"));
    assert!(refused(&desk, "record").contains("line 12: expected each line once, found the same name again"));
    // The serial that is expected and not there.
    sign(&desk, &record.replace("Contract serial: 7\n", ""));
    desk.write("expect.json", r#"{"format":1,"serial":7}"#);
    let missing = verify(&desk, &format!("{with} --expect expect.json"));
    let line_of_it = line(&missing, "contract serial");
    assert_eq!(
        (&missing["verdict"], &line_of_it["verdict"], &line_of_it["found"], &line_of_it["expected"]),
        (&"bad".into(), &"bad".into(), &Value::Null, &"7".into())
    );
}
