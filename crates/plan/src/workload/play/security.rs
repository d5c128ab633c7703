//! What a container may do.

use super::fault::PlayFault;
use super::model::{Capabilities, Security, Text};
use super::pod::{AN_ID, IDS};
use super::read::{Keys, Look};
use super::room::{Room, Who};
use crate::workload::document::Node;
use crate::workload::reach::{self, PRIVILEGED};

const KEYS: Keys = Keys {
    read: &[
        "privileged",
        "runAsUser",
        "runAsGroup",
        "readOnlyRootFilesystem",
        "allowPrivilegeEscalation",
        "procMount",
        "capabilities",
    ],
    left_out: &["appArmorProfile", "runAsNonRoot", "seccompProfile", "seLinuxOptions"],
    unneeded: &["windowsOptions"],
    refused: &[],
};

/// Reads one.
pub(super) fn read(look: &mut Look, node: &Node, room: &mut Room<'_>, who: &Who) -> Option<Security> {
    let fields = look.fields(node, &KEYS)?;
    let privileged = look.flag(&fields, "privileged");
    if privileged == Some(true) {
        look.at(&fields, "privileged", |look, _| room.reach(look, who, PRIVILEGED, "true", false));
    }
    let proc_mount = look.word(&fields, "procMount", &["Default", "Unmasked"], "Default or Unmasked");
    if proc_mount == Some("Unmasked") {
        look.at(&fields, "procMount", |look, _| {
            room.reach(look, who, "a weaker confinement", "Unmasked", false);
        });
    }
    let capabilities = look.at(&fields, "capabilities", |look, node| {
        let fields = look.fields(node, &Keys::read(&["add", "drop"]))?;
        let add = look.items(&fields, "add", |look, node| {
            let name = capability(look, node)?;
            if !reach::is_usual_capability(name.as_str()) {
                room.reach(look, who, "a capability beyond the usual ones", name.written(), false);
            }
            Some(name)
        });
        let drop = look.items(&fields, "drop", |look, node| capability(look, node));
        Some(Capabilities { add, drop })
    });
    Some(Security {
        privileged,
        run_as_user: look.number(&fields, "runAsUser", IDS, AN_ID),
        run_as_group: look.number(&fields, "runAsGroup", IDS, AN_ID),
        read_only_root_filesystem: look.flag(&fields, "readOnlyRootFilesystem"),
        allow_privilege_escalation: look.flag(&fields, "allowPrivilegeEscalation"),
        proc_mount,
        capabilities: capabilities.flatten(),
    })
}

fn capability(look: &mut Look, node: &Node) -> Option<Text> {
    let name = look.as_text(node)?;
    if !reach::is_capability(name.as_str()) {
        look.refuse(PlayFault::Form("the name of a capability of Linux, or ALL"));
    }
    Some(name)
}
