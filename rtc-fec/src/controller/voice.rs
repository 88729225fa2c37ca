//! Plans for voice.

use core::time::Duration;

use rtc_core::{Bitrate, ConfigError};

use super::plan::{Conditions, Reason, copies_for, parity_missing};

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
/// Most packets one block of repair ahead of loss is planned for.
const MAX_PARITY: usize = 32;
/// Most repair packets for each packet ahead of loss.
const MAX_AHEAD: usize = 8;
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
    /// Deep redundancy, if the encoder has it: how far it reaches at a rate. None: libopus has it as an option.
    pub dred: Option<DredReach>,
    /// Most RED copies. 9, as in browsers.
    pub max_copies: usize,
    /// Whether repair packets may go ahead of loss where that is cheaper than copies. True; they come later than copies, so not
    /// where play-out waits no longer than it must.
    pub parity: bool,
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
            dred: None,
            max_copies: 9,
            parity: true,
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

/// How far back deep redundancy reaches at a rate of everything in packets so long, such as `rtc_core::opus::dred_span`.
#[derive(Debug, Clone, Copy)]
pub struct DredReach(pub fn(Bitrate, Duration) -> Duration);

impl PartialEq for DredReach {
    fn eq(&self, other: &Self) -> bool {
        core::ptr::fn_addr_eq(self.0, other.0)
    }
}

/// Deep redundancy of Opus (draft-ietf-mlcodec-opus-dred).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dred {
    /// The span that the rate pays for.
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
    /// Repair packets per packet ahead of loss: [`RlcEncoder::set_overhead`](crate::rlc::RlcEncoder::set_overhead), over as many
    /// packets as have room before the deadline.
    pub ahead: f64,
    /// The loss to tell the encoder, 0 to 1; above 0 it makes in-band FEC if that is on.
    pub expected_loss: f64,
    /// Whether in-band FEC is worth its bits.
    pub inband_fec: bool,
    /// Deep redundancy, or none.
    pub dred: Option<Dred>,
    /// Fraction of packets expected to be missing at their deadline, redundancy inside the codec not counted.
    pub expected_residual: f64,
    /// The same of those that deep redundancy will not cover either.
    pub expected_uncovered: f64,
    /// Repair expected, copies and packets per packet.
    pub expected_overhead: f64,
    /// The rate expected on the wire.
    pub wire: Bitrate,
}

/// The plan for voice under these conditions.
#[must_use]
pub fn plan_voice(conditions: &Conditions, config: &VoiceConfig) -> VoicePlan {
    let loss = conditions.protectable();
    let mut plan = fit(conditions, config, &needed(conditions, config));
    let short_of = matches!(plan.reason, Reason::Budget | Reason::OutOfReach);
    if short_of && config.dred.is_some() && loss >= DRED_FROM {
        // Packets that carry no copies leave the codec more, and short ones are more chances for it to arrive.
        for packet_time in [config.packet_time, config.short_packet_time] {
            let deep = deep(conditions, config, packet_time);
            if deep.expected_uncovered < 0.8 * plan.expected_uncovered && plan.expected_uncovered > config.residual {
                plan = deep;
            }
        }
    }
    let tells = loss >= 0.005;
    plan.expected_loss = if tells { loss } else { 0.0 };
    plan.inband_fec = tells && loss <= LBRR_UP_TO;
    if plan.dred.is_some() {
        plan.expected_loss = loss.max(DRED_LEAST_LOSS);
        // The two take from the same bits.
        plan.inband_fec = false;
    }
    if conditions.congested && loss < conditions.path.loss {
        plan.reason = Reason::Congestion;
    }
    plan
}

/// What the residual takes, whatever it costs.
#[derive(Debug, Clone, Copy)]
struct Needed {
    reason: Reason,
    packet_time: Duration,
    copies: usize,
    /// Repair packets per packet, driven by the sender or ahead of loss.
    repair: f64,
    /// Packets that repair ahead of loss covers together; 0 if it is driven by the sender.
    block: usize,
    residual: f64,
}

