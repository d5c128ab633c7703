//! Mistakes that were met in contracts of others, each with the answer that helps, and the near kinds of each.
//!
//! A contract here is small and written anew. What is wrong with the text of a section alone has its file in
//! `tests/contracts` as well; here it is what a person is told who runs `check`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../contract/tests/support/mod.rs"]
#[allow(dead_code)]
mod material;
mod support;

use std::os::unix::fs::symlink;
use std::process::Command;

use material::Material;
use serde_json::Value;
use support::{Desk, archive, archive_of, compose};

const LOG: &str = "\
logging:
  syslog:
    hostname: logs.example
    server: @ca@
    cert: @cert@
    key: @key@
";

/// The text of a workload section that boots, with more below it.
fn workload(more: &str) -> String {
    format!("type: workload\ncompose:\n  archive: {}\n{more}", archive(&compose()))
}

/// The text of an env section that boots, with more below it.
fn env(more: &str) -> String {
    format!("type: env\n{LOG}{more}")
}

fn indented(text: &str, by: usize) -> String {
    text.lines().map(|line| format!("{:by$}{line}\n", "")).collect()
}

/// The report about a contract with these sections in the open.
fn report(workload: &str, env: &str) -> Value {
    let desk = Desk::new();
    let text = format!("workload: |\n{}env: |\n{}", indented(workload, 2), indented(env, 2));
    desk.write("contract.yaml", Material::new().fill(&text));
    desk.report("contract.yaml")
}

/// What is said of a severity: code, pointer, message, hint.
fn said(report: &Value, severity: &str) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap().iter();
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    findings
        .filter(|finding| finding["severity"] == severity && finding["code"] != "HPL12100W")
        .filter(|finding| finding["code"] != "HPL05206W")
        .map(|finding| {
            ["code", "pointer"].map(|key| text(finding, key)).join(" ")
                + &format!(": {}; {}", text(finding, "message"), text(finding, "hint"))
        })
        .collect()
}

fn errors(report: &Value) -> Vec<String> {
    said(report, "error")
}

#[test]
fn a_syslog_server_without_a_client_certificate() {
    let without = env("").replace("    cert: @cert@\n    key: @key@\n", "");
    let found = report(&workload(""), &without);
    assert_eq!((&found["verdict"], errors(&found)), (&"boots".into(), vec![]));
    let warned = said(&found, "warning");
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert!(warned[0].starts_with("HPL05205W /env/logging/syslog: no client certificate"), "{warned:?}");
    // One half alone: each hint leads to the certificate with its key, or to none, and neither to the other hint.
    for (line, code, told, away) in [
        (
            "    key: @key@\n",
            "HPL01009E /env/logging/syslog/key",
            "expected the field key, because cert is given; add the private key as key, or remove cert",
            "    cert: @cert@\n",
        ),
        (
            "    cert: @cert@\n",
            "HPL01008E /env/logging/syslog/cert",
            "expected the field cert, because key is given; add the client certificate as cert, or remove key",
            "    key: @key@\n",
        ),
    ] {
        let half = env("").replace(line, "");
        assert_eq!(errors(&report(&workload(""), &half)), [format!("{code}: {told}")]);
        let followed = report(&workload(""), &half.replace(away, ""));
        assert_eq!((&followed["verdict"], errors(&followed)), (&"boots".into(), vec![]));
    }
}

#[test]
fn a_file_system_that_is_made_and_one_that_is_not() {
    let volume = |file_system: &str| {
        let seed = "0123456789abcdef0123456789abcdef";
        report(
            &workload(&format!(
                "volumes:\n  data:\n    mount: /mnt/data\n    filesystem: {file_system}\n    seed: {seed}\n"
            )),
            &env("volumes:\n  data:\n    seed: fedcba9876543210fedcba9876543210\n"),
        )
    };
    for file_system in ["ext4", "xfs", "btrfs"] {
        let found = volume(file_system);
        assert_eq!((&found["verdict"], errors(&found)), (&"boots".into(), vec![]));
        assert_eq!(found["plan"]["volumes"][0]["filesystem"], file_system);
    }
    let expected = "HPL05001E /workload/volumes/data/filesystem: expected one of ext4, xfs, btrfs; ";
    let found = errors(&volume("zfs"));
    assert!(found.len() == 1 && found[0].starts_with(expected), "{found:?}");
    // The document says the same as the program.
    let document = include_str!("../../contract/CONTRACT.md");
    assert!(document.contains("| `filesystem` may be `xfs` or `btrfs` | both are made and opened;"));
}

