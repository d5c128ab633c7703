//! Workloads of the shapes that people publish (`tests/shapes`) run on the guest's engine, each of their containers with
//! a line of its own at the log server: fifteen in one guest, one after the other, and three as boots of their own.
//!
//! In the one guest a unit of the probed image (`probe/shapes`) puts in place what the handover brings of a workload, and
//! has the shipped units run the stages `images` and `start` again. What it puts there is rendered here by the shipped
//! planner from the shape's contract, with the registry's credentials left out: those the guest keeps for itself.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use countersign_contract::envelope::Envelope;
use countersign_plan::guest_os::handover::{FOLDER, Identity, PLAN, PODS};
use countersign_plan::guest_os::render::{Guest as RenderedFor, render};
use countersign_plan::trust::section;
use countersign_vm::arguments::Drive;
use countersign_vm::events::Event;
use countersign_vm::guest::{Guest, Next};
use countersign_vm::lab::contract::Texts;
use countersign_vm::lab::syslog::Message;
use countersign_vm::lab::world::{DATA_DISK, HOST_NAME, World};
use countersign_vm::process::{run, tied};
use countersign_vm::profile::Profile;

use crate::inside::{self, End, SHAPES};
use crate::reader::{self, Shape};
use crate::support::{BOOT, long, world};

/// Those that are boots of their own: a compose file of many services, pods with an init container, a template.
const WHOLE: [&str; 3] = ["cold-vault", "init", "template"];

/// The lab's image under every name that the shapes have for it; its digest, 64 digits.
fn images(world: &World, shapes: &[Shape]) -> String {
    let layout = world.folder().join("image/layout");
    let names: BTreeSet<String> = shapes.iter().flat_map(Shape::repositories).collect();
    let mut digest = String::new();
    for name in &names {
        digest = world.registry.push(&layout, name).unwrap();
    }
    digest.trim_start_matches("sha256:").to_owned()
}

/// The sections of a contract around a shape.
fn texts(world: &World, shape: &Shape, digest: &str) -> Texts {
    let mut contract = world.contract();
    contract.env.clear();
    contract.workload_env.clear();
    let mut texts = contract.texts();
    let (before, behind) = texts.workload.split_once("compose:\n").unwrap();
    let (_, behind) = behind.split_once('\n').unwrap();
    let own = shape.workload(&world.registry.guest_address(), digest);
    texts.workload = format!("{before}{own}{behind}");
    texts.env.push_str(&shape.env());
    texts
}

/// Writes what the handover brings of the workload below `folder`.
fn hand_over(texts: &Texts, folder: &Path) {
    let indented = |text: &str| text.lines().map(|line| format!("  {line}\n")).collect::<String>();
    let (workload, env) = (indented(&texts.workload), indented(&texts.env));
    let envelope = Envelope::parse(format!("workload: |\n{workload}env: |\n{env}").as_bytes()).unwrap();
    let [workload, env] = [envelope.workload(), envelope.env()].map(|section| section.tree(None).unwrap());
    let contract = section::contract(workload, env).unwrap();
    let identity = Identity::default();
    let guest = RenderedFor {
        version: env!("CARGO_PKG_VERSION"),
        hostname: HOST_NAME,
        identity: &identity,
        network: None,
        refuse_reach: false,
    };
    let notes = [PLAN, PODS].map(|name| format!("{FOLDER}/{name}"));
    for file in render(&contract, guest).unwrap().files {
        let path = match file.path.strip_prefix('/') {
            Some(path) if path.starts_with("data1/") => folder.join(path),
            _ if notes.contains(&file.path) => {
                folder.join("notes").join(file.path.rsplit('/').next().unwrap())
            }
            _ => continue,
        };
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, file.content.expose()).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(file.mode)).unwrap();
    }
}

