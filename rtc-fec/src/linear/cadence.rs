use rtc_core::{RtpTime, SeqNum};

/// A packet that is known tells by its timestamp which numbers those up to so many steps later have. Of as many, of which 70 % are
/// lost, none is known once in 90,000 times.
pub(crate) const REACH: u16 = 32;
/// More than this is not asked for: the longest span, and what must be before it.
const MAX_RUN: u16 = 1_024;

/// How far back from the newest packet timestamps follow from numbers, in steps of one length.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cadence {
    newest: Option<(SeqNum, RtpTime)>,
    step: u16,
    /// So many numbers before the newest are in step with it.
    run: u16,
}

impl Cadence {
    /// Takes note of a packet.
    pub(crate) fn observe(&mut self, seq: SeqNum, timestamp: RtpTime) {
        let Some((newest, at)) = self.newest else {
            self.newest = Some((seq, timestamp));
            return;
        };
        let (far, ticks) = (seq.distance_from(newest), timestamp.distance_from(at));
        let in_step = ticks == i32::from(far) * i32::from(self.step);
        let distance = far.unsigned_abs();
        if far > 0 {
            self.newest = Some((seq, timestamp));
            if in_step && self.step > 0 {
                self.run = (self.run + distance).min(MAX_RUN);
            } else {
                let step = (ticks % i32::from(far) == 0).then(|| u16::try_from(ticks / i32::from(far)).ok()).flatten();
                self.step = step.unwrap_or(0);
                self.run = if self.step > 0 { distance.min(MAX_RUN) } else { 0 };
            }
        } else if !in_step && distance <= self.run {
            self.run = distance.saturating_sub(1);
        }
    }

    /// From one number to the next, of late; 0 if that cannot be told.
    pub(crate) fn step(&self) -> u16 {
        self.step
    }

    /// Whether this packet, those before it that may tell its number, one more, and all behind it are in step. One more, so that
    /// all that are not lie further back than those may.
    pub(crate) fn is_steady_at(&self, seq: SeqNum) -> bool {
        let behind = self.newest.and_then(|(newest, _)| u16::try_from(newest.distance_from(seq)).ok());
        behind.is_some_and(|behind| self.run > behind.saturating_add(REACH))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(packets: impl IntoIterator<Item = (u16, u32)>) -> Cadence {
        let mut cadence = Cadence::default();
        packets.into_iter().for_each(|(seq, timestamp)| cadence.observe(SeqNum(seq), RtpTime(timestamp)));
        cadence
    }

    /// Both wrap on the way.
    fn steady(count: u16) -> impl Iterator<Item = (u16, u32)> {
        (0..count).map(|n| (65_530_u16.wrapping_add(n), (u32::MAX - 5_000).wrapping_add(u32::from(n) * 960)))
    }

    #[test]
    fn a_stream_is_steady_once_it_was_for_as_long_as_it_takes() {
        let last = |count: u16| SeqNum(65_530) + (count - 1);
        assert!(!of(steady(33)).is_steady_at(last(33)));
        let cadence = of(steady(34));
        assert!(cadence.is_steady_at(last(34)) && !cadence.is_steady_at(last(33)) && !cadence.is_steady_at(last(35)));
        let long = of(steady(60_000));
        assert!(long.is_steady_at(last(60_000)) && long.is_steady_at(last(60_000) - 256));
        assert_eq!(long.step(), 960);
    }

    /// A talkspurt after silence, packets of another length, a gap out of step.
    #[test]
    fn what_breaks_the_step_begins_a_run() {
        for (seq, timestamp) in [(100, 101 * 960), (100, 100 * 960 - 480), (102, 100 * 960)] {
            let before = (0..100).map(|n| (n, u32::from(n) * 960));
            let broken = of(before.chain([(seq, timestamp)]));
            assert!(!broken.is_steady_at(SeqNum(seq)), "{broken:?}");
            let after = (1..=33).map(|n| (seq + n, timestamp + u32::from(n) * 240));
            let again = of((0..100).map(|n| (n, u32::from(n) * 960)).chain([(seq, timestamp)]).chain(after));
            assert!(again.is_steady_at(SeqNum(seq) + 33) && !again.is_steady_at(SeqNum(seq) + 32), "{again:?}");
        }
    }

    #[test]
    fn a_packet_that_comes_late_and_out_of_step_ends_the_run_behind_it() {
        let known = || (0..100).map(|n| (n, u32::from(n) * 960));
        assert!(of(known().chain([(60, 60 * 960)])).is_steady_at(SeqNum(70)));
        let broken = of(known().chain([(60, 60 * 960 + 1)]));
        assert!(broken.is_steady_at(SeqNum(94)) && !broken.is_steady_at(SeqNum(93)));
        assert!(of(known().chain([(99, 99 * 960)])).is_steady_at(SeqNum(99)), "twice");
        assert!(!of(known().chain([(99, 0)])).is_steady_at(SeqNum(99)));
    }
}
