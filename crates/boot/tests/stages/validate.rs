//! Stage `validate`: schema, model, what is not acted on, archive and compose file.

use std::process::Command;

use countersign_boot::stage::Stage;
use countersign_contract::code::Code;

use crate::support::contract::{IMAGE, PASSWORD};
use crate::support::guest_os::booted_with;
use crate::support::keys::run;
use crate::support::{Contract, Sealed, boot, machine, refused};

/// Refused at this place; the mark is that of the line which begins with `line` in the section's own text.
fn ends(contract: &Contract, section: &str, line: &str, column: u32, pointer: &str, code: Code, words: &str) {
    let text = if section == "env" { &contract.env } else { &contract.workload };
    let number = text.lines().position(|found| found.trim_start().starts_with(line)).unwrap() + 1;
    // Sealed: lines of the section's text.
    refused(contract).assert_place(
        Stage::Validate,
        code,
        &format!("{pointer} {section} {number}:{column}"),
        words,
    );
}

/// Refused for what is in the archive, at the archive's own line.
fn ends_archive(contract: &Contract, code: Code, words: &str) {
    ends(contract, "workload", "archive:", 12, "/workload/compose/archive", code, words);
}

#[test]
fn a_schema_error_names_pointer_line_and_expectation() {
    let contract = Contract::good().with("port: 6514", "port: \"6514\"");
    ends(
        &contract,
        "env",
        "port:",
        11,
        "/env/logging/syslog/port",
        Code::ContractInvalid,
        "expected a number from 1 to 65535",
    );
    let contract = Contract::good().with("type: workload", "type: wrokload");
    ends(
        &contract,
        "workload",
        "type:",
        7,
        "/workload/type",
        Code::ContractInvalid,
        "expected the word workload",
    );
    // Both sections are reported, the workload first.
    let contract = contract.with("port: 6514", "port: 0");
    let said = refused(&contract).said();
    assert!(said.contains("HPL05001E /workload/type (workload line 1, column 7)"), "{said}");
    assert!(said.contains("HPL05001E /env/logging/syslog/port (env line "), "{said}");
}

#[test]
fn in_a_readable_section_the_lines_are_those_of_the_contract() {
    let mut contract = Contract::good().with("type: workload", "type: wrokload");
    contract.sealed = Sealed::EnvOnly;
    refused(&contract).assert_place(
        Stage::Validate,
        Code::ContractInvalid,
        "/workload/type contract 2:9",
        "expected the word workload",
    );
}

#[test]
fn volumes_match_by_name_and_have_mount_points_of_their_own() {
    let misnamed = Contract::good().with_env("  dato:\n    seed: a-deployer-seed-2\n");
    ends(
        &misnamed,
        "env",
        "seed: a-deployer-seed-2",
        5,
        "/env/volumes/dato",
        Code::VolumeNames,
        "in workload",
    );
    let more = "  more:\n    mount: /mnt/data\n    seed: a-workload-seed-2\n";
    let conflict = Contract::good().with_workload(more).with_env("  more:\n    seed: a-deployer-seed-2\n");
    let boot = refused(&conflict);
    boot.assert_refused(Stage::Validate, Code::DuplicateMount);
    assert!(boot.sentence().contains("/workload/volumes/more/mount (workload line "), "{}", boot.sentence());
}

#[test]
fn a_mount_point_of_the_guest_itself_is_refused() {
    for mount in ["/usr", "/usr/local", "/etc", "/var", "/data1/compose", "/run/x"] {
        let contract = Contract::good().with("    mount: /mnt/data\n", &format!("    mount: {mount}\n"));
        refused(&contract).assert_refused(Stage::Validate, Code::ReservedMount);
    }
}

