use core::time::Duration;

use rtc_core::pacing::{Enqueued, Pacer, Priority};
use rtc_core::svc::{Forward, LayerSelector};
use rtc_core::time::Instant;
use rtc_core::{Bitrate, ConfigError, DataSize, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};

use super::history::History;
use super::output::Output;
use super::{EgressConfig, Queued, TrackConfig};
use crate::pacer::LeakyBucketPacer;
use crate::srtp::Protector;

/// The most bytes in one transmit: what one UDP datagram may have, as that is what the kernel is handed.
const MAX_TRANSMIT: usize = 65_000;
/// In the first byte of a packet: whether padding follows the payload (RFC 3550 §5.1).
const PADDING_BIT: u8 = 0x20;

/// All that goes to one subscriber: through selectors `S`, one for each track, and one pacer `P`.
#[derive(Debug)]
pub struct Egress<S, P = LeakyBucketPacer<Queued>> {
    config: EgressConfig,
    tracks: Vec<Track<S>>,
    pacer: P,
    protector: Option<Protector>,
    /// Left the pacer, but did not fit the last transmit.
    held: Option<Queued>,
    transport_sequence: u16,
    stats: EgressStats,
}

/// A track of an [`Egress`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TrackId(u32);

#[derive(Debug)]
struct Track<S> {
    config: TrackConfig,
    selector: S,
    history: History,
    rtx_seq: SeqNum,
}

/// Datagrams to send, one after the other in the buffer: all of `segment_size` bytes, but for the last, which may be shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transmit {
    /// How many.
    pub segments: usize,
    /// Bytes of each but the last.
    pub segment_size: usize,
    /// The number for transport-wide feedback of the first that has one.
    pub transport_sequence: Option<u16>,
}

/// What became of packets. `offered` = `unselected` + `overflowed` + `sent` + `refused` + what still waits; `requested` =
/// `unknown` + `too_soon` + `resend_overflowed` + `resent` + `resend_refused` + what still waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EgressStats {
    /// Packets that came for a track.
    pub offered: u64,
    /// Packets the selector of the track did not want.
    pub unselected: u64,
    /// Packets the pacer had no room for.
    pub overflowed: u64,
    /// Packets sent for the first time.
    pub sent: u64,
    /// Packets that could not be protected: a number came twice.
    pub refused: u64,
    /// Packets a receiver asked for again.
    pub requested: u64,
    /// Of these, those not kept, or no more.
    pub unknown: u64,
    /// Of these, those sent too shortly before.
    pub too_soon: u64,
    /// Of these, those the pacer had no room for.
    pub resend_overflowed: u64,
    /// Of these, those sent again.
    pub resent: u64,
    /// Of these, those that could not be protected.
    pub resend_refused: u64,
}

impl<S: LayerSelector> Egress<S> {
    /// A subscriber without tracks, whose pacer is made of the settings. Without a protector it gets plain RTP.
    ///
    /// # Errors
    /// [`ConfigError`] if a transmit may have no segments, or as [`LeakyBucketPacer::new`].
    pub fn new(config: EgressConfig, protector: Option<Protector>) -> Result<Self, ConfigError> {
        let pacer = LeakyBucketPacer::new(config.pacer.clone())?;
        Self::with_pacer(config, pacer, protector)
    }
}

