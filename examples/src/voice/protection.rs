//! The policy of the call: which plan of the controller is followed, and what the user and this call limit.
//!
//! A call is best with little delay, so the plan is made for a short deadline without waiting for feedback at first: RED, ULPFEC
//! and requests on the side. Where that leaves too much missing, the plan is made for all the time a call can spare: repair
//! driven by the sender, with deep redundancy in each packet for what even that leaves.

use core::time::Duration;

use rtc_core::Bitrate;
use rtc_core::opus::dred_span;
use rtc_fec::controller::{Conditions, DredReach, Reason, VoiceConfig, VoicePlan, plan_voice};
use rtc_fec::loss::LossModel;

use super::sender::START_RATE;

/// Residual loss protection is to leave: half of what a listener may get, the rest being for bursts and late packets.
pub(super) const RESIDUAL: f64 = 0.005;
/// Below this loss, asking again is enough.
const NACK_ONLY: f64 = 0.01;
/// From this loss on, RED brings frames back sooner than ULPFEC, whose group has to fill first.
const RED_FROM: f64 = 0.04;
/// Packets from which on the range of loss means something.
const CERTAIN: f64 = 20.0;
/// Time from sending to play-out that copies may take in a call without much delay.
const PROMPT: Duration = Duration::from_millis(220);
/// The same for repair: with a frame, its look-ahead and the sound card, within 300 ms from mouth to ear.
pub(super) const PATIENT: Duration = Duration::from_millis(260);
/// Below this loss copies are enough, whatever they leave: what is missing is due to something else.
const PATIENT_FROM: f64 = 0.3;
/// The rate below which there is no room to repair a stream of short packets.
const PATIENT_RATE: Bitrate = Bitrate::from_kbps(100);
/// Of a rate that is limited below this, feedback that is fast enough for repair would take too much.
const FEEDBACK_RATE: Bitrate = Bitrate::from_kbps(250);
/// The least voice that is worth deep redundancy.
const LEAST_DEEP: Bitrate = Bitrate::from_kbps(24);
/// Sending more often than this adds little.
pub(super) const MOST_TIMES: f64 = 4.0;
/// How far back deep redundancy is asked to go: all that is not yet played, and a packet.
pub(super) const DRED_SPAN: Duration = Duration::from_millis(320);
/// What the rate must pay for in the middle of speech. More took from repair what it brought.
const DRED_REACH: Duration = Duration::from_millis(300);
/// Most that deep redundancy adds to the rate of the voice.
const DRED_MOST_KBPS: u64 = 40;
/// Where deep redundancy fills what is missing, repair that takes more than this brings little.
const MODEST: Bitrate = Bitrate::from_kbps(450);
/// Copies beyond which the next one helps nobody.
const MAX_COPIES: usize = 12;
/// Packets to one of ULPFEC.
const ULPFEC_GROUP: u8 = 4;
/// Packets whose fate tells enough of a path on which most may be lost.
const KNOWN: f64 = 30.0;
/// Age of the oldest frame a RED block can name: 14 bits of 48 kHz (RFC 2198 §3).
const RED_REACH: Duration = Duration::from_micros(341_312);
/// Speech is not worth sending below this rate; redundancy gives way first.
const MIN_VOICE: Bitrate = Bitrate::from_kbps(8);
/// The longest packet: 60 ms add as much delay.
const LONGEST: Duration = Duration::from_millis(60);
/// RTP, extension, UDP and IP headers of one packet, bytes.
const HEADERS: usize = 12 + 8 + 28;
/// Header of one RED block, bytes (RFC 2198 §3).
const RED_BLOCK: f64 = 4.0;

/// The loss assumed before the first feedback: better a moment of waste than one of gaps.
pub(super) const ASSUMED_LOSS: f64 = 0.15;

