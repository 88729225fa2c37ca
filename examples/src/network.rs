//! Networks to call through, by name.

use core::time::Duration;

use rtc_core::testkit::netem::{CoDelConfig, Jitter, Link, Loss, NetemConfig, QueueLimit, Spikes};
use rtc_core::testkit::trace::RateSchedule;
use rtc_core::{Bitrate, ConfigError};

use crate::cli::NetworkOptions;

/// The presets.
pub const NAMES: [&str; 12] = [
    "perfect",
    "wifi",
    "lte-drive",
    "jitter",
    "capacity-step",
    "5%-loss",
    "30%-loss",
    "50%-loss",
    "70%-loss",
    "80%-loss",
    "jitter-1000ms",
    "dialup-edge",
];

/// How jitter may be distributed.
pub const SHAPES: [&str; 3] = ["uniform", "normal", "exponential"];

/// A network between the two ends of a call.
#[derive(Debug, Clone)]
pub struct Network {
    /// Name of the preset.
    pub name: String,
    /// What it is like, for a person.
    pub description: String,
    /// From near to far, and from far to near.
    pub ways: [NetemConfig; 2],
}

impl Network {
    /// The preset `options` name, with their overrides.
    ///
    /// # Errors
    /// [`ConfigError`] if there is no such preset, or the overrides contradict each other.
    pub fn from_options(options: &NetworkOptions) -> Result<Self, ConfigError> {
        let seed = options.seed;
        let (description, mut ways) = preset(&options.net, seed)?;
        let mut description = description.to_owned();
        if let Some(back) = &options.back {
            let (other, [_, way]) = preset(back, seed)?;
            description = format!("{description}; the other way {other}");
            ways[1] = way;
        }
        let mut changes = Vec::new();
        for config in &mut ways[usize::from(options.back_only)..] {
            changes = apply(options, config)?;
        }
        if options.back_only && !changes.is_empty() {
            changes.push("only from far to near".into());
        }
        if !changes.is_empty() {
            description = format!("{description}; with {}", changes.join(", "));
        }
        Ok(Self { name: options.net.clone(), description, ways })
    }
}

/// A preset by name: its description and both ways.
fn preset(name: &str, seed: u64) -> Result<(&'static str, [NetemConfig; 2]), ConfigError> {
    let both = |config: NetemConfig| [config.clone(), config];
    Ok(match name {
        "perfect" => ("20 ms each way and nothing else", both(steady(20))),
        "wifi" => {
            let rate = Bitrate::from_kbps(20_000);
            (
                "Wi-Fi at home: short loss bursts, a scan stalls everything for 160 ms each 10 s",
                both(NetemConfig::wifi(rate)?),
            )
        }
        "lte-drive" => {
            let way = |seed| NetemConfig::lte_drive(seed, Bitrate::from_kbps(400));
            ("a car on LTE: capacity wanders and fades, queues of up to a second", [way(seed)?, way(seed ^ 0x5eed)?])
        }
        "jitter" => ("each packet up to 80 ms late by chance, some overtaken, 40 ms each way", both(jittery())),
        "capacity-step" => ("1 Mb/s, from second 4 to 9 only 300 kb/s, 40 ms each way", both(stepped()?)),
        "5%-loss" => ("one packet of twenty lost, 40 ms each way, a little jitter", both(lossy(0.05))),
        "50%-loss" => ("every second packet lost, 40 ms each way, a little jitter", both(lossy(0.5))),
        "30%-loss" => ("every third packet lost, 40 ms each way, a little jitter", both(lossy(0.3))),
        "70%-loss" => ("seven of ten packets lost, 40 ms each way, a little jitter", both(lossy(0.7))),
        "80%-loss" => ("eight of ten packets lost, 40 ms each way, a little jitter", both(lossy(0.8))),
        "jitter-1000ms" => ("a good link that holds everything back for a second now and then", both(spiky())),
        "dialup-edge" => {
            let mut config = steady(150);
            config.link = Link::Rate(Bitrate::from_kbps(40));
            config.queue = QueueLimit::Time(Duration::from_secs(1));
            config.loss = Loss::bursts(0.02, 2.0)?;
            ("40 kb/s, 150 ms each way, a second of queue, 2 % loss", both(config))
        }
        _ => return Err(ConfigError::new("net", "must be one of the presets")),
    })
}

fn steady(delay_ms: u64) -> NetemConfig {
    let mut config = NetemConfig::default();
    config.delay = Duration::from_millis(delay_ms);
    config
}

fn lossy(loss: f64) -> NetemConfig {
    let mut config = steady(40);
    config.loss = Loss::Bernoulli(loss);
    config.jitter = Jitter::Exponential { mean: Duration::from_millis(5) };
    config
}

fn jittery() -> NetemConfig {
    let mut config = steady(40);
    config.jitter = Jitter::Uniform { max: Duration::from_millis(80) };
    config.reordering = true;
    config
}

fn stepped() -> Result<NetemConfig, ConfigError> {
    let steps = [(0, 1_000), (4, 300), (9, 1_000)];
    let steps = steps.map(|(second, kbps)| (Duration::from_secs(second), Bitrate::from_kbps(kbps)));
    let mut config = steady(40);
    config.link = Link::Schedule(RateSchedule::new(&steps, None)?);
    Ok(config)
}

