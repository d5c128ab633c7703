//! Planted secrets, and the search for them where they must never be.
//!
//! A hit names the secret and the place, never the value. Besides a secret as it is, its hexadecimal and base64 forms
//! are looked for, and private keys are looked for line by line.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use aho_corasick::AhoCorasick;

use super::contract::base64;
use super::disk::extents;
use crate::error::{Error, Result};
use crate::process::{text, tied};

/// Anything shorter occurs by chance, in bytes.
const SHORTEST: usize = 8;

/// A secret that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// Name of the secret, and its form.
    pub name: String,
    /// Where it was found.
    pub file: PathBuf,
    /// First byte of it there.
    pub offset: u64,
}

/// The secrets of a world.
#[derive(Default)]
pub struct Canaries {
    planted: Vec<(String, Vec<u8>)>,
}

impl std::fmt::Debug for Canaries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.planted.iter().map(|(name, _)| name)).finish()
    }
}

impl Canaries {
    /// Remembers a secret in all its forms. One that is too short to be told from chance is left out.
    pub fn plant(&mut self, name: &str, secret: impl AsRef<[u8]>) {
        let secret = secret.as_ref();
        if secret.len() < SHORTEST {
            return;
        }
        let hex = |upper: bool| -> Vec<u8> {
            let digit = |b: &u8| if upper { format!("{b:02X}") } else { format!("{b:02x}") };
            secret.iter().map(digit).collect::<String>().into_bytes()
        };
        self.planted.push((name.to_owned(), secret.to_owned()));
        self.planted.push((format!("{name} in hex"), hex(false)));
        self.planted.push((format!("{name} in upper-case hex"), hex(true)));
        for lead in 0..3 {
            // At each alignment, without the characters that neighbours share.
            let text = base64(&[&vec![0; lead], secret].concat());
            let (first, last) = ((lead * 8).div_ceil(6), (lead + secret.len()) * 8 / 6);
            self.planted.push((format!("{name} in base64"), text.as_bytes()[first..last].to_vec()));
        }
    }

    /// Remembers every whole line of a PEM private key, and of an RSA key a part of a prime, as it stands in DER and in
    /// the memory of a big-endian machine.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Program`] when openssl does not read the key.
    pub fn plant_key(&mut self, name: &str, path: &Path) -> Result<()> {
        let pem = super::read_text(path)?;
        for (number, line) in pem.lines().enumerate().filter(|(_, line)| !line.starts_with("-----")) {
            if line.len() >= 2 * SHORTEST {
                self.planted.push((format!("{name}, line {}", number + 1), line.as_bytes().to_vec()));
            }
        }
        let mut openssl = tied("openssl");
        openssl.args(["pkey", "-noout", "-text", "-in"]).arg(path);
        let text = text(openssl, &[])?;
        if let Some((_, prime)) = text.split_once("prime1:") {
            let (prime, _) = prime.split_once("prime2:").unwrap_or((prime, ""));
            let bytes = prime.split(|c: char| c == ':' || c.is_whitespace()).filter(|byte| !byte.is_empty());
            let bytes: Vec<u8> = bytes.map_while(|byte| u8::from_str_radix(byte, 16).ok()).collect();
            // The library keeps numbers in words of 8 bytes, the least first: one in the middle reads the same everywhere.
            if let Some(word) = bytes.rchunks_exact(8).nth(4) {
                self.planted.push((format!("{name}, a part of a prime"), word.to_vec()));
            }
        }
        Ok(())
    }

    /// Those secrets whose names begin like this.
    #[must_use]
    pub fn named(&self, beginnings: &[&str]) -> Canaries {
        let wanted = |(name, _): &&(String, Vec<u8>)| beginnings.iter().any(|start| name.starts_with(start));
        Canaries { planted: self.planted.iter().filter(wanted).cloned().collect() }
    }

