//! The demo's container image for linux/s390x, in the OCI image layout, from a static busybox and `qemu/workload/image`.
//!
//! Follows the OCI image specification 1.0 (layout, manifest, configuration). One layer, made by the tar program with
//! fixed owners and times, so that the same inputs give the same digest.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{make_folder, read_text, write};
use crate::error::{Error, Result};
use crate::process::{run, text, tied};
use crate::profile::checkout;

/// Where the files of the layer come from and where they go, beside busybox itself.
const FILES: [(&str, &str); 2] = [("start", "bin/start"), ("cgi-bin/hello", "www/cgi-bin/hello")];

/// Writes the image layout to `folder`/layout and returns that path; its only image has the reference `latest`.
///
/// # Errors
/// [`Error::Missing`], [`Error::Io`] or [`Error::Program`].
pub fn layout(busybox: &Path, folder: &Path) -> Result<PathBuf> {
    crate::error::require([("busybox for s390x", busybox)])?;
    let blobs = make_folder(folder.join("layout/blobs/sha256"))?;
    let layout = folder.join("layout");
    let layer = layer(busybox, folder)?;
    // The configuration names the archive, the manifest its compressed form. Compressed here: a registry client
    // would do it on the way and change the digest.
    let archive_digest = sha256(&layer)?;
    let mut command = tied("gzip");
    command.args(["--no-name", "--stdout"]);
    let (layer_digest, layer_size) = blob(&blobs, &run(command, &layer)?)?;
    let config = json!({
        "architecture": "s390x",
        "os": "linux",
        "config": {
            "Entrypoint": ["/bin/start"],
            "Env": ["PATH=/bin"],
            "ExposedPorts": { "8080/tcp": {} },
            "WorkingDir": "/",
        },
        "rootfs": { "type": "layers", "diff_ids": [archive_digest] },
    });
    let (config_digest, config_size) = blob(&blobs, config.to_string().as_bytes())?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": config_digest,
            "size": config_size,
        },
        "layers": [{
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
            "digest": layer_digest,
            "size": layer_size,
        }],
    });
    let (digest, size) = blob(&blobs, manifest.to_string().as_bytes())?;
    let index = json!({
        "schemaVersion": 2,
        "manifests": [{
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": digest,
            "size": size,
            "platform": { "architecture": "s390x", "os": "linux" },
            "annotations": { "org.opencontainers.image.ref.name": "latest" },
        }],
    });
    write(&layout.join("index.json"), index.to_string())?;
    write(&layout.join("oci-layout"), json!({ "imageLayoutVersion": "1.0.0" }).to_string())?;
    Ok(layout)
}

/// Adds an index to a layout, with the reference `index`: it names the layout's one image and is a manifest of its own.
///
/// # Errors
/// [`Error::Io`], [`Error::Program`], or [`Error::Format`] for another layout.
pub fn add_index(layout: &Path) -> Result<()> {
    let path = layout.join("index.json");
    let no_layout = |_| Error::format(path.display().to_string(), "the index of a layout with one image");
    let mut top: Value = serde_json::from_str(&read_text(&path)?).map_err(no_layout)?;
    let mut image = top["manifests"][0].clone();
    if let Some(image) = image.as_object_mut() {
        image.remove("annotations");
    }
    let media_type = "application/vnd.oci.image.index.v1+json";
    let index = json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": [image] });
    let (digest, size) = blob(&layout.join("blobs/sha256"), index.to_string().as_bytes())?;
    let entry = json!({
        "mediaType": media_type,
        "digest": digest,
        "size": size,
        "annotations": { "org.opencontainers.image.ref.name": "index" },
    });
    if let Some(entries) = top["manifests"].as_array_mut() {
        entries.push(entry);
    }
    write(&path, top.to_string()).map(drop)
}

/// The layer as an uncompressed tar archive.
fn layer(busybox: &Path, folder: &Path) -> Result<Vec<u8>> {
    let root = folder.join("root");
    for name in ["bin", "data", "tmp", "www/cgi-bin"] {
        make_folder(root.join(name))?;
    }
    let install = |from: &Path, to: &str| -> Result<()> {
        let target = root.join(to);
        std::fs::copy(from, &target).map_err(Error::at(from))?;
        std::fs::set_permissions(&target, PermissionsExt::from_mode(0o755)).map_err(Error::at(&target))
    };
    install(busybox, "bin/busybox")?;
    for (from, to) in FILES {
        install(&checkout().join("qemu/workload/image").join(from), to)?;
    }
    // For whoever runs a command in the container; the scripts name busybox themselves.
    let shell = root.join("bin/sh");
    if !shell.exists() {
        symlink("busybox", &shell).map_err(Error::at(&shell))?;
    }
    let mut command = tied("tar");
    command.args(["--create", "--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0"]);
    command.arg("--directory").arg(&root).arg(".");
    run(command, b"")
}

/// Stores a blob under its digest.
fn blob(blobs: &Path, bytes: &[u8]) -> Result<(String, usize)> {
    let digest = sha256(bytes)?;
    write(&blobs.join(digest.trim_start_matches("sha256:")), bytes)?;
    Ok((digest, bytes.len()))
}

fn sha256(bytes: &[u8]) -> Result<String> {
    let mut command = tied("sha256sum");
    command.arg("-");
    let line = text(command, bytes)?;
    Ok(format!("sha256:{}", line.split(' ').next().unwrap_or_default()))
}
