use core::time::Duration;
use std::collections::VecDeque;

use bytes::BytesMut;
use rtc_core::audio::{AudioBuffer, AudioRef};
use rtc_core::bwe::PacketResult;
use rtc_core::codec::AudioEncoder;
use rtc_core::fec::FecEncoder;
use rtc_core::opus::{OpusDecoder, OpusEncoder, Redundancy};
use rtc_core::pacing::{Enqueued, Pacer, Priority};
use rtc_core::testkit::rng::Rng;
use rtc_core::time::{Instant, earliest};
use rtc_core::{Bitrate, ConfigError, DataSize, RtpPacket, RtpTime, SeqNum};
use rtc_fec::controller::{Account, Conditions, Outcome};
use rtc_fec::red::{self, RedEncoder, RedEncoderConfig};
use rtc_fec::repair::{Carried, RepairConfig, RepairScheduler};
use rtc_fec::rlc::{MAX_WINDOW, RlcEncoder, RlcEncoderConfig};
use rtc_fec::rtx::{Retransmit, RtxHistory, RtxHistoryConfig};
use rtc_fec::ulpfec::{self, UlpfecEncoder, UlpfecEncoderConfig};
use rtc_transport::pacer::{LeakyBucketPacer, PacerConfig};

use crate::wav::RATE;

use super::protection::{MOST_TIMES, PATIENT, Protection, RESIDUAL};
use super::{OPUS, RED, RLC, RTX, Spoken, Streams, TRANSPORT_SEQUENCE, ULPFEC, VoiceConfig};

/// Largest Opus packet (RFC 6716 §3.4: 1275 bytes for one frame) and room to spare.
const MAX_PAYLOAD: usize = 1_500;
/// Samples in the longest frame, 60 ms.
const MAX_FRAME: usize = 2_880;
/// The part of the rate that retransmission may use.
const RESEND_SHARE: f64 = 0.3;
/// Packets remembered for whoever watches; nothing depends on them.
const MAX_SPOKEN: usize = 256;
/// The rate before the first feedback: room for redundancy from the start, where a call itself needs a third of it.
pub(super) const START_RATE: Bitrate = Bitrate::from_kbps(300);

/// Bytes of UDP and IPv4 headers, and of that of a retransmission (RFC 4588 §4).
const UDP_IP: usize = 28;
const RTX_HEADER: usize = 2;
/// Packets remembered that bring others: those of two seconds at 50 a second, and as many answers to requests.
const MAX_BRINGING: usize = 256;

/// How long protection keeps taking its time after the last need: each change costs the listener a moment.
const PATIENCE: Duration = Duration::from_secs(3);

/// A packet, and what it is to the repair.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) packet: RtpPacket,
    pub(super) carried: Option<Carried>,
    /// Voice packets it brings that the repair would not know of.
    pub(super) brings: Option<Brings>,
}

/// A voice packet and so many before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Brings {
    newest: SeqNum,
    older: u16,
}

/// From microphone to pacer.
#[derive(Debug)]
pub(super) struct Sender {
    config: VoiceConfig,
    streams: Streams,
    encoder: OpusEncoder,
    /// Reads what deep redundancy the encoder made.
    reader: OpusDecoder,
    /// The frame being filled, of which the first `frame_len` samples will be sent.
    frame: AudioBuffer,
    frame_len: usize,
    filled: usize,
    payload: Box<[u8]>,
    pool: BytesMut,
    next_seq: SeqNum,
    next_timestamp: RtpTime,
    /// The next silence after the last words, and the last.
    trailing: Option<[Instant; 2]>,
    /// Whether the packet before was left out, so that the next begins a talkspurt (RFC 3551 §4.1).
    silent: bool,
    protection: Protection,
    red: RedEncoder,
    ulpfec: UlpfecEncoder,
    history: RtxHistory,
    rlc: RlcEncoder,
    repair: RepairScheduler,
    /// Packets on their way that bring what the repair would not know of, by their transport-wide numbers, oldest first.
    bringing: VecDeque<(u64, Brings)>,
    /// The packet to be sent again with the next sound, and how often packets would be by now if parts could be.
    again: Option<SeqNum>,
    due_again: f64,
    /// Whether nothing is known of the path yet.
    unknown: bool,
    /// Until when protection takes its time, and the time last told.
    patient_until: Option<Instant>,
    now: Instant,
    rtt: Duration,
    pacer: LeakyBucketPacer<Outgoing>,
    rate: Bitrate,
    /// What retransmission may still use.
    resendable: DataSize,
    spoken: VecDeque<Spoken>,
    pub(super) first_timestamp: RtpTime,
    pub(super) frames: u64,
    pub(super) voice_size: DataSize,
    /// Copies, retransmissions and repair packets sent.
    pub(super) redundant: u64,
    /// What protection was expected to do, and what feedback says it did.
    pub(super) account: Account,
    /// What of the counters is in the account.
    accounted: Outcome,
    /// Packets the pacer or the encoder could not take.
    pub(super) dropped: u64,
}

