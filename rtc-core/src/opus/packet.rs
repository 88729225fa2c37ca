use crate::{Fault, Frequency, Malformed};

use super::samples;

/// Longest frame in bytes (RFC 6716 §3.4, R2).
const MAX_FRAME_LEN: usize = 1_275;
/// Longest packet in units of 2.5 ms: 120 ms (R5).
const MAX_UNITS: u32 = 48;

/// The three ways Opus codes a frame (RFC 6716 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// SILK at 8 or 12 kHz.
    NarrowSilk,
    /// SILK at 16 kHz.
    Silk,
    Hybrid,
    Celt,
}

#[cfg(feature = "dred")]
impl Mode {
    /// Whether the library's networks, which work at 16 kHz, go on after a packet of this mode.
    pub(super) fn has_networks(self) -> bool {
        self != Self::NarrowSilk
    }
}

/// What the framing of a packet tells without decoding it (RFC 6716 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OpusPacket<'a> {
    pub(super) mode: Mode,
    /// Duration of a frame in units of 2.5 ms.
    frame_units: u32,
    frames: u32,
    first: &'a [u8],
}

impl<'a> OpusPacket<'a> {
    /// Checks all of §3.4, "Receiving Malformed Packets".
    pub(super) fn parse(payload: &'a [u8]) -> Result<Self, Malformed> {
        let (&toc, body) = payload.split_first().ok_or_else(truncated)?;
        let (mode, frame_units) = coding(toc >> 3);
        let (frames, first) = match toc & 3 {
            0 => (1, body),
            1 if body.len().is_multiple_of(2) => (2, &body[..body.len() / 2]),
            1 => return Err(impossible_length()),
            2 => {
                let (len, rest) = frame_len(body)?;
                let (first, second) = rest.split_at_checked(len).ok_or_else(truncated)?;
                check_len(second.len())?;
                (2, first)
            }
            _ => many(body, frame_units)?,
        };
        check_len(first.len())?;
        Ok(Self { mode, frame_units, frames, first })
    }

    /// Samples per channel of the whole packet.
    pub(super) fn samples(&self, rate: Frequency) -> usize {
        samples(rate, self.frames * self.frame_units)
    }

    /// Samples per channel of each frame.
    pub(super) fn frame_samples(&self, rate: Frequency) -> usize {
        samples(rate, self.frame_units)
    }

    /// Whether the first frame holds a coarse copy of the one before it.
    ///
    /// A SILK layer begins with a voice-activity bit for each of its frames of up to 20 ms, then the LBRR flag, all of them
    /// in the top bits of the first byte (§4.2.3). The flag of a side channel comes later and is of no use without this one.
    pub(super) fn has_lbrr(&self) -> bool {
        let silk_frames = self.frame_units.div_ceil(8);
        match self.first {
            // The library takes a frame of one byte at most for audio left out (§3.2.1).
            [] | [_] => false,
            _ if self.mode == Mode::Celt => false,
            [flags, ..] => flags & (0x80 >> silk_frames) != 0,
        }
    }
}

/// Mode and frame duration of a configuration number (§3.1, table 2).
fn coding(config: u8) -> (Mode, u32) {
    match config {
        0..8 => (Mode::NarrowSilk, [4, 8, 16, 24][usize::from(config & 3)]),
        8..12 => (Mode::Silk, [4, 8, 16, 24][usize::from(config & 3)]),
        12..16 => (Mode::Hybrid, [4, 8][usize::from(config & 1)]),
        _ => (Mode::Celt, 1 << (config & 3)),
    }
}

/// Number of frames, and the first, of a packet of code 3 (§3.2.5).
fn many(body: &[u8], frame_units: u32) -> Result<(u32, &[u8]), Malformed> {
    let (&head, rest) = body.split_first().ok_or_else(truncated)?;
    let frames = u32::from(head & 0x3f);
    if frames == 0 || frames * frame_units > MAX_UNITS {
        return Err(impossible_length());
    }
    let mut rest = if head & 0x40 == 0 { rest } else { without_padding(rest)? };
    if head & 0x80 == 0 {
        let len = rest.len() / frames as usize;
        let even = len * frames as usize == rest.len();
        return if even { Ok((frames, &rest[..len])) } else { Err(impossible_length()) };
    }
    let (mut first, mut total) = (None, 0);
    for _ in 1..frames {
        let (len, after) = frame_len(rest)?;
        first = first.or(Some(len));
        total += len;
        rest = after;
    }
    let last = rest.len().checked_sub(total).ok_or_else(truncated)?;
    check_len(last)?;
    Ok((frames, &rest[..first.unwrap_or(last)]))
}

/// What is left of a packet of code 3 without its padding counts, ahead, and its padding, at the end.
fn without_padding(mut bytes: &[u8]) -> Result<&[u8], Malformed> {
    let mut padding = 0;
    loop {
        let (&count, after) = bytes.split_first().ok_or_else(truncated)?;
        bytes = after;
        // 255 stands for 254 bytes and another count to come.
        padding += usize::from(count.min(254));
        if count < 255 {
            break;
        }
    }
    let len = bytes.len().checked_sub(padding).ok_or_else(truncated)?;
    Ok(&bytes[..len])
}

/// A frame length of one or two bytes, and what follows it (§3.2.1).
fn frame_len(bytes: &[u8]) -> Result<(usize, &[u8]), Malformed> {
    match bytes {
        [len @ 0..252, rest @ ..] => Ok((usize::from(*len), rest)),
        [low, high, rest @ ..] => Ok((usize::from(*high) * 4 + usize::from(*low), rest)),
        _ => Err(truncated()),
    }
}

