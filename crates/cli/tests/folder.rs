//! What does not go together in a folder of plain files is said at a line that its author wrote, by `check` and `pack`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::Value;
use support::{Desk, archive, compose};

/// A new folder `demo`, whose `workload.yaml` is this text, and folders with one compose file each.
fn folder(workload: &str, folders: &[&str]) -> Desk {
    let desk = Desk::new();
    desk.rsa("image", 100);
    desk.answer(0, "new demo", b"");
    desk.write("demo/workload.yaml", workload);
    std::fs::remove_dir_all(desk.path("demo/compose")).unwrap();
    // The volume of the template is named in both sections.
    let env = desk.text("demo/env.yaml");
    let (before, volumes) = env.split_once("\nvolumes:\n").unwrap();
    let (_, after) = volumes.split_once("\n\n").unwrap();
    desk.write("demo/env.yaml", format!("{before}\n{after}"));
    for name in folders {
        std::fs::create_dir(desk.path(&format!("demo/{name}"))).unwrap();
        desk.write(&format!("demo/{name}/compose.yaml"), compose());
    }
    desk
}

/// The errors of a report: code, pointer, line and column, message, hint.
fn errors(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .filter(|finding| finding["severity"] == "error")
        .map(|finding| {
            let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
            let mark = format!("{}:{}", finding["line"], finding["column"]);
            assert_eq!(finding["section"].as_str().unwrap(), &text("pointer")[1..][..text("section").len()]);
            format!("{} {} {mark} {}; {}", text("code"), text("pointer"), text("message"), text("hint"))
        })
        .collect()
}

/// `check` says just this, and `pack` refuses for the same reason and writes nothing.
fn says(desk: &Desk, expected: &[&str]) {
    assert_eq!(errors(&desk.report("demo")), expected);
    let packed = desk.countersign("pack demo --cert image.crt --key demo/signing.key", b"");
    assert_eq!((packed.status.code(), packed.stdout.len()), (Some(1), 0));
    let said = String::from_utf8(packed.stderr).unwrap();
    for line in expected {
        let (code, rest) = line.split_once(' ').unwrap();
        let hint = rest.rsplit("; ").next().unwrap();
        assert!(said.contains(code) && said.contains(hint), "{said}");
    }
}

const TYPE: &str = "type: workload\n";

#[test]
fn an_archive_and_a_folder_for_the_same_field() {
    let given = "type: workload\ncompose:\n  archive: <base64 of tgz>\n";
    let desk = folder(given, &["compose"]);
    says(
        &desk,
        &[
            "HPL05105E /workload/compose/archive 3:3 expected compose.archive in workload.yaml or the folder compose, which \
           is packed into it, and not both; remove one of them: compose from workload.yaml, or the folder compose",
        ],
    );
    // Either way out leads somewhere.
    desk.write("demo/workload.yaml", TYPE);
    assert_eq!(errors(&desk.report("demo")), Vec::<String>::new());
    let archive = archive(&compose());
    desk.write("demo/workload.yaml", given.replace("<base64 of tgz>", &archive));
    std::fs::remove_dir_all(desk.path("demo/compose")).unwrap();
    assert_eq!(errors(&desk.report("demo")), Vec::<String>::new());
}

#[test]
fn a_field_without_archive_and_its_folder() {
    for (text, place) in [("compose:\n", "2:1"), ("compose: {}\n", "2:1"), ("\n# soon\ncompose: x\n", "4:1")]
    {
        says(
            &folder(&format!("{TYPE}{text}"), &["compose"]),
            &[&format!(
                "HPL05105E /workload/compose {place} expected compose in workload.yaml or the folder compose, which is \
                 packed into it, and not both; remove one of them: compose from workload.yaml, or the folder compose"
            )],
        );
    }
}

#[test]
fn the_archive_of_play_and_its_folder() {
    says(
        &folder(&format!("{TYPE}play:\n  resources: []\n  archive: AAAA\n"), &["play"]),
        &[
            "HPL05105E /workload/play/archive 4:3 expected play.archive in workload.yaml or the folder play, which is packed \
           into it, and not both; remove one of them: play from workload.yaml, or the folder play",
        ],
    );
}

#[test]
fn another_kind_of_workload_than_the_folders() {
    says(
        &folder(&format!("play:\n  archive: AAAA\n{TYPE}"), &["compose"]),
        &[
            "HPL05001E /workload/play 1:1 expected play in workload.yaml or the folder compose, which is packed into compose, \
           and not both; remove one of them: play from workload.yaml, or the folder compose",
        ],
    );
    says(
        &folder(TYPE, &["compose", "play"]),
        &[
            "HPL05001E /workload null:null expected only one of the folders compose and play; remove one of them: each is \
           packed into the field of its name, and a workload has one",
        ],
    );
}

