//! What the parity formats share: the exclusive or of packets (RFC 5109 §8, RFC 8627 §6), taken as they come, and the solving
//! of what it leaves unknown (RFC 5109 §9, RFC 8627 §6.3).

mod equation;
mod mask;
mod members;
mod outlook;
mod part;
mod recovery;
mod solver;
mod stats;
mod stream;
mod sum;
mod window;

pub(crate) use equation::{Equation, Span};
pub(crate) use mask::Mask;
pub(crate) use members::Members;
pub(crate) use outlook::Lag;
pub use outlook::Outlook;
pub use part::Partial;
pub(crate) use recovery::Recovery;
pub(crate) use solver::{Limits, Solver};
pub use stats::DecoderStats;
pub(crate) use sum::Sum;

/// Bytes of the fixed RTP header, which the FEC header stands for.
pub(crate) const RTP_LEN: usize = 12;
/// Most parts a packet is recovered in.
pub(crate) const MAX_PARTS: usize = 4;
/// Bytes a sum starts with: as much as common packets have. It grows to what is protected.
pub(crate) const BODY_LEN: usize = 1_500;
