//! The manifests of an image under its builder's key: signatures that openssl makes, and manifests that are altered,
//! swapped, unsigned, of another build, or signed by another key.

use serde_json::{Value, json};

use crate::support::Desk;
use crate::world::{contract, desk, line, note, refused, sha256, sign, verify};

const GIVEN: &str =
    "record --signature signature --certificate image.crt --manifest build.json --builder builder.pub";
const SEALED: &str = "--sealing-manifest sealing.json";

/// Makes `NAME.key` and `NAME.pub` on the curve P-256.
fn builder(desk: &Desk, name: &str) {
    desk.openssl(&format!("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {name}.key"), b"");
    desk.openssl(&format!("pkey -in {name}.key -pubout -out {name}.pub"), b"");
}

/// Writes a manifest and the signature of it by openssl.
fn signed(desk: &Desk, name: &str, manifest: &Value, key: &str) {
    desk.write(name, manifest.to_string());
    desk.openssl(&format!("dgst -sha256 -sign {key}.key -out {name}.sig {name}"), b"");
}

fn digit(digit: char) -> String {
    digit.to_string().repeat(64)
}

fn build() -> Value {
    let file = |name: &str, letter| json!({"name": name, "size": 1, "sha256": digit(letter)});
    let mut program = file("countersignd", 'c');
    program["built"] = true.into();
    json!({
        "format": 1, "engine": "podman", "version": "0.1.0", "epoch": 1,
        "source": {"revision": "0".repeat(40), "dirty": false},
        "lock": {"state": "committed", "sha256": digit('0')},
        "cargo_lock": {"sha256": digit('1')},
        "root_hash": "e".repeat(128),
        "files": {
            "kernel": file("kernel", 'a'), "initramfs": file("base", 'b'), "countersignd": program,
            "os_image": file("os", '2'), "image_json": file("image.json", '3'), "sbom": file("sbom", 'd'),
            "notices": file("notices", '4'),
        },
        "tools": [],
    })
}

fn sealing(build: &str) -> Value {
    json!({
        "kind": "countersign sealing manifest", "format": 1, "sealed": 7,
        "image": {"size": 1, "sha256": digit('5')},
        "header": {
            "sha256": digit('6'), "tag": "7".repeat(32), "pld": "8".repeat(128), "ald": "9".repeat(128),
            "tld": "0".repeat(128), "pages": 3,
        },
        "flags": {"plaintext": "00000000000000e0", "dumping": false, "backup_host_keys": false},
        "machines": [{"host_key": digit('a'), "not_after": 9}],
        "boot_loader": {"stage3a": digit('b'), "stage3b": digit('c')},
        "command_line": "quiet",
        "accepts": {"image_json": digit('d'), "unsigned": "plain", "secure-execution": "required"},
        "build_manifest": build,
    })
}

/// The record of a guest of that build, signed by its image; both manifests, signed by their builder; another builder.
fn made() -> Desk {
    let desk = desk();
    builder(&desk, "builder");
    builder(&desk, "stranger");
    signed(&desk, "build.json", &build(), "builder");
    let digest = sha256(&desk, desk.text("build.json").as_bytes());
    signed(&desk, "sealing.json", &sealing(&digest), "builder");
    let ours = format!(
        "Countersign record: 1\n{digest} countersign:build-manifest\n{} countersign:kernel\n{} countersign:initramfs\n\
         {} countersign:countersignd\n",
        digit('a'),
        digit('b'),
        digit('c')
    );
    let record = contract(&desk).replace("Countersign record: 1\n", &ours);
    sign(
        &desk,
        &record.replacen("Countersign record", &format!("{} sbom\nCountersign record", digit('d')), 1),
    );
    desk
}

/// The report says that the manifest is refused, why, and that no line rests on it.
fn refuses(desk: &Desk, arguments: &str, which: &str, why: &str) {
    let report = verify(desk, arguments);
    assert_eq!(report["verdict"], "bad", "{report:#}");
    let check = line(&report, which);
    assert_eq!((&check["verdict"], &check["anchor"]), (&"bad".into(), &"builder".into()), "{report:#}");
    assert!(note(check).contains(why), "{why:?} in {check:#}");
    for name in ["countersign:kernel", "countersign:root.verity", "sbom", "version"] {
        let line = line(&report, name);
        assert_eq!(
            (&line["verdict"], &line["against"], &line["anchor"]),
            (&"unchecked".into(), &Value::Null, &"image-key".into()),
            "{name}"
        );
    }
    let text = desk.answer(1, &format!("attest verify {arguments}"), b"");
    assert!(text.contains("\nbad: do not rely on this record"), "{text}");
}