    /// Whether nothing was planted; a search then proves nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.planted.is_empty()
    }

    /// All hits in `files`. Holes of disk images are not read.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Format`] when nothing was planted.
    pub fn search<'a>(&self, files: impl IntoIterator<Item = &'a Path>) -> Result<Vec<Hit>> {
        let searcher = self.searcher()?;
        let mut hits = Vec::new();
        for path in files {
            let mut file = File::open(path).map_err(Error::at(path))?;
            for (start, end) in extents(&file).map_err(Error::at(path))? {
                file.seek(SeekFrom::Start(start)).map_err(Error::at(path))?;
                for found in searcher.stream_find_iter((&file).take(end - start)) {
                    let found = found.map_err(Error::at(path))?;
                    hits.push(Hit {
                        name: self.planted[found.pattern().as_usize()].0.clone(),
                        file: path.to_owned(),
                        offset: start + found.start() as u64,
                    });
                }
            }
        }
        Ok(hits)
    }

    fn searcher(&self) -> Result<AhoCorasick> {
        if self.planted.is_empty() {
            return Err(Error::format("planted secrets", "at least one"));
        }
        AhoCorasick::new(self.planted.iter().map(|(_, secret)| secret))
            .map_err(|error| Error::format("planted secrets", format!("a searchable set: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::disk;
    use crate::process::run;
    use std::os::unix::fs::FileExt;

    const SEED: &[u8] = b"seed-0123456789";

    fn canaries() -> Canaries {
        let mut canaries = Canaries::default();
        canaries.plant("seed", SEED);
        canaries
    }

    fn names(canaries: &Canaries, bytes: &[u8]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, bytes).unwrap();
        canaries.search([path.as_path()]).unwrap().into_iter().map(|hit| hit.name).collect()
    }

    #[test]
    fn every_form_is_found() {
        let canaries = canaries();
        assert_eq!(names(&canaries, b"a seed-0123456789 b"), ["seed"]);
        assert!(names(&canaries, b"a seed-012345678 b").is_empty());
        let mut command = tied("od");
        command.args(["-An", "-tx1", "-v", "-w64"]);
        let hex = text(command, SEED).unwrap().replace(' ', "");
        assert_eq!(names(&canaries, hex.as_bytes()), ["seed in hex"]);
        assert_eq!(names(&canaries, hex.to_uppercase().as_bytes()), ["seed in upper-case hex"]);
        for before in ["", "x", "xy", "xyz"] {
            let mut command = tied("base64");
            command.arg("-w0");
            let encoded = run(command, &[before.as_bytes(), SEED, b"tail"].concat()).unwrap();
            assert_eq!(names(&canaries, &encoded), ["seed in base64"], "after \"{before}\"");
        }
    }

    #[test]
    fn a_disk_is_searched_beyond_its_holes() {
        let folder = tempfile::tempdir().unwrap();
        let path = disk::create(&folder.path().join("disk"), 1 << 34).unwrap();
        let at = (1 << 33) + 4093;
        File::options().write(true).open(&path).unwrap().write_all_at(SEED, at).unwrap();
        let hits = canaries().search([path.as_path()]).unwrap();
        assert_eq!(hits, [Hit { name: "seed".into(), file: path, offset: at }]);
    }

    #[test]
    fn a_line_of_a_private_key_is_found() {
        let made = crate::lab::keys::tests::shared();
        let mut canaries = Canaries::default();
        canaries.plant_key("client key", &made.1.logging.client.key).unwrap();
        let pem = std::fs::read_to_string(&made.1.logging.client.key).unwrap();
        let line = pem.lines().nth(3).unwrap();
        assert_eq!(names(&canaries, format!("key=\"{line}\"").as_bytes()), ["client key, line 4"]);
        assert!(names(&canaries, b"-----BEGIN PRIVATE KEY-----").is_empty());
        let mut command = tied("openssl");
        command.args(["pkey", "-outform", "DER", "-in"]).arg(&made.1.logging.client.key);
        assert_eq!(names(&canaries, &run(command, &[]).unwrap()), ["client key, a part of a prime"]);
    }

    #[test]
    fn nothing_planted_proves_nothing() {
        let error = Canaries::default().search([]).unwrap_err();
        assert_eq!(error.to_string(), "planted secrets: expected at least one");
    }

    #[test]
    fn debug_shows_names_only() {
        let text = format!("{:?}", canaries());
        assert!(text.contains("\"seed\"") && !text.contains("0123456789"), "{text}");
    }
}
