//! The short form of a linear repair packet: what the headers of a regular stream have in common is told once, not summed up, and
//! mostly not told at all.
//!
//! Voice has packets hardly longer than their headers, and all that changes in these from one to the next is the number and the
//! timestamp, in steps that are known. So the receiver works out what the RTP headers sum up to, as header compression does for one
//! packet (RFC 3095), and the symbol begins with the payload. Which packets are covered follows from the timestamp of the repair
//! packet, which is that of the newest of them.

use rtc_core::{Fault, Malformed, SeqNum, Ssrc};

use super::LENGTH_LEN;
use super::covered::{Covered, MAX_SPAN};

/// The first two bits: one byte for steady voice, or more for what is not.
const BRIEF: u8 = 0x80;
const BRIEF_LENGTH: u8 = 0x40;
const LONG: u8 = 0x40;
const VERSIONS: u8 = 0xc0;
/// Of the long one.
const BASE: u8 = 0x20;
const MASKED: u8 = 0x10;
const LENGTHS: u8 = 0x08;
const RESERVED: u8 = 0x07;
/// Of the other six bits of the brief one, what says that packets are so many ticks of 48 kHz long (10, 20, 40 and 60 ms of
/// Opus, RFC 7587 §4.2); how many packets there are, less 1, is in those bits that are then left.
const STEPS: [(u8, u16); 4] = [(0, 480), (0x20, 960), (0x30, 1_920), (0x38, 2_880)];
const FORMAT: &str = "short linear repair";

/// What a repair packet of the short form says before its symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Short {
    pub(crate) covered: Covered,
    /// Ticks from one number to the next.
    pub(crate) step: u16,
    /// The first packet covered, and the source of all, where the timestamp does not tell.
    pub(crate) base: Option<(SeqNum, Ssrc)>,
    /// What the lengths sum up to; `None` if all are as long as the symbol.
    pub(crate) length: Option<[u8; LENGTH_LEN]>,
}

impl Short {
    /// Bytes on the wire at most, before the symbol.
    pub(crate) const MAX_LEN: usize = 4 + 6 + MAX_SPAN / 8 + LENGTH_LEN;

    /// Whether a payload is in this form.
    pub(crate) fn is(payload: &[u8]) -> bool {
        payload.first().is_some_and(|first| first & VERSIONS != 0)
    }

    /// Reads it from a payload that is in this form; what follows is the symbol.
    pub(crate) fn parse(payload: &[u8]) -> Result<(Self, &[u8]), Malformed> {
        let read = match payload.split_first().ok_or(Fault::Truncated) {
            Ok((first, rest)) if first & BRIEF != 0 => Self::parse_brief(*first, rest),
            Ok((first, rest)) => Self::parse_long(*first, rest),
            Err(fault) => Err(fault),
        };
        read.map_err(|fault| Malformed::new(FORMAT, fault))
    }

    fn parse_brief(first: u8, mut rest: &[u8]) -> Result<(Self, &[u8]), Fault> {
        let bits = first & !VERSIONS;
        // The prefix that is the greatest of those not greater is the one it has.
        let (prefix, step) = STEPS.into_iter().rfind(|(prefix, _)| *prefix <= bits).ok_or(Fault::Reserved)?;
        let mut length = None;
        if first & BRIEF_LENGTH != 0 {
            let (low, symbol) = rest.split_first().ok_or(Fault::Truncated)?;
            (length, rest) = (Some([0, *low]), symbol);
        }
        let covered = Covered::all(usize::from(bits - prefix) + 1);
        Ok((Self { covered, step, base: None, length }, rest))
    }

    fn parse_long(first: u8, rest: &[u8]) -> Result<(Self, &[u8]), Fault> {
        if first & RESERVED != 0 {
            return Err(Fault::Reserved);
        }
        let ([span, s0, s1], mut rest) = rest.split_first_chunk().ok_or(Fault::Truncated)?;
        let step = u16::from_be_bytes([*s0, *s1]);
        let mut base = None;
        if first & BASE != 0 {
            let ([b0, b1, source @ ..], more) = rest.split_first_chunk::<6>().ok_or(Fault::Truncated)?;
            base = Some((SeqNum(u16::from_be_bytes([*b0, *b1])), Ssrc(u32::from_be_bytes(*source))));
            rest = more;
        } else if step == 0 {
            // It would not tell one packet from another.
            return Err(Fault::Inconsistent);
        }
        let (covered, mut rest) = Covered::read(usize::from(*span) + 1, first & MASKED != 0, rest)?;
        let mut length = None;
        if first & LENGTHS != 0 {
            let (sum, symbol) = rest.split_first_chunk().ok_or(Fault::Truncated)?;
            (length, rest) = (Some(*sum), symbol);
        }
        Ok((Self { covered, step, base, length }, rest))
    }

    /// The bytes before the symbol, and how many they are.
    pub(crate) fn to_bytes(self) -> ([u8; Self::MAX_LEN], usize) {
        let mut bytes = [0; Self::MAX_LEN];
        if let Some(first) = self.brief() {
            bytes[0] = first;
            // Without it, the length is zero and the symbol goes over it.
            bytes[1] = self.length.map_or(0, |[_, low]| low);
            return (bytes, 1 + usize::from(self.length.is_some()));
        }
        let mut len = 0;
        let mut put = |part: &[u8]| {
            bytes[len..len + part.len()].copy_from_slice(part);
            len += part.len();
        };
        let flag = |bit: u8, is: bool| if is { bit } else { 0 };
        let (span, masked) = (self.covered.span(), self.covered.has_holes());
        let flags = flag(BASE, self.base.is_some()) | flag(MASKED, masked) | flag(LENGTHS, self.length.is_some());
        put(&[LONG | flags, u8::try_from(span.saturating_sub(1)).unwrap_or(u8::MAX)]);
        put(&self.step.to_be_bytes());
        if let Some((base, ssrc)) = self.base {
            put(&base.0.to_be_bytes());
            put(&ssrc.0.to_be_bytes());
        }
        if masked {
            put(&self.covered.mask()[..span.div_ceil(8)]);
        }
        if let Some(length) = self.length {
            put(&length);
        }
        (bytes, len)
    }

