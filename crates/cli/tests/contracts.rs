//! The tables under `tests/contracts` through the binary: the same codes, places, lines and hints as the library
//! gives, in the published form. Beside the findings of the heads a whole check finds more, which is listed here.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../contract/tests/support/mod.rs"]
#[allow(dead_code)]
mod material;
mod support;

use std::path::{Path, PathBuf};

use material::Material;
use serde_json::Value;
use support::{Desk, archive, archive_of, compose};

fn cases(name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/contracts").join(name);
    let mut cases: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() > 5);
    cases
}

/// A finding as the heads write it.
fn line(finding: &Value) -> String {
    let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let mark = match (finding["line"].as_u64(), finding["column"].as_u64()) {
        (Some(line), Some(column)) => format!("{line}:{column}"),
        _ => "-".to_owned(),
    };
    let pointer = if text("pointer").is_empty() { "/".to_owned() } else { text("pointer") };
    let hint = finding["hint"].as_str().map_or(String::new(), |hint| format!("; {hint}"));
    format!("#> {} {} {pointer} {mark} {}{hint}", text("code"), text("section"), text("message"))
}

/// What only a whole check finds: signature, how the policy is kept, archive, and the dates of the material's certificates,
/// which last 30 days; and what is left unsaid about volumes.
fn is_beyond_the_table(line: &str) -> bool {
    ["HPL12100W", "HPL12108W", "HPL12109E", "HPL12001E", "HPL12004E", "HPL06", "HPL05206W", "HPL05207I"]
        .iter()
        .any(|start| line[3..].starts_with(start))
}

/// Runs one case; returns what only a whole check looks at, as `code pointer`, and in the same form what it finds besides the
/// head because it goes on.
fn run(desk: &Desk, case: &Path, material: &Material, archive: &str) -> (Value, Vec<String>, Vec<String>) {
    let text = std::fs::read_to_string(case).unwrap();
    let head: Vec<&str> = text.lines().take_while(|line| line.starts_with("#> ")).collect();
    desk.write(
        "contract.yaml",
        material.fill(&text).replace("archive: AAAA", &format!("archive: {archive}")),
    );
    let report = desk.report("contract.yaml");
    let found: Vec<String> = report["findings"].as_array().unwrap().iter().map(line).collect();
    let (beyond, mut found): (Vec<String>, Vec<String>) =
        found.into_iter().partition(|line| is_beyond_the_table(line) && !head.contains(&line.as_str()));
    // Without a key a sealed section is not refused but unchecked.
    for gap in report["unchecked"].as_array().unwrap() {
        if let Some(expected) = head.iter().find(|line| line.starts_with("#> HPL11001E")) {
            let place =
                format!("contract {} {}:{} ", gap["pointer"].as_str().unwrap(), gap["line"], gap["column"]);
            assert!(expected.contains(&place), "{}: {gap}", case.display());
            found.push((*expected).to_owned());
        }
    }
    // The stages take the sections in another order than the table's reader.
    let mut head: Vec<String> = head.into_iter().map(str::to_owned).collect();
    head.sort();
    found.sort();
    let (found, more): (Vec<String>, Vec<String>) = found.into_iter().partition(|line| head.contains(line));
    assert_eq!(found, head, "{}", case.display());
    let short = |line: String| line.split(' ').skip(1).step_by(2).take(2).collect::<Vec<_>>().join(" ");
    let beyond = beyond.into_iter().filter(|line| !line.contains("HPL05206W") && !line.contains("HPL05207I"));
    (report, beyond.map(short).collect(), more.into_iter().map(short).collect())
}

