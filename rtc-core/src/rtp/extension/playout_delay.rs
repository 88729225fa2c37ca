use core::time::Duration;

use crate::{ConfigError, Fault, Malformed};

use super::{HeaderExtension, exactly};

/// The unit of the wire.
const UNIT: Duration = Duration::from_millis(10);

/// The range of delay, from capture to display, the sender wishes for the stream (WebRTC playout-delay).
///
/// 0 to 0 asks for display at once, as in games and remote control; 40.95 s is the most that can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct PlayoutDelay {
    /// In units of 10 ms, 12 bits each.
    min: u16,
    max: u16,
}

impl PlayoutDelay {
    /// Rounded down to 10 ms.
    ///
    /// # Errors
    /// [`ConfigError`] if `min` is over `max`, or `max` over 40.95 s.
    pub fn new(min: Duration, max: Duration) -> Result<Self, ConfigError> {
        let units =
            |delay: Duration| u16::try_from(delay.as_millis() / UNIT.as_millis()).ok().filter(|units| *units < 1 << 12);
        match (units(min), units(max)) {
            (Some(min), Some(max)) if min <= max => Ok(Self { min, max }),
            _ => Err(ConfigError::new("playout delay", "must have min <= max <= 40.95 s")),
        }
    }

    /// The least delay.
    #[must_use]
    pub fn min(self) -> Duration {
        UNIT * u32::from(self.min)
    }

    /// The most delay.
    #[must_use]
    pub fn max(self) -> Duration {
        UNIT * u32::from(self.max)
    }
}

impl HeaderExtension<'_> for PlayoutDelay {
    const URI: &'static str = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay";
    type Value = [u8; 3];

    fn parse(value: &[u8]) -> Result<Self, Malformed> {
        let [a, b, c] = exactly("playout-delay", value)?;
        let (min, max) = (u16::from_be_bytes([a, b]) >> 4, u16::from_be_bytes([b & 0x0f, c]));
        if min > max {
            return Err(Malformed::new("playout-delay", Fault::Inconsistent));
        }
        Ok(Self { min, max })
    }

    fn to_value(&self) -> [u8; 3] {
        let [_, a, b, c] = ((u32::from(self.min) << 12) | u32::from(self.max)).to_be_bytes();
        [a, b, c]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn playout_delay_is_two_times_12_bits_of_10_ms() {
        let delay =
            PlayoutDelay::new(Duration::from_millis(0x123 * 10 + 9), Duration::from_millis(0x456 * 10)).unwrap();
        assert_eq!(delay.to_value(), [0x12, 0x34, 0x56]);
        assert_eq!(PlayoutDelay::parse(&[0x12, 0x34, 0x56]), Ok(delay));
        assert_eq!((delay.min(), delay.max()), (Duration::from_millis(2_910), Duration::from_millis(11_100)));
    }

    #[test]
    fn impossible_ranges_are_refused() {
        assert_eq!(PlayoutDelay::parse(&[0x00, 0x20, 0x01]).map_err(|error| error.fault()), Err(Fault::Inconsistent));
        assert!(PlayoutDelay::new(UNIT, Duration::ZERO).is_err());
        assert!(PlayoutDelay::new(UNIT, Duration::from_millis(40_960)).is_err());
        assert!(PlayoutDelay::new(Duration::ZERO, Duration::MAX).is_err());
    }
}
