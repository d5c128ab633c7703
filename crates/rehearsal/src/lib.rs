//! A double of the machine that writes down what was asked, in the order of asking.
//!
//! It holds the facts that a test gives it (disks with their bytes, manifest, key, time), answers from them, and has
//! no effect outside its own memory. What it does is as simple as the stages allow: a file system on a mapped device
//! has its magic number and an attribute of its root for content, any other has none; a container opens if its header
//! is one that was made here or announced by [`Rehearsal::knows`] and the passphrase
//! is that one's.
//!
//! Time passes only in requests that [`Rehearsal::takes`] names, in [`countersign_ports::Disks::wait_for_disk`],
//! [`countersign_ports::DiskWrites::write_zeros`], in the waits of [`countersign_ports::guest_os::Network`] and by
//! [`Rehearsal::passes`].

#![forbid(unsafe_code)]

mod filesystems;
mod guest;
mod header;
mod integrity;
mod machine;
mod mapped;
mod mounts;
mod parts;
mod report;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use countersign_ports::error::{Result, SystemError};
use countersign_ports::guest_os::ConnectionError;
use countersign_ports::{Disk, FsType, Priority};
use mapped::Mapped;
use mounts::Mount;
use parts::Place;

pub use parts::Attached;

/// What the machine is, as far as a test cares.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Usable memory in bytes.
    pub memory_bytes: u64,
    /// Its processors.
    pub processors: u64,
    /// Kernel release.
    pub kernel_release: String,
    /// Whether the Ultravisor reports a Secure Execution guest.
    pub secure_execution: bool,
    /// What the kernel says of its lockdown afterwards.
    pub lockdown: String,
    /// Whether the processor has a random number generator.
    pub hardware_random: bool,
    /// How many modules are loaded.
    pub modules: usize,
    /// Programs that the image lacks.
    pub missing_programs: Vec<PathBuf>,
    /// Seconds since 1970.
    pub unix_time: i64,
    /// Time since the kernel started.
    pub uptime: Duration,
    /// PEM text of the image key.
    pub image_key: Vec<u8>,
    /// PEM text of the key that signs records.
    pub attestation_key: Vec<u8>,
    /// PEM text of its certificate.
    pub attestation_certificate: Vec<u8>,
    /// The build manifest, if there is one.
    pub build_manifest: Option<Vec<u8>>,
    /// `/proc/sysinfo`.
    pub system_information: String,
    /// `image.json`.
    pub manifest: Vec<u8>,
    /// What [`countersign_ports::Luks::format`] returns; empty for a mark that only this double opens.
    pub new_header: Vec<u8>,
    /// What [`countersign_ports::Luks::replace_slots`] returns.
    pub rotated_header: Vec<u8>,
    /// How long each [`countersign_ports::DiskWrites::write_zeros`] takes.
    pub zeros_take: Duration,
    /// Addresses that the guest gets; none for a network without DHCP.
    pub addresses: Vec<IpAddr>,
    /// Name servers that it learns.
    pub name_servers: Vec<IpAddr>,
    /// Domains that are tried for short names.
    pub search_domains: Vec<String>,
    /// Why the log server does not take a record, if it does not.
    pub log_server: std::result::Result<(), ConnectionError>,
}

impl Default for Facts {
    fn default() -> Facts {
        Facts {
            memory_bytes: 2 << 30,
            processors: 2,
            kernel_release: String::from("6.12.0-test"),
            secure_execution: false,
            lockdown: String::from("none integrity [confidentiality]"),
            hardware_random: false,
            modules: 0,
            missing_programs: Vec::new(),
            unix_time: 1_767_225_600,
            uptime: Duration::from_secs(1),
            image_key: Vec::new(),
            attestation_key: Vec::new(),
            attestation_certificate: Vec::new(),
            build_manifest: None,
            system_information: String::new(),
            manifest: Vec::new(),
            new_header: Vec::new(),
            rotated_header: Vec::new(),
            zeros_take: Duration::ZERO,
            addresses: vec![IpAddr::from([192, 0, 2, 15])],
            name_servers: vec![IpAddr::from([192, 0, 2, 3])],
            search_domains: Vec::new(),
            log_server: Ok(()),
        }
    }
}

