//! What a line is worth: signature, chain, dates, lists; shapes of every generation of HPCR; expectations, pages, sentences.

use serde_json::Value;

use crate::world::{contract, desk, line, list, note, refused, sha256, sign, verify};

#[test]
fn a_line_is_good_only_where_something_says_so_and_the_signature_holds() {
    let desk = desk();
    sign(&desk, &contract(&desk));
    let signed = "record --signature signature --certificate image.crt";
    let alone = verify(&desk, signed);
    assert_eq!(alone["verdict"], "good");
    assert_eq!(line(&alone, "signature")["verdict"], "good");
    for name in ["version", "contract:env", "contract:workload", "contract serial", "machine", "warning"] {
        assert_eq!(line(&alone, name)["verdict"], "unchecked", "{name}");
    }
    let whole = verify(&desk, &format!("{signed} --contract contract.yaml"));
    assert_eq!(whole["verdict"], "good");
    for name in [
        "contract:env",
        "contract:workload",
        "contract:envWorkloadSignature",
        "cidata/user-data",
        "contract is signed",
    ] {
        let line = line(&whole, name);
        assert_eq!(
            (&line["verdict"], &line["against"], &line["anchor"]),
            (&"good".into(), &"contract".into(), &"image-key".into()),
            "{name}"
        );
    }
    assert_eq!(line(&whole, "machine")["anchor"], "host");
    // Without a signature, or with a certificate that nobody vouches for, the same lines are not good.
    for arguments in
        ["record --contract contract.yaml", "record --signature signature --contract contract.yaml"]
    {
        let report = verify(&desk, arguments);
        assert_eq!(report["verdict"], "unchecked");
        let line = line(&report, "contract:env");
        assert_eq!((&line["verdict"], &line["anchor"]), (&"unchecked".into(), &"nobody".into()));
        assert!(note(line).contains("no signature was verified"));
        assert_eq!(report["counts"]["good"], 0, "{report:#}");
    }
    // Another contract.
    desk.write("contract.yaml", desk.text("contract.yaml").replace("of-the-env", "of-another"));
    let report = verify(&desk, &format!("{signed} --contract contract.yaml"));
    assert_eq!(report["verdict"], "bad");
    let bad = line(&report, "contract:env");
    assert_eq!((&bad["verdict"], &bad["line"]), (&"bad".into(), &6.into()));
    assert_eq!(bad["expected"], sha256(&desk, b"token-of-another"));
    assert!(note(bad).contains("as it was delivered"));
    assert_eq!(line(&report, "contract:workload")["verdict"], "good");
    // The file alone proves nothing.
    assert_eq!(line(&report, "cidata/user-data")["verdict"], "unchecked");
}

#[test]
fn a_signature_that_does_not_hold_is_bad_and_hints_at_the_usual_cause() {
    let desk = desk();
    let record = contract(&desk);
    sign(&desk, &record);
    let report = verify(&desk, "record --signature signature --certificate other.crt");
    assert_eq!((&report["verdict"], &line(&report, "signature")["verdict"]), (&"bad".into(), &"bad".into()));
    assert!(
        note(line(&report, "signature"))
            .contains("usual cause: the certificate is that of another version of the image")
    );
    // Where the record says when its certificate ends, that tells.
    let end = "Attestation Certificate valid until: Jul 06 06:44:41 2027 UTC";
    let dated = record.replace("Image age", &format!("{end}\nImage age"));
    sign(&desk, &dated);
    let report = verify(&desk, "record --signature signature --certificate other.crt");
    assert!(
        note(line(&report, "signature"))
            .starts_with("the record is of an image whose certificate ends Jul 06 06:44:41 2027 UTC")
    );
    assert_eq!(line(&report, "attestation certificate ends")["verdict"], "bad");
    // Forged, cut, of another record, no signature at all, another padding.
    sign(&desk, &record);
    desk.write("forged", record.replace("Contract serial: 7", "Contract serial: 8"));
    assert_eq!(verify(&desk, "forged --signature signature --certificate image.crt")["verdict"], "bad");
    desk.write("cut", &record[..record.len() - 10]);
    assert_eq!(verify(&desk, "cut --signature signature --certificate image.crt")["verdict"], "bad");
    desk.openssl("dgst -sha256 -sigopt rsa_padding_mode:pss -sign image.key -out pss record", b"");
    for signature in ["pss", "contract.yaml"] {
        let report = verify(&desk, &format!("record --signature {signature} --certificate image.crt"));
        assert_eq!(line(&report, "signature")["verdict"], "bad");
        assert_eq!(report["counts"]["good"], 0);
    }
}

