use crate::time::NtpTime;
use crate::{Fault, Malformed};

use super::{HeaderExtension, ShortValue};

/// When the packet's first frame was captured, on the clock of whoever captured it (WebRTC abs-capture-time).
///
/// Lets receivers behind a mixer synchronize streams of different origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct AbsoluteCaptureTime {
    /// The time of capture.
    pub captured: NtpTime,
    /// What to add to the sender's clock, the one of its RTCP sender reports, to get the capturer's; `None` if the sender
    /// does not say.
    pub clock_offset: Option<ClockOffset>,
}

/// A signed difference of two clocks: 32 bits of seconds, 32 of fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ClockOffset(i64);

impl ClockOffset {
    /// From the 64 bits of the wire.
    #[must_use]
    pub const fn from_bits(bits: i64) -> Self {
        Self(bits)
    }

    /// From nanoseconds, rounded to nearest so that they survive a round trip; cut to the 68 years either way that fit.
    #[must_use]
    pub fn from_nanos(nanos: i64) -> Self {
        let bits = ((i128::from(nanos) << 32) + 500_000_000).div_euclid(1_000_000_000);
        Self(i64::try_from(bits).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX }))
    }

    /// The 64 bits of the wire.
    #[must_use]
    pub const fn to_bits(self) -> i64 {
        self.0
    }

    /// In nanoseconds, rounded to nearest.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "2^31 seconds fit in 64 bits of nanoseconds")]
    pub const fn as_nanos(self) -> i64 {
        ((self.0 as i128 * 1_000_000_000 + (1 << 31)) >> 32) as i64
    }
}

impl HeaderExtension<'_> for AbsoluteCaptureTime {
    const URI: &'static str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time";
    type Value = ShortValue<16>;

    fn parse(value: &[u8]) -> Result<Self, Malformed> {
        let malformed = || Malformed::new("abs-capture-time", Fault::Length);
        let (captured, offset) = value.split_first_chunk().ok_or_else(malformed)?;
        let clock_offset = match offset {
            [] => None,
            _ => Some(ClockOffset(i64::from_be_bytes(offset.try_into().map_err(|_| malformed())?))),
        };
        Ok(Self { captured: NtpTime::from_bits(u64::from_be_bytes(*captured)), clock_offset })
    }

    fn to_value(&self) -> ShortValue<16> {
        let offset = self.clock_offset.unwrap_or_default().0.to_be_bytes();
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.captured.to_bits().to_be_bytes());
        bytes[8..].copy_from_slice(&offset);
        ShortValue::new(bytes, if self.clock_offset.is_some() { 16 } else { 8 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capture_time_has_a_short_and_a_long_form() {
        let short = AbsoluteCaptureTime { captured: NtpTime::from_bits(0x0102_0304_0506_0708), clock_offset: None };
        assert_eq!(*short.to_value(), [1, 2, 3, 4, 5, 6, 7, 8]);
        let long = AbsoluteCaptureTime { clock_offset: Some(ClockOffset::from_bits(-2)), ..short };
        assert_eq!(long.to_value()[8..], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe]);
        for time in [short, long] {
            assert_eq!(AbsoluteCaptureTime::parse(&time.to_value()), Ok(time));
        }
        for len in [0, 7, 9, 15, 17] {
            assert!(AbsoluteCaptureTime::parse(&vec![0; len]).is_err(), "{len}");
        }
    }

    #[test]
    fn clock_offsets_are_signed_fixed_point() {
        assert_eq!(ClockOffset::from_nanos(1_500_000_000).to_bits(), 0x1_8000_0000);
        assert_eq!(ClockOffset::from_nanos(-500_000_000).to_bits(), -0x8000_0000);
        for nanos in [0, 1, -1, 999_999_999, -999_999_999, 86_400_000_000_123, -86_400_000_000_123] {
            assert_eq!(ClockOffset::from_nanos(nanos).as_nanos(), nanos);
        }
        assert_eq!(ClockOffset::from_nanos(i64::MAX).to_bits(), i64::MAX);
        assert_eq!(ClockOffset::from_nanos(i64::MIN).to_bits(), i64::MIN);
        assert_eq!(ClockOffset::from_bits(i64::MIN).as_nanos(), -(1 << 31) * 1_000_000_000);
    }
}