impl<S: LayerSelector, P: Pacer<Queued>> Egress<S, P> {
    /// A subscriber without tracks, whose packets wait in `pacer`; the settings of a pacer are left aside.
    ///
    /// # Errors
    /// [`ConfigError`] if a transmit may have no segments.
    pub fn with_pacer(config: EgressConfig, pacer: P, protector: Option<Protector>) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self {
            pacer,
            config,
            tracks: Vec::new(),
            protector,
            held: None,
            transport_sequence: 0,
            stats: EgressStats::default(),
        })
    }

    /// Adds a track, whose selector chooses among what is routed to it and numbers it.
    pub fn add_track(&mut self, config: TrackConfig, selector: S) -> TrackId {
        self.tracks.push(Track { config, selector, history: History::default(), rtx_seq: SeqNum(0) });
        // So many that they cannot be counted do not fit memory.
        TrackId(u32::try_from(self.tracks.len() - 1).unwrap_or(u32::MAX))
    }

    /// Takes a packet that came for a track; returns whether it is queued.
    #[inline]
    pub fn push(&mut self, now: Instant, track: TrackId, packet: &RtpPacket) -> bool {
        let Some(Track { config, selector, .. }) = self.tracks.get_mut(track.place()) else { return false };
        self.stats.offered += 1;
        let Forward::As { seq, timestamp } = selector.select(now, packet) else {
            self.stats.unselected += 1;
            return false;
        };
        let priority = config.priority;
        let queued = Queued::media(track, packet.clone(), seq, timestamp, self.protection());
        let is_queued = self.enqueue(now, priority, queued);
        self.stats.overflowed += u64::from(!is_queued);
        is_queued
    }

    /// Sends packets of the track with this SSRC again, as a receiver asked; returns how many are queued.
    pub fn retransmit(&mut self, now: Instant, ssrc: Ssrc, seqs: impl IntoIterator<Item = SeqNum>) -> usize {
        let place = self.tracks.iter().position(|track| track.config.ssrc == ssrc);
        let mut queued = 0;
        for seq in seqs {
            self.stats.requested += 1;
            let track = place.and_then(|place| self.tracks.get_mut(place));
            let sent = track.and_then(|track| track.history.find(now, seq, &self.config));
            let (Some(sent), Some(place)) = (sent, place) else {
                self.stats.unknown += 1;
                continue;
            };
            if now - sent.last < self.config.resend_interval {
                self.stats.too_soon += 1;
                continue;
            }
            sent.last = now;
            let (packet, timestamp) = (sent.packet(), sent.timestamp);
            let id = TrackId(u32::try_from(place).unwrap_or(u32::MAX));
            let is_queued = packet.is_some_and(|packet| {
                let queued = Queued::again(id, packet, seq, timestamp, self.protection());
                self.enqueue(now, Priority::Retransmission, queued)
            });
            self.stats.resend_overflowed += u64::from(!is_queued);
            queued += usize::from(is_queued);
        }
        queued
    }

    /// Writes what is to be sent now to `buffer`, over what it held: `None`, and the buffer left alone, until
    /// [`poll_timeout`](Self::poll_timeout).
    pub fn poll_transmit(&mut self, now: Instant, buffer: &mut Vec<u8>) -> Option<Transmit> {
        let mut output = Output::new(buffer);
        let mut transmit = Transmit { segments: 0, segment_size: 0, transport_sequence: None };
        while transmit.segments < self.config.max_segments {
            let Some(queued) = self.held.take().or_else(|| self.pacer.poll(now)) else { break };
            let len = queued.len();
            if transmit.segments == 0 {
                transmit.segment_size = len;
            } else if len > transmit.segment_size || output.len() + len > MAX_TRANSMIT {
                self.held = Some(queued);
                break;
            }
            if self.write(now, queued, &mut output, &mut transmit) {
                transmit.segments += 1;
                if len < transmit.segment_size {
                    break;
                }
            }
        }
        if transmit.segments == 0 {
            return None;
        }
        output.finish();
        Some(transmit)
    }

    /// Sets the rate of release.
    pub fn set_rate(&mut self, now: Instant, rate: Bitrate) {
        self.pacer.set_rate(now, rate);
    }

    /// Sets how soon a packet may be sent again.
    pub fn set_round_trip(&mut self, round_trip: Duration) {
        self.config.resend_interval = round_trip;
    }

    /// The selector of a track.
    pub fn selector_mut(&mut self, track: TrackId) -> Option<&mut S> {
        self.tracks.get_mut(track.place()).map(|track| &mut track.selector)
    }

    /// A stream to ask a key frame of, because this track needs one.
    pub fn poll_keyframe_request(&mut self, track: TrackId) -> Option<Ssrc> {
        self.selector_mut(track)?.poll_keyframe_request()
    }

    /// The pacer: to follow an estimate with all its sides, probe, and read its counters.
    pub fn pacer_mut(&mut self) -> &mut P {
        &mut self.pacer
    }

    /// What protects the packets, to protect RTCP with.
    pub fn protector_mut(&mut self) -> Option<&mut Protector> {
        self.protector.as_mut()
    }

    /// Counters since the beginning.
    #[must_use]
    pub const fn stats(&self) -> EgressStats {
        self.stats
    }

    /// What waits to leave.
    #[must_use]
    pub fn queued(&self) -> DataSize {
        self.pacer.queued()
    }

    pub(super) fn has_track(&self, track: TrackId) -> bool {
        track.place() < self.tracks.len()
    }

    #[cfg(test)]
    pub(super) fn kept(&self, track: TrackId) -> (usize, u64) {
        self.tracks[track.place()].history.kept()
    }

    #[inline]
    fn enqueue(&mut self, now: Instant, priority: Priority, queued: Queued) -> bool {
        let size = DataSize::from_bytes(queued.len() as u64) + self.config.overhead;
        self.pacer.enqueue(now, priority, size, queued) == Enqueued::Accepted
    }

    /// Bytes that protection adds.
    #[inline]
    fn protection(&self) -> usize {
        self.protector.as_ref().map_or(0, Protector::rtp_overhead)
    }

    /// Writes the datagram to `output`; false, and nothing written, if it cannot be protected.
    fn write(&mut self, now: Instant, queued: Queued, output: &mut Output<'_>, transmit: &mut Transmit) -> bool {
        let Queued { packet, track, timestamp, len, seq, is_retransmission } = queued;
        let track = &mut self.tracks[track.place()];
        let own = (track.config.ssrc, track.config.payload_type.unwrap_or_else(|| packet.payload_type()), seq);
        let (ssrc, payload_type, wire_seq) = match track.config.rtx {
            Some((ssrc, payload_type)) if is_retransmission => (ssrc, payload_type, track.rtx_seq),
            _ => own,
        };
        let datagram = output.room(len as usize);
        let header_len = packet.header_len();
        datagram[..header_len].copy_from_slice(&packet.as_bytes()[..header_len]);
        write_header(datagram, payload_type, wire_seq, timestamp, ssrc);
        let place = self.config.transport_sequence_id.and_then(|id| packet.extension_range(id));
        let place = place.filter(|place| place.len() == 2);
        if let Some(place) = place.clone() {
            datagram[place].copy_from_slice(&self.transport_sequence.to_be_bytes());
        }
        let protector = self.protector.as_mut();
        if is_retransmission {
            track.rtx_seq = wire_seq.next();
            if !write_again(datagram, header_len, seq, packet.payload(), protector) {
                self.stats.resend_refused += 1;
                return false;
            }
            self.stats.resent += 1;
        } else {
            if !write_media(datagram, header_len, &packet.as_bytes()[header_len..], protector) {
                self.stats.refused += 1;
                return false;
            }
            self.stats.sent += 1;
            if track.config.rtx.is_some() {
                track.history.insert(now, seq, timestamp, packet, &self.config);
            }
        }
        output.wrote(len as usize);
        if place.is_some() {
            transmit.transport_sequence.get_or_insert(self.transport_sequence);
            self.transport_sequence = self.transport_sequence.wrapping_add(1);
        }
        true
    }
}

