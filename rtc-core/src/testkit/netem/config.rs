use alloc::vec::Vec;
use core::time::Duration;

use super::management::{CoDelConfig, DualPi2Config, Policer};
use crate::testkit::trace::{DelayTrace, DeliveryTrace, RateSchedule};
use crate::time::Instant;
use crate::{Bitrate, ConfigError, DataSize};

/// How one direction of a path behaves. The default is a perfect one: nothing lost, no delay, no limit.
///
/// ```
/// use core::time::Duration;
/// use rtc_core::Bitrate;
/// use rtc_core::testkit::netem::{Jitter, Link, Loss, NetemConfig};
///
/// let mut config = NetemConfig::default();
/// config.loss = Loss::bursts(0.02, 4.0)?;
/// config.link = Link::Rate(Bitrate::from_kbps(1_000));
/// config.delay = Duration::from_millis(50);
/// config.jitter = Jitter::Exponential { mean: Duration::from_millis(10) };
/// # Ok::<(), rtc_core::ConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct NetemConfig {
    /// The moment outages, spikes, rates and opportunities are counted from. Default: [`Instant::ZERO`], where runs in virtual
    /// time begin.
    pub origin: Instant,
    /// The largest packet that passes, `overhead` included. Default: none, so that a test says so when it is about sizes.
    pub mtu: Option<DataSize>,
    /// When nothing sent arrives. Default: never.
    pub outages: Vec<Outage>,
    /// Loss by chance, before the queue. Default: none.
    pub loss: Loss,
    /// What became of each packet on a recorded path, in order of sending: added to everything else. Default: none.
    pub trace: Option<DelayTrace>,
    /// What drops packets above a rate, before the queue. Default: none.
    pub policer: Option<Policer>,
    /// What carries the packets. Default: no limit.
    pub link: Link,
    /// How much waits for the link before the newest is dropped. Default: 300 ms, the reference of RFC 8867.
    pub queue: QueueLimit,
    /// Controlled-delay drops and marks. Default: none, a drop-tail queue.
    pub codel: Option<CoDelConfig>,
    /// Two coupled queues, one of them for L4S; takes the place of `codel`. Default: none.
    pub dualpi2: Option<DualPi2Config>,
    /// ECN-capable packets that waited longer than this are marked, as with the step of an L4S queue (RFC 9332).
    /// Default: never.
    pub mark_above: Option<Duration>,
    /// What each packet costs on the link beside the size given with it. Default: 28 bytes, IPv4 and UDP; zero for callers whose
    /// sizes hold the headers already.
    pub overhead: DataSize,
    /// One-way delay of propagation. Default: zero.
    pub delay: Duration,
    /// What varies the delay of each packet by itself. Default: none.
    pub jitter: Jitter,
    /// What holds all packets back for a while. Default: none.
    pub spikes: Option<Spikes>,
    /// Whether a packet may overtake another through `jitter` or `trace`; otherwise none arrives before the one sent before it.
    /// Default: false, as on one path with one queue.
    pub reordering: bool,
    /// Probability that a packet arrives twice; the copy has a jitter of its own. Default: zero.
    pub duplication: f64,
    /// How many packets are held at most, waiting and travelling; copies come on top. Default: 100 000, which no realistic
    /// path reaches but a test that never polls does.
    pub limit: usize,
}

impl Default for NetemConfig {
    fn default() -> Self {
        Self {
            origin: Instant::ZERO,
            mtu: None,
            outages: Vec::new(),
            loss: Loss::None,
            trace: None,
            policer: None,
            link: Link::Unlimited,
            queue: QueueLimit::Time(Duration::from_millis(300)),
            codel: None,
            dualpi2: None,
            mark_above: None,
            overhead: DataSize::from_bytes(28),
            delay: Duration::ZERO,
            jitter: Jitter::None,
            spikes: None,
            reordering: false,
            duplication: 0.0,
            limit: 100_000,
        }
    }
}

impl NetemConfig {
    /// The wired bottleneck of RFC 8867: 50 ms one way, a drop-tail queue of 300 ms.
    #[must_use]
    pub fn wired(rate: Bitrate) -> Self {
        Self { link: Link::Rate(rate), delay: Duration::from_millis(50), ..Self::default() }
    }

