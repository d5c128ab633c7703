//! A record of RFC 5424: its header, what its structured data says, its message.
//!
//! Read from bytes that anybody with a client certificate may have made: every part is bounded and checked by itself.
//! A guest says who wrote a record in `[countersign@N origin="…" …]` (`countersign_plan::forwarding::origin`), and what
//! number it has in `[meta sequenceId="…"]` (section 7.3.1). Text and program name say nothing about that.

use std::borrow::Cow;

use thiserror::Error;

/// The longest values of section 6 that this reads, in bytes, where the RFC has a bound.
const HOST: usize = 255;
const APP: usize = 48;
const PROCESS: usize = 128;
const ID: usize = 32;
/// Names of structured data: SD-ID and PARAM-NAME.
const NAME: usize = 32;

/// Why bytes are no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RecordError {
    /// Not `<0>` to `<191>` and version 1.
    #[error("expected <PRIVAL>1 at the beginning (RFC 5424 section 6.2)")]
    Priority,
    /// The header is not six fields, or one of them is empty, too long or not printable.
    #[error("expected time, host name, program, process and message id (RFC 5424 section 6.2)")]
    Header,
    /// The structured data does not end, or is no structured data.
    #[error("expected structured data or - behind the header (RFC 5424 section 6.3)")]
    Data,
}

/// A record that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<'r> {
    /// 0 to 23.
    pub facility: u8,
    /// 0 (emergency) to 7 (debug).
    pub severity: u8,
    /// As it stands; `-` for none.
    pub time: &'r str,
    /// As it stands; `-` for none.
    pub host: &'r str,
    /// As it stands; `-` for none.
    pub app: &'r str,
    /// As it stands; `-` for none.
    pub process: &'r str,
    /// As it stands; `-` for none.
    pub id: &'r str,
    /// As it stands; `-` for none.
    pub data: Cow<'r, str>,
    /// Without the byte order mark.
    pub message: &'r [u8],
}

impl<'r> Record<'r> {
    /// Reads a record.
    ///
    /// # Errors
    /// [`RecordError`], which holds nothing of it.
    pub fn parse(bytes: &'r [u8]) -> Result<Record<'r>, RecordError> {
        let (priority, rest) = priority(bytes).ok_or(RecordError::Priority)?;
        let mut fields = rest.splitn(6, |byte| *byte == b' ');
        let mut field = |longest| {
            let text = std::str::from_utf8(fields.next()?).ok()?;
            let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
            (!text.is_empty() && text.len() <= longest && printable).then_some(text)
        };
        let mut header = || Some([field(ID * 2)?, field(HOST)?, field(APP)?, field(PROCESS)?, field(ID)?]);
        let [time, host, app, process, id] = header().ok_or(RecordError::Header)?;
        let rest = fields.next().ok_or(RecordError::Data)?;
        let length = if rest.first() == Some(&b'-') { 1 } else { elements(rest) };
        let (data, message) = rest.split_at_checked(length).ok_or(RecordError::Data)?;
        let message = match message {
            [] => message,
            [b' ', message @ ..] => message,
            _ => return Err(RecordError::Data),
        };
        if data.is_empty() {
            return Err(RecordError::Data);
        }
        Ok(Record {
            facility: priority / 8,
            severity: priority % 8,
            time,
            host,
            app,
            process,
            id,
            data: String::from_utf8_lossy(data),
            message: message.strip_prefix(b"\xef\xbb\xbf").unwrap_or(message),
        })
    }
}

/// `<PRIVAL>1 `, and what follows.
fn priority(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let rest = bytes.strip_prefix(b"<")?;
    let end = rest.iter().take(4).position(|byte| *byte == b'>')?;
    let digits = std::str::from_utf8(&rest[..end]).ok().filter(|text| !text.is_empty())?;
    let formed =
        digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    let value: u8 = digits.parse().ok().filter(|value| formed && *value < 192)?;
    Some((value, rest[end + 1..].strip_prefix(b"1 ")?))
}

/// Bytes of the elements of structured data at the start (section 6.3); 0 where there is none that ends.
pub fn elements(bytes: &[u8]) -> usize {
    let (mut quoted, mut escaped, mut open, mut end) = (false, false, false, 0);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' if open => quoted = !quoted,
            b'[' if !open => open = true,
            b']' if open && !quoted => (open, end) = (false, at + 1),
            _ if !open => break,
            _ => {}
        }
    }
    end
}

