//! Ways in for the fuzz targets, which have no machine's key exchange to wait for. Compiled for fuzzers alone.

use crate::exchange::{CustomerKey, SLOT};
use crate::image::{Flags, Header, fuzz_draft};
use crate::key::{CommunicationKey, ComponentKey, HeaderKey};

/// A header with this key, so many slots that nobody opens, and these digests and flags.
pub fn header(customer: &CustomerKey, mut key: [u8; 32], slots: &[[u8; SLOT]], fill: u8) -> Option<Vec<u8>> {
    let draft = fuzz_draft(customer, slots, Flags::PRODUCTION, fill);
    let key = HeaderKey::take(&mut key)?;
    let (communication, components) =
        (CommunicationKey::take(&mut [fill; 32])?, ComponentKey::take(&mut [fill; 64])?);
    draft.write(&key, communication, components).ok()
}

/// Whether the header's tag holds under this key.
pub fn opens(header: &Header<'_>, mut key: [u8; 32]) -> bool {
    HeaderKey::take(&mut key).is_some_and(|key| header.open(&key).is_some())
}
