//! What comes out of a text, and what is refused where.

use super::*;

fn lookup(name: &str) -> Option<&'static str> {
    match name {
        "REGISTRY" => Some("registry.example.org"),
        "TAG" => Some("v2"),
        "EMPTY" => Some(""),
        "LINES" => Some("a\n\"b\"\\"),
        _ => None,
    }
}

fn made(text: &str) -> Result<String, TemplateRefusal> {
    render(text, &lookup).map(|text| text.to_string())
}

#[test]
fn expressions_are_replaced_by_what_go_prints() {
    for (text, expected) in [
        ("", ""),
        ("a } b {", "a } b {"),
        ("{{ .Env.REGISTRY }}/web", "registry.example.org/web"),
        ("{{.Env.REGISTRY}}:{{$.Env.TAG}}", "registry.example.org:v2"),
        ("a {{- .Env.TAG -}} \n b", "av2b"),
        ("a {{- /* no }} here */ -}} b", "ab"),
        ("{{/**/}}x", "x"),
        ("{{ index .Env \"TAG\" }}", "v2"),
        ("{{ (index .Env `TAG`) }}", "v2"),
        ("{{ (.Env).TAG }}", "v2"),
        ("{{ index .Env.TAG 1 }}", "50"),
        ("{{ \"a\\n\\x41\\u00e4\\\"\" }}", "a\nA\u{e4}\""),
        ("{{ `a\\n` }}", "a\\n"),
        ("{{ 'a' }} {{ 0x1F }} {{ 010 }} {{ 1_000 }} {{ -3 }} {{ +3 }}", "97 31 8 1000 -3 3"),
        ("{{ true }}", "true"),
        ("{{ print \"a\" 1 2 \"b\" }}", "a1 2b"),
        ("{{ print \"a\" \"b\" }}", "ab"),
        ("{{ println \"a\" 1 }}", "a 1\n"),
        ("{{ printf \"%s-%d-%v-%q-%%\" .Env.TAG 3 true .Env.LINES }}", "v2-3-true-\"a\\n\\\"b\\\"\\\\\"-%"),
        ("{{ .Env.TAG | printf \"%s-%s\" \"x\" | len }}", "4"),
        ("{{ slice .Env.REGISTRY 0 8 }}{{ slice .Env.TAG 1 }}{{ slice .Env.TAG }}", "registry2v2"),
        ("{{ eq .Env.TAG \"v1\" \"v2\" 3 }}", "true"),
        ("{{ ne 1 2 }}{{ lt 1 2 }}{{ le 2 2 }}{{ gt \"b\" \"a\" }}{{ ge 1 2 }}", "truetruetruetruefalse"),
        ("{{ and .Env.TAG .Env.EMPTY }}{{ or .Env.EMPTY .Env.TAG }}{{ not .Env.EMPTY }}", "v2true"),
        ("{{ if .Env.EMPTY }}a{{ else if eq .Env.TAG `v2` }}b{{ else }}c{{ end }}", "b"),
        ("{{ if gt (len .Env.TAG) 1 }}{{ end }}-", "-"),
        ("{{ with .Env.TAG }}{{ . }}{{ $.Env.TAG }}{{ else }}x{{ end }}", "v2v2"),
        ("{{ with .Env.EMPTY }}a{{ else with .Env.TAG }}{{ . }}{{ end }}", "v2"),
        ("{{ with .Env }}{{ .TAG }}{{ end }}", "v2"),
        ("{{ $x := .Env.TAG }}{{ if true }}{{ $x = \"y\" }}{{ $x := 1 }}{{ $x }}{{ end }}{{ $x }}", "1y"),
        ("{{ if $x := .Env.TAG }}{{ $x }}{{ end }}", "v2"),
        ("{{ \"{{\" }}EMPTY}}", "{{EMPTY}}"),
        // Absent and empty are both false.
        (
            "{{ if .Env.MISSING }}a{{ end }}{{ or .Env.MISSING \"default\" }}{{ not .Env.MISSING }}",
            "defaulttrue",
        ),
    ] {
        assert_eq!(made(text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn everything_else_is_refused_where_it_stands() {
    let syntax = TemplateFault::Syntax;
    let construct = TemplateFault::Construct;
    let missing = |name: &str| TemplateFault::Missing(name.to_owned());
    for (text, at, fault) in [
        ("a {{ .Env.MISSING }}", 6, missing("MISSING")),
        ("{{ index .Env \"MISSING\" }}", 4, missing("MISSING")),
        ("{{ eq .Env.MISSING \"\" }}", 4, missing("MISSING")),
        ("{{EMPTY}}", 3, TemplateFault::Function("EMPTY".to_owned())),
        ("{{ range .Env }}{{ end }}", 4, construct("range")),
        ("{{ define \"x\" }}{{ end }}", 4, construct("define")),
        ("{{ template \"x\" }}", 4, construct("template")),
        ("{{ block \"x\" . }}{{ end }}", 4, construct("block")),
        ("{{ call .Env }}", 4, construct("call")),
        ("{{ .Env.TAG | html }}", 15, construct("html")),
        ("{{ js 1 }}", 4, construct("js")),
        ("{{ urlquery 1 }}", 4, construct("urlquery")),
        ("{{ break }}", 4, construct("break")),
        ("{{ nil }}", 4, construct("nil")),
        ("{{ 1.5 }}", 4, syntax("a whole number of 64 bits")),
        ("{{ .5 }}", 4, construct("number with a point")),
        ("{{ 9223372036854775808 }}", 4, syntax("a whole number of 64 bits")),
        ("{{ default \"x\" .Env.TAG }}", 4, TemplateFault::Function("default".to_owned())),
        ("{{ printf \"%5s\" .Env.TAG }}", 4, construct("other verb than %s, %q, %d, %v and %%")),
        ("{{ printf \"%d\" .Env.TAG }}", 4, TemplateFault::Kind("a text for %s and %q, and a number for %d")),
        ("{{ printf \"%s\" }}", 4, TemplateFault::Kind("a value for each verb of the format")),
        ("{{ printf \"\" 1 }}", 4, TemplateFault::Kind("a verb in the format for each value")),
        ("{{ printf \"%q\" \"ä\" }}", 4, TemplateFault::Kind("a text in ASCII for %q")),
        ("{{ .Env }}", 4, TemplateFault::Kind("a text, a number or a truth, as .Env.NAME")),
        ("{{ . }}", 4, TemplateFault::Kind("a text, a number or a truth, as .Env.NAME")),
        ("{{ .Values.x }}", 4, TemplateFault::Kind(".Env, nothing else is known here")),
        ("{{ .Env.TAG.x }}", 4, TemplateFault::Kind("no field of a text, a number or a truth")),
        (
            "{{ slice \"ä\" 1 }}",
            4,
            TemplateFault::Kind("one or two numbers inside the text, between its characters"),
        ),
        ("{{ index .Env.TAG 2 }}", 4, TemplateFault::Kind("an index inside the text")),
        ("{{ lt 1 \"a\" }}", 4, TemplateFault::Kind("two texts or two numbers to compare")),
        ("{{ eq 1 }}", 4, TemplateFault::Kind("two values to compare")),
        ("{{ $x }}", 4, TemplateFault::Undeclared("$x".to_owned())),
        ("{{ if $x := 1 }}{{ end }}{{ $x }}", 29, TemplateFault::Undeclared("$x".to_owned())),
        ("{{ $x = 1 }}", 4, TemplateFault::Undeclared("$x".to_owned())),
        ("ä {{ .Env.TAG", 5, syntax("}} behind an expression")),
        ("{{ }}", 1, syntax("a value")),
        ("{{ (1 }}", 4, syntax("the closing parenthesis")),
        ("{{ 1) }}", 5, syntax("no closing parenthesis without an opening one")),
        ("{{ 1 | .Env.TAG }}", 8, syntax("a function behind |")),
        ("{{ .Env.TAG 1 }}", 4, syntax("a function before its arguments")),
        ("{{ print \"a\"1 }}", 13, syntax("a blank between two values")),
        ("{{ \"a }}", 4, syntax("the closing quote of a text")),
        ("{{ \"\\xff\" }}", 4, syntax("an escape of Go, and no character beyond ASCII by \\x or \\000")),
        ("{{ 'ab' }}", 4, syntax("one character between single quotes")),
        ("{{/* a", 3, syntax("the end of a comment, */")),
        ("{{/* a */ }}", 10, syntax("}} directly behind a comment")),
        ("{{ if true }}a", 1, syntax("an end for if or with")),
        ("a{{ end }}", 2, syntax("no end without if or with")),
        ("{{ else }}", 1, syntax("no else without if or with")),
        ("{{ if 1 }}{{ else }}{{ else }}{{ end }}", 21, syntax("one else for one if or with")),
        ("{{ if 1 2 }}{{ end }}", 7, syntax("a function before its arguments")),
        ("{{ # }}", 4, syntax("an expression")),
    ] {
        assert_eq!(made(text), Err(TemplateRefusal { at, fault }), "{text}");
    }
}

#[test]
fn nothing_grows_beyond_its_bound() {
    let doubled =
        (0..30).fold("{{ $x := \"0123456789\" }}".to_owned(), |text, _| text + "{{ $x = print $x $x }}");
    assert_eq!(made(&doubled).unwrap_err().fault, TemplateFault::TooLarge);
    let printed = "{{ .Env.REGISTRY }}".repeat(LONGEST / 20);
    assert_eq!(made(&printed).map(|text| text.len()), Ok(LONGEST / 20 * 20));
    let printed = "{{.Env.REGISTRY}}".repeat(LONGEST / 20 + 1);
    assert_eq!(made(&printed).unwrap_err().fault, TemplateFault::TooLarge);
    let nested = |levels: usize| format!("{}1{}", "{{ if 1 }}".repeat(levels), "{{ end }}".repeat(levels));
    assert_eq!(made(&nested(32)).as_deref(), Ok("1"));
    assert_eq!(made(&nested(33)).unwrap_err().fault, TemplateFault::TooLarge);
    let nested = format!("{{{{ {}1{} }}}}", "(".repeat(33), ")".repeat(33));
    assert_eq!(made(&nested).unwrap_err().fault, TemplateFault::TooLarge);
}

#[test]
fn a_refusal_says_what_would_help() {
    let refusal = made("{{ .Env.MISSING }}").unwrap_err();
    assert_eq!(refusal.to_string(), "expected MISSING in env, it is not set (character 4 of the text)");
    assert_eq!(refusal.fault.hint(), "set it under env.env or workload.env, or ask for it with if");
    let refusal = made("{{ range . }}").unwrap_err();
    assert_eq!(refusal.to_string(), "expected no range: it is not evaluated here (character 4 of the text)");
    assert!(refusal.fault.hint().ends_with("write {{ \"{{\" }}"));
}