impl<S, P: Pacer<Queued>> Egress<S, P> {
    /// When [`poll_transmit`](Self::poll_transmit) next has something.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.held.is_some() { Some(Instant::ZERO) } else { self.pacer.poll_timeout() }
    }
}

impl TrackId {
    #[inline]
    const fn place(self) -> usize {
        self.0 as usize
    }
}

/// Writes payload and padding behind the header, protected; whether that was possible.
#[inline]
fn write_media(datagram: &mut [u8], header_len: usize, payload: &[u8], protector: Option<&mut Protector>) -> bool {
    let Some(protector) = protector else {
        datagram[header_len..].copy_from_slice(payload);
        return true;
    };
    protector.protect_rtp_from(datagram, header_len, payload).is_ok()
}

/// Writes the number of the original behind the header, then its payload (RFC 4588 §4), protected; whether that was possible.
fn write_again(
    datagram: &mut [u8],
    header_len: usize,
    seq: SeqNum,
    payload: &[u8],
    protector: Option<&mut Protector>,
) -> bool {
    datagram[0] &= !PADDING_BIT;
    let (start, end) = (header_len + 2, header_len + 2 + payload.len());
    datagram[header_len..start].copy_from_slice(&seq.0.to_be_bytes());
    datagram[start..end].copy_from_slice(payload);
    protector.is_none_or(|protector| protector.protect_rtp(datagram, end).is_ok())
}

/// Overwrites what is different for each subscriber of the fixed header (RFC 3550 §5.1), which `packet` is known to have.
#[inline]
fn write_header(packet: &mut [u8], payload_type: PayloadType, seq: SeqNum, timestamp: RtpTime, ssrc: Ssrc) {
    packet[1] = (packet[1] & 0x80) | payload_type.value();
    packet[2..4].copy_from_slice(&seq.0.to_be_bytes());
    packet[4..8].copy_from_slice(&timestamp.0.to_be_bytes());
    packet[8..12].copy_from_slice(&ssrc.0.to_be_bytes());
}
