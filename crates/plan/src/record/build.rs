//! The build manifest, as far as a record needs it: digests of what an image is made of.
//!
//! `qemu/build` writes it beside the image and the image builder seals it in with the keys. Its whole form is described by
//! `crates/cli/schema/build-manifest.schema.json`; what is not needed here is not read, so that a manifest that says more
//! is still one.

use serde::Deserialize;

use countersign_crypto::digest;

/// What an image is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildManifest {
    /// Version of the image.
    pub version: String,
    /// Root hash of the guest OS, hexadecimal.
    pub root_hash: String,
    /// SHA-256 of the kernel, hexadecimal.
    pub kernel: String,
    /// SHA-256 of the initramfs without keys, hexadecimal.
    pub initramfs: String,
    /// SHA-256 of the program, hexadecimal.
    pub countersignd: String,
    /// SHA-256 of the bill of materials, hexadecimal.
    pub sbom: String,
    /// SHA-256 of the manifest itself, hexadecimal.
    pub digest: String,
}

#[derive(Deserialize)]
struct Text {
    format: u32,
    version: String,
    root_hash: String,
    files: Files,
}

#[derive(Deserialize)]
struct Files {
    kernel: File,
    initramfs: File,
    countersignd: File,
    sbom: File,
}

#[derive(Deserialize)]
struct File {
    sha256: String,
}

impl BuildManifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// What was expected: the manifest is the builder's own text and holds no secret.
    pub fn parse(bytes: &[u8]) -> Result<BuildManifest, String> {
        let text: Text = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if text.format != 1 {
            return Err(format!("expected a build manifest of format 1, found {}", text.format));
        }
        let Files { kernel, initramfs, countersignd, sbom } = text.files;
        let manifest = BuildManifest {
            version: text.version,
            root_hash: text.root_hash,
            kernel: kernel.sha256,
            initramfs: initramfs.sha256,
            countersignd: countersignd.sha256,
            sbom: sbom.sha256,
            digest: digest::sha256_hex(bytes),
        };
        let BuildManifest { root_hash, kernel, initramfs, countersignd, sbom, .. } = &manifest;
        let digests = [root_hash, kernel, initramfs, countersignd, sbom];
        if digests.iter().all(|digest| is_digest(digest)) {
            Ok(manifest)
        } else {
            Err("expected digests of 64 to 128 hexadecimal digits in the build manifest".to_owned())
        }
    }
}

/// Lower-case hexadecimal digits of SHA-256, SHA-384 or SHA-512.
pub(super) fn is_digest(text: &str) -> bool {
    matches!(text.len(), 64 | 96 | 128)
        && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_read_and_a_broken_one_refused() {
        let file = |letter: &str| format!(r#"{{"name":"x","size":1,"sha256":"{}"}}"#, letter.repeat(64));
        let text = format!(
            r#"{{"format":1,"engine":"podman","version":"0.1.0","root_hash":"{}","files":{{"kernel":{},"initramfs":{},
            "countersignd":{},"sbom":{},"more":{{}}}}}}"#,
            "e".repeat(128),
            file("a"),
            file("b"),
            file("c"),
            file("d")
        );
        let manifest = BuildManifest::parse(text.as_bytes()).unwrap();
        assert_eq!((manifest.kernel, manifest.sbom), ("a".repeat(64), "d".repeat(64)));
        assert_eq!(manifest.digest, digest::sha256_hex(text.as_bytes()));
        for (from, to) in [("\"format\":1", "\"format\":2"), ("eee", "EEE"), ("\"kernel\"", "\"colonel\"")] {
            BuildManifest::parse(text.replace(from, to).as_bytes()).unwrap_err();
        }
    }
}
