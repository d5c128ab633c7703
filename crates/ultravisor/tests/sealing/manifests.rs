//! Both manifests, signed by openssl and by us: believed together, and refused altered, swapped and unsigned.

use std::path::Path;
use std::process::Command;

use countersign_crypto::digest::{hex, sha256, sha256_hex};
use countersign_crypto::private_key::PrivateKey;
use countersign_ultravisor::image::{Rules, Sealed, SealedImage};
use countersign_ultravisor::manifest::{
    Accepts, Build, Builder, BuilderFault, Described, Hexadecimal, Machine, ManifestFault, Sealing, Signed,
    Which, sign, verify,
};
use serde_json::{Value, json};

use crate::support::{COMMAND_LINE, Service, machines, sealed};

fn openssl(words: &[&str], folder: &Path) -> bool {
    Command::new("openssl").args(words).current_dir(folder).output().unwrap().status.success()
}

/// A builder's key, private and public, PEM.
fn builder(kind: &[&str]) -> (String, Builder) {
    let folder = tempfile::tempdir().unwrap();
    assert!(openssl(&[&["genpkey", "-out", "key"], kind].concat(), folder.path()));
    assert!(openssl(&["pkey", "-in", "key", "-pubout", "-out", "public"], folder.path()));
    let read = |name| std::fs::read(folder.path().join(name)).unwrap();
    (String::from_utf8(read("key")).unwrap(), Builder::from_pem(&read("public")).unwrap())
}

const CURVE: [&str; 4] = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];

fn build() -> Value {
    let file = |name: &str| json!({"name": name, "size": 1, "sha256": sha256_hex(name.as_bytes())});
    let mut program = file("countersignd");
    program["built"] = true.into();
    json!({
        "format": 1, "engine": "podman", "version": "0.1.0", "epoch": 1,
        "source": {"revision": "0".repeat(40), "dirty": false},
        "lock": {"state": "committed", "sha256": "0".repeat(64)},
        "cargo_lock": {"sha256": "1".repeat(64)},
        "root_hash": "2".repeat(128),
        "files": {
            "kernel": file("kernel"), "initramfs": file("base"), "countersignd": program, "os_image": file("os"),
            "image_json": file("image.json"), "sbom": file("sbom"), "notices": file("notices"),
        },
        "tools": [{"package": "cpio", "version": "1", "architecture": "amd64", "sha256": "3".repeat(64)}],
    })
}

fn sealing(service: &Service, sealed: &Sealed, build: &[u8]) -> Sealing {
    let image = SealedImage::read(sealed.as_bytes()).unwrap();
    let accepts = Accepts {
        image_json: Hexadecimal::new(sha256(b"image.json")),
        unsigned: "plain".into(),
        secure_execution: "required".into(),
    };
    let machines = vec![Machine::of(&service.host("z1"))];
    Sealing::new(
        &image,
        Described { sealed: 7, machines, command_line: COMMAND_LINE, accepts, build_manifest: build },
    )
}

#[test]
fn manifests_are_believed_together_and_describe_their_image_alone() {
    let service = machines();
    let Some(image) = sealed(&[service.host("z1")], Rules::default()) else { return };
    let (key, builder) = builder(&CURVE);
    let key = PrivateKey::parse(&key).unwrap();
    let build_text = build().to_string().into_bytes();
    let sealing_text = sealing(&service, &image, &build_text).to_text().unwrap().into_bytes();
    let (build_signature, sealing_signature) =
        (sign(&build_text, &key).unwrap(), sign(&sealing_text, &key).unwrap());
    fn signed<'a>(text: &'a [u8], signature: &'a [u8]) -> Signed<'a> {
        Signed { text, signature: Some(signature) }
    }
    let (build, sealing) = (signed(&build_text, &build_signature), signed(&sealing_text, &sealing_signature));

    let believed = verify(build, sealing, &builder).unwrap();
    assert_eq!(believed.build().version, "0.1.0");
    assert_eq!(believed.sealing().header.tags(), image.tags());
    believed.describe(&SealedImage::read(image.as_bytes()).unwrap()).unwrap();
    let again = self::sealed(&[service.host("z1")], Rules::default()).unwrap();
    let other = believed.describe(&SealedImage::read(again.as_bytes()).unwrap()).unwrap_err();
    assert_eq!(other, ManifestFault::OtherImage("header tag"));
    let unlike = |change: &dyn Fn(&mut Value)| {
        let mut text: Value = serde_json::from_slice(&sealing_text).unwrap();
        change(&mut text);
        let text = text.to_string().into_bytes();
        let believed = verify(build, signed(&text, &sign(&text, &key).unwrap()), &builder).unwrap();
        believed.describe(&SealedImage::read(image.as_bytes()).unwrap()).unwrap_err()
    };
    let zeros = |digits: usize| Value::from("0".repeat(digits));
    for (what, change) in [
        (
            "header's digest lists",
            &(|text: &mut Value| text["header"]["pld"] = zeros(128)) as &dyn Fn(&mut Value),
        ),
        ("header", &|text: &mut Value| text["header"]["sha256"] = zeros(64)),
        ("flags", &|text: &mut Value| text["flags"]["dumping"] = true.into()),
        ("list of machines", &|text: &mut Value| text["machines"] = json!([])),
        ("boot loader", &|text: &mut Value| text["boot_loader"]["stage3a"] = zeros(64)),
        ("size", &|text: &mut Value| text["image"]["size"] = 1.into()),
        ("SHA-256", &|text: &mut Value| text["image"]["sha256"] = zeros(64)),
    ] {
        assert_eq!(unlike(change), ManifestFault::OtherImage(what));
    }

    // Unsigned.
    let bare = |text| Signed { text, signature: None };
    assert_eq!(
        verify(bare(&build_text), sealing, &builder).unwrap_err(),
        ManifestFault::Unsigned(Which::Build)
    );
    assert_eq!(
        verify(build, bare(&sealing_text), &builder).unwrap_err(),
        ManifestFault::Unsigned(Which::Sealing)
    );
    // Altered, or signed by another.
    for place in [0, sealing_text.len() / 2, sealing_text.len() - 1] {
        let mut altered = sealing_text.clone();
        altered[place] ^= 1;
        let fault = verify(build, signed(&altered, &sealing_signature), &builder).unwrap_err();
        assert_eq!(fault, ManifestFault::Signature(Which::Sealing));
    }
    let (_, stranger) = self::builder(&CURVE);
    assert_eq!(verify(build, sealing, &stranger).unwrap_err(), ManifestFault::Signature(Which::Build));
    // Swapped: each with its own signature in the other's place, and each with the other's signature.
    assert!(matches!(
        verify(sealing, build, &builder).unwrap_err(),
        ManifestFault::Form { which: Which::Build, .. }
    ));
    assert!(matches!(
        verify(build, build, &builder).unwrap_err(),
        ManifestFault::Form { which: Which::Sealing, .. }
    ));
    assert_eq!(
        verify(signed(&build_text, &sealing_signature), sealing, &builder).unwrap_err(),
        ManifestFault::Signature(Which::Build)
    );
    // Of another build.
    let mut other = self::build();
    other["version"] = "0.2.0".into();
    let other = other.to_string().into_bytes();
    let fault = verify(signed(&other, &sign(&other, &key).unwrap()), sealing, &builder).unwrap_err();
    assert_eq!(fault, ManifestFault::OtherBuild);
}

