//! Verbs and options. `--help`, the man pages and the shell completions all come from these definitions.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

mod attest;
mod guest;
mod log;

pub use attest::{Attest, AttestExpect, AttestExplain, AttestPage, AttestVerify, PageFormat};
pub use guest::{Domain, Medium};
pub use log::{
    Explain, Log, LogBoots, LogFiles, LogTimeline, LogVerb, Receive, Show, Timeline, TimelineFormat,
};

/// Write, check, seal and sign contracts of Countersign guests.
///
/// Runs the guest's own parser, schema, signature rules and planner on your desk.
///
/// Start with `countersign new DIR`, edit what it wrote, `countersign check DIR`, and
/// `countersign pack DIR --cert IMAGE.crt --key DIR/signing.key`.
///
/// Exit status: 0 yes, 1 no (refused, not opened), 2 usage or files.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, arg_required_else_help = true)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Say what the guest would do with a contract, or why it would refuse it.
    ///
    /// Goes on after the first refusal, so that one run shows all findings that can be made. Values that are or may be
    /// secret are never shown, also not in the lines of the contract that a report quotes.
    ///
    /// The verdict is `boots`, `refused`, or `undecided`: nothing is wrong in what could be read, and a section was
    /// sealed and no key given. The exit status is 1 for `refused`, else 0.
    Check(Check),
    /// Write a workload, an env and a compose file, or a pod, to start from.
    ///
    /// The files are commented and `countersign check DIR` accepts them. Seeds are random; the keys and certificates
    /// for the log server and for signing are fresh, and serve until you have your own.
    New(New),
    /// Archive, seal and sign: one contract from a folder of plain files.
    ///
    /// Reads DIR/workload.yaml and DIR/env.yaml, adds the folder DIR/compose (or DIR/play) as archive to the workload,
    /// checks the whole, seals both sections, and signs them. What the guest would refuse is not packed, so what is
    /// sealed has to be signed.
    Pack(Pack),
    /// Seal a section, or the auditor's key, to an image: print its token.
    Seal(Seal),
    /// Open a token: print the text of the section.
    ///
    /// Or, with the auditor's key, the capsule that a failed boot left in a console log: prints the transcript, which
    /// `countersign timeline -` draws. Of several boots in a log the last capsule is opened.
    Open(Open),
    /// Sign a contract: print it with envWorkloadSignature.
    ///
    /// An old signature is replaced; every other line stays as it is. Where env is not sealed, its signingKey must be
    /// that of KEY.
    Sign(Sign),
    /// Say what another contract would change, in the words of the plan.
    ///
    /// `-` what is no more, `+` what is new, `~` what has another value, which is not shown. The exit status is 0 where nothing
    /// changes, else 1, as of diff; also where the guest would refuse one of them.
    Diff(Diff),
    /// Print the LUKS passphrase of a volume, to open it on another machine.
    ///
    /// Derives it from both seeds in a contract, as the guest does; a contract that the guest would refuse gives none.
    /// Or from the seeds alone, on standard input.
    ///
    /// Into a pipe or a file go the 64 digits and nothing else, because `cryptsetup --key-file -` takes a line feed for a
    /// part of the key. On a terminal a line feed follows.
    Passphrase(Passphrase),
    /// Verify what a guest attests, as its auditor: offline, against what you have.
    #[command(subcommand)]
    Attest(Attest),
    /// Say what a message code means, why it happens, what to do.
    ///
    /// Knows every code of a Countersign guest, and every code of HPCR with what it means there and what stands in its
    /// place here.
    Explain(Explain),
    /// Draw how a boot went: a table, a picture (SVG), or JSON.
    ///
    /// Reads the guest's transcript.json, or a log with the lines of countersignd: a console, RFC 5424 text, the files
    /// that rsyslog writes. Of several boots in a log the last one is shown. Nothing is verified.
    Timeline(Timeline),
    /// Take the logs of guests: a log server for trying and for small sites.
    ///
    /// Syslog over TLS (RFC 5424, RFC 5425) with client certificates. A record is on disk before its conversation ends, so
    /// a guest sends again whatever was not. Prints what guests say, with the meaning of warnings and errors; counts
    /// sequence numbers and checks, and tells what is missing, what is twice, who is silent and which lines only imitate
    /// the guest's. Goes on until SIGTERM or SIGINT.
    ///
    /// FOLDER is one that `countersign new` made, or any other: without certificates an authority, a certificate for the
    /// server and one for guests are made there. Records go to FOLDER/records, JSON lines, which `countersign log` reads.
    Receive(Receive),
    /// Read stored logs of guests: boots, timelines, gaps, codes.
    ///
    /// Reads what `countersign receive`, rsyslog, syslog-ng and journald (`journalctl -o json`) stored, of any number of
    /// guests, one file after the other. Of a log that keeps structured data only the guest's own records count as the
    /// guest's. Nothing is verified.
    Log(Log),
    /// Make the contract disk of a guest: an ISO 9660 image labelled cidata.
    ///
    /// Takes a contract, or a folder with user-data and, where they are there, meta-data, vendor-data and network-config.
    /// What the guest would refuse is not put on a disk; sealed sections are judged as far as they can be read. The same
    /// files make the same bytes.
    ///
    /// Attach it read-only, as a disk: `countersign domain --contract FILE` does.
    Medium(Medium),
    /// Print the libvirt domain of a guest: its XML, for `virsh define`.
    ///
    /// Start: `countersign domain --image guest.qcow2 --contract cidata.iso --volume data=/srv/data.img -o guest.xml`, then
    /// `virsh define guest.xml` and `virsh start countersign` on the host.
    ///
    /// The image's disk is read-only and may serve many guests. A volume's disk is found by its serial number: the name of
    /// the volume in the contract, or its volumeID, of which a disk carries 20 characters. A path that ends with .qcow2 is a
    /// qcow2 image, one below /dev a block device, any other a raw image; all paths are those of the host. Without --scratch
    /// the guest keeps container images and everything else that it writes beside its volumes in memory.
    Domain(Domain),
    /// Print a JSON Schema (draft 2020-12).
    Schema(Schema),
}

