//! The world of these tests: parties who make a contract by hand, and a machine that writes down what is asked of it.

pub(crate) mod auditor;
pub(crate) mod canaries;
pub(crate) mod contract;
pub(crate) mod guest_os;
pub(crate) mod keys;
pub(crate) mod machine;
pub(crate) mod volume_record;
pub(crate) mod watch;

pub(crate) use contract::{Contract, Sealed};
pub(crate) use machine::{boot, machine, refused};
