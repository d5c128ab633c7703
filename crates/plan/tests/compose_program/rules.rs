//! Whole files: taken by both or refused by both, but for what is refused on purpose; and the canonical model of what is
//! taken, which the program has to read as the same project.

use std::collections::BTreeMap;

use countersign_plan::images::signatures::SignatureRules;
use countersign_plan::workload::canonical::canonical;
use countersign_plan::workload::compose::{ComposeFault, ComposeRefusal};
use countersign_plan::workload::reach::ReachRule;
use serde_json::Value;

use super::Numbers;
use super::program::{self, Program, judged};

const IMAGE: &str = "a@sha256:9fcf739803e0dcce2e2351e797b875fa51049ffd66843242cfae973fd2376e4a";

/// A file beside the compose file.
const FILES: [(&str, &[u8]); 2] = [("known.env", b"A=1\n"), ("bad.env", b"B='\n")];

/// Lines of a service, with `\n` between them; of both kinds, what the program takes and what it refuses.
const SERVICE: &str = include_str!("service.txt");

/// Lines at the top of a file.
const TOP: [&str; 34] = [
    "x-a: {b: [c]}",
    "x-a: \"${\"",
    "x-a: {5: b}",
    "X-a: b",
    "name: other",
    "name: 5",
    "version: \"3.8\"",
    "version: 3.8",
    "networks: {back: , front: {driver: bridge}}",
    "networks: {back: {internal: true, ipam: {config: [{subnet: 10.1.0.0/16}]}}}",
    "networks: {back: {ipam: {config: [{subnett: 10.1.0.0/16}]}}}",
    "networks: {back: {external: false}}",
    "networks: {back: {enable_ipv6: maybe}}",
    "networks: [back]",
    "networks:",
    "networks: {}",
    "volumes: {data: , cache: {labels: [a=b]}}",
    "volumes: {data: {driver_opts: {type: tmpfs, device: tmpfs}}}",
    "volumes: {data: {driver: local, drivers: x}}",
    "volumes: {data: x}",
    "volumes: [data]",
    "volumes:",
    "secrets: {s: {file: ./known.env}}",
    "secrets: {s: {content: x}}",
    "secrets: {s: {file: ./known.env, environment: A}}",
    "secrets: {s: {}}",
    "secrets: {s: }",
    "configs: {c: {content: \"x ${A:-y}\"}}",
    "configs: {c: {content: 5}}",
    "configs: {c: {name: x}}",
    "configs: {c: {file: ./known.env}}",
    "include:",
    "include: []",
    "extra: x",
];

/// What is refused here whatever the program says.
fn is_on_purpose(refusal: &ComposeRefusal) -> bool {
    matches!(
        refusal.fault,
        ComposeFault::Engine { .. }
            | ComposeFault::Reach { .. }
            | ComposeFault::Build { .. }
            | ComposeFault::NotPinned { .. }
            | ComposeFault::NotAReference { .. }
            | ComposeFault::Scheme { .. }
            | ComposeFault::Variable { .. }
            | ComposeFault::Tag
    )
}

/// A file with one service more than `web`, so that something can be referred to.
fn file(web: &[&str], top: &[&str]) -> String {
    let mut text = format!("services:\n  db: {{image: {IMAGE}}}\n  web:\n    image: {IMAGE}\n");
    for lines in web {
        text.extend(lines.split("\\n").map(|line| format!("    {line}\n")));
    }
    text.extend(top.iter().map(|line| format!("{line}\n")));
    text
}

/// Says how Countersign and the program differ about a file; nothing if they do not. Counts what both take.
fn difference(program: &Program, text: &str, taken: &mut usize) -> Option<String> {
    let ours = judged(text, None, &FILES);
    let mut files = FILES.to_vec();
    files.push(("compose.yaml", text.as_bytes()));
    let theirs = program.model(&files, &[]);
    match (ours, theirs) {
        (Ok(judged), Ok(model)) => {
            *taken += 1;
            let mut ours = judged.images;
            let mut theirs: Vec<String> = program::images(&model).into_values().collect();
            ours.sort();
            theirs.sort();
            theirs.dedup();
            (ours != theirs)
                .then(|| format!("{text}: {ours:?}, {theirs:?}"))
                .or_else(|| reading(program, text, &model))
        }
        (Err(_), Err(_)) => None,
        (Ok(_), Err(theirs)) => Some(format!("{text}: taken, and the program says {theirs}")),
        (Err(refusals), Ok(_)) if refusals.iter().any(is_on_purpose) => None,
        (Err(refusals), Ok(_)) => Some(format!("{text}: the program takes it, refused: {refusals:?}")),
    }
}

