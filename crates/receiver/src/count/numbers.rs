//! Sequence numbers of one boot (RFC 5424 section 7.3.1): what is missing, what came again, what has a number that was
//! taken.
//!
//! A guest sends a record again under the number that it had, so a number that comes twice is a repeat where the record
//! is the same. To tell, a digest is kept of each of the last [`WINDOW`] numbers; conversations are far shorter.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

/// Numbers whose records are remembered.
pub const WINDOW: usize = 8 << 10;
/// Stretches of missing numbers that are kept; more are only counted.
pub const STRETCHES: usize = 256;
/// The largest number; the next one is 1.
const LARGEST: u64 = 2_147_483_647;

/// What a number says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Met {
    /// It follows, or is the first.
    Next,
    /// These are missing before it.
    Behind(u64, u64),
    /// It was missing.
    Found,
    /// The same record came before.
    Repeat,
    /// Another record has this number.
    Taken,
}

/// The numbers of a boot.
#[derive(Debug, Default)]
pub struct Numbers {
    last: Option<u64>,
    /// Digests of the numbers up to `last`; none for one that is missing.
    seen: VecDeque<Option<u64>>,
    missing: Vec<RangeInclusive<u64>>,
    /// Missing numbers beyond [`STRETCHES`].
    uncounted: u64,
    /// Records with a number, repeats left out.
    pub records: u64,
    /// Records that came again.
    pub repeats: u64,
}

impl Numbers {
    /// A record with this number and digest. `from_one`: nothing before 1 was left out.
    pub fn meet(&mut self, number: u64, digest: u64, from_one: bool) -> Met {
        let last = match self.last {
            Some(LARGEST) if number == 1 => 0,
            Some(last) => last,
            None if from_one => 0,
            None => number.saturating_sub(1),
        };
        if number > last {
            let gap = number - last - 1;
            self.forward(number, gap, digest);
            self.records += 1;
            if gap == 0 {
                return Met::Next;
            }
            self.miss(last + 1..=number - 1);
            return Met::Behind(last + 1, number - 1);
        }
        let at = self.at(number, last);
        match at.and_then(|at| self.seen.get(at)).copied() {
            Some(Some(known)) if known == digest => {
                self.repeats += 1;
                Met::Repeat
            }
            Some(Some(_)) => Met::Taken,
            Some(None) => {
                if let Some(free) = at.and_then(|at| self.seen.get_mut(at)) {
                    *free = Some(digest);
                }
                self.find(number);
                self.records += 1;
                Met::Found
            }
            // Too long ago to tell a repeat from another record.
            None if self.find(number) => {
                self.records += 1;
                Met::Found
            }
            None => {
                self.repeats += 1;
                Met::Repeat
            }
        }
    }

    /// Where the digest of a number is, which is not above the last one.
    fn at(&self, number: u64, last: u64) -> Option<usize> {
        let back = usize::try_from(last - number).ok()?;
        self.seen.len().checked_sub(back.checked_add(1)?)
    }

    /// Whether a record with this number and digest is one of another boot: the number was taken by another record.
    pub fn is_taken(&self, number: u64, digest: u64) -> bool {
        let Some(last) = self.last.filter(|last| number <= *last) else { return false };
        let known = self.at(number, last).and_then(|at| self.seen.get(at));
        matches!(known, Some(Some(known)) if *known != digest)
    }

    /// Whether a number is further back than any that is sent again.
    pub fn is_past(&self, number: u64) -> bool {
        self.last.is_some_and(|last| last.saturating_sub(number) >= WINDOW as u64 && last != LARGEST)
    }

    /// Numbers that are missing.
    pub fn missing(&self) -> u64 {
        self.missing.iter().map(|stretch| stretch.end() - stretch.start() + 1).sum::<u64>() + self.uncounted
    }

    /// Stretches of missing numbers, as far as they are kept.
    pub fn stretches(&self) -> &[RangeInclusive<u64>] {
        &self.missing
    }

    /// The last number.
    pub fn last(&self) -> Option<u64> {
        self.last
    }

