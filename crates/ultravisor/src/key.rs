//! The secret keys of a sealed image, one type each.
//!
//! They are made for one sealing, live as long as it takes, are wiped when dropped, and are never written anywhere but
//! into the encrypted parts of the image.

use std::fmt;

use openssl::rand::rand_bytes;
use secrecy::{ExposeSecret, SecretBox};
use zeroize::Zeroize;

use crate::LibraryError;

macro_rules! secret_key {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        pub struct $name(SecretBox<[u8; $bytes]>);

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(concat!(stringify!($name), "([redacted])"))
            }
        }

        impl $name {
            /// Bytes of the key.
            pub const BYTES: usize = $bytes;

            /// A fresh one.
            ///
            /// # Errors
            /// [`LibraryError`] when OpenSSL has no random numbers.
            pub fn random() -> Result<Self, LibraryError> {
                let mut bytes = Box::new([0; $bytes]);
                rand_bytes(bytes.as_mut()).map_err(LibraryError::of("make a random key"))?;
                Ok(Self(SecretBox::new(bytes)))
            }

            /// Takes the bytes over and wipes the original; `None` for another length.
            pub fn take(bytes: &mut [u8]) -> Option<Self> {
                let mut key = Box::new([0; $bytes]);
                let fits = bytes.len() == Self::BYTES;
                if fits {
                    key.copy_from_slice(bytes);
                }
                bytes.zeroize();
                fits.then(|| Self(SecretBox::new(key)))
            }

            /// The secret itself.
            pub fn expose(&self) -> &[u8; $bytes] {
                self.0.expose_secret()
            }
        }
    };
}

secret_key! {
    /// Protects the encrypted area of the header; the key slots hold it for each machine (AES-256-GCM).
    HeaderKey, 32
}

secret_key! {
    /// Encrypts the components (AES-256-XTS): two AES keys.
    ComponentKey, 64
}

secret_key! {
    /// The customer communication key: opens dumps, and derives extension secrets of add-secret requests.
    CommunicationKey, 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use static_assertions::assert_not_impl_any;

    assert_not_impl_any!(HeaderKey: Clone, fmt::Display);
    assert_not_impl_any!(ComponentKey: Clone, fmt::Display);
    assert_not_impl_any!(CommunicationKey: Clone, fmt::Display);

    #[test]
    fn keys_are_fresh_and_say_nothing() {
        let key = ComponentKey::random().unwrap();
        assert_ne!(key.expose(), ComponentKey::random().unwrap().expose());
        assert_eq!(
            format!("{key:?} {:?}", HeaderKey::random().unwrap()),
            "ComponentKey([redacted]) HeaderKey([redacted])"
        );
    }

    #[test]
    fn a_key_takes_its_bytes_and_leaves_none() {
        let mut bytes = [7; 32];
        assert_eq!(CommunicationKey::take(&mut bytes).unwrap().expose(), &[7; 32]);
        assert_eq!(bytes, [0; 32]);
        let mut short = [7; 31];
        assert!(CommunicationKey::take(&mut short).is_none());
        assert_eq!(short, [0; 31]);
    }
}
