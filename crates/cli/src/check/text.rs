//! The report for people.

use std::io::Write;

use anyhow::Result;

use countersign_plan::workload::play::ContainerPlan;

use super::Sources;
use super::excerpt::excerpt;
use super::plan::{CertificatePlan, Plan, SignaturePlan};
use super::report::{Report, Reported, Verdict};
use super::services::{self, Container};
use crate::answer::{Colour, tame};

/// Prints the report about the contract called `name`; with `sources`, the lines that findings are about; with `colour`, as a
/// terminal shows it.
pub(super) fn print(
    out: &mut dyn Write,
    name: &str,
    report: &Report,
    sources: Option<&Sources<'_>>,
    colour: bool,
) -> Result<()> {
    let verdict = match (report.verdict, report.stage) {
        (Verdict::Refused, Some(stage)) => format!("refused at {}", stage.name()),
        (Verdict::Refused, None) => "refused".to_owned(),
        (Verdict::Boots, _) => "boots".to_owned(),
        (Verdict::Undecided, _) => "nothing wrong in what could be read; not everything could".to_owned(),
    };
    let of = match report.verdict {
        Verdict::Refused => Colour::Red,
        Verdict::Boots => Colour::Green,
        Verdict::Undecided => Colour::Yellow,
    };
    writeln!(out, "{}: {}", tame(name), of.paint(&verdict, colour))?;
    for finding in &report.findings {
        let shown = sources.and_then(|sources| excerpt(sources.of(finding.section)?, finding));
        print_finding(out, finding, shown, colour)?;
    }
    for gap in &report.unchecked {
        let place = place("contract", &gap.pointer, gap.line, gap.column);
        writeln!(out, "\nnot checked: {}\n  {}", tame(&place), gap.reason)?;
    }
    if let Some(plan) = &report.plan {
        print_plan(out, plan)?;
    }
    Ok(())
}

fn place(section: &str, pointer: &str, line: Option<u32>, column: Option<u32>) -> String {
    let pointer = if pointer.is_empty() { "/" } else { pointer };
    match (line, column) {
        (Some(line), Some(column)) => format!("{pointer} ({section} line {line}, column {column})"),
        _ => pointer.to_owned(),
    }
}

fn print_finding(
    out: &mut dyn Write,
    finding: &Reported,
    shown: Option<(String, usize)>,
    colour: bool,
) -> Result<()> {
    let place = place(finding.section, &finding.pointer, finding.line, finding.column);
    let stage = finding.stage.name();
    let of = match finding.severity {
        "error" => Colour::Red,
        "warning" => Colour::Yellow,
        _ => Colour::Cyan,
    };
    let what = of.paint(&format!("{} {}", finding.severity, finding.code), colour);
    writeln!(out, "\n{what} at {stage}: {}", tame(&place))?;
    if let (Some((line, column)), Some(number)) = (shown, finding.line) {
        let number = number.to_string();
        writeln!(out, "  {number} | {}", tame(&line))?;
        let mark = of.paint("^", colour);
        writeln!(out, "  {:width$} | {:column$}{mark}", "", "", width = number.len())?;
    }
    writeln!(out, "  {}", tame(&finding.message))?;
    if let Some(hint) = &finding.hint {
        writeln!(out, "  {} {}", Colour::Green.paint("hint:", colour), tame(hint))?;
    }
    Ok(())
}

fn print_plan(out: &mut dyn Write, plan: &Plan) -> Result<()> {
    writeln!(out)?;
    for (name, text) in lines(plan, true) {
        writeln!(out, "  {name:<9} {}", tame(&text).replace('\n', " "))?;
    }
    Ok(())
}

