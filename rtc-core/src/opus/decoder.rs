use ::opus::Decoder;

use crate::audio::AudioMut;
use crate::codec::{AudioDecoder, AudioFormat};
use crate::{ConfigError, Fault, Malformed};

use super::packet::{Mode, OpusPacket};
use super::{check, longest, refused, samples};

/// Opus decoder (RFC 6716 §4).
///
/// Gives any of the rates and channels of Opus, whatever the encoder was fed: what a packet lacks is made up, what is too
/// much is mixed or filtered out. Float output is not clipped and may leave -1.0..=1.0.
#[derive(Debug)]
pub struct OpusDecoder {
    codec: Decoder,
    format: AudioFormat,
    /// Mode of the last packet decoded: the library uses no LBRR right after CELT.
    last_mode: Option<Mode>,
    interleaved: Box<[f32]>,
}

impl OpusDecoder {
    /// A decoder that gives audio of this format.
    ///
    /// # Errors
    /// [`ConfigError`] unless the rate is 8, 12, 16, 24 or 48 kHz and the channels are 1 or 2.
    pub fn new(format: AudioFormat) -> Result<Self, ConfigError> {
        let codec = Decoder::new(format.rate.as_hz(), check(format)?).map_err(refused)?;
        let interleaved = vec![0.0; longest(format.rate) * format.channels].into();
        Ok(Self { codec, format, last_mode: None, interleaved })
    }

    fn gives(&self, out: &AudioMut<'_>) -> bool {
        (AudioFormat { rate: out.rate(), channels: out.channels() }) == self.format
    }

    /// Has the library write `samples` per channel, and copies as many of them as `out` takes.
    fn run(&mut self, payload: &[u8], fec: bool, samples: usize, out: &mut AudioMut<'_>) -> Result<usize, Malformed> {
        // The library counts in 32 bits.
        if i32::try_from(payload.len()).is_err() {
            return Err(Malformed::new("Opus", Fault::Length));
        }
        let room = &mut self.interleaved[..samples * self.format.channels];
        match self.codec.decode_float(payload, room, fec) {
            Ok(written) => Ok(out.read_interleaved(&room[..written * self.format.channels])),
            Err(_) => Err(Malformed::new("Opus", Fault::Inconsistent)),
        }
    }
}

impl AudioDecoder for OpusDecoder {
    fn format(&self) -> AudioFormat {
        self.format
    }

    /// Decodes a payload.
    ///
    /// # Errors
    /// [`Malformed`] if the payload breaks RFC 6716 §3.4 (a [`Fault::Length`] too if it holds more than `out` can take), or
    /// `out` is not of this decoder's format ([`Fault::Inconsistent`]).
    fn decode(&mut self, payload: &[u8], mut out: AudioMut<'_>) -> Result<usize, Malformed> {
        if !self.gives(&out) {
            return Err(Malformed::new("Opus", Fault::Inconsistent));
        }
        let packet = OpusPacket::parse(payload)?;
        let samples = packet.samples(self.format.rate);
        if samples > out.samples() {
            return Err(Malformed::new("Opus", Fault::Length));
        }
        self.last_mode = Some(packet.mode);
        self.run(payload, false, samples, &mut out)
    }

    /// Fills all of `out` in for audio that never came, fading out if that goes on.
    ///
    /// The library conceals in steps of 2.5 ms; of a last step that is not filled the rest is left out. Nothing is written if
    /// `out` is not of this decoder's format.
    fn conceal(&mut self, mut out: AudioMut<'_>) -> usize {
        if !self.gives(&out) {
            return 0;
        }
        let (step, longest) = (samples(self.format.rate, 1), longest(self.format.rate));
        let mut done = 0;
        while done < out.samples() {
            let mut rest = out.slice_mut(done, longest);
            let len = rest.samples();
            if self.run(&[], false, len.next_multiple_of(step), &mut rest).is_err() {
                rest.silence();
            }
            done += len;
        }
        done
    }

    /// Decodes the coarse copy of the frame before `payload`'s own first frame (LBRR, RFC 6716 §2.1.7).
    ///
    /// There is one exactly one frame back, so `None` for every `offset` but the frame's own length, for packets without, and
    /// where the library could not use it: right after a packet in CELT mode. A packet longer than 20 ms is a single frame in
    /// SILK mode and several of 20 ms in hybrid mode.
    fn decode_redundant(&mut self, payload: &[u8], offset: usize, mut out: AudioMut<'_>) -> Option<usize> {
        let packet = OpusPacket::parse(payload).ok()?;
        let samples = packet.frame_samples(self.format.rate);
        if !self.gives(&out) || !packet.has_lbrr() || offset != samples || self.last_mode == Some(Mode::Celt) {
            return None;
        }
        let written = self.run(payload, true, samples, &mut out).ok()?;
        self.last_mode = Some(packet.mode);
        Some(written)
    }

    fn samples_in(&self, payload: &[u8]) -> Option<usize> {
        OpusPacket::parse(payload).ok().map(|packet| packet.samples(self.format.rate))
    }
}
