//! Verbs and options of `countersign-image`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Seal images of Countersign guests for Secure Execution machines, and verify them.
///
/// `qemu/seal` builds the parts and calls this.
///
/// Exit status: 0 yes, 1 no (an image or a manifest is not what it should be), 2 usage or files.
#[derive(Debug, Parser)]
#[command(name = "countersign-image", version, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub(super) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Seal kernel, initramfs and command line to the machines of host key documents.
    ///
    /// Every key is made for this sealing and kept nowhere. Writes the image IMAGE, its sealing manifest IMAGE.json and the
    /// builder's signature over that, IMAGE.json.sig.
    Seal(Box<Seal>),
    /// Sign a manifest: writes MANIFEST.sig.
    Sign(Sign),
    /// Verify both manifests by the builder's key, and that an image is the one they speak of.
    Verify(Verify),
}

#[derive(Debug, Args)]
pub(super) struct Seal {
    /// Kernel for s390x, a raw image.
    #[arg(long, value_name = "FILE")]
    pub(super) kernel: PathBuf,
    /// Initramfs with the image's keys and the signed build manifest.
    #[arg(long, value_name = "FILE")]
    pub(super) initramfs: PathBuf,
    /// File with the kernel's command line.
    #[arg(long, value_name = "FILE")]
    pub(super) command_line: PathBuf,
    /// The image.json that is in the initramfs.
    #[arg(long, value_name = "FILE")]
    pub(super) image_json: PathBuf,
    /// The build manifest that is in the initramfs.
    #[arg(long, value_name = "FILE")]
    pub(super) build_manifest: PathBuf,
    /// Folder with the boot loader parts stage3a.bin and stage3b_reloc.bin.
    #[arg(long, value_name = "FOLDER")]
    pub(super) boot_loader: PathBuf,
    /// Host key document of a machine that may run the image; may be given several times.
    #[arg(long, value_name = "FILE", required = true)]
    pub(super) host_key: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) issuers: Issuers,
    /// The builder's private key, which signs the sealing manifest.
    #[arg(long, value_name = "FILE")]
    pub(super) builder_key: PathBuf,
    /// Let the host dump the guest's memory, encrypted to this key: a file of 32 random bytes, which reads the dumps.
    #[arg(long, value_name = "FILE")]
    pub(super) allow_dumping: Option<PathBuf>,
    /// Let a machine open the image by its backup host key as well.
    #[arg(long)]
    pub(super) allow_backup_keys: bool,
    /// The time for which documents, certificates and lists are checked [default: now].
    #[arg(long, value_name = "TIME")]
    pub(super) at: Option<String>,
    /// Where the image goes.
    #[arg(value_name = "IMAGE")]
    pub(super) image: PathBuf,
}

/// Who vouches for host key documents.
#[derive(Debug, Args)]
pub(super) struct Issuers {
    /// Root certificate that you trust (IBM's documents: DigiCert Trusted Root G4); may be given several times.
    #[arg(long, value_name = "FILE", required = true)]
    pub(super) root: Vec<PathBuf>,
    /// Certificates below it: of IBM's key signing service, and between; may be given several times.
    #[arg(long, value_name = "FILE", required = true)]
    pub(super) certificate: Vec<PathBuf>,
    /// Revocation list of each issuer, PEM or DER; may be given several times.
    #[arg(long, value_name = "FILE", required = true)]
    pub(super) crl: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Sign {
    /// The builder's private key: RSA of at least 3072 bits, or an elliptic curve.
    #[arg(long, value_name = "FILE")]
    pub(super) builder_key: PathBuf,
    /// The manifest.
    #[arg(value_name = "MANIFEST")]
    pub(super) manifest: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// The builder's public key or certificate, from a source that you trust.
    #[arg(long, value_name = "FILE")]
    pub(super) builder: PathBuf,
    /// The build manifest; its signature is beside it, with the ending .sig.
    #[arg(long, value_name = "FILE")]
    pub(super) build_manifest: PathBuf,
    /// The sealing manifest; its signature is beside it, with the ending .sig.
    #[arg(long, value_name = "FILE")]
    pub(super) sealing_manifest: PathBuf,
    /// The image; without it the manifests alone are verified.
    #[arg(value_name = "IMAGE")]
    pub(super) image: Option<PathBuf>,
}
