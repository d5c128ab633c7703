//! Octet counting: a stream of bytes to the records in it (RFC 5425 section 4.3, RFC 6587 section 3.4.1).
//!
//! `MSG-LEN SP SYSLOG-MSG`, the length without a leading zero. Nothing is read in another framing: a sender that ends its
//! records with line feeds gets a refusal that says so. What a record holds is [`crate::record`]'s.

use thiserror::Error;

/// Bytes of the longest record: a message of 64 KiB and a header with structured data of any length that a guest makes.
pub const LONGEST: usize = 128 << 10;
/// Digits of the longest length.
const DIGITS: usize = 6;

/// Why a stream cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FrameError {
    /// A record that begins where its length should stand.
    #[error(
        "expected octet counting (RFC 5425); this sender ends its records with line feeds: set its framing to octet-counted"
    )]
    NotCounted,
    /// Anything else in the place of the length.
    #[error("expected a length in digits and a space before each record")]
    Length,
    /// A length beyond [`LONGEST`].
    #[error("expected records of at most {LONGEST} bytes")]
    TooLong,
}

/// The bytes of a conversation that are no whole record yet.
#[derive(Debug, Default)]
pub struct Frames {
    buffer: Vec<u8>,
    /// Before it everything was given out.
    start: usize,
    failed: Option<FrameError>,
}

impl Frames {
    /// Takes the next bytes of the stream. At most one record and these bytes are held.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole record; `None` where more bytes are needed.
    ///
    /// # Errors
    /// [`FrameError`]; then nothing of the stream can be read any more.
    pub fn next_record(&mut self) -> Result<Option<&[u8]>, FrameError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        match length(&self.buffer[self.start..]) {
            Ok(Some((digits, length))) => {
                let begin = self.start + digits + 1;
                let end = begin + length;
                if self.buffer.len() < end {
                    return Ok(None);
                }
                self.start = end;
                Ok(Some(&self.buffer[begin..end]))
            }
            Ok(None) => Ok(None),
            Err(error) => {
                self.failed = Some(error);
                self.buffer = Vec::new();
                self.start = 0;
                Err(error)
            }
        }
    }

    /// Whether the stream is inside a record, or inside its length.
    pub fn is_inside(&self) -> bool {
        self.start < self.buffer.len()
    }
}

/// Digits of the length at the start of these bytes, and the length.
fn length(bytes: &[u8]) -> Result<Option<(usize, usize)>, FrameError> {
    let mut length = 0;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'0' if at == 0 => return Err(FrameError::Length),
            b'0'..=b'9' => {
                length = length * 10 + usize::from(byte - b'0');
                if at >= DIGITS || length > LONGEST {
                    return Err(FrameError::TooLong);
                }
            }
            b' ' if at > 0 => return Ok(Some((at, length))),
            b'<' if at == 0 => return Err(FrameError::NotCounted),
            _ => return Err(FrameError::Length),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All records of a stream that comes in pieces of this size, and how it ended.
    fn records(stream: &[u8], piece: usize) -> (Vec<Vec<u8>>, Result<bool, FrameError>) {
        let (mut frames, mut records) = (Frames::default(), Vec::new());
        for piece in stream.chunks(piece) {
            frames.push(piece);
            loop {
                match frames.next_record() {
                    Ok(Some(record)) => records.push(record.to_vec()),
                    Ok(None) => break,
                    Err(error) => {
                        // It stays refused, whatever comes.
                        frames.push(b"1 x");
                        assert_eq!(frames.next_record(), Err(error));
                        return (records, Err(error));
                    }
                }
            }
        }
        (records, Ok(frames.is_inside()))
    }

    #[test]
    fn records_are_the_same_in_whatever_pieces_they_come() {
        let long = [b"66000 ".to_vec(), vec![b'\n'; 66_000]].concat();
        let stream = [b"1 a".as_slice(), b"11 <14>1 5 a\nb", &long, b"2 \xff\x00"].concat();
        for piece in [1, 2, 3, 7, 4096, stream.len()] {
            let (records, end) = records(&stream, piece);
            assert_eq!(end, Ok(false), "{piece}");
            assert_eq!(records.len(), 4);
            assert_eq!(records[1], b"<14>1 5 a\nb");
            assert_eq!(records[2], &long[6..]);
            assert_eq!(records[3], b"\xff\x00");
        }
    }

    #[test]
    fn a_stream_that_ends_inside_a_record_says_so() {
        for (stream, inside) in
            [(&b"3 ab"[..], true), (b"3", true), (b"3 ", true), (b"3 abc", false), (b"", false)]
        {
            assert_eq!(records(stream, 1).1, Ok(inside), "{stream:?}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        use FrameError::{Length, NotCounted, TooLong};
        for (stream, error) in [
            (&b"<14>1 - - - - - - x\n"[..], NotCounted),
            (b"0 ", Length),
            (b"01 x", Length),
            (b" 1 x", Length),
            (b"1x", Length),
            (b"-1 x", Length),
            (b"1\nx", Length),
            (b"131073 ", TooLong),
            (b"99999999999999999999999999", TooLong),
            (b"GET / HTTP/1.1\r\n", Length),
            (b"1 a<14>1", NotCounted),
        ] {
            for piece in [1, 64] {
                assert_eq!(records(stream, piece).1, Err(error), "{stream:?}");
            }
        }
        assert_eq!(records(b"131072 ", 64).1, Ok(true));
    }
}
