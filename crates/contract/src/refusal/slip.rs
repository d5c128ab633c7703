//! Fields at the wrong depth: how far from their place they stand, in words.

/// Most names in one message.
const MAX_NAMED: usize = 4;

/// How far from its place a field stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slip {
    /// Too far out.
    Beside {
        /// The map that it belongs to.
        home: String,
        /// Whether it stands beside that, and not further out.
        directly: bool,
    },
    /// Too far in.
    Below {
        /// The entry that it stands below, and belongs beside.
        sibling: String,
    },
}

impl Slip {
    /// What is expected of these fields.
    pub(super) fn expectation(&self, fields: &[String]) -> String {
        let fields = enumeration(fields);
        match self {
            Slip::Beside { home, .. } => format!("expected {fields} below {home}"),
            Slip::Below { sibling } => format!("expected {fields} beside {sibling}, not below it"),
        }
    }

    /// What would help them.
    pub(super) fn hint(&self, fields: &[String]) -> String {
        let (stand, them) = if fields.len() == 1 { ("stands", "it") } else { ("stand", "them") };
        let fields = enumeration(fields);
        match self {
            Slip::Beside { home, directly: true } => {
                format!("{fields} {stand} beside {home}: indent {them} deeper, below {home}")
            }
            Slip::Beside { home, directly: false } => {
                format!("{fields} {stand} outside of {home}: indent {them} deeper, below {home}")
            }
            Slip::Below { sibling } => {
                format!("{fields} {stand} below {sibling}: indent {them} less, as far as {sibling}")
            }
        }
    }
}

/// `a`, `a and b`, `a, b and c`.
fn enumeration(names: &[String]) -> String {
    let named = names.get(..MAX_NAMED).unwrap_or(names);
    match named {
        [] => String::new(),
        [one] => one.clone(),
        [..] if named.len() < names.len() => format!("{} and others", named.join(", ")),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_a_row() {
        for (names, expected) in [
            (&["a"][..], "a"),
            (&["a", "b"], "a and b"),
            (&["a", "b", "c"], "a, b and c"),
            (&["a", "b", "c", "d"], "a, b, c and d"),
            (&["a", "b", "c", "d", "e"], "a, b, c, d and others"),
        ] {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(enumeration(&names), expected);
        }
    }
}