/// What is said of a section that stands below its own name.
fn wrapped(section: &str) -> String {
    format!(
        "HPL05001E /{section}/{section}: expected the fields of the section {section} here, and not below {section}; take \
         the line that begins with {section}: out and indent the lines below it less, so that the text begins with type: \
         {section}"
    )
}

#[test]
fn a_section_that_brings_its_own_wrapper() {
    // As HPCR's documents show a section's file, encrypted as it is.
    let desk = Desk::new();
    desk.rsa("image", 30);
    let material = Material::new();
    let file = |name: &str, text: &str| material.fill(&format!("{name}: |\n{}", indented(text, 2)));
    let token = |text: &str| desk.token("hyper-protect-basic", "image", text.as_bytes(), b"0123456789abcdef");
    let texts = [file("workload", &workload("")), file("env", &env("volumes: {}\n"))];
    desk.write("contract.yaml", format!("workload: {}\nenv: {}\n", token(&texts[0]), token(&texts[1])));
    let found = desk.report("contract.yaml --key image.key --unsigned accept");
    let mut all = errors(&found);
    all.sort();
    assert_eq!(all, [wrapped("env"), wrapped("workload")]);
    // The remedy works.
    let taken_out = |name: &str| {
        let text = file(name, &if name == "env" { env("") } else { workload("") });
        let lines = text.lines().skip(1).map(|line| format!("{}\n", line.strip_prefix("  ").unwrap()));
        token(&lines.collect::<String>())
    };
    desk.write("contract.yaml", format!("workload: {}\nenv: {}\n", taken_out("workload"), taken_out("env")));
    assert_eq!(desk.report("contract.yaml --key image.key --unsigned accept")["verdict"], "boots");
}

#[test]
fn wrappers_of_other_kinds() {
    // One finding, wherever the section was: in the open, as a map, alone in its file, in a folder.
    let as_text = format!("env: |\n{}", indented(&env(""), 2));
    assert_eq!(errors(&report(&workload(""), &as_text)), [wrapped("env")]);
    let as_map = format!("workload:\n{}", indented(&workload(""), 2));
    assert_eq!(errors(&report(&as_map, &env(""))), [wrapped("workload")]);
    let desk = Desk::new();
    desk.write("env.yaml", Material::new().fill(&as_text));
    assert_eq!(errors(&desk.report("env.yaml --section env")), [wrapped("env")]);
    desk.answer(0, "new demo", b"");
    let own = desk.text("demo/env.yaml");
    desk.write("demo/env.yaml", format!("env: |\n{}", indented(&own, 2)));
    assert_eq!(errors(&desk.report("demo")), [wrapped("env")]);
    // A whole contract in the place of a section, and the other section.
    let whole = format!("workload: |\n{}env: |\n{}", indented(&workload(""), 2), indented(&env(""), 2));
    assert_eq!(errors(&report(&workload(""), &whole)), [wrapped("env")]);
    let other = format!("workload: |\n{}", indented(&workload(""), 2));
    assert_eq!(
        errors(&report(&workload(""), &other)),
        [
            "HPL05001E /env/workload: expected the fields of the section env here, and not below workload; this is the section \
          workload: write the section env here"
        ]
    );
    // Variables that happen to be called so are no wrapper.
    let variables = env("env:\n  type: env\n  env: \"type: env\"\n");
    assert_eq!(errors(&report(&workload(""), &variables)), Vec::<String>::new());
}

#[test]
fn a_seed_that_is_not_indented() {
    let seed = "0123456789abcdef0123456789abcdef";
    let provider = workload(&format!("volumes:\n  test:\n    mount: /mnt/data\n    seed: {seed}\n"));
    let found = report(&provider, &env("volumes:\n  test:\n  seed: \"fedcba9876543210fedcba9876543210\"\n"));
    assert_eq!(
        errors(&found),
        [
            "HPL05001E /env/volumes/seed: expected seed below test; seed stands beside test: indent it deeper, below test"
        ]
    );
    // The workload's own, and with a field more.
    let provider = workload(&format!("volumes:\n  test:\n  mount: /mnt/data\n  seed: {seed}\n"));
    let found = report(&provider, &env("volumes:\n  test:\n    seed: fedcba9876543210fedcba9876543210\n"));
    assert_eq!(
        errors(&found),
        [
            "HPL05001E /workload/volumes/mount: expected mount and seed below test; mount and seed stand beside test: indent \
          them deeper, below test"
        ]
    );
}

