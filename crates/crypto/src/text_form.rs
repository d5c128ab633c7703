//! The forms in which keys and certificates stand in contracts: PEM, or base64 of PEM.
//!
//! Both occur with CRLF line ends, and with line breaks that are the two characters `\` and `n`,
//! left over from a JSON or shell string. Base64 occurs with white space inside. All of these are
//! read as what was meant. DER, and base64 of DER, are not among the documented forms.

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

/// The start of every PEM block.
const PEM_BEGIN: &str = "-----BEGIN ";

/// The standard alphabet, padding required, unused bits ignored: what Go and `base64 -d` accept.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// Writes base64 on one line.
pub(crate) fn to_base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// Reads base64, ignoring every character that `ignored` names.
pub(crate) fn from_base64(text: &str, ignored: fn(u8) -> bool) -> Option<Zeroizing<Vec<u8>>> {
    let mut dense = Zeroizing::new(Vec::with_capacity(text.len()));
    dense.extend(text.bytes().filter(|byte| !ignored(*byte)));
    // Sized once, so that no smaller buffer is left behind unwiped.
    let mut bytes = Zeroizing::new(vec![0; base64::decoded_len_estimate(dense.len())]);
    let len = BASE64.decode_slice(&dense, &mut bytes).ok()?;
    bytes.truncate(len);
    Some(bytes)
}

/// White space of ASCII, for [`from_base64`].
pub(crate) fn is_white_space(byte: u8) -> bool {
    byte.is_ascii_whitespace()
}

/// Line feed and carriage return, for [`from_base64`] and for what a signature leaves out.
pub(crate) fn is_line_break(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// The PEM text behind any of the forms, with plain line feeds. `None` where there is no PEM.
pub(crate) fn pem(text: &str) -> Option<Zeroizing<String>> {
    let plain = with_line_feeds(text);
    if plain.contains(PEM_BEGIN) {
        return Some(plain);
    }
    let decoded = from_base64(&plain, is_white_space)?;
    let plain = with_line_feeds(std::str::from_utf8(&decoded).ok()?);
    plain.contains(PEM_BEGIN).then_some(plain)
}

/// The label of the first block of a PEM text: `CERTIFICATE`, `PUBLIC KEY` and so on.
pub(crate) fn pem_label(pem: &str) -> Option<&str> {
    let (_, after) = pem.split_once(PEM_BEGIN)?;
    after.split_once("-----").map(|(label, _)| label)
}

/// How many blocks a PEM text holds.
pub(crate) fn pem_blocks(pem: &str) -> usize {
    pem.matches(PEM_BEGIN).count()
}

/// The text with every line trimmed and ended by one line feed, escaped line breaks included.
fn with_line_feeds(text: &str) -> Zeroizing<String> {
    // No line grows but the last, by its line feed.
    let mut plain = Zeroizing::new(String::with_capacity(text.len() + 1));
    for line in text.split('\n').flat_map(|line| line.split("\\n")) {
        let line = line.trim();
        let line = line.strip_suffix("\\r").unwrap_or(line).trim_end();
        if !line.is_empty() {
            plain.push_str(line);
            plain.push('\n');
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEM: &str = "-----BEGIN PUBLIC KEY-----\nQUJD\nREVG\n-----END PUBLIC KEY-----\n";

    fn read(text: &str) -> Option<String> {
        pem(text).map(|plain| plain.to_string())
    }

    #[test]
    fn every_form_of_pem() {
        let escaped = PEM.replace('\n', "\\n");
        let forms = [
            PEM.to_owned(),
            PEM.trim_end().to_owned(),
            PEM.replace('\n', "\r\n"),
            PEM.replace('\n', "\n    "),
            escaped.clone(),
            PEM.replace('\n', "\\r\\n"),
            to_base64(PEM.as_bytes()),
            to_base64(escaped.as_bytes()),
            to_base64(PEM.replace('\n', "\r\n").as_bytes()),
        ];
        for form in &forms {
            assert_eq!(read(form).as_deref(), Some(PEM), "{form:?}");
        }
        let mut folded = to_base64(PEM.as_bytes());
        folded.insert_str(20, " \r\n\t");
        folded.insert_str(40, "\\n");
        assert_eq!(read(&folded).as_deref(), Some(PEM));
    }

    #[test]
    fn anything_else_is_no_pem() {
        for text in ["", "text", "QUJD", "*", "-----BEGIN", &to_base64(&[0xff; 9])] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn labels() {
        assert_eq!(pem_label(PEM), Some("PUBLIC KEY"));
        assert_eq!(pem_label("QUJD"), None);
    }

    #[test]
    fn base64_needs_its_padding() {
        assert_eq!(from_base64("QQ==", |_| false).as_deref().map(Vec::as_slice), Some(&b"A"[..]));
        assert!(from_base64("QQ", |_| false).is_none());
        assert!(from_base64("QQ= =", |_| false).is_none());
        assert!(from_base64("Q Q\n=\t=", is_white_space).is_some());
        assert!(from_base64("Q Q==", is_line_break).is_none());
    }
}
