//! What the pods of a workload share: names, ports, config maps, and what is known of them so far.

use std::collections::{BTreeMap, BTreeSet};

use super::config_map::Map;
use super::fault::PlayFault;
use super::model::{ConfigMap, Text};
use super::notice::Notice;
use super::read::Look;
use super::{ContainerPlan, Input};
use crate::images::name::ImageName;
use crate::workload::printable;
use crate::workload::reach::Way;

pub(super) struct Room<'r> {
    pub(super) input: &'r Input<'r>,
    pub(super) maps: &'r BTreeMap<String, Map>,
    /// Names of pods and containers, which the engine keeps in one room.
    names: BTreeSet<String>,
    /// Published ports, by protocol and number, with the addresses that they are published at.
    ports: BTreeMap<(&'static str, i64), Vec<String>>,
    pub(super) images: Vec<String>,
    pub(super) ways: Vec<Way>,
    pub(super) containers: Vec<ContainerPlan>,
    /// Config maps that a variable comes from.
    pub(super) used: BTreeSet<String>,
    /// Copies of config maps, one for each volume.
    pub(super) copies: Vec<ConfigMap>,
    /// Number of the pod.
    pub(super) pod: usize,
}

impl<'r> Room<'r> {
    pub(super) fn new(input: &'r Input<'r>, maps: &'r BTreeMap<String, Map>) -> Room<'r> {
        Room {
            input,
            maps,
            names: BTreeSet::new(),
            ports: BTreeMap::new(),
            images: Vec::new(),
            ways: Vec::new(),
            containers: Vec::new(),
            used: BTreeSet::new(),
            copies: Vec::new(),
            pod: 0,
        }
    }

    /// Takes a name; false where it is taken.
    pub(super) fn take_name(&mut self, name: String) -> bool {
        self.names.insert(name)
    }

    /// Takes a port of the guest; false where it is taken, at this address or at all of them.
    pub(super) fn take_port(&mut self, protocol: &'static str, port: i64, address: &str) -> bool {
        let every = |address: &str| matches!(address, "" | "0.0.0.0" | "::");
        let addresses = self.ports.entry((protocol, port)).or_default();
        let free = addresses.iter().all(|taken| !every(taken) && !every(address) && taken != address);
        addresses.push(address.to_owned());
        free
    }

    /// Whether a rule says who must have signed an image.
    pub(super) fn is_signed(&self, image: &str) -> bool {
        ImageName::parse(image).is_some_and(|image| self.input.signed.accept(&image))
    }

    pub(super) fn image(&mut self, image: &str) {
        if !self.images.iter().any(|known| known == image) {
            self.images.push(image.to_owned());
        }
    }

    /// A way out of a pod or container.
    pub(super) fn reach(
        &mut self,
        look: &mut Look,
        who: &Who,
        what: &'static str,
        written: &str,
        free: bool,
    ) {
        self.ways.push(Way {
            file: Some(look.origin.to_string()),
            line: look.line(),
            at: who.name.clone(),
            what,
            written: printable(written),
            free,
        });
        if free {
            return;
        }
        if self.input.reach.refuse {
            look.refuse(PlayFault::ReachByPolicy(what));
        } else {
            look.tell(Notice::Reach { who: who.shown.clone(), what });
        }
    }
}

/// Who reaches something.
pub(super) struct Who {
    /// Its name.
    pub(super) name: String,
    /// For a message: a name that was made of values is said as it is written.
    pub(super) shown: String,
}

impl Who {
    pub(super) fn pod(name: &Text) -> Who {
        Who { name: format!("pod {}", name.as_str()), shown: format!("pod {}", printable(name.written())) }
    }

    pub(super) fn container(pod: &Text, container: &Text) -> Who {
        let of =
            |pod: &str, container: &str| format!("container {}", super::names::container(pod, container));
        Who {
            name: of(pod.as_str(), container.as_str()),
            shown: of(&printable(pod.written()), &printable(container.written())),
        }
    }
}
