//! Which key derivations run side by side, and what they may take of the guest's memory.
//!
//! Argon2id takes memory on purpose, and one volume's key does not wait for another's: as many are derived at a time as
//! fit into a fixed part of the memory, as long as a processor is left for one more. Their number changes how long it
//! takes and nothing else.

use crate::luks2::{Accepted, SlotKdf};

/// What a derivation takes besides, in KiB: a process of its own and its copy of the header.
const PROCESS_KIB: u64 = 16 << 10;

/// What argon2id may take of the guest's memory in all, in KiB: three quarters. The rest is for the kernel, the boot
/// itself and the caches.
pub const fn budget_kib(memory_bytes: u64) -> u64 {
    (memory_bytes >> 10) / 4 * 3
}

/// What the derivation of a volume's key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Of the budget, in KiB.
    pub memory_kib: u64,
    /// Processors that it keeps busy.
    pub lanes: u64,
}

impl Cost {
    /// Of the header's most expensive key slot: they are tried one after the other. PBKDF2 takes next to no memory.
    pub fn of(header: &Accepted) -> Cost {
        let slots = header.slots().iter().map(|slot| match slot.kdf() {
            SlotKdf::Argon2id { memory_kib, cpus, .. } => (memory_kib, cpus),
            SlotKdf::Pbkdf2 { .. } => (0, 1),
        });
        let (memory, lanes) = slots.fold((0, 1), |most, slot| (slot.0.max(most.0), slot.1.max(most.1)));
        Cost { memory_kib: PROCESS_KIB + memory, lanes }
    }
}

/// The places of those in `waiting` that run now: in their order, each that still fits while a processor has no lane
/// yet. The first always runs, since alone it may take the whole budget.
pub fn side_by_side(waiting: &[Cost], budget_kib: u64, processors: u64) -> Vec<usize> {
    let mut taken = Cost { memory_kib: 0, lanes: 0 };
    let mut chosen = Vec::new();
    for (place, cost) in waiting.iter().enumerate() {
        let memory_kib = cost.memory_kib.saturating_add(taken.memory_kib);
        if chosen.is_empty() || (taken.lanes < processors && memory_kib <= budget_kib) {
            taken = Cost { memory_kib, lanes: cost.lanes.saturating_add(taken.lanes) };
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

    fn costs(waiting: &[(u64, u64)]) -> Vec<Cost> {
        waiting.iter().map(|&(memory_kib, lanes)| Cost { memory_kib, lanes }).collect()
    }

    #[test]
    fn in_their_order_those_that_fit_while_a_processor_is_left() {
        for (waiting, processors, chosen) in [
            (&[][..], 2, &[][..]),
            (&[(64, 1), (64, 1), (64, 1)], 1, &[0]),
            (&[(64, 1), (64, 1), (64, 1)], 2, &[0, 1]),
            (&[(64, 1), (64, 1), (64, 1)], 8, &[0, 1, 2]),
            // One that keeps all processors busy.
            (&[(64, 4), (64, 4), (64, 1)], 2, &[0]),
            (&[(64, 2), (64, 1)], 2, &[0]),
            (&[(64, 1), (64, 4), (64, 1)], 2, &[0, 1]),
            (&[(64, 4), (64, 4), (64, 4)], 8, &[0, 1]),
            // A machine that does not say how many it has.
            (&[(64, 1), (64, 1)], 0, &[0]),
            // Exactly the budget, and one more.
            (&[(500, 1), (500, 1)], 2, &[0, 1]),
            (&[(500, 1), (501, 1)], 2, &[0]),
            // A large one waits, a small one behind it does not.
            (&[(600, 1), (600, 1), (300, 1)], 4, &[0, 2]),
            // What is larger than the budget runs alone.
            (&[(2000, 1), (1, 1)], 2, &[0]),
            (&[(1, 1), (2000, 1), (1, 1)], 2, &[0, 2]),
            (&[(u64::MAX, u64::MAX), (u64::MAX, u64::MAX)], 2, &[0]),
        ] {
            assert_eq!(
                side_by_side(&costs(waiting), 1000, processors),
                chosen,
                "{waiting:?} on {processors}"
            );
        }
    }

    #[test]
    fn every_one_gets_its_turn() {
        let mut waiting = costs(&[(900, 1), (5, 4), (700, 1), (2000, 1), (300, 1), (1, 1)]);
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
