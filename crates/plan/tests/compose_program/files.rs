//! Compose files: the same services with the same images, or refused.

use std::collections::BTreeSet;

use super::Numbers;
use super::program::{self, Contract, Program, environment, ours};

const DIGEST: &str = "sha256:9fcf739803e0dcce2e2351e797b875fa51049ffd66843242cfae973fd2376e4a";

/// What becomes of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Both take it, with the same images.
    Taken,
    /// Neither does, or an image has no digest.
    Refused,
    /// The program would take it and its images have a digest: refused on purpose.
    OnPurpose,
}
use Outcome::{OnPurpose, Refused, Taken};

/// `@` in a file stands for `@` and a digest.
struct Case(Outcome, &'static str, &'static str, Contract<'static>);

const CASES: &[Case] = &[
    Case(Taken, "services:\n  web: {image: a@}\n", "", &[]),
    Case(Taken, "---\nservices:\n  web: {image: a@}\n...\n", "", &[]),
    Case(Taken, "%YAML 1.1\n---\nservices:\n  web: {image: a@}\n", "", &[]),
    Case(Taken, "\u{feff}services:\n  web: {image: a@}\n", "", &[]),
    Case(Taken, "services:\r\n  web:\r\n    image: a@\r\n", "", &[]),
    Case(Taken, "{\"services\": {\"web\": {\"image\": \"a@\"}}}", "", &[]),
    Case(Taken, "services:\n  ? web\n  : image: >-\n      a@\n", "", &[]),
    Case(Taken, "services:\n  web:\n    image: \"\\u0061@\"\n", "", &[("N", "x")]),
    // Variables, from where they come.
    Case(Taken, "services:\n  web: {image: \"${IMAGE}\"}\n", "IMAGE=a@\n", &[]),
    Case(Taken, "services:\n  web: {image: \"${IMAGE}\"}\n", "IMAGE=b@\n", &[("IMAGE", "a@")]),
    Case(Taken, "services:\n  web: {image: \"${IMAGE:-a@}\"}\n", "IMAGE=b@\n", &[]),
    Case(Taken, "services:\n  web: {image: \"${IMAGE:-a@}\"}\n", "IMAGE=\n", &[]),
    Case(Refused, "services:\n  web: {image: \"${IMAGE:-a@}\"}\n", "IMAGE=b\n", &[]),
    Case(Refused, "services:\n  web: {image: \"${IMAGE-a@}\"}\n", "IMAGE=\n", &[]),
    Case(
        Taken,
        "services:\n  web: {image: \"${REGISTRY}/a@\"}\n",
        "REGISTRY=${HOST}:5000\nHOST=x\n",
        &[("HOST", "h.example.org")],
    ),
    Case(
        Taken,
        "services:\n  web: {image: \"${COMPOSE_PROJECT_NAME}/a@\"}\n",
        "",
        &[("COMPOSE_PROJECT_NAME", "B")],
    ),
    Case(Taken, "services:\n  web: {image: \"a${NONE}@\"}\n", "", &[]),
    Case(Taken, "services:\n  web: {image: \"${HOME:+a@}\"}\n", "", &[]),
    Case(Refused, "services:\n  web: {image: \"${PATH:+b}${PATH:-a@}\"}\n", "", &[]),
    Case(Refused, "services:\n  web: {image: \"${A:?m}\"}\n", "", &[]),
    Case(Refused, "services:\n  web: {image: \"${A:-a@}${A\"}\n", "", &[]),
    Case(Refused, "services:\n  \"${A}\": {image: a@}\n", "A=web\n", &[]),
    Case(Taken, "services:\n  web: {image: a@, labels: {\"${A}\": b}}\n", "A=web\n", &[]),
    // Merge keys, anchors, extension fields.
    Case(
        Taken,
        "x-base: &base {image: a@}\nservices:\n  web: {<<: *base}\n  more: {<<: [*base, {image: b}]}\n",
        "",
        &[],
    ),
    Case(
        Taken,
        "x-base: &base {image: b}\nservices:\n  web: {<<: *base, image: a@}\n  more: {image: a@, <<: *base}\n",
        "",
        &[],
    ),
    Case(
        Taken,
        "x-a: &a {image: a@}\nx-b: &b {<<: *a, image: b@}\nservices:\n  web: {<<: [*b, *a]}\n  more: {<<: [*a, *b]}\n",
        "",
        &[],
    ),
    Case(
        Taken,
        "x-s: &s\n  web: {image: b}\n  old: {image: a@}\nservices:\n  <<: *s\n  web: {image: b@}\n",
        "",
        &[],
    ),
    Case(Taken, "x-a: &a\n  services:\n    web: {image: a@}\n<<: *a\n", "", &[]),
    Case(Taken, "services:\n  web: &w {image: a@}\n  more: *w\n", "", &[]),
    Case(Taken, "services:\n  web: &w {image: &i a@}\n  more: {image: *i}\n", "", &[]),
    Case(Taken, "services:\n  web: &w {image: a@}\nx-w: &w {image: b}\n", "", &[]),
    Case(Refused, "services:\n  web: {\"<<\": {image: a@}}\n", "", &[]),
    Case(Refused, "services:\n  web: {<<: a, image: a@}\n", "", &[]),
    Case(Refused, "services:\n  web: {<<: {image: a@}, <<: {image: b@}}\n", "", &[]),
    Case(Taken, "services:\n  x-web: {image: a@}\n  web: {image: b@}\n", "", &[]),
    // Extends.
    Case(Taken, "services:\n  base: {image: a@}\n  web: {extends: base}\n", "", &[]),
    Case(
        Taken,
        "services:\n  base: {image: a@}\n  mid: {extends: {service: base}}\n  web: {extends: mid, image: b@}\n",
        "",
        &[],
    ),
    Case(Taken, "services:\n  base: {image: a@}\n  web: {extends: \"${B}\", image: }\n", "B=base\n", &[]),
    Case(Refused, "services:\n  web: {extends: web}\n", "", &[]),
    Case(Refused, "services:\n  a: {extends: b}\n  b: {extends: a}\n", "", &[]),
    Case(Refused, "services:\n  web: {extends: none}\n", "", &[]),
    Case(
        Taken,
        "services:\n  base: {image: a@}\n  web: {extends: {file: compose.yaml, service: base}}\n",
        "",
        &[],
    ),
    Case(
        Taken,
        "services:\n  base: {image: a@}\n  web: {extends: {file: compose.yaml, service: base}, image: b@}\n",
        "",
        &[],
    ),
    // What the program merges, takes away, decodes.
    Case(OnPurpose, "services:\n  web: {image: a@}\n---\nservices:\n  more: {image: b@}\n", "", &[]),
    Case(Refused, "services:\n  web: {image: a@}\n---\nservices:\n  more: {image: b}\n", "", &[]),
    Case(Refused, "services:\n  web: {image: a@}\n---\n", "", &[]),
    Case(OnPurpose, "services:\n  web: {image: a@, ports: !reset []}\n", "", &[]),
    Case(OnPurpose, "services:\n  web: !override {image: a@}\n", "", &[]),
    Case(Refused, "services:\n  web: {image: !!binary YQ==}\n", "", &[]),
    Case(Refused, "services:\n  web: {image: !!int 5}\n", "", &[]),
    Case(Taken, "services: !!map\n  web: {image: !!str a@, scale: !!int \"2\"}\n", "", &[]),
    Case(OnPurpose, "services:\n  web: {!!merge <<: {image: a@}}\n", "", &[]),
    Case(Refused, "services:\n  web: {image: a@, image: b@}\n", "", &[]),
    Case(Refused, "services:\n  web: {image: a@}\nservices:\n  web: {image: a@}\n", "", &[]),
    Case(Refused, "services:\n  web: {image: a@}\n  \"web\": {image: a@}\n", "", &[]),
    // Which services there are.
    Case(Taken, "services:\n  web: {image: a@, profiles: [x]}\n  more: {image: b@, scale: 0}\n", "", &[]),
    Case(Refused, "services:\n  web: {image: a@}\n  more: {image: b, profiles: [x]}\n", "", &[]),
    Case(Refused, "services:\n  5: {image: a@}\n", "", &[]),
    Case(Refused, "services:\n  true: {image: a@}\n", "", &[]),
    Case(Refused, "services:\n  1e3: {image: a@}\n", "", &[]),
    Case(Refused, "services:\n  2026-01-31: {image: a@}\n", "", &[]),
    Case(Refused, "services:\n  a b: {image: a@}\n", "", &[]),
    Case(Taken, "services:\n  \"5\": {image: a@}\n  1.2.3: {image: b@}\n", "", &[]),
    Case(Refused, "services:\n  web: {image: 5}\n", "", &[]),
    Case(Refused, "services:\n  web: {image: ~}\n", "", &[]),
    Case(Refused, "services:\n  web: {image: \"\"}\n", "", &[]),
    Case(Refused, "services:\n  web: {image: [a@]}\n", "", &[]),
    Case(Refused, "services:\n  web:\n", "", &[]),
    Case(Refused, "services:\n  web: {command: x}\n", "", &[]),
    Case(Refused, "services: {}\n", "", &[]),
    Case(Refused, "services:\n", "", &[]),
    Case(Refused, "", "", &[]),
    Case(Refused, "a: *b\n", "", &[]),
    Case(Refused, "services: &s\n  web: *s\n", "", &[]),
    Case(Refused, "services:\n  web: [\n", "", &[]),
    Case(Refused, "services:\n\tweb: {image: a@}\n", "", &[]),
    // No references; the program finds out when it starts them.
    Case(OnPurpose, "services:\n  web: {image: a//b@}\n", "", &[]),
    Case(OnPurpose, "services:\n  web: {image: \":@\"}\n", "", &[]),
    Case(OnPurpose, "services:\n  web: {image: \"${A}@\"}\n", "A=\n", &[]),
    Case(OnPurpose, "services:\n  web: {image: oci:a@}\n", "", &[]),
    // Line breaks of older YAML; a carriage return is one in both.
    Case(Refused, "services:\n  web:\n    image: a@ # x\u{2028}  more:\u{2028}    image: b\n", "", &[]),
    Case(OnPurpose, "services:\n  web:\n    image: a@ # x\u{2028}  more:\u{2028}    image: b@\n", "", &[]),
    Case(OnPurpose, "services:\n  web:\n    image: a@ # x\u{2029}  more: {image: b@}\n", "", &[]),
    Case(OnPurpose, "services:\n  web:\n    image: a@ # x\u{85}  more: {image: b@}\n", "", &[]),
    Case(OnPurpose, "services:\n  web:\n    image: a@ # \u{feff}\n", "", &[]),
    Case(Taken, "services:\r  web:\r    image: a@ # x\r  more:\r    image: b@\r", "", &[]),
    Case(Refused, "services:\n  web:\n    image: a@ # x\r  more:\r    image: b\n", "", &[]),
    Case(Refused, "services:\n  web:\n    image: a@\n    command: \"\u{7}\"\n", "", &[]),
    // Built in the guest, or brought in.
    Case(OnPurpose, "services:\n  web: {image: a@, build: .}\n", "", &[]),
    Case(Taken, "services:\n  web: {image: a@}\ninclude: []\n", "", &[]),
];

#[test]
fn files_have_the_images_that_the_program_starts() {
    let Some(program) = Program::find() else { return };
    let mut differ = Vec::new();
    for Case(outcome, compose, dotenv, contract) in CASES {
        let pinned = |text: &str| text.replace('@', &format!("@{DIGEST}"));
        let (compose, dotenv) = (pinned(compose), pinned(dotenv));
        let contract: Vec<(&str, String)> =
            contract.iter().map(|(name, value)| (*name, pinned(value))).collect();
        let contract: Vec<(&str, &str)> =
            contract.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let environment = environment(dotenv.as_bytes(), &contract).unwrap();
        let ours = ours(&compose, Some(&environment));
        if ours.is_ok() != (*outcome == Taken) {
            differ.push(format!("{compose}: {ours:?}"));
        }
        for (whose, theirs) in program.models(&compose, dotenv.as_bytes(), &contract) {
            let theirs = theirs.map(|model| program::images(&model));
            let all_pinned = theirs.as_ref().is_ok_and(|images| {
                !images.is_empty() && images.values().all(|image| image.ends_with(DIGEST))
            });
            let as_expected = match (&ours, &theirs) {
                (Ok(ours), Ok(theirs)) => {
                    ours.iter().collect::<BTreeSet<_>>() == theirs.values().collect::<BTreeSet<_>>()
                }
                (Ok(_), Err(_)) => false,
                (Err(_), _) => all_pinned == (*outcome == OnPurpose),
            };
            if !as_expected {
                differ.push(format!("{whose}: {compose}: {ours:?}, {theirs:?}"));
            }
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

/// What is changed at random.
const FILE: &str = "x-a: &a\n  image: &i \"a@\"\n  labels: {b: 'c', d: ''}\n  x-d: [e, f]\nservices:\n  # g\n  web: &w\n    <<: *a\n    \
command: >-\n      h\n      i\n  more: {<<: [*w, *a], image: b@, labels: [j=k]}\n  last:\n    image: *i\n";

/// What is put in, or in the place of something.
const PIECES: [&str; 52] = [
    "\n",
    "\n",
    "\n  ",
    "\n    ",
    "\r",
    "\t",
    " ",
    "  ",
    "#",
    " #",
    ":",
    ": ",
    ",",
    "-",
    "- ",
    "? ",
    "{",
    "}",
    "[",
    "]",
    "'",
    "\"",
    "\\",
    "|",
    ">",
    "|+",
    "&w ",
    "&i ",
    "*w",
    "*a",
    "*i",
    "<<: *a",
    "<<: ",
    "!!str ",
    "!x ",
    "!",
    "%",
    "@",
    "`",
    "~",
    "a",
    "image: c@",
    "image",
    "more",
    "web: {image: d@}",
    "---\n",
    "...\n",
    "\u{85}",
    "\u{2028}",
    "\u{feff}",
    "''",
    "\"\\u0061\"",
];

/// A file with one to three changes.
fn changed(numbers: &mut Numbers) -> String {
    let mut file = FILE.to_owned();
    for _ in 0..=numbers.below(3) {
        let places: Vec<usize> = file.char_indices().map(|(at, _)| at).collect();
        let at = numbers.below(places.len());
        let end = places.get(at + numbers.below(4)).copied().unwrap_or(file.len());
        let piece = PIECES[numbers.below(PIECES.len())];
        file.replace_range(places[at]..end, if numbers.below(4) == 0 { "" } else { piece });
    }
    file.replace('@', &format!("@{DIGEST}"))
}

#[test]
fn changed_files_never_start_other_images_than_were_judged() {
    let Some(program) = Program::find() else { return };
    let mut numbers = Numbers(5);
    let mut files = BTreeSet::new();
    while files.len() < 200 {
        let file = changed(&mut numbers);
        if ours(&file, None).is_ok() {
            files.insert(file);
        }
    }
    let mut taken = 0;
    let mut differ = Vec::new();
    for file in files {
        let judged: BTreeSet<String> = ours(&file, None).unwrap().into_iter().collect();
        // What the program does not take does not start.
        let Ok(model) = program.model(&[("compose.yaml", file.as_bytes())], &[]) else { continue };
        taken += 1;
        let theirs: BTreeSet<String> = program::images(&model).into_values().collect();
        if judged != theirs {
            differ.push(format!("{file:?}: {judged:?}, {theirs:?}"));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
    assert!(taken > 100, "{taken}");
}

#[test]
fn nothing_but_the_compose_file_and_the_variables_is_read() {
    let Some(program) = Program::find() else { return };
    let web = format!("services:\n  web: {{image: \"${{IMAGE:-a@{DIGEST}}}\"}}\n");
    let other = b"services:\n  web: {image: other}\n  more: {image: other}\n";
    let model = program.model(
        &[
            ("compose.yaml", web.as_bytes()),
            ("compose.override.yaml", other),
            ("compose.override.yml", other),
            ("docker-compose.override.yml", other),
            ("other.yaml", other),
            ("other.env", b"IMAGE=other\n"),
            (".env", b"COMPOSE_FILE=other.yaml\nCOMPOSE_ENV_FILES=other.env\nCOMPOSE_PROJECT_NAME=other\n"),
        ],
        &[],
    );
    let model = model.unwrap();
    assert_eq!(
        program::images(&model).into_iter().collect::<Vec<_>>(),
        [("web".into(), format!("a@{DIGEST}"))]
    );
    assert_eq!(model["name"], "compose");
}
