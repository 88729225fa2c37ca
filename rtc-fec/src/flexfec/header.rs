use rtc_core::{Fault, Malformed, SeqNum, Ssrc};

use super::{FlexfecVariant, MAX_SOURCES};
use crate::parity::{Mask, Members, Recovery};

/// In the first byte: a retransmission (R).
const RETRANSMISSION: u8 = 0x80;
/// In the first byte: columns and rows instead of masks (F).
const FIXED: u8 = 0x40;
/// The longest header on the wire: of the draft, with a mask of 109 for each source.
pub(super) const MAX_LEN: usize = 12 + MAX_SOURCES * (4 + 2 + 14);

/// The packets of one source that a repair packet protects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Protected {
    pub(super) ssrc: Ssrc,
    pub(super) base: SeqNum,
    pub(super) members: Members,
}

/// What a repair packet says of the exclusive or in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) recovery: Recovery,
    protected: [Option<Protected>; MAX_SOURCES],
    /// Bytes of the header: the exclusive or follows.
    pub(super) len: usize,
}

impl Header {
    pub(super) fn protected(&self) -> impl Iterator<Item = &Protected> {
        self.protected.iter().flatten()
    }
}

/// Reads a repair payload; `csrcs` are those of its packet. `None` for a retransmission: one packet as it was sent, but for the
/// two highest bits of the first byte, which stand where its version was.
pub(super) fn parse(
    variant: FlexfecVariant,
    csrcs: impl ExactSizeIterator<Item = Ssrc>,
    payload: &[u8],
) -> Result<Option<Header>, Malformed> {
    let mut reader = Reader { bytes: payload, at: 0 };
    let [first, second, l0, l1] = reader.take()?;
    let fixed = match (first & RETRANSMISSION != 0, first & FIXED != 0, variant) {
        (true, false, FlexfecVariant::Rfc8627) | (true, true, FlexfecVariant::Draft03) => {
            return Ok(None);
        }
        (false, fixed, FlexfecVariant::Rfc8627) => fixed,
        (false, false, FlexfecVariant::Draft03) => false,
        _ => return Err(fault(Fault::Reserved)),
    };
    let recovery = Recovery::new([first, second], reader.take()?, [l0, l1]);
    let mut named = csrcs.map(Some);
    let count = match variant {
        FlexfecVariant::Rfc8627 => named.len(),
        // Three reserved bytes are ignored.
        FlexfecVariant::Draft03 => usize::from(reader.take::<4>()?[0]),
    };
    if count > MAX_SOURCES {
        return Err(fault(Fault::Length));
    }
    let mut protected = [None; MAX_SOURCES];
    for at in 0..count {
        let ssrc = match variant {
            FlexfecVariant::Rfc8627 => named.next().flatten().ok_or_else(|| fault(Fault::Inconsistent))?,
            FlexfecVariant::Draft03 => Ssrc(u32::from_be_bytes(reader.take()?)),
        };
        let base = SeqNum(u16::from_be_bytes(reader.take()?));
        let members = if fixed { columns_and_rows(reader.take()?)? } else { reader.mask(variant)? };
        if protected.iter().flatten().any(|other: &Protected| other.ssrc == ssrc) {
            return Err(fault(Fault::Inconsistent));
        }
        // A source that is named but has no packet here does no harm.
        protected[at] = Some(Protected { ssrc, base, members }).filter(|_| members != Members::Mask(Mask::default()));
    }
    if protected.iter().flatten().next().is_none() {
        return Err(fault(Fault::Inconsistent));
    }
    Ok(Some(Header { recovery, protected, len: reader.at }))
}

/// Which packets these columns and rows are (RFC 8627 §4.2.2.2): a row, alone or with columns to follow, or a column.
fn columns_and_rows([columns, rows]: [u8; 2]) -> Result<Members, Malformed> {
    match (u16::from(columns), u16::from(rows)) {
        (0, _) => Err(fault(Fault::Reserved)),
        (columns, 0 | 1) => Ok(Members::Run { step: 1, count: columns }),
        (columns, rows) => Ok(Members::Run { step: columns, count: rows }),
    }
}

