//! The registry is away when the stage `images` begins: the engine asks again and again, waiting longer each time, and the
//! boot goes on once the registry is back.

use std::time::{Duration, Instant};

use countersign_vm::events::{Stage, State};
use countersign_vm::lab::syslog::Message;
use countersign_vm::lab::world::DATA_DISK;
use countersign_vm::profile::Profile;

use crate::inside::{self, End};
use crate::support::{BOOT, world};

/// How long it is away at least, of the 31 s that the engine's five attempts wait for (1, 2, 4, 8 and 16 s).
const AWAY: Duration = Duration::from_secs(15);

#[test]
fn registry_that_is_away_is_waited_for() {
    let mut world = world();
    let texts = world.contract().texts();
    let delivery = world.delivery();
    let medium = world.deliver("contract", &texts, &delivery).unwrap();
    let data = world.disk("data", DATA_DISK).unwrap();
    let run = world.run("registry-away", &world.keys.image, &medium, Some(&data)).unwrap();
    world.registry.go_away();
    let (mut guest, look) = inside::boot("registry-away", &Profile::named("single").unwrap(), run);
    guest.wait_for("images", BOOT, |event| event.is_stage(Stage::Images, State::Start)).unwrap();
    let began = Instant::now();
    // It says so before it waits, 16 s for the last time.
    let last = |message: &Message| message.msg.contains("retrying in 16s ... (5/5)");
    world.syslog.wait_for("the engine's fifth attempt", BOOT, last).unwrap();
    let away = began.elapsed();
    world.registry.come_back().unwrap();
    guest.wait_for("HPL10001I", BOOT, |event| event.is_message("HPL10001I")).unwrap();
    println!("registry-away: {away:.1?} after the stage had begun the registry came back");
    assert!(away >= AWAY, "{away:?}");
    look.ask(&mut guest);
    inside::panic(&mut guest, &look);
    look.assert_silent(&world, End::Cut);
}
