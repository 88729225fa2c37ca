//! A talker, a network and a listener.

use core::time::Duration;

use rtc_core::audio::AudioMut;
use rtc_core::bwe::Ecn;
use rtc_core::codec::AudioFormat;
use rtc_core::testkit::clock::{SkewedClock, Ticks};
use rtc_core::testkit::metrics::{mean, percentile};
use rtc_core::testkit::naive::{Coding, PcmDecoder, PcmEncoder};
use rtc_core::testkit::netem::{Netem, NetemConfig};
use rtc_core::testkit::signal::{Speech, Talker, TalkerConfig};
use rtc_core::testkit::trace::DelayTrace;
use rtc_core::time::Instant;
use rtc_core::{DataSize, Frequency, RtpPacket, RtpTime, SeqNum};
use rtc_jitter::{AudioPlayout, PlayoutConfig, PlayoutStats, PulledKind};

pub(crate) const RATE: Frequency = Frequency::KHZ_16;
const FORMAT: AudioFormat = AudioFormat { rate: RATE, channels: 1 };
const PULL: Duration = Duration::from_millis(10);
/// Numbers that wrap within the first seconds.
const FIRST_SEQ: SeqNum = SeqNum(65_400);
const FIRST_TIME: RtpTime = RtpTime(u32::MAX - 50_000);

/// One call, one way.
pub(crate) struct Scene {
    pub(crate) network: NetemConfig,
    pub(crate) seed: u64,
    pub(crate) playout: PlayoutConfig,
    /// What is said, at [`RATE`]; repeated for the length of the call.
    pub(crate) voice: Vec<f32>,
    pub(crate) length: Duration,
    pub(crate) ptime: Duration,
    pub(crate) dtx: bool,
    /// Microseconds per second by which the listener's clock is fast.
    pub(crate) ppm: f64,
    /// Pulls the listener's device makes at once.
    pub(crate) burst: u32,
}

/// One pull of 10 ms.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tick {
    /// Since the call began.
    pub(crate) at: Duration,
    pub(crate) kind: PulledKind,
    /// From mouth to ear, of media that was played.
    pub(crate) delay: Option<Duration>,
    pub(crate) target: Duration,
    /// The skew known, in ppm.
    pub(crate) skew: f64,
}

/// What the listener heard.
pub(crate) struct Heard {
    pub(crate) ticks: Vec<Tick>,
    pub(crate) stats: PlayoutStats,
    pub(crate) audio: Vec<f32>,
    /// Delay of each packet on the network; `None` for lost ones.
    pub(crate) network: Vec<Option<Duration>>,
}

impl Scene {
    /// A minute of talk in packets of 20 ms.
    pub(crate) fn new(network: NetemConfig) -> Self {
        let mut playout = PlayoutConfig::default();
        playout.jitter.clock = RATE;
        Self {
            network,
            seed: 1,
            playout,
            voice: Speech::new(RATE, 7).take(320_000).collect(),
            length: Duration::from_secs(60),
            ptime: Duration::from_millis(20),
            dtx: false,
            ppm: 0.0,
            burst: 1,
        }
    }

