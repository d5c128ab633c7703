//! One altered bit in each part of an image, a header for another machine, a key outside the encrypted parts: refused, each
//! for its own reason, by whoever reads the image without a key and by the machine.

use countersign_ultravisor::image::{HeaderFault, ImageFault, Rules, SealedImage};
use countersign_ultravisor::machine::Refusal;

use crate::support::{CANARY, Service, machines, sealed};

/// An image for z1 and z2.
struct Case {
    service: Service,
    image: Vec<u8>,
    /// Where the parameter block is.
    block: usize,
}

impl Case {
    fn new() -> Option<Self> {
        let service = machines();
        let image = sealed(&[service.host("z1"), service.host("z2")], Rules::default())?.as_bytes().to_vec();
        let block = u64::from_be_bytes(image[0xc014..0xc01c].try_into().unwrap()) as usize;
        Some(Self { service, image, block })
    }

    fn with_bit(&self, place: usize) -> Vec<u8> {
        let mut image = self.image.clone();
        image[place] ^= 1;
        image
    }

    /// What the reader without a key says, and what z1 says.
    fn refused(&self, image: &[u8]) -> (ImageFault, Option<Refusal>) {
        (SealedImage::read(image).unwrap_err(), self.started(image).err())
    }

    fn started(&self, image: &[u8]) -> Result<(), Refusal> {
        self.service.machine("z1").start(image).map(|_| ())
    }

    /// Address of a component: kernel, initramfs, command line, stage3b.
    fn component(&self, number: usize) -> usize {
        SealedImage::read(&self.image).unwrap().components()[number].address as usize
    }
}

#[test]
fn the_program_status_word() {
    let Some(case) = Case::new() else { return };
    // The machine runs what stands there before it protects anything: only the reader can notice.
    for place in 0..8 {
        assert_eq!(case.refused(&case.with_bit(place)), (ImageFault::Start, None), "{place}");
    }
}

#[test]
fn the_metadata() {
    let Some(case) = Case::new() else { return };
    let none = ImageFault::Metadata;
    for place in [0xc000, 0xc007, 0xc010, 0xc013] {
        assert_eq!(case.refused(&case.with_bit(place)), (none, Some(Refusal::Image(none))), "{place:#x}");
    }
    // The header is looked for elsewhere.
    let header = ImageFault::Header(HeaderFault::None);
    assert_eq!(case.refused(&case.with_bit(0xc00f)), (header, Some(Refusal::Image(header))));
    let place = ImageFault::HeaderPlace;
    assert_eq!(case.refused(&case.with_bit(0xc008)), (place, Some(Refusal::Image(place))));
}

#[test]
fn the_boot_loader_stage3a() {
    let Some(case) = Case::new() else { return };
    for place in [0x10000, 0x11000, 0x12000, 0x10000 + 11224 - 25] {
        assert_eq!(case.refused(&case.with_bit(place)), (ImageFault::BootLoader, None), "{place:#x}");
    }
    for place in 0x10000 + 11224 - 24..0x10000 + 11224 {
        assert_eq!(
            case.refused(&case.with_bit(place)),
            (ImageFault::BootLoaderArguments, None),
            "{place:#x}"
        );
    }
}

#[test]
fn every_byte_of_the_header() {
    let Some(case) = Case::new() else { return };
    let size = SealedImage::read(&case.image).unwrap().header().as_bytes().len();
    assert_eq!(size, 0x1a0 + 2 * 80 + 128 + 16);
    for place in 0..size {
        let altered = case.with_bit(0x14000 + place);
        let refusal = case.started(&altered).unwrap_err();
        let expected = match place {
            0x000..0x010 | 0x01c..0x030 | 0x040..0x0e0 => {
                matches!(refusal, Refusal::Image(ImageFault::Header(_)))
            }
            // Hash, wrapped key and tag of the slot of z1.
            0x1a0..0x1c0 => refusal == Refusal::NoSlot,
            0x1c0..0x1f0 => refusal == Refusal::Slot,
            // Flags that nobody defined are refused before the tag is looked at.
            0x038..0x040 => {
                matches!(refusal, Refusal::Header | Refusal::Image(ImageFault::Header(HeaderFault::Flags)))
            }
            _ => refusal == Refusal::Header,
        };
        assert!(expected, "{place:#x}: {refusal:?}");
    }
}

#[test]
fn the_headers_digests_are_noticed_without_a_key() {
    let Some(case) = Case::new() else { return };
    let read = |place| SealedImage::read(&case.with_bit(place)).unwrap_err();
    assert_eq!(read(0x140e0), ImageFault::Pages);
    assert_eq!(read(0x14120), ImageFault::Addresses);
    assert_eq!(read(0x14160), ImageFault::Tweaks);
    assert!(matches!(read(0x14037), ImageFault::PageCount { .. }));
}

