//! A stream over a path that loses packets both ways.

use core::time::Duration;

use rtc_core::bwe::Ecn;
use rtc_core::testkit::netem::{Loss, Netem, NetemConfig};
use rtc_core::time::{Instant, earliest};
use rtc_core::{ConfigError, DataSize, RtpPacket, RtpTime, SeqNum, Ssrc};

use super::method::{MEDIA, Recovery};
use super::scenarios::{DEADLINE_MS, Stream};

/// IP and UDP.
const HEADERS: u64 = 28;
/// Where sequence numbers begin: they wrap soon.
const FIRST: u16 = 65_000;

/// What became of a stream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Outcome {
    /// Packets not there at their deadline, of all.
    pub(super) residual: f64,
    /// Bytes of RTP payload beyond the media's, per byte of that.
    pub(super) payload_overhead: f64,
    /// The same of whole packets, IP and UDP headers included.
    pub(super) wire_overhead: f64,
    /// Packets of media the path itself lost, of all.
    pub(super) lost: f64,
}

/// The path of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Path {
    pub(super) loss: Loss,
    pub(super) round_trip: Duration,
    pub(super) seconds: u64,
    pub(super) seed: u64,
}

struct Books {
    sent: Vec<Instant>,
    here: Vec<bool>,
    media: [u64; 2],
    total: [u64; 2],
    lost: u64,
}

/// Sends a stream over `path` with the help of `recovery`.
pub(super) fn run(stream: &Stream, path: &Path, recovery: &mut dyn Recovery) -> Result<Outcome, ConfigError> {
    let mut config = NetemConfig::default();
    (config.loss, config.delay) = (path.loss, path.round_trip / 2);
    let mut forward: Netem<RtpPacket> = Netem::new(config.clone(), path.seed)?;
    let mut backward: Netem<Vec<SeqNum>> = Netem::new(config, path.seed + 1_000_000)?;
    let interval = Duration::from_millis(stream.interval_ms);
    let count = usize::try_from(path.seconds * 1_000 / stream.interval_ms).unwrap_or(0);
    let mut books = Books { sent: Vec::new(), here: vec![false; count], media: [0; 2], total: [0; 2], lost: 0 };
    let (mut now, mut next_packet, mut out) = (Instant::ZERO, Instant::ZERO, Vec::new());
    let end = Instant::ZERO + interval * u32::try_from(count).unwrap_or(0) + Duration::from_millis(DEADLINE_MS);
    let payload = vec![0x5a; stream.payload];
    while now <= end {
        while let Some(delivery) = forward.poll(now) {
            let mut here = Vec::new();
            recovery.receive(now, &delivery.item, &mut here);
            here.iter().for_each(|sequence| books.arrived(now, *sequence));
        }
        let requests = recovery.requests(now);
        if !requests.is_empty() {
            backward.send(now, DataSize::from_bytes(HEADERS + 16), Ecn::NotEct, requests);
        }
        while let Some(delivery) = backward.poll(now) {
            recovery.answer(now, &delivery.item, &mut out);
        }
        if next_packet <= now && books.sent.len() < count {
            next_packet = now + interval;
            let packet = books.media_packet(now, &payload)?;
            recovery.send(now, &packet, &mut out);
        }
        for packet in out.drain(..) {
            books.count(&packet, &mut forward, now);
        }
        let media = (books.sent.len() < count).then_some(next_packet);
        let events = [media, forward.poll_timeout(), backward.poll_timeout(), recovery.poll_timeout()];
        now = earliest(events).map_or(end + interval, |at| at.max(now + Duration::from_nanos(1)));
    }
    Ok(books.outcome())
}

impl Books {
    fn media_packet(&mut self, now: Instant, payload: &[u8]) -> Result<RtpPacket, ConfigError> {
        let number = u32::try_from(self.sent.len()).unwrap_or(u32::MAX);
        #[expect(clippy::cast_possible_truncation, reason = "sequence numbers wrap")]
        let sequence = SeqNum(FIRST.wrapping_add(number as u16));
        let packet = RtpPacket::builder(MEDIA, sequence, RtpTime(number.wrapping_mul(960)), Ssrc(7)).build(payload)?;
        self.sent.push(now);
        self.media[0] += payload.len() as u64;
        self.media[1] += packet.as_bytes().len() as u64 + HEADERS;
        Ok(packet)
    }

