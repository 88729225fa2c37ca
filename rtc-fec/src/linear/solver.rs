use core::ops::Range;

use super::rows::Rows;
use super::symbol::LENGTH_LEN;
use crate::gf256::{inverse, mul};
use crate::simd::{dot, spread};

/// Most unknown packets at once.
pub(crate) const MAX_UNKNOWN: usize = 128;
/// Where in a row the length is, after a coefficient for each column, and where the symbol.
const LENGTH: Range<usize> = MAX_UNKNOWN..MAX_UNKNOWN + LENGTH_LEN;
const SYMBOL: usize = MAX_UNKNOWN + 64;
/// Bytes of symbol a row has room for at first: as much as common packets have.
const SYMBOL_LEN: usize = 1_520;
/// Terms summed up in one pass.
const TERMS: usize = 16;

/// Equations in the unknown packets, in reduced row echelon form at all times: each row has a pivot, a column that no other
/// row has, with coefficient 1. So each repair packet is worked in when it comes, and what a row says that has no column but
/// its pivot is known at once. Whatever the equations determine, such a row says.
///
/// A row is the coefficients, the length and the symbol, one after the other: what is done to one is done to all.
#[derive(Debug)]
pub(crate) struct Solver {
    rows: Rows,
    /// Bytes in use of a row; those after it mean nothing.
    used: usize,
    /// Of each row in use.
    pivots: Vec<usize>,
    /// The row being worked in or out, as long as the others.
    scratch: Rows,
    factors: Vec<u8>,
    max_rows: usize,
}

/// A row that has no column but its pivot.
#[derive(Debug)]
pub(crate) struct Solved<'a> {
    pub(crate) row: usize,
    pub(crate) column: usize,
    pub(crate) length: [u8; LENGTH_LEN],
    pub(crate) symbol: &'a [u8],
}

/// The coefficients of such a row, in the part of this that has the 1 where the pivot is.
static UNITS: [u8; 2 * MAX_UNKNOWN] = {
    let mut units = [0; 2 * MAX_UNKNOWN];
    units[MAX_UNKNOWN - 1] = 1;
    units
};

impl Solver {
    pub(crate) fn new(max_rows: usize) -> Self {
        Self {
            rows: Rows::new(max_rows, SYMBOL + SYMBOL_LEN),
            used: SYMBOL,
            pivots: Vec::with_capacity(max_rows),
            scratch: Rows::new(1, SYMBOL + SYMBOL_LEN),
            factors: Vec::with_capacity(max_rows),
            max_rows,
        }
    }

    /// Begins an equation with the coefficients of its unknowns; whether the rows do not say as much already.
    pub(crate) fn begin(&mut self, coefficients: impl Iterator<Item = (usize, u8)>) -> bool {
        let scratch = self.scratch.all_mut();
        scratch[..SYMBOL].fill(0);
        for (column, coefficient) in coefficients {
            scratch[column] = coefficient;
        }
        self.factors.clear();
        self.factors.extend(self.pivots.iter().map(|pivot| scratch[*pivot]));
        self.reduce(0..LENGTH.end);
        self.scratch.all()[..MAX_UNKNOWN].iter().any(|coefficient| *coefficient != 0)
    }

    /// Finishes the equation that was begun and found to be new: this is the sum of its unknowns and of `known`. There must be
    /// room for a row.
    pub(crate) fn finish<'a>(
        &mut self,
        length: [u8; LENGTH_LEN],
        symbol: &[u8],
        known: impl Iterator<Item = (u8, &'a [u8])>,
    ) {
        self.reserve(symbol.len());
        let (head, rest) = self.scratch.all_mut().split_at_mut(SYMBOL);
        head[LENGTH].iter_mut().zip(length).for_each(|(sum, byte)| *sum ^= byte);
        rest[..symbol.len()].copy_from_slice(symbol);
        rest[symbol.len()..].fill(0);
        add_all(&mut rest[..self.used - SYMBOL], known);
        self.reduce(SYMBOL..self.used);
        self.place();
    }

    /// A column became known: its symbol goes into the rows that have it, which may say more then.
    pub(crate) fn substitute(&mut self, column: usize, packet: &[u8], length: impl Fn(u8) -> [u8; LENGTH_LEN]) {
        self.reserve(packet.len());
        if let Some(row) = self.pivots.iter().position(|pivot| *pivot == column) {
            self.take(row);
            let scratch = self.scratch.all_mut();
            scratch[column] = 0;
            scratch[LENGTH].iter_mut().zip(length(1)).for_each(|(sum, byte)| *sum ^= byte);
            dot(&mut scratch[SYMBOL..self.used], &[(1, packet)]);
            self.place();
            return;
        }
        self.gather_factors(column);
        if self.factors.iter().all(|factor| *factor == 0) {
            return;
        }
        for (row, factor) in self.rows.first_mut(self.factors.len()).zip(&self.factors) {
            row[column] = 0;
            row[LENGTH].iter_mut().zip(length(*factor)).for_each(|(sum, byte)| *sum ^= byte);
        }
        // The last row ends with its stride, and the symbols begin later.
        let (last, factors) = self.factors.split_last().unwrap_or((&0, &[]));
        let stride = self.rows.stride();
        spread(&mut self.rows.all_mut()[SYMBOL..], stride, factors, packet);
        dot(&mut self.rows.row_mut(factors.len())[SYMBOL..self.used], &[(*last, packet)]);
    }

