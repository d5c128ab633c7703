//! Who wrote an entry of the journal, and what of it stands in its record.
//!
//! A container can print any text, and its name is its author's choice. So nothing is decided by text or name, but by
//! what journald itself says of the writer: fields whose names begin with `_`, which no writer can give
//! (systemd.journal-fields(7)), and the kernel's own time of a line in its log.
//!
//! | origin | is |
//! |---|---|
//! | `guest` | `countersignd` in one of its own units; what it sends itself; its lines in the kernel's log of before the forwarder began, when nothing of the workload had run |
//! | `container` | an entry of podman's monitor, with the container's id |
//! | `kernel` | a line of the kernel's own |
//! | `system` | anything else: systemd, the engine, who else writes to the journal, and to the kernel's log later |
//!
//! A record has its origin as structured data (RFC 5424 section 6.3): for a guest's own lines unit, stage and code, and
//! the digests of contract and signer, since the host name is the host's choice; for a container's its id and name.

use std::fmt::Write as _;

use serde::Serialize;

use super::entry::Entry;
use crate::guest_os::handover::{GuestPlan, Identity};

/// Facility `daemon` (RFC 5424 section 6.2.1), of the guest's own lines.
const DAEMON: u8 = 3;
/// Facility `local0`, of containers; nothing else in the guest has it.
const LOCAL0: u8 = 16;

/// The program of the guest's own lines.
const PROGRAM: &[u8] = b"/usr/lib/countersign/countersignd";
/// Its units.
const UNITS: [&str; 8] = [
    "countersign-filter.service",
    "countersign-network.service",
    "countersign-logging.service",
    "countersign-forward.service",
    "countersign-images.service",
    "countersign-start.service",
    "countersign-watch.service",
    "countersign-failure.service",
];
/// Its name in the kernel's log, and in records.
pub(super) const IDENTIFIER: &[u8] = b"countersignd";
/// Where the line came from that has no unit.
const INITRAMFS: &str = "initramfs";
/// Podman's monitor of a container, which alone writes what the container prints.
const MONITOR: &[u8] = b"/usr/bin/conmon";

/// Who wrote an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The guest's own program.
    Guest,
    /// A container.
    Container,
    /// The kernel.
    Kernel,
    /// Anything else.
    System,
}

impl Origin {
    /// Decides about an entry; `began` is when the forwarder began, microseconds since the kernel started.
    pub fn of(entry: &Entry, began: u64) -> Origin {
        let unit = std::str::from_utf8(&entry.unit).unwrap_or_default();
        let from_initramfs =
            || entry.identifier == IDENTIFIER && entry.kernel_time.is_some_and(|time| time <= began);
        match entry.transport.as_slice() {
            _ if entry.own => Origin::Guest,
            // Whoever is not the kernel cannot have its facility there.
            b"kernel" if entry.facility == Some(0) => Origin::Kernel,
            b"kernel" if from_initramfs() => Origin::Guest,
            b"kernel" => Origin::System,
            _ if entry.program == PROGRAM && UNITS.contains(&unit) => Origin::Guest,
            _ if entry.program == MONITOR && !entry.container_id.is_empty() => Origin::Container,
            _ => Origin::System,
        }
    }

    /// The word in a record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Origin::Guest => "guest",
            Origin::Container => "container",
            Origin::Kernel => "kernel",
            Origin::System => "system",
        }
    }

    /// The facility that records of it have; none where it is the entry's.
    pub const fn facility(self) -> Option<u8> {
        match self {
            Origin::Guest => Some(DAEMON),
            Origin::Container => Some(LOCAL0),
            Origin::Kernel | Origin::System => None,
        }
    }
}

/// What the records of a guest have in common.
#[derive(Debug, Clone, Copy)]
pub struct Source<'s> {
    /// The guest's host name.
    pub hostname: &'s str,
    /// What stands in its own records.
    pub identity: &'s Identity,
    /// When the forwarder began, microseconds since the kernel started.
    pub began: u64,
}

