//! Working repair packets into those held, and taking out what they say.

use rtc_core::{RtpPacket, SeqNum};

use super::RlcDecoder;
use crate::cauchy;
use crate::continuity::same_run;
use crate::linear::{Code, Header, LENGTH_LEN, MAX_UNKNOWN, Place, Solved, length_product, packet_of};
use crate::rlc::{MAX_WINDOW, coefficients};

impl RlcDecoder {
    /// Lets the window reach up to `seq`, and lets go of the unknown packets it then no longer reaches.
    pub(super) fn advance(&mut self, seq: SeqNum) {
        let before = self.solver.len();
        let (solver, columns) = (&mut self.solver, &mut self.columns);
        self.window.advance(seq, |gone| match gone {
            Place::Unknown(_, column) => {
                columns[column] = None;
                solver.forget(column);
            }
            gone => self.coverage.reclaim(gone),
        });
        if solver.len() < before {
            self.stats.expired += (before - solver.len()) as u64;
            self.free_columns();
        }
    }

    /// Frees the columns of packets that no repair packet covers any more.
    pub(super) fn free_columns(&mut self) {
        for (column, of) in self.columns.iter_mut().enumerate() {
            if let Some(seq) = of.take_if(|_| !self.solver.has(column)) {
                self.window.put(seq, Place::Empty);
            }
        }
    }

    /// Gives up an unknown packet, and so one repair packet if there is any that covers it.
    pub(super) fn forget(&mut self, column: usize) {
        if let Some(seq) = self.columns[column].take() {
            self.window.put(seq, Place::Empty);
            self.stats.expired += u64::from(self.solver.forget(column));
        }
    }

    /// Drops all repair packets held; says how many.
    pub(super) fn drop_all(&mut self) -> u64 {
        let held = self.solver.len() as u64;
        self.solver.clear();
        for column in 0..MAX_UNKNOWN {
            self.forget(column);
        }
        held
    }

    /// Makes room for a repair packet that covers these packets, at the cost of the oldest.
    fn make_room(&mut self, covered: &[(SeqNum, u8)]) {
        let is_new = |this: &Self, seq: SeqNum| this.window.packet(seq).is_none() && this.window.column(seq).is_none();
        let new = |this: &Self| covered.iter().filter(|(seq, _)| is_new(this, *seq)).count();
        let fits = |this: &Self| {
            let unknown = this.unknown();
            unknown + covered.len() <= MAX_UNKNOWN || unknown + new(this) <= MAX_UNKNOWN
        };
        let before = self.stats.expired;
        while self.solver.len() == self.config.max_repairs || !fits(self) {
            let newest = self.window.newest().unwrap_or_default();
            let known = self.columns.iter().enumerate().filter_map(|(column, seq)| Some((column, (*seq)?)));
            let Some((oldest, _)) = known.max_by_key(|(_, seq)| newest.distance_from(*seq)) else { break };
            self.forget(oldest);
            self.free_columns();
        }
        self.stats.overflowed += self.stats.expired - before;
        self.stats.expired = before;
    }

    /// Gives a column to a packet that is not known, if it has none and there is one.
    fn give_column(&mut self, seq: SeqNum) {
        if self.window.column(seq).is_none()
            && let Some(column) = self.columns.iter().position(Option::is_none)
        {
            self.columns[column] = Some(seq);
            self.window.put(seq, Place::Unknown(seq, column));
        }
    }

    /// Lets the window reach over what a repair packet covers; whether it does.
    pub(super) fn reach(&mut self, header: &Header) -> bool {
        let last = header.last();
        let near = |newest| same_run(newest, header.base) && same_run(newest, last);
        if self.window.newest().is_none_or(near) {
            self.advance(last);
        }
        if !self.window.reaches(header.base) || !self.window.reaches(last) {
            self.stats.expired += 1;
            return false;
        }
        self.lag.learn(self.window.newest().unwrap_or(last), header.base);
        true
    }

    /// Works in a repair packet all of whose packets the window reaches.
    pub(super) fn work_in(&mut self, header: &Header, length: [u8; LENGTH_LEN], symbol: &[u8]) {
        let mut covered = [(SeqNum(0), 0); MAX_WINDOW];
        let covered = covered_by(header, &mut covered);
        let too_long = |packet: &RtpPacket| packet.as_bytes().len() > symbol.len();
        if covered.iter().any(|(seq, _)| self.window.packet(*seq).is_some_and(too_long)) {
            self.stats.corrupt += 1;
            return;
        }
        self.make_room(covered);
        for (seq, _) in covered {
            if self.window.packet(*seq).is_none() {
                self.give_column(*seq);
            }
        }
        let window = &self.window;
        let unknown = covered.iter().filter_map(|(seq, factor)| Some((window.column(*seq)?, *factor)));
        if !self.solver.begin(unknown) {
            self.stats.unused += 1;
            return;
        }
        let known = covered.iter().filter_map(|(seq, factor)| Some((*factor, window.packet(*seq)?)));
        let mut length = length;
        for (factor, packet) in known.clone() {
            let product = length_product(factor, packet).unwrap_or_default();
            length.iter_mut().zip(product).for_each(|(sum, byte)| *sum ^= byte);
        }
        self.solver.finish(length, symbol, known.map(|(factor, packet)| (factor, &packet.as_bytes()[..])));
    }

    /// Takes out what the equations say, in the order it was sent.
    pub(super) fn recover(&mut self) {
        let before = self.stats.recovered;
        while let Some(Solved { row, column, length, symbol }) = self.solver.solved() {
            let (seq, ssrc) = (self.columns[column].take().unwrap_or_default(), self.config.ssrc.or(self.ssrc));
            let packet = packet_of(length, symbol, seq, ssrc, &mut self.pool);
            self.solver.drop_row(row);
            let Some(packet) = packet else {
                self.window.put(seq, Place::Empty);
                self.stats.corrupt += 1 + self.drop_all();
                break;
            };
            self.stats.recovered += 1;
            self.window.put(seq, Place::Known(packet.clone()));
            if self.ready.len() == self.config.window {
                self.ready.pop_front();
                self.stats.unpolled += 1;
            }
            self.ready.push_back(packet);
        }
        let new = usize::try_from(self.stats.recovered - before).unwrap_or(usize::MAX);
        if let (2.., Some(newest)) = (new, self.window.newest()) {
            let ready = self.ready.make_contiguous();
            let first = ready.len().saturating_sub(new);
            ready[first..].sort_unstable_by_key(|packet| packet.seq().distance_from(newest));
        }
    }
}

/// The packets a repair packet covers and their coefficients, but those that are zero.
pub(super) fn covered_by<'a>(header: &Header, covered: &'a mut [(SeqNum, u8); MAX_WINDOW]) -> &'a [(SeqNum, u8)] {
    let mut factors = [0; MAX_WINDOW];
    if let Code::Rlc { key, density } = header.code {
        coefficients(key, density, &mut factors[..header.covered.count()]);
    }
    let mut count = 0;
    for (offset, factor) in header.covered.offsets().zip(factors) {
        let factor = match header.code {
            Code::Rlc { .. } => factor,
            Code::Cauchy { row } => cauchy::coefficient(row, offset),
        };
        covered[count] = (header.base + offset, factor);
        count += usize::from(factor != 0);
    }
    &covered[..count]
}
