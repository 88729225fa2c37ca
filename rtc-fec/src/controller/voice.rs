//! Plans for voice.

use core::time::Duration;

use rtc_core::{Bitrate, ConfigError};

use super::plan::{Conditions, Reason, copies_for};

/// From this loss on, deep redundancy is worth its bits.
const DRED_FROM: f64 = 0.05;
/// Up to this loss in-band FEC, which bridges a single loss, is of use.
const LBRR_UP_TO: f64 = 0.3;
/// libopus spends on deep redundancy by rule only what it is told to expect more than 5 % loss for.
const DRED_LEAST_LOSS: f64 = 0.06;
/// The rate libopus leaves to the voice before deep redundancy gets a part.
const DRED_BASE: Bitrate = Bitrate::from_kbps(12);
/// Below this there is nothing for deep redundancy to take from.
const DRED_FROM_RATE: Bitrate = Bitrate::from_kbps(24);
/// The longest span of deep redundancy.
const DRED_LONGEST: Duration = Duration::from_millis(1_040);
/// Age of the oldest frame a RED block can name: 14 bits of 48 kHz (RFC 2198 §3).
const RED_REACH: Duration = Duration::from_micros(341_312);
/// Header of a RED block, bits (RFC 2198 §3).
const RED_BLOCK: f64 = 32.0;

/// Settings of [`plan_voice`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct VoiceConfig {
    /// Time from mouth to ear that repair may use. 300 ms: beyond, talkers interrupt each other (ITU-T G.114 has 400 ms as the
    /// most for planning).
    pub deadline: Duration,
    /// Fraction of packets that may be missing. 0.01.
    pub residual: f64,
    /// The most the encoder is given. 32 kb/s: speech at full band.
    pub max_bitrate: Bitrate,
    /// The least: protection gives way before. 12 kb/s: speech at wide band.
    pub min_bitrate: Bitrate,
    /// Sound in a packet. 20 ms.
    pub packet_time: Duration,
    /// The same where too few packets arrive. 10 ms.
    pub short_packet_time: Duration,
    /// Bytes of headers of a packet: RTP with an extension, UDP, IPv4. 48.
    pub headers: usize,
    /// Whether the encoder has deep redundancy. False: libopus has it as an option.
    pub dred: bool,
    /// Most RED copies. 9, as in browsers.
    pub max_copies: usize,
}

impl Default for VoiceConfig {
    fn default() -> Self {
        Self {
            deadline: Duration::from_millis(300),
            residual: 0.01,
            max_bitrate: Bitrate::from_kbps(32),
            min_bitrate: Bitrate::from_kbps(12),
            packet_time: Duration::from_millis(20),
            short_packet_time: Duration::from_millis(10),
            headers: 48,
            dred: false,
            max_copies: 9,
        }
    }
}

impl VoiceConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if !(self.residual > 0.0 && self.residual < 1.0) {
            return Err(ConfigError::new("residual", "must be above 0 and below 1"));
        }
        if self.min_bitrate > self.max_bitrate {
            return Err(ConfigError::new("min_bitrate", "must not be above max_bitrate"));
        }
        if self.short_packet_time.is_zero() || self.short_packet_time > self.packet_time {
            return Err(ConfigError::new("short_packet_time", "must be above 0 and not above packet_time"));
        }
        Ok(())
    }
}

/// Deep redundancy of Opus (draft-ietf-mlcodec-opus-dred).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dred {
    /// The span it is to cover.
    pub duration: Duration,
    /// The part of the encoder's rate that it takes.
    pub bitrate: Bitrate,
}

/// What to do for voice.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct VoicePlan {
    /// Why.
    pub reason: Reason,
    /// Rate of the encoder, deep redundancy included.
    pub bitrate: Bitrate,
    /// Sound in a packet.
    pub packet_time: Duration,
    /// Whether a [`RepairScheduler`](crate::repair::RepairScheduler) sends again what is lost.
    pub repair: bool,
    /// Repair packets per packet that the rate has room for: [`RepairScheduler::set_budget`](crate::repair::RepairScheduler::set_budget).
    pub repair_budget: f64,
    /// RED copies in each packet.
    pub red_copies: usize,
    /// The loss to tell the encoder, 0 to 1; above 0 it makes in-band FEC if that is on.
    pub expected_loss: f64,
    /// Whether in-band FEC is worth its bits.
    pub inband_fec: bool,
    /// Deep redundancy, or none.
    pub dred: Option<Dred>,
    /// Fraction of packets expected to be missing at their deadline, redundancy inside the codec not counted.
    pub expected_residual: f64,
    /// Repair expected, copies and packets per packet.
    pub expected_overhead: f64,
    /// The rate expected on the wire.
    pub wire: Bitrate,
}

/// The plan for voice under these conditions.
#[must_use]
pub fn plan_voice(conditions: &Conditions, config: &VoiceConfig) -> VoicePlan {
    let loss = conditions.protectable();
    let needed = needed(conditions, loss, config);
    let mut plan = fit(conditions, config, &needed);
    let tells = loss >= 0.005;
    plan.expected_loss = if tells { loss } else { 0.0 };
    plan.inband_fec = tells && loss <= LBRR_UP_TO;
    if config.dred && loss >= DRED_FROM && plan.bitrate >= DRED_FROM_RATE {
        plan.expected_loss = loss.max(DRED_LEAST_LOSS);
        // The two take from the same bits.
        plan.inband_fec = false;
        let part = (0.55 + plan.expected_loss).min(0.8);
        let bitrate = Bitrate::from_bps_f64((plan.bitrate.as_bps_f64() - DRED_BASE.as_bps_f64()) * part);
        plan.dred = Some(Dred { duration: config.deadline.max(Duration::from_secs(1)).min(DRED_LONGEST), bitrate });
    }
    if conditions.congested && loss < conditions.path.loss {
        plan.reason = Reason::Congestion;
    }
    plan
}

