//! What an auditor asks for: `attest`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::Format;

/// What an auditor does with a record.
#[derive(Debug, Subcommand)]
pub enum Attest {
    /// Verify a record: signature, certificate, and every line against what is given.
    ///
    /// Quick: `countersign attest verify guest.log --certificate attestation.crt`, with the log that the guest sent.
    /// Each line gets a verdict, with what was found and expected and on whom that rests: good, bad, or unchecked
    /// where nothing was given to hold it against.
    ///
    /// The exit status is 0 if the signature holds and nothing is bad, 1 if not, 2 for usage or files.
    Verify(Box<AttestVerify>),
    /// Write what the record of a contract should say, without its secrets, for `attest verify --expect`.
    ///
    /// The file has digests and public facts only, and may be edited: `warnings`, `machines`, `accepts` and
    /// `container-images` are lists of what may be there.
    Expect(AttestExpect),
    /// Say in sentences what a record shows and what it cannot. Verifies nothing.
    Explain(AttestExplain),
    /// Put the reports of many records on one page.
    ///
    /// Reads what `attest verify --format json` wrote. The exit status is 0 if all are good, else 1.
    Page(AttestPage),
}

/// Options of `attest verify`.
#[derive(Debug, Args)]
pub struct AttestVerify {
    /// The record: se-checksums.txt or .enc, a copy of /var/hyperprotect, record.json, or a log with its lines; `-` for
    /// standard input.
    #[arg(value_name = "RECORD")]
    pub record: PathBuf,
    /// Certificate of the image's attestation key, from the image's builder.
    #[arg(long, value_name = "FILE")]
    pub certificate: Option<PathBuf>,
    /// Certificates above it, up to one that you trust; may be given several times.
    #[arg(long, value_name = "FILE")]
    pub chain: Vec<PathBuf>,
    /// Revocation list of one of them, PEM or DER; may be given several times.
    #[arg(long, value_name = "FILE", requires = "chain")]
    pub crl: Vec<PathBuf>,
    /// Signature, se-signature.bin; not needed where it came with the record.
    #[arg(long, value_name = "FILE")]
    pub signature: Option<PathBuf>,
    /// Your private key, where the record is encrypted to you.
    #[arg(long, value_name = "AUDITOR_KEY")]
    pub key: Option<PathBuf>,
    /// The contract as it was delivered, sealed or not.
    #[arg(long, value_name = "FILE")]
    pub contract: Option<PathBuf>,
    /// The image's build manifest, manifest.json.
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// The sealing manifest of the sealed image.
    #[arg(long, value_name = "FILE", requires = "builder")]
    pub sealing_manifest: Option<PathBuf>,
    /// Public key or certificate of the image's builder, from a source that you trust. The signature of each manifest is
    /// beside it, with the ending .sig.
    #[arg(long, value_name = "FILE", requires = "manifest")]
    pub builder: Option<PathBuf>,
    /// The contract disk.
    #[arg(long, value_name = "FILE")]
    pub disk: Option<PathBuf>,
    /// What you expect, as `attest expect` writes it.
    #[arg(long, value_name = "FILE")]
    pub expect: Option<PathBuf>,
    /// The final record; not needed where it came with the first.
    #[arg(long, value_name = "FILE", requires = "final_signature")]
    pub final_record: Option<PathBuf>,
    /// Its signature.
    #[arg(long, value_name = "FILE", requires = "final_record")]
    pub final_signature: Option<PathBuf>,
    /// The guest's transcript.json, which the final record has the digest of.
    #[arg(long, value_name = "FILE")]
    pub transcript: Option<PathBuf>,
    /// Judge certificates as of this time instead of now: 2027-01-31, 2027-01-31T12:00:00Z, or seconds since 1970.
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// Form of the report.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// Options of `attest expect`.
#[derive(Debug, Args)]
pub struct AttestExpect {
    /// The contract as it will be delivered; `-` for standard input.
    #[arg(value_name = "CONTRACT")]
    pub contract: PathBuf,
    /// Private key of the image, to open sealed sections.
    #[arg(long, value_name = "IMAGE_KEY")]
    pub image_key: Option<PathBuf>,
    /// The image's build manifest, manifest.json.
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// Public key or certificate of the image's builder, who has to have signed the manifest: its signature is beside it,
    /// with the ending .sig.
    #[arg(long, value_name = "FILE", requires = "manifest")]
    pub builder: Option<PathBuf>,
    /// Judge the signature as of this time instead of now.
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// File for the result, readable by its owner only; standard output if absent.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Options of `attest explain`.
#[derive(Debug, Args)]
pub struct AttestExplain {
    /// The record, as for `attest verify`.
    #[arg(value_name = "RECORD")]
    pub record: PathBuf,
    /// Your private key, where the record is encrypted to you.
    #[arg(long, value_name = "AUDITOR_KEY")]
    pub key: Option<PathBuf>,
}

/// How a page is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PageFormat {
    /// For people.
    Html,
    /// For programs.
    Json,
}

/// Options of `attest page`.
#[derive(Debug, Args)]
pub struct AttestPage {
    /// Reports of `attest verify --format json`.
    #[arg(value_name = "REPORT", required = true)]
    pub reports: Vec<PathBuf>,
    /// Form of the page.
    #[arg(long, value_enum, default_value_t = PageFormat::Html)]
    pub format: PageFormat,
}
