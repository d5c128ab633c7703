//! The other files of the contract disk: `network-config` and `meta-data`, by the guest's own readers.

use std::path::{Path, PathBuf};

use anyhow::Result;
use countersign_contract::cidata::{meta_data, network_config};
use countersign_contract::refusal::Finding;

use crate::files;

/// The files of a contract disk that lie in a folder.
#[derive(Debug)]
pub(super) struct Files {
    pub user_data: PathBuf,
    pub network_config: Option<PathBuf>,
    pub meta_data: Option<PathBuf>,
}

/// The files of a folder that is one of a contract disk, and not one of plain sections.
pub(super) fn user_data(folder: &Path) -> Option<Files> {
    let file = |name: &str| Some(folder.join(name)).filter(|path| path.is_file());
    Some(Files {
        user_data: file("user-data")?,
        network_config: file("network-config"),
        meta_data: file("meta-data"),
    })
}

/// What the guest would refuse of these files, at their own lines.
///
/// # Errors
/// Files that cannot be read.
pub(super) fn findings(network: Option<&Path>, meta: Option<&Path>) -> Result<Vec<Finding>> {
    let mut found = Vec::new();
    if let Some(path) = meta
        && let Err(error) = meta_data::parse(&files::small(path)?)
    {
        found.push(error.finding());
    }
    if let Some(path) = network
        && let Err(finding) = network_config::parse(&files::small(path)?)
    {
        found.push(*finding);
    }
    Ok(found)
}
