//! Tokens `countersign-v1` at `unseal` and `verify`: accepted in either section beside old ones, refused like any token
//! that does not open. They are made by a program that shares no code with their reader.

use countersign_boot::stage::Stage;
use countersign_contract::code::Code;

use crate::support::contract::signed;
use crate::support::{Contract, boot, machine, refused};

const UNOPENED: &str = "the token does not open with the key of this image";

fn sealed(authenticated: &'static [&'static str]) -> Contract {
    Contract { authenticated, ..Contract::good() }
}

/// The token of a section.
fn token(contract: &Contract, section: &str) -> String {
    let text = String::from_utf8(contract.medium().files[0].1.clone()).unwrap();
    let start = format!("{section}: ");
    text.lines().find_map(|line| line.strip_prefix(&start)).unwrap().to_owned()
}

/// What is said from the stage on in which the boot ended.
fn said(contract: &Contract, stage: &str) -> Vec<String> {
    let boot = refused(contract);
    let lines: Vec<String> = boot.lines.iter().map(|(_, text)| text.clone()).collect();
    let start = lines.iter().position(|line| line.contains(&format!("stage={stage} state=start"))).unwrap();
    lines[start..].to_vec()
}

#[test]
fn either_section_may_be_authenticated() {
    for (authenticated, tokens) in [(&["workload", "env"][..], 1), (&["workload"][..], 1), (&["env"][..], 1)]
    {
        let contract = sealed(authenticated);
        for section in authenticated {
            assert!(token(&contract, section).starts_with("countersign-v1."));
        }
        let boot = boot(&machine(&contract));
        assert_eq!(boot.result, Ok(()), "{}", boot.said());
        let line = format!("stage=unseal state=done tokens={tokens}");
        assert!(boot.stage_lines().contains(&line), "{}", boot.said());
    }
}

#[test]
fn a_token_of_the_other_section_does_not_open() {
    let good = sealed(&["workload", "env"]);
    let (workload, env) = (token(&good, "workload"), token(&good, "env"));
    let moved = Contract { altered: vec![(env.clone(), workload.clone())], ..good.clone() };
    refused(&moved).assert_place(Stage::Unseal, Code::BootInvalidContract, "/env contract 2:6", UNOPENED);
    // Signed as it stands.
    let moved = signed(&env, &env);
    refused(&moved).assert_place(
        Stage::Verify,
        Code::BootInvalidContract,
        "/workload contract 1:11",
        UNOPENED,
    );
    // An old token opens wherever it stands; that it is the other section is seen by the schema.
    let old = token(&Contract::good(), "env");
    refused(&signed(&old, &old)).assert_refused(Stage::Validate, Code::ContractInvalid);
}

#[test]
fn whatever_is_altered_there_is_one_answer() {
    let good = sealed(&["env"]);
    let right = token(&good, "env");
    let parts: Vec<&str> = right.split('.').collect();
    // In the wrapped key, in the nonce, in the text, in the tag.
    let mut altered = Vec::new();
    for (part, at) in [(1, 100), (2, 3), (2, 60), (2, parts[2].trim_end_matches('=').len() - 2)] {
        let mut parts: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
        let other = if &parts[part][at..=at] == "A" { "B" } else { "A" };
        parts[part].replace_range(at..=at, other);
        altered.push(Contract { altered: vec![(right.clone(), parts.join("."))], ..good.clone() });
    }
    altered.push(Contract { image: "other-image.crt", ..good });
    let answers: Vec<Vec<String>> = altered.iter().map(|contract| said(contract, "unseal")).collect();
    for answer in &answers {
        assert!(answer.iter().any(|line| line.contains(UNOPENED)), "{answer:?}");
        assert_eq!(answer, &answers[0]);
    }
}

#[test]
fn a_token_of_a_wrong_form_ends_at_parse() {
    let good = sealed(&["env"]);
    let right = token(&good, "env");
    let (start, _) = right.rsplit_once('.').unwrap();
    for (token, words) in [
        (start.to_owned(), "expected a token of three parts separated by dots"),
        (format!("{start}.QUJD"), "expected base64 of at least 28 bytes as the third part of the token"),
    ] {
        let contract = Contract { altered: vec![(right.clone(), token)], ..good.clone() };
        refused(&contract).assert_place(Stage::Parse, Code::TokenForm, "/env contract 2:6", words);
    }
}
