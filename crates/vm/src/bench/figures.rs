//! From what was measured to the figures of the design, each with its definition and its target.
//!
//! It judges but does not measure. Durations are medians over the rounds of a run; a ratio is one of two medians of the
//! same run.

use serde::Serialize;

use super::Measured;
use super::samples::Samples;
use super::volumes::{CPUS, Opened};
use super::workloads::{IMAGES, Started};

/// The stages that work on the contract.
pub const CONTRACT_STAGES: [&str; 6] = ["locate", "parse", "unseal", "verify", "validate", "attest"];

const MIB: f64 = 1024.0 * 1024.0;

/// Which side of the target is the good one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
}

/// One line of the result.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// What it is.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// `×` for a ratio, else `s`, `ms`, `MiB`.
    pub unit: &'static str,
    /// What was measured, for a ratio both sides.
    pub of: String,
    /// What it should be, if the design says so.
    pub target: Option<Target>,
    /// Whether it is.
    pub met: Option<bool>,
}

impl Figure {
    fn new(
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
        of: impl Into<String>,
        target: Option<Target>,
    ) -> Self {
        let met = target.map(|target| match target {
            Target::AtMost(most) => value <= most,
            Target::AtLeast(least) => value >= least,
        });
        Self { name: name.into(), value, unit, of: of.into(), target, met }
    }

    /// A ratio of two durations in milliseconds.
    pub(super) fn ratio(
        name: &str,
        (of, above): (&str, f64),
        (per, below): (&str, f64),
        target: Option<Target>,
    ) -> Self {
        Self::new(name, above / below, "×", format!("{of} {above:.0} ms ÷ {per} {below:.0} ms"), target)
    }
}

/// All figures; one that lacks a measurement is left out.
#[must_use]
pub fn figures(measured: &Measured) -> Vec<Figure> {
    let mut all = cryptography(measured).unwrap_or_default();
    all.extend(super::record::figure(measured));
    all.extend(recipe(measured).unwrap_or_default());
    all.extend(volumes(measured));
    all.extend(workloads(measured));
    for boot in &measured.boots {
        let name = format!("kernel start to workload started, profile {}, boot {}", boot.profile, boot.boot);
        let of = format!(
            "/init at {:.1} s, handover at {:.1} s, network at {:.1} s",
            boot.init_s, boot.handover_s, boot.network_s
        );
        // The design's aims are those of the profile `default`.
        let most = if boot.boot == 1 { 25.0 } else { 20.0 };
        let target = (boot.profile == "default").then_some(Target::AtMost(most));
        all.push(Figure::new(name, boot.started_s, "s", of, target));
    }
    all.extend(memory(measured));
    all.extend(sizes(measured));
    if let Some(worst) = measured.shapes.iter().max_by(|a, b| a.ms.total_cmp(&b.ms)) {
        let name = "contract of up to 1 MiB, worst shape, bytes to plan, natively";
        all.push(Figure::new(name, worst.ms, "ms", worst.name.clone(), Some(Target::AtMost(100.0))));
    }
    all
}

fn cryptography(measured: &Measured) -> Option<Vec<Figure>> {
    let agent = &measured.initramfs;
    let contract = ("locate to attest", agent.median(&CONTRACT_STAGES)?);
    let preflight = ("preflight", agent.median(&["preflight"])?);
    let cold = ("4 openssl processes", measured.program.median(&["program"])?);
    let warm = ("4 openssl processes, run again", measured.program.median(&["again-program"])?);
    let library = ("one process", measured.library.median(&["library"])?);
    let name = "locate to attest ÷ its cryptography in one libcrypto process";
    Some(vec![
        Figure::ratio(name, contract, library, Some(Target::AtMost(1.3))),
        Figure::ratio("four openssl commands ÷ locate to attest", cold, contract, Some(Target::AtLeast(1.2))),
        Figure::ratio("  run a second time", warm, contract, None),
        Figure::ratio("preflight ÷ locate to attest", preflight, contract, Some(Target::AtMost(0.5))),
    ])
}

