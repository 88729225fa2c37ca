//! The command line of `call`.

use core::net::SocketAddr;
use core::ops::RangeInclusive;
use core::time::Duration;
use std::net::ToSocketAddrs;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand};
use rtc_core::testkit::netem::Outage;
use rtc_core::testkit::trace::DeliveryTrace;

use crate::guard::CallKey;
use crate::network;

/// A two-party voice call: through an emulated network in virtual time, or live over UDP.
#[derive(Debug, Clone, Parser)]
#[command(name = "call", version, about, subcommand_negates_reqs = true, args_conflicts_with_subcommands = false)]
pub struct Cli {
    /// What to do instead of simulating both ends.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// All settings.
    #[command(flatten)]
    pub options: Options,
}

/// One end of a live call.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Wait for a call on this address, such as 0.0.0.0:5004
    Listen {
        /// Local address and port
        addr: SocketAddr,
    },
    /// Call this address
    Connect {
        /// Remote address or name, and port
        #[arg(value_parser = resolve)]
        addr: SocketAddr,
    },
}

/// All settings.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// What the near end says: any WAV file; looped
    #[arg(long, value_name = "FILE", global = true)]
    pub near: Option<PathBuf>,
    /// What the far end says: any WAV file; looped
    #[arg(long, value_name = "FILE", global = true)]
    pub far: Option<PathBuf>,
    /// Run both ends as processes of their own over UDP on this machine, in real time
    #[arg(long, conflicts_with_all = EMULATION)]
    pub live: bool,
    /// Where the sounds and reports go
    #[arg(long, value_name = "DIR", default_value = "out/call", global = true)]
    pub out: PathBuf,
    /// The key of a live call, as the listener tells it. A secret for one call; agreeing on one (DTLS) is not part of this
    #[arg(long, value_name = "HEX", global = true)]
    pub key: Option<CallKey>,
    /// Length of the call in seconds
    #[arg(long, value_name = "S", default_value = "20", value_parser = within(0.5..=3600.0), global = true)]
    pub seconds: f64,
    /// The voice
    #[command(flatten)]
    pub voice: VoiceOptions,
    /// The network
    #[command(flatten)]
    pub network: NetworkOptions,
}

/// The voice and its protection.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Voice")]
pub struct VoiceOptions {
    /// Highest rate of the voice itself, kb/s; 510 for the best stereo music
    #[arg(long, value_name = "KBPS", default_value = "32", value_parser = clap::value_parser!(u64).range(6..=510), global = true)]
    pub bitrate: u64,
    /// Most that an end sends of everything, headers included, kb/s, instead of what the path is found to carry
    #[arg(long, value_name = "KBPS", value_parser = clap::value_parser!(u64).range(32..=2_000), global = true)]
    pub max_rate: Option<u64>,
    /// Two channels
    #[arg(long, global = true)]
    pub stereo: bool,
    /// Milliseconds of voice in a packet
    #[arg(long, value_name = "MS", default_value = "20", value_parser = PossibleValuesParser::new(["10", "20", "40", "60"]), global = true)]
    pub packet: String,
    /// Effort of the encoder, 0 to 10
    #[arg(long, value_name = "N", default_value = "9", value_parser = clap::value_parser!(u8).range(0..=10), global = true)]
    pub complexity: u8,
    /// Send less while nobody speaks
    #[arg(long, global = true)]
    pub dtx: bool,
    /// Earlier frames repeated in each packet, instead of as many as the loss asks for
    #[arg(long, value_name = "COPIES", value_parser = clap::value_parser!(u8).range(0..=12), global = true)]
    pub red: Option<u8>,
    /// Never use ULPFEC
    #[arg(long, global = true)]
    pub no_ulpfec: bool,
    /// Never ask for retransmission
    #[arg(long, global = true)]
    pub no_nack: bool,
    /// No low-rate copy of the last frame inside the Opus packet
    #[arg(long, global = true)]
    pub no_inband_fec: bool,
}

