use super::management::Policer;
use crate::DataSize;
use crate::testkit::trace::work;
use crate::time::Instant;

/// A token bucket that drops what it has no tokens for, in the unit of [`work`], in which rate × time is exact.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    policer: Policer,
    tokens: u128,
    filled: Instant,
}

impl Bucket {
    pub(super) fn new(policer: Policer) -> Self {
        Self { policer, tokens: work(policer.burst), filled: Instant::ZERO }
    }

    /// Whether a packet of this size passes at `now`; if it does, its tokens are gone.
    pub(super) fn takes(&mut self, now: Instant, size: DataSize) -> bool {
        let elapsed = now.saturating_since(self.filled).as_nanos();
        let earned = elapsed.saturating_mul(self.policer.rate.as_bps().into());
        self.tokens = self.tokens.saturating_add(earned).min(work(self.policer.burst));
        self.filled = self.filled.max(now);
        let Some(left) = self.tokens.checked_sub(work(size)) else { return false };
        self.tokens = left;
        true
    }
}