#[test]
fn the_certificate_is_held_against_its_chain_dates_and_lists() {
    let desk = desk();
    sign(&desk, &contract(&desk));
    let with = |more: &str| verify(&desk, &format!("record --signature signature {more}"));
    let good = with("--certificate image.crt --chain authority.crt --crl good.crl");
    assert_eq!(
        (&good["verdict"], &line(&good, "certificate")["anchor"]),
        (&"good".into(), &"authority".into())
    );
    assert_eq!(line(&good, "certificate")["verdict"], "good");
    let unlisted = with("--certificate image.crt --chain authority.crt");
    assert!(note(line(&unlisted, "certificate")).contains("it may have been revoked"));
    for (more, words) in [
        ("--certificate image.crt --chain foreign.crt", "not issued by any certificate of the chain"),
        ("--certificate image.crt --at 2040-01-01", "it has expired; give --at"),
        ("--certificate image.crt --at 2020-01-01", "not yet valid at this time"),
        (
            "--certificate image.crt --chain foreign.crt --chain authority.crt --crl foreign-list.crl",
            "revocation list",
        ),
    ] {
        if more.contains("foreign-list") {
            list(&desk, "foreign-list", "auditor", &[]);
        }
        let report = with(more);
        assert_eq!(report["verdict"], "bad", "{more}");
        assert!(note(line(&report, "certificate")).contains(words), "{more}: {report:#}");
    }
    desk.openssl("sha256 -sign revoked.key -out signature record", b"");
    let report = with("--certificate revoked.crt --chain authority.crt --crl good.crl");
    assert!(note(line(&report, "certificate")).contains("revoked") && report["verdict"] == "bad");
}

#[test]
fn an_encrypted_record_is_opened_with_the_auditors_key_and_no_other() {
    let desk = desk();
    let auditor = sha256(&desk, &desk.openssl("pkey -pubin -in auditor.pub -outform DER", b""));
    let record = contract(&desk).replace(
        "Contract serial",
        "Auditor's key: not covered by a signature, the host could have exchanged it\nContract serial",
    );
    let record =
        record.replace("Contract is signed", &format!("{auditor} countersign:auditor\nContract is signed"));
    sign(&desk, &record);
    desk.write(
        "record.enc",
        desk.token("hyper-protect-basic", "auditor", record.as_bytes(), b"0123456789abcdef0123456789abcdef"),
    );
    let report = verify(&desk, "record.enc --key auditor.key --signature signature --certificate image.crt");
    assert_eq!(report["verdict"], "good");
    let own = line(&report, "countersign:auditor");
    assert_eq!((&own["verdict"], &own["against"]), (&"good".into(), &"auditor-key".into()));
    assert!(note(line(&report, "auditor's key")).contains("chosen by whoever delivered the contract"));
    desk.openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out small.key", b"");
    for (key, words) in [
        ("", "expected --key with that auditor's private key"),
        ("--key image.key", "does not open with this key"),
        ("--key auditor.pub", "expected an unencrypted private key in PEM form"),
        ("--key small.key", "found 1024"),
    ] {
        let said = refused(&desk, &format!("record.enc {key}"));
        assert!(said.contains(words), "{words:?} in {said}");
    }
    desk.write(
        "broken.enc",
        desk.text("record.enc").replacen("hyper-protect-basic.", "hyper-protect-basic.A", 1),
    );
    refused(&desk, "broken.enc --key auditor.key");
}

