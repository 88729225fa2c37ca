use crate::rtp::payload::vp8::Descriptor;
use crate::svc::{Forward, LayerSelector};
use crate::time::Instant;
use crate::{Bitrate, RtpPacket, RtpTime, SeqNum, SeqUnwrapper, Ssrc};

/// Packets remembered; one older than all of them is dropped.
const MEMORY: usize = 256;

/// Forwards the temporal layers of a VP8 stream (RFC 7741) that its rate has room for, and closes the gaps the others leave.
///
/// It changes layers between frames: down at once, up at a frame of the base layer. As [`Filter`](super::Filter), it leaves
/// gaps where packets never came.
#[derive(Debug, Clone)]
pub struct TemporalSelector {
    /// What the layers up to each take.
    rates: Vec<Bitrate>,
    target: u8,
    current: u8,
    frame: Option<RtpTime>,
    ssrc: Option<Ssrc>,
    wants_keyframe: bool,
    unwrapper: SeqUnwrapper,
    newest: Option<u64>,
    /// Packets dropped so far, as far as sequence numbers count.
    dropped: u16,
    /// Packets dropped before the one of this number, for the last numbers; `None` for those dropped themselves.
    before: Box<[Option<u16>]>,
}

impl TemporalSelector {
    /// Forwards packets of the first stream it meets; `rates` is what the base layer takes, the two lowest, and so on.
    #[must_use]
    pub fn new(rates: Vec<Bitrate>) -> Self {
        Self {
            rates,
            target: u8::MAX,
            current: u8::MAX,
            frame: None,
            ssrc: None,
            wants_keyframe: false,
            unwrapper: SeqUnwrapper::default(),
            newest: None,
            dropped: 0,
            before: vec![None; MEMORY].into(),
        }
    }

    /// Chooses the layers at the first packet of a frame newer than all before.
    fn begin_frame(&mut self, layer: u8, timestamp: RtpTime) {
        if self.frame.is_some_and(|frame| timestamp.distance_from(frame) <= 0) {
            return;
        }
        self.frame = Some(timestamp);
        if self.target < self.current || layer == 0 {
            self.current = self.target;
        }
    }

    /// The place of a number among those remembered; `None` if it is older.
    fn place(&self, seq: u64) -> Option<usize> {
        let is_known = self.newest.is_none_or(|newest| seq + MEMORY as u64 > newest);
        #[expect(clippy::cast_possible_truncation, reason = "below the length")]
        is_known.then_some((seq % MEMORY as u64) as usize)
    }

    /// Numbers that have not come are to be sent, until they come.
    fn advance_to(&mut self, seq: u64) {
        let first = self.newest.map_or(seq, |newest| newest + 1).max((seq + 1).saturating_sub(MEMORY as u64));
        for seq in first..=seq {
            if let Some(place) = self.place(seq) {
                self.before[place] = Some(self.dropped);
            }
        }
        self.newest = Some(seq);
    }
}

impl LayerSelector for TemporalSelector {
    fn set_target(&mut self, _now: Instant, rate: Bitrate) {
        let above_base = self.rates.iter().skip(1).take_while(|needed| **needed <= rate).count();
        self.target = u8::try_from(above_base).unwrap_or(u8::MAX);
    }

    fn select(&mut self, _now: Instant, packet: &RtpPacket) -> Forward {
        if self.ssrc.is_none() {
            (self.ssrc, self.wants_keyframe) = (Some(packet.ssrc()), true);
        }
        if self.ssrc != Some(packet.ssrc()) {
            return Forward::Drop;
        }
        let layer = Descriptor::parse(packet.payload()).ok().and_then(|(descriptor, _)| descriptor.temporal);
        let layer = layer.map_or(0, |temporal| temporal.layer);
        let seq = self.unwrapper.unwrap(packet.seq());
        let is_new = self.newest.is_none_or(|newest| seq > newest);
        if is_new {
            self.begin_frame(layer, packet.timestamp());
            self.advance_to(seq);
        }
        let Some(place) = self.place(seq) else { return Forward::Drop };
        if is_new && layer > self.current {
            self.before[place] = None;
            self.dropped = self.dropped.wrapping_add(1);
        } else if layer > self.current {
            // Its number was kept for it; the gap stays.
            return Forward::Drop;
        }
        let Some(before) = self.before[place] else { return Forward::Drop };
        Forward::As { seq: SeqNum(packet.seq().0.wrapping_sub(before)), timestamp: packet.timestamp() }
    }

    fn poll_keyframe_request(&mut self) -> Option<Ssrc> {
        if core::mem::take(&mut self.wants_keyframe) { self.ssrc } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PayloadType;

    const LAYERS: [u8; 4] = [0, 2, 1, 2];

    /// Frame `n` of a stream of three temporal layers, in one packet.
    fn frame(n: u16) -> RtpPacket {
        let layer = LAYERS[usize::from(n % 4)];
        // X and S set; T present; the layer.
        let payload = [0x90, 0x20, layer << 6, 0];
        let (seq, time) = (SeqNum(65_530) + n, RtpTime(u32::MAX - 9_000) + 3_000 * u32::from(n));
        RtpPacket::builder(PayloadType::new(96), seq, time, Ssrc(1)).build(&payload).unwrap()
    }

    fn selector(rate: Bitrate) -> TemporalSelector {
        let mut selector = TemporalSelector::new([100, 150, 200].map(Bitrate::from_kbps).into());
        selector.set_target(Instant::ZERO, rate);
        selector
    }

    /// What frames were sent as, counted from the first number of the stream.
    fn sent(selector: &mut TemporalSelector, frames: impl IntoIterator<Item = u16>) -> Vec<(u16, u16)> {
        let select = |n| match selector.select(Instant::ZERO, &frame(n)) {
            Forward::As { seq, .. } => Some((n, seq.0.wrapping_sub(65_530))),
            Forward::Drop => None,
        };
        frames.into_iter().filter_map(select).collect()
    }

    #[test]
    fn layers_are_those_the_rate_has_room_for() {
        let whole: Vec<_> = (0..8).map(|n| (n, n)).collect();
        assert_eq!(sent(&mut selector(Bitrate::MAX), 0..8), whole);
        assert_eq!(sent(&mut selector(Bitrate::from_kbps(199)), 0..8), [(0, 0), (2, 1), (4, 2), (6, 3)]);
        assert_eq!(sent(&mut selector(Bitrate::ZERO), 0..12), [(0, 0), (4, 1), (8, 2)], "the base is always sent");
    }

    #[test]
    fn layers_change_down_at_once_and_up_at_the_base() {
        let mut selector = selector(Bitrate::MAX);
        assert_eq!(sent(&mut selector, 0..2), [(0, 0), (1, 1)]);
        selector.set_target(Instant::ZERO, Bitrate::ZERO);
        assert_eq!(sent(&mut selector, 2..5), [(4, 2)]);
        selector.set_target(Instant::ZERO, Bitrate::MAX);
        assert_eq!(sent(&mut selector, 5..10), [(8, 3), (9, 4)]);
    }

    #[test]
    fn a_frame_that_is_late_has_its_number_kept() {
        let mut selector = selector(Bitrate::from_kbps(150));
        // The second of these was dropped by then.
        assert_eq!(sent(&mut selector, [0, 1, 4, 2, 1, 6, 2]), [(0, 0), (4, 3), (2, 1), (6, 5), (2, 1)]);
    }
}
