use rtc_core::{SeqNum, Ssrc};

/// Most streams that are indexed: as many as a session reports on.
const MAX_STREAMS: usize = 64;

/// Which packet a stream's sequence number last stood for: what RFC 8888 feedback goes by.
#[derive(Debug, Default)]
pub(super) struct StreamIndex {
    streams: Vec<Stream>,
}

#[derive(Debug)]
struct Stream {
    ssrc: Ssrc,
    /// Packet of sequence number `seq` at `seq % len`, if `seq` is still the one it was sent with.
    packets: Box<[(SeqNum, u64)]>,
}

/// No packet.
const NONE: u64 = u64::MAX;

impl StreamIndex {
    /// Takes note that packet `id` is number `seq` of `ssrc`; `len` is a power of two. False if there is no room for another
    /// stream.
    pub(super) fn insert(&mut self, ssrc: Ssrc, seq: SeqNum, id: u64, len: usize) -> bool {
        let index = match self.position(ssrc) {
            Some(index) => index,
            None if self.streams.len() == MAX_STREAMS => return false,
            None => {
                self.streams.push(Stream { ssrc, packets: vec![(SeqNum(0), NONE); len].into_boxed_slice() });
                self.streams.len() - 1
            }
        };
        let packets = &mut self.streams[index].packets;
        let slot = usize::from(seq.0) & (packets.len() - 1);
        packets[slot] = (seq, id);
        true
    }

    /// The packets of a stream.
    pub(super) fn stream(&self, ssrc: Ssrc) -> Packets<'_> {
        Packets(self.position(ssrc).map_or(&[], |index| &self.streams[index].packets))
    }

    fn position(&self, ssrc: Ssrc) -> Option<usize> {
        self.streams.iter().position(|stream| stream.ssrc == ssrc)
    }
}

/// The packets of one stream, maybe none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packets<'a>(&'a [(SeqNum, u64)]);

impl Packets<'_> {
    /// The packet that was last sent with number `seq`.
    pub(super) fn id(self, seq: SeqNum) -> Option<u64> {
        let (known, id) = *self.0.get(usize::from(seq.0) & self.0.len().wrapping_sub(1))?;
        (known == seq && id != NONE).then_some(id)
    }
}
