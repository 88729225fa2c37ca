//! Repair packets in the short form: what is not in them is worked out, and they go on as those of the full one.

use rtc_core::{Fault, Malformed, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};

use super::RlcDecoder;
use super::equations::covered_by;
use crate::linear::{Code, Header, REACH, Regular, Short};
use crate::rlc::{DENSE, MAX_WINDOW};

impl RlcDecoder {
    /// Takes a repair packet in the short form, over media of this payload type.
    pub(super) fn insert_short(&mut self, packet: &RtpPacket, media: PayloadType) -> Result<(), Malformed> {
        let (short, symbol) = Short::parse(packet.payload()).inspect_err(|_| self.stats.malformed += 1)?;
        let Some((base, ssrc)) = self.place(&short, packet.timestamp()) else {
            self.count(packet);
            self.stats.unplaced += 1;
            return Ok(());
        };
        let header = Header { code: Code::Rlc { key: packet.seq().0, density: DENSE }, base, covered: short.covered };
        let (step, last, timestamp) = (short.step, header.last(), packet.timestamp());
        let regular = Regular { payload_type: media, ssrc, step, last, timestamp };
        let mut covered = [(SeqNum(0), 0); MAX_WINDOW];
        let covered = covered_by(&header, &mut covered);
        let Some(length) = short.length.or_else(|| Regular::length_sum(covered, symbol.len())) else {
            self.stats.malformed += 1;
            return Err(Malformed::new("short linear repair", Fault::Length));
        };
        self.count(packet);
        if !self.reach(&header) {
            return Ok(());
        }
        let as_told = |packet: &RtpPacket| {
            regular.fits(packet) && (short.length.is_some() || packet.payload().len() == symbol.len())
        };
        if covered.iter().any(|(seq, _)| self.window.packet(*seq).is_some_and(|packet| !as_told(packet))) {
            self.stats.corrupt += 1;
            return Ok(());
        }
        let mut full = core::mem::take(&mut self.full);
        full.clear();
        full.extend_from_slice(&regular.sum(covered));
        full.extend_from_slice(symbol);
        self.work_in(&header, length, &full);
        self.full = full;
        self.recover();
        Ok(())
    }

    /// The first packet covered, and the source of all; `None` if it is another source, or cannot be told.
    fn place(&mut self, short: &Short, timestamp: RtpTime) -> Option<(SeqNum, Ssrc)> {
        let known = self.config.ssrc.or(self.ssrc);
        if let Some((_, ssrc)) = short.base {
            if known.is_none() {
                self.ssrc = Some(ssrc);
            }
            return short.base.filter(|_| known.is_none_or(|known| known == ssrc));
        }
        Some((self.numbered(timestamp, short.step)? - short.covered.reach(), known?))
    }

    /// The number of the packet with this timestamp, by the packet known that is nearest to it and not behind it.
    ///
    /// So many packets before it are in step, and what is behind may not be. As timestamps grow with numbers, nothing but these
    /// has a timestamp in between.
    fn numbered(&self, timestamp: RtpTime, step: u16) -> Option<SeqNum> {
        let mut behind = None;
        for packet in self.window.known() {
            let Ok(ticks) = u32::try_from(timestamp.distance_from(packet.timestamp())) else {
                behind = Some(packet.seq());
                continue;
            };
            let steps = u16::try_from(ticks / u32::from(step)).ok().filter(|steps| *steps <= REACH)?;
            let seq = packet.seq() + steps;
            let fits = ticks % u32::from(step) == 0 && behind.is_none_or(|behind| behind.is_newer_than(seq));
            return fits.then_some(seq);
        }
        None
    }
}
