use core::fmt;
use core::num::NonZeroU32;
use core::ops::{Add, AddAssign, Div, Mul, Sub};
use core::time::Duration;

const NANOS_PER_SEC: u128 = 1_000_000_000;

/// A rate in bits per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Bitrate(u64);

impl Bitrate {
    /// No bits at all.
    pub const ZERO: Self = Self(0);
    /// The largest representable rate: "no limit".
    pub const MAX: Self = Self(u64::MAX);

    /// From bits per second.
    #[must_use]
    pub const fn from_bps(bps: u64) -> Self {
        Self(bps)
    }

    /// From kilobits (1000 bits) per second.
    #[must_use]
    pub const fn from_kbps(kbps: u64) -> Self {
        Self(kbps.saturating_mul(1_000))
    }

    /// From a computed rate; below zero and not-a-number become zero.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "float casts saturate, which is the contract"
    )]
    pub fn from_bps_f64(bps: f64) -> Self {
        Self(bps as u64)
    }

    /// Bits per second.
    #[must_use]
    pub const fn as_bps(self) -> u64 {
        self.0
    }

    /// Bits per second as a float, for arithmetic.
    #[must_use]
    pub const fn as_bps_f64(self) -> f64 {
        self.0 as f64
    }

    /// The time `size` takes at this rate, rounded down to a nanosecond; [`Duration::MAX`] at rate zero.
    #[must_use]
    pub fn time_for(self, size: DataSize) -> Duration {
        if self.0 == 0 {
            return Duration::MAX;
        }
        duration_from_nanos(u128::from(size.as_bits()) * NANOS_PER_SEC / u128::from(self.0))
    }

    /// What flows in `time` at this rate, rounded down to a byte.
    #[must_use]
    pub fn size_in(self, time: Duration) -> DataSize {
        let bytes = u128::from(self.0).saturating_mul(time.as_nanos()) / (8 * NANOS_PER_SEC);
        DataSize(u64::try_from(bytes).unwrap_or(u64::MAX))
    }
}

impl Add for Bitrate {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Bitrate {
    type Output = Self;

    /// Stops at zero.
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Mul<f64> for Bitrate {
    type Output = Self;

    fn mul(self, factor: f64) -> Self {
        Self::from_bps_f64(self.as_bps_f64() * factor)
    }
}

impl fmt::Display for Bitrate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0..1_000 => write!(f, "{} b/s", self.0),
            1_000..1_000_000 => write!(f, "{:.1} kb/s", self.as_bps_f64() / 1e3),
            _ => write!(f, "{:.2} Mb/s", self.as_bps_f64() / 1e6),
        }
    }
}

/// An amount of data in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct DataSize(u64);

impl DataSize {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// From bytes.
    #[must_use]
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The length of a slice.
    #[must_use]
    pub const fn of(bytes: &[u8]) -> Self {
        Self(bytes.len() as u64)
    }

    /// Bytes.
    #[must_use]
    pub const fn as_bytes(self) -> u64 {
        self.0
    }

    /// Bits.
    #[must_use]
    pub const fn as_bits(self) -> u64 {
        self.0.saturating_mul(8)
    }

    /// The rate of this much data per `time`; [`Bitrate::MAX`] in no time.
    #[must_use]
    pub fn per(self, time: Duration) -> Bitrate {
        match time.as_nanos() {
            0 => Bitrate::MAX,
            nanos => Bitrate(u64::try_from(u128::from(self.as_bits()) * NANOS_PER_SEC / nanos).unwrap_or(u64::MAX)),
        }
    }
}

impl Add for DataSize {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for DataSize {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for DataSize {
    type Output = Self;