#[test]
fn records_of_hpcrs_generations_are_held_against_the_contract() {
    let desk = desk();
    contract(&desk);
    let digest = |text: &str| sha256(&desk, text.as_bytes());
    let (workload, env, signature) =
        (digest("token-of-the-workload"), digest("token-of-the-env"), digest("c2lnbmF0dXJl"));
    let info = "Machine Type/Plant/Serial: 3932/02/12345\n";
    let root = format!("{} root.tar.gz\n{} baseimage\n", "1".repeat(64), "2".repeat(64));
    let generations = [
        format!(
            "24.6.9\n{info}{root}{env} contract: env\n{workload} contract: workload\n{signature} contract: envWorkloadSignature\n"
        ),
        format!(
            "24.8.0\n{info}{root}{env} contract:env \n{signature} contract:envWorkloadSignature \n{workload} contract:workload"
        ),
        format!(
            "26.7.1\n{info}Image age: 10 days since creation.\n{} certificate_expiry_date.json\n{root}{workload} contract:workload\n{env} contract:env\n{signature} contract:envWorkloadSignature\n",
            "3".repeat(64)
        ),
    ];
    for record in generations {
        sign(&desk, &record);
        let report =
            verify(&desk, "record --signature signature --certificate image.crt --contract contract.yaml");
        assert_eq!((&report["verdict"], &report["kind"]), (&"good".into(), &"hpcr".into()), "{report:#}");
        for name in ["contract:env", "contract:workload", "contract:envWorkloadSignature"] {
            assert_eq!(line(&report, name)["verdict"], "good", "{name} in {record}");
        }
        assert!(note(line(&report, "root.tar.gz")).contains("published for each image"));
        assert_eq!(
            report["lines"].as_array().unwrap().iter().filter(|line| line["verdict"] == "bad").count(),
            0
        );
    }
    // 24.3.3: what is hashed under a bare name is not public, so nothing is bad.
    sign(&desk, &format!("24.3.3\n{info}{root}{env} env\n{} workload\n", "4".repeat(64)));
    let report =
        verify(&desk, "record --signature signature --certificate image.crt --contract contract.yaml");
    assert_eq!(report["verdict"], "good", "{report:#}");
    assert_eq!(line(&report, "env")["verdict"], "good");
    assert_eq!(line(&report, "workload")["verdict"], "unchecked");
    // 23.3.0 has no digests of the parts, and that is not missing.
    sign(
        &desk,
        &format!("23.3.0\n{root}{} cidata/user-data\n", sha256(&desk, desk.text("contract.yaml").as_bytes())),
    );
    let report =
        verify(&desk, "record --signature signature --certificate image.crt --contract contract.yaml");
    assert_eq!(
        (&report["verdict"], &line(&report, "cidata/user-data")["verdict"]),
        (&"good".into(), &"good".into())
    );
    // What IBM publishes goes into an expectation.
    desk.write(
        "expect.json",
        format!(
            r#"{{"format":1,"digests":[{{"name":"baseimage","values":["{}"],"source":"expectation"}}]}}"#,
            "9".repeat(64)
        ),
    );
    let report = verify(&desk, "record --signature signature --certificate image.crt --expect expect.json");
    assert_eq!((&report["verdict"], &line(&report, "baseimage")["verdict"]), (&"bad".into(), &"bad".into()));
}

#[test]
fn a_final_record_is_the_guest_oss_word_and_of_this_boot() {
    let desk = desk();
    desk.openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out boot.key", b"");
    desk.openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out other-boot.key", b"");
    let public = desk.base64(&desk.openssl("pkey -in boot.key -pubout -outform DER", b""));
    let record = contract(&desk).replace("Warning:", &format!("Key of the final record: {public}\nWarning:"));
    sign(&desk, &record);
    let last = |digest: &str| {
        let transcript = sha256(&desk, b"{}");
        format!(
            "0.1.0\nCountersign final record: 1\n{digest} countersign:record\n{transcript} countersign:transcript\nVolume: data uuid=1 generation=2\n"
        )
    };
    desk.write("transcript.json", "{}");
    let own = sha256(&desk, record.as_bytes());
    let with = |digest: &str, key: &str| {
        desk.write("final", last(digest));
        desk.openssl(&format!("sha256 -sign {key} -out final-signature final"), b"");
        verify(
            &desk,
            "record --signature signature --certificate image.crt --final-record final \
             --final-signature final-signature --transcript transcript.json",
        )
    };
    let good = with(&own, "boot.key");
    assert_eq!(good["verdict"], "good", "{good:#}");
    for name in ["countersign:record", "countersign:transcript"] {
        let line = line(&good, name);
        assert_eq!((&line["verdict"], &line["anchor"]), (&"good".into(), &"guest-os".into()), "{name}");
    }
    assert_eq!(line(&good, "key of the final record")["verdict"], "good");
    // Of another boot, and beside another first record.
    let replayed = with(&own, "other-boot.key");
    assert_eq!(
        (&replayed["verdict"], &line(&replayed, "signature of the final record")["verdict"]),
        (&"bad".into(), &"bad".into())
    );
    let foreign = with(&"a".repeat(64), "boot.key");
    assert!(
        note(line(&foreign, "countersign:record")).contains("another first record")
            && foreign["verdict"] == "bad"
    );
}

