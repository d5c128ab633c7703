//! `explain` knows every code of HPCR, and takes what an operator pastes.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::Value;
use support::Desk;

/// Code and name of every message of HPCR.
const CODES: &str = include_str!("hpcr-codes.txt");

fn entries(desk: &Desk, arguments: &str, input: &[u8]) -> Vec<Value> {
    let answer = desk.answer(0, &format!("explain --format json {arguments}"), input);
    serde_json::from_str(&answer).unwrap()
}

#[test]
fn every_code_of_hpcr_is_explained_with_what_it_means_there_and_here() {
    let desk = Desk::new();
    let all = entries(&desk, "", b"");
    let listed: Vec<&str> = CODES.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(listed.len(), 116);
    for line in listed {
        let (code, name) = line.split_once(' ').unwrap_or((line, ""));
        let entry = all.iter().find(|entry| entry["code"] == code).unwrap_or_else(|| panic!("{code}"));
        assert!(name.is_empty() || entry["name"] == name, "{entry}");
        assert!(entry["printed_by"].as_array().unwrap().contains(&"hpcr".into()), "{entry}");
        assert!(entry["hpcr"].is_string() && entry["remedy"].is_string(), "{entry}");
        // Either Countersign prints it, or it says what stands in its place.
        assert_eq!(entry["text"].is_null(), entry["instead"].is_string(), "{entry}");
        assert_eq!(entry["text"].is_null(), entry["cause"].is_null(), "{entry}");
    }
    let printed = |by: &str| {
        all.iter().filter(|entry| entry["printed_by"].as_array().unwrap().contains(&by.into())).count()
    };
    assert_eq!(printed("hpcr"), 116);
    assert_eq!(
        all.len(),
        printed("countersign") + all.iter().filter(|entry| entry["text"].is_null()).count()
    );
}

#[test]
fn what_held_a_third_key_says_until_when_and_the_way_out() {
    let desk = Desk::new();
    for code in ["HPL07004I", "HPL07010E", "HPL07012E", "HPL18003W", "HPL18004E"] {
        let [entry] = entries(&desk, code, b"").try_into().unwrap();
        let remedy = entry["remedy"].as_str().unwrap();
        for part in ["20 February 2027", "28 March 2027", "inside HPCR", "without kms and grep11"] {
            assert!(remedy.contains(part), "{code}: {remedy}");
        }
    }
}

#[test]
fn a_pasted_line_and_a_whole_log_are_read_for_their_codes() {
    let desk = Desk::new();
    let codes = |entries: Vec<Value>| -> Vec<String> {
        entries.iter().map(|entry| entry["code"].as_str().unwrap().to_owned()).collect()
    };
    let line = "Mar 17 10:19:13 vsi hpcr-disk-mount[612]: HPL07015E: volumes not matching";
    assert_eq!(codes(entries(&desk, line, b"")), ["HPL07015E"]);
    let log = "# HPL11 build:23.3.16 enabler:23.3.0\n\
               countersign: stage=validate state=failed code=HPL05001E\n\
               seed: canary\n\
               hpl-catch-failed: HPL10000E Service failed\nHPL05001E once more\n";
    assert_eq!(codes(entries(&desk, "-", log.as_bytes())), ["HPL05001E", "HPL10000E"]);
    assert!(!desk.answer(0, "explain -", log.as_bytes()).contains("canary"));
}

#[test]
fn an_unknown_code_leads_to_its_neighbours_and_an_unknown_name_to_the_nearest() {
    let desk = Desk::new();
    for (arguments, expected) in [
        (
            "HPL05001W",
            "HPL05001W: neither a Countersign guest nor HPCR prints this code; is HPL05001E meant?",
        ),
        ("HPL18001X", "a line of a log with a code in it"),
        ("REBOOT_WARNIG", "is REBOOT_WARNING meant?"),
        ("nothing of the kind", "a line of a log with a code in it"),
    ] {
        let output = desk.countersign(&format!("explain {arguments}"), b"");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(2), true), "{said}");
        assert!(said.contains(expected), "{said}");
    }
    // What is known of a line is told all the same.
    let output = desk.countersign("explain HPL05001W HPL05000E", b"");
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8(output.stdout).unwrap().starts_with("HPL05000E PARSE_CONTRACT (error)\n"));
}