    /// Stops at zero.
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl core::iter::Sum for DataSize {
    fn sum<I: Iterator<Item = Self>>(sizes: I) -> Self {
        sizes.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for DataSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} B", self.0)
    }
}

/// A clock or sample rate in hertz, never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Frequency(NonZeroU32);

impl Frequency {
    /// 8 kHz, narrowband audio.
    pub const KHZ_8: Self = Self::literal(8_000);
    /// 16 kHz, wideband audio.
    pub const KHZ_16: Self = Self::literal(16_000);
    /// 48 kHz, fullband audio and the RTP clock of Opus (RFC 7587 §4.1).
    pub const KHZ_48: Self = Self::literal(48_000);
    /// 90 kHz, the RTP clock of video (RFC 3551 §5).
    pub const KHZ_90: Self = Self::literal(90_000);

    /// `None` for zero.
    #[must_use]
    pub const fn new(hertz: u32) -> Option<Self> {
        match NonZeroU32::new(hertz) {
            Some(hertz) => Some(Self(hertz)),
            None => None,
        }
    }

    /// Hertz.
    #[must_use]
    pub const fn as_hz(self) -> u32 {
        self.0.get()
    }

    /// The time `ticks` of this clock take, rounded down to a nanosecond.
    #[must_use]
    pub fn duration_of(self, ticks: u64) -> Duration {
        duration_from_nanos(u128::from(ticks) * NANOS_PER_SEC / u128::from(self.0.get()))
    }

    /// Whole ticks of this clock in `time`, rounded down.
    #[must_use]
    pub fn ticks_in(self, time: Duration) -> u64 {
        let ticks = u128::from(self.0.get()) * time.as_nanos() / NANOS_PER_SEC;
        u64::try_from(ticks).unwrap_or(u64::MAX)
    }

    const fn literal(hertz: u32) -> Self {
        match NonZeroU32::new(hertz) {
            Some(hertz) => Self(hertz),
            None => Self(NonZeroU32::MIN),
        }
    }
}

impl Div<u32> for Frequency {
    type Output = u32;

    /// Ticks in one `1/divisor` of a second, such as samples in a 10 ms frame for 100.
    fn div(self, divisor: u32) -> u32 {
        self.0.get() / divisor.max(1)
    }
}

impl fmt::Display for Frequency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Hz", self.0)
    }
}

fn duration_from_nanos(nanos: u128) -> Duration {
    u64::try_from(nanos).map_or(Duration::MAX, Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_size_and_time_agree() {
        let rate = Bitrate::from_kbps(1_200);
        let size = DataSize::from_bytes(1_500);
        assert_eq!(rate.time_for(size), Duration::from_millis(10));
        assert_eq!(rate.size_in(Duration::from_millis(10)), size);
        assert_eq!(size.per(Duration::from_millis(10)), rate);
    }

    #[test]
    fn extremes_saturate() {
        assert_eq!(Bitrate::ZERO.time_for(DataSize::from_bytes(1)), Duration::MAX);
        assert_eq!(DataSize::from_bytes(1).per(Duration::ZERO), Bitrate::MAX);
        assert_eq!(Bitrate::from_bps_f64(f64::NAN), Bitrate::ZERO);
        assert_eq!(Bitrate::from_bps_f64(-1.0), Bitrate::ZERO);
        assert_eq!(Bitrate::MAX + Bitrate::from_bps(1), Bitrate::MAX);
        assert_eq!(Bitrate::from_bps(1) - Bitrate::MAX, Bitrate::ZERO);
        assert_eq!(Bitrate::MAX.size_in(Duration::MAX), DataSize::from_bytes(u64::MAX));
    }

    #[test]
    fn frequency_converts_ticks() {
        assert_eq!(Frequency::KHZ_48.duration_of(960), Duration::from_millis(20));
        assert_eq!(Frequency::KHZ_90.ticks_in(Duration::from_secs(2)), 180_000);
        assert_eq!(Frequency::new(0), None);
    }

    #[test]
    fn rates_print_in_the_unit_a_person_uses() {
        assert_eq!(Bitrate::from_bps(999).to_string(), "999 b/s");
        assert_eq!(Bitrate::from_kbps(64).to_string(), "64.0 kb/s");
        assert_eq!(Bitrate::from_kbps(2_500).to_string(), "2.50 Mb/s");
    }
}