/// Names of the settings a real network does not take.
const EMULATION: [&str; 16] = [
    "net",
    "back",
    "back_only",
    "loss",
    "burst",
    "delay",
    "jitter",
    "shape",
    "spike",
    "reorder",
    "duplicate",
    "capacity",
    "trace",
    "queue",
    "codel",
    "outage",
];

/// The emulated network. The flags override the preset, both ways.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Network")]
pub struct NetworkOptions {
    /// The network between the two
    #[arg(long, value_name = "NAME", default_value = "30%-loss", value_parser = PossibleValuesParser::new(network::NAMES))]
    pub net: String,
    /// The network from far to near, where it differs
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(network::NAMES))]
    pub back: Option<String>,
    /// Seed of every random choice
    #[arg(long, default_value = "1", global = true)]
    pub seed: u64,
    /// Packets lost at random, percent
    #[arg(long, value_name = "PERCENT", value_parser = within(0.0..=100.0))]
    pub loss: Option<f64>,
    /// Mean length of a burst of losses, packets
    #[arg(long, value_name = "PACKETS", value_parser = within(1.0..=1000.0), requires = "loss")]
    pub burst: Option<f64>,
    /// One-way delay, milliseconds
    #[arg(long, value_name = "MS", value_parser = within(0.0..=5000.0))]
    pub delay: Option<f64>,
    /// Extra delay of each packet, milliseconds
    #[arg(long, value_name = "MS", value_parser = within(0.0..=5000.0))]
    pub jitter: Option<f64>,
    /// Its distribution: up to, with the standard deviation or with the mean of --jitter
    #[arg(long, value_name = "NAME", default_value = "exponential", value_parser = PossibleValuesParser::new(network::SHAPES), requires = "jitter")]
    pub shape: String,
    /// Once each 10 s everything is held back for so long, milliseconds
    #[arg(long, value_name = "MS", value_parser = within(0.0..=10_000.0))]
    pub spike: Option<f64>,
    /// What the link carries, kb/s
    #[arg(long, value_name = "KBPS", value_parser = within(1.0..=1e7))]
    pub capacity: Option<f64>,
    /// The same, recorded: a file in the format of Mahimahi
    #[arg(long, value_name = "FILE", value_parser = trace, conflicts_with = "capacity")]
    pub trace: Option<DeliveryTrace>,
    /// What waits at the link at most before packets are dropped, milliseconds
    #[arg(long, value_name = "MS", value_parser = within(1.0..=10_000.0))]
    pub queue: Option<f64>,
    /// Packets delivered twice, percent
    #[arg(long, value_name = "PERCENT", value_parser = within(0.0..=100.0))]
    pub duplicate: Option<f64>,
    /// Let jitter bring packets out of order
    #[arg(long)]
    pub reorder: bool,
    /// Overrides apply to what the far end sends only: an asymmetric path
    #[arg(long)]
    pub back_only: bool,
    /// Keep the queue short with CoDel (RFC 8289)
    #[arg(long)]
    pub codel: bool,
    /// Nothing arrives from this second for so many seconds; may be repeated
    #[arg(long, value_name = "FROM:SECONDS", value_parser = outage)]
    pub outage: Vec<Outage>,
    /// How much faster the far end's clock runs, parts per million
    #[arg(long, value_name = "PPM", default_value = "0", value_parser = within(-1000.0..=1000.0), allow_hyphen_values = true)]
    pub skew: f64,
}

impl Cli {
    /// Parses the arguments of this process.
    ///
    /// # Errors
    /// One line on what is wrong with them. Help and version are printed and end the process.
    pub fn from_env() -> Result<Self, String> {
        Self::try_parse().map_err(|error| {
            if !error.use_stderr() {
                error.exit();
            }
            one_line(&error.to_string())
        })
    }
}

