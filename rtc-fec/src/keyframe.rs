//! Asking for a key frame when repair is hopeless (PLI, RFC 4585 §6.3.1), or for a receiver that joins (FIR, RFC 5104 §4.3.1).

use core::time::Duration;

use rtc_core::ConfigError;
use rtc_core::time::Instant;

/// Settings of a [`KeyframeRequester`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyframeConfig {
    /// Round-trip time until [`KeyframeRequester::set_rtt`]. 100 ms.
    pub rtt: Duration,
    /// Least time between two requests, of whatever kind, even if key frames came in between. 300 ms: a key frame is as large
    /// as many others and takes its time; another on its heels would only be late as well.
    pub min_interval: Duration,
    /// How long after packets were given up a frame is waited for that decodes without them, as one does if they were of a
    /// frame no other needs. 100 ms: some frames at 30 a second. Zero where nobody tells of frames.
    pub patience: Duration,
    /// Sequence number of the first full intra request. 0: "the initial value is arbitrary".
    pub first_fir: u8,
}

impl Default for KeyframeConfig {
    fn default() -> Self {
        Self {
            rtt: Duration::from_millis(100),
            min_interval: Duration::from_millis(300),
            patience: Duration::from_millis(100),
            first_fir: 0,
        }
    }
}

/// What to ask the sender for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyframeRequest {
    /// Picture loss indication (RFC 4585 §6.3.1): frames cannot be decoded.
    Pli,
    /// Full intra request (RFC 5104 §4.3.1): a receiver joined. Not for losses.
    Fir {
        /// Command sequence number: higher by one for each new command, the same when one is repeated.
        seq_nr: u8,
    },
}

/// What happened so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyframeStats {
    /// Packets given up.
    pub given_up: u64,
    /// Times packets were given up, but a frame decoded without them.
    pub averted: u64,
    /// Picture loss indications asked for (`pliCount`).
    pub pli: u64,
    /// Full intra requests asked for (`firCount`).
    pub fir: u64,
    /// Of these requests, those that repeated the one before.
    pub repeats: u64,
    /// Key frames that came, and ended what was asked for.
    pub answered: u64,
}

/// Decides when to ask for a key frame, and again, until one comes: never more often than [`KeyframeConfig::min_interval`].
///
/// Three things make it ask. Packets are given up ([`NackGenerator::take_given_up`](crate::nack::NackGenerator::take_given_up))
/// and no frame decodes within [`KeyframeConfig::patience`]; a frame is found that cannot be decoded, at once; a receiver joins.
/// A request is repeated after a round trip or the least interval, whichever is longer, until a key frame comes or, after
/// losses, frames decode again.
///
/// ```
/// use core::time::Duration;
/// use rtc_core::time::Instant;
/// use rtc_fec::keyframe::{KeyframeConfig, KeyframeRequest, KeyframeRequester};
///
/// # fn main() -> Result<(), rtc_core::ConfigError> {
/// let mut keyframes = KeyframeRequester::new(KeyframeConfig::default())?;
/// keyframes.on_given_up(Instant::from_millis(0), 3);
/// assert_eq!(keyframes.poll(Instant::from_millis(50)), None, "it may have been a frame no other needs");
/// keyframes.on_undecodable(Instant::from_millis(66));
/// assert_eq!(keyframes.poll(Instant::from_millis(66)), Some(KeyframeRequest::Pli));
/// assert_eq!(keyframes.poll_timeout(), Some(Instant::from_millis(366)), "if it is lost");
/// keyframes.on_keyframe();
/// assert_eq!(keyframes.poll_timeout(), None);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct KeyframeRequester {
    config: KeyframeConfig,
    rtt: Duration,
    wanted: Option<Wanted>,
    /// Packets were given up; until then a frame may decode without them.
    suspected: Option<Instant>,
    /// When it asked last.
    asked: Option<Instant>,
    /// Number of the next command that is new.
    next_fir: u8,
    stats: KeyframeStats,
}

