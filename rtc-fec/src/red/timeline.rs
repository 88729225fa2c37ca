use core::cmp::Ordering;
use std::collections::VecDeque;

use rtc_core::{RtpTime, SeqNum};

use super::{MAX_COPIES, MAX_OFFSET};

/// Packets remembered: more than [`MAX_OFFSET`] ticks hold at 8 kHz and 20 ms, or at 48 kHz and 2.5 ms.
const MEMORY: usize = 256;
/// Packets around a new one among which its media may be under a wrong number.
const NEAR: usize = 64;

/// Which sequence number goes with which timestamp, as far as known, and what can be concluded about others.
///
/// A redundant block says when its media belongs, not in which packet it was (RFC 2198 §3). The number is concluded from
/// the known packets around it, in this order:
///
/// 1. If as many numbers are free between those neighbours as this packet brings unknown blocks between them, order decides.
/// 2. If the free numbers divide the time between the neighbours into equal steps, and one step ends at the block, that one,
///    provided that the step is the packet time seen last or that experience (3) agrees.
/// 3. Else packet time changed, or silence began or ended, while packets were lost. Then by experience: as many packets back
///    as the last known block of this rank was, for a sender keeps its spacing; and that number must be free.
///
/// What remains, and what lies before the first packet received, has no number: better lost than told to be another packet.
#[derive(Debug)]
pub(super) struct Timeline {
    /// In ascending order of sequence numbers.
    known: VecDeque<Known>,
    step: Option<u16>,
    /// By rank, counted back from the primary: how many packets back such a block was last.
    distances: [Option<u16>; MAX_COPIES],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    seq: SeqNum,
    timestamp: RtpTime,
    /// Received, or else concluded from redundancy.
    received: bool,
}

/// Where the media of a timestamp is among the known packets.
enum Spot {
    Known(SeqNum),
    /// Between these two, which are neighbours.
    Free(Known, Known),
    /// Before all that is known, or where numbers and timestamps do not go the same way: what lies there is of another clock.
    Unclear,
}

/// What a received packet is to the timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// Not known before.
    New,
    /// Its media was known from redundancy, under this number or (wrongly) under another.
    Recovered { misplaced: bool },
    /// Received before.
    Duplicate,
    /// Older than memory.
    TooOld,
}

impl Timeline {
    pub(super) fn new() -> Self {
        Self { known: VecDeque::with_capacity(MEMORY + 1), step: None, distances: [None; MAX_COPIES] }
    }

    /// Takes note of a received packet.
    pub(super) fn admit(&mut self, seq: SeqNum, timestamp: RtpTime) -> Admission {
        let received = Known { seq, timestamp, received: true };
        let at = match self.position(seq) {
            Ok(at) if self.known[at].received => return Admission::Duplicate,
            Ok(at) => {
                self.known[at] = received;
                return Admission::Recovered { misplaced: false };
            }
            Err(at) => at,
        };
        let near = at.saturating_sub(NEAR)..self.known.len().min(at + NEAR);
        let wrong = |at: &usize| !self.known[*at].received && self.known[*at].timestamp == timestamp;
        if let Some(wrong) = near.into_iter().find(wrong) {
            self.known.remove(wrong);
            self.insert(received);
            return Admission::Recovered { misplaced: true };
        }
        if at == 0 && self.known.len() == MEMORY {
            return Admission::TooOld;
        }
        self.insert(received);
        self.learn_step(seq);
        Admission::New
    }

    /// Takes note that the media of this timestamp was brought back as packet `seq`.
    pub(super) fn conclude(&mut self, seq: SeqNum, timestamp: RtpTime) {
        self.insert(Known { seq, timestamp, received: false });
    }

    /// Remembers how many packets before `carrier` the known packet `seq` was copied from, for blocks of this rank.
    pub(super) fn learn_distance(&mut self, rank: usize, carrier: SeqNum, seq: SeqNum) {
        let distance = u16::try_from(carrier.distance_from(seq)).ok().filter(|distance| *distance > 0);
        self.distances[rank] = distance.or(self.distances[rank]);
    }

