use countersign_contract::yaml::Cause;

use super::*;

fn refusal(line: usize, fault: ComposeFault) -> ComposeRefusal {
    ComposeRefusal { line, fault }
}

/// The images, or the first refusal.
fn images_of(text: &str) -> Result<Vec<String>, ComposeRefusal> {
    judged(text).map(|judged| judged.images).map_err(|mut refusals| refusals.remove(0))
}

#[test]
fn pinned_images_are_listed_once() {
    let text = "
services:
  web: {image: \"${REGISTRY}/web@sha256:DIGEST\"}
  again:
    image: registry.example.org:5000/web@sha256:DIGEST
  other:
    image: ${REGISTRY}/other:1.2@sha256:DIGEST
";
    assert_eq!(
        images_of(text).unwrap(),
        [
            format!("registry.example.org:5000/web@sha256:{DIGEST}"),
            format!("registry.example.org:5000/other:1.2@sha256:{DIGEST}"),
        ]
    );
}

#[test]
fn anchors_and_merge_keys_are_followed() {
    let text = "
x-base: &base
  image: ${REGISTRY}/web@sha256:DIGEST
services:
  web:
    <<: *base
  more:
    <<: [*base, {restart: always}]
";
    assert_eq!(images_of(text).unwrap(), [format!("registry.example.org:5000/web@sha256:{DIGEST}")]);
}

#[test]
fn a_service_has_the_image_of_what_it_extends() {
    let text = "
services:
  base: {image: \"a@sha256:DIGEST\"}
  web: {extends: base}
  more:
    extends: {service: \"${NONE:-web}\"}
    image:
  own:
    extends: {file: other.yaml, service: x}
    image: b@sha256:DIGEST
";
    assert_eq!(images_of(text).unwrap(), [format!("a@sha256:{DIGEST}"), format!("b@sha256:{DIGEST}")]);
}

#[test]
fn an_entry_of_the_services_wins_over_a_merged_one() {
    let text = "
x-base: &base
  web: {image: old}
  more: {image: \"b@sha256:DIGEST\"}
services:
  <<: *base
  web: {image: \"a@sha256:DIGEST\"}
";
    assert_eq!(images_of(text).unwrap(), [format!("a@sha256:{DIGEST}"), format!("b@sha256:{DIGEST}")]);
}

#[test]
fn every_refusal() {
    let service = || "web".to_owned();
    let none = Vec::new;
    let registry = || vec!["REGISTRY".to_owned()];
    let not_pinned = |variables| ComposeFault::NotPinned { service: service(), variables };
    let no_reference = |variables| ComposeFault::NotAReference { service: service(), variables };
    let scheme = |variables| ComposeFault::Scheme { service: service(), variables };
    let variable = |name: &str| ComposeFault::Variable { service: service(), variables: vec![name.into()] };
    let twice = |key: &str| ComposeFault::DuplicateKey { key: key.into() };
    let extends = || ComposeFault::Extends { service: service() };
    for (text, line, expected) in [
        ("services:\n  web:\n    image: app:latest\n", 3, not_pinned(none())),
        ("services:\n  web:\n    image: ${REGISTRY}/app\n", 3, not_pinned(registry())),
        ("services:\n  web:\n    image: -x@sha256:DIGEST\n", 3, no_reference(none())),
        ("services:\n  web:\n    image: ${REGISTRY}//x@sha256:DIGEST\n", 3, no_reference(registry())),
        ("services:\n  web:\n    image: a@sha256:DIGESTa\n", 3, not_pinned(none())),
        ("services:\n  web:\n    image: oci:a@sha256:DIGEST\n", 3, scheme(none())),
        ("services:\n  web:\n    build: .\n", 3, ComposeFault::Build { service: service() }),
        ("services:\n  web:\n    command: x\n", 2, ComposeFault::NoImage { service: service() }),
        ("services:\n  web:\n    image:\n", 3, ComposeFault::NoImage { service: service() }),
        ("services:\n  web:\n    image: [a]\n", 3, ComposeFault::NoImage { service: service() }),
        ("services:\n  web:\n    image: ''\n", 3, no_reference(none())),
        ("services:\n  web: x\n", 2, ComposeFault::NoImage { service: service() }),
        ("services:\n  web:\n    image: ${A:?b}\n", 3, variable("A")),
        ("services:\n  web:\n    image: ${A}/b@sha256:DIGEST\n", 3, variable("A")),
        ("services:\n  web:\n    image: ${A\n", 3, ComposeFault::Malformed { service: service() }),
        ("services:\n  web:\n    extends: web\n", 3, extends()),
        (
            "services:\n  web:\n    extends: {file: a.yaml, service: b}\n",
            3,
            ComposeFault::NoFile { path: "a.yaml".into() },
        ),
        ("services:\n  web:\n    extends: b\n", 3, extends()),
        ("services:\n  web:\n    image: a\n    image: b\n", 4, twice("image")),
        ("services:\n  web:\n    <<: {a: b}\n    <<: {c: d}\n", 4, twice("<<")),
        ("services:\n  web:\n    image: !!binary YQ==\n", 3, ComposeFault::Tag),
        ("services:\n  web:\n    image: !!int 5\n", 3, ComposeFault::Tag),
        ("services:\n  web:\n    image: !x a\n", 3, ComposeFault::Tag),
        ("services:\n  web:\n    <<: a\n", 3, ComposeFault::Syntax(Cause::Other)),
        ("services:\n  web:\n    <<: [a]\n", 3, ComposeFault::Syntax(Cause::Other)),
        (
            "services:\n  web:\n    image: a # x\u{2028}  more:\u{2028}    image: b\n",
            3,
            ComposeFault::Character,
        ),
        ("services:\n  web:\n    image: a # x\u{2029}  more: {image: b}\n", 3, ComposeFault::Character),
        ("services:\n  web:\n    image: a # x\u{85}  more: {image: b}\n", 3, ComposeFault::Character),
        ("services:\n\u{feff}  web:\n    image: a\n", 2, ComposeFault::Character),
        ("services:\n  web:\n    image: \"a\u{7}\"\n", 3, ComposeFault::Character),
        ("services:\n  5:\n    image: a\n", 2, ComposeFault::ServiceName),
        ("services:\n  a b:\n    image: a\n", 2, ComposeFault::ServiceName),
        ("# x\ninclude: [nowhere.yaml]\n", 2, ComposeFault::NoFile { path: "nowhere.yaml".into() }),
        ("x-a: b\nservices: {}\n", 2, ComposeFault::NoServices),
        ("version: '3'\n", 1, ComposeFault::NoServices),
        ("", 1, ComposeFault::NoServices),
        ("services:\n  web: [\n", 2, ComposeFault::Syntax(Cause::Bracket)),
        ("a: *b\n", 1, ComposeFault::Syntax(Cause::Anchor)),
        ("a: &a {b: *a}\n", 1, ComposeFault::Syntax(Cause::Other)),
        ("services: {}\n---\nservices: {}\n", 2, ComposeFault::SeveralDocuments),
        ("services: {}\n...\n---\n", 3, ComposeFault::SeveralDocuments),
        ("services:\n  web:\n\timage: x\n", 3, ComposeFault::Syntax(Cause::Tab)),
        ("services:\n  web:\n    image: @x\n", 3, ComposeFault::Syntax(Cause::Indicator)),
    ] {
        assert_eq!(images_of(text), Err(refusal(line, expected)), "{text}");
    }
}

#[test]
fn numbers_and_dates_are_no_names_without_quotes() {
    let taken =
        |name: &str| images_of(&format!("services:\n  {name}:\n    image: a@sha256:DIGEST\n")).is_ok();
    for name in
        ["1", "1e3", "1_000", "0x1f", "-1", "1.5", ".5", "true", "NULL", "2026-01-31", ".inf", "a/b", "''"]
    {
        assert!(!taken(name), "{name}");
    }
    for name in
        ["web", "1a", "1.2.3", "0-1", "a_b", "inf", "2026-01-31-x", "e3", "'1'", "'true'", "\"2026-01-31\""]
    {
        assert!(taken(name), "{name}");
    }
}

#[test]
fn what_the_compose_program_reads_is_read() {
    let image = format!("registry.example.org/web@sha256:{DIGEST}");
    for text in [
        "services:\n  web: {\n    image: IMAGE\n  }\n",
        "services:\n  web: {\nimage: IMAGE\n}\nx-x: y\n",
        "services:\n  web:\n    command: [\n    a,\n    b\n    ]\n    image:\tIMAGE\n",
        "services: {\n\t\"web\": {\n\t\t\"image\": \"IMAGE\"\n\t}\n}\n",
        "services:\n  web:\n    x-x: \"a\n    \"\n    image: 'IMAGE'\t# c\n",
    ] {
        assert_eq!(images_of(&text.replace("IMAGE", &image)), Ok(vec![image.clone()]), "{text}");
    }
}

#[test]
fn tags_of_the_core_schema_stay() {
    let text = "services: !!map\n  web:\n    image: !!str a@sha256:DIGEST\n    scale: !!int \"2\"\n";
    assert_eq!(images_of(text).unwrap(), [format!("a@sha256:{DIGEST}")]);
}

#[test]
fn aliases_of_aliases_cost_nothing() {
    let mut text = String::from("a0: &a0 [x, x]\n");
    for level in 1..60 {
        text.push_str(&format!("a{level}: &a{level} [*a{0}, *a{0}]\n", level - 1));
    }
    assert_eq!(images_of(&text), Err(refusal(1, ComposeFault::NoServices)));
    let mut merged = String::from("a0: &a0 {x: y}\n");
    for level in 1..60 {
        merged.push_str(&format!("a{level}: &a{level} {{<<: [*a{0}, *a{0}], y{level}: z}}\n", level - 1));
    }
    assert_eq!(images_of(&merged), Err(refusal(1, ComposeFault::NoServices)));
}

#[test]
fn chains_of_aliases_and_merged_entries_are_bounded() {
    let mut chain = String::from("a0: &a0 [x]\n");
    for level in 1..100 {
        chain.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    assert_eq!(images_of(&chain), Err(refusal(65, ComposeFault::Syntax(Cause::Other))));
    let keys: String = (0..1000).map(|key| format!("k{key}: x, ")).collect();
    let mut wide = format!("a: &a {{{keys}}}\n");
    for level in 0..100 {
        wide.push_str(&format!("b{level}: {{<<: *a}}\n"));
    }
    let refused = images_of(&wide).unwrap_err();
    assert_eq!(refused.fault, ComposeFault::Syntax(Cause::Other));
    assert!((60..70).contains(&refused.line), "{refused:?}");
}
