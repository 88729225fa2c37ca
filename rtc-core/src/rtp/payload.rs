//! What stands before the media in the payloads of video codecs: as much as receivers, forwarders and packetizers need to know
//! where frames begin and end, what they are and what they need.

pub mod av1;
pub mod h264;
mod picture;
pub mod vp8;
pub mod vp9;

pub use picture::PictureId;
