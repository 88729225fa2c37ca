use rtc_core::ConfigError;

use super::MAX_SIDE;
use crate::ulpfec::Pattern;

/// Most packets a mask reaches over.
const MAX_MEDIA: usize = 110;

/// How much to protect: how many packets of media with which repair packets.
///
/// Rows cost the least delay and bear single losses; columns bear a burst as long as a row; both together recover most patterns,
/// one after the other (RFC 8627 §1.1.4). Repair packets cost `1/columns`, `1/rows`, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlexfecProtection {
    shape: Shape,
    masks: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Even { media: usize, repair: usize, pattern: Pattern },
    Rows { columns: usize },
    Columns { columns: usize, rows: usize },
    Grid { columns: usize, rows: usize },
}

impl FlexfecProtection {
    /// No repair packets at all.
    pub const NONE: Self =
        Self { shape: Shape::Even { media: 1, repair: 0, pattern: Pattern::Interleaved }, masks: true };

    /// `repair` packets for each `media` packets, of one source or several, all sent after the last of these. Always by masks.
    ///
    /// # Errors
    /// [`ConfigError`] if `media` is not 1 to 110, or `repair` is more than `media`.
    pub fn even(media: usize, repair: usize) -> Result<Self, ConfigError> {
        if !(1..=MAX_MEDIA).contains(&media) {
            return Err(ConfigError::new("media", "must be 1 to 110"));
        }
        if repair > media {
            return Err(ConfigError::new("repair", "must be no more than media"));
        }
        Ok(Self { shape: Shape::Even { media, repair, pattern: Pattern::Interleaved }, masks: true })
    }

    /// A repair packet for each `columns` packets in a row (1-D non-interleaved, RFC 8627 §1.1.1).
    ///
    /// # Errors
    /// [`ConfigError`] if `columns` is not 1 to 255.
    pub fn rows(columns: usize) -> Result<Self, ConfigError> {
        side("columns", columns, 1)?;
        Ok(Self { shape: Shape::Rows { columns }, masks: false })
    }

    /// Of `columns` times `rows` packets a repair packet for each column, which is every so many packets (1-D interleaved, RFC
    /// 8627 §1.1.2).
    ///
    /// # Errors
    /// [`ConfigError`] if `columns` is not 1 to 255, or `rows` not 2 to 255.
    pub fn columns(columns: usize, rows: usize) -> Result<Self, ConfigError> {
        side("columns", columns, 1)?;
        side("rows", rows, 2)?;
        Ok(Self { shape: Shape::Columns { columns, rows }, masks: false })
    }

    /// Of `columns` times `rows` packets a repair packet for each row, sent after it, and for each column (2-D, RFC 8627
    /// §1.1.4).
    ///
    /// # Errors
    /// [`ConfigError`] if `columns` or `rows` is not 2 to 255.
    pub fn grid(columns: usize, rows: usize) -> Result<Self, ConfigError> {
        side("columns", columns, 2)?;
        side("rows", rows, 2)?;
        Ok(Self { shape: Shape::Grid { columns, rows }, masks: false })
    }

    /// Rows and columns of the same packets, but said by masks: for several sources, or numbers with gaps. A block that a mask
    /// cannot reach over is cut.
    #[must_use]
    pub fn with_masks(mut self) -> Self {
        self.masks = true;
        self
    }

    /// Another pattern of those of [`even`](Self::even); nothing changes for rows and columns.
    #[must_use]
    pub fn with_pattern(mut self, new: Pattern) -> Self {
        if let Shape::Even { pattern, .. } = &mut self.shape {
            *pattern = new;
        }
        self
    }

    /// Packets of media in a group.
    #[must_use]
    pub const fn media(&self) -> usize {
        match self.shape {
            Shape::Even { media, .. } => media,
            Shape::Rows { columns } => columns,
            Shape::Columns { columns, rows } | Shape::Grid { columns, rows } => columns * rows,
        }
    }

    /// Repair packets for a group.
    #[must_use]
    pub const fn repair(&self) -> usize {
        match self.shape {
            Shape::Even { repair, .. } => repair,
            Shape::Rows { .. } => 1,
            Shape::Columns { columns, .. } => columns,
            Shape::Grid { columns, rows } => columns + rows,
        }
    }

    pub(super) const fn shape(&self) -> Shape {
        self.shape
    }

    /// Whether packets are picked by masks.
    pub(super) const fn masks(&self) -> bool {
        self.masks
    }

    /// Sums kept at a time: a grid has one for the row in progress, before those of its columns.
    pub(super) const fn sums(&self) -> usize {
        match self.shape {
            Shape::Grid { columns, .. } => 1 + columns,
            _ => self.repair(),
        }
    }

    /// The sums the packet at this place of its group goes into.
    pub(super) fn covering(&self, place: usize) -> impl Iterator<Item = usize> + use<> {
        let (pattern, first, rest) = match self.shape {
            Shape::Even { repair, pattern, .. } => (Some(pattern.covering(place, repair)), None, None),
            Shape::Rows { .. } => (None, Some(0), None),
            Shape::Columns { columns, .. } => (None, Some(place % columns), None),
            Shape::Grid { columns, .. } => (None, Some(0), Some(1 + place % columns)),
        };
        pattern.into_iter().flatten().chain(first).chain(rest)
    }

    /// The distance of the packets of a sum, where they are a row or a column.
    pub(super) fn step(&self, sum: usize) -> usize {
        match self.shape {
            Shape::Columns { columns, .. } => columns,
            Shape::Grid { columns, .. } if sum > 0 => columns,
            _ => 1,
        }
    }
}

fn side(name: &'static str, len: usize, least: usize) -> Result<(), ConfigError> {
    match (least..=MAX_SIDE).contains(&len) {
        true => Ok(()),
        false if least == 1 => Err(ConfigError::new(name, "must be 1 to 255")),
        false => Err(ConfigError::new(name, "must be 2 to 255")),
    }
}

impl Default for FlexfecProtection {
    /// 5 repair packets for 10 of media, interleaved.
    fn default() -> Self {
        Self { shape: Shape::Even { media: 10, repair: 5, pattern: Pattern::Interleaved }, masks: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_protection_is_refused() {
        for refused in [
            FlexfecProtection::even(0, 0),
            FlexfecProtection::even(111, 1),
            FlexfecProtection::even(4, 5),
            FlexfecProtection::rows(0),
            FlexfecProtection::rows(256),
            FlexfecProtection::columns(5, 1),
            FlexfecProtection::columns(0, 4),
            FlexfecProtection::grid(1, 4),
            FlexfecProtection::grid(4, 256),
        ] {
            assert!(refused.is_err());
        }
        let grid = FlexfecProtection::grid(5, 4).unwrap();
        assert_eq!((grid.media(), grid.repair(), grid.sums()), (20, 9, 6));
        assert!(grid.covering(7).eq([0, 3]));
        assert_eq!(FlexfecProtection::NONE.repair(), 0);
    }
}
