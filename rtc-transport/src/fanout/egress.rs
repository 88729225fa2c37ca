use core::time::Duration;

use rtc_core::pacing::{Enqueued, Pacer, Priority};
use rtc_core::rtp::HeaderMut;
use rtc_core::svc::{Forward, LayerSelector};
use rtc_core::time::Instant;
use rtc_core::{Bitrate, ConfigError, DataSize, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};

use super::history::History;
use super::{EgressConfig, TrackConfig};
use crate::pacer::LeakyBucketPacer;
use crate::srtp::Protector;

/// The most bytes in one transmit: what one UDP datagram may have, as that is what the kernel is handed.
const MAX_TRANSMIT: usize = 65_000;

/// All that goes to one subscriber.
#[derive(Debug)]
pub struct Egress<S> {
    config: EgressConfig,
    tracks: Vec<Track<S>>,
    pacer: LeakyBucketPacer<Outgoing>,
    protector: Option<Protector>,
    /// Left the pacer, but did not fit the last transmit.
    held: Option<Outgoing>,
    transport_sequence: u16,
    stats: EgressStats,
}

/// A track of an [`Egress`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TrackId(usize);

#[derive(Debug)]
struct Track<S> {
    config: TrackConfig,
    selector: S,
    history: History,
    rtx_seq: SeqNum,
}

/// A packet on its way, and the numbers it goes by.
#[derive(Debug)]
struct Outgoing {
    track: TrackId,
    packet: RtpPacket,
    seq: SeqNum,
    timestamp: RtpTime,
    is_retransmission: bool,
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
    /// A subscriber without tracks. Without a protector it gets plain RTP.
    ///
    /// # Errors
    /// [`ConfigError`] if a transmit may have no segments, or as [`LeakyBucketPacer::new`].
    pub fn new(config: EgressConfig, protector: Option<Protector>) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self {
            pacer: LeakyBucketPacer::new(config.pacer.clone())?,
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
        TrackId(self.tracks.len() - 1)
    }