#[test]
fn lines_that_rest_on_a_manifest_name_its_builder() {
    let desk = made();
    let names = [
        "version",
        "sbom",
        "countersign:build-manifest",
        "countersign:kernel",
        "countersign:initramfs",
        "countersign:countersignd",
        "countersign:root.verity",
    ];
    for more in ["", SEALED] {
        let report = verify(&desk, &format!("{GIVEN} {more} --contract contract.yaml"));
        assert_eq!(report["verdict"], "good", "{report:#}");
        for name in names {
            let line = line(&report, name);
            assert_eq!(
                (&line["verdict"], &line["against"], &line["anchor"]),
                (&"good".into(), &"build-manifest".into(), &"builder".into()),
                "{name}"
            );
        }
        let env = line(&report, "contract:env");
        assert_eq!((&env["verdict"], &env["anchor"]), (&"good".into(), &"image-key".into()));
        let check = line(&report, "build manifest");
        assert_eq!((&check["verdict"], &check["anchor"]), (&"good".into(), &"builder".into()));
        assert_eq!(check["found"], sha256(&desk, desk.text("build.json").as_bytes()));
    }
    // The certificate of the builder's key stands for the key.
    desk.openssl("req -x509 -new -key builder.key -subj /CN=builder -out builder.crt", b"");
    let given = GIVEN.replace("builder.pub", "builder.crt");
    assert_eq!(verify(&desk, &given)["verdict"], "good");
    let text = desk.answer(0, &format!("attest verify {given}"), b"");
    let words = "as the build manifest says; rests on the builder's signature over the manifest";
    assert!(text.contains(words), "{text}");
    // Without the builder's key the manifest is the word of whoever gave it.
    let alone = verify(&desk, &GIVEN.replace("--builder builder.pub", ""));
    let check = line(&alone, "build manifest");
    assert_eq!((&check["verdict"], &check["anchor"]), (&"unchecked".into(), &"nobody".into()));
    assert!(note(check).contains("--builder holds it against its builder's signature"));
    let kernel = line(&alone, "countersign:kernel");
    assert_eq!((&kernel["verdict"], &kernel["anchor"]), (&"good".into(), &"image-key".into()));
    // Without the record's signature the builder alone makes no line good.
    let bare = verify(&desk, &format!("record --manifest build.json --builder builder.pub {SEALED}"));
    assert_eq!(bare["verdict"], "unchecked", "{bare:#}");
    for name in ["countersign:kernel", "image accepts, as sealed"] {
        let line = line(&bare, name);
        assert_eq!((&line["verdict"], &line["anchor"]), (&"unchecked".into(), &"nobody".into()), "{name}");
    }
}

#[test]
fn a_guest_of_another_build_is_bad() {
    let desk = made();
    let mut other = build();
    other["files"]["kernel"]["sha256"] = digit('f').into();
    signed(&desk, "build.json", &other, "builder");
    let report = verify(&desk, GIVEN);
    let kernel = line(&report, "countersign:kernel");
    assert_eq!(
        (&report["verdict"], &kernel["verdict"], &kernel["expected"], &kernel["anchor"]),
        (&"bad".into(), &"bad".into(), &digit('f').into(), &"builder".into())
    );
    assert_eq!(line(&report, "countersign:initramfs")["verdict"], "good");
}

#[test]
fn an_altered_manifest_is_refused() {
    let desk = made();
    let why = "the signature is not the builder's over this text; the manifest was altered";
    let build = desk.text("build.json");
    desk.write("build.json", build.replace(&digit('a'), &digit('f')));
    refuses(&desk, GIVEN, "build manifest", why);
    desk.write("build.json", &build[..build.len() - 1]);
    refuses(&desk, GIVEN, "build manifest", why);
    desk.write("build.json", build);
    let sealing = desk.text("sealing.json").replace("\"required\"", "\"test\"");
    desk.write("sealing.json", sealing);
    refuses(&desk, &format!("{GIVEN} {SEALED}"), "sealing manifest", why);
    let report = verify(&desk, &format!("{GIVEN} {SEALED}"));
    assert!(note(line(&report, "build manifest")).contains("neither is believed alone"));
}

#[test]
fn swapped_manifests_and_swapped_signatures_are_refused() {
    let desk = made();
    let swapped =
        GIVEN.replace("build.json", "sealing.json") + " " + &SEALED.replace("sealing.json", "build.json");
    refuses(&desk, &swapped, "build manifest", "build manifest: expected its form");
    let twice = format!("{GIVEN} --sealing-manifest build.json");
    refuses(&desk, &twice, "sealing manifest", "sealing manifest: expected its form");
    let [build, sealing] =
        ["build.json.sig", "sealing.json.sig"].map(|name| std::fs::read(desk.path(name)).unwrap());
    desk.write("build.json.sig", sealing);
    desk.write("sealing.json.sig", build);
    let why = "the signature is not the builder's over this text";
    refuses(&desk, &format!("{GIVEN} {SEALED}"), "build manifest", why);
}

#[test]
fn an_unsigned_manifest_is_refused() {
    let desk = made();
    let why = "expected the builder's signature beside it, found none";
    std::fs::rename(desk.path("sealing.json.sig"), desk.path("kept")).unwrap();
    refuses(&desk, &format!("{GIVEN} {SEALED}"), "sealing manifest", why);
    std::fs::rename(desk.path("kept"), desk.path("sealing.json.sig")).unwrap();
    std::fs::remove_file(desk.path("build.json.sig")).unwrap();
    refuses(&desk, GIVEN, "build manifest", why);
    refuses(&desk, &format!("{GIVEN} {SEALED}"), "build manifest", why);
    desk.write("build.json.sig", "");
    refuses(&desk, GIVEN, "build manifest", "the signature is not the builder's over this text");
}