/// The plan in words: of each line what it is about, and what it says. `numbered`, services are told with the lines of the
/// compose file; who compares plans has no use for these.
pub(super) fn lines(plan: &Plan, numbered: bool) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    let mut line = |name: &'static str, text: String| lines.push((name, text));
    match &plan.signer {
        Some(fingerprint) => line("signer", format!("key with SHA-256 {fingerprint}")),
        None => line("signer", "nobody".to_owned()),
    }
    let log = &plan.log;
    let authorities = |certificates: &[CertificatePlan]| match certificates {
        [] => vec!["the public ones of the guest OS".to_owned()],
        own => own.iter().map(told).collect(),
    };
    match &log.iam {
        None => {
            line("log", format!("{} port {}, TLS", log.hostname, log.port));
            log.authorities.iter().for_each(|own| line("authority", told(own)));
            log.client.iter().for_each(|own| line("client", told(own)));
        }
        Some(iam) => {
            line("log", format!("{} port {}, IBM Cloud Logs", log.hostname, log.port));
            authorities(&log.authorities).into_iter().for_each(|text| line("authority", text));
            line("iam", format!("{} port {}, gives the tokens", iam.hostname, iam.port));
            authorities(&iam.authorities).into_iter().for_each(|text| line("authority", text));
        }
    }
    for registry in &plan.registries {
        line("registry", format!("{registry}, with credentials"));
    }
    // Those of services and containers are told with these.
    let told: Vec<&str> = plan
        .services
        .iter()
        .filter_map(|service| service.plan.image.as_deref())
        .chain(plan.containers.iter().map(|container| container.plan.image.as_str()))
        .collect();
    for image in plan.images.iter().filter(|image| !told.contains(&image.as_str())) {
        line("image", image.clone());
    }
    for SignaturePlan { image, rule, simple_signing, cosign } in &plan.signatures {
        let openpgp =
            (!simple_signing.is_empty()).then(|| format!("OpenPGP key {}", simple_signing.join(" or ")));
        let cosign = cosign.as_ref().map(|key| format!("cosign key {key}"));
        let keys: Vec<String> = openpgp.into_iter().chain(cosign).collect();
        line("signature", format!("of {image} by {} (rule {rule})", keys.join(" and by ")));
    }
    for variable in &plan.environment {
        line("variable", format!("{} from {}", variable.name, variable.from));
    }
    for volume in &plan.volumes {
        let what = match &volume.action {
            Some(action) => action.clone(),
            None => {
                let blank =
                    if volume.initialize == "never" { "never made new" } else { "made new on a blank disk" };
                format!("disk called {}, {blank}", volume.names.join(" or "))
            }
        };
        line("volume", format!("{} at {}, {}: {what}", volume.name, volume.mount, volume.filesystem));
    }
    for service in &plan.services {
        services::lines(service, numbered).into_iter().for_each(|(name, text)| line(name, text));
    }
    for Container { plan: container, accepted } in &plan.containers {
        let ContainerPlan { name, init, image, restart, file, line: number, .. } = container;
        let when = if *init { "once, before the others".to_owned() } else { format!("restart {restart}") };
        let accepted = accepted.told();
        line("container", format!("{name}, {when}: {image}, {accepted} ({file} line {number})"));
        for port in &container.ports {
            line("port", format!("{name}: {port}"));
        }
        for mount in &container.mounts {
            line("mount", format!("{name}: {mount}"));
        }
        if !container.variables.is_empty() {
            line("takes", format!("{name}: {}", container.variables.join(", ")));
        }
    }
    for way in &plan.reach {
        if services::tells(&plan.services, &way.at, way.what, &way.written, way.line) {
            continue;
        }
        let file = way.file.as_ref().map(|file| format!("{file} ")).unwrap_or_default();
        let place = if numbered { format!(" ({file}line {})", way.line) } else { String::new() };
        line("reach", format!("{}, {}: {}{place}", way.at, way.what, way.written));
    }
    line("deviation", plan.on_deviation.to_owned());
    line("start", plan.compose.clone().unwrap_or_else(|| "the pods".to_owned()));
    lines
}

fn told(certificate: &CertificatePlan) -> String {
    format!("{}, until {}", certificate.subject, certificate.not_after)
}
