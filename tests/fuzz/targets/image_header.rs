//! The header of a sealed image, its parameter block, and an image around both.
//!
//! The first byte chooses: the rest is a header as it stands; or says how a header that holds is altered; or is a parameter
//! block; or is put into an image, of which anybody may read what they can and which a machine is to start. Beyond
//! "returns": what is read has its bounds, an altered header does not open, a block is written as it was read, and nothing
//! at random is a sealed image or starts. Key exchange is not run in every execution: it is OpenSSL's, and takes a
//! millisecond.
#![no_main]

use std::sync::LazyLock;

use countersign_ultravisor::exchange::{CustomerKey, SLOT};
use countersign_ultravisor::fuzz;
use countersign_ultravisor::image::{Header, ParameterBlock, SealedImage};
use countersign_ultravisor::machine::Machine;
use libfuzzer_sys::fuzz_target;
use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::PKey;

const KEY: [u8; 32] = [9; 32];
const PAGE: usize = 4096;

static CUSTOMER: LazyLock<CustomerKey> = LazyLock::new(|| CustomerKey::random().expect("OpenSSL makes keys"));

static MACHINE: LazyLock<Machine> = LazyLock::new(|| {
    let group = EcGroup::from_curve_name(Nid::SECP521R1).expect("the curve");
    let key = PKey::from_ec_key(EcKey::generate(&group).expect("a key")).expect("a key");
    Machine::new(&key).expect("a machine")
});

/// Headers that hold, by their number of slots less one.
static HEADERS: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
    [1, 95].map(|slots| fuzz::header(&CUSTOMER, KEY, &vec![[7; SLOT]; slots], 5).expect("a header"))
});

fuzz_target!(|input: &[u8]| {
    let Some((way, rest)) = input.split_first() else { return };
    match way % 4 {
        0 => read(rest),
        1 => altered(rest),
        2 => parameters(rest),
        _ => image(rest),
    }
});

fn read(bytes: &[u8]) {
    let Ok(header) = Header::parse(bytes) else { return };
    assert!(header.as_bytes().len() <= 8192 && bytes.starts_with(header.as_bytes()));
    assert!((1..=95).contains(&header.hosts().len()));
    assert!(header.as_bytes().ends_with(&header.tags().tag));
    assert!(!fuzz::opens(&header, KEY), "a forged header opens");
}

/// Which header, where in it, and how: a place in two bytes and the bits to flip.
fn altered(input: &[u8]) {
    let &[which, high, low, flip, ..] = input else { return };
    let good = &HEADERS[usize::from(which) % 2];
    let held = Header::parse(good).expect("a header");
    assert!(fuzz::opens(&held, KEY) && !fuzz::opens(&held, [8; 32]));
    let mut bytes = good.clone();
    let place = usize::from(u16::from_be_bytes([high, low])) % bytes.len();
    bytes[place] ^= flip.max(1);
    if let Ok(header) = Header::parse(&bytes) {
        assert!(!fuzz::opens(&header, KEY), "an altered header opens");
    }
}

fn parameters(bytes: &[u8]) {
    let Ok((block, size)) = ParameterBlock::parse(bytes) else { return };
    assert!(size <= bytes.len() && size == 136 + 24 * block.components.len());
    assert_eq!(ParameterBlock::parse(&bytes[..size]), Ok((block, size)));
}

/// Two places, which the metadata names, and what stands at 0x14000.
fn image(input: &[u8]) {
    if input.len() < 16 || input.len() > 8 * PAGE {
        return;
    }
    let (places, rest) = input.split_at(16);
    let mut bytes = vec![0; 0x14000];
    bytes[0xc000..0xc008].copy_from_slice(b"SeImgLnx");
    bytes[0xc008..0xc010].copy_from_slice(&places[..8]);
    bytes[0xc013] = 1;
    bytes[0xc014..0xc01c].copy_from_slice(&places[8..]);
    bytes.extend_from_slice(rest);
    assert!(SealedImage::read(&bytes).is_err(), "bytes at random are a sealed image");
    assert!(MACHINE.start(&bytes).is_err(), "bytes at random start");
}
