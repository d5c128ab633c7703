//! The attestation record: what it says, how it is written and read, and what it is held against.
//!
//! Two records are made in a boot. The **first** is made in the initramfs, before a volume opens: HPCR's lines in the order
//! of its newest generation (`se-checksums.txt` of 26.7.1), then the line `Countersign record: 1` and our own behind it.
//! It is signed by the image's attestation key. The **final** one is made by the daemon once the workload runs, signed by a
//! key of this boot whose public half stands in the first: what it says is the guest OS's word.
//!
//! | module | what |
//! |---|---|
//! | [`first`] | text of the first record |
//! | [`last`] | text of the final record |
//! | [`read`] | lines of a record of any generation, ours or HPCR's |
//! | [`name`] | what a digest is of |
//! | [`build`] | the build manifest that is sealed into the image |
//! | [`machine`] | the line about the machine |
//! | [`folder`] | the files below `/var/hyperprotect` |
//! | [`bundle`] | both records in one file, and as lines of a log |
//! | [`expectation`] | what a record should say, from a contract, a manifest, a contract disk |
//! | [`compare`] | the verdict over each line |
//! | [`explain`] | what a record shows and what it cannot, in sentences |
//!
//! Nothing here signs or decrypts; who does hands in the result. No line has a value of the contract: digests, numbers,
//! names of the image's own words, warnings as the console has them.

pub mod build;
pub mod bundle;
pub mod compare;
pub mod expectation;
pub mod explain;
pub mod first;
pub mod folder;
pub mod last;
pub mod machine;
pub mod name;
pub mod read;

/// The most bytes of a record, and of the text of one line in it.
pub const MAX_BYTES: usize = 256 << 10;
/// The most lines of a record.
pub const MAX_LINES: usize = 1024;
/// The most bytes of a line.
pub const MAX_LINE: usize = 2048;

/// A warning as a line of a record: on one line and bounded.
fn warning(text: &str) -> String {
    let mut line = String::from("Warning: ");
    for letter in text.chars() {
        if line.len() >= 512 {
            line.push('…');
            break;
        }
        line.push(if letter.is_control() { ' ' } else { letter });
    }
    line
}

/// Warnings beyond these are counted and left out, so that a record stays within its bounds.
const WARNINGS: usize = 200;

/// The warnings of a record, a line each.
fn warnings<'w>(texts: impl ExactSizeIterator<Item = &'w str>, text: &mut String) {
    let more = texts.len().saturating_sub(WARNINGS);
    for line in texts.take(WARNINGS).map(warning) {
        text.push_str(&line);
        text.push('\n');
    }
    if more > 0 {
        text.push_str(&format!("Warning: {more} more\n"));
    }
}
