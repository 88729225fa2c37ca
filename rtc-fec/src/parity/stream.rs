use rtc_core::{SeqNum, Ssrc};

use super::outlook::Lag;
use super::window::Window;
use crate::continuity::{Continuity, Run, same_run};

/// A stream of media that repair packets protect, alone or with others.
#[derive(Debug)]
pub(super) struct Stream {
    /// `None` until a packet of it came, where the format does not say.
    pub(super) ssrc: Option<Ssrc>,
    pub(super) window: Window,
    pub(super) lag: Lag,
    continuity: Continuity,
    /// When it had a packet last, counted in packets.
    pub(super) used: u64,
}

impl Stream {
    pub(super) fn new(ssrc: Option<Ssrc>, window: usize) -> Self {
        Self { ssrc, window: Window::new(window), lag: Lag::default(), continuity: Continuity::default(), used: 0 }
    }

    /// Forgets all packets, and is of that source from now on.
    pub(super) fn restart(&mut self, ssrc: Option<Ssrc>) {
        self.window.clear();
        (self.ssrc, self.lag, self.continuity) = (ssrc, Lag::default(), Continuity::default());
    }

    /// How the packet goes with those before.
    pub(super) fn follow(&mut self, seq: SeqNum) -> Run {
        self.window.newest().map_or(Run::Same, |newest| self.continuity.check(newest, seq))
    }

    /// Whether numbers are near enough to the newest to be believed when a repair packet has them: it may be damaged, so it moves
    /// the window by half at most, from where the packets of media that follow are still reached.
    pub(super) fn is_near(&self, first: SeqNum, last: SeqNum) -> bool {
        self.window.newest().is_none_or(|newest| {
            let ahead = usize::try_from(last.distance_from(newest)).unwrap_or_default();
            same_run(newest, first) && same_run(newest, last) && ahead <= self.window.len() / 2
        })
    }
}
