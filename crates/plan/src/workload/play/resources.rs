//! What a container may use up, and devices that are written as such.

use super::PLAY_FOLDER;
use super::fault::PlayFault;
use super::model::{Resources, Texts};
use super::notice::Notice;
use super::read::{Keys, Look};
use super::room::{Room, Who};
use crate::workload::document::Node;
use crate::workload::path;
use crate::workload::reach::{self, Place};

/// Reads one.
pub(super) fn resources(look: &mut Look, node: &Node, room: &mut Room<'_>, who: &Who) -> Option<Resources> {
    const RESOURCES: Keys =
        Keys { read: &["limits", "requests"], left_out: &["claims"], unneeded: &[], refused: &[] };
    let fields = look.fields(node, &RESOURCES)?;
    let mut amounts = |key| -> Texts {
        let entries = look.named(&fields, key, |look, name, node| {
            let amount = look.as_text(node)?;
            if !is_quantity(amount.as_str()) {
                look.refuse(PlayFault::Form("an amount such as 500m or 64Mi"));
            }
            match (name, name.split_once('=')) {
                ("cpu" | "memory", _) => Some(amount),
                (_, Some(("podman.io/device", device))) => {
                    let path = device.split(':').next().unwrap_or_default();
                    let path = path::absolute(path, "/");
                    match reach::place(&path, PLAY_FOLDER, &[]) {
                        Place::Closed => look.refuse(PlayFault::Reach("no disk, and no folder of devices")),
                        _ => room.reach(look, who, "a device", device, false),
                    }
                    Some(amount)
                }
                (_, Some(_)) => {
                    look.refuse(PlayFault::Engine("no other device than podman.io/device=PATH"));
                    None
                }
                _ => {
                    look.tell(Notice::LeftOut { keys: vec!["this amount".to_owned()] });
                    None
                }
            }
        });
        entries.into_iter().collect()
    };
    Some(Resources { limits: amounts("limits"), requests: amounts("requests") })
}

/// A quantity of the API: a decimal number with a suffix or an exponent.
pub(super) fn is_quantity(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end = digits.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(digits.len());
    let (number, suffix) = digits.split_at(end);
    let number_is = number.bytes().any(|byte| byte.is_ascii_digit())
        && number.bytes().filter(|byte| *byte == b'.').count() < 2;
    let exponent = |text: &str| {
        let text = text.strip_prefix(['+', '-']).unwrap_or(text);
        !text.is_empty() && text.len() < 4 && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let suffixes = ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    number_is && (suffixes.contains(&suffix) || suffix.strip_prefix(['e', 'E']).is_some_and(exponent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_of_the_api() {
        for text in ["1", "0.5", ".5", "1.", "500m", "64Mi", "1e3", "1E", "+1k", "-1", "1E-2"] {
            assert!(is_quantity(text), "{text}");
        }
        for text in ["", "m", "1mm", "1 Mi", "1.2.3", "1e", "64mi", "0x10"] {
            assert!(!is_quantity(text), "{text}");
        }
    }
}
