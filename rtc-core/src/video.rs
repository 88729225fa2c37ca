//! Pictures as planes with strides in memory the caller owns.

use crate::{ConfigError, RtpTime};

mod buffer;

pub use buffer::VideoBuffer;

/// How a picture's samples are laid out: 8 bits each, chroma at half the width and half the height (rounded up).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PixelFormat {
    /// Three planes: Y, U, V.
    I420,
    /// Two planes: Y, and U and V interleaved.
    Nv12,
}

impl PixelFormat {
    /// Number of planes.
    #[must_use]
    pub const fn planes(self) -> usize {
        match self {
            Self::I420 => 3,
            Self::Nv12 => 2,
        }
    }

    /// Bytes in a row and rows of one plane of a picture of this size, `None` if there is no such plane.
    #[must_use]
    pub const fn plane_size(self, plane: usize, width: usize, height: usize) -> Option<(usize, usize)> {
        let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
        match (self, plane) {
            (_, 0) => Some((width, height)),
            (Self::I420, 1 | 2) => Some((half_width, half_height)),
            (Self::Nv12, 1) => Some((half_width.saturating_mul(2), half_height)),
            _ => None,
        }
    }
}

/// Rows of samples, `stride` bytes apart.
#[derive(Debug, Clone, Copy, Default)]
pub struct Plane<'a> {
    /// The samples, beginning with the top row; the last row needs no bytes beyond its width.
    pub data: &'a [u8],
    /// Bytes from one row to the next.
    pub stride: usize,
}

/// Shared view of one picture. What its samples mean (colour primaries, range) is the caller's to know.
#[derive(Debug, Clone, Copy)]
pub struct VideoFrame<'a> {
    format: PixelFormat,
    width: usize,
    height: usize,
    planes: [Plane<'a>; 3],
    timestamp: RtpTime,
    user_data: &'a [u8],
}

impl<'a> VideoFrame<'a> {
    /// A picture in planes of the caller's, as many as `format` has.
    ///
    /// # Errors
    /// [`ConfigError`] if a side is zero or over 65535, or a plane is missing, too short, or has a stride under its width.
    pub fn new(
        format: PixelFormat,
        width: usize,
        height: usize,
        planes: &[Plane<'a>],
        timestamp: RtpTime,
    ) -> Result<Self, ConfigError> {
        check_size(width, height)?;
        if planes.len() != format.planes() {
            return Err(ConfigError::new("planes", "must be as many as the pixel format has"));
        }
        let mut kept = [Plane::default(); 3];
        for (index, plane) in planes.iter().enumerate() {
            let Some((row, rows)) = format.plane_size(index, width, height) else {
                return Err(ConfigError::new("planes", "must be as many as the pixel format has"));
            };
            if plane.stride < row {
                return Err(ConfigError::new("stride", "must not be less than a row of the plane"));
            }
            let needed = (rows - 1).checked_mul(plane.stride).and_then(|bytes| bytes.checked_add(row));
            if needed.is_none_or(|needed| plane.data.len() < needed) {
                return Err(ConfigError::new("planes", "must hold all their rows"));
            }
            kept[index] = *plane;
        }
        Ok(Self { format, width, height, planes: kept, timestamp, user_data: &[] })
    }

    /// Attaches custom data that travels with the picture.
    #[must_use]
    pub const fn with_user_data(self, user_data: &'a [u8]) -> Self {
        Self { user_data, ..self }
    }

    /// Sample layout.
    #[must_use]
    pub const fn format(&self) -> PixelFormat {
        self.format
    }

    /// Luma samples in a row.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Luma rows.
    #[must_use]
    pub const fn height(&self) -> usize {
        self.height
    }

    /// The planes, as many as the format has, for code that steps through rows by itself.
    #[must_use]
    pub fn planes(&self) -> &[Plane<'a>] {
        &self.planes[..self.format.planes()]
    }

    /// The rows of one plane, top to bottom, without what lies between them; none if there is no such plane.
    #[must_use]
    pub fn rows(&self, plane: usize) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        let (row, rows) = self.format.plane_size(plane, self.width, self.height).unwrap_or((0, 0));
        let Plane { data, stride } = self.planes.get(plane).copied().unwrap_or_default();
        (0..rows).map(move |index| &data[index * stride..][..row])
    }

    /// Media time, 90 kHz.
    #[must_use]
    pub const fn timestamp(&self) -> RtpTime {
        self.timestamp
    }

    /// Custom data that travels with the picture.
    #[must_use]
    pub const fn user_data(&self) -> &'a [u8] {
        self.user_data
    }
}

fn check_size(width: usize, height: usize) -> Result<(), ConfigError> {
    const SIDES: core::ops::RangeInclusive<usize> = 1..=65_535;
    if SIDES.contains(&width) && SIDES.contains(&height) {
        return Ok(());
    }
    Err(ConfigError::new("width and height", "must be 1 to 65535"))
}
