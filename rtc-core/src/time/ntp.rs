use core::ops::{Add, Sub};
use core::time::Duration;
use std::time::SystemTime;

/// Seconds from the NTP epoch, 1 January 1900, to the Unix epoch (RFC 5905 §6).
const UNIX_OFFSET: u64 = 2_208_988_800;

/// Wall-clock time as RTCP carries it: 32 bits of seconds since 1900, 32 of fraction (RFC 3550 §4).
///
/// Wraps in 2036, as the wire does, so it has a distance but no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct NtpTime(u64);

impl NtpTime {
    /// From the 64 bits of the wire.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// From time since the Unix epoch, 1 January 1970.
    #[must_use]
    pub fn from_unix(since_1970: Duration) -> Self {
        Self((UNIX_OFFSET << 32).wrapping_add(fixed_point(since_1970)))
    }

    /// From the operating system's wall clock. Moments before 1970 count as 1970.
    #[must_use]
    pub fn from_system(time: SystemTime) -> Self {
        Self::from_unix(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
    }

    /// The 64 bits of the wire.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// The middle 32 bits, units of 1/65536 s: the short form of reports (RFC 3550 §6.4.1, LSR).
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the short form is these bits")]
    pub const fn to_short(self) -> u32 {
        (self.0 >> 16) as u32
    }

    /// Signed time from `earlier` to `self` in nanoseconds, the shortest way round the wrap.
    #[must_use]
    pub fn nanos_since(self, earlier: Self) -> i64 {
        let difference = i128::from(self.0.wrapping_sub(earlier.0).cast_signed());
        i64::try_from((difference * 1_000_000_000) >> 32).unwrap_or(i64::MAX)
    }

    /// The time a difference of two [`to_short`](Self::to_short) forms stands for (RFC 3550 §6.4.1, DLSR).
    #[must_use]
    pub const fn duration_of_short(units: u32) -> Duration {
        Duration::from_nanos(((units as u64) * 1_000_000_000) >> 16)
    }

    /// `time` in the units of the short form, at most 18 hours.
    #[must_use]
    pub fn short_of_duration(time: Duration) -> u32 {
        u32::try_from((time.as_nanos() << 16) / 1_000_000_000).unwrap_or(u32::MAX)
    }
}

impl Add<Duration> for NtpTime {
    type Output = Self;

    fn add(self, time: Duration) -> Self {
        Self(self.0.wrapping_add(fixed_point(time)))
    }
}

impl Sub<Duration> for NtpTime {
    type Output = Self;

    fn sub(self, time: Duration) -> Self {
        Self(self.0.wrapping_sub(fixed_point(time)))
    }
}

/// 32.32 fixed point, rounded to nearest so that nanoseconds survive a round trip.
fn fixed_point(time: Duration) -> u64 {
    let fraction = ((u64::from(time.subsec_nanos()) << 32) + 500_000_000) / 1_000_000_000;
    (time.as_secs() << 32).wrapping_add(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unix_epoch_is_2208988800() {
        assert_eq!(NtpTime::from_unix(Duration::ZERO).to_bits(), 2_208_988_800 << 32);
    }

    #[test]
    fn short_form_is_the_middle() {
        let time = NtpTime::from_bits(0x0123_4567_89ab_cdef);
        assert_eq!(time.to_short(), 0x4567_89ab);
        assert_eq!(NtpTime::duration_of_short(0x0001_8000), Duration::from_millis(1_500));
        assert_eq!(NtpTime::short_of_duration(Duration::from_millis(1_500)), 0x0001_8000);
    }

    #[test]
    fn difference_survives_the_2036_wrap() {
        let before = NtpTime::from_bits(u64::MAX - (1 << 31));
        assert_eq!((before + Duration::from_secs(3)).nanos_since(before), 3_000_000_000);
        assert_eq!(before.nanos_since(before + Duration::from_secs(3)), -3_000_000_000);
    }
}