#[test]
fn a_file_to_which_nothing_can_be_added() {
    for (text, place) in [
        ("{type: workload}\n", "1:1"),
        ("# c\n{\"type\": \"workload\"}\n", "2:1"),
        ("type: workload\n...\n", "1:1"),
    ] {
        says(
            &folder(text, &["compose"]),
            &[&format!(
                "HPL05001E /workload {place} expected fields to which compose, the packed folder, can be added; write each \
                 field on a line of its own, without braces around them all and without ... at the end"
            )],
        );
    }
}

#[test]
fn a_file_that_is_indented_as_a_whole_gets_its_archive() {
    let desk = folder("  type: workload\n  env:\n    A: \"1\"", &["compose"]);
    assert_eq!(errors(&desk.report("demo")), Vec::<String>::new());
    desk.answer(0, "pack demo --plain --key demo/signing.key -o contract.yaml", b"");
    assert_eq!(desk.report("contract.yaml")["verdict"], "boots");
}

#[test]
fn what_is_wrong_with_the_file_alone_is_said_at_its_own_line() {
    for (text, expected) in [
        (
            "",
            "HPL05002E /workload null:null expected a yaml map, found nothing; write the fields of the section, in a contract each indented deeper than its name",
        ),
        (
            "type: workload\nenv:\n  A: \"1\n",
            "HPL05000E /workload/env/A 3:6 expected valid yaml; close the quote where the value ends, and write nothing but a comment behind it; in single quotes write ' twice, in double quotes \\\"",
        ),
        (
            "type: workload\nenv: [\n",
            "HPL05000E /workload/env/0 2:6 expected valid yaml; close the bracket or brace, and separate what it holds by commas; put a text that begins with one in quotes",
        ),
        (
            "type workload\n",
            "HPL05001E /workload 1:1 expected a map; correct the field at the named place; every field is described in CONTRACT.md",
        ),
        (
            "type: workload\nenv:\n",
            "HPL05001E /workload/env 2:4 expected a map of names and strings; write each variable as NAME: \"value\" on its own line",
        ),
    ] {
        says(&folder(text, &["compose"]), &[expected]);
    }
}

#[test]
fn a_section_that_is_sealed_already() {
    let token = "hyper-protect-basic.AAAA.AAAA\n";
    let said = |name: &str| {
        format!(
            "HPL05121E /{name} 1:1 expected the plain text of the section in {name}.yaml, found it sealed; give the text that \
             was sealed, or write both tokens into a contract of their own and sign that"
        )
    };
    says(&folder(token, &["compose"]), &[&said("workload")]);
    says(&folder(token, &[]), &[&said("workload")]);
    let desk = folder(TYPE, &["compose"]);
    desk.write("demo/env.yaml", token);
    says(&desk, &[&said("env")]);
}

#[test]
fn what_is_wrong_with_the_packed_files_has_no_line_of_the_section() {
    let desk = folder(TYPE, &["compose"]);
    desk.write("demo/compose/compose.yaml", "services:\n  web:\n    image: web:1\n");
    says(
        &desk,
        &["HPL06010E /workload/compose/archive null:null compose.yaml: service web: expected its image as \
           name@sha256:digest (line 3); name the image as name@sha256:digest, or say under images.rhs or \
           countersign.images who must have signed it"],
    );
    // Nor has what is left undecided.
    desk.write("demo/compose/compose.yaml", format!("include: [other.yaml]\n{}", compose()));
    desk.write("demo/compose/other.yaml", compose());
    let report = desk.report("demo");
    let gap = &report["unchecked"][0];
    assert_eq!(
        (&gap["pointer"], &gap["line"]),
        (&"/workload/compose/archive".into(), &Value::Null),
        "{report:#}"
    );
}

#[test]
fn a_key_that_is_not_the_named_one_is_told_at_the_line_of_the_file() {
    let desk = folder(TYPE, &["compose"]);
    desk.rsa("other", 100);
    let line =
        1 + desk.text("demo/env.yaml").lines().position(|line| line.starts_with("signingKey: ")).unwrap();
    let packed = desk.countersign("pack demo --cert image.crt --key other.key", b"");
    assert_eq!(packed.status.code(), Some(1));
    let said = String::from_utf8(packed.stderr).unwrap();
    let expected = format!(
        "countersign: /env/signingKey (env line {line}, column 13): expected the public key of the key that signs\n"
    );
    assert_eq!(said, expected);
}

#[test]
fn a_contract_that_sealing_makes_too_large_is_not_written() {
    let desk = folder(TYPE, &["compose"]);
    // Base64 of base64: what does not fit had place in the section.
    let mut noise = Vec::new();
    let mut state = 1_u64;
    while noise.len() < 700_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        noise.extend(state.to_be_bytes().iter().take(4));
    }
    desk.write("demo/compose/noise", noise);
    assert_eq!(errors(&desk.report("demo")), Vec::<String>::new());
    let packed = desk.countersign("pack demo --cert image.crt --key demo/signing.key", b"");
    assert_eq!((packed.status.code(), packed.stdout.len()), (Some(1), 0));
    let said = String::from_utf8(packed.stderr).unwrap();
    assert!(said.contains("expected at most 1048576 bytes"), "{said}");
    assert!(said.contains("move large files from the archive into the container image"), "{said}");
}
