use rtc_core::SeqNum;

use super::{Arrival, ReceiverConfig};

/// Sequence numbers of one source, as RFC 3550 A.1 judges them.
#[derive(Debug, Clone)]
pub(super) struct Sequence {
    state: State,
    /// The number after one that was implausible: a second in a row means the source began anew.
    bad: Option<SeqNum>,
}

#[derive(Debug, Clone)]
enum State {
    /// Packets in order still to come before the source is believed, and the number of the next.
    Probation { left: u16, next: Option<SeqNum> },
    /// Packets count.
    Valid(Count),
}

/// What RFC 3550 A.1 and A.3 keep of a valid source.
#[derive(Debug, Clone)]
pub(super) struct Count {
    /// The first number.
    base: u64,
    /// The highest number, cycles counted above the low 16 bits.
    highest: u64,
    received: u64,
    /// Bit `i` is set if packet `highest - i` arrived. Wider than any allowed `max_misorder`.
    seen: u128,
    expected_prior: u64,
    received_prior: u64,
}

impl Sequence {
    pub(super) fn new(config: ReceiverConfig) -> Self {
        Self { state: State::Probation { left: config.min_sequential.max(1), next: None }, bad: None }
    }

    pub(super) fn update(&mut self, seq: SeqNum, config: ReceiverConfig) -> Arrival {
        match &mut self.state {
            State::Probation { left, next } => {
                let in_order = next.is_none_or(|next| next == seq);
                *left = if in_order { *left - 1 } else { config.min_sequential.max(1) - 1 };
                *next = Some(seq.next());
                if *left > 0 {
                    return Arrival::Probation;
                }
                self.state = State::Valid(Count::starting_at(seq));
                Arrival::Newest
            }
            State::Valid(count) => {
                if let Some(arrival) = count.update(seq, config) {
                    return arrival;
                }
                if self.bad.replace(seq.next()) != Some(seq) {
                    return Arrival::Implausible;
                }
                self.state = State::Valid(Count::starting_at(seq));
                self.bad = None;
                Arrival::Restarted
            }
        }
    }

    pub(super) fn count(&self) -> Option<&Count> {
        match &self.state {
            State::Probation { .. } => None,
            State::Valid(count) => Some(count),
        }
    }

    pub(super) fn count_mut(&mut self) -> Option<&mut Count> {
        match &mut self.state {
            State::Probation { .. } => None,
            State::Valid(count) => Some(count),
        }
    }
}

impl Count {
    fn starting_at(seq: SeqNum) -> Self {
        let base = u64::from(seq.0);
        Self { base, highest: base, received: 1, seen: 1, expected_prior: 0, received_prior: 0 }
    }

    /// Counts a packet; `None` if its number is too far off.
    fn update(&mut self, seq: SeqNum, config: ReceiverConfig) -> Option<Arrival> {
        #[expect(clippy::cast_possible_truncation, reason = "the sequence number is the low 16 bits")]
        let ahead = seq.0.wrapping_sub(self.highest as u16);
        let arrival = if (1..config.max_dropout).contains(&ahead) {
            self.highest += u64::from(ahead);
            self.seen = self.seen.checked_shl(u32::from(ahead)).unwrap_or(0) | 1;
            Arrival::Newest
        } else {
            let behind = ahead.wrapping_neg();
            if behind >= config.max_misorder {
                return None;
            }
            let bit = 1_u128 << behind;
            let arrival = if self.seen & bit == 0 { Arrival::Late } else { Arrival::Duplicate };
            self.seen |= bit;
            arrival
        };
        self.received += 1;
        Some(arrival)
    }

    /// The extended highest sequence number (RFC 3550 §6.4.1).
    #[expect(clippy::cast_possible_truncation, reason = "the cycles of a report wrap after 16 bits")]
    pub(super) const fn extended_highest(&self) -> u32 {
        self.highest as u32
    }

    /// Packets lost, negative if duplicates outnumber losses (RFC 3550 A.3).
    pub(super) fn lost(&self) -> i64 {
        self.expected().cast_signed() - self.received.cast_signed()
    }

    /// Ends an interval between reports, and tells what part of it was lost, in 256ths (RFC 3550 A.3).
    pub(super) fn end_interval(&mut self) -> u8 {
        let (expected, received) = (self.expected() - self.expected_prior, self.received - self.received_prior);
        (self.expected_prior, self.received_prior) = (self.expected(), self.received);
        let lost = expected.saturating_sub(received);
        // Cannot reach 256: an interval in which packets are expected ends with one that was received.
        (lost * 256).checked_div(expected).and_then(|fraction| u8::try_from(fraction).ok()).unwrap_or(0)
    }

    pub(super) const fn has_news(&self) -> bool {
        self.received > self.received_prior
    }

    fn expected(&self) -> u64 {
        self.highest - self.base + 1
    }
}
