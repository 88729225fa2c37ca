//! What the estimator tells about itself.

use core::time::Duration;

use rtc_core::Bitrate;

/// Counters since construction.
///
/// `packets_sent = packets_received + packets_lost + in flight + packets_expired`, and
/// `results = packets_received + packets_lost + recovered + duplicates + unknown`, where `recovered` packets were moved from
/// lost to received by a second result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Packets noted as sent.
    pub packets_sent: u64,
    /// Sent packets reported as received, now or after being reported lost.
    pub packets_received: u64,
    /// Sent packets reported as lost and not received since.
    pub packets_lost: u64,
    /// Sent packets forgotten without a result, because the history is bounded.
    pub packets_expired: u64,
    /// Packets noted as sent whose number was used before or is older than the history; ignored.
    pub packets_misnumbered: u64,
    /// Feedback messages taken.
    pub feedbacks: u64,
    /// Results in them.
    pub results: u64,
    /// Results that turned a lost packet into a received one.
    pub recovered: u64,
    /// Results that said nothing new; ignored.
    pub duplicates: u64,
    /// Results for packets never sent, sent otherwise than they claim, or forgotten; ignored.
    pub unknown: u64,
    /// Packets received with a congestion mark.
    pub congestion_marks: u64,
    /// Times the receiver's clock jumped and what was learned from it was dropped.
    pub clock_jumps: u64,
    /// Times feedback stayed out for longer than the timeout while packets were in flight.
    pub feedback_timeouts: u64,
    /// Times the rate was lowered on congestion.
    pub backoffs: u64,
    /// Times a longer path was told apart from a queue, and the base delay taken anew.
    pub rebases: u64,
    /// Probe clusters asked for.
    pub probes: u64,
    /// Probe clusters that raised the estimate.
    pub probes_adopted: u64,
}

/// What the rate is doing (draft-ietf-rmcat-gcc-02 §5.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum State {
    /// No congestion: looking for more.
    #[default]
    Increase,
    /// Waiting: for a drained queue to show, or for the application to use what it has.
    Hold,
    /// Congestion: below the capacity of the link until its queue is drained.
    Decrease,
    /// Others keep the queue full: a share of it as TCP would have.
    Compete,
}

/// What the delay gradient says (draft-ietf-rmcat-gcc-02 §5.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Usage {
    /// Delay is steady.
    #[default]
    Normal,
    /// Delay grows: a queue builds up.
    Over,
    /// Delay falls: a queue is being drained.
    Under,
}

/// Why the estimate last changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Reason {
    /// It has not.
    #[default]
    Start,
    /// The path showed no queue: multiplicative increase.
    Growth,
    /// Small steps that hold the queue at its target.
    Tracking,
    /// The delay gradient showed over-use.
    Overuse,
    /// The queue delay was above its limit.
    Queue,
    /// Packets came with congestion marks.
    Marks,
    /// Packets were lost without a queue, and stopped being lost at a lower rate.
    Loss,
    /// Packets are being lost without a queue: the rate is lowered once to see whether that helps.
    LossTest,
    /// Lowering the rate did not lower the loss, so it is random, and the rate was restored.
    RandomLoss,
    /// The queue is being drained, or drained.
    Drain,
    /// Lowering the rate did not lower the delay, so the path became longer, and the rate was restored.
    Rebase,
    /// A short dip to measure the delay of the empty path again.
    Refresh,
    /// Others fill the queue however little is sent: a share of the link is claimed, or no longer.
    Competition,
    /// A probe was delivered.
    Probe,
    /// Feedback stayed out.
    FeedbackTimeout,
    /// The application changed the limits or the route.
    Application,
}

/// What the loss of late is put down to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum LossKind {
    /// There is none.
    #[default]
    None,
    /// The path loses packets whatever the rate.
    Random,
    /// A full queue, or a limit on the rate.
    Congestion,
    /// It is being found out.
    Unknown,
}

/// What the estimator believes now.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The target: `availableOutgoingBitrate` of W3C webrtc-stats.
    pub target: Bitrate,
    /// What the delay would allow, before the limit from loss and the configured range.
    pub delay_limit: Bitrate,
    /// What loss would allow; `None` while it sets no limit.
    pub loss_limit: Option<Bitrate>,
    /// What the rate is doing.
    pub state: State,
    /// What the delay gradient says.
    pub usage: Usage,
    /// Why the estimate last changed.
    pub reason: Reason,
    /// Rate at which packets were delivered of late; `None` before there are enough.
    pub delivered: Option<Bitrate>,
    /// Capacity of the bottleneck as measured while it had a queue; `None` before it had one, and after more was delivered.
    pub link_capacity: Option<Bitrate>,
    /// Standing queue delay: the least of the last moments, above the base delay.
    pub queue_delay: Duration,
    /// The queue delay aimed at.
    pub queue_target: Duration,
    /// Clock drift between receiver and sender, in parts per million, as taken into account.
    pub drift_ppm: f32,
    /// Fraction of packets lost of late, for whatever reason.
    pub loss: f32,
    /// Fraction of packets lost at random, not by congestion.
    pub random_loss: f32,
    /// What that loss is put down to.
    pub loss_kind: LossKind,
    /// Mean share of packets that came with congestion marks.
    pub marked: f32,
    /// The application sends much less than it may, so that there is little to learn from.
    pub is_idle: bool,
    /// Time from sending a packet to the reaction on its feedback.
    pub response_time: Duration,
}
