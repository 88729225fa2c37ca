//! What came of a video call, for people.

use core::fmt::Write;

use serde::Serialize;

use super::recorder::{Measured, Seen};

mod html;

pub use html::to_html;

/// From here on lip sync counts: the first reports have come, and the buffers followed them.
const SETTLED: f64 = 2.0;
/// How much sound may be late and early, milliseconds: within what people notice (ITU-R BT.1359-1: 125 late, 45 early).
pub(super) const SYNC: core::ops::RangeInclusive<f64> = -100.0..=25.0;
/// Of two pictures shown nearer to each other than this, in seconds, who looks on sees the second.
pub(super) const SEPARATE: f64 = 1e-3;
/// Longest median delay from camera to screen, and most that may be missing of the pictures sent.
const LATENCY_MS: f64 = 300.0;
const MISSING_PERCENT: f64 = 1.0;
/// More key frames than this a second are a storm: each is as large as several other pictures.
const KEYS_PER_SECOND: f64 = 0.5;
/// A picture that stands this much longer than usual is a freeze (W3C webrtc-stats: 150 ms more, and three times as long).
const FREEZE: (f64, f64) = (0.15, 3.0);

/// A call in a few numbers.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Summary {
    /// Pictures the camera took, and those the encoder made of them: the others were left out for the rate.
    pub pictures_taken: usize,
    /// Pictures sent.
    pub pictures_sent: usize,
    /// Pictures that were seen, each for itself.
    pub pictures_seen: usize,
    /// Pictures sent after the first two seconds that were not seen, percent: never decoded, or together with the next one.
    pub missing_percent: f64,
    /// When the first picture was seen.
    pub first_ms: f64,
    /// From camera to screen.
    pub latency_p50_ms: f64,
    /// The same for the 95th percentile.
    pub latency_p95_ms: f64,
    /// The part of it from the camera to the network, median: the encoder looks ahead.
    pub encoder_ms: f64,
    /// How often the picture froze, and for how long in all.
    pub freezes: usize,
    /// See `freezes`.
    pub frozen_ms: f64,
    /// Pictures seen after the first two seconds with the sound within the bounds, percent.
    pub sync_percent: f64,
    /// How much sound was early then: 1st percentile, median, 99th percentile.
    pub sync_ms: [f64; 3],
    /// Claps seen and heard then, and how much the sound of them was early: least and most.
    pub claps: usize,
    /// See `claps`.
    pub claps_ms: [f64; 2],
    /// Key frames sent, and asked for.
    pub key_frames: u64,
    /// See `key_frames`.
    pub key_frames_asked: u64,
    /// Likeness of the pictures seen to those taken, mean.
    pub psnr_db: f64,
    /// Sound made up, percent.
    pub concealed_percent: f64,
    /// Packets that never arrived, percent.
    pub network_loss_percent: f64,
    /// Rate of pictures, their repair, the voice, its repair, and RTCP, with all headers.
    pub sent_kbps: [f64; 5],
}