#[test]
fn valid_contracts_boot() {
    let (desk, material, archive) = (Desk::new(), Material::new(), archive(&compose()));
    for case in cases("valid") {
        let (report, beyond, more) = run(&desk, &case, &material, &archive);
        assert_eq!(more, Vec::<String>::new(), "{}", case.display());
        let name = case.file_stem().unwrap().to_str().unwrap().to_owned();
        let (verdict, expected) = match name.as_str() {
            "everything-that-is-acted-on" => ("refused", vec!["HPL12001E /env/signingKey"]),
            "policy" | "log-router-of-ones-own" => {
                ("boots", vec!["HPL12100W /envWorkloadSignature", "HPL12108W /workload/countersign/policy"])
            }
            // Its rules are for images that the packed compose file does not have.
            "signed-images" => {
                let mut codes: Vec<&str> = beyond.iter().filter_map(|line| line.split(' ').next()).collect();
                codes.dedup();
                assert_eq!(codes, ["HPL12100W", "HPL06128W"]);
                ("boots", beyond.iter().map(String::as_str).collect())
            }
            _ => ("boots", vec!["HPL12100W /envWorkloadSignature"]),
        };
        assert_eq!(report["verdict"], verdict, "{name}");
        assert_eq!(beyond, expected, "{name}");
        assert_eq!(report["plan"].is_null(), verdict == "refused", "{name}");
    }
}

#[test]
fn invalid_contracts_are_refused() {
    let (desk, material, archive) = (Desk::new(), Material::new(), archive(&compose()));
    let mut besides = String::new();
    for case in cases("invalid") {
        let (report, beyond, more) = run(&desk, &case, &material, &archive);
        for line in more {
            besides.push_str(&format!("{} {line}\n", case.file_name().unwrap().to_str().unwrap()));
        }
        // What the library refuses for want of a key, the command refuses for want of a signature.
        let sealed = beyond.iter().any(|line| line == "HPL12109E /envWorkloadSignature");
        assert_eq!(sealed, case.ends_with("sealed.yaml"), "{}: {beyond:?}", case.display());
        assert_eq!(report["verdict"], "refused", "{}", case.display());
        assert!(report["plan"].is_null(), "{}", case.display());
    }
    if std::env::var_os("UPDATE_CONTRACTS").is_some() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contracts-besides.txt");
        std::fs::write(file, &besides).unwrap();
        return;
    }
    assert_eq!(besides, BESIDES);
}

/// What `check` finds in the contracts of `invalid` besides their heads, because it goes on where the library and the guest
/// stop: file, code, pointer. With `UPDATE_CONTRACTS=1` it is rewritten; read the difference.
const BESIDES: &str = include_str!("contracts-besides.txt");

#[test]
fn a_log_router_is_told_with_who_gives_its_tokens() {
    let (desk, material, archive) = (Desk::new(), Material::new(), archive(&compose()));
    let told = |name: &str| {
        let case = cases("valid").into_iter().find(|case| case.ends_with(name)).unwrap();
        let (report, ..) = run(&desk, &case, &material, &archive);
        let log = report["plan"]["log"].clone();
        let lengths = [&log["authorities"], &log["client"], &log["iam"]["authorities"]]
            .map(|list| list.as_array().map_or(0, Vec::len));
        let text = desk.answer(0, "check contract.yaml", b"");
        assert!(!(text.clone() + &report.to_string()).contains("an-api-key"));
        let lines: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
        let begin = lines.iter().position(|line| line.starts_with("log ")).unwrap();
        (
            log["iam"]["hostname"].clone(),
            log["iam"]["port"].clone(),
            lengths,
            lines[begin..begin + 4].to_vec(),
        )
    };
    let (hostname, port, lengths, lines) = told("log-router.yaml");
    assert_eq!((hostname, port, lengths), ("iam.cloud.ibm.com".into(), 443.into(), [0, 0, 0]));
    let public = "authority the public ones of the guest OS";
    assert_eq!(
        lines,
        [
            "log       0a1b2c3d.ingress.eu-de.logs.cloud.ibm.com port 443, IBM Cloud Logs",
            public,
            "iam       iam.cloud.ibm.com port 443, gives the tokens",
            public,
        ]
    );
    let (hostname, port, lengths, lines) = told("log-router-of-ones-own.yaml");
    assert_eq!((hostname, port, lengths), ("private.iam.example".into(), 8443.into(), [1, 0, 1]));
    assert!(lines[1].starts_with("authority ") && lines[1].contains(", until "), "{lines:?}");
    assert_eq!(lines[1], lines[3]);
}