    /// The number of the known packet of this timestamp, not after the known packet `carrier`.
    pub(super) fn find(&self, carrier: SeqNum, timestamp: RtpTime) -> Option<SeqNum> {
        match self.spot(carrier, timestamp) {
            Spot::Known(seq) => Some(seq),
            Spot::Free(..) | Spot::Unclear => None,
        }
    }

    /// The number of the packet that had the unknown media of `timestamp`, carried by the known packet `carrier` as its
    /// block of this rank. `unknown` are the timestamps of all unknown blocks it carries, of which this is the newest not
    /// yet tried.
    pub(super) fn place<'a>(
        &self,
        carrier: SeqNum,
        timestamp: RtpTime,
        rank: usize,
        unknown: impl Iterator<Item = &'a RtpTime>,
    ) -> Option<SeqNum> {
        let Spot::Free(lower, upper) = self.spot(carrier, timestamp) else { return None };
        let steps = u32::try_from(upper.seq.distance_from(lower.seq)).ok()?;
        let between = |time: &&RtpTime| time.is_newer_than(lower.timestamp) && upper.timestamp.is_newer_than(**time);
        match u32::try_from(unknown.filter(between).count()).ok()?.cmp(&steps.checked_sub(1)?) {
            Ordering::Greater => return None,
            Ordering::Equal => return Some(upper.seq - 1),
            Ordering::Less => {}
        }
        let span = u32::try_from(upper.timestamp.distance_from(lower.timestamp)).ok()?;
        let into = u32::try_from(timestamp.distance_from(lower.timestamp)).ok()?;
        let experience = self.distances[rank].map(|back| carrier - back);
        let (step, even) = (span / steps, span % steps == 0);
        if even && into % step == 0 {
            let seq = lower.seq + u16::try_from(into / step).ok()?;
            let usual = self.step.is_some_and(|usual| u32::from(usual) == step);
            return (usual || experience == Some(seq)).then_some(seq);
        }
        experience.filter(|seq| seq.is_newer_than(lower.seq) && upper.seq.is_newer_than(*seq))
    }

    pub(super) fn newest(&self) -> Option<SeqNum> {
        self.known.back().map(|known| known.seq)
    }

    fn spot(&self, carrier: SeqNum, timestamp: RtpTime) -> Spot {
        let Ok(at) = self.position(carrier) else { return Spot::Unclear };
        let mut upper = self.known[at];
        if upper.timestamp == timestamp {
            return Spot::Known(upper.seq);
        }
        for below in self.known.range(..at).rev() {
            if below.timestamp == timestamp {
                return Spot::Known(below.seq);
            }
            if below.timestamp.is_newer_than(upper.timestamp) {
                return Spot::Unclear;
            }
            if timestamp.is_newer_than(below.timestamp) {
                return Spot::Free(*below, upper);
            }
            upper = *below;
        }
        Spot::Unclear
    }

    fn learn_step(&mut self, seq: SeqNum) {
        let Ok(at) = self.position(seq) else { return };
        let time_from = |earlier: usize| {
            let (earlier, later) = (self.known.get(earlier)?, self.known.get(earlier + 1)?);
            let adjacent = later.seq.distance_from(earlier.seq) == 1;
            let ticks = u16::try_from(later.timestamp.distance_from(earlier.timestamp)).ok()?;
            (adjacent && (1..=MAX_OFFSET).contains(&ticks)).then_some(ticks)
        };
        self.step = at.checked_sub(1).and_then(time_from).or_else(|| time_from(at)).or(self.step);
    }

    fn insert(&mut self, known: Known) {
        let Err(at) = self.position(known.seq) else { return };
        self.known.insert(at, known);
        if self.known.len() > MEMORY {
            self.known.pop_front();
        }
    }

    /// Where the number is, or where it would go.
    fn position(&self, seq: SeqNum) -> Result<usize, usize> {
        // New numbers belong at or near the end: looked for from there.
        for (at, known) in self.known.iter().enumerate().rev() {
            if known.seq == seq {
                return Ok(at);
            }
            if seq.is_newer_than(known.seq) {
                return Err(at + 1);
            }
        }
        Err(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known packets, then one that carries a block of this rank: the number concluded for it.
    fn place(known: &[(u16, u32)], learnt: Option<(u16, u16)>, rank: usize, timestamp: u32) -> Option<u16> {
        let mut timeline = Timeline::new();
        for (seq, timestamp) in known {
            assert_eq!(timeline.admit(SeqNum(*seq), RtpTime(*timestamp)), Admission::New);
        }
        if let Some((carrier, seq)) = learnt {
            timeline.learn_distance(rank, SeqNum(carrier), SeqNum(seq));
        }
        let (carrier, timestamp) = (timeline.newest().unwrap(), RtpTime(timestamp));
        timeline.place(carrier, timestamp, rank, [timestamp].iter()).map(|seq| seq.0)
    }

    #[test]
    fn a_single_free_number_needs_no_more() {
        assert_eq!(place(&[(10, 0), (12, 10_560)], None, 0, 9_600), Some(11));
    }

    #[test]
    fn equal_steps_need_a_known_packet_time_or_experience() {
        let burst = [(8, 0), (9, 480), (13, 2_400)];
        assert_eq!(place(&burst, None, 0, 1_920), Some(12));
        assert_eq!(place(&burst, Some((7, 3)), 0, 1_920), Some(12), "the packet time speaks louder");
        let burst = [(9, 480), (13, 2_400)];
        assert_eq!(place(&burst, None, 0, 1_920), None);
        assert_eq!(place(&burst, Some((7, 6)), 0, 1_920), Some(12));
        assert_eq!(place(&burst, Some((7, 5)), 0, 1_920), None);
    }

    #[test]
    fn a_changed_packet_time_leaves_it_to_experience() {
        // 10 ms packets became 20 ms ones in between: 960 ticks back may be one packet or two.
        let burst = [(8, 0), (9, 480), (12, 2_400)];
        assert_eq!(place(&burst, None, 0, 1_440), None);
        assert_eq!(place(&burst, Some((7, 6)), 0, 1_440), Some(11));
        assert_eq!(place(&burst, Some((7, 2)), 0, 1_440), None, "taken");
    }

    #[test]
    fn nothing_is_concluded_about_what_lies_before_or_across_a_change_of_clock() {
        assert_eq!(place(&[(10, 9_600), (11, 10_560)], Some((7, 5)), 1, 8_640), None);
        assert_eq!(place(&[(10, 900_000), (12, 960)], Some((7, 6)), 0, 0), None);
    }

    #[test]
    fn a_number_found_wrong_is_corrected() {
        let mut timeline = Timeline::new();
        timeline.admit(SeqNum(10), RtpTime(0));
        timeline.conclude(SeqNum(12), RtpTime(960));
        assert_eq!(timeline.admit(SeqNum(11), RtpTime(960)), Admission::Recovered { misplaced: true });
        assert_eq!(timeline.find(SeqNum(11), RtpTime(960)), Some(SeqNum(11)));
        assert_eq!(timeline.admit(SeqNum(11), RtpTime(960)), Admission::Duplicate);
        assert_eq!(timeline.admit(SeqNum(12), RtpTime(1_920)), Admission::New);
    }

    #[test]
    fn memory_is_bounded() {
        let mut timeline = Timeline::new();
        for seq in 0..400 {
            timeline.admit(SeqNum(seq), RtpTime(u32::from(seq) * 960));
        }
        assert_eq!(timeline.known.len(), MEMORY);
        assert_eq!(timeline.admit(SeqNum(100), RtpTime(96_000)), Admission::TooOld);
    }
}