#[test]
fn a_manifest_signed_by_another_key_is_refused() {
    let desk = made();
    let why = "another builder made it";
    let stranger = GIVEN.replace("builder.pub", "stranger.pub");
    refuses(&desk, &stranger, "build manifest", why);
    // A stranger's own pair, whole in itself.
    let digest = sha256(&desk, desk.text("build.json").as_bytes());
    signed(&desk, "sealing.json", &sealing(&digest), "stranger");
    refuses(&desk, &format!("{GIVEN} {SEALED}"), "sealing manifest", why);
    // The right key, another padding: RSA-PSS is no signature of a builder.
    desk.openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out rsa.key", b"");
    desk.openssl("pkey -in rsa.key -pubout -out rsa.pub", b"");
    let given = GIVEN.replace("builder.pub", "rsa.pub");
    let pss = "-sigopt rsa_padding_mode:pss -sign rsa.key -out build.json.sig build.json";
    desk.openssl(&format!("dgst -sha256 {pss}"), b"");
    refuses(&desk, &given, "build manifest", why);
    desk.openssl("dgst -sha256 -sign rsa.key -out build.json.sig build.json", b"");
    assert_eq!(verify(&desk, &given)["verdict"], "good");
}

#[test]
fn a_sealing_of_another_build_is_refused() {
    let desk = made();
    signed(&desk, "sealing.json", &sealing(&digit('f')), "builder");
    let why = "the sealing manifest names another build manifest (SHA-256) than this one";
    refuses(&desk, &format!("{GIVEN} {SEALED}"), "sealing manifest", why);
}

#[test]
fn what_the_image_accepts_is_what_was_sealed() {
    let desk = made();
    let given = format!("{GIVEN} {SEALED}");
    let good = verify(&desk, &given);
    let check = line(&good, "image accepts, as sealed");
    assert_eq!(
        (&check["verdict"], &check["found"], &check["against"], &check["anchor"]),
        (&"good".into(), &"nothing".into(), &"sealing-manifest".into(), &"builder".into())
    );
    // The builder sealed an image that accepts more than the record says, and the other way round.
    let digest = sha256(&desk, desk.text("build.json").as_bytes());
    let mut test = sealing(&digest);
    test["accepts"]["secure-execution"] = "test".into();
    test["flags"]["dumping"] = true.into();
    signed(&desk, "sealing.json", &test, "builder");
    let report = verify(&desk, &given);
    let check = line(&report, "image accepts, as sealed");
    assert_eq!(
        (&report["verdict"], &check["verdict"], &check["expected"]),
        (&"bad".into(), &"bad".into(), &"secure-execution: test".into())
    );
    assert!(note(line(&report, "sealing manifest")).contains("the host may dump the guest's memory"));
    let accepting =
        "Image accepts: secure-execution: test\nImage accepts: scratch.protection: plain\nContract serial";
    sign(&desk, &desk.text("record").replace("Contract serial", accepting));
    assert_eq!(verify(&desk, &given)["verdict"], "good");
}

#[test]
fn what_is_no_builders_key_is_a_file_at_fault() {
    let desk = made();
    desk.openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out small.key", b"");
    desk.openssl("pkey -in small.key -pubout -out small.pub", b"");
    for (key, words) in [
        ("builder.key", "builder.key: expected the builder's public key or certificate in PEM form"),
        (
            "small.pub",
            "small.pub: expected an RSA key of at least 3072 bits, or an elliptic curve of at least 256",
        ),
        ("nothing", "nothing: No such file or directory"),
    ] {
        let said = refused(&desk, &GIVEN.replace("builder.pub", key));
        assert!(said.contains(words), "{words:?} in {said}");
    }
    for (arguments, needed) in [
        ("record --builder builder.pub", "--manifest"),
        ("record --manifest build.json --sealing-manifest sealing.json", "--builder"),
    ] {
        assert!(refused(&desk, arguments).contains(needed), "{arguments}");
    }
}

#[test]
fn an_expectation_is_made_of_a_manifest_that_the_builder_signed() {
    let desk = made();
    desk.countersign("new draft", b"");
    desk.write("plain.yaml", desk.answer(0, "pack draft --plain --key draft/signing.key", b""));
    let expect = "attest expect plain.yaml --manifest build.json --builder builder.pub";
    let text = desk.answer(0, expect, b"");
    assert!(text.contains("countersign:kernel") && text.contains("\"version\": \"0.1.0\""), "{text}");
    let output = desk.countersign(&expect.replace("builder.pub", "stranger.pub"), b"");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{said}");
    assert!(said.contains("build.json: build manifest: the signature is not the builder's"), "{said}");
}
