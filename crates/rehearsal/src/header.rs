//! What the double reads of a LUKS header: enough to know one again.

use countersign_crypto::digest::sha256_hex;
use countersign_crypto::volume_key::VolumeKey;

/// The UUID in a LUKS header, the same place in both versions (168).
pub(super) fn uuid(header: &[u8]) -> String {
    let field = header.get(168..208).unwrap_or_default();
    String::from_utf8_lossy(field).trim_end_matches('\0').to_owned()
}

/// The volume key that belongs to a header here: one for each UUID.
pub(super) fn key(header: &[u8]) -> VolumeKey {
    VolumeKey::copy_from(sha256_hex(uuid(header).as_bytes()).as_bytes())
}

/// Both copies of binary header and JSON area of a header with the usual 16 KiB each.
pub(super) const METADATA: usize = 0x8000;

/// What the primary copy says: all but its salt and checksum, which a repair makes anew.
const SAYS: [std::ops::Range<usize>; 3] = [0..104, 168..448, 4096..0x4000];

pub(super) fn same_metadata(known: &[u8], header: &[u8]) -> bool {
    SAYS.into_iter().all(|range| {
        let range = range.start..range.end.min(known.len());
        header.get(range.clone()) == known.get(range)
    })
}

/// Whether the key slots that `known` has are there; what lies elsewhere does not matter.
pub(super) fn same_material(known: &[u8], header: &[u8]) -> bool {
    let blocks = known.chunks(4096).enumerate().skip(METADATA / 4096);
    blocks
        .filter(|(_, block)| *block != &[0; 4096][..block.len()])
        .all(|(number, block)| header.get(number * 4096..number * 4096 + block.len()) == Some(block))
}
