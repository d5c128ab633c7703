//! `explain`: the catalogue of message codes, for people.

use std::io::Write;

use anyhow::{Result, bail};
use countersign_contract::code::Code;
use serde::Serialize;

use crate::answer::Answer;
use crate::arguments::{Explain, Format};

/// A code, as `schema/explain.schema.json` describes it.
#[derive(Debug, Serialize)]
struct Entry {
    code: &'static str,
    name: &'static str,
    severity: &'static str,
    text: &'static str,
    cause: &'static str,
    remedy: &'static str,
}

impl From<Code> for Entry {
    fn from(code: Code) -> Entry {
        Entry {
            code: code.as_str(),
            name: code.name(),
            severity: code.severity().as_str(),
            text: code.text(),
            cause: code.cause(),
            remedy: code.remedy(),
        }
    }
}

pub(crate) fn run(options: &Explain, out: &mut dyn Write) -> Result<Answer> {
    let codes: Vec<Code> = match &options.code {
        None => Code::ALL.to_vec(),
        Some(wanted) => {
            let named = |code: &&Code| code.name().eq_ignore_ascii_case(wanted);
            match Code::find(wanted) {
                Some(code) => vec![code],
                None => Code::ALL.iter().filter(named).copied().collect(),
            }
        }
    };
    if codes.is_empty() {
        bail!("expected a code that a guest can print; countersign explain lists them");
    }
    if options.format == Format::Json {
        let entries: Vec<Entry> = codes.into_iter().map(Entry::from).collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&entries)?)?;
    } else if options.code.is_some() {
        for (index, code) in codes.iter().enumerate() {
            let gap = if index == 0 { "" } else { "\n" };
            writeln!(out, "{gap}{code} {} ({})", code.name(), code.severity())?;
            writeln!(out, "  what  {}", code.text())?;
            writeln!(out, "  why   {}", code.cause())?;
            writeln!(out, "  do    {}", code.remedy())?;
        }
    } else {
        for code in codes {
            writeln!(out, "{code}  {}", code.text())?;
        }
    }
    Ok(Answer::Yes)
}
