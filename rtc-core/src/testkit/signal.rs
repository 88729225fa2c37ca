//! Seeded sources of audio, and what rooms and networks of test do to it.
//!
//! Sources are endless iterators of samples in -1.0..=1.0 at any rate from 8 to 48 kHz; the same seed gives the same samples on
//! every machine, and the same words, notes and pauses at every rate.
//!
//! ```
//! use rtc_core::Frequency;
//! use rtc_core::testkit::signal::{Sine, Speech};
//!
//! let tone: Vec<f32> = Sine::new(Frequency::KHZ_48, 440.0, 0.5).take(480).collect();
//! let talk: Vec<f32> = Speech::new(Frequency::KHZ_16, 1).take(16_000).collect();
//! # assert_eq!((tone.len(), talk.len()), (480, 16_000));
//! ```

mod conversation;
mod echo;
mod level;
mod music;
mod noise;
mod resonator;
mod speech;
mod talker;
mod tone;

pub use conversation::{Conversation, DOUBLE_TALK, Turn};
pub use echo::{EchoPath, EchoPathConfig};
pub use level::{add_at_snr, amplitude, scale_to};
pub use music::Music;
pub use noise::{PinkNoise, WhiteNoise};
pub use speech::Speech;
pub use talker::{Talker, TalkerConfig};
pub use tone::{Chirp, Sine};

#[expect(clippy::cast_possible_truncation, reason = "samples are made in double precision and kept in single")]
fn narrow(sample: f64) -> f32 {
    sample as f32
}
