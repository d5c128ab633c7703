//! Boots a signed, encrypted contract; cuts the power; reopens the volume on the second boot, for which both parties
//! have sealed the same sections anew into tokens `countersign-v1`, and the host gives fixed addresses instead of DHCP,
//! on the wire and on a VLAN.
//!
//! The one story whose guest is exactly what ships, with nothing in it that looks; its twin is `a_look_from_inside`.

use std::path::PathBuf;
use std::time::Duration;

use countersign_vm::arguments::Drive;
use countersign_vm::events::{Event, Stage, State};
use countersign_vm::guest::Guest;
use countersign_vm::lab::contract::{Delivery, Sealing};
use countersign_vm::lab::http;
use countersign_vm::lab::syslog::Message;
use countersign_vm::lab::world::{DATA_DISK, VOLUME, World};
use countersign_vm::profile::Profile;

use crate::support::{BOOT, in_memory, logs, shipped_world};

/// What DHCP would have said, and a VLAN on top of it.
const FIXED: &str = "network:
  version: 2
  ethernets:
    enc1:
      addresses: [10.0.2.15/24]
      gateway4: 10.0.2.2
      nameservers: {addresses: [10.0.2.3]}
  vlans:
    backup:
      id: 7
      link: enc1
      addresses: [192.0.2.7/24]
      routes:
        - to: 198.51.100.0/24
          via: 192.0.2.1
";

/// What the guest OS never has, by the beginnings of their names.
const GONE: [&str; 4] = ["seed of", "passphrase of", "image key", "attestation key"];
/// What is gone once the images are there; what the forwarder needs as long as the guest runs, so that the search finds it.
const USED: &str = "password of the registry";
const NEEDED: &str = "client key";
const SEEDS: [&str; 2] = ["seed of the workload", "seed of the deployer"];
const ANSWER: Duration = Duration::from_secs(120);

#[test]
fn boots_and_reopens_the_volume() {
    let mut world = shipped_world();
    let contract = world.contract();
    let delivery = world.delivery();
    let anew = Delivery {
        workload: Sealing::CountersignV1,
        env: Sealing::CountersignV1,
        network_config: Some(FIXED.into()),
        ..delivery.clone()
    };
    let media = [("contract", delivery), ("anew", anew)]
        .map(|(name, delivery)| world.deliver(name, &contract.texts(), &delivery).unwrap());
    let data = world.disk("data", DATA_DISK).unwrap();
    let mut searched: Vec<PathBuf> = vec![world.syslog.file(), data.clone()];

    for (boot, medium) in (1_usize..).zip(&media) {
        let name = format!("boot-{boot}");
        // The first boot has to wait for the disk of its volume.
        let attached = (boot > 1).then_some(data.as_path());
        let run = world.run(&name, &world.keys.image, medium, attached).unwrap();
        let logs = logs(&name);
        let profile = Profile::named("single").unwrap();
        let mut guest = Guest::boot(&profile, &run, &logs).unwrap();
        if attached.is_none() {
            let waits = |event: &Event| matches!(event, Event::Console(line) if line.starts_with("waiting for the disk of data, "));
            guest.wait_for("line about the disk", BOOT, waits).unwrap();
            // Seeds are still needed, the image's keys are not: the search finds the ones and not the others.
            let there = in_memory(&mut guest, &profile, &world, &GONE);
            assert!(SEEDS.iter().all(|name| there.contains(*name)), "{there:?}");
            let keys = ["image key", "attestation key"];
            assert!(!there.iter().any(|name| keys.iter().any(|key| name.starts_with(key))), "{there:?}");
            guest.attach(&Drive::writable(&data, VOLUME)).unwrap();
        }
        guest.wait_for("HPL10001I", BOOT, |event| event.is_message("HPL10001I")).unwrap();
        let port = guest.forwarded(8080).unwrap();
        let answer = http::get(port, "/cgi-bin/hello", ANSWER).unwrap();
        let value = |key: &str| answer.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        // Set in both sections: the workload wins.
        assert_eq!(value("place"), Some(contract.workload_env["PLACE"].as_str()));
        assert_eq!(value("greeting"), Some(contract.env["GREETING"].as_str()));
        assert_eq!(value("secret"), Some(contract.env["SECRET"].as_str()));
        assert_eq!(value("boots"), Some(boot.to_string().as_str()), "what the volume remembers");

        let watched = |event: &Event| event.is_stage(Stage::Watch, State::Done);
        if !guest.history().iter().any(|seen| watched(&seen.event)) {
            guest.wait_for("end of the stage watch", ANSWER, watched).unwrap();
        }
        for stage in Stage::ALL {
            let done = guest.history().iter().any(|seen| seen.event.is_stage(stage, State::Done));
            assert!(done, "{stage} was not done");
        }
        let place = |stage, state| guest.history().iter().position(|seen| seen.event.is_stage(stage, state));
        assert!(place(Stage::Logging, State::Done) < place(Stage::Images, State::Start));
        assert!(!guest.history().iter().any(|seen| matches!(seen.event, Event::Malformed(_))));

        let volume = "luks encryption with 1 key slot";
        for line in ["HPL10001I", "HPL13001I", volume, &format!("hello: boot {boot} of this volume")] {
            let mut seen = 0;
            let needed = if line.starts_with("hello") { 1 } else { boot };
            let wanted = |message: &Message| {
                seen += usize::from(message.msg.contains(line));
                seen >= needed
            };
            world.syslog.wait_for(&format!("\"{line}\" at the log server"), ANSWER, wanted).unwrap();
        }
        let there = in_memory(&mut guest, &profile, &world, &[&GONE[..], &[USED, NEEDED]].concat());
        assert!(!there.is_empty() && there.iter().all(|name| name.starts_with(NEEDED)), "{there:?}");
        guest.cut_power().unwrap();
        searched.extend([logs.serial(), logs.emulator(), medium.image.clone()]);
        searched.extend(run.drives.iter().filter(|drive| !drive.read_only).map(|drive| drive.path.clone()));
    }

    let lines = world.syslog.lines().unwrap();
    let has = |what: &str, wanted: &dyn Fn(&Message) -> bool| {
        assert!(lines.iter().any(wanted), "no {what} at the log server");
    };
    has("line of the initramfs", &|line| line.msg.contains("countersign: stage=verify state=done"));
    has("line of the container under its name", &|line| {
        line.app == "compose-hello-1" && line.msg.contains("hello: boot 2")
    });
    assert_eq!(lines[0].msg.trim(), "authentication probe", "the first record");
    // Of each boot the journal from its first entry, whatever came twice.
    let boots = lines.split(|line| line.msg.trim() == "authentication probe").filter(|boot| !boot.is_empty());
    for boot in boots.clone() {
        let mut numbers: Vec<u64> = boot.iter().filter_map(Message::sequence).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let (first, last) = (numbers[0], numbers[numbers.len() - 1]);
        assert_eq!(numbers.len() as u64, last - first + 1, "numbers from {first} to {last} without a gap");
        assert!(boot.iter().any(|line| line.facility == "kern" && line.msg.contains("Linux version")));
    }
    assert_eq!(boots.clone().count(), 2);
    for (boot, number) in boots.clone().zip(1..) {
        records_are_signed(&world, boot, number);
    }
    let boots: Vec<&[Message]> = boots.collect();
    let says = |boot: &[Message], text: &str| {
        boot.iter().any(|line| line.app == "systemd-networkd" && line.msg.contains(text))
    };
    assert!(says(boots[0], "enc1: DHCPv4 address 10.0.2.15/24"));
    assert!(
        !says(boots[1], "DHCP")
            && says(boots[1], "10-enc1.network")
            && says(boots[1], "backup: Gained carrier")
    );
    assert!(lines.iter().all(|line| line.host == "countersign-guest"), "every record carries the host name");
    assert_eq!(world.canaries.search(searched.iter().map(PathBuf::as_path)).unwrap(), Vec::new());
}

