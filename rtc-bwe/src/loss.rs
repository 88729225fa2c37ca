//! What loss means: congestion, or a path that loses at random.
//!
//! Loss with a queue is congestion, which the delay already answers. Loss without a queue is either random or the work of a
//! policer or a very short buffer, and what tells these apart is an experiment: lower the rate once to what was delivered. If
//! the loss goes away, the rate caused it and stays lowered; if it does not, it is random and the rate is restored.

use core::f64::consts::LN_2;
use core::time::Duration;

use rtc_core::time::Instant;

use crate::config::{LossConfig, LossModel};

mod likelihood;
mod rule;

use likelihood::Likelihood;
use rule::Rule;

/// An observation spans this much sending time...
const OBSERVATION: Duration = Duration::from_millis(250);
/// ... and has this many packets, or spans [`MAX_OBSERVATION`].
const OBSERVATION_PACKETS: u32 = 20;
const MAX_OBSERVATION: Duration = Duration::from_secs(2);
/// Observations averaged into the reported loss: five seconds where packets are dense.
const WINDOW: usize = 20;
/// Observations the decision to test, and its verdict, rest on: half a second.
const DECISION: usize = 2;
/// Standard deviations by which loss must exceed what is known to be random.
const SIGNIFICANCE: f64 = 2.5;
/// Share of the suspicious loss that must persist at the lower rate for it to be random.
const PERSISTENT: f64 = 0.25;
/// Runs of lost packets it takes to ask for a test: one or two are an accident.
const MIN_BURSTS: u32 = 4;
/// A test lowers the rate no further than to this.
const MAX_CUT: f64 = 0.5;
/// Nothing arriving for this long is an outage, which says nothing about random loss.
const OUTAGE: Duration = Duration::from_millis(300);
/// Weight of an unsuspicious observation in what is known to be random.
const INHERENT_GAIN: f64 = 0.1;
/// A limit doubles its hold time at most to this multiple.
const MAX_HOLD: u32 = 8;

/// What a new observation led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The rate is lowered to see whether that helps.
    Testing,
    /// It did: the limit stays.
    Congestion,
    /// It did not: the limit is gone.
    Random,
}

#[derive(Debug)]
pub(crate) struct Loss {
    config: LossConfig,
    /// Packets lost in a row since the last that arrived.
    run: Observation,
    open: Observation,
    closed: [Observation; WINDOW],
    next: usize,
    /// Loss known to be random, as a fraction.
    inherent: f64,
    phase: Phase,
    hold: u32,
    /// What takes the place of the experiment.
    other: Option<Other>,
}

/// Other models of loss.
#[derive(Debug)]
enum Other {
    Rule(Rule),
    Likelihood(Likelihood),
    Ignored,
}

/// Packets sent in a span of time.
#[derive(Debug, Clone, Copy, Default)]
struct Observation {
    span: Option<(Instant, Instant)>,
    packets: u32,
    lost: u32,
    /// Runs of lost packets.
    bursts: u32,
    /// Some of them met a queue: loss here is not taken for random.
    queued: bool,
    /// What they were sent at, in b/s; known when the observation is closed.
    rate: f64,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Loss is what it is known to be.
    Quiet,
    /// The rate was lowered; packets sent from `since` on show whether the loss of `before` persists, or only what is `policed`.
    Testing { limit: f64, before: f64, policed: f64, since: Instant, sample: Observation },
    /// Loss limits the rate.
    Limited { limit: f64, growth: f64, grown: Instant },
}

impl Loss {
    pub(crate) fn new(config: LossConfig) -> Self {
        Self {
            config,
            run: Observation::default(),
            open: Observation::default(),
            closed: [Observation::default(); WINDOW],
            next: 0,
            inherent: 0.0,
            phase: Phase::Quiet,
            hold: 1,
            other: match config.model {
                LossModel::Experiment => None,
                LossModel::Rule => Some(Other::Rule(Rule::default())),
                LossModel::Likelihood => Some(Other::Likelihood(Likelihood::new())),
                LossModel::Ignore => Some(Other::Ignored),
            },
        }
    }

