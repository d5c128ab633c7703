//! QEMU's command line, one small pure function for each group of arguments.
//!
//! It starts nothing and looks at no file. Option names follow the manual page of QEMU 7.2 to 10.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::profile::{self, Network, Profile};

/// The longest serial number of a virtio disk, in bytes (`VIRTIO_BLK_ID_BYTES`).
pub const SERIAL_LENGTH: usize = 20;

/// What differs from run to run on the same machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Kernel image, uncompressed as s390x boots it; or, without an initramfs, a whole memory image. Without a kernel the
    /// machine's firmware starts what lies on the first disk.
    pub kernel: Option<PathBuf>,
    /// Initramfs: one or several archives in a row. `None` for a memory image, which has everything in it.
    pub initramfs: Option<PathBuf>,
    /// Words after those of the profile; a memory image has its own.
    pub command_line: Vec<String>,
    /// Disks, in the order in which the guest sees them.
    pub drives: Vec<Drive>,
    /// Folder of the sockets of a second link, [`crate::lab::neighbour::Neighbour::link`].
    pub link: Option<PathBuf>,
}

/// A disk image, raw unless its layer says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drive {
    /// Image file.
    pub path: PathBuf,
    /// Serial number that the guest sees, at most [`SERIAL_LENGTH`] bytes of letters, digits, `-` and `_`; none if empty.
    pub serial: String,
    /// Device number on the channel subsystem of virtio devices; the next one that is free if absent.
    pub number: Option<u16>,
    /// Whether the guest is kept from writing.
    pub read_only: bool,
    /// What is between the image and the guest.
    pub layer: Layer,
}

/// What a host may put between an image and the guest; see QEMU's `blockdev` options of these names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Layer {
    /// Nothing.
    #[default]
    Plain,
    /// The form qcow2.
    Qcow2,
    /// Every write and flush is also written to this file, in the form of the kernel's dm-log-writes.
    LogWrites(PathBuf),
    /// Requests of a kind fail with an I/O error, those of the whole disk or those that touch one sector of 512 bytes.
    Faulty {
        /// Which.
        kind: Request,
        /// Where, everywhere if absent.
        sector: Option<u64>,
        /// Only the first of them; the disk is well again behind it.
        once: bool,
    },
    /// No more bytes a second are read.
    SlowReads(u64),
}

/// A kind of request to a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Reads.
    Read,
    /// Writes.
    Write,
    /// Flushes.
    Flush,
}

impl Drive {
    /// A disk that the guest may write.
    pub fn writable(path: impl Into<PathBuf>, serial: impl Into<String>) -> Self {
        Self { path: path.into(), serial: serial.into(), number: None, read_only: false, layer: Layer::Plain }
    }

    /// A disk that the guest may only read.
    pub fn read_only(path: impl Into<PathBuf>, serial: impl Into<String>) -> Self {
        Self { read_only: true, ..Self::writable(path, serial) }
    }

    /// The disk at this device number.
    #[must_use]
    pub fn at(self, number: u16) -> Self {
        Self { number: Some(number), ..self }
    }

    /// The disk with something between it and the guest.
    #[must_use]
    pub fn behind(self, layer: Layer) -> Self {
        Self { layer, ..self }
    }
}

/// All arguments for one run. `monitor` is the socket on which QEMU looks for the harness.
///
/// # Errors
/// [`Error::Format`] for a serial number that no disk can carry, or a path that is not UTF-8.
pub fn arguments(profile: &Profile, run: &Run, monitor: &Path) -> Result<Vec<String>> {
    let mut all = machine(profile);
    all.extend(console());
    all.extend(control(monitor)?);
    all.extend(boot(profile, run)?);
    let mut disks = Vec::new();
    for (index, drive) in run.drives.iter().enumerate() {
        let boots = run.kernel.is_none() && index == 0;
        disks.extend(disk(index, drive, boots)?);
    }
    // A device takes the first number that is free where it stands: a disk that was given one goes before them.
    let numbered = run.drives.iter().any(|drive| drive.number.is_some());
    let mut others = [random(profile.rng.as_deref()), network(profile.network.as_ref())];
    if numbered {
        others.reverse();
        all.append(&mut disks);
    }
    all.extend(others.into_iter().flatten());
    if let Some(folder) = &run.link {
        all.extend(link(folder)?);
    }
    all.extend(disks);
    Ok(all)
}

