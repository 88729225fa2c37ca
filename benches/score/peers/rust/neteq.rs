//! The crate `neteq`: what it made of libwebrtc's. It reads the system's clock by itself, so it is shown virtual time.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::Arc;

use neteq::codec::AudioDecoder;
use neteq::neteq::SpeechType;
use neteq::{AudioPacket, NetEq, NetEqConfig, RtpHeader};
use rtc_core::time::Instant;
use rtc_core::{RtpPacket, RtpTime};

use super::clock;
use crate::subject::{Heard, MakePlayer, PAYLOAD_TYPE, PLAYER_RATE, Player, Subject};

pub(super) fn player() -> Subject<MakePlayer> {
    Subject::peer("neteq", "0.9", Box::new(|| Box::new(Played::new())))
}

struct Played {
    neteq: NetEq,
    decoded: Arc<AtomicU64>,
    /// Where what is played belongs: at a packet's start when it is decoded, and on from there.
    position: Option<RtpTime>,
}

impl Played {
    fn new() -> Self {
        let config = NetEqConfig { sample_rate: PLAYER_RATE.as_hz(), channels: 1, ..NetEqConfig::default() };
        let neteq = clock::at(Instant::ZERO, || NetEq::new(config));
        let mut neteq = neteq.expect("16 kHz mono is its default");
        let decoded = Arc::new(AtomicU64::new(NOTHING));
        neteq.register_decoder(PAYLOAD_TYPE, Box::new(Pcm(Arc::clone(&decoded))));
        Self { neteq, decoded, position: None }
    }
}

impl Player for Played {
    fn insert(&mut self, now: Instant, packet: &RtpPacket) {
        let (time, pcm) = (packet.timestamp().0, packet.payload());
        let header = RtpHeader::new(packet.seq().0, time, packet.ssrc().0, PAYLOAD_TYPE, false);
        let payload = [&time.to_be_bytes()[..], pcm].concat();
        let duration = u32::try_from(pcm.len() / 2).unwrap_or(0) * 1_000 / PLAYER_RATE.as_hz();
        clock::at(now, || {
            let packet = AudioPacket::new(header, payload, PLAYER_RATE.as_hz(), 1, duration);
            // What it refuses it does not play.
            let _ = self.neteq.insert_packet(packet);
        });
    }

    fn pull(&mut self, now: Instant, out: &mut [f32]) -> Heard {
        out.fill(0.0);
        let Ok(frame) = clock::at(now, || self.neteq.get_audio()) else { return Heard::default() };
        for (to, from) in out.iter_mut().zip(&frame.samples) {
            *to = *from;
        }
        if let Ok(time) = u32::try_from(self.decoded.swap(NOTHING, Relaxed)) {
            self.position = Some(RtpTime(time));
        }
        let (position, length) = (self.position, u32::try_from(out.len()).unwrap_or(0));
        let is_made_up = frame.speech_type == SpeechType::Expand;
        self.position = position.map(|position| if is_made_up { position } else { position + length });
        Heard { position, concealed: if is_made_up && position.is_some() { out.len() } else { 0 } }
    }
}

/// No timestamp.
const NOTHING: u64 = u64::MAX;

/// L16 behind its timestamp, which it notes: the crate does not say where a frame of sound belongs.
struct Pcm(Arc<AtomicU64>);

impl AudioDecoder for Pcm {
    fn sample_rate(&self) -> u32 {
        PLAYER_RATE.as_hz()
    }

    fn channels(&self) -> u8 {
        1
    }

    fn decode(&mut self, encoded: &[u8]) -> neteq::Result<Vec<f32>> {
        let Some((time, pcm)) = encoded.split_first_chunk() else { return Ok(Vec::new()) };
        self.0.store(u64::from(u32::from_be_bytes(*time)), Relaxed);
        Ok(pcm.as_chunks::<2>().0.iter().map(|pair| f32::from(i16::from_be_bytes(*pair)) / 32_768.0).collect())
    }
}
