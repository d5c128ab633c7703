//! The packet filter of the guest OS: the host's network reaches what a contract publishes, and nothing else of it.
//!
//! The rules are the same in every guest and stand in `filter.nft`, in the language of nft(8). The engine's own rules pass
//! packets from any link to the address of any container; they were made for a machine whose network is its owner's.

/// The rules, as nft(8) reads them. They replace those that they were loaded as before.
pub const RULES: &str = include_str!("filter.nft");