impl<'s> Source<'s> {
    /// That of a plan; the forwarder began so many microseconds after the kernel.
    pub fn of(plan: &'s GuestPlan, began: u64) -> Source<'s> {
        Source { hostname: &plan.hostname, identity: &plan.identity, began }
    }
}

/// An entry's origin with what is said of it, names and values.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    /// The origin.
    pub origin: Origin,
    /// What else is said, in this order.
    pub facts: Vec<(&'static str, String)>,
}

impl Told {
    /// What is told of an entry.
    pub fn of(entry: &Entry, source: Source<'_>) -> Told {
        let origin = Origin::of(entry, source.began);
        let mut facts = Vec::new();
        let mut fact = |name, value: &str| {
            if !value.is_empty() {
                facts.push((name, value.to_owned()));
            }
        };
        let unit = String::from_utf8_lossy(&entry.unit);
        match origin {
            Origin::Guest => {
                let message = String::from_utf8_lossy(&entry.message);
                fact("unit", if entry.transport == b"kernel" { INITRAMFS } else { &unit });
                fact("stage", stage(&message).unwrap_or_default());
                fact("code", code(&message).unwrap_or_default());
                fact("contract", &source.identity.contract);
                fact("signer", source.identity.signer.as_deref().unwrap_or_default());
            }
            Origin::Container => {
                fact("id", &String::from_utf8_lossy(&entry.container_id));
                fact("name", &String::from_utf8_lossy(&entry.container));
            }
            Origin::System => fact("unit", &unit),
            Origin::Kernel => {}
        }
        Told { origin, facts }
    }

