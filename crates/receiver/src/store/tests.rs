use std::fs;

use super::*;

fn store(folder: &Path, segment: u64, keep: Option<usize>) -> Store {
    Store::open(folder, segment, keep).unwrap()
}

/// All that the folder holds, in order.
fn content(folder: &Path) -> String {
    list(folder).unwrap().iter().map(|segment| fs::read_to_string(&segment.path).unwrap()).collect()
}

#[test]
fn lines_are_kept_over_files_and_openings() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records");
    for round in 0..3 {
        let store = store(&path, 64, None);
        for line in 0..10 {
            let mark = store.append(format!("line {round} {line}\n").as_bytes()).unwrap();
            store.sync(mark).unwrap();
        }
    }
    let lines: Vec<String> = content(&path).lines().map(str::to_owned).collect();
    let expected: Vec<String> = (0..30).map(|n| format!("line {} {}", n / 10, n % 10)).collect();
    assert_eq!(lines, expected);
    assert!(list(&path).unwrap().len() > 3);
    assert!(list(&path).unwrap().iter().all(|file| fs::metadata(&file.path).unwrap().len() <= 64));
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn only_so_many_files_are_kept_where_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 10, Some(2));
    for line in 0..9 {
        store.append(format!("line {line}\n").as_bytes()).unwrap();
    }
    assert_eq!(content(folder.path()), "line 7\nline 8\n");
}

#[test]
fn an_unfinished_line_is_taken_back() {
    for (left, kept) in
        [("a\nb\nhalf", "a\nb\n"), ("half", ""), ("a\n", "a\n"), ("", ""), ("a\n\0\0\0", "a\n")]
    {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("records-00000007.jsonl"), left).unwrap();
        let store = store(folder.path(), SEGMENT, None);
        store.append(b"next\n").unwrap();
        assert_eq!(content(folder.path()), format!("{kept}next\n"), "{left:?}");
    }
    // Longer than is looked at at once.
    let folder = tempfile::tempdir().unwrap();
    let long = format!("whole\n{}", "x".repeat(200_000));
    fs::write(folder.path().join("records-00000001.jsonl"), long).unwrap();
    drop(store(folder.path(), SEGMENT, None));
    assert_eq!(content(folder.path()), "whole\n");
}

#[test]
fn a_second_receiver_on_the_folder_is_refused_while_the_first_lives() {
    let folder = tempfile::tempdir().unwrap();
    let first = store(folder.path(), SEGMENT, None);
    let second = Store::open(folder.path(), SEGMENT, None).unwrap_err();
    assert!(matches!(&second, StoreError::Taken(path) if path == folder.path()), "{second}");
    drop(first);
    store(folder.path(), SEGMENT, None);
}

#[test]
fn a_file_that_fails_to_sync_is_left_and_no_mark_in_it_counts() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), SEGMENT, None);
    let before = store.append(b"before\n").unwrap();
    store.sync(before).unwrap();
    // A pipe cannot be synced: the kernel says EINVAL, as a failing disk says EIO.
    let (_reader, pipe) = nix::unistd::pipe().unwrap();
    let lost = {
        let mut writer = held(&store.writer);
        writer.file = File::from(pipe);
        writer.mark.through += 5;
        writer.mark
    };
    assert!(matches!(store.sync(lost), Err(StoreError::File { .. })));
    // Asked again it does not say that all is well.
    assert!(matches!(store.sync(lost), Err(StoreError::Lost)));
    let after = store.append(b"after\n").unwrap();
    store.sync(after).unwrap();
    assert_eq!(content(folder.path()), "before\nafter\n");
}
