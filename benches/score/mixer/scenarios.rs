//! What is mixed, resampled and metered.

use rtc_core::Frequency;

use crate::peers::Element;

/// Talkers at 48 kHz, mono, each at a level in dBFS.
#[derive(Debug, Clone, Copy)]
pub(super) struct Talkers {
    pub(super) name: &'static str,
    pub(super) count: usize,
    pub(super) level: f64,
}

pub(super) const TALKERS: [Talkers; 4] = [
    Talkers { name: "mix-3", count: 3, level: -26.0 },
    Talkers { name: "mix-10", count: 10, level: -26.0 },
    Talkers { name: "mix-50", count: 50, level: -26.0 },
    Talkers { name: "mix-10-loud", count: 10, level: -10.0 },
];

/// From 48 kHz to this rate and back.
pub(super) const RATES: [(&str, Frequency); 3] = [
    ("resample-48-16-48", Frequency::KHZ_16),
    ("resample-48-8-48", Frequency::KHZ_8),
    ("resample-48-44.1-48", Frequency::new(44_100).unwrap()),
];

/// A tone on both channels: dBFS of its peak and seconds, one after the other.
pub(super) type Tone = &'static [(f64, f64)];

/// EBU Tech 3341, table 1, cases 1 to 5: 1 kHz, and the integrated loudness in LUFS it must read within 0.1.
pub(super) const TONES: [(&str, Tone, f64); 5] = [
    ("loudness-1", &[(-23.0, 20.0)], -23.0),
    ("loudness-2", &[(-33.0, 20.0)], -33.0),
    ("loudness-3", &[(-36.0, 10.0), (-23.0, 60.0), (-36.0, 10.0)], -23.0),
    ("loudness-4", &[(-72.0, 10.0), (-36.0, 10.0), (-23.0, 60.0), (-36.0, 10.0), (-72.0, 10.0)], -23.0),
    ("loudness-5", &[(-26.0, 20.0), (-20.0, 20.1), (-26.0, 20.0)], -23.0),
];

/// The same, cases 15 to 18: a tone of half of full scale at a part of the sample rate and a phase in degrees, whose true peak
/// is -6.0 dBTP whatever its samples are (+0.2, -0.4).
pub(super) const PEAKS: [(&str, f64, f64); 4] = [
    ("true-peak-15", 1.0 / 4.0, 0.0),
    ("true-peak-16", 1.0 / 4.0, 45.0),
    ("true-peak-17", 1.0 / 6.0, 60.0),
    ("true-peak-18", 1.0 / 8.0, 67.5),
];

/// Pictures of 640x360 put into one of 1920x1080: nine fill it as they are, sixteen scaled.
pub(super) const PICTURES: [(&str, Element, usize); 2] =
    [("pictures-9", Element::Compositor, 9), ("pictures-16-scaled", Element::ScalingCompositor, 16)];
