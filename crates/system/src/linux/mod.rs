//! The ports on a running Linux.
