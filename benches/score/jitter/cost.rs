//! What play-out costs a listener: two channels at 48 kHz as L16, so that no codec stands between.

use core::time::Duration;

use indicatif::ProgressBar;
use rtc_core::audio::AudioMut;
use rtc_core::codec::AudioFormat;
use rtc_core::testkit::metrics::{mean, percentile};
use rtc_core::testkit::naive::{Coding, PcmDecoder};
use rtc_core::testkit::rng::Rng;
use rtc_core::testkit::signal::Speech;
use rtc_core::time::Instant;
use rtc_core::{ConfigError, Frequency, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_jitter::{AudioPlayout, ConcealedBy, PlayoutConfig};

use super::scenarios::{Delays, PTIME, SYNTHETIC};
use crate::cost::state_bytes;
use crate::memory;
use crate::report::{Metric, Report, Setting, Target};
use crate::subject::{Heard, MakePlayer, PAYLOAD_TYPE, Player, STEREO_RATE, Subject};
use crate::{Options, peers};

/// Networks on which it is measured.
const NETWORKS: [&str; 5] = ["clean", "loss-5-bursts", "exp-30", "wifi-stalls", "spikes"];
/// Each call is timed in so many rounds of the same run, of which its least time counts.
const ROUNDS: usize = 5;
const PULL: Duration = Duration::from_millis(10);
/// Samples of a packet, and of a pull, per channel.
const PACKET: usize = 960;
const OUT: usize = 480;
/// Seconds of voice before it repeats.
const SECONDS: usize = 20;
/// Pulls after which everything is to have its size.
const WARM: usize = 1_000;

/// Adds the rows of cost.
pub(super) fn score(options: &Options, bar: &ProgressBar, report: &mut Report) -> Result<(), ConfigError> {
    let mut subjects = vec![
        Subject::ours(ours(ConcealedBy::Decoder)),
        Subject { name: "ours, own concealer".into(), is_variant: true, ..Subject::ours(ours(ConcealedBy::Playout)) },
    ];
    subjects.extend(peers::stereo_players());
    subjects.retain(|subject| options.wants_subject(&subject.name));
    for network in SYNTHETIC.iter().filter(|network| NETWORKS.contains(&network.name)) {
        let name = format!("cost-{}", network.name);
        if !options.wants_scenario(&name) {
            continue;
        }
        bar.set_message(name.clone());
        let input = format!("two minutes, two channels at 48 kHz as L16, decoding included; {}", network.input);
        let setting = Setting { scenario: name, input, seeds: 1 };
        let arrivals = arrivals(&network.delays(0)?)?;
        for subject in &subjects {
            let Some(make) = report.admit(subject) else { continue };
            Cost::of(make, &arrivals).add(report, &setting, subject);
        }
    }
    Ok(())
}

/// The packets that arrive, in order.
fn arrivals(delays: &Delays) -> Result<Vec<(Instant, RtpPacket)>, ConfigError> {
    let voice: Vec<f32> = Speech::new(STEREO_RATE, 1).take(SECONDS * STEREO_RATE.as_hz() as usize).collect();
    let mut dither = Rng::new(9);
    let mut arrivals = Vec::new();
    for (number, audio) in (0..delays.len()).zip(voice.chunks_exact(PACKET).cycle()) {
        let Some(delay) = delays[number] else { continue };
        let mut payload = Vec::with_capacity(4 * PACKET);
        for sample in audio {
            #[expect(clippy::cast_possible_truncation, reason = "within full scale")]
            let left = (sample * 32_000.0) as i16 + i16::try_from(dither.below(17)).unwrap_or(8) - 8;
            payload.extend(left.to_be_bytes());
            payload.extend((left / 2).to_be_bytes());
        }
        #[expect(clippy::cast_possible_truncation, reason = "numbers wrap")]
        let (sequence, time) = (SeqNum(65_000_u16.wrapping_add(number as u16)), RtpTime((number * PACKET) as u32));
        let packet = RtpPacket::builder(PayloadType::new(PAYLOAD_TYPE), sequence, time, Ssrc(7)).build(&payload)?;
        let sent = PTIME * u32::try_from(number).unwrap_or(u32::MAX);
        arrivals.push((Instant::ZERO + sent + delay, packet));
    }
    arrivals.sort_by_key(|(at, _)| *at);
    Ok(arrivals)
}

/// Times in nanoseconds of each call, the least of all rounds.
#[derive(Default)]
struct Cost {
    inserts: Vec<f64>,
    pulls: Vec<f64>,
    /// Per pull, in the last round, from [`WARM`] on.
    allocations: f64,
    state: usize,
    /// Of what was heard, by round.
    digests: Vec<u64>,
}

impl Cost {
    fn of(make: &MakePlayer, arrivals: &[(Instant, RtpPacket)]) -> Self {
        let idle = idle();
        let mut cost = Self::default();
        for _ in 0..ROUNDS {
            let (player, state) = state_bytes(make);
            cost.state = state;
            cost.round(player, arrivals);
        }
        // Reading the clock is no work of theirs.
        cost.inserts.iter_mut().chain(&mut cost.pulls).for_each(|time| *time = (*time - idle).max(0.0));
        cost
    }

    fn round(&mut self, mut player: Box<dyn Player>, arrivals: &[(Instant, RtpPacket)]) {
        let (mut inserts, mut pulls) = (Vec::with_capacity(arrivals.len()), Vec::with_capacity(4 * arrivals.len()));
        let mut out = [0.0; 2 * OUT];
        let mut allocations = 0.0;
        let mut digest = 0xcbf2_9ce4_8422_2325_u64;
        let mut now = Instant::ZERO;
        let mut arrivals = arrivals.iter().peekable();
        while arrivals.peek().is_some() {
            let before = memory::allocations();
            while let Some((at, packet)) = arrivals.next_if(|(at, _)| *at <= now) {
                receive(packet);
                inserts.push(timed(|| player.insert(*at, packet)));
            }
            pulls.push(timed(|| player.pull(now, &mut out)));
            if pulls.len() > WARM {
                allocations += (memory::allocations() - before) as f64;
            }
            for sample in out {
                digest = (digest ^ u64::from(sample.to_bits())).wrapping_mul(0x0100_0000_01b3);
            }
            now += PULL;
        }
        self.allocations = allocations / (pulls.len() - WARM.min(pulls.len() - 1)) as f64;
        self.digests.push(digest);
        least(&mut self.inserts, inserts);
        least(&mut self.pulls, pulls);
    }

    fn add(mut self, report: &mut Report, setting: &Setting, subject: &Subject<MakePlayer>) {
        let is_ours = subject.name.starts_with("ours");
        let target = |most| is_ours.then_some(Target::AtMost(most));
        let mut add = |metric, value, target| report.add_judged(setting, &subject.name, metric, value, target);
        add(Metric("pull mean", "us"), mean(&self.pulls) / 1e3, target(4.0));
        add(Metric("pull p99", "us"), percentile(&mut self.pulls, 99.0) / 1e3, target(20.0));
        add(Metric("insert mean", "ns"), mean(&self.inserts), target(200.0));
        if subject.counted {
            add(Metric("allocations", "per pull, after 10 s"), self.allocations, target(0.0));
            add(Metric("state", "bytes"), self.state as f64, None);
        }
        let equal = self.digests.iter().filter(|digest| Some(*digest) == self.digests.first()).count();
        let equal = 100.0 * equal as f64 / self.digests.len().max(1) as f64;
        add(Metric("same to the bit", "% of runs"), equal, is_ours.then_some(Target::AtLeast(100.0)));
    }
}

/// Reads all of a packet, as who receives one has: two minutes of them fit into no cache, and those that come out of order are not even
/// foreseen, so that else the time to fetch them from memory is what would be measured.
fn receive(packet: &RtpPacket) {
    core::hint::black_box(packet.as_ref().iter().fold(0_u8, |sum, byte| sum ^ byte));
    drop(core::hint::black_box(packet.clone()));
}

/// Keeps the least time of each call.
pub(super) fn least(of_all: &mut Vec<f64>, round: Vec<f64>) {
    if of_all.is_empty() {
        *of_all = round;
        return;
    }
    of_all.iter_mut().zip(round).for_each(|(least, time)| *least = least.min(time));
}

/// Nanoseconds that `work` takes by the wall clock: it takes far less to read than that of the thread, which is a call of the system
/// that leaves caches cold. What else the machine does meanwhile goes with the rounds.
#[expect(clippy::disallowed_methods, reason = "the time work takes is what is measured")]
pub(super) fn timed<T>(work: impl FnOnce() -> T) -> f64 {
    let start = std::time::Instant::now();
    core::hint::black_box(work());
    start.elapsed().as_secs_f64() * 1e9
}

/// What timing nothing takes, in nanoseconds.
pub(super) fn idle() -> f64 {
    let mut times: Vec<f64> = (0..1_000).map(|_| timed(|| ())).collect();
    percentile(&mut times, 10.0)
}

fn ours(by: ConcealedBy) -> MakePlayer {
    let format = AudioFormat { rate: STEREO_RATE, channels: 2 };
    let mut config = PlayoutConfig::default();
    (config.jitter.clock, config.concealed_by) = (Frequency::KHZ_48, by);
    Box::new(move || {
        let decoder = PcmDecoder::new(Coding::L16, format).expect("two channels");
        Box::new(Stereo(AudioPlayout::new(config, decoder).expect("the default differs only in its concealment")))
    })
}

struct Stereo(AudioPlayout<PcmDecoder>);

impl Player for Stereo {
    fn insert(&mut self, now: Instant, packet: &RtpPacket) {
        self.0.insert(now, packet.clone());
    }

    fn pull(&mut self, now: Instant, out: &mut [f32]) -> Heard {
        let (left, right) = out.split_at_mut(out.len() / 2);
        let out = AudioMut::stereo(left, right, STEREO_RATE).expect("as long as each other");
        let pulled = self.0.pull(now, out);
        Heard { position: pulled.timestamp, concealed: pulled.concealed }
    }
}