fn needed(conditions: &Conditions, config: &VoiceConfig) -> Needed {
    let losses = conditions.losses();
    let clean = Needed {
        reason: Reason::Clean,
        packet_time: config.packet_time,
        copies: 0,
        repair: 0.0,
        block: 0,
        residual: losses.loss,
    };
    if conditions.rounds(config.deadline) > 0 {
        // Each repair packet is a chance of its own: shorter packets would only make more of them necessary.
        let (residual, repair) = conditions.driven(config.deadline, config.residual, f64::INFINITY);
        let reason = match () {
            () if losses.loss <= config.residual => Reason::Clean,
            () if residual > 2.0 * config.residual => Reason::OutOfReach,
            () => Reason::Repair,
        };
        return Needed { reason, repair, residual, ..clean };
    }
    if losses.loss <= config.residual {
        return clean;
    }
    // Each packet that may carry a frame or its copy: the bound of any code inside them is that all of them are lost.
    let chances = |time: Duration| conditions.room(config.deadline).as_nanos() / time.as_nanos().max(1) + 1;
    let floor = |time| losses.all(i32::try_from(chances(time)).unwrap_or(i32::MAX));
    let short =
        floor(config.packet_time) > config.residual && floor(config.short_packet_time) < floor(config.packet_time);
    let packet_time = if short { config.short_packet_time } else { config.packet_time };
    let copies = copies_ahead(conditions, config, packet_time);
    let parity = parity_ahead(conditions, config);
    let missing = |needed: &Needed| needed.residual > config.residual;
    // Where none is enough, that which leaves least; else the cheaper.
    let cost = |needed: &Needed| match missing(needed) {
        true => (true, needed.residual),
        false => {
            let Needed { packet_time, copies, repair, .. } = *needed;
            (false, wire_rate(config.max_bitrate.as_bps_f64(), config, packet_time, copies, repair))
        }
    };
    let best = parity.filter(|parity| cost(parity) < cost(&copies)).unwrap_or(copies);
    let reason = match () {
        () if missing(&best) => Reason::OutOfReach,
        () if best.packet_time < config.packet_time => Reason::ShortPackets,
        () => Reason::Ahead,
    };
    Needed { reason, ..best }
}

/// RED copies, the least that are enough.
fn copies_ahead(conditions: &Conditions, config: &VoiceConfig, packet_time: Duration) -> Needed {
    let losses = conditions.losses();
    let reach = RED_REACH.min(conditions.room(config.deadline)).as_nanos() / packet_time.as_nanos().max(1);
    let most = config.max_copies.min(usize::try_from(reach).unwrap_or(0));
    let copies = copies_for(losses, config.residual).min(most);
    let residual = losses.all(i32::try_from(copies + 1).unwrap_or(i32::MAX));
    Needed { reason: Reason::Ahead, packet_time, copies, repair: 0.0, block: 0, residual }
}

/// Repair packets for all packets that have room before the deadline of the first of them. Not where losses cluster: a run takes
/// most of a block, and copies at a distance serve better.
fn parity_ahead(conditions: &Conditions, config: &VoiceConfig) -> Option<Needed> {
    let losses = conditions.losses();
    let source = conditions.room(config.deadline).as_nanos() / config.packet_time.as_nanos().max(1);
    let source = usize::try_from(source).unwrap_or(0).min(MAX_PARITY);
    if !config.parity || source < 2 || losses.again > losses.loss {
        return None;
    }
    let most = MAX_AHEAD * source;
    let enough = |repair: &usize| parity_missing(losses.loss, source, *repair) <= config.residual;
    let repair = (0..most).find(enough).unwrap_or(most);
    let residual = parity_missing(losses.loss, source, repair);
    let packet_time = config.packet_time;
    // A repair packet is a little longer than what it covers.
    let repair = repair as f64 / source as f64;
    Some(Needed { reason: Reason::Ahead, packet_time, copies: 0, repair, block: source, residual })
}