/// What the sender does about the loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Protection {
    /// Rate for the voice encoder, deep redundancy included.
    pub voice: Bitrate,
    /// Sound in one packet: more where headers would eat what the path carries, less where few packets arrive.
    pub packet_time: Duration,
    /// Earlier frames repeated in every packet (RFC 2198).
    pub red_copies: usize,
    /// Source packets to one ULPFEC packet (RFC 5109).
    pub ulpfec_group: Option<usize>,
    /// Loss the encoder is told to expect, which turns its in-band FEC on.
    pub expected_loss: f32,
    /// How far back the deep redundancy of each packet is to go.
    pub dred: Option<Duration>,
    /// Repair packets per packet that the sender may send by itself, from what feedback says.
    pub repair: Option<f64>,
    /// How often each packet is sent, whatever feedback says, on average.
    pub times: f64,
    /// Why; `None` as long as nothing is known of the path.
    pub reason: Option<Reason>,
    /// Fraction of packets expected to be missing, what the codec's own redundancy brings back not counted.
    pub expected_residual: f64,
    /// Copies and repair packets expected per packet.
    pub expected_overhead: f64,
}

/// What may be used, and how much.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Highest rate for the voice encoder.
    pub voice: Bitrate,
    /// Most of everything that is sent, headers and RTCP included.
    pub all: Option<Bitrate>,
    /// Least sound in one packet.
    pub packet_time: Duration,
    /// A fixed number of RED copies instead of what the loss asks for.
    pub red_copies: Option<usize>,
    /// Whether ULPFEC may be used.
    pub ulpfec: bool,
    /// Whether what feedback does not speak of may be sent again.
    pub repair: bool,
    /// Whether Opus may carry deep redundancy.
    pub dred: bool,
    /// What encryption adds to each packet, in bytes.
    pub encryption: usize,
}

impl Limits {
    /// The rate before the first feedback.
    pub(super) fn start(&self) -> Bitrate {
        self.all.map_or(START_RATE, |all| all.min(START_RATE))
    }

    /// Whether so little may be sent that feedback fast enough for repair would take too much of it.
    pub(super) fn without_feedback(&self) -> bool {
        self.all.is_some_and(|all| all < FEEDBACK_RATE)
    }
}

impl Protection {
    /// The protection before anything is known of the path, which may lose most of what is sent, or carry little: what deep
    /// redundancy adds to few packets, and these twice, takes no more than copies for the loss assumed would.
    #[must_use]
    pub fn unknown(limits: Limits) -> Self {
        let path = LossModel::random(ASSUMED_LOSS, Duration::from_millis(100));
        let start = limits.start();
        let assumed = Self::choose(&Conditions::new(path, start), limits, false);
        let dred = limits.dred.then(|| dred_rate(limits.voice, assumed.packet_time)).flatten();
        match dred.filter(|voice| *voice < start * 0.33) {
            Some(voice) if limits.repair && limits.red_copies.is_none() => Self {
                voice,
                red_copies: 0,
                dred: Some(DRED_SPAN),
                // What makes the encoder spend as much on it as there is.
                expected_loss: 0.3,
                times: 2.0,
                reason: None,
                expected_residual: ASSUMED_LOSS * ASSUMED_LOSS,
                expected_overhead: 1.0,
                ..assumed
            },
            _ => Self { reason: None, ..assumed },
        }
    }

    /// The protection for `conditions` within `limits`; `patient` if it needed more time lately.
    #[must_use]
    pub fn choose(conditions: &Conditions, limits: Limits, patient: bool) -> Self {
        let loss = if conditions.congested { conditions.random_loss } else { conditions.path.loss };
        let all = plan_config(conditions.rate, limits);
        let mut config = all;
        config.deadline = PROMPT;
        // Repair packets ahead would make the play-out wait for as many packets as they cover.
        config.parity = false;
        config.short_packet_time = config.packet_time;
        // Without waiting for feedback, as if there were none before the deadline.
        let mut alone = *conditions;
        alone.path.feedback_interval = PROMPT;
        // Copies cannot be added later: they are for the loss half way to the worst it may be.
        if loss >= RED_FROM && alone.path.samples >= CERTAIN {
            let more = (alone.path.interval().1 - alone.path.loss) / 2.0;
            alone.path.loss += more;
            alone.random_loss += more;
        }
        let prompt = plan_voice(&alone, &config);
        let fails = prompt.expected_residual > RESIDUAL || patient;
        if limits.repair && loss >= PATIENT_FROM && fails {
            let deep = limits.without_feedback().then(|| Self::deep(conditions, limits)).flatten();
            if let Some(deep) = deep {
                return deep;
            }
            if conditions.rate >= PATIENT_RATE {
                return Self::patient(conditions, all, limits);
            }
        }
        Self::of(&prompt, loss, limits, &config, conditions.rate)
    }

