//! What is sealed, and what is refused before anything is: parts, machines, boot loader.

use countersign_ultravisor::image::{
    BootLoader, BootLoaderFault, Dumping, Flags, Kind, Parts, Rules, SealFault, SealedImage, seal,
};
use countersign_ultravisor::key::CommunicationKey;

use crate::support::{CANARY, COMMAND_LINE, INITRAMFS, KERNEL, loader_files, machines, parts, sealed};

#[test]
fn an_image_starts_on_each_of_its_machines_and_is_what_was_sealed() {
    let service = machines();
    let hosts = [service.host("z1"), service.host("z2")];
    let Some(sealed) = sealed(&hosts, Rules::default()) else { return };
    let image = SealedImage::read(sealed.as_bytes()).unwrap();
    assert_eq!(image.hosts(), [hosts[0].hash(), hosts[1].hash()]);
    assert_eq!(image.tags(), sealed.tags());
    assert_eq!(image.header().flags(), Flags::PRODUCTION);
    assert!(!image.header().flags().dumping() && !image.header().flags().backup_host_keys());
    for name in ["z1", "z2"] {
        let guest = service.machine(name).start(sealed.as_bytes()).unwrap();
        assert_eq!(guest.tags(), sealed.tags());
        assert!(guest.component(Kind::Kernel).starts_with(&KERNEL));
        assert!(guest.component(Kind::Initramfs).starts_with(&INITRAMFS));
        assert_eq!(guest.component(Kind::CommandLine)[..COMMAND_LINE.len() + 1], *b"quiet panic=0\0");
        // As the guest finds its memory: each component at its address.
        let at = image.components()[1].address as usize;
        assert!(guest.memory()[at..].starts_with(&INITRAMFS));
    }
    for secret in [CANARY, COMMAND_LINE.as_bytes(), &KERNEL[0x10000..0x10100]] {
        assert!(
            !sealed.as_bytes().windows(secret.len()).any(|place| place == secret),
            "plain text in the image"
        );
    }
}

#[test]
fn every_sealing_has_keys_of_its_own() {
    let service = machines();
    let hosts = [service.host("z1")];
    let Some(first) = sealed(&hosts, Rules::default()) else { return };
    let second = sealed(&hosts, Rules::default()).unwrap();
    assert_eq!(first.as_bytes().len(), second.as_bytes().len());
    assert_ne!(first.tags().tag, second.tags().tag);
    assert_ne!(first.tags().tweaks, second.tags().tweaks);
    // The addresses are the layout's alone.
    assert_eq!(first.tags().addresses, second.tags().addresses);
    let range = |image: &[u8]| {
        let place = SealedImage::read(image).unwrap().components()[0];
        image[place.address as usize..][..4096].to_vec()
    };
    assert_ne!(range(first.as_bytes()), range(second.as_bytes()), "the same page of the kernel");
    let machine = service.machine("z1");
    let key = |image: &[u8]| *machine.start(image).unwrap().communication_key().expose();
    assert_ne!(key(first.as_bytes()), key(second.as_bytes()));
}

#[test]
fn what_is_allowed_beyond_production_was_asked_for() {
    let service = machines();
    let mut key = [9; 32];
    let rules =
        Rules { dumping: Dumping::To(CommunicationKey::take(&mut key).unwrap()), backup_host_keys: true };
    let Some(sealed) = sealed(&[service.host("z1")], rules) else { return };
    let flags = SealedImage::read(sealed.as_bytes()).unwrap().header().flags();
    assert!(flags.dumping() && flags.backup_host_keys() && !flags.plain_components());
    // Bits 34, 56 to 58 and 62, counted from the highest.
    assert_eq!(flags.value(), 0x2000_00e2);
    let guest = service.machine("z1").start(sealed.as_bytes()).unwrap();
    assert_eq!(guest.communication_key().expose(), &[9; 32]);
}

#[test]
fn parts_that_no_machine_could_boot_are_refused() {
    let service = machines();
    let Some((stage3a, stage3b)) = loader_files() else { return };
    let loader = BootLoader::new(&stage3a, &stage3b).unwrap();
    let refused = |parts: Parts<'_>| {
        seal(&parts, &loader, &[service.host("z1")], Rules::default()).map(|_| ()).unwrap_err()
    };
    assert_eq!(refused(Parts { kernel: b"\x7fELF", ..parts() }), SealFault::Kernel);
    assert_eq!(refused(Parts { kernel: &KERNEL[..0x10430], ..parts() }), SealFault::Kernel);
    assert_eq!(refused(Parts { initramfs: b"", ..parts() }), SealFault::Initramfs);
    for text in ["two\nlines", "zero\0"] {
        assert_eq!(refused(Parts { command_line: text, ..parts() }), SealFault::CommandLineText);
    }
    let longest = "x".repeat(4095);
    assert!(
        seal(&Parts { command_line: &longest, ..parts() }, &loader, &[service.host("z1")], Rules::default())
            .is_ok()
    );
    let longer = "x".repeat(4096);
    assert_eq!(refused(Parts { command_line: &longer, ..parts() }), SealFault::CommandLineLength(4095));
    let mut older = KERNEL.clone();
    older[0x10430..0x10438].fill(0);
    assert_eq!(
        refused(Parts { kernel: &older, command_line: &longest, ..parts() }),
        SealFault::CommandLineLength(895)
    );
}

#[test]
fn machines_are_named_once_and_at_least_one() {
    let service = machines();
    let Some((stage3a, stage3b)) = loader_files() else { return };
    let loader = BootLoader::new(&stage3a, &stage3b).unwrap();
    let with = |hosts: &[_]| seal(&parts(), &loader, hosts, Rules::default()).map(|_| ());
    assert_eq!(with(&[]), Err(SealFault::Hosts));
    let one = || service.host("z1");
    assert_eq!(with(&[one(), one()]), Err(SealFault::HostTwice));
    let many: Vec<_> = (0..96).map(|_| one()).collect();
    assert_eq!(with(&many), Err(SealFault::Hosts));
}

#[test]
fn another_boot_loader_is_refused() {
    let Some((stage3a, stage3b)) = loader_files() else { return };
    assert!(BootLoader::new(&stage3a, &stage3b).is_ok());
    let altered = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes[100] ^= 1;
        bytes
    };
    assert_eq!(BootLoader::new(&altered(&stage3a), &stage3b).unwrap_err(), BootLoaderFault::Stage3a);
    assert_eq!(BootLoader::new(&stage3a, &altered(&stage3b)).unwrap_err(), BootLoaderFault::Stage3b);
    assert_eq!(BootLoader::new(&stage3b, &stage3a).unwrap_err(), BootLoaderFault::Stage3a);
}
