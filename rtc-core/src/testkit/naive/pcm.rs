use crate::audio::{AudioMut, AudioRef, MAX_CHANNELS};
use crate::codec::{AudioDecoder, AudioEncoder, AudioFormat, EncodeError, EncodedAudio};
use crate::{Bitrate, ConfigError, Fault, Malformed};

use super::conceal::RepeatFade;
use super::g711;

/// Samples decoded at a time, of all channels.
const BLOCK: usize = 256;

/// How one sample is written (RFC 3551 §4.2, sample-based encodings: channels interleaved).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Coding {
    /// G.711 μ-law, PCMU (RFC 3551 §4.5.14).
    MuLaw,
    /// G.711 A-law, PCMA (RFC 3551 §4.5.14).
    ALaw,
    /// 16 bits, most significant byte first (RFC 3551 §4.5.11).
    L16,
}

impl Coding {
    /// Bytes of one sample.
    #[must_use]
    pub const fn sample_len(self) -> usize {
        match self {
            Self::MuLaw | Self::ALaw => 1,
            Self::L16 => 2,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::MuLaw => "PCMU",
            Self::ALaw => "PCMA",
            Self::L16 => "L16",
        }
    }

    fn put(self, sample: i16, out: &mut [u8]) {
        match self {
            Self::MuLaw => out[0] = g711::encode_mu(sample),
            Self::ALaw => out[0] = g711::encode_a(sample),
            Self::L16 => out.copy_from_slice(&sample.to_be_bytes()),
        }
    }

    fn take_all(self, codes: &[u8], samples: &mut [i16]) {
        if self == Self::L16 {
            // By itself, for the compiler to make vectors of.
            samples.iter_mut().zip(codes.as_chunks().0).for_each(|(sample, code)| *sample = i16::from_be_bytes(*code));
            return;
        }
        samples
            .iter_mut()
            .zip(codes.chunks_exact(self.sample_len()))
            .for_each(|(sample, code)| *sample = self.take(code));
    }

    fn take(self, code: &[u8]) -> i16 {
        match self {
            Self::MuLaw => g711::decode_mu(code[0]),
            Self::ALaw => g711::decode_a(code[0]),
            Self::L16 => i16::from_be_bytes([code[0], code[1]]),
        }
    }
}

/// Encoder of a sample-based coding; takes frames of any length.
#[derive(Debug)]
pub struct PcmEncoder {
    coding: Coding,
    format: AudioFormat,
}

impl PcmEncoder {
    /// # Errors
    /// [`ConfigError`] unless there are 1 or 2 channels.
    pub fn new(coding: Coding, format: AudioFormat) -> Result<Self, ConfigError> {
        check(format)?;
        Ok(Self { coding, format })
    }
}

impl AudioEncoder for PcmEncoder {
    fn format(&self) -> AudioFormat {
        self.format
    }

    fn encode(&mut self, frame: AudioRef<'_>, out: &mut [u8]) -> Result<EncodedAudio, EncodeError> {
        if (AudioFormat { rate: frame.rate(), channels: frame.channels() }) != self.format {
            return Err(EncodeError::Shape);
        }
        let (channels, len) = (self.format.channels, self.coding.sample_len());
        let total = frame.samples() * channels * len;
        let out = out.get_mut(..total).ok_or(EncodeError::NoRoom)?;
        for (index, codes) in out.chunks_exact_mut(channels * len).enumerate() {
            let mut samples = [0; MAX_CHANNELS];
            frame.slice(index, 1).write_interleaved_i16(&mut samples[..channels]);
            for (sample, code) in samples.into_iter().zip(codes.chunks_exact_mut(len)) {
                self.coding.put(sample, code);
            }
        }
        Ok(EncodedAudio { len: total, silent: false })
    }

    /// Changes nothing: the rate follows from the coding and the format.
    fn set_bitrate(&mut self, _rate: Bitrate) {}
}

/// Decoder of a sample-based coding; conceals by repeating the last 20 ms and fading out.
#[derive(Debug)]
pub struct PcmDecoder {
    coding: Coding,
    format: AudioFormat,
    concealment: RepeatFade,
}

impl PcmDecoder {
    /// # Errors
    /// [`ConfigError`] unless there are 1 or 2 channels.
    pub fn new(coding: Coding, format: AudioFormat) -> Result<Self, ConfigError> {
        check(format)?;
        Ok(Self { coding, format, concealment: RepeatFade::new(format) })
    }
}