#[test]
fn one_command_and_two_files_are_enough() {
    let desk = desk();
    let record = contract(&desk);
    sign(&desk, &record);
    let signature = desk.base64(&std::fs::read(desk.path("signature")).unwrap());
    let bundle = serde_json::json!({
        "format": 1, "record": record, "signature": signature, "certificate": desk.text("image.crt"),
    });
    desk.write("record.json", bundle.to_string());
    // The lines of a log, cut here by hand.
    let text = desk.base64(bundle.to_string().as_bytes());
    let parts: Vec<&str> =
        text.as_bytes().chunks(800).map(|part| std::str::from_utf8(part).unwrap()).collect();
    let lines = parts.iter().zip(1..).map(|(part, number)| {
        format!("<30>1 2026-11-30T00:00:00Z guest countersignd - - - countersign-record: {number}/{} {part}\nnoise\n", parts.len())
    });
    let log: String = lines.collect();
    // The host delivers a part twice.
    desk.write("guest.log", format!("{}{log}", log.lines().next().unwrap().to_owned() + "\n"));
    std::fs::create_dir_all(desk.path("hyperprotect/countersign")).unwrap();
    desk.write("hyperprotect/se-checksums.txt", &record);
    std::fs::copy(desk.path("signature"), desk.path("hyperprotect/se-signature.bin")).unwrap();
    std::fs::copy(desk.path("image.crt"), desk.path("hyperprotect/countersign/attestation.crt")).unwrap();
    for given in ["record.json", "guest.log", "hyperprotect"] {
        assert_eq!(verify(&desk, &format!("{given} --certificate image.crt"))["verdict"], "good", "{given}");
        assert_eq!(verify(&desk, &format!("{given} --chain authority.crt"))["verdict"], "good", "{given}");
        // What came with the record vouches for nothing.
        let alone = verify(&desk, given);
        assert_eq!(
            (&alone["verdict"], &line(&alone, "signature")["verdict"]),
            (&"unchecked".into(), &"unchecked".into())
        );
        let other = verify(&desk, &format!("{given} --certificate other.crt"));
        assert!(
            note(line(&other, "signature")).contains("holds under the certificate that came with the record"),
            "{other:#}"
        );
    }
    // A container prints another bundle behind it; where the log tells who wrote a line, that one does not count.
    let by = |origin: &str, log: &str| {
        log.replace("- - - ", &format!("- - [countersign@32473 origin=\"{origin}\"] "))
    };
    let other = desk.base64(bundle.to_string().replace("serial: 7", "serial: 8").as_bytes());
    let other = format!("<134>1 2026 guest x - - - countersign-record: 1/1 origin=\"guest\" {other}\n");
    desk.write("guest.log", format!("{}{}", by("guest", &log), by("container", &other)));
    assert_eq!(verify(&desk, "guest.log --certificate image.crt")["verdict"], "good");
    desk.write("guest.log", log.lines().skip(1).map(|line| format!("{line}\n")).collect::<String>());
    assert!(refused(&desk, "guest.log").contains("expected all lines of a record in the log"));
    let text = desk.answer(0, "attest verify record.json --certificate image.crt", b"");
    assert!(
        text.starts_with("a record of Countersign, image 0.1.0\n")
            && text.contains("\ngood: the signature holds"),
        "{text}"
    );
}

