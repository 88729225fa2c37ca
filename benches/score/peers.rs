//! The peers, by mechanism. Each is a thin adapter to the interfaces of [`subject`](crate::subject); those whose feature is
//! off, or that cannot be had for another reason, are listed with that reason.

use crate::interop::Crossing;
use crate::memory::Heap;
use crate::subject::{MakeBlockCode, MakeEstimator, MakePacketCode, MakePlayer, MakeRepair, Subject};

#[cfg_attr(not(feature = "peers-rust"), path = "peers/no_rust.rs")]
mod rust;
#[cfg_attr(not(feature = "peers-system"), path = "peers/no_system.rs")]
mod system;

/// Bandwidth estimators.
pub(crate) fn estimators() -> Vec<Subject<MakeEstimator>> {
    joined(rust::estimators(), system::estimators())
}

/// Jitter buffers that play audio.
pub(crate) fn players() -> Vec<Subject<MakePlayer>> {
    joined(rust::players(), system::players())
}

/// Codes over a block of packets.
pub(crate) fn block_codes() -> Vec<Subject<MakeBlockCode>> {
    joined(rust::block_codes(), system::block_codes())
}

/// Codes over a stream of packets.
pub(crate) fn repairs() -> Vec<Subject<MakeRepair>> {
    joined(rust::repairs(), system::repairs())
}

/// Encoders and decoders of ours that meet those of another, or why there are none.
pub(crate) type Crossings = Result<(String, &'static [Crossing]), String>;

/// The crossings by peer, each with its version.
pub(crate) fn crossings() -> [(&'static str, Crossings); 2] {
    [("GStreamer", system::crossings()), ("rtc-interceptor", rust::crossings())]
}

/// The heap of peers that have one of their own, and count it.
pub(crate) fn heap() -> Heap {
    system::heap()
}

/// Packet types.
pub(crate) fn packet_codes() -> Vec<Subject<MakePacketCode>> {
    rust::packet_codes()
}

fn joined<M>(mut first: Vec<M>, second: Vec<M>) -> Vec<M> {
    first.extend(second);
    first
}