impl Summary {
    pub(super) fn of(measured: &Measured) -> Self {
        let Measured { near, far, network, .. } = measured;
        let late = |at: &f64| *at >= SETTLED;
        let sync: Vec<f64> = measured.offsets.iter().filter(|(at, _)| late(at)).map(|(_, offset)| *offset).collect();
        let claps: Vec<f64> = measured.claps.iter().filter(|(at, _)| late(at)).map(|(_, offset)| *offset).collect();
        let moments = &measured.moments;
        let is_seen = |at: &usize| moments.get(at + 1).is_none_or(|next| next.0 - moments[*at].0 >= SEPARATE);
        let seen: Vec<f64> = (0..moments.len()).filter(is_seen).map(|at| moments[at].1).collect();
        let of_late = |taken: &[f64]| taken.iter().filter(|taken| **taken >= SETTLED).count();
        let (sent, came) = (of_late(&measured.sent), of_late(&seen));
        let still: Vec<f64> = moments.windows(2).map(|two| two[1].0 - two[0].0).collect();
        let usual = measured.seconds / measured.moments.len().max(1) as f64;
        let freezes = still.iter().filter(|gap| **gap > (usual + FREEZE.0).max(usual * FREEZE.1));
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
        let percent = |part: usize, all: usize| 100.0 * part as f64 / all.max(1) as f64;
        let (concealed, played) = measured.played;
        Self {
            pictures_taken: measured.taken,
            pictures_sent: measured.sent.len(),
            pictures_seen: seen.len(),
            // Where nothing is sent, all of it is missing.
            missing_percent: if sent == 0 { 100.0 } else { percent(sent.saturating_sub(came), sent) },
            first_ms: moments.first().map_or(0.0, |first| 1e3 * first.0),
            latency_p50_ms: percentile(&measured.latencies, 0.5),
            latency_p95_ms: percentile(&measured.latencies, 0.95),
            encoder_ms: percentile(&measured.lags, 0.5),
            freezes: freezes.clone().count(),
            frozen_ms: freezes.fold(0.0, |sum, gap| sum + 1e3 * gap),
            sync_percent: percent(sync.iter().filter(|offset| SYNC.contains(offset)).count(), sync.len()),
            sync_ms: [0.01, 0.5, 0.99].map(|part| percentile(&sync, part)),
            claps: claps.len(),
            claps_ms: [0.0, 1.0].map(|part| percentile(&claps, part)),
            key_frames: near.keys,
            key_frames_asked: far.video.key_frame_requests,
            psnr_db: mean(&measured.psnr),
            concealed_percent: percent(concealed, played),
            network_loss_percent: 100.0 * (network.sent - network.delivered) as f64 / network.sent.max(1) as f64,
            sent_kbps: measured.bytes.map(|bytes| 8e-3 * bytes as f64 / measured.seconds),
        }
    }

    /// What a call with a picture should hold, what it held, and whether that is enough.
    #[must_use]
    pub fn targets(&self, seconds: f64) -> [(&'static str, String, bool); 4] {
        let keys = self.key_frames as f64 / seconds.max(2.0);
        [
            (
                "camera to screen within 300 ms, median",
                format!("{:.0} ms", self.latency_p50_ms),
                self.pictures_seen > 0 && self.latency_p50_ms < LATENCY_MS,
            ),
            (
                "sound 100 ms late to 25 ms early, 99 %",
                format!("{:.1} %", self.sync_percent),
                self.sync_percent >= 99.0 && self.claps_ms.iter().all(|offset| SYNC.contains(offset)),
            ),
            (
                "of the pictures sent, unseen below 1 %",
                format!("{:.2} %", self.missing_percent),
                self.missing_percent < MISSING_PERCENT,
            ),
            (
                "a key frame in two seconds at most",
                format!("{} in {seconds} s", self.key_frames),
                keys <= KEYS_PER_SECOND,
            ),
        ]
    }
}

/// A call and what it went through.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Name of the network, and what it is like.
    pub network: String,
    /// See `network`.
    pub network_description: String,
    /// Seed of every random choice.
    pub seed: u64,
    /// Length of the call.
    pub seconds: f64,
    /// Size of the pictures, and how many a second.
    pub size: (usize, usize),
    /// See `size`.
    pub fps: u32,
    /// The call in a few numbers.
    pub summary: Summary,
    /// The call in steps.
    pub timeline: super::Timeline,
    /// What became of each picture.
    #[serde(skip)]
    pub fates: Vec<super::Fate>,
    /// Pictures as they were taken and as they were seen.
    #[serde(skip)]
    pub strip: Vec<(f64, String, Option<String>)>,
}