#[test]
fn an_archive_in_the_file_and_the_folder_too() {
    let desk = Desk::new();
    desk.answer(0, "new demo", b"");
    let own = desk.text("demo/workload.yaml");
    let given = format!("{own}\ncompose:\n  archive: <base64 of a tgz>\n");
    desk.write("demo/workload.yaml", &given);
    let found = desk.report("demo");
    assert_eq!(
        errors(&found),
        [
            "HPL05105E /workload/compose/archive: expected compose.archive in workload.yaml or the folder compose, which is \
          packed into it, and not both; remove one of them: compose from workload.yaml, or the folder compose"
        ]
    );
    let finding =
        found["findings"].as_array().unwrap().iter().find(|one| one["severity"] == "error").unwrap();
    let line = 1 + given.lines().position(|line| line.contains("archive: <")).unwrap();
    assert_eq!((&finding["section"], &finding["line"]), (&"workload".into(), &line.into()));
    // Either remedy works.
    desk.write("demo/workload.yaml", &own);
    assert_eq!(errors(&desk.report("demo")), Vec::<String>::new());
    std::fs::remove_dir_all(desk.path("demo/compose")).unwrap();
    desk.write("demo/workload.yaml", given.replace("<base64 of a tgz>", &archive(&compose())));
    assert_eq!(errors(&desk.report("demo")), Vec::<String>::new());
}

#[test]
fn tabs_where_yaml_takes_them_and_where_it_does_not() {
    for variables in ["env:\n  GREETING:\thello\n", "env: {\n\t\"GREETING\":\t\"hello\"\n  }\n"] {
        let found = report(&workload(""), &env(variables));
        assert_eq!((&found["verdict"], errors(&found)), (&"boots".into(), vec![]), "{variables:?}");
        assert_eq!(found["plan"]["environment"][0]["name"], "GREETING");
    }
    let found = errors(&report(&workload(""), &env("env:\n\tGREETING: hello\n")));
    let hint = "expected valid yaml; indent with spaces, not with tabs";
    assert!(found.len() == 1 && found[0].starts_with("HPL05000E ") && found[0].ends_with(hint), "{found:?}");
}

#[test]
fn a_token_with_an_empty_part() {
    let desk = Desk::new();
    let body = desk.base64(b"Salted__abcdefghijklmnop");
    for (token, part) in [
        (
            format!("hyper-protect-basic..{body}"),
            "the second part of the token, the sealed passphrase: it is empty",
        ),
        (format!("hyper-protect-basic.{body}."), "the third part of the token, the sealed text: it is empty"),
    ] {
        desk.write("contract.yaml", format!("workload: {token}\nenv: {token}\n"));
        let found = errors(&desk.report("contract.yaml"));
        let empty: Vec<&String> = found.iter().filter(|found| found.starts_with("HPL05122E")).collect();
        assert_eq!(empty.len(), 2, "{found:?}");
        for found in empty {
            assert!(found.contains(part), "{found}");
            assert!(found.contains("the command that encrypts it printed nothing"), "{found}");
        }
    }
}

#[test]
fn marks_of_a_template_without_quotes() {
    let expected = "put the value in quotes: it begins with {{ or {%, where yaml reads a map and not a text";
    let pod = |image: &str| {
        format!(
            "type: workload\nplay:\n  templates:\n  - apiVersion: v1\n    kind: Pod\n    metadata: {{name: p}}\n    spec:\n      \
             containers:\n      - name: main\n        image: {image}/x@sha256:{}\n",
            "5".repeat(64)
        )
    };
    let refused = errors(&report(&pod("{{ .Env.REGISTRY }}"), &env("env:\n  REGISTRY: registry.example\n")));
    assert!(refused.len() == 1 && refused[0].ends_with(expected), "{refused:?}");
    assert!(refused[0].contains("/workload/play/templates/0/spec/containers/0/image"), "{refused:?}");
    let refused = errors(&report(&workload(""), &env("env:\n  PLACE: {{ .Env.PLACE }}\n")));
    assert!(refused.len() == 1 && refused[0].ends_with(expected), "{refused:?}");
    // The remedy works.
    let quoted = pod("\"{{ .Env.REGISTRY }}").replace(&"5".repeat(64), &format!("{}\"", "5".repeat(64)));
    let found = report(&quoted, &env("env:\n  REGISTRY: registry.example\n"));
    assert_eq!((&found["verdict"], errors(&found)), (&"boots".into(), vec![]));
}

