//! `user-data.decrypted`: the sections as far as their own authors show them to the workload.
//!
//! HPCR gives every container that mounts `/var/hyperprotect` both sections without their seeds. Here a section is there
//! only if it says so itself, so neither party gives away what the other wrote. Left out in any case is what the schema
//! calls `writeOnly`: seeds, passwords, private keys, API keys. The guest needs these before a container runs, and whoever
//! has them can open a volume, pull as the party or write records as the guest. Keys of a section that the schema does not
//! know are left out as well: one of them may be a misspelt name with a seed below it.
//!
//! The form is HPCR's: a map of sections, each a block of YAML text. The text is written anew, strings in double quotes and
//! in the letters of ASCII, as every reader of YAML 1.1 and 1.2 takes them alike.

use std::fmt::{self, Write};

use countersign_crypto::secret::SecretBytes;

use super::read::Reader;
use crate::place::SectionName;
use crate::schema::{self, Node};
use crate::yaml::{Data, Entry, Value};

/// Characters that a key may have without `?` in front of it (YAML 1.2.2 section 7.4: 1024 with its quotes).
const MAX_KEY: usize = 1000;

/// Blanks before the lines of a section, as HPCR has them.
const INDENTATION: usize = 4;

/// What containers may read of the contract.
#[derive(Debug)]
pub struct UserData {
    workload: bool,
    env: bool,
    file: Option<SecretBytes>,
}

impl UserData {
    /// Whether a section is shown: if it says so itself.
    pub fn shows(&self, section: SectionName) -> bool {
        match section {
            SectionName::Workload => self.workload,
            SectionName::Env => self.env,
        }
    }

    /// The file; none where no section is shown.
    pub fn file(&self) -> Option<&SecretBytes> {
        self.file.as_ref()
    }
}

pub(super) fn read(workload: &Reader<'_>, env: &Reader<'_>) -> UserData {
    let asked = |section: &Reader<'_>| {
        section.child("countersign").is_some_and(|own| own.text("user-data") == Some("show"))
    };
    // In alphabetical order.
    let shown: Vec<(SectionName, &Value)> = [(SectionName::Env, env), (SectionName::Workload, workload)]
        .into_iter()
        .filter(|(_, section)| asked(section))
        .map(|(name, section)| (name, section.value()))
        .collect();
    UserData {
        workload: asked(workload),
        env: asked(env),
        file: (!shown.is_empty()).then(|| written(&shown)),
    }
}

/// Sections as one text.
fn written(sections: &[(SectionName, &Value)]) -> SecretBytes {
    // Once to count, so that no copy is left behind by a buffer that grows. Nothing of it can fail.
    let mut size = Count(0);
    let _ = write_all(sections, &mut size);
    let mut text = String::with_capacity(size.0);
    let _ = write_all(sections, &mut text);
    SecretBytes::new(text.into_bytes())
}

fn write_all(sections: &[(SectionName, &Value)], out: &mut impl Write) -> fmt::Result {
    for (name, section) in sections {
        let schema = schema::json(*name);
        let root = Node::root(&schema);
        writeln!(out, "{name}: |")?;
        let known = section.entries().iter().filter(|entry| root.field(&entry.key).is_some());
        entries(known, Some(root), INDENTATION, out)?;
    }
    Ok(())
}

/// The entries of a map, each on lines of its own.
fn entries<'v>(
    all: impl Iterator<Item = &'v Entry>,
    node: Option<Node<'_>>,
    blanks: usize,
    out: &mut impl Write,
) -> fmt::Result {
    for Entry { key, value, .. } in all {
        let node = node.and_then(|node| node.field(key));
        if node.is_some_and(Node::is_secret) {
            continue;
        }
        indent(blanks, out)?;
        let mut size = Count(0);
        name(key, &mut size)?;
        if size.0 > MAX_KEY {
            out.write_str("? ")?;
            name(key, out)?;
            out.write_char('\n')?;
            indent(blanks, out)?;
        } else {
            name(key, out)?;
        }
        out.write_char(':')?;
        content(value, node, blanks, out)?;
    }
    Ok(())
}

/// What stands behind a colon or a dash.
fn content(value: &Value, node: Option<Node<'_>>, blanks: usize, out: &mut impl Write) -> fmt::Result {
    match &value.data {
        Data::Map(all) if shown(all, node).next().is_some() => {
            out.write_char('\n')?;
            entries(all.iter(), node, blanks + 2, out)
        }
        Data::List(items) if !items.is_empty() => {
            out.write_char('\n')?;
            for item in items {
                indent(blanks + 2, out)?;
                out.write_char('-')?;
                content(item, node.and_then(Node::item), blanks + 2, out)?;
            }
            Ok(())
        }
        data => {
            out.write_char(' ')?;
            match data {
                Data::Null | Data::Comment => out.write_str("null")?,
                Data::Bool(truth) => write!(out, "{truth}")?,
                Data::Integer(number) => write!(out, "{number}")?,
                Data::Float(number) => out.write_str(&float(*number))?,
                Data::Text(text, _) => quoted(text, out)?,
                Data::List(_) => out.write_str("[]")?,
                Data::Map(_) => out.write_str("{}")?,
            }
            out.write_char('\n')
        }
    }
}

/// The entries of a map that are not secret.
fn shown<'v>(all: &'v [Entry], node: Option<Node<'_>>) -> impl Iterator<Item = &'v Entry> {
    all.iter().filter(move |entry| !node.and_then(|node| node.field(&entry.key)).is_some_and(Node::is_secret))
}

fn indent(blanks: usize, out: &mut impl Write) -> fmt::Result {
    write!(out, "{:blanks$}", "")
}

/// A key, in quotes where a reader could take it for anything but text.
fn name(key: &str, out: &mut impl Write) -> fmt::Result {
    const WORDS: [&str; 9] = ["false", "n", "no", "null", "off", "on", "true", "y", "yes"];
    let plain = key.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
        && !WORDS.iter().any(|word| key.eq_ignore_ascii_case(word));
    if plain { out.write_str(key) } else { quoted(key, out) }
}

fn quoted(text: &str, out: &mut impl Write) -> fmt::Result {
    out.write_char('"')?;
    for letter in text.chars() {
        match letter {
            '"' => out.write_str("\\\"")?,
            '\\' => out.write_str("\\\\")?,
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\t' => out.write_str("\\t")?,
            ' '..='~' => out.write_char(letter)?,
            _ => match u32::from(letter) {
                code @ 0..0x10000 => write!(out, "\\u{code:04x}")?,
                code => write!(out, "\\U{code:08x}")?,
            },
        }
    }
    out.write_char('"')
}

/// A number that is no integer: YAML 1.1 wants a point and a sign, where 1.2 can do without.
fn float(number: f64) -> String {
    if number.is_nan() {
        return ".nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let text = format!("{number:?}");
    match text.split_once('e') {
        None => text,
        Some((digits, exponent)) => {
            let point = if digits.contains('.') { "" } else { ".0" };
            let sign = if exponent.starts_with('-') { "" } else { "+" };
            format!("{digits}{point}e{sign}{exponent}")
        }
    }
}

/// Counts bytes.
struct Count(usize);

impl Write for Count {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}
