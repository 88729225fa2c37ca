//! When to send RTCP (RFC 3550 §6.3 and A.7; RFC 4585 §3.5).

use core::time::Duration;

use rtc_core::time::{Instant, earliest};
use rtc_core::{Bitrate, ConfigError, DataSize};

use crate::rng::Rng;

/// Settings of an [`RtcpScheduler`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SchedulerConfig {
    /// What RTCP of all members together may use, transport headers included. Default 100 kb/s: 5 % (RFC 3550 §6.2) of a
    /// 2 Mb/s session.
    pub bandwidth: Bitrate,
    /// The part of it for senders, while they are no larger a part of all members. Default a quarter (RFC 3550 §6.2).
    pub sender_share: f64,
    /// The rules to follow. Default [`Profile::Avpf`] between two parties with two reports about each second.
    pub profile: Profile,
    /// The size of the first datagram, transport headers included, to reckon with (RFC 3550 §6.3.2). Default 128 bytes.
    pub first_size: DataSize,
    /// Seed of the randomness that keeps members from sending at the same time.
    pub seed: u64,
}

impl Default for SchedulerConfig {
    fn default() -> Self {
        Self {
            bandwidth: Bitrate::from_kbps(100),
            sender_share: 0.25,
            profile: Profile::Avpf { report_interval: Duration::from_secs(1), point_to_point: true },
            first_size: DataSize::from_bytes(128),
            seed: 0,
        }
    }
}

/// The rules for RTCP timing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// RTP/AVP: reports only, feedback waits for them.
    Avp {
        /// The least time between reports on average, half of it before the first: 5 s, or 360 s divided by the session's
        /// kilobits per second (RFC 3550 §6.2).
        minimum_interval: Duration,
    },
    /// RTP/AVPF (RFC 4585): no least time between datagrams, and feedback between reports.
    Avpf {
        /// The least time between full reports, randomized between half and one and a half of it: `T_rr_interval`. Chance
        /// is drawn anew whenever RTCP could be sent (§3.5.3), so that with bandwidth to spare little over half remains.
        report_interval: Duration,
        /// Whether there are but two parties: then feedback never waits to see whether another member sends the same.
        point_to_point: bool,
    },
}

/// How many take part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    /// All members, oneself included.
    pub members: u32,
    /// Those of them that sent media in the last two intervals.
    pub senders: u32,
    /// Whether oneself is one of these.
    pub we_sent: bool,
}

/// What may be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Slot {
    /// A full compound packet, and feedback that waits.
    Report,
    /// Feedback, in a minimal compound or reduced-size packet.
    Feedback,
    /// The goodbye that was announced.
    Bye,
}

/// Decides when RTCP is sent, so that it keeps to its share of the bandwidth whatever the number of members.
///
/// An endpoint with several SSRCs that reports for all of them in one datagram is one member with one scheduler. RFC 8108
/// §5.3.1 divides the size of such datagrams by the number of their SSRCs instead; between two endpoints of as many SSRCs each
/// that comes to the same.
#[derive(Debug, Clone)]
pub struct RtcpScheduler {
    config: SchedulerConfig,
    rng: Rng,
    /// `tp`: when RTCP was last sent, or would have been.
    previous: Instant,
    /// `tn`: when it is next considered.
    next: Instant,
    /// `pmembers`: members when `next` was computed.
    members_then: u32,
    initial: bool,
    /// `avg_rtcp_size`, bytes.
    average_size: f64,
    /// `t_rr_last`: when the last full report was sent.
    last_report: Option<Instant>,
    allow_early: bool,
    /// `te`: when feedback may be sent ahead of `next`.
    early: Option<Instant>,
    feedback_waits: bool,
    granted: Option<Grant>,
    leaving: bool,
    /// While waiting to say goodbye: members that did so too, oneself included (RFC 3550 §6.3.7).
    leavers: Option<u32>,
    /// While waiting to say goodbye: members as last told.
    members_left: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grant {
    Report,
    EarlyFeedback,
    Feedback,
    Bye,
}

/// e − 3/2: makes up for reconsideration settling below the intended average (RFC 3550 §6.3.1).
const COMPENSATION: f64 = core::f64::consts::E - 1.5;
/// Below this many members a goodbye is sent at once (RFC 3550 §6.3.7).
const CROWD: u32 = 50;
/// Members not heard of for this many intervals have left (RFC 3550 §6.3.5).
const TIMEOUT_INTERVALS: u32 = 5;
/// The minimum interval of RTP/AVP (RFC 3550 §6.2).
const AVP_MINIMUM: Duration = Duration::from_secs(5);
/// No interval is shorter, or bandwidth without limit would leave no time between datagrams.
const SHORTEST: Duration = Duration::from_millis(1);

impl RtcpScheduler {
    /// Schedules the first report.
    ///
    /// # Errors
    /// [`ConfigError`] if `bandwidth` is zero, `sender_share` is not between 0 and 1, or the profile's interval is over an
    /// hour.
    pub fn new(now: Instant, config: SchedulerConfig, membership: Membership) -> Result<Self, ConfigError> {
        if config.bandwidth == Bitrate::ZERO {
            return Err(ConfigError::new("bandwidth", "must not be zero"));
        }
        if !(config.sender_share > 0.0 && config.sender_share < 1.0) {
            return Err(ConfigError::new("sender_share", "must be between 0 and 1"));
        }
        let (Profile::Avp { minimum_interval: interval } | Profile::Avpf { report_interval: interval, .. }) =
            config.profile;
        if interval > Duration::from_secs(3_600) {
            return Err(ConfigError::new("profile", "must have an interval of an hour at most"));
        }
        let mut scheduler = Self {
            rng: Rng::new(config.seed),
            previous: now,
            next: now,
            members_then: membership.members,
            initial: true,
            average_size: config.first_size.as_bytes() as f64,
            last_report: None,
            allow_early: true,
            early: None,
            feedback_waits: false,
            granted: None,
            leaving: false,
            leavers: None,
            members_left: 0,
            config,
        };
        scheduler.next = now + scheduler.interval(membership);
        Ok(scheduler)
    }

