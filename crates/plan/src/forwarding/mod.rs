//! What becomes of the journal on its way to the log server: which part of an entry is sent, in which form, and what
//! counts as sent.
//!
//! The journal is the spool: it is bounded, never waits for anybody, and numbers its entries, so nothing else is kept
//! but a position in it. Reading it, talking to the server and waiting are done elsewhere.

pub mod entry;
pub mod iam;
pub mod ledger;
pub mod lines;
pub mod origin;
pub mod own;
pub mod singles;
pub mod syslog;
pub mod trouble;
pub mod verdict;
