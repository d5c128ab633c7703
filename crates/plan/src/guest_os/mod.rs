//! The guest OS: the image that it comes from, the files that it gets, the plan that its stages carry out.

pub mod file;
pub mod filter;
pub mod handover;
pub mod image;
pub mod network;
pub mod render;