/// Machine type, processors, memory, and nothing that was not asked for.
#[must_use]
pub fn machine(profile: &Profile) -> Vec<String> {
    words(&[
        "-nodefaults",
        "-machine",
        &profile.machine,
        "-cpu",
        &profile.cpu,
        "-smp",
        &profile.cpus.to_string(),
        "-m",
        &format!("{}M", profile.memory_mib),
        "-accel",
        &profile.accelerator,
    ])
}

/// The SCLP console on standard output, and no window.
#[must_use]
pub fn console() -> Vec<String> {
    words(&["-nographic", "-serial", "stdio", "-monitor", "none"])
}

/// How the harness governs the machine: no reboot, a dead kernel is a failed exit status, QMP on a socket.
///
/// # Errors
/// [`Error::Format`] for a path that is not UTF-8.
pub fn control(monitor: &Path) -> Result<Vec<String>> {
    let socket = format!("unix:{}", option_value(monitor)?);
    Ok(words(&["-no-reboot", "-action", "panic=exit-failure", "-qmp", &socket]))
}

/// Kernel, initramfs and the kernel's command line: the shipped one, the machine's words, the run's; nothing for a machine
/// that starts from its disk.
///
/// # Errors
/// [`Error::Format`] for a path that is not UTF-8, [`Error::Io`] without the shipped command line.
pub fn boot(profile: &Profile, run: &Run) -> Result<Vec<String>> {
    let Some(kernel) = &run.kernel else {
        return Ok(Vec::new());
    };
    let Some(initramfs) = &run.initramfs else {
        return Ok(words(&["-kernel", utf8(kernel)?]));
    };
    let shipped = profile::command_line()?;
    let line: Vec<&str> =
        shipped.iter().chain(&profile.command_line).chain(&run.command_line).map(String::as_str).collect();
    Ok(words(&["-kernel", utf8(kernel)?, "-initrd", utf8(initramfs)?, "-append", &line.join(" ")]))
}

/// The device that feeds the guest's random number generator.
#[must_use]
pub fn random(device: Option<&str>) -> Vec<String> {
    device.map_or_else(Vec::new, |device| words(&["-device", device]))
}

/// User-mode network; a port 0 on the host lets the system choose one that is free, see
/// [`crate::guest::Guest::forwarded`].
#[must_use]
pub fn network(network: Option<&Network>) -> Vec<String> {
    let Some(network) = network else {
        return words(&["-nic", "none"]);
    };
    let forwards: String =
        network.forward.iter().map(|port| format!(",hostfwd=tcp:127.0.0.1:0-:{port}")).collect();
    words(&[
        "-netdev",
        &format!("user,id=net0{forwards}"),
        "-device",
        &format!("{},netdev=net0,iommu_platform=off", network.device),
    ])
}

/// A second network device, whose frames are datagrams between two sockets of this folder.
///
/// # Errors
/// [`Error::Format`] for a path that is not UTF-8.
pub fn link(folder: &Path) -> Result<Vec<String>> {
    let [guest, neighbour] =
        ["guest", "neighbour"].map(|name| folder.join(name)).map(|path| option_value(&path));
    Ok(words(&[
        "-netdev",
        &format!(
            "dgram,id=net1,local.type=unix,local.path={},remote.type=unix,remote.path={}",
            guest?, neighbour?
        ),
        "-device",
        "virtio-net-ccw,netdev=net1,mac=52:54:00:12:34:57,iommu_platform=off",
    ]))
}

/// One disk; `boots` is what the machine starts from.
///
/// # Errors
/// [`Error::Format`] for a serial number that no disk can carry, or a path that is not UTF-8.
pub fn disk(index: usize, drive: &Drive, boots: bool) -> Result<Vec<String>> {
    let serial = match drive.serial.as_str() {
        "" => String::new(),
        _ => format!(",serial={}", serial(&format!("disk {index}"), drive)?),
    };
    let read_only = if drive.read_only { "on" } else { "off" };
    let number = drive.number.map_or_else(String::new, |number| format!(",devno=fe.0.{number:04x}"));
    let boots = if boots { ",bootindex=0" } else { "" };
    Ok(words(&[
        "-drive",
        &format!("if=none,id=disk{index},{},read-only={read_only},discard=unmap", image(drive)?),
        "-device",
        &format!("virtio-blk-ccw,drive=disk{index}{serial}{number}{boots},iommu_platform=off"),
    ]))
}

