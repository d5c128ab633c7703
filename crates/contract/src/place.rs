//! Places in a contract: which text, which JSON pointer, which line and column.
//!
//! A pointer (RFC 6901) starts at the contract's root, also for text inside a section, so
//! `/env/logging/syslog/port` means the same whether the section was sealed or not. Line and column count from
//! one, columns in characters, in the text that [`Text`] names. Pointers hold names from the contract, never
//! values; when printed, control characters are escaped and overlong names cut, because they end up in logs.

use std::fmt;

/// One of the two sections of a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SectionName {
    /// What runs; written by the workload provider.
    Workload,
    /// Where it runs; written by the deployer.
    Env,
}

impl SectionName {
    /// The key of the section at the contract's top level.
    pub const fn as_str(self) -> &'static str {
        match self {
            SectionName::Workload => "workload",
            SectionName::Env => "env",
        }
    }
}

impl From<SectionName> for countersign_crypto::sealed::SectionName {
    fn from(name: SectionName) -> Self {
        match name {
            SectionName::Workload => Self::Workload,
            SectionName::Env => Self::Env,
        }
    }
}

impl fmt::Display for SectionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text in which a line and a column are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Text {
    /// The contract file itself; also for what stands in plain sections.
    Contract,
    /// The text of a section after it was unsealed.
    Section(SectionName),
    /// The file `network-config` of the contract disk; pointers start at its own root.
    NetworkConfig,
    /// The file `meta-data` of the contract disk; pointers start at its own root.
    MetaData,
}

impl Text {
    /// `contract`, `workload`, `env`, `network-config` or `meta-data`, as in the JSON reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Text::Contract => "contract",
            Text::Section(name) => name.as_str(),
            Text::NetworkConfig => "network-config",
            Text::MetaData => "meta-data",
        }
    }
}

/// Line and column, both from one; the column counts characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mark {
    /// Line, from one.
    pub line: u32,
    /// Column in characters, from one.
    pub column: u32,
}

impl Mark {
    /// The place after `prefix`, which must be the text from its beginning.
    pub(crate) fn after(prefix: &str) -> Mark {
        let line = prefix.bytes().filter(|byte| *byte == b'\n').count();
        let last = prefix.rsplit('\n').next().unwrap_or(prefix);
        Mark { line: count(line) + 1, column: count(last.chars().count()) + 1 }
    }
}

/// Narrows a count that the size limit keeps far below 2^32.
pub(crate) fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// A JSON pointer from the contract's root.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Pointer(String);

/// Longest name that a pointer prints; the longest legal ones are registry and image names.
const LONGEST_PRINTED_NAME: usize = 256;

impl Pointer {
    /// The contract itself: the empty pointer.
    pub fn root() -> Pointer {
        Pointer::default()
    }

    /// The pointer to a section.
    pub fn section(name: SectionName) -> Pointer {
        Pointer::root().child(name.as_str())
    }

    /// This pointer and one more name, escaped as RFC 6901 says.
    #[must_use]
    pub fn child(&self, name: &str) -> Pointer {
        let mut text = String::with_capacity(self.0.len() + name.len() + 1);
        text.push_str(&self.0);
        text.push('/');
        for letter in name.chars() {
            match letter {
                '~' => text.push_str("~0"),
                '/' => text.push_str("~1"),
                other => text.push(other),
            }
        }
        Pointer(text)
    }

    /// This pointer and the index of a list entry.
    #[must_use]
    pub fn index(&self, index: usize) -> Pointer {
        Pointer(format!("{}/{index}", self.0))
    }

    /// This pointer followed by `tail`, which is a pointer as text (empty or beginning with `/`).
    #[must_use]
    pub fn join(&self, tail: &str) -> Pointer {
        Pointer(format!("{}{tail}", self.0))
    }

