//! `seal`: parts and host key documents in, image and signed sealing manifest out.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use countersign_crypto::digest::sha256;
use countersign_crypto::private_key::PrivateKey;
use countersign_plan::guest_os::image::ImageManifest;
use countersign_ultravisor::document::{Certificate, HostKey, HostKeyDocument, Issuers, RevocationList};
use countersign_ultravisor::image::{BootLoader, Dumping, Parts, Rules, seal};
use countersign_ultravisor::key::CommunicationKey;
use countersign_ultravisor::manifest::{
    Accepts, Build, BuiltFile, Described, Hexadecimal, Machine, Sealing, sign,
};

use super::arguments::{self, Seal};
use super::{beside, whole};
use crate::answer::Answer;
use crate::{files, time};

pub(super) fn run(options: &Seal, out: &mut dyn Write) -> Result<Answer> {
    let now = time::at(options.at.as_deref())?;
    let key = files::small_text(&options.builder_key)?;
    let key = PrivateKey::parse(&key).with_context(|| options.builder_key.display().to_string())?;
    let hosts = hosts(&options.host_key, &options.issuers, now)?;
    let build_text = files::small(&options.build_manifest)?;
    let build = Build::parse(&build_text).with_context(|| options.build_manifest.display().to_string())?;
    let image_json = files::small(&options.image_json)?;
    let accepts = accepts(&image_json).with_context(|| options.image_json.display().to_string())?;
    let command_line = files::small_text(&options.command_line)?;
    let command_line = command_line.trim_end_matches('\n');

    let (kernel, initramfs) = (whole(&options.kernel)?, whole(&options.initramfs)?);
    let [stage3a, stage3b] =
        ["stage3a.bin", "stage3b_reloc.bin"].map(|name| whole(&options.boot_loader.join(name)));
    let (stage3a, stage3b) = (stage3a?, stage3b?);
    let loader =
        BootLoader::new(&stage3a, &stage3b).with_context(|| options.boot_loader.display().to_string())?;
    let rules = Rules {
        dumping: options.allow_dumping.as_deref().map_or(Ok(Dumping::Never), dumping)?,
        backup_host_keys: options.allow_backup_keys,
    };
    let parts = Parts { kernel: &kernel, initramfs: &initramfs, command_line };
    // Digests of what goes in are taken beside the sealing, those of what came out beside the writing: each reads all of it.
    let (built, sealed) = std::thread::scope(|scope| {
        let built = scope.spawn(|| {
            is_built(&kernel, &build.files.kernel, &options.kernel)?;
            is_built(&initramfs, &build.files.initramfs, &options.initramfs)
        });
        let sealed = seal(&parts, &loader, &hosts, rules);
        (built.join(), sealed)
    });
    built.map_err(|_| anyhow::anyhow!("a thread broke"))??;
    let sealed = sealed?;
    let machines: Vec<Machine> = hosts.iter().map(Machine::of).collect();
    let described = Described { sealed: now, machines, command_line, accepts, build_manifest: &build_text };
    let (written, text) = std::thread::scope(|scope| {
        let written = scope
            .spawn(|| files::write_result(&mut std::io::sink(), Some(&options.image), sealed.as_bytes()));
        let text = sealed.image().map(|image| Sealing::new(&image, described).to_text());
        (written.join(), text)
    });
    written.map_err(|_| anyhow::anyhow!("a thread broke"))??;
    let text = text??;
    let manifest = beside(&options.image, ".json");
    let signature = sign(text.as_bytes(), &key).with_context(|| options.builder_key.display().to_string())?;
    files::write_result(&mut std::io::sink(), Some(&manifest), text.as_bytes())?;
    files::write_result(&mut std::io::sink(), Some(&beside(&manifest, ".sig")), &signature)?;
    for host in &hosts {
        writeln!(out, "sealed to the machine with the host key {}", host.hash())?;
    }
    Ok(Answer::Yes)
}

/// The keys of the documents, once everybody above them and they themselves are checked.
fn hosts(documents: &[PathBuf], issuers: &arguments::Issuers, now: i64) -> Result<Vec<HostKey>> {
    let certificates = |paths: &[PathBuf]| -> Result<Vec<Certificate>> {
        let mut all = Vec::new();
        for path in paths {
            all.extend(
                Certificate::parse_all(&files::small(path)?).with_context(|| path.display().to_string())?,
            );
        }
        Ok(all)
    };
    let lists = issuers
        .crl
        .iter()
        .map(|path| RevocationList::parse(&files::small(path)?).with_context(|| path.display().to_string()))
        .collect::<Result<Vec<_>>>()?;
    let issuers =
        Issuers::new(&certificates(&issuers.root)?, &certificates(&issuers.certificate)?, lists, now)
            .context("who vouches for the host key documents")?;
    documents
        .iter()
        .map(|path| {
            let named = || path.display().to_string();
            let document = HostKeyDocument::parse(&files::small(path)?).with_context(named)?;
            issuers.check(&document).with_context(named)
        })
        .collect()
}

fn accepts(image_json: &[u8]) -> Result<Accepts> {
    let manifest = match ImageManifest::parse(image_json) {
        Ok(manifest) => manifest,
        Err(error) => bail!("expected image.json of this version: {error}"),
    };
    Ok(Accepts {
        image_json: Hexadecimal::new(sha256(image_json)),
        unsigned: manifest.unsigned.as_str().to_owned(),
        secure_execution: manifest.secure_execution.as_str().to_owned(),
    })
}

/// A part begins with what the build manifest says: all of a kernel, the base of an initramfs, behind which the keys are.
fn is_built(part: &[u8], built: &BuiltFile, path: &Path) -> Result<()> {
    let base = usize::try_from(built.size).ok().and_then(|size| part.get(..size));
    ensure!(
        base.is_some_and(|base| &sha256(base) == built.sha256.bytes()),
        "{}: expected {} of the build manifest (SHA-256 {}); build both together",
        path.display(),
        built.name,
        built.sha256
    );
    Ok(())
}

fn dumping(path: &Path) -> Result<Dumping> {
    let mut key = files::small(path)?;
    match CommunicationKey::take(&mut key) {
        Some(key) => Ok(Dumping::To(key)),
        None => bail!("{}: expected a key of 32 bytes, from openssl rand 32", path.display()),
    }
}