impl AudioDecoder for PcmDecoder {
    fn format(&self) -> AudioFormat {
        self.format
    }

    fn decode(&mut self, payload: &[u8], mut out: AudioMut<'_>) -> Result<usize, Malformed> {
        let fault = |fault| Malformed::new(self.coding.name(), fault);
        let samples = self.samples_in(payload).ok_or_else(|| fault(Fault::Length))?;
        if samples > out.samples() {
            return Err(fault(Fault::Length));
        }
        if (AudioFormat { rate: out.rate(), channels: out.channels() }) != self.format {
            return Err(fault(Fault::Inconsistent));
        }
        let (channels, len) = (self.format.channels, self.coding.sample_len());
        let mut block = [0; BLOCK];
        for (index, codes) in payload.chunks(BLOCK / channels * channels * len).enumerate() {
            let block = &mut block[..codes.len() / len];
            self.coding.take_all(codes, block);
            let at = index * (BLOCK / channels);
            out.slice_mut(at, block.len() / channels).read_interleaved_i16(block);
        }
        self.concealment.heard(out.as_ref().slice(0, samples));
        Ok(samples)
    }

    fn conceal(&mut self, out: AudioMut<'_>) -> usize {
        self.concealment.fill(out)
    }

    fn samples_in(&self, payload: &[u8]) -> Option<usize> {
        let block = self.format.channels * self.coding.sample_len();
        payload.len().is_multiple_of(block).then_some(payload.len() / block)
    }
}

fn check(format: AudioFormat) -> Result<(), ConfigError> {
    if (1..=MAX_CHANNELS).contains(&format.channels) {
        return Ok(());
    }
    Err(ConfigError::new("channels", "must be 1 or 2"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Frequency;

    const STEREO: AudioFormat = AudioFormat { rate: Frequency::KHZ_48, channels: 2 };

    #[test]
    fn rfc3551_s4_5_11_l16_is_big_endian_and_interleaved() {
        let (left, right) = ([0.5, -1.0], [0.25, 0.0]);
        let frame = AudioRef::stereo(&left, &right, STEREO.rate).unwrap();
        let mut out = [0xee; 9];
        let encoded = PcmEncoder::new(Coding::L16, STEREO).unwrap().encode(frame, &mut out).unwrap();
        assert_eq!(encoded, EncodedAudio { len: 8, silent: false });
        assert_eq!(out, [0x40, 0, 0x20, 0, 0x80, 0, 0, 0, 0xee]);
        let (mut l, mut r) = ([9.0; 3], [9.0; 3]);
        let view = AudioMut::stereo(&mut l, &mut r, STEREO.rate).unwrap();
        assert_eq!(PcmDecoder::new(Coding::L16, STEREO).unwrap().decode(&out[..8], view), Ok(2));
        assert_eq!((l, r), ([0.5, -1.0, 9.0], [0.25, 0.0, 9.0]));
    }

    #[test]
    fn concealment_repeats_and_fades_to_silence() {
        let format = AudioFormat { rate: Frequency::KHZ_8, channels: 1 };
        let mut decoder = PcmDecoder::new(Coding::MuLaw, format).unwrap();
        let mut frame = [0.0; 160];
        decoder.decode(&[0x80; 160], AudioMut::mono(&mut frame, format.rate)).unwrap();
        let mut concealed = [9.0; 640];
        assert_eq!(decoder.conceal(AudioMut::mono(&mut concealed, format.rate)), 640);
        assert_eq!(concealed[0], frame[0]);
        assert!(concealed.windows(2).all(|pair| pair[1] <= pair[0]));
        assert!(concealed[480..].iter().all(|sample| *sample == 0.0));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut decoder = PcmDecoder::new(Coding::L16, STEREO).unwrap();
        let (mut l, mut r) = ([9.0; 1], [9.0; 1]);
        let mut decode = |payload: &[u8]| {
            let out = AudioMut::stereo(&mut l, &mut r, STEREO.rate).unwrap();
            decoder.decode(payload, out).map_err(|error| error.fault())
        };
        assert_eq!(decode(&[0; 3]), Err(Fault::Length));
        assert_eq!(decode(&[0; 8]), Err(Fault::Length));
        assert_eq!((l, r), ([9.0], [9.0]));
        assert!(PcmEncoder::new(Coding::L16, AudioFormat { channels: 3, ..STEREO }).is_err());
    }
}
