//! What the owner of a guest asks for: codes, timelines, logs.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::Format;

/// Options of `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// A code such as HPL05001E, its name, or a line of a log as it was pasted; `-` reads a log from standard input. All
    /// codes are listed if absent.
    #[arg(value_name = "CODE", num_args = 0..)]
    pub code: Vec<String>,
    /// Form of the answer.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// How a timeline is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TimelineFormat {
    /// For a terminal.
    Table,
    /// A picture.
    Svg,
    /// For programs (`countersign schema timeline`).
    Json,
}

/// Options of `timeline`.
#[derive(Debug, Args)]
pub struct Timeline {
    /// Transcript or log, `-` for standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// What is printed.
    #[arg(long, value_enum, default_value_t = TimelineFormat::Table)]
    pub format: TimelineFormat,
    /// Write the picture to this file instead.
    #[arg(long, value_name = "FILE", conflicts_with = "format")]
    pub svg: Option<PathBuf>,
}

/// What `receive` prints of the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Show {
    /// The guest's own, and what imitates it.
    Guest,
    /// All, containers and kernel as well.
    All,
    /// None, only what their numbers show.
    Notices,
}

/// Options of `receive`.
#[derive(Debug, Args)]
pub struct Receive {
    /// Folder for certificates and records.
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// Where guests connect; may be given several times.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:6514")]
    pub listen: Vec<std::net::SocketAddr>,
    /// Name or address under which guests know this server, for a certificate that is made.
    #[arg(long, value_name = "NAME", default_value = "localhost")]
    pub host: String,
    /// Certificate of the server with what is above it, PEM.
    #[arg(long, value_name = "FILE", requires = "key")]
    pub cert: Option<PathBuf>,
    /// Its private key, PEM, not encrypted.
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,
    /// Authorities whose client certificates are accepted, PEM.
    #[arg(long, value_name = "FILE")]
    pub clients: Option<PathBuf>,
    /// Revocation list of such an authority, PEM; may be given several times. With any there has to be one for each
    /// authority of a chain.
    #[arg(long, value_name = "FILE")]
    pub crl: Vec<PathBuf>,
    /// Size at which a file of records is ended and the next begun, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=4096))]
    pub rotate: u64,
    /// Files of records that are kept, the newest ones; all of them if absent.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub keep: Option<u32>,
    /// Records that are printed.
    #[arg(long, value_enum, default_value_t = Show::Guest, value_name = "WHICH")]
    pub show: Show,
    /// Serve a page on loopback that shows all of it; its address, with a random token, is printed.
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "127.0.0.1:0"
    )]
    pub web: Option<std::net::SocketAddr>,
}

/// Options of `log`.
#[derive(Debug, Args)]
pub struct Log {
    /// What to read out of them.
    #[command(subcommand)]
    pub what: LogVerb,
}

/// What is read out of stored logs.
#[derive(Debug, Subcommand)]
pub enum LogVerb {
    /// List the boots: guest, beginning, records, what is missing, how it ended.
    Boots(LogBoots),
    /// Draw the timeline of each boot.
    Timeline(LogTimeline),
    /// Say what is missing, what is twice, and what only looks like the guest's. Exit status 1 if there is anything.
    Gaps(LogFiles),
    /// Explain each code that the guests said.
    Explain(LogFiles),
}

/// Stored logs.
#[derive(Debug, Args)]
pub struct LogFiles {
    /// Logs, oldest first; `-` for standard input.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Only the guest of this host name.
    #[arg(long, value_name = "HOST")]
    pub guest: Option<String>,
}

/// Options of `log boots`.
#[derive(Debug, Args)]
pub struct LogBoots {
    /// Which logs.
    #[command(flatten)]
    pub logs: LogFiles,
    /// Form of the answer.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// Options of `log timeline`.
#[derive(Debug, Args)]
pub struct LogTimeline {
    /// Which logs.
    #[command(flatten)]
    pub logs: LogFiles,
    /// Only the boot of this number, as `log boots` lists them.
    #[arg(long, value_name = "NUMBER")]
    pub boot: Option<usize>,
}
