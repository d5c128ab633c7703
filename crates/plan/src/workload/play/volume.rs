//! Volumes of a pod: paths of the guest, empty folders, config maps, images.

use super::PLAY_FOLDER;
use super::config_map;
use super::fault::PlayFault;
use super::model::ConfigMap;
use super::model::{EmptyDir, HostPath, ImageVolume, Item, MapVolume, Source, Text, Volume};
use super::names;
use super::notice::Notice;
use super::read::{Fields, Keys, Look};
use super::room::Room;
use crate::workload::document::Node;
use crate::workload::path;
use crate::workload::reach::{self, Place};

/// What the API has and the engine does not.
const KEYS: Keys = Keys {
    read: &["name", "hostPath", "emptyDir", "configMap", "image"],
    left_out: &[],
    unneeded: &[],
    refused: &[
        ("persistentVolumeClaim", "no claim: mount a data volume of the contract by hostPath"),
        ("secret", "no secret: give it by the contract's env and contract.config.map"),
        ("downwardAPI", "no downwardAPI: the engine has none"),
        ("projected", "no projected volume: the engine has none"),
        ("csi", "no csi: the engine has none"),
        ("ephemeral", "no ephemeral volume claim: write emptyDir"),
        ("nfs", "no nfs: the engine has none"),
        ("iscsi", "no iscsi: the engine has none"),
        ("gitRepo", "no gitRepo: the engine has none"),
    ],
};

/// Types of a path, as they are written.
const TYPES: [&str; 7] =
    ["DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice"];

const A_TYPE: &str = "DirectoryOrCreate, Directory, FileOrCreate, File, Socket or CharDevice";

/// What is expected instead of a path that no container gets.
const NO_SUCH_PATH: &str = "a data volume or a path of the archive: this one belongs to the guest itself";

/// A volume as containers mount it.
pub(super) struct OfPod {
    /// Its name in the pod.
    pub(super) name: String,
    pub(super) model: Volume,
    /// Of a path: where it is, and whether it is a device.
    pub(super) path: Option<PathOfGuest>,
    /// For its author.
    pub(super) written: String,
}

/// A path that a volume shows.
pub(super) struct PathOfGuest {
    pub(super) absolute: String,
    pub(super) device: bool,
}

/// Reads all volumes of a pod.
pub(super) fn read(look: &mut Look, spec: &Fields<'_>, room: &mut Room<'_>) -> Vec<OfPod> {
    let mut volumes: Vec<OfPod> = Vec::new();
    look.items(spec, "volumes", |look, node| {
        let number = volumes.len();
        let volume = volume(look, node, room, number)?;
        if volumes.iter().any(|known| known.name == volume.name) {
            look.refuse(PlayFault::Taken("a name of volume"));
        }
        volumes.push(volume);
        Some(())
    });
    volumes
}

fn volume(look: &mut Look, node: &Node, room: &mut Room<'_>, number: usize) -> Option<OfPod> {
    let fields = look.fields(node, &KEYS)?;
    let name = look.needed(&fields, "name");
    let given =
        KEYS.read[1..].iter().filter(|key| fields.get(key).is_some_and(|node| !node.is_null())).count();
    let others = node.entries().iter().filter(|entry| !entry.value.is_null()).count();
    // One that is refused by its name was told.
    if given != 1 && others < 2 {
        look.refuse(PlayFault::Form("one of hostPath, emptyDir, configMap and image"));
        return None;
    }
    if given > 1 {
        look.refuse(PlayFault::Form("only one of hostPath, emptyDir, configMap and image"));
        return None;
    }
    let mut path = None;
    let mut written = String::new();
    let source = if fields.get("hostPath").is_some_and(|node| !node.is_null()) {
        look.at(&fields, "hostPath", |look, node| host_path(look, node, room, &mut path, &mut written))
            .flatten()
    } else if fields.get("emptyDir").is_some_and(|node| !node.is_null()) {
        look.at(&fields, "emptyDir", |look, node| empty_dir(look, node, &mut written)).flatten()
    } else if fields.get("configMap").is_some_and(|node| !node.is_null()) {
        look.at(&fields, "configMap", |look, node| config_map_volume(look, node, room, number, &mut written))
            .flatten()
    } else {
        look.at(&fields, "image", |look, node| image(look, node, room, &mut written)).flatten()
    };
    let model = Volume { name: Text::of(&names::volume(room.pod, number)), source: source? };
    Some(OfPod { name: name?.value.to_string(), model, path, written })
}

