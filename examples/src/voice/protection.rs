//! The policy of the call: how much redundancy a loss deserves, and what gives way when the rate falls.

use core::time::Duration;

use rtc_core::Bitrate;
use rtc_core::bwe::PacketResult;

/// Residual loss RED alone is to leave: half of what a listener gets, the rest being for bursts and late packets.
const RESIDUAL: f64 = 0.005;
/// Below this loss, asking again is enough.
const NACK_ONLY: f64 = 0.01;
/// From this loss on, RED brings frames back sooner than ULPFEC, whose group has to fill first.
const RED_FROM: f64 = 0.04;
/// Copies beyond which the next one helps nobody.
const MAX_COPIES: usize = 12;
/// Age of the oldest frame a RED block can name: 14 bits of 48 kHz (RFC 2198 §3).
const RED_REACH: Duration = Duration::from_micros(341_312);
/// Speech is not worth sending below this rate; redundancy gives way first.
const MIN_VOICE: Bitrate = Bitrate::from_kbps(8);
/// The longest packet: 60 ms add as much delay.
const LONGEST: Duration = Duration::from_millis(60);
/// RTP, extension, UDP and IP headers of one packet, bytes.
const HEADERS: f64 = 12.0 + 8.0 + 28.0;
/// Header of one RED block, bytes (RFC 2198 §3).
const RED_BLOCK: f64 = 4.0;

/// The loss assumed before the first feedback: better a moment of waste than one of gaps.
pub(super) const ASSUMED_LOSS: f64 = 0.15;
/// Packets over which loss is averaged: a few seconds of voice, so that a tenth of loss is known to within a quarter.
const LOSS_MEMORY: f64 = 100.0;

/// Follows the loss that feedback tells of.
#[derive(Debug, Clone, Copy)]
pub(super) struct LossMeter {
    loss: f64,
    /// How many packets the figure is worth; the assumption is worth a few.
    weight: f64,
}

impl LossMeter {
    pub(super) fn new() -> Self {
        Self { loss: ASSUMED_LOSS, weight: 10.0 }
    }

    pub(super) fn update(&mut self, results: &[PacketResult]) {
        for result in results {
            self.weight = (self.weight + 1.0).min(LOSS_MEMORY);
            let lost = if result.received.is_none() { 1.0 } else { 0.0 };
            self.loss += (lost - self.loss) / self.weight;
        }
    }

    pub(super) fn loss(&self) -> f64 {
        self.loss
    }
}

/// What the network is like, as far as the sender knows.
#[derive(Debug, Clone, Copy)]
pub struct Conditions {
    /// Fraction of packets lost lately.
    pub loss: f64,
    /// The rate all packets together may have.
    pub rate: Bitrate,
}

/// What the sender does about it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Protection {
    /// Rate for the voice encoder.
    pub voice: Bitrate,
    /// Sound in one packet: more where headers would eat what the path carries.
    pub packet_time: Duration,
    /// Earlier frames repeated in every packet (RFC 2198).
    pub red_copies: usize,
    /// Source packets to one ULPFEC packet (RFC 5109).
    pub ulpfec_group: Option<usize>,
    /// Loss the encoder is told to expect, which turns its in-band FEC on.
    pub expected_loss: f32,
}

/// What may be used, and how much.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Highest rate for the voice encoder.
    pub voice: Bitrate,
    /// Least sound in one packet.
    pub packet_time: Duration,
    /// A fixed number of RED copies instead of what the loss asks for.
    pub red_copies: Option<usize>,
    /// Whether ULPFEC may be used.
    pub ulpfec: bool,
}

impl Protection {
    /// The protection for `conditions` within `limits`.
    #[must_use]
    pub fn choose(conditions: Conditions, limits: Limits) -> Self {
        let loss = conditions.loss.clamp(0.0, 0.95);
        let wanted = limits.red_copies.unwrap_or_else(|| copies_for(loss));
        let packet_time = packet_time(conditions.rate, limits);
        let rate = |copies| voice_rate(conditions.rate, packet_time, copies);
        // Longer packets leave room for fewer copies, and none is to be paid for that cannot be sent.
        let reach = RED_REACH.as_nanos() / packet_time.as_nanos().max(1);
        let reach = usize::try_from(reach).unwrap_or(MAX_COPIES);
        let red_copies = (0..=wanted.min(MAX_COPIES).min(reach))
            .rev()
            .find(|copies| rate(*copies) >= MIN_VOICE.min(limits.voice))
            .unwrap_or(0);
        let ulpfec = limits.ulpfec && red_copies == 0 && (NACK_ONLY..RED_FROM).contains(&loss);
        let mut voice = rate(red_copies);
        if ulpfec {
            voice = voice * 0.8;
        }
        #[expect(clippy::cast_possible_truncation, reason = "a fraction")]
        let expected_loss = loss as f32;
        Self {
            voice: voice.clamp(MIN_VOICE.min(limits.voice), limits.voice),
            packet_time,
            red_copies,
            ulpfec_group: ulpfec.then_some(4),
            expected_loss,
        }
    }
}

