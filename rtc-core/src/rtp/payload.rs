//! What stands before the media in the payloads of video codecs: as much as receivers, forwarders and packetizers need to know
//! where frames begin and end, what they are and what they need.

use bytes::BytesMut;

use crate::Malformed;

pub mod av1;
pub mod h264;
mod picture;
pub mod vp8;
pub mod vp9;

pub use picture::PictureId;

/// Takes back what `append` wrote if it fails.
fn all_or_nothing<T>(
    out: &mut BytesMut,
    append: impl FnOnce(&mut BytesMut) -> Result<T, Malformed>,
) -> Result<T, Malformed> {
    let before = out.len();
    let result = append(out);
    if result.is_err() {
        out.truncate(before);
    }
    result
}