impl Sender {
    pub(super) fn new(config: VoiceConfig, streams: Streams, rng: &mut Rng) -> Result<Self, ConfigError> {
        // Both start anywhere (RFC 3550 §5.1).
        let [s0, s1, t0, t1, t2, t3, ..] = rng.next_u64().to_be_bytes();
        let first_timestamp = RtpTime(u32::from_be_bytes([t0, t1, t2, t3]));
        let mut red = RedEncoderConfig::default();
        (red.payload_type, red.copies) = (RED, 0);
        let mut ulpfec = UlpfecEncoderConfig::default();
        (ulpfec.payload_type, ulpfec.ssrc) = (ULPFEC, Some(streams.repair));
        let mut rtx = RtxHistoryConfig::default();
        (rtx.payload_types, rtx.ssrc) = (RTX.to_vec(), Some(streams.rtx));
        let mut rlc = RlcEncoderConfig::default();
        (rlc.payload_type, rlc.ssrc, rlc.window) = (RLC, Some(streams.coded), MAX_WINDOW);
        // Nobody needs the transport-wide number of a packet that is recovered.
        (rlc.short, rlc.extensions) = (Some(OPUS), false);
        let mut repair = RepairConfig::default();
        repair.residual = RESIDUAL;
        // Of what is spared while redundancy covers what is said, a pause has use for some: no redundancy covers that.
        repair.burst = 80.0;
        let protection = Protection::unknown(config.limits);
        let mut sender = Self {
            config,
            streams,
            encoder: OpusEncoder::new(&config.opus())?,
            reader: OpusDecoder::new(config.format())?,
            frame: AudioBuffer::new(config.channels, MAX_FRAME, RATE)?,
            frame_len: samples_in(protection.packet_time),
            filled: 0,
            payload: vec![0; MAX_PAYLOAD].into_boxed_slice(),
            pool: BytesMut::new(),
            next_seq: SeqNum(u16::from_be_bytes([s0, s1])),
            next_timestamp: first_timestamp,
            trailing: None,
            silent: true,
            protection,
            red: RedEncoder::new(red)?,
            ulpfec: UlpfecEncoder::new(ulpfec)?,
            history: RtxHistory::new(rtx)?,
            rlc: RlcEncoder::new(rlc)?,
            repair: RepairScheduler::new(repair)?,
            bringing: VecDeque::with_capacity(MAX_BRINGING),
            again: None,
            due_again: 0.0,
            unknown: true,
            patient_until: None,
            now: Instant::ZERO,
            rtt: Duration::ZERO,
            pacer: LeakyBucketPacer::new(PacerConfig::default())?,
            rate: config.limits.start(),
            resendable: DataSize::ZERO,
            spoken: VecDeque::with_capacity(MAX_SPOKEN),
            first_timestamp,
            frames: 0,
            voice_size: DataSize::ZERO,
            redundant: 0,
            account: Account::default(),
            accounted: Outcome::default(),
            dropped: 0,
        };
        sender.protect(protection);
        Ok(sender)
    }

    /// Takes what the microphone captured; sends a packet whenever a frame is full.
    pub(super) fn capture(&mut self, now: Instant, sound: AudioRef<'_>) {
        let mut done = 0;
        while done < sound.samples() {
            let part = sound.slice(done, self.frame_len - self.filled);
            self.frame.as_mut().slice_mut(self.filled, part.samples()).copy_from(part);
            done += part.samples();
            self.filled += part.samples();
            self.send_again(now);
            if self.filled == self.frame_len {
                self.send_frame(now, false);
                self.filled = 0;
                self.frame_len = samples_in(self.protection.packet_time);
            }
        }
    }