    /// A home network: a link of `rate` that stalls for 160 ms each 10 s, 15 ms one way, a few milliseconds of jitter, 0.5 %
    /// lost in bursts of two.
    ///
    /// # Errors
    ///
    /// If `rate` is zero.
    pub fn wifi(rate: Bitrate) -> Result<Self, ConfigError> {
        let schedule = RateSchedule::wifi_stalls(rate, Duration::from_secs(10), Duration::from_millis(160))?;
        Ok(Self {
            loss: Loss::bursts(0.005, 2.0)?,
            link: Link::Schedule(schedule),
            delay: Duration::from_millis(15),
            jitter: Jitter::Exponential { mean: Duration::from_millis(3) },
            ..Self::default()
        })
    }

    /// A cellular network from a moving car: ten minutes of [`RateSchedule::lte_drive`] around `median`, 40 ms one way, a queue
    /// of a second as base stations have. Its `seed` is that of the road, not of the packets.
    ///
    /// # Errors
    ///
    /// If `median` is zero.
    pub fn lte_drive(seed: u64, median: Bitrate) -> Result<Self, ConfigError> {
        Ok(Self {
            link: Link::Schedule(RateSchedule::lte_drive(seed, median, Duration::from_secs(600))?),
            queue: QueueLimit::Time(Duration::from_secs(1)),
            delay: Duration::from_millis(40),
            jitter: Jitter::Uniform { max: Duration::from_millis(8) },
            ..Self::default()
        })
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        self.loss.validate()?;
        self.jitter.validate()?;
        probability("duplication", self.duplication)?;
        if self.limit == 0 {
            return Err(ConfigError::new("limit", "must not be zero"));
        }
        if let Some(spikes) = self.spikes {
            spikes.validate()?;
        }
        if let Some(codel) = self.codel {
            codel.validate()?;
        }
        if let Some(dualpi2) = self.dualpi2 {
            dualpi2.validate()?;
        }
        if self.codel.is_some() && self.dualpi2.is_some() {
            return Err(ConfigError::new("dualpi2", "takes the place of codel"));
        }
        if self.policer.is_some_and(|policer| policer.rate == Bitrate::ZERO) {
            return Err(ConfigError::new("policer", "must not have a rate of zero"));
        }
        Ok(())
    }
}

/// Loss by chance.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum Loss {
    /// None.
    #[default]
    None,
    /// Each packet by itself, with this probability.
    Bernoulli(f64),
    /// Two states with a loss probability each (Gilbert 1960, Elliott 1963); the state may change before each packet. The first
    /// state is drawn by the share of time the chain spends in it.
    GilbertElliott {
        /// Probability to turn bad before a packet.
        p_good_to_bad: f64,
        /// Probability to turn good before a packet.
        p_bad_to_good: f64,
        /// Probability to lose a packet in the good state.
        loss_good: f64,
        /// Probability to lose a packet in the bad state.
        loss_bad: f64,
    },
}

impl Loss {
    /// Gilbert's model: a fraction `mean` of packets is lost, in runs of `burst` packets on average.
    ///
    /// All is lost in the bad state and nothing in the good, so runs are geometric with mean 1 / `p_bad_to_good`, and the share
    /// of the bad state is the loss.
    ///
    /// # Errors
    ///
    /// If `mean` is not in [0, 1), `burst` is below 1, or no chain has both: `mean` must be at most `burst` / (`burst` + 1).
    pub fn bursts(mean: f64, burst: f64) -> Result<Self, ConfigError> {
        if !(0.0..1.0).contains(&mean) {
            return Err(ConfigError::new("mean", "must be in 0..1"));
        }
        if !(1.0..f64::INFINITY).contains(&burst) {
            return Err(ConfigError::new("burst", "must be at least one packet"));
        }
        let p_bad_to_good = 1.0 / burst;
        let p_good_to_bad = p_bad_to_good * mean / (1.0 - mean);
        if p_good_to_bad > 1.0 {
            return Err(ConfigError::new("burst", "is too short for so much loss"));
        }
        Ok(Self::GilbertElliott { p_good_to_bad, p_bad_to_good, loss_good: 0.0, loss_bad: 1.0 })
    }

    /// The fraction of packets lost in the long run.
    #[must_use]
    pub fn mean(&self) -> f64 {
        match *self {
            Self::None => 0.0,
            Self::Bernoulli(p) => p,
            Self::GilbertElliott { loss_good, loss_bad, .. } => {
                let bad = self.share_of_bad();
                loss_good * (1.0 - bad) + loss_bad * bad
            }
        }
    }