/// A request over HTTPS: path, token, body.
pub type Posted = (String, Option<String>, Vec<u8>);

/// An answer over HTTPS as a test says it: status, seconds of `retry-after`, body.
pub type PlayedAnswer = std::result::Result<(u16, Option<u64>, String), ConnectionError>;

/// The double.
#[derive(Debug, Default)]
pub struct Rehearsal {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    facts: Facts,
    disks: Vec<Disk>,
    late_disks: VecDeque<(Duration, Attached)>,
    /// Disks without a driver until the next power-on.
    released: BTreeSet<PathBuf>,
    /// Where partitions begin: `/dev/vdd2` as a test calls it, `/dev/mapper/vdd2` while it is mapped.
    parts: BTreeMap<PathBuf, Place>,
    /// Bytes by device and offset; what is not there is zero.
    content: BTreeMap<PathBuf, BTreeMap<u64, Vec<u8>>>,
    /// Headers, each with its passphrase.
    known: Vec<(Vec<u8>, String)>,
    /// Bytes that [`countersign_ports::DiskWrites::write_disk`] still writes before the power fails.
    bytes_left: Option<usize>,
    tables: BTreeMap<String, String>,
    mapped: BTreeMap<String, Mapped>,
    /// The one attribute of a file system's root, by the place of the disk or partition that holds it.
    attributes: BTreeMap<Place, Vec<u8>>,
    /// Beginning of the request, the error, the uptime from which it is over.
    failures: Vec<(String, io::ErrorKind, Duration)>,
    /// Beginning of the request, how long it takes.
    durations: Vec<(String, Duration)>,
    /// A part of an image's name, and what the engine says while it pulls it.
    engine_words: Vec<(String, String)>,
    later_log_server: Option<(Duration, std::result::Result<(), ConnectionError>)>,
    asked: Vec<String>,
    /// What the console shows.
    lines: Vec<(Priority, String)>,
    /// What goes to the log server: the same, but for what is for the owner alone.
    logged: Vec<(Priority, String)>,
    /// Fields of the lines.
    fields: Vec<String>,
    files: BTreeMap<PathBuf, (u32, Vec<u8>)>,
    /// What the log server took.
    records: Vec<String>,
    /// Requests over HTTPS: path, token, body.
    posts: Vec<Posted>,
    /// What the next requests for a path are answered with.
    answers: VecDeque<(String, PlayedAnswer)>,
    /// The compose project that was started.
    running: Option<String>,
    /// What the engine was given to start pods from.
    pods: Option<String>,
    /// What a test says that the engine lists.
    containers: Option<String>,
    model: Option<String>,
    /// What the guest OS wrote into files, in its order.
    replaced: Vec<(PathBuf, Vec<u8>)>,
    /// Mounts in their order.
    mounts: Vec<Mount>,
}

/// A file that was written: its mode and content.
pub type Written = (u32, Vec<u8>);

impl Rehearsal {
    /// A machine with these facts and no disks.
    pub fn new(facts: Facts) -> Rehearsal {
        Rehearsal { state: Mutex::new(State { facts, ..State::default() }) }
    }

    /// Attaches a blank disk without partitions.
    pub fn attach(&self, path: &str, serial: &str, size: u64) {
        self.attach_disk(disk(path, serial, size));
    }

    /// Attaches a disk as described.
    ///
    /// # Panics
    /// If the partitions do not fit on it.
    pub fn attach_disk(&self, attached: impl Into<Attached>) {
        self.state().attach(attached.into());
    }

