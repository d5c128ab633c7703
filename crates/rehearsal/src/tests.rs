//! The double keeps its word: it writes down, answers from its facts, and fails when told to.

use super::*;
use countersign_crypto::secret::VolumePassphrase;
use countersign_crypto::volume_key::VolumeKey;
use countersign_ports::guest_os::*;
use countersign_ports::*;

const GIB: u64 = 1 << 30;

/// The stages take any machine; this one is complete.
fn is_initramfs(_: &impl Initramfs) {}
fn is_guest(_: &impl GuestOs) {}

fn parameters() -> LuksParameters {
    LuksParameters {
        label: "data".into(),
        memory_kib: 65536,
        passes: 4,
        lanes: 4,
        sector_size: 4096,
        integrity: false,
    }
}

fn passphrase(text: &str) -> VolumePassphrase {
    VolumePassphrase::copy_from(text)
}

/// The key of one volume.
fn volume_key(
    machine: &Rehearsal,
    device: &Path,
    header: &[u8],
    text: &str,
) -> std::result::Result<VolumeKey, OpenError> {
    let passphrase = &passphrase(text);
    let mut answers = machine.volume_keys(&[Derivation { device, header, passphrase }]);
    assert_eq!(answers.len(), 1);
    answers.remove(0)
}

#[test]
fn requests_are_written_down_in_order_and_in_words() {
    let machine = Rehearsal::new(Facts::default());
    is_initramfs(&machine);
    machine.attach("/dev/vdb", "data-volume", GIB);
    machine.load_modules().unwrap();
    let disk = &machine.disks().unwrap()[0];
    machine.partition(disk, 100 << 20).unwrap();
    let data = &machine.open_part(&disk.path, "vdb2", 101 << 20, 922 << 20).unwrap();
    let (header, key) = machine.format(data, &parameters(), &passphrase("secret")).unwrap();
    let mapped = machine.open(data, &header, "volume-data", &key, Discard::Kept).unwrap();
    machine.make(FsType::Ext4, &mapped, "data", Durability::Persistent).unwrap();
    machine.write_disk(data, 0, &header).unwrap();
    let flags = MountFlags { nosuid: true, nodev: true, ..MountFlags::default() };
    machine.mount(FsType::Ext4, &mapped, Path::new("/volumes/data"), flags).unwrap();
    assert_eq!(
        machine.asked(),
        [
            "load modules",
            "partition /dev/vdb metadata=104857600",
            "map vdb2 on /dev/vdb start=105906176 length=966787072",
            "format /dev/mapper/vdb2 label=data memory_kib=65536 passes=4 lanes=4 sector_size=4096",
            "open /dev/mapper/vdb2 as volume-data",
            "make ext4 /dev/mapper/volume-data label=data persistent",
            "write disk /dev/mapper/vdb2 at 0 bytes=8192",
            "mount ext4 /dev/mapper/volume-data at /volumes/data nosuid nodev",
        ]
    );
    assert!(!format!("{:?}", machine.asked()).contains("secret"));
    // One place, whatever it is called by.
    assert_eq!(machine.bytes("/dev/vdb2", header.len()), header);
    assert_eq!(machine.read(Path::new("/dev/vdb"), 101 << 20, header.len()).unwrap(), header);
    assert_eq!(machine.read(Path::new("/dev/vdb"), 512, 8).unwrap(), b"EFI PART");
}

#[test]
fn a_container_opens_with_its_passphrase_only_also_after_a_reboot() {
    let machine = Rehearsal::new(Facts::default());
    machine.attach("/dev/vdb", "", GIB);
    let device = Path::new("/dev/vdb");
    let (header, _) = machine.format(device, &parameters(), &passphrase("right")).unwrap();
    assert!(machine.bytes("/dev/vdb", 8192).iter().all(|byte| *byte == 0), "formatting wrote to the device");
    machine.write_disk(device, 0, &header).unwrap();
    machine.reboot();
    assert!(machine.asked().is_empty());
    let header = machine.read(device, 0, 8192).unwrap();
    assert!(header.starts_with(b"LUKS\xba\xbe"));
    let wrong = volume_key(&machine, device, &header, "wrong");
    assert!(matches!(wrong, Err(OpenError::WrongPassphrase)));
    assert!(machine.table("v").is_err());
    let key = volume_key(&machine, device, &header, "right").unwrap();
    machine.open(device, &header, "v", &key, Discard::Kept).unwrap();
    let table = machine.table("v").unwrap();
    assert!(table.starts_with("0 2064384 crypt aes-xts-plain64 :64:logon:cryptsetup:0"), "{table}");
    assert!(table.contains(" 0 253:0 32768 1 sector_size:4096"), "{table}");
    machine.shows_table("v", "0 1 crypt null");
    assert_eq!(machine.table("v").unwrap(), "0 1 crypt null");
    machine.close("v").unwrap();
    assert!(machine.close("v").is_err());
    let unknown = volume_key(&machine, device, &[0; 4096], "right");
    assert!(matches!(unknown, Err(OpenError::System(_))));
    let other = VolumeKey::copy_from(b"of another volume");
    assert!(machine.open(device, &header, "v", &other, Discard::Kept).is_err());
}

#[test]
fn a_named_request_fails_and_is_written_down() {
    let machine = Rehearsal::new(Facts::default());
    machine.attach("/dev/vdb", "", GIB);
    machine.fails("read /dev/vdb", io::ErrorKind::TimedOut);
    machine.fails("make ext4", io::ErrorKind::StorageFull);
    let error = machine.read(Path::new("/dev/vdb"), 0, 1).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    let device = Path::new("/dev/vdb");
    let error = machine.make(FsType::Ext4, device, "a", Durability::Scratch).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    machine.make(FsType::Xfs, device, "a", Durability::Scratch).unwrap();
    assert_eq!(machine.asked().len(), 3);
}

