//! The three ways in which a directory record of ISO 9660 carries a name.

use super::record::DirectoryRecord;
use super::rock_ridge::RockRidge;

/// Which names a directory tree has.
#[derive(Debug, Clone, Copy)]
pub(super) enum Names<'i> {
    /// Joliet: UCS-2, big-endian.
    Joliet,
    /// ISO 9660 names, with Rock Ridge names beside them if the image was made so.
    Iso(RockRidge<'i>),
}

impl<'i> Names<'i> {
    /// The name in the form that is compared; none for the two entries that mean the directory and its parent,
    /// and for names that cannot be one of ours.
    pub(super) fn of(self, record: &DirectoryRecord<'i>) -> Option<String> {
        if record.is_dot() {
            return None;
        }
        let raw = record.raw_name();
        match self {
            Names::Joliet => {
                let units = raw.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
                let name: String = char::decode_utf16(units).collect::<Result<_, _>>().ok()?;
                Some(strip_version(&name).to_owned())
            }
            Names::Iso(rock_ridge) => rock_ridge.name(record).or_else(|| {
                let name = strip_version(std::str::from_utf8(raw).ok()?);
                // ISO names have no hyphen: tools write `_` and cut the first part to eight letters.
                let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase().replace('_', "-");
                Some(match name.as_str() {
                    "user-dat" => "user-data".to_owned(),
                    "meta-dat" => "meta-data".to_owned(),
                    "vendor-d" => "vendor-data".to_owned(),
                    "network-" => "network-config".to_owned(),
                    _ => name,
                })
            }),
        }
    }
}

/// A name without its version, `;1`.
fn strip_version(name: &str) -> &str {
    name.split(';').next().unwrap_or(name)
}
