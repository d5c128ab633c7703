//! A line as an event of `tracing`, and back: this module alone calls `tracing`.
//!
//! The subscriber is written here, on `tracing` alone: what `tracing-subscriber` offers beyond it (filters, spans, several
//! formats) has no use in a program that says some hundred lines, and would be a good part of its size.

use std::fmt::Debug;

use countersign_ports::{Event, Fields, Key, Priority};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Level, Metadata};

use super::{Console, Log};

/// The way of events: a subscriber that can be handed around.
pub(in super::super) type Way = tracing::Dispatch;

/// What an event said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) priority: Priority,
    pub(super) message: String,
    pub(super) console: Option<String>,
    /// Names as in [`Fields`], and values; those that the event has.
    pub(super) fields: Vec<(&'static str, String)>,
}

/// Sends an event its way.
pub(super) fn emit(way: &Way, event: &Event<'_>) {
    let Fields { stage, state, ms, exit, code, volume, pointer, section, line, column, check } = event.fields;
    let (volume, pointer) = (volume.map(Key::as_str), pointer.map(Key::as_str));
    let (message, console) = (&*event.text, event.console.as_deref());
    macro_rules! at {
        ($level:expr) => {
            tracing::event!(
                $level, message, console, stage, state, ms, exit, code, volume, pointer, section, line,
                column, check
            )
        };
    }
    tracing::dispatcher::with_default(way, || match event.priority {
        Priority::Error => at!(Level::ERROR),
        Priority::Warning => at!(Level::WARN),
        Priority::Info => at!(Level::INFO),
    });
}

/// Hands each event to console and log.
#[derive(Debug)]
pub(super) struct Subscriber {
    console: Console,
    log: Log,
}

impl Subscriber {
    pub(super) fn new(console: Console, log: Log) -> Subscriber {
        Subscriber { console, log }
    }
}

impl tracing::Subscriber for Subscriber {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let priority = match *event.metadata().level() {
            Level::ERROR => Priority::Error,
            Level::WARN => Priority::Warning,
            _ => Priority::Info,
        };
        let mut said = Said { priority, ..Said::default() };
        event.record(&mut said);
        self.console.write(&said);
        self.log.write(&said);
    }

    // There are no spans.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            "console" => self.console = Some(value.to_owned()),
            name => self.fields.push((name, value.to_owned())),
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.fields.push((field.name(), value.to_string()));
    }

    /// No field of an event is of another type.
    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}
