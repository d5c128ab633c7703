//! Which key derivations run side by side, and what they may take of the guest's memory.
//!
//! Argon2id takes memory on purpose, and one volume's key does not wait for another's: as many are derived at a time as
//! fit into a fixed part of the memory, and no more than there are processors. Their number changes how long it takes
//! and nothing else.

use crate::luks2::{Accepted, SlotKdf};

/// What a derivation takes besides, in KiB: a process of its own and its copy of the header.
const PROCESS_KIB: u64 = 16 << 10;

/// What argon2id may take of the guest's memory in all, in KiB: three quarters. The rest is for the kernel, the boot
/// itself and the caches.
pub const fn budget_kib(memory_bytes: u64) -> u64 {
    (memory_bytes >> 10) / 4 * 3
}

/// What the derivation of a volume's key takes of the budget, in KiB. Key slots are tried one after the other; PBKDF2
/// takes next to nothing.
pub fn memory_kib(header: &Accepted) -> u64 {
    let kib = |kdf| match kdf {
        SlotKdf::Argon2id { memory_kib, .. } => memory_kib,
        SlotKdf::Pbkdf2 { .. } => 0,
    };
    PROCESS_KIB + header.slots().iter().map(|slot| kib(slot.kdf())).max().unwrap_or_default()
}

/// The places of those in `waiting` (what each takes, in KiB) that run now: in their order, each that still fits. The
/// first always runs, since alone it may take the whole budget.
///
/// A derivation with several lanes counts as one processor: argon2id fills it for a part of the time only, what comes
/// before and behind it has one lane.
pub fn side_by_side(waiting: &[u64], budget_kib: u64, processors: usize) -> Vec<usize> {
    let mut taken = 0;
    let mut chosen = Vec::new();
    for (place, kib) in waiting.iter().enumerate() {
        if chosen.is_empty() || (chosen.len() < processors && kib.saturating_add(taken) <= budget_kib) {
            taken = kib.saturating_add(taken);
            chosen.push(place);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 20;

    #[test]
    fn the_budget_is_three_quarters() {
        assert_eq!(budget_kib(4 << 30), 3 * GIB);
        assert_eq!(budget_kib(1 << 30), 786_432);
    }

    #[test]
    fn in_their_order_those_that_fit_and_no_more_than_processors() {
        for (waiting, processors, chosen) in [
            (&[][..], 2, &[][..]),
            (&[64, 64, 64], 1, &[0]),
            (&[64, 64, 64], 2, &[0, 1]),
            (&[64, 64, 64], 8, &[0, 1, 2]),
            // A machine that does not say how many it has has one.
            (&[64, 64], 0, &[0]),
            // Exactly the budget, and a byte more.
            (&[500, 500], 2, &[0, 1]),
            (&[500, 501], 2, &[0]),
            // A large one waits, a small one behind it does not.
            (&[600, 600, 300], 4, &[0, 2]),
            // What is larger than the budget runs alone.
            (&[2000, 1], 2, &[0]),
            (&[1, 2000, 1], 2, &[0, 2]),
            (&[u64::MAX, u64::MAX], 2, &[0]),
        ] {
            assert_eq!(side_by_side(waiting, 1000, processors), chosen, "{waiting:?} on {processors}");
        }
    }

    #[test]
    fn every_one_gets_its_turn() {
        let mut waiting = vec![900, 5, 700, 2000, 300, 1];
        let mut turns = 0;
        while !waiting.is_empty() {
            let chosen = side_by_side(&waiting, 1000, 2);
            assert!(chosen.first() == Some(&0), "the first is not passed over");
            for place in chosen.into_iter().rev() {
                waiting.remove(place);
            }
            turns += 1;
        }
        assert_eq!(turns, 4);
    }
}