    /// Whether enough is known of a path to protect by it: that little is lost shows sooner than how much, and where a queue
    /// stands there is no time to find out.
    #[must_use]
    pub fn is_known(conditions: &Conditions) -> bool {
        let path = &conditions.path;
        conditions.congested || path.samples >= KNOWN || path.interval().1 < PATIENT_FROM
    }

    /// Copies ahead of loss, as few as the rate and the loss let.
    fn of(plan: &VoicePlan, loss: f64, limits: Limits, config: &VoiceConfig, rate: Bitrate) -> Self {
        let mut red_copies = plan.red_copies;
        let mut voice = plan.bitrate;
        if let Some(copies) = limits.red_copies {
            let most = within_reach(copies, config.packet_time);
            let fits =
                |copies: &usize| voice_rate(rate, config.headers, config.packet_time, *copies) >= config.min_bitrate;
            red_copies = (0..=most).rev().find(fits).unwrap_or(0);
            voice = voice_rate(rate, config.headers, config.packet_time, red_copies);
        } else if loss < RED_FROM {
            // Less than a copy of each packet is enough.
            red_copies = 0;
            voice = voice_rate(rate, config.headers, config.packet_time, red_copies);
        }
        let ulpfec = limits.ulpfec && red_copies == 0 && (NACK_ONLY..RED_FROM).contains(&loss);
        if ulpfec {
            voice = voice * 0.8;
        }
        let missing = loss.powi(i32::try_from(red_copies + 1).unwrap_or(i32::MAX));
        let parity = if ulpfec { 1.0 / f64::from(ULPFEC_GROUP) } else { 0.0 };
        #[expect(clippy::cast_possible_truncation, reason = "a fraction")]
        let expected_loss = loss as f32;
        Self {
            voice: voice.clamp(config.min_bitrate, limits.voice),
            packet_time: config.packet_time,
            red_copies,
            ulpfec_group: ulpfec.then_some(ULPFEC_GROUP.into()),
            expected_loss,
            dred: None,
            repair: None,
            times: 1.0,
            reason: Some(plan.reason),
            // Of a group, what is lost alone comes back.
            expected_residual: if ulpfec { missing * (1.0 - (1.0 - loss).powi(ULPFEC_GROUP.into())) } else { missing },
            // What copies do not bring back is asked for.
            expected_overhead: red_copies as f64 + parity + if limits.repair { missing } else { 0.0 },
        }
    }

    /// Deep redundancy, as often as the rate lets. What counts is how many packets are sent in the time that a frame may take, as any
    /// of them covers it: longer packets several times take less than short ones once, whose redundancy costs as much.
    fn deep(conditions: &Conditions, limits: Limits) -> Option<Self> {
        if !limits.dred || limits.red_copies.is_some() {
            return None;
        }
        let (rate, packet_time) = (conditions.rate.as_bps_f64(), limits.packet_time);
        let times = |voice: Bitrate| {
            let headers = 8.0 * (HEADERS + limits.encryption) as f64 / packet_time.as_secs_f64().max(1e-3);
            rate / (voice.as_bps_f64() + headers)
        };
        // The voice gives way until each packet can be sent as often as it takes.
        let wanted = dred_rate(limits.voice, packet_time).filter(|voice| times(*voice) >= MOST_TIMES);
        let voice = wanted.or_else(|| dred_rate(LEAST_DEEP.min(limits.voice), packet_time))?;
        let times = times(voice).min(MOST_TIMES);
        let missing = conditions.path.loss.powf(times);
        #[expect(clippy::cast_possible_truncation, reason = "a fraction")]
        let expected_loss = conditions.path.loss as f32;
        (times >= 1.0).then_some(Self {
            voice,
            packet_time,
            red_copies: 0,
            ulpfec_group: None,
            expected_loss,
            dred: Some(DRED_SPAN),
            repair: None,
            times,
            reason: Some(Reason::Deep),
            expected_residual: missing,
            expected_overhead: times - 1.0,
        })
    }

