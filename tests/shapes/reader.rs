//! The shapes of published workloads, as they lie beside this file: what is beside the archive in the workload section
//! (`workload.yaml`), the deployer's variables (`env.yaml`, perhaps), the files of the archive (`compose/` or `play/`),
//! and a line that each container prints (`lines`: the name in the log, then how the line begins).
//!
//! `@registry@` and `@digest@` stand for the registry and the 64 digits of an image's digest; `@archive@` for the archive.

use std::path::{Path, PathBuf};
use std::process::Command;

/// One of them.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// The folder's name.
    pub(crate) name: String,
    folder: PathBuf,
}

/// Every shape, by name.
pub(crate) fn all() -> Vec<Shape> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut above = package.ancestors().map(|folder| folder.join("tests/shapes"));
    let entries = std::fs::read_dir(above.find(|folder| folder.is_dir()).unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    let name = |folder: &Path| folder.file_name().unwrap().to_str().unwrap().to_owned();
    folders.into_iter().map(|folder| Shape { name: name(&folder), folder }).collect()
}

impl Shape {
    /// The shape's own part of the workload section.
    pub(crate) fn workload(&self, registry: &str, digest: &str) -> String {
        let text = self.text("workload.yaml").unwrap();
        let text = if text.contains("@archive@") {
            text.replace("@archive@", &self.archive(registry, digest))
        } else {
            text
        };
        filled(&text, registry, digest)
    }

    /// The shape's own part of the env section.
    pub(crate) fn env(&self) -> String {
        self.text("env.yaml").unwrap_or_default()
    }

    /// A container's name in the log and how a line of it begins.
    pub(crate) fn lines(&self) -> Vec<(String, String)> {
        let text = self.text("lines").unwrap();
        let pair = |line: &str| line.split_once(' ').map(|(name, text)| (name.to_owned(), text.to_owned()));
        text.lines().map(|line| pair(line).unwrap()).collect()
    }

    /// The content of a file, if it is there.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.path(name)).ok()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The repositories of its images.
    pub(crate) fn repositories(&self) -> Vec<String> {
        let mut texts = vec![self.text("workload.yaml").unwrap()];
        for folder in ["compose", "play"].map(|name| self.path(name)).into_iter().filter(|path| path.is_dir())
        {
            let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            texts.extend(
                files.filter(|path| path.is_file()).map(|path| std::fs::read_to_string(path).unwrap()),
            );
        }
        let all = texts.concat();
        let after = all.match_indices("/shapes/").map(|(place, _)| &all[place + 1..]);
        let name = |rest: &str| rest.split([':', '@', '"', '\n']).next().map(str::to_owned);
        after.filter_map(name).collect()
    }

    /// The archive, as the documents' commands make it.
    fn archive(&self, registry: &str, digest: &str) -> String {
        let made = tempfile::tempdir().unwrap();
        let from = ["compose", "play"].map(|name| self.path(name)).into_iter().find(|path| path.is_dir());
        copied(&from.unwrap(), made.path(), &|text| filled(text, registry, digest));
        let script = self.folder.join("../../../qemu/party/archive");
        let packed = Command::new("/usr/bin/bash").arg(script).arg(made.path()).output().unwrap();
        assert!(packed.status.success(), "{}", String::from_utf8_lossy(&packed.stderr));
        String::from_utf8(packed.stdout).unwrap()
    }
}

fn filled(text: &str, registry: &str, digest: &str) -> String {
    text.replace("@registry@", registry).replace("@digest@", digest)
}

fn copied(from: &Path, to: &Path, change: &dyn Fn(&str) -> String) {
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            std::fs::create_dir(&target).unwrap();
            copied(&path, &target, change);
        } else {
            std::fs::write(&target, change(&std::fs::read_to_string(&path).unwrap())).unwrap();
        }
    }
}
