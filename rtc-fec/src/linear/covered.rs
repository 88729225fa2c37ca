use rtc_core::Fault;

/// Most packets in one repair packet.
pub(crate) const MAX_SOURCES: usize = 64;
/// Sequence numbers from the first of them to the last at most.
pub(crate) const MAX_SPAN: usize = 256;

/// A set of packets by their distance from the first, which is one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Covered([u64; MAX_SPAN / 64]);

impl Covered {
    /// The first so many.
    pub(crate) fn all(span: usize) -> Self {
        let word = |at: usize| match span.saturating_sub(64 * at) {
            64.. => u64::MAX,
            // The most significant bits.
            bits => !(u64::MAX >> bits),
        };
        Self(core::array::from_fn(word))
    }

    /// Reads which packets of a span are covered: all, or those in the mask that follows. And what follows that.
    ///
    /// There is one way to say it: a mask begins and ends with a packet, and there is none if it would be full.
    pub(super) fn read(span: usize, masked: bool, rest: &[u8]) -> Result<(Self, &[u8]), Fault> {
        let (covered, rest) = match masked {
            false => (Self::all(span), rest),
            true => {
                let (mask, rest) = rest.split_at_checked(span.div_ceil(8)).ok_or(Fault::Truncated)?;
                (Self::from_mask(mask), rest)
            }
        };
        if covered.span() != span || !covered.contains(0) || covered.has_holes() != masked {
            return Err(Fault::Inconsistent);
        }
        if covered.count() > MAX_SOURCES {
            return Err(Fault::Length);
        }
        Ok((covered, rest))
    }

    /// The mask on the wire, and zeros after it.
    pub(super) fn mask(&self) -> [u8; MAX_SPAN / 8] {
        let mut bytes = [0; MAX_SPAN / 8];
        for (bytes, word) in bytes.chunks_exact_mut(8).zip(self.0) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
        bytes
    }

    /// The first packet is the most significant bit of the first byte.
    fn from_mask(mask: &[u8]) -> Self {
        let mut bytes = [0; MAX_SPAN / 8];
        bytes[..mask.len()].copy_from_slice(mask);
        let mut covered = Self::default();
        for (word, bytes) in covered.0.iter_mut().zip(bytes.as_chunks().0) {
            *word = u64::from_be_bytes(*bytes);
        }
        covered
    }

    /// `offset` must be less than [`MAX_SPAN`].
    pub(crate) fn insert(&mut self, offset: usize) {
        self.0[offset / 64] |= 1 << (63 - offset % 64);
    }

    pub(crate) fn contains(&self, offset: usize) -> bool {
        self.0.get(offset / 64).is_some_and(|word| word & (1 << (63 - offset % 64)) != 0)
    }

    pub(crate) fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Packets from the first to the last.
    pub(crate) fn span(&self) -> usize {
        let last = self.0.iter().rposition(|word| *word != 0);
        last.map_or(0, |at| 64 * (at + 1) - self.0[at].trailing_zeros() as usize)
    }

    /// From the first to the last.
    pub(crate) fn reach(&self) -> u16 {
        u16::try_from(self.span().saturating_sub(1)).unwrap_or(u16::MAX)
    }

    pub(crate) fn has_holes(&self) -> bool {
        self.count() < self.span()
    }

    /// The distances in the set, in order.
    pub(crate) fn offsets(self) -> impl Iterator<Item = u16> + Clone {
        let (mut rest, mut at) = (self.0, 0);
        core::iter::from_fn(move || {
            while rest[at] == 0 {
                at += 1;
                if at == rest.len() {
                    at = 0;
                    return None;
                }
            }
            let zeros = rest[at].leading_zeros();
            rest[at] ^= (1 << 63) >> zeros;
            u16::try_from(64 * at + zeros as usize).ok()
        })
    }
}
