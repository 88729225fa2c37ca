use crate::ffi;

/// libwebrtc's tables of which packets a repair packet covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Masks {
    /// Made for loss at random.
    Random,
    /// Made for loss in runs; only for up to 12 packets, [`Random`](Self::Random) beyond.
    Bursty,
}

/// libwebrtc's ULPFEC (RFC 5109) over blocks of RTP packets.
#[derive(Debug)]
pub struct Ulpfec {
    fec: ffi::Fec,
}

impl Ulpfec {
    /// Most packets in a block.
    pub const MAX_BLOCK: usize = 48;

    /// A coder for the stream of this SSRC: one end of it, or both.
    ///
    /// # Panics
    /// If the library gives nothing back, which it never does.
    #[must_use]
    pub fn new(ssrc: u32) -> Self {
        Self { fec: ffi::Fec::new(ssrc).expect("the shim aborts rather than return null") }
    }

    /// Makes `repair` payloads for a block of whole RTP packets of consecutive numbers; returns how many were made.
    ///
    /// They are to be sent with the numbers after the block's, and read by [`repair`](Self::repair) until the next call.
    pub fn encode<'a>(
        &mut self,
        block: impl ExactSizeIterator<Item = &'a [u8]>,
        repair: usize,
        masks: Masks,
    ) -> Option<usize> {
        let protection = protection(block.len(), repair)?;
        self.fec.encode(block, protection, masks == Masks::Bursty)
    }

    /// A repair payload made last.
    #[must_use]
    pub fn repair(&self, index: usize) -> Option<&[u8]> {
        self.fec.repair(index)
    }

    /// Takes a whole RTP packet that arrived.
    pub fn receive_source(&mut self, sequence: u16, packet: &[u8]) {
        self.fec.receive(sequence, packet, false);
    }

    /// Takes a repair payload that arrived in the packet of this number.
    pub fn receive_repair(&mut self, sequence: u16, payload: &[u8]) {
        self.fec.receive(sequence, payload, true);
    }

    /// Takes a repair payload made last as if it arrived in the packet of this number; says whether there is one.
    pub fn forward_repair(&mut self, index: usize, sequence: u16) -> bool {
        self.fec.forward(index, sequence)
    }

    /// The next packet brought back.
    pub fn poll_recovered(&mut self) -> Option<&[u8]> {
        self.fec.recovered()
    }

    /// Forgets everything received.
    pub fn reset(&mut self) {
        self.fec.reset();
    }
}

/// The factor, in 1/256 and rounded, at which the library makes `repair` packets for `source`.
fn protection(source: usize, repair: usize) -> Option<u8> {
    let fits = 1..=Ulpfec::MAX_BLOCK;
    if !fits.contains(&source) || repair > source {
        return None;
    }
    u8::try_from((repair * 256 / source).min(255)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 60 bytes of payload that name the packet.
    fn packet(sequence: u16) -> Vec<u8> {
        let [high, low] = sequence.to_be_bytes();
        let mut bytes = vec![0x80, 96, high, low, 0, 0, 1, 0, 0, 0, 0, 7];
        bytes.extend((0..60).map(|i| low.wrapping_mul(31).wrapping_add(i)));
        bytes
    }

    #[test]
    fn each_single_loss_of_a_block_is_repaired() {
        for lost in 0..10_u16 {
            let (mut sender, mut receiver) = (Ulpfec::new(7), Ulpfec::new(7));
            let block: Vec<_> = (65_530..65_540_u32).map(|number| packet((number & 0xffff) as u16)).collect();
            assert_eq!(sender.encode(block.iter().map(Vec::as_slice), 2, Masks::Random), Some(2));
            for (index, packet) in (0..).zip(&block).filter(|&(index, _)| index != lost) {
                receiver.receive_source(65_530_u16.wrapping_add(index), packet);
            }
            for index in 0..2 {
                let payload = sender.repair(usize::from(index)).unwrap();
                receiver.receive_repair(65_530_u16.wrapping_add(10 + index), payload);
            }
            assert_eq!(receiver.poll_recovered(), Some(block[usize::from(lost)].as_slice()));
            assert_eq!(receiver.poll_recovered(), None);
        }
    }

    #[test]
    fn as_many_repair_packets_as_asked_for() {
        for source in 1..=Ulpfec::MAX_BLOCK {
            for repair in 0..=source {
                let block: Vec<_> = (0..).take(source).map(packet).collect();
                let made = Ulpfec::new(7).encode(block.iter().map(Vec::as_slice), repair, Masks::Random);
                assert_eq!(made, Some(repair), "{source} + {repair}");
            }
        }
    }
}
