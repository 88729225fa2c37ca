//! Coupled congestion control of several flows from one sender over one bottleneck (RFC 8699).
//!
//! Flows that share a bottleneck compete with each other for no good: the group learns each flow's rate, and hands the sum out
//! by priority.

use core::time::Duration;

use rtc_core::time::Instant;
use rtc_core::{Bitrate, ConfigError};

use crate::check::{MAX_RATE, check};
use crate::share::{Part, divide};

/// Name of a flow, the caller's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlowId(pub u32);

/// Settings of [`FlowGroup`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlowGroupConfig {
    /// One flow's decrease lowers the others in proportion, and nothing changes for two of its round trips then (RFC 8699
    /// §5.3.2). Default true: one packet of the group is lost where each flow would have lost its own, so the queue drains as
    /// quickly as without the group. False for §5.3.1, where the group loses what the flow lost.
    pub conservative: bool,
    /// Flows at most. Default 64.
    pub flows: usize,
}

impl Default for FlowGroupConfig {
    fn default() -> Self {
        Self { conservative: true, flows: 64 }
    }
}

/// The flow state exchange of one flow group: active, conservative or not (RFC 8699 §5.3).
///
/// A flow tells each new rate of its congestion control ([`update`](Self::update)); all flows take the rates they have then
/// ([`rates`](Self::rates)) back into theirs: [`Nada::set_rate`](crate::Nada::set_rate), or
/// [`PathEvent::RemoteLimit`](rtc_core::bwe::PathEvent::RemoteLimit) for estimators that cannot be told a rate.
///
/// ```
/// use core::time::Duration;
/// use rtc_bwe::{FlowGroup, FlowGroupConfig, FlowId};
/// use rtc_core::Bitrate;
/// use rtc_core::time::Instant;
///
/// let mut group = FlowGroup::new(FlowGroupConfig::default())?;
/// group.join(FlowId(1), Bitrate::from_kbps(500), 1)?;
/// group.join(FlowId(2), Bitrate::from_kbps(500), 3)?;
/// let (now, rtt) = (Instant::from_millis(100), Duration::from_millis(50));
/// group.update(now, FlowId(1), Bitrate::from_kbps(700), rtt);
/// assert_eq!(group.total(), Bitrate::from_kbps(1_200));
/// assert_eq!(group.rate(FlowId(1)), Some(Bitrate::from_kbps(300)));
/// assert_eq!(group.rate(FlowId(2)), Some(Bitrate::from_kbps(900)));
/// # Ok::<(), rtc_core::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct FlowGroup {
    config: FlowGroupConfig,
    flows: Vec<Flow>,
    parts: Vec<Part>,
    /// The sum of the calculated rates, `S_CR`, in b/s.
    total: u64,
    /// Until when rates stay as they are after a decrease.
    quiet_until: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Flow {
    id: FlowId,
    /// `P(f)`.
    priority: u32,
    /// `DR(f)`.
    desired: u64,
    /// `FSE_R(f)`.
    rate: u64,
}

impl FlowGroup {
    /// A group without flows.
    ///
    /// # Errors
    /// [`ConfigError`] for settings out of their range.
    pub fn new(config: FlowGroupConfig) -> Result<Self, ConfigError> {
        check((1..=65_536).contains(&config.flows), "flows", "must be 1 to 65536")?;
        let (flows, parts) = (Vec::with_capacity(config.flows), Vec::with_capacity(config.flows));
        Ok(Self { config, flows, parts, total: 0, quiet_until: None })
    }

    /// Adds a flow with the rate it starts at, and desires as much as it may have. The rates of the others stay until the next
    /// update.
    ///
    /// # Errors
    /// [`ConfigError`] if it is there already, there are too many flows, the priority is zero or the rate above 1 Tb/s.
    pub fn join(&mut self, id: FlowId, rate: Bitrate, priority: u32) -> Result<(), ConfigError> {
        check(self.place(id).is_none(), "id", "is in the group already")?;
        check(self.flows.len() < self.config.flows, "flows", "are as many already")?;
        check(priority > 0, "priority", "must not be zero")?;
        check(rate <= MAX_RATE, "rate", "must not be above 1 Tb/s")?;
        let rate = rate.as_bps();
        self.flows.push(Flow { id, priority, desired: MAX_RATE.as_bps(), rate });
        self.total = self.total.saturating_add(rate);
        Ok(())
    }

    /// Removes a flow that stopped or pauses; says whether it was there. What it had goes to the others with the next update,
    /// as long as there is one.
    pub fn leave(&mut self, id: FlowId) -> bool {
        let before = self.flows.len();
        self.flows.retain(|flow| flow.id != id);
        if self.flows.is_empty() {
            self.total = 0;
        }
        self.flows.len() < before
    }

    /// Sets how much a flow can use, `DR(f)`; says whether it is there. Applies from the next update on.
    pub fn set_desired(&mut self, id: FlowId, desired: Bitrate) -> bool {
        let Some(place) = self.place(id) else { return false };
        self.flows[place].desired = desired.min(MAX_RATE).as_bps();
        true
    }

    /// Takes the rate a flow's congestion control came to, starting from the rate the flow has here, and its round-trip time;
    /// gives all flows new rates. Says whether it did: not if the flow is unknown, or soon after a decrease.
    pub fn update(&mut self, now: Instant, id: FlowId, rate: Bitrate, rtt: Duration) -> bool {
        let Some(place) = self.place(id) else { return false };
        if self.config.conservative && self.quiet_until.is_some_and(|until| now < until) {
            return false;
        }
        self.quiet_until = None;
        let (before, rate) = (self.flows[place].rate, rate.min(MAX_RATE).as_bps());
        if rate < before && self.config.conservative {
            let total = u128::from(self.total) * u128::from(rate) / u128::from(before);
            self.total = u64::try_from(total).unwrap_or(self.total);
            self.quiet_until = Some(now + 2 * rtt.min(Duration::from_secs(60)));
        } else {
            let grown = (self.total + rate).saturating_sub(before);
            // A sum beyond what all desire is never tried: it grows no further.
            let desired = self.flows.iter().map(|flow| flow.desired).sum::<u64>();
            self.total = grown.min(desired.max(self.total));
        }
        self.distribute();
        true
    }

    /// The sum of all rates, `S_CR`; more than the flows have if they desire less.
    #[must_use]
    pub const fn total(&self) -> Bitrate {
        Bitrate::from_bps(self.total)
    }

    /// The rate of a flow, `FSE_R(f)`; `None` if it is not there.
    #[must_use]
    pub fn rate(&self, id: FlowId) -> Option<Bitrate> {
        self.place(id).map(|place| Bitrate::from_bps(self.flows[place].rate))
    }

    /// All flows with their rates.
    pub fn rates(&self) -> impl Iterator<Item = (FlowId, Bitrate)> {
        self.flows.iter().map(|flow| (flow.id, Bitrate::from_bps(flow.rate)))
    }

    fn place(&self, id: FlowId) -> Option<usize> {
        self.flows.iter().position(|flow| flow.id == id)
    }

    /// Gives each its priority's share, or what it desires if that is less; what those leave goes to the others.
    fn distribute(&mut self) {
        self.parts.clear();
        let part = |flow: &Flow| Part { limit: flow.desired, weight: flow.priority, share: 0 };
        self.parts.extend(self.flows.iter().map(part));
        divide(&mut self.parts, self.total);
        self.flows.iter_mut().zip(&self.parts).for_each(|(flow, part)| flow.rate = part.share);
    }
}

#[cfg(test)]
mod tests;