    /// The byte that says all but the length, if one is enough.
    fn brief(&self) -> Option<u8> {
        let at = STEPS.iter().position(|(_, step)| *step == self.step)?;
        let (prefix, end) = (STEPS[at].0, STEPS.get(at + 1).map_or(BRIEF_LENGTH, |(next, _)| *next));
        let bits = u8::try_from(self.covered.reach()).ok()?.checked_add(prefix).filter(|bits| *bits < end)?;
        let tells = !self.covered.has_holes() && self.base.is_none() && self.length.is_none_or(|[high, _]| high == 0);
        tells.then_some(BRIEF | if self.length.is_some() { BRIEF_LENGTH } else { 0 } | bits)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn covered(offsets: &[usize]) -> Covered {
        let mut covered = Covered::default();
        offsets.iter().for_each(|offset| covered.insert(*offset));
        covered
    }

    fn bytes(short: Short) -> Vec<u8> {
        let (bytes, len) = short.to_bytes();
        bytes[..len].to_vec()
    }

    #[test]
    fn the_bytes_of_the_short_form() {
        let short = Short { covered: Covered::all(3), step: 960, base: None, length: None };
        assert_eq!(bytes(short), [0b10_100010]);
        assert_eq!(bytes(Short { length: Some([0, 9]), ..short }), [0b11_100010, 9]);
        assert_eq!(bytes(Short { covered: Covered::all(32), step: 480, ..short }), [0b10_011111]);
        assert_eq!(bytes(Short { covered: Covered::all(16), ..short }), [0b10_101111]);
        assert_eq!(bytes(Short { covered: Covered::all(8), step: 1_920, ..short }), [0b10_110111]);
        assert_eq!(bytes(Short { step: 2_880, ..short }), [0b10_111010]);
        // One packet too many, another step, a hole, long packets, no steady stream.
        assert_eq!(bytes(Short { covered: Covered::all(17), ..short }), [0x40, 16, 0x03, 0xc0]);
        assert_eq!(bytes(Short { step: 160, ..short }), [0x40, 2, 0, 160]);
        assert_eq!(bytes(Short { covered: covered(&[0, 2, 9]), ..short }), [0x50, 9, 0x03, 0xc0, 0xa0, 0x40]);
        assert_eq!(bytes(Short { length: Some([1, 9]), ..short }), [0x48, 2, 0x03, 0xc0, 1, 9]);
        let base = Some((SeqNum(0xabcd), Ssrc(7)));
        assert_eq!(bytes(Short { base, ..short }), [0x60, 2, 0x03, 0xc0, 0xab, 0xcd, 0, 0, 0, 7]);
    }

    #[test]
    fn impossible_short_forms_are_malformed() {
        let fault = |payload: &[u8]| Short::parse(payload).map(|_| ()).map_err(|error| error.fault());
        assert_eq!(fault(&[0xc0]), Err(Fault::Truncated));
        assert_eq!(fault(&[0x41, 2, 3, 0xc0]), Err(Fault::Reserved));
        assert_eq!(fault(&[0x40, 2, 0, 0]), Err(Fault::Inconsistent));
        assert_eq!(fault(&[0x40, 63, 3, 0xc0]), Ok(()));
        assert_eq!(fault(&[0x40, 64, 3, 0xc0]), Err(Fault::Length));
        assert_eq!(fault(&[0x50, 2, 3, 0xc0, 0xe0]), Err(Fault::Inconsistent));
        assert_eq!(fault(&[0x50, 2, 3, 0xc0]), Err(Fault::Truncated));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            offsets in proptest::collection::btree_set(1usize..256, 0..63), contiguous in proptest::option::of(1usize..=64),
            step in prop_oneof![any::<u16>(), prop::sample::select(STEPS.map(|(_, step)| step).to_vec())],
            base in proptest::option::of((any::<u16>(), any::<u32>())), length in proptest::option::of(any::<[u8; 2]>()),
            small: bool, symbol in proptest::collection::vec(any::<u8>(), 0..9),
        ) {
            let mut some = covered(&[0]);
            offsets.into_iter().for_each(|offset| some.insert(offset));
            let short = Short {
                covered: contiguous.map_or(some, Covered::all),
                step: if base.is_none() { step.max(1) } else { step },
                base: base.map(|(base, ssrc)| (SeqNum(base), Ssrc(ssrc))),
                length: length.map(|[high, low]| [if small { 0 } else { high }, low]),
            };
            let before = bytes(short);
            let payload = [&before[..], &symbol].concat();
            prop_assert!(Short::is(&payload));
            prop_assert_eq!(Short::parse(&payload), Ok((short, &symbol[..])));
            prop_assert!((0..before.len()).all(|cut| Short::parse(&payload[..cut]).is_err()));
        }

        /// What would be said otherwise says the same.
        #[test]
        fn what_is_read_is_written_or_can_be_said_in_less(
            first in 0x40_u8..=255, rest in proptest::collection::vec(any::<u8>(), 0..50),
        ) {
            let payload = [&[first][..], &rest].concat();
            if let Ok((short, symbol)) = Short::parse(&payload) {
                let again = [&bytes(short)[..], symbol].concat();
                prop_assert!(again == payload || again.len() < payload.len());
                prop_assert_eq!(Short::parse(&again), Ok((short, symbol)));
            }
        }
    }
}
