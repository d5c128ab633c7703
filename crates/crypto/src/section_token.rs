//! A token of any kind that stands in a contract: [`crate::token`] or [`crate::sealed`].
//!
//! Which kind it is, its prefix says; readers of contracts need not know more. What the kinds promise differs, and
//! [`SectionToken::is_authenticated`] tells.

use crate::image_key::ImageKey;
use crate::sealed::{SealedToken, SealedTokenShape, SectionName, looks_like_sealed_token};
use crate::secret::SectionText;
use crate::token::{self, PartFault, Token, TokenShape, Unopened};

/// Characters behind the prefix of the shortest text that is worth the name of a token: one block of either cipher.
const SHORTEST: usize = 16;

/// What is wrong with the form of a token. Anybody can see that, so it may be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SectionTokenShape {
    /// None of the known prefixes.
    #[error("expected a token that starts with hyper-protect-basic., contract-basic. or countersign-v1.")]
    Prefix,
    /// Nothing in front of the first dot.
    #[error(
        "expected hyper-protect-basic, contract-basic or countersign-v1 as the first part of the token: it is empty"
    )]
    NoPrefix,
    /// Of an old token.
    #[error(transparent)]
    Basic(TokenShape),
    /// Of a sealed token v1.
    #[error(transparent)]
    Sealed(SealedTokenShape),
}

/// What else is behind a part that nothing stands in.
const FAILED: &str = "the command that encrypts it printed nothing: run it alone and read its error, often a wrong path \
     of the certificate or of the file";
const FAILED_BOTH: &str = "the commands that encrypt them printed nothing: run each alone and read its error, often a \
     wrong path of the certificate or of the file";
const FOLDED: &str =
    "write the token on one line, without blanks: where lines are joined, each break becomes one";
const WHOLE: &str = "copy the whole token, as one line";

impl SectionTokenShape {
    /// What usually causes that, and what would help.
    pub fn advice(&self) -> &'static str {
        let part = match self {
            Self::Prefix => return "begin the token with one of these, whatever made the two other parts",
            Self::NoPrefix => {
                return "the variable that holds the prefix was empty: begin the token with one of these";
            }
            Self::Basic(TokenShape::Empty) | Self::Sealed(SealedTokenShape::Empty) => return FAILED_BOTH,
            Self::Basic(TokenShape::Passphrase(part) | TokenShape::Body(part)) => part,
            Self::Sealed(SealedTokenShape::Wrapped(part) | SealedTokenShape::Box(part)) => part,
            Self::Basic(_) | Self::Sealed(_) => return WHOLE,
        };
        match part {
            PartFault::Empty => FAILED,
            PartFault::WhiteSpace => FOLDED,
            PartFault::Form => WHOLE,
        }
    }
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

/// Whether a text that does not start as a token does has the other parts of one: nothing that is written for people has.
pub fn lacks_prefix(text: &str) -> bool {
    let text = text.trim();
    let mut parts = text.split('.');
    let (Some(first), Some(second), Some(third), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_ ".contains(&byte);
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=\r\n ".contains(&byte);
    !looks_like_token(text)
        && first.bytes().all(name)
        && second.bytes().chain(third.bytes()).all(base64)
        && second.len() + third.len() >= SHORTEST
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
        let empty = text.trim_start().starts_with('.');
        Err(if empty { SectionTokenShape::NoPrefix } else { SectionTokenShape::Prefix })
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
        let two = "expected a token of three parts separated by dots, found 2";
        assert_eq!(said("contract-basic.QQ=="), two);
        assert_eq!(said("countersign-v1.QQ=="), two);
        assert!(said("countersign-v1.QQ==.QQ==").contains("at least 28 bytes"));
        let part = |part: &str, fault: &str| format!("expected base64 as the {part}{fault}");
        let second = "second part of the token, the sealed passphrase";
        assert_eq!(said("hyper-protect-basic..QQ=="), part(second, ": it is empty"));
        assert_eq!(said("hyper-protect-basic.Q Q.QQ=="), part(second, ""));
        assert_eq!(said("hyper-protect-basic.Q Q==.QQ=="), part(second, ", without blanks in it"));
        assert_eq!(
            said("hyper-protect-basic.QQ==."),
            part("third part of the token, the sealed text", ": it is empty")
        );
        assert_eq!(
            said("countersign-v1..QQ=="),
            part("second part of the token, the sealed key", ": it is empty")
        );
        assert_eq!(
            said("hyper-protect-basic.."),
            part("second and the third part of the token", ": both are empty")
        );
        assert!(said(".QQ==.QQ==").ends_with("as the first part of the token: it is empty"));
    }

    #[test]
    fn each_fault_has_its_usual_cause() {
        let advice = |text: &str| SectionToken::parse(text).unwrap_err().advice();
        for prefix in ["hyper-protect-basic", "contract-basic", "countersign-v1"] {
            for (rest, expected) in [
                (".QQ==", FAILED),
                ("QQ==.", FAILED),
                (".", FAILED_BOTH),
                ("Q Q==.QQ==", FOLDED),
                ("QQ==", WHOLE),
                ("QQ==.QQ==.QQ==", WHOLE),
                ("!.QQ==", WHOLE),
            ] {
                assert_eq!(advice(&format!("{prefix}.{rest}")), expected, "{prefix}.{rest}");
            }
        }
    }

    #[test]
    fn a_token_without_its_prefix_is_told_from_text() {
        let part = "A".repeat(16);
        for text in [
            format!(".{part}.{part}"),
            format!("hyper-protect-basic2.{part}.{part}"),
            format!(" hyper-protect-basic .{part}.\n{part}"),
            format!("..{part}"),
        ] {
            assert!(lacks_prefix(&text), "{text}");
            assert!(SectionToken::parse(&text).is_err(), "{text}");
        }
        for text in [
            "",
            "x",
            "10.0.0.1",
            "logs.example.org",
            "type: env",
            "hyper-protect-basic.AAAAAAAAAAAAAAAA.AAAA",
        ] {
            assert!(!lacks_prefix(text), "{text}");
        }
    }
}