#[test]
fn a_field_that_is_not_acted_on_is_refused_by_name() {
    for (contract, pointer, hint) in [
        (
            Contract::good().with_env("    kmsTimeout: 10\n"),
            "/env/volumes/data/kmsTimeout",
            "remove the field, nothing is waited for",
        ),
        (
            Contract::good().with_env(
                "    kms:\n      - apiKey: key-0123456789\n        crn: crn:v1:bluemix:public:x:key:y\n",
            ),
            "/env/volumes/data/kms",
            "Hyper Protect Crypto Services until 28 March 2027)",
        ),
        (Contract::good().with_env("host-attestation: {}\n"), "/env/host-attestation", "remove the field"),
        (
            Contract::good().with(&format!("password: {PASSWORD}"), "password: another\n    insecure: true"),
            "/workload/auths/registry.example.org:5000/insecure",
            "registries are reached over TLS only",
        ),
    ] {
        let boot = refused(&contract);
        boot.assert_refused(Stage::Validate, Code::UnsupportedField);
        assert!(boot.sentence().contains(&format!("{pointer} (")), "{}", boot.sentence());
        assert!(boot.sentence().ends_with(hint), "{}", boot.sentence());
    }
}

#[test]
fn the_log_clients_certificates_and_key_are_read() {
    let cases = [
        ("cert: @client.crt@", "cert: bm90aGluZw==", Code::MissingPemBlock, "/env/logging/syslog/cert"),
        ("server: @ca.crt@", "server: @client.key@", Code::MissingPemBlock, "/env/logging/syslog/server"),
        ("key: @client.key@", "key: @client.crt@", Code::UnknownPrivateKeyType, "/env/logging/syslog/key"),
        ("    key: @client.key@\n", "", Code::MissingPrivateKey, "/env/logging/syslog/key"),
        ("    cert: @client.crt@\n", "", Code::MissingClientCertificate, "/env/logging/syslog/cert"),
        ("cert: @client.crt@", "cert: @ca.crt@", Code::ClientPairMismatch, "/env/logging/syslog/cert"),
    ];
    for (old, new, code, pointer) in cases {
        let boot = refused(&Contract::good().with(old, new));
        boot.assert_refused(Stage::Validate, code);
        assert!(boot.sentence().contains(&format!("{pointer} (env line ")), "{}", boot.sentence());
    }
}

#[test]
fn without_a_client_certificate_the_guest_boots_with_a_warning_and_hands_none_over() {
    let machine = booted_with(&Contract::good().without_client_certificate(), |_| ());
    let lines: Vec<String> = machine.lines().into_iter().map(|(_, line)| line).collect();
    let lines = lines.join("\n");
    assert!(lines.contains("HPL05205W /env/logging/syslog (env line "), "{lines}");
    let files: Vec<String> = machine.files().keys().map(|path| path.display().to_string()).collect();
    let logging: Vec<&String> = files.iter().filter(|path| path.contains("/logging/")).collect();
    assert_eq!(logging, ["/run/countersign/logging/ca.pem"]);
}

#[test]
fn a_compose_file_that_cannot_run_is_refused() {
    for (compose, code, words) in [
        (
            "services:\n  web:\n    image: app:1\n",
            Code::ImageNotPinned,
            "service web: expected its image as name@sha256",
        ),
        (
            "services:\n  web:\n    build: .\n",
            Code::ComposeRefused,
            "service web: expected an image, without build",
        ),
        (
            "include: [a.yaml]\nservices: {}\n",
            Code::ComposeRefused,
            "expected the file a.yaml in the archive",
        ),
        ("services:\n  web:\n    command: x\n", Code::ComposeRefused, "service web: expected an image"),
        (
            "services:\n  web:\n    image: ${A:?}\n",
            Code::ComposeRefused,
            "expected every variable of its image in env, A is not set",
        ),
        ("services: {}\n", Code::ComposeRefused, "at least one service"),
        ("services:\n  web: [\n", Code::ComposeRefused, "valid yaml (line "),
    ] {
        let contract = Contract::good().with_compose(compose);
        ends_archive(&contract, code, words);
        assert!(refused(&contract).sentence().contains(": compose.yaml: "));
    }
}

#[test]
fn an_image_may_be_named_by_a_variable_of_the_contract() {
    let compose = "services:\n  web:\n    image: ${IMAGE}\n";
    let contract =
        Contract::good().with("  FROM_ENV:", &format!("  IMAGE: {IMAGE}\n  FROM_ENV:")).with_compose(compose);
    let boot = boot(&machine(&contract));
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    assert!(boot.file("/run/countersign/plan.json").contains(IMAGE));
}

