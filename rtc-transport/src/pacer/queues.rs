use core::time::Duration;
use std::collections::VecDeque;

use rtc_core::DataSize;
use rtc_core::pacing::Priority;
use rtc_core::time::Instant;

/// What waits: one ring per [`Priority`], in its order, and in one byte which of them are not empty.
#[derive(Debug)]
pub(super) struct Queues<P> {
    rings: [VecDeque<Waiting<P>>; Priority::ALL.len()],
    occupied: u8,
    len: usize,
    size: DataSize,
}

/// A packet that waits.
#[derive(Debug)]
pub(super) struct Waiting<P> {
    pub(super) packet: P,
    pub(super) size: DataSize,
    pub(super) since: Instant,
}

impl<P> Default for Queues<P> {
    fn default() -> Self {
        Self { rings: core::array::from_fn(|_| VecDeque::new()), occupied: 0, len: 0, size: DataSize::ZERO }
    }
}

impl<P> Queues<P> {
    #[inline]
    pub(super) fn push(&mut self, class: usize, waiting: Waiting<P>) {
        self.size += waiting.size;
        self.len += 1;
        self.occupied |= 1 << class;
        self.rings[class].push_back(waiting);
    }

    #[inline]
    pub(super) fn pop(&mut self, class: usize) -> Option<Waiting<P>> {
        let ring = &mut self.rings[class];
        let waiting = ring.pop_front()?;
        if ring.is_empty() {
            self.occupied &= !(1 << class);
        }
        self.size = self.size - waiting.size;
        self.len -= 1;
        Some(waiting)
    }

    /// The most urgent priority of which something waits.
    #[inline]
    pub(super) fn first(&self) -> Option<usize> {
        (self.occupied != 0).then(|| self.occupied.trailing_zeros() as usize)
    }

    /// The packet of a priority that leaves first.
    #[inline]
    pub(super) fn front(&self, class: usize) -> Option<&Waiting<P>> {
        self.rings[class].front()
    }

    /// Since when the packet waits that has waited longest.
    #[inline]
    pub(super) fn oldest(&self) -> Option<Instant> {
        let (mut rest, mut oldest) = (self.occupied, None::<Instant>);
        while rest != 0 {
            let since = self.rings[rest.trailing_zeros() as usize].front()?.since;
            oldest = Some(oldest.map_or(since, |oldest| oldest.min(since)));
            rest &= rest - 1;
        }
        oldest
    }

    /// How long the packet that has waited longest has been waiting at `now`.
    #[inline]
    pub(super) fn time(&self, now: Instant) -> Duration {
        self.oldest().map_or(Duration::ZERO, |oldest| now - oldest)
    }

    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Bytes that wait.
    #[inline]
    pub(super) const fn size(&self) -> DataSize {
        self.size
    }
}