/// Clap's message without its usage and hints, which are a `--help` away.
pub(crate) fn one_line(message: &str) -> String {
    let first: Vec<_> = message.lines().take_while(|line| !line.trim().is_empty()).map(str::trim).collect();
    first.join(" ").trim_start_matches("error: ").to_owned()
}

/// A parser of finite numbers in `range`.
pub fn within(range: RangeInclusive<f64>) -> impl Fn(&str) -> Result<f64, String> + Clone + Send + Sync + 'static {
    move |text| match text.parse::<f64>() {
        Ok(value) if range.contains(&value) => Ok(value),
        _ => Err(format!("must be a number from {} to {}", range.start(), range.end())),
    }
}

/// A parser of addresses by number or name: the first that the name has.
pub(crate) fn resolve(text: &str) -> Result<SocketAddr, String> {
    let mut addrs = text.to_socket_addrs().map_err(|error| error.to_string())?;
    addrs.next().ok_or_else(|| "the name has no address".into())
}

/// A parser of Mahimahi traces by file name.
fn trace(path: &str) -> Result<DeliveryTrace, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    DeliveryTrace::parse(&text).map_err(|error| error.to_string())
}

/// A parser of outages, as in `3:0.5`.
fn outage(text: &str) -> Result<Outage, String> {
    let seconds = |text| within(0.0..=3600.0)(text).map(Duration::from_secs_f64);
    let (from, length) = text.split_once(':').ok_or("must be two numbers of seconds, as in 3:0.5")?;
    Ok(Outage { from: seconds(from)?, length: seconds(length)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Cli, String> {
        let all = core::iter::once("call").chain(arguments.iter().copied());
        Cli::try_parse_from(all).map_err(|error| one_line(&error.to_string()))
    }

    #[test]
    fn defaults_stand() {
        let cli = parse(&[]).unwrap();
        assert_eq!((cli.options.network.net.as_str(), cli.options.seconds), ("30%-loss", 20.0));
    }

    #[test]
    fn a_peer_may_be_called_by_name() {
        let Some(Command::Connect { addr }) = parse(&["connect", "localhost:5004"]).unwrap().command else { panic!() };
        assert!(addr.ip().is_loopback() && addr.port() == 5004);
        assert!(parse(&["connect", "localhost"]).is_err());
    }

    #[test]
    fn an_end_of_a_live_call_takes_the_voice_settings() {
        let cli = parse(&["listen", "127.0.0.1:5004", "--bitrate", "64", "--near", "me.wav"]).unwrap();
        assert!(matches!(cli.command, Some(Command::Listen { addr }) if addr.port() == 5004));
        assert_eq!(cli.options.voice.bitrate, 64);
    }

    #[test]
    fn a_live_call_takes_no_emulation() {
        for setting in EMULATION {
            let network = <NetworkOptions as Args>::augment_args(clap::Command::new("call"));
            assert!(network.get_arguments().any(|argument| argument.get_id() == setting), "{setting}");
        }
        assert!(parse(&["--live", "--seed", "3", "--bitrate", "24"]).unwrap().options.live);
    }

    #[test]
    fn bad_arguments_are_refused_in_one_line() {
        for arguments in [
            &["--net", "carrier-pigeon"][..],
            &["--seconds", "0"],
            &["--seconds", "NaN"],
            &["--bitrate", "9999999"],
            &["--loss", "-3"],
            &["--packet", "17"],
            &["--no-such-thing"],
            &["connect", "nowhere"],
            &["connect", "127.0.0.1:5004", "--key", "1234"],
            &["--live", "--loss", "3"],
            &["--live", "--net", "wifi"],
            &["--outage", "3"],
            &["--outage", "3:-1"],
            &["--shape", "uniform"],
            &["--trace", "no-such-file"],
        ] {
            let message = parse(arguments).unwrap_err();
            assert_eq!(message.lines().count(), 1, "{message}");
            assert!(!message.is_empty());
        }
    }
}
