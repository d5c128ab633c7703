//! One type for each kind of secret, so that the compiler keeps them apart.
//!
//! A secret is allocated once at its final size, wiped when dropped, never cloned, printed or
//! serialised. [`expose`](SectionText::expose) is the only way to read one, so a search for that
//! word finds every use. Two secrets are compared in constant time where comparing makes sense,
//! and otherwise not at all. The length of a secret is not protected.

use secrecy::{ExposeSecret, SecretBox};
use std::fmt;
use zeroize::Zeroize;

macro_rules! redacted {
    ($name:ident) => {
        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(concat!(stringify!($name), "([redacted])"))
            }
        }
    };
}

macro_rules! text_secret {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub struct $name(SecretBox<str>);

        redacted!($name);

        impl $name {
            /// Takes the text over: it is copied once, at its size, and the original is wiped.
            pub fn new(mut text: String) -> Self {
                let secret = Self::copy_from(&text);
                text.zeroize();
                secret
            }

            /// Copies the text; whoever owns the original wipes it.
            pub fn copy_from(text: &str) -> Self {
                Self(SecretBox::new(Box::from(text)))
            }

            /// The secret itself.
            pub fn expose(&self) -> &str {
                self.0.expose_secret()
            }
        }
    };
}

macro_rules! constant_time_eq {
    ($name:ident) => {
        /// Constant time for secrets of the same length.
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                let (left, right) = (self.expose().as_bytes(), other.expose().as_bytes());
                left.len() == right.len() && openssl::memcmp::eq(left, right)
            }
        }

        impl Eq for $name {}
    };
}

text_secret! {
    /// The text of a section after its token was opened.
    SectionText
}

text_secret! {
    /// One party's seed for one volume.
    VolumeSeed
}
constant_time_eq!(VolumeSeed);

text_secret! {
    /// The LUKS passphrase of a volume: 64 lowercase hexadecimal digits.
    ///
    /// Made by [`VolumePassphrase::derive`] only, apart from the tests of other crates.
    VolumePassphrase
}
constant_time_eq!(VolumePassphrase);

text_secret! {
    /// The password for a container registry.
    RegistryPassword
}

text_secret! {
    /// The private key of the log client, as PEM text or as base64 of that, as the contract has it.
    LogClientKey
}

text_secret! {
    /// The value of an environment variable from the contract.
    EnvironmentValue
}

text_secret! {
    /// A key for the API of a cloud service.
    ApiKey
}

text_secret! {
    /// A token that a cloud service gave for an [`ApiKey`], valid for a while.
    AccessToken
}

text_secret! {
    /// The private key of a GREP11 client, as PEM text or as base64 of that, as the contract has it.
    Grep11ClientKey
}

text_secret! {
    /// A volume's AES key as a hardware module wrapped it, base64; asterisks if it was used before.
    WrappedKey
}

text_secret! {
    /// The secret that associates a crypto device with the guest, base64 of 32 bytes.
    AssociationSecret
}

text_secret! {
    /// The private key that opens sealed secrets, as PEM text or as base64 of that.
    SealedSecretKey
}

/// The content of a file that holds secrets, ready to be written to guest memory.
pub struct SecretBytes(SecretBox<[u8]>);

redacted!(SecretBytes);

impl SecretBytes {
    /// Takes the bytes over. A vector without room to spare becomes the secret as it is; another is copied once, at its
    /// size, and wiped.
    pub fn new(mut bytes: Vec<u8>) -> Self {
        if bytes.len() == bytes.capacity() {
            return Self(SecretBox::new(bytes.into_boxed_slice()));
        }
        let secret = Self::copy_from(&bytes);
        bytes.zeroize();
        secret
    }

    /// Copies the bytes; whoever owns the original wipes it.
    pub fn copy_from(bytes: &[u8]) -> Self {
        Self(SecretBox::new(Box::from(bytes)))
    }

    /// The secret itself.
    pub fn expose(&self) -> &[u8] {
        self.0.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_says_nothing() {
        let shown = format!(
            "{:?} {:#?} {:?}",
            VolumeSeed::copy_from("canary"),
            SecretBytes::copy_from(b"canary"),
            SectionText::copy_from("canary")
        );
        assert_eq!(shown, "VolumeSeed([redacted]) SecretBytes([redacted]) SectionText([redacted])");
    }

    #[test]
    fn new_keeps_the_text() {
        let mut text = String::with_capacity(100);
        text.push_str("seed");
        assert_eq!(VolumeSeed::new(text).expose(), "seed");
        assert_eq!(SecretBytes::new(b"bytes".to_vec()).expose(), b"bytes");
    }

    #[test]
    fn seeds_compare_by_content() {
        let seed = VolumeSeed::copy_from;
        assert_eq!(seed("abc"), seed("abc"));
        assert_ne!(seed("abc"), seed("abd"));
        assert_ne!(seed("abc"), seed("abcd"));
        assert_eq!(seed(""), seed(""));
    }
}
