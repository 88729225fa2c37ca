//! The networks play-out is measured on: synthetic ones by configuration and seed, recorded ones where their files are.

use core::time::Duration;

use rtc_core::bwe::Ecn;
use rtc_core::testkit::netem::{Jitter, Loss, Netem, NetemConfig, Spikes};
use rtc_core::testkit::trace::DelayTrace;
use rtc_core::time::Instant;
use rtc_core::{Bitrate, ConfigError, DataSize};

/// Packet time.
pub(super) const PTIME: Duration = Duration::from_millis(20);
/// Packets of a run: two minutes.
pub(super) const PACKETS: usize = 6_000;
/// Seeds beyond this many of a recorded trace begin it elsewhere; each is this many packets further on.
pub(super) const TRACE_STEP: usize = 997;

/// How long each packet took beyond the fastest, `None` if it was lost.
pub(super) type Delays = Vec<Option<Duration>>;

/// A synthetic network.
#[derive(Clone, Copy)]
pub(super) struct Synthetic {
    pub(super) name: &'static str,
    pub(super) input: &'static str,
    /// The path, by seed.
    config: fn(u64) -> Result<NetemConfig, ConfigError>,
    /// A competing flow, in b/s, in packets of 1200 bytes.
    load: u64,
    /// The sender's clock is so much slower than the receiver's, in parts per million.
    pub(super) skew_ppm: f64,
}

pub(super) const SYNTHETIC: [Synthetic; 11] = [
    Synthetic {
        name: "clean",
        input: "no jitter, no loss",
        config: |_| Ok(NetemConfig::default()),
        load: 0,
        skew_ppm: 0.0,
    },
    Synthetic {
        name: "loss-5-bursts",
        input: "5 % lost in bursts of 2, no jitter",
        config: |_| with(|config| config.loss = Loss::bursts(0.05, 2.0).unwrap_or_default()),
        load: 0,
        skew_ppm: 0.0,
    },
    Synthetic {
        name: "uniform-50",
        input: "up to 50 ms of jitter, reordering",
        config: |_| {
            with(|config| {
                (config.jitter, config.reordering) = (Jitter::Uniform { max: Duration::from_millis(50) }, true);
            })
        },
        load: 0,
        skew_ppm: 0.0,
    },
    Synthetic {
        name: "exp-30",
        input: "exponential jitter of 30 ms on average, reordering",
        config: |_| {
            with(|config| {
                (config.jitter, config.reordering) = (Jitter::Exponential { mean: Duration::from_millis(30) }, true);
            })
        },
        load: 0,
        skew_ppm: 0.0,
    },
    Synthetic {
        name: "wifi-stalls",
        input: "Wi-Fi of 20 Mb/s that stalls for 160 ms each 10 s, 0.5 % lost, 3 ms of jitter",
        config: |_| NetemConfig::wifi(Bitrate::from_kbps(20_000)),
        load: 2_000_000,
        skew_ppm: 0.0,
    },
    Synthetic {
        name: "stalls-160",
        input: "a stall of 160 ms each 10 s, nothing lost, no other jitter",
        config: |_| stalled(|sent| sent % 10_000, 5_000, 160),
        load: 0,
        skew_ppm: 0.0,
    },
    Synthetic {
        name: "stall-1000",
        input: "one stall of 1 s after 30 s, nothing lost, no other jitter",
        config: |_| stalled(|sent| sent, 30_000, 1_000),
        load: 0,
        skew_ppm: 0.0,
    },
    Synthetic {
        name: "spikes",
        input: "a spike of 300 ms to 1 s each 10 s, 5 ms of exponential jitter",
        config: |_| {
            with(|config| {
                let second = Duration::from_secs(1);
                let shortest = Duration::from_millis(300);
                config.spikes = Some(Spikes { every: 10 * second, shortest, longest: second });
                config.jitter = Jitter::Exponential { mean: Duration::from_millis(5) };
            })
        },
        load: 0,
        skew_ppm: 0.0,
    },
    Synthetic {
        name: "lte-drive",
        input: "LTE from a car, 6 Mb/s in the median, with 2 Mb/s of video",
        config: |seed| NetemConfig::lte_drive(seed, Bitrate::from_kbps(6_000)),
        load: 2_000_000,
        skew_ppm: 0.0,
    },
    Synthetic {
        name: "skew+300",
        input: "a sender's clock 300 ppm too fast, 5 ms of exponential jitter",
        config: |_| with(|config| config.jitter = Jitter::Exponential { mean: Duration::from_millis(5) }),
        load: 0,
        skew_ppm: -300.0,
    },
    Synthetic {
        name: "skew-300",
        input: "a sender's clock 300 ppm too slow, 5 ms of exponential jitter",
        config: |_| with(|config| config.jitter = Jitter::Exponential { mean: Duration::from_millis(5) }),
        load: 0,
        skew_ppm: 300.0,
    },
];

