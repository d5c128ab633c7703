//! Stage `validate`, the compose file: what is judged is what the compose program reads and starts.

use countersign_boot::stage::Stage;
use countersign_contract::code::Code;

use crate::support::contract::IMAGE;
use crate::support::{Contract, boot, machine, refused};

/// Another image with a digest.
const OTHER: &str =
    "registry.example.org:5000/other@sha256:1c2ba2ad0f3a6ca9b5b5ddd2a02b0a7a7a9a2cbb6e1e7f4a2d8ddc1f7a8b9c0d";

/// Refused for the compose file or the file beside it, with the words, at the archive's own line.
fn ends(contract: &Contract, code: Code, words: &str) -> String {
    let line =
        contract.workload.lines().position(|line| line.trim_start().starts_with("archive:")).unwrap() + 1;
    let boot = refused(contract);
    boot.assert_place(Stage::Validate, code, &format!("/workload/compose/archive workload {line}:12"), words);
    boot.sentence().to_owned()
}

/// A compose file with one service.
fn with_image(image: &str) -> Contract {
    Contract::good().with_compose(&format!("services:\n  web:\n    image: {image}\n"))
}

/// The images of the plan of a boot that goes well, and the `.env` that it leaves.
fn boots(contract: &Contract) -> (Vec<String>, String) {
    let boot = boot(&machine(contract));
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    let plan: serde_json::Value = serde_json::from_str(&boot.file("/run/countersign/plan.json")).unwrap();
    let images = plan["images"].as_array().unwrap().iter().map(|image| image.as_str().unwrap().to_owned());
    (images.collect(), boot.file("/sysroot/data1/compose/.env"))
}

#[test]
fn a_second_document_is_refused_at_its_line() {
    let compose =
        format!("services:\n  web:\n    image: {IMAGE}\n---\nservices:\n  more:\n    image: app:1\n");
    let words = "compose.yaml: expected one yaml document (line 4)";
    ends(&Contract::good().with_compose(&compose), Code::SeveralDocuments, words);
    let marked = format!("---\nservices:\n  web:\n    image: {IMAGE}\n...\n");
    assert_eq!(boots(&Contract::good().with_compose(&marked)).0, [IMAGE]);
}

#[test]
fn the_archives_own_variables_name_the_image() {
    let contract = with_image("${REGISTRY}/web@${DIGEST:-none}").with_file(
        ".env",
        "# where it lies\nexport REGISTRY='registry.example.org:5000'\nDIGEST=\"sha256:9fcf739803e0dcce2e2351e797b875fa51049ffd66843242cfae973fd2376e4a\"\n",
    );
    let (images, environment) = boots(&contract);
    assert_eq!(images, [IMAGE]);
    assert!(environment.contains("REGISTRY=\"registry.example.org:5000\"\n"), "{environment}");
}

#[test]
fn a_default_is_not_judged_where_the_archive_sets_the_variable() {
    let default = format!("${{IMAGE:-{IMAGE}}}");
    let contract = with_image(&default).with_file(".env", "IMAGE=registry.example.org/evil:latest\n");
    let said = ends(
        &contract,
        Code::ImageNotPinned,
        "service web: expected its image as name@sha256:digest where IMAGE is replaced (line 3)",
    );
    assert!(!said.contains("evil"), "{said}");
    let contract = with_image(&default).with_file(".env", &format!("IMAGE={OTHER}\n"));
    assert_eq!(boots(&contract).0, [OTHER]);
    assert_eq!(boots(&with_image(&default)).0, [IMAGE]);
}

#[test]
fn the_contracts_variables_win_over_the_archives() {
    let contract = with_image("${FROM}/web@${DIGEST}")
        .with("  FROM_ENV:", "  HOST: registry.example.org\n  FROM_ENV:")
        .with_file(
            ".env",
            "HOST=elsewhere.example.org\nFROM=${HOST}:5000\nDIGEST=sha256:9fcf739803e0dcce2e2351e797b875fa51049ffd66843242cfae973fd2376e4a\n",
        );
    let (images, environment) = boots(&contract);
    assert_eq!(images, [IMAGE]);
    assert!(!environment.contains("elsewhere"), "{environment}");
}

#[test]
fn a_variable_that_nobody_sets_is_named() {
    let compose = format!("${{REGISTRY}}/{}", IMAGE.rsplit('/').next().unwrap());
    let words = "service web: expected every variable of its image in env, REGISTRY is not set (line 3)";
    let said = ends(&with_image(&compose), Code::ComposeRefused, words);
    assert!(said.ends_with("; set it under env.env or workload.env, or in the archive's .env"), "{said}");
    // As long as a reference comes out, an empty variable is what the compose program takes it for.
    assert_eq!(boots(&with_image(&format!("{IMAGE}${{SUFFIX}}"))).0, [IMAGE]);
}

#[test]
fn what_is_no_reference_after_interpolation_is_refused_by_its_variables() {
    let digest = IMAGE.rsplit('@').next().unwrap();
    for (image, value) in [
        ("${A}@DIGEST", "canary//b"),
        ("${A}@DIGEST", "canary:"),
        ("${A}@DIGEST", "-canary"),
        ("${A}@DIGEST", "CANARY"),
        ("canary${A}/b@DIGEST", "/"),
    ] {
        let contract = with_image(&image.replace("DIGEST", digest))
            .with("  FROM_ENV:", &format!("  A: \"{value}\"\n  FROM_ENV:"));
        let words = "service web: expected an image reference where A is replaced (line 3)";
        let said = ends(&contract, Code::ComposeRefused, words);
        assert!(!said.to_lowercase().contains("canary"), "{said}");
    }
    for image in ["a//b@DIGEST", "\":@DIGEST\"", "\"@DIGEST\"", "\"\"", "a/@DIGEST"] {
        let contract = with_image(&image.replace("DIGEST", digest));
        ends(&contract, Code::ComposeRefused, "service web: expected an image reference (line 3)");
    }
}