/// Makes it fit the rate: the voice gives way first, down to its least; then protection.
fn fit(conditions: &Conditions, config: &VoiceConfig, needed: &Needed) -> VoicePlan {
    let rate = conditions.rate.as_bps_f64();
    let (mut time, mut copies, mut repair) = (needed.packet_time, needed.copies, needed.repair);
    let fits = |least: f64, time: Duration, copies: usize, repair: f64| {
        voice_rate(rate, config, time, copies, repair) >= least
    };
    let mut least = config.min_bitrate.as_bps_f64();
    // What deep redundancy takes is worth more than the last half of repair.
    let deep = DRED_FROM_RATE.min(config.max_bitrate).as_bps_f64();
    if wants_dred(conditions, config) && fits(deep, time, copies, 0.5 * repair) {
        least = least.max(deep);
    }
    let mut reason = needed.reason;
    if !fits(least, time, copies, repair) && time < config.packet_time {
        time = config.packet_time;
        reason = Reason::Budget;
    }
    while copies > 0 && !fits(least, time, copies, repair) {
        copies -= 1;
        reason = Reason::Budget;
    }
    if !fits(least, time, copies, repair) {
        // What the least voice leaves.
        let alone = wire_rate(least, config, time, copies, 0.0);
        repair = (rate / alone - 1.0).clamp(0.0, repair);
        reason = Reason::Budget;
    }
    let losses = conditions.losses();
    let residual = match () {
        () if copies < needed.copies => losses.all(i32::try_from(copies + 1).unwrap_or(i32::MAX)),
        () if repair >= needed.repair => needed.residual,
        () if needed.block > 0 => parity_missing(losses.loss, needed.block, whole(repair * needed.block as f64)),
        () => conditions.driven(config.deadline, config.residual, repair).0,
    };
    let cut = Needed { reason, packet_time: time, copies, repair, residual, ..*needed };
    assemble(conditions, config, &cut, least)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few packets")]
fn whole(packets: f64) -> usize {
    packets as usize
}

/// As much of the rate as the encoder may have for voice and deep redundancy; repair gets what is left.
fn deep(conditions: &Conditions, config: &VoiceConfig, packet_time: Duration) -> VoicePlan {
    let rate = conditions.rate.as_bps_f64();
    let least = config.min_bitrate.as_bps_f64();
    let voice = voice_rate(rate, config, packet_time, 0, 0.0).clamp(least, config.max_bitrate.as_bps_f64());
    let room = (rate / wire_rate(voice, config, packet_time, 0, 0.0) - 1.0).max(0.0);
    let (residual, repair) = conditions.driven(config.deadline, config.residual, room);
    let needed = Needed { reason: Reason::Deep, packet_time, copies: 0, repair, block: 0, residual };
    let mut plan = assemble(conditions, config, &needed, voice);
    plan.reason = match () {
        () if plan.expected_uncovered > config.residual => Reason::Budget,
        () if packet_time < config.packet_time => Reason::ShortPackets,
        () => Reason::Deep,
    };
    plan
}

/// The plan for protection that fits the rate, with a voice of at least so much.
fn assemble(conditions: &Conditions, config: &VoiceConfig, needed: &Needed, least: f64) -> VoicePlan {
    let Needed { reason, packet_time, copies, repair, residual, .. } = *needed;
    let rate = conditions.rate.as_bps_f64();
    let most = config.max_bitrate.as_bps_f64();
    let bitrate = Bitrate::from_bps_f64(voice_rate(rate, config, packet_time, copies, repair).clamp(least, most));
    let room = conditions.room(config.deadline);
    let found = wants_dred(conditions, config)
        .then(|| config.dred.and_then(|reach| farthest(reach, bitrate, config.min_bitrate, packet_time, room)))
        .flatten();
    let bitrate = found.map_or(bitrate, |(bitrate, _)| bitrate);
    let dred = found.map(|(bitrate, duration)| {
        let part = (0.55 + conditions.protectable().max(DRED_LEAST_LOSS)).min(0.8);
        let bitrate = Bitrate::from_bps_f64((bitrate.as_bps_f64() - DRED_BASE.as_bps_f64()).max(0.0) * part);
        Dred { duration, bitrate }
    });
    // A frame that is missing is covered by any packet in reach that is not.
    let carriers = dred.map_or(0, |dred| dred.duration.min(room).as_nanos() / packet_time.as_nanos().max(1));
    let uncovered = residual * conditions.losses().again.powi(i32::try_from(carriers).unwrap_or(i32::MAX));
    let alone = wire_rate(bitrate.as_bps_f64(), config, packet_time, copies, 0.0);
    let is_repair = conditions.rounds(config.deadline) > 0;
    VoicePlan {
        reason,
        bitrate,
        packet_time,
        repair: is_repair,
        repair_budget: (rate / alone - 1.0).max(0.0),
        red_copies: copies,
        ahead: if needed.block > 0 { repair } else { 0.0 },
        expected_loss: 0.0,
        inband_fec: false,
        dred,
        expected_residual: residual,
        expected_uncovered: uncovered,
        expected_overhead: copies as f64 + repair,
        wire: Bitrate::from_bps_f64(wire_rate(bitrate.as_bps_f64(), config, packet_time, copies, repair)),
    }
}

/// Whether there is enough loss for deep redundancy.
fn wants_dred(conditions: &Conditions, config: &VoiceConfig) -> bool {
    config.dred.is_some() && conditions.protectable() >= DRED_FROM
}

/// Of the rates up to `most`, the highest at which deep redundancy reaches over `room`, or else the one at which it reaches
/// farthest: more rate is not always more reach. `None` if it reaches nowhere.
fn farthest(
    DredReach(reach): DredReach,
    most: Bitrate,
    least: Bitrate,
    packet_time: Duration,
    room: Duration,
) -> Option<(Bitrate, Duration)> {
    let least = least.max(DRED_FROM_RATE);
    let rates = (0..).map(|kbps| most - Bitrate::from_kbps(kbps)).take_while(|rate| *rate >= least);
    let mut best = None;
    for rate in rates {
        let span = reach(rate, packet_time).min(DRED_LONGEST);
        if best.is_none_or(|(_, longest)| span > longest) && !span.is_zero() {
            best = Some((rate, span));
        }
        if span >= room {
            break;
        }
    }
    best
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
