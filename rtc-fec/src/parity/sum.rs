use super::{BODY_LEN, Recovery};
use crate::simd::xor_into;

/// The exclusive or of packets, or of a part of each, added as they come.
#[derive(Debug)]
pub(crate) struct Sum {
    pub(crate) recovery: Recovery,
    /// Room for a header, then the exclusive or.
    bytes: Vec<u8>,
    room: usize,
}

impl Sum {
    /// Nothing yet, with that much room for a header before it.
    pub(crate) fn with_room(room: usize) -> Self {
        let mut bytes = Vec::with_capacity(room + BODY_LEN);
        bytes.resize(room, 0);
        Self { recovery: Recovery::default(), bytes, room }
    }

    pub(crate) fn add(&mut self, recovery: Recovery, body: &[u8]) {
        self.recovery.add(recovery);
        // What is longer than all before meets zeros (RFC 5109 §8.2).
        let sum = &mut self.bytes[self.room..];
        let (met, new) = body.split_at(body.len().min(sum.len()));
        xor_into(&mut sum[..met.len()], met);
        self.bytes.extend_from_slice(new);
    }

    /// Appends zeros, or cuts, to that length.
    pub(crate) fn resize(&mut self, len: usize) {
        self.bytes.resize(self.room + len, 0);
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.bytes[self.room..]
    }

    /// The exclusive or with this header, which must fit the room, before it.
    pub(crate) fn with_header(&mut self, header: &[u8]) -> &[u8] {
        let start = self.room - header.len();
        self.bytes[start..self.room].copy_from_slice(header);
        &self.bytes[start..]
    }

    pub(crate) fn clear(&mut self) {
        self.recovery = Recovery::default();
        self.bytes.truncate(self.room);
    }
}
