//! JSON that readers of YAML take as well: written once at its size, and read again.

use std::io;

use countersign_crypto::secret::SecretBytes;
use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{CharEscape, Formatter};
use zeroize::Zeroizing;

/// Writes a value.
pub(super) fn write(model: &impl Serialize) -> Result<SecretBytes, serde_json::Error> {
    // Once to count, so that no copy is left behind by a buffer that grows.
    let mut size = Count(0);
    model.serialize(&mut serde_json::Serializer::with_formatter(&mut size, Ascii))?;
    let mut text = Vec::with_capacity(size.0);
    model.serialize(&mut serde_json::Serializer::with_formatter(&mut text, Ascii))?;
    Ok(SecretBytes::new(text))
}

/// Reads what [`write`] wrote.
pub(super) fn read(text: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str(&with_surrogates(text))
}

/// The escape of YAML for a letter beyond 16 bits, as the two of JSON (RFC 8259 section 7).
fn with_surrogates(text: &str) -> Zeroizing<String> {
    // Twelve bytes for ten, of which a text has a tenth at most.
    let mut plain = Zeroizing::new(String::with_capacity(text.len() + text.len() / 5 + 1));
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        plain.push_str(before);
        let letter = escape.get(2..10).filter(|_| escape[1..].starts_with('U'));
        let letter = letter.and_then(|digits| u32::from_str_radix(digits, 16).ok()).and_then(char::from_u32);
        let length = match letter {
            Some(letter) => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    plain.push_str(&format!("\\u{unit:04x}"));
                }
                10
            }
            // The escaped character goes along, since it may be a backslash.
            None => {
                let length = escape.chars().take(2).map(char::len_utf8).sum();
                plain.push_str(&escape[..length]);
                length
            }
        };
        rest = &escape[length..];
    }
    plain.push_str(rest);
    plain
}

struct Count(usize);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// JSON that every reader of YAML takes alike: readers do not agree on what some letters beyond ASCII mean between quotes.
struct Ascii;

impl Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, text: &str) -> io::Result<()> {
        for letter in text.chars() {
            match u32::from(letter) {
                // JSON leaves DEL as it is, YAML does not take it.
                0x20..0x7f => write!(writer, "{letter}")?,
                code @ 0..0x10000 => write!(writer, "\\u{code:04x}")?,
                code => write!(writer, "\\U{code:08x}")?,
            }
        }
        Ok(())
    }

    fn write_char_escape<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        match escape {
            CharEscape::Quote => writer.write_all(b"\\\""),
            CharEscape::ReverseSolidus => writer.write_all(b"\\\\"),
            CharEscape::Solidus => writer.write_all(b"/"),
            CharEscape::Backspace => writer.write_all(b"\\b"),
            CharEscape::FormFeed => writer.write_all(b"\\f"),
            CharEscape::LineFeed => writer.write_all(b"\\n"),
            CharEscape::CarriageReturn => writer.write_all(b"\\r"),
            CharEscape::Tab => writer.write_all(b"\\t"),
            CharEscape::AsciiControl(byte) => write!(writer, "\\u{byte:04x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        for text in [
            "",
            "a",
            "\\",
            "\\U0001f600",
            "\u{1f600}",
            "\\\u{1f600}\\\\",
            "\u{10ffff}\"\u{85}\n\u{e4}",
            "\u{1f600}",
        ] {
            let value = serde_json::json!({"text": text, text: [1, null]});
            let written = write(&value).unwrap();
            assert_eq!(read(std::str::from_utf8(written.expose()).unwrap()).unwrap(), value, "{text}");
        }
    }
}
