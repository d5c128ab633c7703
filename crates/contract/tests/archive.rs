//! Archives made by GNU tar and base64, good and hostile.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use countersign_contract::archive::{Archive, ArchiveError, Item, MAX_BYTES, MAX_ENTRIES};

fn pack(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("tar").arg("-C").arg(folder).args(["-cz"]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    encode(&output.stdout)
}

fn encode(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

#[test]
fn takes_a_folder_apart() {
    let folder =
        folder(&[("docker-compose.yml", "services: {}\n"), ("conf/a/b.txt", "x"), ("run.sh", "#!/bin/sh\n")]);
    fs::set_permissions(folder.path().join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    for format in ["--format=gnu", "--format=pax", "--format=ustar"] {
        let text = pack(folder.path(), &[format, "."]);
        let broken: String = text
            .as_bytes()
            .chunks(76)
            .map(|line| std::str::from_utf8(line).unwrap().to_owned() + "\n")
            .collect();
        let escaped = broken.replace('\n', "\\r\\n");
        for text in [text.clone(), broken, escaped, text.trim_end_matches('=').to_owned()] {
            let archive = Archive::parse(&text).unwrap();
            assert_eq!(archive.compose_file().unwrap(), ("docker-compose.yml", &b"services: {}\n"[..]));
            let paths: Vec<&str> = archive.items().map(|(path, _)| path).collect();
            assert_eq!(paths, ["conf", "conf/a", "conf/a/b.txt", "docker-compose.yml", "run.sh"]);
            let executable = |path: &str| {
                archive
                    .items()
                    .any(|(name, item)| name == path && matches!(item, Item::File { executable: true, .. }))
            };
            assert!(executable("run.sh") && !executable("docker-compose.yml"));
        }
    }
}

#[test]
fn long_paths_of_both_kinds() {
    let long = format!("{}/{}", "d".repeat(120), "f".repeat(120));
    let folder = folder(&[(&long, "x")]);
    for format in ["--format=gnu", "--format=pax"] {
        let archive = Archive::parse(&pack(folder.path(), &[format, "."])).unwrap();
        assert_eq!(archive.file(&long), Some(&b"x"[..]), "{format}");
    }
}

#[test]
fn compose_file_must_be_one_and_at_the_top() {
    let none = folder(&[("app/compose.yaml", "x")]);
    assert_eq!(
        Archive::parse(&pack(none.path(), &["."])).unwrap().compose_file(),
        Err(ArchiveError::NoCompose)
    );
    let two = folder(&[("compose.yaml", "x"), ("docker-compose.yaml", "x")]);
    assert_eq!(
        Archive::parse(&pack(two.path(), &["."])).unwrap().compose_file(),
        Err(ArchiveError::SeveralCompose)
    );
    for name in ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"] {
        let one = folder(&[(name, "x")]);
        assert_eq!(Archive::parse(&pack(one.path(), &["."])).unwrap().compose_file().unwrap().0, name);
    }
}

fn refused(text: &str) -> ArchiveError {
    Archive::parse(text).expect_err("must be refused")
}

/// The same about an entry: its code, number and path; the message names the number alone.
fn refused_entry(text: &str) -> (&'static str, usize, String) {
    let error = refused(text);
    let entry = error.entry().expect("an entry").clone();
    let said = error.to_string();
    assert!(said.contains(&format!("entry {} ", entry.number)) && !said.contains("/etc"), "{said}");
    (error.code().as_str(), entry.number, entry.path)
}

fn entry(code: &'static str, number: usize, path: &str) -> (&'static str, usize, String) {
    (code, number, path.to_owned())
}

#[test]
fn links_and_pipes_are_named_with_a_remedy_that_works() {
    let links = folder(&[("a", "x")]);
    symlink("a", links.path().join("b")).unwrap();
    let packed = pack(links.path(), &["a", "b"]);
    assert_eq!(refused_entry(&packed), entry("HPL06102E", 2, "b"));
    assert!(refused(&packed).to_string().ends_with("entry 2 is a symbolic link"));
    // With the first option alone the link becomes a hard link of what it names.
    let both = ["--dereference", "--hard-dereference"];
    assert!(
        both.iter().all(|option| refused(&packed).hint().contains(option)),
        "{}",
        refused(&packed).hint()
    );
    assert_eq!(refused_entry(&pack(links.path(), &["--dereference", "a", "b"])), entry("HPL06102E", 2, "b"));
    let mended = Archive::parse(&pack(links.path(), &[both[0], both[1], "a", "b"])).unwrap();
    assert_eq!(mended.file("b"), Some(&b"x"[..]));

    fs::remove_file(links.path().join("b")).unwrap();
    fs::hard_link(links.path().join("a"), links.path().join("b")).unwrap();
    // What helps against a symbolic link does not help here.
    for options in [&["a", "b"][..], &["--dereference", "a", "b"]] {
        let packed = pack(links.path(), options);
        assert_eq!(refused_entry(&packed), entry("HPL06102E", 2, "b"));
        assert!(refused(&packed).to_string().ends_with("entry 2 is a hard link"));
        assert!(refused(&packed).hint().contains("--hard-dereference"), "{}", refused(&packed).hint());
    }
    let mended = Archive::parse(&pack(links.path(), &["--hard-dereference", "a", "b"])).unwrap();
    assert_eq!(mended.file("b"), Some(&b"x"[..]));

    assert!(Command::new("mkfifo").arg(links.path().join("p")).status().unwrap().success());
    let packed = pack(links.path(), &["p"]);
    assert_eq!(refused_entry(&packed), entry("HPL06102E", 1, "p"));
    assert!(refused(&packed).hint().contains("remove the entry"), "{}", refused(&packed).hint());
}

#[test]
fn paths_that_leave() {
    let files = folder(&[("in/a", "x")]);
    let inside = files.path().join("in");
    let long = vec!["x".repeat(100); 11].join("/");
    for (options, path) in [
        (&["-P", "../in/a"][..], "../in/a"),
        (&["-P", "--transform=s,^a,/abs,", "a"], "/abs"),
        (&["-P", "--transform=s,^a,x/../../b,", "a"], "x/../../b"),
        (&["--transform=s,^a,new\\nline,", "a"], "newline"),
        (&[&format!("--transform=s,^a,{long},"), "a"], &long[..1024]),
    ] {
        assert_eq!(refused_entry(&pack(&inside, options)), entry("HPL06103E", 1, path));
    }
}

#[test]
fn duplicates() {
    let files = folder(&[("a", "x"), ("b", "y")]);
    for (transform, path) in [("s,b,a,", "a"), ("s,b,a/b,", "a/b"), ("s,a,b/a,", "b")] {
        let packed = pack(files.path(), &[&format!("--transform={transform}"), "a", "b"]);
        assert_eq!(refused_entry(&packed), entry("HPL06104E", 2, path));
    }
}

#[test]
fn what_is_refused_does_not_hide_the_rest_from_the_author() {
    let files = folder(&[("a", "x"), ("c", "z")]);
    fs::hard_link(files.path().join("a"), files.path().join("b")).unwrap();
    symlink("/nowhere", files.path().join("d")).unwrap();
    let (archive, refused) = Archive::remains(&pack(files.path(), &["a", "b", "d", "c"])).unwrap();
    let paths: Vec<&str> = archive.items().map(|(path, _)| path).collect();
    assert_eq!(paths, ["a", "c"]);
    let names: Vec<&str> = refused.iter().map(|error| error.entry().unwrap().path.as_str()).collect();
    assert_eq!(names, ["b", "d"]);
    assert_eq!(Archive::remains("@@@@").unwrap_err(), ArchiveError::Base64);
}

#[test]
fn streams_that_are_none() {
    assert_eq!(refused("@@@@"), ArchiveError::Base64);
    assert_eq!(refused(""), ArchiveError::Stream);
    assert_eq!(refused(&encode(b"plain text, no gzip at all")), ArchiveError::Stream);
    let files = folder(&[("a", "x")]);
    let good = base64::engine::general_purpose::STANDARD.decode(pack(files.path(), &["."])).unwrap();
    assert_eq!(refused(&encode(&good[..good.len() - 9])), ArchiveError::Stream);
    let mut longer = good.clone();
    longer.extend(b"more");
    assert_eq!(refused(&encode(&longer)), ArchiveError::Stream);
    let mut flipped = good.clone();
    let last = flipped.len() - 6;
    flipped[last] ^= 1;
    assert_eq!(refused(&encode(&flipped)), ArchiveError::Stream);
}

#[test]
fn the_size_limit_from_both_sides() {
    // tar pads to 10 KiB records: leave room for one header and the end.
    let files = folder(&[]);
    let write = |size: usize| fs::File::create(files.path().join("a")).unwrap().set_len(size as u64).unwrap();
    write(MAX_BYTES - 20 * 1024);
    assert!(Archive::parse(&pack(files.path(), &["a"])).is_ok());
    write(MAX_BYTES);
    assert_eq!(refused(&pack(files.path(), &["a"])), ArchiveError::TooLarge);
}

#[test]
fn the_entry_limit_from_both_sides() {
    let files = folder(&[]);
    for number in 0..MAX_ENTRIES {
        fs::write(files.path().join(number.to_string()), "").unwrap();
    }
    // The packed folder itself is an entry of the tar, so name the files.
    let names: Vec<String> = (0..MAX_ENTRIES).map(|number| number.to_string()).collect();
    let mut arguments: Vec<&str> = names.iter().map(String::as_str).collect();
    assert!(Archive::parse(&pack(files.path(), &arguments)).is_ok());
    fs::write(files.path().join("more"), "").unwrap();
    arguments.push("more");
    assert_eq!(refused(&pack(files.path(), &arguments)), ArchiveError::TooManyEntries);
}
