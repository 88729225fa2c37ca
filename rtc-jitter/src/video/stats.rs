use core::time::Duration;

/// What became of packets and frames. The names are those of W3C webrtc-stats where it has one.
///
/// - `packets_received` = `packets_assembled` + `packets_buffered` + `packets_padding` + `packets_duplicate` + `packets_late` +
///   `packets_overflowed` + `packets_foreign` + `packets_malformed` + `packets_abandoned` + `packets_flushed`.
/// - `frames_assembled` = `frames_released` + `frames_buffered` + `frames_dropped` + `frames_overflowed` + `frames_flushed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct VideoStats {
    /// Packets inserted, whatever became of them.
    pub packets_received: u64,
    /// Of those, packets brought back by retransmission or redundancy.
    pub packets_repaired: u64,
    /// Packets whose frame became whole.
    pub packets_assembled: u64,
    /// Packets waiting for the rest of their frame.
    pub packets_buffered: u64,
    /// Packets without payload.
    pub packets_padding: u64,
    /// Packets of which a copy was here.
    pub packets_duplicate: u64,
    /// Packets that came when their place had passed.
    pub packets_late: u64,
    /// Packets dropped because the buffer was full.
    pub packets_overflowed: u64,
    /// Packets of another stream.
    pub packets_foreign: u64,
    /// Packets that are not of the codec.
    pub packets_malformed: u64,
    /// Packets of frames that never became whole.
    pub packets_abandoned: u64,
    /// Packets dropped because another stream replaced theirs.
    pub packets_flushed: u64,
    /// `framesReceived`: frames, or layers of one picture, of which all packets came.
    pub frames_assembled: u64,
    /// Frames handed out, or layers of them.
    pub frames_released: u64,
    /// Frames waiting for their time, or for frames they need.
    pub frames_buffered: u64,
    /// `framesDropped`: frames passed over, because what they need never came, their packets contradict each other, or they are of no
    /// decode target that is followed.
    pub frames_dropped: u64,
    /// Frames dropped because the buffer was full.
    pub frames_overflowed: u64,
    /// Frames dropped because another stream replaced theirs.
    pub frames_flushed: u64,
    /// `jitterBufferEmittedCount`: pictures handed out, of one or several layers.
    pub pictures_released: u64,
    /// Pictures handed out that decoding can start with.
    pub key_pictures_released: u64,
    /// Pictures handed out after their time.
    pub pictures_late: u64,
    /// `freezeCount`: times a picture is shown three times as long after the one before as the last 30 were on average, and 150 ms more
    /// than that.
    pub freeze_count: u64,
    /// `totalFreezesDuration`: how long these took, from picture to picture.
    pub total_freezes_duration: Duration,
    /// Times another stream (SSRC, or jump of its numbers) replaced the one being played.
    pub restarts: u64,
    /// Key frames asked for.
    pub key_frame_requests: u64,
    /// `jitterBufferDelay`: sum over pictures of the time from their first packet's arrival until they were handed out.
    pub jitter_buffer_delay: Duration,
    /// `jitterBufferTargetDelay`: sum over pictures of the target at the time.
    pub jitter_buffer_target_delay: Duration,
    /// `jitterBufferMinimumDelay`: the same, without delay that was asked for from outside.
    pub jitter_buffer_minimum_delay: Duration,
}
