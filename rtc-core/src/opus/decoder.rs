#[cfg(feature = "dred")]
use core::ops::Range;

use crate::audio::AudioMut;
use crate::codec::{AudioDecoder, AudioFormat};
use crate::{ConfigError, Fault, Malformed};

#[cfg(feature = "dred")]
use super::dred::DeepRedundancy;
use super::packet::{Mode, OpusPacket};
use super::{Decoder, check, longest, refused, samples};

/// Complexity of the decoder from which on it conceals with its networks.
#[cfg(feature = "dred")]
const DEEP_PLC: i32 = 5;

/// Opus decoder (RFC 6716 §4).
///
/// Gives any of the rates and channels of Opus, whatever the encoder was fed: what a packet lacks is made up, what is too
/// much is mixed or filtered out. Float output is not clipped and may leave -1.0..=1.0.
///
/// With feature `dred`, concealment is the work of the library's networks ("deep PLC"), which take about 3 % of a core while
/// something is made up and nothing else.
#[derive(Debug)]
pub struct OpusDecoder {
    codec: Decoder,
    format: AudioFormat,
    /// Mode of the last packet decoded: the library uses no LBRR right after CELT.
    last_mode: Option<Mode>,
    #[cfg(feature = "dred")]
    deep: DeepRedundancy,
    interleaved: Box<[f32]>,
}

impl OpusDecoder {
    /// A decoder that gives audio of this format.
    ///
    /// # Errors
    /// [`ConfigError`] unless the rate is 8, 12, 16, 24 or 48 kHz and the channels are 1 or 2.
    pub fn new(format: AudioFormat) -> Result<Self, ConfigError> {
        let codec = Decoder::new(format.rate.as_hz(), check(format)?).map_err(refused)?;
        #[cfg(feature = "dred")]
        let (mut codec, deep) = (codec, DeepRedundancy::new(format.rate)?);
        #[cfg(feature = "dred")]
        codec.set_complexity(DEEP_PLC).map_err(refused)?;
        Ok(Self {
            codec,
            format,
            last_mode: None,
            #[cfg(feature = "dred")]
            deep,
            interleaved: vec![0.0; longest(format.rate) * format.channels].into(),
        })
    }

    /// Which audio `payload` has DRED of: from so many samples before its own (the end) up to so many before (the start), in
    /// the decoder's rate. Empty if there is none. The part between the start and the payload's own audio, if any, was silent.
    ///
    /// Takes some 0.1 ms the first time a payload is asked about.
    #[cfg(feature = "dred")]
    #[must_use]
    pub fn dred_in(&mut self, payload: &[u8]) -> Range<usize> {
        self.deep.read(payload)
    }

    fn gives(&self, out: &AudioMut<'_>) -> bool {
        (AudioFormat { rate: out.rate(), channels: out.channels() }) == self.format
    }

    /// Has the library write `samples` per channel, and copies as many of them as `out` takes.
    pub(super) fn run(
        &mut self,
        payload: &[u8],
        fec: bool,
        samples: usize,
        out: &mut AudioMut<'_>,
    ) -> Result<usize, Malformed> {
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

    /// Has the library decode DRED, whose output it writes in steps of 2.5 ms.
    #[cfg(feature = "dred")]
    fn run_deep(&mut self, payload: &[u8], offset: usize, out: &mut AudioMut<'_>) -> Option<usize> {
        if !self.last_mode.is_some_and(Mode::has_networks) {
            return None;
        }
        let channels = self.format.channels;
        let len = out.samples().min(self.interleaved.len() / channels) * channels;
        let room = &mut self.interleaved[..len];
        let written = self.deep.decode(&mut self.codec, payload, offset, room, channels)?;
        Some(out.read_interleaved(&self.interleaved[..written * channels]))
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

    /// Decodes the best copy that `payload` has of the audio that begins `offset` samples before its own.
    ///
    /// LBRR (RFC 6716 §2.1.7) is a coarse copy of the frame before `payload`'s own first frame. There is one exactly one
    /// frame back, so for no other `offset` but the frame's own length, and it is of no use to the library right after a
    /// packet in CELT mode. A packet longer than 20 ms is a single frame in SILK mode and several of 20 ms in hybrid mode.
    ///
    /// DRED (feature `dred`) has audio at any `offset` within its span, in whole steps of 2.5 ms. It needs a packet
    /// decoded before, and of more than 6 kHz of audio (not narrow- or mediumband), the voice of which it goes on with.
    /// The first question about a payload takes some 0.1 ms, more about the same one nothing.
    fn decode_redundant(&mut self, payload: &[u8], offset: usize, mut out: AudioMut<'_>) -> Option<usize> {
        let packet = OpusPacket::parse(payload).ok()?;
        if !self.gives(&out) {
            return None;
        }
        let samples = packet.frame_samples(self.format.rate);
        if packet.has_lbrr() && offset == samples && self.last_mode != Some(Mode::Celt) {
            let written = self.run(payload, true, samples, &mut out).ok()?;
            self.last_mode = Some(packet.mode);
            return Some(written);
        }
        #[cfg(feature = "dred")]
        return self.run_deep(payload, offset, &mut out);
        #[cfg(not(feature = "dred"))]
        None
    }

    fn samples_in(&self, payload: &[u8]) -> Option<usize> {
        OpusPacket::parse(payload).ok().map(|packet| packet.samples(self.format.rate))
    }
}
