use core::ops::Range;

/// Profile bits of the one-byte form (RFC 8285 §4.2).
pub(super) const ONE_BYTE: u16 = 0xbede;
/// Profile bits of the two-byte form, the four "appbits" left zero (RFC 8285 §4.3).
pub(super) const TWO_BYTE: u16 = 0x1000;

/// Iterator over RFC 8285 header extension elements: identifier (1-14 or 1-255) and value.
///
/// Skips padding, ends at identifiers 0 and 15 of the one-byte form, and before an element that reaches beyond the data.
#[derive(Debug, Clone, Default)]
pub struct Elements<'a> {
    data: &'a [u8],
    ranges: ElementRanges,
}

impl<'a> Elements<'a> {
    pub(super) fn new(profile: u16, data: &'a [u8]) -> Self {
        Self { data, ranges: ElementRanges::new(profile) }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (id, range) = self.ranges.next_in(self.data)?;
        Some((id, &self.data[range]))
    }
}

impl core::iter::FusedIterator for Elements<'_> {}

/// The walk over elements, apart from the data, so that reading and rewriting share it.
#[derive(Debug, Clone, Default)]
pub(super) struct ElementRanges {
    form: Form,
    at: usize,
}

#[derive(Debug, Clone, Copy, Default)]
enum Form {
    /// Of another profile (RFC 3550 §5.3.1): no elements.
    #[default]
    Other,
    OneByte,
    TwoByte,
}

impl ElementRanges {
    pub(super) fn new(profile: u16) -> Self {
        let form = match profile {
            ONE_BYTE => Form::OneByte,
            _ if profile & 0xfff0 == TWO_BYTE => Form::TwoByte,
            _ => Form::Other,
        };
        Self { form, at: 0 }
    }

    pub(super) fn next_in(&mut self, data: &[u8]) -> Option<(u8, Range<usize>)> {
        // Padding bytes are zero in both forms, between elements and at the end (§4.1.2).
        while *data.get(self.at)? == 0 {
            self.at += 1;
        }
        let head = data[self.at];
        let (id, start, len) = match self.form {
            Form::Other => return None,
            // Four bits of id, four of length minus one (§4.2).
            Form::OneByte => (head >> 4, self.at + 1, usize::from(head & 0x0f) + 1),
            Form::TwoByte => (head, self.at + 2, usize::from(*data.get(self.at + 1)?)),
        };
        // Id 0 with a length (§4.1.2) and id 15 of the one-byte form (§4.2) end the list, whatever follows.
        let ends_list = matches!((self.form, id), (Form::OneByte, 0 | 15));
        if ends_list || start + len > data.len() {
            self.at = data.len();
            return None;
        }
        self.at = start + len;
        Some((id, start..self.at))
    }
}
