//! What the page gets: boots, notices and records as JSON.

use countersign_contract::code::Code;
use serde::Serialize;
use serde_json::{Value, json};

use crate::count::Guest;
use crate::count::boot::{Boot, Said};
use crate::desk::{Desk, Filter};
use crate::time;

/// Records in one answer.
const LIMIT: usize = 500;

/// A warning or an error, with what the catalogue says of its code.
#[derive(Serialize)]
struct Explained<'s> {
    at: String,
    code: &'s str,
    text: &'s str,
    name: &'static str,
    cause: &'static str,
    remedy: &'static str,
}

fn explained(said: &Said) -> Explained<'_> {
    let code = Code::find(&said.code);
    Explained {
        at: time::text(said.at),
        code: &said.code,
        text: &said.text,
        name: code.map_or("", |code| code.name()),
        cause: code.map_or("", |code| code.cause()),
        remedy: code.map_or("", |code| code.remedy()),
    }
}

/// A boot, for the page and for `log boots --format json`.
pub fn boot(guest: &Guest, boot: &Boot) -> Value {
    let stretches: Vec<_> = boot.numbers.stretches().iter().map(|one| [*one.start(), *one.end()]).collect();
    json!({
        "boot": boot.id,
        "host": crate::text::tame(&guest.host),
        "client": crate::text::tame(&guest.client),
        "contract": boot.contract,
        "signer": boot.signer,
        "began": time::text(boot.began),
        "last": time::text(boot.last),
        "outcome": boot.outcome,
        "silent": boot.is_silent(),
        "stage": boot.stage().map(|stage| stage.name()),
        "cause": boot.cause.as_ref().map(explained),
        "records": boot.records,
        "missing": boot.numbers.missing(),
        "stretches": stretches,
        "repeats": boot.numbers.repeats,
        "imitations": boot.imitations,
        "checks": boot.checks.count,
        "last_check": boot.checks.last(),
        "containers": boot.containers,
        "warnings": boot.warnings.iter().map(explained).collect::<Vec<_>>(),
        "timeline": boot.timeline(),
    })
}

/// All boots and notices.
pub(super) fn state(desk: &Desk) -> Vec<u8> {
    let boots: Vec<Value> =
        desk.with_guests(|guests| guests.boots().into_iter().map(|(guest, one)| boot(guest, one)).collect());
    json!({ "boots": boots, "notices": desk.notices() }).to_string().into_bytes()
}

/// The newest records that pass a query such as `after=7&code=HPL10001I`.
pub(super) fn records(desk: &Desk, query: &str) -> Vec<u8> {
    let mut filter = Filter::default();
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        let value = decoded(value);
        match name {
            "after" => filter.after = value.parse().unwrap_or_default(),
            "boot" => filter.boot = value.parse().ok(),
            "host" => filter.host = value,
            "stage" => filter.stage = value,
            "code" => filter.code = value,
            "container" => filter.container = value,
            _ => {}
        }
    }
    let (records, last) = desk.records(&filter, LIMIT);
    json!({ "records": records, "last": last }).to_string().into_bytes()
}

/// Without percent encoding, as `encodeURIComponent` makes it.
fn decoded(value: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), value.as_bytes());
    while let [byte, tail @ ..] = rest {
        rest = tail;
        let digits = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match digits.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(encoded) if *byte == b'%' => {
                bytes.push(encoded);
                rest = &tail[2..];
            }
            _ => bytes.push(*byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_decoded_whatever_it_holds() {
        for (value, expected) in [
            ("a%20b", "a b"),
            ("%C3%A9", "\u{e9}"),
            ("%", "%"),
            ("%4", "%4"),
            ("%zz", "%zz"),
            ("%ff", "\u{fffd}"),
        ] {
            assert_eq!(decoded(value), expected);
        }
    }
}