    /// Lets time pass, and tells whether something may be sent: the same again until [`on_sent`](Self::on_sent).
    pub fn handle_timeout(&mut self, now: Instant, membership: Membership) -> Option<Slot> {
        if self.granted.is_none() {
            self.granted = self.decide(now, membership);
        }
        self.granted.map(Grant::slot)
    }

    /// Takes note of an RTCP datagram of `size`, transport headers included, that was sent for the slot granted.
    pub fn on_sent(&mut self, now: Instant, size: DataSize, membership: Membership) {
        self.average(size);
        let Some(grant) = self.granted.take() else { return };
        self.feedback_waits = false;
        self.early = None;
        match grant {
            // One regular slot is given up for it (RFC 4585 §3.5.2, step 6).
            Grant::EarlyFeedback => {
                self.allow_early = false;
                let interval = self.next - self.previous;
                self.previous = self.next;
                self.next += interval;
            }
            Grant::Feedback => self.schedule_after(now, membership),
            Grant::Report => {
                self.schedule_after(now, membership);
                self.last_report = Some(now);
                // Not before the next time was drawn, in RFC 3550 A.7.
                self.initial = false;
            }
            Grant::Bye => self.next = Instant::MAX,
        }
    }

    /// Takes note of an RTCP datagram of `size`, transport headers included, that arrived.
    pub fn on_received(&mut self, size: DataSize) {
        if self.leavers.is_none() {
            self.average(size);
        }
    }

    /// Asks for a chance to send feedback (RFC 4585 §3.5.2). Returns when it will come: at once, if the last one is not too
    /// recent, or with the next report; after a goodbye never.
    pub fn request_feedback(&mut self, now: Instant) -> Instant {
        if self.leaving {
            return Instant::MAX;
        }
        self.feedback_waits = true;
        if let Some(early) = self.early {
            return early;
        }
        let Profile::Avpf { point_to_point, .. } = self.config.profile else { return self.next };
        let dither = if point_to_point { Duration::ZERO } else { (self.next - self.previous) / 2 };
        if !self.allow_early || now + dither > self.next {
            return self.next;
        }
        let early = now + dither.mul_f64(self.rng.uniform());
        self.early = Some(early);
        early
    }

    /// Takes note that members left: the time of the next report comes nearer (RFC 3550 §6.3.4).
    pub fn on_departure(&mut self, now: Instant, members: u32) {
        if let Some(leavers) = &mut self.leavers {
            *leavers = leavers.saturating_add(self.members_left.saturating_sub(members).max(1));
            self.members_left = members;
            return;
        }
        if members >= self.members_then {
            return;
        }
        let ratio = f64::from(members) / f64::from(self.members_then);
        self.next = now + (self.next - now).mul_f64(ratio);
        self.previous = now - (now - self.previous).mul_f64(ratio);
        self.members_then = members;
    }

    /// Announces a goodbye of `size`, transport headers included; nothing else is granted from now on.
    ///
    /// Among more than 50 members it waits as for a first report, with the members that leave as well for membership
    /// (RFC 3550 §6.3.7).
    pub fn leave(&mut self, now: Instant, size: DataSize, members: u32) {
        self.leaving = true;
        self.early = None;
        if members <= CROWD {
            self.granted = Some(Grant::Bye);
            self.next = now;
            return;
        }
        self.granted = None;
        self.previous = now;
        self.members_then = 1;
        self.initial = true;
        self.average_size = size.as_bytes() as f64;
        self.leavers = Some(1);
        self.members_left = members;
        self.next = now + self.interval(LEAVING_ALONE);
    }

