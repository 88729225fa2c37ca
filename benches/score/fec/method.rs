//! What is done about loss, as a sender and a receiver.

use core::time::Duration;

use rtc_core::fec::{FecDecoder, FecEncoder};
use rtc_core::time::Instant;
use rtc_core::{ConfigError, PayloadType, RtpPacket, SeqNum};
use rtc_fec::flexfec::{FlexfecDecoder, FlexfecDecoderConfig, FlexfecEncoder, FlexfecEncoderConfig, FlexfecProtection};
use rtc_fec::nack::{NackConfig, NackGenerator};
use rtc_fec::red::{RedDecoder, RedDecoderConfig, RedEncoder, RedEncoderConfig};
use rtc_fec::rtx::{
    Received, Retransmit, RtxHistory, RtxHistoryConfig, RtxPayloadType, RtxReceiver, RtxReceiverConfig,
};
use rtc_fec::ulpfec::{Pattern, Protection, UlpfecDecoder, UlpfecDecoderConfig, UlpfecEncoder, UlpfecEncoderConfig};

use super::scenarios::{DEADLINE_MS, Method};
pub(super) use crate::subject::Recovery;

pub(super) const MEDIA: PayloadType = PayloadType::new(96);
pub(super) const RETRANSMISSION: PayloadType = PayloadType::new(97);
/// Packets of media in a group.
const GROUP: usize = 10;

/// Ours.
pub(super) fn ours(method: Method, round_trip: Duration) -> Result<Box<dyn Recovery>, ConfigError> {
    Ok(match method {
        Method::Red(copies) => {
            let mut config = RedEncoderConfig::default();
            config.copies = copies;
            Box::new(Red(RedEncoder::new(config)?, RedDecoder::new(RedDecoderConfig::default())))
        }
        Method::Nack => Box::new(Nack::new(round_trip)?),
        Method::Ulpfec(rate, pattern) => {
            let (encoder, decoder) = ulpfec(rate, pattern)?;
            Box::new(Fec(Box::new(encoder), Box::new(decoder)))
        }
        Method::Flexfec(columns, rows) => {
            let mut config = FlexfecEncoderConfig::default();
            config.protection = FlexfecProtection::grid(columns, rows)?;
            let (encoder, decoder) =
                (FlexfecEncoder::new(config)?, FlexfecDecoder::new(FlexfecDecoderConfig::default())?);
            Box::new(Fec(Box::new(encoder), Box::new(decoder)))
        }
    })
}

fn ulpfec(rate: f64, pattern: Pattern) -> Result<(UlpfecEncoder, UlpfecDecoder), ConfigError> {
    let mut config = UlpfecEncoderConfig::default();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few packets")]
    let repair = (rate * GROUP as f64).round() as usize;
    config.protection = Protection::even(GROUP, repair)?.with_pattern(pattern);
    Ok((UlpfecEncoder::new(config)?, UlpfecDecoder::new(UlpfecDecoderConfig::default())?))
}

struct Red(RedEncoder, RedDecoder);

impl Recovery for Red {
    fn send(&mut self, _: Instant, packet: &RtpPacket, out: &mut Vec<RtpPacket>) {
        out.push(self.0.encode(packet));
    }

    fn receive(&mut self, _: Instant, packet: &RtpPacket, here: &mut Vec<SeqNum>) {
        if self.1.insert(packet).is_ok() {
            here.extend(core::iter::from_fn(|| self.1.poll()).map(|packet| packet.seq()));
        }
    }
}

/// Repair packets; a peer's or ours.
pub(super) struct Fec(pub(super) Box<dyn FecEncoder>, pub(super) Box<dyn FecDecoder>);

impl Recovery for Fec {
    fn send(&mut self, _: Instant, packet: &RtpPacket, out: &mut Vec<RtpPacket>) {
        out.push(packet.clone());
        self.0.protect(packet);
        out.extend(core::iter::from_fn(|| self.0.poll_repair()));
    }

    fn receive(&mut self, _: Instant, packet: &RtpPacket, here: &mut Vec<SeqNum>) {
        if packet.payload_type() == MEDIA {
            self.1.insert_source(packet);
            here.push(packet.seq());
        } else if self.1.insert_repair(packet).is_err() {
            return;
        }
        here.extend(core::iter::from_fn(|| self.1.poll_recovered()).map(|packet| packet.seq()));
    }
}

struct Nack {
    history: RtxHistory,
    generator: NackGenerator,
    receiver: RtxReceiver,
}

impl Nack {
    fn new(round_trip: Duration) -> Result<Self, ConfigError> {
        let types = vec![RtxPayloadType { rtx: RETRANSMISSION, original: MEDIA }];
        let (mut history, mut receiver) = (RtxHistoryConfig::default(), RtxReceiverConfig::default());
        (history.payload_types, history.rtt) = (types.clone(), round_trip);
        receiver.payload_types = types;
        let mut generator = NackConfig::default();
        (generator.rtt, generator.deadline) = (round_trip, Duration::from_millis(DEADLINE_MS));
        Ok(Self {
            history: RtxHistory::new(history)?,
            generator: NackGenerator::new(generator)?,
            receiver: RtxReceiver::new(receiver)?,
        })
    }
}

impl Recovery for Nack {
    fn send(&mut self, now: Instant, packet: &RtpPacket, out: &mut Vec<RtpPacket>) {
        self.history.insert(now, packet);
        out.push(packet.clone());
    }

    fn receive(&mut self, now: Instant, packet: &RtpPacket, here: &mut Vec<SeqNum>) {
        if packet.payload_type() == MEDIA {
            self.generator.insert(now, packet.seq());
            here.push(packet.seq());
        } else if let Ok(Received::Original(original)) = self.receiver.receive(packet) {
            self.generator.on_recovered(now, original.seq());
            here.push(original.seq());
        }
    }

    fn requests(&mut self, now: Instant) -> Vec<SeqNum> {
        self.generator.poll(now).collect()
    }

    fn answer(&mut self, now: Instant, requests: &[SeqNum], out: &mut Vec<RtpPacket>) {
        for sequence in requests {
            if let Retransmit::Packet(packet) = self.history.retransmit(now, *sequence) {
                out.push(packet);
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.generator.poll_timeout()
    }
}