    fn count(&mut self, packet: &RtpPacket, forward: &mut Netem<RtpPacket>, now: Instant) {
        self.total[0] += packet.payload().len() as u64;
        self.total[1] += packet.as_bytes().len() as u64 + HEADERS;
        let before = forward.stats().lost();
        forward.send(now, DataSize::of(packet.as_bytes()), Ecn::NotEct, packet.clone());
        self.lost += forward.stats().lost() - before;
    }

    fn arrived(&mut self, now: Instant, sequence: SeqNum) {
        // The newest sent packet with this number: nothing is on its way for half a cycle.
        let newest = self.sent.len() - 1;
        #[expect(clippy::cast_possible_truncation, reason = "sequence numbers wrap")]
        let back = usize::from(FIRST.wrapping_add(newest as u16).wrapping_sub(sequence.0));
        let Some(number) = newest.checked_sub(back) else { return };
        self.here[number] |= now - self.sent[number] <= Duration::from_millis(DEADLINE_MS);
    }

    fn outcome(&self) -> Outcome {
        let missing = self.here.iter().filter(|here| !**here).count();
        let overhead = |kind: usize| self.total[kind] as f64 / self.media[kind].max(1) as f64 - 1.0;
        Outcome {
            residual: missing as f64 / self.here.len().max(1) as f64,
            payload_overhead: overhead(0),
            wire_overhead: overhead(1),
            lost: self.lost as f64 / self.here.len().max(1) as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::method::ours;
    use super::super::scenarios::{AUDIO, Method, VIDEO};
    use super::*;

    fn outcome(stream: &Stream, method: Method, loss: f64, round_trip_ms: u64) -> Outcome {
        let round_trip = Duration::from_millis(round_trip_ms);
        let path = Path { loss: Loss::Bernoulli(loss), round_trip, seconds: 200, seed: 5 };
        run(stream, &path, &mut *ours(method, round_trip).unwrap()).unwrap()
    }

    /// No copies: what is lost is missing, and nothing is sent beside.
    #[test]
    fn without_recovery_residual_is_loss() {
        let outcome = outcome(&AUDIO, Method::Red(0), 0.3, 40);
        assert!((outcome.residual - outcome.lost).abs() < 1e-12 && (outcome.lost - 0.3).abs() < 0.02);
        // The header of RED.
        assert!((outcome.payload_overhead - 1.0 / 80.0).abs() < 1e-9);
    }

    /// n copies in the packets that follow: all n + 1 must be lost.
    #[test]
    fn copies_multiply() {
        let two = outcome(&AUDIO, Method::Red(2), 0.5, 40);
        assert!((two.residual - 0.125).abs() < 0.01, "{two:?}");
        assert!((two.payload_overhead - (2.0 * 84.0 + 1.0) / 80.0).abs() < 0.01);
        assert!(two.wire_overhead < two.payload_overhead);
    }

    /// Each retransmission costs as much as a packet, and two bytes: overhead is loss / (1 - loss) if all are asked for until
    /// they come.
    #[test]
    fn retransmissions_cost_what_is_lost() {
        let nack = outcome(&VIDEO, Method::Nack, 0.1, 20);
        assert!(nack.residual < 0.001, "{nack:?}");
        assert!((nack.payload_overhead - 0.111).abs() < 0.01, "{nack:?}");
    }

    #[test]
    fn nothing_arrives_in_time_after_a_longer_way_than_the_deadline() {
        assert_eq!(outcome(&AUDIO, Method::Red(1), 0.0, 602).residual, 1.0);
        assert_eq!(outcome(&AUDIO, Method::Red(1), 0.0, 598).residual, 0.0);
    }
}