    /// Leaves without a goodbye, as who never sent anything must (RFC 3550 §6.3.7); nothing is granted from now on.
    pub fn leave_silently(&mut self) {
        self.leaving = true;
        (self.early, self.granted, self.leavers) = (None, None, None);
        self.next = Instant::MAX;
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        earliest([self.early, Some(self.next).filter(|next| *next < Instant::MAX)])
    }

    /// How long a member may be silent before it counts as gone: five intervals (RFC 3550 §6.3.5) of no less than 5 s each,
    /// in any profile and whatever our own minimum (RFC 8108 §7.1.4).
    #[must_use]
    pub fn timeout(&self, membership: Membership) -> Duration {
        TIMEOUT_INTERVALS * self.mean_interval(membership).max(AVP_MINIMUM)
    }

    /// The mean interval between datagrams before randomization and without a minimum (RFC 3550 §6.3.1).
    #[must_use]
    pub fn mean_interval(&self, membership: Membership) -> Duration {
        let Membership { members, senders, we_sent } = membership;
        let mut bytes_per_second = self.config.bandwidth.as_bps_f64() / 8.0;
        let mut sharing = members;
        if f64::from(senders) <= f64::from(members) * self.config.sender_share {
            if we_sent {
                bytes_per_second *= self.config.sender_share;
                sharing = senders;
            } else {
                bytes_per_second *= 1.0 - self.config.sender_share;
                sharing = members - senders;
            }
        }
        let seconds = self.average_size * f64::from(sharing.max(1)) / bytes_per_second;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

    /// The average size of RTCP datagrams, sent and received.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an average of sizes is one")]
    pub fn average_size(&self) -> DataSize {
        DataSize::from_bytes(self.average_size as u64)
    }

    fn decide(&mut self, now: Instant, membership: Membership) -> Option<Grant> {
        if self.early.is_some_and(|early| early <= now) {
            return Some(Grant::EarlyFeedback);
        }
        if self.next > now {
            return None;
        }
        let membership = self.leavers.map_or(membership, |members| Membership { members, ..LEAVING_ALONE });
        // Timer reconsideration (RFC 3550 §6.3.6): more members than when the time was set push it back.
        self.next = self.previous + self.interval(membership);
        self.members_then = membership.members;
        if self.next > now {
            return None;
        }
        if self.leavers.is_some() {
            return Some(Grant::Bye);
        }
        let Profile::Avpf { report_interval, .. } = self.config.profile else { return Some(Grant::Report) };
        // RFC 4585 §3.5.3.
        self.allow_early = true;
        let report_due = match self.last_report {
            Some(last) => last + report_interval.mul_f64(self.rng.uniform() + 0.5) <= now,
            None => true,
        };
        match (report_due, self.feedback_waits) {
            (true, _) => Some(Grant::Report),
            (false, true) => Some(Grant::Feedback),
            (false, false) => {
                self.schedule_after(now, membership);
                None
            }
        }
    }

    fn schedule_after(&mut self, now: Instant, membership: Membership) {
        self.previous = now;
        self.next = now + self.interval(membership);
        self.members_then = membership.members;
    }

    /// A random interval (RFC 3550 §6.3.1, A.7).
    fn interval(&mut self, membership: Membership) -> Duration {
        let minimum = match self.config.profile {
            Profile::Avp { minimum_interval } if self.initial => minimum_interval / 2,
            Profile::Avp { minimum_interval } => minimum_interval,
            // RFC 4585 §3.5.1: one second before the first report if there may be many. A goodbye is timed as a first report is
            // (RFC 3550 §6.3.7), or all who leave at once would speak before they hear each other.
            Profile::Avpf { point_to_point: false, .. } if self.last_report.is_none() || self.leavers.is_some() => {
                Duration::from_secs(1)
            }
            Profile::Avpf { .. } => Duration::ZERO,
        };
        let mean = self.mean_interval(membership).max(minimum).as_secs_f64();
        let seconds = mean * (self.rng.uniform() + 0.5) / COMPENSATION;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX).max(SHORTEST)
    }

    /// A sixteenth of what is new (RFC 3550 §6.3.3).
    fn average(&mut self, size: DataSize) {
        self.average_size += (size.as_bytes() as f64 - self.average_size) / 16.0;
    }
}

/// How one sees the session who waits to say goodbye, before others do.
const LEAVING_ALONE: Membership = Membership { members: 1, senders: 0, we_sent: false };

impl Grant {
    const fn slot(self) -> Slot {
        match self {
            Self::Report => Slot::Report,
            Self::EarlyFeedback | Self::Feedback => Slot::Feedback,
            Self::Bye => Slot::Bye,
        }
    }
}
