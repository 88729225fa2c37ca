//! The rooms, noises and levels audio processing is measured on.

use rtc_core::Frequency;

/// Far-end single talk for 16 s, near-end for 4, double talk for 14, far-end again for 10, in a room that reverberates 200 ms.
#[derive(Debug, Clone, Copy)]
pub(super) struct Echo {
    pub(super) name: &'static str,
    pub(super) input: &'static str,
    pub(super) rate: Frequency,
    /// From loudspeaker to microphone.
    pub(super) delay_ms: u64,
    /// Echo return loss in decibels.
    pub(super) return_loss: f64,
    /// White noise at the microphone, in dBFS.
    pub(super) noise: f64,
    /// Whether it is another room in the last part.
    pub(super) moves: bool,
}

const OFFICE: Echo = Echo {
    name: "echo-office",
    input: "16 kHz, echo 6 dB below after 40 ms, noise of -70 dBFS",
    rate: Frequency::KHZ_16,
    delay_ms: 40,
    return_loss: 6.0,
    noise: -70.0,
    moves: false,
};

pub(super) const ECHOES: [Echo; 5] = [
    OFFICE,
    Echo {
        name: "echo-loud",
        input: "16 kHz, echo 10 dB above after 40 ms, noise of -60 dBFS",
        return_loss: -10.0,
        noise: -60.0,
        ..OFFICE
    },
    Echo {
        name: "echo-late",
        input: "16 kHz, echo 6 dB below after 300 ms, noise of -70 dBFS",
        delay_ms: 300,
        ..OFFICE
    },
    Echo { name: "echo-moved", input: "as echo-office, but another room from the last part on", moves: true, ..OFFICE },
    Echo {
        name: "echo-48k",
        input: "48 kHz, echo 6 dB below after 40 ms, noise of -70 dBFS",
        rate: Frequency::KHZ_48,
        ..OFFICE
    },
];

/// What disturbs speech.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disturbance {
    White,
    Pink,
    /// Six others talking at once.
    Babble,
    /// A file of `../shared/data/noise`, with speech of `../shared/data/speech` instead of the synthetic.
    Recorded(&'static str),
}

/// 20 s of speech in noise.
#[derive(Debug, Clone, Copy)]
pub(super) struct Noisy {
    pub(super) name: &'static str,
    pub(super) rate: Frequency,
    pub(super) disturbance: Disturbance,
    /// Over the whole of it, in decibels.
    pub(super) snr: f64,
}

pub(super) const NOISES: [Noisy; 6] = [
    Noisy { name: "noise-white-16k", rate: Frequency::KHZ_16, disturbance: Disturbance::White, snr: 5.0 },
    Noisy { name: "noise-white-48k", rate: Frequency::KHZ_48, disturbance: Disturbance::White, snr: 5.0 },
    Noisy { name: "noise-pink-48k", rate: Frequency::KHZ_48, disturbance: Disturbance::Pink, snr: 5.0 },
    Noisy { name: "noise-babble-48k", rate: Frequency::KHZ_48, disturbance: Disturbance::Babble, snr: 10.0 },
    Noisy {
        name: "noise-dishes-16k",
        rate: Frequency::KHZ_16,
        disturbance: Disturbance::Recorded("pra_dishes"),
        snr: 5.0,
    },
    Noisy {
        name: "noise-bike-16k",
        rate: Frequency::KHZ_16,
        disturbance: Disturbance::Recorded("pra_exercise_bike"),
        snr: 5.0,
    },
];

/// 20 s of speech, its active parts at a level in dBFS, 34 dB more from 10 to 12 s if it `shouts`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level {
    pub(super) name: &'static str,
    pub(super) level: f64,
    pub(super) shouts: bool,
}

pub(super) const LEVELS: [Level; 5] = [
    Level { name: "agc-45", level: -45.0, shouts: false },
    Level { name: "agc-35", level: -35.0, shouts: false },
    Level { name: "agc-26", level: -26.0, shouts: false },
    Level { name: "agc-15", level: -15.0, shouts: false },
    Level { name: "agc-shout", level: -40.0, shouts: true },
];
