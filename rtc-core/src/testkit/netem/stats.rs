use crate::DataSize;

/// What became of everything sent: `sent + duplicated = delivered + lost() + in_flight`, at any moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct NetemStats {
    /// Packets given to [`Netem::send`](super::Netem::send).
    pub sent: u64,
    /// Their bytes, overhead not counted.
    pub sent_size: DataSize,
    /// Copies the path made.
    pub duplicated: u64,
    /// Packets handed out, copies included.
    pub delivered: u64,
    /// Their bytes, overhead not counted.
    pub delivered_size: DataSize,
    /// Packets marked with congestion experienced by this path.
    pub marked: u64,
    /// Packets on their way, copies included.
    pub in_flight: u64,
    /// Lost for being larger than the MTU.
    pub lost_mtu: u64,
    /// Lost in an outage.
    pub lost_outage: u64,
    /// Lost by chance.
    pub lost_random: u64,
    /// Lost as the trace says.
    pub lost_trace: u64,
    /// Lost to a policer.
    pub lost_policer: u64,
    /// Lost to a full queue.
    pub lost_queue: u64,
    /// Dropped from the queue by its management.
    pub lost_aqm: u64,
    /// Lost to the emulator's own limit.
    pub lost_overflow: u64,
}

impl NetemStats {
    /// All packets lost.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.lost_mtu
            + self.lost_outage
            + self.lost_random
            + self.lost_trace
            + self.lost_policer
            + self.lost_queue
            + self.lost_aqm
            + self.lost_overflow
    }
}
