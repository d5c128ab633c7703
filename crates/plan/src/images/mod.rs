//! The images of a workload: what they are called, who vouches for them, what the engine may copy, what it says of them.

pub mod answers;
pub mod authorities;
pub mod causes;
pub mod credentials;
pub mod name;
pub mod policy;
pub(crate) mod reference;
pub mod signatures;
