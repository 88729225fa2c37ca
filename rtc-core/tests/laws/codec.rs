use core::cell::Cell;

use rtc_core::audio::{AudioMut, AudioRef};
use rtc_core::codec::{AudioDecoder, AudioEncoder, AudioFormat, EncodeError, EncodedAudio};
use rtc_core::testkit::laws;
use rtc_core::testkit::naive::{Coding, PcmDecoder, PcmEncoder};
use rtc_core::{Bitrate, Frequency, Malformed};

use crate::assert_caught;

const NARROW: AudioFormat = AudioFormat { rate: Frequency::KHZ_8, channels: 1 };
const STEREO: AudioFormat = AudioFormat { rate: Frequency::KHZ_16, channels: 2 };

fn encoder(coding: Coding, format: AudioFormat) -> PcmEncoder {
    PcmEncoder::new(coding, format).expect("mono or stereo")
}

fn decoder(coding: Coding, format: AudioFormat) -> PcmDecoder {
    PcmDecoder::new(coding, format).expect("mono or stereo")
}

#[test]
fn pcm_keeps_the_laws() {
    for coding in [Coding::MuLaw, Coding::ALaw, Coding::L16] {
        for (format, samples) in [(NARROW, 160), (STEREO, 480)] {
            laws::audio_codec(|| encoder(coding, format), || decoder(coding, format), samples);
        }
    }
}

#[test]
fn forwarded_they_hold_as_well() {
    let (encoder, decoder) = (|| encoder(Coding::L16, NARROW), || decoder(Coding::L16, NARROW));
    let boxed_encoder = || Box::new(encoder()) as Box<dyn AudioEncoder>;
    let boxed_decoder = || Box::new(decoder()) as Box<dyn AudioDecoder>;
    laws::audio_codec(boxed_encoder, boxed_decoder, 80);
    laws::audio_codec(|| Box::leak(Box::new(encoder())), || Box::leak(Box::new(decoder())), 80);
}

#[cfg(feature = "opus")]
#[test]
fn opus_keeps_the_laws() {
    use rtc_core::opus::{OpusConfig, OpusDecoder, OpusEncoder};

    for channels in [1, 2] {
        let mut config = OpusConfig::default();
        config.format.channels = channels;
        let encoder = || OpusEncoder::new(&config).expect("a format Opus has");
        let decoder = || OpusDecoder::new(config.format).expect("a format Opus has");
        for samples in [960, 480, 2_880] {
            laws::audio_codec(encoder, decoder, samples);
        }
    }
}

