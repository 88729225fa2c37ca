use core::ops::Range;

use crate::{ConfigError, Frequency};

use super::ffi::{Decoder, Dred};
use super::{refused, samples};

/// Most bytes of a payload that is remembered without allocating: what fits the path.
const USUAL_LEN: usize = 1_500;

/// The deep redundancy of the packet asked last, kept so that a long gap costs one parse.
#[derive(Debug)]
pub(super) struct DeepRedundancy {
    dred: Dred,
    rate: Frequency,
    payload: Vec<u8>,
    /// How many samples before the payload's own the audio lies that it tells of; empty if there is none.
    known: Range<usize>,
}

impl DeepRedundancy {
    pub(super) fn new(rate: Frequency) -> Result<Self, ConfigError> {
        let dred = Dred::new().map_err(refused)?;
        Ok(Self { dred, rate, payload: Vec::with_capacity(USUAL_LEN), known: 0..0 })
    }

    /// Decodes what `payload` has of the audio that begins `offset` samples before its own into `room`; returns the samples
    /// per channel.
    pub(super) fn decode(
        &mut self,
        codec: &mut Decoder,
        payload: &[u8],
        offset: usize,
        room: &mut [f32],
        channels: usize,
    ) -> Option<usize> {
        let step = samples(self.rate, 1);
        let known = self.read(payload);
        if offset > known.end {
            return None;
        }
        let covered = offset.saturating_sub(known.start);
        let len = (room.len() / channels).min(covered) / step * step;
        if len == 0 {
            return None;
        }
        codec.decode_dred(&self.dred, offset, &mut room[..len * channels]).ok()
    }

    /// The audio that `payload` tells of, in samples before its own.
    pub(super) fn read(&mut self, payload: &[u8]) -> Range<usize> {
        if self.payload != payload {
            self.payload.clear();
            self.payload.extend_from_slice(payload);
            let second = self.rate.as_hz();
            let read = self.dred.parse(payload, 2 * second as usize, second);
            self.known = read.map_or(0..0, |(begin, end)| end..begin.max(end));
        }
        self.known.clone()
    }
}

#[cfg(test)]
mod tests {
    use ::opus::{Application, Bitrate, Channels};

    use super::super::OpusDecoder;
    use super::super::ffi::Encoder;
    use super::super::packet::OpusPacket;
    use super::super::tests::voice;
    use super::*;
    use crate::audio::AudioBuffer;
    use crate::codec::{AudioDecoder, AudioFormat};

    /// One second of packets of 20 ms with LBRR and DRED both, as other senders may choose.
    fn packets() -> Vec<Vec<u8>> {
        let mut encoder = Encoder::new(16_000, Channels::Mono, Application::Voip).unwrap();
        encoder.set_inband_fec(true).unwrap();
        encoder.set_packet_loss_perc(30).unwrap();
        encoder.set_bitrate(Bitrate::Bits(44_000)).unwrap();
        encoder.set_dred_duration(100).unwrap();
        let mut out = [0; 1_500];
        voice(Frequency::KHZ_16, 50 * 320)
            .chunks_exact(320)
            .map(|input| {
                let len = encoder.encode_float(input, &mut out).unwrap();
                out[..len].to_vec()
            })
            .collect()
    }

    #[test]
    fn lbrr_goes_before_dred() {
        let packets = packets();
        let format = AudioFormat { rate: Frequency::KHZ_16, channels: 1 };
        let mut decoders = [(); 2].map(|()| OpusDecoder::new(format).unwrap());
        let mut outs = [(); 2].map(|()| AudioBuffer::new(1, 320, format.rate).unwrap());
        for (decoder, out) in decoders.iter_mut().zip(&mut outs) {
            for packet in &packets[..40] {
                decoder.decode(packet, out.as_mut()).unwrap();
            }
        }
        let [ours, theirs] = &mut decoders;
        let both = packets[41..].iter().find(|packet| OpusPacket::parse(packet).unwrap().has_lbrr()).unwrap();
        let known = ours.dred_in(both);
        assert!(known.start < 320 && known.end > 640, "{known:?}");
        let [copy, lbrr] = &mut outs;
        assert_eq!(ours.decode_redundant(both, 320, copy.as_mut()), Some(320));
        theirs.run(both, true, 320, &mut lbrr.as_mut()).unwrap();
        assert_eq!(copy, lbrr);
        assert_eq!(ours.decode_redundant(both, 640, copy.as_mut()), Some(320), "and DRED for what LBRR has not");
    }
}