    fn forward(&mut self, number: u64, gap: u64, digest: u64) {
        for _ in 0..gap.min(WINDOW as u64) {
            self.seen.push_back(None);
        }
        self.seen.push_back(Some(digest));
        let more = self.seen.len().saturating_sub(WINDOW);
        self.seen.drain(..more);
        self.last = Some(number);
    }

    fn miss(&mut self, stretch: RangeInclusive<u64>) {
        if self.missing.len() < STRETCHES {
            self.missing.push(stretch);
        } else {
            self.uncounted += stretch.end() - stretch.start() + 1;
        }
    }

    /// Takes a number off those that are missing; whether it was.
    fn find(&mut self, number: u64) -> bool {
        let Some(at) = self.missing.iter().position(|stretch| stretch.contains(&number)) else {
            // One of those that are only counted.
            let counted = self.uncounted > 0;
            self.uncounted -= u64::from(counted);
            return counted;
        };
        let stretch = self.missing.swap_remove(at);
        let sides = [(*stretch.start(), number - 1), (number + 1, *stretch.end())];
        for (first, last) in sides {
            if first <= last {
                self.miss(first..=last);
            }
        }
        self.missing.sort_by_key(|stretch| *stretch.start());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meet(numbers: &mut Numbers, all: impl IntoIterator<Item = u64>) -> Vec<Met> {
        all.into_iter().map(|number| numbers.meet(number, number * 7, true)).collect()
    }

    #[test]
    fn gaps_are_counted_and_closed() {
        let mut numbers = Numbers::default();
        assert_eq!(meet(&mut numbers, [1, 2, 5]), [Met::Next, Met::Next, Met::Behind(3, 4)]);
        assert_eq!((numbers.missing(), numbers.stretches()), (2, &[3..=4][..]));
        assert_eq!(meet(&mut numbers, [3, 3, 4]), [Met::Found, Met::Repeat, Met::Found]);
        assert_eq!((numbers.missing(), numbers.records, numbers.repeats), (0, 5, 1));
        assert_eq!(meet(&mut numbers, [10, 8]), [Met::Behind(6, 9), Met::Found]);
        assert_eq!(numbers.stretches(), [6..=7, 9..=9]);
    }

    #[test]
    fn a_log_that_begins_later_misses_only_what_it_should_have() {
        assert_eq!(Numbers::default().meet(9, 0, true), Met::Behind(1, 8));
        assert_eq!(Numbers::default().meet(9, 0, false), Met::Next);
    }

    #[test]
    fn another_record_under_a_number_is_no_repeat() {
        let mut numbers = Numbers::default();
        meet(&mut numbers, 1..=5);
        assert!(numbers.is_taken(3, 1) && !numbers.is_taken(3, 21) && !numbers.is_taken(6, 1));
        assert_eq!(numbers.meet(3, 1, true), Met::Taken);
        assert_eq!((numbers.records, numbers.repeats), (5, 0));
    }

    #[test]
    fn numbers_begin_again_behind_the_largest() {
        let mut numbers = Numbers::default();
        assert_eq!(numbers.meet(LARGEST, 1, false), Met::Next);
        assert_eq!(numbers.meet(1, 2, false), Met::Next);
        assert_eq!(numbers.meet(3, 2, false), Met::Behind(2, 2));
    }

    #[test]
    fn memory_is_bounded_whatever_comes() {
        let mut numbers = Numbers::default();
        meet(&mut numbers, (1..=LARGEST).step_by(2).take(100_000));
        assert_eq!((numbers.seen.len(), numbers.missing.len()), (WINDOW, STRETCHES));
        assert_eq!(numbers.missing(), 99_999);
        // Long ago: repeat or found is not told by the record any more.
        assert_eq!(numbers.meet(1, 0, true), Met::Found);
        assert_eq!(numbers.missing(), 99_998);
        let mut numbers = Numbers::default();
        meet(&mut numbers, [1, LARGEST]);
        assert_eq!((numbers.seen.len(), numbers.missing()), (WINDOW, LARGEST - 2));
    }
}