    /// The pointer as RFC 6901 writes it, unshortened.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names along the pointer, unescaped.
    pub fn names(&self) -> impl Iterator<Item = String> {
        self.0.split('/').skip(1).map(|name| name.replace("~1", "/").replace("~0", "~"))
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("/");
        }
        for name in self.0.split('/').skip(1) {
            f.write_str("/")?;
            for letter in name.chars().take(LONGEST_PRINTED_NAME) {
                if letter.is_control() {
                    write!(f, "{}", letter.escape_unicode())?
                } else {
                    write!(f, "{letter}")?
                }
            }
            if name.chars().count() > LONGEST_PRINTED_NAME {
                f.write_str("…")?;
            }
        }
        Ok(())
    }
}

/// A place in a contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The text in which `mark` counts.
    pub text: Text,
    /// What stands at the place.
    pub pointer: Pointer,
    /// Line and column, where the thing has any (a missing field has those of the map it is missing from).
    pub mark: Option<Mark>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.pointer)?;
        if let Some(mark) = self.mark {
            write!(f, " ({} line {}, column {})", self.text.as_str(), mark.line, mark.column)?;
        }
        Ok(())
    }
}

/// Where a YAML text came from: how its pointers begin and how its lines translate into a reader's lines.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The text in which the translated marks count.
    pub(crate) text: Text,
    /// What every pointer begins with.
    pub(crate) base: Pointer,
    /// How marks translate.
    pub(crate) lines: Lines,
}

/// How the lines of a text translate into those of [`Origin::text`].
#[derive(Debug, Clone)]
pub(crate) enum Lines {
    /// They are the same.
    Same,
    /// The text is a block scalar in the contract: `lines` above it, `columns` of indentation.
    Block { lines: u32, columns: u32 },
    /// The text is a quoted or folded scalar, whose inner lines have no fixed place: all marks are this one.
    Scalar(Mark),
}

impl Origin {
    /// The contract file.
    pub fn contract() -> Origin {
        Origin { text: Text::Contract, base: Pointer::root(), lines: Lines::Same }
    }

    /// The file `network-config` of the contract disk.
    pub fn network_config() -> Origin {
        Origin { text: Text::NetworkConfig, base: Pointer::root(), lines: Lines::Same }
    }

    /// The file `meta-data` of the contract disk.
    pub fn meta_data() -> Origin {
        Origin { text: Text::MetaData, base: Pointer::root(), lines: Lines::Same }
    }

    /// The text of a section that was unsealed.
    pub fn unsealed(name: SectionName) -> Origin {
        Origin { text: Text::Section(name), base: Pointer::section(name), lines: Lines::Same }
    }

    /// Translates a mark.
    pub(crate) fn translate(&self, mark: Mark) -> Mark {
        match self.lines {
            Lines::Same => mark,
            Lines::Block { lines, columns } => {
                Mark { line: mark.line.saturating_add(lines), column: mark.column.saturating_add(columns) }
            }
            Lines::Scalar(place) => place,
        }
    }

    /// The place of `mark` (untranslated) at `tail` below the origin's base pointer.
    pub(crate) fn place(&self, tail: &Pointer, mark: Option<Mark>) -> Place {
        Place {
            text: self.text,
            pointer: self.base.join(tail.as_str()),
            mark: mark.map(|mark| self.translate(mark)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_escape_and_come_back() {
        let pointer = Pointer::root().child("auths").child("https://index.docker.io/v1/").child("a~b");
        assert_eq!(pointer.as_str(), "/auths/https:~1~1index.docker.io~1v1~1/a~0b");
        let names: Vec<String> = pointer.names().collect();
        assert_eq!(names, ["auths", "https://index.docker.io/v1/", "a~b"]);
    }

    #[test]
    fn printing_tames_hostile_names() {
        let pointer = Pointer::root().child("a\nHPL10001I").child(&"x".repeat(300));
        let text = pointer.to_string();
        assert!(!text.contains('\n'));
        assert!(text.contains("\\u{a}"));
        assert!(text.ends_with('…') && text.chars().count() < 290);
    }

    #[test]
    fn marks_count_characters() {
        assert_eq!(Mark::after(""), Mark { line: 1, column: 1 });
        assert_eq!(Mark::after("ab\nä"), Mark { line: 2, column: 2 });
    }
}
