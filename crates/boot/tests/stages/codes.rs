//! The catalogue of codes against the sources: no entry that nothing prints, none that no test here provokes.
//!
//! Looks for the names in the text of the sources. That a source prints nothing beside the catalogue follows from the
//! type.

use std::fs;
use std::path::{Path, PathBuf};

use countersign_contract::code::Code;

/// The text of all Rust files below a folder.
fn sources(folder: &Path, text: &mut String, take: &dyn Fn(&Path) -> bool) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            sources(&path, text, take);
        } else if path.extension().is_some_and(|ending| ending == "rs") && take(&path) {
            let file = fs::read_to_string(&path).unwrap();
            // A file's own tests stand at its end.
            text.push_str(file.split("#[cfg(test)]\nmod tests").next().unwrap_or_default());
        }
    }
}

/// Whether `Code::Name` stands in the text, and not as the beginning of a longer name.
fn names(text: &str, code: Code) -> bool {
    let name = format!("Code::{code:?}");
    text.match_indices(&name).any(|(at, _)| {
        !text[at + name.len()..].starts_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '_')
    })
}

/// The sources of the rooms that are in the guest, without the catalogue itself.
fn guest() -> String {
    let mut text = String::new();
    for room in ["contract", "crypto", "plan", "ports", "linux", "boot", "agent"] {
        room_sources(room, &mut text);
    }
    assert!(names(&text, Code::ServiceSuccess), "the sources were not read");
    text
}

fn room_sources(room: &str, text: &mut String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(room).join("src");
    sources(&folder, text, &|path| !path.ends_with("code/table.rs") && !path.ends_with("tests.rs"));
}

fn list(codes: impl Iterator<Item = Code>) -> Vec<String> {
    codes.map(|code| format!("{code} {}", code.name())).collect()
}

#[test]
fn every_code_of_the_catalogue_is_printed_by_something() {
    let mut text = guest();
    // The author's command has warnings of its own.
    room_sources("cli", &mut text);
    let dead = list(Code::ALL.iter().copied().filter(|code| !names(&text, *code)));
    assert_eq!(dead, Vec::<String>::new(), "nothing prints these");
}

#[test]
fn every_code_of_the_guest_is_provoked_by_a_test_of_the_stages() {
    let printed = guest();
    let mut tests = String::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stages");
    sources(&folder, &mut tests, &|path| !path.ends_with("codes.rs"));
    let provoked = |code: Code| names(&tests, code) || tests.contains(code.as_str());
    let missing = list(Code::ALL.iter().copied().filter(|code| names(&printed, *code) && !provoked(*code)));
    assert_eq!(missing, Vec::<String>::new(), "no test provokes these");
}