    /// Repair from what feedback says, and deep redundancy beside.
    fn patient(conditions: &Conditions, mut config: VoiceConfig, limits: Limits) -> Self {
        config.deadline = PATIENT;
        let dred = limits.dred.then(|| dred_rate(limits.voice, config.packet_time)).flatten();
        let dred = dred.filter(|rate| *rate < conditions.rate * 0.5);
        let mut room = *conditions;
        if let Some(rate) = dred {
            // Deep redundancy comes on top of the voice the user wants, as the other protection does, and instead of copies and
            // of short packets, which would leave it less.
            config.dred = Some(DredReach(dred_span));
            config.max_bitrate = limits.voice.max(rate);
            config.min_bitrate = config.max_bitrate;
            config.max_copies = 0;
            config.short_packet_time = config.packet_time;
            room.rate = room.rate.min(MODEST);
        }
        let plan = plan_voice(&room, &config);
        #[expect(clippy::cast_possible_truncation, reason = "a fraction")]
        let expected_loss = plan.expected_loss as f32;
        Self {
            voice: plan.bitrate,
            packet_time: plan.packet_time,
            red_copies: limits.red_copies.map_or(plan.red_copies, |copies| within_reach(copies, plan.packet_time)),
            ulpfec_group: None,
            expected_loss,
            dred: plan.dred.and(dred).map(|_| DRED_SPAN),
            repair: Some(plan.repair_budget),
            times: 1.0,
            reason: Some(plan.reason),
            expected_residual: plan.expected_residual,
            expected_overhead: plan.expected_overhead,
        }
    }
}

/// As many copies as can be named: longer packets leave room for fewer, and none is to be paid for that cannot be sent.
fn within_reach(copies: usize, packet_time: Duration) -> usize {
    let reach = RED_REACH.as_nanos() / packet_time.as_nanos().max(1);
    copies.min(MAX_COPIES).min(usize::try_from(reach).unwrap_or(MAX_COPIES))
}

/// The least rate, from that of the voice alone on, at which deep redundancy reaches over the time a packet may take.
fn dred_rate(voice: Bitrate, packet_time: Duration) -> Option<Bitrate> {
    let rates = (0..=DRED_MOST_KBPS).map(|more| voice + Bitrate::from_kbps(more));
    rates.into_iter().find(|rate| dred_span(*rate, packet_time) >= DRED_REACH)
}

/// What the call asks of the controller.
fn plan_config(rate: Bitrate, limits: Limits) -> VoiceConfig {
    let mut config = VoiceConfig::default();
    config.residual = RESIDUAL;
    config.max_bitrate = limits.voice;
    config.min_bitrate = MIN_VOICE.min(limits.voice);
    config.packet_time = packet_time(rate, limits);
    config.short_packet_time = config.short_packet_time.min(config.packet_time);
    config.headers = HEADERS + limits.encryption;
    config.max_copies = MAX_COPIES;
    config
}

/// Longest wait for a retransmission that still makes sense for voice.
pub(super) const NACK_DEADLINE: Duration = Duration::from_millis(250);

/// The least packet time whose headers leave half the rate to the voice, up to 60 ms.
fn packet_time(rate: Bitrate, limits: Limits) -> Duration {
    let fits = |time: &Duration| {
        voice_rate(rate, HEADERS + limits.encryption, *time, 0).as_bps_f64() >= 0.5 * rate.as_bps_f64()
    };
    let longer = [20, 40, 60].map(Duration::from_millis).into_iter().filter(|time| *time > limits.packet_time);
    core::iter::once(limits.packet_time).chain(longer).find(fits).unwrap_or_else(|| limits.packet_time.max(LONGEST))
}

