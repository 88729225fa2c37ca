#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

mod aimd;
mod arrival;
mod check;
mod config;
mod delay;
mod estimator;
mod history;
mod ledger;
mod limits;
mod loss;
mod nada;
mod probe;
mod queue;
mod scream;
mod stats;
mod throughput;
mod trendline;

pub use config::{AimdConfig, GccConfig, LossConfig, ProbeConfig, QueueConfig, TrendlineConfig};
pub use estimator::Gcc;
pub use ledger::PacketStats;
pub use nada::{Nada, NadaConfig, NadaMode, NadaSnapshot};
pub use scream::{Scream, ScreamConfig, ScreamSnapshot};
pub use stats::{Reason, Snapshot, State, Stats, Usage};