    /// Attaches a disk once the stages have waited `after` for disks in all.
    pub fn attach_later(&self, after: Duration, attached: impl Into<Attached>) {
        let mut state = self.state();
        state.late_disks.push_back((after, attached.into()));
        state.late_disks.make_contiguous().sort_by_key(|(after, _)| *after);
    }

    /// Puts bytes on a disk or partition.
    pub fn put(&self, device: &str, offset: u64, bytes: &[u8]) {
        self.state().put(Path::new(device), offset, bytes);
    }

    /// The first `length` bytes of a disk or partition.
    pub fn bytes(&self, device: &str, length: usize) -> Vec<u8> {
        self.state().get(Path::new(device), 0, length)
    }

    /// The attribute of the root of the file system that lies, encrypted, on a disk or partition.
    pub fn attribute_on(&self, device: &str) -> Option<Vec<u8>> {
        let state = self.state();
        state.attributes.get(&state.place(Path::new(device))).cloned()
    }

    /// Gives it or takes it away.
    pub fn set_attribute_on(&self, device: &str, value: Option<Vec<u8>>) {
        let mut state = self.state();
        let place = state.place(Path::new(device));
        match value {
            Some(value) => state.attributes.insert(place, value),
            None => state.attributes.remove(&place),
        };
    }

    /// The records that the log server took, each in its frame.
    pub fn records(&self) -> Vec<String> {
        self.state().records.clone()
    }

    /// Lets a header that the test made elsewhere open with this passphrase.
    pub fn knows(&self, header: &[u8], passphrase: &str) {
        self.state().known.push((header.to_vec(), passphrase.to_owned()));
    }

    /// The power fails when this many bytes more were written by [`countersign_ports::DiskWrites::write_disk`]: the write
    /// that reaches them is cut short, it and every later one fail.
    pub fn cut_power_after(&self, bytes: usize) {
        self.state().bytes_left = Some(bytes);
    }

    /// The kernel shows this table for a mapped device, whatever was opened.
    pub fn shows_table(&self, name: &str, table: &str) {
        self.state().tables.insert(name.to_owned(), table.to_owned());
    }

    /// Takes the mount at this point of the guest OS away.
    pub fn unmounts(&self, point: &str) {
        self.state().mounts.retain(|mount| mount.target != Path::new(point));
    }

    /// Mounts a device with ext4 at a point of the guest OS, with options as the kernel lists them, `rw,nosuid`.
    pub fn mounts_at(&self, device: &str, point: &str, options: &str) {
        let (filesystem, options) = (FsType::Ext4.name(), options.to_owned());
        self.state().mounts.push(Mount { filesystem, device: device.into(), target: point.into(), options });
    }

    /// Takes a mapped device away.
    pub fn unmaps(&self, name: &str) {
        self.state().mapped.remove(name);
    }

    /// What the engine was given to start pods from.
    pub fn pods(&self) -> Option<String> {
        self.state().pods.clone()
    }

    /// The compose program prints this model.
    pub fn prints_model(&self, model: &str) {
        self.state().model = Some(model.to_owned());
    }

    /// The engine lists these containers, in its JSON.
    pub fn lists_containers(&self, list: &str) {
        self.state().containers = Some(list.to_owned());
    }

    /// Moves the clock and the uptime; they are independent, as the host may set the clock.
    pub fn passes(&self, clock: i64, uptime: Duration) {
        let mut state = self.state();
        state.facts.unix_time += clock;
        state.facts.uptime += uptime;
    }

    /// Every request whose words begin with `request` fails with this kind of error.
    pub fn fails(&self, request: &str, kind: io::ErrorKind) {
        self.fails_until(request, kind, Duration::MAX);
    }

    /// The same as long as the machine is up for less than `until`.
    pub fn fails_until(&self, request: &str, kind: io::ErrorKind, until: Duration) {
        self.state().failures.push((request.to_owned(), kind, until));
    }

