//! `log`: what stored logs say, of all guests in them; read and counted by [`countersign_receiver::log`].

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use countersign_receiver::log::Log;

use crate::answer::Answer;
use crate::arguments::{Format, Log as Options, LogFiles, LogVerb};
use crate::files;

pub(crate) fn run(options: &Options, out: &mut dyn Write) -> Result<Answer> {
    match &options.what {
        LogVerb::Boots(boots) => {
            let (log, guest) = read(&boots.logs)?;
            match boots.format {
                Format::Text => log.print_boots(guest, out)?,
                Format::Json => log.print_boots_json(guest, out)?,
            }
        }
        LogVerb::Timeline(timeline) => {
            let (log, guest) = read(&timeline.logs)?;
            if !log.print_timelines(guest, timeline.boot, out)? {
                bail!("expected a boot with a stage in it; countersign log boots lists what is there");
            }
        }
        LogVerb::Gaps(logs) => {
            let (log, guest) = read(logs)?;
            if log.print_gaps(guest, out)? {
                return Ok(Answer::No);
            }
        }
        LogVerb::Explain(logs) => {
            let (log, _) = read(logs)?;
            log.print_codes(out)?;
        }
    }
    Ok(Answer::Yes)
}

fn read(logs: &LogFiles) -> Result<(Log, Option<&str>)> {
    let piped = logs.files.iter().any(|path| path == Path::new("-"));
    let piped = if piped { files::log(Path::new("-"))? } else { Default::default() };
    let open = || {
        let reader = |path: &std::path::PathBuf| -> Result<Box<dyn BufRead + '_>> {
            if path == Path::new("-") {
                return Ok(Box::new(Cursor::new(piped.as_slice())));
            }
            let file = File::open(path).with_context(|| path.display().to_string())?;
            Ok(Box::new(BufReader::new(file)))
        };
        logs.files.iter().map(reader).collect::<Result<Vec<_>>>()
    };
    let log = Log::read(&open)?;
    if log.is_empty() {
        bail!("expected log records: JSON lines, RFC 5424 text, rsyslog's file format, or a console");
    }
    Ok((log, logs.guest.as_deref()))
}