/// What the residual takes, whatever it costs.
struct Needed {
    reason: Reason,
    packet_time: Duration,
    copies: usize,
    /// Repair packets per packet.
    driven: f64,
    residual: f64,
}

fn needed(conditions: &Conditions, loss: f64, config: &VoiceConfig) -> Needed {
    let clean =
        Needed { reason: Reason::Clean, packet_time: config.packet_time, copies: 0, driven: 0.0, residual: loss };
    let rounds = conditions.rounds(config.deadline);
    // Each packet that may carry a frame or its repair: the bound of any code is that all of them are lost.
    let chances = |time: Duration| conditions.room(config.deadline).as_nanos() / time.as_nanos().max(1) + 1;
    let floor = |time| loss.powi(i32::try_from(chances(time)).unwrap_or(i32::MAX));
    let short =
        floor(config.packet_time) > config.residual && floor(config.short_packet_time) < floor(config.packet_time);
    let packet_time = if short { config.short_packet_time } else { config.packet_time };
    if rounds > 0 {
        let (residual, driven) = conditions.driven(loss, config.deadline, config.residual);
        let reason = match () {
            () if loss <= config.residual => Reason::Clean,
            () if short => Reason::ShortPackets,
            () if residual > 2.0 * config.residual => Reason::OutOfReach,
            () => Reason::Repair,
        };
        return Needed { reason, packet_time, driven, residual, ..clean };
    }
    if loss <= config.residual {
        return clean;
    }
    let reach = RED_REACH.min(conditions.room(config.deadline)).as_nanos() / packet_time.as_nanos().max(1);
    let most = config.max_copies.min(usize::try_from(reach).unwrap_or(0));
    let wanted = copies_for(loss, config.residual);
    let copies = wanted.min(most);
    let residual = loss.powi(i32::try_from(copies + 1).unwrap_or(i32::MAX));
    let reason = match () {
        () if residual > config.residual => Reason::OutOfReach,
        () if short => Reason::ShortPackets,
        () => Reason::Ahead,
    };
    Needed { reason, packet_time, copies, driven: 0.0, residual }
}

/// Makes it fit the rate: the voice gives way first, down to its least; then protection.
fn fit(conditions: &Conditions, config: &VoiceConfig, needed: &Needed) -> VoicePlan {
    let rate = conditions.rate.as_bps_f64();
    let least = config.min_bitrate.as_bps_f64();
    let (mut time, mut copies, mut driven) = (needed.packet_time, needed.copies, needed.driven);
    let fits = |time: Duration, copies: usize, driven: f64| voice_rate(rate, config, time, copies, driven) >= least;
    let mut reason = needed.reason;
    if !fits(time, copies, driven) && time < config.packet_time {
        time = config.packet_time;
        reason = Reason::Budget;
    }
    while copies > 0 && !fits(time, copies, driven) {
        copies -= 1;
        reason = Reason::Budget;
    }
    if !fits(time, copies, driven) {
        // What the least voice leaves.
        let alone = wire_rate(least, config, time, copies, 0.0);
        driven = (rate / alone - 1.0).clamp(0.0, driven);
        reason = Reason::Budget;
    }
    let bitrate = voice_rate(rate, config, time, copies, driven).clamp(least, config.max_bitrate.as_bps_f64());
    let alone = wire_rate(bitrate, config, time, copies, 0.0);
    let short_of = if needed.driven > 0.0 { driven / needed.driven } else { 1.0 };
    let loss = conditions.protectable();
    let residual = match copies == needed.copies {
        true => needed.residual + (loss - needed.residual) * (1.0 - short_of),
        false => loss.powi(i32::try_from(copies + 1).unwrap_or(i32::MAX)),
    };
    VoicePlan {
        reason,
        bitrate: Bitrate::from_bps_f64(bitrate),
        packet_time: time,
        repair: conditions.rounds(config.deadline) > 0,
        repair_budget: (rate / alone - 1.0).max(0.0),
        red_copies: copies,
        expected_loss: 0.0,
        inband_fec: false,
        dred: None,
        expected_residual: residual.max(needed.residual),
        expected_overhead: copies as f64 + driven,
        wire: Bitrate::from_bps_f64(wire_rate(bitrate, config, time, copies, driven)),
    }
}

/// What voice of this rate takes on the wire with so many copies, and so many repair packets per packet.
fn wire_rate(voice: f64, config: &VoiceConfig, time: Duration, copies: usize, driven: f64) -> f64 {
    let packets = 1.0 / time.as_secs_f64().max(1e-3);
    let copies = copies as f64;
    (voice * (1.0 + copies) + (RED_BLOCK * copies + 8.0 * config.headers as f64) * packets) * (1.0 + driven)
}

/// The inverse of [`wire_rate`].
fn voice_rate(rate: f64, config: &VoiceConfig, time: Duration, copies: usize, driven: f64) -> f64 {
    let packets = 1.0 / time.as_secs_f64().max(1e-3);
    let copies = copies as f64;
    (rate / (1.0 + driven) - (RED_BLOCK * copies + 8.0 * config.headers as f64) * packets) / (1.0 + copies)
}