/// What is left for the voice when every payload is sent `1 + copies` times.
fn voice_rate(rate: Bitrate, headers: usize, packet_time: Duration, copies: usize) -> Bitrate {
    let headers = 8.0 * (headers as f64 + RED_BLOCK * copies as f64) / packet_time.as_secs_f64().max(1e-3);
    Bitrate::from_bps_f64((rate.as_bps_f64() - headers) / (copies + 1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        voice: Bitrate::from_kbps(32),
        all: None,
        packet_time: Duration::from_millis(20),
        red_copies: None,
        ulpfec: true,
        repair: true,
        dred: true,
        encryption: 0,
    };

    fn with(loss: f64, kbps: u64, limits: Limits) -> Protection {
        let path = LossModel::random(loss, Duration::from_millis(80));
        Protection::choose(&Conditions::new(path, Bitrate::from_kbps(kbps)), limits, false)
    }

    fn at(loss: f64, kbps: u64) -> Protection {
        with(loss, kbps, LIMITS)
    }

    #[test]
    fn protection_follows_loss() {
        let table: Vec<_> = [0.0, 0.005, 0.02, 0.05, 0.1, 0.3, 0.5, 0.7, 0.9]
            .into_iter()
            .map(|loss| at(loss, 1_000))
            .map(|plan| (plan.red_copies, plan.ulpfec_group.is_some(), plan.repair.is_some(), plan.dred.is_some()))
            .collect();
        assert_eq!(
            table,
            [
                (0, false, false, false),
                (0, false, false, false),
                (0, true, false, false),
                (1, false, false, false),
                (2, false, false, false),
                (4, false, false, false),
                (7, false, false, false),
                (0, false, true, true),
                (0, false, true, true)
            ]
        );
    }

    #[test]
    fn voice_gives_way_before_redundancy_and_redundancy_before_speech() {
        assert_eq!(at(0.25, 1_000).voice, LIMITS.voice);
        let narrow = at(0.25, 120);
        assert_eq!(narrow.red_copies, at(0.25, 1_000).red_copies);
        assert!(narrow.voice < LIMITS.voice && narrow.voice >= MIN_VOICE);
        let narrower = at(0.25, 50);
        assert!(narrower.red_copies < narrow.red_copies && narrower.voice >= MIN_VOICE);
        assert_eq!((at(0.25, 1).red_copies, at(0.25, 1).voice), (0, MIN_VOICE));
    }

    #[test]
    fn packets_grow_longer_where_headers_would_eat_the_rate() {
        let times = [300, 60, 40, 30, 20, 16].map(|kbps| (kbps, at(0.0, kbps).packet_time.as_millis()));
        assert_eq!(times, [(300, 20), (60, 20), (40, 20), (30, 40), (20, 40), (16, 60)]);
    }

    #[test]
    fn what_encrypts_a_packet_is_taken_from_the_voice() {
        let plan = |encryption| with(0.0, 60, Limits { encryption, voice: Bitrate::from_kbps(100), ..LIMITS });
        let (open, sealed) = (plan(0), plan(16));
        assert_eq!(open.packet_time, sealed.packet_time);
        let taken = open.voice.as_bps_f64() - sealed.voice.as_bps_f64();
        let added = 8.0 * 16.0 / open.packet_time.as_secs_f64();
        assert!((taken - added).abs() < 10.0, "{open:?}, {sealed:?}");
    }

    #[test]
    fn repair_keeps_to_what_is_modest_where_deep_redundancy_helps() {
        for loss in [0.6, 0.7, 0.8] {
            let plan = at(loss, 1_500);
            let alone = plan.voice.as_bps_f64() + 50.0 * 8.0 * HEADERS as f64;
            assert!(alone * (1.0 + plan.repair.unwrap()) <= MODEST.as_bps_f64() * 1.01, "{plan:?}");
            assert!(dred_span(plan.voice, plan.packet_time) >= DRED_REACH, "{plan:?}");
        }
        let without = with(0.7, 1_500, Limits { dred: false, ..LIMITS });
        assert_eq!((without.dred, without.repair.is_some()), (None, true));
        let neither = with(0.7, 1_500, Limits { repair: false, ..LIMITS });
        assert!(neither.repair.is_none() && neither.red_copies > 7, "{neither:?}");
    }

    /// At 80 % loss a frame needs 24 packets of which any covers it.
    #[test]
    fn a_limit_leaves_deep_redundancy_as_often_as_it_lets() {
        let at_most = |kbps| Limits { all: Some(Bitrate::from_kbps(kbps)), ..LIMITS };
        let plan = |kbps: u64| with(0.8, kbps, at_most(kbps));
        let deep = plan(120);
        let wire = deep.voice.as_bps_f64() + 50.0 * 8.0 * HEADERS as f64;
        assert!((deep.times * wire - 120e3).abs() < 1.0 && deep.times > 2.4, "{deep:?}");
        assert!((deep.repair, deep.dred) == (None, Some(DRED_SPAN)) && deep.voice < LIMITS.voice);
        assert!(dred_span(deep.voice, deep.packet_time) >= DRED_REACH);
        assert!(plan(240).times > 3.9 && plan(240).voice > LIMITS.voice);
        assert!(plan(250).repair.is_some() && plan(40).dred.is_none());
        assert_eq!(with(0.1, 120, at_most(120)).times, 1.0);
    }

    #[test]
    fn loss_that_is_congestion_is_answered_with_less() {
        let path = LossModel::random(0.7, Duration::from_millis(80));
        let conditions = Conditions::new(path, Bitrate::from_kbps(200)).congested(0.01);
        let plan = Protection::choose(&conditions, LIMITS, false);
        assert_eq!((plan.red_copies, plan.repair, plan.dred), (0, None, None));
    }

    #[test]
    fn long_packets_are_not_repeated_beyond_the_reach_of_red() {
        let copies = [10, 20, 40, 60].map(|ms| {
            let packet_time = Duration::from_millis(ms);
            with(0.3, 2_000, Limits { packet_time, red_copies: Some(12), ..LIMITS }).red_copies
        });
        assert_eq!(copies, [12, 12, 8, 5]);
    }

    /// What is sent before anything is known takes no more than what is sent for little loss, and reaches further.
    #[test]
    fn before_feedback_everything_is_sent_twice_with_deep_redundancy() {
        let (first, assumed) = (Protection::unknown(LIMITS), at(ASSUMED_LOSS, 300));
        let wire = |plan: &Protection, times: f64| {
            let voice = plan.voice.as_bps_f64() * (1.0 + plan.red_copies as f64);
            times * (voice + 50.0 * 8.0 * HEADERS as f64)
        };
        assert_eq!((first.times, assumed.times, assumed.red_copies), (2.0, 1.0, 2));
        assert!(wire(&first, 2.0) < 1.1 * wire(&assumed, 1.0), "{first:?}");
        assert!(dred_span(first.voice, first.packet_time) >= DRED_REACH);
        let without = Protection::unknown(Limits { repair: false, ..LIMITS });
        assert_eq!((without.times, without.red_copies), (1.0, 2));
    }

    #[test]
    fn a_path_is_known_soon_where_little_is_lost_and_later_where_most_is() {
        let known = |loss: f64, samples: f64| {
            let mut path = LossModel::random(loss, Duration::from_millis(80));
            path.samples = samples;
            Protection::is_known(&Conditions::new(path, Bitrate::from_kbps(300)))
        };
        assert_eq!([10.0, 20.0, 30.0].map(|samples| known(0.05, samples)), [false, true, true]);
        assert_eq!([10.0, 20.0, 30.0].map(|samples| known(0.6, samples)), [false, false, true]);
    }
}