    /// Takes the fate of a packet; `queued` if there is more queue than congestion control aims at.
    pub(crate) fn push(&mut self, sent: Instant, lost: bool, queued: bool) {
        if lost {
            self.run.add(sent, true, queued);
            return;
        }
        let run = core::mem::take(&mut self.run);
        if run.duration() < OUTAGE {
            self.commit(&run);
        }
        let mut arrived = Observation::default();
        arrived.add(sent, false, queued);
        self.commit(&arrived);
    }

    /// A packet taken for lost arrived.
    pub(crate) fn recover(&mut self) {
        let last = (self.next + WINDOW - 1) % WINDOW;
        for observation in [&mut self.open, &mut self.closed[last]] {
            if observation.lost > 0 {
                observation.lost -= 1;
                break;
            }
        }
        if let Phase::Testing { sample, .. } = &mut self.phase {
            sample.lost = sample.lost.saturating_sub(1);
        }
    }

    /// Draws conclusions; `rate` is what is being sent and `allowed` what the delay allows, in b/s.
    pub(crate) fn update(&mut self, now: Instant, rate: f64, allowed: f64) -> Option<Verdict> {
        if self.other.is_some() {
            return (self.close(rate) && self.update_other(now, rate, allowed)).then_some(Verdict::Congestion);
        }
        if let Phase::Testing { before, policed, sample, .. } = self.phase {
            self.close(rate);
            return self.judge(now, [before, policed], sample);
        }
        self.grow(now, allowed);
        if !self.close(rate) {
            return None;
        }
        let recent = self.recent(DECISION);
        if recent.queued || recent.packets < OBSERVATION_PACKETS {
            return None;
        }
        if recent.bursts < MIN_BURSTS {
            self.inherent += INHERENT_GAIN * (recent.fraction() - self.inherent);
            return None;
        }
        let loss = recent.fraction();
        let excess = loss - self.inherent;
        let deviation = (self.inherent.max(0.01) * recent.clumping() / f64::from(recent.packets)).sqrt();
        if excess > self.config.margin.max(SIGNIFICANCE * deviation) {
            let cut = if loss > self.config.max_random { MAX_CUT } else { (1.0 - excess).max(MAX_CUT) };
            // Cut no further, a policer still drops what is too much then.
            let still = if cut > MAX_CUT { 0.0 } else { 1.0 - (1.0 - loss) / cut };
            let policed = self.inherent.max(still);
            let sample = Observation::default();
            self.phase = Phase::Testing { limit: rate * cut, before: loss, policed, since: now, sample };
            return Some(Verdict::Testing);
        }
        self.inherent += INHERENT_GAIN * (loss - self.inherent);
        None
    }

    /// What loss allows, in b/s.
    pub(crate) const fn limit(&self) -> Option<f64> {
        match &self.other {
            Some(Other::Rule(rule)) => return rule.limit(),
            Some(Other::Likelihood(model)) => return model.limit(),
            Some(Other::Ignored) | None => {}
        }
        match self.phase {
            Phase::Quiet => None,
            Phase::Testing { limit, .. } | Phase::Limited { limit, .. } => Some(limit),
        }
    }

    /// Whether the rate is lowered only to see if that helps.
    pub(crate) const fn is_testing(&self) -> bool {
        matches!(self.phase, Phase::Testing { .. })
    }

    /// Fraction of packets lost of late.
    pub(crate) fn fraction(&self) -> f64 {
        self.recent(WINDOW).fraction()
    }

    /// Fraction of packets lost of late without a queue.
    pub(crate) fn random(&self) -> f64 {
        let mut sum = Observation::default();
        for observation in self.closed.iter().filter(|one| !one.queued) {
            sum.merge(observation);
        }
        sum.fraction()
    }

    fn commit(&mut self, packets: &Observation) {
        self.open.merge(packets);
        if let Phase::Testing { since, sample, .. } = &mut self.phase
            && packets.span.is_some_and(|(first, _)| first >= *since)
        {
            sample.merge(packets);
        }
    }