/// How a report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs; `countersign schema` prints the schema of each report.
    Json,
}

/// When the lines of the contract are shown in a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Source {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Which contracts without a signature an image takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Unsigned {
    /// Those in which nothing is sealed.
    Plain,
    /// All of them: its builder said so.
    Accept,
    /// None.
    Refuse,
}

/// What an encryption certificate is held against.
#[derive(Debug, Default, Args)]
pub struct Issuance {
    /// Certificates above the encryption certificate, up to one that you trust; may be given several times.
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub chain: Vec<PathBuf>,
    /// Revocation list of one of them, PEM or DER; may be given several times.
    #[arg(long, value_name = "FILE", requires = "chain")]
    pub crl: Vec<PathBuf>,
}

/// Where the passphrase of a private key comes from; never from an argument, which every process can read.
#[derive(Debug, Default, Args)]
pub struct KeyPassphrase {
    /// Read the passphrase of the private key from this file descriptor, its first line, instead of asking for it.
    #[arg(long, value_name = "NUMBER", requires = "key")]
    pub passphrase_fd: Option<u32>,
}

/// Options of `check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Contract file, `-` for standard input, a folder as `countersign new` makes it, or the folder of a contract disk, with
    /// user-data.
    #[arg(value_name = "CONTRACT")]
    pub contract: PathBuf,
    /// The file is the text, or the token, of this section alone.
    #[arg(long, value_enum, value_name = "SECTION")]
    pub section: Option<OneSection>,
    /// The contract disk's network-config, to be checked as well; that of a folder with user-data is.
    #[arg(long, value_name = "FILE")]
    pub network_config: Option<PathBuf>,
    /// The contract disk's meta-data, to be checked as well; that of a folder with user-data is.
    #[arg(long, value_name = "FILE")]
    pub meta_data: Option<PathBuf>,
    /// Private key of the image, to open sealed sections.
    #[arg(long, value_name = "IMAGE_KEY")]
    pub key: Option<PathBuf>,
    /// Check as of this time instead of now: 2027-01-31, 2027-01-31T12:00:00Z, or seconds since 1970.
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// The disks of the guest, JSON (`countersign schema facts`): says also which disk is which volume.
    #[arg(long, value_name = "FILE")]
    pub facts: Option<PathBuf>,
    /// Encryption certificate of the image, to be checked as well.
    #[arg(long, value_name = "CERT")]
    pub cert: Option<PathBuf>,
    /// Above the certificate.
    #[command(flatten)]
    pub issuance: Issuance,
    /// Which contracts without a signature the image takes, as its image.json says.
    #[arg(long, value_enum, default_value_t = Unsigned::Plain, value_name = "WHICH")]
    pub unsigned: Unsigned,
    /// Form of the report.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// When the line of the contract is shown with a finding, secrets masked.
    #[arg(long, value_enum, default_value_t = Source::Auto, value_name = "WHEN")]
    pub source: Source,
}

