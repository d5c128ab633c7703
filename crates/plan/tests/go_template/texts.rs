//! Texts with expressions: chosen ones, and some that look random and are the same in every run.

/// Each has something of its own.
pub(crate) const CHOSEN: [&str; 70] = [
    "",
    "a } b { c",
    "{{ .Env.A }}",
    "{{.Env.A}}{{- .Env.NUMBER -}} x",
    "x {{- /* a */ -}} y",
    "{{/* a */}}",
    "{{ /* a */ }}",
    "{{/* a */ }}",
    "{{ $.Env.A }}",
    "{{ index .Env \"A\" }}",
    "{{ index .Env }}",
    "{{ index .Env.A 2 }}",
    "{{ index .Env.A 200 }}",
    "{{ index .Env.A -1 }}",
    "{{ (.Env).A }}",
    "{{ (index .Env \"A\").B }}",
    "{{ \"\\a\\b\\f\\n\\r\\t\\v\\\\\\\"\\101\\x41\\u00e4\\U0001f600\" }}",
    "{{ \"\\'\" }}",
    "{{ '\\'' }}{{ 'ä' }}",
    "{{ `a\r\nb` }}",
    "{{ \"a\nb\" }}",
    "{{ 1 }}{{ -1 }}{{ +1 }}{{ 0x1f }}{{ 0o17 }}{{ 017 }}{{ 0b11 }}{{ 1_000 }}{{ 0x_f }}{{ 1__0 }}",
    "{{ 0x_f }}",
    "{{ 01_7 }}",
    "{{ 09 }}",
    "{{ 1a }}",
    "{{ true }}{{ false }}",
    "{{ print 1 2 }}{{ print \"a\" 1 }}{{ print 1 \"a\" }}{{ print \"a\" \"b\" }}{{ print 1 true }}{{ print }}",
    "{{ println }}{{ println 1 \"a\" true }}",
    "{{ printf \"%s %q %d %v %v %v %%\" .Env.A .Env.QUOTES 7 7 true .Env.A }}",
    "{{ printf \"%\" }}",
    "{{ printf }}",
    "{{ printf 1 }}",
    "{{ len .Env.A }}{{ len \"ä\" }}",
    "{{ len 1 }}",
    "{{ len }}",
    "{{ slice .Env.A 1 }}{{ slice .Env.A 1 3 }}{{ slice .Env.A }}{{ slice .Env.A 10 }}",
    "{{ slice .Env.A 3 1 }}",
    "{{ slice .Env.A 1 2 3 }}",
    "{{ eq 1 1 }}{{ eq 1 2 1 }}{{ eq \"a\" \"a\" 1 }}{{ eq true true }}",
    "{{ eq 1 \"a\" }}",
    "{{ eq 1 \"a\" 1 }}",
    "{{ eq .Env.NUMBER 42 }}",
    "{{ ne \"a\" \"b\" }}{{ lt 1 2 }}{{ le 2 2 }}{{ gt \"b\" \"a\" }}{{ ge 1 2 }}",
    "{{ lt true false }}",
    "{{ lt 1 2 3 }}",
    "{{ not 1 }}{{ not \"\" }}{{ not .Env.MISSING }}",
    "{{ not 1 2 }}",
    "{{ and 1 0 2 }}{{ and 1 2 }}{{ or 0 \"\" 3 }}{{ or 0 \"\" }}{{ and 1 }}",
    "{{ and }}",
    "{{ or .Env.EMPTY (index .Env.A 200) }}",
    "{{ or .Env.A (index .Env.A 200) }}",
    "{{ .Env.A | printf \"%s-%s\" \"x\" | len | print \"l\" }}",
    "{{ 0 | or 0 }}{{ 1 | and 0 }}{{ 2 | and 1 }}",
    "{{ 1 | 2 }}",
    "{{ .Env.A | .Env.A }}",
    "{{ .Env.A 1 }}",
    "{{ if .Env.A }}a{{ else }}b{{ end }}{{ if .Env.EMPTY }}a{{ else }}b{{ end }}",
    "{{ if .Env.MISSING }}a{{ else if 1 }}b{{ end }}",
    "{{ if 1 }}{{ else if }}{{ end }}",
    "{{ with .Env.A }}{{ . }}{{ $.Env.A }}{{ end }}{{ with .Env.EMPTY }}a{{ else }}{{ .Env.A }}{{ end }}",
    "{{ with .Env }}{{ .A }}{{ end }}{{ with $x := .Env.A }}{{ $x }}{{ . }}{{ end }}",
    "{{ $x := 1 }}{{ if 1 }}{{ $x = 2 }}{{ $x := 3 }}{{ $x }}{{ end }}{{ $x }}",
    "{{ if $x := 1 }}{{ $x }}{{ end }}{{ $x }}",
    "{{ $x := $x }}",
    "{{ $x, $y := 1 }}",
    "{{ $ := 1 }}",
    "{{ .Env.A.B }}",
    "{{ end }}",
    "{{ unknown .Env.A }}{{ if }}{{ end }}",
];

const PIECES: [&str; 48] = [
    "{{ ",
    " }}",
    "{{- ",
    " -}}",
    "{{",
    "}}",
    ".Env.A",
    ".Env.EMPTY",
    ".Env.NUMBER",
    ".Env.QUOTES",
    ".Env",
    "$.Env.A",
    "$",
    ".",
    "$x",
    "$x := ",
    "$x = ",
    " ",
    " ",
    " ",
    "(",
    ")",
    " | ",
    "\"a\"",
    "\"\"",
    "`b`",
    "'c'",
    "1",
    "0",
    "-2",
    "true",
    "false",
    "print ",
    "printf \"%v\" ",
    "printf \"%s%d\" ",
    "println ",
    "len ",
    "index .Env \"A\"",
    "eq ",
    "ne ",
    "lt ",
    "and ",
    "or ",
    "not ",
    "slice ",
    "text",
    "\n",
    ",",
];

const BLOCKS: [&str; 8] = [
    "{{ if .Env.A }}",
    "{{ if .Env.EMPTY }}",
    "{{ with .Env.A }}",
    "{{ with $x := .Env.NUMBER }}",
    "{{ else }}",
    "{{ else if 1 }}",
    "{{ end }}",
    "{{ $x := \"y\" }}",
];

/// Texts of pieces, many of which are wrong.
pub(crate) fn random(count: usize) -> Vec<String> {
    let mut numbers = Numbers(1);
    let mut texts = Vec::new();
    for _ in 0..count {
        let mut text = String::new();
        for _ in 0..=numbers.below(4) {
            if numbers.below(3) == 0 {
                text.push_str(BLOCKS[numbers.below(BLOCKS.len())]);
                continue;
            }
            text.push_str(["{{ ", "{{- ", "a {{"][numbers.below(3)]);
            for _ in 0..=numbers.below(5) {
                text.push_str(PIECES[numbers.below(PIECES.len())]);
                if numbers.below(3) > 0 {
                    text.push(' ');
                }
            }
            text.push_str([" }}", " -}} b", "}}"][numbers.below(3)]);
        }
        texts.push(text);
    }
    texts
}

/// Numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        // Knuth's MMIX; the high bits are the good ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}
