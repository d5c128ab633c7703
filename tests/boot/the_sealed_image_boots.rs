//! The image that `qemu/seal` makes: where there is no Ultravisor its boot loader says so and stops; for the machine that it
//! was sealed to, which the harness plays, it boots, and the whole story passes on what comes out.

use std::path::{Path, PathBuf};

use countersign_ultravisor::image::SealedImage;
use countersign_ultravisor::machine::{Machine, Refusal};
use countersign_vm::arguments::{self, Run};
use countersign_vm::events::{Event, Stage, State};
use countersign_vm::guest::Guest;
use countersign_vm::lab::http;
use countersign_vm::lab::world::{DATA_DISK, World};
use countersign_vm::process::{run, tied};
use countersign_vm::profile::{Profile, checkout};
use countersign_vm::programs::emulator;

use crate::support::{BOOT, logs, shipped_world};

#[test]
fn the_sealed_image_boots() {
    let mut world = shipped_world();
    let contract = world.contract();
    let delivery = world.delivery();
    let medium = world.deliver("contract", &contract.texts(), &delivery).unwrap();
    let data = world.disk("data", DATA_DISK).unwrap();
    let parts = world.run("sealed", &world.keys.image, &medium, Some(&data)).unwrap();
    let folder = machines(&world);
    let image = sealed(&world, &folder);

    let bytes = std::fs::read(&image).unwrap();
    let read = SealedImage::read(&bytes).unwrap();
    assert_eq!(read.hosts().len(), 2);
    // Neither a key nor a secret of a party is outside what is encrypted.
    assert_eq!(world.canaries.search([image.as_path()]).unwrap(), Vec::new());
    let verified =
        image_program(&folder, &["--builder", "builder.pub", "--build-manifest", "image.build.json"]);
    assert!(verified.contains(&hexadecimal(&read.tags().tag)), "{verified}");
    assert!(verified.contains("warning: contracts are opened without Secure Execution"), "{verified}");

    // As a host without Secure Execution starts it. It is over too soon for the harness to greet the emulator.
    let profile = Profile::named("single").unwrap();
    let mut emulator = tied(emulator().unwrap());
    emulator.args(arguments::machine(&profile)).args(arguments::console());
    emulator.args(["-no-reboot", "-action", "panic=exit-failure", "-kernel"]).arg(&image);
    let mut guest = Guest::spawn(emulator, &logs("sealed-refused")).unwrap();
    let refusal = "Secure unpack facility is not available";
    let says = |event: &Event| matches!(event, Event::Console(line) if line.contains(refusal));
    guest.wait_for("refusal of the boot loader", BOOT, says).unwrap();
    drop(guest);

    // As the machines start it.
    let machine = |name: &str| Machine::from_pem(&std::fs::read(folder.join(name)).unwrap()).unwrap();
    assert_eq!(machine("z3.key").start(&bytes).unwrap_err(), Refusal::NoSlot);
    let memory = folder.join("memory");
    let guest = machine("z2.key").start(&bytes).unwrap();
    assert_eq!(guest.tags(), read.tags());
    std::fs::write(&memory, guest.memory()).unwrap();
    let whole = Run { kernel: Some(memory), initramfs: None, command_line: Vec::new(), ..parts };
    let mut guest = Guest::boot(&profile, &whole, &logs("sealed")).unwrap();
    guest.wait_for("HPL10001I", BOOT, |event| event.is_message("HPL10001I")).unwrap();
    let port = guest.forwarded(8080).unwrap();
    let answer = http::get(port, "/cgi-bin/hello", BOOT).unwrap();
    let secret = format!("secret={}", contract.env["SECRET"]);
    assert!(answer.lines().any(|line| line == secret), "the container knows the contract");
    for stage in Stage::ALL.into_iter().filter(|stage| *stage < Stage::Watch) {
        let done = guest.history().iter().any(|seen| seen.event.is_stage(stage, State::Done));
        assert!(done, "{stage} was not done");
    }
    guest.cut_power().unwrap();
}

/// Host keys z1, z2 and z3 with their documents, and the builder's key.
fn machines(world: &World) -> PathBuf {
    let folder = world.folder().join("machines");
    for words in [&["service"][..], &["document", "z1"], &["document", "z2"], &["document", "z3"]] {
        let mut command = tied("bash");
        command.arg(checkout().join("qemu/party/machines")).arg(&folder).args(words);
        run(command, b"").unwrap();
    }
    let openssl = |words: &[&str]| {
        let mut command = tied("openssl");
        command.args(words).current_dir(&folder);
        run(command, b"").unwrap();
    };
    openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384", "-out", "builder.key"]);
    openssl(&["pkey", "-in", "builder.key", "-pubout", "-out", "builder.pub"]);
    folder
}

/// The image, by `qemu/seal`, for z1 and z2.
fn sealed(world: &World, folder: &Path) -> PathBuf {
    let image = folder.join("image");
    let mut command = tied("bash");
    command.current_dir(folder).arg(checkout().join("qemu/seal"));
    for (option, files) in [
        ("--host-key", &["z1.crt", "z2.crt"][..]),
        ("--root", &["root.crt"]),
        ("--certificate", &["signing.crt", "intermediate.crt"]),
        ("--crl", &["root.crl", "intermediate.crl", "signing.crl"]),
        ("--builder-key", &["builder.key"]),
        // Where the console of this machine is.
        ("--command-line", &["console=ttysclp0"]),
    ] {
        for file in files {
            command.arg(option).arg(file);
        }
    }
    command.arg("--parts").arg(std::env::var_os("COUNTERSIGN_PARTS").unwrap());
    command.arg("--image-key").arg(&world.keys.image.key);
    command.arg("--attestation-key").arg(&world.keys.attestation.key);
    command.arg("--attestation-certificate").arg(&world.keys.attestation.certificate);
    command.arg("--image-json").arg(world.image_json().unwrap()).arg(&image);
    run(command, b"").unwrap();
    image
}

/// What `countersign-image verify` prints about the image.
fn image_program(folder: &Path, words: &[&str]) -> String {
    let program = std::env::var_os("COUNTERSIGN_IMAGE_PROGRAM").unwrap_or_default();
    assert!(!program.is_empty(), "expected COUNTERSIGN_IMAGE_PROGRAM to name the program countersign-image");
    let mut command = tied(&program);
    command.current_dir(folder).arg("verify").args(words);
    command.args(["--sealing-manifest", "image.json", "image"]);
    String::from_utf8(run(command, b"").unwrap()).unwrap()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
