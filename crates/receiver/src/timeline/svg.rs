//! The timeline as a picture: SVG 1.1, text as text, nothing loaded from elsewhere, no script.
//!
//! It brings its own ground, so that it can be read on any page, and a dark set of colours for who prefers that.

use std::fmt::Write;

use super::table::notes;
use super::{State, Timeline, seconds};

const WIDTH: u64 = 960;
/// Where the bars begin and how far they reach.
const LEFT: u64 = 110;
const SPAN: u64 = 700;
const ROW: u64 = 24;
/// Below the title and the legend of colours.
const TOP: u64 = 76;
/// Letters of a line in the list of warnings.
const LETTERS: usize = 118;

const STYLE: &str = "\
svg{font:13px system-ui,'DejaVu Sans',sans-serif}\
.ground{fill:#fff}text{fill:#222}.faint{fill:#666}.line{stroke:#ddd}\
.initramfs{fill:#2f6db3}.guest{fill:#2a9461}.failed{fill:#c4302b}.open{fill:#999}.mark{fill:#d98200}\
text.failed{font-weight:bold}\
@media(prefers-color-scheme:dark){.ground{fill:#16181c}text{fill:#e4e4e4}.faint{fill:#a0a0a0}.line{stroke:#383c42}\
.initramfs{fill:#5b9be0}.guest{fill:#4cc08a}.failed{fill:#f0625c}.mark{fill:#f5b041}}";

pub(super) fn draw(timeline: &Timeline) -> String {
    let end = timeline.end();
    let x = |ms: u64| LEFT + ms.min(end) * SPAN / end;
    let rows = timeline.stages.len() as u64 + u64::from(!timeline.warnings.is_empty());
    let bottom = TOP + rows * ROW;
    let notes = notes(timeline);
    let height = bottom + 44 + 20 * (timeline.warnings.len() + notes.len()) as u64;
    let mut text = String::new();
    // Writing to a string does not fail.
    let mut put = |line: String| {
        let _ = writeln!(text, "{line}");
    };
    put(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">"
    ));
    let title = escaped(&format!("Boot: {}, {}", timeline.outcome(), seconds(end)));
    put(format!("<title>{title}</title>"));
    put(format!("<style>{STYLE}</style>"));
    put(format!("<rect class=\"ground\" width=\"{WIDTH}\" height=\"{height}\"/>"));
    put(format!("<text x=\"16\" y=\"28\" style=\"font-size:17px\">{title}</text>"));
    for (at, class, name) in [
        (LEFT, "initramfs", "initramfs"),
        (LEFT + 110, "guest", "guest OS"),
        (LEFT + 220, "failed", "failed"),
        (LEFT + 310, "mark", "warning"),
    ] {
        put(format!("<rect class=\"{class}\" x=\"{at}\" y=\"42\" width=\"12\" height=\"12\" rx=\"2\"/>"));
        put(format!("<text class=\"faint\" x=\"{}\" y=\"53\">{name}</text>", at + 18));
    }
    let step = step(end);
    for tick in (0..=end / step).map(|number| number * step) {
        let at = x(tick);
        put(format!("<line class=\"line\" x1=\"{at}\" y1=\"{}\" x2=\"{at}\" y2=\"{bottom}\"/>", TOP - 6));
        let label = tick_label(tick, step);
        put(format!(
            "<text class=\"faint\" x=\"{at}\" y=\"{}\" text-anchor=\"middle\">{label}</text>",
            bottom + 16
        ));
    }
    put(format!("<text class=\"faint\" x=\"{}\" y=\"{}\">seconds</text>", LEFT + SPAN + 24, bottom + 16));
    for (row, bar) in timeline.stages.iter().enumerate() {
        let y = TOP + row as u64 * ROW;
        let class = match bar.state {
            State::Failed => "failed",
            State::Unfinished => "open",
            State::Done if bar.stage.is_initramfs() => "initramfs",
            State::Done => "guest",
        };
        let (from, to) = (x(bar.started_ms), x(bar.started_ms + bar.ms));
        let width = (to - from).max(2);
        let facts: String = bar.facts.iter().map(|(name, value)| format!("\n{name}={value}")).collect();
        put(format!("<text x=\"16\" y=\"{}\">{}</text>", y + 14, bar.stage));
        put(format!(
            "<rect class=\"{class}\" x=\"{from}\" y=\"{}\" width=\"{width}\" height=\"16\" rx=\"2\"><title>{}</title></rect>",
            y + 2,
            escaped(&format!("{}: {}{facts}", bar.stage, seconds(bar.ms)))
        ));
        let (label, style) = match (bar.state, &bar.code) {
            (State::Failed, code) => (format!("failed {}", code.as_deref().unwrap_or_default()), "failed"),
            (State::Unfinished, _) => ("unfinished".to_owned(), "faint"),
            (State::Done, _) => (seconds(bar.ms), "faint"),
        };
        // Beside the bar: behind it, or before it where there is no room.
        let (at, anchor) = if to + 150 > WIDTH && from > LEFT + 150 {
            (from - 6, "end")
        } else {
            (from + width + 6, "start")
        };
        let label = escaped(label.trim_end());
        put(format!(
            "<text class=\"{style}\" x=\"{at}\" y=\"{}\" text-anchor=\"{anchor}\">{label}</text>",
            y + 14
        ));
    }
    if !timeline.warnings.is_empty() {
        put(format!("<text x=\"16\" y=\"{}\">warnings</text>", bottom - ROW + 14));
    }
    for (number, mark) in timeline.warnings.iter().enumerate() {
        let (at, y) = (x(mark.at_ms), bottom - ROW + 3);
        let name = escaped(&format!("{} {}", mark.code, mark.text));
        put(format!("<path class=\"mark\" d=\"M{at} {y}l7 14h-14z\"><title>{name}</title></path>"));
        let line = format!("{} at {}: {}", mark.code, seconds(mark.at_ms), mark.text);
        put(format!(
            "<text x=\"16\" y=\"{}\">{}</text>",
            bottom + 44 + 20 * number as u64,
            escaped(&cut(&line))
        ));
    }
    for (number, note) in notes.iter().enumerate() {
        let y = bottom + 44 + 20 * (timeline.warnings.len() + number) as u64;
        put(format!("<text class=\"faint\" x=\"16\" y=\"{y}\">{}</text>", escaped(note)));
    }
    put("</svg>".to_owned());
    text
}

/// Milliseconds between two ticks: 1, 2 or 5 times a power of ten, at most ten ticks.
fn step(end: u64) -> u64 {
    let mut power = 1;
    loop {
        for factor in [1, 2, 5] {
            if end / (factor * power) <= 10 {
                return factor * power;
            }
        }
        power *= 10;
    }
}

fn tick_label(ms: u64, step: u64) -> String {
    match step {
        1000.. => (ms / 1000).to_string(),
        100.. => format!("{}.{}", ms / 1000, ms % 1000 / 100),
        _ => format!("{}.{:03}", ms / 1000, ms % 1000),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LETTERS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// Text inside an element: no markup, and no character that XML 1.0 forbids.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            letter if letter.is_control() && letter != '\n' => safe.push(' '),
            letter => safe.push(letter),
        }
    }
    safe
}
