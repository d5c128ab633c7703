//! `domain` before libvirt: its schema takes what is printed, and its QEMU driver makes the command line of it that was meant.
//!
//! The driver runs inside virsh, without a daemon (`qemu:///embed`), and asks the emulator of the lock, which
//! `COUNTERSIGN_PROGRAMS` names (`tests/run`), what it can do. That is one for another machine: it has no KVM and no
//! object for Secure Execution. What a host has beyond it is added to what libvirt keeps about it.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use support::Desk;

const DISKS: &str = "--image /srv/guest.qcow2 --contract /srv/cidata.iso";

/// Everything that can be asked for, with paths that XML and QEMU have to be told of carefully.
const WHOLE: &str = "--image /srv/guest.qcow2 --contract /srv/cidata.iso --scratch /dev/vg/scratch --volume \
    data=/srv/a&b,<c>'d.img --volume more=/srv/more.qcow2 --name guest-1 --memory 8192 --cpus 4 --bridge br0 --console \
    /var/log/guest-1.log";

/// What the schema says about a domain.
fn validate(desk: &Desk, file: &str) {
    let output =
        Command::new("/usr/bin/virt-xml-validate").arg(desk.path(file)).arg("domain").output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", desk.text(file));
}

#[test]
fn libvirts_schema_takes_every_domain() {
    let desk = Desk::new();
    for disks in [DISKS, WHOLE] {
        for more in ["--test", "--emulated", ""] {
            assert_eq!(desk.answer(0, &format!("domain {disks} {more} -o domain.xml"), b""), "");
            validate(&desk, "domain.xml");
        }
    }
    // The judge is one: what has no place in a domain is refused.
    let text = desk.text("domain.xml");
    desk.write("wrong.xml", text.replace("<vcpu>", "<processors/><vcpu>"));
    let judged =
        Command::new("/usr/bin/virt-xml-validate").arg(desk.path("wrong.xml")).arg("domain").output();
    assert!(!judged.unwrap().status.success());
}

/// libvirt's QEMU driver in a folder of its own.
struct Driver {
    desk: Desk,
    emulator: PathBuf,
}

impl Driver {
    /// None without the emulator.
    fn new() -> Option<Driver> {
        let programs = std::env::var("COUNTERSIGN_PROGRAMS").ok();
        let listed = |list: &str| {
            let entry = list.split(':').find_map(|entry| entry.strip_prefix("qemu-system-s390x="));
            entry.map(PathBuf::from)
        };
        let Some(emulator) = programs.as_deref().and_then(listed) else {
            eprintln!("skipped: libvirt's driver; COUNTERSIGN_PROGRAMS names no qemu-system-s390x");
            return None;
        };
        let desk = Desk::new();
        std::fs::create_dir_all(desk.path("root/etc")).unwrap();
        Some(Driver { desk, emulator })
    }

    /// virsh. To root, the driver wants users that come with a package of services, and as them it would not reach the
    /// emulator; so their names are root's own in there.
    fn virsh(&self) -> Command {
        if !nix::unistd::geteuid().is_root() {
            return Command::new("/usr/bin/virsh");
        }
        self.desk.write("passwd", "root:x:0:0::/root:/bin/sh\nlibvirt-qemu:x:0:0::/:/bin/sh\n");
        self.desk.write("group", "root:x:0:\nkvm:x:0:\nlibvirt-qemu:x:0:\n");
        let mount =
            "mount --bind passwd /etc/passwd && mount --bind group /etc/group && exec /usr/bin/virsh \"$@\"";
        let mut command = Command::new("/usr/bin/unshare");
        command.args(["--mount", "/bin/sh", "-c", mount, "virsh"]);
        command
    }

    /// QEMU's command line for the domain of these options, one argument a line.
    fn command_line(&self, options: &str) -> String {
        let xml = self.desk.answer(0, &format!("domain {options}"), b"");
        // The emulator is not where it is installed.
        let emulator = format!("<devices>\n    <emulator>{}</emulator>", self.emulator.display());
        // The model of the host's processor is known on such a host alone.
        let xml = xml.replacen("<devices>", &emulator, 1).replace("  <cpu mode='host-model'/>\n", "");
        self.desk.write("domain.xml", xml);
        let root = self.desk.path("root");
        let output = self
            .virsh()
            .args(["-c", &format!("qemu:///embed?root={}", root.display())])
            .args(["domxml-to-native", "--format", "qemu-argv", "--xml"])
            .arg(self.desk.path("domain.xml"))
            .current_dir(self.desk.path("."))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}\n{}", self.desk.text("domain.xml"));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Tells libvirt that the emulator is that of an IBM Z host: what it has found out about the emulated machine holds for
    /// KVM as well, and there is the object that a Secure Execution guest wants.
    fn on_a_host(&self) {
        let kept = self.desk.path("root/cache/qemu/capabilities");
        let file = std::fs::read_dir(&kept).unwrap().next().unwrap().unwrap().path();
        let output = Command::new("/usr/bin/python3").args(["-c", HOST]).arg(&file).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

const HOST: &str = r#"
import copy, sys, xml.etree.ElementTree as tree
kept = tree.parse(sys.argv[1])
root = kept.getroot()
for element in list(root):
    if element.get("type") == "tcg":
        twin = copy.deepcopy(element)
        twin.set("type", "kvm")
        root.append(twin)
flags = {flag.get("name") for flag in root.findall("flag")}
place = list(root).index(root.find("flag"))
for name in ("kvm", "s390-pv-guest", "confidential-guest-support"):
    if name not in flags:
        root.insert(place, tree.Element("flag", {"name": name}))
root.insert(place, tree.Element("kvmSupportsSecureGuest"))
kept.write(sys.argv[1])
"#;

/// The devices of a command line, by the word that begins each.
fn device<'l>(line: &'l str, driver: &str, more: &str) -> &'l str {
    let found = line.split_whitespace().find(|word| word.contains(driver) && word.contains(more));
    found.unwrap_or_else(|| panic!("no {driver} with {more} in {line}"))
}

