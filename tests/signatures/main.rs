//! Rules for signed images against the library with which the guest's engine checks them (skopeo of the guest's release, by its
//! own word the same as podman's), with signatures that gpg, skopeo and cosign made, in a real registry.
//!
//! What a contract says goes through the shipped code: its rules, the policy file and the places of signatures that the
//! engine gets, and the cause that is told for the words with which the library refuses.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};

use countersign_contract::envelope::Envelope;
use countersign_plan::images::causes::{SignatureCause, signature_cause};
use countersign_plan::images::name::ImageName;
use countersign_plan::images::policy;
use countersign_plan::images::signatures::SignatureRules;
use countersign_plan::trust::section;
use countersign_vm::error::Error;
use countersign_vm::lab::contract::Credentials;
use countersign_vm::lab::image;
use countersign_vm::lab::keys::Keys;
use countersign_vm::lab::registry::Registry;
use countersign_vm::lab::signing::{Cosign, Lookaside, OpenPgp, Signed};
use countersign_vm::process::{run, tied};

/// The registry with its images, and who signed what.
struct World {
    folder: tempfile::TempDir,
    keys: Keys,
    registry: Registry,
    lookaside: Lookaside,
    /// File with the manifest of the image for s390x.
    manifest: PathBuf,
    /// Digests of the image and of an index that names it.
    image: String,
    index: String,
}

impl World {
    fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let keys = Keys::make(&at("keys")).unwrap();
        let credentials = Credentials { username: "reader".into(), password: "pass-0123456789".into() };
        let registry = Registry::start(&at("registry"), &keys.registry, credentials).unwrap();
        let lookaside = Lookaside::start(&at("signatures"), &keys.registry.server).unwrap();
        fs::write(at("busybox"), "not run here").unwrap();
        let layout = image::layout(&at("busybox"), &at("image")).unwrap();
        image::add_index(&layout).unwrap();
        let (mut image, mut index) = (String::new(), String::new());
        for repository in ["simple", "cosigned", "plain", "several", "recursive", "other"] {
            image = registry.push_as(&layout, "latest", &format!("{repository}/x:1")).unwrap();
            index = registry.push_as(&layout, "index", &format!("{repository}/x:index")).unwrap();
        }
        let manifest = layout.join("blobs/sha256").join(image.trim_start_matches("sha256:"));
        World { keys, registry, lookaside, manifest, image, index, folder }
    }

    /// A simple signature of the image of `repository`, for this name.
    fn sign(&self, signer: &OpenPgp, repository: &str, name: &str) {
        let image = Signed { repository, digest: &self.image };
        let reference = format!("{}/{name}", self.registry.local_address());
        signer.sign(&self.manifest, &reference, self.lookaside.folder(), &image).unwrap();
    }

    /// Rules of a contract, as the guest reads them; `REGISTRY` and `PLACE` stand for the addresses.
    fn rules(&self, rules: &str) -> SignatureRules {
        let indented: String = rules.lines().map(|line| format!("  {line}\n")).collect();
        let server = fs::read_to_string(&self.keys.logging.root.certificate).unwrap();
        let server: String = server.lines().map(|line| format!("        {line}\n")).collect();
        let text = format!(
            "workload: |\n  type: workload\n  compose: {{archive: AAAA}}\n{indented}env: |\n  type: env\n  logging:\n    syslog:\n      \
             hostname: logs.example.org\n      server: |\n{server}"
        );
        let text = text.replace("REGISTRY", &self.registry.local_address());
        let text = text.replace("PLACE", &format!("https://127.0.0.1:{}", self.lookaside.port()));
        let envelope = Envelope::parse(text.as_bytes()).unwrap();
        let [workload, env] = [envelope.workload(), envelope.env()].map(|part| part.tree(None).unwrap());
        SignatureRules::of(section::contract(workload, env).unwrap().image_rules()).unwrap()
    }

    /// What becomes of `REGISTRY/NAME` under these rules.
    fn pull(&self, rules: &str, name: &str) -> Result<(), Option<SignatureCause>> {
        let rules = self.rules(rules);
        let image = ImageName::parse(&format!("{}/{name}", self.registry.local_address())).unwrap();
        let room = tempfile::tempdir_in(self.folder.path()).unwrap();
        let at = |name: &str| room.path().join(name);
        let images = [image.clone()];
        fs::write(at("policy.json"), policy::these(&images, &rules)).unwrap();
        fs::create_dir_all(at("places")).unwrap();
        if let Some(places) = policy::places(&images, &rules) {
            fs::write(at("places/countersign.yaml"), places).unwrap();
        }
        fs::create_dir(at("authorities")).unwrap();
        fs::copy(self.registry.authority(), at("authorities/ca.crt")).unwrap();
        let mut command = tied("guest-skopeo");
        command.arg("--policy").arg(at("policy.json")).arg("--registries.d").arg(at("places"));
        // An image is kept as it is; a folder would have the signatures go along, a storage of the engine has not.
        command.args(["--override-arch", "s390x", "copy", "--remove-signatures", "--src-creds"]);
        let Credentials { username, password } = self.registry.credentials();
        command.arg(format!("{username}:{password}")).arg("--src-cert-dir").arg(at("authorities"));
        command.arg(format!("docker://{}", image.whole())).arg(format!("dir:{}", at("pulled").display()));
        match run(command, b"") {
            Ok(_) => Ok(()),
            Err(Error::Program { diagnostic, .. }) => {
                let cause = diagnostic.lines().filter_map(signature_cause).next_back();
                assert!(cause.is_some(), "{diagnostic}");
                Err(cause)
            }
            Err(error) => panic!("{error}"),
        }
    }
}