#[cfg(feature = "dred")]
#[test]
fn opus_with_deep_redundancy_keeps_the_laws() {
    use core::time::Duration;
    use rtc_core::opus::{OpusConfig, OpusDecoder, OpusEncoder, Redundancy};

    let mut config = OpusConfig::default();
    config.bitrate = Bitrate::from_kbps(64);
    config.redundancy = Redundancy::Dred { span: Duration::from_secs(1) };
    let encoder = || OpusEncoder::new(&config).expect("a format Opus has");
    let decoder = || OpusDecoder::new(config.format).expect("a format Opus has");
    for samples in [960, 480] {
        laws::audio_codec(encoder, decoder, samples);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    OtherFormat,
    EncoderCountsRuns,
    DecoderCountsRuns,
    Whispers,
    TakesAnyShape,
    TakesAnyRate,
    TakesNoRoom,
    TiresOfSettings,
    Miscounts,
    WritesMore,
    GivesLess,
    ConcealsLess,
    ConcealsHalf,
    Shouts,
    InventsRedundancy,
    LeavesTraces,
    WildRedundancy,
    CutsWhatDoesNotFit,
    DecodesNonsense,
}

struct Faulty<T> {
    inner: T,
    fault: Fault,
    run: u32,
    set: u32,
}

impl AudioEncoder for Faulty<PcmEncoder> {
    fn format(&self) -> AudioFormat {
        self.inner.format()
    }

    fn encode(&mut self, frame: AudioRef<'_>, out: &mut [u8]) -> Result<EncodedAudio, EncodeError> {
        match (self.fault, self.inner.encode(frame, out)) {
            (Fault::TakesAnyShape, Err(EncodeError::Shape)) => Ok(EncodedAudio { len: 0, silent: true }),
            (Fault::TakesAnyRate, Err(EncodeError::Shape)) if frame.channels() == 1 => {
                Ok(EncodedAudio { len: 0, silent: true })
            }
            (Fault::TakesNoRoom, Err(EncodeError::NoRoom)) => Ok(EncodedAudio { len: 0, silent: true }),
            (Fault::EncoderCountsRuns, encoded) if self.run == 4 => {
                out[0] ^= 1;
                encoded
            }
            (Fault::TiresOfSettings, _) if self.set > 4 => Err(EncodeError::Codec(-1)),
            (_, encoded) => encoded,
        }
    }

    fn set_bitrate(&mut self, rate: Bitrate) {
        self.set += 1;
        self.inner.set_bitrate(rate);
    }
}

impl AudioDecoder for Faulty<PcmDecoder> {
    fn format(&self) -> AudioFormat {
        if self.fault == Fault::OtherFormat { STEREO } else { self.inner.format() }
    }

    fn decode(&mut self, payload: &[u8], mut out: AudioMut<'_>) -> Result<usize, Malformed> {
        let room = out.samples();
        let fitting = &payload[..payload.len().min(2 * room)];
        let payload = if self.fault == Fault::CutsWhatDoesNotFit { fitting } else { payload };
        let len = self.inner.decode(payload, out.reborrow())?;
        let samples = out.plane_mut(0);
        match self.fault {
            Fault::DecoderCountsRuns if self.run == 6 => samples[0] += 0.01,
            Fault::Whispers => samples[..len].iter_mut().for_each(|sample| *sample *= 0.1),
            Fault::WritesMore if len < room => samples[len] = 0.0,
            // Louder than the speech of the laws, so garbage.
            Fault::DecodesNonsense if len > 0 && (0x60..0x80).contains(&payload[2 * len - 2]) => samples[0] = f32::NAN,
            Fault::GivesLess => return Ok(len.saturating_sub(1)),
            _ => {}
        }
        Ok(len)
    }

    fn conceal(&mut self, mut out: AudioMut<'_>) -> usize {
        let len = self.inner.conceal(out.reborrow());
        match self.fault {
            Fault::ConcealsLess => len / 2,
            Fault::ConcealsHalf if len > 100 => {
                out.plane_mut(0)[len - 1] = f32::NAN;
                len
            }
            Fault::Shouts => {
                out.plane_mut(0).fill(0.9);
                len
            }
            _ => len,
        }
    }

    fn decode_redundant(&mut self, _payload: &[u8], _offset: usize, mut out: AudioMut<'_>) -> Option<usize> {
        match self.fault {
            Fault::InventsRedundancy => Some(out.samples() + 1),
            Fault::LeavesTraces => {
                out.silence();
                None
            }
            Fault::WildRedundancy => {
                out.silence();
                Some(1)
            }
            _ => None,
        }
    }

    fn samples_in(&self, payload: &[u8]) -> Option<usize> {
        let samples = self.inner.samples_in(payload)?;
        Some(if self.fault == Fault::Miscounts { samples + 1 } else { samples })
    }
}

#[test]
fn every_breach_is_caught() {
    let breaches = [
        (Fault::OtherFormat, "encoder and decoder are of one format"),
        (Fault::EncoderCountsRuns, "the same audio gives the same payloads"),
        (Fault::DecoderCountsRuns, "the same payloads give the same audio"),
        (Fault::Whispers, "sound comes out as loud as it went in"),
        (Fault::TakesAnyShape, "a frame of other channels is refused"),
        (Fault::TakesAnyRate, "a frame of another rate is refused"),
        (Fault::TakesNoRoom, "a buffer without room is refused"),
        (Fault::TiresOfSettings, "a frame of the right shape can be encoded"),
        (Fault::Miscounts, "a payload holds the samples that were encoded"),
        (Fault::WritesMore, "what was not decoded is left alone"),
        (Fault::GivesLess, "a payload decodes to what it holds"),
        (Fault::ConcealsLess, "concealment fills all it is given"),
        (Fault::ConcealsHalf, "concealment fills all it is given"),
        (Fault::Shouts, "concealment is not louder than what it follows"),
        (Fault::InventsRedundancy, "redundancy is sound"),
        (Fault::LeavesTraces, "without redundancy nothing is written"),
        (Fault::WildRedundancy, "what was not decoded is left alone"),
        (Fault::CutsWhatDoesNotFit, "a payload that does not fit is refused"),
        (Fault::DecodesNonsense, "whatever is decoded is finite"),
    ];
    for (fault, law) in breaches {
        let runs = Cell::new(0);
        let next = || {
            runs.set(runs.get() + 1);
            runs.get()
        };
        let encoder = || Faulty { inner: encoder(Coding::L16, NARROW), fault, run: next(), set: 0 };
        let decoder = || Faulty { inner: decoder(Coding::L16, NARROW), fault, run: next(), set: 0 };
        assert_caught(law, || laws::audio_codec(encoder, decoder, 160));
    }
}
