//! One camera, many viewers: each is sent the layers of the picture that its own path carries.
//!
//! [`Room`] is the forwarder, sans-IO: a bandwidth estimator of each viewer sets the rate of its pacer and chooses its layers.
//! [`Camera`] and [`Viewer`] are the ends. [`simulate`] runs all of it in virtual time; [`live`] over sockets of this machine,
//! where an emulated link in front of each viewer takes the place of the path.

use core::time::Duration;

use bytes::Bytes;
use rtc_bwe::{Gcc, GccConfig};
use rtc_core::bwe::{BandwidthEstimator, Ecn, SentPacket};
use rtc_core::svc::LayerSelector;
use rtc_core::testkit::naive::TemporalSelector;
use rtc_core::testkit::netem::{Netem, NetemConfig};
use rtc_core::time::{Instant, NtpTime, earliest};
use rtc_core::{Bitrate, ConfigError, DataSize, Frequency, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_transport::fanout::{Egress, EgressConfig, Fanout, SubscriberId, TrackConfig, TrackId};
use rtc_transport::feedback::{HistoryConfig, SendHistory};
use rtc_transport::rtcp::{Compound, RtcpPacket};
use rtc_transport::session::{Received, Session, SessionConfig};

mod run;

pub use run::{ForwardOptions, Outcome, live, simulate, to_table};

const VIDEO: PayloadType = PayloadType::new(96);
/// Extension element of the transport-wide sequence number.
const TRANSPORT_SEQUENCE: u8 = 3;
const IP_UDP: DataSize = DataSize::from_bytes(28);
const CAMERA: Ssrc = Ssrc(0xca3e);
/// What the layers up to each take: each step is within reach of an estimator that doubts what it has not seen, which goes to
/// one and a half of what arrives.
const LAYERS: [Bitrate; 3] = [Bitrate::from_kbps(500), Bitrate::from_kbps(740), Bitrate::from_kbps(1_100)];
/// What headers and the pacer's slack take beside the picture.
const HEADROOM: f64 = 1.06;
/// Thirty pictures a second, of which each fourth is of the base layer, and each second of the one above.
const PICTURE: Duration = Duration::from_nanos(33_333_333);
const PATTERN: [u8; 4] = [0, 2, 1, 2];
const PAYLOAD: usize = 1_150;

/// Pictures of three temporal layers (VP8, RFC 7741), of the right sizes and of nothing else.
#[derive(Debug)]
pub struct Camera {
    next: Instant,
    number: u64,
    seq: SeqNum,
}

impl Camera {
    /// The first picture is taken at `now`.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { next: now, number: 0, seq: SeqNum(1) }
    }

    /// The packets of the next picture, if it is time for it.
    pub fn poll(&mut self, now: Instant) -> Option<Vec<RtpPacket>> {
        if now < self.next {
            return None;
        }
        let layer = PATTERN[usize::try_from(self.number % 4).unwrap_or(0)];
        // The layers' own rates over their pictures: of each four, one, one and two.
        let below = if layer == 0 { Bitrate::ZERO } else { LAYERS[usize::from(layer) - 1] };
        let share = LAYERS[usize::from(layer)].as_bps() - below.as_bps();
        let pictures = if layer == 2 { 15.0 } else { 7.5 };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some thousand bytes")]
        let bytes = (share as f64 / 8.0 / pictures) as usize;
        // Equal sizes leave as one batch.
        let count = bytes.div_ceil(PAYLOAD);
        let mut payload = vec![0x5a; bytes / count];
        payload[..3].copy_from_slice(&[0x80, 0x20, layer << 6]);
        #[expect(clippy::cast_possible_truncation, reason = "timestamps wrap")]
        let timestamp = RtpTime((self.number * 3_000) as u32);
        let packet = |seq| {
            let packet = RtpPacket::builder(VIDEO, seq, timestamp, CAMERA).extensions(&[(TRANSPORT_SEQUENCE, &[0, 0])]);
            packet.build(&payload).ok()
        };
        let mut packets = Vec::with_capacity(count);
        for _ in 0..count {
            packets.extend(packet(self.seq));
            self.seq = self.seq.next();
        }
        self.number += 1;
        self.next += PICTURE;
        Some(packets)
    }

    /// When the next picture is taken.
    #[must_use]
    pub fn poll_timeout(&self) -> Instant {
        self.next
    }
}

/// The forwarder.
#[derive(Debug)]
pub struct Room {
    fanout: Fanout<TemporalSelector>,
    viewers: Vec<Seat>,
    buffer: Vec<u8>,
}

/// What the forwarder knows of a viewer.
#[derive(Debug)]
struct Seat {
    id: SubscriberId,
    track: TrackId,
    estimator: Gcc,
    history: SendHistory,
    /// The transport-wide number of the next packet, unwrapped.
    next: u64,
}

impl Room {
    /// A room of so many viewers.
    ///
    /// # Errors
    /// [`ConfigError`] if a setting is out of range.
    pub fn new(viewers: usize) -> Result<Self, ConfigError> {
        let mut room = Self { fanout: Fanout::default(), viewers: Vec::new(), buffer: Vec::new() };
        for number in 0..viewers {
            let mut gcc = GccConfig::default();
            // From above: what is too much shows within a second, what more there may be only by trying.
            gcc.start = Bitrate::from_kbps(1_500);
            let mut config = EgressConfig::default();
            config.transport_sequence_id = Some(TRANSPORT_SEQUENCE);
            config.pacer.rate = gcc.start;
            let mut egress = Egress::new(config, None)?;
            let ssrc = Ssrc(u32::try_from(number).unwrap_or(u32::MAX).wrapping_add(1));
            let track = egress.add_track(TrackConfig::video(ssrc), TemporalSelector::new(LAYERS.to_vec()));
            let id = room.fanout.add(egress);
            room.fanout.route(CAMERA, id, track);
            let history = SendHistory::new(&HistoryConfig::default())?;
            room.viewers.push(Seat { id, track, estimator: Gcc::new(gcc)?, history, next: 0 });
        }
        Ok(room)
    }

