//! Compose files and `.env` files as the guest judges them, held against the compose program that runs them there:
//! docker-compose 2.26.1 of Debian 13. `COUNTERSIGN_DOCKER_COMPOSE` names it by its absolute path (`tests/run` unpacks
//! it); without it nothing is compared, and that is said.
//!
//! Each case is read by the program twice: as the author has it, with the contract's variables in its environment, and
//! as the guest has it, with the `.env` that Countersign writes. Both have to give what Countersign reads.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod dotenv;
mod expressions;
mod files;
mod program;
mod rules;

/// Numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    /// A number below `bound`.
    fn below(&mut self, bound: usize) -> usize {
        // Knuth's MMIX; the high bits are the good ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    /// Up to `most` of these pieces, one behind the other.
    fn text(&mut self, pieces: &[&str], most: usize) -> String {
        (0..=self.below(most)).map(|_| pieces[self.below(pieces.len())]).collect()
    }
}
