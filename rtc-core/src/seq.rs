use core::ops::{Add, Sub};

/// RTP sequence number (RFC 3550 §5.1): 16 bits that wrap, so it has a distance but no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SeqNum(pub u16);

impl SeqNum {
    /// The shortest way from `earlier` to `self`: positive if `self` is newer. -32768 when they are half a cycle apart.
    #[must_use]
    pub const fn distance_from(self, earlier: Self) -> i16 {
        self.0.wrapping_sub(earlier.0).cast_signed()
    }

    /// Whether `self` comes after `other`, by less than half a cycle.
    #[must_use]
    pub const fn is_newer_than(self, other: Self) -> bool {
        self.distance_from(other) > 0
    }

    /// The number after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

impl Add<u16> for SeqNum {
    type Output = Self;

    fn add(self, steps: u16) -> Self {
        Self(self.0.wrapping_add(steps))
    }
}

impl Sub<u16> for SeqNum {
    type Output = Self;

    fn sub(self, steps: u16) -> Self {
        Self(self.0.wrapping_sub(steps))
    }
}

/// RTP timestamp (RFC 3550 §5.1): 32 bits of media clock that wrap, so it has a distance but no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct RtpTime(pub u32);

impl RtpTime {
    /// Ticks from `earlier` to `self` the shortest way: positive if `self` is newer. -2^31 when they are half a cycle apart.
    #[must_use]
    pub const fn distance_from(self, earlier: Self) -> i32 {
        self.0.wrapping_sub(earlier.0).cast_signed()
    }

    /// Whether `self` comes after `other`, by less than half a cycle.
    #[must_use]
    pub const fn is_newer_than(self, other: Self) -> bool {
        self.distance_from(other) > 0
    }
}

impl Add<u32> for RtpTime {
    type Output = Self;

    fn add(self, ticks: u32) -> Self {
        Self(self.0.wrapping_add(ticks))
    }
}

impl Sub<u32> for RtpTime {
    type Output = Self;

    fn sub(self, ticks: u32) -> Self {
        Self(self.0.wrapping_sub(ticks))
    }
}

/// Extends [`SeqNum`]s to 64 bits that do not wrap.
///
/// The low 16 bits of a result are the sequence number itself. Each number is placed nearest to the newest one seen. The
/// first is placed one cycle above zero, so that packets from before it have a place as well.
#[derive(Debug, Clone, Copy, Default)]
pub struct SeqUnwrapper {
    newest: Option<u64>,
}

impl SeqUnwrapper {
    /// The 64-bit number for `seq`; remembers it if it is the newest so far.
    pub fn unwrap(&mut self, seq: SeqNum) -> u64 {
        let extended = self.peek(seq);
        self.newest = self.newest.max(Some(extended));
        extended
    }

    /// The 64-bit number for `seq`, without remembering it.
    #[must_use]
    pub fn peek(&self, seq: SeqNum) -> u64 {
        const CYCLE: u64 = 1 << 16;
        let Some(newest) = self.newest else {
            return CYCLE + u64::from(seq.0);
        };
        let [.., high, low] = newest.to_be_bytes();
        let step = seq.distance_from(SeqNum(u16::from_be_bytes([high, low])));
        nearest(newest, i64::from(step), CYCLE)
    }
}

/// Extends [`RtpTime`]s to 64 bits that do not wrap, as [`SeqUnwrapper`] does for sequence numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct TimeUnwrapper {
    newest: Option<u64>,
}

impl TimeUnwrapper {
    /// The 64-bit time for `time`; remembers it if it is the newest so far.
    pub fn unwrap(&mut self, time: RtpTime) -> u64 {
        let extended = self.peek(time);
        self.newest = self.newest.max(Some(extended));
        extended
    }

    /// The 64-bit time for `time`, without remembering it.
    #[must_use]
    pub fn peek(&self, time: RtpTime) -> u64 {
        const CYCLE: u64 = 1 << 32;
        let Some(newest) = self.newest else {
            return CYCLE + u64::from(time.0);
        };
        let [.., a, b, c, d] = newest.to_be_bytes();
        let step = time.distance_from(RtpTime(u32::from_be_bytes([a, b, c, d])));
        nearest(newest, i64::from(step), CYCLE)
    }
}

/// `newest + step`; a step below zero, possible only in the first cycle, counts as a step forward round the cycle.
fn nearest(newest: u64, step: i64, cycle: u64) -> u64 {
    newest.checked_add_signed(step).unwrap_or_else(|| newest.wrapping_add_signed(step).wrapping_add(cycle))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_crosses_the_wrap() {
        assert_eq!(SeqNum(2).distance_from(SeqNum(65_534)), 4);
        assert_eq!(SeqNum(65_534).distance_from(SeqNum(2)), -4);
        assert!(RtpTime(5).is_newer_than(RtpTime(u32::MAX)));
        assert!(!SeqNum(7).is_newer_than(SeqNum(7)));
    }

    #[test]
    fn unwrapping_follows_wraps_both_ways() {
        let mut unwrapper = SeqUnwrapper::default();
        let first = unwrapper.unwrap(SeqNum(65_535));
        assert_eq!(unwrapper.unwrap(SeqNum(0)), first + 1);
        assert_eq!(unwrapper.unwrap(SeqNum(65_530)), first - 5);
        assert_eq!(unwrapper.unwrap(SeqNum(3)), first + 4);
        assert_eq!(first & 0xffff, 65_535);
    }

    #[test]
    fn packets_from_before_the_first_stay_in_order() {
        let mut unwrapper = TimeUnwrapper::default();
        let first = unwrapper.unwrap(RtpTime(10));
        assert_eq!(unwrapper.unwrap(RtpTime(u32::MAX)), first - 11);
    }
}