#[test]
fn what_is_in_the_archive_counts() {
    let (desk, material) = (Desk::new(), Material::new());
    let minimal = cases("valid").into_iter().find(|case| case.ends_with("minimal.yaml")).unwrap();
    let text = material.fill(&std::fs::read_to_string(minimal).unwrap());
    for (compose, code) in [
        ("services:\n  web:\n    image: registry.example/web:latest\n", "HPL06010E"),
        ("services: {}\n", "HPL06009E"),
    ] {
        desk.write("contract.yaml", text.replace("archive: AAAA", &format!("archive: {}", archive(compose))));
        let report = desk.report("contract.yaml");
        assert_eq!(report["stage"], "validate");
        let last = report["findings"].as_array().unwrap().last().unwrap().clone();
        assert_eq!((&last["code"], &last["pointer"]), (&code.into(), &"/workload/compose/archive".into()));
        assert_eq!((last["line"].as_u64(), last["column"].as_u64()), (Some(4), Some(14)), "{last}");
    }
    desk.write("contract.yaml", text);
    let report = desk.report("contract.yaml");
    assert_eq!(report["findings"].as_array().unwrap().last().unwrap()["code"], "HPL06100E");
}

/// A digest of no image.
const DIGEST: &str = "sha256:9fcf739803e0dcce2e2351e797b875fa51049ffd66843242cfae973fd2376e4a";

/// The report about a contract with this archive and variables of its env section.
fn report(desk: &Desk, material: &Material, files: &[(&str, &str)], variables: &str) -> Value {
    let minimal = cases("valid").into_iter().find(|case| case.ends_with("minimal.yaml")).unwrap();
    let text = material.fill(&std::fs::read_to_string(minimal).unwrap());
    let filled: Vec<(&str, String)> =
        files.iter().map(|(name, text)| (*name, text.replace("DIGEST", DIGEST))).collect();
    let files: Vec<(&str, &str)> = filled.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let text = text.replace("archive: AAAA", &format!("archive: {}", archive_of(&files)));
    assert!(text.contains("\n  type: env\n"), "{text}");
    let text = text.replace("\n  type: env\n", &format!("\n  type: env\n{variables}"));
    desk.write("contract.yaml", text);
    desk.report("contract.yaml")
}

#[test]
fn the_archives_own_variables_name_images_on_the_desk_as_in_the_guest() {
    let (desk, material) = (Desk::new(), Material::new());
    let image = "services:\n  web:\n    image: ${REGISTRY}/hello@${OTHER:-DIGEST}\n";
    for (dotenv, variables, host) in [
        ("export REGISTRY=\"own.example.org\" # ours\n", "", "own.example.org"),
        ("REGISTRY=own.example.org\n", "  env: {REGISTRY: set.example.org}\n", "set.example.org"),
        ("REGISTRY=${HOST}\nHOST=own.example.org", "  env: {HOST: set.example.org}\n", "set.example.org"),
    ] {
        let report = report(&desk, &material, &[("docker-compose.yml", image), (".env", dotenv)], variables);
        assert_eq!(report["verdict"], "boots", "{report:#}");
        assert_eq!(report["plan"]["images"], serde_json::json!([format!("{host}/hello@{DIGEST}")]));
    }
}

