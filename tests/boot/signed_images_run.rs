//! Images that are named by tag run where the rules of the contract accept their signatures: a simple signature by gpg from a
//! place beside the registry, and one of cosign's that names the registry as its signer reached it. Of an index that is
//! signed alone, without the image for this platform, the boot ends at `images`, and its owner reads what to do.

use countersign_vm::events::Stage;
use countersign_vm::lab::contract::{Contract, archive};
use countersign_vm::lab::image;
use countersign_vm::lab::signing::{Cosign, Lookaside, OpenPgp, Signed};
use countersign_vm::lab::syslog::Message;
use countersign_vm::lab::world::{DATA_DISK, World};
use countersign_vm::process::{text, tied};
use countersign_vm::profile::{HOST_SEEN_FROM_GUEST, Profile};

use crate::inside::{self, End};
use crate::support::{BOOT, refused_run, world};

/// Two services by tag; what they print says that they ran.
const COMPOSE: &str = r#"services:
  simple:
    image: ${REGISTRY}/simple/x:1
    entrypoint: [/bin/busybox, echo, simple ran]
  cosigned:
    image: ${REGISTRY}/cosigned/x:index
    entrypoint: [/bin/busybox, echo, cosigned ran]
"#;

/// The parties that sign, and what they signed.
struct Signers {
    openpgp: OpenPgp,
    cosign: Cosign,
    lookaside: Lookaside,
}

impl Signers {
    /// Pushes the images and signs them; of the index all that it names, or itself alone.
    fn sign(world: &World, recursive: bool) -> Signers {
        let at = |name: &str| world.folder().join(name);
        let registry = &world.registry;
        let layout = at("image/layout");
        image::add_index(&layout).unwrap();
        let digest = registry.push_as(&layout, "latest", "simple/x:1").unwrap();
        let index = registry.push_as(&layout, "index", "cosigned/x:index").unwrap();

        let signers = Signers {
            openpgp: OpenPgp::make(&at("openpgp"), "never").unwrap(),
            cosign: Cosign::make(&at("cosign")).unwrap(),
            lookaside: Lookaside::start(&at("signatures"), &world.keys.registry.server).unwrap(),
        };
        let manifest = layout.join("blobs/sha256").join(digest.trim_start_matches("sha256:"));
        let name = format!("{}/simple/x:1", registry.guest_address());
        let signed = Signed { repository: "simple/x", digest: &digest };
        signers.openpgp.sign(&manifest, &name, signers.lookaside.folder(), &signed).unwrap();
        let signed = Signed { repository: "cosigned/x", digest: &index };
        signers.cosign.sign(registry, &signed, recursive).unwrap();
        signers
    }

    /// A contract with the rules for them.
    fn contract(&self, world: &World) -> (Contract, String) {
        let folder = world.folder().join("signed");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("compose.yaml"), COMPOSE).unwrap();
        let mut contract = world.contract();
        contract.archive = archive(&folder).unwrap();
        let mut base64 = tied("base64");
        base64.arg("--wrap=0").arg(self.cosign.public_key());
        let cosign = text(base64, b"").unwrap();
        let (guest, local) = (world.registry.guest_address(), world.registry.local_address());
        let rules = format!(
            "images:\n  rhs:\n    {guest}/simple/x:\n      publicKey: {openpgp}\ncountersign:\n  images:\n    {guest}/simple/x:\n      \
             lookaside: https://{HOST_SEEN_FROM_GUEST}:{port}\n    {guest}/cosigned/x:\n      cosign-key: {cosign}\n      signed-as: {local}/cosigned/x\n",
            openpgp = self.openpgp.public_key().unwrap(),
            port = self.lookaside.port(),
        );
        (contract, rules)
    }
}

#[test]
fn signed_images_run() {
    let mut world = world();
    let signers = Signers::sign(&world, true);
    let (contract, rules) = signers.contract(&world);
    let mut texts = contract.texts();
    texts.workload.push_str(&rules);
    let delivery = world.delivery();
    let medium = world.deliver("contract", &texts, &delivery).unwrap();
    let data = world.disk("data", DATA_DISK).unwrap();
    let run = world.run("signed", &world.keys.image, &medium, Some(&data)).unwrap();
    let (mut guest, look) = inside::boot("signed", &Profile::named("single").unwrap(), run);
    guest.wait_for("HPL10001I", BOOT, |event| event.is_message("HPL10001I")).unwrap();
    for service in ["simple", "cosigned"] {
        let words = format!("{service} ran");
        let said =
            |message: &Message| message.app == format!("compose-{service}-1") && message.msg.trim() == words;
        world.syslog.wait_for(&words, BOOT, said).unwrap();
    }
    look.ask(&mut guest);
    inside::panic(&mut guest, &look);
    look.assert_silent(&world, End::Cut);
}

#[test]
fn a_signature_of_the_index_alone_stops_at_images() {
    let mut world = world();
    let signers = Signers::sign(&world, false);
    let (contract, rules) = signers.contract(&world);
    let mut texts = contract.texts();
    texts.workload.push_str(&rules);
    let delivery = world.delivery();
    let medium = world.deliver("contract", &texts, &delivery).unwrap();
    let data = world.disk("data", DATA_DISK).unwrap();
    let run = world.run("signed-index", &world.keys.image, &medium, Some(&data)).unwrap();
    let boot = refused_run("signed-index", "single", run);
    boot.assert_ended(Stage::Images, &[("code", "HPL06127E")]);
    let cause = "expected a signature by the rule of the contract, found none for the s390x image: a signature of the index is \
                 not enough";
    boot.assert_says(cause);
    boot.assert_told_beside_the_journal(&world, "HPL06127E: image 1 of 2: ");
    boot.assert_closed_and_silent(&world);
}
