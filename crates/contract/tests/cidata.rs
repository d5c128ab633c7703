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

/// What bsdtar, a reader that has nothing to do with ours, finds under a name in the root directory.
fn by_bsdtar(image: &[u8], name: &str) -> Option<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("image.iso"), image).unwrap();
    let read = |arguments: &[&str]| {
        Command::new("bsdtar").current_dir(&folder).args(arguments).output().expect("bsdtar is installed")
    };
    let listed = read(&["-tf", "image.iso"]);
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let names = String::from_utf8(listed.stdout).unwrap();
    names.lines().any(|line| line == name).then(|| read(&["-xOf", "image.iso", name]).stdout)
}

#[test]
fn every_level_and_kind_of_names() {
    for program in [GENISOIMAGE, XORRISO] {
        for level in ["1", "2", "3", "4"] {
            for names in
                [&["-joliet", "-rock"][..], &["-joliet"], &["-rock"], &["-U"], &["-l", "-N", "-d"], &[]]
            {
                let options = [&["-iso-level", level], names].concat();
                let image = image(program, "cidata", &options);
                let what = format!("{program:?} {options:?}");
                assert!(cidata::is_cidata(&image[..34 << 10]), "{what}");
                let files = cidata::read(&image).unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(files.user_data, Some(USER), "{what}");
                assert_eq!(files.meta_data, Some(&b"local-hostname: guest\n"[..]), "{what}");
                assert_eq!(files.vendor_data, Some(&b"#cloud-config\n"[..]), "{what}");
                assert_eq!(files.network_config, Some(&b"version: 2\n"[..]), "{what}");
            }
        }
    }
}

/// The two trees of one image need not hold the same files.
#[test]
fn rock_ridge_goes_before_joliet() {
    for (options, there) in [
        (&["-joliet", "-rock"][..], true),
        (&["-joliet", "-rock", "-hide-joliet", "user-data"], true),
        (&["-joliet", "-rock", "-hide", "user-data"], false),
        (&["-joliet", "-hide", "user-data"], true),
        (&["-joliet", "-hide-joliet", "user-data"], false),
        // The tree without Joliet is empty, so nobody wants it.
        (&["-joliet", "-rock", "-hide", "*"], true),
    ] {
        let image = image(GENISOIMAGE, "cidata", options);
        let found = cidata::read(&image).unwrap_or_else(|error| panic!("{options:?}: {error}")).user_data;
        assert_eq!(found.is_some(), there, "{options:?}");
        // bsdtar knows no exception for an empty tree.
        if !options.contains(&"*") {
            assert_eq!(by_bsdtar(&image, "user-data").as_deref(), found, "bsdtar: {options:?}");
        }
    }
}

/// A root directory of several blocks, and names that go on elsewhere in the image.
#[test]
fn a_disk_with_many_files() {
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().join("files");
    fs::create_dir(&files).unwrap();
    fs::write(files.join("user-data"), USER).unwrap();
    for number in 0..200 {
        fs::write(files.join(format!("{number:0>180}")), "x").unwrap();
    }
    let output = folder.path().join("image.iso");
    for (program, options) in
        [(GENISOIMAGE, &["-rock"][..]), (XORRISO, &["-rock"]), (XORRISO, &["-joliet", "-joliet-long"])]
    {
        run(program, "cidata", options, &files, &output);
        let image = fs::read(&output).unwrap();
        fs::remove_file(&output).unwrap();
        assert_eq!(cidata::read(&image).unwrap().user_data, Some(USER), "{program:?} {options:?}");
        assert_eq!(by_bsdtar(&image, "user-data").as_deref(), Some(USER), "{program:?} {options:?}");
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
    let mut image = image(GENISOIMAGE, "cidata", &["-joliet"]);
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
    for options in [&["-joliet", "-rock"][..], &["-joliet"]] {
        wrong_bytes(&image(GENISOIMAGE, "cidata", options));
    }
}

fn wrong_bytes(good: &[u8]) {
    let mut image = good.to_vec();
    for at in (16 * 2048..good.len().min(64 * 2048)).filter(|at| good[*at] != 0) {
        for value in [0, 1, 0x7f, 0xff] {
            image[at] = value;
            let _ = cidata::read(&image);
        }
        image[at] = good[at];
    }
}
