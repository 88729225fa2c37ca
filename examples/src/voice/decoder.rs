use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use rtc_core::audio::AudioMut;
use rtc_core::codec::{AudioDecoder, AudioFormat};
use rtc_core::opus::OpusDecoder;
use rtc_core::{ConfigError, Malformed};

/// An Opus decoder that tells how often deep redundancy served: the play-out takes any copy for one.
#[derive(Debug)]
pub(super) struct Decoder {
    opus: OpusDecoder,
    deep: Arc<AtomicU64>,
}

impl Decoder {
    pub(super) fn new(format: AudioFormat, deep: Arc<AtomicU64>) -> Result<Self, ConfigError> {
        Ok(Self { opus: OpusDecoder::new(format)?, deep })
    }
}

impl AudioDecoder for Decoder {
    fn format(&self) -> AudioFormat {
        self.opus.format()
    }

    fn decode(&mut self, payload: &[u8], out: AudioMut<'_>) -> Result<usize, Malformed> {
        self.opus.decode(payload, out)
    }

    fn conceal(&mut self, out: AudioMut<'_>) -> usize {
        self.opus.conceal(out)
    }

    fn decode_redundant(&mut self, payload: &[u8], offset: usize, out: AudioMut<'_>) -> Option<usize> {
        let written = self.opus.decode_redundant(payload, offset, out);
        // The call's encoder makes either the one or the other.
        if written.is_some() && !self.opus.dred_in(payload).is_empty() {
            self.deep.fetch_add(1, Ordering::Relaxed);
        }
        written
    }

    fn samples_in(&self, payload: &[u8]) -> Option<usize> {
        self.opus.samples_in(payload)
    }
}