#[test]
fn what_the_guest_says_about_a_compose_file_is_said_on_the_desk_with_its_line() {
    let (desk, material) = (Desk::new(), Material::new());
    let web = "services:\n  web:\n    image: ";
    for (compose, dotenv, code, message, hint) in [
        (
            "hello@DIGEST\n---\nservices:\n  more:\n    image: redis@DIGEST\n",
            "",
            "HPL05109E",
            "docker-compose.yml: expected one yaml document (line 4)",
            "keep one document",
        ),
        (
            "${REGISTRY}/hello@DIGEST\n",
            "OTHER=x\n",
            "HPL06009E",
            "docker-compose.yml: service web: expected every variable of its image in env, REGISTRY is not set (line 3)",
            "set it under env.env or workload.env, or in the archive's .env",
        ),
        (
            "${IMAGE:-hello@DIGEST}\n",
            "IMAGE=canary:latest\n",
            "HPL06010E",
            "docker-compose.yml: service web: expected its image as name@sha256:digest where IMAGE is replaced (line 3)",
            "name the image as name@sha256:digest, or say under images.rhs or countersign.images who must have signed it",
        ),
        (
            "${IMAGE}@DIGEST\n",
            "IMAGE=canary//x\n",
            "HPL06009E",
            "docker-compose.yml: service web: expected an image reference where IMAGE is replaced (line 3)",
            "name an image of a registry by digest",
        ),
        (
            "oci:canary@DIGEST\n",
            "",
            "HPL06009E",
            "docker-compose.yml: service web: expected an image in a registry, not one behind a scheme (line 3)",
            "name an image of a registry by digest",
        ),
        (
            "hello@DIGEST\n    image: canary\n",
            "",
            "HPL05105E",
            "docker-compose.yml: expected each key once in its map, image stands twice (line 4)",
            "keep one of the two entries",
        ),
        (
            "!!binary Y2FuYXJ5\n",
            "",
            "HPL05108E",
            "docker-compose.yml: expected no tag (line 3)",
            "remove the tag, or put a text that begins with ! in quotes",
        ),
        (
            "hello@DIGEST\n",
            "A=1\nB=\"canary\n",
            "HPL06106E",
            ".env: expected the closing quote of a value (line 2)",
            "write each line as NAME=value, in quotes where the value has spaces, # or $, and try it with docker compose config",
        ),
    ] {
        let compose = format!("{web}{compose}");
        let report = report(&desk, &material, &[("docker-compose.yml", &compose), (".env", dotenv)], "");
        let last = report["findings"].as_array().unwrap().last().unwrap().clone();
        assert_eq!((&report["stage"], &last["code"]), (&"validate".into(), &code.into()), "{report:#}");
        assert_eq!((&last["message"], &last["hint"]), (&message.into(), &hint.into()));
        assert!(!report.to_string().contains("canary"), "{report:#}");
    }
}

#[test]
fn the_schema_of_a_contract_is_usable() {
    let desk = Desk::new();
    let schema: Value = serde_json::from_str(&desk.answer(0, "schema", b"")).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let text = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/contracts/full.json"),
    );
    let mut full: Value = serde_json::from_str(&Material::new().fill(&text.unwrap())).unwrap();
    validator.validate(&full).unwrap_or_else(|error| panic!("{}", error.masked()));
    full["env"]["logging"]["syslog"]["port"] = "6514".into();
    assert!(!validator.is_valid(&full));
    full["env"] = "a token or text".into();
    assert!(validator.is_valid(&full));
    for subject in
        ["workload", "env", "check", "explain", "facts", "transcript", "timeline", "build-manifest"]
    {
        let schema: Value = serde_json::from_str(&desk.answer(0, &format!("schema {subject}"), b"")).unwrap();
        jsonschema::draft202012::new(&schema).unwrap();
    }
    let explained: Value = serde_json::from_str(&desk.answer(0, "explain --format json", b"")).unwrap();
    let schema: Value = serde_json::from_str(&desk.answer(0, "schema explain", b"")).unwrap();
    jsonschema::draft202012::validate(&schema, &explained).unwrap();
}
