//! Contract disks that we write, before readers that have nothing to do with ours: bsdtar, xorriso, isoinfo, blkid.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::process::Command;

use countersign_contract::cidata::{self, Cidata};

const USER: &[u8] = b"workload: |\n  type: workload\nenv: |\n  type: env\n";
const META: &[u8] = b"local-hostname: guest\n";
const NETWORK: &[u8] = b"network: {version: 2, ethernets: {enc1: {dhcp4: true}}}\n";

struct Image {
    folder: tempfile::TempDir,
    bytes: Vec<u8>,
}

impl Image {
    fn new(files: &Cidata<'_>) -> Image {
        let folder = tempfile::tempdir().unwrap();
        let bytes = cidata::write(files);
        std::fs::write(folder.path().join("image.iso"), &bytes).unwrap();
        Image { folder, bytes }
    }

    /// What a program prints about the image, `image.iso` in its folder.
    fn said(&self, program: &str, arguments: &[&str]) -> Vec<u8> {
        let path = ["/usr/bin", "/usr/sbin", "/sbin"].map(|folder| PathBuf::from(folder).join(program));
        let path = path.iter().find(|path| path.is_file()).unwrap_or_else(|| panic!("no {program}"));
        let output = Command::new(path).args(arguments).current_dir(self.folder.path()).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {arguments:?}: {errors}");
        output.stdout
    }

    fn text(&self, program: &str, arguments: &[&str]) -> String {
        String::from_utf8(self.said(program, arguments)).unwrap()
    }
}

/// All four files, one of which fills its blocks to the last byte.
fn whole() -> (Image, Vec<u8>) {
    let user = [USER, &b"#".repeat(4096 - USER.len() - 1), b"\n"].concat();
    let image = Image::new(&Cidata {
        user_data: Some(&user),
        meta_data: Some(META),
        vendor_data: Some(b""),
        network_config: Some(NETWORK),
    });
    (image, user)
}

#[test]
fn four_readers_find_the_files_under_their_names() {
    let (image, user) = whole();
    let files =
        [("user-data", &user[..]), ("meta-data", META), ("vendor-data", b""), ("network-config", NETWORK)];
    let listed = image.text("bsdtar", &["-tf", "image.iso"]);
    let mut names: Vec<&str> = listed.lines().filter(|name| *name != ".").collect();
    names.sort_unstable();
    assert_eq!(names, ["meta-data", "network-config", "user-data", "vendor-data"]);
    for (name, content) in files {
        assert!(image.said("bsdtar", &["-xOf", "image.iso", name]) == content, "bsdtar, {name}");
        let path = format!("/{name}");
        // Rock Ridge, then Joliet alone.
        for names in ["-R", "-J"] {
            let found = image.said("isoinfo", &[names, "-i", "image.iso", "-x", &path]);
            assert!(found == content, "isoinfo {names}, {name}: {} bytes", found.len());
        }
        let copy = image.folder.path().join(format!("{name}.copy"));
        let to = copy.to_str().unwrap();
        image.said("xorriso", &["-indev", "image.iso", "-osirrox", "on", "-extract", &path, to]);
        assert!(std::fs::read(&copy).unwrap() == content, "xorriso, {name}");
    }
}

#[test]
fn the_label_is_what_the_system_looks_for() {
    let (image, _) = whole();
    let said = image.text("blkid", &["-p", "-o", "export", "image.iso"]);
    for line in ["LABEL=cidata", "TYPE=iso9660", "BLOCK_SIZE=2048"] {
        assert!(said.lines().any(|found| found == line), "no {line} in {said}");
    }
    // Neither reader has anything to say about the form.
    let said = image.text("isoinfo", &["-d", "-i", "image.iso"]);
    for line in
        ["Volume id: cidata", "Joliet with UCS level 3 found", "Rock Ridge signatures version 1 found"]
    {
        assert!(said.contains(line), "no {line:?} in {said}");
    }
}

#[test]
fn the_guest_reads_what_was_written_and_the_same_files_make_the_same_bytes() {
    let (image, user) = whole();
    let read = cidata::read(&image.bytes).unwrap();
    assert!(read.user_data == Some(&user[..]));
    assert_eq!(read.meta_data, Some(META));
    assert_eq!(read.vendor_data, Some(&b""[..]));
    assert_eq!(read.network_config, Some(NETWORK));
    assert!(cidata::is_cidata(&image.bytes[..17 * 2048]));
    assert_eq!(whole().0.bytes, image.bytes);
}

/// As the documented command makes it, as far as both are the same: what lies in the folder.
#[test]
fn a_file_that_is_not_given_is_not_there() {
    let image = Image::new(&Cidata { user_data: Some(USER), ..Cidata::default() });
    assert_eq!(image.text("isoinfo", &["-R", "-i", "image.iso", "-f"]), "/user-data\n");
    let read = cidata::read(&image.bytes).unwrap();
    assert_eq!((read.user_data, read.meta_data), (Some(USER), None));
}