/// What attaches a disk while the machine runs: the arguments of `blockdev-add`, then of `device_add`.
///
/// # Errors
/// As [`disk`]; [`Error::Format`] for a disk behind a layer.
pub fn hot_disk(drive: &Drive) -> Result<[Value; 2]> {
    let serial = serial("disk", drive)?;
    if drive.layer != Layer::Plain {
        return Err(Error::format(format!("disk {serial}"), "no layer before a disk that comes later"));
    }
    let node = format!("hot-{serial}");
    let file = json!({ "driver": "file", "filename": utf8(&drive.path)? });
    let image = json!({
        "driver": "raw", "node-name": node, "read-only": drive.read_only, "discard": "unmap", "file": file
    });
    let device =
        json!({ "driver": "virtio-blk-ccw", "drive": node, "serial": serial, "iommu_platform": false });
    Ok([image, device])
}

/// The serial number of a disk, if one can carry it.
fn serial<'d>(subject: &str, drive: &'d Drive) -> Result<&'d str> {
    let serial = &drive.serial;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if serial.is_empty() || serial.len() > SERIAL_LENGTH || !serial.chars().all(plain) {
        let expected = format!("a serial number of 1 to {SERIAL_LENGTH} letters, digits, '-' or '_'");
        return Err(Error::format(subject, expected));
    }
    Ok(serial)
}

/// The options that lead to the image.
fn image(drive: &Drive) -> Result<String> {
    let path = option_value(&drive.path)?;
    Ok(match &drive.layer {
        Layer::Plain => format!("file={path},format=raw"),
        Layer::Qcow2 => format!("file={path},format=qcow2"),
        Layer::SlowReads(bytes) => format!("file={path},format=raw,throttling.bps-read={bytes}"),
        Layer::LogWrites(log) => format!(
            "driver=blklogwrites,file.driver=raw,file.file.driver=file,file.file.filename={path},\
             log.driver=raw,log.file.driver=file,log.file.filename={},log-super-update-interval=1",
            option_value(log)?
        ),
        Layer::Faulty { kind, sector, once } => {
            let kind = match kind {
                Request::Read => "read",
                Request::Write => "write",
                Request::Flush => "flush",
            };
            let sector = sector.map_or_else(String::new, |sector| format!(",inject-error.0.sector={sector}"));
            let once = if *once { ",inject-error.0.once=on" } else { "" };
            format!(
                "driver=blkdebug,image.driver=raw,image.file.driver=file,image.file.filename={path},\
                 inject-error.0.event=none,inject-error.0.iotype={kind},inject-error.0.errno=5{sector}{once}"
            )
        }
    })
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn utf8(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| Error::format(path.display().to_string(), "a path in UTF-8"))
}