#[test]
fn an_association_secret_of_another_length() {
    let desk = Desk::new();
    let device = |bytes: &[u8]| {
        env(&format!(
            "crypto-pt:\n  lock: false\n  index-1:\n    type: secret\n    domain-id: \"03.0011\"\n    secret: {}\n    mkvp: \
             \"0x{}\"\n",
            desk.base64(bytes),
            "0a".repeat(32)
        ))
    };
    // An association secret of the Ultravisor has 32 bytes, so no other length could be added.
    for length in [26, 27, 31, 33] {
        assert_eq!(
            errors(&report(&workload(""), &device(&vec![7; length]))),
            [
                "HPL05001E /env/crypto-pt/index-1/secret: expected 32 bytes in base64; make it with openssl rand -base64 32",
                "HPL05130E /env/crypto-pt: expected no field that this version does not act on; remove the field"
            ],
            "{length}"
        );
    }
    let found = errors(&report(&workload(""), &device(&[7; 32])));
    assert!(!found.iter().any(|found| found.starts_with("HPL05001E")), "{found:?}");
}

#[test]
fn a_value_that_begins_with_a_character_that_yaml_reserves() {
    let expected = "put the value in quotes: it begins with %, @, ` or another character that yaml reserves";
    for value in ["%Tz7kq", "@handle", "`tick`"] {
        let auths = format!("auths:\n  registry.example:\n    username: reader\n    password: {value}\n");
        let found = errors(&report(&workload(""), &env(&auths)));
        assert!(found.len() == 1 && found[0].starts_with("HPL05000E "), "{found:?}");
        assert!(found[0].ends_with(expected) && !found[0].contains(value), "{found:?}");
        // The remedy works.
        let quoted = auths.replace(value, &format!("\"{value}\""));
        assert_eq!(errors(&report(&workload(""), &env(&quoted))), Vec::<String>::new());
    }
    let found = errors(&report(&workload(""), &env("env:\n  MOTTO: one: two\n")));
    assert!(found.len() == 1 && found[0].contains("it holds a colon and a blank"), "{found:?}");
}

/// The archive of a folder by GNU tar with these options.
fn packed(desk: &Desk, folder: &str, options: &[&str]) -> String {
    let mut command = Command::new("tar");
    let output = command.arg("-C").arg(desk.path(folder)).args(options).args(["-cz", "."]).output().unwrap();
    assert!(output.status.success());
    desk.base64(&output.stdout)
}

#[test]
fn links_in_an_archive_are_named_and_hide_nothing() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("app")).unwrap();
    desk.write("app/compose.yaml", "services:\n  web:\n    image: web:latest\n    enviroment: [A=b]\n");
    desk.write("app/page.html", "x");
    std::fs::hard_link(desk.path("app/page.html"), desk.path("app/second.html")).unwrap();
    symlink("page.html", desk.path("app/third.html")).unwrap();
    let check = |options: &[&str], text: &str| {
        let archive = packed(&desk, "app", options);
        let workload = format!("type: workload\ncompose:\n  archive: {archive}\n{text}");
        errors(&report(&workload, &env("")))
    };
    let found = check(&["--sort=name"], "");
    let about = |found: &[String], name: &str| {
        found.iter().find(|found| found.contains(&format!("({name})"))).cloned().unwrap_or_default()
    };
    let (hard, soft) = (about(&found, "./second.html"), about(&found, "./third.html"));
    assert!(
        hard.starts_with("HPL06102E /workload/compose/archive: ") && hard.contains("is a hard link"),
        "{found:?}"
    );
    assert!(hard.contains("--hard-dereference"), "{hard}");
    assert!(
        soft.contains("is a symbolic link") && soft.contains("--dereference and --hard-dereference"),
        "{soft}"
    );
    // What is wrong in the compose file is told beside them.
    assert!(
        found.iter().any(|found| found.contains("compose.yaml: service web: expected its image")),
        "{found:?}"
    );
    assert!(found.iter().any(|found| found.contains("instead of enviroment")), "{found:?}");
    // Both remedies work.
    desk.write("app/compose.yaml", compose());
    assert_eq!(check(&["--sort=name", "--hard-dereference", "--dereference"], ""), Vec::<String>::new());
    // A compose file that is a link is not missing besides.
    std::fs::rename(desk.path("app/compose.yaml"), desk.path("app/real.yaml")).unwrap();
    symlink("real.yaml", desk.path("app/compose.yaml")).unwrap();
    let found = check(&["--sort=name", "--hard-dereference"], "");
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().all(|found| found.contains("is a symbolic link")), "{found:?}");
}