    /// Takes a packet of the camera.
    pub fn media(&mut self, now: Instant, packet: &RtpPacket) {
        self.fanout.forward(now, packet);
    }

    /// Takes RTCP of a viewer.
    pub fn feedback(&mut self, now: Instant, viewer: usize, datagram: Bytes) {
        let Some(seat) = self.viewers.get_mut(viewer) else { return };
        let Ok(compound) = Compound::parse(datagram) else { return };
        for packet in compound.packets().flatten() {
            if let RtcpPacket::TransportFeedback(feedback) = packet {
                seat.estimator.on_feedback(now, seat.history.on_feedback(&feedback));
            }
        }
        self.adapt(now, viewer);
    }

    /// Lets time pass.
    pub fn handle_timeout(&mut self, now: Instant) {
        for viewer in 0..self.viewers.len() {
            let seat = &mut self.viewers[viewer];
            if seat.estimator.poll_timeout().is_some_and(|due| due <= now) {
                seat.estimator.handle_timeout(now);
                self.adapt(now, viewer);
            }
        }
    }

    /// What to send a viewer now: datagrams of one size, the last of which may be shorter, one after the other.
    pub fn poll_transmit(&mut self, now: Instant, viewer: usize) -> Option<(&[u8], usize)> {
        let seat = self.viewers.get_mut(viewer)?;
        let egress = self.fanout.get_mut(seat.id)?;
        let transmit = egress.poll_transmit(now, &mut self.buffer)?;
        for datagram in self.buffer.chunks(transmit.segment_size) {
            let sent = SentPacket { id: seat.next, sent: now, size: DataSize::of(datagram) + IP_UDP, probe: None };
            seat.next += 1;
            seat.history.on_sent(sent);
            seat.estimator.on_sent(sent);
        }
        Some((&self.buffer, transmit.segment_size))
    }

    /// When there is something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let estimators = self.viewers.iter().map(|seat| seat.estimator.poll_timeout());
        earliest(estimators.chain([self.fanout.poll_timeout()]))
    }

    /// The rate the path to a viewer is believed to carry.
    #[must_use]
    pub fn rate(&self, viewer: usize) -> Bitrate {
        self.viewers.get(viewer).map_or(Bitrate::ZERO, |seat| seat.estimator.estimate().target)
    }

    fn adapt(&mut self, now: Instant, viewer: usize) {
        let seat = &self.viewers[viewer];
        let estimate = seat.estimator.estimate();
        if let Some(egress) = self.fanout.get_mut(seat.id) {
            egress.set_rate(now, estimate.pacing);
            if let Some(selector) = egress.selector_mut(seat.track) {
                selector.set_target(now, estimate.target * (1.0 / HEADROOM));
            }
        }
    }
}

/// One who looks on, behind a link of its own.
#[derive(Debug)]
pub struct Viewer {
    link: Netem<Bytes>,
    session: Session,
    /// Bytes of datagrams that came over the link, headers included.
    pub bytes: u64,
    /// Pictures of which a packet came, by layer.
    pub pictures: [u64; 3],
    last_picture: Option<RtpTime>,
    /// Packets that never came.
    pub lost: i64,
}

impl Viewer {
    /// A viewer whose link carries `capacity`.
    ///
    /// # Errors
    /// [`ConfigError`] if a setting is out of range.
    pub fn new(now: Instant, capacity: Bitrate, seed: u64) -> Result<Self, ConfigError> {
        let mut link = NetemConfig::wired(capacity);
        link.delay = Duration::from_millis(20);
        link.origin = now;
        let mut config = SessionConfig::default();
        config.clocks = vec![(VIDEO, Frequency::KHZ_90)];
        config.transport_sequence_id = Some(TRANSPORT_SEQUENCE);
        config.reduced_size = true;
        config.receiver.min_sequential = 1;
        config.scheduler.seed = seed;
        let session = Session::new(now, NtpTime::default(), &[Ssrc(0xffff_0000)], config)?;
        Ok(Self { link: Netem::new(link, seed)?, session, bytes: 0, pictures: [0; 3], last_picture: None, lost: 0 })
    }

    /// Takes a datagram at the far end of the link.
    pub fn send(&mut self, now: Instant, datagram: Bytes) {
        self.link.send(now, DataSize::of(&datagram), Ecn::NotEct, datagram);
    }

    /// Takes in what came over the link, and gives what to tell the forwarder.
    pub fn poll(&mut self, now: Instant) -> Option<Bytes> {
        while let Some(delivery) = self.link.poll(now) {
            self.bytes += (delivery.size + IP_UDP).as_bytes();
            if let Ok(Received::Rtp(packet, _)) = self.session.receive(delivery.delivered, delivery.item) {
                self.lost = self.session.receiver(packet.ssrc()).map_or(0, |stream| stream.lost());
                if self.last_picture.replace(packet.timestamp()) != Some(packet.timestamp())
                    && let [_, _, layer, ..] = *packet.payload()
                    && let Some(pictures) = self.pictures.get_mut(usize::from(layer >> 6))
                {
                    *pictures += 1;
                }
            }
        }
        self.session.handle_timeout(now);
        while self.session.poll_event().is_some() {}
        self.session.poll_rtcp(now)
    }

    /// When [`poll`](Self::poll) has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        earliest([self.link.poll_timeout(), self.session.poll_timeout()])
    }
}
