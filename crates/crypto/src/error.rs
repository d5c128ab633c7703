//! The error of the cryptographic library itself: it could not do its work, whatever the input.

/// OpenSSL failed at something that cannot fail on valid input, for example for want of memory or
/// because an algorithm is switched off by the system's configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cryptographic library failed to {operation}")]
pub struct LibraryError {
    operation: &'static str,
}

impl LibraryError {
    /// For `map_err`: names the operation and drops OpenSSL's error stack, which may quote input.
    pub fn of<E>(operation: &'static str) -> impl FnOnce(E) -> Self {
        move |_| Self { operation }
    }
}
