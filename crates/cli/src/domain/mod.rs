//! `domain`: the libvirt domain of a guest, as XML on standard output.
//!
//! Follows libvirt's "Domain XML format" (<https://libvirt.org/formatdomain.html>) and its "Protected virtualization on
//! s390" (<https://libvirt.org/kbase/s390_protected_virt.html>): every virtio device of a Secure Execution guest has
//! `iommu='on'`, because the host reaches no memory of the guest but that which a driver shares with it. No file is opened:
//! the domain is for the machine that runs the guest, which may be another one.

mod xml;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, bail, ensure};

use crate::answer::Answer;
use crate::arguments::Domain;
use crate::files;
use xml::Element;

/// The longest serial number of a virtio disk, in bytes (virtio 1.2 section 5.2.6).
const SERIAL_BYTES: usize = 20;

/// The serial number of the image's disk. The guest finds the disk by its partition, so any will do.
const IMAGE: &str = "countersign-image";
/// That of the contract disk, which the guest finds by its label.
const CONTRACT: &str = "cidata";
/// That of the scratch disk, as `image.json` has it if the builder wrote no other.
const SCRATCH: &str = "countersign-scratch";
/// That of a disk with the guest OS alone, as `image.json` has it.
const GUEST_OS: &str = "countersign-os";

/// Device number of the network's device, which makes the interface `enc1`, as in HPCR's examples.
const NETWORK: u16 = 1;

/// A disk of a volume.
#[derive(Debug, Clone)]
pub struct VolumeDisk {
    /// Its serial number.
    serial: String,
    /// Its image, or a block device.
    path: PathBuf,
}

impl FromStr for VolumeDisk {
    type Err = String;

    fn from_str(text: &str) -> Result<VolumeDisk, String> {
        let (serial, path) = text.split_once('=').ok_or("expected SERIAL=PATH")?;
        let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
        if serial.is_empty() || serial.len() > SERIAL_BYTES || !serial.chars().all(plain) {
            return Err(format!(
                "expected a serial number of 1 to {SERIAL_BYTES} letters, digits, -, _ or .; of a longer volumeID its \
                 first {SERIAL_BYTES}"
            ));
        }
        if path.is_empty() {
            return Err("expected a path behind the serial number".to_owned());
        }
        Ok(VolumeDisk { serial: serial.to_owned(), path: path.into() })
    }
}

/// A domain's name: one that every program of libvirt takes, also as a part of a file's name.
pub(crate) fn name(text: &str) -> Result<String, String> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    let begins = text.starts_with(|letter: char| letter.is_ascii_alphanumeric());
    if begins && text.len() <= 64 && text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    Err("expected at most 64 letters, digits, -, _ or ., beginning with a letter or digit".to_owned())
}

pub(crate) fn run(options: &Domain, out: &mut dyn Write) -> Result<Answer> {
    let domain = domain(options)?;
    files::write_result(out, options.output.as_deref(), domain.to_string().as_bytes())?;
    Ok(Answer::Yes)
}

/// What the disk of a machine is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// The image, from which the machine starts; many guests share it.
    Image,
    /// The contract.
    Contract,
    /// Scratch space or a volume.
    Written,
}

fn domain(options: &Domain) -> Result<Element> {
    let emulated = options.emulated;
    let kind = if emulated { "qemu" } else { "kvm" };
    let os_type = Element::new("type").with("arch", "s390x").with("machine", "s390-ccw-virtio").text("hvm");
    // The processor has to have the facility that unpacks a sealed image, which the host's model names.
    let cpu = if emulated { "maximum" } else { "host-model" };
    let mut domain = Element::new("domain")
        .with("type", kind)
        .child(Element::new("name").text(&options.name))
        .child(Element::new("memory").with("unit", "MiB").text(options.memory))
        .child(Element::new("vcpu").text(options.cpus))
        .child(Element::new("os").child(os_type))
        .child(Element::new("cpu").with("mode", cpu))
        .child(Element::new("clock").with("offset", "utc"))
        .child(Element::new("on_poweroff").text("destroy"))
        .child(Element::new("on_reboot").text("destroy"))
        .child(Element::new("on_crash").text("destroy"))
        .child(devices(options)?);
    if !(options.test || emulated) {
        domain = domain.child(Element::new("launchSecurity").with("type", "s390-pv"));
    }
    Ok(domain)
}

fn devices(options: &Domain) -> Result<Element> {
    let mut devices = Element::new("devices");
    let scratch = options.scratch.as_deref().map(|path| (Use::Written, SCRATCH, path));
    let own =
        [(Use::Image, IMAGE, options.image.as_path()), (Use::Contract, CONTRACT, options.contract.as_path())];
    let volumes = options.volume.iter().map(|disk| (Use::Written, disk.serial.as_str(), disk.path.as_path()));
    let mut serials = BTreeSet::from([GUEST_OS]);
    for ((used, serial, path), place) in own.into_iter().chain(scratch).chain(volumes).zip(0_u16..) {
        ensure!(serials.insert(serial), "expected another serial number than {serial}, which is taken");
        devices = devices.child(disk(used, serial, path, place)?);
    }
    devices = devices.child(interface(options)).child(console(options)?);
    if options.emulated {
        // The emulated processor has no random number instruction.
        devices = devices.child(
            Element::new("rng")
                .with("model", "virtio")
                .child(Element::new("backend").with("model", "random").text("/dev/urandom"))
                .child(Element::new("driver").with("iommu", "on")),
        );
    }
    Ok(devices
        .child(Element::new("memballoon").with("model", "none"))
        .child(Element::new("panic").with("model", "s390")))
}