#[test]
fn an_expectation_holds_no_secret_and_is_what_verify_reads() {
    let desk = desk();
    let record = contract(&desk);
    sign(&desk, &record);
    // Sections that look like tokens of no key: they are sealed and nobody can open them here.
    let output = desk.countersign("attest expect contract.yaml -o expect.json", b"");
    assert_eq!(output.status.code(), Some(1), "sections that are no maps are refused");
    desk.countersign("new draft", b"");
    let plain = desk.answer(0, "pack draft --plain --key draft/signing.key", b"");
    desk.write("plain.yaml", &plain);
    desk.answer(0, "attest expect plain.yaml -o expect.json", b"");
    let text = desk.text("expect.json");
    let expectation: Value = serde_json::from_str(&text).unwrap();
    let schema: Value = serde_json::from_str(include_str!("../../schema/expectation.schema.json")).unwrap();
    jsonschema::draft202012::validate(&schema, &expectation)
        .unwrap_or_else(|error| panic!("{error}: {text}"));
    for line in plain.lines().filter(|line| line.contains("seed:") || line.contains("hostname:")) {
        let value = line.split(": ").nth(1).unwrap().trim();
        assert!(!text.contains(value), "{value}");
    }
    let names: Vec<&str> =
        expectation["digests"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    for name in ["cidata/user-data", "contract:workload", "contract:env", "countersign:signingKey"] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    assert_eq!((&expectation["signed"], &expectation["accepts"]), (&true.into(), &serde_json::json!([])));
    // A record that says that the image accepts more is not what was expected.
    sign(&desk, &record.replace("Contract serial: 7", "Image accepts: unsigned: accept\nContract serial: 7"));
    desk.write(
        "expect.json",
        r#"{"format":1,"accepts":[],"warnings":["HPL11104W"],"serial":7,"machines":["3932/02/12345"]}"#,
    );
    let report = verify(&desk, "record --signature signature --certificate image.crt --expect expect.json");
    assert_eq!(
        (&report["verdict"], &line(&report, "image accepts")["verdict"]),
        (&"bad".into(), &"bad".into())
    );
    for name in ["warning", "contract serial", "machine"] {
        assert_eq!(line(&report, name)["verdict"], "good", "{name}");
    }
    for (text, words) in [
        ("{}", "missing field"),
        (r#"{"format":2}"#, "expected an expectation of format 1"),
        (
            r#"{"format":1,"digests":[{"name":"sbom","values":["AB"],"source":"contract"}]}"#,
            "hexadecimal digits for sbom",
        ),
    ] {
        desk.write("expect.json", text);
        assert!(refused(&desk, "record --expect expect.json").contains(words), "{text}");
    }
}

#[test]
fn many_reports_are_one_page() {
    let desk = desk();
    sign(&desk, &contract(&desk));
    for (name, certificate) in [("january", "image"), ("february", "other")] {
        let arguments = format!(
            "attest verify record --signature signature --certificate {certificate}.crt --format json"
        );
        desk.write(&format!("{name}.json"), desk.countersign(&arguments, b"").stdout);
    }
    let page = desk.answer(1, "attest page january.json february.json --format json", b"");
    let page: Value = serde_json::from_str(&page).unwrap();
    assert_eq!((&page["records"], &page["good"]), (&2.into(), &1.into()));
    let html = desk.answer(0, "attest page january.json", b"");
    assert!(html.starts_with("<!DOCTYPE html>") && html.contains("<p>1 records, 1 good.</p>"), "{html}");
    let hostile = desk.text("january.json").replace("\"0.1.0\"", "\"<script>\"");
    desk.write("hostile.json", hostile);
    let html = desk.answer(0, "attest page hostile.json", b"");
    assert!(html.contains("&lt;script&gt;") && !html.contains("<script>"), "{html}");
    let output = desk.countersign("attest page record", b"");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_record_is_explained_in_sentences() {
    let desk = desk();
    desk.write("record", contract(&desk));
    let said = desk.answer(0, "attest explain record", b"");
    for words in [
        "What it shows, if its signature holds",
        "image has the version 0.1.0",
        "What it does not show:",
        "no challenge in it",
    ] {
        assert!(said.contains(words), "{words:?} in {said}");
    }
}
