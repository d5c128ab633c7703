//! `passphrase`: the LUKS passphrase of a volume, for a machine that is not the guest.
//!
//! The one verb that prints what opens data, so it says nothing else: reports go to standard error. The derivation is
//! the guest's own (`plan::volumes::seeds`). No seed is taken from an argument.

use std::io::{IsTerminal, Write};

use anyhow::{Context, Result, bail};
use countersign_contract::model::{Contract, Volume};
use countersign_crypto::secret::{VolumePassphrase, VolumeSeed};
use countersign_plan::volumes::seeds;
use zeroize::Zeroizing;

use crate::answer::Answer;
use crate::arguments::{Framing, Order, Passphrase, Previous};
use crate::{check, files, time};

pub(crate) fn run(options: &Passphrase, out: &mut dyn Write) -> Result<Answer> {
    let passphrase = match (options.seeds, &options.contract, &options.volume) {
        (Some(framing), _, _) => {
            let (deployer, workload) = two_seeds(&files::text(None)?, framing)?;
            derive(&deployer, &workload, options.order)?
        }
        (None, Some(contract), Some(volume)) => {
            let now = time::at(options.at.as_deref())?;
            let Some(contract) = check::accepted(contract, options.key.as_deref(), now)? else {
                return Ok(Answer::No);
            };
            let volume = find(&contract, volume)?;
            let (deployer, workload) = chosen(volume, options.previous)?;
            derive(deployer, workload, options.order)?
        }
        _ => bail!("expected a contract and --volume, or --seeds"),
    };
    let mut text = Zeroizing::new(String::with_capacity(passphrase.expose().len() + 1));
    text.push_str(passphrase.expose());
    if options.output.is_none() && std::io::stdout().is_terminal() {
        text.push('\n');
    }
    files::write_result(out, options.output.as_deref(), text.as_bytes())?;
    Ok(Answer::Yes)
}

fn derive(deployer: &VolumeSeed, workload: &VolumeSeed, order: Order) -> Result<VolumePassphrase> {
    let order = match order {
        Order::DeployerFirst => seeds::Order::DeployerFirst,
        Order::WorkloadFirst => seeds::Order::WorkloadFirst,
    };
    Ok(order.passphrase(deployer, workload)?)
}

fn find<'c>(contract: &'c Contract, name: &str) -> Result<&'c Volume> {
    let volumes = contract.volumes();
    if let Some(volume) = volumes.iter().find(|volume| volume.name() == name) {
        return Ok(volume);
    }
    if volumes.is_empty() {
        bail!("--volume: the contract has no volumes");
    }
    let names: Vec<&str> = volumes.iter().map(Volume::name).collect();
    bail!("--volume: expected a volume of the contract: {}", names.join(", "))
}

/// The deployer's and the workload's seed.
fn chosen(volume: &Volume, previous: Option<Previous>) -> Result<(&VolumeSeed, &VolumeSeed)> {
    let deployer = match previous {
        Some(Previous::Deployer | Previous::Both) => volume
            .previous_deployer_seed()
            .context("--previous: expected env to have a previousSeed for the volume")?,
        // A secret that the Ultravisor keeps is in no contract.
        _ => volume.deployer_seed().context("expected env to have a seed for the volume")?,
    };
    let workload = match previous {
        Some(Previous::Workload | Previous::Both) => volume
            .previous_workload_seed()
            .context("--previous: expected workload to have a previousSeed for the volume")?,
        _ => volume.workload_seed(),
    };
    Ok((deployer, workload))
}

/// Two seeds on standard input, the deployer's first. Nothing is trimmed: a blank counts.
fn two_seeds(text: &str, framing: Framing) -> Result<(VolumeSeed, VolumeSeed)> {
    let parts = match framing {
        Framing::Lines => {
            if text.contains(['\r', '\0']) {
                bail!("standard input: expected lines that end with a line feed alone, or --seeds=nul");
            }
            Some((text.strip_suffix('\n').unwrap_or(text), '\n'))
        }
        Framing::Nul => text.strip_suffix('\0').map(|text| (text, '\0')),
    };
    let seeds =
        parts.and_then(|(text, end)| text.split_once(end).filter(|(_, second)| !second.contains(end)));
    match seeds {
        Some((deployer, workload)) if !deployer.is_empty() && !workload.is_empty() => {
            Ok((VolumeSeed::copy_from(deployer), VolumeSeed::copy_from(workload)))
        }
        _ => match framing {
            Framing::Lines => {
                bail!("standard input: expected two lines, the deployer's seed and the workload's")
            }
            Framing::Nul => {
                bail!("standard input: expected two seeds, the deployer's first, a NUL byte after each")
            }
        },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn told(text: &str, framing: Framing) -> Option<(String, String)> {
        let (deployer, workload) = two_seeds(text, framing).ok()?;
        Some((deployer.expose().to_owned(), workload.expose().to_owned()))
    }

    #[test]
    fn two_seeds_and_nothing_else() {
        let both = |deployer: &str, workload: &str| Some((deployer.to_owned(), workload.to_owned()));
        for (text, framing, expected) in [
            ("a\nb\n", Framing::Lines, both("a", "b")),
            ("a\nb", Framing::Lines, both("a", "b")),
            (" a \n\tb \n", Framing::Lines, both(" a ", "\tb ")),
            ("a\n\n b\n\0c\n\0", Framing::Nul, both("a\n\n b\n", "c\n")),
            ("a\r\0b\0", Framing::Nul, both("a\r", "b")),
            ("", Framing::Lines, None),
            ("a", Framing::Lines, None),
            ("a\n", Framing::Lines, None),
            ("\nb\n", Framing::Lines, None),
            ("a\n\n", Framing::Lines, None),
            ("a\nb\nc", Framing::Lines, None),
            ("a\nb\n\n", Framing::Lines, None),
            ("a\r\nb\r\n", Framing::Lines, None),
            ("a\0b\0", Framing::Lines, None),
            ("", Framing::Nul, None),
            ("a\0", Framing::Nul, None),
            ("a\0b", Framing::Nul, None),
            ("a\0b\0\n", Framing::Nul, None),
            ("a\0b\0c\0", Framing::Nul, None),
            ("\0b\0", Framing::Nul, None),
            ("a\0\0", Framing::Nul, None),
        ] {
            assert_eq!(told(text, framing), expected, "{text:?} {framing:?}");
        }
    }
}
