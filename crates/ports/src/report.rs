//! What the boot says, line by line: an event with fields, which the machine shows to people and to programs.

use std::borrow::Cow;

/// Priority of a line in the kernel's log and the journal (RFC 5424 section 6.2.1, the three that are used).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Priority {
    /// The boot ends because of it.
    Error,
    /// Worth a look; the boot goes on.
    Warning,
    /// Progress.
    #[default]
    Info,
}

/// One line that is said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Event<'e> {
    /// Its priority.
    pub priority: Priority,
    /// The line, as the owner of the log reads it.
    pub text: Cow<'e, str>,
    /// What the console, which the host reads, gets instead where the line is for the owner alone; nothing where this is
    /// empty.
    pub console: Option<Cow<'e, str>>,
    /// The same for programs.
    pub fields: Fields<'e>,
}

/// What a line is about, for programs.
///
/// A value of a contract has no way in: what is a text of its own is a word of this program (`'static`) or a [`Key`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fields<'e> {
    /// The stage that begins, ends or fails.
    pub stage: Option<&'static str>,
    /// `start`, `done` or `failed`, of a stage.
    pub state: Option<&'static str>,
    /// Milliseconds that the stage took.
    pub ms: Option<u64>,
    /// Exit code of a boot that ended.
    pub exit: Option<u8>,
    /// Message code.
    pub code: Option<&'static str>,
    /// Name of a volume.
    pub volume: Option<Key<'e>>,
    /// Place in the contract, a JSON pointer.
    pub pointer: Option<Key<'e>>,
    /// The text in which line and column count: `contract`, `workload`, `env` or `network-config`.
    pub section: Option<&'static str>,
    /// Line, from 1.
    pub line: Option<u64>,
    /// Column, from 1.
    pub column: Option<u64>,
    /// Number of a check.
    pub check: Option<u64>,
}

/// A key of the contract's maps, or a path of keys: never what stands behind one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key<'e>(&'e str);

impl<'e> Key<'e> {
    /// The caller answers for it that this is a key or a JSON pointer of keys.
    pub fn new(key: &'e str) -> Key<'e> {
        Key(key)
    }

    /// The key.
    pub fn as_str(self) -> &'e str {
        self.0
    }
}

/// Where a person or a program reads what the boot does.
pub trait Report {
    /// Says one line, on the console and in the log that is forwarded later.
    fn tell(&self, event: &Event<'_>);

    /// Says one line without fields.
    fn line(&self, priority: Priority, text: &str) {
        self.tell(&Event { priority, text: text.into(), ..Event::default() });
    }
}
