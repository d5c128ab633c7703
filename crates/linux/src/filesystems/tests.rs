//! File systems made on plain files and read by the programs of e2fsprogs; mounts in a private name space.

use super::*;
use std::process::Command;

/// Gives the calling thread mounts of its own; `false` where the tests have no right to, as a plain user.
pub(in super::super) fn in_private_mounts() -> bool {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: mounting needs root");
        return false;
    }
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).unwrap();
    true
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    (folder, path)
}

fn superblock(device: &Path) -> String {
    let output = Command::new("/usr/sbin/dumpe2fs").arg("-h").arg(device).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn made(label: &str, durability: Durability) -> (tempfile::NamedTempFile, String) {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(64 << 20).unwrap();
    Linux::new().make(FsType::Ext4, file.path(), label, durability).unwrap();
    let check = Command::new("/usr/sbin/e2fsck").args(["-f", "-n"]).arg(file.path()).output().unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
    let text = superblock(file.path());
    (file, text)
}

#[test]
fn a_persistent_ext4_has_a_journal_and_checksums() {
    let (_file, text) = made("data", Durability::Persistent);
    let features = text.lines().find(|line| line.starts_with("Filesystem features:")).unwrap();
    for feature in ["has_journal", "metadata_csum", "64bit", "extent"] {
        assert!(features.contains(feature), "{features}");
    }
    assert!(text.lines().any(|line| line.split_whitespace().eq(["Block", "size:", "4096"])), "{text}");
    assert!(text.contains("Remount read-only"), "{text}");
    assert!(text.lines().any(|l| l.starts_with("Filesystem volume name:") && l.ends_with(" data")), "{text}");
}

#[test]
fn a_scratch_ext4_has_none_and_a_long_label_is_cut() {
    let (_file, text) = made("a-label-of-more-than-sixteen-bytes", Durability::Scratch);
    assert!(!text.contains("has_journal"), "{text}");
    // Nothing but the one superblock: what was not written cannot be read.
    assert!(text.contains("sparse_super2") && !text.contains("Backup superblock"), "{text}");
    assert!(text.contains(" a-label-of-more-\n"), "{text}");
    let gib = |size: u64| bytes_per_inode(Durability::Scratch, size << 30);
    assert_eq!([1, 8, 16, 24, 32, 100].map(gib), [32768, 32768, 32768, 49152, 65536, 65536]);
    assert_eq!(cut("ääää", 5), "ää");
    assert_eq!(cut("ab", 5), "ab");
}

#[test]
fn a_missing_program_is_named_and_what_cannot_be_made_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error =
        Linux::new().make(FsType::Erofs, file.path(), "", Durability::Scratch).unwrap_err().to_string();
    assert_eq!(error, "make file system erofs: expected ext4, xfs or btrfs");
    for (filesystem, program) in [(FsType::Xfs, "mkfs.xfs"), (FsType::Btrfs, "mkfs.btrfs")] {
        assert_eq!(recipe(filesystem, "data", Durability::Persistent, 1 << 30).unwrap().0, program);
        if programs::find(program).is_err() {
            let error = Linux::new().make(filesystem, file.path(), "", Durability::Persistent).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
            assert!(error.to_string().contains(program), "{error}");
        }
    }
}

#[test]
fn xfs_and_btrfs_are_made_on_the_least_room_that_the_plan_gives_them() {
    // The least disk of each, less 118 MiB of partitions and header; read by the programs that came with them.
    for (filesystem, mib, words) in [
        (FsType::Xfs, 448 - 118, &["xfs_db", "-r", "-c", "label"][..]),
        (FsType::Btrfs, 256 - 118, &["btrfs", "filesystem", "label"]),
    ] {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(mib << 20).unwrap();
        Linux::new().make(filesystem, file.path(), "data", Durability::Persistent).unwrap();
        let output = Command::new(words[0]).args(&words[1..]).arg(file.path()).output().unwrap();
        assert!(String::from_utf8_lossy(&output.stdout).contains("data"), "{output:?}");
    }
}

#[test]
fn mke2fs_says_why_it_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error =
        Linux::new().make(FsType::Ext4, file.path(), "data", Durability::Persistent).unwrap_err().to_string();
    assert!(error.contains("mke2fs") && error.contains("exit status 1: "), "{error}");
}

/// The mount options of the file system mounted at `target`, as this thread sees it.
fn options(target: &Path) -> Vec<String> {
    let text = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    let line = text.lines().rev().find(|line| line.split(' ').nth(4) == target.to_str()).unwrap();
    line.split(' ').nth(5).unwrap().split(',').map(str::to_owned).collect()
}

#[test]
fn mounts_carry_their_flags_and_leave_again() {
    if !in_private_mounts() {
        return;
    }
    let machine = Linux::new();
    let (_folder, root) = folder();
    let closed = MountFlags { nosuid: true, nodev: true, ..MountFlags::default() };
    let memory = root.join("new/memory");
    machine.mount(FsType::Tmpfs, Path::new(""), &memory, closed).unwrap();
    assert!(["nosuid", "nodev"].iter().all(|o| options(&memory).contains(&(*o).to_owned())));
    assert!(!options(&memory).contains(&"noexec".to_owned()));
    fs::write(memory.join("file"), "x").unwrap();

    let read_only = MountFlags { read_only: true, noexec: true, ..closed };
    let bound = root.join("bound");
    machine.bind(&memory, &bound, read_only).unwrap();
    assert!(["ro", "noexec"].iter().all(|o| options(&bound).contains(&(*o).to_owned())));
    assert_eq!(fs::write(bound.join("other"), "").unwrap_err().raw_os_error(), Some(libc::EROFS));
    let bound_file = root.join("bound-file");
    machine.bind(&memory.join("file"), &bound_file, read_only).unwrap();
    assert_eq!(fs::read(&bound_file).unwrap(), b"x");

    machine.unmount(&bound_file).unwrap();
    machine.unmount(&bound).unwrap();
    let moved = root.join("moved");
    machine.move_mount(&memory, &moved).unwrap();
    assert_eq!(fs::read(moved.join("file")).unwrap(), b"x");
    machine.unmount(&moved).unwrap();
    assert!(!moved.join("file").exists());
    assert!(machine.unmount(&moved).is_err());
}

#[test]
fn a_mount_point_behind_a_link_is_refused() {
    if !in_private_mounts() {
        return;
    }
    let (_folder, root) = folder();
    let (_elsewhere, elsewhere) = folder();
    std::os::unix::fs::symlink(&elsewhere, root.join("link")).unwrap();
    let flags = MountFlags::default();
    let error = Linux::new().mount(FsType::Tmpfs, Path::new(""), &root.join("link/deep"), flags).unwrap_err();
    assert!(files::tests::is_link_refusal(&error), "{error}");
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
}