    /// As an element of structured data.
    pub fn element(&self, enterprise: u32) -> String {
        let mut text = format!("[countersign@{enterprise} origin=\"{}\"", self.origin.as_str());
        for (name, value) in &self.facts {
            // Writing to a string cannot fail.
            let _ = write!(text, " {name}=\"{}\"", escaped(value));
        }
        text.push(']');
        text
    }
}

/// The stage that one of our lines is about, `countersign: stage=NAME …`.
fn stage(message: &str) -> Option<&str> {
    let rest = message.strip_prefix("countersign: ")?;
    rest.split(' ').find_map(|word| word.strip_prefix("stage="))
}

/// The code that one of our lines begins with or names, `HPL10001I: …` or `… code=HPL10001I`.
fn code(message: &str) -> Option<&str> {
    let is_code = |word: &&str| {
        let digits = word.strip_prefix("HPL").and_then(|rest| rest.strip_suffix(['E', 'W', 'I']));
        digits.is_some_and(|digits| digits.len() == 5 && digits.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let first = message.split([':', ' ']).next().filter(is_code);
    let named =
        || message.strip_prefix("countersign: ")?.split(' ').find_map(|word| word.strip_prefix("code="));
    first.or_else(|| named().filter(is_code))
}

/// A value of structured data (RFC 5424 section 6.3.3); what is not printable ASCII is `_`, as in the other fields.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            '"' | '\\' | ']' => text.extend(['\\', character]),
            ' '..='~' => text.push(character),
            _ => text.push('_'),
        }
    }
    text
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Of a guest whose forwarder began two seconds after the kernel.
    pub(crate) fn source(identity: &Identity) -> Source<'_> {
        Source { hostname: "guest", identity, began: 2_000_000 }
    }

    pub(crate) fn identity() -> Identity {
        Identity { enterprise: 32473, contract: "c0ffee".into(), signer: Some("5e".into()) }
    }

    /// A line of the daemon, as journald has it.
    fn ours(message: &str) -> Entry {
        Entry {
            transport: b"journal".into(),
            unit: b"countersign-watch.service".into(),
            program: PROGRAM.into(),
            identifier: IDENTIFIER.into(),
            message: message.into(),
            ..Entry::default()
        }
    }

    fn printed(message: &str) -> Entry {
        Entry {
            program: MONITOR.into(),
            unit: b"countersign-engine.service".into(),
            container: b"countersignd".into(),
            container_id: b"ab12".into(),
            ..ours(message)
        }
    }

    fn in_kernel_log(facility: u8, time: u64) -> Entry {
        Entry {
            transport: b"kernel".into(),
            facility: Some(facility),
            kernel_time: Some(time),
            unit: Vec::new(),
            program: Vec::new(),
            ..ours("HPL02001I: volume data: a new volume")
        }
    }

    fn element(entry: &Entry) -> String {
        let identity = identity();
        Told::of(entry, source(&identity)).element(identity.enterprise)
    }

    #[test]
    fn one_text_has_the_origin_of_who_wrote_it() {
        let line = "HPL13001I: check 7: mount point /data, volume data: luks encryption";
        assert_eq!(
            element(&ours(line)),
            "[countersign@32473 origin=\"guest\" unit=\"countersign-watch.service\" code=\"HPL13001I\" \
             contract=\"c0ffee\" signer=\"5e\"]"
        );
        assert_eq!(
            element(&printed(line)),
            "[countersign@32473 origin=\"container\" id=\"ab12\" name=\"countersignd\"]"
        );
        assert_eq!(
            element(&in_kernel_log(1, 1_999_999)),
            "[countersign@32473 origin=\"guest\" unit=\"initramfs\" code=\"HPL02001I\" contract=\"c0ffee\" signer=\"5e\"]"
        );
        assert_eq!(element(&in_kernel_log(1, 2_000_001)), "[countersign@32473 origin=\"system\"]");
        assert_eq!(element(&in_kernel_log(0, 1)), "[countersign@32473 origin=\"kernel\"]");
    }

    #[test]
    fn a_guests_own_line_needs_its_unit_and_its_program() {
        let all = [
            Entry { program: b"/usr/bin/countersignd".into(), ..ours("x") },
            Entry { program: Vec::new(), ..ours("x") },
            Entry { unit: b"countersign-engine.service".into(), ..ours("x") },
            Entry { unit: b"countersign-watch.service.evil.service".into(), ..ours("x") },
            Entry { unit: Vec::new(), ..ours("x") },
            // An id without the monitor, and the monitor without an id.
            Entry { program: b"/usr/bin/other".into(), ..printed("x") },
            Entry { container_id: Vec::new(), ..printed("x") },
            // A time that the kernel did not give.
            Entry { kernel_time: None, ..in_kernel_log(1, 0) },
            Entry { identifier: b"sshd".into(), ..in_kernel_log(1, 0) },
        ];
        for entry in all {
            assert_eq!(Origin::of(&entry, 2_000_000), Origin::System, "{entry:?}");
        }
        for unit in UNITS {
            assert_eq!(Origin::of(&Entry { unit: unit.into(), ..ours("x") }, 0), Origin::Guest, "{unit}");
        }
    }

    /// The units are those that there are.
    #[test]
    fn the_units_are_those_of_the_guest_os() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../systemd");
        let mut found: Vec<String> = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let ours = || std::fs::read_to_string(&path).unwrap();
            if name.ends_with(".service") && ours().contains("ExecStart=/usr/lib/countersign/countersignd ") {
                found.push(name);
            }
        }
        found.sort();
        let mut units = UNITS.map(str::to_owned);
        units.sort();
        assert_eq!(found, units);
    }

    #[test]
    fn stage_and_code_are_those_of_the_line() {
        for (line, expected) in [
            ("countersign: stage=unlock state=done volumes=1 ms=9", (Some("unlock"), None)),
            ("countersign: stage=start state=failed code=HPL10004E", (Some("start"), Some("HPL10004E"))),
            ("HPL10001I: the workload runs", (None, Some("HPL10001I"))),
            ("HPL05001E /env/a: expected", (None, Some("HPL05001E"))),
            ("HPL1I: x", (None, None)),
            ("HPL1000\u{e9}I", (None, None)),
            ("see HPL10001I", (None, None)),
            ("", (None, None)),
        ] {
            assert_eq!((stage(line), code(line)), expected, "{line}");
        }
    }

    #[test]
    fn a_value_ends_where_it_ends() {
        let entry = Entry { container: b"a\"b]c\\d\ne".into(), ..printed("x") };
        let expected = r#"[countersign@32473 origin="container" id="ab12" name="a\"b\]c\\d_e"]"#;
        assert_eq!(element(&entry), expected);
    }

    #[test]
    fn a_guest_without_signer_leaves_it_out() {
        let identity = Identity { signer: None, ..identity() };
        let told = Told::of(&ours("x"), source(&identity));
        assert_eq!(told.facts.last(), Some(&("contract", "c0ffee".to_owned())));
    }
}