    pub(super) fn share_of_bad(&self) -> f64 {
        match *self {
            Self::GilbertElliott { p_good_to_bad, p_bad_to_good, .. } if p_good_to_bad + p_bad_to_good > 0.0 => {
                p_good_to_bad / (p_good_to_bad + p_bad_to_good)
            }
            _ => 0.0,
        }
    }

    fn validate(&self) -> Result<(), ConfigError> {
        match *self {
            Self::None => Ok(()),
            Self::Bernoulli(p) => probability("loss", p),
            Self::GilbertElliott { p_good_to_bad, p_bad_to_good, loss_good, loss_bad } => {
                probability("p_good_to_bad", p_good_to_bad)?;
                probability("p_bad_to_good", p_bad_to_good)?;
                probability("loss_good", loss_good)?;
                probability("loss_bad", loss_bad)
            }
        }
    }
}

/// A time in which nothing sent arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// Its beginning, counted from [`NetemConfig::origin`].
    pub from: Duration,
    /// How long it lasts.
    pub length: Duration,
}

/// What carries the packets, one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Link {
    /// No limit and no queue.
    #[default]
    Unlimited,
    /// A constant rate.
    Rate(Bitrate),
    /// A rate that changes.
    Schedule(RateSchedule),
    /// Recorded chances to deliver.
    Deliveries(DeliveryTrace),
}

/// When a packet finds the queue full. A packet that finds the link idle does not need the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueueLimit {
    /// What waits would be more than this with the packet (the one on the link does not wait).
    Bytes(DataSize),
    /// The packet would wait longer than this, at the rate the link has now, or, while the link is stalled, had last.
    Time(Duration),
}

/// What varies the delay of each packet by itself.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum Jitter {
    /// Nothing.
    #[default]
    None,
    /// Between nothing and `max` more.
    Uniform {
        /// The upper end.
        max: Duration,
    },
    /// A normal deviation to both sides of [`NetemConfig::delay`]; no packet arrives before it left.
    Normal {
        /// Standard deviation before that cut.
        std_dev: Duration,
    },
    /// A normal deviation, cut off at `bound` to both sides, around `bound` more than [`NetemConfig::delay`]: RFC 8868 §4.5.3, which
    /// recommends 5 ms and 15 ms, and no reordering.
    Bounded {
        /// Standard deviation before that cut.
        std_dev: Duration,
        /// The largest deviation.
        bound: Duration,
    },
    /// Mostly a little more, seldom much.
    Exponential {
        /// Mean.
        mean: Duration,
    },
    /// Some packets take so much longer. In order this is what a link layer does that retransmits and delivers in order: those
    /// behind wait. With reordering the others overtake.
    Detour {
        /// Probability of a packet to take it.
        probability: f64,
        /// How much longer it is.
        extra: Duration,
    },
}

impl Jitter {
    fn validate(&self) -> Result<(), ConfigError> {
        match *self {
            Self::Detour { probability: p, .. } => probability("probability", p),
            Self::None
            | Self::Uniform { .. }
            | Self::Normal { .. }
            | Self::Bounded { .. }
            | Self::Exponential { .. } => Ok(()),
        }
    }
}

/// Delay spikes: what would enter the path during one is held until its end. One begins in each period, at a random moment of
/// it, and lasts a random time; both depend on the seed and the time alone, not on the packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spikes {
    /// The period.
    pub every: Duration,
    /// The least time one lasts.
    pub shortest: Duration,
    /// The most time one lasts, at most the period.
    pub longest: Duration,
}

impl Spikes {
    fn validate(&self) -> Result<(), ConfigError> {
        if self.every.is_zero() {
            return Err(ConfigError::new("every", "must not be zero"));
        }
        if self.longest > self.every {
            return Err(ConfigError::new("longest", "must be at most the period"));
        }
        if self.shortest > self.longest {
            return Err(ConfigError::new("shortest", "must be at most the longest"));
        }
        Ok(())
    }
}

fn probability(setting: &'static str, p: f64) -> Result<(), ConfigError> {
    if (0.0..=1.0).contains(&p) { Ok(()) } else { Err(ConfigError::new(setting, "must be in 0..=1")) }
}