/// Options of `new`.
#[derive(Debug, Args)]
pub struct New {
    /// Folder to make; it must not exist, or be empty.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Host name of the log server.
    #[arg(long, value_name = "NAME", default_value = "logs.example.org")]
    pub log_server: String,
    /// A pod instead of a compose file.
    #[arg(long)]
    pub play: bool,
    /// What the example shows beside a volume; may be given several times.
    #[arg(long, value_enum, value_name = "CASE")]
    pub with: Vec<Case>,
}

/// A case that an example shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Case {
    /// An image of a registry with credentials and an authority of its own.
    PrivateRegistry,
    /// A deployer who is somebody else: what the workload provider lets them do.
    TwoParties,
    /// An auditor, for whose eyes alone the guest's record is.
    Auditor,
}

/// Options of `pack`.
#[derive(Debug, Args)]
pub struct Pack {
    /// Folder with workload.yaml, env.yaml, and compose or play.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Encryption certificate or public key of the image.
    #[arg(long, value_name = "CERT", required_unless_present = "plain")]
    pub cert: Option<PathBuf>,
    /// Above the certificate.
    #[command(flatten)]
    pub issuance: Issuance,
    /// Do not seal: a contract that everybody can read, for tests.
    #[arg(long, conflicts_with = "cert")]
    pub plain: bool,
    /// Private key to sign with; env.yaml names its public key or certificate as signingKey. The passphrase of a protected
    /// one is asked for on the terminal.
    #[arg(long, value_name = "KEY")]
    pub key: Option<PathBuf>,
    /// Where the passphrase comes from.
    #[command(flatten)]
    pub passphrase: KeyPassphrase,
    /// Certificate of that key: becomes the signingKey of the contract, which ends with it. env.yaml then names none.
    #[arg(long, value_name = "CERT", requires = "key")]
    pub signing_cert: Option<PathBuf>,
    /// Public key or certificate of the auditor, PEM: becomes attestationPublicKey.
    #[arg(long, value_name = "FILE")]
    pub auditor: Option<PathBuf>,
    /// Which guests have to read the tokens.
    #[arg(long = "for", value_enum, default_value_t = Guest::Countersign, value_name = "GUEST", conflicts_with = "plain")]
    pub guest: Guest,
    /// File for the contract, readable by its owner only; standard output if absent.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Which guests have to read a token; that decides its form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Guest {
    /// Countersign: countersign-v1, which cannot be altered, nor moved to the other section.
    Countersign,
    /// HPCR, and Countersign as well: hyper-protect-basic, which can be altered by whoever has it.
    Hpcr,
}

/// A section of a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OneSection {
    /// The provider's section.
    Workload,
    /// The deployer's section.
    Env,
}

/// What a token stands for in a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Section {
    /// The provider's section.
    Workload,
    /// The deployer's section.
    Env,
    /// The auditor's key.
    #[value(name = "attestationPublicKey")]
    AttestationPublicKey,
}