#[test]
fn a_broken_dotenv_hides_nothing_of_the_compose_file() {
    let compose =
        "services:\n  web:\n    image: ${IMAGE}\n    enviroment: [A=b]\n  more:\n    image: more:1\n";
    let check = |dotenv: &str| {
        let archive = archive_of(&[("compose.yaml", compose), (".env", dotenv)]);
        errors(&report(&format!("type: workload\ncompose:\n  archive: {archive}\n"), &env("")))
    };
    let broken = check("IMAGE=\"canary\n");
    let codes: Vec<&str> = broken.iter().map(|found| found.split(' ').next().unwrap()).collect();
    assert_eq!(codes, ["HPL06106E", "HPL06009E", "HPL06010E"], "{broken:?}");
    assert!(broken[0].contains(".env: expected the closing quote of a value (line 1)"), "{broken:?}");
    assert!(broken[1].contains("instead of enviroment") && broken[1].contains("(line 4)"), "{broken:?}");
    assert!(broken[2].contains("service more") && broken[2].contains("(line 6)"), "{broken:?}");
    // Whether the image is one is said once its variable is known.
    assert!(!broken.iter().any(|found| found.contains("service web: expected")), "{broken:?}");
    let image = format!("IMAGE=registry.example/web@sha256:{}\n", "5".repeat(64));
    assert_eq!(check(&image), broken[1..]);
    let found = check("IMAGE=web:1\n");
    assert!(found.iter().any(|found| found.contains("service web: expected its image")), "{found:?}");
}

#[test]
fn weak_and_shared_seeds_are_warned_about_with_the_reason() {
    let strong = ["0123456789abcdef0123456789abcdef", "fedcba98765432100123456789abcdef"];
    let volumes = |seeds: [&str; 2], mount: bool| {
        let mut text = "volumes:\n".to_owned();
        for (name, seed) in ["data", "logs"].into_iter().zip(seeds) {
            let mount = if mount { format!("    mount: /mnt/{name}\n") } else { String::new() };
            text.push_str(&format!("  {name}:\n{mount}    seed: \"{seed}\"\n"));
        }
        text
    };
    let told = |provider: [&str; 2], deployer: [&str; 2]| {
        let found = report(&workload(&volumes(provider, true)), &env(&volumes(deployer, false)));
        assert_eq!((&found["verdict"], errors(&found)), (&"boots".into(), vec![]));
        for seed in provider.into_iter().chain(deployer) {
            assert!(!found.to_string().contains(seed), "a seed is shown");
        }
        let warned = said(&found, "warning").into_iter();
        warned.map(|line| line.split_once(';').unwrap().0.to_owned()).collect::<Vec<_>>()
    };
    let other = ["00112233445566778899aabbccddeeff", "ffeeddccbbaa99887766554433221100"];
    assert_eq!(told(strong, other), Vec::<String>::new());
    assert_eq!(
        told(
            ["canary-short", "canary with blanks"],
            ["abababababababababababababababab", "canary-of-one-kind"]
        ),
        [
            "HPL05201W /workload/volumes/data/seed: the seed is shorter than the 15 characters that HPCR demands since 2026",
            "HPL05208W /env/volumes/data/seed: the seed has few different characters, so it can be guessed",
            "HPL05201W /workload/volumes/logs/seed: the seed has a character that HPCR refuses since 2026: it takes letters, \
             digits and !@#$%^&*(),.?\":{}|<>_-",
            "HPL05208W /env/volumes/logs/seed: the seed is shorter than a random text of its kind with 128 bits, so it may \
             be guessed",
        ]
    );
    assert_eq!(
        told([strong[0]; 2], [strong[0], other[0]]),
        [
            "HPL05202W /workload/volumes/logs/seed: the volumes data and logs have the same seed",
            "HPL05202W /env/volumes/data/seed: both sections have the same seed",
        ]
    );
}
