use crate::{ConfigError, RtpTime};

use super::{PixelFormat, Plane, VideoFrame, check_size};

/// A picture that owns its samples, rows packed without gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoBuffer {
    format: PixelFormat,
    width: usize,
    height: usize,
    data: Vec<u8>,
    /// Media time, 90 kHz.
    pub timestamp: RtpTime,
    /// Custom data that travels with the picture.
    pub user_data: Vec<u8>,
}

impl VideoBuffer {
    /// A picture of all-zero samples.
    ///
    /// # Errors
    /// [`ConfigError`] if a side is zero or over 65535.
    pub fn new(format: PixelFormat, width: usize, height: usize) -> Result<Self, ConfigError> {
        check_size(width, height)?;
        let mut buffer = Self { format, width, height, data: Vec::new(), timestamp: RtpTime(0), user_data: Vec::new() };
        buffer.data = vec![0; buffer.start_of(format.planes())];
        Ok(buffer)
    }

    /// A packed copy of a picture.
    #[must_use]
    pub fn copy_of(picture: VideoFrame<'_>) -> Self {
        let mut data = Vec::new();
        for plane in 0..picture.format().planes() {
            for row in picture.rows(plane) {
                data.extend_from_slice(row);
            }
        }
        Self {
            format: picture.format(),
            width: picture.width(),
            height: picture.height(),
            data,
            timestamp: picture.timestamp(),
            user_data: picture.user_data().to_vec(),
        }
    }

    /// Takes over a picture of the same size, its chroma rearranged if it is of the other format. Allocates only where the
    /// custom data is longer than any before.
    ///
    /// # Errors
    /// [`ConfigError`] if the sizes differ.
    pub fn copy_from(&mut self, picture: VideoFrame<'_>) -> Result<(), ConfigError> {
        if (picture.width(), picture.height()) != (self.width, self.height) {
            return Err(ConfigError::new("picture", "must have the size of the buffer"));
        }
        self.timestamp = picture.timestamp();
        self.user_data.clear();
        self.user_data.extend_from_slice(picture.user_data());
        match (picture.format(), self.format) {
            (PixelFormat::I420, PixelFormat::Nv12) => {
                self.copy_plane(0, picture);
                self.interleave(picture);
            }
            (PixelFormat::Nv12, PixelFormat::I420) => {
                self.copy_plane(0, picture);
                self.separate(picture);
            }
            _ => (0..self.format.planes()).for_each(|plane| self.copy_plane(plane, picture)),
        }
        Ok(())
    }

    /// The samples of one plane, rows packed without gaps; empty if there is no such plane.
    pub fn plane_mut(&mut self, plane: usize) -> &mut [u8] {
        let (start, end) = (self.start_of(plane), self.start_of(plane.saturating_add(1)));
        &mut self.data[start..end]
    }

    /// A shared view.
    ///
    /// # Panics
    /// Never: the planes were sized by the constructor.
    #[must_use]
    #[expect(clippy::expect_used, reason = "the constructor sized every plane")]
    pub fn as_frame(&self) -> VideoFrame<'_> {
        let planes: [Plane<'_>; 3] = core::array::from_fn(|plane| Plane {
            data: &self.data[self.start_of(plane)..self.start_of(plane + 1)],
            stride: self.format.plane_size(plane, self.width, self.height).map_or(0, |(row, _)| row),
        });
        let planes = &planes[..self.format.planes()];
        VideoFrame::new(self.format, self.width, self.height, planes, self.timestamp)
            .expect("planes fit the format")
            .with_user_data(&self.user_data)
    }

    fn copy_plane(&mut self, plane: usize, picture: VideoFrame<'_>) {
        let Some((width, _)) = self.format.plane_size(plane, self.width, self.height) else { return };
        for (to, from) in self.plane_mut(plane).chunks_exact_mut(width).zip(picture.rows(plane)) {
            to.copy_from_slice(from);
        }
    }

    /// Chroma from two planes into one.
    fn interleave(&mut self, picture: VideoFrame<'_>) {
        let width = 2 * self.width.div_ceil(2);
        for ((to, u), v) in self.plane_mut(1).chunks_exact_mut(width).zip(picture.rows(1)).zip(picture.rows(2)) {
            for ((to, u), v) in to.chunks_exact_mut(2).zip(u).zip(v) {
                to.copy_from_slice(&[*u, *v]);
            }
        }
    }

    /// Chroma from one plane into two.
    fn separate(&mut self, picture: VideoFrame<'_>) {
        let width = self.width.div_ceil(2);
        for plane in [1, 2] {
            for (to, from) in self.plane_mut(plane).chunks_exact_mut(width).zip(picture.rows(1)) {
                for (to, from) in to.iter_mut().zip(from.iter().skip(plane - 1).step_by(2)) {
                    *to = *from;
                }
            }
        }
    }

    /// Where a plane begins in the packed data; the end of it for planes there are not.
    fn start_of(&self, plane: usize) -> usize {
        (0..plane.min(self.format.planes()))
            .filter_map(|plane| self.format.plane_size(plane, self.width, self.height))
            .map(|(row, rows)| row * rows)
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_sizes_round_chroma_up() {
        for (format, bytes) in [(PixelFormat::I420, 15 + 6 + 6), (PixelFormat::Nv12, 15 + 12)] {
            let buffer = VideoBuffer::new(format, 5, 3).unwrap();
            assert_eq!(buffer.data.len(), bytes, "{format:?}");
        }
    }

    #[test]
    fn a_copy_of_a_strided_picture_is_packed() {
        let luma: Vec<u8> = (0..32).collect();
        let chroma = [7; 4];
        let planes = [
            Plane { data: &luma[..19], stride: 16 },
            Plane { data: &chroma[..2], stride: 2 },
            Plane { data: &chroma[..2], stride: 2 },
        ];
        let picture =
            VideoFrame::new(PixelFormat::I420, 3, 2, &planes, RtpTime(90)).unwrap().with_user_data(b"score 1:0");
        let copy = VideoBuffer::copy_of(picture);
        assert_eq!(copy.data, [0, 1, 2, 16, 17, 18, 7, 7, 7, 7]);
        assert_eq!(copy.as_frame().user_data(), b"score 1:0");
        assert_eq!(copy.as_frame().rows(0).collect::<Vec<_>>(), picture.rows(0).collect::<Vec<_>>());
    }

    #[test]
    fn short_planes_are_refused() {
        let planes = [Plane { data: &[0; 5], stride: 3 }, Plane { data: &[0; 4], stride: 4 }];
        assert!(VideoFrame::new(PixelFormat::Nv12, 3, 2, &planes, RtpTime(0)).is_err());
        assert!(VideoFrame::new(PixelFormat::Nv12, 0, 2, &planes, RtpTime(0)).is_err());
    }
}
