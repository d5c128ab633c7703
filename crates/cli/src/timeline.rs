//! `timeline`: the stages of a boot as a table, as a picture, or as JSON.
//!
//! Reads the guest's `transcript.json`, or a log that holds the lines of `countersignd`; how, and what of it counts, is
//! [`countersign_receiver::timeline`]'s.

use std::io::Write;

use anyhow::{Result, bail};
use countersign_receiver::timeline::read;

use crate::answer::Answer;
use crate::arguments::{Timeline as Options, TimelineFormat};
use crate::files;

pub(crate) fn run(options: &Options, out: &mut dyn Write) -> Result<Answer> {
    let bytes = files::log(&options.file)?;
    let Some(timeline) = read(&String::from_utf8_lossy(&bytes)) else {
        bail!(
            "{}: expected a transcript.json, or a log with lines of countersignd that begin with countersign: stage=",
            options.file.display()
        );
    };
    if let Some(path) = &options.svg {
        files::write_result(out, Some(path), timeline.svg().as_bytes())?;
        return Ok(Answer::Yes);
    }
    match options.format {
        TimelineFormat::Table => write!(out, "{}", timeline.table())?,
        TimelineFormat::Svg => write!(out, "{}", timeline.svg())?,
        TimelineFormat::Json => writeln!(out, "{}", serde_json::to_string_pretty(&timeline)?)?,
    }
    Ok(Answer::Yes)
}
