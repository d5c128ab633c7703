//! What a container mounts of its pod's volumes.

use super::PLAY_FOLDER;
use super::container::{OfPod, Shown};
use super::fault::PlayFault;
use super::model::{Mount, Text};
use super::names;
use super::notice::Notice;
use super::read::{Keys, Look};
use super::room::{Room, Who};
use crate::workload::document::Node;
use crate::workload::path;
use crate::workload::printable;
use crate::workload::reach::{self, Place, RECORD};

/// Options behind the colon of a mount's path that change nothing beyond the container.
const OPTIONS: [&str; 13] = [
    "bind",
    "cached",
    "copy",
    "delegated",
    "exec",
    "nocopy",
    "nodev",
    "noexec",
    "nosuid",
    "private",
    "rbind",
    "rprivate",
    "rslave",
];

/// Reads one.
pub(super) fn mount(
    look: &mut Look,
    node: &Node,
    pod: &OfPod<'_>,
    room: &mut Room<'_>,
    who: &Who,
    shown: &mut Shown,
) -> Option<Mount> {
    const MOUNT: Keys = Keys {
        read: &["name", "mountPath", "readOnly", "subPath", "mountPropagation"],
        left_out: &["recursiveReadOnly", "subPathExpr"],
        unneeded: &[],
        refused: &[],
    };
    let fields = look.fields(node, &MOUNT)?;
    let name = look.needed(&fields, "name");
    let number =
        name.as_ref().and_then(|name| pod.volumes.iter().position(|volume| volume.name == name.as_str()));
    if name.is_some() && number.is_none() {
        look.at(&fields, "name", |look, _| {
            look.refuse(PlayFault::Undefined("a volume of this name in the pod"))
        });
    }
    let given = look.needed(&fields, "mountPath");
    let sub_path = look.text(&fields, "subPath");
    look.at(&fields, "subPath", |look, _| {
        let leaves =
            |path: &Text| path.as_str().starts_with('/') || path.as_str().split('/').any(|part| part == "..");
        if sub_path.as_ref().is_some_and(leaves) {
            look.refuse(PlayFault::Reach("a relative path without .. in the volume"));
        }
        // It becomes an option of the mount, which the engine cuts at these.
        if sub_path.as_ref().is_some_and(|path| path.as_str().contains([',', '='])) {
            look.refuse(PlayFault::Form("a path without comma and equals sign"));
        }
    });
    let propagation = look.word(
        &fields,
        "mountPropagation",
        &["None", "HostToContainer", "Bidirectional"],
        "None, HostToContainer or Bidirectional",
    );
    if propagation == Some("Bidirectional") {
        look.at(&fields, "mountPropagation", |look, _| {
            room.reach(look, who, "mounts of the guest", "Bidirectional", false);
        });
    }
    let mut read_only = look.flag(&fields, "readOnly") == Some(true);
    let (number, given) = (number?, given?);
    let volume = pod.volumes.get(number)?;
    let place = volume.path.as_ref().map(|path| {
        let below = sub_path.as_ref().map(Text::as_str).unwrap_or_default();
        let whole = path::absolute(&format!("{}/{below}", path.absolute), PLAY_FOLDER);
        (reach::place(&whole, PLAY_FOLDER, &room.input.reach.volumes), path.device)
    });
    let closes = matches!(place, Some((Place::Hyperprotect, _)));
    // What several containers may have keeps its owner.
    let keeps_owner = matches!(place, Some((Place::Hyperprotect | Place::Free, _)));
    let target =
        look.at(&fields, "mountPath", |look, _| target(look, &given, keeps_owner, &mut read_only, room, who));
    let target = target.flatten()?;
    let absent = volume.model.source.is_absent();
    // A device has no mount, and what is not there none either.
    let mounts = !place.is_some_and(|(_, device)| device) && !absent;
    if mounts && !shown.taken.insert(path::absolute(&target.0, "")) {
        look.at(&fields, "mountPath", |look, _| look.refuse(PlayFault::Taken("a place in the container")));
    }
    if closes {
        read_only = true;
    }
    if let Some((place, device)) = place {
        reaches(look, room, who, place, device, &volume.written);
    }
    let mode = if read_only { ":ro" } else { "" };
    if !absent {
        shown.mounts.push(format!("{}:{}{mode}", printable(&volume.written), printable(&target.0)));
    }
    Some(Mount {
        name: Text::of(&names::volume(room.pod, number)),
        mount_path: Text { value: format!("{}{}", target.0, target.1).into(), template: None },
        read_only,
        sub_path,
        mount_propagation: propagation,
    })
}

/// What a container reaches by a path of the guest.
fn reaches(look: &mut Look, room: &mut Room<'_>, who: &Who, place: Place, device: bool, written: &str) {
    let (what, free) = match place {
        // Refused where the volume stands; below it there may be more.
        Place::Closed => return look.refuse(PlayFault::Reach("no path that belongs to the guest itself")),
        _ if device => ("a device", false),
        Place::Volume => ("a volume of the contract", true),
        Place::Folder => ("the folder of the archive", true),
        Place::Free => ("a file that any container may have", true),
        Place::Hyperprotect => (RECORD, true),
        Place::Guest => ("a path of the guest", false),
    };
    room.reach(look, who, what, written, free);
    if place == Place::Hyperprotect {
        look.tell(Notice::Hyperprotect(room.input.reach.sections));
    }
}

/// Where a mount is, and the options behind it that the engine gets.
fn target(
    look: &mut Look,
    given: &Text,
    keeps_owner: bool,
    read_only: &mut bool,
    room: &mut Room<'_>,
    who: &Who,
) -> Option<(String, String)> {
    let (path, options) = given.as_str().split_once(':').unwrap_or((given.as_str(), ""));
    if !path.starts_with('/') || options.contains(':') {
        look.refuse(PlayFault::Form("an absolute path, perhaps with options behind one colon"));
        return None;
    }
    let mut passed: Vec<&str> = Vec::new();
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match option {
            "ro" => *read_only = true,
            // Labels are another kind of guest's.
            "rw" | "z" | "Z" => {}
            "U" if keeps_owner => {}
            "shared" | "rshared" => {
                room.reach(look, who, "mounts of the guest", option, false);
                passed.push(option);
            }
            "dev" | "suid" => {
                room.reach(look, who, "a weaker confinement", option, false);
                passed.push(option);
            }
            "U" | "slave" => passed.push(option),
            option if OPTIONS.contains(&option) => passed.push(option),
            _ => look.refuse(PlayFault::Engine(
                "no other option of a mount than ro, U, exec, private and the like",
            )),
        }
    }
    let options = if passed.is_empty() { String::new() } else { format!(":{}", passed.join(",")) };
    Some((path.to_owned(), options))
}
