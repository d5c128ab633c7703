//! The result as a table for people.

use std::fmt::Write;

use super::figures::{Figure, Target};
use super::guests::Boot;
use super::samples::Samples;
use super::{Measured, Outcome, Shape};
use crate::events::Stage;

/// The figures, then where the time goes.
#[must_use]
pub fn table(outcome: &Outcome) -> String {
    let Outcome { measured, figures } = outcome;
    let machine = &measured.machine;
    let mut out = format!(
        "{} {}, {} processors, load {}, {}\n\n",
        machine.time, machine.processor, machine.processors, machine.load, machine.emulator
    );
    let _ = writeln!(out, "{:<66} {:>10}  {:>9}  {:<6}  measured", "figure", "value", "target", "");
    for figure in figures {
        row(&mut out, figure);
    }
    if !measured.boots.is_empty() {
        boots(&mut out, &measured.boots);
    }
    parts(&mut out, measured);
    let shapes = measured.shapes.iter().map(|shape| {
        let Shape { name, bytes, end, ms } = shape;
        (format!("{name} ({bytes} bytes, ends with {end})"), *ms)
    });
    section(&mut out, "bytes to plan, natively, median", "ms", 1, shapes);
    out
}

fn row(out: &mut String, figure: &Figure) {
    let Figure { name, value, unit, of, target, met } = figure;
    let target = match target {
        Some(Target::AtMost(most)) => format!("≤ {most}"),
        Some(Target::AtLeast(least)) => format!("≥ {least}"),
        None => "-".to_owned(),
    };
    let met = match met {
        Some(true) => "met",
        Some(false) => "missed",
        None => "",
    };
    let value = format!("{value:.2} {unit}");
    let _ = writeln!(out, "{name:<66} {value:>10}  {target:>9}  {met:<6}  {of}");
}

fn boots(out: &mut String, boots: &[Boot]) {
    let heads = boots.iter().map(|boot| format!(" {:>12}", format!("{} {}", boot.profile, boot.boot)));
    let _ = writeln!(out, "\n{:<40}{}", "where the time of a boot goes, s", heads.collect::<String>());
    let mut line = |name: &str, cell: &dyn Fn(&Boot) -> Option<f64>| {
        let _ = write!(out, "{name:<40}");
        for boot in boots {
            let text = cell(boot).map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
            let _ = write!(out, " {text:>12}");
        }
        let _ = writeln!(out);
    };
    line("emulator start to /init", &|boot| Some(boot.init_s));
    for stage in Stage::ALL {
        if stage == Stage::Network {
            line("handover to the first stage there", &|boot| Some(boot.network_s - boot.handover_s));
        }
        let name = stage.to_string();
        if boots.iter().any(|boot| boot.stages.contains_key(&name)) {
            line(&format!("stage {name}"), &|boot| boot.stages.get(&name).map(|ms| ms / 1000.0));
        }
    }
    line("workload started", &|boot| Some(boot.started_s));
    let mut units: Vec<&str> =
        boots.iter().flat_map(|boot| boot.units.iter().map(|unit| unit.unit.as_str())).collect();
    units.sort_unstable();
    units.dedup();
    for name in units {
        let took = |boot: &Boot| boot.units.iter().find(|unit| unit.unit == name).map(|unit| unit.took_s);
        // What takes no time explains none.
        if boots.iter().any(|boot| took(boot).is_some_and(|took| took >= 0.1)) {
            line(&format!("unit {name}"), &took);
        }
    }
}

fn parts(out: &mut String, measured: &Measured) {
    let all: [(&str, &Samples); 4] = [
        ("stages of the initramfs", &measured.initramfs),
        ("the openssl program", &measured.program),
        ("libcrypto in one process", &measured.library),
        ("the shell recipe", &measured.recipe),
    ];
    for (title, samples) in all {
        let names = samples.0.first().into_iter().flat_map(|sample| sample.keys());
        let medians = names.filter_map(|name| Some((name.clone(), samples.median(&[name])?)));
        section(out, &format!("{title}, median of {}", samples.0.len()), "ms", 1, medians);
    }
    for (title, peaks) in [("a whole boot", &measured.peaks), ("opening 4 volumes", &measured.volumes.peaks)]
    {
        #[allow(clippy::cast_precision_loss)] // less than 2^52
        let mib = peaks.iter().map(|p| (format!("{}, {}", p.place, p.stage), p.kib as f64 / 1024.0));
        section(out, &format!("peak memory of countersignd (VmHWM), {title}"), "MiB", 2, mib);
    }
}

/// Lines of names and values under a title; nothing where nothing was measured.
fn section(
    out: &mut String,
    title: &str,
    unit: &str,
    digits: usize,
    lines: impl Iterator<Item = (String, f64)>,
) {
    let lines: String = lines.map(|(name, value)| format!("{name:<66} {value:>10.digits$}\n")).collect();
    if !lines.is_empty() {
        let _ = write!(out, "\n{title:<66} {unit:>10}\n{lines}");
    }
}