    /// Whether another model than the experiment lowered its limit.
    fn update_other(&mut self, now: Instant, rate: f64, allowed: f64) -> bool {
        let loss = self.recent(DECISION).fraction();
        let newest_first = (1..=WINDOW).map(|back| &self.closed[(self.next + WINDOW - back) % WINDOW]);
        match &mut self.other {
            Some(Other::Rule(rule)) => rule.update(now, loss, rate, allowed),
            Some(Other::Likelihood(model)) => model.update(&newest_first.filter(|one| one.packets > 0), allowed),
            Some(Other::Ignored) | None => false,
        }
    }

    fn judge(&mut self, now: Instant, [before, policed]: [f64; 2], sample: Observation) -> Option<Verdict> {
        let span = sample.duration();
        let packets = f64::from(2 * OBSERVATION_PACKETS) * sample.clumping();
        let enough = f64::from(sample.packets) >= packets && span >= 2 * OBSERVATION;
        if !enough && span < MAX_OBSERVATION {
            return None;
        }
        let loss = sample.fraction();
        let limit = self.limit()?;
        let persists = loss - policed > (PERSISTENT * (before - policed)).max(self.config.margin);
        if persists && loss <= self.config.max_random {
            self.inherent = loss;
            self.hold = 1;
            self.phase = Phase::Quiet;
            return Some(Verdict::Random);
        }
        let hold_until = now + self.config.hold * self.hold;
        self.hold = (2 * self.hold).min(MAX_HOLD);
        self.phase = Phase::Limited { limit, growth: self.config.growth - 1.0, grown: hold_until };
        Some(Verdict::Congestion)
    }

    /// A limit that was kept long enough grows, the faster the longer nothing is lost by it, and ends when it limits no more.
    fn grow(&mut self, now: Instant, allowed: f64) {
        let Phase::Limited { limit, growth, grown } = &mut self.phase else { return };
        if now <= *grown {
            return;
        }
        let elapsed = (now - *grown).as_secs_f64().min(1.0);
        *grown = now;
        *limit *= 1.0 + *growth * elapsed;
        *growth = (*growth * (1.0 + LN_2 * elapsed)).min(1.0);
        if *limit > allowed {
            self.phase = Phase::Quiet;
            self.hold = 1;
        }
    }

    /// Closes the open observation if it is complete.
    fn close(&mut self, rate: f64) -> bool {
        let span = self.open.duration();
        let full = span >= OBSERVATION && self.open.packets >= OBSERVATION_PACKETS;
        let complete = full || span >= MAX_OBSERVATION;
        if complete {
            self.open.rate = if rate.is_finite() { rate } else { 0.0 };
            self.closed[self.next] = core::mem::take(&mut self.open);
            self.next = (self.next + 1) % WINDOW;
        }
        complete
    }

    fn recent(&self, count: usize) -> Observation {
        let mut sum = Observation::default();
        for back in 1..=count.min(WINDOW) {
            sum.merge(&self.closed[(self.next + WINDOW - back) % WINDOW]);
        }
        sum
    }
}

impl Observation {
    fn add(&mut self, sent: Instant, lost: bool, queued: bool) {
        let (first, last) = self.span.unwrap_or((sent, sent));
        self.span = Some((first.min(sent), last.max(sent)));
        self.packets = self.packets.saturating_add(1);
        self.lost = self.lost.saturating_add(u32::from(lost));
        self.queued |= queued;
    }

    fn merge(&mut self, other: &Self) {
        self.span = match (self.span, other.span) {
            (Some((first, last)), Some((other_first, other_last))) => {
                Some((first.min(other_first), last.max(other_last)))
            }
            (span, None) | (None, span) => span,
        };
        self.bursts = self.bursts.saturating_add(u32::from(other.lost > 0).max(other.bursts));
        self.packets = self.packets.saturating_add(other.packets);
        self.lost = self.lost.saturating_add(other.lost);
        self.queued |= other.queued;
    }

    fn duration(&self) -> Duration {
        self.span.map_or(Duration::ZERO, |(first, last)| last - first)
    }

    fn fraction(&self) -> f64 {
        f64::from(self.lost) / f64::from(self.packets.max(1))
    }

    /// By how much the variance of the loss exceeds that of independent losses, if runs of them are geometric.
    fn clumping(&self) -> f64 {
        (2.0 * f64::from(self.lost) / f64::from(self.bursts.max(1)) - 1.0).max(1.0)
    }
}

#[cfg(test)]
mod tests;