#[test]
fn an_image_comes_from_a_registry() {
    let digest = IMAGE.rsplit('@').next().unwrap();
    for place in [
        "docker-archive:a",
        "docker-daemon:a",
        "oci:a",
        "oci-archive:a",
        "dir:a",
        "containers-storage:a",
        "sif:a",
        "docker://a/b",
        "tarball:a",
        "ostree:a",
    ] {
        let words = "service web: expected an image in a registry, not one behind a scheme (line 3)";
        ends(&with_image(&format!("{place}@{digest}")), Code::ComposeRefused, words);
    }
    // The registry's own image of that name.
    let docker = format!("docker:27@{digest}");
    assert_eq!(boots(&with_image(&docker)).0, [docker]);
}

#[test]
fn keys_that_two_readers_could_take_differently_are_refused() {
    for (compose, code, words) in [
        (
            "services:\n  web:\n    image: IMAGE\n    image: OTHER\n",
            Code::DuplicateKey,
            "expected each key once in its map, image stands twice (line 4)",
        ),
        ("services:\n  web:\n    image: !!binary IMAGE\n", Code::Tag, "expected no tag (line 3)"),
        (
            "services:\n  web:\n    image: IMAGE\n    command: !reset x\n",
            Code::Tag,
            "expected no tag (line 4)",
        ),
        (
            "services:\n  web:\n    image: ${A\n",
            Code::ComposeRefused,
            "service web: expected ${NAME} in its image, and $$ for a dollar sign (line 3)",
        ),
    ] {
        ends(
            &Contract::good().with_compose(&compose.replace("IMAGE", IMAGE).replace("OTHER", OTHER)),
            code,
            words,
        );
    }
}

#[test]
fn an_env_file_that_the_compose_program_does_not_read_is_refused_at_its_line() {
    for (file, words) in [
        ("A=1\nB='x\n", ".env: expected the closing quote of a value (line 2)"),
        ("A=1\n\nB C=2\n", ".env: expected a name and = (line 3)"),
        ("=x\n", ".env: expected a name and = (line 1)"),
        ("A=${B\n", ".env: expected ${NAME} in the value, and $$ for a dollar sign (line 1)"),
        ("A=${B:?canary}\n", ".env: expected B to be set (line 1)"),
    ] {
        let said = ends(&Contract::good().with_file(".env", file), Code::ArchiveDotenv, words);
        assert!(!said.contains("canary"), "{said}");
    }
}

#[test]
fn a_folder_where_the_variables_are_to_lie_is_refused() {
    let mut contract = Contract::good();
    contract.archive.retain(|(path, _)| path != ".env");
    let contract = contract.with_file(".env/more", "A=1\n");
    ends(&contract, Code::ArchiveDotenv, ".env: expected a file, not a folder");
}

#[test]
fn what_runs_otherwise_than_it_looks_and_what_it_reaches_are_warnings_with_their_line() {
    let compose = format!(
        "services:\n  web:\n    image: {IMAGE}\n    logging: {{driver: none}}\n    network_mode: host\n    volumes:\n    - /mnt/data:/x\n    - /etc/canary:/y\n    container_name: kernel\n"
    );
    let boot = boot(&machine(&Contract::good().with_compose(&compose)));
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    let place = "/workload/compose/archive (workload line 3, column 12): compose.yaml: service web";
    for (code, words) in [
        ("HPL06121W", ": logging is left out, every line goes to the contract's log server (line 4)"),
        ("HPL06123W", " reaches the guest's own network (line 5)"),
        ("HPL06123W", " reaches a path of the guest (line 8)"),
        ("HPL06124W", ": container_name looks like one of the guest's own names in the log (line 9)"),
    ] {
        boot.assert_warned(&format!("{code} {place}{words}"));
    }
    assert!(!boot.said().contains("(line 7)") && !boot.said().contains("canary"), "{}", boot.said());
}

#[test]
fn every_refusal_of_a_compose_file_is_said() {
    let compose = format!("services:\n  web:\n    image: {IMAGE}\n    user: 5\n    volumes: [\"/run:/x\"]\n");
    let boot = refused(&Contract::good().with_compose(&compose));
    assert!(boot.sentence().contains("services.web.user: expected text"), "{}", boot.sentence());
    let words = "compose.yaml: services.web.volumes: expected a data volume or a path of the compose folder";
    assert!(boot.said().contains("HPL06122E") && boot.said().contains(words), "{}", boot.said());
}

#[test]
fn profiles_are_for_the_workload_to_choose() {
    let compose = format!(
        "services:\n  web:\n    image: {IMAGE}\n  more:\n    image: {OTHER}\n    profiles: [x]\n    depends_on: [absent]\n"
    );
    let good = || Contract::good().with_compose(&compose);
    let words = "HPL06121W /workload/compose/archive (workload line 3, column 12): compose.yaml: COMPOSE_PROFILES of the env \
                 section has no effect";
    // Where the profile is active, its service is judged.
    let active = "service more: expected absent under services (line 7)";
    let of_env = good().with("  FROM_ENV:", "  COMPOSE_PROFILES: x\n  FROM_ENV:");
    let run = boot(&machine(&of_env));
    assert_eq!(run.result, Ok(()), "{}", run.said());
    run.assert_warned(words);
    assert!(!run.file("/sysroot/data1/compose/.env").contains("COMPOSE_PROFILES"));
    ends(&good().with_file(".env", "COMPOSE_PROFILES=y, x\n"), Code::ComposeRefused, active);
}