#[test]
fn the_openssl_program_signs_and_verifies_as_we_do() {
    let folder = tempfile::tempdir().unwrap();
    let rsa = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"];
    let text = build().to_string().into_bytes();
    std::fs::write(folder.path().join("text"), &text).unwrap();
    for kind in [&CURVE, &rsa] {
        assert!(openssl(&[&["genpkey", "-out", "key"], kind.as_slice()].concat(), folder.path()));
        assert!(openssl(&["pkey", "-in", "key", "-pubout", "-out", "public"], folder.path()));
        assert!(openssl(&["dgst", "-sha256", "-sign", "key", "-out", "theirs", "text"], folder.path()));
        let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
        let builder = Builder::from_pem(&read("public")).unwrap();
        assert!(builder.made(&text, &read("theirs")));
        assert!(!builder.made(b"another", &read("theirs")));
        let key = PrivateKey::parse(&String::from_utf8(read("key")).unwrap()).unwrap();
        std::fs::write(folder.path().join("ours"), sign(&text, &key).unwrap()).unwrap();
        assert!(openssl(
            &["dgst", "-sha256", "-verify", "public", "-signature", "ours", "text"],
            folder.path()
        ));
        // The certificate of a key stands for the key.
        assert!(openssl(
            &["req", "-x509", "-new", "-key", "key", "-subj", "/CN=b", "-out", "crt"],
            folder.path()
        ));
        let certificate = Builder::from_pem(&read("crt")).unwrap();
        assert_eq!(certificate.sha256_fingerprint(), builder.sha256_fingerprint());
    }
}

#[test]
fn small_and_unknown_kinds_of_keys_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for kind in [
        ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"].as_slice(),
        &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-224"],
        &["-algorithm", "ED25519"],
    ] {
        assert!(openssl(&[&["genpkey", "-out", "key"], kind].concat(), folder.path()));
        assert!(openssl(&["pkey", "-in", "key", "-pubout", "-out", "public"], folder.path()));
        let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
        assert_eq!(Builder::from_pem(&read("public")).unwrap_err(), BuilderFault::Kind, "{kind:?}");
        let key = PrivateKey::parse(&String::from_utf8(read("key")).unwrap()).unwrap();
        assert_eq!(sign(b"text", &key).unwrap_err(), BuilderFault::Kind, "{kind:?}");
        assert_eq!(Builder::from_pem(&read("key")).unwrap_err(), BuilderFault::Unreadable, "{kind:?}");
    }
}

#[test]
fn a_manifest_has_its_form_and_no_other() {
    let good = build();
    Build::parse(good.to_string().as_bytes()).unwrap();
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut text = build();
        change(&mut text);
        match Build::parse(text.to_string().as_bytes()).unwrap_err() {
            ManifestFault::Form { message, .. } => message,
            other => panic!("{other}"),
        }
    };
    let unknown = refused(&|text| text["more"] = 1.into());
    assert!(unknown.contains("unknown field `more`"), "{unknown}");
    assert!(refused(&|text| text["format"] = 2.into()).contains("expected format 1, found 2"));
    let digits = refused(&|text| text["root_hash"] = "AB".repeat(64).into());
    assert!(digits.contains("expected 128 lowercase hexadecimal digits"), "{digits}");
    assert!(
        refused(&|text| drop(text.as_object_mut().unwrap().remove("tools")))
            .contains("missing field `tools`")
    );
    let escape = refused(&|text| text["\u{1b}[2J"] = 1.into());
    assert!(!escape.contains('\u{1b}'), "{escape}");
    let twice = good.to_string().replacen("\"format\":1", "\"format\":1,\"format\":1", 1);
    assert!(Build::parse(twice.as_bytes()).is_err());
    let long = " ".repeat(1 << 20) + &good.to_string();
    assert!(Build::parse(long.as_bytes()).is_err());
    let hexadecimal: Hexadecimal<2> = serde_json::from_str("\"00ff\"").unwrap();
    assert_eq!(hex(hexadecimal.bytes()), "00ff");
}
