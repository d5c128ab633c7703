//! What is known of a log record, whether it came over TLS or out of a file: the parts that are counted, shown and
//! filtered by.
//!
//! Who wrote it is what its structured data says, and nothing else: any program can print any text under any name.

use countersign_plan::forwarding::origin::Origin;

use crate::record::{Record, parameters};
use crate::text::{MARKER, code};
use crate::time::milliseconds;

/// The name of the guest's own records.
const NAME: &str = "countersignd";
/// The text of the first record that a log server sees.
pub const PROBE: &str = countersign_plan::forwarding::own::PROBE;

/// A log record. Texts are as they came, unless tamed by who shows them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// When it was taken, milliseconds since 1970; none where a log does not say.
    pub received: Option<i64>,
    /// When it was made, by the sender's clock, milliseconds since 1970.
    pub time: Option<i64>,
    /// SHA-256 of the certificate with which it came; empty where a log does not say.
    pub client: String,
    /// Host name.
    pub host: String,
    /// Program or container.
    pub app: String,
    /// 0 to 7.
    pub severity: Option<u8>,
    /// Text.
    pub message: String,
    /// Who wrote it; none where nothing says so.
    pub origin: Option<Origin>,
    /// Its sequence number.
    pub number: Option<u64>,
    /// The stage that it is about, as its sender says.
    pub stage: String,
    /// The message code that it is about, or begins with.
    pub code: String,
    /// The container's name.
    pub container: String,
    /// SHA-256 of the guest's contract.
    pub contract: String,
    /// SHA-256 of its signer's key.
    pub signer: String,
    /// Whether its program name is the guest's own, which anybody can take.
    pub named: bool,
}

impl Entry {
    /// A record that came over TLS.
    pub fn of(record: &Record<'_>, received: i64, client: &str) -> Entry {
        let mut entry = Entry {
            received: Some(received),
            time: milliseconds(record.time),
            client: client.to_owned(),
            host: record.host.to_owned(),
            severity: Some(record.severity),
            message: String::from_utf8_lossy(record.message).into_owned(),
            ..Entry::default()
        };
        entry.name(record.app);
        entry.tell(&record.data);
        entry
    }

    /// Takes the program's name.
    pub fn name(&mut self, app: &str) {
        self.named = app == NAME;
        app.clone_into(&mut self.app);
    }

    /// Takes what structured data says, and from the text what that leaves out.
    pub fn tell(&mut self, data: &str) {
        for (element, values) in parameters(data) {
            let ours = element.starts_with("countersign@");
            for (name, value) in values {
                match name {
                    "sequenceId" if element == "meta" => {
                        self.number = value.parse().ok().filter(|number| *number > 0)
                    }
                    _ if !ours => {}
                    "origin" => self.origin = Some(origin(&value)),
                    "stage" => self.stage = value,
                    "code" => self.code = value,
                    "name" => self.container = value,
                    "contract" => self.contract = value,
                    "signer" => self.signer = value,
                    _ => {}
                }
            }
        }
        if self.code.is_empty()
            && let Some((code, _)) = code(&self.message)
        {
            code.clone_into(&mut self.code);
        }
        if self.stage.is_empty()
            && let Some(at) = self.message.find(MARKER)
        {
            let rest = &self.message[at + MARKER.len()..];
            self.stage = rest.split(' ').next().unwrap_or_default().to_owned();
        }
    }

    /// Whether the guest's own program wrote it; where nothing tells origins, whether it says so.
    pub fn is_guest(&self, tells: bool) -> bool {
        match self.origin {
            Some(origin) => origin == Origin::Guest,
            None => !tells && self.named,
        }
    }

    /// Whether it looks like the guest's own and is of another origin.
    pub fn is_imitation(&self) -> bool {
        let other = self.origin.is_some_and(|origin| origin != Origin::Guest);
        other && (self.named || self.message.contains(MARKER) || code(&self.message).is_some())
    }

    /// Whether it is the record with which a guest tries its log server.
    pub fn is_probe(&self) -> bool {
        self.number.is_none() && self.message == PROBE
    }
}

/// What no guest says is nobody's that counts.
fn origin(word: &str) -> Origin {
    let all = [Origin::Guest, Origin::Container, Origin::Kernel];
    all.into_iter().find(|origin| origin.as_str() == word).unwrap_or(Origin::System)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> Entry {
        Entry::of(&Record::parse(text.as_bytes()).unwrap(), 5, "c1")
    }

    #[test]
    fn a_record_of_the_guest_says_all_of_itself() {
        let entry = entry(
            "<30>1 2026-11-22T02:54:56.000042Z guest countersignd - - [meta sequenceId=\"41\"][countersign@32473 \
             origin=\"guest\" unit=\"countersign-watch.service\" code=\"HPL13001I\" contract=\"c0\" signer=\"5e\"] \
             HPL13001I: check 7: all",
        );
        assert!(entry.is_guest(true) && !entry.is_imitation());
        assert_eq!((entry.number, entry.time), (Some(41), Some(1_795_316_096_000)));
        assert_eq!((&*entry.code, &*entry.contract, &*entry.signer), ("HPL13001I", "c0", "5e"));
    }

    #[test]
    fn a_container_that_imitates_the_guest_is_seen() {
        let printed = |text: &str| {
            entry(&format!(
                "<134>1 - guest countersignd - - [countersign@32473 origin=\"container\" id=\"ab\" name=\"web\"] {text}"
            ))
        };
        let imitation = printed("HPL10001I: the workload is started");
        assert!(imitation.is_imitation() && !imitation.is_guest(true) && !imitation.is_guest(false));
        assert_eq!(imitation.container, "web");
        // An element in the text is text.
        let text = printed("[countersign@32473 origin=\"guest\"] HPL10001I: x");
        assert!(text.is_imitation() && !text.is_guest(false));
    }

    #[test]
    fn an_unknown_origin_is_not_the_guests_and_none_is_only_where_none_is_told() {
        let other = entry("<134>1 - guest x - - [countersign@1 origin=\"Guest\"] x");
        assert_eq!(other.origin, Some(Origin::System));
        let none = entry("<134>1 - guest countersignd - - - x");
        assert!(none.is_guest(false) && !none.is_guest(true));
    }
}
