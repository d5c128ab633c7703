//! Pods as the guest judges and rewrites them, held against the engine that runs them there: podman 5.4.2 of Debian 13, for
//! this machine. `COUNTERSIGN_PODMAN` names the folder in which its packages are unpacked (`tests/run` does it); without
//! it, or without the rights of root, nothing is compared, and that is said.
//!
//! The engine gets every pod twice: as its author wrote it, and as the guest hands it over. Containers are made and not
//! started. What is taken here has to be taken there, both times, with containers that the engine itself describes alike.
//! What is refused here has to be refused there, but for what is refused on purpose.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod engine;
mod pods;

/// Numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    /// A number below `bound`.
    fn below(&mut self, bound: usize) -> usize {
        // Knuth's MMIX; the high bits are the good ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}
