//! `explain`: the catalogue of message codes, Countersign's and HPCR's, for people.
//!
//! Takes a code, its name, or whatever holds codes: a line of a log, or a whole log on standard input. Nothing of what was
//! pasted is printed but the codes.

use std::io::Write;
use std::path::Path;

use anyhow::{Result, bail};
use countersign_contract::code::{Code, HpcrCode, Instead, Severity};
use countersign_contract::nearest::nearest;
use serde::Serialize;

use crate::answer::{Answer, note};
use crate::arguments::{Explain, Format};
use crate::files;

/// A code, as `schema/explain.schema.json` describes it.
#[derive(Debug, Serialize)]
struct Entry {
    code: &'static str,
    name: Option<&'static str>,
    severity: &'static str,
    printed_by: Vec<&'static str>,
    /// What happened; Countersign's codes have it.
    text: Option<&'static str>,
    cause: Option<&'static str>,
    /// What it means in HPCR; HPCR's codes have it.
    hpcr: Option<&'static str>,
    /// What stands in its place; codes that only HPCR prints have it.
    instead: Option<&'static str>,
    remedy: Option<&'static str>,
}

impl Entry {
    fn of(own: Option<Code>, hpcr: Option<HpcrCode>) -> Option<Entry> {
        let code = own.map(Code::as_str).or(hpcr.map(HpcrCode::as_str))?;
        let severity = own.map(Code::severity).or(hpcr.map(HpcrCode::severity)).map(Severity::as_str)?;
        let instead = hpcr.and_then(HpcrCode::instead);
        let printed_by = [own.map(|_| "countersign"), hpcr.map(|_| "hpcr")];
        Some(Entry {
            code,
            name: own.map(Code::name).or(hpcr.and_then(HpcrCode::name)),
            severity,
            printed_by: printed_by.into_iter().flatten().collect(),
            text: own.map(Code::text),
            cause: own.map(Code::cause),
            hpcr: hpcr.map(HpcrCode::there),
            instead: instead.map(|Instead { here, .. }| here),
            remedy: own.map(Code::remedy).or(instead.map(|Instead { remedy, .. }| remedy)),
        })
    }

    fn find(code: &str) -> Option<Entry> {
        Entry::of(Code::find(code), HpcrCode::find(code))
    }

    /// All codes, in the order of the numbers.
    fn all() -> Vec<Entry> {
        let own = Code::ALL.iter().copied().filter_map(|code| Entry::find(code.as_str()));
        let theirs = HpcrCode::ALL.iter().copied().filter(|code| code.own().is_none());
        let mut all: Vec<Entry> = own.chain(theirs.filter_map(|code| Entry::of(None, Some(code)))).collect();
        all.sort_by_key(|entry| entry.code);
        all
    }

    fn print(&self, out: &mut dyn Write) -> Result<()> {
        let name = self.name.map(|name| format!(" {name}")).unwrap_or_default();
        let only = if self.text.is_none() { ", HPCR only" } else { "" };
        writeln!(out, "{}{name} ({}{only})", self.code, self.severity)?;
        let lines = [
            ("what", self.text),
            ("why", self.cause),
            ("HPCR", self.hpcr),
            ("here", self.instead),
            ("do", self.remedy),
        ];
        for (name, text) in lines {
            if let Some(text) = text {
                writeln!(out, "  {name:<4}  {text}")?;
            }
        }
        Ok(())
    }

    /// One line of the list.
    fn line(&self) -> String {
        match (self.text, self.hpcr) {
            (Some(text), _) => format!("{}  {text}", self.code),
            (None, there) => format!("{}  HPCR: {}", self.code, there.unwrap_or_default()),
        }
    }
}

pub(crate) fn run(options: &Explain, out: &mut dyn Write) -> Result<Answer> {
    let wanted = match options.code.as_slice() {
        [dash] if dash == "-" => {
            let log = files::log(Path::new("-"))?;
            Some(String::from_utf8_lossy(&log).into_owned())
        }
        [] => None,
        words => Some(words.join(" ")),
    };
    let entries = match &wanted {
        None => Entry::all(),
        Some(text) => find(text)?,
    };
    if options.format == Format::Json {
        writeln!(out, "{}", serde_json::to_string_pretty(&entries)?)?;
    } else if wanted.is_none() {
        for entry in entries {
            writeln!(out, "{}", entry.line())?;
        }
    } else {
        for (index, entry) in entries.iter().enumerate() {
            if index > 0 {
                writeln!(out)?;
            }
            entry.print(out)?;
        }
    }
    Ok(Answer::Yes)
}

/// What the text names: by the codes in it, each once, or as a name.
fn find(text: &str) -> Result<Vec<Entry>> {
    let codes = codes(text);
    if codes.is_empty() {
        let named = |entry: &Entry| entry.name.is_some_and(|name| name.eq_ignore_ascii_case(text.trim()));
        let entries: Vec<Entry> = Entry::all().into_iter().filter(named).collect();
        if entries.is_empty() {
            let names: Vec<&str> = Entry::all().iter().filter_map(|entry| entry.name).collect();
            match nearest(text.trim(), names) {
                Some(name) => bail!("expected a code or the name of one: is {name} meant?"),
                None => bail!(
                    "expected a code such as HPL05001E, its name, or a line of a log with a code in it; \
                     countersign explain lists them"
                ),
            }
        }
        return Ok(entries);
    }
    let (known, unknown): (Vec<_>, Vec<_>) =
        codes.into_iter().map(|code| (Entry::find(&code), code)).partition(|(entry, _)| entry.is_some());
    for (_, code) in &unknown {
        note(&format!("{code}: neither a Countersign guest nor HPCR prints this code{}", siblings(code)));
    }
    if known.is_empty() {
        bail!("expected a code that a guest can print; countersign explain lists them");
    }
    Ok(known.into_iter().filter_map(|(entry, _)| entry).collect())
}

/// The codes of the same number and another severity.
fn siblings(code: &str) -> String {
    let number = code.get(..8).unwrap_or(code);
    let siblings: Vec<&str> =
        Entry::all().iter().map(|entry| entry.code).filter(|other| other.starts_with(number)).collect();
    if siblings.is_empty() { String::new() } else { format!("; is {} meant?", siblings.join(" or ")) }
}

/// Everything of the form of a code, in capitals, each once, in the order in which they come.
fn codes(text: &str) -> Vec<String> {
    let mut codes = Vec::new();
    for word in text.split(|letter: char| !letter.is_ascii_alphanumeric()) {
        let code = word.to_ascii_uppercase();
        if is_code(&code) && !codes.contains(&code) {
            codes.push(code);
        }
    }
    codes
}

/// `HPL`, five digits, and the letter of a severity.
fn is_code(word: &str) -> bool {
    let [b'H', b'P', b'L', digits @ .., letter] = word.as_bytes() else { return false };
    digits.len() == 5 && digits.iter().all(u8::is_ascii_digit) && b"EWI".contains(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_in_whatever_was_pasted() {
        for (text, expected) in [
            ("hpl05001e", vec!["HPL05001E"]),
            ("Mar 17 10:19:13 vsi hpcr-logging[612]: HPL01010I: Logging has been setup", vec!["HPL01010I"]),
            ("code=HPL05001E cause=\"HPL05001E HPL10000E\"", vec!["HPL05001E", "HPL10000E"]),
            ("# HPL11 build:23.3.16", vec![]),
            ("XHPL05001E HPL050011E HPL05001X", vec![]),
        ] {
            assert_eq!(codes(text), expected, "{text}");
        }
    }
}
