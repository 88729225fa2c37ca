use crate::Malformed;
use crate::time::{Instant, NtpTime};

use super::{HeaderExtension, exactly};

/// When the packet left the sender: 24 bits of seconds in 6.18 fixed point, which wrap after 64 s (WebRTC abs-send-time).
///
/// Good for differences only: the epoch is the sender's own, and two times must be less than 32 s apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct AbsSendTime(u32);

impl AbsSendTime {
    /// From the 24 bits of the wire; more than that is cut off.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits & 0x00ff_ffff)
    }

    /// From the sender's clock, rounded down.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the bits that are left wrap, as the wire does")]
    pub const fn from_instant(time: Instant) -> Self {
        Self::from_bits((((time.as_nanos() as u128) << 18) / 1_000_000_000) as u32)
    }

    /// From wall-clock time, rounded down.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the bits that are left wrap, as the wire does")]
    pub const fn from_ntp(time: NtpTime) -> Self {
        Self::from_bits((time.to_bits() >> 14) as u32)
    }

    /// The 24 bits of the wire.
    #[must_use]
    pub const fn to_bits(self) -> u32 {
        self.0
    }

    /// Signed nanoseconds from `earlier` to `self`, the shortest way round the wrap: -32 s up to just under 32 s.
    #[must_use]
    pub const fn nanos_since(self, earlier: Self) -> i64 {
        // Shifted to the top of 32 bits, the difference of 24 wraps by itself.
        let difference = (self.0.wrapping_sub(earlier.0) << 8).cast_signed() >> 8;
        (difference as i64 * 1_000_000_000) >> 18
    }
}

impl HeaderExtension<'_> for AbsSendTime {
    const URI: &'static str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time";
    type Value = [u8; 3];

    fn parse(value: &[u8]) -> Result<Self, Malformed> {
        let [a, b, c] = exactly("abs-send-time", value)?;
        Ok(Self(u32::from_be_bytes([0, a, b, c])))
    }

    fn to_value(&self) -> [u8; 3] {
        let [_, a, b, c] = self.0.to_be_bytes();
        [a, b, c]
    }
}

/// How much later than its timestamp says the packet left the sender, in ticks of its RTP clock (RFC 5450 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct TransmissionOffset(i32);

impl TransmissionOffset {
    /// The least and the most the 24 bits can hold.
    const RANGE: (i32, i32) = (-(1 << 23), (1 << 23) - 1);

    /// `ticks`, cut to what 24 bits can hold.
    #[must_use]
    pub fn new(ticks: i32) -> Self {
        Self(ticks.clamp(Self::RANGE.0, Self::RANGE.1))
    }

    /// Ticks of the packet's RTP clock; negative if it left earlier than its timestamp says.
    #[must_use]
    pub const fn ticks(self) -> i32 {
        self.0
    }
}

impl HeaderExtension<'_> for TransmissionOffset {
    const URI: &'static str = "urn:ietf:params:rtp-hdrext:toffset";
    type Value = [u8; 3];

    fn parse(value: &[u8]) -> Result<Self, Malformed> {
        let [a, b, c] = exactly("toffset", value)?;
        Ok(Self(i32::from_be_bytes([a, b, c, 0]) >> 8))
    }

    fn to_value(&self) -> [u8; 3] {
        let [_, a, b, c] = self.0.to_be_bytes();
        [a, b, c]
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    #[test]
    fn abs_send_time_is_6_18_fixed_point() {
        assert_eq!(AbsSendTime::from_instant(Instant::from_millis(1_500)).to_value(), [0x06, 0, 0]);
        assert_eq!(AbsSendTime::from_ntp(NtpTime::from_bits(0x0000_0001_8000_0000)).to_value(), [0x06, 0, 0]);
        assert_eq!(AbsSendTime::from_instant(Instant::from_millis(64_000)), AbsSendTime::default());
        assert_eq!(AbsSendTime::from_instant(Instant::MAX).to_bits() >> 24, 0);
    }

    #[test]
    fn abs_send_time_differences_go_the_short_way_round() {
        let at = |millis| AbsSendTime::from_instant(Instant::from_millis(millis));
        assert_eq!(at(64_250).nanos_since(at(63_750)), 500_000_000);
        assert_eq!(at(63_750).nanos_since(at(64_250)), -500_000_000);
        assert_eq!(at(31_750).nanos_since(at(0)), 31_750_000_000);
        assert_eq!(at(32_000).nanos_since(at(0)), -32_000_000_000);
        // One unit is 3.8 us.
        let later = AbsSendTime::from_instant(Instant::from_millis(10) + Duration::from_micros(777));
        assert!((later.nanos_since(at(10)) - 777_000).abs() < 4_000);
    }

    #[test]
    fn rfc5450_s3_transmission_offset_is_signed_24_bits() {
        for (ticks, value) in
            [(-1, [0xff; 3]), (1, [0, 0, 1]), (i32::MIN, [0x80, 0, 0]), (i32::MAX, [0x7f, 0xff, 0xff])]
        {
            let offset = TransmissionOffset::new(ticks);
            assert_eq!(offset.to_value(), value);
            assert_eq!(TransmissionOffset::parse(&value), Ok(offset));
        }
        assert_eq!(TransmissionOffset::new(-90).ticks(), -90);
    }
}