const fn fault(fault: Fault) -> Malformed {
    Malformed::new("FlexFEC", fault)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = rest.first_chunk().ok_or_else(|| fault(Fault::Truncated))?;
        self.at += N;
        Ok(*taken)
    }

    /// A mask in its parts, each but the longest of RFC 8627 with a bit before it, see [`more_bit`].
    fn mask(&mut self, variant: FlexfecVariant) -> Result<Members, Malformed> {
        let first = u16::from_be_bytes(self.take()?);
        let mut bits = u128::from(first & 0x7fff) << 113;
        if (first >> 15 != 0) == more_bit(variant) {
            let second = u32::from_be_bytes(self.take()?);
            bits |= u128::from(second & 0x7fff_ffff) << 82;
            if (second >> 31 != 0) == more_bit(variant) {
                let third = u64::from_be_bytes(self.take()?);
                bits |= match variant {
                    FlexfecVariant::Rfc8627 => u128::from(third) << 18,
                    FlexfecVariant::Draft03 if third >> 63 == 0 => return Err(fault(Fault::Length)),
                    FlexfecVariant::Draft03 => u128::from(third & (u64::MAX >> 1)) << 19,
                };
            }
        }
        Ok(Members::Mask(Mask::from_bits(bits)))
    }
}

/// A header in the making.
pub(super) struct Writer {
    bytes: [u8; MAX_LEN],
    len: usize,
}

impl Writer {
    /// The header of the exclusive or of these packets. `more` says of a row that columns follow. All members are masks the
    /// variant has room for, or all are runs, which the draft has not.
    pub(super) fn write(variant: FlexfecVariant, recovery: Recovery, protected: &[Protected], more: bool) -> Self {
        let mut writer = Self { bytes: [0; MAX_LEN], len: 0 };
        let ([first, second], timestamp, len) = recovery.to_fields();
        let fixed = matches!(protected.first(), Some(Protected { members: Members::Run { .. }, .. }));
        writer.put(&[first | if fixed { FIXED } else { 0 }, second]);
        writer.put(&len);
        writer.put(&timestamp);
        if variant == FlexfecVariant::Draft03 {
            let [.., count] = protected.len().to_be_bytes();
            writer.put(&[count, 0, 0, 0]);
        }
        for Protected { ssrc, base, members } in protected {
            if variant == FlexfecVariant::Draft03 {
                writer.put(&ssrc.0.to_be_bytes());
            }
            writer.put(&base.0.to_be_bytes());
            match *members {
                Members::Mask(mask) => writer.put_mask(variant, mask),
                Members::Run { step, count } => {
                    let ([_, step], [_, count]) = (step.to_be_bytes(), count.to_be_bytes());
                    // One packet is a row, as one row of a column would be read as a row.
                    writer.put(&if step == 1 || count == 1 { [count, u8::from(more)] } else { [step, count] });
                }
            }
        }
        writer
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn put(&mut self, bytes: &[u8]) {
        self.bytes[self.len..][..bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    #[expect(clippy::cast_possible_truncation, reason = "each part is cut out of the mask")]
    fn put_mask(&mut self, variant: FlexfecVariant, mask: Mask) {
        let (bits, last) = (mask.bits(), mask.last());
        let (first, second) = ((bits >> 113) as u16, (bits >> 82) as u32 & 0x7fff_ffff);
        let k = |more: bool| more == more_bit(variant);
        self.put(&(first | u16::from(k(last >= 15)) << 15).to_be_bytes());
        if last >= 15 {
            self.put(&(second | u32::from(k(last >= 46)) << 31).to_be_bytes());
        }
        if last >= 46 {
            self.put(&match variant {
                FlexfecVariant::Rfc8627 => ((bits >> 18) as u64).to_be_bytes(),
                FlexfecVariant::Draft03 => (1 << 63 | (bits >> 19) as u64).to_be_bytes(),
            });
        }
    }
}

/// The bit k before a part of a mask if another part follows: set in RFC 8627 (§4.2.2.1), clear in the draft, where it is set
/// before the last.
const fn more_bit(variant: FlexfecVariant) -> bool {
    matches!(variant, FlexfecVariant::Rfc8627)
}

/// The first byte of a retransmitted packet in a repair payload.
pub(super) const fn retransmission_bits(variant: FlexfecVariant) -> u8 {
    match variant {
        FlexfecVariant::Rfc8627 => RETRANSMISSION,
        FlexfecVariant::Draft03 => RETRANSMISSION | FIXED,
    }
}
