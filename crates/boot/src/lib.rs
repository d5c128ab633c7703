//! The boot: its stages, their order, what is said about them, and what happens when one fails.
//!
//! No effects of its own: everything is asked of the ports of `countersign-ports`, and everything that has to be
//! decided is decided by the pure crates. [`initramfs`] runs as PID 1 before the guest OS, [`guest_os`] inside it.

#![forbid(unsafe_code)]

pub mod failure;
pub mod guest_os;
pub mod initramfs;
pub mod line;
pub mod log;
mod wait;

pub use countersign_plan::report::stage;
