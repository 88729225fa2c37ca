/// Datagrams written to a buffer of the caller's, over what it held: what is to be overwritten is not cleared first.
pub(super) struct Output<'a> {
    buffer: &'a mut Vec<u8>,
    len: usize,
}

impl<'a> Output<'a> {
    pub(super) const fn new(buffer: &'a mut Vec<u8>) -> Self {
        Self { buffer, len: 0 }
    }

    /// Bytes written.
    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Room behind what is written; it holds anything.
    #[inline]
    pub(super) fn room(&mut self, len: usize) -> &mut [u8] {
        let end = self.len + len;
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        &mut self.buffer[self.len..end]
    }

    /// Says that so much of the room was written.
    #[inline]
    pub(super) fn wrote(&mut self, len: usize) {
        self.len += len;
    }

    /// Leaves what was written in the buffer, and nothing else.
    #[inline]
    pub(super) fn finish(self) {
        self.buffer.truncate(self.len);
    }
}
