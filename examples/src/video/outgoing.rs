use core::time::Duration;

use bytes::BytesMut;
use rtc_core::bwe::PacketResult;
use rtc_core::fec::FecEncoder;
use rtc_core::pacing::Priority;
use rtc_core::testkit::rng::Rng;
use rtc_core::time::{Instant, earliest};
use rtc_core::{ConfigError, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_fec::loss::LossModel;
use rtc_fec::repair::{Carried, RepairConfig, RepairScheduler};
use rtc_fec::rlc::{MAX_WINDOW, RlcEncoder, RlcEncoderConfig};
use rtc_fec::rtx::{Retransmit, RtxHistory, RtxHistoryConfig, RtxPayloadType};

use super::TRANSPORT_SEQUENCE;

/// Most repair packets for each packet, ahead of loss.
const MOST_AHEAD: f64 = 8.0;

/// Which stream a packet belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Voice,
    Video,
}

/// What a packet is to the repair of its stream: what it carries, and for which class of media.
#[derive(Debug, Clone, Copy)]
pub(super) struct Role {
    class: usize,
    carried: Carried,
}

impl Role {
    /// Whether it is sent for the first time.
    pub(super) const fn is_media(self) -> bool {
        matches!(self.carried, Carried::Media(_))
    }
}

/// A packet on its way to the pacer.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) packet: RtpPacket,
    pub(super) kind: Kind,
    pub(super) priority: Priority,
    pub(super) role: Option<Role>,
}

/// What a stream is called, and how it is repaired.
#[derive(Debug, Clone, Copy)]
pub(super) struct OutgoingConfig<'a> {
    pub(super) kind: Kind,
    /// Of media, and of what is sent again of it.
    pub(super) priorities: [Priority; 2],
    pub(super) ssrc: Ssrc,
    pub(super) rtx: (RtxPayloadType, Ssrc),
    pub(super) repair: (PayloadType, Ssrc),
    /// What may be missing of each class of media.
    pub(super) residuals: &'a [f64],
    /// Moments of media that one repair packet may span.
    pub(super) pool: usize,
    /// What repair may take from sending on.
    pub(super) deadline: Duration,
}

/// Media of one importance.
#[derive(Debug)]
struct Class {
    repair: RepairScheduler,
    /// Repair packets for each packet, ahead of loss.
    ahead: f64,
}

/// One stream of media that is sent: numbered, kept, and repaired from what feedback says of it.
#[derive(Debug)]
pub(super) struct OutgoingStream {
    kind: Kind,
    priorities: [Priority; 2],
    payload_type: PayloadType,
    ssrc: Ssrc,
    deadline: Duration,
    next_seq: SeqNum,
    pool: BytesMut,
    history: RtxHistory,
    rlc: RlcEncoder,
    classes: Vec<Class>,
    /// When repair was asked for last.
    asked: Instant,
}

impl OutgoingStream {
    pub(super) fn new(config: OutgoingConfig<'_>, rng: &mut Rng) -> Result<Self, ConfigError> {
        let mut history = RtxHistoryConfig::default();
        (history.payload_types, history.ssrc) = (vec![config.rtx.0], Some(config.rtx.1));
        let mut rlc = RlcEncoderConfig::default();
        (rlc.payload_type, rlc.ssrc) = (config.repair.0, Some(config.repair.1));
        (rlc.window, rlc.overhead) = (MAX_WINDOW, 0.0);
        let scheduler = |residual: &f64| {
            let mut repair = RepairConfig::default();
            (repair.residual, repair.pool) = (*residual, config.pool);
            // What is aimed at from the start: one that is missed too often raises the price by a twentieth, which takes long.
            repair.first_premium = 1.0 / residual;
            Ok(Class { repair: RepairScheduler::new(repair)?, ahead: 0.0 })
        };
        let [low, high, ..] = rng.next_u64().to_be_bytes();
        Ok(Self {
            kind: config.kind,
            priorities: config.priorities,
            payload_type: config.rtx.0.original,
            ssrc: config.ssrc,
            deadline: config.deadline,
            next_seq: SeqNum(u16::from_be_bytes([low, high])),
            pool: BytesMut::new(),
            history: RtxHistory::new(history)?,
            rlc: RlcEncoder::new(rlc)?,
            classes: config.residuals.iter().map(scheduler).collect::<Result<_, ConfigError>>()?,
            asked: Instant::ZERO,
        })
    }

