//! What no secret type may be able to do, held by the compiler.

use std::fmt::Display;

use countersign_crypto::attestation::{AttestationKey, BootKey};
use countersign_crypto::image_key::ImageKey;
use countersign_crypto::private_key::PrivateKey;
use countersign_crypto::secret::{
    AccessToken, ApiKey, AssociationSecret, EnvironmentValue, Grep11ClientKey, LogClientKey,
    RegistryPassword, SealedSecretKey, SecretBytes, SectionText, VolumePassphrase, VolumeSeed, WrappedKey,
};
use countersign_crypto::volume_key::VolumeKey;
use static_assertions::assert_not_impl_any;

macro_rules! assert_secret {
    ($($name:ident)*) => {
        $(assert_not_impl_any!($name: Clone, Display, serde::Serialize);)*
    };
}

assert_secret! {
    AccessToken ApiKey AssociationSecret AttestationKey BootKey EnvironmentValue Grep11ClientKey ImageKey LogClientKey
    PrivateKey RegistryPassword SealedSecretKey SecretBytes SectionText VolumeKey VolumePassphrase VolumeSeed WrappedKey
}