/// Longest wait for a retransmission that still makes sense for voice.
pub(super) const NACK_DEADLINE: Duration = Duration::from_millis(250);

/// Copies after which independent loss leaves less than [`RESIDUAL`]: the least n with loss^(n+1) <= residual.
fn copies_for(loss: f64) -> usize {
    if loss < RED_FROM {
        return 0;
    }
    let sendings = RESIDUAL.ln() / loss.ln();
    (1..=MAX_COPIES).find(|copies| (copies + 1) as f64 >= sendings).unwrap_or(MAX_COPIES)
}

/// The least packet time whose headers leave half the rate to the voice, up to 60 ms.
fn packet_time(rate: Bitrate, limits: Limits) -> Duration {
    let fits = |time: &Duration| voice_rate(rate, *time, 0).as_bps_f64() >= 0.5 * rate.as_bps_f64();
    let longer = [20, 40, 60].map(Duration::from_millis).into_iter().filter(|time| *time > limits.packet_time);
    core::iter::once(limits.packet_time).chain(longer).find(fits).unwrap_or_else(|| limits.packet_time.max(LONGEST))
}

/// What is left for the voice when every payload is sent `1 + copies` times.
fn voice_rate(rate: Bitrate, packet_time: Duration, copies: usize) -> Bitrate {
    let headers = 8.0 * (HEADERS + RED_BLOCK * copies as f64) / packet_time.as_secs_f64().max(1e-3);
    Bitrate::from_bps_f64((rate.as_bps_f64() - headers) / (copies + 1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        voice: Bitrate::from_kbps(32),
        packet_time: Duration::from_millis(20),
        red_copies: None,
        ulpfec: true,
    };

    fn at(loss: f64, kbps: u64) -> Protection {
        Protection::choose(Conditions { loss, rate: Bitrate::from_kbps(kbps) }, LIMITS)
    }

    #[test]
    fn protection_follows_loss() {
        let table: Vec<_> = [0.0, 0.005, 0.02, 0.05, 0.1, 0.3, 0.5, 0.7, 0.9]
            .into_iter()
            .map(|loss| (loss, at(loss, 1_000).red_copies, at(loss, 1_000).ulpfec_group.is_some()))
            .collect();
        assert_eq!(
            table,
            [
                (0.0, 0, false),
                (0.005, 0, false),
                (0.02, 0, true),
                (0.05, 1, false),
                (0.1, 2, false),
                (0.3, 4, false),
                (0.5, 7, false),
                (0.7, 12, false),
                (0.9, 12, false)
            ]
        );
    }

    #[test]
    fn voice_gives_way_before_redundancy_and_redundancy_before_speech() {
        assert_eq!(at(0.3, 1_000).voice, LIMITS.voice);
        let narrow = at(0.3, 120);
        assert_eq!(narrow.red_copies, 4);
        assert!(narrow.voice < LIMITS.voice && narrow.voice >= MIN_VOICE);
        let narrower = at(0.3, 50);
        assert!(narrower.red_copies < 4 && narrower.voice >= MIN_VOICE);
        assert_eq!(at(0.3, 1), Protection { red_copies: 0, voice: MIN_VOICE, ..at(0.3, 1) });
    }

    #[test]
    fn packets_grow_longer_where_headers_would_eat_the_rate() {
        let times = [300, 60, 40, 30, 20, 16].map(|kbps| (kbps, at(0.0, kbps).packet_time.as_millis()));
        assert_eq!(times, [(300, 20), (60, 20), (40, 20), (30, 40), (20, 40), (16, 60)]);
    }

    #[test]
    fn long_packets_are_not_repeated_beyond_the_reach_of_red() {
        let copies = [10, 20, 40, 60].map(|ms| {
            let limits = Limits { packet_time: Duration::from_millis(ms), ..LIMITS };
            Protection::choose(Conditions { loss: 0.7, rate: Bitrate::from_kbps(2_000) }, limits).red_copies
        });
        assert_eq!(copies, [12, 12, 8, 5]);
    }

    #[test]
    fn before_feedback_some_loss_is_assumed() {
        assert_eq!(at(ASSUMED_LOSS, 300).red_copies, 2);
    }
}
