use core::time::Duration;

use rtc_core::ConfigError;
use rtc_core::audio::AudioBuffer;
use rtc_core::time::Instant;

use crate::microphone::Microphone;
use crate::voice::Endpoint;
use crate::wav::RATE;

/// Samples of a frame.
const FRAME: usize = 480;
/// Falling further behind than this, the card skips, as real ones do.
const MAX_LAG: Duration = Duration::from_millis(200);

/// A sound card made of files: says a clip over and over, and keeps what it plays.
#[derive(Debug)]
pub(super) struct SoundCard {
    microphone: Microphone,
    speaker: AudioBuffer,
    interleaved: Vec<f32>,
    next: Option<Instant>,
}

impl SoundCard {
    pub(super) fn new(says: AudioBuffer, channels: usize) -> Result<Self, ConfigError> {
        Ok(Self {
            microphone: Microphone::new(says, AudioBuffer::new(channels, FRAME, RATE)?),
            speaker: AudioBuffer::new(channels, FRAME, RATE)?,
            interleaved: vec![0.0; FRAME * channels],
            next: None,
        })
    }

    /// Plays and captures every frame that is due, appending to `heard`.
    pub(super) fn run(&mut self, now: Instant, endpoint: &mut Endpoint, heard: &mut Vec<f32>) {
        let mut next = self.next.unwrap_or(now);
        if now - next > MAX_LAG {
            next = now;
        }
        while next <= now {
            endpoint.play(next, self.speaker.as_mut());
            self.speaker.as_ref().write_interleaved(&mut self.interleaved);
            heard.extend_from_slice(&self.interleaved);
            endpoint.capture(next, self.microphone.next_frame());
            next += RATE.duration_of(FRAME as u64);
        }
        self.next = Some(next);
    }

    /// When the next frame is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }
}
