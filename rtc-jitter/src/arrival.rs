//! How late packets are, relative to the fastest one of the last seconds.
//!
//! Sender and receiver clocks share no epoch and run at slightly different speeds, so one-way delay is unknown up to a
//! constant that drifts. The fastest packet of a sliding window stands in for "no queueing": it follows the drift (1.2 ms in
//! 4 s at 300 ppm) and forgets a path that no longer exists.

use core::time::Duration;

use rtc_core::time::Instant;

/// Slices of the window; a slice is forgotten whole.
const SLICES: usize = 20;

/// Slices that tell how the path is now.
const RECENT: usize = 2;

/// Packets whose delay [`Arrival::peak`] remembers.
const LAST: usize = 8;

/// Signed nanoseconds, the unit of all delays inside this crate.
pub(crate) type Nanos = i64;

pub(crate) fn nanos(time: Duration) -> Nanos {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

/// Offsets (arrival time less media time) of the packets of a sliding window.
#[derive(Debug)]
pub(crate) struct Arrival {
    slice: Nanos,
    epoch: Option<Instant>,
    /// The least offset of each.
    slices: [Option<Nanos>; SLICES],
    newest: i64,
    /// Arrival and offset of the packets that came last, in a ring.
    last: [(Nanos, Nanos); LAST],
    oldest: usize,
    /// The least offset of all slices, and of those that tell how the path is now.
    base: Nanos,
    lowest: Nanos,
    clock: MediaClock,
}

/// The sender's clock in time of the receiver's: what drifts is not late.
#[derive(Debug, Clone, Copy, Default)]
struct MediaClock {
    media: Nanos,
    local: Nanos,
    skew: f64,
}

impl MediaClock {
    fn local(&self, media: Nanos) -> Nanos {
        let since = media.saturating_sub(self.media);
        #[expect(clippy::cast_possible_truncation, reason = "a thousandth of a time")]
        let drift = (since as f64 * self.skew) as Nanos;
        self.local.saturating_add(since).saturating_add(drift)
    }
}

/// What one packet told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Observed {
    /// Its delay over the fastest recent packet, never negative.
    pub(crate) delay: Nanos,
    /// By how much the fastest recent packet became slower because a faster one left the window.
    pub(crate) rise: Nanos,
}

impl Arrival {
    pub(crate) fn new(window: Duration) -> Self {
        let slice = (nanos(window) / SLICES as i64).max(1);
        let (slices, last, clock) = ([None; SLICES], [(Nanos::MIN, 0); LAST], MediaClock::default());
        Self { slice, epoch: None, slices, newest: 0, last, oldest: 0, base: 0, lowest: 0, clock }
    }

    /// Takes note of a packet with media time `media` that arrived at `now`.
    pub(crate) fn observe(&mut self, now: Instant, media: Nanos) -> Observed {
        let epoch = *self.epoch.get_or_insert(now);
        let at = now.nanos_since(epoch);
        let moved = self.advance(at / self.slice);
        let offset = self.offset(now, epoch, media);
        self.last[self.oldest] = (at, offset);
        self.oldest = (self.oldest + 1) % LAST;
        let known = !moved || self.slices.iter().any(Option::is_some);
        let least = self.slices[slot_of(self.newest)].get_or_insert(offset);
        *least = offset.min(*least);
        let base = if moved { self.least(SLICES).unwrap_or(offset) } else { offset.min(self.base) };
        self.lowest = if moved { self.least(RECENT).unwrap_or(offset) } else { offset.min(self.lowest) };
        // An empty window says nothing about how the path changed.
        let rise = if known { base.saturating_sub(self.base).max(0) } else { 0 };
        self.base = base;
        Observed { delay: offset.saturating_sub(base), rise }
    }

    /// Forgets all but the last two slices: the path or the sender's clock made a jump.
    pub(crate) fn forget_old(&mut self) {
        let Some(recent) = self.least(RECENT) else {
            return;
        };
        for back in RECENT..SLICES {
            self.slices[slot_of(self.newest - back as i64)] = None;
        }
        (self.base, self.lowest) = (recent, recent);
    }

    /// The delay media of time `media` has if it is heard at `at`; 0 before any packet.
    pub(crate) fn delay(&self, at: Instant, media: Nanos) -> Nanos {
        self.epoch.map_or(0, |epoch| self.offset(at, epoch, media).saturating_sub(self.base))
    }

    /// The moment at which media of time `media` has this delay.
    pub(crate) fn moment(&self, media: Nanos, delay: Nanos) -> Instant {
        let epoch = self.epoch.unwrap_or_default();
        let since = self.clock.local(media).saturating_add(self.base).saturating_add(delay);
        let distance = Duration::from_nanos(since.unsigned_abs());
        if since < 0 { epoch - distance } else { epoch + distance }
    }

    /// The least delay of the last two slices: no play-out below it can be in time.
    pub(crate) fn recent(&self) -> Nanos {
        self.lowest.saturating_sub(self.base)
    }