/// Why a key frame is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wanted {
    request: KeyframeRequest,
    /// Asked for at least once.
    repeated: bool,
    since: Instant,
}

impl KeyframeRequester {
    /// A requester that wants nothing.
    ///
    /// # Errors
    /// [`ConfigError`] if `min_interval` is zero.
    pub fn new(config: KeyframeConfig) -> Result<Self, ConfigError> {
        if config.min_interval.is_zero() {
            return Err(ConfigError::new("min_interval", "must not be zero"));
        }
        Ok(Self {
            config,
            rtt: config.rtt,
            wanted: None,
            suspected: None,
            asked: None,
            next_fir: config.first_fir,
            stats: KeyframeStats::default(),
        })
    }

    /// Takes note that so many packets will not come.
    pub fn on_given_up(&mut self, now: Instant, packets: u64) {
        self.stats.given_up += packets;
        if packets > 0 && self.wanted.is_none() {
            self.suspected.get_or_insert(now + self.config.patience);
        }
    }

    /// Takes note of a frame that was decoded, and of all frames it needs: what was given up did not matter.
    pub fn on_decoded(&mut self) {
        self.stats.averted += u64::from(self.suspected.take().is_some());
        if self.wanted.is_some_and(|wanted| wanted.request == KeyframeRequest::Pli) {
            self.wanted = None;
        }
    }

    /// Takes note of a frame that cannot be decoded for want of another.
    pub fn on_undecodable(&mut self, now: Instant) {
        self.suspected = None;
        self.wanted.get_or_insert(Wanted { request: KeyframeRequest::Pli, repeated: false, since: now });
    }

    /// Takes note of a key frame that came whole: everything starts from it.
    pub fn on_keyframe(&mut self) {
        self.stats.answered += u64::from(self.wanted.is_some());
        (self.wanted, self.suspected) = (None, None);
    }

    /// Takes note of a receiver that can start with a key frame only. One that is asked for already, for another that joined,
    /// serves both.
    pub fn on_join(&mut self, now: Instant) {
        if !matches!(self.wanted, Some(Wanted { request: KeyframeRequest::Fir { .. }, .. })) {
            let request = KeyframeRequest::Fir { seq_nr: self.next_fir };
            self.wanted = Some(Wanted { request, repeated: false, since: now });
            self.suspected = None;
        }
    }

    /// Sets the round-trip time, before the end of which a request is not repeated.
    pub fn set_rtt(&mut self, rtt: Duration) {
        self.rtt = rtt;
    }

    /// What to ask for now.
    pub fn poll(&mut self, now: Instant) -> Option<KeyframeRequest> {
        if self.suspected.is_some_and(|until| until <= now) {
            self.on_undecodable(now);
        }
        if self.due()? > now {
            return None;
        }
        let wanted = self.wanted.as_mut()?;
        match wanted.request {
            KeyframeRequest::Pli => self.stats.pli += 1,
            KeyframeRequest::Fir { seq_nr } => {
                self.next_fir = seq_nr.wrapping_add(1);
                self.stats.fir += 1;
            }
        }
        self.stats.repeats += u64::from(wanted.repeated);
        wanted.repeated = true;
        self.asked = Some(now);
        Some(wanted.request)
    }

    /// When [`poll`](Self::poll) next has something to ask for; `None` while nothing is wanted.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let suspected = self.suspected.map(|until| until.max(self.allowed().unwrap_or(until)));
        [self.due(), suspected].into_iter().flatten().min()
    }

    /// What happened so far.
    #[must_use]
    pub const fn stats(&self) -> KeyframeStats {
        self.stats
    }

    /// When to ask for what is wanted.
    fn due(&self) -> Option<Instant> {
        let wanted = self.wanted?;
        let answer = self.asked.filter(|_| wanted.repeated).map(|asked| asked + self.rtt);
        [Some(wanted.since), self.allowed(), answer].into_iter().flatten().max()
    }

    /// When another request is allowed.
    fn allowed(&self) -> Option<Instant> {
        self.asked.map(|asked| asked + self.config.min_interval)
    }
}
