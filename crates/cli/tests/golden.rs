//! The golden files under `tests/verbs`, one for each verb: what the author's command prints. With `TRYCMD=overwrite`
//! they are rewritten; read the difference.
#![allow(clippy::expect_used)]

#[test]
fn what_is_printed() {
    trycmd::TestCases::new().case("tests/verbs/*.trycmd");
}

/// A verb without a file would go unnoticed.
#[test]
fn every_verb_has_its_file() {
    let help = include_str!("verbs/countersign.trycmd");
    let (_, commands) = help.split_once("Commands:\n").expect("the list of commands");
    let verbs = commands.lines().map_while(|line| line.strip_prefix("  ")?.split(' ').next());
    for verb in verbs.filter(|verb| *verb != "help") {
        let file = format!("{}/tests/verbs/{verb}.trycmd", env!("CARGO_MANIFEST_DIR"));
        assert!(std::path::Path::new(&file).exists(), "no tests/verbs/{verb}.trycmd");
    }
}