    /// Takes a packet that came for a track; returns whether it is queued.
    pub fn push(&mut self, now: Instant, track: TrackId, packet: &RtpPacket) -> bool {
        let Some(Track { config, selector, .. }) = self.tracks.get_mut(track.0) else { return false };
        self.stats.offered += 1;
        let Forward::As { seq, timestamp } = selector.select(now, packet) else {
            self.stats.unselected += 1;
            return false;
        };
        let priority = config.priority;
        let outgoing = Outgoing { track, packet: packet.clone(), seq, timestamp, is_retransmission: false };
        let is_queued = self.enqueue(now, priority, outgoing);
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
            let (packet, timestamp) = (sent.packet.clone(), sent.timestamp);
            let outgoing = Outgoing { track: TrackId(place), packet, seq, timestamp, is_retransmission: true };
            let is_queued = self.enqueue(now, Priority::Retransmission, outgoing);
            self.stats.resend_overflowed += u64::from(!is_queued);
            queued += usize::from(is_queued);
        }
        queued
    }

    /// Writes what is to be sent now to `buffer`, over what it held: `None` until [`poll_timeout`](Self::poll_timeout).
    pub fn poll_transmit(&mut self, now: Instant, buffer: &mut Vec<u8>) -> Option<Transmit> {
        buffer.clear();
        let mut transmit = Transmit { segments: 0, segment_size: 0, transport_sequence: None };
        while transmit.segments < self.config.max_segments {
            let Some(outgoing) = self.held.take().or_else(|| self.pacer.poll(now)) else { break };
            let len = self.wire_len(&outgoing);
            if transmit.segments == 0 {
                transmit.segment_size = len;
            } else if len > transmit.segment_size || buffer.len() + len > MAX_TRANSMIT {
                self.held = Some(outgoing);
                break;
            }
            if self.write(now, outgoing, buffer, &mut transmit) {
                transmit.segments += 1;
                if len < transmit.segment_size {
                    break;
                }
            }
        }
        (transmit.segments > 0).then_some(transmit)
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
        self.tracks.get_mut(track.0).map(|track| &mut track.selector)
    }

    /// A stream to ask a key frame of, because this track needs one.
    pub fn poll_keyframe_request(&mut self, track: TrackId) -> Option<Ssrc> {
        self.selector_mut(track)?.poll_keyframe_request()
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
        track.0 < self.tracks.len()
    }

    #[cfg(test)]
    pub(super) fn kept(&self, track: TrackId) -> (usize, u64) {
        self.tracks[track.0].history.kept()
    }

    fn enqueue(&mut self, now: Instant, priority: Priority, outgoing: Outgoing) -> bool {
        let size = DataSize::from_bytes(self.wire_len(&outgoing) as u64) + self.config.overhead;
        self.pacer.enqueue(now, priority, size, outgoing) == Enqueued::Accepted
    }

    /// Bytes of the datagram the packet becomes.
    fn wire_len(&self, outgoing: &Outgoing) -> usize {
        let packet = &outgoing.packet;
        let plain = if outgoing.is_retransmission {
            packet.header_len() + 2 + packet.payload().len()
        } else {
            packet.as_bytes().len()
        };
        plain + self.protector.as_ref().map_or(0, Protector::rtp_overhead)
    }

    /// Appends the datagram to `buffer`; false, and nothing appended, if it cannot be protected.
    fn write(&mut self, now: Instant, outgoing: Outgoing, buffer: &mut Vec<u8>, transmit: &mut Transmit) -> bool {
        let start = buffer.len();
        let Outgoing { track, packet, seq, timestamp, is_retransmission } = outgoing;
        let track = &mut self.tracks[track.0];
        let (ssrc, payload_type, wire_seq) = if is_retransmission {
            // The number of the original, then its payload, without padding (RFC 4588 §4).
            buffer.extend_from_slice(&packet.as_bytes()[..packet.header_len()]);
            buffer[start] &= !0x20;
            buffer.extend_from_slice(&seq.0.to_be_bytes());
            buffer.extend_from_slice(packet.payload());
            let own = (track.config.ssrc, packet.payload_type());
            let (ssrc, payload_type) = track.config.rtx.unwrap_or(own);
            let rtx_seq = track.rtx_seq;
            track.rtx_seq = rtx_seq.next();
            (ssrc, payload_type, rtx_seq)
        } else {
            buffer.extend_from_slice(packet.as_bytes());
            (track.config.ssrc, track.config.payload_type.unwrap_or_else(|| packet.payload_type()), seq)
        };
        write_header(&mut buffer[start..], payload_type, wire_seq, timestamp, ssrc);
        let number = self.transport_sequence;
        let is_numbered = self.config.transport_sequence_id.is_some_and(|id| {
            let header = HeaderMut::parse(&mut buffer[start..]);
            header.is_ok_and(|mut header| header.set_extension(id, &number.to_be_bytes()))
        });
        if let Some(protector) = &mut self.protector {
            let len = buffer.len() - start;
            buffer.resize(buffer.len() + protector.rtp_overhead(), 0);
            if protector.protect_rtp(&mut buffer[start..], len).is_err() {
                buffer.truncate(start);
                let refused = if is_retransmission { &mut self.stats.resend_refused } else { &mut self.stats.refused };
                *refused += 1;
                return false;
            }
        }
        if is_numbered {
            transmit.transport_sequence.get_or_insert(number);
            self.transport_sequence = number.wrapping_add(1);
        }
        if is_retransmission {
            self.stats.resent += 1;
        } else {
            self.stats.sent += 1;
            if track.config.rtx.is_some() {
                track.history.insert(now, seq, timestamp, packet, &self.config);
            }
        }
        true
    }
}

impl<S> Egress<S> {
    /// When [`poll_transmit`](Self::poll_transmit) next has something.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.held.is_some() { Some(Instant::ZERO) } else { self.pacer.poll_timeout() }
    }
}

/// Overwrites what is different for each subscriber of the fixed header (RFC 3550 §5.1), which `packet` is known to have.
#[inline]
fn write_header(packet: &mut [u8], payload_type: PayloadType, seq: SeqNum, timestamp: RtpTime, ssrc: Ssrc) {
    packet[1] = (packet[1] & 0x80) | payload_type.value();
    packet[2..4].copy_from_slice(&seq.0.to_be_bytes());
    packet[4..8].copy_from_slice(&timestamp.0.to_be_bytes());
    packet[8..12].copy_from_slice(&ssrc.0.to_be_bytes());
}
