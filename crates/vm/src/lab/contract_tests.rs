//! The documented commands, undone by the same program's own decrypting and verifying commands.

use super::*;
use crate::lab::keys::tests::shared;
use crate::process::tied;

fn contract() -> Contract {
    let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let volume = Volume {
        mount: "/mnt/data".into(),
        filesystem: "ext4".into(),
        workload_seed: "workload-seed-0123".into(),
        env_seed: "env-seed-0123456789".into(),
    };
    let credentials = Credentials { username: "reader".into(), password: "pass\"word".into() };
    Contract {
        log_router: None,
        logging: Logging {
            host: "10.0.2.2".into(),
            port: 6514,
            authority: pem.into(),
            certificate: pem.into(),
            key: pem.into(),
        },
        signing_key: Some(pem.into()),
        registry_authority: Some("ca".into()),
        env: [("PLACE".to_owned(), "deployer".to_owned())].into(),
        workload_env: [("PLACE".to_owned(), "workload".to_owned())].into(),
        auths: [("10.0.2.2:5000".to_owned(), credentials)].into(),
        volumes: [("data".to_owned(), volume)].into(),
        archive: "H4sI".into(),
    }
}

fn delivery(sealing: Sealing, signature: Signature) -> Delivery {
    let made = shared();
    Delivery {
        workload: sealing,
        env: sealing,
        certificate: made.1.image.certificate.clone(),
        signer: made.1.signing.key.clone(),
        signature,
        auditor: None,
        hostname: "guest".into(),
        network_config: None,
    }
}

fn value<'a>(contract: &'a str, key: &str) -> &'a str {
    contract.lines().find_map(|line| line.strip_prefix(&format!("{key}: "))).unwrap()
}

/// The two commands of the documents, with the body of a token and the private key.
fn open(token: &str, passphrase_file: &Path) -> String {
    let parts: Vec<_> = token.split('.').collect();
    let decode = |text: &str| {
        let mut command = tied("base64");
        command.arg("-d");
        run(command, text.as_bytes()).unwrap()
    };
    let mut unwrap = tied("openssl");
    unwrap.args(["pkeyutl", "-decrypt", "-pkeyopt", "rsa_padding_mode:pkcs1", "-inkey"]);
    unwrap.arg(&shared().1.image.key);
    write(passphrase_file, run(unwrap, &decode(parts[1])).unwrap()).unwrap();
    let body = write(&passphrase_file.with_extension("body"), decode(parts[2])).unwrap();
    let mut decrypt = tied("openssl");
    decrypt.args(["enc", "-d", "-aes-256-cbc", "-pbkdf2", "-pass", "stdin", "-in"]).arg(body);
    String::from_utf8(run(decrypt, &std::fs::read(passphrase_file).unwrap()).unwrap()).unwrap()
}

#[test]
fn the_texts_say_everything() {
    let texts = contract().texts();
    assert_eq!(
        texts.workload,
        "type: workload\nauths:\n  \"10.0.2.2:5000\":\n    username: \"reader\"\n    password: \"pass\\\"word\"\n\
         compose:\n  archive: H4sI\nenv:\n  PLACE: \"workload\"\nvolumes:\n  data:\n    mount: /mnt/data\n    \
         filesystem: ext4\n    seed: \"workload-seed-0123\"\n"
    );
    assert!(texts.env.starts_with(
        "type: env\nlogging:\n  syslog:\n    hostname: 10.0.2.2\n    port: 6514\n    server: |\n      \
         -----BEGIN CERTIFICATE-----\n      AAAA\n"
    ));
    assert!(
        texts
            .env
            .ends_with("env:\n  PLACE: \"deployer\"\nvolumes:\n  data:\n    seed: \"env-seed-0123456789\"\n")
    );
    assert!(texts.env.contains("cacerts:\n  - certificate: Y2E=\nsigningKey: |\n  -----BEGIN"));
}

#[test]
fn every_kind_of_token_opens_with_openssl() {
    let _pool = shared();
    let folder = tempfile::tempdir().unwrap();
    let texts = contract().texts();
    for (sealing, prefix, end) in [
        (Sealing::HyperProtect(Passphrase::Random), "hyper-protect-basic", None),
        (Sealing::ContractBasic(Passphrase::LineFeed), "contract-basic", Some((10, b'\n'))),
        (Sealing::HyperProtect(Passphrase::Nul), "hyper-protect-basic", Some((10, 0))),
        (Sealing::HyperProtect(Passphrase::Empty), "hyper-protect-basic", Some((0, b'\n'))),
    ] {
        let medium = deliver(&texts, &delivery(sealing, Signature::Absent), folder.path()).unwrap();
        let contract = read_text(&medium.user_data).unwrap();
        assert!(!contract.contains("envWorkloadSignature") && !contract.contains("seed"));
        for (key, text, effective) in [
            ("workload", &texts.workload, &medium.passphrases[0]),
            ("env", &texts.env, &medium.passphrases[1]),
        ] {
            let token = value(&contract, key);
            assert_eq!(token.split('.').next(), Some(prefix));
            let file = folder.path().join("unwrapped");
            assert_eq!(&open(token, &file), text, "{sealing:?}");
            let whole = std::fs::read(&file).unwrap();
            assert_eq!(whole.len(), 32);
            let cut = whole.iter().position(|b| matches!(b, b'\n' | 0)).unwrap_or(32);
            assert_eq!(effective, &whole[..cut], "{sealing:?}");
            if let Some((at, byte)) = end {
                assert_eq!((cut, whole[cut]), (at, byte), "{sealing:?}");
            }
        }
    }
}

