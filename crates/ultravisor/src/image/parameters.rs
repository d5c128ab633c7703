//! The parameter block (IPIB) that `stage3a` hands to the Ultravisor: where the header is, and which pages are encrypted.
//!
//! Form: the kernel's `struct ipl_parameter_block` with one part of type 5 (`struct ipl_pb0_pv`).

use super::component::{Placed, Tweak};
use crate::bytes::{array, number32, number64};

/// Before the first component: 8 bytes of the block, 128 of the part.
const FIXED: usize = 136;
/// Of a component: first half of the tweaks, address, size.
const COMPONENT: usize = 24;
/// What the two version fields say.
const VERSION: u8 = 1;
/// Type of the part: protected virtualization.
const PROTECTED: u8 = 5;
/// The most components that are read; a sealed image has four.
const MOST: u32 = 16;

/// The block is not of this form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a parameter block for a protected guest, with its reserved bytes zero")]
pub struct ParameterFault;

/// Where header and components are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterBlock {
    /// Address of the header.
    pub header: u64,
    /// Bytes of the header.
    pub header_size: u64,
    /// The components.
    pub components: Vec<Placed>,
}

impl ParameterBlock {
    /// Bytes of a block with so many components.
    pub(super) const fn size(components: usize) -> usize {
        FIXED + components * COMPONENT
    }

    /// The block as bytes.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let size = Self::size(self.components.len());
        let mut block = vec![0; size];
        // Sizes of a few hundred bytes.
        block[..4].copy_from_slice(&(size as u32).to_be_bytes());
        block[7] = VERSION;
        block[8..12].copy_from_slice(&(size as u32 - 8).to_be_bytes());
        block[12] = PROTECTED;
        block[111] = VERSION;
        block[116..120].copy_from_slice(&(self.components.len() as u32).to_be_bytes());
        block[120..128].copy_from_slice(&self.header.to_be_bytes());
        block[128..136].copy_from_slice(&self.header_size.to_be_bytes());
        for (place, one) in block[FIXED..].chunks_exact_mut(COMPONENT).zip(&self.components) {
            place[..8].copy_from_slice(one.tweak.as_bytes());
            place[8..16].copy_from_slice(&one.address.to_be_bytes());
            place[16..].copy_from_slice(&one.size.to_be_bytes());
        }
        block
    }

    /// Reads the block at the beginning of these bytes, and says how long it is.
    ///
    /// # Errors
    /// [`ParameterFault`] for another form, reserved bytes that are not zero among it.
    pub fn parse(bytes: &[u8]) -> Result<(Self, usize), ParameterFault> {
        Self::read(bytes).ok_or(ParameterFault)
    }

    fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let count = number32(bytes, 116).filter(|count| *count <= MOST)?;
        let size = Self::size(count as usize);
        let bytes = bytes.get(..size)?;
        let components = bytes[FIXED..]
            .chunks_exact(COMPONENT)
            .map(|one| {
                Some(Placed {
                    tweak: Tweak::from_bytes(array(one, 0)?),
                    address: number64(one, 8)?,
                    size: number64(one, 16)?,
                })
            })
            .collect::<Option<_>>()?;
        let block = Self { header: number64(bytes, 120)?, header_size: number64(bytes, 128)?, components };
        // All that was not read has one value.
        (block.to_bytes() == bytes).then_some((block, size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block() -> ParameterBlock {
        let tweak = Tweak::from_bytes([0, 40, 1, 2, 3, 4, 5, 6]);
        let components = vec![Placed { tweak, address: 0x16000, size: 0x1000 }];
        ParameterBlock { header: 0x14000, header_size: 640, components }
    }

    #[test]
    fn a_block_is_read_as_it_was_written() {
        let mut bytes = block().to_bytes();
        assert_eq!(bytes.len(), 160);
        assert_eq!(ParameterBlock::parse(&bytes), Ok((block(), 160)));
        bytes.extend([9; 40]);
        assert_eq!(ParameterBlock::parse(&bytes), Ok((block(), 160)));
        assert_eq!(ParameterBlock::parse(&bytes[..159]), Err(ParameterFault));
    }

    #[test]
    fn every_reserved_byte_is_zero() {
        let bytes = block().to_bytes();
        let free = [0..8, 8..12, 12..120].into_iter().flatten();
        for place in free {
            let mut altered = bytes.clone();
            altered[place] ^= 1;
            assert_ne!(ParameterBlock::parse(&altered).map(|(block, _)| block), Ok(block()), "{place}");
        }
    }
}
