//! The nearest known name to one that is not known, for hints.
//!
//! Distance is Damerau's (insertion, deletion, exchange, swap of neighbours; optimal string alignment). Names
//! are compared in lower case; a name further away than a third of its length is no suggestion, unless
//! it is a longer form (`host` for `hostname`).

/// The name among `known` that `name` most likely means, if any is near enough.
///
/// ```
/// use countersign_contract::nearest::nearest;
/// assert_eq!(nearest("enviroment", ["environment", "volumes"]), Some("environment"));
/// assert_eq!(nearest("zebra", ["environment", "volumes"]), None);
/// ```
pub fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    // Names longer than this are no misspelling of ours, and the table grows with the square.
    if name.len() > 64 {
        return None;
    }
    let folded: Vec<char> = name.to_lowercase().chars().collect();
    let limit = (folded.len() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| {
            let other: Vec<char> = candidate.to_lowercase().chars().collect();
            let cut = folded.len() >= 4 && other.starts_with(&folded);
            (if cut { limit } else { distance(&folded, &other) }, candidate)
        })
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Edit distance of two words.
fn distance(left: &[char], right: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (row, a) in left.iter().enumerate() {
        let mut next = vec![row + 1];
        for (column, b) in right.iter().enumerate() {
            let mut best =
                (last[column + 1] + 1).min(next[column] + 1).min(last[column] + usize::from(a != b));
            if row > 0 && column > 0 && *a == right[column - 1] && left[row - 1] == *b {
                best = best.min(before[column - 1] + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut last, next);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (left, right, expected) in [
            ("", "", 0),
            ("port", "port", 0),
            ("prot", "port", 1),
            ("hostnam", "hostname", 1),
            ("a", "xyz", 3),
        ] {
            let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
            assert_eq!(distance(&left, &right), expected);
        }
    }

    #[test]
    fn letter_case_counts_as_near() {
        assert_eq!(nearest("previousseed", ["seed", "previousSeed"]), Some("previousSeed"));
        assert_eq!(nearest("host", ["port", "hostname"]), Some("hostname"));
        assert_eq!(nearest("logging", ["auths", "env"]), None);
    }
}
