//! One line before it is said: its text, and what a program reads of it.

use std::fmt::Display;

use countersign_contract::code::{Code, Severity};
use countersign_contract::refusal::Finding;
use countersign_ports::{Event, Fields, Key, Priority};

use crate::stage::Stage;

/// A line for people, with its fields for programs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    priority: Priority,
    text: String,
    console: Option<String>,
    volume: Option<String>,
    pointer: Option<String>,
    /// All fields but those that are keys.
    words: Fields<'static>,
}

impl Line {
    /// A sentence without a code.
    pub fn words(priority: Priority, text: impl Display) -> Line {
        Line { priority, text: text.to_string(), ..Line::default() }
    }

    /// `HPL…: ` and the code's own text; ranked as the code is.
    pub fn of(code: Code) -> Line {
        Line::with(code, code.text())
    }

    /// `HPL…: ` and another text; ranked as the code is.
    pub fn with(code: Code, text: impl Display) -> Line {
        let words = Fields { code: Some(code.as_str()), ..Fields::default() };
        Line {
            priority: priority(code.severity()),
            text: format!("{code}: {text}"),
            words,
            ..Line::default()
        }
    }

    /// `HPL…: volume NAME: ` and the code's own text.
    pub fn of_volume(code: Code, name: &str) -> Line {
        let line = Line::with(code, format_args!("volume {name}: {}", code.text()));
        Line { volume: Some(name.to_owned()), ..line }
    }

    /// `HPL…: check NUMBER: ` and the code's own text.
    pub fn of_check(code: Code, number: u64) -> Line {
        let mut line = Line::with(code, format_args!("check {number}: {}", code.text()));
        line.words.check = Some(number);
        line
    }

    /// How far a stage is; `rest` follows in the line as it is.
    pub(crate) fn stage(stage: Stage, state: &'static str, ms: Option<u64>, rest: &str) -> Line {
        let words = Fields { stage: Some(stage.name()), state: Some(state), ms, ..Fields::default() };
        let text = format!("countersign: stage={stage} state={state}{rest}");
        Line { text, words, ..Line::default() }
    }

    /// How a boot ended.
    pub(crate) fn exit(stage: Stage, code: Code) -> Line {
        let exit = stage.exit_code();
        let text = format!("countersign: exit={exit} stage={stage} code={code}");
        let words = Fields {
            stage: Some(stage.name()),
            exit: Some(exit),
            code: Some(code.as_str()),
            ..Fields::default()
        };
        Line { priority: Priority::Error, text, words, ..Line::default() }
    }

    /// Adds `: ` and more words.
    #[must_use]
    pub fn and(mut self, more: impl Display) -> Line {
        self.text.push_str(&format!(": {more}"));
        self
    }

    /// Adds `; ` and what would help.
    #[must_use]
    pub fn advise(mut self, remedy: &str) -> Line {
        self.text.push_str(&format!("; {remedy}"));
        self
    }

    /// The line is for the owner alone: the console, which the host reads, gets `text` behind the same code.
    #[must_use]
    pub fn on_console(mut self, text: impl Display) -> Line {
        self.console = Some(match self.words.code {
            Some(code) => format!("{code}: {text}"),
            None => text.to_string(),
        });
        self
    }

    /// The line is for the owner alone, and the console gets nothing.
    #[must_use]
    pub fn off_console(self) -> Line {
        Line { console: Some(String::new()), ..self }
    }

    /// With another priority than the code's.
    #[must_use]
    pub fn ranked(self, priority: Priority) -> Line {
        Line { priority, ..self }
    }

    /// With a code that stands in the text already.
    #[must_use]
    pub(crate) fn coded(mut self, code: Code) -> Line {
        self.words.code = Some(code.as_str());
        self
    }

    /// With the fields of a finding beside those that are there.
    #[must_use]
    pub(crate) fn about(mut self, finding: &Finding) -> Line {
        let mark = finding.line.zip(finding.column);
        self.pointer = Some(finding.pointer.as_str().to_owned());
        self.words = Fields {
            code: Some(finding.code.as_str()),
            section: mark.map(|_| finding.section.as_str()),
            line: mark.map(|(line, _)| line.into()),
            column: mark.map(|(_, column)| column.into()),
            ..self.words
        };
        self
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// As an event.
    pub fn event(&self) -> Event<'_> {
        Event {
            priority: self.priority,
            text: self.text.as_str().into(),
            console: self.console.as_deref().map(Into::into),
            fields: Fields {
                volume: self.volume.as_deref().map(Key::new),
                pointer: self.pointer.as_deref().map(Key::new),
                ..self.words
            },
        }
    }
}

impl From<&Finding> for Line {
    fn from(finding: &Finding) -> Line {
        Line::words(priority(finding.severity), finding).about(finding)
    }
}

fn priority(severity: Severity) -> Priority {
    match severity {
        Severity::Info => Priority::Info,
        Severity::Warning => Priority::Warning,
        Severity::Error => Priority::Error,
    }
}