impl Report {
    /// The report of what was seen in this setup.
    #[must_use]
    pub fn of(setup: &super::Setup, seen: Seen) -> Self {
        Self {
            network: setup.network.name.clone(),
            network_description: setup.network.description.clone(),
            seed: setup.seed,
            seconds: setup.length.as_secs_f64(),
            size: setup.config.size,
            fps: setup.config.fps,
            summary: seen.summary,
            timeline: seen.timeline,
            fates: seen.fates,
            strip: seen.strip,
        }
    }
}

/// A row of the tables: its name, what it means, and how its value is read from a summary.
type Row = (&'static str, &'static str, fn(&Summary) -> String);

const ROWS: [Row; 10] = [
    ("Camera to screen", "median and 95th percentile; of it in the encoder, which looks ahead", |s| {
        format!("{:.0} / {:.0} ms; {:.0} ms", s.latency_p50_ms, s.latency_p95_ms, s.encoder_ms)
    }),
    ("Pictures", "taken; sent, as the rate allowed; seen", |s| {
        format!("{}; {}; {}", s.pictures_taken, s.pictures_sent, s.pictures_seen)
    }),
    (
        "Not seen; first seen",
        "of the pictures sent after 2 s: lost, or late enough to come with the next; when the first was",
        |s| format!("{:.2} %; {:.0} ms", s.missing_percent, s.first_ms),
    ),
    ("Freezes", "how often, and how long in all", |s| format!("{}; {:.0} ms", s.freezes, s.frozen_ms)),
    ("Sound early by", "1st percentile, median and 99th, by media time of what is seen and heard after 2 s", |s| {
        let [low, middle, high] = s.sync_ms;
        format!("{low:.0} / {middle:.0} / {high:.0} ms")
    }),
    ("The same of claps", "least and most, measured on decoded sound and pictures; how many", |s| {
        format!("{:.0} to {:.0} ms; {}", s.claps_ms[0], s.claps_ms[1], s.claps)
    }),
    ("Key frames", "sent; asked for", |s| format!("{}; {}", s.key_frames, s.key_frames_asked)),
    ("Likeness", "of the pictures seen to those taken, luma, mean", |s| format!("{:.1} dB", s.psnr_db)),
    ("Lost; made up", "packets that never arrived; sound made up to bridge gaps", |s| {
        format!("{:.1} %; {:.2} %", s.network_loss_percent, s.concealed_percent)
    }),
    ("Rate", "pictures and their repair; voice and its repair; RTCP", |s| {
        let [pictures, repair, voice, its, rtcp] = s.sent_kbps;
        format!("{pictures:.0} + {repair:.0}; {voice:.0} + {its:.0}; {rtcp:.0} kb/s")
    }),
];

/// The call as a table for a terminal.
#[must_use]
pub fn to_table(report: &Report) -> String {
    let mut table = format!(
        "{} s over {} ({}), seed {}: {} x {} at {} a second\n\n",
        report.seconds,
        report.network,
        report.network_description,
        report.seed,
        report.size.0,
        report.size.1,
        report.fps
    );
    // Writing to a String cannot fail, here and below.
    for (name, _, value) in ROWS {
        let _ = writeln!(table, "  {name:<20}{:>32}", value(&report.summary));
    }
    table.push('\n');
    for (name, value, met) in report.summary.targets(report.seconds) {
        let _ = writeln!(table, "  {:<42}{value:>14}  {}", name, if met { "met" } else { "MISSED" });
    }
    table
}

/// The value below which this part of the values lies; zero if there are none.
fn percentile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
    let index = ((sorted.len().saturating_sub(1)) as f64 * part).round() as usize;
    sorted.get(index).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_there_are() {
        let values = [5.0, 1.0, 3.0];
        assert_eq!([0.0, 0.5, 1.0].map(|part| percentile(&values, part)), [1.0, 3.0, 5.0]);
        assert!(percentile(&[], 0.5).abs() < f64::EPSILON);
    }

    #[test]
    fn a_call_without_pictures_holds_nothing() {
        let met = Summary::default().targets(5.0).map(|(_, _, met)| met);
        assert!(!met[0] && !met[1], "{met:?}");
    }
}
