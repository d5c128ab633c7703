//! The owner's log: what a guest sends is taken, kept, counted and shown here, on a machine of its owner.
//!
//! | module | what |
//! |---|---|
//! | [`frame`], [`record`], [`entry`], [`stored`] | bytes to records: from a TLS stream, or from a file that another log server wrote |
//! | [`timeline`] | the stages of a boot |
//! | [`count`] | boots, missing numbers and checks, imitations, silence |
//! | [`store`] | files, on disk before a conversation ends |
//! | [`listen`] | TLS with client certificates; who is refused, and why |
//! | [`desk`], [`web`] | what is shown live, on the terminal and on a page on loopback |
//! | [`receive`], [`log`] | the two verbs of `countersign` |
//!
//! The guest's side is `countersign_linux::log_server` and `countersign_plan::forwarding`; nothing of this crate is in
//! the guest. It believes a record as far as the client certificate with which it came: whoever holds that can say
//! anything in the guest's name. It is not made for large sites: rsyslog and syslog-ng are, and `countersign log` reads
//! what they store.

#![forbid(unsafe_code)]

pub mod count;
pub mod desk;
pub mod entry;
pub mod frame;
pub mod line;
pub mod listen;
pub mod log;
pub mod printer;
pub mod receive;
pub mod record;
pub mod say;
pub mod store;
pub mod stored;
pub mod text;
pub mod time;
pub mod timeline;
pub mod web;
