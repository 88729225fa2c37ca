use core::time::Duration;

/// Counts of packets.
///
/// `packets_received` = `packets_played` + `packets_buffered` + `packets_duplicate` + `packets_late` + `packets_overflowed` +
/// `packets_foreign` + `packets_flushed` + `packets_skipped` + `packets_undecodable`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct JitterStats {
    /// Packets inserted, whatever became of them.
    pub packets_received: u64,
    /// Of those, packets brought back by retransmission or redundancy.
    pub packets_repaired: u64,
    /// Packets handed out or decoded.
    pub packets_played: u64,
    /// Packets waiting now.
    pub packets_buffered: u64,
    /// Packets of which a copy was here.
    pub packets_duplicate: u64,
    /// Packets that came when their place in the play-out had passed.
    pub packets_late: u64,
    /// Packets dropped because the buffer was full.
    pub packets_overflowed: u64,
    /// Packets of another stream.
    pub packets_foreign: u64,
    /// Packets dropped because another stream replaced theirs.
    pub packets_flushed: u64,
    /// Packets dropped to catch up with a backlog too long to be played faster.
    pub packets_skipped: u64,
    /// Packets the decoder rejected.
    pub packets_undecodable: u64,
    /// Packets that were not there when their time came; some come late, the rest were lost.
    pub packets_missing: u64,
    /// Times another stream (SSRC, or jump of its numbers) replaced the one being played.
    pub restarts: u64,
}

impl JitterStats {
    /// `packetsDiscarded` of W3C webrtc-stats: received, but too late, too early or in excess.
    #[must_use]
    pub const fn packets_discarded(&self) -> u64 {
        self.packets_late + self.packets_overflowed + self.packets_flushed + self.packets_skipped
    }
}

/// What was played, in samples per channel of the decoder's rate. The names are those of W3C webrtc-stats where it has one.
///
/// `total_samples_received` + `samples_buffered` = `samples_decoded` + `samples_redundant` + `concealed_samples` +
/// `samples_before_start` + `comfort_noise_samples` + `inserted_samples_for_deceleration` − `removed_samples_for_acceleration` − `samples_trimmed`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct PlayoutStats {
    /// The packets.
    pub packets: JitterStats,
    /// `totalSamplesReceived`: samples pulled, before they were resampled.
    pub total_samples_received: u64,
    /// Samples decoded from packets.
    pub samples_decoded: u64,
    /// Samples decoded from redundant copies inside other packets.
    pub samples_redundant: u64,
    /// Decoded samples that were cut because concealment had played their time already.
    pub samples_trimmed: u64,
    /// Samples decoded but not pulled yet.
    pub samples_buffered: u64,
    /// Samples of silence before the first packet's time came.
    pub samples_before_start: u64,
    /// Samples of comfort noise while the sender sent nothing (RFC 3389).
    pub comfort_noise_samples: u64,
    /// `concealedSamples`: samples made up for missing ones, `silent_concealed_samples` included.
    pub concealed_samples: u64,
    /// `silentConcealedSamples`: those of them that are silence, after concealment faded out.
    pub silent_concealed_samples: u64,
    /// `concealmentEvents`: times concealment began.
    pub concealment_events: u64,
    /// `insertedSamplesForDeceleration`: samples added to play slower.
    pub inserted_samples_for_deceleration: u64,
    /// `removedSamplesForAcceleration`: samples taken out to play faster.
    pub removed_samples_for_acceleration: u64,
    /// `jitterBufferDelay`: sum over emitted samples of the time from their packet's arrival until they were heard.
    pub jitter_buffer_delay: Duration,
    /// `jitterBufferTargetDelay`: sum over emitted samples of the target at the time.
    pub jitter_buffer_target_delay: Duration,
    /// `jitterBufferMinimumDelay`: the same of what the network alone needs, without [`set_min_delay`].
    ///
    /// [`set_min_delay`]: crate::AudioPlayout::set_min_delay
    pub jitter_buffer_minimum_delay: Duration,
    /// `jitterBufferEmittedCount`: samples the sums are over.
    pub jitter_buffer_emitted_count: u64,
    /// `interruptionCount`: times nothing but made-up audio was heard for 150 ms or more.
    pub interruption_count: u64,
    /// `totalInterruptionDuration`: how long all of them were together.
    pub total_interruption_duration: Duration,
    /// `totalSamplesDuration`: how long the audio pulled is.
    pub total_samples_duration: Duration,
    /// `totalAudioEnergy`: sum over the audio pulled of its mean square times its length in seconds.
    pub total_audio_energy: f64,
}

impl PlayoutStats {
    /// Mean time samples spent in the buffer; zero before the first.
    #[must_use]
    pub fn mean_delay(&self) -> Duration {
        per_sample(self.jitter_buffer_delay, self.jitter_buffer_emitted_count)
    }

    /// Mean of the target over the samples emitted; zero before the first.
    #[must_use]
    pub fn mean_target_delay(&self) -> Duration {
        per_sample(self.jitter_buffer_target_delay, self.jitter_buffer_emitted_count)
    }
}

fn per_sample(sum: Duration, samples: u64) -> Duration {
    let nanos = sum.as_nanos() / u128::from(samples.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
