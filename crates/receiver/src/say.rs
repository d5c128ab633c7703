//! Records and notices as lines for a person: time, guest, who said it, and with a warning or an error what it means and
//! what to do. Every foreign text is tamed.

use countersign_contract::code::{Code, Severity};
use countersign_plan::forwarding::origin::Origin;

use crate::count::Told;
use crate::count::notice::Weight;
use crate::entry::Entry;
use crate::text::tame;
use crate::time;

/// A record, with the explanation of its code where it is the guest's own and no mere information.
pub fn record(entry: &Entry) -> String {
    let when = time::text(entry.time.or(entry.received).unwrap_or_default());
    let who = match entry.origin {
        Some(Origin::Guest) if !entry.stage.is_empty() => format!("stage {}", tame(&entry.stage)),
        Some(Origin::Guest) => "guest".to_owned(),
        Some(Origin::Container) => format!("container {}", tame(&entry.container)),
        Some(Origin::Kernel) => "kernel".to_owned(),
        Some(Origin::System) | None => tame(&entry.app),
    };
    let mut text = format!("{when} {} {who}: {}\n", tame(&entry.host), tame(&entry.message));
    if entry.origin == Some(Origin::Guest)
        && let Some(code) = Code::find(&entry.code)
        && code.severity() != Severity::Info
    {
        explain(&mut text, code);
    }
    text
}

fn explain(text: &mut String, code: Code) {
    text.push_str(&format!(
        "    what: {}\n    why:  {}\n    do:   {}\n",
        code.text(),
        code.cause(),
        code.remedy()
    ));
}

/// What the numbers, checks or origins show.
pub fn notice(told: &Told, now: i64) -> String {
    let sign = match told.notice.weight() {
        Weight::Info => "--",
        Weight::Warning => "!?",
        Weight::Error => "!!",
    };
    let mut text =
        format!("{} {} {sign} boot {}: {}\n", time::text(now), tame(&told.host), told.boot, told.notice);
    if told.notice.weight() != Weight::Info {
        text.push_str(&format!("    do:   {}\n", told.notice.remedy()));
    }
    text
}
