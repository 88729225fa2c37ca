//! libspeexdsp.

use peer_speex::{Got, JitterBuffer, VERSION};
use rtc_core::time::Instant;
use rtc_core::{RtpPacket, RtpTime};

use crate::subject::{Heard, MakePlayer, Player, Subject};

/// Samples of a packet.
const PACKET: usize = 320;

pub(super) fn players() -> Vec<Subject<MakePlayer>> {
    let make: MakePlayer = Box::new(|| Box::<SpeexPlayer>::default());
    vec![Subject::foreign("speexdsp jitter buffer", VERSION, make)]
}

/// Plays silence where the buffer asks for concealment: it has none of its own.
struct SpeexPlayer {
    buffer: JitterBuffer,
    /// Where play-out is, from the first packet on.
    position: Option<RtpTime>,
    /// The packet in play, and how much of it was played.
    samples: Vec<f32>,
    played: usize,
    /// What is left to be made up.
    missing: usize,
}

impl Default for SpeexPlayer {
    fn default() -> Self {
        let buffer = JitterBuffer::new(320);
        Self { buffer, position: None, samples: Vec::with_capacity(PACKET), played: 0, missing: 0 }
    }
}

impl SpeexPlayer {
    fn refill(&mut self) {
        match self.buffer.get() {
            Got::Packet { timestamp, data } => {
                self.position = Some(RtpTime(timestamp));
                let samples = data.as_chunks::<2>().0.iter().map(|pair| i16::from_be_bytes(*pair));
                self.samples.clear();
                self.samples.extend(samples.map(|sample| f32::from(sample) / 32_768.0));
                self.played = 0;
            }
            Got::Missing { timestamp } => {
                self.position = Some(RtpTime(timestamp));
                self.missing = PACKET;
            }
            Got::Insertion { span } => self.missing = usize::try_from(span).unwrap_or(PACKET),
        }
    }
}

impl Player for SpeexPlayer {
    fn insert(&mut self, _: Instant, packet: &RtpPacket) {
        self.position.get_or_insert_with(|| packet.timestamp());
        self.buffer.put(packet.seq().0, packet.timestamp().0, packet.payload());
    }

    fn pull(&mut self, _: Instant, out: &mut [f32]) -> Heard {
        out.fill(0.0);
        if self.position.is_none() {
            return Heard::default();
        }
        if self.missing == 0 && self.played == self.samples.len() {
            self.refill();
        }
        let heard = Heard { position: self.position, concealed: self.missing.min(out.len()) };
        self.missing -= heard.concealed;
        if heard.concealed == 0 {
            let left = &self.samples[self.played..];
            let now = left.len().min(out.len());
            out[..now].copy_from_slice(&left[..now]);
            self.played += now;
        }
        self.position = self.position.map(|at| RtpTime(at.0.wrapping_add(u32::try_from(out.len()).unwrap_or(0))));
        heard
    }
}
