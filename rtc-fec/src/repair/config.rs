use core::time::Duration;

use rtc_core::ConfigError;

use super::chain::MAX_GROUPS;

/// Settings of a [`RepairScheduler`](super::RepairScheduler).
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct RepairConfig {
    /// Fraction of groups that may miss their deadline, above 0 and below 1: frames of video, packets of voice. 0.01:
    /// concealment hides one frame of voice in a hundred.
    pub residual: f64,
    /// Groups of one deadline that a coded repair packet may span, 1 to 16. 16: for voice, where a packet is a group. 1 for
    /// video, whose frames have enough packets to share repair among themselves.
    pub pool: usize,
    /// What a coded repair packet costs, in copies. 1 counts packets, which is what a path and its headers see. More for small
    /// packets where bytes count and the code's short form does not fit: its full form is some 20 bytes longer than a copy.
    pub coded_cost: f64,
    /// Reserve before each deadline, for processing and pacing. 5 ms.
    pub margin: Duration,
    /// Packets not known to have arrived that are remembered, 16 to 4096. 512: half a second of video of 1000 packets a
    /// second.
    pub max_packets: usize,
    /// Repair packets saved up at most where there is a [budget](super::RepairScheduler::set_budget). 20: the end of a burst.
    pub burst: f64,
    /// What a missed deadline is taken to cost at first, in packets beyond those its repair takes; follows the residual
    /// later. 4.
    pub first_premium: f64,
    /// What a packet that [redundancy](super::RepairScheduler::on_redundant) in others covers is worth, of one it does not, 0 to 1.
    /// 0.2: deep redundancy of Opus has speech, if coarser, and no pauses.
    pub covered_worth: f64,
}

impl Default for RepairConfig {
    fn default() -> Self {
        Self {
            residual: 0.01,
            pool: MAX_GROUPS,
            coded_cost: 1.0,
            margin: Duration::from_millis(5),
            max_packets: 512,
            burst: 20.0,
            first_premium: 4.0,
            covered_worth: 0.2,
        }
    }
}

impl RepairConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if !(self.residual > 0.0 && self.residual < 1.0) {
            return Err(ConfigError::new("residual", "must be above 0 and below 1"));
        }
        if !(1..=MAX_GROUPS).contains(&self.pool) {
            return Err(ConfigError::new("pool", "must be 1 to 16"));
        }
        if !(self.coded_cost >= 0.5 && self.coded_cost.is_finite()) {
            return Err(ConfigError::new("coded_cost", "must be at least 0.5"));
        }
        if !(16..=4_096).contains(&self.max_packets) {
            return Err(ConfigError::new("max_packets", "must be 16 to 4096"));
        }
        if !(self.burst >= 1.0 && self.first_premium > 0.0 && self.first_premium.is_finite()) {
            return Err(ConfigError::new("burst", "must be at least 1, and first_premium above 0"));
        }
        if !(0.0..=1.0).contains(&self.covered_worth) {
            return Err(ConfigError::new("covered_worth", "must be 0 to 1"));
        }
        Ok(())
    }
}

/// What happened so far. `media = delivered + missed + forgotten` + those
/// [in doubt](super::RepairScheduler::in_doubt).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RepairStats {
    /// Packets of media.
    pub media: u64,
    /// Copies to be sent.
    pub copies: u64,
    /// Coded repair packets to be sent.
    pub coded: u64,
    /// Packets of media that are known to have arrived or to be recovered, in time as far as can be told.
    pub delivered: u64,
    /// Packets of media that did not, or too late.
    pub missed: u64,
    /// Packets of media given up because there were too many, or the sender began anew.
    pub forgotten: u64,
    /// Copies of what had arrived before.
    pub wasted: u64,
    /// Feedback about packets not known, and departures of what was not asked for.
    pub unknown: u64,
    /// Groups that were whole in time.
    pub groups_whole: u64,
    /// Groups that were not.
    pub groups_broken: u64,
    /// How many groups were expected not to be: the sum of their risks when their last chance was over.
    pub expected_broken: f64,
}
