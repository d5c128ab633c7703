//! Each service of a compose file and each container of pods: what `countersign_plan` says of it, and which rule accepts its
//! image.

use countersign_contract::model::Contract;
use countersign_plan::guest_os::handover::GuestPlan;
use countersign_plan::guest_os::render::{self, Rendered};
use countersign_plan::images::name::ImageName;
use countersign_plan::workload::compose::{ServicePlan, VariablePlan};
use countersign_plan::workload::play::ContainerPlan;
use serde::Serialize;

/// A service.
#[derive(Debug, Serialize)]
pub(super) struct Service {
    #[serde(flatten)]
    pub plan: ServicePlan,
    /// Why its image may run; none where the image stands in another file.
    pub accepted: Option<Accepted>,
}

/// A container of a pod.
#[derive(Debug, Serialize)]
pub(super) struct Container {
    #[serde(flatten)]
    pub plan: ContainerPlan,
    /// Why its image may run.
    pub accepted: Accepted,
}

/// Why an image may run.
#[derive(Debug, Serialize)]
pub(super) struct Accepted {
    /// Whether it is named by its digest.
    pub digest: bool,
    /// The rules for signed images that cover it, as pointers into the contract.
    pub rules: Vec<String>,
}

impl Accepted {
    fn of(image: &str, contract: &Contract, guest: &GuestPlan) -> Accepted {
        let name = ImageName::parse(image);
        let covering = name.iter().flat_map(|name| guest.signed.covering(name));
        let places = covering.filter_map(|rule| contract.image_rules().get(rule.name()));
        Accepted {
            digest: name.as_ref().is_some_and(ImageName::is_pinned),
            rules: places.map(|rule| rule.place().pointer.as_str().to_owned()).collect(),
        }
    }

    /// In words; which keys a rule demands is told with the signatures.
    pub(super) fn told(&self) -> String {
        let rules = self.rules.iter().map(|rule| format!("signed by {rule}"));
        let digest = self.digest.then(|| "by digest".to_owned());
        digest.into_iter().chain(rules).collect::<Vec<_>>().join(", ")
    }
}

/// All services of a compose file.
pub(super) fn services(contract: &Contract, rendered: &Rendered) -> Vec<Service> {
    let guest = &rendered.plan;
    let services = render::services(contract, rendered).into_iter();
    services
        .map(|plan| {
            let accepted = plan.image.as_deref().map(|image| Accepted::of(image, contract, guest));
            Service { plan, accepted }
        })
        .collect()
}

/// All containers of pods.
pub(super) fn containers(contract: &Contract, rendered: &Rendered) -> Vec<Container> {
    let one = |plan: &ContainerPlan| Container {
        accepted: Accepted::of(&plan.image, contract, &rendered.plan),
        plan: plan.clone(),
    };
    rendered.containers.iter().map(one).collect()
}

/// The lines about a service; `numbered`, with the lines of the compose file.
pub(super) fn lines(service: &Service, numbered: bool) -> Vec<(&'static str, String)> {
    let Service { plan, accepted } = service;
    let name = &plan.name;
    let at = |line: usize| if numbered { format!(" (line {line})") } else { String::new() };
    let image = match (&plan.image, accepted) {
        (Some(image), Some(accepted)) => format!("{image}, {}{}", accepted.told(), at(plan.image_line)),
        _ => "an image of another file".to_owned(),
    };
    let mut lines = vec![("service", format!("{name}{}: {image}", at(plan.line)))];
    for port in &plan.ports {
        lines.push(("port", format!("{name}: {}{}", port.written, at(port.line))));
    }
    for mount in &plan.mounts {
        let kind = match mount.key {
            "volumes" => String::new(),
            key => format!("{key} "),
        };
        lines.push(("mount", format!("{name}: {kind}{}{}", mount.written, at(mount.line))));
    }
    for variable in &plan.variables {
        lines.push(("takes", format!("{name}: {}{}", origin(variable), at(variable.line))));
    }
    lines
}

/// A variable with its origin.
fn origin(variable: &VariablePlan) -> String {
    let VariablePlan { name, from, file, takes, .. } = variable;
    let set = |from: &str| match from {
        "nobody" => "which nobody sets".to_owned(),
        from => format!("from {from}"),
    };
    match (*from, file) {
        (_, Some(file)) => format!("{name} from env_file {file}"),
        ("passed", _) => {
            let from = takes.first().map_or("nobody", |taken| taken.from);
            format!("{name}, {}", set(from))
        }
        _ if takes.is_empty() => format!("{name} from environment"),
        _ => {
            let takes: Vec<String> =
                takes.iter().map(|taken| format!("{} {}", taken.name, set(taken.from))).collect();
            format!("{name} from environment, with {}", takes.join(", "))
        }
    }
}

/// Whether a way out of a container is told with its service, as a port or a mount.
pub(super) fn tells(services: &[Service], at: &str, what: &str, written: &str, line: usize) -> bool {
    let service =
        services.iter().find(|service| at.strip_prefix("service ") == Some(service.plan.name.as_str()));
    service.is_some_and(|service| {
        what == "a published port"
            && service.plan.ports.iter().any(|port| (port.written.as_str(), port.line) == (written, line))
    })
}
