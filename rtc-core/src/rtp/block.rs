use bytes::{BufMut, BytesMut};

use crate::ConfigError;

use super::element::{ONE_BYTE, TWO_BYTE};

/// Most bytes of header extension data: the length has 16 bits and counts words (RFC 3550 §5.3.1).
const MAX_DATA: usize = 4 * u16::MAX as usize;

/// What a header extension is to hold.
#[derive(Debug, Clone, Copy)]
pub(super) enum Extension<'a> {
    /// Elements of RFC 8285; without any there is no header extension.
    Elements(&'a [(u8, &'a [u8])]),
    /// Anything else.
    Raw { profile: u16, data: &'a [u8] },
}

/// A header extension that can be written (RFC 3550 §5.3.1).
pub(super) struct Block<'a> {
    content: Extension<'a>,
    profile: u16,
    /// Bytes of data, with the padding to a word.
    data_len: usize,
}

impl<'a> Block<'a> {
    pub(super) fn of(content: Extension<'a>, two_byte: bool) -> Result<Option<Self>, ConfigError> {
        let (profile, data_len) = match content {
            Extension::Elements([]) => return Ok(None),
            Extension::Elements(elements) => {
                let fitting = fitting(elements)?;
                let profile = if two_byte { TWO_BYTE } else { fitting };
                let data_len = elements.iter().map(|(_, value)| head_len(profile) + value.len()).sum::<usize>();
                (profile, data_len.next_multiple_of(4))
            }
            Extension::Raw { profile, data } => (profile, data.len()),
        };
        if data_len > MAX_DATA || !data_len.is_multiple_of(4) {
            return Err(ConfigError::new("extensions", "must be whole words, 65535 at most (RFC 3550 §5.3.1)"));
        }
        Ok(Some(Self { content, profile, data_len }))
    }

    pub(super) fn profile(&self) -> u16 {
        self.profile
    }

    /// Bytes on the wire.
    pub(super) fn len(&self) -> usize {
        4 + self.data_len
    }

    #[expect(clippy::cast_possible_truncation, reason = "lengths were checked by the constructor")]
    pub(super) fn put(&self, out: &mut BytesMut) {
        let end = out.len() + self.len();
        out.put_u16(self.profile);
        out.put_u16((self.data_len / 4) as u16);
        match self.content {
            Extension::Raw { data, .. } => out.put_slice(data),
            Extension::Elements(elements) => {
                for (id, value) in elements {
                    if self.profile == ONE_BYTE {
                        out.put_u8((id << 4) | (value.len() as u8 - 1));
                    } else {
                        out.put_slice(&[*id, value.len() as u8]);
                    }
                    out.put_slice(value);
                }
            }
        }
        out.put_bytes(0, end - out.len());
    }
}

/// The form of RFC 8285 that holds these elements: one byte of head (§4.2) if possible, else two (§4.3).
fn fitting(elements: &[(u8, &[u8])]) -> Result<u16, ConfigError> {
    let mut profile = ONE_BYTE;
    for (id, value) in elements {
        if *id == 0 {
            return Err(ConfigError::new("extensions", "must not use identifier 0 (RFC 8285 §4.1.2)"));
        }
        if value.len() > 255 {
            return Err(ConfigError::new("extensions", "must have values of 255 bytes at most (RFC 8285 §4.3)"));
        }
        if *id > 14 || !(1..=16).contains(&value.len()) {
            profile = TWO_BYTE;
        }
    }
    Ok(profile)
}

fn head_len(profile: u16) -> usize {
    if profile == ONE_BYTE { 1 } else { 2 }
}