#[test]
fn libvirts_driver_makes_the_machine_that_was_meant() {
    let Some(driver) = Driver::new() else { return };
    let line = driver.command_line(&format!("{WHOLE} --emulated"));
    for word in [
        "-name guest=guest-1",
        "s390-ccw-virtio",
        "-cpu max",
        "-accel tcg",
        "\"size\":8589934592",
        "-smp 4",
        "sclpconsole",
    ] {
        assert!(line.contains(word), "no {word} in {line}");
    }
    assert!(!line.contains("s390-pv"), "{line}");
    // Every virtio device goes through the memory that the guest shares. The driver leaves out what was said about the
    // network, since it makes a command that needs no network of libvirt's.
    let virtio: Vec<&str> =
        line.split_whitespace().filter(|word| word.contains("\"driver\":\"virtio-")).collect();
    assert_eq!(virtio.len(), 7, "{line}");
    for found in virtio {
        assert!(found.contains("iommu_platform\":true") || found.contains("virtio-net-ccw"), "{found}");
    }
    let xml = driver.desk.text("domain.xml");
    let interface =
        xml.split("<interface").nth(1).and_then(|rest| rest.split("</interface>").next()).unwrap();
    assert!(interface.contains("<driver iommu='on'/>"), "{interface}");
    for (serial, number) in [
        ("countersign-image", "fe.0.0000"),
        ("cidata", "fe.0.0002"),
        ("countersign-scratch", "fe.0.0003"),
        ("data", "fe.0.0004"),
        ("more", "fe.0.0005"),
    ] {
        let disk = device(&line, "virtio-blk-ccw", &format!("\"serial\":\"{serial}\""));
        assert!(disk.contains(number), "{disk}");
    }
    assert!(device(&line, "virtio-net-ccw", "").contains("fe.0.0001"));
    let image = device(&line, "virtio-blk-ccw", "countersign-image");
    assert!(image.contains("bootindex") && image.contains("share-rw"), "{image}");
    assert!(line.contains("/srv/a&b"), "{line}");
}

#[test]
fn libvirts_driver_asks_for_secure_execution_unless_told_not_to() {
    let Some(driver) = Driver::new() else { return };
    driver.command_line(&format!("{DISKS} --emulated"));
    driver.on_a_host();
    let line = driver.command_line(DISKS);
    for word in ["-accel kvm", "s390-pv-guest", "confidential-guest-support"] {
        assert!(line.contains(word), "no {word} in {line}");
    }
    let line = driver.command_line(&format!("{DISKS} --test"));
    assert!(line.contains("-accel kvm") && !line.contains("s390-pv"), "{line}");
}

#[test]
fn what_a_host_would_stumble_over_is_refused() {
    let desk = Desk::new();
    for (options, expected) in [
        ("--volume data=/a --volume data=/b", "expected another serial number than data, which is taken"),
        ("--volume cidata=/a", "expected another serial number than cidata"),
        ("--volume countersign-os=/a", "expected another serial number than countersign-os"),
        ("--volume 012345678901234567890=/a", "expected a serial number of 1 to 20 letters"),
        ("--volume data", "expected SERIAL=PATH"),
        ("--name a/b", "expected at most 64 letters"),
        ("--memory 512", "512 is not in 1024..=16777216"),
        ("--network lan --bridge br0", "cannot be used with"),
    ] {
        let output = desk.countersign(&format!("domain {DISKS} {options}"), b"");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{options}: {said}");
        assert!(said.contains(expected), "{options}: {said}");
        assert!(output.stdout.is_empty());
    }
    let path = Path::new(std::str::from_utf8(b"/srv/a\nb").unwrap());
    let output = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(["domain", "--contract", "/c", "--image"])
        .arg(path)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("expected a path in UTF-8 without control characters"), "{said}");
}
