//! Template expressions as the guest evaluates them, held against Go's own package text/template. `COUNTERSIGN_GO` names
//! the program `go` by its absolute path; without it nothing is compared, and that is said.
//!
//! What comes out here has to come out there. What is refused here has to fail there as well, but for what is refused
//! on purpose: parts of the package that are not evaluated, names that are not set, and what Go would print to say that
//! something is wrong. Go reads every text twice, with the variables as a map of texts and as a map of anything.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use countersign_plan::workload::template::{TemplateFault, render};
use serde_json::{Value, json};

mod texts;

/// The contract's variables.
const VARIABLES: [(&str, &str); 4] =
    [("A", "alpha beta"), ("EMPTY", ""), ("NUMBER", "42"), ("QUOTES", "\"x\"\n\\\t{{ 1 }}")];

/// What is asked of Go: a list of texts on standard input; for each of them `[text or null, text or null]`.
const PROGRAM: &str = r#"package main

import (
	"encoding/json"
	"os"
	"strings"
	"text/template"
)

func run(text string, data any) *string {
	parsed, err := template.New("x").Parse(text)
	if err != nil {
		return nil
	}
	var made strings.Builder
	if parsed.Execute(&made, data) != nil {
		return nil
	}
	result := made.String()
	return &result
}

func main() {
	var input struct {
		Env   map[string]string
		Texts []string
	}
	if err := json.NewDecoder(os.Stdin).Decode(&input); err != nil {
		panic(err)
	}
	loose := map[string]any{}
	for name, value := range input.Env {
		loose[name] = value
	}
	results := make([][2]*string, 0)
	for _, text := range input.Texts {
		results = append(results, [2]*string{
			run(text, map[string]any{"Env": input.Env}),
			run(text, map[string]any{"Env": loose}),
		})
	}
	if err := json.NewEncoder(os.Stdout).Encode(results); err != nil {
		panic(err)
	}
}
"#;

fn lookup(name: &str) -> Option<&'static str> {
    VARIABLES.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

/// The program that the harness names.
fn go() -> Option<PathBuf> {
    let path = std::env::var_os("COUNTERSIGN_GO").map(PathBuf::from);
    if path.is_none() {
        eprintln!("skipped: go, which COUNTERSIGN_GO does not name");
    }
    let path = path?;
    assert!(path.is_absolute() && path.is_file(), "COUNTERSIGN_GO names no program");
    Some(path)
}

/// What Go makes of each text.
fn asked(go: &PathBuf, texts: &[String]) -> Vec<[Option<String>; 2]> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("main.go"), PROGRAM).unwrap();
    let mut program = Command::new(go)
        .env_clear()
        .env("HOME", folder.path())
        .env("GOCACHE", folder.path().join("cache"))
        .env("GO111MODULE", "off")
        .env("PATH", "/usr/bin:/bin")
        .args(["run", "main.go"])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let variables: serde_json::Map<String, Value> =
        VARIABLES.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let input = json!({"Env": variables, "Texts": texts}).to_string();
    program.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = program.wait_with_output().unwrap();
    assert!(output.status.success(), "{:?}", output.status);
    let results: Value = serde_json::from_slice(&output.stdout).unwrap();
    let both = |pair: &Value| [0, 1].map(|which| pair[which].as_str().map(str::to_owned));
    results.as_array().unwrap().iter().map(both).collect()
}

/// Whether Go may take what is refused with this.
fn is_on_purpose(fault: &TemplateFault) -> bool {
    match fault {
        TemplateFault::Construct(_) | TemplateFault::Missing(_) | TemplateFault::TooLarge => true,
        TemplateFault::Kind(expected) => {
            // Go prints maps and says inside the text that a verb does not fit; it cuts texts anywhere.
            [
                "a text, a number or a truth, as .Env.NAME",
                "a text for %s and %q, and a number for %d",
                "a value for each verb of the format",
                "a verb in the format for each value",
                "a text in ASCII for %q",
                "a text for len and slice",
                "one or two numbers inside the text, between its characters",
                ".Env, nothing else is known here",
                "index .Env \"NAME\", or a text and the number of a byte",
            ]
            .contains(expected)
        }
        TemplateFault::Syntax(expected) => {
            // Go says nothing of arguments behind a name that is not set.
            [
                "a whole number of 64 bits",
                "an escape of Go, and no character beyond ASCII by \\x or \\000",
                "a function before its arguments",
            ]
            .contains(expected)
        }
        TemplateFault::Function(_) | TemplateFault::Undeclared(_) => false,
    }
}

fn compare(texts: &[String]) -> Option<usize> {
    let go = go()?;
    let mut taken = 0;
    for (text, answers) in texts.iter().zip(asked(&go, texts)) {
        match render(text, &lookup) {
            Ok(made) => {
                let made = Some(made.to_string());
                assert_eq!(answers, [made.clone(), made], "{text}");
                taken += 1;
            }
            Err(refusal) => {
                let fails = answers.iter().any(Option::is_none);
                assert!(fails || is_on_purpose(&refusal.fault), "{text}: {refusal}; {answers:?}");
            }
        }
    }
    Some(taken)
}

#[test]
fn chosen_texts() {
    let texts: Vec<String> = texts::CHOSEN.iter().map(|text| (*text).to_owned()).collect();
    if let Some(taken) = compare(&texts) {
        assert!(taken > texts.len() / 3, "{taken}");
    }
}

#[test]
fn texts_that_look_random() {
    let texts = texts::random(4000);
    if let Some(taken) = compare(&texts) {
        assert!(taken > texts.len() / 30, "{taken}");
    }
}
