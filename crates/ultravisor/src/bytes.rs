//! Numbers at places in a block of bytes: big-endian, and never beyond the end.

/// The bytes at a place, `None` where the block ends before.
pub(crate) fn array<const N: usize>(block: &[u8], at: usize) -> Option<[u8; N]> {
    block.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// The number of 32 bits at a place.
pub(crate) fn number32(block: &[u8], at: usize) -> Option<u32> {
    array(block, at).map(u32::from_be_bytes)
}

/// The number of 64 bits at a place.
pub(crate) fn number64(block: &[u8], at: usize) -> Option<u64> {
    array(block, at).map(u64::from_be_bytes)
}

/// Lowercase or uppercase hexadecimal digits as so many bytes, `None` for anything else.
pub(crate) fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits: Vec<u8> = text
        .chars()
        .map(|digit| digit.to_digit(16))
        .map(|digit| digit.map(|d| d as u8))
        .collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    if digits.len() != 2 * N { None } else { bytes.try_into().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_read_beyond_the_end() {
        let block = [1, 2, 3, 4, 5];
        assert_eq!(number32(&block, 1), Some(0x0203_0405));
        assert_eq!(number32(&block, 2), None);
        assert_eq!(number64(&block, 0), None);
        assert_eq!(array::<2>(&block, usize::MAX), None);
    }

    #[test]
    fn hexadecimal_has_exactly_two_digits_a_byte() {
        assert_eq!(from_hex("0aF0"), Some([0x0a, 0xf0]));
        for text in ["0aF", "0aF00", "0ag0", "0a 0", ""] {
            assert_eq!(from_hex::<2>(text), None, "{text}");
        }
    }
}
