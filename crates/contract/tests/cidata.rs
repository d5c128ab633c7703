//! The contract disk reader against images made by genisoimage and xorriso, and against broken ones.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::Path;
use std::process::Command;

use countersign_contract::cidata::{self, CidataError};

const USER: &[u8] = b"workload: |\n  type: workload\nenv: |\n  type: env\n";

/// Makes an image with the given program and options from a folder that holds the usual files.
fn image(program: &[&str], volume: &str, options: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().join("files");
    fs::create_dir(&files).unwrap();
    fs::write(files.join("user-data"), USER).unwrap();
    fs::write(files.join("meta-data"), "local-hostname: guest\n").unwrap();
    fs::write(files.join("vendor-data"), "#cloud-config\n").unwrap();
    fs::write(files.join("network-config"), "version: 2\n").unwrap();
    fs::create_dir(files.join("sub")).unwrap();
    fs::write(files.join("sub/user-data"), "not this one").unwrap();
    let output = folder.path().join("image.iso");
    run(program, volume, options, &files, &output);
    fs::read(output).unwrap()
}

fn run(program: &[&str], volume: &str, options: &[&str], files: &Path, output: &Path) {
    let result = Command::new(program[0])
        .args(&program[1..])
        .args(["-quiet", "-output"])
        .arg(output)
        .args(["-volid", volume])
        .args(options)
        .arg(files)
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", program[0]));
    assert!(result.status.success(), "{}", String::from_utf8_lossy(&result.stderr));
}

const GENISOIMAGE: &[&str] = &["genisoimage"];
const XORRISO: &[&str] = &["xorriso", "-as", "mkisofs"];

#[test]
fn reads_what_the_tools_write() {
    for program in [GENISOIMAGE, XORRISO] {
        for options in [&["-joliet", "-rock"][..], &["-joliet"], &["-rock"], &[]] {
            let image = image(program, "cidata", options);
            let files =
                cidata::read(&image).unwrap_or_else(|error| panic!("{program:?} {options:?}: {error}"));
            assert_eq!(files.user_data, Some(USER), "{program:?} {options:?}");
            assert_eq!(files.meta_data, Some(&b"local-hostname: guest\n"[..]), "{program:?} {options:?}");
            assert_eq!(files.vendor_data, Some(&b"#cloud-config\n"[..]), "{program:?} {options:?}");
            assert_eq!(files.network_config, Some(&b"version: 2\n"[..]), "{program:?} {options:?}");
        }
    }
}

#[test]
fn volume_id_decides() {
    let upper = image(GENISOIMAGE, "CIDATA", &["-joliet", "-rock"]);
    assert!(cidata::is_cidata(&upper[..34 << 10]));
    assert!(cidata::read(&upper).is_ok());
    let other = image(GENISOIMAGE, "cidata2", &["-joliet", "-rock"]);
    assert!(!cidata::is_cidata(&other));
    assert_eq!(cidata::read(&other).unwrap_err(), CidataError::OtherVolume);
}

#[test]
fn images_that_are_none() {
    assert_eq!(cidata::read(&[]).unwrap_err(), CidataError::NotIso9660);
    assert_eq!(cidata::read(&vec![0; 1 << 20]).unwrap_err(), CidataError::NotIso9660);
    assert_eq!(cidata::read(&vec![0; (16 << 20) + 1]).unwrap_err(), CidataError::TooLarge);
}

/// Where the Joliet root record, and the Joliet descriptor, stand in an image with both.
const JOLIET: usize = 17 * 2048;

fn broken(change: impl FnOnce(&mut Vec<u8>)) -> CidataError {
    let mut image = image(GENISOIMAGE, "cidata", &["-joliet", "-rock"]);
    assert_eq!(image[JOLIET], 2, "the second descriptor is Joliet's");
    change(&mut image);
    cidata::read(&image).unwrap_err()
}

fn both32(image: &mut [u8], at: usize, number: u32) {
    image[at..at + 4].copy_from_slice(&number.to_le_bytes());
    image[at + 4..at + 8].copy_from_slice(&number.to_be_bytes());
}

#[test]
fn every_offset_is_checked() {
    let root = JOLIET + 156;
    let directory =
        |image: &[u8]| u32::from_le_bytes(image[root + 2..root + 6].try_into().unwrap()) as usize * 2048;
    assert_eq!(broken(|image| image.truncate(17 * 2048)), CidataError::NoTerminator);
    assert_eq!(broken(|image| both32(image, root + 2, u32::MAX)), CidataError::OutOfBounds("root directory"));
    assert_eq!(
        broken(|image| both32(image, root + 10, u32::MAX)),
        CidataError::OutOfBounds("root directory")
    );
    assert_eq!(broken(|image| image[root + 2] ^= 1), CidataError::ByteOrders("root directory"));
    assert_eq!(broken(|image| image[JOLIET + 128] = 1), CidataError::ByteOrders("volume descriptor"));
    assert_eq!(
        broken(|image| image[JOLIET + 128..JOLIET + 132].copy_from_slice(&[0, 4, 4, 0])),
        CidataError::BlockSize
    );
    assert_eq!(broken(|image| image[root] = 33), CidataError::BadRecord);
    assert_eq!(broken(|image| image[root + 25] = 0), CidataError::BadRecord);
    assert_eq!(broken(|image| image[18 * 2048] = 3), CidataError::NoTerminator);
    // Lengths of the first record of the directory: shorter than its head, and longer than its block.
    assert_eq!(
        broken(|image| {
            let at = directory(image);
            image[at] = 12;
        }),
        CidataError::BadRecord
    );
    assert_eq!(
        broken(|image| {
            let at = directory(image);
            image[at + 32] = 255;
        }),
        CidataError::BadRecord
    );
}

/// The offset of the Joliet record of a file.
fn record(image: &[u8], name: &str) -> usize {
    let ucs2: Vec<u8> = name.encode_utf16().flat_map(u16::to_be_bytes).collect();
    image.windows(ucs2.len()).position(|window| window == ucs2).expect("name in the image") - 33
}

#[test]
fn files_are_checked_too() {
    assert_eq!(
        broken(|image| {
            let at = record(image, "user-data");
            both32(image, at + 10, 1 << 30);
        }),
        CidataError::OutOfBounds("user-data")
    );
    assert_eq!(
        broken(|image| {
            let at = record(image, "user-data");
            image[at + 25] |= 0x80;
        }),
        CidataError::NotAFile("user-data")
    );
    assert_eq!(
        broken(|image| {
            let at = record(image, "meta-data");
            let name: Vec<u8> = "user-data".encode_utf16().flat_map(u16::to_be_bytes).collect();
            image[at + 33..at + 33 + name.len()].copy_from_slice(&name);
        }),
        CidataError::Duplicate("user-data")
    );
}

#[test]
fn no_single_wrong_byte_panics() {
    let good = image(GENISOIMAGE, "cidata", &["-joliet", "-rock"]);
    let mut image = good.clone();
    for at in (16 * 2048..good.len().min(64 * 2048)).filter(|at| good[*at] != 0) {
        for value in [0, 1, 0x7f, 0xff] {
            image[at] = value;
            let _ = cidata::read(&image);
        }
        image[at] = good[at];
    }
}
