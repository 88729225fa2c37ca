#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

mod aimd;
mod arrival;
mod config;
mod estimator;
mod history;
mod loss;
mod probe;
mod queue;
mod stats;
mod throughput;
mod trendline;

pub use config::{AimdConfig, GccConfig, LossConfig, ProbeConfig, QueueConfig, TrendlineConfig};
pub use estimator::Gcc;
pub use stats::{Reason, Snapshot, State, Stats, Usage};