fn host_path(
    look: &mut Look,
    node: &Node,
    room: &mut Room<'_>,
    found: &mut Option<PathOfGuest>,
    written: &mut String,
) -> Option<Source> {
    let fields = look.fields(node, &Keys::read(&["path", "type"]))?;
    let kind = look.word(&fields, "type", &TYPES, A_TYPE).unwrap_or_default();
    let given = look.needed(&fields, "path")?;
    let absolute = path::absolute(given.as_str(), PLAY_FOLDER);
    written.push_str(given.written());
    let place = reach::place(&absolute, PLAY_FOLDER, &room.input.reach.volumes);
    look.at(&fields, "path", |look, _| {
        // The engine passes it on before a colon.
        if absolute.contains(':') {
            look.refuse(PlayFault::Form("a path without a colon"));
        }
        if place == Place::Closed {
            look.refuse(PlayFault::Reach(NO_SUCH_PATH));
        }
    });
    if kind == "BlockDevice" {
        look.at(&fields, "type", |look, _| look.refuse(PlayFault::Reach("no disk")));
    }
    let makes = matches!(kind, "DirectoryOrCreate" | "FileOrCreate");
    if let Some(inside) = path::inside(&absolute, PLAY_FOLDER)
        && !makes
        && !room.input.has(&inside)
    {
        look.at(&fields, "path", |look, _| look.refuse(PlayFault::NotInArchive));
    }
    *found = Some(PathOfGuest { absolute: absolute.clone(), device: kind == "CharDevice" });
    let path = Text { value: absolute.into(), template: given.template };
    Some(Source::HostPath(HostPath { path, kind }))
}

fn empty_dir(look: &mut Look, node: &Node, written: &mut String) -> Option<Source> {
    const EMPTY: Keys = Keys { read: &["medium"], left_out: &["sizeLimit"], unneeded: &[], refused: &[] };
    let fields = look.fields(node, &EMPTY)?;
    let medium = look.word(&fields, "medium", &["Memory"], "Memory, or no medium").unwrap_or_default();
    written.push_str(if medium.is_empty() { "empty folder" } else { "memory" });
    Some(Source::EmptyDir(EmptyDir { medium }))
}

fn config_map_volume(
    look: &mut Look,
    node: &Node,
    room: &mut Room<'_>,
    number: usize,
    written: &mut String,
) -> Option<Source> {
    let fields = look.fields(node, &Keys::read(&["name", "items", "defaultMode", "optional"]))?;
    let name = look.needed(&fields, "name");
    let optional = look.flag(&fields, "optional") == Some(true);
    let default_mode = look.number(
        &fields,
        "defaultMode",
        (0, 0o777),
        "a mode from 0000 to 0777, octal with its leading zero",
    );
    let map = name.as_ref().and_then(|name| room.maps.get(name.as_str()));
    if let (Some(_), None, false) = (&name, map, optional) {
        look.at(&fields, "name", |look, _| look.refuse(PlayFault::Undefined("a config map of this name")));
    }
    let items = look.items(&fields, "items", |look, node| item(look, node, map));
    let name = name?;
    written.push_str(&format!("config map {}", name.written()));
    let Some(map) = map else {
        // Optional, and not there: the engine leaves out what mounts it.
        return Some(Source::ConfigMap(MapVolume { name, items, default_mode, optional }));
    };
    let copy = names::copy(room.pod, number);
    let size = map.data.values().chain(map.binary_data.values()).map(|text| text.value.len()).sum();
    if !look.take(size) {
        return None;
    }
    room.copies.push(ConfigMap::new(&copy, map.data.clone(), map.binary_data.clone()));
    Some(Source::ConfigMap(MapVolume { name: Text::of(&copy), items, default_mode, optional: false }))
}

fn item(look: &mut Look, node: &Node, map: Option<&config_map::Map>) -> Option<Item> {
    const ITEM: Keys = Keys { read: &["key", "path"], left_out: &["mode"], unneeded: &[], refused: &[] };
    let fields = look.fields(node, &ITEM)?;
    let (key, path) = (look.needed(&fields, "key"), look.needed(&fields, "path"));
    let (key, path) = (key?, path?);
    look.at(&fields, "path", |look, _| {
        // The engine joins it to a folder of its own as it stands, and makes no folders in it.
        if !config_map::is_key(path.as_str()) {
            look.refuse(PlayFault::Form("the name of a file, without folders"));
        }
    });
    if map.is_some_and(|map| !map.has(key.as_str())) {
        look.at(&fields, "key", |look, _| look.tell(Notice::NoItem));
    }
    Some(Item { key, path })
}

fn image(look: &mut Look, node: &Node, room: &mut Room<'_>, written: &mut String) -> Option<Source> {
    let fields = look.fields(node, &Keys::read(&["reference", "pullPolicy"]))?;
    let reference = look.needed(&fields, "reference")?;
    look.at(&fields, "reference", |look, _| super::container::pinned(look, &reference, room));
    written.push_str(&format!("image {}", reference.written()));
    Some(Source::Image(ImageVolume { reference, pull_policy: "Never" }))
}