    /// Every request to the engine whose words begin with `request` takes this long.
    pub fn takes(&self, request: &str, time: Duration) {
        self.state().durations.push((request.to_owned(), time));
    }

    /// While it pulls an image with this in its name, the engine says this line.
    pub fn engine_says(&self, image: &str, line: &str) {
        self.state().engine_words.push((image.to_owned(), line.to_owned()));
    }

    /// Requests over HTTPS so far.
    pub fn posts(&self) -> Vec<Posted> {
        self.state().posts.clone()
    }

    /// Answers the next request for this path so; behind what was said before.
    pub fn answers(&self, path: &str, answer: PlayedAnswer) {
        self.state().answers.push_back((path.to_owned(), answer));
    }

    /// From `uptime` on, the log server answers this.
    pub fn log_server_from(&self, uptime: Duration, answer: std::result::Result<(), ConnectionError>) {
        self.state().later_log_server = Some((uptime, answer));
    }

    /// What [`countersign_ports::Luks::replace_slots`] returns from now on.
    pub fn set_rotated_header(&self, header: &[u8]) {
        self.state().facts.rotated_header = header.to_vec();
    }

    /// Nothing fails any more.
    pub fn heals(&self) {
        self.state().failures.clear();
    }

    /// The machine goes through a power-off: disks stay, what was asked, mapped, said and written in memory goes.
    pub fn reboot(&self) {
        let mut state = self.state();
        let state = &mut *state;
        state.bytes_left = None;
        state.released.clear();
        state.mapped.clear();
        state.parts.retain(|path, _| !path.starts_with("/dev/mapper"));
        state.asked.clear();
        state.lines.clear();
        state.logged.clear();
        state.fields.clear();
        state.files.clear();
        state.running = None;
        state.pods = None;
        state.containers = None;
        state.model = None;
        state.mounts.clear();
    }

    /// What was asked, in order, without the reading of facts.
    pub fn asked(&self) -> Vec<String> {
        self.state().asked.clone()
    }

    /// The fields of what was said, `name=value` with spaces between, line by line as [`Rehearsal::lines`].
    pub fn fields(&self) -> Vec<String> {
        self.state().fields.clone()
    }

    /// What goes to the log server, line by line as [`Rehearsal::lines`].
    pub fn logged(&self) -> Vec<(Priority, String)> {
        self.state().logged.clone()
    }

    /// What was said on the console.
    pub fn lines(&self) -> Vec<(Priority, String)> {
        self.state().lines.clone()
    }

    /// The files that were written.
    pub fn files(&self) -> BTreeMap<PathBuf, Written> {
        self.state().files.clone()
    }

    /// Every content that the guest OS gave a file, in its order.
    pub fn replaced(&self, path: &Path) -> Vec<Vec<u8>> {
        let state = self.state();
        let of = state.replaced.iter().filter(|(other, _)| other == path);
        of.map(|(_, content)| content.clone()).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A test that panicked elsewhere does not make the record wrong.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a request down; fails it if the test said so.
    fn ask(&self, request: impl Into<String>) -> Result<MutexGuard<'_, State>> {
        let request = request.into();
        let mut state = self.state();
        let failure = state.failure(&request);
        state.asked.push(request.clone());
        match failure {
            Some(kind) => Err(SystemError::io("double", request, kind)),
            None => Ok(state),
        }
    }

    /// The same for a request that may take time, but no longer than `timeout`.
    fn ask_within(&self, request: String, timeout: Duration) -> Result<MutexGuard<'_, State>> {
        let mut state = self.ask(request.as_str())?;
        let takes = state.durations.iter().find(|(beginning, _)| request.starts_with(beginning));
        let takes = takes.map_or(Duration::ZERO, |(_, time)| *time);
        state.facts.uptime += takes.min(timeout);
        match takes > timeout {
            true => Err(SystemError::io("double", request, io::ErrorKind::TimedOut)),
            false => Ok(state),
        }
    }

    /// The same for a request that only reads: written down where it fails.
    fn look(&self, request: impl Into<String>) -> Result<MutexGuard<'_, State>> {
        let request = request.into();
        let fails = self.state().failure(&request).is_some();
        if fails { self.ask(request) } else { Ok(self.state()) }
    }
}

