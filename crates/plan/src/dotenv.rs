//! The `.env` file of a compose project: how the contract's environment reaches `${NAME}` in the compose file.
//!
//! The syntax is the one that compose documents for its env files. Each value stands in double quotes with `\`,
//! `"`, `$` and line breaks escaped, so that no value can end its line, name another variable or be expanded.
//! Entries of the archive's own `.env` stay and are overridden by the contract's, for the last one counts.

use countersign_crypto::secret::{EnvironmentValue, SecretBytes};
use zeroize::Zeroizing;

/// Renders the file: `own`, the archive's file, then one line for each variable of the contract.
pub fn render<'a>(
    own: Option<&[u8]>,
    environment: impl Iterator<Item = (&'a str, &'a EnvironmentValue)>,
) -> SecretBytes {
    let lines: Vec<(&str, &EnvironmentValue)> = environment.collect();
    // Allocated once at its largest size: a buffer that grows leaves copies of secrets behind.
    let size = own.map_or(0, |own| own.len() + 1)
        + lines.iter().map(|(name, value)| name.len() + 2 * value.expose().len() + 4).sum::<usize>();
    let mut text = Zeroizing::new(Vec::with_capacity(size));
    if let Some(own) = own {
        text.extend_from_slice(own);
        if !own.ends_with(b"\n") {
            text.push(b'\n');
        }
    }
    for (name, value) in lines {
        text.extend_from_slice(name.as_bytes());
        text.extend_from_slice(b"=\"");
        for byte in value.expose().bytes() {
            match byte {
                b'\n' => text.extend_from_slice(b"\\n"),
                b'\r' => text.extend_from_slice(b"\\r"),
                b'"' | b'\\' | b'$' => text.extend_from_slice(&[b'\\', byte]),
                other => text.push(other),
            }
        }
        text.extend_from_slice(b"\"\n");
    }
    SecretBytes::copy_from(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(own: Option<&[u8]>, name: &str, value: &str) -> String {
        let value = EnvironmentValue::copy_from(value);
        let file = render(own, [(name, &value)].into_iter());
        String::from_utf8(file.expose().to_vec()).unwrap()
    }

    #[test]
    fn values_cannot_leave_their_line() {
        assert_eq!(rendered(None, "A", "x\nB=y"), "A=\"x\\nB=y\"\n");
        assert_eq!(rendered(None, "A", "\"$B\\"), "A=\"\\\"\\$B\\\\\"\n");
    }

    #[test]
    fn the_archive_comes_first() {
        assert_eq!(rendered(Some(b"A=own"), "A", "contract"), "A=own\nA=\"contract\"\n");
    }
}
