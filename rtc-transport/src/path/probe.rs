use rtc_core::Ssrc;

/// Bytes of a probe.
pub(super) const LEN: usize = 24;

const APP: u8 = 204;
const NAME: [u8; 4] = *b"PATH";
/// Of [`LEN`] bytes: in 32-bit words, less one.
const LENGTH: u16 = 5;

/// What goes over a path to measure it; the form is in the [module's documentation](super).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Probe {
    pub(super) is_answer: bool,
    pub(super) ssrc: Ssrc,
    pub(super) nonce: u64,
    pub(super) count: u32,
}

impl Probe {
    /// `None` for whatever is not a probe.
    pub(super) fn parse(datagram: &[u8]) -> Option<Self> {
        let bytes: &[u8; LEN] = datagram.try_into().ok()?;
        let word = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let is_answer = match bytes[0] {
            0x80 => false,
            0x81 => true,
            _ => return None,
        };
        let is_ours = bytes[1] == APP && bytes[2..4] == LENGTH.to_be_bytes() && bytes[8..12] == NAME;
        let nonce = u64::from(word(12)) << 32 | u64::from(word(16));
        is_ours.then(|| Self { is_answer, ssrc: Ssrc(word(4)), nonce, count: word(20) })
    }

    pub(super) fn write(&self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        bytes[0] = 0x80 | u8::from(self.is_answer);
        bytes[1] = APP;
        bytes[2..4].copy_from_slice(&LENGTH.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.ssrc.0.to_be_bytes());
        bytes[8..12].copy_from_slice(&NAME);
        bytes[12..20].copy_from_slice(&self.nonce.to_be_bytes());
        bytes[20..24].copy_from_slice(&self.count.to_be_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_is_an_app_packet() {
        let probe = Probe { is_answer: true, ssrc: Ssrc(0x0102_0304), nonce: 0x1122_3344_5566_7788, count: 9 };
        let bytes = probe.write();
        assert_eq!(&bytes[..12], b"\x81\xcc\x00\x05\x01\x02\x03\x04PATH");
        assert_eq!(Probe::parse(&bytes), Some(probe));
        assert!((0..12).filter(|at| !(4..8).contains(at)).all(|at| {
            let mut other = bytes;
            other[at] ^= 0x40;
            Probe::parse(&other).is_none()
        }));
        assert_eq!(Probe::parse(&bytes[..23]), None);
    }
}