/// What structured data says, element by element: name, then names and values without their escapes. Ends where the
/// text is none any more.
pub fn parameters(data: &str) -> Vec<(&str, Vec<(&str, String)>)> {
    let (mut found, mut rest) = (Vec::new(), data);
    while let Some((element, behind)) = element(rest) {
        found.push(element);
        rest = behind;
    }
    found
}

type Element<'d> = (&'d str, Vec<(&'d str, String)>);

fn element(text: &str) -> Option<(Element<'_>, &str)> {
    let rest = text.strip_prefix('[')?;
    let end = rest.find([' ', ']'])?;
    let (name, mut rest) = rest.split_at(end);
    let mut parameters = Vec::new();
    loop {
        if let Some(behind) = rest.strip_prefix(']') {
            return (!name.is_empty()).then_some(((name, parameters), behind));
        }
        let (key, behind) = rest.trim_start_matches(' ').split_once("=\"")?;
        if key.is_empty() || key.len() > NAME || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        let (value, behind) = value(behind)?;
        parameters.push((key, value));
        rest = behind;
    }
}

/// A value up to its quotation mark, and what follows that.
fn value(text: &str) -> Option<(String, &str)> {
    let (mut value, mut letters) = (String::new(), text.char_indices());
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match letters.next()?.1 {
                escaped @ ('"' | '\\' | ']') => value.push(escaped),
                // Section 6.3.3: a backslash before anything else is one.
                other => value.extend(['\\', other]),
            },
            letter => value.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 5424 section 6.5.
    #[test]
    fn the_examples_of_the_rfc_are_read() {
        let first = b"<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \xef\xbb\xbf'su root' failed for lonvick on /dev/pts/8";
        let record = Record::parse(first).unwrap();
        assert_eq!((record.facility, record.severity), (4, 2));
        assert_eq!(
            (record.host, record.app, record.process, record.id),
            ("mymachine.example.com", "su", "-", "ID47")
        );
        assert_eq!(record.message, b"'su root' failed for lonvick on /dev/pts/8");

        let third = b"<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut=\"3\" eventSource=\"Application\" eventID=\"1011\"] \xef\xbb\xbfAn application event log entry...";
        let record = Record::parse(third).unwrap();
        let expected =
            vec![("iut", "3".to_owned()), ("eventSource", "Application".into()), ("eventID", "1011".into())];
        assert_eq!(parameters(&record.data), [("exampleSDID@32473", expected)]);
        assert_eq!(record.message, b"An application event log entry...");

        let fourth = b"<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut=\"3\"][examplePriority@32473 class=\"high\"]";
        let record = Record::parse(fourth).unwrap();
        assert_eq!(parameters(&record.data).len(), 2);
        assert_eq!(record.message, b"");
    }

    #[test]
    fn what_is_no_record_says_which_part_is_not() {
        use RecordError::{Data, Header, Priority};
        for (text, error) in [
            ("", Priority),
            ("<>1 - - - - - -", Priority),
            ("<192>1 - - - - - -", Priority),
            ("<014>1 - - - - - -", Priority),
            ("<14>2 - - - - - -", Priority),
            ("<14>Oct 11 22:14:15 host su: x", Priority),
            ("<14>1 - - - -", Header),
            ("<14>1 -  - - - -", Header),
            ("<14>1 - h\u{e9} - - - -", Header),
            ("<14>1 - - - - -", Data),
            ("<14>1 - - - - - x", Data),
            ("<14>1 - - - - - -x", Data),
            ("<14>1 - - - - - [a b=\"c", Data),
            ("<14>1 - - - - - [a]x", Data),
        ] {
            assert_eq!(Record::parse(text.as_bytes()), Err(error), "{text}");
        }
        assert_eq!(Record::parse(b"<0>1 - - - - - -").unwrap().message, b"");
        assert!(Record::parse(format!("<14>1 - {} - - - -", "h".repeat(256)).as_bytes()).is_err());
    }

    #[test]
    fn values_lose_their_escapes_and_end_where_they_end() {
        let data = r#"[meta sequenceId="7"][countersign@32473 origin="container" name="a\"b\]c\\d\x"]"#;
        assert_eq!(elements(format!("{data} [not]").as_bytes()), data.len());
        let found = parameters(data);
        assert_eq!(found[0], ("meta", vec![("sequenceId", "7".to_owned())]));
        assert_eq!(found[1].1[1], ("name", r#"a"b]c\d\x"#.to_owned()));
        for broken in ["[a b=\"c]", "[a b]", "[", "[]", "[ b=\"c\"]", "x", "[a =\"c\"]"] {
            assert!(parameters(broken).is_empty(), "{broken}");
        }
    }
}
