//! Containers with integrity: two mapped devices, one upon the other, with tables as the kernel prints them.

use std::path::{Path, PathBuf};

use super::State;
use super::header::{METADATA, uuid};
use super::mapped::{HEADER_SECTORS, map};
use countersign_ports::INTEGRITY_SUFFIX;
use countersign_ports::error::Result;

/// Whether the metadata in a header says that its segment has integrity.
pub(super) fn has_integrity(header: &[u8]) -> bool {
    const MEMBER: &[u8] = b"\"integrity\":{";
    let metadata = &header[..header.len().min(METADATA)];
    metadata.windows(MEMBER.len()).any(|window| window == MEMBER)
}

/// Maps both devices. One sector in 64 is for tags and journal here.
pub(super) fn map_with_integrity(
    state: &mut State,
    device: &Path,
    header: &[u8],
    name: &str,
    mode: char,
) -> Result<PathBuf> {
    let room = (state.size(device).unwrap_or_default() / 512).saturating_sub(HEADER_SECTORS);
    let sectors = (room - room / 64) / 8 * 8;
    let number = state.number(device).unwrap_or_default();
    let below = format!(
        "0 {sectors} integrity {number} {HEADER_SECTORS} 32 {mode} 7 block_size:4096 journal_sectors:1000 \
         interleave_sectors:32768 buffer_sectors:128 journal_watermark:50 commit_time:10000 fix_padding"
    );
    let path = map(state, device, &format!("{name}{INTEGRITY_SUFFIX}"), sectors * 512, below)?;
    let (number, uuid) = (state.number(&path).unwrap_or_default(), uuid(header));
    let table = format!(
        "0 {sectors} crypt capi:authenc(hmac(sha256),xts(aes))-plain64 :96:logon:cryptsetup:{uuid}-d0 0 {number} 0 \
         2 integrity:32:aead sector_size:4096"
    );
    map(state, device, name, sectors * 512, table)
}
