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
const MANIFEST: &str = "image.json";

/// Above any PEM text of an RSA key and any manifest.
const MAXIMUM_SIZE: u64 = 64 * 1024;

impl ImageFiles for Linux {
    fn image_key(&self) -> Result<SecretBytes> {
        let path = self.paths.configuration.join(IMAGE_KEY);
        let content =
            read(&path).map_err(|e| SystemError::io("read image key", path.display().to_string(), e))?;
        Ok(SecretBytes::copy_from(&content))
    }

    fn manifest(&self) -> Result<Vec<u8>> {
        let path = self.paths.configuration.join(MANIFEST);
        let mut content =
            read(&path).map_err(|e| SystemError::io("read image manifest", path.display().to_string(), e))?;
        Ok(std::mem::take(&mut *content))
    }

    fn forget_image_key(&self) -> Result<()> {
        let path = self.paths.configuration.join(IMAGE_KEY);
        // One that is not there was forgotten before.
        files::erase(&path).map_err(|e| SystemError::io("forget image key", path.display().to_string(), e))
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
    fn the_manifest_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let machine = Linux::with_paths(Paths { configuration: folder.path().into(), ..Paths::default() });
        fs::write(folder.path().join(MANIFEST), vec![b' '; MAXIMUM_SIZE as usize]).unwrap();
        assert_eq!(machine.manifest().unwrap().len(), MAXIMUM_SIZE as usize);
        fs::write(folder.path().join(MANIFEST), vec![b' '; MAXIMUM_SIZE as usize + 1]).unwrap();
        assert_eq!(machine.manifest().unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}
