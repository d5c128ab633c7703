//! A privileged container mounts something over the data volume and asks for a check: with `on-deviation: power-off` the
//! log server is told what deviates, and the guest goes off.

use countersign_vm::events::{Event, Stage, State};
use countersign_vm::guest::Next;
use countersign_vm::lab::syslog::Message;
use countersign_vm::lab::world::DATA_DISK;
use countersign_vm::profile::Profile;

use crate::inside::{self, knock};
use crate::support::{BOOT, compose_with, long, off, world};

/// The port on which the container waits before it does its deed.
const DEED: u16 = 8081;

/// What it mounts over the folder that it shares with the guest shows in the guest as well. It asks more than once: the
/// daemon may not listen yet when it asks first.
fn meddler(image: &str) -> String {
    format!(
        r#"  meddler:
    image: {image}
    privileged: true
    entrypoint: ["/bin/busybox", "sh", "-c"]
    command:
      - /bin/busybox nc -l -p {DEED} </dev/null; /bin/busybox mount -t tmpfs nothing /data;
        while :; do echo HPL13000I; /bin/busybox sleep 10; done
    stop_signal: SIGKILL
    ports: ["{DEED}:{DEED}"]
    volumes: ["/mnt/data:/data:rshared"]
"#
    )
}

#[test]
fn deviation_powers_off() {
    if !long() {
        return;
    }
    let mut world = world();
    let mut contract = world.contract();
    contract.archive = compose_with(&world, meddler);
    let mut texts = contract.texts();
    texts.workload.push_str("countersign:\n  on-deviation: power-off\n");
    let delivery = world.delivery();
    let medium = world.deliver("deviation", &texts, &delivery).unwrap();
    let data = world.disk("data", DATA_DISK).unwrap();
    let run = world.run("deviation", &world.keys.image, &medium, Some(&data)).unwrap();
    let mut profile = Profile::named("single").unwrap();
    profile.network.as_mut().unwrap().forward.push(DEED);
    let (mut guest, look) = inside::boot("deviation", &profile, run);
    guest
        .wait_for("end of the stage watch", BOOT, |event| event.is_stage(Stage::Watch, State::Done))
        .unwrap();

    let failed = |next: &Next| matches!(next, Next::Event(seen) if matches!(seen.event, Event::Stage { state: State::Failed, .. }));
    knock(&mut guest, DEED, "deviation", failed);
    let boot = off(guest, look);

    boot.assert_ended(Stage::Watch, &[("code", "HPL13112E")]);
    boot.assert_says("HPL13000I: check 2: ");
    boot.assert_says("HPL13112E: volume data: expected its own encrypted device to be mounted there");
    let cause = "HPL13112E: volume data: expected its own encrypted device to be mounted there; \
                 the contract says power-off on a deviation; look at what the workload is allowed to do";
    boot.assert_told_beside_the_journal(&world, cause);
    boot.say_when_off();
    boot.assert_closed_and_silent(&world);
    // The first check had found everything as it should be.
    let lines = world.syslog.lines().unwrap();
    let has = |text: &str| lines.iter().any(|line: &Message| line.msg.contains(text));
    assert!(has("HPL13001I: check 1: ") && !has("HPL13001I: check 2: "));
}
