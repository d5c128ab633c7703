//! `diff` says what another contract would change, and no value of a secret field.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use support::Desk;

/// Puts a text in the place of another in a file of a folder.
fn replace(desk: &Desk, file: &str, from: &str, to: &str) {
    let text = desk.text(file);
    assert!(text.contains(from), "{file}: {from}");
    desk.write(file, text.replace(from, to));
}

fn copy(desk: &Desk, from: &str, to: &str) {
    let paths = [desk.path(from), desk.path(to)];
    assert!(std::process::Command::new("cp").arg("-r").args(paths).status().unwrap().success());
}

fn line_of(desk: &Desk, file: &str, start: &str) -> String {
    desk.text(file).lines().find(|line| line.trim().starts_with(start)).unwrap().to_owned()
}

#[test]
fn what_changes_is_told_in_the_words_of_the_plan() {
    let desk = Desk::new();
    desk.rsa("image", 100);
    desk.answer(0, "new old", b"");
    assert_eq!(desk.answer(0, "diff old old", b""), "");
    copy(&desk, "old", "new");
    let (zeros, fives) = ("0".repeat(64), "5".repeat(64));
    replace(&desk, "new/compose/compose.yaml", &zeros, &fives);
    replace(&desk, "new/workload.yaml", "GREETING: \"hello\"", "GREETING: \"canary\"");
    replace(&desk, "new/workload.yaml", "mount: /mnt/data\n", "mount: /mnt/more\n");
    let seed = line_of(&desk, "new/env.yaml", "seed:");
    replace(&desk, "new/env.yaml", &seed, "    seed: a-canary-of-the-deployer\n    previousSeed: \"canary\"");
    replace(&desk, "new/env.yaml", "serial: 1", "serial: 2");
    replace(
        &desk,
        "new/env.yaml",
        "  PLACE: \"somewhere\"\n",
        "  PLACE: \"somewhere\"\n  MORE: \"canary\"\n",
    );
    replace(&desk, "new/compose/compose.yaml", "/mnt/data:", "/mnt/more:");
    // Lines that move change nothing.
    let compose = desk.text("new/compose/compose.yaml");
    desk.write("new/compose/compose.yaml", format!("# a line more\n{compose}"));
    desk.write("new/compose/page.html", "canary");
    let image = |digest: &str| format!("docker.io/library/nginx@sha256:{digest}");
    let expected = [
        "+ variable  MORE from env".to_owned(),
        "- volume    data at /mnt/data, ext4: disk called data, made new on a blank disk".to_owned(),
        "+ volume    data at /mnt/more, ext4: disk called data, made new on a blank disk".to_owned(),
        format!("- service   web: {}, by digest", image(&zeros)),
        format!("+ service   web: {}, by digest", image(&fives)),
        "- mount     web: /mnt/data:/usr/share/nginx/html".to_owned(),
        "+ mount     web: /mnt/more:/usr/share/nginx/html".to_owned(),
        "- reach     service web, a volume of the contract: /mnt/data:/usr/share/nginx/html".to_owned(),
        "+ reach     service web, a volume of the contract: /mnt/more:/usr/share/nginx/html".to_owned(),
        "~ file      compose.yaml".to_owned(),
        "~ seed      data: seed of the deployer".to_owned(),
        "~ serial    of the contract".to_owned(),
        "~ variable  GREETING has another value".to_owned(),
        "+ file      page.html".to_owned(),
        "+ seed      data: seed of the deployer until now".to_owned(),
    ];
    let said = desk.answer(1, "diff old new", b"");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines, expected);
    assert!(!said.contains("canary"), "{said}");
    // Sealed, the same is told to whoever has the key, and nothing to others.
    for name in ["old", "new"] {
        desk.answer(0, &format!("pack {name} --cert image.crt --key {name}/signing.key -o {name}.yaml"), b"");
    }
    assert_eq!(desk.answer(1, "diff old.yaml new.yaml --key image.key", b""), said);
    let output = desk.countersign("diff old.yaml new.yaml", b"");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    assert!(String::from_utf8(output.stderr).unwrap().contains("no key is given (--key)"));
}

#[test]
fn a_contract_that_the_guest_would_refuse_has_no_plan_to_compare() {
    let desk = Desk::new();
    desk.answer(0, "new old", b"");
    copy(&desk, "old", "new");
    replace(&desk, "new/env.yaml", "port: 6514", "port: \"6514\"");
    let output = desk.countersign("diff old new", b"");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("error HPL05001E at validate: /env/logging/syslog/port")
    );
}