#[test]
fn each_encrypted_part() {
    let Some(case) = Case::new() else { return };
    for number in 0..4 {
        for offset in [0, 4095] {
            let altered = case.with_bit(case.component(number) + offset);
            assert_eq!(
                case.refused(&altered),
                (ImageFault::Pages, Some(Refusal::Pages)),
                "{number} {offset}"
            );
        }
    }
}

#[test]
fn exchanged_pages() {
    let Some(case) = Case::new() else { return };
    let (kernel, mut image) = (case.component(0), case.image.clone());
    let (first, second) = image[kernel..kernel + 2 * 4096].split_at_mut(4096);
    first.swap_with_slice(second);
    assert_eq!(case.refused(&image), (ImageFault::Pages, Some(Refusal::Pages)));
}

#[test]
fn the_parameter_block() {
    let Some(case) = Case::new() else { return };
    // Of the first component: six random bytes of its tweaks, its address, its size.
    let first = case.block + 136;
    assert_eq!(case.refused(&case.with_bit(first + 7)), (ImageFault::Tweaks, Some(Refusal::Tweaks)));
    let mut moved = case.image.clone();
    moved[first + 14] ^= 0x10;
    assert_eq!(case.refused(&moved), (ImageFault::Components, Some(Refusal::Addresses)));
    let mut shorter = case.image.clone();
    shorter[first + 22] ^= 0x10;
    assert_eq!(case.refused(&shorter), (ImageFault::Components, Some(Refusal::PageCount)));
    // No whole pages.
    assert_eq!(case.refused(&case.with_bit(first + 15)), (ImageFault::Components, Some(Refusal::Range)));
    // Where the header is, which the machine is told by the metadata here.
    assert_eq!(case.refused(&case.with_bit(case.block + 127)).0, ImageFault::HeaderPlace);
    for reserved in [case.block + 4, case.block + 13, case.block + 20] {
        assert!(matches!(case.refused(&case.with_bit(reserved)).0, ImageFault::Parameters(_)));
    }
}

#[test]
fn a_header_for_another_machine() {
    let Some(case) = Case::new() else { return };
    let refusal = case.service.machine("z3").start(&case.image).unwrap_err();
    assert_eq!(refusal, Refusal::NoSlot);
    // z3 takes the hash of z1's slot for its own: its key opens nothing there.
    let mut forged = case.image.clone();
    forged[0x141a0..0x141c0].copy_from_slice(case.service.machine("z3").hash().as_bytes());
    assert_eq!(case.service.machine("z3").start(&forged).unwrap_err(), Refusal::Slot);
}

#[test]
fn a_header_of_another_sealing() {
    let Some(case) = Case::new() else { return };
    let other = sealed(&[case.service.host("z1"), case.service.host("z2")], Rules::default()).unwrap();
    let mut image = case.image.clone();
    image[0x14000..0x15000].copy_from_slice(&other.as_bytes()[0x14000..0x15000]);
    assert_eq!(case.refused(&image), (ImageFault::Tweaks, Some(Refusal::Tweaks)));
}

#[test]
fn a_key_outside_the_encrypted_parts() {
    let Some(case) = Case::new() else { return };
    // Between the parts, behind the header's end and behind the file's.
    for place in [8, 0x1000, 0xc01c, 0x13000, 0x14000 + 0x1a0 + 2 * 80 + 144] {
        let mut image = case.image.clone();
        image[place..place + CANARY.len()].copy_from_slice(CANARY);
        assert_eq!(case.refused(&image), (ImageFault::Stray(place), None), "{place:#x}");
    }
    let appended = [&case.image, CANARY].concat();
    assert_eq!(case.refused(&appended), (ImageFault::Stray(case.image.len()), None));
}

#[test]
fn components_that_are_not_encrypted() {
    let Some(case) = Case::new() else { return };
    // Bit 35 from the highest.
    let mut image = case.image.clone();
    image[0x1403c] ^= 0x10;
    assert_eq!(case.refused(&image), (ImageFault::Plain, Some(Refusal::Header)));
}

#[test]
fn a_file_that_was_cut_short() {
    let Some(case) = Case::new() else { return };
    for size in [0, 7, 0xc000, 0xc01b, 0x10000, 0x14000, 0x141a0, case.block, case.image.len() - 1] {
        assert!(SealedImage::read(&case.image[..size]).is_err(), "{size:#x}");
        assert!(case.started(&case.image[..size]).is_err(), "{size:#x}");
    }
}