/// A path inside a list of options, where QEMU wants a comma doubled.
fn option_value(path: &Path) -> Result<String> {
    Ok(utf8(path)?.replace(',', ",,"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Profile {
        Profile::named("default").unwrap()
    }

    #[test]
    fn the_machine_is_the_profile() {
        assert_eq!(
            machine(&profile()).join(" "),
            "-nodefaults -machine s390-ccw-virtio -cpu max -smp 2 -m 4096M -accel tcg,thread=multi"
        );
    }

    #[test]
    fn a_run_adds_its_words_to_the_command_line() {
        let run = Run {
            kernel: Some("/k".into()),
            initramfs: Some("/i".into()),
            command_line: vec!["extra=1".into()],
            drives: Vec::new(),
            link: None,
        };
        assert_eq!(
            boot(&profile(), &run).unwrap(),
            [
                "-kernel",
                "/k",
                "-initrd",
                "/i",
                "-append",
                "init_on_free=1 slab_nomerge panic=0 quiet loglevel=3 systemd.show_status=0 console=ttysclp0 extra=1"
            ]
        );
    }

    #[test]
    fn a_memory_image_has_everything_in_it() {
        let run = Run {
            kernel: Some("/m".into()),
            initramfs: None,
            command_line: Vec::new(),
            drives: Vec::new(),
            link: None,
        };
        assert_eq!(boot(&profile(), &run).unwrap(), ["-kernel", "/m"]);
    }

    #[test]
    fn a_disk_is_raw_named_and_without_iommu() {
        assert_eq!(
            disk(3, &Drive::read_only("/a,b.img", "cidata"), false).unwrap(),
            [
                "-drive",
                "if=none,id=disk3,file=/a,,b.img,format=raw,read-only=on,discard=unmap",
                "-device",
                "virtio-blk-ccw,drive=disk3,serial=cidata,iommu_platform=off"
            ]
        );
        assert!(disk(0, &Drive::writable("/a", "data"), false).unwrap()[1].contains("read-only=off"));
    }

    #[test]
    fn a_machine_without_a_kernel_starts_from_its_first_disk() {
        let drives = vec![
            Drive::read_only("/i.qcow2", "").behind(Layer::Qcow2).at(0),
            Drive::read_only("/c.iso", "").at(2),
        ];
        let run = Run { kernel: None, initramfs: None, command_line: Vec::new(), drives, link: None };
        let all = arguments(&profile(), &run, Path::new("/q")).unwrap().join(" ");
        assert!(!all.contains("-kernel") && !all.contains("-append"), "{all}");
        assert!(all.contains("if=none,id=disk0,file=/i.qcow2,format=qcow2,read-only=on,"), "{all}");
        let devices: Vec<&str> =
            all.split(" -device ").skip(1).map(|device| device.split(' ').next().unwrap()).collect();
        assert_eq!(
            devices,
            [
                "virtio-blk-ccw,drive=disk0,devno=fe.0.0000,bootindex=0,iommu_platform=off",
                "virtio-blk-ccw,drive=disk1,devno=fe.0.0002,iommu_platform=off",
                "virtio-net-ccw,netdev=net0,iommu_platform=off",
                "virtio-rng-ccw",
            ]
        );
    }

    #[test]
    fn a_layer_stands_between_image_and_guest() {
        let drive = |layer| disk(0, &Drive::writable("/a", "data").behind(layer), false).unwrap()[1].clone();
        assert!(drive(Layer::SlowReads(9)).contains("file=/a,format=raw,throttling.bps-read=9,"));
        let logged = drive(Layer::LogWrites("/l,1".into()));
        assert!(
            logged
                .contains("driver=blklogwrites,file.driver=raw,file.file.driver=file,file.file.filename=/a,")
        );
        assert!(logged.contains(",log.file.filename=/l,,1,log-super-update-interval=1,read-only=off"));
        let faulty = drive(Layer::Faulty { kind: Request::Flush, sector: Some(7), once: true });
        assert!(faulty.contains(
            "inject-error.0.iotype=flush,inject-error.0.errno=5,inject-error.0.sector=7,inject-error.0.once=on,"
        ));
        let always = drive(Layer::Faulty { kind: Request::Read, sector: None, once: false });
        assert!(!always.contains("sector=") && !always.contains("once="));
    }

    #[test]
    fn a_disk_that_comes_later_is_the_same_disk() {
        let [image, device] = hot_disk(&Drive::read_only("/a,b.img", "late")).unwrap();
        let (node, file) = (&image["node-name"], &image["file"]);
        assert_eq!((&image["read-only"], &file["filename"]), (&true.into(), &"/a,b.img".into()));
        assert_eq!((&device["drive"], &device["serial"]), (node, &"late".into()));
        assert!(hot_disk(&Drive::writable("/a", "a,b")).is_err());
        assert!(hot_disk(&Drive::writable("/a", "late").behind(Layer::SlowReads(9))).is_err());
    }

    #[test]
    fn a_serial_number_that_would_be_cut_or_split_is_refused() {
        assert!(disk(0, &Drive::writable("/a", "x".repeat(20)), false).is_ok());
        assert!(hot_disk(&Drive::writable("/a", "")).is_err());
        for serial in ["a,b", &"x".repeat(21)] {
            let error = disk(0, &Drive::writable("/a", serial), false).unwrap_err();
            assert_eq!(
                error.to_string(),
                "disk 0: expected a serial number of 1 to 20 letters, digits, '-' or '_'"
            );
        }
    }

    #[test]
    fn the_host_side_of_a_forwarded_port_is_loopback_and_chosen_by_the_system() {
        let net = Network { device: "virtio-net-ccw".into(), forward: vec![8080, 9090] };
        assert_eq!(
            network(Some(&net))[1],
            "user,id=net0,hostfwd=tcp:127.0.0.1:0-:8080,hostfwd=tcp:127.0.0.1:0-:9090"
        );
        assert_eq!(network(None), ["-nic", "none"]);
    }

    #[test]
    fn a_dead_kernel_is_a_failed_exit_and_never_a_reboot() {
        assert_eq!(
            control(Path::new("/m")).unwrap(),
            ["-no-reboot", "-action", "panic=exit-failure", "-qmp", "unix:/m"]
        );
    }
}
