//! An init container of a pod ends with an error: the boot ends at `start`, what the container said is at the log server,
//! and its owner reads why there, the auditor in a capsule. The containers behind it never ran.

use countersign_vm::events::Stage;
use countersign_vm::lab::contract::Delivery;
use countersign_vm::lab::keys;
use countersign_vm::lab::world::DATA_DISK;

use crate::support::{capsule, play, refused, world};

/// `@image@` has its registry by its address.
const POD: &str = r#"apiVersion: v1
kind: Pod
metadata:
  name: site
spec:
  initContainers:
  - name: first
    image: "@image@"
    command: [/bin/busybox, sh, -c, "echo there is nothing to start from; exit 7"]
  containers:
  - name: web
    image: "@image@"
    command: [/bin/busybox, sh, -c, "echo runs nevertheless; exec /bin/busybox sleep 100000"]
"#;

#[test]
fn failing_init_container_stops_at_start() {
    let mut world = world();
    let auditor = keys::pair(&world.folder().join("auditor"), "auditor").unwrap();
    world.canaries.plant_key("auditor's key", &auditor.key).unwrap();
    let texts = play(&world, &[("pods.yaml", POD)]);
    let delivery = Delivery { auditor: Some(auditor.certificate.clone()), ..world.delivery() };
    let medium = world.deliver("init", &texts, &delivery).unwrap();
    let data = world.disk("data", DATA_DISK).unwrap();

    let boot = refused(&world, "failing-init", "single", &world.keys.image, &medium, Some(&data));

    boot.assert_ended(Stage::Start, &[("code", "HPL15005E")]);
    boot.assert_nothing_after(Stage::Start);
    boot.assert_says("; look at the log server for the engine's and the containers' lines");
    boot.assert_told_beside_the_journal(&world, "HPL15005E: ");
    let lines = world.syslog.lines().unwrap();
    let last = lines.iter().find(|line| line.app == "site-first").expect("a line of the init container");
    assert_eq!(last.msg.trim(), "there is nothing to start from");
    assert_eq!(last.origin(), Some("container"));
    assert!(
        lines.iter().all(|line| line.app != "site-web"),
        "a container ran whose init container had failed"
    );
    boot.say_when_off();
    boot.assert_closed_and_silent(&world);
    let transcript = capsule(&boot, &auditor.key);
    let [stage, code] = ["stage", "code"].map(|name| transcript["failure"][name].as_str().unwrap());
    assert_eq!((stage, code), ("start", "HPL15005E"));
}
