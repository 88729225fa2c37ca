use bytes::BytesMut;
use rtc_core::{Fault, Malformed, PayloadType, RtpPacket, SeqNum};

use super::MAX_COPIES;

/// In a block header's first byte: another header follows (RFC 2198 §3, F).
pub(super) const FOLLOWED: u8 = 0x80;
/// Bytes of the header of a redundant block; that of the primary has one.
pub(super) const HEADER_LEN: usize = 4;

/// One block of a RED payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RedBlock<'a> {
    /// What the data is encoded as.
    pub payload_type: PayloadType,
    /// Ticks from this block's media to the primary's; zero for the primary.
    pub timestamp_offset: u16,
    /// Whether this is the primary, the last block.
    pub primary: bool,
    /// The encoded media, possibly empty.
    pub data: &'a [u8],
}

/// Iterator over the blocks of a RED payload in wire order, the primary last.
#[derive(Debug, Clone)]
pub struct Blocks<'a> {
    headers: &'a [u8],
    data: &'a [u8],
    primary: RedBlock<'a>,
    done: bool,
}

/// The blocks of a RED payload (RFC 2198 §3).
///
/// # Errors
/// [`Malformed`] if a header or a block reaches beyond the end, or there are more than [`MAX_COPIES`] redundant blocks.
pub fn blocks(payload: &[u8]) -> Result<Blocks<'_>, Malformed> {
    let fault = |fault| Malformed::new("RED", fault);
    let (mut at, mut redundant) = (0, 0);
    let last = loop {
        let header = payload.get(at..).ok_or_else(|| fault(Fault::Truncated))?;
        match *header {
            [last, ..] if last & FOLLOWED == 0 => break last,
            [_, _, _, _, ..] if at == MAX_COPIES * HEADER_LEN => return Err(fault(Fault::Length)),
            [_, _, _, _, ..] => redundant += block_len(header),
            _ => return Err(fault(Fault::Truncated)),
        }
        at += HEADER_LEN;
    };
    let (headers, data) = (&payload[..at], &payload[at + 1..]);
    let (data, primary) = data.split_at_checked(redundant).ok_or_else(|| fault(Fault::Truncated))?;
    let primary = RedBlock { payload_type: PayloadType::new(last), timestamp_offset: 0, primary: true, data: primary };
    Ok(Blocks { headers, data, primary, done: false })
}

/// The RED packet of one block that carries `packet`: its payload type in the block header, its header otherwise kept, and
/// numbered `seq` (repair packets sent between media packets take a number of their stream, RFC 5109 §14.2).
#[must_use]
pub fn encapsulate(packet: &RtpPacket, red: PayloadType, seq: SeqNum, pool: &mut BytesMut) -> RtpPacket {
    packet.repack_in(pool, &[&[packet.payload_type().value()], packet.payload()], |header| {
        header.set_payload_type(red);
        header.set_seq(seq);
    })
}

/// The packet a RED packet's primary block makes by itself: RED headers and redundant blocks removed, the payload type that
/// of the block (RFC 5109 §10.3).
///
/// # Errors
/// [`Malformed`] as for [`blocks`].
pub fn decapsulate(packet: &RtpPacket, pool: &mut BytesMut) -> Result<RtpPacket, Malformed> {
    let primary = blocks(packet.payload())?.primary();
    Ok(packet.repack_in(pool, &[primary.data], |header| header.set_payload_type(primary.payload_type)))
}

impl<'a> Blocks<'a> {
    /// The last block, whatever was iterated before.
    #[must_use]
    pub const fn primary(&self) -> RedBlock<'a> {
        self.primary
    }
}

impl<'a> Iterator for Blocks<'a> {
    type Item = RedBlock<'a>;

    fn next(&mut self) -> Option<RedBlock<'a>> {
        let Some((header, headers)) = self.headers.split_at_checked(HEADER_LEN) else {
            let done = core::mem::replace(&mut self.done, true);
            return (!done).then_some(self.primary);
        };
        let (data, rest) = self.data.split_at_checked(block_len(header))?;
        (self.headers, self.data) = (headers, rest);
        Some(RedBlock {
            payload_type: PayloadType::new(header[0]),
            timestamp_offset: u16::from_be_bytes([header[1], header[2]]) >> 2,
            primary: false,
            data,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let count = self.headers.len() / HEADER_LEN + usize::from(!self.done);
        (count, Some(count))
    }
}

impl ExactSizeIterator for Blocks<'_> {}

/// The last ten bits of a redundant block's header.
fn block_len(header: &[u8]) -> usize {
    usize::from(u16::from_be_bytes([header[2] & 0x03, header[3]]))
}
