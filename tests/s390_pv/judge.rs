//! Sealed images and host key documents before IBM's published crate `s390_pv` 0.12.0.
//!
//! It reads the tags of an image, and has what a key slot needs: our slots and our header open by its functions. Host key
//! documents get the same verdict from it as from us. Run by `tests/run --long`; `COUNTERSIGN_BOOT_LOADER` names the boot
//! loader parts.

#![allow(clippy::unwrap_used)]

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use countersign_ultravisor::document::{Certificate, HostKeyDocument, Issuers, RevocationList};
use countersign_ultravisor::image::{BootLoader, Parts, Rules, SealedImage, seal};
use countersign_ultravisor::machine::Machine;
use openssl::pkey::{PKey, Public};
use openssl::x509::X509;
use s390_pv::request::{
    BootHdrTags, CertVerifier, Confidential, EcPubKeyCoord, HkdVerifier, SymKey, SymKeyType, decrypt_aead,
    derive_aes256_gcm_key,
};

/// A signing service, as `qemu/party/machines` makes it.
struct Service(tempfile::TempDir);

impl Service {
    fn new(documents: &[&str]) -> Self {
        let service = Self(tempfile::tempdir().unwrap());
        service.does(&["service"]);
        documents.iter().for_each(|name| service.does(&["document", name]));
        service
    }

    fn does(&self, words: &[&str]) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../qemu/party/machines");
        let done = Command::new("bash").arg(script).arg(self.0.path()).args(words).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    fn issuers(&self) -> Option<Issuers> {
        let certificates = |name| Certificate::parse_all(&self.file(name)).unwrap();
        let between = [certificates("signing.crt"), certificates("intermediate.crt")].concat();
        let lists = ["root.crl", "intermediate.crl", "signing.crl"]
            .map(|name| RevocationList::parse(&self.file(name)).unwrap())
            .into();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
        Issuers::new(&certificates("root.crt"), &between, lists, now).ok()
    }

    fn ours(&self, document: &[u8]) -> bool {
        let document = HostKeyDocument::parse(document).unwrap();
        self.issuers().is_some_and(|issuers| issuers.check(&document).is_ok())
    }

    fn theirs(&self, document: &[u8]) -> bool {
        let between = [self.path("signing.crt"), self.path("intermediate.crt")];
        let lists = ["root.crl", "intermediate.crl", "signing.crl"].map(|name| self.path(name));
        let document = X509::from_pem(document).unwrap();
        CertVerifier::new(&between, &lists, Some(self.path("root.crt")), true)
            .is_ok_and(|verifier| verifier.verify(&document).is_ok())
    }
}

/// A kernel's marks and an initramfs, sealed to z1 and z2.
fn image(service: &Service) -> Vec<u8> {
    let folder = PathBuf::from(std::env::var_os("COUNTERSIGN_BOOT_LOADER").unwrap());
    let read = |name| std::fs::read(folder.join(name)).unwrap();
    let (stage3a, stage3b) = (read("stage3a.bin"), read("stage3b_reloc.bin"));
    let mut kernel = vec![7; 0x12345];
    kernel[0x10008..0x1000e].copy_from_slice(b"S390EP");
    kernel[0x10430..0x10438].fill(0);
    let issuers = service.issuers().unwrap();
    let hosts = ["z1.crt", "z2.crt"]
        .map(|name| issuers.check(&HostKeyDocument::parse(&service.file(name)).unwrap()).unwrap());
    let parts = Parts { kernel: &kernel, initramfs: b"initramfs", command_line: "quiet" };
    let loader = BootLoader::new(&stage3a, &stage3b).unwrap();
    seal(&parts, &loader, &hosts, Rules::default()).unwrap().as_bytes().to_vec()
}

#[test]
fn it_reads_the_tags_that_we_say() {
    let image = image(&Service::new(&["z1", "z2"]));
    let theirs = BootHdrTags::from_se_image(&mut Cursor::new(&image)).unwrap();
    let ours = SealedImage::read(&image).unwrap().tags();
    let expected = [ours.pages.as_slice(), &ours.addresses, &ours.tweaks, &ours.tag].concat();
    assert_eq!(theirs.as_ref(), expected);
}

#[test]
fn its_functions_open_our_slots_and_our_header() {
    let service = Service::new(&["z1", "z2"]);
    let image = image(&service);
    let header = SealedImage::read(&image).unwrap();
    let header = header.header().as_bytes();
    let coordinates: [u8; 160] = header[0x40..0xe0].try_into().unwrap();
    // SAFETY: "unsafe" marks that the bytes must be a point; the conversion into a key checks it.
    let customer: PKey<Public> = unsafe { EcPubKeyCoord::from_data(coordinates) }.try_into().unwrap();
    for (number, name) in ["z1", "z2"].into_iter().enumerate() {
        let key = PKey::private_key_from_pem(&service.file(&format!("{name}.key"))).unwrap();
        let slot = &header[0x1a0 + 80 * number..][..80];
        let hash = EcPubKeyCoord::try_from(key.as_ref()).unwrap().sha256().unwrap();
        assert_eq!(slot[..32], *hash, "{name}");

        let wrapping = derive_aes256_gcm_key(&key, &customer).unwrap();
        let wrapping = SymKey::Aes256(wrapping);
        let secret = decrypt_aead(&wrapping, &[0; 12], &[], &slot[32..64], &slot[64..]).unwrap().into_buf();
        let secret = Confidential::new(secret.value()[..32].to_vec());
        let header_key = SymKey::try_from_data(SymKeyType::Aes256Gcm, secret).unwrap();
        let (authenticated, rest) = header.split_at(header.len() - 16 - 128);
        let (encrypted, tag) = rest.split_at(128);
        let opened = decrypt_aead(&header_key, &header[0x10..0x1c], authenticated, encrypted, tag).unwrap().into_buf();
        let machine = Machine::from_pem(&service.file(&format!("{name}.key"))).unwrap();
        let guest = machine.start(&image).unwrap();
        assert_eq!(opened.value()[authenticated.len()..][..32], *guest.communication_key().expose());
    }
}

#[test]
fn it_judges_documents_as_we_do() {
    let service = Service::new(&["z1", "z2"]);
    let both = |service: &Service, name: &str, expected: bool| {
        let document = service.file(name);
        assert_eq!((service.ours(&document), service.theirs(&document)), (expected, expected), "{name}");
    };
    both(&service, "z1.crt", true);
    service.does(&["revoke", "signing", "z2"]);
    both(&service, "z2.crt", false);
    both(&service, "z1.crt", true);
    service.does(&["document", "old", "-startdate", "20200101000000Z", "-enddate", "20210101000000Z"]);
    both(&service, "old.crt", false);
    service.does(&["document", "later", "-startdate", "20900101000000Z", "-enddate", "20910101000000Z"]);
    both(&service, "later.crt", false);
    service.does(&["document", "other", "-extensions", "other-issuer"]);
    both(&service, "other.crt", false);
    let foreign = Service::new(&["z1"]);
    let document = foreign.file("z1.crt");
    assert_eq!((service.ours(&document), service.theirs(&document)), (false, false), "foreign");
    service.does(&["revoke", "intermediate", "signing"]);
    both(&service, "z1.crt", false);
}
