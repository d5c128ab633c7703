//! `attest page`: the reports of many records as one page, for an audit of a year.
//!
//! Nothing is verified again: the reports are those that `attest verify --format json` wrote, and whoever keeps them has to
//! keep them from being altered.

use std::io::Write;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::report::Counts;
use crate::answer::Answer;
use crate::arguments::{AttestPage, PageFormat};
use crate::files;

/// As much of a report as the page has.
#[derive(Debug, Deserialize)]
struct Kept {
    format: u32,
    version: String,
    record: String,
    at: String,
    verdict: String,
    counts: Counts,
    checks: Vec<KeptLine>,
    lines: Vec<KeptLine>,
    final_lines: Vec<KeptLine>,
}

#[derive(Debug, Deserialize)]
struct KeptLine {
    name: String,
    verdict: String,
    found: Option<String>,
    note: Option<String>,
}

/// A row of the page.
#[derive(Debug, Serialize)]
struct Row {
    file: String,
    at: String,
    version: String,
    record: String,
    verdict: String,
    counts: Counts,
    /// What is bad: names and what is known about it.
    bad: Vec<String>,
}

/// The page for programs.
#[derive(Debug, Serialize)]
struct Page {
    format: u32,
    records: usize,
    good: usize,
    rows: Vec<Row>,
}

pub(super) fn run(options: &AttestPage, out: &mut dyn Write) -> Result<Answer> {
    let mut rows = Vec::new();
    for path in &options.reports {
        let named = || path.display().to_string();
        let kept: Kept = serde_json::from_slice(&files::log(path)?).with_context(|| {
            format!("{}: expected a report of countersign attest verify --format json", named())
        })?;
        anyhow::ensure!(
            kept.format == 1,
            "{}: expected a report of format 1, found {}",
            named(),
            kept.format
        );
        let all = kept.checks.iter().chain(&kept.lines).chain(&kept.final_lines);
        let bad = all.filter(|line| line.verdict == "bad").map(|line| {
            let what = line.note.as_deref().or(line.found.as_deref()).unwrap_or("missing");
            format!("{}: {what}", line.name)
        });
        rows.push(Row {
            file: named(),
            bad: bad.collect(),
            at: kept.at,
            version: kept.version,
            record: kept.record,
            verdict: kept.verdict,
            counts: kept.counts,
        });
    }
    rows.sort_by(|one, other| (&one.at, &one.file).cmp(&(&other.at, &other.file)));
    let good = rows.iter().filter(|row| row.verdict == "good").count();
    let page = Page { format: 1, records: rows.len(), good, rows };
    match options.format {
        PageFormat::Json => writeln!(out, "{}", serde_json::to_string_pretty(&page)?)?,
        PageFormat::Html => html(&page, out)?,
    }
    Ok(if page.good == page.records { Answer::Yes } else { Answer::No })
}

fn html(page: &Page, out: &mut dyn Write) -> Result<()> {
    writeln!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Attestation records</title>\n\
         <style>body{{font-family:sans-serif}}table{{border-collapse:collapse}}td,th{{border:1px solid #999;\
         padding:.3em .6em;text-align:left;vertical-align:top}}code{{font-size:80%}}.bad{{background:#fdd}}\
         .unchecked{{background:#ffd}}</style>\n</head>\n<body>\n<h1>Attestation records</h1>\n\
         <p>{} records, {} good.</p>\n<table>\n<tr><th>Judged as of</th><th>File</th><th>Image</th><th>Verdict</th>\
         <th>Good</th><th>Bad</th><th>Unchecked</th><th>What is bad</th><th>SHA-256 of the record</th></tr>",
        page.records, page.good
    )?;
    for row in &page.rows {
        let Counts { good, bad, unchecked } = row.counts;
        let list: Vec<String> = row.bad.iter().map(|one| escape(one)).collect();
        writeln!(
            out,
            "<tr class=\"{}\"><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{good}</td><td>{bad}</td>\
             <td>{unchecked}</td><td>{}</td><td><code>{}</code></td></tr>",
            escape(&row.verdict),
            escape(&row.at),
            escape(&row.file),
            escape(&row.version),
            escape(&row.verdict),
            list.join("<br>"),
            escape(&row.record)
        )?;
    }
    writeln!(out, "</table>\n</body>\n</html>")?;
    Ok(())
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter if letter.is_control() => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}