    /// A column is no longer wanted: takes it out of the rows, of which one is lost if there is any with it; says whether.
    pub(crate) fn forget(&mut self, column: usize) -> bool {
        let Some(row) = self.rows.first(self.pivots.len()).position(|row| row[column] != 0) else { return false };
        self.take(row);
        self.eliminate(column);
        true
    }

    /// Finds a row that says what a column is: which row, which column, its length and its symbol.
    pub(crate) fn solved(&self) -> Option<Solved<'_>> {
        // From the end, where rows are dropped at no cost.
        let row = (0..self.pivots.len()).rev().find(|row| {
            let unit = &UNITS[MAX_UNKNOWN - 1 - self.pivots[*row]..][..MAX_UNKNOWN];
            self.rows.row(*row)[..MAX_UNKNOWN] == *unit
        })?;
        let bytes = &self.rows.row(row)[..self.used];
        let length = [bytes[LENGTH.start], bytes[LENGTH.start + 1]];
        Some(Solved { row, column: self.pivots[row], length, symbol: &bytes[SYMBOL..] })
    }

    /// Takes a row out of use.
    pub(crate) fn drop_row(&mut self, row: usize) {
        let last = self.pivots.len() - 1;
        if row < last {
            let (from, to) = (last * self.rows.stride(), row * self.rows.stride());
            self.rows.all_mut().copy_within(from..from + self.used, to);
        }
        self.pivots.swap_remove(row);
    }

    pub(crate) fn clear(&mut self) {
        self.pivots.clear();
    }

    /// Whether any row has the column.
    pub(crate) fn has(&self, column: usize) -> bool {
        self.rows.first(self.pivots.len()).any(|row| row[column] != 0)
    }

    /// Rows in use.
    pub(crate) fn len(&self) -> usize {
        self.pivots.len()
    }

    /// Adds the rows to the scratch row, each times its factor, as far as `range` goes.
    fn reduce(&mut self, range: Range<usize>) {
        let rows = self.rows.first(self.factors.len()).map(|row| &row[range.clone()]);
        let terms = self.factors.iter().copied().zip(rows).filter(|(factor, _)| *factor != 0);
        add_all(&mut self.scratch.all_mut()[range.clone()], terms);
    }

    /// Makes a row of the scratch row, which has no pivot of another; nothing if it has no column at all.
    fn place(&mut self) {
        let columns = &self.scratch.all()[..MAX_UNKNOWN];
        let Some(pivot) = columns.iter().position(|coefficient| *coefficient != 0) else { return };
        debug_assert!(self.len() < self.max_rows);
        self.eliminate(pivot);
        let scratch = &self.scratch.all()[..self.used];
        let row = &mut self.rows.row_mut(self.pivots.len())[..self.used];
        row.fill(0);
        dot(row, &[(inverse(scratch[pivot]), scratch)]);
        self.pivots.push(pivot);
    }

    /// Takes a column that the scratch row has out of all rows.
    fn eliminate(&mut self, column: usize) {
        self.gather_factors(column);
        let scratch = &self.scratch.all()[..self.used];
        let scale = inverse(scratch[column]);
        self.factors.iter_mut().for_each(|factor| *factor = mul(*factor, scale));
        let stride = self.rows.stride();
        spread(self.rows.all_mut(), stride, &self.factors, scratch);
    }

    /// Moves a row out of use, to the scratch row.
    fn take(&mut self, row: usize) {
        self.scratch.all_mut()[..self.used].copy_from_slice(&self.rows.row(row)[..self.used]);
        self.drop_row(row);
    }

    /// The coefficients of a column in the rows in use.
    fn gather_factors(&mut self, column: usize) {
        self.factors.clear();
        self.factors.extend(self.rows.first(self.pivots.len()).map(|row| row[column]));
    }

    /// Makes rows long enough for a symbol of this many bytes.
    fn reserve(&mut self, symbol_len: usize) {
        let needed = SYMBOL + symbol_len;
        self.rows.reserve(0, needed);
        self.scratch.reserve(0, needed);
        if self.pivots.is_empty() {
            self.used = needed;
        } else if needed > self.used {
            for row in self.rows.first_mut(self.pivots.len()) {
                row[self.used..needed].fill(0);
            }
            self.used = needed;
        }
    }
}

/// `acc ^= factor * source` for each of the terms, some at a time.
fn add_all<'a>(acc: &mut [u8], mut terms: impl Iterator<Item = (u8, &'a [u8])>) {
    loop {
        let (mut some, mut count) = ([(0, &[][..]); TERMS], 0);
        for (place, term) in some.iter_mut().zip(terms.by_ref()) {
            *place = term;
            count += 1;
        }
        dot(acc, &some[..count]);
        if count < TERMS {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