fn base64(path: &Path) -> String {
    let mut command = tied("base64");
    command.arg("--wrap=0").arg(path);
    String::from_utf8(run(command, b"").unwrap()).unwrap()
}

#[test]
fn simple_signatures() {
    use SignatureCause::*;
    let world = World::new();
    let key = |name: &str, expires: &str| OpenPgp::make(&world.folder.path().join(name), expires).unwrap();
    let (signer, other, revoked, expired) =
        (key("signer", "never"), key("other", "never"), key("revoked", "never"), key("expired", "seconds=3"));
    world.sign(&signer, "simple/x", "simple/x:1");
    world.sign(&signer, "other/x", "simple/x:1");
    world.sign(&revoked, "several/x", "several/x:1");
    world.sign(&expired, "recursive/x", "recursive/x:1");
    let folder = world.lookaside.folder().join(format!("cosigned/x@{}", world.image.replace(':', "=")));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("signature-1"), "<html>not found</html>").unwrap();
    revoked.revoke().unwrap();
    let rule = |repository: &str, signer: &OpenPgp, more: &str| {
        format!(
            "images:\n  rhs:\n    REGISTRY/{repository}:\n      publicKey: {}\ncountersign:\n  images:\n    REGISTRY/{repository}:\n      lookaside: PLACE\n{more}",
            signer.public_key().unwrap()
        )
    };
    let digest = format!("simple/x@{}", world.image);
    for (rules, name, expected) in [
        (rule("simple/x", &signer, ""), "simple/x:1", Ok(())),
        (rule("simple/x:1", &signer, ""), "simple/x:1", Ok(())),
        (rule("simple/x", &signer, ""), digest.as_str(), Ok(())),
        // The signature is that of the image, whatever index names it; but it names another tag.
        (rule("simple/x", &signer, ""), "simple/x:index", Err(OtherName)),
        (rule("simple/x", &signer, "      signed-as: REGISTRY/simple/x\n"), "simple/x:index", Ok(())),
        (rule("simple/x", &other, ""), "simple/x:1", Err(OtherKey)),
        (rule("plain/x", &signer, ""), "plain/x:1", Err(Missing)),
        (rule("plain/x", &signer, ""), "plain/x:index", Err(MissingForPlatform)),
        (rule("several/x", &revoked, ""), "several/x:1", Err(KeyRevoked)),
        (rule("other/x", &signer, ""), "other/x:1", Err(OtherName)),
        (rule("other/x", &signer, "      signed-as: REGISTRY/simple/x\n"), "other/x:1", Ok(())),
        (rule("cosigned/x", &signer, ""), "cosigned/x:1", Err(Unreadable)),
        // No rule, and no digest.
        (String::new(), "simple/x:1", Err(Refused)),
        (String::new(), digest.as_str(), Ok(())),
    ] {
        assert_eq!(world.pull(&rules, name), expected.map_err(Some), "{name} by {rules}");
    }
    // A closed port, and a server in trouble.
    for place in ["https://127.0.0.1:1", "PLACE/broken"] {
        let rules = rule("simple/x", &signer, "").replace("PLACE", place);
        assert_eq!(world.pull(&rules, "simple/x:1"), Err(Some(Unreachable)), "{place}");
    }
    // What HPCR knows alone: nobody says where signatures lie, and the registry does not serve them itself.
    let rhs = format!(
        "images:\n  rhs:\n    REGISTRY/simple/x:\n      publicKey: {}\n",
        signer.public_key().unwrap()
    );
    assert_eq!(world.pull(&rhs, "simple/x:1"), Err(Some(Missing)));
    let due = std::time::Instant::now();
    let rules = rule("recursive/x", &expired, "");
    // The key's end is the event that is awaited.
    while world.pull(&rules, "recursive/x:1").is_ok() {
        assert!(due.elapsed() < std::time::Duration::from_secs(60), "the key does not expire");
    }
    assert_eq!(world.pull(&rules, "recursive/x:1"), Err(Some(KeyExpired)));
}

