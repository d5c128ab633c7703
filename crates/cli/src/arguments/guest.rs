//! What an operator asks for: `medium`, `domain`.

use std::path::PathBuf;

use clap::Args;

use crate::domain::{self, VolumeDisk};

use super::Unsigned;

/// Options of `medium`.
#[derive(Debug, Args)]
pub struct Medium {
    /// Contract file, or a folder with the files of a contract disk.
    #[arg(value_name = "CONTRACT")]
    pub contract: PathBuf,
    /// The image.
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// Host name of the guest, for meta-data.
    #[arg(long, value_name = "NAME", conflicts_with = "meta_data")]
    pub hostname: Option<String>,
    /// File for meta-data, in place of that of the folder.
    #[arg(long, value_name = "FILE")]
    pub meta_data: Option<PathBuf>,
    /// File for network-config, in place of that of the folder. Without any the guest asks DHCP.
    #[arg(long, value_name = "FILE")]
    pub network_config: Option<PathBuf>,
    /// Private key of the image, to judge sealed sections as well.
    #[arg(long, value_name = "IMAGE_KEY")]
    pub key: Option<PathBuf>,
    /// Which contracts without a signature the image takes, as its image.json says.
    #[arg(long, value_enum, default_value_t = Unsigned::Plain, value_name = "WHICH")]
    pub unsigned: Unsigned,
}

/// Options of `domain`.
#[derive(Debug, Args)]
pub struct Domain {
    /// The image's disk, from which the guest starts.
    #[arg(long, value_name = "PATH")]
    pub image: PathBuf,
    /// The contract disk, as `countersign medium` makes it.
    #[arg(long, value_name = "PATH")]
    pub contract: PathBuf,
    /// Disk of a volume, with its serial number; may be given several times.
    #[arg(long, value_name = "SERIAL=PATH")]
    pub volume: Vec<VolumeDisk>,
    /// Scratch disk, which the guest encrypts with a key of each boot.
    #[arg(long, value_name = "PATH")]
    pub scratch: Option<PathBuf>,
    /// Name of the domain.
    #[arg(long, value_name = "NAME", default_value = "countersign", value_parser = domain::name)]
    pub name: String,
    /// Memory in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 4096, value_parser = clap::value_parser!(u64).range(1024..=16_777_216))]
    pub memory: u64,
    /// Processors.
    #[arg(long, value_name = "COUNT", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=248))]
    pub cpus: u32,
    /// File for what the guest says on its console, appended to [default: /var/log/libvirt/qemu/NAME-console.log].
    #[arg(long, value_name = "FILE")]
    pub console: Option<PathBuf>,
    /// Network of libvirt.
    #[arg(long, value_name = "NAME", default_value = "default", conflicts_with = "bridge")]
    pub network: String,
    /// Bridge of the host, in place of a network of libvirt.
    #[arg(long, value_name = "NAME")]
    pub bridge: Option<String>,
    /// Without Secure Execution: for an image whose image.json says "secure-execution": "test".
    #[arg(long)]
    pub test: bool,
    /// Emulated, on a machine that is no IBM Z or LinuxONE; without Secure Execution, and slow.
    #[arg(long)]
    pub emulated: bool,
    /// File for the XML; standard output if absent.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}
