//! WAV files of any rate and channel count in, 48 kHz out.

use core::fmt;
use std::path::{Path, PathBuf};

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};
use rtc_core::audio::{AudioBuffer, AudioRef};
use rtc_core::{ConfigError, Frequency};
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler};

/// The rate of everything inside a call.
pub const RATE: Frequency = Frequency::KHZ_48;

/// Rates a file may have; others are typing errors or damaged headers.
const RATES: core::ops::RangeInclusive<u32> = 4_000..=384_000;

/// A WAV file that could not be read or written, said in one line.
#[derive(Debug)]
pub struct WavError {
    path: PathBuf,
    reason: String,
}

impl WavError {
    fn new(path: &Path, reason: String) -> Self {
        Self { path: path.to_owned(), reason }
    }
}

impl fmt::Display for WavError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}

impl core::error::Error for WavError {}

/// Reads at most `seconds` of a file, resampled to 48 kHz and mixed to 1 or 2 channels.
///
/// # Errors
/// [`WavError`] if there is no such file, it is not WAV, is empty, or has an absurd rate or channel count.
pub fn read(path: &Path, channels: usize, seconds: f64) -> Result<AudioBuffer, WavError> {
    let file = std::fs::File::open(path).map_err(|error| WavError::new(path, explain(&error.into())))?;
    decode(std::io::BufReader::new(file), channels, seconds).map_err(|reason| WavError::new(path, reason))
}

/// As [`read`], from a file in memory.
///
/// # Errors
/// As [`read`].
pub fn read_from(bytes: &[u8], channels: usize, seconds: f64) -> Result<AudioBuffer, WavError> {
    decode(bytes, channels, seconds).map_err(|reason| WavError::new(Path::new("(built in)"), reason))
}

/// Writes 16-bit samples.
///
/// # Errors
/// [`WavError`] if the file cannot be written.
pub fn write(path: &Path, audio: AudioRef<'_>) -> Result<(), WavError> {
    let fail = |error: hound::Error| WavError::new(path, explain(&error));
    let mut samples = vec![0; audio.samples() * audio.channels()];
    audio.write_interleaved_i16(&mut samples);
    let spec = WavSpec {
        channels: if audio.channels() == 2 { 2 } else { 1 },
        sample_rate: audio.rate().as_hz(),
        bits_per_sample: 16,
        sample_format: SampleFormat::Int,
    };
    let mut writer = WavWriter::create(path, spec).map_err(fail)?;
    for sample in samples {
        writer.write_sample(sample).map_err(fail)?;
    }
    writer.finalize().map_err(fail)
}

fn decode(source: impl std::io::Read, channels: usize, seconds: f64) -> Result<AudioBuffer, String> {
    let reader = WavReader::new(source).map_err(|error| explain(&error))?;
    let spec = reader.spec();
    if !RATES.contains(&spec.sample_rate) {
        return Err(format!("a sample rate of {} Hz is not one of sound", spec.sample_rate));
    }
    if !(1..=32).contains(&spec.channels) {
        return Err(format!("{} channels are not supported", spec.channels));
    }
    let samples = read_samples(reader, frames_in(seconds, spec.sample_rate)).map_err(|error| explain(&error))?;
    let mixed = mix(&samples, usize::from(spec.channels), channels);
    if mixed.len() < channels {
        return Err("holds no sound".into());
    }
    if mixed.iter().any(|sample| !sample.is_finite()) {
        return Err("holds samples that are not numbers".into());
    }
    let resampled = resample(&mixed, channels, spec.sample_rate)?;
    planar(&resampled, channels).map_err(|error| error.to_string())
}

fn read_samples(mut reader: WavReader<impl std::io::Read>, frames: usize) -> Result<Vec<f32>, hound::Error> {
    let spec = reader.spec();
    let wanted = frames.saturating_mul(usize::from(spec.channels));
    match spec.sample_format {
        SampleFormat::Float => reader.samples::<f32>().take(wanted).collect(),
        SampleFormat::Int => {
            let full_scale = (1_u64 << (spec.bits_per_sample.clamp(1, 32) - 1)) as f32;
            reader.samples::<i32>().take(wanted).map(|sample| Ok(sample? as f32 / full_scale)).collect()
        }
    }
}

/// Interleaved samples of `from` channels as interleaved samples of `to`: all averaged into mono, the first two into stereo.
fn mix(samples: &[f32], from: usize, to: usize) -> Vec<f32> {
    let mut mixed = Vec::with_capacity(samples.len() / from * to);
    for frame in samples.chunks_exact(from) {
        if to == 1 {
            mixed.push(frame.iter().sum::<f32>() / from as f32);
        } else {
            mixed.extend([frame[0], frame[1.min(from - 1)]]);
        }
    }
    mixed
}

fn resample(samples: &[f32], channels: usize, rate: u32) -> Result<Vec<f32>, String> {
    if rate == RATE.as_hz() {
        return Ok(samples.to_vec());
    }
    let frames = samples.len() / channels;
    let (from, to) = (rate as usize, RATE.as_hz() as usize);
    let mut resampler =
        Fft::<f32>::new(from, to, 1024, channels, FixedSync::Both).map_err(|error| error.to_string())?;
    let input = InterleavedSlice::new(samples, channels, frames).map_err(|error| error.to_string())?;
    let output = resampler.process_all(&input, frames, None).map_err(|error| error.to_string())?;
    Ok(output.take_data())
}

fn planar(samples: &[f32], channels: usize) -> Result<AudioBuffer, ConfigError> {
    let mut buffer = AudioBuffer::new(channels, samples.len() / channels, RATE)?;
    buffer.as_mut().read_interleaved(samples);
    Ok(buffer)
}

/// Frames in `seconds`, rounded up; casts saturate, so absurd lengths mean "all of it".
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturation is what is wanted")]
fn frames_in(seconds: f64, rate: u32) -> usize {
    (seconds * f64::from(rate)).ceil() as usize
}

fn explain(error: &hound::Error) -> String {
    match error {
        hound::Error::IoError(error) if error.kind() == std::io::ErrorKind::NotFound => "no such file".into(),
        // What hound says of a file that ends early has no kind of its own.
        hound::Error::IoError(error) if error.kind() == std::io::ErrorKind::Other => "the file ends early".into(),
        hound::Error::IoError(error) => error.to_string(),
        hound::Error::FormatError(reason) => format!("not a WAV file, or a damaged one ({reason})"),
        hound::Error::Unsupported => "a WAV file, but of a sample format that is not supported".into(),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
