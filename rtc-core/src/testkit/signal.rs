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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Frequency;

    fn fingerprint(samples: impl Iterator<Item = f32>) -> u64 {
        // FNV-1a, 64 bits.
        let bytes = samples.take(48_000).flat_map(|sample| sample.to_bits().to_le_bytes());
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }

    /// Frozen: a change here changes every measurement made with these sources.
    #[test]
    fn sources_are_the_same_bits_everywhere() {
        let rate = Frequency::KHZ_16;
        let fingerprints = [
            fingerprint(Speech::new(rate, 1)),
            fingerprint(Music::new(rate, 1).flatten()),
            fingerprint(PinkNoise::new(1, 0.1)),
            fingerprint(Sine::new(rate, 440.0, 0.5)),
        ];
        let frozen =
            [312_277_148_759_756_490, 16_309_338_961_040_894_884, 6_644_602_410_182_585_581, 4_041_725_320_522_490_692];
        assert_eq!(fingerprints, frozen);
    }
}
