//! Repair driven by the sender from repeated acknowledgements, over a path that loses both ways.

use core::time::Duration;
use std::collections::VecDeque;

use rtc_core::bwe::{Ecn, PacketResult, SentPacket};
use rtc_core::fec::{FecDecoder, FecEncoder};
use rtc_core::testkit::netem::{Loss, Netem, NetemConfig};
use rtc_core::time::{Instant, earliest};
use rtc_core::{ConfigError, DataSize, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_fec::loss::{LossConfig, LossEstimator};
use rtc_fec::repair::{Carried, RepairConfig, RepairScheduler};
use rtc_fec::rlc::{RlcDecoder, RlcDecoderConfig, RlcEncoder, RlcEncoderConfig};
use rtc_fec::rtx::{
    Received, Retransmit, RtxHistory, RtxHistoryConfig, RtxPayloadType, RtxReceiver, RtxReceiverConfig,
};

use super::super::method::{MEDIA, RETRANSMISSION};
use super::super::scenarios::{DEADLINE_MS, Grouped};

/// IP and UDP.
const HEADERS: u64 = 28;
/// Where sequence numbers begin: they wrap soon.
const FIRST: u16 = 65_000;
/// Every feedback tells of what arrived in this time.
const REPEATED: Duration = Duration::from_millis(350);
/// An RTCP header, two SSRCs and the fixed part of transport-wide feedback.
const FEEDBACK_HEADERS: u64 = HEADERS + 20;

/// The path of a run. Loss changes at the times given, in milliseconds.
#[derive(Debug, Clone)]
pub(in crate::fec) struct Path {
    pub(in crate::fec) losses: Vec<(u64, Loss)>,
    pub(in crate::fec) round_trip: Duration,
    pub(in crate::fec) seconds: u64,
    pub(in crate::fec) feedback: Duration,
    pub(in crate::fec) seed: u64,
}

/// What became of a stream.
#[derive(Debug, Clone, Default)]
pub(in crate::fec) struct Outcome {
    /// Groups not there as a whole at their deadline, of all.
    pub(in crate::fec) residual: f64,
    /// The same as the scheduler expected it.
    pub(in crate::fec) expected: f64,
    /// Repair packets per packet of media.
    pub(in crate::fec) packets: f64,
    /// Bytes of RTP payload beyond the media's, per byte of that.
    pub(in crate::fec) payload: f64,
    /// The same of whole packets, IP and UDP headers included.
    pub(in crate::fec) wire: f64,
    /// Feedback packets a second, and their rate in bit/s.
    pub(in crate::fec) feedback: (f64, f64),
    /// Bytes of repair payload per byte of media payload in each 100 ms.
    pub(in crate::fec) timeline: Vec<f64>,
}

/// What a feedback packet says: which packets arrived lately, and when.
#[derive(Debug, Clone)]
struct Feedback {
    arrived: Vec<(u64, Instant)>,
}

struct Sender {
    scheduler: RepairScheduler,
    history: RtxHistory,
    encoder: RlcEncoder,
    estimator: LossEstimator,
    /// By transport-wide number, and what is known of it.
    sent: Vec<(SentPacket, Option<bool>)>,
    results: Vec<PacketResult>,
}

struct Receiver {
    rtx: RtxReceiver,
    decoder: RlcDecoder,
    arrived: VecDeque<(u64, Instant)>,
}

struct Books {
    flow: Grouped,
    sent: Vec<Instant>,
    here: Vec<bool>,
    media: [u64; 2],
    total: [u64; 2],
    packets: u64,
    timeline: Vec<[u64; 2]>,
}

/// Sends a stream over `path`.
pub(in crate::fec) fn run(flow: &Grouped, path: &Path, repair: RepairConfig) -> Result<Outcome, ConfigError> {
    let mut sender = Sender::new(flow, repair, path)?;
    let mut receiver = Receiver::new(flow)?;
    let interval = Duration::from_millis(flow.interval_ms);
    let groups = usize::try_from(path.seconds * 1_000 / flow.interval_ms).unwrap_or(0);
    let mut books = Books::new(flow, groups);
    let mut ways = Ways::new(path)?;
    let (mut now, mut next_group, mut next_feedback, mut left) = (Instant::ZERO, Instant::ZERO, Instant::ZERO, groups);
    let end = Instant::ZERO + interval * u32::try_from(groups).unwrap_or(0) + Duration::from_millis(DEADLINE_MS);
    let mut feedbacks = (0_u64, 0_u64);
    let payload = vec![0x5a; flow.payload];
    while now <= end {
        ways.change(now)?;
        while let Some(delivery) = ways.forward.poll(now) {
            let (id, packet) = delivery.item;
            receiver.receive(now, id, &packet, |seq| books.arrived(now, seq));
        }
        if next_feedback <= now {
            next_feedback = now + path.feedback;
            let feedback = receiver.feedback(now);
            let size = feedback.size();
            feedbacks = (feedbacks.0 + 1, feedbacks.1 + size.as_bytes());
            ways.backward.send(now, size, Ecn::NotEct, feedback);
        }
        while let Some(delivery) = ways.backward.poll(now) {
            sender.on_feedback(now, &delivery.item);
        }
        if next_group <= now && left > 0 {
            (next_group, left) = (now + interval, left - 1);
            for _ in 0..flow.packets {
                let packet = books.media_packet(now, &payload)?;
                sender.send_media(now, packet, &mut books, &mut ways.forward);
            }
        }
        sender.repair(now, &mut books, &mut ways.forward);
        let media = (left > 0).then_some(next_group);
        let events = [
            media,
            Some(next_feedback),
            ways.forward.poll_timeout(),
            ways.backward.poll_timeout(),
            sender.scheduler.poll_timeout(now),
        ];
        now = earliest(events).map_or(end + interval, |at| at.max(now + Duration::from_nanos(1)));
    }
    let stats = sender.scheduler.stats();
    let seconds = path.seconds.max(1) as f64;
    Ok(Outcome {
        expected: stats.expected_broken / (stats.groups_whole + stats.groups_broken).max(1) as f64,
        feedback: (feedbacks.0 as f64 / seconds, 8.0 * feedbacks.1 as f64 / seconds),
        ..books.outcome()
    })
}

/// Both directions.
struct Ways {
    forward: Netem<(u64, RtpPacket)>,
    backward: Netem<Feedback>,
    losses: Vec<(u64, Loss)>,
    round_trip: Duration,
    seed: u64,
}

impl Ways {
    fn new(path: &Path) -> Result<Self, ConfigError> {
        let mut losses = path.losses.clone();
        losses.reverse();
        let first = losses.pop().map_or(Loss::None, |(_, loss)| loss);
        let (forward, backward) = pair(first, path.round_trip, path.seed)?;
        Ok(Self { forward, backward, losses, round_trip: path.round_trip, seed: path.seed })
    }

    /// Goes on with another loss when its time has come: what is on its way then is lost, less than a tenth of a second.
    fn change(&mut self, now: Instant) -> Result<(), ConfigError> {
        if let Some((at, loss)) = self.losses.last().copied()
            && Instant::from_millis(at) <= now
        {
            self.losses.pop();
            self.seed += 1;
            (self.forward, self.backward) = pair(loss, self.round_trip, self.seed)?;
        }
        Ok(())
    }
}

type Pair = (Netem<(u64, RtpPacket)>, Netem<Feedback>);

fn pair(loss: Loss, round_trip: Duration, seed: u64) -> Result<Pair, ConfigError> {
    let mut config = NetemConfig::default();
    (config.loss, config.delay) = (loss, round_trip / 2);
    Ok((Netem::new(config.clone(), seed)?, Netem::new(config, seed + 1_000_000)?))
}

impl Sender {
    fn new(flow: &Grouped, repair: RepairConfig, path: &Path) -> Result<Self, ConfigError> {
        let mut history = RtxHistoryConfig::default();
        history.payload_types = vec![RtxPayloadType { rtx: RETRANSMISSION, original: MEDIA }];
        // The scheduler decides: a copy again within a round trip is on purpose.
        history.rtt = Duration::ZERO;
        let mut loss = LossConfig::default();
        (loss.rtt, loss.feedback_interval) = (path.round_trip, Some(path.feedback));
        let mut encoder = RlcEncoderConfig::default();
        encoder.window = rtc_fec::rlc::MAX_WINDOW;
        encoder.short = short(flow);
        Ok(Self {
            scheduler: RepairScheduler::new(repair)?,
            history: RtxHistory::new(history)?,
            encoder: RlcEncoder::new(encoder)?,
            estimator: LossEstimator::new(loss)?,
            sent: Vec::new(),
            results: Vec::new(),
        })
    }

    fn send_media(&mut self, now: Instant, packet: RtpPacket, books: &mut Books, way: &mut Netem<(u64, RtpPacket)>) {
        self.scheduler.on_media(now, packet.seq(), now + Duration::from_millis(DEADLINE_MS));
        self.history.insert(now, &packet);
        self.encoder.protect(&packet);
        let carried = Carried::Media(packet.seq());
        self.send(now, carried, packet, books, way);
    }

    fn repair(&mut self, now: Instant, books: &mut Books, way: &mut Netem<(u64, RtpPacket)>) {
        while let Some(carried) = self.scheduler.poll(now) {
            let packet = match carried {
                Carried::Media(seq) | Carried::Copy(seq) => match self.history.retransmit(now, seq) {
                    Retransmit::Packet(packet) => Some(packet),
                    _ => None,
                },
                Carried::Coded { .. } => self.encoder.repair_over(self.scheduler.unknown(carried)),
            };
            if let Some(packet) = packet {
                self.send(now, carried, packet, books, way);
            }
        }
    }

    fn send(
        &mut self,
        now: Instant,
        carried: Carried,
        packet: RtpPacket,
        books: &mut Books,
        way: &mut Netem<(u64, RtpPacket)>,
    ) {
        let id = self.sent.len() as u64;
        let size = DataSize::of(packet.as_bytes());
        self.sent.push((SentPacket { id, sent: now, size, probe: None }, None));
        self.scheduler.on_sent(now, id, carried);
        books.count(now, carried, &packet);
        way.send(now, size, Ecn::NotEct, (id, packet));
    }

    /// Turns a bitmap into what is new in it.
    fn on_feedback(&mut self, now: Instant, feedback: &Feedback) {
        self.results.clear();
        if let (Some((first, _)), Some((last, _))) = (feedback.arrived.first(), feedback.arrived.last()) {
            let mut arrived = feedback.arrived.iter().peekable();
            for id in *first..=*last {
                let received = arrived.next_if(|(arrived, _)| *arrived == id).map(|(_, at)| *at);
                let Some((packet, known)) = usize::try_from(id).ok().and_then(|id| self.sent.get_mut(id)) else {
                    continue;
                };
                if *known == Some(received.is_some()) || *known == Some(true) {
                    continue;
                }
                *known = Some(received.is_some());
                self.results.push(PacketResult { packet: *packet, received, ecn: Ecn::NotEct });
            }
        }
        self.estimator.on_feedback(now, &self.results);
        self.scheduler.set_path(self.estimator.model());
        self.scheduler.on_feedback(now, &self.results);
    }
}

impl Receiver {
    fn new(flow: &Grouped) -> Result<Self, ConfigError> {
        let mut rtx = RtxReceiverConfig::default();
        rtx.payload_types = vec![RtxPayloadType { rtx: RETRANSMISSION, original: MEDIA }];
        let mut decoder = RlcDecoderConfig::default();
        // Of frames of 20 packets, all of a deadline may be under repair.
        decoder.max_repairs = 128;
        decoder.short = short(flow);
        Ok(Self { rtx: RtxReceiver::new(rtx)?, decoder: RlcDecoder::new(decoder)?, arrived: VecDeque::new() })
    }

    fn receive(&mut self, now: Instant, id: u64, packet: &RtpPacket, mut here: impl FnMut(SeqNum)) {
        self.arrived.push_back((id, now));
        if packet.payload_type() == MEDIA {
            self.decoder.insert_source(packet);
            here(packet.seq());
        } else if packet.payload_type() != RETRANSMISSION {
            // Damaged packets do not occur here.
            let _ = self.decoder.insert_repair(packet);
        } else if let Ok(Received::Original(original)) = self.rtx.receive(packet) {
            self.decoder.insert_source(&original);
            here(original.seq());
        }
        while let Some(recovered) = self.decoder.poll_recovered() {
            here(recovered.seq());
        }
    }

    fn feedback(&mut self, now: Instant) -> Feedback {
        while self.arrived.front().is_some_and(|(_, at)| *at + REPEATED < now) {
            self.arrived.pop_front();
        }
        Feedback { arrived: self.arrived.iter().copied().collect() }
    }
}

impl Feedback {
    /// 14 packets to a chunk of two bytes, and a byte for each arrival
    /// (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1).
    fn size(&self) -> DataSize {
        let span = match (self.arrived.first(), self.arrived.last()) {
            (Some((first, _)), Some((last, _))) => last - first + 1,
            _ => 0,
        };
        DataSize::from_bytes(FEEDBACK_HEADERS + 2 * span.div_ceil(14) + self.arrived.len() as u64)
    }
}

impl Books {
    fn new(flow: &Grouped, groups: usize) -> Self {
        let packets = groups * flow.packets;
        Self {
            flow: *flow,
            sent: Vec::new(),
            here: vec![false; packets],
            media: [0; 2],
            total: [0; 2],
            packets: 0,
            timeline: Vec::new(),
        }
    }

    fn media_packet(&mut self, now: Instant, payload: &[u8]) -> Result<RtpPacket, ConfigError> {
        let number = u32::try_from(self.sent.len()).unwrap_or(u32::MAX);
        #[expect(clippy::cast_possible_truncation, reason = "sequence numbers wrap")]
        let sequence = SeqNum(FIRST.wrapping_add(number as u16));
        self.sent.push(now);
        RtpPacket::builder(MEDIA, sequence, RtpTime(number.wrapping_mul(960)), Ssrc(7)).build(payload)
    }

    fn count(&mut self, now: Instant, carried: Carried, packet: &RtpPacket) {
        let sizes = [packet.payload().len() as u64, packet.as_bytes().len() as u64 + HEADERS];
        let is_media = matches!(carried, Carried::Media(_));
        for (kind, size) in sizes.into_iter().enumerate() {
            self.total[kind] += size;
            self.media[kind] += if is_media { size } else { 0 };
        }
        self.packets += 1;
        let slot = usize::try_from(now.as_nanos() / 100_000_000).unwrap_or(0);
        self.timeline.resize(self.timeline.len().max(slot + 1), [0; 2]);
        self.timeline[slot][usize::from(!is_media)] += sizes[0];
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
        let groups = self.here.chunks(self.flow.packets.max(1));
        let missed = groups.clone().filter(|group| group.contains(&false)).count();
        let overhead = |kind: usize| self.total[kind] as f64 / self.media[kind].max(1) as f64 - 1.0;
        Outcome {
            residual: missed as f64 / groups.count().max(1) as f64,
            packets: self.packets as f64 / self.sent.len().max(1) as f64 - 1.0,
            payload: overhead(0),
            wire: overhead(1),
            timeline: self.timeline.iter().map(|[media, repair]| *repair as f64 / (*media).max(1) as f64).collect(),
            ..Outcome::default()
        }
    }
}

/// Packets of voice are hardly longer than their headers.
fn short(flow: &Grouped) -> Option<PayloadType> {
    (flow.packets == 1).then_some(MEDIA)
}

#[cfg(test)]
mod tests {
    use super::super::super::scenarios::{VOICE, voice_repair};
    use super::*;

    fn outcome(loss: f64, seconds: u64) -> Outcome {
        let path = Path {
            losses: vec![(0, Loss::Bernoulli(loss))],
            round_trip: Duration::from_millis(40),
            seconds,
            feedback: Duration::from_millis(10),
            seed: 5,
        };
        run(&VOICE, &path, voice_repair()).unwrap()
    }

    #[test]
    fn nothing_is_repaired_where_nothing_is_lost() {
        let outcome = outcome(0.0, 60);
        assert_eq!(outcome.residual, 0.0);
        assert!(outcome.packets < 0.002, "{outcome:?}");
    }

    /// Asking for what was lost until it comes costs loss / (1 - loss), and there is time for it.
    #[test]
    fn at_moderate_loss_repair_costs_what_is_lost() {
        let outcome = outcome(0.3, 120);
        assert!(outcome.residual < 0.01 && (outcome.packets - 0.43).abs() < 0.05, "{outcome:?}");
        assert!((outcome.feedback.0 - 100.0).abs() < 2.0);
    }
}