/// Its own maker and the same program's `--open`, which knows the section that a token belongs to.
#[test]
fn tokens_without_a_passphrase_open_in_their_section_alone() {
    let made = shared();
    let folder = tempfile::tempdir().unwrap();
    let texts = contract().texts();
    let delivery = delivery(Sealing::CountersignV1, Signature::Valid);
    let medium = deliver(&texts, &delivery, folder.path()).unwrap();
    assert!(medium.passphrases.is_empty());
    let contract = read_text(&medium.user_data).unwrap();
    let open = |section: &str, token: &str| {
        let mut command = party("seal-v1");
        command.args(["--open", section]).arg(write(&folder.path().join("token"), token).unwrap());
        command.arg(&made.1.image.key);
        run(command, b"")
    };
    for (section, other, text) in [("workload", "env", &texts.workload), ("env", "workload", &texts.env)] {
        let token = value(&contract, section);
        assert!(token.starts_with("countersign-v1."), "{token}");
        assert_eq!(&open(section, token).unwrap(), text.as_bytes());
        assert!(open(other, token).is_err(), "a token of {section} opened as {other}");
    }
}

#[test]
fn signatures_verify_unless_altered() {
    let made = shared();
    let folder = tempfile::tempdir().unwrap();
    for sealing in [Sealing::HyperProtect(Passphrase::Random), Sealing::Plain] {
        for (signature, valid) in [(Signature::Valid, true), (Signature::Altered, false)] {
            let medium = deliver(&contract().texts(), &delivery(sealing, signature), folder.path()).unwrap();
            let contract = read_text(&medium.user_data).unwrap();
            let mut command = tied("base64");
            command.arg("-d");
            let raw = run(command, value(&contract, "envWorkloadSignature").as_bytes()).unwrap();
            let file = write(&folder.path().join("signature"), raw).unwrap();
            let signed =
                ["workload.value", "env.value"].map(|n| read_text(&folder.path().join(n)).unwrap()).concat();
            let mut command = tied("openssl");
            command
                .args(["dgst", "-sha256", "-verify"])
                .arg(&made.1.signing_public)
                .arg("-signature")
                .arg(file);
            assert_eq!(
                run(command, signed.replace('\n', "").as_bytes()).is_ok(),
                valid,
                "{sealing:?} {signature:?}"
            );
        }
    }
}

#[test]
fn the_medium_is_labelled_and_holds_the_files() {
    let _pool = shared();
    let folder = tempfile::tempdir().unwrap();
    let mut delivery = delivery(Sealing::Plain, Signature::Absent);
    delivery.network_config = Some("network:\n".into());
    let medium = deliver(&contract().texts(), &delivery, folder.path()).unwrap();
    let list = |options: &[&str]| {
        let mut command = tied("isoinfo");
        command.args(options).arg("-i").arg(&medium.image);
        text(command, b"").unwrap()
    };
    assert!(list(&["-d"]).contains("Volume id: cidata\n"));
    let mut names: Vec<_> = list(&["-R", "-f"]).lines().map(str::to_owned).collect();
    names.sort();
    assert_eq!(names, ["/meta-data", "/network-config", "/user-data", "/vendor-data"]);
    let written = list(&["-R", "-x", "/user-data"]);
    assert_eq!(written, read_text(&medium.user_data).unwrap().trim_end());
    assert!(written.starts_with("workload: |\n  type: workload\n"));
}

#[test]
fn a_change_that_does_not_fit_is_noticed() {
    let mut texts = contract().texts();
    texts.edit(Section::Env, "port: 6514", "port: soon").unwrap();
    let error = texts.edit(Section::Env, "port: 6514", "port: soon").unwrap_err();
    assert_eq!(error.to_string(), "Env section: expected \"port: 6514\" once");
}

#[test]
fn the_volume_passphrase_is_the_documented_one() {
    let volume = contract().volumes.remove("data").unwrap();
    let mut command = tied("sha256sum");
    command.arg("-");
    let sum = text(command, b"env-seed-0123456789workload-seed-0123").unwrap();
    assert_eq!(volume_passphrase(&volume).unwrap(), sum[..64]);
}

#[test]
fn base64_is_the_one_of_coreutils() {
    for length in 0..20_u8 {
        let bytes: Vec<u8> = (0..length).map(|n| n.wrapping_mul(83) ^ 0xa5).collect();
        let mut command = tied("base64");
        command.arg("-w0");
        assert_eq!(base64(&bytes), text(command, &bytes).unwrap());
    }
}