/// The program reads the canonical text as what it had printed, with what was taken out.
fn reading(program: &Program, text: &str, model: &Value) -> Option<String> {
    let once = match canonical(
        &serde_json::to_vec(model).unwrap(),
        &ReachRule::default(),
        &SignatureRules::default(),
    ) {
        Ok(once) => once,
        Err(refusal) => return Some(format!("{text}: canonical: {refusal:?}\n{model:#}")),
    };
    let again = match program.model(&[("compose.yaml", once.text.expose())], &[]) {
        Ok(again) => again,
        Err(refusal) => return Some(format!("{text}: canonical text: {refusal}")),
    };
    let twice =
        canonical(&serde_json::to_vec(&again).unwrap(), &ReachRule::default(), &SignatureRules::default())
            .unwrap();
    // Paths of the two folders differ nowhere: they are whole in the first.
    let read = |text: &[u8]| -> BTreeMap<String, Value> { serde_json::from_slice(text).unwrap_or_default() };
    (read(once.text.expose()) != read(twice.text.expose())).then(|| {
        format!(
            "{text}: {} is read as {}",
            String::from_utf8_lossy(once.text.expose()),
            String::from_utf8_lossy(twice.text.expose())
        )
    })
}

#[test]
fn every_line_of_a_service_is_taken_or_refused_as_by_the_program() {
    let Some(program) = Program::find() else { return };
    let (mut taken, mut differ) = (0, Vec::new());
    for lines in SERVICE.lines() {
        let top = "networks: {back: }\nvolumes: {data: }\nsecrets: {s: {file: ./known.env}}\nconfigs: {c: {content: x}}";
        differ.extend(difference(&program, &file(&[lines], &[top]), &mut taken));
    }
    for line in TOP {
        differ.extend(difference(&program, &file(&[], &[line]), &mut taken));
    }
    assert!(differ.is_empty(), "{} differ:\n{}", differ.len(), differ.join("\n"));
    assert!(taken > 80, "{taken}");
}

/// Files at random; `COUNTERSIGN_COMPOSE_FILES` says how many.
#[test]
fn files_at_random_are_taken_or_refused_as_by_the_program() {
    let Some(program) = Program::find() else { return };
    let files =
        std::env::var("COUNTERSIGN_COMPOSE_FILES").ok().and_then(|files| files.parse().ok()).unwrap_or(500);
    let services: Vec<&str> = SERVICE.lines().collect();
    let mut numbers = Numbers(7);
    let (mut taken, mut differ) = (0, Vec::new());
    for _ in 0..files {
        let some = |numbers: &mut Numbers, lines: &[&'static str], most: usize| -> Vec<&'static str> {
            let mut some: Vec<&str> =
                (0..numbers.below(most + 1)).map(|_| lines[numbers.below(lines.len())]).collect();
            // A key twice is another test's.
            some.sort_by_key(|line| line.split(':').next().unwrap_or_default());
            some.dedup_by_key(|line| line.split(':').next().unwrap_or_default());
            some
        };
        let (web, top) = (some(&mut numbers, &services, 3), some(&mut numbers, &TOP, 2));
        let mut text = file(&web, &top);
        if numbers.below(3) == 0 {
            // One letter less, or one line twice.
            let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            text.remove(places[numbers.below(places.len())]);
        }
        differ.extend(difference(&program, &text, &mut taken));
    }
    assert!(differ.is_empty(), "{} differ:\n{}", differ.len(), differ.join("\n"));
    assert!(taken > files / 20, "{taken}");
}