    pub(crate) fn run(&self) -> Heard {
        let mut playout = AudioPlayout::new(self.playout, PcmDecoder::new(Coding::L16, FORMAT).unwrap()).unwrap();
        let mut network = Netem::new(self.network.clone(), self.seed).unwrap();
        let clock = SkewedClock::new(Duration::from_secs(1_000), self.ppm).unwrap();
        let mut packets = self.packets().peekable();
        let mut heard = Heard { ticks: Vec::new(), stats: playout.stats(), audio: Vec::new(), network: Vec::new() };
        // The device's ticks fall between the packets, not on them.
        let first_pull = clock.local(Instant::ZERO) + Duration::from_micros(3_300);
        for pull in
            Ticks::every(PULL * self.burst).starting_at(first_pull).flat_map(|pull| (0..self.burst).map(move |_| pull))
        {
            let now = clock.true_time(pull);
            if now >= Instant::ZERO + self.length {
                break;
            }
            while let Some((sent, packet)) = packets.next_if(|(sent, _)| *sent <= now) {
                let index = heard.network.len();
                network.send(sent, DataSize::of(packet.as_bytes()), Ecn::NotEct, (index, packet));
                heard.network.push(None);
            }
            while let Some(delivery) = network.poll(now) {
                let (index, packet) = delivery.item;
                let delay = delivery.delivered - delivery.sent;
                heard.network[index] = Some(heard.network[index].map_or(delay, |first| first.min(delay)));
                playout.insert(clock.local(delivery.delivered), packet);
            }
            let mut out = [0.0; 160];
            let pulled = playout.pull(pull, AudioMut::mono(&mut out, RATE));
            heard.audio.extend(out);
            let real = !matches!(pulled.kind, PulledKind::Silence | PulledKind::Concealed);
            let said = pulled.timestamp.filter(|_| real).map(said);
            heard.ticks.push(Tick {
                at: now - Instant::ZERO,
                kind: pulled.kind,
                delay: said.map(|said| now - said),
                target: playout.target_delay(),
                skew: playout.clock_skew(),
            });
        }
        heard.stats = playout.stats();
        heard
    }

    fn packets(&self) -> impl Iterator<Item = (Instant, RtpPacket)> {
        let mut config = TalkerConfig::default();
        (config.ptime, config.dtx) = (self.ptime, self.dtx);
        (config.seq, config.timestamp) = (FIRST_SEQ, FIRST_TIME);
        let encoder = PcmEncoder::new(Coding::L16, FORMAT).unwrap();
        Talker::new(config, encoder, self.voice.iter().copied().cycle()).unwrap()
    }
}

/// When media of this time was said.
fn said(time: RtpTime) -> Instant {
    let ticks = time.distance_from(FIRST_TIME);
    Instant::ZERO + RATE.duration_of(u64::try_from(ticks).unwrap())
}

impl Heard {
    /// Mouth-to-ear delays in milliseconds.
    pub(crate) fn delays(&self) -> Vec<f64> {
        self.ticks.iter().filter_map(|tick| Some(millis(tick.delay?))).collect()
    }

    pub(crate) fn mean_delay(&self) -> f64 {
        mean(&self.delays())
    }

    pub(crate) fn percentile_delay(&self, percent: f64) -> f64 {
        percentile(&mut self.delays(), percent)
    }

    /// Percent of samples made up.
    pub(crate) fn concealed(&self) -> f64 {
        self.percent(self.stats.concealed_samples)
    }

    pub(crate) fn percent(&self, samples: u64) -> f64 {
        100.0 * samples as f64 / self.stats.total_samples_received as f64
    }

    /// The least constant delay, known only afterwards, by which no more than `percent` of the packets are late or lost; that of
    /// the slowest packet if more were lost.
    pub(crate) fn best_fixed_delay(&self, percent: f64) -> f64 {
        // What was sent in the last seconds may have been on its way when the call ended.
        let sent = self.network.len() - self.network.len() / 20;
        let mut delays: Vec<f64> = self.network[..sent].iter().flatten().copied().map(millis).collect();
        let lost = sent - delays.len();
        let may_be_late = (sent as f64 * percent / 100.0 - lost as f64).max(0.0);
        percentile(&mut delays, 100.0 * (1.0 - may_be_late / sent as f64))
    }

    /// The delays heard from `from` seconds on.
    pub(crate) fn since(&self, from: f64) -> impl Iterator<Item = &Tick> {
        self.ticks.iter().filter(move |tick| tick.at.as_secs_f64() >= from)
    }
}

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A network that adds this delay to the packet sent at a time, both in milliseconds, for two minutes.
pub(crate) fn delayed(delay: impl Fn(u64) -> u64) -> NetemConfig {
    let mut network = NetemConfig::default();
    network.trace = Some(DelayTrace::new((0..6_000).map(|n| Some(ms(delay(n * 20)))).collect()).unwrap());
    network
}

/// A network that stalls once: what is sent from `at` on arrives `length` later.
pub(crate) fn stalled(at: u64, length: u64) -> NetemConfig {
    delayed(move |sent| if (at..at + length).contains(&sent) { at + length - sent } else { 0 })
}
