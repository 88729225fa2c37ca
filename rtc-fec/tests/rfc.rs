//! One test per clause of the RFCs.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "common/packets.rs"]
mod packets;

#[path = "rfc/flexfec.rs"]
mod flexfec;
#[path = "rfc/keyframe.rs"]
mod keyframe;
#[path = "rfc/rfc2198.rs"]
mod rfc2198;
#[path = "rfc/rfc4585_4588.rs"]
mod rfc4585_4588;
#[path = "rfc/rfc5109.rs"]
mod rfc5109;
#[path = "rfc/rfc8681.rs"]
mod rfc8681;