fn disk(used: Use, serial: &str, path: &Path, place: u16) -> Result<Element> {
    let path = absolute(path)?;
    let device = path.starts_with("/dev/");
    let format = if !device && path.ends_with(".qcow2") { "qcow2" } else { "raw" };
    let mut driver = Element::new("driver").with("name", "qemu").with("type", format);
    if used == Use::Written {
        driver = driver.with("cache", "none").with("io", "native").with("discard", "unmap");
    }
    let (kind, attribute) = if device { ("block", "dev") } else { ("file", "file") };
    let mut disk = Element::new("disk")
        .with("type", kind)
        .with("device", "disk")
        .child(driver.with("iommu", "on"))
        .child(Element::new("source").with(attribute, &path))
        .child(Element::new("target").with("dev", letters(place)).with("bus", "virtio"));
    if used != Use::Written {
        disk = disk.child(Element::new("readonly"));
    }
    if used == Use::Image {
        disk = disk.child(Element::new("shareable")).child(Element::new("boot").with("order", "1"));
    }
    // The network's number lies between the first disk's and the second's.
    let number = if place < NETWORK { place } else { place + 1 };
    Ok(disk.child(Element::new("serial").text(serial)).child(address(number)))
}

fn interface(options: &Domain) -> Element {
    let (kind, name) = match &options.bridge {
        Some(bridge) => ("bridge", bridge),
        None => ("network", &options.network),
    };
    Element::new("interface")
        .with("type", kind)
        .child(Element::new("source").with(kind, name))
        .child(Element::new("model").with("type", "virtio"))
        .child(Element::new("driver").with("iommu", "on"))
        .child(address(NETWORK))
}

fn console(options: &Domain) -> Result<Element> {
    let file = match &options.console {
        Some(file) => absolute(file)?,
        None => format!("/var/log/libvirt/qemu/{}-console.log", options.name),
    };
    Ok(Element::new("console")
        .with("type", "file")
        // A boot that failed may have left there what its auditor reads.
        .child(Element::new("source").with("path", &file).with("append", "on"))
        .child(Element::new("target").with("type", "sclp")))
}

/// A place on the channel subsystem that libvirt uses for virtio devices.
fn address(number: u16) -> Element {
    Element::new("address")
        .with("type", "ccw")
        .with("cssid", "0xfe")
        .with("ssid", "0x0")
        .with("devno", format_args!("{number:#06x}"))
}

/// `vda`, `vdb`, …, `vdz`, `vdaa`: how the kernel counts disks.
fn letters(place: u16) -> String {
    let mut letters = Vec::new();
    let mut rest = place;
    loop {
        letters.push(b'a' + u8::try_from(rest % 26).unwrap_or_default());
        if rest < 26 {
            break;
        }
        rest = rest / 26 - 1;
    }
    letters.reverse();
    format!("vd{}", String::from_utf8_lossy(&letters))
}

/// A path as it has to stand in the XML: absolute, in UTF-8, without control characters, which XML cannot hold.
fn absolute(path: &Path) -> Result<String> {
    let shown = path.display();
    let whole = std::path::absolute(path).with_context(|| shown.to_string())?;
    match whole.to_str() {
        Some(text) if !text.chars().any(char::is_control) => Ok(text.to_owned()),
        _ => bail!("{shown}: expected a path in UTF-8 without control characters"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_are_counted_as_the_kernel_does() {
        let counted = [
            (0, "vda"),
            (25, "vdz"),
            (26, "vdaa"),
            (51, "vdaz"),
            (52, "vdba"),
            (701, "vdzz"),
            (702, "vdaaa"),
        ];
        for (place, name) in counted {
            assert_eq!(letters(place), name);
        }
    }

    #[test]
    fn a_serial_number_is_one_that_a_disk_can_carry() {
        let disk = VolumeDisk::from_str("data=/a=b.img").unwrap();
        assert_eq!((disk.serial.as_str(), disk.path.as_path()), ("data", Path::new("/a=b.img")));
        for refused in ["data", "=/a", "data=", "a b=/a", "a,b=/a", "012345678901234567890=/a"] {
            assert!(VolumeDisk::from_str(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_name_is_one_of_a_file_as_well() {
        assert_eq!(name("guest-1.example"), Ok("guest-1.example".to_owned()));
        for refused in ["", "-a", ".", "a/b", "a b", "ä", &"a".repeat(65)] {
            assert!(name(refused).is_err(), "{refused}");
        }
    }
}
