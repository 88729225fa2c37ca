use core::time::Duration;

use rtc_core::{Bitrate, ConfigError};

use crate::check::{check, fraction, history_holds, positive, range_holds};

/// Settings of [`Nada`](crate::Nada). Names in brackets are those of the parameters of RFC 8698 §4.1, whose values are the
/// defaults unless something else is said.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct NadaConfig {
    /// The target never falls below this (`RMIN`). Default 16 kb/s, as for [`GccConfig`](crate::GccConfig), not 150 kb/s:
    /// audio alone needs less.
    pub min: Bitrate,
    /// The target before the first feedback. Default 300 kb/s.
    pub start: Bitrate,
    /// The target never rises above this (`RMAX`, for its limit). Default 20 Mb/s, not 1.5 Mb/s: more than one video stream
    /// of a call needs.
    pub max: Bitrate,
    /// The rate at which a flow of weight 1 accepts a congestion of `x_ref` (`RMAX`, in equation 5). Default 1.5 Mb/s. The
    /// RFC has one `RMAX` for both; with a `max` of 20 Mb/s it would accept a queue of 200 ms at 1 Mb/s.
    pub reference_rate: Bitrate,
    /// Weight among flows that share a bottleneck (`PRIO`). Default 1.
    pub priority: f64,
    /// Congestion accepted at the reference rate (`XREF`). Default 10 ms.
    pub x_ref: Duration,
    /// Gain of the gradual update (`KAPPA`). Default 0.5.
    pub kappa: f64,
    /// Weight of the change of congestion in it (`ETA`). Default 2.
    pub eta: f64,
    /// Upper bound of the round-trip time it is stable for (`TAU`). Default 500 ms.
    pub tau: Duration,
    /// The feedback interval the loss filter is made for (`DELTA`). Default 100 ms.
    pub delta: Duration,
    /// What is looked back on for loss, marks, rate and queue (`LOGWIN`). Default 500 ms.
    pub window: Duration,
    /// A queue below this all over the window is none (`QEPS`). Default 10 ms.
    pub queue_epsilon: Duration,
    /// Delay of filters (`DFILT`). Default 120 ms.
    pub filter_delay: Duration,
    /// Largest increase of one step of the ramp (`GAMMA_MAX`). Default 0.5.
    pub gamma_max: f64,
    /// The queue the ramp may cause (`QBOUND`). Default 50 ms.
    pub queue_bound: Duration,
    /// A queue above this counts for less while there is loss (`QTH`), so that flows that fill queues are competed with.
    /// Default 50 ms.
    pub queue_threshold: Duration,
    /// How much less (`LAMBDA`). Default 0.5.
    pub lambda: f64,
    /// Loss counts as recent for this many mean intervals between losses (`MULTILOSS`). Default 7.
    pub loss_memory: f64,
    /// Loss that costs `loss_penalty` (`PLRREF`). Default 0.01.
    pub loss_reference: f64,
    /// Delay that a loss of `loss_reference` stands for (`DLOSS`). Default 10 ms.
    pub loss_penalty: Duration,
    /// Share of marked packets that costs `mark_penalty` (`PMRREF`). Default 0.01.
    pub mark_reference: f64,
    /// Delay that this share of marks stands for (`DMARK`). Default 2 ms.
    pub mark_penalty: Duration,
    /// Weight of a new observation in loss and marks (§5.1.2). Default 0.1.
    pub alpha: f64,
    /// The congestion signal counts no higher than this. Default 500 ms, not of the RFC: loss of a third would stand for 10 s.
    pub x_max: Duration,
    /// The rate grows no further than this multiple of what is delivered. Default 1.5, not of the RFC, which leaves what an
    /// application does not use to the encoder: a rate never tried is no rate.
    pub headroom: f64,
    /// Rate of bursts over the target. Default 1.1.
    pub pacing_factor: f64,
    /// Time the least delay is taken over. Default 10 min, as in RFC 6817 §2.5: the queue this algorithm keeps must not become
    /// part of it.
    pub base_window: Duration,
    /// Packets remembered until their result comes. Default 2048.
    pub history: usize,
    /// Time without feedback, with packets in flight, after which the rate is lowered; again after each half of it.
    /// Default 1 s.
    pub feedback_timeout: Duration,
    /// The factor on the rate then. Default 0.7.
    pub timeout_factor: f64,
}

impl Default for NadaConfig {
    fn default() -> Self {
        Self {
            min: Bitrate::from_kbps(16),
            start: Bitrate::from_kbps(300),
            max: Bitrate::from_kbps(20_000),
            reference_rate: Bitrate::from_kbps(1_500),
            priority: 1.0,
            x_ref: Duration::from_millis(10),
            kappa: 0.5,
            eta: 2.0,
            tau: Duration::from_millis(500),
            delta: Duration::from_millis(100),
            window: Duration::from_millis(500),
            queue_epsilon: Duration::from_millis(10),
            filter_delay: Duration::from_millis(120),
            gamma_max: 0.5,
            queue_bound: Duration::from_millis(50),
            queue_threshold: Duration::from_millis(50),
            lambda: 0.5,
            loss_memory: 7.0,
            loss_reference: 0.01,
            loss_penalty: Duration::from_millis(10),
            mark_reference: 0.01,
            mark_penalty: Duration::from_millis(2),
            alpha: 0.1,
            x_max: Duration::from_millis(500),
            headroom: 1.5,
            pacing_factor: 1.1,
            base_window: Duration::from_secs(600),
            history: 2048,
            feedback_timeout: Duration::from_secs(1),
            timeout_factor: 0.7,
        }
    }
}

impl NadaConfig {
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        range_holds(self.min, self.start, self.max)?;
        check(self.reference_rate > Bitrate::ZERO, "reference_rate", "must not be zero")?;
        check(positive(self.priority), "priority", "must be above 0")?;
        for (name, gain) in [("kappa", self.kappa), ("eta", self.eta), ("lambda", self.lambda)] {
            check(positive(gain) && gain <= 100.0, name, "must be above 0, and at most 100")?;
        }
        let times = [
            ("x_ref", self.x_ref),
            ("tau", self.tau),
            ("delta", self.delta),
            ("window", self.window),
            ("queue_epsilon", self.queue_epsilon),
            ("filter_delay", self.filter_delay),
            ("queue_bound", self.queue_bound),
            ("queue_threshold", self.queue_threshold),
            ("loss_penalty", self.loss_penalty),
            ("mark_penalty", self.mark_penalty),
            ("x_max", self.x_max),
        ];
        for (name, time) in times {
            check((1..=10_000_000).contains(&time.as_micros()), name, "must be 1 us to 10 s")?;
        }
        check((0.0..=10.0).contains(&self.gamma_max), "gamma_max", "must be 0 to 10")?;
        check((1.0..=1e6).contains(&self.loss_memory), "loss_memory", "must be 1 to 1e6")?;
        check(fraction(self.loss_reference) && self.loss_reference > 0.0, "loss_reference", "must be above 0, to 1")?;
        check(fraction(self.mark_reference) && self.mark_reference > 0.0, "mark_reference", "must be above 0, to 1")?;
        check(fraction(self.alpha), "alpha", "must be 0 to 1")?;
        check((1.0..=100.0).contains(&self.headroom), "headroom", "must be 1 to 100")?;
        check((1.0..=10.0).contains(&self.pacing_factor), "pacing_factor", "must be 1 to 10")?;
        history_holds(self.history, self.feedback_timeout, self.timeout_factor, self.base_window)
    }
}