/// A writable disk without partitions.
pub fn disk(path: &str, serial: &str, size: u64) -> Disk {
    Disk { path: path.into(), serial: serial.into(), size, read_only: false }
}

impl State {
    fn attach(&mut self, Attached { disk, partitions }: Attached) {
        if !partitions.is_empty() {
            self.part(&disk, &partitions)
                .unwrap_or_else(|error| panic!("a table that does not fit: {error}"));
        }
        self.disks.push(disk);
        self.disks.sort_by(|a, b| a.path.cmp(&b.path));
    }

    /// How a request fails now, if the test said so.
    fn failure(&self, request: &str) -> Option<io::ErrorKind> {
        let fails = |(start, _, until): &&(String, io::ErrorKind, Duration)| {
            request.starts_with(start.as_str()) && self.facts.uptime < *until
        };
        self.failures.iter().find(fails).map(|(_, kind, _)| *kind)
    }

    /// How much of a write of this length still happens; none if the power stays.
    fn power_cut(&mut self, length: usize) -> Option<usize> {
        let left = self.bytes_left?;
        self.bytes_left = Some(left.saturating_sub(length));
        (left < length).then_some(left)
    }

    fn put(&mut self, device: &Path, offset: u64, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let (device, start) = self.place(device);
        let offset = start + offset;
        let extents = self.content.entry(device).or_default();
        let end = offset + bytes.len() as u64;
        for (at, mut extent) in std::mem::take(extents) {
            let extent_end = at + extent.len() as u64;
            if at < end && extent_end > offset {
                if extent_end > end {
                    let kept = extent.split_off((end - at) as usize);
                    extents.insert(end, kept);
                }
                extent.truncate(offset.saturating_sub(at) as usize);
            }
            if !extent.is_empty() {
                extents.insert(at, extent);
            }
        }
        extents.insert(offset, bytes.to_vec());
    }

    fn get(&self, device: &Path, offset: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        let (device, start) = self.place(device);
        let offset = start + offset;
        let end = offset + length as u64;
        for (at, extent) in self.content.get(&device).into_iter().flatten() {
            let from = offset.max(*at);
            let to = end.min(at + extent.len() as u64);
            if from < to {
                let source = &extent[(from - at) as usize..(to - at) as usize];
                bytes[(from - offset) as usize..(to - offset) as usize].copy_from_slice(source);
            }
        }
        bytes
    }

    /// The place of what is below a mapped device, or of the device itself.
    fn below(&self, device: &Path) -> Place {
        let name = device.strip_prefix("/dev/mapper").ok().and_then(Path::to_str);
        let mapped = name.and_then(|name| self.mapped.get(name));
        self.place(mapped.map_or(device, |mapped| &mapped.device))
    }

    /// Bytes of a disk or mapped device.
    fn size(&self, device: &Path) -> Option<u64> {
        let disk = self.disks.iter().find(|disk| disk.path == device).map(|disk| disk.size);
        let mapped = || Some(self.mapped.get(device.strip_prefix("/dev/mapper").ok()?.to_str()?)?.size);
        disk.or_else(mapped)
    }

    /// `253:` and the place of the disk among all disks, `254:` and the minor of a mapped device.
    fn number(&self, device: &Path) -> Option<String> {
        if let Some(name) = device.strip_prefix("/dev/mapper").ok().and_then(Path::to_str) {
            return self.mapped.get(name).map(|mapped| format!("254:{}", mapped.minor));
        }
        let minor = self.disks.iter().position(|disk| disk.path == device);
        minor.map(|minor| format!("253:{minor}"))
    }
}

#[cfg(test)]
mod tests;