fn check_len(len: usize) -> Result<(), Malformed> {
    if len > MAX_FRAME_LEN { Err(impossible_length()) } else { Ok(()) }
}

fn truncated() -> Malformed {
    Malformed::new("Opus", Fault::Truncated)
}

fn impossible_length() -> Malformed {
    Malformed::new("Opus", Fault::Length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(payload: &[u8]) -> Option<Fault> {
        OpusPacket::parse(payload).err().map(|malformed| malformed.fault())
    }

    /// TOC byte of a mono packet.
    const fn toc(config: u8, code: u8) -> u8 {
        (config << 3) | code
    }

    #[test]
    fn rfc6716_s3_1_configurations_have_these_durations() {
        const UNITS: [u32; 32] =
            [4, 8, 16, 24, 4, 8, 16, 24, 4, 8, 16, 24, 4, 8, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8];
        for (config, units) in (0..).zip(UNITS) {
            let packet = [toc(config, 0), 0, 0];
            let parsed = OpusPacket::parse(&packet).unwrap();
            assert_eq!(parsed.samples(Frequency::KHZ_48), units as usize * 120, "config {config}");
            let mode = match config {
                0..8 => Mode::NarrowSilk,
                8..12 => Mode::Silk,
                12..16 => Mode::Hybrid,
                _ => Mode::Celt,
            };
            assert_eq!(parsed.mode, mode, "config {config}");
        }
    }

    #[test]
    fn rfc6716_s3_2_1_lengths_from_252_on_take_two_bytes() {
        assert_eq!(frame_len(&[251, 9]), Ok((251, &[9][..])));
        assert_eq!(frame_len(&[252, 0, 9]), Ok((252, &[9][..])));
        assert_eq!(frame_len(&[255, 255]), Ok((1_275, &[][..])));
        assert_eq!(frame_len(&[252]), Err(truncated()));
    }

    #[test]
    fn rfc6716_s3_4_r1_packets_have_a_byte() {
        assert_eq!(fault(&[]), Some(Fault::Truncated));
        assert_eq!(fault(&[toc(1, 0)]), None);
    }

    #[test]
    fn rfc6716_s3_4_r2_no_implicit_length_over_1275() {
        assert_eq!(fault(&[toc(1, 0); 1_276]), None);
        assert_eq!(fault(&[toc(1, 0); 1_277]), Some(Fault::Length));
    }

    #[test]
    fn rfc6716_s3_4_r3_code_1_has_two_equal_frames() {
        let packet = OpusPacket::parse(&[toc(1, 1), 1, 2, 3, 4]).map(|packet| (packet.frames, packet.first.to_vec()));
        assert_eq!(packet, Ok((2, vec![1, 2])));
        assert_eq!(fault(&[toc(1, 1), 1, 2, 3]), Some(Fault::Length));
    }

    #[test]
    fn rfc6716_s3_4_r4_code_2_holds_its_first_frame() {
        let packet = OpusPacket::parse(&[toc(1, 2), 1, 2, 3, 4]).map(|packet| (packet.frames, packet.first.to_vec()));
        assert_eq!(packet, Ok((2, vec![2])));
        assert_eq!(fault(&[toc(1, 2), 4, 2, 3]), Some(Fault::Truncated));
        assert_eq!(fault(&[toc(1, 2)]), Some(Fault::Truncated));
    }

    #[test]
    fn rfc6716_s3_4_r5_code_3_holds_one_frame_at_least_and_120_ms_at_most() {
        assert_eq!(fault(&[toc(1, 3), 0]), Some(Fault::Length));
        assert_eq!(fault(&[toc(1, 3), 6]), None);
        assert_eq!(fault(&[toc(1, 3), 7]), Some(Fault::Length));
        assert_eq!(fault(&[toc(16, 3), 48]), None);
        assert_eq!(fault(&[toc(1, 3)]), Some(Fault::Truncated));
    }

    #[test]
    fn rfc6716_s3_4_r6_constant_lengths_divide_the_data() {
        assert_eq!(fault(&[toc(1, 3), 2, 1, 2, 3, 4]), None);
        assert_eq!(fault(&[toc(1, 3), 2, 1, 2, 3]), Some(Fault::Length));
        assert_eq!(fault(&[toc(1, 3), 0x40 | 2, 1, 1, 2, 3]), None);
        assert_eq!(fault(&[toc(1, 3), 0x40 | 2, 9, 1, 2, 3]), Some(Fault::Truncated));
    }

    #[test]
    fn rfc6716_s3_4_r7_variable_lengths_fit_the_data() {
        let packet = OpusPacket::parse(&[toc(1, 3), 0x80 | 3, 2, 1, 7, 8, 9]).map(|packet| packet.first.to_vec());
        assert_eq!(packet, Ok(vec![7, 8]));
        assert_eq!(fault(&[toc(1, 3), 0x80 | 3, 2, 2, 7, 8, 9]), Some(Fault::Truncated));
    }

    #[test]
    fn rfc6716_s4_2_3_lbrr_flag_follows_the_voice_activity_flags() {
        for (config, flag) in [(0, 0x40), (1, 0x40), (2, 0x20), (3, 0x10), (12, 0x40), (13, 0x40)] {
            let lbrr = |first| OpusPacket::parse(&[toc(config, 0), first, 0]).unwrap().has_lbrr();
            assert!(lbrr(flag), "config {config}");
            assert!(!lbrr(!flag), "config {config}");
        }
        assert!(!OpusPacket::parse(&[toc(16, 0), 0xff, 0]).unwrap().has_lbrr());
        assert!(!OpusPacket::parse(&[toc(1, 0), 0xff]).unwrap().has_lbrr());
    }
}
