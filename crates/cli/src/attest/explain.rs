//! `attest explain`: what a record shows and what it cannot, in sentences.

use std::io::Write;

use anyhow::Result;
use countersign_plan::record::explain;
use countersign_plan::record::read::Record;

use super::given;
use crate::answer::{Answer, tame};
use crate::arguments::AttestExplain;
use crate::files;

pub(super) fn run(options: &AttestExplain, out: &mut dyn Write) -> Result<Answer> {
    let key = options.key.as_deref().map(files::image_key).transpose()?;
    let given = given::read(&options.record, key.as_ref())?;
    let mut say = |record: &Record| -> Result<()> {
        let explained = explain::explain(record);
        writeln!(out, "What it shows, if its signature holds (countersign attest verify):")?;
        for sentence in explained.shows {
            writeln!(out, "- {}", tame(&sentence))?;
        }
        writeln!(out, "What it does not show:")?;
        for sentence in explained.cannot {
            writeln!(out, "- {}", tame(&sentence))?;
        }
        Ok(())
    };
    say(&Record::parse(&given.record)?)?;
    if let Some((last, _)) = &given.last {
        say(&Record::parse(last)?)?;
    }
    Ok(Answer::Yes)
}
