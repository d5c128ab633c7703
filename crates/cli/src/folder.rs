//! The folder of plain files that `new` makes, `check` checks and `pack` packs.
//!
//! ```text
//! workload.yaml      the workload section, without the archive
//! env.yaml           the env section
//! compose/ or play/  what becomes the archive
//! ```

use std::path::Path;

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_contract::archive::{MAX_BYTES, MAX_ENTRIES};
use countersign_contract::place::SectionName;
use countersign_contract::refusal::Finding;
use countersign_contract::yaml::MAX_BYTES as MAX_SECTION;
use countersign_crypto::secret::SectionText;
use flate2::{Compression, GzBuilder};
use zeroize::Zeroizing;

use crate::assemble::{self, Packed};
use crate::files;

/// Folders that become an archive, by the name of the field.
const ARCHIVES: [&str; 2] = ["compose", "play"];

/// Both sections, complete.
#[derive(Debug)]
pub(crate) struct Folder {
    workload: SectionText,
    env: SectionText,
    /// Lines of `workload.yaml` and of `env.yaml`; the sections' texts have more.
    lines: [usize; 2],
    refusals: Vec<(SectionName, Finding)>,
}

impl Folder {
    /// Reads the folder and archives what is to be archived.
    ///
    /// # Errors
    /// Files that cannot be read, and what an archive may not hold. What is wrong with the sections is for the
    /// contract's own reader.
    pub(crate) fn read(folder: &Path) -> Result<Folder> {
        Folder::read_with(folder, None)
    }

    /// The same, with a certificate, PEM, that becomes the signingKey of the env section.
    ///
    /// # Errors
    /// As above.
    pub(crate) fn read_with(folder: &Path, certificate: Option<&str>) -> Result<Folder> {
        let own = section(&folder.join("workload.yaml"))?;
        let mut packed = Vec::new();
        for name in ARCHIVES {
            let content = folder.join(name);
            if content.is_dir() {
                let archive = archive(&content).with_context(|| content.display().to_string())?;
                packed.push(Packed { name, archive });
            }
        }
        let written = section(&folder.join("env.yaml"))?;
        let mut refusals = Vec::new();
        let env = match assemble::sign_with(&written, certificate) {
            Ok(env) => env,
            Err(finding) => {
                refusals.push((SectionName::Env, finding));
                written.clone()
            }
        };
        let workload = match assemble::assemble(&own, &packed) {
            Ok(workload) => workload,
            Err(finding) => {
                refusals.push((SectionName::Workload, finding));
                own.clone()
            }
        };
        Ok(Folder {
            workload: SectionText::copy_from(&workload),
            env: SectionText::copy_from(&env),
            lines: [own.lines().count(), written.lines().count()],
            refusals,
        })
    }

    /// Why the files do not make this section; nothing else is said of it then.
    pub(crate) fn refusal(&self, name: SectionName) -> Option<&Finding> {
        self.refusals.iter().find(|(section, _)| *section == name).map(|(_, finding)| finding)
    }

    /// Whether the user has written this line of a section's text.
    pub(crate) fn is_written(&self, section: SectionName, line: u32) -> bool {
        let [workload, env] = self.lines;
        let lines = match section {
            SectionName::Workload => workload,
            SectionName::Env => env,
        };
        usize::try_from(line).is_ok_and(|line| line <= lines)
    }

    /// The text of the workload section.
    pub(crate) fn workload(&self) -> &SectionText {
        &self.workload
    }

    /// The text of the env section.
    pub(crate) fn env(&self) -> &SectionText {
        &self.env
    }

    /// A copy of the text of the workload section.
    pub(crate) fn workload_text(&self) -> SectionText {
        SectionText::copy_from(self.workload.expose())
    }

    /// A copy of the text of the env section.
    pub(crate) fn env_text(&self) -> SectionText {
        SectionText::copy_from(self.env.expose())
    }
}

/// The text of a section, without a byte order mark.
fn section(path: &Path) -> Result<Zeroizing<String>> {
    let text = files::text(Some(path))?;
    if text.len() > MAX_SECTION {
        bail!("{}: expected at most {MAX_SECTION} bytes", path.display());
    }
    Ok(Zeroizing::new(text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned()))
}

/// Base64 of the gzipped tar of a folder: the same bytes for the same files, wherever and whenever.
fn archive(folder: &Path) -> Result<String> {
    let mut paths = Vec::new();
    collect(folder, Path::new(""), &mut paths)?;
    paths.sort();
    // Time and system are left out of the gzip header.
    let packed = GzBuilder::new().write(Vec::new(), Compression::best());
    let mut tape = tar::Builder::new(packed);
    let mut total = 0_usize;
    for path in &paths {
        let file = folder.join(path);
        let metadata = file.metadata().with_context(|| path.clone())?;
        let content = if metadata.is_dir() {
            Zeroizing::new(Vec::new())
        } else {
            Zeroizing::new(std::fs::read(&file).with_context(|| path.clone())?)
        };
        total += content.len();
        if total > MAX_BYTES {
            bail!("expected at most {MAX_BYTES} bytes in all files");
        }
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(if metadata.is_dir() {
            tar::EntryType::Directory
        } else {
            tar::EntryType::Regular
        });
        header.set_mode(mode(&metadata));
        header.set_size(content.len() as u64);
        tape.append_data(&mut header, path, content.as_slice()).with_context(|| path.clone())?;
    }
    Ok(STANDARD.encode(tape.into_inner()?.finish()?))
}

/// Of the mode only whether the owner may execute is kept; the guest keeps no more.
fn mode(metadata: &std::fs::Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    if metadata.is_dir() || metadata.permissions().mode() & 0o100 != 0 { 0o755 } else { 0o644 }
}

/// The paths of all files and folders below `folder/at`, relative to `folder`.
fn collect(folder: &Path, at: &Path, paths: &mut Vec<String>) -> Result<()> {
    for entry in std::fs::read_dir(folder.join(at))? {
        let entry = entry?;
        let path = at.join(entry.file_name());
        let kind = entry.file_type()?;
        let Some(name) = path.to_str() else { bail!("expected file names in UTF-8") };
        if !kind.is_file() && !kind.is_dir() {
            bail!("{name}: expected regular files and folders only");
        }
        paths.push(name.to_owned());
        if paths.len() > MAX_ENTRIES {
            bail!("expected at most {MAX_ENTRIES} files and folders");
        }
        if kind.is_dir() {
            collect(folder, &path, paths)?;
        }
    }
    Ok(())
}