    /// No more is captured: what was said last goes on to be told in packets of silence behind it, as it would be in the middle
    /// of a talk.
    pub(super) fn close(&mut self, now: Instant) {
        let behind = match self.protection {
            Protection { dred: Some(_), .. } => PATIENT,
            Protection { red_copies: 0, .. } => return,
            Protection { red_copies, packet_time, .. } => packet_time * u32::try_from(red_copies).unwrap_or(1),
        };
        let first = now + RATE.duration_of((self.frame_len - self.filled) as u64);
        self.trailing = Some([first, now + behind]);
    }

    /// Sends the silence that is due.
    pub(super) fn trail(&mut self, now: Instant) {
        while let Some([next, last]) = self.trailing.filter(|[next, _]| *next <= now) {
            let step = self.protection.packet_time;
            self.trailing = (next + step <= last).then_some([next + step, last]);
            // What was said of a frame that did not become full is part of it.
            self.frame.as_mut().slice_mut(self.filled, self.frame_len - self.filled).silence();
            let last_words = core::mem::take(&mut self.filled) > 0;
            self.send_again(now);
            self.send_frame(now, !last_words);
            self.frame_len = samples_in(self.protection.packet_time);
        }
    }

    /// Sends again what the peer asks for.
    pub(super) fn retransmit(&mut self, now: Instant, lost: impl Iterator<Item = SeqNum>) {
        if self.protection.repair.is_some() || self.is_deep() {
            return; // Feedback tells more than requests, and is acted on already; or all of the rate goes to what needs neither.
        }
        for seq in lost {
            // What is lost because the path is full is not sent again on top.
            if self.resendable == DataSize::ZERO {
                return;
            }
            if let Retransmit::Packet(packet) = self.history.retransmit(now, seq) {
                self.resendable = self.resendable - DataSize::of(packet.as_ref());
                self.redundant += 1;
                let brings = Some(Brings { newest: seq, older: 0 });
                self.enqueue(now, Priority::Retransmission, Outgoing { packet, carried: None, brings });
            }
        }
    }

    /// Sends the packet before again, if half of the next has been captured since, or all.
    fn send_again(&mut self, now: Instant) {
        if 2 * self.filled < self.frame_len {
            return;
        }
        let Some(seq) = self.again.take() else { return };
        while self.due_again >= 1.0 {
            self.due_again -= 1.0;
            if let Retransmit::Packet(packet) = self.history.retransmit(now, seq) {
                self.redundant += 1;
                let brings = Some(Brings { newest: seq, older: 0 });
                self.enqueue(now, Priority::Retransmission, Outgoing { packet, carried: None, brings });
            }
        }
    }

    /// Follows the network: what the path carries, and what it loses.
    pub(super) fn adapt(&mut self, now: Instant, conditions: &Conditions, pacing: Bitrate) {
        self.repair.set_path(conditions.path);
        self.rate = conditions.rate;
        self.pacer.set_rate(now, pacing);
        self.unknown &= !Protection::is_known(conditions);
        if self.unknown {
            return;
        }
        let patient = self.patient_until.is_some_and(|until| now < until);
        let protection = Protection::choose(conditions, self.config.limits, patient);
        if Protection::choose(conditions, self.config.limits, false).repair.is_some() {
            self.patient_until = Some(now + PATIENCE);
        }
        self.protect(protection);
    }

    /// Takes what became of packets, for repair, and for the account of it.
    pub(super) fn on_feedback(&mut self, now: Instant, results: &[PacketResult]) {
        for result in results.iter().filter(|result| result.received.is_some()) {
            let Ok(at) = self.bringing.binary_search_by_key(&result.packet.id, |(id, _)| *id) else { continue };
            let (_, Brings { newest, older }) = self.bringing[at];
            (0..=older).for_each(|back| self.repair.on_covered(now, newest - back));
        }
        self.repair.on_feedback(now, results);
        let stats = self.repair.stats();
        let total = Outcome { media: stats.delivered + stats.missed, repair: self.redundant, missed: stats.missed };
        let before = self.accounted;
        if total.media > before.media {
            let new = Outcome {
                media: total.media - before.media,
                repair: total.repair - before.repair,
                missed: total.missed - before.missed,
            };
            self.account.add(self.protection.expected_residual, self.protection.expected_overhead, new);
            self.accounted = total;
        }
    }