#[test]
fn late_disks_come_with_the_time_that_is_waited() {
    let machine = Rehearsal::new(Facts { uptime: Duration::ZERO, ..Facts::default() });
    machine.attach_later(Duration::from_secs(90), disk("/dev/vdb", "", GIB));
    assert!(!machine.wait_for_disk(Duration::from_secs(60)).unwrap());
    assert!(machine.disks().unwrap().is_empty());
    assert!(machine.wait_for_disk(Duration::from_secs(60)).unwrap());
    assert_eq!(machine.uptime(), Duration::from_secs(90));
    assert_eq!(machine.disks().unwrap().len(), 1);
    assert!(!machine.wait_for_disk(Duration::from_secs(1)).unwrap());
}

#[test]
fn bytes_are_those_put_last_and_zero_elsewhere() {
    let machine = Rehearsal::new(Facts::default());
    machine.attach("/dev/vdb", "", 16);
    machine.put("/dev/vdb", 2, b"abcdef");
    machine.put("/dev/vdb", 4, b"XY");
    machine.put("/dev/vdb", 0, b"123");
    assert_eq!(machine.bytes("/dev/vdb", 10), b"123bXYef\0\0");
    assert_eq!(machine.read(Path::new("/dev/vdb"), 6, 100).unwrap(), b"ef\0\0\0\0\0\0\0\0");
    let error = machine.read(Path::new("/dev/vdc"), 0, 1).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

#[test]
fn a_power_cut_ends_a_write_in_the_middle() {
    let machine = Rehearsal::new(Facts::default());
    machine.attach("/dev/vdb", "", GIB);
    machine.cut_power_after(5);
    machine.write_disk(Path::new("/dev/vdb"), 0, b"abc").unwrap();
    machine.write_disk(Path::new("/dev/vdb"), 8, b"defg").unwrap_err();
    machine.write_disk(Path::new("/dev/vdb"), 16, b"h").unwrap_err();
    assert_eq!(machine.bytes("/dev/vdb", 20), b"abc\0\0\0\0\0de\0\0\0\0\0\0\0\0\0\0");
    machine.reboot();
    machine.write_disk(Path::new("/dev/vdb"), 16, b"h").unwrap();
}

#[test]
fn a_read_only_disk_takes_no_header_and_no_table() {
    let machine = Rehearsal::new(Facts::default());
    machine.attach_disk(Disk { read_only: true, ..disk("/dev/vdb", "", GIB) });
    let refused = machine.write_disk(Path::new("/dev/vdb"), 0, b"x").unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ReadOnlyFilesystem);
    let disk = &machine.disks().unwrap()[0];
    assert_eq!(machine.partition(disk, 1 << 20).unwrap_err().kind(), io::ErrorKind::ReadOnlyFilesystem);
}

#[test]
fn files_and_lines_are_kept() {
    let machine = Rehearsal::new(Facts::default());
    machine.line(Priority::Warning, "a line");
    machine.write(Path::new("/run/x"), 0o600, b"content").unwrap();
    assert_eq!(
        machine.write(Path::new("/run/x"), 0o600, b"").unwrap_err().kind(),
        io::ErrorKind::AlreadyExists
    );
    assert_eq!(machine.files()[Path::new("/run/x")], (0o600, b"content".to_vec()));
    assert_eq!(machine.lines(), [(Priority::Warning, "a line".to_owned())]);
}

#[test]
fn the_host_stage_reads_what_was_written_and_meets_the_server_of_the_facts() {
    let machine = Rehearsal::new(Facts::default());
    is_guest(&machine);
    machine.write(Path::new("/run/x"), 0o600, b"one").unwrap();
    assert_eq!(machine.read_file(Path::new("/run/x")).unwrap(), b"one");
    machine.replace_file(Path::new("/run/x"), b"two").unwrap();
    assert_eq!(machine.read_file(Path::new("/run/x")).unwrap(), b"two");
    assert_eq!(machine.read_file(Path::new("/run/y")).unwrap_err().kind(), io::ErrorKind::NotFound);
    let file = |name: &str| name.to_owned();
    let target = LogTarget { hostname: file("logs"), port: 1, ca: file("a"), client: None };
    machine.send(&target, &[b"6 record".to_vec()], Duration::ZERO).unwrap();
    assert_eq!(machine.records(), ["6 record"]);
    let project = ComposeProject { name: "p", folder: Path::new("/f"), file: Path::new("/f/c.yaml") };
    machine.compose_up(&project, Duration::MAX).unwrap();
    let listed = |project| String::from_utf8(machine.containers(Whose::Project(project)).unwrap()).unwrap();
    assert!(listed("p").contains(r#""Names":["p-1"],"State":"running""#));
    assert_eq!(listed("q"), "[]");
}

#[test]
fn a_server_that_refuses_takes_nothing_and_a_network_without_address_takes_time() {
    let facts = Facts { log_server: Err(ConnectionError::Weak), addresses: Vec::new(), ..Facts::default() };
    let machine = Rehearsal::new(facts);
    let file = String::new;
    let target = LogTarget { hostname: file(), port: 1, ca: file(), client: None };
    assert_eq!(machine.send(&target, &[Vec::new()], Duration::ZERO), Err(ConnectionError::Weak));
    assert!(machine.records().is_empty());
    let before = machine.uptime();
    assert!(machine.wait_for_address(Duration::from_secs(7)).unwrap().is_empty());
    assert_eq!(machine.uptime() - before, Duration::from_secs(7));
}