#[test]
fn an_archive_has_one_compose_file_at_its_top() {
    let mut contract = Contract::good();
    contract.archive.clear();
    let none = contract.clone().with_file("site/compose.yaml", "services: {}\n");
    ends_archive(&none, Code::NoComposeFile, "expected a compose file at the top");
    let two = Contract::good().with_file("docker-compose.yml", "services: {}\n");
    ends_archive(&two, Code::SeveralComposeFiles, "expected one compose file at the top");
}

/// What a shell prints in an empty folder.
fn shell(script: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    run(Command::new("sh").args(["-ec", script]).current_dir(folder.path()))
}

#[test]
fn an_archive_that_is_not_plain_files_is_refused() {
    for (script, code, words) in [
        ("printf AAAAA", Code::ArchiveEncoding, "expected base64"),
        ("printf 'plain text' | base64 -w0", Code::ArchiveEncoding, "expected a complete gzipped tar"),
        (
            "echo x > a; tar -cz a | head -c 60 | base64 -w0",
            Code::ArchiveEncoding,
            "expected a complete gzipped tar",
        ),
        (
            "ln -s /etc/passwd compose.yaml; tar -cz . | base64 -w0",
            Code::ArchiveEntryKind,
            "regular files and folders",
        ),
        ("mkfifo compose.yaml; tar -cz . | base64 -w0", Code::ArchiveEntryKind, "regular files and folders"),
        ("echo x > a; tar -czP --transform 's,a,/a,' a | base64 -w0", Code::ArchivePath, "a relative path"),
        ("echo x > a; tar -czP --transform 's,a,../a,' a | base64 -w0", Code::ArchivePath, "a relative path"),
        (
            "echo x > a; tar -cf t a; tar -rf t a; gzip -c t | base64 -w0",
            Code::ArchiveDuplicate,
            "each path once",
        ),
        ("truncate -s 65M a; tar -cz a | base64 -w0", Code::ArchiveTooLarge, "at most 64 MiB"),
        ("seq 4097 | xargs touch; tar -cz . | base64 -w0", Code::ArchiveTooLarge, "at most 4096 files"),
    ] {
        let contract = Contract::good().with("@archive@", &shell(script));
        ends_archive(&contract, code, words);
    }
}

#[test]
fn what_is_worth_a_look_is_warned_about() {
    let contract = Contract::good()
        .with_workload("extra: 1\n")
        .with("FROM_WORKLOAD:", "FROM_ENV: mine\n  FROM_WORKLOAD:")
        .with("    seed: canary-deployer-Seed-1.", "    seed: x-y")
        .with_env("auths:\n  registry.example.org:5000:\n    username: another\n    password: another\n");
    let boot = boot(&machine(&contract));
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    for warning in [
        "HPL05200W /workload/extra (workload line ",
        "HPL05201W /env/volumes/data/seed (env line ",
        "HPL05203W /env/env/FROM_ENV (env line ",
        "HPL05204W /env/auths/registry.example.org:5000 (env line ",
    ] {
        boot.assert_warned(warning);
        assert!(boot.file("/run/countersign/transcript.json").contains(warning), "{warning}");
    }
    assert!(boot.file("/sysroot/data1/compose/.env").contains("FROM_ENV=\"mine\""));
    // What can be guessed, and one seed for two volumes: the place, and nothing of the seed.
    let more = |seed: &str, mount: &str| format!("  more:\n{mount}    seed: {seed}\n");
    let weak = Contract::good()
        .with_workload(&more(crate::support::contract::WORKLOAD_SEED, "    mount: /mnt/more\n"))
        .with_env(&more("canarycanarycanarycanary", ""));
    // The machine has no disk for the second one; by then all of it is said.
    let boot = crate::support::boot(&machine(&weak));
    for warning in [
        "HPL05202W /workload/volumes/more/seed (workload line ",
        "HPL05208W /env/volumes/more/seed (env line ",
    ] {
        boot.assert_warned(warning);
    }
    assert!(!boot.said().contains("canary"), "{}", boot.said());
    let shared = Contract::good().with("canary-deployer-Seed-1.", crate::support::contract::WORKLOAD_SEED);
    crate::support::boot(&machine(&shared)).assert_warned("HPL05202W /env/volumes/data/seed (env line ");
}
