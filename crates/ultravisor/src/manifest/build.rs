//! The build manifest, as `qemu/supply/bill` writes it (`countersign schema build-manifest`).

use serde::Deserialize;

use super::hexadecimal::Hexadecimal;
use super::{ManifestFault, Which, parse};

/// The form that is read.
const FORMAT: u32 = 1;

/// What an image is made of.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    format: u32,
    /// Container engine of the guest OS.
    pub engine: String,
    /// Version of the image.
    pub version: String,
    /// Date of every file in the image, seconds since 1970.
    pub epoch: u64,
    /// Commit of the sources.
    pub source: Source,
    /// The lock of all Debian packages.
    pub lock: Lock,
    /// `Cargo.lock`.
    pub cargo_lock: Digest,
    /// Of the guest OS's dm-verity tree, SHA-512.
    pub root_hash: Hexadecimal<64>,
    /// What was built.
    pub files: Files,
    /// The packages whose programs wrote the bytes.
    pub tools: Vec<Tool>,
}

/// Commit of the sources.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// `None` where they were no git checkout.
    pub revision: Option<String>,
    /// Whether a file differed from that commit.
    pub dirty: Option<bool>,
}

/// The lock of all Debian packages.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// `committed` or `renewed`.
    pub state: LockState,
    /// Its digest.
    pub sha256: Hexadecimal<32>,
}

/// Whether it was the committed lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LockState {
    /// It was.
    Committed,
    /// It was renewed, because a locked file was not to be had.
    Renewed,
}

/// A file's digest.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digest {
    /// SHA-256.
    pub sha256: Hexadecimal<32>,
}

/// A file that was built.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuiltFile {
    /// Without its folder.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256.
    pub sha256: Hexadecimal<32>,
}

/// The program `countersignd`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// Without its folder.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256.
    pub sha256: Hexadecimal<32>,
    /// False where it was handed in, so that `source` says nothing about it.
    pub built: bool,
}

/// What was built.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// The kernel.
    pub kernel: BuiltFile,
    /// The base initramfs, without keys.
    pub initramfs: BuiltFile,
    /// The program.
    pub countersignd: Program,
    /// The guest OS with its hash tree.
    pub os_image: BuiltFile,
    /// The constants in the base initramfs.
    pub image_json: BuiltFile,
    /// Bill of materials.
    pub sbom: BuiltFile,
    /// Licences of third parties.
    pub notices: BuiltFile,
}

/// A package whose programs wrote the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// Name.
    pub package: String,
    /// Version.
    pub version: String,
    /// Architecture.
    pub architecture: String,
    /// SHA-256 of its file.
    pub sha256: Hexadecimal<32>,
}

impl Build {
    /// Reads a build manifest.
    ///
    /// # Errors
    /// [`ManifestFault::Form`].
    pub fn parse(text: &[u8]) -> Result<Self, ManifestFault> {
        let build: Self = parse(Which::Build, text)?;
        if build.format != FORMAT {
            let message = format!("expected format {FORMAT}, found {}", build.format);
            return Err(ManifestFault::Form { which: Which::Build, message });
        }
        Ok(build)
    }
}