    /// The most delay of the last few packets that came within `time` before `now`; 0 if none did.
    ///
    /// Packets that come in a burst after a stall are the later the older they are: by the end of it the last few tell that it is over.
    pub(crate) fn peak(&self, now: Instant, time: Nanos) -> Nanos {
        let Some(epoch) = self.epoch else {
            return 0;
        };
        let oldest = now.nanos_since(epoch).saturating_sub(time);
        let recent = self.last.iter().filter(|(at, _)| *at >= oldest);
        recent.map(|(_, offset)| offset.saturating_sub(self.base)).fold(0, Nanos::max)
    }

    /// From media time `media` on, a second of the sender takes `skew` longer.
    pub(crate) fn set_skew(&mut self, media: Nanos, skew: f64) {
        self.clock = MediaClock { media, local: self.clock.local(media), skew };
    }

    fn offset(&self, at: Instant, epoch: Instant, media: Nanos) -> Nanos {
        at.nanos_since(epoch).saturating_sub(self.clock.local(media))
    }

    fn least(&self, slices: usize) -> Option<Nanos> {
        self.newest(slices).min()
    }

    /// The least offsets of so many slices.
    fn newest(&self, slices: usize) -> impl Iterator<Item = Nanos> {
        (0..slices.min(SLICES)).filter_map(|back| self.slices[slot_of(self.newest - back as i64)])
    }

    /// Forgets the slices that leave the window; says whether there is another newest one, or none at all yet.
    fn advance(&mut self, slice: i64) -> bool {
        let steps = slice.saturating_sub(self.newest).clamp(0, SLICES as i64);
        for step in 1..=steps {
            self.slices[slot_of(slice - steps + step)] = None;
        }
        self.newest = self.newest.max(slice);
        steps > 0 || self.slices[slot_of(self.newest)].is_none()
    }
}

fn slot_of(slice: i64) -> usize {
    usize::try_from(slice.rem_euclid(SLICES as i64)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    const MS: Nanos = 1_000_000;

    fn at(millis: i64) -> Instant {
        Instant::from_millis(1_000_000 + millis.cast_unsigned())
    }

    fn arrival() -> Arrival {
        Arrival::new(Duration::from_secs(4))
    }

    #[test]
    fn delay_is_relative_to_the_fastest() {
        let mut arrival = arrival();
        assert_eq!(arrival.observe(at(50), 0).delay, 0);
        assert_eq!(arrival.observe(at(40), 20 * MS).delay, 0, "30 ms faster: the new reference");
        assert_eq!(arrival.observe(at(75), 40 * MS).delay, 15 * MS);
        assert_eq!(arrival.delay(at(100), 60 * MS), 20 * MS);
        assert_eq!(arrival.moment(60 * MS, 20 * MS), at(100));
    }

    #[test]
    fn follows_a_slower_path_within_the_window() {
        let mut arrival = arrival();
        let mut rises = 0;
        let mut last = Observed { delay: 0, rise: 0 };
        for packet in 0..1_000 {
            let media = packet * 20;
            let path = if packet < 200 { 0 } else { 100 };
            last = arrival.observe(at(media + path), media * MS);
            rises += last.rise;
            if packet == 260 {
                assert_eq!(arrival.recent(), 100 * MS, "the last slices know the new path at once");
            }
        }
        assert_eq!((last.delay, rises), (0, 100 * MS));
    }

    #[test]
    fn clock_skew_costs_its_share_of_a_window() {
        for ppm in [-300, 300] {
            let mut arrival = arrival();
            let worst = (0..30_000).map(|packet| {
                let media = packet * 20 * MS;
                arrival
                    .observe(at(0) + Duration::from_nanos((media + media / 1_000_000 * ppm).cast_unsigned()), media)
                    .delay
            });
            assert!(worst.max() <= Some(1_300_000), "{ppm} ppm");
        }
    }

    #[test]
    fn a_window_without_packets_starts_afresh() {
        let mut arrival = arrival();
        arrival.observe(at(0), 0);
        let observed = arrival.observe(at(60_000), 20 * MS);
        assert_eq!(observed, Observed { delay: 0, rise: 0 });
    }

    #[test]
    fn the_peak_is_remembered_for_as_long_as_asked() {
        let mut arrival = arrival();
        arrival.observe(at(0), 0);
        arrival.observe(at(320), 20 * MS);
        arrival.observe(at(320), 300 * MS);
        assert_eq!(arrival.peak(at(820), 500 * MS), 300 * MS);
        assert_eq!(arrival.peak(at(821), 500 * MS), 0);
    }

    #[test]
    fn a_burst_ends_what_the_stall_before_it_asked_for() {
        let mut arrival = arrival();
        arrival.observe(at(0), 0);
        let seen: Vec<Nanos> = (1..=30)
            .map(|packet| {
                arrival.observe(at(600), packet * 20 * MS);
                arrival.peak(at(600), 300 * MS) / MS
            })
            .collect();
        assert_eq!((seen[0], seen[7], seen[8], seen[29]), (580, 580, 560, 140));
    }

    #[test]
    fn forgetting_keeps_the_recent_minimum() {
        let mut arrival = arrival();
        arrival.observe(at(0), 0);
        arrival.observe(at(3_500), 20 * MS);
        assert_eq!(arrival.recent(), 3_480 * MS);
        arrival.forget_old();
        assert_eq!((arrival.recent(), arrival.delay(at(3_500), 20 * MS)), (0, 0));
    }
}