/// A disk with them all.
fn disk(world: &World, shapes: &[Shape], digest: &str) -> PathBuf {
    let folder = world.folder().join("shapes");
    for shape in shapes {
        hand_over(&texts(world, shape, digest), &folder.join(&shape.name));
    }
    let disk = world.folder().join("shapes.tar");
    let mut archive = tied("tar");
    archive.args(["--create", "--owner=0", "--group=0", "--blocking-factor=2048", "--file"]);
    archive.arg(&disk).arg("--directory").arg(&folder).arg(".");
    run(archive, b"").unwrap();
    disk
}

/// Every container of the shape has told its line since message number `since`.
fn assert_told(world: &mut World, shape: &Shape, since: usize) {
    for (name, text) in shape.lines() {
        let mut number = 0;
        let told = |message: &Message| {
            number += 1;
            number > since && message.app == name && message.msg.trim().starts_with(&text)
        };
        let what = format!("{}: {text} of {name}", shape.name);
        let message = world.syslog.wait_for(&what, BOOT, told).unwrap();
        assert_eq!(message.origin(), Some("container"), "{message:?}");
    }
}

fn said(event: &Event, words: &str) -> bool {
    matches!(event, Event::Console(line) if line.contains(words))
}

fn started(guest: &mut Guest, name: &str) {
    let words = format!("probe: shape={name} state=started");
    guest.wait_for(&words, BOOT, |event| said(event, &words)).unwrap();
}

#[test]
fn fifteen_published_workloads_run_in_one_guest() {
    let mut world = world();
    let mut shapes = reader::all();
    shapes.retain(|shape| !WHOLE.contains(&shape.name.as_str()));
    assert_eq!(shapes.len(), 15);
    let digest = images(&world, &shapes);
    let texts = world.contract().texts();
    let delivery = world.delivery();
    let medium = world.deliver("contract", &texts, &delivery).unwrap();
    let data = world.disk("data", DATA_DISK).unwrap();
    let mut run = world.run("shapes", &world.keys.image, &medium, Some(&data)).unwrap();
    run.command_line.push("shapes".to_owned());
    run.drives.push(Drive::read_only(disk(&world, &shapes, &digest), "shapes"));
    let (mut guest, look) = inside::boot("shapes", &Profile::named("single").unwrap(), run);
    guest.wait_for("HPL10001I", BOOT, |event| event.is_message("HPL10001I")).unwrap();
    let mut since = 0;
    for shape in &shapes {
        started(&mut guest, &shape.name);
        assert_told(&mut world, shape, since);
        since = world.syslog.lines().unwrap().len();
        let gone = format!("probe: shape={} state=gone", shape.name);
        inside::knock(
            &mut guest,
            SHAPES,
            &gone,
            |next| matches!(next, Next::Event(seen) if said(&seen.event, &gone)),
        );
    }
    look.ask(&mut guest);
    inside::panic(&mut guest, &look);
    look.assert_silent(&world, End::Cut);
}

fn runs_alone(name: &str) {
    if !long() {
        return;
    }
    let mut world = world();
    let shape = reader::all().into_iter().find(|shape| shape.name == name).unwrap();
    let digest = images(&world, std::slice::from_ref(&shape));
    let texts = texts(&world, &shape, &digest);
    let delivery = world.delivery();
    let medium = world.deliver("contract", &texts, &delivery).unwrap();
    let data = world.disk("data", DATA_DISK).unwrap();
    let run = world.run(name, &world.keys.image, &medium, Some(&data)).unwrap();
    let (mut guest, look) = inside::boot(name, &Profile::named("single").unwrap(), run);
    guest.wait_for("HPL10001I", BOOT, |event| event.is_message("HPL10001I")).unwrap();
    assert_told(&mut world, &shape, 0);
    look.ask(&mut guest);
    inside::panic(&mut guest, &look);
    look.assert_silent(&world, End::Cut);
}

#[test]
fn a_published_compose_file_of_eight_services_runs() {
    runs_alone("cold-vault");
}

#[test]
fn a_published_pod_with_an_init_container_runs() {
    runs_alone("init");
}

#[test]
fn a_published_template_runs() {
    runs_alone("template");
}
