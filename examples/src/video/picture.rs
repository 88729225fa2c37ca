//! Pictures for people: how good they are, and how a page shows them.

use rtc_core::video::VideoFrame;

/// Peak signal-to-noise ratio of the luma of two pictures of one size, decibels; 60 at most.
pub(super) fn psnr(sent: VideoFrame<'_>, seen: VideoFrame<'_>) -> f64 {
    let pairs = sent.rows(0).flatten().zip(seen.rows(0).flatten());
    let (sum, count) = pairs.fold((0_u64, 0_u64), |(sum, count), (a, b)| {
        let off = u64::from(a.abs_diff(*b));
        (sum + off * off, count + 1)
    });
    let mse = (sum as f64 / count.max(1) as f64).max(255.0 * 255.0 / 1e6);
    10.0 * (255.0 * 255.0 / mse).log10()
}

/// The picture at half its size as the address of a bitmap, for an `<img>` of a page that needs no other file.
pub(super) fn data_uri(picture: VideoFrame<'_>) -> String {
    let (width, height) = (picture.width() / 2, picture.height() / 2);
    let planes: [Vec<&[u8]>; 3] = [0, 1, 2].map(|plane| picture.rows(plane).collect());
    // Rows of a bitmap begin with the lowest, and end on a multiple of four bytes.
    let padding = (4 - 3 * width % 4) % 4;
    let mut pixels = Vec::with_capacity((3 * width + padding) * height);
    for row in (0..height).rev() {
        for column in 0..width {
            let luma =
                [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(down, right)| planes[0][2 * row + down][2 * column + right]);
            let luma = luma.into_iter().map(f64::from).sum::<f64>() / 4.0;
            let [blue, red] = [1, 2].map(|plane| f64::from(planes[plane][row][column]) - 128.0);
            // ITU-R BT.601 with limited range, as cameras have it.
            let luma = 1.164 * (luma - 16.0);
            pixels.extend([luma + 2.017 * blue, luma - 0.392 * blue - 0.813 * red, luma + 1.596 * red].map(byte));
        }
        pixels.extend(core::iter::repeat_n(0, padding));
    }
    let mut file = Vec::with_capacity(54 + pixels.len());
    file.extend_from_slice(b"BM");
    file.extend((54 + size(pixels.len())).to_le_bytes());
    file.extend([0, 54, 40, size(width), size(height)].into_iter().flat_map(u32::to_le_bytes));
    // One plane of 24 bits, not compressed.
    file.extend([1, 0, 24, 0]);
    file.extend([0, size(pixels.len()), 2_835, 2_835, 0, 0].into_iter().flat_map(u32::to_le_bytes));
    file.extend(pixels);
    format!("data:image/bmp;base64,{}", base64(&file))
}

/// RFC 4648 §4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0_usize, |bits, at| bits << 8 | chunk.get(at).copied().map_or(0, usize::from));
        for place in 0..4 {
            let digit = if place <= chunk.len() { ALPHABET[bits >> (18 - 6 * place) & 63] } else { b'=' };
            text.push(char::from(digit));
        }
    }
    text
}

fn size(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "cut to what a byte holds")]
fn byte(level: f64) -> u8 {
    level.clamp(0.0, 255.0) as u8
}

#[cfg(test)]
mod tests {
    use rtc_core::video::{PixelFormat, VideoBuffer};

    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648_section_10() {
        let text = ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map(|text| base64(text.as_bytes()));
        assert_eq!(text, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"]);
    }

    #[test]
    fn a_bitmap_has_the_size_it_says() {
        let picture = VideoBuffer::new(PixelFormat::I420, 10, 6).unwrap();
        let uri = data_uri(picture.as_frame());
        // Rows of five pixels are filled up to 16 bytes.
        assert_eq!(uri.len(), "data:image/bmp;base64,".len() + (54 + 3 * 16_usize).div_ceil(3) * 4);
    }

    #[test]
    fn what_differs_by_more_is_worse() {
        let mut pictures = [0_u8, 2, 9].map(|level| {
            let mut picture = VideoBuffer::new(PixelFormat::I420, 8, 8).unwrap();
            picture.plane_mut(0).fill(level);
            picture
        });
        let [zero, two, nine] = &mut pictures;
        assert!((psnr(zero.as_frame(), zero.as_frame()) - 60.0).abs() < 1e-9);
        assert!(psnr(zero.as_frame(), two.as_frame()) > psnr(zero.as_frame(), nine.as_frame()));
    }
}
