use bytes::{Buf, BufMut, Bytes, BytesMut};
use rtc_core::{ConfigError, Fault, Malformed, Ssrc};

use super::{MAX_COUNT, Raw, write_framed};

/// A source description (RFC 3550 §6.5).
///
/// Written here because the `rtcp` crate ends a chunk with a padding count where §6.5 demands null bytes, and takes every
/// item type it does not know, such as those of RFC 7941, for the end of the chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sdes {
    /// The sources described, 31 at most.
    pub chunks: Vec<SdesChunk>,
}

/// What is said of one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SdesChunk {
    /// The source.
    pub source: Ssrc,
    /// Its items.
    pub items: Vec<SdesItem>,
}

/// One thing said of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SdesItem {
    /// What kind of thing.
    pub kind: SdesType,
    /// Its text, UTF-8 unless the kind says otherwise, 255 bytes at most.
    pub text: Bytes,
}

/// Kind of an [`SdesItem`], not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SdesType(pub u8);

impl SdesType {
    /// Canonical end-point name, the same for all sources of a participant (RFC 3550 §6.5.1).
    pub const CNAME: Self = Self(1);
    /// Name of a participant (RFC 3550 §6.5.2).
    pub const NAME: Self = Self(2);
    /// Name of the program (RFC 3550 §6.5.6).
    pub const TOOL: Self = Self(6);
    /// Name of a reporting group, the same for all sources that report together (RFC 8861 §3.2.1).
    pub const REPORTING_GROUP: Self = Self(11);
    /// Name of an encoding among several of one source (RFC 8852 §4.1).
    pub const RTP_STREAM_ID: Self = Self(12);
    /// Name of a media description (RFC 9143 §15.1).
    pub const MID: Self = Self(15);
}

impl Sdes {
    /// The canonical name of each of some sources.
    #[must_use]
    pub fn cname(sources: impl IntoIterator<Item = Ssrc>, name: &Bytes) -> Self {
        let item = SdesItem { kind: SdesType::CNAME, text: name.clone() };
        Self { chunks: sources.into_iter().map(|source| SdesChunk { source, items: vec![item.clone()] }).collect() }
    }

    pub(super) fn parse(raw: Raw) -> Result<Self, Malformed> {
        let mut body = raw.body;
        let mut chunks = Vec::new();
        for _ in 0..raw.count {
            chunks.push(parse_chunk(&mut body).ok_or(Malformed::new("RTCP SDES", Fault::Truncated))?);
        }
        Ok(Self { chunks })
    }

    pub(super) fn write(&self, out: &mut BytesMut) -> Result<(), ConfigError> {
        if self.chunks.len() > MAX_COUNT {
            return Err(ConfigError::new("chunks", "must be 31 at most (RFC 3550 §6.5)"));
        }
        let mut len = 0;
        for chunk in &self.chunks {
            len += 8;
            for item in &chunk.items {
                len += 2 + item.text.len();
                if item.kind.0 == 0 || item.text.len() > 255 {
                    return Err(ConfigError::new("items", "must have a type and 255 bytes at most (RFC 3550 §6.5)"));
                }
            }
        }
        if len / 4 > usize::from(u16::MAX) {
            return Err(ConfigError::new("chunks", "must fit 65535 words (RFC 3550 §6.4.1)"));
        }
        #[expect(clippy::cast_possible_truncation, reason = "checked to be 31 at most")]
        write_framed(out, super::SDES, self.chunks.len() as u8, |out| {
            for chunk in &self.chunks {
                write_chunk(out, chunk);
            }
        });
        Ok(())
    }
}

/// Reads the next chunk; `None` if it ends too early. The body's length tells how far padding to a whole word reaches.
fn parse_chunk(body: &mut Bytes) -> Option<SdesChunk> {
    let source = Ssrc(body.try_get_u32().ok()?);
    let mut items = Vec::new();
    let before = body.len();
    loop {
        let kind = body.try_get_u8().ok()?;
        if kind == 0 {
            break;
        }
        let len = usize::from(body.try_get_u8().ok()?);
        if len > body.len() {
            return None;
        }
        items.push(SdesItem { kind: SdesType(kind), text: body.split_to(len) });
    }
    let used = before - body.len();
    body.advance((used.next_multiple_of(4) - used).min(body.len()));
    Some(SdesChunk { source, items })
}

fn write_chunk(out: &mut BytesMut, chunk: &SdesChunk) {
    out.put_u32(chunk.source.0);
    let start = out.len();
    for item in &chunk.items {
        out.put_u8(item.kind.0);
        #[expect(clippy::cast_possible_truncation, reason = "checked to be 255 at most")]
        out.put_u8(item.text.len() as u8);
        out.put_slice(&item.text);
    }
    // One null byte ends the list, more fill the word.
    let len = out.len() - start;
    out.put_bytes(0, (len + 1).next_multiple_of(4) - len);
}