/// The records of a boot, put together from the lines at the log server: openssl takes the signature of the first under
/// the image's certificate, and that of the final one under the key that the first one names.
fn records_are_signed(world: &World, boot: &[Message], number: usize) {
    let marker = "countersign-record: ";
    let mut parts: Vec<(usize, &str)> = boot
        .iter()
        .filter_map(|line| line.msg.split_once(marker)?.1.trim().split_once(' '))
        .map(|(place, part)| (place.split('/').next().unwrap().parse().unwrap(), part))
        .collect();
    parts.sort_unstable();
    // A line may arrive twice.
    parts.dedup();
    let text: String = parts.iter().map(|(_, part)| *part).collect();
    let folder = world.folder().join(format!("record-{number}"));
    std::fs::create_dir(&folder).unwrap();
    let openssl = |arguments: &str, file: &str, input: &str| {
        std::fs::write(folder.join("input"), input).unwrap();
        let mut command = std::process::Command::new("openssl");
        command.args(arguments.split(' ')).current_dir(&folder);
        let output = command.stdin(std::fs::File::open(folder.join("input")).unwrap()).output().unwrap();
        assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
        std::fs::write(folder.join(file), &output.stdout).unwrap();
        output.stdout
    };
    let bundle: serde_json::Value =
        serde_json::from_slice(&openssl("base64 -d -A", "record.json", &text)).unwrap();
    let value = |name: &str| bundle[name].as_str().unwrap_or_else(|| panic!("{name} in {bundle}")).to_owned();
    let certificate = std::fs::read_to_string(&world.keys.attestation.certificate).unwrap();
    assert_eq!(value("certificate"), certificate);
    let record = value("record");
    for (record, signature, key) in
        [("record", "signature", "image"), ("final_record", "final_signature", "boot")]
    {
        std::fs::write(folder.join(record), value(record)).unwrap();
        openssl("base64 -d -A", signature, &value(signature));
        let named = value("record");
        let public =
            named.split("Key of the final record: ").nth(1).and_then(|rest| rest.lines().next()).unwrap();
        match key {
            "image" => openssl("x509 -pubkey -noout", "image.pub", &certificate),
            _ => {
                openssl("base64 -d -A", "boot.der", public);
                openssl("pkey -pubin -inform DER -in boot.der", "boot.pub", "")
            }
        };
        openssl(&format!("sha256 -verify {key}.pub -signature {signature} {record}"), "verified", "");
    }
    for name in ["countersign:kernel", "countersign:initramfs", "countersign:countersignd", "contract:env"] {
        assert!(record.contains(&format!(" {name}\n")), "{name} in {record}");
    }
    let last = value("final_record");
    assert!(last.contains("\nVolume: data uuid=") && last.contains("\nContainer image: "), "{last}");
}