fn with(change: impl FnOnce(&mut NetemConfig)) -> Result<NetemConfig, ConfigError> {
    let mut config = NetemConfig::default();
    change(&mut config);
    Ok(config)
}

/// A network in which what is sent within `length` ms from `at` on, by this clock, arrives when they are over.
fn stalled(clock: fn(u64) -> u64, at: u64, length: u64) -> Result<NetemConfig, ConfigError> {
    let packets = (0..PACKETS as u64).map(|number| clock(number * 20));
    let delays = packets.map(|time| if (at..at + length).contains(&time) { at + length - time } else { 0 });
    let trace = DelayTrace::new(delays.map(|delay| Some(Duration::from_millis(delay))).collect());
    let trace = trace.map_err(|_| ConfigError::new("trace", "is no trace"))?;
    with(|config| config.trace = Some(trace))
}

impl Synthetic {
    /// What becomes of each audio packet.
    pub(super) fn delays(&self, seed: u64) -> Result<Delays, ConfigError> {
        let mut path: Netem<Option<usize>> = Netem::new((self.config)(seed)?, seed)?;
        let mut delays: Delays = vec![None; PACKETS];
        let sent = |number: usize| Instant::ZERO + PTIME * u32::try_from(number).unwrap_or(u32::MAX);
        let between = Bitrate::from_bps(self.load).time_for(DataSize::from_bytes(1_200));
        let mut next_load = Instant::ZERO + between;
        for number in 0..PACKETS {
            let now = sent(number);
            while next_load <= now {
                path.send(next_load, DataSize::from_bytes(1_200), Ecn::NotEct, None);
                next_load += between;
            }
            path.send(now, DataSize::from_bytes(172), Ecn::NotEct, Some(number));
            while path
                .poll(now)
                .map(|delivery| note(&mut delays, delivery.item, delivery.delivered - delivery.sent))
                .is_some()
            {}
        }
        let end = sent(PACKETS) + Duration::from_secs(30);
        while path
            .poll(end)
            .map(|delivery| note(&mut delays, delivery.item, delivery.delivered - delivery.sent))
            .is_some()
        {}
        Ok(relative(delays))
    }
}

fn note(delays: &mut Delays, number: Option<usize>, delay: Duration) {
    if let Some(slot) = number.and_then(|number| delays.get_mut(number)) {
        *slot = Some(delay);
    }
}

/// Beyond the fastest.
pub(super) fn relative(delays: Delays) -> Delays {
    let least = delays.iter().flatten().min().copied().unwrap_or_default();
    delays.into_iter().map(|delay| delay.map(|delay| delay - least)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_do_what_they_say() {
        for network in SYNTHETIC {
            let delays = network.delays(1).unwrap();
            let lost = delays.iter().filter(|delay| delay.is_none()).count() as f64 / PACKETS as f64;
            let most = delays.iter().flatten().max().unwrap().as_secs_f64() * 1e3;
            let (loss, range) = match network.name {
                "clean" => (0.0..=0.0, 0.0..=0.0),
                "loss-5-bursts" => (0.03..=0.07, 0.0..=0.0),
                "uniform-50" => (0.0..=0.0, 48.0..=50.0),
                "exp-30" => (0.0..=0.0, 180.0..=500.0),
                "wifi-stalls" => (0.002..=0.01, 140.0..=260.0),
                "stalls-160" => (0.0..=0.0, 155.0..=165.0),
                "stall-1000" => (0.0..=0.0, 990.0..=1_010.0),
                "spikes" => (0.0..=0.0, 600.0..=1_100.0),
                "lte-drive" => (0.0..=0.2, 300.0..=3_000.0),
                _ => (0.0..=0.0, 25.0..=90.0),
            };
            assert!(loss.contains(&lost) && range.contains(&most), "{}: {lost} {most}", network.name);
        }
    }
}