    /// Makes the next packet, of this class of media.
    pub(super) fn packet(
        &mut self,
        now: Instant,
        class: usize,
        (timestamp, marker): (RtpTime, bool),
        payload: &[u8],
    ) -> Option<Outgoing> {
        // The transport-wide number is zero until the packet leaves, so that repair covers the same bytes at both ends.
        let packet = RtpPacket::builder(self.payload_type, self.next_seq, timestamp, self.ssrc)
            .marker(marker)
            .extensions(&[(TRANSPORT_SEQUENCE, &[0; 2])])
            .build_in(&mut self.pool, payload)
            .ok()?;
        let seq = self.next_seq;
        self.next_seq = seq.next();
        self.history.insert(now, &packet);
        let Class { repair, ahead } = self.classes.get_mut(class)?;
        repair.on_media(now, seq, now + self.deadline);
        // An overhead a plan names is one the encoder takes.
        let _ = self.rlc.set_overhead(ahead.clamp(0.0, MOST_AHEAD));
        self.rlc.protect(&packet);
        let role = Some(Role { class, carried: Carried::Media(seq) });
        Some(Outgoing { packet, kind: self.kind, priority: self.priorities[0], role })
    }

    /// Follows a plan: for each class, repair packets for each packet ahead of loss, and those it may take when loss is known.
    pub(super) fn protect(&mut self, path: LossModel, plan: &[(f64, f64)]) {
        for (class, (ahead, budget)) in self.classes.iter_mut().zip(plan) {
            class.ahead = *ahead;
            class.repair.set_path(path);
            class.repair.set_budget(Some(*budget));
        }
    }

    /// The next repair packet that is due ahead of loss.
    pub(super) fn poll_ahead(&mut self) -> Option<Outgoing> {
        let packet = self.rlc.poll_repair()?;
        Some(Outgoing { packet, kind: self.kind, priority: Priority::Repair, role: None })
    }

    /// The next repair packet for what feedback says is missing.
    pub(super) fn poll_repair(&mut self, now: Instant) -> Option<Outgoing> {
        self.asked = now;
        let mut classes = self.classes.iter_mut().enumerate();
        let (class, carried) = classes.find_map(|(at, class)| Some((at, class.repair.poll(now)?)))?;
        let packet = match carried {
            Carried::Media(seq) | Carried::Copy(seq) => {
                // Sent again on purpose, and within a round trip if need be.
                self.history.set_rtt(Duration::ZERO);
                retransmission(self.history.retransmit(now, seq))
            }
            Carried::Coded { .. } => self.rlc.repair_over(self.classes[class].repair.unknown(carried)),
        }?;
        let role = Some(Role { class, carried });
        Some(Outgoing { packet, kind: self.kind, priority: self.priorities[1], role })
    }

    /// Answers a request, unless the packet was sent again within a round trip, for whatever reason.
    pub(super) fn answer(&mut self, now: Instant, seq: SeqNum, rtt: Duration) -> Option<Outgoing> {
        self.history.set_rtt(rtt);
        let packet = retransmission(self.history.retransmit(now, seq))?;
        Some(Outgoing { packet, kind: self.kind, priority: self.priorities[1], role: None })
    }

    /// A packet left under this transport-wide number.
    pub(super) fn on_sent(&mut self, now: Instant, id: u64, role: Role) {
        if let Some(class) = self.classes.get_mut(role.class) {
            class.repair.on_sent(now, id, role.carried);
        }
    }

    /// Takes what became of packets, those of other streams among them.
    pub(super) fn on_feedback(&mut self, now: Instant, results: &[PacketResult]) {
        self.classes.iter_mut().for_each(|class| class.repair.on_feedback(now, results));
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        earliest(self.classes.iter().map(|class| class.repair.poll_timeout(self.asked)))
    }
}

fn retransmission(answer: Retransmit) -> Option<RtpPacket> {
    match answer {
        Retransmit::Packet(packet) => Some(packet),
        _ => None,
    }
}
