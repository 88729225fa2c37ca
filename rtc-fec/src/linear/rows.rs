/// Where rows begin: a multiple of the longest vector, or each load and store would be of two parts of the cache.
const ALIGNMENT: usize = 64;

/// Rows of bytes of one length, one after the other.
#[derive(Debug)]
pub(crate) struct Rows {
    bytes: Vec<u8>,
    /// Where the first begins.
    start: usize,
    count: usize,
    stride: usize,
}

impl Rows {
    /// So many rows of zeros with room for so many bytes each.
    pub(crate) fn new(count: usize, len: usize) -> Self {
        let stride = len.next_multiple_of(ALIGNMENT);
        let bytes = vec![0; count * stride + ALIGNMENT];
        let start = bytes.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        Self { bytes, start, count, stride }
    }

    /// Makes room for so many rows of so many bytes, if there is less. Rows keep what they have.
    pub(crate) fn reserve(&mut self, count: usize, len: usize) {
        if count <= self.count && len <= self.stride {
            return;
        }
        let mut rows = Self::new(count.max(self.count), len.max(self.stride));
        for (row, old) in rows.first_mut(self.count).zip(self.first(self.count)) {
            row[..self.stride].copy_from_slice(old);
        }
        *self = rows;
    }

    /// Bytes from one row to the next.
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    pub(crate) fn all(&self) -> &[u8] {
        &self.bytes[self.start..][..self.count * self.stride]
    }

    pub(crate) fn all_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..][..self.count * self.stride]
    }

    pub(crate) fn row(&self, row: usize) -> &[u8] {
        &self.all()[row * self.stride..][..self.stride]
    }

    pub(crate) fn row_mut(&mut self, row: usize) -> &mut [u8] {
        let stride = self.stride;
        &mut self.all_mut()[row * stride..][..stride]
    }

    /// The first so many rows.
    pub(crate) fn first(&self, count: usize) -> impl Iterator<Item = &[u8]> {
        self.all().chunks_exact(self.stride).take(count)
    }

    /// The first so many rows.
    pub(crate) fn first_mut(&mut self, count: usize) -> impl Iterator<Item = &mut [u8]> {
        let stride = self.stride;
        self.all_mut().chunks_exact_mut(stride).take(count)
    }
}
