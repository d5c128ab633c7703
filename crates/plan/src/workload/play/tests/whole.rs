//! What is refused of files, of several objects together, and of templates.

use super::*;

#[test]
fn objects_that_are_none_of_the_two() {
    let kind = "expected a Pod or a ConfigMap of apiVersion v1";
    for text in [
        "apiVersion: v1\nkind: List\nitems: []\n",
        "apiVersion: apps/v1\nkind: Deployment\nspec: {}\n",
        "apiVersion: v1\nkind: Secret\n",
        "apiVersion: v1\nkind: PersistentVolumeClaim\n",
        "apiVersion: v2\nkind: Pod\n",
        "- a\n",
        "text\n",
    ] {
        assert_eq!(whole(text), [format!("HPL15000E 1: {kind}")], "{text}");
    }
    assert_eq!(whole(""), ["HPL15000E 1: expected at least one Pod"]);
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\n";
    assert_eq!(whole(map), ["HPL15000E 1: expected at least one Pod"]);
}

#[test]
fn files_that_cannot_be_read_are_refused_with_their_line() {
    for (text, expected) in [
        ("a: [\n", "HPL15000E 1: expected valid yaml"),
        (
            "a: 1\na: 2\n",
            "HPL05105E 2: expected each key once in its map, in whatever letters, a stands twice",
        ),
        (
            "apiVersion: v1\nkind: ConfigMap\nKIND: Pod\nmetadata: {name: m}\n",
            "HPL05105E 3: expected each key once in its map, in whatever letters, KIND stands twice",
        ),
        ("a: !x b\n", "HPL05108E 1: expected no tag"),
        ("a: \u{85}\n", "HPL15000E 1: expected lines that end in a line feed, and no control character"),
    ] {
        let refused = whole(text);
        assert_eq!(refused, [expected], "{text}");
    }
    let many = "---\na: 1\n".repeat(300);
    assert_eq!(whole(&many).len(), 1);
}

#[test]
fn names_are_taken_once() {
    let two = |first: &str, second: &str| {
        format!(
            "{}---\n{}",
            pod("", "").replace("name: p\n", &format!("name: {first}\n")),
            pod("", "").replace("name: p\n", &format!("name: {second}\n"))
        )
    };
    assert_eq!(
        whole(&two("p", "p"))[0],
        "HPL15000E 13: metadata.name: expected a name of pod or container that no other has"
    );
    // The engine calls a container of the one as it calls the other.
    assert_eq!(
        whole(&two("p", "p-c")),
        ["HPL15000E 13: metadata.name: expected a name of pod or container that no other has"]
    );
    let twice = pod(&format!("initContainers: [{{name: c, image: {IMAGE}}}]"), "");
    assert_eq!(
        whole(&twice),
        ["HPL15000E 8: spec.containers[0].name: expected a name of pod and container that no other has"]
    );
    let map = |name: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n");
    assert_eq!(
        whole(&format!("{}---\n{}", map("m"), map("m"))),
        ["HPL15000E 7: metadata.name: expected a name of a config map that no other has"]
    );
    for own in ["contract.config.map", "contract.volume.0.0"] {
        assert!(whole(&map(own))[0].contains("contract.config.map is made of the contract's env"), "{own}");
    }
    assert!(
        whole(&pod("", "").replace("name: p\n", "name: -p\n"))[0].contains("a name of at most 63 letters")
    );
}

#[test]
fn templates_are_refused_with_their_place() {
    let templates = "- apiVersion: v1\n  kind: Pod\n  metadata: {name: p}\n  spec:\n    containers:\n    - name: c\n      image: \"{{ .Env.REGISTRY }}/x\"\n      args: [\"{{EMPTY}}\", \"{{ range . }}\"]\n";
    let refusals = Case { templates, ..Case::default() }.judged().unwrap_err();
    let said: Vec<String> = refusals
        .iter()
        .map(|refusal| {
            format!(
                "{} {}:{} {refusal}; {}",
                refusal.origin,
                refusal.line,
                refusal.column,
                refusal.fault.hint()
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            "templates[0] 7:14 spec.containers[0].image: expected REGISTRY in env, it is not set (character 4 of the text); set it under env.env or workload.env, or ask for it with if",
            "templates[0] 8:14 spec.containers[0].args[0]: expected a known function instead of EMPTY (character 3 of the text); correct the expression; to have two braces in the text, write {{ \"{{\" }}",
            "templates[0] 8:27 spec.containers[0].args[1]: expected no range: it is not evaluated here (character 4 of the text); correct the expression; to have two braces in the text, write {{ \"{{\" }}",
        ]
    );
}

#[test]
fn nothing_grows_beyond_its_bound() {
    let text = format!("x: {}\n", "y".repeat(100));
    let many: String = (0..200).map(|_| format!("---\n{text}")).collect();
    let refusals = whole(&many);
    assert_eq!(refusals.len(), MAX_REPORTED);
    // An alias names a long text again and again.
    let aliases = ", *a".repeat(8);
    let text = pod("", &format!("args: [&a \"{}\"{aliases}]", "x".repeat(1 << 19)));
    assert_eq!(
        whole(&text),
        ["HPL15000E 9: spec.containers[0].args[7]: expected at most 256 objects and 4 MiB of them"]
    );
    let map = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: m}}\ndata: {{a: \"{}\"}}\n---\n",
        "x".repeat(1 << 19)
    );
    let volumes = (0..8).map(|n| format!("- name: v{n}\n  configMap: {{name: m}}\n")).collect::<String>();
    let text = format!("{map}{}", pod(&format!("volumes:\n{volumes}"), ""));
    assert_eq!(
        whole(&text),
        ["HPL15000E 25: spec.volumes[6].configMap: expected at most 256 objects and 4 MiB of them"]
    );
    let long = "# ".repeat(MAX_BYTES / 2 + 1);
    assert_eq!(whole(&long), ["HPL15000E 1: expected at most 256 objects and 4 MiB of them"]);
}
