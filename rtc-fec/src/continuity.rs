use rtc_core::SeqNum;

/// Most packets that may be missing between two of the same run (RFC 3550 appendix A.1, MAX_DROPOUT).
const MAX_DROPOUT: i16 = 3_000;
/// How far behind the newest a packet may be and still be of the same run (RFC 3550 appendix A.1 has 100: too few where a
/// packet may be a second late and come back by retransmission).
const MAX_MISORDER: i16 = 1_000;

/// Tells a sender that started anew from packets that strayed in: the first packet far off is not believed, the one that
/// follows it in sequence is (RFC 3550 appendix A.1).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Continuity {
    expected: Option<SeqNum>,
}

/// How a sequence number goes with those before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Run {
    /// Part of the run.
    Same,
    /// Far off: either the first of a new run or nothing at all.
    Stray,
    /// The second in sequence far off: the sender started anew.
    New,
}

impl Continuity {
    /// Places `seq`, given the newest of the run.
    pub(crate) fn check(&mut self, newest: SeqNum, seq: SeqNum) -> Run {
        if same_run(newest, seq) {
            self.expected = None;
            return Run::Same;
        }
        if self.expected == Some(seq) {
            self.expected = None;
            return Run::New;
        }
        self.expected = Some(seq.next());
        Run::Stray
    }
}

/// Whether `seq` is near enough to the newest to be of the same run without further evidence.
pub(crate) fn same_run(newest: SeqNum, seq: SeqNum) -> bool {
    (-MAX_MISORDER..MAX_DROPOUT).contains(&seq.distance_from(newest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3550_a1_two_packets_in_sequence_start_a_new_run() {
        for newest in [100, 65_500] {
            let (newest, mut continuity) = (SeqNum(newest), Continuity::default());
            assert_eq!(continuity.check(newest, newest + 2_999), Run::Same);
            assert_eq!(continuity.check(newest, newest - 1_000), Run::Same);
            assert_eq!(continuity.check(newest, newest + 3_000), Run::Stray);
            assert_eq!(continuity.check(newest, newest + 3_002), Run::Stray);
            assert_eq!(continuity.check(newest, newest + 3_003), Run::New);
            assert_eq!(continuity.check(newest, newest - 1_001), Run::Stray);
            assert_eq!(continuity.check(newest, newest), Run::Same);
            assert_eq!(continuity.check(newest, newest - 1_000 + 32_000), Run::Stray);
        }
    }
}
