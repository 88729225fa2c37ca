use std::collections::VecDeque;

use bytes::BytesMut;
use rtc_core::fec::FecEncoder;
use rtc_core::{ConfigError, PayloadType, RtpPacket, SeqNum};

use super::{MAX_GROUP, Protection, UlpfecEncoder, UlpfecEncoderConfig, UlpfecEncoderStats};
use crate::POOL_LEN;
use crate::red::encapsulate;

/// Packets held at most until polled: one of media and its group's repair packets, twice; the oldest goes first.
const MAX_READY: usize = 2 * (MAX_GROUP + 1);

/// Makes one stream of media and its repair packets, all in RED with a header of one byte, as browsers expect it (RFC 5109
/// §14.2): repair packets take sequence numbers between those of the media, which therefore is numbered anew.
///
/// [`RedDecoder`](crate::red::RedDecoder) takes the stream apart again; what it gives out goes to
/// [`UlpfecDecoder`](super::UlpfecDecoder), by payload type as a source or as a repair packet. Whoever asks for missing packets
/// counts both, as they share their numbers. Packets that leave are those to keep for retransmission.
///
/// Media must come in the order it is sent.
#[derive(Debug)]
pub struct UlpfecInRed {
    encoder: UlpfecEncoder,
    red: PayloadType,
    /// Repair packets sent so far, by which numbers of media are moved on.
    shift: u16,
    /// Of the packets that leave.
    newest: SeqNum,
    /// With the numbers they will have.
    ready: VecDeque<(RtpPacket, SeqNum)>,
    pool: BytesMut,
    overflowed: u64,
}

impl UlpfecInRed {
    /// A sender of RED packets of this payload type.
    ///
    /// # Errors
    /// [`ConfigError`] as for [`UlpfecEncoder::new`].
    pub fn new(config: UlpfecEncoderConfig, red: PayloadType) -> Result<Self, ConfigError> {
        Ok(Self {
            encoder: UlpfecEncoder::new(config)?,
            red,
            shift: 0,
            newest: SeqNum(0),
            ready: VecDeque::with_capacity(MAX_READY),
            pool: BytesMut::with_capacity(POOL_LEN),
            overflowed: 0,
        })
    }

    /// Takes a packet of media, numbered as if there were no repair packets.
    pub fn insert(&mut self, packet: &RtpPacket) {
        let seq = packet.seq() + self.shift;
        // What is protected is what the receiver has once RED is taken off: the new number, and no padding.
        let plain = packet.repack_in(&mut self.pool, &[packet.payload()], |header| header.set_seq(seq));
        self.encoder.protect(&plain);
        self.push(packet.clone(), seq);
        self.newest = seq;
        self.push_repairs();
    }

    /// Ends the group in progress; see [`UlpfecEncoder::flush`].
    pub fn flush(&mut self) {
        self.encoder.flush();
        self.push_repairs();
    }

    /// Sets how much to protect, from the next group on.
    pub fn set_protection(&mut self, protection: Protection) {
        self.encoder.set_protection(protection);
    }

    /// The next packet to send.
    pub fn poll(&mut self) -> Option<RtpPacket> {
        let (packet, seq) = self.ready.pop_front()?;
        Some(encapsulate(&packet, self.red, seq, &mut self.pool))
    }

    /// What the encoder did so far.
    #[must_use]
    pub const fn stats(&self) -> UlpfecEncoderStats {
        self.encoder.stats()
    }

    /// Packets dropped because they were not polled.
    #[must_use]
    pub const fn overflowed(&self) -> u64 {
        self.overflowed
    }

    fn push_repairs(&mut self) {
        while let Some(repair) = self.encoder.poll_repair() {
            self.newest = self.newest.next();
            self.shift = self.shift.wrapping_add(1);
            self.push(repair, self.newest);
        }
    }

    fn push(&mut self, packet: RtpPacket, seq: SeqNum) {
        if self.ready.len() == MAX_READY {
            self.ready.pop_front();
            self.overflowed += 1;
        }
        self.ready.push_back((packet, seq));
    }
}
