//! Digests and tags in a manifest: lowercase hexadecimal digits, exactly as many as there must be.

use std::fmt;

use countersign_crypto::digest::hex;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::bytes::from_hex;

/// So many bytes, written as hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hexadecimal<const N: usize>([u8; N]);

impl<const N: usize> Hexadecimal<N> {
    /// These bytes.
    pub const fn new(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn bytes(&self) -> &[u8; N] {
        &self.0
    }
}

impl<const N: usize> fmt::Display for Hexadecimal<N> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&hex(&self.0))
    }
}

impl<const N: usize> fmt::Debug for Hexadecimal<N> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self}")
    }
}

impl<const N: usize> Serialize for Hexadecimal<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hexadecimal<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let read = from_hex(&text).map(Self).filter(|read| read.to_string() == text);
        read.ok_or_else(|| D::Error::custom(format_args!("expected {} lowercase hexadecimal digits", 2 * N)))
    }
}