fn recipe(measured: &Measured) -> Option<Vec<Figure>> {
    let stages: Vec<_> = CONTRACT_STAGES.into_iter().chain(["unlock"]).collect();
    let agent = ("locate to unlock", measured.initramfs.median(&stages)?);
    let recipe = ("shell", measured.recipe.median(&["recipe"])?);
    let argon2id = measured.recipe.median(&["argon2id"])?;
    let name = "the same work as a shell recipe ÷ Countersign";
    let without = |(name, ms): (&'static str, f64)| (name, ms - argon2id);
    let mut figures = vec![
        Figure::ratio(name, recipe, agent, None),
        Figure::ratio("  without argon2id on both sides", without(recipe), without(agent), None),
    ];
    let part = |samples: &Samples, names: &[&str]| samples.median(names);
    if let (Some(recipe), Some(agent)) =
        (part(&measured.recipe, &CONTRACT_RECIPE), part(&measured.initramfs, &CONTRACT_STAGES))
    {
        figures.push(Figure::ratio("  locate to attest alone", ("shell", recipe), ("stages", agent), None));
    }
    if let (Some(recipe), Some(agent)) =
        (part(&measured.recipe, &["unlock"]), part(&measured.initramfs, &["unlock"]))
    {
        let (recipe, agent) = (without(("shell", recipe)), without(("stage", agent)));
        figures.push(Figure::ratio("  unlock alone, without argon2id", recipe, agent, None));
    }
    Some(figures)
}

/// Opening volumes against the two programs that open them, and refusing one.
fn volumes(measured: &Measured) -> Vec<Figure> {
    let mut figures = Vec::new();
    for Opened { lanes, count, countersign, programs } in &measured.volumes.opened {
        let (Some(opened), Some(open)) = (countersign.median(&["open"]), programs.median(&["open"])) else {
            continue;
        };
        let name = format!("opening {count}, {lanes} lanes, ÷ cryptsetup open and mount");
        let (of, per) = (("all opened and mounted", opened), ("one after the other", open));
        // Side by side where the first leaves a processor; several must never take longer than one after the other.
        let most = if *count > 1 && *lanes < CPUS { 0.6 } else { 1.05 };
        figures.push(Figure::ratio(&name, of, per, Some(Target::AtMost(most))));
    }
    if let Some(refused) = measured.volumes.forged.median(&["refused"]) {
        let name = "refusing a forged volume header";
        let of = "opening to refused, no key derived";
        figures.push(Figure::new(name, refused, "ms", of, Some(Target::AtMost(50.0))));
    }
    figures
}

/// Workloads against the same engine driven by hand.
fn workloads(measured: &Measured) -> Vec<Figure> {
    let mut figures = Vec::new();
    for Started { kind, countersign, by_hand } in &measured.workloads.started {
        if let (Some(ours), Some(hand)) =
            (countersign.median(&["first-line"]), by_hand.median(&["first-line"]))
        {
            let name = format!("unlock to the first container line, {kind}, ÷ by hand");
            figures.push(Figure::ratio(
                &name,
                ("stages", ours),
                ("by hand", hand),
                Some(Target::AtMost(1.1)),
            ));
        }
        if let Some(canonical) = countersign.median(&["canonical"]) {
            let of = "start of images to its first pull";
            let target = Some(Target::AtMost(1.0));
            figures.push(Figure::new("canonical form and judging", canonical / 1000.0, "s", of, target));
        }
    }
    let pulls = |name| measured.workloads.pulls.median(&[name]);
    if let Some(stage) = pulls("stage") {
        for (name, per, most) in [
            ("side-by-side", "podman processes side by side", 1.15),
            ("one-by-one", "one after the other", 0.8),
        ] {
            let Some(hand) = pulls(name) else { continue };
            let name = format!("pulling {IMAGES} images ÷ {per}");
            figures.push(Figure::ratio(&name, ("stage", stage), (per, hand), Some(Target::AtMost(most))));
        }
        if let Some(signed) = pulls("signed") {
            let (name, target) =
                (format!("pulling {IMAGES} signed images ÷ without a rule"), Target::AtMost(1.15));
            figures.push(Figure::ratio(&name, ("stage", signed), ("stage", stage), Some(target)));
        }
    }
    figures
}

/// The recipe's parts; it has none for `parse`.
const CONTRACT_RECIPE: [&str; 5] = ["locate", "unseal", "verify", "validate", "attest"];

#[allow(clippy::cast_precision_loss)] // less than 2^52
fn memory(measured: &Measured) -> Vec<Figure> {
    let most = |place: &str| {
        let peaks = measured.peaks.iter().chain(&measured.volumes.peaks);
        peaks.filter(|peak| peak.place == place).max_by_key(|peak| peak.kib)
    };
    let figure = |name: &str, place: &str, target| {
        most(place).map(|peak| {
            let of = format!("VmHWM, stage {}", peak.stage);
            Figure::new(name, peak.kib as f64 / 1024.0, "MiB", of, target)
        })
    };
    let target = Some(Target::AtMost(16.0));
    [
        figure("peak memory of countersignd in the initramfs, outside argon2id", "initramfs", target),
        figure("  while argon2id runs", "argon2id", None),
        figure("peak memory of countersignd in the guest OS", "guest-os", target),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[allow(clippy::cast_precision_loss)] // less than 2^52
fn sizes(measured: &Measured) -> Vec<Figure> {
    let targets = [("countersignd", 6.0), ("initramfs", 12.0), ("guest OS", 90.0)];
    let figure = |(name, bytes): (&String, &u64)| {
        let target = targets.iter().find(|(known, _)| known == name).map(|(_, most)| Target::AtMost(*most));
        Figure::new(format!("size of {name}"), *bytes as f64 / MIB, "MiB", format!("{bytes} bytes"), target)
    };
    measured.sizes.iter().map(figure).collect()
}

#[cfg(test)]
mod tests {
    use super::super::guests::Machine;
    use super::super::samples::{Peak, Sample};
    use super::super::volumes::Volumes;
    use super::super::workloads::Workloads;
    use super::super::{Outcome, Shape, table};
    use super::*;

    fn samples(pairs: &[(&str, f64)]) -> Samples {
        Samples(vec![pairs.iter().map(|&(name, ms)| (name.to_owned(), ms)).collect::<Sample>()])
    }

    /// Six stages of 100 ms, preflight and unlock of 1000.
    fn measured() -> Measured {
        let machine = Machine {
            time: "now".into(),
            processor: "p".into(),
            processors: 2,
            load: "0".into(),
            emulator: "e".into(),
        };
        let mut initramfs = samples(&[("preflight", 1000.0), ("unlock", 1000.0)]);
        initramfs.0[0].extend(CONTRACT_STAGES.map(|stage| (stage.to_owned(), 100.0)));
        let peak = |place: &str, kib| Peak { place: place.into(), stage: "s".into(), kib };
        Measured {
            machine,
            initramfs,
            volumes: Volumes {
                opened: [(1, 990.0, 900.0), (4, 2000.0, 3600.0)]
                    .map(|(count, ours, theirs)| Opened {
                        lanes: 1,
                        count,
                        countersign: samples(&[("open", ours)]),
                        programs: samples(&[("open", theirs)]),
                    })
                    .into(),
                forged: samples(&[("refused", 51.0)]),
                peaks: vec![peak("initramfs", 512)],
            },
            workloads: Workloads {
                started: vec![Started {
                    kind: "compose",
                    countersign: samples(&[("first-line", 1200.0), ("canonical", 900.0)]),
                    by_hand: samples(&[("first-line", 1000.0)]),
                }],
                pulls: samples(&[
                    ("signed", 121.0),
                    ("stage", 110.0),
                    ("side-by-side", 100.0),
                    ("one-by-one", 200.0),
                ]),
            },
            program: samples(&[("program", 500.0), ("again-program", 400.0)]),
            library: samples(&[("library", 300.0)]),
            recipe: samples(&[("recipe", 4000.0), ("argon2id", 800.0), ("unlock", 900.0)]),
            boots: Vec::new(),
            peaks: vec![peak("initramfs", 20480), peak("initramfs", 1024), peak("argon2id", 99999)],
            sizes: [("countersignd".to_owned(), 6 << 20)].into(),
            shapes: [("a", 5.0), ("b", 101.0)]
                .map(|(name, ms)| Shape { name: name.into(), bytes: 1, ms, end: "plan".into() })
                .to_vec(),
        }
    }

    #[test]
    fn each_figure_is_what_its_definition_says_and_is_held_against_its_target() {
        let found = figures(&measured());
        let of: Vec<_> =
            found.iter().map(|f| (f.name.trim(), (f.value * 100.0).round() / 100.0, f.met)).collect();
        assert_eq!(
            of,
            [
                ("locate to attest ÷ its cryptography in one libcrypto process", 2.0, Some(false)),
                ("four openssl commands ÷ locate to attest", 0.83, Some(false)),
                ("run a second time", 0.67, None),
                ("preflight ÷ locate to attest", 1.67, Some(false)),
                ("the same work as a shell recipe ÷ Countersign", 2.5, None),
                ("without argon2id on both sides", 4.0, None),
                ("unlock alone, without argon2id", 0.5, None),
                ("opening 1, 1 lanes, ÷ cryptsetup open and mount", 1.1, Some(false)),
                ("opening 4, 1 lanes, ÷ cryptsetup open and mount", 0.56, Some(true)),
                ("refusing a forged volume header", 51.0, Some(false)),
                ("unlock to the first container line, compose, ÷ by hand", 1.2, Some(false)),
                ("canonical form and judging", 0.9, Some(true)),
                ("pulling 4 images ÷ podman processes side by side", 1.1, Some(true)),
                ("pulling 4 images ÷ one after the other", 0.55, Some(true)),
                ("pulling 4 signed images ÷ without a rule", 1.1, Some(true)),
                ("peak memory of countersignd in the initramfs, outside argon2id", 20.0, Some(false)),
                ("while argon2id runs", 97.66, None),
                ("size of countersignd", 6.0, Some(true)),
                ("contract of up to 1 MiB, worst shape, bytes to plan, natively", 101.0, Some(false)),
            ]
        );
    }

    #[test]
    fn a_figure_that_was_not_measured_is_left_out_and_the_table_still_holds() {
        let mut measured = measured();
        measured.program = Samples::default();
        let figures = figures(&measured);
        assert!(!figures.iter().any(|figure| figure.name.contains("openssl")));
        let text = table::table(&Outcome { measured, figures });
        let words: Vec<_> = text.split_ascii_whitespace().collect();
        assert!(words.windows(5).any(|at| at == ["1.10", "×", "≤", "1.05", "missed"]), "{text}");
    }
}
