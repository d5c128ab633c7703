//! Bytes at random: the reader returns for any input.

use countersign_forgeries::luks2_volumes::{ARGON2ID, Volume};
use countersign_plan::luks2::{fuzz_header, metadata_len};

/// A small generator with a printed seed: the same inputs on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("below a usize")
    }
}

const WORDS: [&[u8]; 16] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b",",
    b":",
    b"-",
    b"0",
    b"18446744073709551615",
    b"null",
    b"\\u0000",
    b"1e9",
    b"\"0\":",
    b"{\"0\":{}}",
    b"\"type\":\"luks2\"",
];

fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() + 1);
        let to = (at + random.below(40)).min(bytes.len());
        match random.below(5) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 => drop(bytes.drain(at..to)),
            2 => drop(bytes.splice(at..at, WORDS[random.below(WORDS.len())].iter().copied())),
            3 => bytes.extend_from_within(at..to),
            _ => bytes.truncate(bytes.len() - random.below(bytes.len() / 8 + 1)),
        }
    }
}

/// 200 000 inputs, fifty times as many with `tests/run --long`, 30 000 where they are emulated: no panic, and no change of a
/// whole header passes its checksum.
#[test]
fn random_mutations_never_panic() {
    let seed = 0x1dea_5eed;
    println!("seed {seed:#x}");
    let mut random = Random(seed);
    let volume = Volume::format(&[&["--type", "luks2"], &ARGON2ID]);
    let good = volume.head(0x8000);
    let end = 4096 + good[4096..].iter().position(|byte| *byte == 0).expect("an end");
    let text = &good[4096..end];
    assert!(fuzz_header(&good) && fuzz_header(text), "the good header passes both ways");
    let rounds = match std::env::var_os("COUNTERSIGN_LONG") {
        Some(_) => 9_990_000,
        None if cfg!(target_endian = "big") => 20_000,
        None => 190_000,
    };
    for _ in 0..rounds {
        let mut text = text.to_vec();
        mutate(&mut text, &mut random);
        fuzz_header(&text);
    }
    let mut refused = 0;
    for _ in 0..10_000 {
        let mut head = good.clone();
        // Mostly within the binary header, sometimes with the length changed.
        let at = [random.below(512), random.below(head.len())][random.below(2)];
        head[at] = head[at].wrapping_add(1 + u8::try_from(random.below(255)).expect("a byte"));
        if random.below(4) == 0 {
            head.truncate(random.below(head.len()));
        }
        assert!(metadata_len(&head[..head.len().min(4096)]) <= 8 << 20);
        refused += usize::from(!fuzz_header(&head));
    }
    assert_eq!(refused, 10_000, "a changed header passed");
}
