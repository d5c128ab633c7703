//! The world of these tests: parties who make a contract by hand, and a machine that writes down what is asked of it.

pub mod auditor;
pub mod canaries;
pub mod contract;
pub mod guest_os;
pub mod keys;
pub mod machine;
pub mod volume_record;
pub mod watch;

pub use contract::{Contract, Sealed};
pub use machine::{boot, machine, refused};