#[test]
fn signatures_of_cosign() {
    use SignatureCause::*;
    let world = World::new();
    let key = |name: &str| Cosign::make(&world.folder.path().join(name)).unwrap();
    let (signer, other) = (key("signer"), key("other"));
    let sign = |repository: &str, digest: &str, recursive: bool| {
        signer.sign(&world.registry, &Signed { repository, digest }, recursive).unwrap();
    };
    sign("cosigned/x", &world.image, false);
    sign("several/x", &world.index, false);
    sign("recursive/x", &world.index, true);
    let rule = |repository: &str, key: &Cosign, more: &str| {
        format!(
            "countersign:\n  images:\n    REGISTRY/{repository}:\n      cosign-key: {}\n{more}",
            base64(&key.public_key())
        )
    };
    let digest = format!("cosigned/x@{}", world.image);
    for (rules, name, expected) in [
        (rule("cosigned/x", &signer, ""), "cosigned/x:1", Ok(())),
        (rule("cosigned/x", &signer, ""), digest.as_str(), Ok(())),
        (rule("recursive/x", &signer, ""), "recursive/x:index", Ok(())),
        (rule("several/x", &signer, ""), "several/x:index", Err(MissingForPlatform)),
        (rule("cosigned/x", &other, ""), "cosigned/x:1", Err(OtherKey)),
        (rule("plain/x", &signer, ""), "plain/x:1", Err(Missing)),
        (rule("cosigned/x", &signer, "      signed-as: REGISTRY/plain/x\n"), "cosigned/x:1", Err(OtherName)),
    ] {
        assert_eq!(world.pull(&rules, name), expected.map_err(Some), "{name} by {rules}");
    }
    // Two kinds of signature, of which one is there.
    let folder = world.folder.path().join("openpgp");
    let openpgp = OpenPgp::make(&folder, "never").unwrap();
    let both = format!("      simple-signing-key: {}\n", openpgp.public_key().unwrap());
    assert_eq!(world.pull(&rule("cosigned/x", &signer, &both), "cosigned/x:1"), Err(Some(Missing)));
}
