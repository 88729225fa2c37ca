//! What to spend on loss recovery: a plan per moment, from what the path does and what the estimator allows.
//!
//! [`plan_voice`] and [`plan_video`] are pure functions of the path, the rate and the settings, so that a table of them can be
//! read; a [`Controller`] adds what must be remembered: that packets do not change their length too often, and what came of the
//! plans, of which whoever plans by other rules can keep an [`Account`] as well. In order of what is cheapest:
//!
//! 1. Nothing, where the residual is met without.
//! 2. [Repair driven by the sender](crate::repair), where a feedback round fits before the deadline: it costs what is lost.
//! 3. Deep redundancy and in-band FEC of Opus, whose bits are in the packet already: they are taken out of the voice's rate.
//! 4. RED copies or coded repair packets ahead of loss, whichever is less, where no round fits.
//! 5. Packets of half the length, where what goes inside them has too few before the deadline.
//!
//! Where the loss is congestion, nothing is added: media is cut first, and repair gets what random loss needs.

use core::time::Duration;

use rtc_core::time::Instant;
use rtc_core::{Bitrate, ConfigError};

use crate::loss::LossModel;

mod account;
mod plan;
#[cfg(test)]
mod tests;
mod video;
mod voice;

pub use account::{Account, Outcome};
pub use plan::{Conditions, CongestionMemory, Reason};
pub use video::{LayerPlan, VideoConfig, VideoPlan, plan_video};
pub use voice::{Dred, DredReach, VoiceConfig, VoicePlan, plan_voice};

/// Plans for voice, and keeps account of what comes of it.
#[derive(Debug, Clone)]
pub struct Controller {
    config: VoiceConfig,
    plan: VoicePlan,
    /// When packets became shorter.
    shortened: Option<Instant>,
    account: Account,
}

impl Controller {
    /// How long packets stay short after the last reason for it: each change costs the receiver a moment.
    const HOLD: Duration = Duration::from_secs(2);

    /// A controller that plans for the loss a path is assumed to have.
    ///
    /// # Errors
    /// [`ConfigError`] if a setting is out of its range.
    pub fn new(config: VoiceConfig) -> Result<Self, ConfigError> {
        config.check()?;
        let assumed = Conditions::new(LossModel::random(0.1, Duration::from_millis(100)), config.max_bitrate * 2.0);
        Ok(Self { plan: plan_voice(&assumed, &config), config, shortened: None, account: Account::default() })
    }

    /// The plan from now on.
    pub fn update(&mut self, now: Instant, conditions: &Conditions) -> VoicePlan {
        let mut plan = plan_voice(conditions, &self.config);
        if plan.packet_time < self.config.packet_time {
            self.shortened = Some(now);
        } else if self.shortened.is_some_and(|since| now < since + Self::HOLD) && conditions.has_room_for_short() {
            let mut config = self.config;
            config.packet_time = config.short_packet_time;
            plan = plan_voice(conditions, &config);
        }
        self.plan = plan;
        plan
    }

    /// Takes note of what came of the plan in force.
    pub fn on_outcome(&mut self, outcome: Outcome) {
        self.account.add(self.plan.expected_residual, self.plan.expected_overhead, outcome);
    }

    /// The plan in force.
    #[must_use]
    pub const fn plan(&self) -> VoicePlan {
        self.plan
    }

    /// What was expected, and what came.
    #[must_use]
    pub const fn account(&self) -> Account {
        self.account
    }
}

impl Conditions {
    /// Short packets double the headers: only where the rate is no question.
    fn has_room_for_short(&self) -> bool {
        !self.congested && self.rate >= Bitrate::from_kbps(100)
    }
}
