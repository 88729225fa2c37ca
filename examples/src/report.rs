//! What a call was like: numbers for machines, a table for the terminal, a page for people.

use serde::Serialize;

mod html;
mod terminal;
mod verdict;

#[cfg(feature = "video")]
pub(crate) use html::STYLE;
pub use html::to_html;
pub use terminal::to_table;
pub use verdict::Verdict;

/// Seconds from one value of a [`Timeline`] to the next.
pub const STEP: f64 = 0.1;

/// Everything there is to say about a call. The same for the same seed, [`Cost`] apart.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Name of the network preset.
    pub network: String,
    /// The network in a sentence.
    pub network_description: String,
    /// Seed of every random choice.
    pub seed: u64,
    /// Length of the call.
    pub seconds: f64,
    /// Whether the media arrived, and how well.
    pub verdict: Verdict,
    /// From near to far, and from far to near.
    pub ways: [Way; 2],
    /// Wall-clock figures.
    pub cost: Cost,
}

/// One direction of a call.
#[derive(Debug, Clone, Serialize)]
pub struct Way {
    /// Who talks.
    pub talker: &'static str,
    /// Who listens.
    pub listener: &'static str,
    /// The whole call in a few numbers.
    pub summary: Summary,
    /// The call in steps of [`STEP`].
    pub timeline: Timeline,
}

/// One direction of a call in a few numbers. Rates in kb/s include all headers.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Summary {
    /// From sound reaching the microphone to the same sound leaving the loudspeaker: median. Zero if none did.
    pub mouth_to_ear_p50_ms: f64,
    /// 95th percentile.
    pub mouth_to_ear_p95_ms: f64,
    /// Longest.
    pub mouth_to_ear_max_ms: f64,
    /// Packets the network lost, percent.
    pub network_loss_percent: f64,
    /// Voice frames that were not decoded when their time came, after all recovery, percent: those that never came or came too
    /// late, and those that came and were discarded.
    pub residual_loss_percent: f64,
    /// The same of frames that are speech, percent of these: deep redundancy leaves pauses out.
    pub residual_speech_percent: f64,
    /// Voice frames that neither their packet, nor a copy, nor repair brought in time, percent: what is left to the redundancy
    /// inside the codec, and to concealment.
    pub unrepaired_percent: f64,
    /// The same as the sender's protection expected it.
    pub expected_unrepaired_percent: f64,
    /// Copies, retransmissions and repair packets, percent of the voice packets.
    pub repair_percent: f64,
    /// The same as the sender's protection expected it.
    pub expected_repair_percent: f64,
    /// Why the sender protected as it did, the most frequent first.
    pub protection: Vec<Protected>,
    /// Sound made up by concealment, percent of the time the talker's stream was playing.
    pub concealed_percent: f64,
    /// Times concealment set in.
    pub concealment_events: u64,
    /// Everything sent beyond the voice packets themselves, percent of them.
    pub overhead_percent: f64,
    /// Mean rate sent.
    pub sent_kbps: f64,
    /// Mean rate of voice within it.
    pub voice_kbps: f64,
    /// Voice frames sent.
    pub frames_sent: u64,
    /// Frames decoded from their own packet.
    pub frames_received: u64,
    /// Frames brought back from RED.
    pub frames_from_red: u64,
    /// Frames brought back from ULPFEC.
    pub frames_from_fec: u64,
    /// Frames brought back by retransmission.
    pub frames_from_rtx: u64,
    /// Frames brought back by coded repair over several.
    pub frames_from_coded: u64,
    /// Frames decoded from the low-rate copy (LBRR) that the next Opus packet holds of them.
    pub frames_from_inband_fec: u64,
    /// Frames decoded from the deep redundancy (DRED) of a later Opus packet.
    pub frames_from_dred: u64,
    /// Of all that came, frames the listener dropped: to catch up with a backlog, or because they could not be decoded.
    pub frames_discarded: u64,
    /// Packets given to the network.
    pub packets_sent: u64,
    /// Packets that came out of it, duplicates apart.
    pub packets_received: u64,
}

/// A reason for the protection there was.
#[derive(Debug, Clone, Serialize)]
pub struct Protected {
    /// In words.
    pub reason: String,
    /// Percent of the voice packets it was the reason for.
    pub percent: f64,
}

impl Summary {
    /// Frames that were played, from wherever they came.
    #[must_use]
    pub fn frames_played(&self) -> u64 {
        self.frames_received
            + self.frames_from_red
            + self.frames_from_fec
            + self.frames_from_rtx
            + self.frames_from_coded
            + self.frames_from_inband_fec
            + self.frames_from_dred
    }
}

/// One direction of a call in steps of [`STEP`]; `None` where there is nothing to measure.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Timeline {
    /// Mean from mouth to ear.
    pub mouth_to_ear_ms: Vec<Option<f64>>,
    /// What the jitter buffer holds.
    pub buffer_ms: Vec<Option<f64>>,
    /// What it aims at.
    pub buffer_target_ms: Vec<Option<f64>>,
    /// Packets lost by the network over the last second, percent.
    pub network_loss_percent: Vec<Option<f64>>,
    /// Frames lost after recovery over the last second, percent.
    pub residual_loss_percent: Vec<Option<f64>>,
    /// Frames the sender expected to be lost after repair over the last second, percent, before what the codec's own redundancy
    /// brings back.
    pub expected_unrepaired_percent: Vec<Option<f64>>,
    /// What the network could carry.
    pub capacity_kbps: Vec<Option<f64>>,
    /// What the sender believed it could.
    pub target_kbps: Vec<Option<f64>>,
    /// What was sent over the last second.
    pub sent_kbps: Vec<Option<f64>>,
    /// Milliseconds of sound made up within the step.
    pub concealed_ms: Vec<Option<f64>>,
    /// Loudness at the microphone.
    pub said_dbfs: Vec<Option<f64>>,
    /// Loudness at the loudspeaker, of the same moment of speech.
    pub heard_dbfs: Vec<Option<f64>>,
}

/// What the call cost this machine: the only figures that differ from run to run.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Cost {
    /// Wall-clock seconds for the whole simulation of both endpoints.
    pub wall_seconds: f64,
    /// Microseconds for 10 ms of one endpoint: encoding, recovery, play-out and all.
    pub micros_per_10_ms: f64,
    /// Seconds of call per second of simulation.
    pub real_time_factor: f64,
}

impl Cost {
    /// The cost of simulating `seconds` of a call between two endpoints in `wall_seconds`.
    #[must_use]
    pub fn of(seconds: f64, wall_seconds: f64) -> Self {
        let steps = 2.0 * seconds * 100.0;
        Self {
            wall_seconds,
            micros_per_10_ms: 1e6 * wall_seconds / steps.max(1.0),
            real_time_factor: seconds / wall_seconds.max(1e-9),
        }
    }
}
