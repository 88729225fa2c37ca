use core::time::Duration;

use super::config::Link;
use crate::testkit::trace::{DeliveryTrace, RateSchedule, work};
use crate::time::Instant;
use crate::{Bitrate, ConfigError, DataSize};

/// A server with one place: what it carries and until when.
///
/// Everything is arithmetic on the cumulative service curve W(t), all the link could have carried by time t: a packet that
/// starts when the curve is at w is done when it reaches w + its cost. Where one packet follows another the fraction of a
/// nanosecond, or of an opportunity, that the first left is kept, so a busy link carries its capacity exactly.
#[derive(Debug, Clone)]
pub(super) struct LinkClock {
    curve: Option<Curve>,
    origin: Instant,
    free_at: Instant,
    /// Where on the curve the last packet ended.
    served: u128,
}

#[derive(Debug, Clone)]
enum Curve {
    /// In units of [`work`].
    Rate(RateSchedule),
    /// In bytes.
    Deliveries(DeliveryTrace),
}

impl LinkClock {
    pub(super) fn new(link: Link, origin: Instant) -> Result<Self, ConfigError> {
        let curve = match link {
            Link::Unlimited => None,
            Link::Rate(rate) if rate == Bitrate::ZERO => {
                return Err(ConfigError::new("link", "must not have a rate of zero"));
            }
            Link::Rate(rate) => Some(Curve::Rate(RateSchedule::constant(rate)?)),
            Link::Schedule(schedule) => Some(Curve::Rate(schedule)),
            Link::Deliveries(trace) => Some(Curve::Deliveries(trace)),
        };
        Ok(Self { curve, origin, free_at: Instant::ZERO, served: 0 })
    }

    /// Carries a packet from `start` on, not before the link is free; returns when it is through, [`Instant::MAX`] for never.
    pub(super) fn carry(&mut self, start: Instant, size: DataSize) -> Instant {
        let Some(curve) = &self.curve else {
            self.free_at = start;
            return start;
        };
        let base = if start == self.free_at { self.served } else { curve.done_by(self.offset(start)) };
        self.served = base.saturating_add(curve.cost(size));
        self.free_at = self.moment(curve.time_of(self.served)).max(start);
        self.free_at
    }

    /// When what is on the link is through.
    pub(super) fn free_at(&self) -> Instant {
        self.free_at
    }

    /// When it is free again after what it carries and, without a pause, `waiting`.
    pub(super) fn free_after(&self, waiting: DataSize) -> Instant {
        let Some(curve) = self.curve.as_ref().filter(|_| waiting > DataSize::ZERO) else { return self.free_at };
        self.moment(curve.time_of(self.served.saturating_add(curve.cost(waiting))))
    }

    /// Whether what is on the link and `waiting` take at most `limit` at the nominal rate of `now`.
    pub(super) fn is_within(&self, limit: Duration, now: Instant, waiting: DataSize) -> bool {
        let Some(curve) = &self.curve else { return true };
        let offset = self.offset(now);
        let backlog = self.served.saturating_sub(curve.done_by(offset)).saturating_add(curve.cost(waiting));
        backlog <= curve.nominal_in(limit, offset)
    }

    /// The rate at `now`; `None` without limit.
    pub(super) fn rate(&self, now: Instant) -> Option<Bitrate> {
        let offset = self.offset(now);
        Some(match self.curve.as_ref()? {
            Curve::Rate(schedule) => schedule.rate_at(Duration::from_nanos(offset)),
            Curve::Deliveries(trace) => rate_around(trace, offset),
        })
    }

    /// What can pass between two moments; `None` without limit.
    pub(super) fn capacity_between(&self, from: Instant, to: Instant) -> Option<DataSize> {
        let (from, to) = (self.offset(from), self.offset(to));
        Some(match self.curve.as_ref()? {
            Curve::Rate(schedule) => {
                let until = |offset| schedule.size_until(Duration::from_nanos(offset));
                until(to) - until(from)
            }
            Curve::Deliveries(trace) => trace.size_before(to) - trace.size_before(from),
        })
    }

    fn offset(&self, now: Instant) -> u64 {
        now.as_nanos().saturating_sub(self.origin.as_nanos())
    }

    fn moment(&self, offset: Option<u64>) -> Instant {
        offset.map_or(Instant::MAX, |offset| self.origin + Duration::from_nanos(offset))
    }
}

impl Curve {
    fn cost(&self, size: DataSize) -> u128 {
        match self {
            Self::Rate(_) => work(size),
            Self::Deliveries(_) => size.as_bytes().into(),
        }
    }

    fn done_by(&self, offset: u64) -> u128 {
        match self {
            Self::Rate(schedule) => schedule.work_until(offset),
            Self::Deliveries(trace) => trace.size_before(offset).as_bytes().into(),
        }
    }

    fn time_of(&self, total: u128) -> Option<u64> {
        match self {
            Self::Rate(schedule) => schedule.time_of(total),
            Self::Deliveries(trace) => {
                let Some(last) = total.checked_sub(1) else { return Some(0) };
                Some(trace.time_after(DataSize::from_bytes(u64::try_from(last).ok()?)))
            }
        }
    }

    /// The cost of what fills `limit` at the rate of `offset`.
    fn nominal_in(&self, limit: Duration, offset: u64) -> u128 {
        match self {
            Self::Rate(schedule) => u128::from(schedule.nominal_at(offset).as_bps()).saturating_mul(limit.as_nanos()),
            Self::Deliveries(trace) => {
                let rate = rate_around(trace, offset);
                let nominal = if rate == Bitrate::ZERO { trace.mean_rate() } else { rate };
                nominal.size_in(limit).as_bytes().into()
            }
        }
    }
}

/// The mean rate of the half second before and after, where single opportunities no longer show.
fn rate_around(trace: &DeliveryTrace, offset: u64) -> Bitrate {
    const HALF_SECOND: u64 = 500_000_000;
    let (from, to) = (offset.saturating_sub(HALF_SECOND), offset.saturating_add(HALF_SECOND));
    (trace.size_before(to) - trace.size_before(from)).per(Duration::from_nanos(to - from))
}
