//! `medium`: the contract disk of a guest.
//!
//! What is written is decided here, and nothing else: the contract is judged by `check`, the form of the disk is the crate
//! `contract`'s.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};
use countersign_contract::cidata::{self, Cidata, MAX_IMAGE_BYTES};
use zeroize::Zeroizing;

use crate::answer::{Answer, note};
use crate::arguments::{Check, Format, Medium, Source};
use crate::{check, files};

/// The files that become those of the disk.
struct Sources {
    user_data: PathBuf,
    meta_data: Option<PathBuf>,
    vendor_data: Option<PathBuf>,
    network_config: Option<PathBuf>,
}

pub(crate) fn run(options: &Medium) -> Result<Answer> {
    let sources = sources(options)?;
    let hostname = options.hostname.as_ref().map(|name| format!("local-hostname: {name}\n"));
    // A name is judged as meta-data by the same reader; nothing is written beside the image.
    if let Some(name) = options.hostname.as_deref()
        && !cidata::meta_data::is_host_name(name)
    {
        bail!("--hostname: expected a host name of letters, digits, hyphens and dots");
    }
    if let Some(answer) = refused(options, &sources)? {
        return Ok(answer);
    }
    let user_data = files::contract(&sources.user_data)?;
    let meta_data = match hostname {
        Some(text) => Some(Zeroizing::new(text.into_bytes())),
        None => sources.meta_data.as_deref().map(files::small).transpose()?,
    };
    let vendor_data = sources.vendor_data.as_deref().map(files::small).transpose()?;
    let network_config = sources.network_config.as_deref().map(files::small).transpose()?;
    let image = Zeroizing::new(cidata::write(&Cidata {
        user_data: Some(&user_data),
        // Readers of such disks look for both, whatever they hold.
        meta_data: Some(meta_data.as_ref().map_or(&[][..], |bytes| bytes.as_slice())),
        vendor_data: Some(vendor_data.as_ref().map_or(&[][..], |bytes| bytes.as_slice())),
        network_config: network_config.as_ref().map(|bytes| bytes.as_slice()),
    }));
    ensure!(image.len() <= MAX_IMAGE_BYTES, "expected files of at most {} bytes together", MAX_IMAGE_BYTES);
    files::write_result(&mut std::io::sink(), Some(options.output.as_path()), &image)?;
    Ok(Answer::Yes)
}

fn sources(options: &Medium) -> Result<Sources> {
    let Medium { contract, .. } = options;
    ensure!(
        contract != Path::new("-"),
        "expected the contract in a file or a folder: it is judged before it is read again"
    );
    let mut sources =
        Sources { user_data: contract.clone(), meta_data: None, vendor_data: None, network_config: None };
    if contract.is_dir() {
        let file = |name: &str| Some(contract.join(name)).filter(|path| path.is_file());
        let Some(user_data) = file("user-data") else {
            bail!(
                "{}: expected a file user-data in the folder; `countersign pack` makes a contract of plain sections",
                contract.display()
            );
        };
        sources = Sources {
            user_data,
            meta_data: file("meta-data"),
            vendor_data: file("vendor-data"),
            network_config: file("network-config"),
        };
    }
    let given = |own: &Option<PathBuf>, folders: Option<PathBuf>| own.clone().or(folders);
    sources.meta_data =
        given(&options.meta_data, sources.meta_data.take()).filter(|_| options.hostname.is_none());
    sources.network_config = given(&options.network_config, sources.network_config.take());
    Ok(sources)
}

/// What the guest would refuse; the report is then on standard error.
fn refused(options: &Medium, sources: &Sources) -> Result<Option<Answer>> {
    let judged = Check {
        contract: sources.user_data.clone(),
        section: None,
        network_config: sources.network_config.clone(),
        meta_data: sources.meta_data.clone(),
        key: options.key.clone(),
        at: None,
        facts: None,
        cert: None,
        issuance: Default::default(),
        unsigned: options.unsigned,
        format: Format::Text,
        source: Source::Never,
    };
    let mut report = Vec::new();
    if check::run(&judged, &mut report)? == Answer::Yes {
        return Ok(None);
    }
    std::io::stderr().write_all(&report)?;
    note("no disk was made: the guest would refuse these files");
    Ok(Some(Answer::No))
}
