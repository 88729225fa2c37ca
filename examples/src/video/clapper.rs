use core::time::Duration;

use rtc_core::audio::AudioMut;
use rtc_core::video::{PixelFormat, VideoBuffer, VideoFrame};
use rtc_core::{ConfigError, RtpTime};

use super::SOUND;

/// How long a clap is seen, in pictures, and heard.
const SEEN: u64 = 3;
const HEARD: f64 = 0.02;
const CLICK_HZ: f64 = 1_000.0;
const CLICK: f64 = 0.5;
/// What is heard between claps: 120 Hz, softly.
const HUM: f64 = 0.02;
const HUM_HZ: f64 = 120.0;
/// A sample beyond this is a click, a field brighter than this a flash.
const LOUD: f32 = 0.2;
const BRIGHT: u64 = 128;
/// So long nothing else is a new click.
const DEAD_TIME: Duration = Duration::from_millis(150);

/// Something to look at and listen to: a ball that wanders over a landscape, and a field that flashes in step with a click.
///
/// Picture and sound are functions of time, so that anybody can tell what should have been seen and heard.
#[derive(Debug, Clone, Copy)]
pub struct Clapper {
    size: (usize, usize),
    fps: u32,
}

impl Clapper {
    /// A scene in pictures of this size, so many a second, with two claps a second.
    #[must_use]
    pub const fn new(size: (usize, usize), fps: u32) -> Self {
        Self { size, fps }
    }

    /// Pictures from one clap to the next.
    fn period(&self) -> u64 {
        u64::from(self.fps / 2).max(1)
    }

    /// When picture `number` is taken.
    #[must_use]
    pub fn time_of(&self, number: u64) -> Duration {
        Duration::from_nanos(number * 1_000_000_000 / u64::from(self.fps))
    }

    /// Picture `number`.
    ///
    /// # Errors
    /// [`ConfigError`] if there are no pictures of this size.
    pub fn picture(&self, number: u64, timestamp: RtpTime) -> Result<VideoBuffer, ConfigError> {
        let (width, height) = self.size;
        let mut picture = VideoBuffer::new(PixelFormat::I420, width, height)?;
        picture.timestamp = timestamp;
        let time = self.time_of(number).as_secs_f64();
        let flashes = number % self.period() < SEEN;
        let (w, h) = (width as f64, height as f64);
        let ball = (w * (0.55 + 0.3 * (1.3 * time).cos()), h * (0.5 + 0.3 * (1.9 * time).sin()));
        let inside = |x: f64, y: f64| (x - ball.0).hypot(y - ball.1) < h / 5.0;
        for (row, line) in picture.plane_mut(0).chunks_exact_mut(width).enumerate() {
            for (column, sample) in line.iter_mut().enumerate() {
                let (x, y) = (column as f64, row as f64);
                let level = match () {
                    () if self.is_field(column, row) => {
                        if flashes {
                            235.0
                        } else {
                            24.0
                        }
                    }
                    () if inside(x, y) => 170.0 + 40.0 * ((x - ball.0) / 6.0).sin(),
                    () => 60.0 + 70.0 * x / w + 15.0 * (y / 9.0).sin(),
                };
                *sample = byte(level);
            }
        }
        let chroma_width = width.div_ceil(2);
        for (plane, [low, high]) in [(1, [118.0, 90.0]), (2, [136.0, 190.0])] {
            for (row, line) in picture.plane_mut(plane).chunks_exact_mut(chroma_width).enumerate() {
                for (column, sample) in line.iter_mut().enumerate() {
                    let (x, y) = (2.0 * column as f64, 2.0 * row as f64);
                    let level = match () {
                        () if self.is_field(2 * column, 2 * row) => 128.0,
                        () if inside(x, y) => high,
                        () => low,
                    };
                    *sample = byte(level);
                }
            }
        }
        Ok(picture)
    }

    /// Fills in the sound from `start` on.
    pub fn sound(&self, start: Duration, mut out: AudioMut<'_>) {
        let period = self.period() as f64 / f64::from(self.fps);
        let start = start.as_secs_f64();
        for (index, sample) in out.plane_mut(0).iter_mut().enumerate() {
            let time = start + index as f64 / f64::from(SOUND.as_hz());
            let tone = |hertz: f64| (core::f64::consts::TAU * hertz * time).sin();
            // The first sample of a click must not be before its picture because of rounding.
            let is_click = (time + 1e-9) % period < HEARD;
            let level = if is_click { CLICK * tone(CLICK_HZ) } else { HUM * tone(HUM_HZ) };
            #[expect(clippy::cast_possible_truncation, reason = "samples are f32")]
            let level = level as f32;
            *sample = level;
        }
    }

    /// Whether the field is lit in this picture.
    #[must_use]
    pub fn is_flash(&self, picture: VideoFrame<'_>) -> bool {
        let rows = picture.rows(0).enumerate();
        let field = rows.flat_map(|(row, line)| {
            let samples = line.iter().enumerate();
            samples.filter(move |(column, _)| self.is_field(*column, row)).map(|(_, sample)| u64::from(*sample))
        });
        let (sum, count) = field.fold((0, 0), |(sum, count), sample| (sum + sample, count + 1));
        sum > BRIGHT * count
    }

    /// The upper left corner, a quarter of each side.
    const fn is_field(&self, column: usize, row: usize) -> bool {
        column < self.size.0 / 4 && row < self.size.1 / 4
    }
}

/// Finds the clicks in what is heard.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ear {
    /// Time heard so far, and since the last click.
    heard: Duration,
    last: Option<Duration>,
}

impl Ear {
    /// Takes the next samples; the time of a click that begins in them, from the beginning of all.
    pub(super) fn listen(&mut self, samples: &[f32]) -> Option<Duration> {
        let start = self.heard;
        self.heard += SOUND.duration_of(samples.len() as u64);
        let loud = samples.iter().position(|sample| sample.abs() > LOUD)?;
        let at = start + SOUND.duration_of(loud as u64);
        if self.last.is_some_and(|last| at < last + DEAD_TIME) {
            return None;
        }
        self.last = Some(at);
        Some(at)
    }
}

/// A sample of 8 bits.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "cut to what a byte holds")]
fn byte(level: f64) -> u8 {
    level.clamp(0.0, 255.0) as u8
}
