//! `rtc-interceptor`: its GCC, its jitter buffer, and its FlexFEC (draft-03) as a block code and against ours.

use std::collections::VecDeque;

use bytes::Bytes;
use rtc_core::bwe::{BandwidthEstimator, Estimate, PacketResult, SentPacket};
use rtc_core::fec::{FecDecoder as _, FecEncoder as _};
use rtc_core::testkit::rng::Rng;
use rtc_core::time::Instant;
use rtc_core::{Bitrate, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_fec::flexfec::{
    FlexfecDecoder, FlexfecDecoderConfig, FlexfecEncoder, FlexfecEncoderConfig, FlexfecProtection, FlexfecVariant,
};
use rtc_interceptor::{
    AttributedPacket, BandwidthEstimator as _, BoxedInterceptor, Interceptor as _, Packet, StreamInfo, TaggedPacket,
};
use rtc_shared::marshal::{Marshal as _, Unmarshal as _};

use crate::interop::{Crossed, Crossing};
use crate::subject::{
    BlockCode, Heard, Limits, MakeBlockCode, MakeEstimator, MakePlayer, PLAYER_RATE, Player, Subject,
};

pub(super) const VERSION: &str = "0.21";
/// The SSRC of the FlexFEC stream, and its payload type.
const REPAIR: (u32, u8) = (0x0f0f_0f0f, 49);

pub(super) fn estimator() -> Subject<MakeEstimator> {
    Subject::peer("rtc-interceptor Gcc", VERSION, Box::new(|limits| Box::new(Gcc::new(limits))))
}

pub(super) fn player() -> Subject<MakePlayer> {
    Subject::peer("rtc-interceptor jitter buffer", VERSION, Box::new(|| Box::new(Buffered::new())))
}

pub(super) fn block_code() -> Subject<MakeBlockCode> {
    let make: MakeBlockCode = Box::new(|media, repair| {
        (media <= 110 && repair <= 110).then(|| Box::new(FlexFec::default()) as Box<dyn BlockCode>)
    });
    Subject::peer("rtc-interceptor FlexFEC", VERSION, make)
}

/// It is told the time as the operating system's; this is the zero it is counted from.
struct Gcc {
    gcc: rtc_interceptor::Gcc,
    epoch: std::time::Instant,
    reports: Vec<rtc_interceptor::PacketReport>,
}

impl Gcc {
    #[expect(clippy::disallowed_methods, reason = "only differences to it are used")]
    fn new(limits: Limits) -> Self {
        let [start, min, max] = [limits.start, limits.min, limits.max].map(Bitrate::as_bps_f64);
        Self { gcc: rtc_interceptor::Gcc::new(start, min, max), epoch: std::time::Instant::now(), reports: Vec::new() }
    }

    fn at(&self, now: Instant) -> std::time::Instant {
        now.to_std(self.epoch).unwrap_or(self.epoch)
    }
}

impl BandwidthEstimator for Gcc {
    fn on_sent(&mut self, _: SentPacket) {}

    #[expect(clippy::cast_possible_truncation, reason = "numbers of packets wrap on the wire")]
    fn on_feedback(&mut self, now: Instant, results: &[PacketResult]) {
        self.reports.clear();
        for result in results {
            self.reports.push(rtc_interceptor::PacketReport {
                ssrc: 1,
                id: result.packet.id,
                rtp_sequence_number: result.packet.id as u16,
                is_twcc: true,
                twcc_sequence_number: result.packet.id as u16,
                size: result.packet.size.as_bytes() as usize,
                arrived: result.received.is_some(),
                departure: self.at(result.packet.sent),
                arrival: result.received.map(|at| at - Instant::ZERO),
                ecn: Default::default(),
            });
        }
        let now = self.at(now);
        self.gcc.on_reports(now, &self.reports);
    }

    /// Its pacer sends at 1.5 times the target, as the harness does for it.
    fn estimate(&self) -> Estimate {
        let target = Bitrate::from_bps_f64(self.gcc.target_bitrate());
        Estimate::new(target).with_pacing(target * 1.5)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.gcc.poll_timeout().map(|at| Instant::from_std(at, self.epoch))
    }

    fn handle_timeout(&mut self, now: Instant) {
        let now = self.at(now);
        self.gcc.handle_timeout(now);
    }
}

/// The stream all players are given.
const STREAM: Ssrc = Ssrc(7);

/// Plays packets as its buffer gives them out, 120 ms after they could have come, and silence where it gives none: it orders
/// packets, and leaves play-out to others.
struct Buffered {
    buffer: BoxedInterceptor,
    epoch: std::time::Instant,
    /// Samples given out and not yet played, and where the first of them belongs.
    samples: VecDeque<f32>,
    position: Option<RtpTime>,
}

impl Buffered {
    #[expect(clippy::disallowed_methods, reason = "only differences to it are used")]
    fn new() -> Self {
        let mut buffer: BoxedInterceptor = Box::new(rtc_interceptor::JitterBufferBuilder::new().build());
        let stream = StreamInfo { ssrc: STREAM.0, clock_rate: PLAYER_RATE.as_hz(), ..Default::default() };
        buffer.bind_remote_stream(&stream);
        Self { buffer, epoch: std::time::Instant::now(), samples: VecDeque::new(), position: None }
    }
}

impl Player for Buffered {
    fn insert(&mut self, now: Instant, packet: &RtpPacket) {
        let (Some(rtp), Some(now)) = (theirs(packet), now.to_std(self.epoch)) else { return };
        let message = AttributedPacket::new(Packet::Rtp(rtp));
        // It has no error to give.
        let _ = self.buffer.handle_read(TaggedPacket { now, transport: Default::default(), message });
    }

    fn pull(&mut self, now: Instant, out: &mut [f32]) -> Heard {
        if let Some(now) = now.to_std(self.epoch) {
            let _ = self.buffer.handle_timeout(now);
        }
        while let Some(TaggedPacket { message, .. }) = self.buffer.poll_read() {
            let Packet::Rtp(packet) = message.packet else { continue };
            if self.samples.is_empty() {
                self.position = Some(RtpTime(packet.header.timestamp));
            }
            let samples = packet.payload.as_chunks::<2>().0.iter().map(|pair| i16::from_be_bytes(*pair));
            self.samples.extend(samples.map(|sample| f32::from(sample) / 32_768.0));
        }
        let Some(position) = self.position else {
            out.fill(0.0);
            return Heard::default();
        };
        let concealed = out.len().saturating_sub(self.samples.len());
        out.fill_with(|| self.samples.pop_front().unwrap_or(0.0));
        self.position = Some(position + u32::try_from(out.len()).unwrap_or(0));
        Heard { position: Some(position), concealed }
    }
}

#[derive(Default)]
struct FlexFec {
    repair: Vec<rtc_rtp::packet::Packet>,
}

impl BlockCode for FlexFec {
    fn encode(&mut self, source: &[RtpPacket], repair: usize) {
        let media: Vec<_> = source.iter().filter_map(theirs).collect();
        let mut encoder = rtc_interceptor::FlexFec03Encoder::new(REPAIR.1, REPAIR.0);
        self.repair = encoder.encode(&media, u32::try_from(repair).unwrap_or(0));
    }

    fn decode(&mut self, source: &[RtpPacket], kept: &[bool], repair_kept: usize) -> usize {
        let Some(media) = source.first().map(|packet| packet.ssrc().0) else { return 0 };
        let mut decoder = rtc_interceptor::FlexFec03Decoder::new(REPAIR.0, media);
        let mut recovered = 0;
        let received = source.iter().zip(kept).filter(|(_, kept)| **kept).filter_map(|(packet, _)| theirs(packet));
        for packet in received.chain(self.repair.iter().take(repair_kept).cloned()) {
            for packet in decoder.decode(packet) {
                let is = |original: &&RtpPacket| original.seq().0 == packet.header.sequence_number;
                recovered += usize::from(source.iter().find(is).is_some_and(|found| found.payload() == packet.payload));
            }
        }
        recovered
    }
}

pub(super) fn theirs(packet: &RtpPacket) -> Option<rtc_rtp::packet::Packet> {
    let mut bytes: Bytes = packet.as_bytes().clone();
    rtc_rtp::packet::Packet::unmarshal(&mut bytes).ok()
}

/// Ours with theirs, both ways.
pub(super) static CROSSINGS: [Crossing; 3] = [
    Crossing {
        name: "FlexFEC-03: ours encodes, rtc-interceptor decodes",
        run: || to_peer(FlexfecProtection::even(10, 5)),
    },
    Crossing {
        name: "FlexFEC-03, 2-D: ours encodes, rtc-interceptor decodes",
        run: || to_peer(FlexfecProtection::grid(6, 8)),
    },
    Crossing { name: "FlexFEC-03: rtc-interceptor encodes, ours decodes", run: from_peer },
];
/// Packets of media protected together by their encoder: more than the second mask has, and less than their decoder keeps.
const GROUP: usize = 90;
/// Of media packets, each this many is lost, the third first.
const LOSS: usize = 12;
/// So many that no two lost packets of a group are in one repair packet, which has every so many packets.
const GROUP_REPAIRS: u32 = 17;
const MEDIA_SSRC: Ssrc = Ssrc(1);

fn to_peer(protection: Result<FlexfecProtection, rtc_core::ConfigError>) -> Result<Crossed, String> {
    let mut config = FlexfecEncoderConfig::default();
    (config.variant, config.ssrc, config.payload_type) =
        (FlexfecVariant::Draft03, Ssrc(REPAIR.0), PayloadType::new(REPAIR.1));
    config.protection = protection.map_err(text)?;
    let mut encoder = FlexfecEncoder::new(config).map_err(text)?;
    let mut decoder = rtc_interceptor::FlexFec03Decoder::new(REPAIR.0, MEDIA_SSRC.0);
    let (sent, mut lost, mut received) = (video(), Vec::new(), Vec::new());
    for (at, packet) in sent.iter().enumerate() {
        encoder.protect(packet);
        let arrived = if at % LOSS == 2 {
            lost.push(packet.clone());
            None
        } else {
            received.push(packet.clone());
            theirs(packet)
        };
        let repairs = core::iter::from_fn(|| encoder.poll_repair()).filter_map(|repair| theirs(&repair));
        for packet in arrived.into_iter().chain(repairs.collect::<Vec<_>>()) {
            for recovered in decoder.decode(packet) {
                received.push(ours(&recovered)?);
            }
        }
    }
    Ok(Crossed::between(&sent, &lost, &received))
}

fn from_peer() -> Result<Crossed, String> {
    let mut encoder = rtc_interceptor::FlexFec03Encoder::new(REPAIR.1, REPAIR.0);
    let mut config = FlexfecDecoderConfig::default();
    (config.variant, config.payload_type) = (FlexfecVariant::Draft03, PayloadType::new(REPAIR.1));
    let mut decoder = FlexfecDecoder::new(config).map_err(text)?;
    let (sent, mut lost, mut received) = (video(), Vec::new(), Vec::new());
    for group in sent.chunks(GROUP) {
        for (at, packet) in group.iter().enumerate() {
            if at % LOSS == 2 {
                lost.push(packet.clone());
            } else {
                decoder.insert_source(packet);
                received.push(packet.clone());
            }
        }
        let media: Vec<_> = group.iter().filter_map(theirs).collect();
        for repair in encoder.encode(&media, GROUP_REPAIRS) {
            decoder.insert_repair(&ours(&repair)?).map_err(text)?;
        }
        received.extend(core::iter::from_fn(|| decoder.poll_recovered()));
    }
    Ok(Crossed::between(&sent, &lost, &received))
}

/// Packets of a picture each, of all lengths, some with all a header can have; numbers and timestamps wrap.
fn video() -> Vec<RtpPacket> {
    let (mut rng, mut payload) = (Rng::new(2), vec![0; 1_200]);
    let mut packet = |at: u16| {
        let payload = &mut payload[..usize::try_from(1 + rng.below(1_200)).unwrap_or(1)];
        rng.fill(payload);
        let time = RtpTime(0u32.wrapping_sub(500_000)) + u32::from(at / 5) * 3_000;
        let packet = RtpPacket::builder(PayloadType::new(96), SeqNum(65_000) + at, time, MEDIA_SSRC);
        let packet = packet.marker(at % 5 == 4).csrcs(&[Ssrc(7), Ssrc(8)][..usize::from(at % 3)]);
        let extensions: [(u8, &[u8]); 1] = [(3, &[1, 2])];
        packet.extensions(if at.is_multiple_of(2) { &extensions } else { &[] }).build(payload)
    };
    (0..1_200).filter_map(|at| packet(at).ok()).collect()
}

pub(super) fn ours(packet: &rtc_rtp::packet::Packet) -> Result<RtpPacket, String> {
    let bytes = packet.marshal().map_err(text)?;
    RtpPacket::parse(bytes.freeze()).map_err(text)
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn text(error: impl ToString) -> String {
    error.to_string()
}
