#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

mod aimd;
mod allocation;
mod arrival;
mod check;
mod compete;
mod config;
mod coupled;
mod delay;
mod estimator;
mod history;
mod idle;
mod ledger;
mod limits;
mod loss;
mod marks;
mod meter;
mod nada;
mod probe;
mod queue;
mod remb;
mod reported;
mod scream;
mod share;
mod stats;
mod throughput;
mod trendline;

pub use allocation::{Allocator, AllocatorConfig, AllocatorStats, Demand, StreamId};
pub use config::{
    AimdConfig, CompeteConfig, GccConfig, LossConfig, LossModel, MarksConfig, ProbeConfig, QueueConfig, TrendlineConfig,
};
pub use coupled::{FlowGroup, FlowGroupConfig, FlowId};
pub use estimator::Gcc;
pub use ledger::PacketStats;
pub use nada::{Nada, NadaConfig, NadaMode, NadaSnapshot};
pub use remb::{ReceiverEstimator, ReceiverEstimatorConfig, ReceiverEstimatorStats};
pub use reported::{Reported, ReportedConfig, ReportedStats};
pub use scream::{Scream, ScreamConfig, ScreamSnapshot};
pub use stats::{LossKind, Reason, Snapshot, State, Stats, Usage};
