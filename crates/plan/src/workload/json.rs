//! JSON that readers of YAML take as well, written once at its size.

use std::io;

use countersign_crypto::secret::SecretBytes;
use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter};

/// Writes a value.
pub(super) fn write(model: &impl Serialize) -> Result<SecretBytes, serde_json::Error> {
    // Once to count, so that no copy is left behind by a buffer that grows.
    let mut size = Count(0);
    model.serialize(&mut serde_json::Serializer::with_formatter(&mut size, Ascii))?;
    let mut text = Vec::with_capacity(size.0);
    model.serialize(&mut serde_json::Serializer::with_formatter(&mut text, Ascii))?;
    Ok(SecretBytes::new(text))
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