/// Options of `seal`.
#[derive(Debug, Args)]
pub struct Seal {
    /// Encryption certificate or public key of the image.
    #[arg(long, value_name = "CERT")]
    pub cert: PathBuf,
    /// Above the certificate.
    #[command(flatten)]
    pub issuance: Issuance,
    /// Which guests have to read the token.
    #[arg(long = "for", value_enum, default_value_t = Guest::Countersign, value_name = "GUEST")]
    pub guest: Guest,
    /// Where the token will stand, to which it is bound; not needed with --for hpcr.
    #[arg(long, value_enum, value_name = "SECTION")]
    pub section: Option<Section>,
    /// Text of the section; standard input if absent.
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// Options of `open`.
#[derive(Debug, Args)]
pub struct Open {
    /// Private key of the image, or of the auditor.
    #[arg(long, value_name = "KEY")]
    pub key: PathBuf,
    /// Where the token has to be for. If absent, a token countersign-v1 is tried for each section.
    #[arg(long, value_enum, value_name = "SECTION")]
    pub section: Option<Section>,
    /// Token, or log with the lines of a capsule; standard input if absent.
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// File for the text, readable by its owner only; standard output if absent.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Options of `sign`.
#[derive(Debug, Args)]
pub struct Sign {
    /// Private RSA key of the signer, PEM. The passphrase of a protected one is asked for on the terminal.
    #[arg(long, value_name = "KEY")]
    pub key: PathBuf,
    /// Where the passphrase comes from.
    #[command(flatten)]
    pub passphrase: KeyPassphrase,
    /// Contract file, or `-` for standard input.
    #[arg(value_name = "CONTRACT")]
    pub contract: PathBuf,
    /// File for the signed contract, readable by its owner only; standard output if absent.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Options of `diff`.
#[derive(Debug, Args)]
pub struct Diff {
    /// Contract file or folder, as it is.
    #[arg(value_name = "OLD")]
    pub old: PathBuf,
    /// The other one.
    #[arg(value_name = "NEW")]
    pub new: PathBuf,
    /// Private key of the image, to open sealed sections of both.
    #[arg(long, value_name = "IMAGE_KEY")]
    pub key: Option<PathBuf>,
    /// Judge both as of this time instead of now: 2027-01-31, 2027-01-31T12:00:00Z, or seconds since 1970.
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
}

/// Which seed comes first in the passphrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Order {
    /// As documented: the seed in env, then the seed in workload.
    DeployerFirst,
    /// The other way round, which a volume from elsewhere may have; the guest says so when it opens one.
    WorkloadFirst,
}

/// Whose seed is the one before a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Previous {
    /// The deployer's.
    Deployer,
    /// The workload provider's.
    Workload,
    /// Both parties'.
    Both,
}

/// How two seeds are told apart on standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Framing {
    /// A seed a line; the last line feed may be absent. Nothing is trimmed.
    Lines,
    /// A NUL byte after each seed: for seeds that hold line feeds.
    Nul,
}

/// Options of `passphrase`.
#[derive(Debug, Args)]
pub struct Passphrase {
    /// Contract file, `-` for standard input, or a folder as `countersign new` makes it.
    #[arg(value_name = "CONTRACT", required_unless_present = "seeds", conflicts_with = "seeds")]
    pub contract: Option<PathBuf>,
    /// Private key of the image, to open sealed sections.
    #[arg(long, value_name = "IMAGE_KEY", conflicts_with = "seeds")]
    pub key: Option<PathBuf>,
    /// The volume's name in the contract.
    #[arg(long, value_name = "NAME", required_unless_present = "seeds", conflicts_with = "seeds")]
    pub volume: Option<String>,
    /// Which seed comes first.
    #[arg(long, value_enum, default_value_t = Order::DeployerFirst)]
    pub order: Order,
    /// Take previousSeed instead of seed: the volume was not opened since the seed was changed.
    #[arg(long, value_enum, value_name = "WHOSE", conflicts_with = "seeds")]
    pub previous: Option<Previous>,
    /// Judge the contract as of this time instead of now, for one that has ended: 2027-01-31, 2027-01-31T12:00:00Z,
    /// or seconds since 1970.
    #[arg(long, value_name = "TIME", conflicts_with = "seeds")]
    pub at: Option<String>,
    /// Read the two seeds from standard input, the deployer's first; never from arguments, which every process can
    /// read. `--seeds` means `--seeds=lines`.
    #[arg(
        long,
        value_enum,
        value_name = "FORM",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "lines"
    )]
    pub seeds: Option<Framing>,
    /// File for the passphrase, readable by its owner only; standard output if absent.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Options of `schema`.
#[derive(Debug, Args)]
pub struct Schema {
    /// Of what.
    #[arg(value_enum, default_value_t = Subject::Contract)]
    pub subject: Subject,
    /// Of a contract or a section: in the form that editors use, with the messages and hints of `check`.
    #[arg(long)]
    pub editor: bool,
}

/// What a schema describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Subject {
    /// A whole contract.
    Contract,
    /// The text of the workload section.
    Workload,
    /// The text of the env section.
    Env,
    /// The report of `check --format json`.
    Check,
    /// The report of `attest verify --format json`.
    Attest,
    /// The file of `attest expect`, for `attest verify --expect`.
    Expectation,
    /// The answer of `explain --format json`.
    Explain,
    /// The file for `check --facts`.
    Facts,
    /// The guest's transcript.json.
    Transcript,
    /// The answer of `timeline --format json`.
    Timeline,
    /// The build manifest beside an image.
    BuildManifest,
    /// The sealing manifest beside a sealed image.
    SealingManifest,
}
