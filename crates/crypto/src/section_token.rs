//! A token of any kind that stands in a contract: [`crate::token`] or [`crate::sealed`].
//!
//! Which kind it is, its prefix says; readers of contracts need not know more. What the kinds promise differs, and
//! [`SectionToken::is_authenticated`] tells.

use crate::image_key::ImageKey;
use crate::sealed::{SealedToken, SealedTokenShape, SectionName, looks_like_sealed_token};
use crate::secret::SectionText;
use crate::token::{self, Token, TokenShape, Unopened};

/// What is wrong with the form of a token. Anybody can see that, so it may be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SectionTokenShape {
    /// None of the known prefixes.
    #[error("expected a token that starts with hyper-protect-basic., contract-basic. or countersign-v1.")]
    Prefix,
    /// Of an old token.
    #[error(transparent)]
    Basic(TokenShape),
    /// Of a sealed token v1.
    #[error(transparent)]
    Sealed(SealedTokenShape),
}

/// A token of either kind, taken apart.
#[derive(Debug)]
pub enum SectionToken {
    /// `hyper-protect-basic` or `contract-basic`.
    Basic(Token),
    /// `countersign-v1`.
    Sealed(SealedToken),
}

/// Whether the text starts as a token of some kind does, white space before it aside.
///
/// Everything else in its place is plain text. What starts as a token and is none is an error.
pub fn looks_like_token(text: &str) -> bool {
    token::looks_like_token(text) || looks_like_sealed_token(text)
}

impl SectionToken {
    /// Takes a token apart. White space around it and line breaks inside it are ignored.
    ///
    /// # Errors
    /// [`SectionTokenShape`] names the part that is wrong.
    pub fn parse(text: &str) -> Result<Self, SectionTokenShape> {
        if looks_like_sealed_token(text) {
            return SealedToken::parse(text).map(Self::Sealed).map_err(SectionTokenShape::Sealed);
        }
        if token::looks_like_token(text) {
            return Token::parse(text).map(Self::Basic).map_err(SectionTokenShape::Basic);
        }
        Err(SectionTokenShape::Prefix)
    }

    /// Decrypts the token that stands in this place of a contract. Only a sealed token v1 is bound to its place; an old
    /// one opens wherever it stands.
    ///
    /// # Errors
    /// [`Unopened`], whatever is wrong.
    pub fn open(&self, place: SectionName, key: &ImageKey) -> Result<SectionText, Unopened> {
        match self {
            Self::Basic(token) => token.open(key),
            Self::Sealed(token) => token.open(place, key),
        }
    }

    /// Whether the text cannot be altered or moved without notice. It says nothing about who wrote it.
    pub fn is_authenticated(&self) -> bool {
        matches!(self, Self::Sealed(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_says_which_kind_it_is() {
        let fits = "A".repeat(40);
        for (text, authenticated) in [
            ("hyper-protect-basic.QQ==.QQ==".to_owned(), false),
            ("\n contract-basic.QQ==.QQ==".to_owned(), false),
            (format!(" countersign-v1.QQ==.{fits}"), true),
        ] {
            assert!(looks_like_token(&text), "{text}");
            assert_eq!(SectionToken::parse(&text).unwrap().is_authenticated(), authenticated, "{text}");
        }
    }

    #[test]
    fn shape() {
        let said = |text| SectionToken::parse(text).unwrap_err().to_string();
        assert_eq!(
            said("countersign-v2.QQ==.QQ=="),
            "expected a token that starts with hyper-protect-basic., contract-basic. or countersign-v1."
        );
        assert_eq!(said("contract-basic.QQ=="), "expected a token of three parts separated by dots");
        assert_eq!(said("countersign-v1.QQ=="), "expected a token of three parts separated by dots");
        assert!(said("countersign-v1.QQ==.QQ==").contains("at least 28 bytes"));
    }
}
