//! What the image builder sealed into the initramfs.
//!
//! The initramfs lives in guest memory (ramfs or tmpfs), so writing over a file writes over its pages. The archive that the
//! kernel unpacked it from is the kernel's to free, which overwrites it; the part with the key is not compressed
//! (`initramfs/add-key`), since buffers of decompression are freed as they are, and ends with a page.

use std::fs::File;
use std::io::{self, Read};

use countersign_crypto::secret::SecretBytes;
use zeroize::Zeroizing;

use super::{Linux, files};
use countersign_ports::ImageFiles;
use countersign_ports::error::{Result, SystemError};

const IMAGE_KEY: &str = "image-key.pem";
const ATTESTATION_KEY: &str = "attestation-key.pem";
const ATTESTATION_CERTIFICATE: &str = "attestation.crt";
const MANIFEST: &str = "image.json";
const BUILD_MANIFEST: &str = "build-manifest.json";

/// Above any PEM text of an RSA key and any manifest.
const MAXIMUM_SIZE: u64 = 64 * 1024;

impl ImageFiles for Linux {
    fn image_key(&self) -> Result<SecretBytes> {
        self.image_file("read image key", IMAGE_KEY).map(|content| SecretBytes::copy_from(&content))
    }

    fn manifest(&self) -> Result<Vec<u8>> {
        self.image_file("read image manifest", MANIFEST).map(|mut content| std::mem::take(&mut *content))
    }

    fn attestation_key(&self) -> Result<SecretBytes> {
        let content = self.image_file("read attestation key", ATTESTATION_KEY)?;
        Ok(SecretBytes::copy_from(&content))
    }

    fn attestation_certificate(&self) -> Result<Vec<u8>> {
        let mut content = self.image_file("read attestation certificate", ATTESTATION_CERTIFICATE)?;
        Ok(std::mem::take(&mut *content))
    }

    fn build_manifest(&self) -> Result<Option<Vec<u8>>> {
        match self.image_file("read build manifest", BUILD_MANIFEST) {
            Ok(mut content) => Ok(Some(std::mem::take(&mut *content))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn forget_attestation_key(&self) -> Result<()> {
        self.forget("forget attestation key", ATTESTATION_KEY)
    }

    fn forget_image_key(&self) -> Result<()> {
        self.forget("forget image key", IMAGE_KEY)
    }
}

impl Linux {
    fn image_file(&self, operation: &'static str, name: &str) -> Result<Zeroizing<Vec<u8>>> {
        let path = self.paths.configuration.join(name);
        read(&path).map_err(|e| SystemError::io(operation, path.display().to_string(), e))
    }

    fn forget(&self, operation: &'static str, name: &str) -> Result<()> {
        let path = self.paths.configuration.join(name);
        // One that is not there was forgotten before.
        files::erase(&path).map_err(|e| SystemError::io(operation, path.display().to_string(), e))
    }
}

/// The whole file, allocated once at its size, so that no shorter copy stays behind.
fn read(path: &std::path::Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    if size > MAXIMUM_SIZE {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "expected at most 64 KiB"));
    }
    let mut content = Zeroizing::new(vec![0; size as usize]);
    file.read_exact(&mut content)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::super::Paths;
    use super::*;
    use std::fs;
    use std::os::unix::fs::FileExt;

    #[test]
    fn the_key_is_read_then_overwritten_in_place_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let machine = Linux::with_paths(Paths { configuration: folder.path().into(), ..Paths::default() });
        assert_eq!(machine.image_key().unwrap_err().kind(), io::ErrorKind::NotFound);

        let path = folder.path().join(IMAGE_KEY);
        fs::write(&path, "canary").unwrap();
        assert_eq!(machine.image_key().unwrap().expose(), b"canary");

        let still_open = File::open(&path).unwrap();
        machine.forget_image_key().unwrap();
        assert!(!path.exists());
        let mut left = [1u8; 6];
        still_open.read_exact_at(&mut left, 0).unwrap();
        assert_eq!(left, [0; 6]);
        // A boot that fails after `verify` asks once more; any other error is one.
        machine.forget_image_key().unwrap();
        fs::create_dir(&path).unwrap();
        machine.forget_image_key().unwrap_err();
    }

    #[test]
    fn the_attestation_key_is_forgotten_alone_and_a_build_manifest_may_be_absent() {
        let folder = tempfile::tempdir().unwrap();
        let machine = Linux::with_paths(Paths { configuration: folder.path().into(), ..Paths::default() });
        assert_eq!(machine.build_manifest().unwrap(), None);
        let error = machine.attestation_certificate().unwrap_err();
        assert!(error.to_string().starts_with("read attestation certificate "), "{error}");
        for name in [IMAGE_KEY, ATTESTATION_KEY, ATTESTATION_CERTIFICATE, BUILD_MANIFEST] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        assert_eq!(machine.attestation_key().unwrap().expose(), ATTESTATION_KEY.as_bytes());
        assert_eq!(machine.attestation_certificate().unwrap(), ATTESTATION_CERTIFICATE.as_bytes());
        assert_eq!(machine.build_manifest().unwrap().unwrap(), BUILD_MANIFEST.as_bytes());
        machine.forget_attestation_key().unwrap();
        machine.forget_attestation_key().unwrap();
        machine.attestation_key().unwrap_err();
        machine.image_key().unwrap();
    }

    #[test]
    fn the_manifest_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let machine = Linux::with_paths(Paths { configuration: folder.path().into(), ..Paths::default() });
        fs::write(folder.path().join(MANIFEST), vec![b' '; MAXIMUM_SIZE as usize]).unwrap();
        assert_eq!(machine.manifest().unwrap().len(), MAXIMUM_SIZE as usize);
        fs::write(folder.path().join(MANIFEST), vec![b' '; MAXIMUM_SIZE as usize + 1]).unwrap();
        assert_eq!(machine.manifest().unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}