    /// A packet left under this transport-wide number.
    pub(super) fn on_sent(&mut self, now: Instant, id: u64, carried: Option<Carried>, brings: Option<Brings>) {
        if let Some(carried) = carried {
            self.repair.on_sent(now, id, carried);
        }
        if let Some(brings) = brings {
            if self.bringing.len() == MAX_BRINGING {
                self.bringing.pop_front();
            }
            self.bringing.push_back((id, brings));
        }
    }

    /// Whether a limit leaves all there is to deep redundancy, sent as often as it lets.
    pub(super) fn is_deep(&self) -> bool {
        self.config.limits.without_feedback() && self.protection.times > 1.0
    }

    /// What is done about the loss.
    pub(super) fn protection(&self) -> Protection {
        self.protection
    }

    pub(super) fn set_rtt(&mut self, rtt: Duration) {
        self.rtt = rtt;
        self.apply_rtt();
    }

    /// The next packet to put on the wire, its transport-wide number still to be filled in.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Outgoing> {
        self.repair(now);
        self.pacer.poll(now)
    }

    /// Sends again what is worth it.
    fn repair(&mut self, now: Instant) {
        self.now = now;
        if self.protection.repair.is_none() {
            return;
        }
        // What waits for the rate is chosen too early, and comes too late.
        while self.pacer.is_empty()
            && let Some(carried) = self.repair.poll(now)
        {
            let packet = match carried {
                Carried::Media(seq) | Carried::Copy(seq) => match self.history.retransmit(now, seq) {
                    Retransmit::Packet(packet) => Some(packet),
                    _ => None,
                },
                Carried::Coded { .. } => self.rlc.repair_over(self.repair.unknown(carried)),
            };
            if let Some(packet) = packet {
                self.redundant += 1;
                self.enqueue(now, Priority::Retransmission, Outgoing { packet, carried: Some(carried), brings: None });
            }
        }
    }

    /// What is sent again on purpose may be within a round trip; answers to requests that crossed are not.
    fn apply_rtt(&mut self) {
        let on_purpose = self.protection.repair.is_some() || self.protection.times > 1.0;
        self.history.set_rtt(if on_purpose { Duration::ZERO } else { self.rtt });
    }

    pub(super) fn poll_spoken(&mut self) -> Option<Spoken> {
        self.spoken.pop_front()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let repair = self.protection.repair.and_then(|_| self.repair.poll_timeout(self.now));
        earliest([self.pacer.poll_timeout(), repair, self.trailing.map(|[next, _]| next)])
    }

    fn protect(&mut self, protection: Protection) {
        self.protection = protection;
        self.repair.set_budget(protection.repair);
        self.apply_rtt();
        let lbrr = if self.config.inband_fec { Redundancy::Lbrr } else { Redundancy::None };
        let redundancy = protection.dred.map_or(lbrr, |span| Redundancy::Dred { span });
        if self.encoder.redundancy() != redundancy {
            self.encoder.set_redundancy(redundancy);
        }
        self.encoder.set_bitrate(protection.voice);
        self.encoder.set_expected_loss(protection.expected_loss);
        self.red.set_copies(protection.red_copies);
        if let Some(group) = protection.ulpfec_group {
            // A group of 1 to 48 packets is always possible, and ours is.
            self.ulpfec.set_protection(ulpfec::Protection::even(group, 1).unwrap_or(ulpfec::Protection::NONE));
        }
    }

    fn send_frame(&mut self, now: Instant, trails: bool) {
        let (seq, timestamp) = (self.next_seq, self.next_timestamp);
        let samples = u32::try_from(self.frame_len).unwrap_or(0);
        self.next_timestamp = timestamp + samples;
        // Retransmission may use a part of the rate, saved up over a second at most.
        let share = self.rate * RESEND_SHARE;
        let saved = self.resendable + share.size_in(RATE.duration_of(u64::from(samples)));
        self.resendable = saved.min(share.size_in(Duration::from_secs(1)));
        let Ok(encoded) = self.encoder.encode(self.frame.as_ref().slice(0, self.frame_len), &mut self.payload) else {
            self.dropped += 1;
            return;
        };
        if encoded.silent {
            self.silent = true;
            return;
        }
        // The number is zero until the packet leaves, so that repair covers the same bytes at both ends.
        let packet = RtpPacket::builder(OPUS, seq, timestamp, self.streams.voice)
            .marker(self.silent)
            .extensions(&[(TRANSPORT_SEQUENCE, &[0; 2])])
            .build_in(&mut self.pool, &self.payload[..encoded.len]);
        let Ok(packet) = packet else {
            self.dropped += 1;
            return;
        };
        self.silent = false;
        self.next_seq = seq.next();
        if trails {
            let packet = if self.protection.red_copies > 0 { self.red.encode(&packet) } else { packet };
            self.redundant += 1;
            self.enqueue(now, Priority::Audio, Outgoing { packet, carried: None, brings: None });
            return;
        }
        self.frames += 1;
        if self.spoken.len() == MAX_SPOKEN {
            self.spoken.pop_front();
        }
        self.spoken.push_back(Spoken { timestamp, samples });
        self.voice_size += DataSize::of(packet.as_ref());

        let packet = if self.protection.red_copies > 0 { self.red.encode(&packet) } else { packet };
        let older = copies_in(&packet);
        self.redundant += u64::from(older);
        if self.protection.ulpfec_group.is_some() {
            self.ulpfec.protect(&packet);
        }
        self.history.insert(now, &packet);
        // Also while it does nothing, so that it knows what is on its way when it begins.
        self.rlc.protect(&packet);
        self.repair.on_media(now, seq, now + PATIENT);
        self.note_redundancy(seq, encoded.len);
        let brings = (older > 0).then_some(Brings { newest: seq, older });
        if self.protection.times > 1.0 {
            self.again = Some(seq);
            self.due_again += self.times(&packet) - 1.0;
        }
        self.enqueue(now, Priority::Audio, Outgoing { packet, carried: Some(Carried::Media(seq)), brings });
        while let Some(packet) = self.ulpfec.poll_repair() {
            self.redundant += 1;
            self.enqueue(now, Priority::Repair, Outgoing { packet, carried: None, brings: None });
        }
    }

    /// How often this packet may be sent, on average: the encoder does not keep to its rate for each, and a limit does.
    fn times(&self, packet: &RtpPacket) -> f64 {
        if self.config.limits.all.is_none() {
            return self.protection.times;
        }
        let size = packet.as_bytes().len() + UDP_IP + RTX_HEADER + self.config.limits.encryption;
        let packets = self.rate.as_bps_f64() / (8.0 * size as f64) * self.protection.packet_time.as_secs_f64();
        packets.min(MOST_TIMES)
    }

    /// Tells the repair which packets before this one deep redundancy covers: speech, but no pauses.
    fn note_redundancy(&mut self, seq: SeqNum, len: usize) {
        if self.protection.dred.is_none() || self.protection.repair.is_none() {
            return;
        }
        let known = self.reader.dred_in(&self.payload[..len]);
        for back in 1_u16.. {
            let far = usize::from(back) * self.frame_len;
            if far > known.end {
                break;
            }
            if far - self.frame_len >= known.start {
                self.repair.on_redundant(seq - back);
            }
        }
    }

    fn enqueue(&mut self, now: Instant, priority: Priority, outgoing: Outgoing) {
        let size = DataSize::of(outgoing.packet.as_ref()) + DataSize::from_bytes(self.config.limits.encryption as u64);
        if self.pacer.enqueue(now, priority, size, outgoing) == Enqueued::Overflow {
            self.dropped += 1;
        }
    }
}

/// How many packets before it a packet has copies of.
fn copies_in(packet: &RtpPacket) -> u16 {
    let blocks = (packet.payload_type() == RED).then(|| red::blocks(packet.payload()).ok()).flatten();
    let copies = blocks.into_iter().flatten().filter(|block| !block.primary).count();
    u16::try_from(copies).unwrap_or(u16::MAX)
}

fn samples_in(time: Duration) -> usize {
    usize::try_from(RATE.ticks_in(time)).map_or(MAX_FRAME, |samples| samples.clamp(1, MAX_FRAME))
}
