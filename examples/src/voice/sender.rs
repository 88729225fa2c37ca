use core::time::Duration;
use std::collections::VecDeque;

use bytes::BytesMut;
use rtc_core::audio::{AudioBuffer, AudioRef};
use rtc_core::codec::AudioEncoder;
use rtc_core::fec::FecEncoder;
use rtc_core::opus::OpusEncoder;
use rtc_core::pacing::{Enqueued, Pacer, Priority};
use rtc_core::testkit::rng::Rng;
use rtc_core::time::Instant;
use rtc_core::{Bitrate, ConfigError, DataSize, RtpPacket, RtpTime, SeqNum};
use rtc_fec::red::{RedEncoder, RedEncoderConfig};
use rtc_fec::rtx::{Retransmit, RtxHistory, RtxHistoryConfig};
use rtc_fec::ulpfec::{self, UlpfecEncoder, UlpfecEncoderConfig};
use rtc_transport::pacer::{LeakyBucketPacer, PacerConfig};

use crate::wav::RATE;

use super::protection::{ASSUMED_LOSS, Conditions, Protection};
use super::{OPUS, RED, RTX, Spoken, Streams, TRANSPORT_SEQUENCE, ULPFEC, VoiceConfig};

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

/// From microphone to pacer.
#[derive(Debug)]
pub(super) struct Sender {
    config: VoiceConfig,
    streams: Streams,
    encoder: OpusEncoder,
    /// The frame being filled, of which the first `frame_len` samples will be sent.
    frame: AudioBuffer,
    frame_len: usize,
    filled: usize,
    payload: Box<[u8]>,
    pool: BytesMut,
    next_seq: SeqNum,
    next_timestamp: RtpTime,
    /// Whether the packet before was left out, so that the next begins a talkspurt (RFC 3551 §4.1).
    silent: bool,
    protection: Protection,
    red: RedEncoder,
    ulpfec: UlpfecEncoder,
    history: RtxHistory,
    pacer: LeakyBucketPacer<RtpPacket>,
    rate: Bitrate,
    /// What retransmission may still use.
    resendable: DataSize,
    spoken: VecDeque<Spoken>,
    pub(super) first_timestamp: RtpTime,
    pub(super) frames: u64,
    pub(super) voice_size: DataSize,
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
        let protection = Protection::choose(Conditions { loss: ASSUMED_LOSS, rate: START_RATE }, config.limits);
        let mut sender = Self {
            config,
            streams,
            encoder: OpusEncoder::new(&config.opus())?,
            frame: AudioBuffer::new(config.channels, MAX_FRAME, RATE)?,
            frame_len: samples_in(protection.packet_time),
            filled: 0,
            payload: vec![0; MAX_PAYLOAD].into_boxed_slice(),
            pool: BytesMut::new(),
            next_seq: SeqNum(u16::from_be_bytes([s0, s1])),
            next_timestamp: first_timestamp,
            silent: true,
            protection,
            red: RedEncoder::new(red)?,
            ulpfec: UlpfecEncoder::new(ulpfec)?,
            history: RtxHistory::new(rtx)?,
            pacer: LeakyBucketPacer::new(PacerConfig::default())?,
            rate: START_RATE,
            resendable: DataSize::ZERO,
            spoken: VecDeque::with_capacity(MAX_SPOKEN),
            first_timestamp,
            frames: 0,
            voice_size: DataSize::ZERO,
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
            if self.filled == self.frame_len {
                self.send_frame(now);
                self.filled = 0;
                self.frame_len = samples_in(self.protection.packet_time);
            }
        }
    }

    /// Sends again what the peer asks for.
    pub(super) fn retransmit(&mut self, now: Instant, lost: impl Iterator<Item = SeqNum>) {
        for seq in lost {
            // What is lost because the path is full is not sent again on top.
            if self.resendable == DataSize::ZERO {
                return;
            }
            if let Retransmit::Packet(packet) = self.history.retransmit(now, seq) {
                self.resendable = self.resendable - DataSize::of(packet.as_ref());
                self.enqueue(now, Priority::Retransmission, packet);
            }
        }
    }

    /// Follows the network: what the path carries, and what it loses.
    pub(super) fn adapt(&mut self, now: Instant, rate: Bitrate, pacing: Bitrate, loss: f64) {
        self.protect(Protection::choose(Conditions { loss, rate }, self.config.limits));
        self.rate = rate;
        self.pacer.set_rate(now, pacing);
    }

    pub(super) fn set_rtt(&mut self, rtt: Duration) {
        self.history.set_rtt(rtt);
    }

    /// The next packet to put on the wire, its transport-wide number still to be filled in.
    pub(super) fn poll(&mut self, now: Instant) -> Option<RtpPacket> {
        self.pacer.poll(now)
    }

    pub(super) fn poll_spoken(&mut self) -> Option<Spoken> {
        self.spoken.pop_front()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.pacer.poll_timeout()
    }

    fn protect(&mut self, protection: Protection) {
        self.protection = protection;
        self.encoder.set_bitrate(protection.voice);
        self.encoder.set_expected_loss(protection.expected_loss);
        self.red.set_copies(protection.red_copies);
        if let Some(group) = protection.ulpfec_group {
            // A group of 1 to 48 packets is always possible, and ours is.
            self.ulpfec.set_protection(ulpfec::Protection::even(group, 1).unwrap_or(ulpfec::Protection::NONE));
        }
    }

    fn send_frame(&mut self, now: Instant) {
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
        self.frames += 1;
        if self.spoken.len() == MAX_SPOKEN {
            self.spoken.pop_front();
        }
        self.spoken.push_back(Spoken { timestamp, samples });
        self.voice_size += DataSize::of(packet.as_ref());

        let packet = if self.protection.red_copies > 0 { self.red.encode(&packet) } else { packet };
        if self.protection.ulpfec_group.is_some() {
            self.ulpfec.protect(&packet);
        }
        self.history.insert(now, &packet);
        self.enqueue(now, Priority::Audio, packet);
        while let Some(repair) = self.ulpfec.poll_repair() {
            self.enqueue(now, Priority::Repair, repair);
        }
    }

    fn enqueue(&mut self, now: Instant, priority: Priority, packet: RtpPacket) {
        let size = DataSize::of(packet.as_ref());
        if self.pacer.enqueue(now, priority, size, packet) == Enqueued::Overflow {
            self.dropped += 1;
        }
    }
}

fn samples_in(time: Duration) -> usize {
    usize::try_from(RATE.ticks_in(time)).map_or(MAX_FRAME, |samples| samples.clamp(1, MAX_FRAME))
}
