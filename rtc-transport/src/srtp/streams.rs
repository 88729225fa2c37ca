//! What is known of each stream of a direction.

use super::SrtpError;
use super::index::{ReplayWindow, estimate};

/// The streams of a direction, ordered by SSRC. Bounded; none is ever forgotten.
#[derive(Debug)]
pub(super) struct Streams {
    /// SSRCs, apart from the rest so that a search touches little memory.
    ssrcs: Vec<u32>,
    states: Vec<State>,
    max: usize,
    window: u32,
    /// Where the last one was found: packets come in runs.
    last: usize,
}

/// What is known of one stream, its RTP and its RTCP.
#[derive(Debug)]
pub(super) struct State {
    pub(super) rtp: ReplayWindow,
    pub(super) rtcp: ReplayWindow,
    /// Rollovers before the first packet, if they were told.
    rollovers: u32,
    /// The index of the next SRTCP packet to send.
    pub(super) next_rtcp: u64,
}

impl State {
    fn new(window: u32) -> Self {
        let empty = ReplayWindow::new(window);
        Self { rtp: empty.clone(), rtcp: empty, rollovers: 0, next_rtcp: 0 }
    }

    /// The index a packet with this number has.
    #[inline]
    pub(super) fn index(&self, seq: u16) -> Option<u64> {
        match self.rtp.highest() {
            Some(highest) => estimate(highest, seq),
            None => Some(u64::from(self.rollovers) << 16 | u64::from(seq)),
        }
    }
}

impl Streams {
    pub(super) fn new(max: usize, window: u32) -> Self {
        Self { ssrcs: Vec::new(), states: Vec::new(), max, window, last: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.ssrcs.len()
    }

    /// The stream, if it is known.
    #[inline]
    pub(super) fn find(&mut self, ssrc: u32) -> Option<&mut State> {
        if self.ssrcs.get(self.last) != Some(&ssrc) {
            self.last = self.ssrcs.binary_search(&ssrc).ok()?;
        }
        self.states.get_mut(self.last)
    }

    /// The stream, which is begun if it is not known.
    #[inline]
    pub(super) fn find_or_insert(&mut self, ssrc: u32) -> Result<&mut State, SrtpError> {
        if self.ssrcs.get(self.last) != Some(&ssrc) {
            self.last = match self.ssrcs.binary_search(&ssrc) {
                Ok(place) => place,
                Err(_) if self.is_full() => return Err(SrtpError::TooManyStreams),
                Err(place) => {
                    self.ssrcs.insert(place, ssrc);
                    self.states.insert(place, State::new(self.window));
                    place
                }
            };
        }
        Ok(&mut self.states[self.last])
    }

    pub(super) fn is_full(&self) -> bool {
        self.ssrcs.len() >= self.max
    }

    /// Says that a stream of which nothing came yet has had so many rollovers.
    pub(super) fn set_rollovers(&mut self, ssrc: u32, rollovers: u32) -> Result<(), SrtpError> {
        self.find_or_insert(ssrc)?.rollovers = rollovers;
        Ok(())
    }
}