fn spiky() -> NetemConfig {
    let mut config = steady(30);
    config.jitter = Jitter::Uniform { max: Duration::from_millis(10) };
    config.spikes = Some(spikes(Duration::from_secs(1)));
    config
}

/// One spike each 10 s.
fn spikes(length: Duration) -> Spikes {
    Spikes { every: Duration::from_secs(10), shortest: length, longest: length }
}

/// Applies the overrides to one way; returns them in words.
fn apply(options: &NetworkOptions, config: &mut NetemConfig) -> Result<Vec<String>, ConfigError> {
    let mut changes = Vec::new();
    if let Some(percent) = options.loss {
        config.loss = match options.burst {
            Some(burst) if burst > 1.0 => Loss::bursts(percent / 100.0, burst)?,
            _ => Loss::Bernoulli(percent / 100.0),
        };
        changes.push(format!("{percent} % loss"));
        changes.extend(options.burst.map(|burst| format!("in bursts of {burst}")));
    }
    if let Some(delay) = options.delay {
        config.delay = millis(delay);
        changes.push(format!("{delay} ms delay"));
    }
    if let Some(jitter) = options.jitter {
        let time = millis(jitter);
        config.jitter = match options.shape.as_str() {
            "uniform" => Jitter::Uniform { max: time },
            "normal" => Jitter::Normal { std_dev: time },
            _ => Jitter::Exponential { mean: time },
        };
        changes.push(format!("{jitter} ms {} jitter", options.shape));
    }
    if let Some(spike) = options.spike {
        config.spikes = Some(spikes(millis(spike)));
        changes.push(format!("spikes of {spike} ms"));
    }
    if options.reorder {
        config.reordering = true;
        changes.push("out of order".into());
    }
    if let Some(percent) = options.duplicate {
        config.duplication = percent / 100.0;
        changes.push(format!("{percent} % twice"));
    }
    changes.extend(apply_link(options, config));
    for outage in &options.outage {
        config.outages.push(*outage);
        changes.push(format!(
            "nothing for {} s from second {}",
            outage.length.as_secs_f64(),
            outage.from.as_secs_f64()
        ));
    }
    Ok(changes)
}

/// The part of [`apply`] that is about the link and its queue.
fn apply_link(options: &NetworkOptions, config: &mut NetemConfig) -> Vec<String> {
    let mut changes = Vec::new();
    if let Some(kbps) = options.capacity {
        config.link = Link::Rate(Bitrate::from_bps_f64(kbps * 1e3));
        changes.push(format!("{kbps} kb/s"));
    }
    if let Some(trace) = &options.trace {
        config.link = Link::Deliveries(trace.clone());
        changes.push(format!("a recorded link of {:.0} kb/s on average", trace.mean_rate().as_bps_f64() / 1e3));
    }
    if let Some(queue) = options.queue {
        config.queue = QueueLimit::Time(millis(queue));
        changes.push(format!("{queue} ms of queue"));
    }
    if options.codel {
        config.codel = Some(CoDelConfig::default());
        changes.push("CoDel".into());
    }
    changes
}

fn millis(ms: f64) -> Duration {
    Duration::from_secs_f64(ms / 1e3)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use rtc_core::testkit::netem::Netem;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn every_preset_can_be_built() {
        for name in NAMES {
            let cli = Cli::try_parse_from(["call", "--net", name]).unwrap();
            let network = Network::from_options(&cli.options.network).unwrap();
            assert!(!network.description.is_empty());
            for way in network.ways {
                Netem::<()>::new(way, 1).unwrap();
            }
        }
    }

    #[test]
    fn overrides_are_applied_and_told() {
        let arguments = ["call", "--net", "perfect", "--loss", "12", "--burst", "3", "--capacity", "64"];
        let network = Network::from_options(&Cli::try_parse_from(arguments).unwrap().options.network).unwrap();
        assert!((network.ways[1].loss.mean() - 0.12).abs() < 1e-9);
        assert!(network.description.ends_with("with 12 % loss, in bursts of 3, 64 kb/s"), "{}", network.description);
    }

    #[test]
    fn overrides_of_one_way_leave_the_other_alone() {
        let arguments = ["call", "--net", "perfect", "--loss", "12", "--duplicate", "5", "--reorder", "--back-only"];
        let [there, back] =
            Network::from_options(&Cli::try_parse_from(arguments).unwrap().options.network).unwrap().ways;
        assert_eq!((there.loss.mean(), there.duplication, there.reordering), (0.0, 0.0, false));
        assert_eq!((back.loss.mean(), back.duplication, back.reordering), (0.12, 0.05, true));
    }

    #[test]
    fn the_way_back_may_be_another() {
        let arguments = ["call", "--net", "perfect", "--back", "dialup-edge", "--outage", "1:2", "--outage", "5:0.5"];
        let network = Network::from_options(&Cli::try_parse_from(arguments).unwrap().options.network).unwrap();
        assert_eq!((&network.ways[0].link, network.ways[0].outages.len()), (&Link::Unlimited, 2));
        assert_eq!(network.ways[1].link, Link::Rate(Bitrate::from_kbps(40)));
    }

    #[test]
    fn contradictions_are_refused() {
        let arguments = ["call", "--net", "perfect", "--loss", "90", "--burst", "2"];
        assert!(Network::from_options(&Cli::try_parse_from(arguments).unwrap().options.network).is_err());
    }
}
