use rtc_core::ConfigError;

use super::MAX_BLOCK;

/// How many packets of media with how many repair packets.
///
/// The repair packets of a block are sent when the last of its packets was, so a large block is delay as well as economy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    media: usize,
    repair: usize,
}

impl Block {
    /// `repair` packets for each block of `media` packets.
    ///
    /// # Errors
    /// [`ConfigError`] if `media` is not 1 to [`MAX_BLOCK`], or `repair` is more than [`MAX_BLOCK`].
    pub fn new(media: usize, repair: usize) -> Result<Self, ConfigError> {
        if !(1..=MAX_BLOCK).contains(&media) {
            return Err(ConfigError::new("media", "must be 1 to 64"));
        }
        if repair > MAX_BLOCK {
            return Err(ConfigError::new("repair", "must be 0 to 64"));
        }
        Ok(Self { media, repair })
    }

    /// Packets of media in a block.
    #[must_use]
    pub const fn media(self) -> usize {
        self.media
    }

    /// Repair packets for a block.
    #[must_use]
    pub const fn repair(self) -> usize {
        self.repair
    }

    /// Repair packets for a block that ends after so many packets: the same part of them, rounded up.
    pub(super) const fn repair_of(self, count: usize) -> usize {
        (self.repair * count).div_ceil(self.media)
    }
}

impl Default for Block {
    /// 5 repair packets for 10 of media.
    fn default() -> Self {
        Self { media: 10, repair: 5 }
    }
}
