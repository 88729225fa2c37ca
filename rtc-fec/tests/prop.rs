//! Properties: arbitrary input, naive models, accounts that balance.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "common/packets.rs"]
mod packets;

#[path = "prop/cauchy.rs"]
mod cauchy;
#[path = "prop/flexfec.rs"]
mod flexfec;
#[path = "prop/keyframe.rs"]
mod keyframe;
#[path = "prop/nack.rs"]
mod nack;
#[path = "prop/red.rs"]
mod red;
#[path = "prop/repair.rs"]
mod repair;
#[path = "prop/rlc.rs"]
mod rlc;
#[path = "prop/rlc_short.rs"]
mod rlc_short;
#[path = "prop/rtx.rs"]
mod rtx;
#[path = "prop/ulpfec.rs"]
mod ulpfec;
