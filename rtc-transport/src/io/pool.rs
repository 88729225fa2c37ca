use bytes::BytesMut;

/// Bytes of a piece of memory that many datagrams share; it is used again once all of them are gone.
const CHUNK: usize = 64 << 10;

/// Memory for datagrams that arrived: no allocation for each.
#[derive(Debug, Default)]
pub(super) struct Pool(BytesMut);

impl Pool {
    pub(super) fn copy(&mut self, data: &[u8]) -> BytesMut {
        if self.0.capacity() < data.len() {
            self.0.reserve(CHUNK.max(data.len()));
        }
        self.0.extend_from_slice(data);
        self.0.split()
    }
}
